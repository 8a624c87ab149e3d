#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # the parts share the variables of _awsdirenv_use
#
# What entering a directory with a fresh snapshot takes, and no more: direnv's bash parses it each time. Comments cost
# nothing.
#
# The extension reads snapshots (~/.cache/awsdirenv/snapshots) and never writes any: that is the Python side's part.
# Nothing is evaluated or sourced: names come from a closed list, values are checked, and all are exported or none.
#
# aws_profile.sh has taken the block of AWS variables out before it calls us, and exports what is in _ad_exports once we
# have returned. So there is one moment at which credentials appear, and none is left where bash gives up in between.
# What we make local has names that a person's own variables hardly have: a readonly one would end us half-way.

# Fills `_ad_declared`, `_ad_has_profile` and the options of the caller.
_awsdirenv_parse_arguments() {
  local _ad_name _ad_value _ad_only_names=''
  while (($#)); do
    if [[ $_ad_only_names || $1 != -* ]]; then
      [[ ! $_ad_has_profile ]] || _awsdirenv_run cold _awsdirenv_refuse_argument "$1" second || return 1
      _ad_has_profile=1 _ad_declared=$1
      shift
      continue
    fi
    case $1 in
      --) _ad_only_names=1 ;;
      --region | --region=* | --duration | --duration=* | --min-life | --min-life=* | \
        --account | --account=* | --role | --role=* | --stage | --stage=*)
        _ad_name=${1%%=*} _ad_value=''
        if [[ $1 == *=* ]]; then
          _ad_value=${1#*=}
        elif (($# > 1)); then
          _ad_value=$2
          shift
        fi
        _awsdirenv_take_option "$_ad_name" "$_ad_value" || return 1
        ;;
      --no-session) _ad_option_no_session=1 ;;
      --live) _ad_option_live=1 ;;
      --confirm) _ad_option_confirm=1 ;;
      *) _awsdirenv_run cold _awsdirenv_refuse_argument "$1" || return 1 ;;
    esac
    shift
  done
  [[ ! $_ad_option_live || ! $_ad_option_no_session ]] || _awsdirenv_run cold _awsdirenv_refuse_argument --live
}

