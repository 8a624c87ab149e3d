# awsdirenv's hook for bash: once a directory's credentials are due, direnv looks again. Source it after direnv's hook.
#
# One comparison of numbers at each prompt, and no process. What it changes is only what direnv believes to have seen:
# a list that decodes and is stale. (Without a list direnv would forget to revert when you leave.)

_awsdirenv_hook() {
  local status=$? due=${AWSDIRENV_REFRESH_AT-}
  case $due in '' | *[!0-9]*) return "$status" ;; esac
  # Each time that is due counts once: where it cannot be renewed, that has been said.
  if ((EPOCHSECONDS >= due)) && [[ ${_awsdirenv_seen-} != "$due" ]]; then
    _awsdirenv_seen=$due
    DIRENV_WATCHES=@STALE@
  fi
  return "$status"
}

# In front of direnv's own hook, which is then the first to see it, and already sees it at this prompt.
if [[ ${PROMPT_COMMAND[*]-} != *_awsdirenv_hook* ]]; then
  if [[ ${PROMPT_COMMAND@a} == *a* ]]; then
    PROMPT_COMMAND=(_awsdirenv_hook "${PROMPT_COMMAND[@]}")
  else
    PROMPT_COMMAND="_awsdirenv_hook${PROMPT_COMMAND:+;$PROMPT_COMMAND}"
  fi
fi
