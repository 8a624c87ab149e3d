#!/usr/bin/env bash
# shellcheck disable=SC1091,SC2034,SC2154,SC2317 # it reads the extension's parts, and they share these variables
#
# What the config file of a live directory has SDKs start. It prints the credentials of a fresh snapshot. Whatever else
# there is to do, Python does, which prints the same text for such a snapshot.
#
#   bash -p credential-process.sh STAT AND ITS FOUR ARGUMENTS OPTIONS PYTHON ITS ARGUMENTS … --live=PROFILE
#
# STAT tells the state of files; see awsdirenv/system/stamps.py. OPTIONS is SessionOptions.text of
# awsdirenv/config/environment.py, and PROFILE is encoded. With -p nothing of a project (BASH_ENV, functions) counts here.

# A shell that is no bash, or one before 4.4, does not get further.
case ${BASH_VERSION-} in
  '' | [123].* | 4.[0123].*)
    shift 6
    exec "$@"
    ;;
esac

# Fails where there is anything to do but to print.
_awsdirenv_print_stored() {
  local _ad_parts='' _ad_step='' _ad_unread=1 _ad_installed=${BASH_SOURCE[0]%/*} _ad_program=("${@:1:5}") _ad_stat=_awsdirenv_ask_program _ad_name \
  _ad_has_profile=1 _ad_declared='' _ad_options=$6 _ad_asked=() _ad_agent='' _ad_narrowed='' _ad_option_live='' _ad_option_no_session='' \
  _ad_option_account='' _ad_option_role='' _ad_option_stage='' _ad_option_confirm='' \
  _ad_key='' _ad_context='' _ad_cache='' _ad_snapshot='' _ad_dotenv='' _ad_dotenv_stamp='' _ad_config='' _ad_credentials='' \
  _ad_envrc_mtime=0 _ad_around=() _awsdirenv_left=() \
  _ad_now _ad_access_key_id _ad_secret_access_key _ad_session_token _ad_account_id _ad_region _ad_role _ad_stage _ad_policies \
  _ad_expiration _ad_refresh_at _ad_usable_until
  set +o posix
  unset BASH_COMPAT # with the rules of bash 4.2, the quotes in a replacement would be part of it
  # Without a home the kernel's list of users has one. Whom one of our own programs has started must not come back.
  [[ ${HOME-} && ! ${AWSDIRENV_RUNNING_FOR-} && ${*: -1} == --live=* ]] || return 1
  source "$_ad_installed/enter.sh" || return 1
  _ad_declared=${*: -1}
  _awsdirenv_run warm _awsdirenv_run bytes _awsdirenv_in_bytes _awsdirenv_find_and_print
}

_awsdirenv_find_and_print() {
  local AWSDIRENV_CONFIRM='' # a question of those who enter
  case ${AWS_CONFIG_FILE-} in */awsdirenv/live/*) _awsdirenv_run leave _awsdirenv_leave_live || return 1 ;; esac
  _ad_declared=${_ad_declared#--live=}
  printf -v _ad_declared %b "${_ad_declared//%/\\x}"
  _ad_step='agent locate'
  [[ $_ad_options != agent=* ]] || _ad_step=locate
  builtin source "$_ad_installed/find.sh" && _awsdirenv_read_snapshot keys _awsdirenv_needs_no_renewal : && _awsdirenv_print_json
}

# What depends on variables is Python's: direnv may have hidden those that count.
_awsdirenv_needs_no_renewal() { [[ ! $_ad_environment ]] && ((_ad_now < ${_ad_refresh_at:-_ad_now + 1})); }

# The same as `render` in awsdirenv/cli/commands/credential_process.py.
_awsdirenv_print_json() {
  local _ad_reply='' _ad_name
  for _ad_name in _ad_secret_access_key _ad_session_token; do
    printf -v "$_ad_name" %s "${!_ad_name//\\/\\\\}"
    printf -v "$_ad_name" %s "${!_ad_name//\"/\\\"}"
  done
  [[ ! $_ad_expiration ]] || _awsdirenv_utc_text "$_ad_expiration"
  printf '{"Version": 1, "AccessKeyId": "%s", "SecretAccessKey": "%s", "SessionToken": "%s"%s%s}\n' "$_ad_access_key_id" \
    "$_ad_secret_access_key" "$_ad_session_token" "${_ad_reply:+, \"Expiration\": \"${_ad_reply%+*}Z\"}" "${_ad_account_id:+, \"AccountId\": \"$_ad_account_id\"}"
}

watch_file() { :; }            # direnv's, which some parts call
_awsdirenv_refuse() { false; } # the stub's; nobody would read it

_awsdirenv_ask_program() { export TZ=UTC0 LC_ALL=C && exec "${_ad_program[@]}" "$@"; }

# In a subshell: Python gets all variables as they are.
! (_awsdirenv_print_stored "$@") 2>/dev/null || exit 0
shift 6
exec "$@"
