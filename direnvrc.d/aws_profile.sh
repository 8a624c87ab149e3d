#!/usr/bin/env bash
# awsdirenv's extension of direnv's stdlib. direnv reads this at every evaluation; parts are read at their first use.
# Usage: use aws_profile [<profile>] [--region <region>] [--duration <time>] [--min-life <time>] [--live | --keys | --no-session]
#        [--account <id>] [--role <name>] [--stage <stage>] [--confirm] [--read-only] [--policy-arn <arn>] [--policy <file>]
use_aws_profile() { # all that others' directories pay for: below it direnv's bash returns, and comes back for the rest at the first use
  local _ad_closed=(AWS_PROFILE=closed-by-awsdirenv:type-direnv-reload AWS_EC2_METADATA_DISABLED=true)
  {
    local - IFS=$' \t\n' FUNCNEST=0 _ad_parts='' _ad_bashopts=${BASHOPTS-} _ad_shopts=(expand_aliases failglob nocaseglob nocasematch localvar_inherit localvar_unset)
    set -B +axvefuETC +o pipefail +o posix # a trace must not show values, and strict_env must not end .envrc half-way
    shopt -u "${_ad_shopts[@]}"
    [[ ${LC_ALL+set} ]] || local LC_ALL=C # bash is quicker with bytes; programs do not see it
    builtin source "${BASH_SOURCE[0]}" && declare -F _awsdirenv_enter >&2
  } 2>/dev/null && _awsdirenv_enter "$@" && return
  builtin unset "${!AWS@}" "${!AMAZON@}"
  builtin export "${_ad_closed[@]}" && ! _awsdirenv_refuse "this extension cannot be read" "awsdirenv setup"
}
_awsdirenv_refuse() { ! printf '%s\n' "awsdirenv: error: $1" "awsdirenv: hint: $2" >&2; }
[[ ${_ad_parts+used} ]] || return 0
_awsdirenv_run() { # $1: the part in which the function $2 stands; a mark in it tells that it was read whole
  [[ $_ad_parts == *" $1 "* ]] || _awsdirenv_part "$1" builtin source 2>/dev/null
  [[ $_ad_parts == *" $1 "* ]] && { "${@:2}" || return; } && return
  [[ ! $_ad_unread ]] && _ad_unread=1 && { _awsdirenv_part "$1" watch_file || :; } && _awsdirenv_refuse "a part of this extension cannot be read: $1.sh" "install awsdirenv again, then: awsdirenv setup"
}
_awsdirenv_unset() { # `declare` in .envrc, which runs in functions of direnv's, makes a variable local: another one stands behind it
  if ((BASH_VERSINFO[0] < 4)) || { { ((BASH_VERSINFO[0] > 4)) || builtin unset -n "$@" 2>/dev/null || :; } && builtin declare -g +nx "$@"; }; then builtin unset "$@"; else builtin unset "$@" && ! :; fi
}
_awsdirenv_unset_block() { _awsdirenv_unset "$@" AWS_{ACCESS_KEY_ID,SECRET_ACCESS_KEY,SESSION_TOKEN,SECURITY_TOKEN,CREDENTIAL_EXPIRATION,PROFILE,SESSION_EXPIRATION,DEFAULT_PROFILE,ACCOUNT_ID,REGION,DEFAULT_REGION,ROLE_ARN,ROLE_SESSION_NAME} AWS_{WEB_IDENTITY_TOKEN_FILE,VAULT,EC2_METADATA_SERVICE_ENDPOINT,EC2_METADATA_SERVICE_ENDPOINT_MODE,CREDENTIAL_FILE,ACCESS_KEY,SECRET_KEY,CREDENTIAL_SCOPE,CONTAINER_{CREDENTIALS_{FULL_URI,RELATIVE_URI},AUTHORIZATION_TOKEN,AUTHORIZATION_TOKEN_FILE}} AWS_BEARER_TOKEN_BEDROCK AWSUME_PROFILE AWSDIRENV_{PROFILE,STAGE,REFRESH_AT,LOADED,KEY_ID,DECLARED,NARROWED} AMAZON_{ACCESS_KEY_ID,SECRET_ACCESS_KEY,SESSION_TOKEN}; }
_awsdirenv_part() { "${@:2}" "${BASH_SOURCE[0]%/*}/$1.sh"; }
_awsdirenv_stat() { export TZ=UTC0 LC_ALL=C && exec stat -L -c '%u %a %s %Y %d:%i:%z @ %n/' -- "$@"; }
_awsdirenv_command() { command awsdirenv "$@" 2>&"${_awsdirenv_stderr:-2}"; }
_awsdirenv_enter() { # whatever fails from here on: no credentials are left. Those around the line are kept in _ad_around
  local _ad_name _ad_unread='' _ad_around=() _ad_unset=() _ad_refused='' _ad_result='_ad_closed[@]'
  ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)) || { _awsdirenv_unset_block && _awsdirenv_refuse "bash $BASH_VERSION is too old" "set bash_path in direnv.toml to bash 4.4 or later"; } || _ad_refused=1
  [[ $_ad_refused ]] || for _ad_name in "${!AWS@}"; do [[ ${!_ad_name@a} != *x* || ${!_ad_name} == closed-by-awsdirenv:* ]] || _ad_around+=("$_ad_name=${!_ad_name}"); done
  [[ $_ad_refused ]] || _awsdirenv_unset_block AWS_EC2_METADATA_DISABLED 2>/dev/null || _awsdirenv_run cold _awsdirenv_refuse_readonly || _ad_refused=1
  { builtin declare -gx "${_ad_closed[@]}" || builtin export "${_ad_closed[@]}"; } 2>/dev/null || : # until the last line opens it
  [[ $_ad_refused ]] || _awsdirenv_run warm _awsdirenv_use "$@"
  [[ $BASHOPTS == "$_ad_bashopts" ]] || for _ad_name in "${_ad_shopts[@]}"; do [[ :$_ad_bashopts: != *:$_ad_name:* ]] || shopt -s "$_ad_name"; done
  [[ $_ad_refused ]] || ! builtin declare -gx "${!_ad_result}" || [[ ! ${_ad_unset-} ]] || _awsdirenv_unset "${_ad_unset[@]}" || :
}
