#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # the parts share the variables of warm.sh
#
# What follows from the look at the files. Notes are at the end.

_awsdirenv_open_file() {
  [[ -f $1 && -O $1 && -r $1 && ! -L $1 ]] && exec {_ad_fd}<"$1"
}

_awsdirenv_end_look() {
  local _ad_stamp _ad_line _ad_expected=''
  for _ad_stamp in "${_ad_stamps[@]}"; do
    [[ $_ad_stamp == 'absent @ '* ]] || _ad_expected+=$_ad_stamp/$'\n'
  done
  read -r -N 65536 -u "$_ad_looked" _ad_rest
  exec {_ad_looked}<&-
  _ad_state=${_ad_rest%%$'\n'*} _ad_rest=${_ad_rest:${#_ad_state}+1}
  _ad_folder=${_ad_rest%%$'\n'*} _ad_rest=${_ad_rest:${#_ad_folder}+1}
  _ad_line=${_ad_rest%%$'\n'*}
  if [[ $_ad_line == *' @ ./.envrc/' ]]; then
    _ad_rest=${_ad_rest:${#_ad_line}+1} _ad_line=${_ad_line#* * * }
    _ad_envrc_mtime=${_ad_line%% *}
  fi
  [[ $_ad_rest == "$_ad_expected"* ]] && _ad_rest=${_ad_rest:${#_ad_expected}}
}

_awsdirenv_recall_watches() {
  local _ad_fd _ad_line _ad_lines _ad_end=" $1 ." _ad_found=''
  [[ ${DIRENV_WATCHES-} && ! -L $_ad_config && ! -L $_ad_credentials && ! -L $_ad_dotenv ]] && _awsdirenv_open_file "$_ad_cache/watches/$_ad_key" || return 1
  while mapfile -t -n 2 -u "$_ad_fd" _ad_lines && [[ ${_ad_lines-} ]]; do
    for _ad_line in "${_ad_lines[@]}"; do [[ $_ad_line != "$DIRENV_WATCHES "*"$_ad_end" ]] || _ad_found=${_ad_line:${#DIRENV_WATCHES}+1:-${#_ad_end}}; done
    [[ ! $_ad_found ]] || break
  done
  exec {_ad_fd}<&-
  [[ $_ad_found && ! $_ad_found =~ [^A-Za-z0-9_=-] ]] && export DIRENV_WATCHES=$_ad_found
}

_awsdirenv_watch_files() { _awsdirenv_recall_watches "$_ad_state$_ad_dotenv_stamp" || _awsdirenv_run cold _awsdirenv_watch_and_look; }

_awsdirenv_say_where() {
  [[ ! ${AWSDIRENV_PROMPT_VARIABLE-} ]] || _awsdirenv_run cold _awsdirenv_set_prompt_variable
  [[ ${DIRENV_LOG_FORMAT-set} && ${AWSDIRENV_QUIET-} != 1 ]] && ((!BASH_SUBSHELL)) || return 0
  local _ad_left='' _ad_mark='' _ad_seconds _ad_reply=$_ad_declared
  if [[ $_ad_expiration ]]; then
    _ad_seconds=$((_ad_expiration - _ad_now))
    ((_ad_seconds < 60)) || ((_ad_seconds += 30))
    if ((_ad_seconds >= 3600)); then
      printf -v _ad_left '%dh%02dm' $((_ad_seconds / 3600)) $((_ad_seconds % 3600 / 60))
    elif ((_ad_seconds >= 60)); then
      _ad_left=$((_ad_seconds / 60))m
    else
      _ad_left=${_ad_seconds}s
    fi
    _ad_left=", $_ad_left left"
  fi
  [[ ! $_ad_option_no_session ]] || _ad_left='; long-term keys are in the environment'
  [[ ! $_ad_option_live ]] || _ad_left=', live'
  [[ ! $_ad_policies$_ad_agent ]] || _awsdirenv_run cold _awsdirenv_add_policies
  if [[ $_ad_stage ]]; then
    _ad_reply=${_ad_stage^^}
    [[ $_ad_reply != *[!A-Z0-9._-]* ]] || _awsdirenv_run cold _awsdirenv_printable_stage
    _ad_mark="*** $_ad_reply ***" _ad_reply=$_ad_declared
    [[ ! -t 2 || ${NO_COLOR-} || ${TERM-dumb} == dumb ]] || _ad_mark=$'\e[1;37;41m'$_ad_mark$'\e[0m'
    _ad_mark+=' '
  fi
  [[ $_ad_reply != *[!A-Za-z0-9._-]* ]] || _awsdirenv_run cold _awsdirenv_printable "$_ad_reply"
  printf '%s\n' "awsdirenv: $_ad_mark$_ad_reply: account ${_ad_account_id:-unknown}, ${_ad_role:+role $_ad_role, }${_ad_region:-no region}$_ad_left" >&2
  [[ $_ad_region ]] || _awsdirenv_run cold _awsdirenv_warn_without_region
}

_ad_parts+=' look '
return 0

# Notes
#
# - `_awsdirenv_open_file` opens a file of ours as the caller's `_ad_fd`, and not what somebody put in its place.
# - `_awsdirenv_end_look` compares what has come with `_ad_stamps`, what the files were when the snapshot was made. `_ad_state` and
#   `_ad_folder` are the lines of the open file and its folder, `_ad_rest` is what has come behind those of the files. It reads all
#   at once: by lines, bash reads a pipe byte by byte. It cuts by length: to take `*` and something off the beginning costs a
#   text's square. In a line, the time stands behind owner, mode and size.
# - `_awsdirenv_recall_watches`: what `direnv watch` makes of DIRENV_WATCHES follows from its value before and from the state of the
#   files, so it can be remembered, the newest line first. True when the value for the state $1 is known, and in force. Whatever
#   changes behind the look that has found this state, direnv sees at the next prompt. direnv takes the later time of a link and
#   its target, and `stat` tells the target's: so links are left to direnv.
# - `_awsdirenv_watch_files`: the state of the snapshot stands for that of the files, whose stamps are in it.
# - `_awsdirenv_say_where` prints the line on entering, minutes to the nearest. It is not for direnv's log_status, which takes % for a
#   format, and since 2.36 starts a process.
# - The mark is the last line: without it, the file has been cut off; see _awsdirenv_run.
