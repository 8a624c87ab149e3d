#!/usr/bin/env bash
# awsdirenv's extension of direnv's stdlib. Usage and notes are at the end.
use_aws_profile() {
  local _ad_closed=(AWS_PROFILE=closed-by-awsdirenv:type-direnv-reload AWS_EC2_METADATA_DISABLED=true) _ad_step=enter
  local _ad_installed=${BASH_SOURCE[0]%/*} _ad_python='' _ad_package='' _ad_stat_program=stat _ad_stat_option=-c _ad_stat_format='%u %a %s %Y %d:%i:%z @ %n/'
  if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)) && {
    local - IFS=$' \t\n' FUNCNEST=0 _ad_parts='' _ad_bashopts=${BASHOPTS-} _ad_shopts=(expand_aliases failglob nocaseglob nocasematch localvar_inherit localvar_unset)
    set -B +axvefuETC +o pipefail +o posix
    shopt -u "${_ad_shopts[@]}"
    [[ ${LC_ALL+set} ]] || local LC_ALL=C
  } 2>/dev/null && [[ -r $_ad_installed/enter.sh ]] && builtin source "$_ad_installed/enter.sh" "$@" && [[ $_ad_parts == *' enter ' ]]; then
    return 0
  fi
  for _ in 1 2 3; do builtin unset "${!AWS@}" "${!AMAZON@}" || :; done
  builtin export "${_ad_closed[@]}" || :
  if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)); then
    watch_file "$_ad_installed/enter.sh" || :
    _awsdirenv_refuse "a part of this extension cannot be read: $_ad_step.sh" "install awsdirenv again, then: awsdirenv setup" || :
  else
    _awsdirenv_refuse "bash $BASH_VERSION is too old" "set bash_path in direnv.toml to bash 4.4 or later" || :
  fi
}
_awsdirenv_refuse() { ! printf '%s\n' "awsdirenv: error: $1" "awsdirenv: hint: $2" >&2; }
return 0

# Usage: use aws_profile [<profile>] [--region <region>] [--duration <time>] [--min-life <time>] [--live | --keys | --no-session]
#        [--account <id>] [--role <name>] [--stage <stage>] [--confirm] [--read-only] [--policy-arn <arn>] [--policy <file>]

# Notes
#
# - direnv reads this at every evaluation, up to the `return`, also for directories that do not use it. The rest is read at the
#   first use. `awsdirenv setup` writes where it is, and with what.
# - Without the rest, in a bash that is too old, or where bash cannot even open a file, the directory is closed. Behind what a
#   `declare` in .envrc has made, another variable may stand: so they are taken out more than once.
# - A trace must not show values, and strict_env must not end .envrc half-way: so options are others in here.
# - bash is quicker with bytes: so the locale is C, unless the person has said which. Programs do not see it.
