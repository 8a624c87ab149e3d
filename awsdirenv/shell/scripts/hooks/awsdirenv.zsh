# awsdirenv's hook for zsh: once a directory's credentials are due, direnv looks again, also before a command that you
# type after having sat still; and `awsdirenv prompt`, without starting Python. Source it next to direnv's hook, before
# or after it.
#
# One comparison of numbers at each prompt and command, and no process. What it changes is only what direnv believes to
# have seen: a list that decodes and is stale. (Without a list direnv would forget to revert when you leave.)

zmodload zsh/datetime

_awsdirenv_hook() {
  # Parameters, and no variables: nothing that you have made readonly is in the way.
  set -- "${AWSDIRENV_REFRESH_AT-}"
  if [[ $1 == [1-9]* && $1 != *[^0-9]* && ${#1} -lt 12 && $1 != ${_awsdirenv_seen-} ]] &&
    (( ${EPOCHSECONDS:-0} >= $1 )); then
    # Once for each time: a shell may have inherited one that nobody in it will ever renew.
    typeset -g _awsdirenv_seen=$1
    export DIRENV_WATCHES=@STALE@
    if (( ${+functions[_direnv_hook]} )); then _direnv_hook; fi # its turn may be over by now
  fi
  return 0
}

# Behind direnv's hook: what is not there any more has just been left.
_awsdirenv_left() {
  if [[ ${_awsdirenv_inside-} != "${AWSDIRENV_STAGE-}" ]]; then
    [[ -z ${_awsdirenv_inside-} ]] || print -ru2 -- "awsdirenv: left *** ${(U)_awsdirenv_inside} ***"
    typeset -g _awsdirenv_inside=${AWSDIRENV_STAGE-}
  fi
  return 0
}

_awsdirenv_install() {
  emulate -L zsh
  typeset -ga precmd_functions preexec_functions
  if (( ! ${precmd_functions[(I)_awsdirenv_hook]} )); then
    precmd_functions=(_awsdirenv_hook $precmd_functions) # in front of those who draw the prompt
    precmd_functions+=(_awsdirenv_left)
    preexec_functions+=(_awsdirenv_hook)
    fpath+=(@COMPLETIONS@) # for a compinit that comes later; one that was before is told
    if (( ${+functions[compdef]} )); then
      autoload -Uz _awsdirenv
      compdef _awsdirenv awsdirenv
    fi
  fi
}

# What a prompt would take for its own is shown as ?, wherever in it the segment stands.
awsdirenv_prompt() {
  set -- $? "${AWSDIRENV_PROFILE-}" "${AWSDIRENV_STAGE-}"
  if [[ -n $2 ]]; then
    set -- $1 "$2${3:+ ${(U)3}}"
  elif [[ -n ${AWSDIRENV_DECLARED-} ]]; then
    set -- $1 "($AWSDIRENV_DECLARED: closed)"
  fi
  [[ -z $2 ]] || print -r -- "${2//[[:cntrl:]\$\`\\%!#]/?}"
  return $1
}

function awsdirenv { # an alias of that name is no trouble behind this word
  case $#:${1-} in
    1:prompt) awsdirenv_prompt ;;
    *) command awsdirenv "$@" ;;
  esac
}

_awsdirenv_install
unfunction _awsdirenv_install
