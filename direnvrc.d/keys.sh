#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # the parts share the variables of warm.sh
#
# Exports the credentials of a snapshot. Notes are at the end.

_awsdirenv_is_fresh() {
  if [[ $_ad_option_min_life && $_ad_expiration ]] && ((_ad_expiration - _ad_now < _ad_option_min_life && _ad_now - _ad_issued >= 60)); then
    return 1
  fi
  { ((_ad_now < ${_ad_refresh_at:-_ad_now + 1})) || _awsdirenv_may_work_behind; } && _awsdirenv_make_block
}

_awsdirenv_open() {
  if [[ ! ${_awsdirenv_left-} ]] && ! _awsdirenv_make_block; then
    _awsdirenv_run cold _awsdirenv_close
    return
  fi
  _awsdirenv_keep_fresh
  if [[ ${AWS_EC2_METADATA_DISABLED-} && ${AWS_EC2_METADATA_DISABLED@a} != *r* ]]; then
    _awsdirenv_left+=("AWS_EC2_METADATA_DISABLED=$AWS_EC2_METADATA_DISABLED")
  fi
  _awsdirenv_left+=("AWSDIRENV_LOADED=$_ad_envrc_mtime $PWD")
  _ad_result='_awsdirenv_left[@]' _ad_unset=(AWS_PROFILE)
  [[ ${AWS_EC2_METADATA_DISABLED-} || ${AWS_EC2_METADATA_DISABLED@a} == *r* ]] || _ad_unset+=(AWS_EC2_METADATA_DISABLED)
  _awsdirenv_say_where
}

_awsdirenv_make_block() {
  local _ad_reply
  _ad_region=${_ad_option_region:-$_ad_region}
  if [[ ! $_ad_option_region && ! ${AWSDIRENV_PROFILE+set} && ${AWS_REGION:-${AWS_DEFAULT_REGION-}} ]]; then
    _ad_region=${AWS_REGION:-$AWS_DEFAULT_REGION}
    _awsdirenv_run names _awsdirenv_is_region "$_ad_region" || return 1
  fi
  _awsdirenv_left=(
    "AWS_ACCESS_KEY_ID=$_ad_access_key_id" "AWS_SECRET_ACCESS_KEY=$_ad_secret_access_key" "AWSDIRENV_PROFILE=$_ad_declared"
    "AWSDIRENV_KEY_ID=$_ad_access_key_id"
    ${_ad_session_token:+"AWS_SESSION_TOKEN=$_ad_session_token"}
    ${_ad_narrowed:+"AWSDIRENV_NARROWED=$_ad_narrowed"} ${_ad_stage:+"AWSDIRENV_STAGE=$_ad_stage"} ${_ad_account_id:+"AWS_ACCOUNT_ID=$_ad_account_id"}
    ${_ad_region:+"AWS_REGION=$_ad_region" "AWS_DEFAULT_REGION=$_ad_region"}
  )
  [[ $_ad_expiration ]] || return 0
  if [[ $_ad_option_min_life ]] && ((_ad_now < _ad_expiration - _ad_option_min_life && _ad_refresh_at >= _ad_expiration - _ad_option_min_life)); then
    _ad_refresh_at=$((_ad_expiration - _ad_option_min_life))
  fi
  ((_ad_now < _ad_refresh_at)) || _ad_refresh_at=$_ad_usable_until
  _awsdirenv_utc_text "$_ad_expiration"
  _awsdirenv_left+=("AWS_CREDENTIAL_EXPIRATION=$_ad_reply" "AWSDIRENV_REFRESH_AT=$_ad_refresh_at")
}

_awsdirenv_utc_text() {
  local _ad_rest _ad_year
  ((_ad_rest = 4 * ($1 / 86400 + 719468) + 3, _ad_year = 100 * (_ad_rest / 146097), _ad_rest = 4 * (_ad_rest % 146097 / 4) + 3, \
  _ad_year += _ad_rest / 1461, _ad_rest = 5 * (_ad_rest % 1461 / 4) + 461))
  printf -v _ad_reply '%04d-%02d-%02dT%02d:%02d:%02d+00:00' $((_ad_year + (_ad_rest >= 1991))) $(((_ad_rest / 153 - 1) % 12 + 1)) \
    $((_ad_rest % 153 / 5 + 1)) $(($1 / 3600 % 24)) $(($1 / 60 % 60)) $(($1 % 60))
}

_awsdirenv_keep_fresh() {
  local _ad_mark=$_ad_cache/timers/$_ad_key _ad_pid='' _ad_words=()
  [[ $_ad_expiration && -d $_ad_cache/timers && -O $_ad_cache/timers && ! -L $_ad_cache/timers ]] || return 0
  if ! _awsdirenv_may_work_behind; then
    [[ ! -s $_ad_mark ]] || : >|"$_ad_mark"
    return 0
  fi
  if [[ -s $_ad_mark && -e $_ad_mark.used ]] && {
    read -r _ad_pid <"$_ad_mark" && [[ $_ad_pid && $_ad_pid != *[!0-9]* ]] &&
      if [[ -r /proc/$$/cmdline ]]; then
        mapfile -d '' -t _ad_words <"/proc/$_ad_pid/cmdline" && [[ " ${_ad_words[*]} " == *' timer '* ]]
      else
        builtin kill -0 "$_ad_pid"
      fi
  } 2>/dev/null; then
    : >|"$_ad_mark.used"
    return 0
  fi
  _awsdirenv_run cold _awsdirenv_start_timer
}

_awsdirenv_may_work_behind() {
  case ${AWSDIRENV_AUTO_REFRESH-} in 0 | [Ff][Aa][Ll][Ss][Ee] | [Nn][Oo]) return 1 ;; esac
  case ${CI-} in '' | 0 | [Ff][Aa][Ll][Ss][Ee] | [Nn][Oo]) ;; *) return 1 ;; esac
}

_ad_parts+=' keys '
return 0

# Notes
#
# - `_awsdirenv_is_fresh` is true for a snapshot to export as it is: fresh, or usable where a timer renews it, and with the life
#   that is wanted. One that was got a moment ago lives as long as they get.
# - `_awsdirenv_open` has the block exported: the profile's credentials in, every other AWS credential out. The switch that has
#   closed the directory goes back to what it is around the line. Who has it readonly: nobody has closed it.
# - `_awsdirenv_make_block` makes `_awsdirenv_left` of the snapshot that has been read, but for what only the look tells. The region of
#   a directory that direnv has lost sight of is not the person's word; Python says what is wrong with another one. A shell's hook is
#   to look again as soon as less is left than is wanted. Once that time is over, the next is the end: the hooks look again at
#   either, once.
# - `_awsdirenv_utc_text` gives epoch seconds as RFC 3339, in UTC, in _ad_reply. For printf's %()T another TZ costs more. The
#   algorithm is that of Neri and Schneider (2021): centuries, years and months are taken off in turn. Years begin in March, so
#   that the leap day is the last.
# - `_awsdirenv_keep_fresh` sees to it that one process renews the snapshot before its end, even while nobody types; see
#   awsdirenv/cli/commands/timer.py. An empty mark ends the one that another evaluation started. Its number alone may be another
#   process's by now. Without /proc it must do: if it is another process of ours, the next renewal starts a timer. By the time of
#   the file `.used` the timer knows that somebody is here.
# - `_awsdirenv_may_work_behind`: work in the background may be unwanted: by the person, or in CI, where nothing is to outlive its
#   job.
