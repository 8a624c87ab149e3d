#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154,SC2168 # it is sourced in use_aws_profile, and the parts share the variables
#
# Closes the directory, then has warm.sh find out what opens it. Notes are at the end.
_awsdirenv_run() { # $2 of the part $1
  [[ $_ad_parts == *" $1 "* ]] || builtin source "$_ad_installed/$1.sh" 2>/dev/null
  [[ $_ad_parts == *" $1 "* ]] && { "${@:2}" || return; } && return
  [[ ! $_ad_unread ]] && _ad_unread=1 && { watch_file "$_ad_installed/$1.sh" || :; } && _awsdirenv_refuse "a part of this extension cannot be read: $1.sh" "install awsdirenv again, then: awsdirenv setup"
}
_awsdirenv_unset() {
  (($#)) || return 0
  ((BASH_VERSINFO[0] > 4)) || builtin unset -n "$@" 2>/dev/null || :
  if builtin declare -g +nx "$@"; then builtin unset "$@"; else builtin unset "$@" && ! :; fi
}
_awsdirenv_stat() {
  if [[ ! $_ad_stat_program ]]; then
    _awsdirenv_run cold _awsdirenv_look "$@"
    return
  fi
  export TZ=UTC0 LC_ALL=C && exec "$_ad_stat_program" -L "$_ad_stat_option" "$_ad_stat_format" -- "$@"
}
_awsdirenv_use() {
  [[ -r $_ad_installed/warm.sh ]] && builtin source "$_ad_installed/warm.sh"
  [[ $_ad_parts == *' warm '* ]]
}
{
  [[ $_ad_step ]] || return 0
  local _ad_name _ad_unread='' _ad_around=() _ad_taken=() _ad_unset=() _ad_refused='' _ad_result='_ad_closed[@]' _ad_line=("$@")
  local _ad_block=" AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_SECURITY_TOKEN AWS_CREDENTIAL_EXPIRATION AWS_PROFILE AWS_SESSION_EXPIRATION AWS_DEFAULT_PROFILE AWS_ACCOUNT_ID AWS_REGION AWS_DEFAULT_REGION AWS_ROLE_ARN AWS_ROLE_SESSION_NAME AWS_WEB_IDENTITY_TOKEN_FILE AWS_VAULT AWS_EC2_METADATA_SERVICE_ENDPOINT AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE AWS_CREDENTIAL_FILE AWS_ACCESS_KEY AWS_SECRET_KEY AWS_CREDENTIAL_SCOPE AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_CONTAINER_AUTHORIZATION_TOKEN AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE AWS_BEARER_TOKEN_BEDROCK AWSUME_PROFILE AWSDIRENV_PROFILE AWSDIRENV_STAGE AWSDIRENV_REFRESH_AT AWSDIRENV_LOADED AWSDIRENV_KEY_ID AWSDIRENV_DECLARED AWSDIRENV_NARROWED AMAZON_ACCESS_KEY_ID AMAZON_SECRET_ACCESS_KEY AMAZON_SESSION_TOKEN "
  for _ad_name in "${!AWS@}" "${!AMAZON@}"; do
    [[ $_ad_block != *" $_ad_name "* ]] || _ad_taken+=("$_ad_name")
    [[ $_ad_name == AMAZON* || ${!_ad_name@a} != *x* || ${!_ad_name} == closed-by-awsdirenv:* ]] || _ad_around+=("$_ad_name=${!_ad_name}")
  done
  _awsdirenv_unset AWS_EC2_METADATA_DISABLED "${_ad_taken[@]}" 2>/dev/null || _awsdirenv_run cold _awsdirenv_refuse_readonly || _ad_refused=1
  { builtin declare -gx "${_ad_closed[@]}" || builtin export "${_ad_closed[@]}"; } 2>/dev/null || :
  [[ $_ad_refused ]] || _awsdirenv_use || { _ad_step='' && _awsdirenv_run warm :; }
  [[ $BASHOPTS == "$_ad_bashopts" ]] || for _ad_name in "${_ad_shopts[@]}"; do [[ :$_ad_bashopts: != *:$_ad_name:* ]] || shopt -s "$_ad_name"; done
  [[ $_ad_refused ]] || ! builtin declare -gx "${!_ad_result}" || [[ ! ${_ad_unset-} ]] || _awsdirenv_unset "${_ad_unset[@]}" || :
  _ad_parts+=' enter '
  return
} # enter

# Notes
#
# - The parts of a warm load have their notes behind a `return`, where bash does not read them: in front of it, a comment costs a
#   third of code. Scripts are in braces: of a file that is cut off bash runs nothing then.
# - Whatever fails once the directory is closed: no credentials are left. The last lines open it.
# - Where `_ad_step` is empty, this only defines the functions that the other parts need.
# - `_awsdirenv_run` sources a list of functions once. A mark at its end, in `_ad_parts`, tells that it was read whole. So does the
#   mark of a script: one of which nothing is left does nothing, and fails in nothing.
# - `_awsdirenv_unset` also takes out what a `declare` in .envrc hides: that makes a variable local to direnv's functions, and
#   another one stands behind it. `${!AWS@}` has each name that has a value in any scope.
# - `_ad_around` keeps what stands around the line, `_ad_taken` the names of the block that were set.
