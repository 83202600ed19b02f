# The verb behind the flags that may stand before it.
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

# neto, but `neto use` switches this shell: what the program prints for that, and nothing else, is taken over. What is
# unset comes empty, as with `neto export`. One expression, since nu hands what is piped in to the first one alone. The
# words have no type, so that `~` and `*` stay what they are for a program.
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

# Before each prompt: drops what an export set, if it is out of date.
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