# Checks the value of an option and fills the variable of its name; durations become seconds.
_awsdirenv_take_option() {
  local LC_ALL=C
  case $1 in
    --region) ! _awsdirenv_is_region "$2" || { _ad_option_region=$2 && return; } ;;
    --account) [[ $2 == *[!0-9]* || ${#2} != 12 ]] || { _ad_option_account=$2 && return; } ;;
    --role) [[ ! $2 || $2 == *[!A-Za-z0-9+=,.@_-]* ]] || { _ad_option_role=$2 && return; } ;;
    --stage) [[ ! $2 || $2 == *[[:cntrl:]]* || ${#2} -gt 40 ]] || { _ad_option_stage=$2 && return; } ;;
    *)
      local _ad_seconds=0 _ad_least=1
      [[ $1 != --duration ]] || _ad_least=900
      if ((${#2} < 12)) && [[ $2 =~ ^(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s?)?$ ]]; then
        ((_ad_seconds = 10#0${BASH_REMATCH[2]} * 3600 + 10#0${BASH_REMATCH[4]} * 60 + 10#0${BASH_REMATCH[6]}))
      fi
      if ((_ad_seconds >= _ad_least && _ad_seconds <= 43200)); then
        if ((_ad_least > 1)); then _ad_option_duration=$_ad_seconds; else _ad_option_min_life=$_ad_seconds; fi
        return
      fi
      ;;
  esac
  _awsdirenv_run cold _awsdirenv_refuse_option "$1" "$2"
}

_awsdirenv_is_region() {
  case $1 in '' | -* | *[!a-z0-9-]*) return 1 ;; esac
  ((${#1} <= 64))
}

# Finds the `_ad_snapshot` and its name (`_ad_key`) as awsdirenv/cache/layout.py does, and the files that it depends on.
_awsdirenv_locate() {
  # botocore takes an empty AWS_CONFIG_FILE at its word, so `-` and not `:-`.
  local REPLY=${AWS_CONFIG_FILE-~/.aws/config} _ad_context=''
  [[ $REPLY != *\$* && $REPLY != '~'* ]] || _awsdirenv_run cold _awsdirenv_expand "$REPLY" || return 1
  _ad_config=$REPLY REPLY=${AWS_SHARED_CREDENTIALS_FILE-~/.aws/credentials}
  [[ $REPLY != *\$* && $REPLY != '~'* ]] || _awsdirenv_run cold _awsdirenv_expand "$REPLY" || return 1
  _ad_credentials=$REPLY
  [[ ! ${AWS_CONFIG_FILE+set} ]] || _ad_context+=c=$AWS_CONFIG_FILE$'\n'
  [[ ! ${AWS_SHARED_CREDENTIALS_FILE+set} ]] || _ad_context+=s=$AWS_SHARED_CREDENTIALS_FILE$'\n'
  [[ ! ${AWS_ENDPOINT_URL_STS+set} ]] || _ad_context+=e=$AWS_ENDPOINT_URL_STS$'\n'
  [[ ! ${AWS_ENDPOINT_URL+set} ]] || _ad_context+=u=$AWS_ENDPOINT_URL$'\n'
  [[ ! ${AWS_IGNORE_CONFIGURED_ENDPOINT_URLS+set} ]] || _ad_context+=i=$AWS_IGNORE_CONFIGURED_ENDPOINT_URLS$'\n'
  [[ ! $_ad_option_duration ]] || _ad_context+=d=$_ad_option_duration$'\n'

  case ${XDG_CACHE_HOME-} in
    /*) _ad_cache=$XDG_CACHE_HOME/awsdirenv ;;
    *) _ad_cache=$HOME/.cache/awsdirenv ;;
  esac
  _ad_key='' _ad_snapshot=''
  if [[ $_ad_has_profile ]]; then
    _awsdirenv_encode "$_ad_declared" || return 1
    _ad_key=$REPLY
  elif _awsdirenv_nearest_dotenv; then
    # Only python-dotenv says what .env means; the Python side leaves a note of it. Without one there is no key yet.
    _awsdirenv_read_name || return 0
  else
    _ad_declared=${AWS_PROFILE:-default}
    _awsdirenv_encode "$_ad_declared" || return 1
    _ad_key=$REPLY
  fi
  if [[ $_ad_context ]]; then
    _awsdirenv_hash "$_ad_context"
    _ad_key+=@$REPLY
  fi
  _ad_snapshot=$_ad_cache/snapshots/$_ad_key
}

_awsdirenv_nearest_dotenv() {
  local _ad_folder=$PWD
  while [[ ! -f $_ad_folder/.env ]]; do
    [[ $_ad_folder ]] || return 1
    _ad_folder=${_ad_folder%/*}
  done
  _ad_dotenv=${_ad_folder%/}/.env
}

# Opens a file of ours, and not what somebody put in its place; the file is open as the caller's `_ad_fd`.
_awsdirenv_open_file() {
  [[ -f $1 && -O $1 && ! -L $1 ]] && { exec {_ad_fd}<"$1"; } 2>/dev/null
}

# Gives the first $2 lines of a file of ours in the caller's `_ad_lines`. True when they are just what the file begins
# with: bash drops NUL bytes, and a last line may have no end.
_awsdirenv_read_file() {
  local LC_ALL=C _ad_fd REPLY _ad_text
  _awsdirenv_open_file "$1" || return 1
  mapfile -t -n "$2" -u "$_ad_fd" _ad_lines
  exec {_ad_fd}<&-
  printf -v _ad_text '%s\n' "${_ad_lines[@]}"
  IFS='' read -r -d '' -n "${#_ad_text}" REPLY <"$1"
  [[ $REPLY == "$_ad_text" ]]
}

# Reads which profile the .env declares: `_ad_declared`, `_ad_key`, and the state of the .env in which it did, `_ad_dotenv_stamp`.
_awsdirenv_read_name() {
  _awsdirenv_hash "$_ad_dotenv"$'\n'"${AWS_PROFILE-}"
  _awsdirenv_take_name "$_ad_cache/names/$REPLY"
}

_awsdirenv_take_name() {
  local LC_ALL=C _ad_lines=() _ad_name_profile _ad_name_dotenv
  _awsdirenv_read_file "$1" 5 && _awsdirenv_take_name_lines && [[ ${_ad_name_dotenv#* } == "$_ad_dotenv" ]] &&
    _awsdirenv_encode "$_ad_name_profile" 2>/dev/null || return 1
  _ad_declared=$_ad_name_profile _ad_key=$REPLY _ad_dotenv_stamp=$_ad_name_dotenv
}

# Made from awsdirenv/cache/grammar.py by tests/support/bash_grammar.py.
_awsdirenv_take_name_lines() {
  _ad_name_profile=${_ad_lines[1]#*=} _ad_name_dotenv=${_ad_lines[2]#*=}
  [[ ${#_ad_lines[@]} == 4 && ${_ad_lines[0]} == AWSDIRENV_VERSION=1 &&
    ${_ad_lines[1]} == "AWSDIRENV_PROFILE=$_ad_name_profile" && $_ad_name_profile && $_ad_name_profile != *[[:cntrl:]]* && ${#_ad_name_profile} -le 200 &&
    ${_ad_lines[2]} == "AWSDIRENV_DOTENV=$_ad_name_dotenv" && $_ad_name_dotenv && ${#_ad_name_dotenv} -le 8192 &&
    ${_ad_lines[3]} == AWSDIRENV_END=1 ]]
}

# A profile name as a file name, in REPLY.
_awsdirenv_encode() {
  local LC_ALL=C
  REPLY=$1
  case $1 in '' | .* | *[!A-Za-z0-9._-]*) _awsdirenv_run cold _awsdirenv_encode_all "$1" || return 1 ;; esac
  ((${#REPLY} <= 200)) || _awsdirenv_refuse "the profile name is too long" "use a name of up to 60 characters"
}

# FNV-1a, 32 bits, in REPLY: the one decent hash that bash can do without a process.
_awsdirenv_hash() {
  local LC_ALL=C _ad_text=$1 _ad_i _ad_code _ad_value=2166136261
  for ((_ad_i = 0; _ad_i < ${#_ad_text}; _ad_i++, _ad_value = ((_ad_value ^ (_ad_code & 255)) * 16777619) & 4294967295)); do
    printf -v _ad_code %d "'${_ad_text:_ad_i:1}"
  done
  printf -v REPLY %08x "$_ad_value"
}

# What a profile depends on that takes its credentials from the environment or the machine, as one number in REPLY; see
# environment_mark in awsdirenv/config/environment.py.
_awsdirenv_mark_environment() {
  local _ad_name _ad_text=''
  for _ad_name in AWS_ACCESS_KEY_ID AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_CONTAINER_CREDENTIALS_FULL_URI \
    AWS_WEB_IDENTITY_TOKEN_FILE AWS_ROLE_ARN AWS_EC2_METADATA_SERVICE_ENDPOINT; do
    [[ ${!_ad_name@a} != *x* ]] || _ad_text+=${!_ad_name}
    _ad_text+=$'\n'
  done
  _awsdirenv_hash "$_ad_text${HOSTNAME-}"
}

# Starts the one process of a warm load: it tells owners, modes, times and stamps of all files that count, and of those
# that are given. It runs while we read the snapshot. The answers come from `_ad_looked`, in this order, without the files
# that are not there. What is kept is checked by its descriptor: its path may be another file by now.
_awsdirenv_begin_look() {
  local _ad_files=("$_ad_config" "$_ad_credentials")
  [[ ! $_ad_dotenv ]] || _ad_files+=("$_ad_dotenv")
  # fd 3 is direnv's.
  exec {_ad_looked}< <(LC_ALL=C exec stat -L -c '%d:%i:%s:%.9Z %Y %u %a %n/' -- \
    "/dev/fd/$_ad_fd" "${_ad_snapshot%/*}" ./.envrc "${_ad_files[@]}" "$@" 3>&- 2>/dev/null)
}

# Compares what has come with `_ad_stamps`, what the files were when the snapshot was made. Modification times alone do not
# tell: see file_stamp in awsdirenv/cache/snapshots.py. Says of the open file what is `_ad_mine`, and of its `_ad_folder`.
_awsdirenv_end_look() {
  local _ad_stamp _ad_time _ad_owner _ad_mode _ad_name _ad_actual='' _ad_expected=''
  _ad_mine='' _ad_folder='' _ad_times='' _ad_present='' _ad_live_look=()
  while IFS=' ' read -r _ad_stamp _ad_time _ad_owner _ad_mode _ad_name; do
    case $_ad_name in
      "/dev/fd/$_ad_fd/")
        _ad_stamp=${_ad_stamp%:*} _ad_times=$_ad_time,
        _ad_mine="$_ad_owner $_ad_mode ${_ad_stamp##*:}"
        ;;
      "${_ad_snapshot%/*}/") _ad_folder="$_ad_owner $_ad_mode" ;;
      ./.envrc/) _ad_envrc_mtime=$_ad_time ;;
      "$_ad_cache/live/"*) _ad_live_look+=("$_ad_name $_ad_owner $_ad_mode $_ad_time $_ad_stamp") ;;
      *) _ad_actual+="$_ad_stamp ${_ad_name%/}"$'\n' _ad_times+=$_ad_time, ;;
    esac
  done <&"$_ad_looked"
  exec {_ad_looked}<&-
  for _ad_stamp in "${_ad_stamps[@]}"; do
    if [[ $_ad_stamp == 'absent '* ]]; then
      _ad_present+=n
    else
      _ad_expected+=$_ad_stamp$'\n' _ad_present+=y
    fi
  done
  [[ $_ad_actual == "$_ad_expected" ]]
}

# What `direnv watch` makes of DIRENV_WATCHES follows from its value before and from the times of the files, so it can be
# remembered, and spares a process. True when the value for these times is known; it is then in force. These are the
# times that the look has found, so whatever changes behind the look is seen at the next prompt.
_awsdirenv_recall_watches() {
  local _ad_lines=() _ad_line _ad_fd
  # direnv takes the later time of a link and its target, and our `stat` tells only the target's.
  [[ ${DIRENV_WATCHES-} && ! -L $_ad_config && ! -L $_ad_credentials && ! -L $_ad_dotenv ]] || return 1
  _awsdirenv_open_file "$_ad_cache/watches/$_ad_key" || return 1
  mapfile -t -n 64 -u "$_ad_fd" _ad_lines
  exec {_ad_fd}<&-
  local _ad_before="$DIRENV_WATCHES $1 "
  for _ad_line in "${_ad_lines[@]}"; do
    [[ $_ad_line == "$_ad_before"*' .' ]] || continue
    # By length: taking a long pattern off the beginning costs its square.
    _ad_line=${_ad_line:${#_ad_before}:-2}
    case $_ad_line in '' | *[!A-Za-z0-9_=-]*) continue ;; esac
    export DIRENV_WATCHES=$_ad_line
    return 0
  done
  return 1
}

# True for a snapshot to export as it is: fresh, or usable where a timer renews it, and with the life that is wanted.
# One that was got a moment ago and lives shorter is as long as they get.
_awsdirenv_read_fresh_snapshot() {
  _awsdirenv_read_snapshot _awsdirenv_watch_files || return 1
  if [[ $_ad_option_min_life && $_ad_expiration ]] && ((_ad_expiration - _ad_now < _ad_option_min_life && _ad_now - _ad_issued >= 60)); then
    return 1
  fi
  ((_ad_now < ${_ad_refresh_at:-_ad_now + 1})) || _awsdirenv_may_work_behind
}

# True unless work in the background is unwanted: by the person, or in CI, where nothing is to outlive its job.
_awsdirenv_may_work_behind() {
  case ${AWSDIRENV_AUTO_REFRESH-} in 0 | [Ff][Aa][Ll][Ss][Ee] | [Nn][Oo]) return 1 ;; esac
  case ${CI-} in '' | 0 | [Ff][Aa][Ll][Ss][Ee] | [Nn][Oo]) ;; *) return 1 ;; esac
}

# Sees to it that one process renews the snapshot before its end, whoever sits still meanwhile; see awsdirenv/refresh/timer.py.
_awsdirenv_keep_fresh() {
  local _ad_mark=$_ad_cache/timers/$_ad_key _ad_pid='' _ad_words=()
  [[ $_ad_expiration && -d $_ad_cache/timers && -O $_ad_cache/timers ]] || return 0
  if ! _awsdirenv_may_work_behind; then
    [[ ! -s $_ad_mark ]] || : >|"$_ad_mark" # ends the one that another evaluation started
    return 0
  fi
  # By the time of this file the timer knows that somebody is here.
  if [[ -e $_ad_mark.used ]]; then : >|"$_ad_mark.used"; else (umask 077 && : >"$_ad_mark.used"); fi
  { read -r _ad_pid <"$_ad_mark"; } 2>/dev/null
  case $_ad_pid in
    '' | *[!0-9]*) ;;
    *)
      # A number alone may be another process's by now.
      { mapfile -d '' -t _ad_words <"/proc/$_ad_pid/cmdline"; } 2>/dev/null
      [[ " ${_ad_words[*]} " != *' timer '* ]] || return 0
      ;;
  esac
  _awsdirenv_run cold _awsdirenv_start_timer
}

# Reads the snapshot into the caller's variables. True when it is whole, nobody else's, made from the files as they are
# now, and not over. $1 is what has a last word, and sees to watches; the look is also for the files behind it.
_awsdirenv_read_snapshot() {
  local LC_ALL=C # ranges in patterns are bytes
  local _ad_fd _ad_looked _ad_size _ad_mine _ad_folder _ad_stamps _ad_times _ad_present _ad_live_look _ad_sound=''
  _awsdirenv_open_file "$_ad_snapshot" || return 1
  _awsdirenv_begin_look "${@:2}"
  # Not EPOCHSECONDS: bash 4.4 has none, and an `unset` makes it an ordinary variable.
  printf -v _ad_now '%(%s)T' -1
  if _awsdirenv_take_snapshot && ((_ad_now < ${_ad_usable_until:-_ad_now + 1})) && ! _awsdirenv_was_set_back &&
    _awsdirenv_end_look && [[ $_ad_mine == "$EUID 600 $_ad_size" && $_ad_folder == "$EUID 700" ]] && "$1"; then
    # Replaced since we opened it: then direnv may have the new one's time on its list, and would not come back for it.
    [[ ! /dev/fd/$_ad_fd -ef $_ad_snapshot ]] || _ad_sound=1
  fi
  exec {_ad_fd}<&- {_ad_looked}<&-
  [[ $_ad_sound ]]
}

_awsdirenv_watch_files() { _awsdirenv_recall_watches "$_ad_present,$_ad_times" || _awsdirenv_run cold _awsdirenv_watch_and_look; }

# Reads the open snapshot, and tells its `_ad_size` without NUL bytes, which bash drops: it must be that of the file. Only
# `read` tells whether a last line has its end, which a NUL byte may have taken.
_awsdirenv_take_snapshot() {
  local _ad_lines=() _ad_text
  mapfile -t -n 15 -u "$_ad_fd" _ad_lines
  IFS='' read -r -u "$_ad_fd" '_ad_lines[15]' || return 1
  printf -v _ad_text '%s\n' "${_ad_lines[@]}"
  _ad_size=${#_ad_text}
  _awsdirenv_take_values
}

# Takes the lines apart, computes what follows from them, and sees to it that they are those of what is declared.
_awsdirenv_take_values() {
  local _ad_clock _ad_life REPLY
  _ad_stamps=() _ad_refresh_at='' _ad_usable_until=''
  _awsdirenv_take_lines || return 1
  # A session token, or the long-term keys that were asked for: never one in the place of the other.
  case $_ad_option_no_session${_ad_session_token:+token} in 1 | token) ;; *) return 1 ;; esac
  [[ ($_ad_key == "$_ad_profile" || $_ad_key == "$_ad_profile"@*) && ${_ad_stamps[0]#* } == "$_ad_config" &&
    ${_ad_stamps[1]#* } == "$_ad_credentials" && ($_ad_expiration || ! $_ad_clock) ]] || return 1
  [[ ! $_ad_dotenv ]] || _ad_stamps[2]=$_ad_dotenv_stamp
  if [[ $_ad_environment ]]; then
    _awsdirenv_mark_environment
    [[ $_ad_environment == "$REPLY" ]] || return 1
  fi
  # The same as refresh_at and usable_until in awsdirenv/session_credentials.py, rounded down.
  [[ ! $_ad_expiration ]] ||
    ((_ad_life = _ad_expiration > _ad_issued ? _ad_expiration - _ad_issued : 0, \
    _ad_usable_until = _ad_expiration - (_ad_life < 200 ? (_ad_life + 9) / 10 : 20), \
    _ad_refresh_at = _ad_expiration - (_ad_life < 480 ? 120 : _ad_life < 3600 ? (_ad_life + 3) / 4 : 900), \
    _ad_refresh_at = _ad_refresh_at < _ad_issued + _ad_life / 2 ? _ad_issued + _ad_life / 2 : _ad_refresh_at, 1))
  _awsdirenv_admits
}

# Made from awsdirenv/cache/grammar.py by tests/support/bash_grammar.py.
_awsdirenv_take_lines() {
  _ad_profile=${_ad_lines[1]#*=} _ad_access_key_id=${_ad_lines[2]#*=} _ad_secret_access_key=${_ad_lines[3]#*=} \
    _ad_session_token=${_ad_lines[4]#*=} _ad_account_id=${_ad_lines[5]#*=} _ad_region=${_ad_lines[6]#*=} \
    _ad_role=${_ad_lines[7]#*=} _ad_stage=${_ad_lines[8]#*=} _ad_environment=${_ad_lines[9]#*=} \
    _ad_issued=${_ad_lines[10]#*=} _ad_expiration=${_ad_lines[11]#*=} _ad_clock=${_ad_lines[12]#*=} \
    _ad_start=${_ad_clock%:*} _ad_started=${_ad_clock##*:} _ad_stamps[0]=${_ad_lines[13]#*=} \
    _ad_stamps[1]=${_ad_lines[14]#*=}
  [[ ${#_ad_lines[@]} == 16 && ${_ad_lines[0]} == AWSDIRENV_VERSION=1 &&
    ${_ad_lines[1]} == "AWSDIRENV_PROFILE=$_ad_profile" && $_ad_profile && $_ad_profile != *[!A-Za-z0-9._%-]* && ${#_ad_profile} -le 200 &&
    ${_ad_lines[2]} == "AWS_ACCESS_KEY_ID=$_ad_access_key_id" && $_ad_access_key_id && $_ad_access_key_id != *[!A-Za-z0-9_]* && ${#_ad_access_key_id} -le 128 &&
    ${_ad_lines[3]} == "AWS_SECRET_ACCESS_KEY=$_ad_secret_access_key" && $_ad_secret_access_key && $_ad_secret_access_key != *[!!-~]* && ${#_ad_secret_access_key} -le 16384 &&
    ${_ad_lines[4]} == "AWS_SESSION_TOKEN=$_ad_session_token" && $_ad_session_token != *[!!-~]* && ${#_ad_session_token} -le 16384 &&
    ${_ad_lines[5]} == "AWS_ACCOUNT_ID=$_ad_account_id" && $_ad_account_id != *[!0-9]* && ${#_ad_account_id} -le 20 &&
    ${_ad_lines[6]} == "AWS_REGION=$_ad_region" && $_ad_region != *[!a-z0-9-]* && ${#_ad_region} -le 64 && $_ad_region != -* &&
    ${_ad_lines[7]} == "AWSDIRENV_ROLE=$_ad_role" && $_ad_role != *[!A-Za-z0-9+=,.@_-]* && ${#_ad_role} -le 64 &&
    ${_ad_lines[8]} == "AWSDIRENV_STAGE=$_ad_stage" && $_ad_stage != *[[:cntrl:]]* && ${#_ad_stage} -le 160 &&
    ${_ad_lines[9]} == "AWSDIRENV_ENVIRONMENT=$_ad_environment" && $_ad_environment != *[!0-9a-f]* && ${#_ad_environment} -le 8 &&
    ${_ad_lines[10]} == "AWSDIRENV_ISSUED=$_ad_issued" && $_ad_issued && $_ad_issued != *[!0-9]* && $_ad_issued != 0?* && ${#_ad_issued} -le 12 && $_ad_issued -le 253402300799 &&
    ${_ad_lines[11]} == "AWSDIRENV_EXPIRATION=$_ad_expiration" && $_ad_expiration != *[!0-9]* && $_ad_expiration != 0?* && ${#_ad_expiration} -le 12 && $_ad_expiration -le 253402300799 &&
    ${_ad_lines[12]} == "AWSDIRENV_CLOCK=$_ad_clock" && (! $_ad_clock || ($_ad_start:$_ad_started == "$_ad_clock" && $_ad_start != *[!0-9a-f.]* && ${#_ad_start} -ge 10 && ${#_ad_start} -le 29 && $_ad_started && $_ad_started != *[!0-9]* && $_ad_started != 0?* && ${#_ad_started} -le 12)) &&
    ${_ad_lines[13]} == "AWSDIRENV_CONFIG=${_ad_stamps[0]}" && ${_ad_stamps[0]} && ${#_ad_stamps[0]} -le 8192 &&
    ${_ad_lines[14]} == "AWSDIRENV_CREDENTIALS=${_ad_stamps[1]}" && ${_ad_stamps[1]} && ${#_ad_stamps[1]} -le 8192 &&
    ${_ad_lines[15]} == AWSDIRENV_END=1 ]]
}

# True for the account and the role that the line insists on, and for a person who has said that they mean to enter.
# awsdirenv/refresh/pins.py says what is wrong, and asks.
_awsdirenv_admits() {
  _ad_stage=${_ad_option_stage:-$_ad_stage}
  [[ ${_ad_option_account:-$_ad_account_id} == "$_ad_account_id" && ${_ad_option_role:-$_ad_role} == "$_ad_role" ]] || return 1
  local _ad_word=''
  if [[ $_ad_option_confirm ]]; then
    _ad_word=${_ad_stage:-$_ad_declared}
  elif [[ $_ad_stage && ${_ad_stage,,} == "${AWSDIRENV_CONFIRM,,}" ]]; then
    _ad_word=$_ad_stage
  fi
  [[ ! $_ad_word ]] || _awsdirenv_run cold _awsdirenv_is_confirmed "$_ad_word"
}

# True when the clock was set back since the snapshot was written, by more than awsdirenv/system/clocks.py tolerates: its end is
# then later than it should be, and the Python side writes it anew. What says so is when the machine was started.
_awsdirenv_was_set_back() {
  [[ $_ad_expiration ]] || return 1
  ((_ad_issued <= _ad_now + 15)) || return 0
  local _ad_boot _ad_uptime _ad_first=''
  [[ $_ad_started ]] || return 1
  { read -r _ad_uptime _ </proc/uptime; } 2>/dev/null || return 1
  ((_ad_now - ${_ad_uptime%.*} + 15 < _ad_started)) || return 1
  # Unless that was another start, or another container's.
  { read -r _ad_boot </proc/sys/kernel/random/boot_id; } 2>/dev/null || return 1
  { read -r _ad_first </proc/1/stat; } 2>/dev/null || :
  # shellcheck disable=SC2086 # numbers, and the 20th behind the name says when the first process was started
  set -- ${_ad_first##*) }
  [[ $_ad_start == "${_ad_boot%%-*}.${20:-0}" ]]
}

# Exports the block: the profile's credentials in, every other AWS credential out.
_awsdirenv_open() {
  local REPLY
  _awsdirenv_keep_fresh
  _ad_region=${_ad_option_region:-$_ad_region}
  # A region that an earlier `use aws_profile` of this evaluation exported is not the environment's word.
  [[ $_ad_option_region || ${AWSDIRENV_PROFILE+set} ]] || _ad_region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$_ad_region}}
  _ad_exports=(
    "AWS_ACCESS_KEY_ID=$_ad_access_key_id" "AWS_SECRET_ACCESS_KEY=$_ad_secret_access_key"
    "AWSDIRENV_PROFILE=$_ad_declared" "AWSDIRENV_LOADED=$_ad_envrc_mtime $PWD"
    ${_ad_session_token:+"AWS_SESSION_TOKEN=$_ad_session_token"}
    ${_ad_stage:+"AWSDIRENV_STAGE=$_ad_stage"} ${_ad_account_id:+"AWS_ACCOUNT_ID=$_ad_account_id"}
    ${_ad_region:+"AWS_REGION=$_ad_region" "AWS_DEFAULT_REGION=$_ad_region"}
  )
  if [[ $_ad_expiration ]]; then
    # A shell's hook is to look again as soon as less is left than is wanted.
    if [[ $_ad_option_min_life ]] && ((_ad_now < _ad_expiration - _ad_option_min_life && _ad_refresh_at >= _ad_expiration - _ad_option_min_life)); then
      _ad_refresh_at=$((_ad_expiration - _ad_option_min_life))
    fi
    # Once that time is over, the next is the end: the shells' hooks look again at either, once.
    ((_ad_now < _ad_refresh_at)) || _ad_refresh_at=$_ad_usable_until
    _awsdirenv_utc_text "$_ad_expiration"
    _ad_exports+=("AWS_CREDENTIAL_EXPIRATION=$REPLY" "AWSDIRENV_REFRESH_AT=$_ad_refresh_at")
  fi
  _awsdirenv_say_where
}

# Epoch seconds as RFC 3339, in UTC, in REPLY. Not by printf's %()T, to which bash hands another time zone at the price of
# making the environment anew, twice. Years begin in March here, so that the leap day is the last.
_awsdirenv_utc_text() {
  local _ad_days _ad_era _ad_of_era _ad_year _ad_of_year _ad_month
  ((_ad_days = $1 / 86400 + 719468, _ad_era = _ad_days / 146097, _ad_of_era = _ad_days % 146097, \
  _ad_year = (_ad_of_era - _ad_of_era / 1460 + _ad_of_era / 36524 - _ad_of_era / 146096) / 365, \
  _ad_of_year = _ad_of_era - 365 * _ad_year - _ad_year / 4 + _ad_year / 100, _ad_month = (5 * _ad_of_year + 2) / 153))
  printf -v REPLY '%04d-%02d-%02dT%02d:%02d:%02d+00:00' $((_ad_year + _ad_era * 400 + (_ad_month > 9))) \
    $((_ad_month > 9 ? _ad_month - 9 : _ad_month + 3)) $((_ad_of_year - (153 * _ad_month + 2) / 5 + 1)) \
    $(($1 / 3600 % 24)) $(($1 / 60 % 60)) $(($1 % 60))
}

# Leaves no AWS credential, neither an outer directory's nor the login shell's.
_awsdirenv_close() {
  ((_ad_envrc_mtime)) || _ad_envrc_mtime=$(stat -L -c %Y ./.envrc 3>&- 2>/dev/null) || _ad_envrc_mtime=0
  _ad_exports=("AWSDIRENV_LOADED=$_ad_envrc_mtime $PWD")
  # So that `awsdirenv login`, typed here, is for what the directory wants.
  [[ ! $_ad_declared ]] || _ad_exports+=("AWSDIRENV_DECLARED=$_ad_declared")
}

# The line on entering: which profile, account, role, region, and for how long.
_awsdirenv_say_where() {
  # For prompts that know other tools' variables only. What they would take for their own is shown as ?, as by
  # `awsdirenv prompt`: themes evaluate such values.
  case ${AWSDIRENV_PROMPT_VARIABLE-} in
    '') ;;
    AWS_VAULT | AWSUME_PROFILE) _ad_exports+=("$AWSDIRENV_PROMPT_VARIABLE=${_ad_declared//[\$\`\\%!#]/?}") ;;
    *)
      _awsdirenv_say warning 'AWSDIRENV_PROMPT_VARIABLE names a variable that is not ours to set'
      _awsdirenv_say hint 'AWSDIRENV_PROMPT_VARIABLE=AWS_VAULT, or AWSUME_PROFILE'
      ;;
  esac
  [[ ${DIRENV_LOG_FORMAT-set} && ${AWSDIRENV_QUIET-} != 1 ]] || return 0
  local _ad_left='' _ad_mark='' _ad_seconds
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
  if [[ $_ad_stage ]]; then
    _ad_mark="*** ${_ad_stage^^} ***"
    [[ ! -t 2 || ${NO_COLOR-} || ${TERM-dumb} == dumb ]] || _ad_mark=$'\e[1;37;41m'$_ad_mark$'\e[0m'
    _ad_mark+=' '
  fi
  printf '%s\n' "awsdirenv: $_ad_mark$_ad_declared: account ${_ad_account_id:-unknown}, ${_ad_role:+role $_ad_role, }${_ad_region:-no region}$_ad_left" >&2
  if [[ ! $_ad_region ]]; then
    _awsdirenv_say warning "no region for profile $_ad_declared"
    _awsdirenv_say hint "set region in [profile $_ad_declared] of $_ad_config"
  fi
}

# Not direnv's log_error: it takes % for a format, and since 2.36 it starts a process.
_awsdirenv_say() { printf '%s\n' "awsdirenv: $1: $2" >&2; }

# What `use aws_profile` does.
_awsdirenv_use() {
  local _ad_name
  # Only in here, and for what we start: the environment as it was around the line.
  for _ad_name in "${!_ad_outer[@]}"; do [[ -v $_ad_name ]] || local -x "$_ad_name=${_ad_outer[$_ad_name]}"; done
  local _ad_declared='' _ad_has_profile='' _ad_option_region='' _ad_option_duration='' _ad_option_min_life='' _ad_option_no_session='' _ad_option_live='' \
    _ad_option_account='' _ad_option_role='' _ad_option_stage='' _ad_option_confirm='' \
    _ad_key='' _ad_cache='' _ad_snapshot='' _ad_dotenv='' _ad_dotenv_stamp='' _ad_config='' _ad_credentials='' _ad_envrc_mtime=0 \
    _ad_now _ad_profile _ad_access_key_id _ad_secret_access_key _ad_session_token _ad_account_id _ad_region _ad_role _ad_stage \
    _ad_environment _ad_issued _ad_expiration _ad_start _ad_started _ad_refresh_at _ad_usable_until
  case ${AWS_CONFIG_FILE-} in
    */awsdirenv/live/*) _awsdirenv_run cold _awsdirenv_leave_live || { _awsdirenv_close && return; } ;;
  esac
  if ! { _awsdirenv_parse_arguments "$@" && _awsdirenv_locate; }; then
    _awsdirenv_close
  elif [[ $_ad_option_live ]]; then
    _awsdirenv_run live _awsdirenv_open_live || _awsdirenv_close
  elif [[ $_ad_option_no_session ]]; then
    _awsdirenv_run cold _awsdirenv_open_without_session || _awsdirenv_close
  elif _awsdirenv_read_fresh_snapshot; then
    _awsdirenv_open
  else
    _awsdirenv_run cold _awsdirenv_renew || _awsdirenv_close
  fi
}

# Where this is missing, the file has been cut off; see _awsdirenv_run.
_awsdirenv_warm_end() { :; }
