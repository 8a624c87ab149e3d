#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # the parts share the variables of warm.sh
#
# `use aws_profile --live`. Notes are at the end.

_awsdirenv_read_snapshot_and_live() {
  _ad_live=$_ad_cache/live/$_ad_key _ad_empty=$_ad_cache/live/.empty
  _awsdirenv_read_snapshot live : _awsdirenv_take_live "$_ad_live" "$_ad_empty" "$_ad_cache/live"
}

_awsdirenv_take_live() {
  local _ad_live_mtime _ad_live_state
  _awsdirenv_is_live_file_current && _awsdirenv_check_live
}

_awsdirenv_is_live_file_current() {
  local _ad_fd _ad_lines=()
  _awsdirenv_open_file "$_ad_live" || return 1
  mapfile -t -n 16 -u "$_ad_fd" _ad_lines
  exec {_ad_fd}<&-
  _awsdirenv_is_live_header_current
}

_awsdirenv_is_live_header_current() {
  local _ad_wanted _ad_actual
  printf -v _ad_wanted '# %s\n' version=4 "profile=${_ad_key%%@*}" "config=${_ad_stamps[0]}" "credentials=${_ad_stamps[1]}" \
    "AWS_CONFIG_FILE=${AWS_CONFIG_FILE+=$AWS_CONFIG_FILE}" "AWS_SHARED_CREDENTIALS_FILE=${AWS_SHARED_CREDENTIALS_FILE+=$AWS_SHARED_CREDENTIALS_FILE}" \
    "AWS_MFA_SERIAL=${AWS_MFA_SERIAL-}" "options=$_ad_options"
  printf -v _ad_actual '%s\n' "${_ad_lines[@]:0:8}"
  _ad_live_mtime=${_ad_lines[15]#*=}
  [[ $_ad_actual == "$_ad_wanted" && -x ${_ad_lines[8]#*=} && -r ${_ad_lines[9]#*=} ]]
}

_awsdirenv_check_live() {
  local _ad_before=${DIRENV_WATCHES-}
  _awsdirenv_are_live_files_ours || return 1
  _awsdirenv_recall_watches "$_ad_live_state" && return
  _awsdirenv_run cold _awsdirenv_wait_for_watches "$_ad_live_state" && return
  _awsdirenv_run cold _awsdirenv_watch "$_ad_live" "$_ad_empty" "$_ad_config" "$_ad_credentials" "$_ad_dotenv"
  _awsdirenv_begin_look "$_ad_live" "$_ad_empty" "$_ad_cache/live"
  _awsdirenv_end_look && _awsdirenv_are_live_files_ours || return 1
  _awsdirenv_run cold _awsdirenv_remember_watches "$_ad_before" "$_ad_live_state"
}

_awsdirenv_are_live_files_ours() {
  local _ad_of_live=${_ad_rest%%$'\n'*} _ad_of_empty
  _ad_rest=${_ad_rest#*$'\n'}
  _ad_of_empty=${_ad_rest%%$'\n'*} _ad_rest=${_ad_rest#*$'\n'}
  _ad_live_state="$_ad_of_live $_ad_of_empty$_ad_dotenv_stamp"
  [[ $_ad_of_live == "$EUID 600 "*" $_ad_live_mtime "*" @ $_ad_live/" && $_ad_of_empty == "$EUID 600 0 "*" @ $_ad_empty/" &&
    ${_ad_rest#*$'\n'} == '' && $_ad_rest == "$EUID 700 "*" @ $_ad_cache/live/"$'\n' && ! -L $_ad_empty && ! -L ${_ad_empty%/*} ]]
}

_awsdirenv_open_live() {
  local _ad_wanted=$_ad_option_region
  [[ ${AWSDIRENV_PROFILE+set} ]] || _ad_wanted=${_ad_wanted:-${AWS_REGION:-${AWS_DEFAULT_REGION-}}}
  if [[ $_ad_wanted ]] && ! _awsdirenv_run names _awsdirenv_is_region "$_ad_wanted"; then
    _awsdirenv_run cold _awsdirenv_load || :
    _awsdirenv_run cold _awsdirenv_close
    return
  fi
  [[ $_ad_is_fresh ]] || _awsdirenv_run cold _awsdirenv_make_live || return 0
  if ! _awsdirenv_unset AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE 2>/dev/null; then
    _awsdirenv_run cold _awsdirenv_refuse_readonly_names || _awsdirenv_run cold _awsdirenv_close
    return
  fi
  _awsdirenv_left=(
    "AWS_PROFILE=$_ad_declared" "AWS_CONFIG_FILE=$_ad_live" "AWS_SHARED_CREDENTIALS_FILE=$_ad_empty"
    "AWSDIRENV_PROFILE=$_ad_declared" "AWSDIRENV_LOADED=$_ad_envrc_mtime $PWD" ${_ad_stage:+"AWSDIRENV_STAGE=$_ad_stage"}
    AWS_EC2_METADATA_DISABLED=true
    ${_ad_narrowed:+"AWSDIRENV_NARROWED=$_ad_narrowed"}
    ${_ad_wanted:+"AWS_REGION=$_ad_wanted" "AWS_DEFAULT_REGION=$_ad_wanted"}
  )
  [[ ${AWS_EC2_METADATA_DISABLED@a} != *r* ]] || _awsdirenv_run cold _awsdirenv_close_metadata _awsdirenv_left
  _ad_result='_awsdirenv_left[@]' _ad_region=${_ad_wanted:-$_ad_region} _ad_expiration=''
  _awsdirenv_say_where
}

_ad_parts+=' live '
return 0

# Notes
#
# - `_awsdirenv_read_snapshot_and_live`: one look is for both, because the live file is made from the same files as the snapshot.
# - `_awsdirenv_take_live` is true for live files that are ours, and made from all that they would be made from now. The lines at
#   their beginning say what that is: see Made in awsdirenv/cache/live_files.py. What comes behind is for those who have no snapshot.
# - `_awsdirenv_check_live` judges what the look has told of our files, and sees to it that direnv watches them and AWS's own: first
#   the watch, then the look.
# - `_awsdirenv_are_live_files_ours`: the empty file must be empty, since keys that somebody has written into it would win. It keeps
#   their state as `_ad_live_state`.
# - `_awsdirenv_open_live` exports no keys, but AWS_PROFILE and files of ours, by which every SDK gets them from us. So the snapshot
#   only says whether there is something to ask of a person who enters. Python says what is wrong with a region. What a person has
#   declared of the files would change what we write, and what is readonly cannot be written. Some SDKs would go on to the role of
#   an EC2 instance where we have no credentials for them. The region is not the profile's own, which would be wrong for every
#   other profile.
