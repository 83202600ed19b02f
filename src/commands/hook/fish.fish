function neto --description 'neto, but `neto use` switches this shell'
    # Find the verb, which may follow global flags.
    set -l verb
    set -l skip no
    for word in $argv
        if test $skip = yes
            set skip no
            continue
        end
        switch $word
            case -p -qp -vp --profile --store --lock-timeout --color
                set skip yes
            case '-*' profile
            case '*'
                set verb $word
                break
        end
    end
    switch "$verb"
        case use
            # Evaluate the shell code that neto prints for the hook, and no other output. The local IFS makes fish split
            # the output into lines.
            set -l IFS \n
            set -l text (_NETO_HOOK=fish command neto $argv)
            or return
            if test "$text[1]" = neto-hook:
                set -e text[1]
                builtin string join \n -- $text | builtin source
            else
                builtin string join \n -- $text
            end
        case export
            _NETO_HOOK=fish command neto $argv
        case '*'
            command neto $argv
    end
end

# Before each prompt, drops an outdated export.
function __neto_before_prompt --on-event fish_prompt
    if test -n "$NETO_EXPORTED"
        command neto hook fish --prompt </dev/null | builtin source
    end
end
