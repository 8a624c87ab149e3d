#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # the parts share the variables of warm.sh
#
# Names of regions and of profiles, where they have to be looked at.

# The grammar of AWS_REGION in awsdirenv/cache/grammar.py. What is in a range, the locale decides.
_awsdirenv_is_region() {
  case $1 in '' | -* | *[!ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-]*) return 1 ;; esac
  ((${#1} <= 63))
}

# A profile name as a file name, in _ad_reply.
_awsdirenv_encode() {
  _ad_reply=$1
  case $1 in '' | .* | *[!A-Za-z0-9._-]*) _awsdirenv_run cold _awsdirenv_encode_all "$1" || return 1 ;; esac
  ((${#_ad_reply} <= 200)) || _awsdirenv_refuse "the profile name is too long" "use a name of up to 60 characters"
}

# Where this is missing, the file has been cut off; see _awsdirenv_run.
_ad_parts+=' names '
