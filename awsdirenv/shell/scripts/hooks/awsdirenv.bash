# awsdirenv's hook for bash. When a directory's credentials are due, it makes direnv evaluate again, also before a command
# that you type after a pause. It also has `awsdirenv prompt`, without starting Python. Source it next to direnv's hook,
# before or after it.
#
# At each prompt and command it compares two numbers and starts no process. It changes only direnv's list of watched
# files: to a valid list that is stale. (Without a list direnv would forget to revert when you leave.) And where the
# .envrc was deleted, the path that direnv has of it.

_awsdirenv_hook() {
  # It uses parameters instead of variables, because a variable of that name may be readonly in your shell.
  set -- "$?" "${AWSDIRENV_REFRESH_AT-}" "${1-}" "${AWSDIRENV_LOADED:+${DIRENV_FILE-}}"
  [[ $3 || ! ${_awsdirenv_inside-} ]] || _awsdirenv_leave
  if [[ $4 && ! -e $4 ]]; then
    # The .envrc is gone. direnv 2.37 takes nothing back then, not even when you leave (direnv issue 1548), but with any
    # file in its place it does.
    export DIRENV_FILE=/dev/null
  else
    case $2 in '' | [!1-9]* | *[!0-9]* | ????????????* | "${_awsdirenv_seen-}") return "$1" ;; esac
    printf -v _awsdirenv_now '%(%s)T' -1
    ((_awsdirenv_now >= $2)) || return "$1"
    # Only once for each time: a shell may have inherited a time that is never renewed there.
    _awsdirenv_seen=$2
    export DIRENV_WATCHES=@STALE@
  fi
  if declare -F _direnv_hook >/dev/null; then _direnv_hook; fi # it may have run before us at this prompt
  return "$1"
}

