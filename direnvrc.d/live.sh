#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # the parts share the variables of _awsdirenv_use
#
# `use aws_profile --live`. It is read in the midst of _awsdirenv_use in warm.sh, and works with that function's variables.

# One look is for both: the live file is made from the same files as the snapshot.
_awsdirenv_read_snapshot_and_live() {
  _ad_live=$_ad_cache/live/$_ad_key
  _awsdirenv_read_snapshot _awsdirenv_take_live "$_ad_live" "$_ad_empty" "$_ad_cache/live"
}

_awsdirenv_take_live() {
  local _ad_lines=() _ad_live_stamps=() _ad_live_mtime
  _awsdirenv_run context _awsdirenv_read_file "$_ad_live" 14 && _awsdirenv_take_live_header || return 1
  [[ ${_ad_live_stamps[0]} == "${_ad_stamps[0]}" && ${_ad_live_stamps[1]} == "${_ad_stamps[1]}" ]] && _awsdirenv_check_live
}

# True for the header of a file that was made from all that it would be made from now.
_awsdirenv_take_live_header() {
  local _ad_live_version _ad_live_profile _ad_live_config_file _ad_live_shared_credentials_file _ad_live_mfa_serial \
    _ad_live_duration _ad_live_python
  _awsdirenv_take_live_lines && [[ $_ad_live_profile == "${_ad_key%%@*}" &&
    $_ad_live_config_file == "${AWS_CONFIG_FILE+=$AWS_CONFIG_FILE}" &&
    $_ad_live_shared_credentials_file == "${AWS_SHARED_CREDENTIALS_FILE+=$AWS_SHARED_CREDENTIALS_FILE}" &&
    $_ad_live_mfa_serial == "${AWS_MFA_SERIAL-}" && $_ad_live_duration == "$_ad_option_duration" && -x $_ad_live_python &&
    ${_ad_live_stamps[0]#* } == "$_ad_config" && ${_ad_live_stamps[1]#* } == "$_ad_credentials" ]]
}

# Made from awsdirenv/cache/grammar.py by tests/support/bash_grammar.py.
_awsdirenv_take_live_lines() {
  _ad_live_version=${_ad_lines[0]#*=} _ad_live_profile=${_ad_lines[1]#*=} _ad_live_stamps[0]=${_ad_lines[2]#*=} \
    _ad_live_stamps[1]=${_ad_lines[3]#*=} _ad_live_config_file=${_ad_lines[4]#*=} _ad_live_shared_credentials_file=${_ad_lines[5]#*=} \
    _ad_live_mfa_serial=${_ad_lines[6]#*=} _ad_live_duration=${_ad_lines[7]#*=} _ad_live_python=${_ad_lines[8]#*=} \
    _ad_live_region=${_ad_lines[9]#*=} _ad_live_account_id=${_ad_lines[10]#*=} _ad_live_role=${_ad_lines[11]#*=} \
    _ad_live_stage=${_ad_lines[12]#*=} _ad_live_mtime=${_ad_lines[13]#*=}
  [[ ${_ad_lines[*]/=*/=} == "# version= # profile= # config= # credentials= # AWS_CONFIG_FILE= # AWS_SHARED_CREDENTIALS_FILE= # AWS_MFA_SERIAL= # duration= # python= # region= # account_id= # role= # stage= # mtime=" &&
    $_ad_live_version && $_ad_live_version != *[!2]* &&
    $_ad_live_profile && $_ad_live_profile != *[!A-Za-z0-9._%-]* &&
    ${_ad_live_stamps[0]} &&
    ${_ad_live_stamps[1]} &&
    (! $_ad_live_config_file || $_ad_live_config_file == =*) &&
    (! $_ad_live_shared_credentials_file || $_ad_live_shared_credentials_file == =*) &&
    $_ad_live_duration != *[!0-9]* && $_ad_live_duration != 0?* &&
    $_ad_live_python &&
    $_ad_live_region != *[!A-Za-z0-9-]* && $_ad_live_region != -* &&
    $_ad_live_account_id != *[!0-9]* &&
    $_ad_live_role != *[!A-Za-z0-9+=,.@_-]* &&
    $_ad_live_stage != *[[:cntrl:]]* &&
    $_ad_live_mtime && $_ad_live_mtime != *[!0-9]* && $_ad_live_mtime != 0?* ]] &&
    ((${#_ad_live_version} <= 1 && \
    ${#_ad_live_profile} <= 200 && \
    ${#_ad_live_stamps[0]} <= 8192 && \
    ${#_ad_live_stamps[1]} <= 8192 && \
    ${#_ad_live_config_file} <= 8192 && \
    ${#_ad_live_shared_credentials_file} <= 8192 && \
    ${#_ad_live_mfa_serial} <= 8192 && \
    ${#_ad_live_duration} <= 12 && _ad_live_duration <= 253402300799 && \
    ${#_ad_live_python} <= 8192 && \
    ${#_ad_live_region} <= 63 && \
    ${#_ad_live_account_id} <= 20 && \
    ${#_ad_live_role} <= 64 && \
    ${#_ad_live_stage} <= 160 && \
    ${#_ad_live_mtime} <= 12 && _ad_live_mtime <= 253402300799))
}

# Judges what the look has told of our files, and sees to it that direnv watches them and AWS's own: first the watch,
# then the look.
_awsdirenv_check_live() {
  local _ad_before=${DIRENV_WATCHES-}
  _awsdirenv_are_live_files_ours || return 1
  _awsdirenv_recall_watches "$_ad_live_times" && return
  _awsdirenv_run cold _awsdirenv_watch "$_ad_live" "$_ad_empty" "$_ad_config" "$_ad_credentials" "$_ad_dotenv"
  _awsdirenv_begin_look "$_ad_live" "$_ad_empty" "$_ad_cache/live"
  _awsdirenv_end_look && _awsdirenv_are_live_files_ours || return 1
  _awsdirenv_run cold _awsdirenv_remember_watches "$_ad_before" "$_ad_live_times"
}

# The empty file must be empty: keys that somebody has written into it would win.
_awsdirenv_are_live_files_ours() {
  local _ad_of_live=${_ad_live_look[0]-} _ad_of_empty=${_ad_live_look[1]-}
  [[ ${#_ad_live_look[@]} == 3 && $_ad_of_live == "$_ad_live/ $EUID 600 $_ad_live_mtime "* && $_ad_of_empty == "$_ad_empty/ $EUID 600 "*:*:0:* &&
    ${_ad_live_look[2]} == "$_ad_cache/live/ $EUID 700 "* && ! -L $_ad_empty ]] || return 1
  _ad_of_live=${_ad_of_live% *} _ad_of_empty=${_ad_of_empty% *}
  _ad_live_times=live,$_ad_present,${_ad_of_live##* },${_ad_of_empty##* },${_ad_times#*,}
}

# Exports no keys, but AWS_PROFILE and files of ours, by which every SDK gets them from us. So the snapshot only says
# whether there is something to ask of a person who enters.
_awsdirenv_open_live() {
  local _ad_live='' _ad_empty=$_ad_cache/live/.empty _ad_live_times='' _ad_live_region='' _ad_live_account_id='' _ad_live_role='' _ad_live_stage=''
  if ! { _awsdirenv_read_snapshot_and_live || {
    _awsdirenv_run cold _awsdirenv_let_another_do_it && _awsdirenv_read_snapshot_and_live
  } || _awsdirenv_run cold _awsdirenv_make_live; }; then
    _awsdirenv_close
    return 0
  fi
  local _ad_wanted=$_ad_option_region
  [[ ${AWSDIRENV_PROFILE+set} ]] || _ad_wanted=${_ad_wanted:-${AWS_REGION:-${AWS_DEFAULT_REGION-}}}
  _ad_exports=(
    "AWS_PROFILE=$_ad_declared" "AWS_CONFIG_FILE=$_ad_live" "AWS_SHARED_CREDENTIALS_FILE=$_ad_empty"
    "AWSDIRENV_PROFILE=$_ad_declared" "AWSDIRENV_LOADED=$_ad_envrc_mtime $PWD" ${_ad_stage:+"AWSDIRENV_STAGE=$_ad_stage"}
    # Not the profile's own, which would be wrong for every other profile.
    ${_ad_wanted:+"AWS_REGION=$_ad_wanted" "AWS_DEFAULT_REGION=$_ad_wanted"}
  )
  _ad_region=${_ad_wanted:-$_ad_region} _ad_expiration=''
  _awsdirenv_say_where
}

# Where this is missing, the file has been cut off; see _awsdirenv_run.
_awsdirenv_live_end() { :; }
