# Completes neto's command line. Load it in ~/.bashrc, or save it as `neto` among bash's completions.
_neto() {
    local IFS=$' \t\n' word tail head= at
    local -a words=() offers=()
    COMPREPLY=()
    # bash splits words at = and :, and this loop joins them again. `head` is the joined text before the last part.
    for ((at = 0; at <= COMP_CWORD; at++)); do
        tail=${COMP_WORDS[at]}
        if ((at == COMP_CWORD)); then
            tail=$2
            [[ ${COMP_WORDS[at]} != [=:]* ]] || tail=${COMP_WORDS[at]}
        fi
        # neto expects words without quotes.
        tail=${tail//[\"\'\\]/}
        if ((at > 1)) && [[ $tail == [=:]* || ${COMP_WORDS[at - 1]} == [=:]* ]]; then
            head=${words[${#words[@]} - 1]}
            [[ $tail != [=:]* ]] || head+=$tail
            words[${#words[@]} - 1]+=$tail
        else
            head=
            words+=("$tail")
        fi
    done
    IFS=$'\n'
    # The output of neto contains nothing that bash would expand.
    offers=($(_NETO_COMPLETE=bash command neto -- "${words[@]}" 2>/dev/null))
    IFS=$' \t\n'
    case ${offers[0]-} in
    names)
        COMPREPLY=("${offers[@]:1}")
        COMPREPLY=("${COMPREPLY[@]#"$head"}")
        ;;
    files)
        compopt -o default 2>/dev/null
        ;;
    command*)
        for ((at = 1; at < COMP_CWORD; at++)); do
            [[ ${COMP_WORDS[at]} != -- ]] || break
        done
        ((at++))
        # If the package bash-completion is loaded, it completes the program's arguments.
        if declare -F _comp_command_offset >/dev/null; then
            _comp_command_offset "$at"
        elif declare -F _command_offset >/dev/null; then
            _command_offset "$at"
        elif ((COMP_CWORD == at)); then
            COMPREPLY=($(compgen -c -- "$2"))
        else
            compopt -o default 2>/dev/null
        fi
        ;;
    esac
}
if ((BASH_VERSINFO[0] >= 4)); then
    complete -F _neto neto
else
    # Before version 4, bash has no `compopt`, so it offers file names whenever neto offers nothing.
    complete -o default -F _neto neto
fi
