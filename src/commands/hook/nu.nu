# Returns the verb, which may follow global flags.
def __neto_verb [words: list]: nothing -> string {
    mut skip = false
    for word in ($words | each {|word| $"($word)" }) {
        if $skip {
            $skip = false
        } else if $word in [-p -qp -vp --profile --store --lock-timeout --color] {
            $skip = true
        } else if not (($word starts-with "-") or $word == "profile") {
            return $word
        }
    }
    ""
}

# Runs neto. For `neto use`, loads the variables that neto prints for the hook, and no other output. An unset variable
# becomes empty, as with `neto export`. The body is one expression, because nu passes piped input only to the first
# expression. The words have no type, so that nu treats `~` and `*` as for any other program.
def --env --wrapped neto [...words] {
    match (__neto_verb $words) {
        "use" => {
            let text = with-env { _NETO_HOOK: nu } { ^neto ...$words }
            if ($text starts-with "neto-hook:") {
                load-env ($text | str replace "neto-hook:" "" | from json)
            } else {
                print $text
            }
        }
        "export" => { with-env { _NETO_HOOK: nu } { ^neto ...$words } }
        _ => { ^neto ...$words }
    }
}

# Before each prompt, drops an outdated export.
def --env __neto_before_prompt [] {
    if ($env.NETO_EXPORTED? | default "") != "" {
        let text = null | ^neto hook nu --prompt
        if $text != "" {
            load-env ($text | from json)
        }
    }
}

export-env {
    let hooks = $env.config? | default {} | get --optional hooks | default {} | get --optional pre_prompt | default []
    if not ($hooks | any {|hook| ($hook | describe) == "string" and $hook == "__neto_before_prompt" }) {
        $env.config = ($env.config? | default {} | upsert hooks.pre_prompt ($hooks | append "__neto_before_prompt"))
    }
}
