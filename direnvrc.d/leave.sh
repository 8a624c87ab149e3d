#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # the parts share the variables of _awsdirenv_use
#
# The way back from the files of a live directory to the person's own. Works with the variables of _awsdirenv_use.

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
  _ad_live_version=${_ad_lines[0]#*=} _ad_live_profile=${_ad_lines[1]#*=} _ad_live_stamps[0]=${_ad_lines[2]#*=} \
    _ad_live_stamps[1]=${_ad_lines[3]#*=} _ad_live_config_file=${_ad_lines[4]#*=} _ad_live_shared_credentials_file=${_ad_lines[5]#*=} \
    _ad_live_mfa_serial=${_ad_lines[6]#*=} _ad_live_options=${_ad_lines[7]#*=} _ad_live_python=${_ad_lines[8]#*=} \
    _ad_live_program=${_ad_lines[9]#*=} _ad_live_region=${_ad_lines[10]#*=} _ad_live_account_id=${_ad_lines[11]#*=} \
    _ad_live_role=${_ad_lines[12]#*=} _ad_live_stage=${_ad_lines[13]#*=} _ad_live_policies=${_ad_lines[14]#*=} \
    _ad_live_mtime=${_ad_lines[15]#*=}
  [[ ${_ad_lines[*]/=*/=} == "# version= # profile= # config= # credentials= # AWS_CONFIG_FILE= # AWS_SHARED_CREDENTIALS_FILE= # AWS_MFA_SERIAL= # options= # python= # program= # region= # account_id= # role= # stage= # policies= # mtime=" &&
    $_ad_live_version && $_ad_live_version != *[!4]* &&
    $_ad_live_profile && $_ad_live_profile != *[!A-Za-z0-9._%-]* &&
    ${_ad_live_stamps[0]} &&
    ${_ad_live_stamps[1]} &&
    (! $_ad_live_config_file || $_ad_live_config_file == =*) &&
    (! $_ad_live_shared_credentials_file || $_ad_live_shared_credentials_file == =*) &&
    $_ad_live_python &&
    $_ad_live_program &&
    $_ad_live_region != *[!A-Za-z0-9-]* && $_ad_live_region != -* &&
    $_ad_live_account_id != *[!0-9]* &&
    $_ad_live_role != *[!A-Za-z0-9+=,.@_-]* &&
    $_ad_live_stage != *[[:cntrl:]]* &&
    $_ad_live_policies != *[[:cntrl:]]* &&
    $_ad_live_mtime && $_ad_live_mtime != *[!0-9]* && $_ad_live_mtime != 0?* ]] &&
    ((${#_ad_live_version} <= 1 && \
    ${#_ad_live_profile} <= 200 && \
    ${#_ad_live_stamps[0]} <= 8192 && \
    ${#_ad_live_stamps[1]} <= 8192 && \
    ${#_ad_live_config_file} <= 8192 && \
    ${#_ad_live_shared_credentials_file} <= 8192 && \
    ${#_ad_live_mfa_serial} <= 8192 && \
    ${#_ad_live_options} <= 8192 && \
    ${#_ad_live_python} <= 8192 && \
    ${#_ad_live_program} <= 8192 && \
    ${#_ad_live_region} <= 63 && \
    ${#_ad_live_account_id} <= 20 && \
    ${#_ad_live_role} <= 64 && \
    ${#_ad_live_stage} <= 160 && \
    ${#_ad_live_policies} <= 400 && \
    ${#_ad_live_mtime} <= 12 && _ad_live_mtime <= 253402300799))
}

# Where this is missing, the file has been cut off; see _awsdirenv_run.
_ad_parts+=' leave '
