# Completes neto's command line. Load it in ~/.config/elvish/rc.elv.
set edit:completion:arg-completer[neto] = {|@words|
    use str
    tmp E:_NETO_COMPLETE = elvish
    var kind @offers = (try { (external neto) -- $@words 2>/dev/null | from-lines } catch { put nothing })
    if (eq $kind names) {
        for offer $offers {
            var value @help = (str:split "\t" $offer)
            var said = (if (eq $help []) { put '' } else { put ' ('$help[0]')' })
            edit:complex-candidate $value &code-suffix=' ' &display=$value$said
        }
    } elif (eq $kind files) {
        var flag word = '' $words[-1]
        if (str:has-prefix $word -) {
            set flag word = (str:split &max=2 = $word)
            set flag = $flag'='
        }
        edit:complete-filename neto $word | each {|file|
            edit:complex-candidate $flag$file[stem] &code-suffix=$file[code-suffix] &display=$file[display]
        }
    } elif (str:has-prefix $kind 'command ') {
        edit:complete-sudo neto (all $words[(str:trim-prefix $kind 'command ')..])
    }
}
