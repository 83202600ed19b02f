# Completes neto's command line. Save it as `neto.fish` in ~/.config/fish/completions or a vendor's completion
# directory.
function __neto_complete
    set -l words (commandline -pco) (commandline -ct)
    # The unfinished word, exactly as the user typed it.
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
            # For an empty program name, fish completes file names.
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
