typeset -ga precmd_functions
precmd_functions=(__neto_before_prompt ${precmd_functions:#__neto_before_prompt})
