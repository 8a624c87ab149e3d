#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # the parts share the variables of _awsdirenv_use
#
# What names a snapshot where that is not the profile alone: a .env, variables of AWS. Works with the variables of
# _awsdirenv_use.

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

# Where this is missing, the file has been cut off; see _awsdirenv_run.
_awsdirenv_context_end() { :; }
