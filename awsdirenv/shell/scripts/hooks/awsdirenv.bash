# awsdirenv's hook for bash. When a directory's credentials are due, it makes direnv evaluate again. It also has
# `awsdirenv prompt`, without starting Python. Source it next to direnv's hook, before or after it.
#
# At each prompt it compares two numbers and starts no process. It changes only direnv's list of watched files: to a
# valid list that is stale. (Without a list direnv would forget to revert when you leave.)

_awsdirenv_hook() {
  # It uses parameters instead of variables, because a variable of that name may be readonly in your shell.
  set -- "$?" "${AWSDIRENV_REFRESH_AT-}"
  case $2 in '' | [!1-9]* | *[!0-9]* | ????????????* | "${_awsdirenv_seen-}") return "$1" ;; esac
  printf -v _awsdirenv_now '%(%s)T' -1
  ((_awsdirenv_now >= $2)) || return "$1"
  # Only once for each time: a shell may have inherited a time that is never renewed there.
  _awsdirenv_seen=$2
  export DIRENV_WATCHES=@STALE@
  if declare -F _direnv_hook >/dev/null; then _direnv_hook; fi # it may have run before us at this prompt
  return "$1"
}

# Sets REPLY to a PROMPT_COMMAND with our hook before direnv's. Fails if direnv's hook is not in it.
_awsdirenv_in_front() {
  [[ $1 =~ (^|[$';\n'])([[:blank:]]*_direnv_hook[[:blank:]]*($|[$';\n'].*)) ]] || return 1
  REPLY=${1%"${BASH_REMATCH[0]}"}${BASH_REMATCH[1]}_awsdirenv_hook\;${BASH_REMATCH[2]}
}

# Puts our hook before direnv's, so that prompts that are drawn after it are right. Without direnv's hook it goes to the
# end: only the first command still sees the PIPESTATUS of your last command, and the others may need it.
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
      if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501)); then # an older bash runs the first element only
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
  # shellcheck disable=SC2178,SC2128 # it is no array, or only its first element counts
  if _awsdirenv_in_front "${PROMPT_COMMAND-}"; then
    PROMPT_COMMAND=$REPLY
  else # on a new line, because the text before may end in a semicolon or a comment
    PROMPT_COMMAND=${PROMPT_COMMAND:+$PROMPT_COMMAND$'\n'}_awsdirenv_hook
  fi
}

# Runs after direnv's hook: if the stage is gone or another one now, its directory has just been left.
_awsdirenv_left() {
  set -- "$?"
  if [[ ${_awsdirenv_inside-} != "${AWSDIRENV_STAGE-}" ]]; then
    [[ ! ${_awsdirenv_inside-} ]] || printf '%s\n' "awsdirenv: left *** $(_awsdirenv_printable "${_awsdirenv_inside^^}") ***" >&2
    _awsdirenv_inside=${AWSDIRENV_STAGE-}
  fi
  _awsdirenv_watch_block
  return "$1"
}

# Says once that something beside or below our line has set another profile, or other keys, than the directory's.
_awsdirenv_watch_block() {
  set -- "${AWSDIRENV_PROFILE:+${AWS_ACCESS_KEY_ID-}}" "${AWS_PROFILE:+AWS_PROFILE}" "${AWSDIRENV_KEY_ID-}"
  [[ $2 || ! ${AWS_DEFAULT_PROFILE-} ]] || set -- "$1" AWS_DEFAULT_PROFILE "$3"
  [[ ${AWS_CONFIG_FILE-} != */awsdirenv/live/* ]] || set -- "$1" "$2" none
  if [[ ${AWS_PROFILE-} == closed-by-awsdirenv:* && ${AWS_ACCESS_KEY_ID-} ]]; then
    set -- "this directory is closed, but something has set AWS_ACCESS_KEY_ID" 'direnv reload'
  elif [[ $1 && $3 && $1 != "$3" ]]; then
    set -- "the keys here are not this directory's: something has set AWS_ACCESS_KEY_ID" 'direnv reload'
  elif [[ $1 && $2 && ${!2} != "$AWSDIRENV_PROFILE" ]]; then
    set -- "$2 is set beside keys: many programs take the keys, and are not that profile" "unset $2"
  else
    set -- '' ''
  fi
  [[ ! $1 || $1 == "${_awsdirenv_mixed-}" ]] || printf '%s\n' "awsdirenv: warning: $1" \
    "awsdirenv: hint: $2, or take it out of .envrc; for another profile: awsdirenv exec, or --live in .envrc" >&2
  _awsdirenv_mixed=$1
}

@PRINTABLE@

# Prints what is fit for a terminal. Call it in a subshell.
_awsdirenv_printable() {
  LC_ALL=C
  _awsdirenv_replace_unprintable "$1"
  printf '%s\n' "${_ad_reply-}"
}

# Characters that have a meaning in a prompt are shown as ?.
awsdirenv_prompt() {
  set -- "$?" "${AWSDIRENV_PROFILE-}" "${AWSDIRENV_STAGE-}"
  if [[ $2 ]]; then
    ((BASH_VERSINFO[0] < 4)) || set -- "$1" "$2" "${3^^}"
    set -- "$1" "$2${3:+ $3}"
  elif [[ ${AWSDIRENV_DECLARED-} ]]; then
    set -- "$1" "($AWSDIRENV_DECLARED: closed)"
  fi
  [[ $2 != *[![:ascii:]]* ]] || set -- "$1" "$(_awsdirenv_printable "$2")"
  [[ ! $2 ]] || printf '%s\n' "${2//[[:cntrl:]\$\`\\%!#]/?}"
  return "$1"
}

function awsdirenv { # after the word `function` an alias of that name is not expanded
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
    # shellcheck disable=SC2178,SC2179 # there it is no array, or only its first element counts
    PROMPT_COMMAND+=$'\n'_awsdirenv_left
  fi
fi
unset -f _awsdirenv_install _awsdirenv_in_front
