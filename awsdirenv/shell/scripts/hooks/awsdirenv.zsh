# awsdirenv's hook for zsh. When a directory's credentials are due, it makes direnv evaluate again, also before a command
# that you type after a pause. It also has `awsdirenv prompt`, without starting Python. Source it next to direnv's hook,
# before or after it.
#
# At each prompt and command it compares two numbers and starts no process. It changes only direnv's list of watched
# files: to a valid list that is stale. (Without a list direnv would forget to revert when you leave.) And where the
# .envrc was deleted, the path that direnv has of it.

zmodload zsh/datetime

_awsdirenv_hook() {
  # It uses parameters instead of variables, because a variable of that name may be readonly in your shell.
  set -- "${AWSDIRENV_REFRESH_AT-}" "${AWSDIRENV_LOADED:+${DIRENV_FILE-}}"
  if [[ -n $2 && ! -e $2 ]]; then
    # The .envrc is gone. direnv 2.37 takes nothing back then, not even when you leave (direnv issue 1548), but with any
    # file in its place it does.
    export DIRENV_FILE=/dev/null
  elif [[ $1 == [1-9]* && $1 != *[^0-9]* && ${#1} -lt 12 && $1 != ${_awsdirenv_seen-} ]] &&
    (( ${EPOCHSECONDS:-0} >= $1 )); then
    # Only once for each time: a shell may have inherited a time that is never renewed there.
    typeset -g _awsdirenv_seen=$1
    export DIRENV_WATCHES=@STALE@
  else
    return 0
  fi
  if (( ${+functions[_direnv_hook]} )); then _direnv_hook; fi # it may have run before us at this prompt
  return 0
}

# Runs before direnv's hook: says which stage you are leaving, before the next directory says where you are. An inner
# directory without a line of ours may have the stage of the outer one, by `source_up`: between such two it is
# _awsdirenv_left that says it, if they differ. A subshell's `cd` is not yours.
_awsdirenv_leave() {
  emulate -L zsh
  [[ -n ${AWSDIRENV_STAGE-} && -n ${DIRENV_FILE-} ]] && (( ! ZSH_SUBSHELL && ${+functions[_direnv_hook]} )) || return 0
  set -- "$PWD" "${DIRENV_FILE%/*}"
  while [[ -n $1 && ! -e $1/.envrc ]]; do set -- "${1%/*}" "$2"; done
  [[ ! $1/.envrc -ef $DIRENV_FILE ]] || return 0
  if [[ -e $1/.envrc && $1 == $2/* ]]; then
    _awsdirenv_has_line $1/.envrc || return 0
  elif [[ -e $1/.envrc && $2 == $1/* ]]; then
    _awsdirenv_has_line $DIRENV_FILE || return 0
  fi
  print -ru2 -- "awsdirenv: leaving *** $(_awsdirenv_printable "${(U)AWSDIRENV_STAGE}") ***"
  typeset -g _awsdirenv_inside=
}

_awsdirenv_has_line() {
  set -- "$(<$1)" 2>/dev/null
  [[ $'\n'$1 =~ $'\n'[[:blank:]]*use[_[:blank:]]+aws_profile ]]
}

# Runs after direnv's hook: if the stage is gone or another one now, its directory has just been left. Where
# _awsdirenv_leave has said so, there is nothing to say.
_awsdirenv_left() {
  if [[ ${_awsdirenv_inside-} != "${AWSDIRENV_STAGE-}" ]]; then
    [[ -z ${_awsdirenv_inside-} ]] || print -ru2 -- "awsdirenv: left *** $(_awsdirenv_printable "${(U)_awsdirenv_inside}") ***"
    typeset -g _awsdirenv_inside=${AWSDIRENV_STAGE-}
  fi
  _awsdirenv_watch_block
  return 0
}

# Says once that something beside or below our line has set another profile, or other keys, than the directory's.
_awsdirenv_watch_block() {
  set -- "${AWSDIRENV_PROFILE:+${AWS_ACCESS_KEY_ID-}}" "${AWS_PROFILE:+AWS_PROFILE}" "${AWSDIRENV_KEY_ID-}"
  [[ -n $2 || -z ${AWS_DEFAULT_PROFILE-} ]] || set -- "$1" AWS_DEFAULT_PROFILE "$3"
  [[ ${AWS_CONFIG_FILE-} != */awsdirenv/live/* ]] || set -- "$1" "$2" none
  if [[ ${AWS_PROFILE-} == closed-by-awsdirenv:* && -n ${AWS_ACCESS_KEY_ID-} ]]; then
    set -- "this directory is closed, but something has set AWS_ACCESS_KEY_ID" 'direnv reload'
  elif [[ -n $1 && -n $3 && $1 != "$3" ]]; then
    set -- "the keys here are not this directory's: something has set AWS_ACCESS_KEY_ID" 'direnv reload'
  elif [[ -n $1 && -n $2 && ${(P)2} != "$AWSDIRENV_PROFILE" ]]; then
    set -- "$2 is set together with keys: many programs use the keys, and not that profile" "unset $2"
  else
    set -- '' ''
  fi
  [[ -z $1 || $1 == "${_awsdirenv_mixed-}" ]] || print -rlu2 -- "awsdirenv: warning: $1" \
    "awsdirenv: hint: $2, or remove it from .envrc; for another profile: awsdirenv exec, or --live in .envrc"
  typeset -g _awsdirenv_mixed=$1
}

_awsdirenv_install() {
  emulate -L zsh
  typeset -ga precmd_functions preexec_functions chpwd_functions
  if (( ! ${precmd_functions[(I)_awsdirenv_hook]} )); then
    precmd_functions=(_awsdirenv_hook $precmd_functions) # before the functions that draw the prompt
    precmd_functions+=(_awsdirenv_left)
    preexec_functions+=(_awsdirenv_hook)
    chpwd_functions=(_awsdirenv_leave $chpwd_functions) # direnv evaluates there
    fpath+=(@COMPLETIONS@) # for a later compinit; if it has run before, compdef tells it
    if (( ${+functions[compdef]} )); then
      autoload -Uz _awsdirenv
      compdef _awsdirenv awsdirenv
    fi
  fi
}

# Prints what is fit for a terminal, as the hook for bash does. In a locale where a letter is bytes only ASCII is.
_awsdirenv_printable() {
  emulate -L zsh
  local _ad_sign _ad_text _ad_code _ad_last=126
  [[ ${#:-$'\xc3\xa4'} != 1 ]] || _ad_last=$(( 0x10ffff ))
  for _ad_sign in ${(s::)1}; do
    _ad_code=$(( #_ad_sign ))
    if (( _ad_code < 32 || _ad_code > _ad_last || 127 <= _ad_code && _ad_code <= 160 || _ad_code == 0xad ||
        _ad_code == 0x61c || 0x2000 <= _ad_code && _ad_code <= 0x200f || 0x2028 <= _ad_code && _ad_code <= 0x202f ||
        0x205f <= _ad_code && _ad_code <= 0x206f || _ad_code == 0xfeff || 0xe0000 <= _ad_code && _ad_code < 0xe1000 )) || [[ $_ad_sign != ${(#)_ad_code} ]]; then
      _ad_sign='?'
    fi
    _ad_text+=$_ad_sign
  done
  print -r -- $_ad_text
}

# Characters that have a meaning in a prompt are shown as ?.
awsdirenv_prompt() {
  set -- $? "${AWSDIRENV_PROFILE-}" "${AWSDIRENV_STAGE-}"
  if [[ -n $2 ]]; then
    set -- $1 "$2${3:+ ${(U)3}}"
  elif [[ -n ${AWSDIRENV_DECLARED-} ]]; then
    set -- $1 "($AWSDIRENV_DECLARED: closed)"
  fi
  [[ $2 != *[^[:ascii:]]* ]] || set -- $1 "$(_awsdirenv_printable "$2")"
  [[ -z $2 ]] || print -r -- "${2//[[:cntrl:]\$\`\\%!#]/?}"
  return $1
}

function awsdirenv { # after the word `function` an alias of that name is not expanded
  case $#:${1-} in
    1:prompt) awsdirenv_prompt ;;
    *) command awsdirenv "$@" ;;
  esac
}

_awsdirenv_install
unfunction _awsdirenv_install
