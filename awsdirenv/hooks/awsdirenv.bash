# awsdirenv's hook for bash: once a directory's credentials are due, direnv looks again. Source it after direnv's hook.
#
# One comparison of numbers at each prompt, and no process. What it changes is only what direnv believes to have seen:
# a list that decodes and is stale. (Without a list direnv would forget to revert when you leave.)

_awsdirenv_hook() {
  local status=$? due=${AWSDIRENV_REFRESH_AT-}
  case $due in '' | *[!0-9]*) return "$status" ;; esac
  ((${EPOCHSECONDS:-0} < due)) || export DIRENV_WATCHES=@STALE@
  return "$status"
}

# In front of direnv's own hook, which is then the first to see it, and already sees it at this prompt.
if [[ ${PROMPT_COMMAND[*]-} != *_awsdirenv_hook* ]]; then
  if [[ $(declare -p PROMPT_COMMAND 2>/dev/null) == "declare -a"* ]]; then
    PROMPT_COMMAND=(_awsdirenv_hook "${PROMPT_COMMAND[@]}")
  else
    # shellcheck disable=SC2178,SC2128 # here it is no array
    PROMPT_COMMAND="_awsdirenv_hook${PROMPT_COMMAND:+;$PROMPT_COMMAND}"
  fi
fi
