# neto, but `neto use` switches this shell: what the program prints for that, and nothing else, is evaluated.
function neto {
    \builtin local __neto_word __neto_verb= __neto_skip= __neto_text
    # The verb behind the flags that may stand before it.
    for __neto_word in "$@"; do
        if [[ -n $__neto_skip ]]; then
            __neto_skip=
        else
            case $__neto_word in
                -p | -qp | -vp | --profile | --store | --lock-timeout | --color) __neto_skip=1 ;;
                -* | profile) ;;
                *)
                    __neto_verb=$__neto_word
                    \builtin break
                    ;;
            esac
        fi
    done
    case $__neto_verb in
        use)
            __neto_text=$(_NETO_HOOK=SHELL \command neto "$@") || \builtin return
            case $__neto_text in
                neto-hook:*) \builtin eval "${__neto_text#neto-hook:}" ;;
                *) \builtin printf "%s\n" "$__neto_text" ;;
            esac
            ;;
        export) _NETO_HOOK=SHELL \command neto "$@" ;;
        *) \command neto "$@" ;;
    esac
}

# Before each prompt: drops what an export set, if it is out of date.
function __neto_before_prompt {
    \builtin local __neto_status=$?
    if [[ -n ${NETO_EXPORTED-} ]]; then
        \builtin eval "$(\command neto hook SHELL --prompt </dev/null)"
    fi
    # Who reads it after this finds the status of the last command; under `set -e` bash would end for it.
    [[ $- == *e* ]] || \builtin return "$__neto_status"
}

