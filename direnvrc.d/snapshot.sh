#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154,SC2168 # it is sourced in functions, and the parts share the variables of warm.sh
#
# Reads a snapshot, and judges it. Notes are at the end.
{
  _ad_parts+=' snapshot '
  [[ $_ad_step ]] || return 0
  local _ad_stamps=() _ad_profile _ad_made_in _ad_policy_file _ad_environment _ad_issued _ad_clock _ad_start _ad_started _ad_life _ad_uptime _ad_text _ad_reply
  if [[ $_ad_step != given ]]; then
    local _ad_first_word=$2 _ad_last_word=$3 _ad_lines=() _ad_size _ad_state _ad_folder _ad_rest
    _awsdirenv_run look _awsdirenv_run "$1" : || return 1
    printf -v _ad_now '%(%s)T' -1
    mapfile -t -n 18 -u "$_ad_fd" _ad_lines
    IFS='' read -r -u "$_ad_fd" '_ad_lines[18]' || return 1
    _ad_text=${_ad_lines[*]}
    _ad_size=$((${#_ad_text} + 1))
  fi
  _ad_refresh_at='' _ad_usable_until='' _awsdirenv_left=()
  # Made from awsdirenv/cache/grammar.py by tests/support/bash_grammar.py.
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
    ((${#2} <= 200 && ${#3} <= 8192 && ${#4} <= 128 && ${#5} <= 16384 && ${#6} <= 16384 && ${#7} <= 20 && ${#8} <= 63 && ${#9} <= 64 && ${#10} <= 160 && ${#11} <= 400 && ${#12} <= 8192 && ${#13} <= 8192 && ${#14} <= 12 && ${14} <= 253402300799 && ${#15} <= 12 && ${15:-0} <= 253402300799 && ${#16} * (${#_ad_start} < 10 || ${#_ad_start} > 29 || ${#_ad_started} > 12) == 0 && ${#17} <= 8192 && ${#18} <= 8192)) || return 1
  case $_ad_option_no_session${_ad_session_token:+token} in 1 | token) ;; *) return 1 ;; esac
  [[ ${_ad_key%%@*} == "$_ad_profile" && $_ad_made_in == "$_ad_context" && ${_ad_stamps[0]} == "${_ad_stamps[0]%% @ *} @ $_ad_config" &&
    ${_ad_stamps[1]} == "${_ad_stamps[1]%% @ *} @ $_ad_credentials" && ($_ad_expiration || ! $_ad_clock) ]] || return 1
  [[ ! $_ad_dotenv ]] || _ad_stamps[2]=$_ad_dotenv_stamp
  if [[ $_ad_environment ]]; then
    _awsdirenv_run context _awsdirenv_variables_text "$_ad_environment" || return 1
    [[ $_ad_environment == "$_ad_reply" ]] || return 1
  fi
  [[ ! $_ad_policy_file ]] || _awsdirenv_run cold _awsdirenv_is_same_policy || return 1
  [[ ! $_ad_expiration ]] ||
    ((_ad_life = _ad_expiration > _ad_issued ? _ad_expiration - _ad_issued : 0, \
    _ad_usable_until = _ad_expiration - (_ad_life < 200 ? (_ad_life + 9) / 10 : 20), \
    _ad_refresh_at = _ad_expiration - (_ad_life < 480 ? 120 : _ad_life < 3600 ? (_ad_life + 3) / 4 : 900), \
    _ad_refresh_at = _ad_refresh_at < _ad_issued + _ad_life / 2 ? _ad_issued + _ad_life / 2 : _ad_refresh_at, 1))
  _ad_stage=${_ad_option_stage:-$_ad_stage}
  [[ ${_ad_option_account:-$_ad_account_id} == "$_ad_account_id" && ${_ad_option_role:-$_ad_role} == "$_ad_role" ]] || return 1
  if [[ $_ad_option_confirm || ($_ad_stage && ${_ad_stage,,} == "${AWSDIRENV_CONFIRM,,}") ]]; then
    _awsdirenv_run cold _awsdirenv_is_confirmed "${_ad_stage:-$_ad_declared}" || return 1
  fi
  [[ $_ad_step != given ]] || return 0
  if [[ $_ad_expiration ]]; then
    ((_ad_issued <= _ad_now + 15)) || return 1
    if [[ $_ad_started && -r /proc/uptime ]] && read -r _ad_uptime _ </proc/uptime && ((_ad_now - ${_ad_uptime%.*} + 15 < _ad_started)); then
      ! _awsdirenv_run cold _awsdirenv_is_same_start || return 1
    fi
  fi
  "$_ad_first_word" && ((_ad_now < ${_ad_usable_until:-_ad_now + 1})) && _awsdirenv_end_look &&
    [[ $_ad_state == "$EUID 600 $_ad_size "*" @ /dev/fd/$_ad_fd/" && $_ad_folder == "$EUID 700 "*" @ ${_ad_snapshot%/*}/" ]] &&
    [[ ! $_ad_rest || $_ad_option_live ]] && "$_ad_last_word" &&
    [[ /dev/fd/$_ad_fd -ef $_ad_snapshot || (${BASH_VERSINFO[5]} == *darwin* && ! /dev/fd/$_ad_fd -nt $_ad_snapshot && ! /dev/fd/$_ad_fd -ot $_ad_snapshot) ]]
  return
} # snapshot

# Notes
#
# - True where the snapshot is whole, nobody else's, made from the files as they are now, and not over. The function $2, of the
#   part $1, decides before the look has come, $3 in the end, when it sees to watches. The look is also for the files behind it.
#   Where `_ad_step` is `given`, the `_ad_lines` are there, and no file is looked at.
# - A link in the place of a folder of ours is somebody else's word; Python says so.
# - An `unset` makes EPOCHSECONDS an ordinary variable: so the time comes from printf.
# - bash drops NUL bytes: where one has taken its end, the last line has no end, and elsewhere the size is another one.
# - A session token, or the long-term keys that were asked for: never one in the place of the other.
# - `_ad_usable_until` and `_ad_refresh_at` are those of awsdirenv/session_credentials.py, rounded down.
# - awsdirenv/refresh/pins.py says what is wrong with the account and the role, and asks whether somebody means to enter.
# - The clock may have been set back since the snapshot was written, by more than awsdirenv/system/clocks.py tolerates: its end
#   is then later than it should be, and Python writes it anew. What says so is when the machine was started.
# - The last line: a snapshot that was replaced since we opened it. direnv may have the new one's time on its list then, and
#   would not come back for it. On macOS /dev/fd/N is not on the device of its file. There the time must do: each version has a
#   second of its own.
