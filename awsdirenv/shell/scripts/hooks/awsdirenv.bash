# awsdirenv's hook for bash: once a directory's credentials are due, direnv looks again; and `awsdirenv prompt`, without
# starting Python. Source it next to direnv's hook, before or after it.
#
# One comparison of numbers at each prompt, and no process. What it changes is only what direnv believes to have seen:
# a list that decodes and is stale. (Without a list direnv would forget to revert when you leave.)

_awsdirenv_hook() {
  # Parameters, and no variables: nothing that you have made readonly is in the way.
  set -- "$?" "${AWSDIRENV_REFRESH_AT-}"
  case $2 in '' | [!1-9]* | *[!0-9]* | ????????????* | "${_awsdirenv_seen-}") return "$1" ;; esac
  printf -v _awsdirenv_now '%(%s)T' -1
  ((_awsdirenv_now >= $2)) || return "$1"
  # Once for each time: a shell may have inherited one that nobody in it will ever renew.
  _awsdirenv_seen=$2
  export DIRENV_WATCHES=@STALE@
  if declare -F _direnv_hook >/dev/null; then _direnv_hook; fi # its turn may be over by now
  return "$1"
}

# Gives a PROMPT_COMMAND with our hook in front of direnv's, in REPLY; false if direnv's is not in it.
_awsdirenv_in_front() {
  [[ $1 =~ (^|[$';\n'])([[:blank:]]*_direnv_hook[[:blank:]]*($|[$';\n'].*)) ]] || return 1
  REPLY=${1%"${BASH_REMATCH[0]}"}${BASH_REMATCH[1]}_awsdirenv_hook\;${BASH_REMATCH[2]}
}

# In front of direnv's own hook, so that prompts drawn behind it are right, else behind all others: what these read of
# the last command, its PIPESTATUS above all, is there only for the first of them.
_awsdirenv_install() {
  set -- "$(declare -p PROMPT_COMMAND 2>/dev/null || :)"
  set -- "${1#declare }"
  case ${1%% *} in
    *r*)
      printf '%s\n' 'awsdirenv: warning: PROMPT_COMMAND is readonly, so there is no hook' >&2
      printf '%s\n' "awsdirenv: hint: source awsdirenv's hook above the line that makes it readonly" >&2
      return 0
      ;;
    -*a*)
      if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501)); then # older ones run only the first
        for _awsdirenv_now in "${!PROMPT_COMMAND[@]}"; do
          if _awsdirenv_in_front "${PROMPT_COMMAND[_awsdirenv_now]}"; then
            PROMPT_COMMAND[_awsdirenv_now]=$REPLY
            return 0
          fi
        done
        PROMPT_COMMAND+=(_awsdirenv_hook)
        return 0
      fi
      ;;
  esac
  # shellcheck disable=SC2178,SC2128 # it is no array, or only its first one counts
  if _awsdirenv_in_front "${PROMPT_COMMAND-}"; then
    PROMPT_COMMAND=$REPLY
  else # on a line of its own: it may end in a semicolon, or in a comment
    PROMPT_COMMAND=${PROMPT_COMMAND:+$PROMPT_COMMAND$'\n'}_awsdirenv_hook
  fi
}

# Behind direnv's hook: what is not there any more has just been left.
_awsdirenv_left() {
  set -- "$?"
  if [[ ${_awsdirenv_inside-} != "${AWSDIRENV_STAGE-}" ]]; then
    [[ ! ${_awsdirenv_inside-} ]] || printf '%s\n' "awsdirenv: left *** ${_awsdirenv_inside^^} ***" >&2
    _awsdirenv_inside=${AWSDIRENV_STAGE-}
  fi
  return "$1"
}

# What a prompt would take for its own is shown as ?, wherever in it the segment stands.
awsdirenv_prompt() {
  set -- "$?" "${AWSDIRENV_PROFILE-}" "${AWSDIRENV_STAGE-}"
  if [[ $2 ]]; then
    ((BASH_VERSINFO[0] < 4)) || set -- "$1" "$2" "${3^^}"
    set -- "$1" "$2${3:+ $3}"
  elif [[ ${AWSDIRENV_DECLARED-} ]]; then
    set -- "$1" "($AWSDIRENV_DECLARED: closed)"
  fi
  [[ ! $2 ]] || printf '%s\n' "${2//[[:cntrl:]\$\`\\%!#]/?}"
  return "$1"
}

function awsdirenv { # an alias of that name is no trouble behind this word
  case $#:${1-} in
    1:prompt) awsdirenv_prompt ;;
    *) command awsdirenv "$@" ;;
  esac
}

if [[ ${BASH_VERSINFO[0]} -gt 3 && ${PROMPT_COMMAND[*]-} != *_awsdirenv_hook* ]]; then
  _awsdirenv_install
  if [[ ${PROMPT_COMMAND[*]-} != *_awsdirenv_hook* ]]; then
    :
  elif ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501)); then
    PROMPT_COMMAND+=(_awsdirenv_left)
  else
    # shellcheck disable=SC2178,SC2179 # there it is no array, or only its first one counts
    PROMPT_COMMAND+=$'\n'_awsdirenv_left
  fi
fi
unset -f _awsdirenv_install _awsdirenv_in_front
