# Completes neto's command line. For ~/.config/fish/completions, or a vendor's folder of completions, as `neto.fish`.
function __neto_complete
    set -l words (commandline -pco) (commandline -ct)
    # The unfinished word stands here as it is typed.
    set -l typed $words[-1]
    set words[-1] (string replace -ar '[\'"\\\\]' '' -- "$typed")
    set -l offers (_NETO_COMPLETE=fish command neto -- $words 2>/dev/null)
    switch "$offers[1]"
        case names
            set -e offers[1]
            printf '%s\n' $offers
        case files
            set -l flag (string match -r -- '^-[^=]*=' $words[-1])
            set typed (string sub -s (math (string length -- "$flag") + 1) -- "$typed")
            # A program of no name takes files.
            for file in (complete -C "'' $typed")
                printf '%s\n' "$flag$file"
            end
        case 'command *'
            set -l skipped (string replace 'command ' '' -- $offers[1])
            set -e words[-1]
            set -e words[1..$skipped]
            complete -C "$(string join ' ' -- (string escape -- $words) $typed)"
    end
end
complete -c neto -f -k -a '(__neto_complete)'
