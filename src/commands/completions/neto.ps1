# Completes neto's command line. For the file $PROFILE.
Register-ArgumentCompleter -Native -CommandName neto -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    # The words before the one at the cursor, as they stand there: nothing of the line is evaluated.
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object {
        if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.Extent.Text }
    })
    $before = $env:_NETO_COMPLETE
    $env:_NETO_COMPLETE = 'powershell'
    try {
        # An empty word does not reach a program before PowerShell 7.3, so this one has a sign before it.
        $offers = @(neto -- @words "=$wordToComplete" 2>$null)
    } catch {
        $offers = @()
    } finally {
        $env:_NETO_COMPLETE = $before
    }
    # For a file or a program nothing is said, and PowerShell offers files.
    if ($offers.Count -gt 1 -and $offers[0] -eq 'names') {
        $offers[1..($offers.Count - 1)] | ForEach-Object {
            $value, $help = $_.Split("`t", 2)
            if (-not $help) { $help = $value }
            [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $help)
        }
    }
}
