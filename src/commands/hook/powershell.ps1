# neto, but `neto use` switches this shell: what the program prints for that, and nothing else, is evaluated.
function global:neto {
    $program = (Get-Command neto -CommandType Application -TotalCount 1).Path
    # The verb behind the flags that may stand before it.
    $verb = ''
    $skip = $false
    foreach ($word in $args) {
        if ($skip) { $skip = $false }
        elseif ($word -cin '-p', '-qp', '-vp', '--profile', '--store', '--lock-timeout', '--color') { $skip = $true }
        elseif ("$word".StartsWith('-') -or $word -ceq 'profile') { }
        else { $verb = $word; break }
    }
    if ($verb -cnotin 'use', 'export') {
        if ($MyInvocation.ExpectingInput) { $input | & $program @args } else { & $program @args }
        return
    }
    $env:_NETO_HOOK = 'powershell'
    try {
        if ($verb -ceq 'export') {
            & $program @args
            return
        }
        $text = & $program @args | Out-String
    } finally {
        $env:_NETO_HOOK = $null
    }
    if ($LASTEXITCODE -ne 0) { return }
    if ($text.StartsWith('neto-hook:')) { Invoke-Expression $text.Substring('neto-hook:'.Length) } else { $text }
}

# Before each prompt: drops what an export set, if it is out of date. Then comes the prompt there was.
if (-not $global:__neto_prompt) {
    $global:__neto_prompt = $function:prompt
    function global:prompt {
        $status = $global:LASTEXITCODE
        if ($env:NETO_EXPORTED) {
            $program = (Get-Command neto -CommandType Application -TotalCount 1).Path
            $text = $null | & $program hook powershell --prompt | Out-String
            if ($text) { Invoke-Expression $text }
        }
        $global:LASTEXITCODE = $status
        & $global:__neto_prompt
    }
}
