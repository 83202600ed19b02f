# Completes neto's command line. For ~/.config/fish/completions, or a vendor's folder of completions, as `neto.fish`.
function __neto_complete
    set -l words (commandline -pco) (commandline -ct)
    set -l offers (_NETO_COMPLETE=fish command neto -- $words 2>/dev/null)
    switch "$offers[1]"
        case names
            set -e offers[1]
            printf '%s\n' $offers
        case files
            set -l flag (string match -r -- '^-[^=]*=' $words[-1])
            set -l typed (string sub -s (math (string length -- "$flag") + 1) -- $words[-1])
            for file in (__fish_complete_path "$typed")
                printf '%s\n' "$flag$file"
            end
        case 'command *'
            set -l skipped (string replace 'command ' '' -- $offers[1])
            set -l last $words[-1]
            set -e words[-1]
            set -e words[1..$skipped]
            complete -C "$(string join ' ' -- (string escape -- $words) $last)"
    end
end
complete -c neto -f -k -a '(__neto_complete)'
