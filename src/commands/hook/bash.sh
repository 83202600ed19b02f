if [[ ${PROMPT_COMMAND[*]-} != *__neto_before_prompt* ]]; then
    PROMPT_COMMAND="__neto_before_prompt${PROMPT_COMMAND:+;$PROMPT_COMMAND}"
fi
