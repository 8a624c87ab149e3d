#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # the parts share the variables of warm.sh
#
# The way back from the files of a live directory to the person's own. Works with the variables of warm.sh.

# Goes back to the person's own files where the environment still has those of a live directory: a line of ours above
# this one, or a shell that direnv has lost sight of.
_awsdirenv_leave_live() {
  local _ad_lines=() _ad_live_policies _ad_live_version _ad_live_profile _ad_live_stamps=() _ad_live_config_file \
  _ad_live_shared_credentials_file _ad_live_mfa_serial _ad_live_options _ad_live_python _ad_live_program _ad_live_region \
  _ad_live_account_id _ad_live_role _ad_live_stage _ad_live_mtime
  if ! _awsdirenv_run context _awsdirenv_read_file "$AWS_CONFIG_FILE" 16 || ! _awsdirenv_take_live_lines; then
    local _ad_reply
    _awsdirenv_run cold _awsdirenv_printable "$AWS_CONFIG_FILE"
    _awsdirenv_refuse "AWS_CONFIG_FILE names a live file that no longer exists: $_ad_reply" \
      "unset AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE; in fish: set -e AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE; then: direnv reload"
    _awsdirenv_run cold _awsdirenv_close
    return 1
  fi
  if [[ $AWS_CONFIG_FILE == */awsdirenv/live/* ]]; then
    unset AWS_CONFIG_FILE
    [[ ! $_ad_live_config_file ]] || export "AWS_CONFIG_FILE=${_ad_live_config_file#=}"
  fi
  if [[ ${AWS_SHARED_CREDENTIALS_FILE-} == */awsdirenv/live/* ]]; then
    unset AWS_SHARED_CREDENTIALS_FILE
    [[ ! $_ad_live_shared_credentials_file ]] || export "AWS_SHARED_CREDENTIALS_FILE=${_ad_live_shared_credentials_file#=}"
  fi
  [[ ${_awsdirenv_left-} ]] || AWS_EC2_METADATA_DISABLED=''
}

# Made from awsdirenv/cache/grammar.py by tests/support/bash_grammar.py.
_awsdirenv_take_live_lines() {
  local IFS=' '
  set -- "${_ad_lines[@]#*=}"
  _ad_live_version=$1 _ad_live_profile=$2 _ad_live_stamps[0]=$3 _ad_live_stamps[1]=$4 \
    _ad_live_config_file=$5 _ad_live_shared_credentials_file=$6 _ad_live_mfa_serial=$7 _ad_live_options=$8 \
    _ad_live_python=$9 _ad_live_program=${10} _ad_live_region=${11} _ad_live_account_id=${12} \
    _ad_live_role=${13} _ad_live_stage=${14} _ad_live_policies=${15} _ad_live_mtime=${16}
  [[ ${_ad_lines[*]/=*/=} == "# version= # profile= # config= # credentials= # AWS_CONFIG_FILE= # AWS_SHARED_CREDENTIALS_FILE= # AWS_MFA_SERIAL= # options= # python= # program= # region= # account_id= # role= # stage= # policies= # mtime=" &&
    $1 && $1 != *[!4]* &&
    $2 && $2 != *[!A-Za-z0-9._%-]* &&
    $3 &&
    $4 &&
    (! $5 || $5 == =*) &&
    (! $6 || $6 == =*) &&
    $9 &&
    ${10} &&
    ${11} != *[!A-Za-z0-9-]* && ${11} != -* &&
    ${12} != *[!0-9]* &&
    ${13} != *[!A-Za-z0-9+=,.@_-]* &&
    ${14} != *[[:cntrl:]]* &&
    ${15} != *[[:cntrl:]]* &&
    ${16} && ${16} != *[!0-9]* && ${16} != 0?* ]] &&
    ((${#1} <= 1 && ${#2} <= 200 && ${#3} <= 8192 && ${#4} <= 8192 && ${#5} <= 8192 && ${#6} <= 8192 && ${#7} <= 8192 && ${#8} <= 8192 && ${#9} <= 8192 && ${#10} <= 8192 && ${#11} <= 63 && ${#12} <= 20 && ${#13} <= 64 && ${#14} <= 160 && ${#15} <= 400 && ${#16} <= 12 && ${16} <= 253402300799))
}

# Where this is missing, the file has been cut off; see _awsdirenv_run.
_ad_parts+=' leave '
