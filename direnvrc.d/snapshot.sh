#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # the parts share the variables of _awsdirenv_use
#
# Judges a snapshot, and tells where it leads. Works with the variables of _awsdirenv_use.

# True for a snapshot to use. $1 has a word before the look has come, and $2 the last one. Reads the open file, and tells its
# `_ad_size` without NUL bytes, which bash drops: it must be that of the file.
_awsdirenv_judge_snapshot() {
  local _ad_lines=() _ad_text _ad_uptime
  printf -v _ad_now '%(%s)T' -1 # an `unset` makes EPOCHSECONDS an ordinary variable
  mapfile -t -n 18 -u "$_ad_fd" _ad_lines
  IFS='' read -r -u "$_ad_fd" '_ad_lines[18]' || return 1 # a NUL byte has taken its end
  _ad_text=${_ad_lines[*]}
  _ad_size=$((${#_ad_text} + 1)) # each line has one character behind it
  _awsdirenv_take_values || return 1
  # The clock was set back since the snapshot was written, by more than awsdirenv/system/clocks.py tolerates: its end is then
  # later than it should be, and Python writes it anew. What says so is when the machine was started.
  if [[ $_ad_expiration ]]; then
    ((_ad_issued <= _ad_now + 15)) || return 1
    if [[ $_ad_started && -r /proc/uptime ]] && read -r _ad_uptime _ </proc/uptime && ((_ad_now - ${_ad_uptime%.*} + 15 < _ad_started)); then
      ! _awsdirenv_run cold _awsdirenv_is_same_start || return 1
    fi
  fi
  # Replaced since we opened it: then direnv may have the new one's time on its list, and would not come back for it. On
  # macOS /dev/fd/N is not on the device of its file. There the time must do: each version has a second of its own.
  "$1" && ((_ad_now < ${_ad_usable_until:-_ad_now + 1})) && _awsdirenv_end_look &&
    [[ $_ad_state == "$EUID 600 $_ad_size "*" @ /dev/fd/$_ad_fd/" && $_ad_folder == "$EUID 700 "*" @ ${_ad_snapshot%/*}/" ]] &&
    [[ ! $_ad_rest || $_ad_option_live ]] && "$2" &&
    [[ /dev/fd/$_ad_fd -ef $_ad_snapshot || (${BASH_VERSINFO[5]} == *darwin* && ! /dev/fd/$_ad_fd -nt $_ad_snapshot && ! /dev/fd/$_ad_fd -ot $_ad_snapshot) ]]
}

# Takes the lines apart, computes what follows from them, and sees to it that they are those of what is declared.
_awsdirenv_take_values() {
  local _ad_made_in _ad_clock _ad_life _ad_reply
  _ad_stamps=() _ad_refresh_at='' _ad_usable_until='' _awsdirenv_left=()
  _awsdirenv_take_lines || return 1
  # A session token, or the long-term keys that were asked for: never one in the place of the other.
  case $_ad_option_no_session${_ad_session_token:+token} in 1 | token) ;; *) return 1 ;; esac
  [[ ${_ad_key%%@*} == "$_ad_profile" && $_ad_made_in == "$_ad_context" && ${_ad_stamps[0]} == "${_ad_stamps[0]%% @ *} @ $_ad_config" &&
    ${_ad_stamps[1]} == "${_ad_stamps[1]%% @ *} @ $_ad_credentials" && ($_ad_expiration || ! $_ad_clock) ]] || return 1
  [[ ! $_ad_dotenv ]] || _ad_stamps[2]=$_ad_dotenv_stamp
  if [[ $_ad_environment ]]; then
    _awsdirenv_run context _awsdirenv_variables_text "$_ad_environment" || return 1
    [[ $_ad_environment == "$_ad_reply" ]] || return 1
  fi
  [[ ! $_ad_policy_file ]] || _awsdirenv_run cold _awsdirenv_is_same_policy || return 1
  # The same as refresh_at and usable_until in awsdirenv/session_credentials.py, rounded down.
  [[ ! $_ad_expiration ]] ||
    ((_ad_life = _ad_expiration > _ad_issued ? _ad_expiration - _ad_issued : 0, \
    _ad_usable_until = _ad_expiration - (_ad_life < 200 ? (_ad_life + 9) / 10 : 20), \
    _ad_refresh_at = _ad_expiration - (_ad_life < 480 ? 120 : _ad_life < 3600 ? (_ad_life + 3) / 4 : 900), \
    _ad_refresh_at = _ad_refresh_at < _ad_issued + _ad_life / 2 ? _ad_issued + _ad_life / 2 : _ad_refresh_at, 1))
  # awsdirenv/refresh/pins.py says what is wrong with the account and the role, and asks whether somebody means to enter.
  _ad_stage=${_ad_option_stage:-$_ad_stage}
  [[ ${_ad_option_account:-$_ad_account_id} == "$_ad_account_id" && ${_ad_option_role:-$_ad_role} == "$_ad_role" ]] || return 1
  if [[ $_ad_option_confirm || ($_ad_stage && ${_ad_stage,,} == "${AWSDIRENV_CONFIRM,,}") ]]; then
    _awsdirenv_run cold _awsdirenv_is_confirmed "${_ad_stage:-$_ad_declared}"
  fi
}

# Made from awsdirenv/cache/grammar.py by tests/support/bash_grammar.py.
_awsdirenv_take_lines() {
  local IFS=' '
  set -- "${_ad_lines[@]#*=}"
  _ad_profile=$2 _ad_made_in=$3 _ad_access_key_id=$4 _ad_secret_access_key=$5 \
    _ad_session_token=$6 _ad_account_id=$7 _ad_region=$8 _ad_role=$9 \
    _ad_stage=${10} _ad_policies=${11} _ad_policy_file=${12} _ad_environment=${13} \
    _ad_issued=${14} _ad_expiration=${15} _ad_clock=${16} _ad_start=${16%:*} \
    _ad_started=${16##*:} _ad_stamps[0]=${17} _ad_stamps[1]=${18}
  [[ ${_ad_lines[*]/=*/=} == "AWSDIRENV_VERSION= AWSDIRENV_PROFILE= AWSDIRENV_CONTEXT= AWS_ACCESS_KEY_ID= AWS_SECRET_ACCESS_KEY= AWS_SESSION_TOKEN= AWS_ACCOUNT_ID= AWS_REGION= AWSDIRENV_ROLE= AWSDIRENV_STAGE= AWSDIRENV_POLICIES= AWSDIRENV_POLICY_FILE= AWSDIRENV_ENVIRONMENT= AWSDIRENV_ISSUED= AWSDIRENV_EXPIRATION= AWSDIRENV_CLOCK= AWSDIRENV_CONFIG= AWSDIRENV_CREDENTIALS= AWSDIRENV_END=" &&
    $1 == 1 &&
    ${19} == 1 &&
    $2 && $2 != *[!A-Za-z0-9._%-]* &&
    $4 && $4 != *[!A-Za-z0-9_]* &&
    $5 && ! $5 =~ [^!-~] &&
    ! $6 =~ [^!-~] &&
    $7 != *[!0-9]* &&
    $8 != *[!A-Za-z0-9-]* && $8 != -* &&
    $9 != *[!A-Za-z0-9+=,.@_-]* &&
    ${10} != *[[:cntrl:]]* &&
    ${11} != *[[:cntrl:]]* &&
    ${14} && ${14} != *[!0-9]* && ${14} != 0?* &&
    ${15} != *[!0-9]* && ${15} != 0?* &&
    (! ${16} || ($_ad_start:$_ad_started == "${16}" && $_ad_start != *[!0-9a-f.]* && $_ad_started && $_ad_started != *[!0-9]* && $_ad_started != 0?*)) &&
    ${17} &&
    ${18} ]] &&
    ((${#2} <= 200 && ${#3} <= 8192 && ${#4} <= 128 && ${#5} <= 16384 && ${#6} <= 16384 && ${#7} <= 20 && ${#8} <= 63 && ${#9} <= 64 && ${#10} <= 160 && ${#11} <= 400 && ${#12} <= 8192 && ${#13} <= 8192 && ${#14} <= 12 && ${14} <= 253402300799 && ${#15} <= 12 && ${15:-0} <= 253402300799 && ${#16} * (${#_ad_start} < 10 || ${#_ad_start} > 29 || ${#_ad_started} > 12) == 0 && ${#17} <= 8192 && ${#18} <= 8192))
}

# Compares what has come with `_ad_stamps`, what the files were when the snapshot was made. `_ad_state` and `_ad_folder` are the
# lines of the open file and its folder, `_ad_rest` is what has come behind those of the files.
_awsdirenv_end_look() {
  local _ad_stamp _ad_line _ad_expected=''
  for _ad_stamp in "${_ad_stamps[@]}"; do
    [[ $_ad_stamp == 'absent @ '* ]] || _ad_expected+=$_ad_stamp/$'\n'
  done
  read -r -N 65536 -u "$_ad_looked" _ad_rest # at once: by lines, bash reads a pipe byte by byte
  exec {_ad_looked}<&-
  # By length: to take `*` and something off the beginning costs a text's square.
  _ad_state=${_ad_rest%%$'\n'*} _ad_rest=${_ad_rest:${#_ad_state}+1}
  _ad_folder=${_ad_rest%%$'\n'*} _ad_rest=${_ad_rest:${#_ad_folder}+1}
  _ad_line=${_ad_rest%%$'\n'*}
  if [[ $_ad_line == *' @ ./.envrc/' ]]; then
    _ad_rest=${_ad_rest:${#_ad_line}+1} _ad_line=${_ad_line#* * * } # behind owner, mode and size
    _ad_envrc_mtime=${_ad_line%% *}
  fi
  [[ $_ad_rest == "$_ad_expected"* ]] && _ad_rest=${_ad_rest:${#_ad_expected}}
}

# The state of the snapshot stands for that of the files, whose stamps are in it.
_awsdirenv_watch_files() { _awsdirenv_recall_watches "$_ad_state$_ad_dotenv_stamp" || _awsdirenv_run cold _awsdirenv_watch_and_look; }

# What `direnv watch` makes of DIRENV_WATCHES follows from its value before and from the state of the files, so it can be
# remembered. True when the value for the state $1 is known, and in force. Whatever changes behind the look that has found this
# state, direnv sees at the next prompt.
_awsdirenv_recall_watches() {
  local _ad_fd _ad_line _ad_lines _ad_end=" $1 ." _ad_found=''
  # direnv takes the later time of a link and its target; `stat` tells the target's.
  [[ ${DIRENV_WATCHES-} && ! -L $_ad_config && ! -L $_ad_credentials && ! -L $_ad_dotenv ]] && _awsdirenv_open_file "$_ad_cache/watches/$_ad_key" || return 1
  while mapfile -t -n 2 -u "$_ad_fd" _ad_lines && [[ ${_ad_lines-} ]]; do # what was added last comes first
    for _ad_line in "${_ad_lines[@]}"; do [[ $_ad_line != "$DIRENV_WATCHES "*"$_ad_end" ]] || _ad_found=${_ad_line:${#DIRENV_WATCHES}+1:-${#_ad_end}}; done
    [[ ! $_ad_found ]] || break
  done
  exec {_ad_fd}<&-
  [[ $_ad_found && ! $_ad_found =~ [^A-Za-z0-9_=-] ]] && export DIRENV_WATCHES=$_ad_found
}

# The line on entering.
_awsdirenv_say_where() {
  [[ ! ${AWSDIRENV_PROMPT_VARIABLE-} ]] || _awsdirenv_run cold _awsdirenv_set_prompt_variable
  [[ ${DIRENV_LOG_FORMAT-set} && ${AWSDIRENV_QUIET-} != 1 ]] && ((!BASH_SUBSHELL)) || return 0
  local _ad_left='' _ad_mark='' _ad_seconds _ad_reply=$_ad_declared
  if [[ $_ad_expiration ]]; then
    _ad_seconds=$((_ad_expiration - _ad_now))
    ((_ad_seconds < 60)) || ((_ad_seconds += 30)) # to the nearest minute
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
  # Not direnv's log_status: it takes % for a format, and since 2.36 it starts a process.
  [[ $_ad_reply != *[!A-Za-z0-9._-]* ]] || _awsdirenv_run cold _awsdirenv_printable "$_ad_reply"
  printf '%s\n' "awsdirenv: $_ad_mark$_ad_reply: account ${_ad_account_id:-unknown}, ${_ad_role:+role $_ad_role, }${_ad_region:-no region}$_ad_left" >&2
  [[ $_ad_region ]] || _awsdirenv_run cold _awsdirenv_warn_without_region
}

# Where this is missing, the file has been cut off; see _awsdirenv_run.
_ad_parts+=' snapshot '
