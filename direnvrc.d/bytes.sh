#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # the parts share the variables of warm.sh
#
# Runs what reads our files where a person has set LC_ALL: in its patterns and lengths, characters are bytes.

_awsdirenv_in_bytes() {
  case ${LC_ALL-} in
    C) "$@" ;;
    '') local LC_ALL=C && "$@" ;;
    *) _awsdirenv_in_bytes_and_back "$@" ;;
  esac
}

# Where the locale has to be put back: to one that is not installed bash warns each time it does so, and that goes nowhere.
_awsdirenv_in_bytes_and_back() {
  local _ad_stderr
  exec {_ad_stderr}>&2 || _ad_stderr=2 # closed
  _awsdirenv_in_bytes_and_said "$@" 2>/dev/null
  set -- "$?"
  ((_ad_stderr == 2)) || exec {_ad_stderr}>&-
  return "$1"
}

_awsdirenv_in_bytes_and_said() {
  local -x LC_ALL=C
  "$@" 2>&"$_ad_stderr"
}

# Where this is missing, the file has been cut off; see _awsdirenv_run.
_ad_parts+=' bytes '