# Runs at a prompt before direnv's hook: says which stage you are leaving, before the next directory says where you are.
# An inner directory without a line of ours may have the stage of the outer one, by `source_up`: between such two it is
# _awsdirenv_left that says it, if they differ.
_awsdirenv_leave() {
  [[ ${DIRENV_FILE-} ]] && declare -F _direnv_hook >/dev/null || return 0
  set -- "$PWD" "${DIRENV_FILE%/*}"
  while [[ $1 && ! -e $1/.envrc ]]; do set -- "${1%/*}" "$2"; done
  [[ ! $1/.envrc -ef $DIRENV_FILE ]] || return 0
  if [[ -e $1/.envrc && $1 == "$2"/* ]]; then
    _awsdirenv_has_line "$1/.envrc" || return 0
  elif [[ -e $1/.envrc && $2 == "$1"/* ]]; then
    _awsdirenv_has_line "$DIRENV_FILE" || return 0
  fi
  printf '%s\n' "awsdirenv: leaving *** $(_awsdirenv_printable "${_awsdirenv_inside^^}") ***" >&2
  _awsdirenv_inside=''
}

_awsdirenv_has_line() {
  while IFS= read -r _awsdirenv_now || [[ $_awsdirenv_now ]]; do
    [[ ! $_awsdirenv_now =~ ^[[:blank:]]*use[_[:blank:]]+aws_profile ]] || return 0
  done 2>/dev/null <"$1"
  return 1
}

# Runs before a command, with $? and $_, and leaves both as they are.
_awsdirenv_before_command() {
  # Completing a word, and what a key is bound to, also run commands.
  case ${COMP_LINE-}${READLINE_LINE-} in '') _awsdirenv_hook command || : ;; esac
  [[ $- == *e* ]] || return "$1" # there it would end the shell
}

# Stands in PROMPT_COMMAND at the second prompt only: by then everybody has set their DEBUG trap. Gets $? and that trap.
# Where others, such as ble.sh, call us in a function, nobody sees the trap, and it stays as it is.
_awsdirenv_settle() {
  _awsdirenv_replace "$_awsdirenv_once" '' || :
  if [[ ! ${FUNCNAME[1]-} && ! ${_awsdirenv_trap+set} ]]; then
    _awsdirenv_extend_trap "$2"
    eval "$_awsdirenv_trap"
  fi
  return "$1"
}

# shellcheck disable=SC2016,SC2089 # bash expands it at the prompt
_awsdirenv_once='_awsdirenv_settle "$?" "$(trap -p DEBUG)";'

# Puts $2 in the place of $1 in PROMPT_COMMAND, once. Fails if $1 is not in it.
_awsdirenv_replace() {
  for _awsdirenv_now in "${!PROMPT_COMMAND[@]}"; do
    [[ ${PROMPT_COMMAND[_awsdirenv_now]} == *"$1"* ]] || continue
    set -- "${PROMPT_COMMAND[_awsdirenv_now]%%"$1"*}$2${PROMPT_COMMAND[_awsdirenv_now]#*"$1"}"
    # shellcheck disable=SC2178 # a text stays a text
    if ((_awsdirenv_now)); then PROMPT_COMMAND[_awsdirenv_now]=$1; else PROMPT_COMMAND=$1; fi
    return 0
  done
  return 1
}

# Makes of the DEBUG trap, as `trap -p` prints it, a command that sets one with our part in front: `_awsdirenv_trap`.
# shellcheck disable=SC2016 # bash expands it when the trap runs
_awsdirenv_extend_trap() {
  local ours='_awsdirenv_before_command 0 "$_"'
  # A comparison of texts, which evaluates nothing, costs each command that you type a microsecond less.
  ((BASH_VERSINFO[0] == 4)) || ours='[[ ${AWSDIRENV_REFRESH_AT:-9} > ${EPOCHSECONDS-} ]] || '$ours
  _awsdirenv_trap=$1
  eval "set -- $1" # bash has quoted it
  [[ ${3:--} == - ]] || ours='_awsdirenv_before_command "$?" "$_"'$'\n'$3
  [[ ${3-} == *_awsdirenv_before_command* ]] || printf -v _awsdirenv_trap 'trap -- %q DEBUG' "$ours"
}

# Sets REPLY to a PROMPT_COMMAND with our parts around direnv's hook. Fails if direnv's hook is not in it.
_awsdirenv_around() {
  [[ $1 =~ (^|[$';\n'])([[:blank:]]*_direnv_hook)([[:blank:]]*($|[$';\n'].*)) ]] || return 1
  REPLY=${1%"${BASH_REMATCH[0]}"}${BASH_REMATCH[1]}_awsdirenv_hook\;${BASH_REMATCH[2]}\;_awsdirenv_left${BASH_REMATCH[3]}
}

# Puts our parts around direnv's hook, so that prompts that are drawn after it are right, and not to the end: VS Code's
# terminal and bash-preexec take what runs behind them for the command that you type. Nor does a text become an array: they
# see its first element only. Without direnv's hook ours go to the end: only the first command still sees the PIPESTATUS of
# your last command, and the others may need it.
_awsdirenv_install() {
  if [[ $1 == -*a* ]]; then
    for _awsdirenv_now in "${!PROMPT_COMMAND[@]}"; do
      if _awsdirenv_around "${PROMPT_COMMAND[_awsdirenv_now]}"; then
        PROMPT_COMMAND[_awsdirenv_now]=$REPLY
        return 0
      fi
    done
    PROMPT_COMMAND+=(_awsdirenv_hook _awsdirenv_left)
  elif _awsdirenv_around "${PROMPT_COMMAND-}"; then
    # shellcheck disable=SC2178 # it is no array
    PROMPT_COMMAND=$REPLY
  else # on a new line, because the text before may end in a semicolon or a comment
    # shellcheck disable=SC2178,SC2128 # it is no array
    PROMPT_COMMAND=${PROMPT_COMMAND:+$PROMPT_COMMAND$'\n'}_awsdirenv_hook\;_awsdirenv_left
  fi
}

# bash before 5.1 runs the first element only, and direnv's hook would take that place from ours. There PROMPT_COMMAND
# becomes a text that has all elements.
_awsdirenv_join_elements() {
  printf -v REPLY '%s\n' "${PROMPT_COMMAND[@]}"
  unset PROMPT_COMMAND
  # shellcheck disable=SC2178 # it is no array any more
  PROMPT_COMMAND=${REPLY%$'\n'}
}

# Runs after direnv's hook: if the stage is gone or another one now, its directory has just been left. Where
# _awsdirenv_leave has said so, there is nothing to say.
_awsdirenv_left() {
  set -- "$?"
  if [[ ! ${_awsdirenv_begun-} && ${PROMPT_COMMAND@a} != *r* ]]; then
    _awsdirenv_begun=1
    # shellcheck disable=SC2178,SC2128 # the first element, or the text
    _awsdirenv_replace _awsdirenv_hook "${_awsdirenv_once}_awsdirenv_hook" || PROMPT_COMMAND=$_awsdirenv_once${PROMPT_COMMAND-}
  fi
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
    set -- "$2 is set together with keys: many programs use the keys, and not that profile" "unset $2"
  else
    set -- '' ''
  fi
  [[ ! $1 || $1 == "${_awsdirenv_mixed-}" ]] || printf '%s\n' "awsdirenv: warning: $1" \
    "awsdirenv: hint: $2, or remove it from .envrc; for another profile: awsdirenv exec, or --live in .envrc" >&2
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

_awsdirenv_begin() {
  ((BASH_VERSINFO[0] > 3)) || return 0
  # shellcheck disable=SC2090 # its quotes are for bash, which reads it at the prompt
  set -- "$(declare -p PROMPT_COMMAND 2>/dev/null || :)"
  set -- "${1#declare }"
  set -- "${1%% *}"
  if [[ $1 == -*a* && $1 != *r* ]] && ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 501)); then
    _awsdirenv_join_elements
    set --
  fi
  if [[ "${PROMPT_COMMAND[*]-}" == *_awsdirenv_hook* ]]; then
    return 0
  elif [[ ${1-} == *r* ]]; then
    printf '%s\n' 'awsdirenv: warning: PROMPT_COMMAND is readonly, so there is no hook' >&2
    printf '%s\n' "awsdirenv: hint: source awsdirenv's hook above the line that makes it readonly" >&2
  else
    _awsdirenv_install "${1-}"
  fi
}

_awsdirenv_begin
unset -f _awsdirenv_begin _awsdirenv_join_elements _awsdirenv_install _awsdirenv_around
