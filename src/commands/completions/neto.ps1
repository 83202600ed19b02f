# Completes neto's command line. Load it in the file $PROFILE.
Register-ArgumentCompleter -Native -CommandName neto -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    # The words before the word at the cursor, as typed: no part of the command line is evaluated.
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object {
        if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.Extent.Text }
    })
    $before = $env:_NETO_COMPLETE
    $env:_NETO_COMPLETE = 'powershell'
    try {
        # Before version 7.3, PowerShell does not pass empty arguments to programs, so the word gets the prefix `=`.
        $offers = @(neto -- @words "=$wordToComplete" 2>$null)
    } catch {
        $offers = @()
    } finally {
        $env:_NETO_COMPLETE = $before
    }
    # For a file or a program this block returns nothing, and PowerShell offers files.
    if ($offers.Count -gt 1 -and $offers[0] -eq 'names') {
        $offers[1..($offers.Count - 1)] | ForEach-Object {
            $value, $help = $_.Split("`t", 2)
            if (-not $help) { $help = $value }
            [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $help)
        }
    }
}
