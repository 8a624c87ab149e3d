# awsdirenv's hook for zsh: once a directory's credentials are due, direnv looks again, also before a command that you
# type after having sat still. Source it after direnv's hook.
#
# One comparison of numbers at each prompt and command, and no process. What it changes is only what direnv believes to
# have seen: a list that decodes and is stale. (Without a list direnv would forget to revert when you leave.)

zmodload zsh/datetime

_awsdirenv_is_due() {
  local due=${AWSDIRENV_REFRESH_AT-}
  [[ -n $due && $due != *[^0-9]* && $EPOCHSECONDS -ge $due && ${_awsdirenv_seen-} != $due ]] || return 1
  # Once for each time: a shell may have inherited one that nobody in it will ever renew.
  typeset -g _awsdirenv_seen=$due
  export DIRENV_WATCHES=@STALE@
}

_awsdirenv_precmd() {
  _awsdirenv_is_due
  return 0
}

_awsdirenv_preexec() {
  if _awsdirenv_is_due && (( $+functions[_direnv_hook] )); then
    _direnv_hook
  fi
  return 0
}

typeset -ga precmd_functions preexec_functions
if (( ! ${precmd_functions[(I)_awsdirenv_precmd]} )); then
  # In front of direnv's own hook, which then already sees it at this prompt.
  precmd_functions=(_awsdirenv_precmd $precmd_functions)
  preexec_functions+=(_awsdirenv_preexec)
fi
