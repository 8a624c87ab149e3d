#!/usr/bin/env bash
# shellcheck disable=SC1091,SC2034,SC2154,SC2168 # it sources other parts, and they share its variables
#
# What `use aws_profile` does. Notes are at the end.

_awsdirenv_begin_look() {
  exec {_ad_looked}< <("$_ad_stat" "/dev/fd/$_ad_fd" "${_ad_snapshot%/*}" ./.envrc "$_ad_config" "$_ad_credentials" \
    ${_ad_dotenv:+"$_ad_dotenv"} "$@" 2>/dev/null)
}

_awsdirenv_read_snapshot() {
  local _ad_fd _ad_looked _ad_sound=''
  [[ ! -L $_ad_cache && ! -L ${_ad_snapshot%/*} && -f $_ad_snapshot && -O $_ad_snapshot && -r $_ad_snapshot && ! -L $_ad_snapshot ]] &&
    exec {_ad_fd}<"$_ad_snapshot" || return 1
  _awsdirenv_begin_look "${@:4}"
  ! builtin source "$_ad_installed/snapshot.sh" "$@" || _ad_sound=1
  exec {_ad_fd}<&- {_ad_looked}<&-
  [[ $_ad_sound && $_ad_parts == *' snapshot '* ]]
}

{
  [[ ${_ad_step+set} ]] || return 0
  _ad_parts+=' warm '
  [[ $_ad_step ]] || return 0
  local AWS_PROFILE
  [[ ${AWS_EC2_METADATA_DISABLED@a} == *r* ]] || local AWS_EC2_METADATA_DISABLED
  [[ ! ${_awsdirenv_left-} ]] || _awsdirenv_run context _awsdirenv_look_behind_line_above
  local _ad_value
  for _ad_value in "${_ad_around[@]}"; do
    _ad_name=${_ad_value%%=*}
    [[ -v $_ad_name && ${!_ad_name} == "${_ad_value#*=}" ]] || local -x "$_ad_value"
  done
  local _ad_declared _ad_has_profile _ad_option_region _ad_option_duration _ad_option_min_life _ad_option_no_session _ad_option_live \
    _ad_option_account _ad_option_role _ad_option_stage _ad_option_confirm _ad_option_policy _ad_options _ad_asked _ad_narrowed _ad_agent _ad_keys _ad_mode_stamp \
    _ad_key _ad_context _ad_cache _ad_snapshot _ad_dotenv _ad_dotenv_stamp _ad_config _ad_credentials _ad_is_found _ad_is_fresh _ad_live _ad_empty \
    _ad_now _ad_access_key_id _ad_secret_access_key _ad_session_token _ad_account_id _ad_region _ad_role _ad_stage _ad_policies \
    _ad_expiration _ad_refresh_at _ad_usable_until _ad_reply _ad_pause _ad_envrc_mtime=0 _ad_stat=_awsdirenv_stat
  ((!BASH_SUBSHELL)) || _awsdirenv_run cold _awsdirenv_warn_in_subshell
  case ${AWS_CONFIG_FILE-} in
    */awsdirenv/live/*)
      _awsdirenv_run bytes _awsdirenv_in_bytes _awsdirenv_run leave _awsdirenv_leave_live || return 0
      [[ ${AWS_PROFILE-} != "${AWSDIRENV_PROFILE-}" ]] || unset AWS_PROFILE
      ;;
  esac
  _ad_step='line agent mode locate read'
  if [[ ${LC_ALL-} == C ]]; then
    builtin source "$_ad_installed/find.sh"
  else
    _awsdirenv_run bytes _awsdirenv_in_bytes builtin source "$_ad_installed/find.sh"
  fi && [[ $_ad_parts == *' find '* ]] && _ad_is_found=1
  if [[ ! $_ad_is_found ]] || { [[ $_ad_mode_stamp && ! $_ad_is_fresh ]] && ! _awsdirenv_run mode _awsdirenv_settle_mode; }; then
    _ad_step=''
    _awsdirenv_run find :
    _awsdirenv_run cold _awsdirenv_close
  elif [[ $_ad_option_live ]]; then
    _awsdirenv_run live _awsdirenv_open_live
  elif [[ $_ad_option_no_session ]]; then
    _awsdirenv_run cold _awsdirenv_open_without_session
  elif [[ $_ad_is_fresh ]]; then
    _awsdirenv_open
  elif [[ ! $_ad_unread ]]; then
    _awsdirenv_run cold _awsdirenv_renew
  fi
  _awsdirenv_around=("${_ad_around[@]}")
  [[ $_ad_result == _awsdirenv_left* ]] || _awsdirenv_left=("${_ad_closed[@]}")
  return
} # warm

# Notes
#
# - A directory with a fresh snapshot takes enter.sh, this, find.sh, snapshot.sh, look.sh and keys.sh, or live.sh, and no more. The
#   one process of such a load, `stat`, takes as long as what bash does meanwhile: it judges the snapshot, and reads the parts that
#   it needs in the end. So what stands in front of it counts most. bash parses a part at each load, and copies each function: so
#   these are scripts, which are sourced to run them. Functions are what several need.
# - A stub of an older release sets no `_ad_step`, and says that this cannot be read: its hint leads to `awsdirenv setup`.
# - We read snapshots, and only Python writes them. Nothing of them is evaluated: names come from a closed list, values are
#   checked, and all are exported or none. enter.sh has taken the AWS variables out before, and exports what `_ad_result` names
#   afterwards. So none is left where bash gives up in between, as it does for a variable that somebody has made readonly.
# - `_awsdirenv_read_snapshot` has the arguments of snapshot.sh. It opens a file of ours, and not what somebody put in its place.
# - `_awsdirenv_begin_look` starts the one process of a warm load, which tells the state of all files that count, and of those
#   that are given, a line for each that is there; see awsdirenv/system/stamps.py. The path of the open file may be another one
#   by now.
# - AWS_PROFILE is the one around the line only in here; _awsdirenv_run_around gives it to what we start. What .envrc has declared
#   may have hidden another variable, which is not exported any more.
# - Where a part cannot be read, nothing that Python does can be read, either.
# - `_awsdirenv_around` and `_awsdirenv_left` are for a line of ours below this one.
