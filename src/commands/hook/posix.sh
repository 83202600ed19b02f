# Runs neto. For `neto use`, evaluates the shell code that neto prints for the hook, and no other output.
function neto {
    \builtin local __neto_word __neto_verb= __neto_skip= __neto_text
    # Find the verb, which may follow global flags.
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

# Before each prompt, drops an outdated export.
function __neto_before_prompt {
    \builtin local __neto_status=$?
    if [[ -n ${NETO_EXPORTED-} ]]; then
        \builtin eval "$(\command neto hook SHELL --prompt </dev/null)"
    fi
    # Later prompt code finds the status of the last command. Under `set -e`, returning that status could end bash.
    [[ $- == *e* ]] || \builtin return "$__neto_status"
}

