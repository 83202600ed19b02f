# Runs neto. For `neto use`, evaluates the shell code that neto prints for the hook, and no other output.
function global:neto {
    $program = (Get-Command neto -CommandType Application -TotalCount 1).Path
    # Find the verb, which may follow global flags.
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

# Before each prompt, drops an outdated export. Then runs the previous prompt function.
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
