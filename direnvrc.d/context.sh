#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # the parts share the variables of warm.sh
#
# What a profile depends on where that is more than two files: a .env, variables, the machine, a locale. Works with the variables
# of warm.sh.

# Takes out of `_ad_around` what a line of ours above has exported, and puts in what stood there before that: each line
# is carried out as if it were the only one. What the person has set between the two stays.
_awsdirenv_look_behind_line_above() {
  local _ad_other _ad_kept=()
  for _ad_name in "${_ad_around[@]}"; do
    for _ad_other in "${_awsdirenv_left[@]}"; do [[ $_ad_name != "$_ad_other" ]] || continue 2; done
    _ad_kept+=("$_ad_name")
  done
  _ad_around=("${_ad_kept[@]}")
  for _ad_name in "${_awsdirenv_around[@]}"; do
    case $_ad_name in AWS_CONFIG_FILE=* | AWS_SHARED_CREDENTIALS_FILE=* | AWS_ENDPOINT_URL*) continue ;; esac # not ours to take out
    for _ad_other in "${_ad_kept[@]}"; do [[ ${_ad_name%%=*} != "${_ad_other%%=*}" ]] || continue 2; done
    _ad_around+=("$_ad_name")
  done
}

# Gives the first $2 lines of a file of ours in the caller's `_ad_lines`. True when they are just what the file begins
# with: bash drops NUL bytes, and a last line may have no end.
_awsdirenv_read_file() {
  local LC_ALL=C _ad_fd _ad_reply _ad_text
  _awsdirenv_run look _awsdirenv_open_file "$1" || return 1
  mapfile -t -n "$2" -u "$_ad_fd" _ad_lines
  exec {_ad_fd}<&-
  printf -v _ad_text '%s\n' "${_ad_lines[@]}"
  IFS='' read -r -d '' -n "${#_ad_text}" _ad_reply <"$1"
  [[ $_ad_reply == "$_ad_text" ]]
}

# Adds to what is asked of the session that it is an agent's, if it is.
_awsdirenv_look_for_agent() {
  if [[ ${AWSDIRENV_AGENT-} ]]; then
    _awsdirenv_is_said "$AWSDIRENV_AGENT" || return 0
  else
    for _ad_name in AI_AGENT AGENT CLAUDECODE CLAUDE_CODE GEMINI_CLI CODEX_SANDBOX CODEX_THREAD_ID CODEX_CI OPENCODE OPENCODE_CLIENT \
      AUGMENT_AGENT GOOSE_TERMINAL AMP_CURRENT_THREAD_ID ANTIGRAVITY_AGENT COPILOT_CLI CLINE_ACTIVE QWEN_CODE "${!CURSOR_@}" ''; do
      [[ $_ad_name ]] || return 0
      ! _awsdirenv_is_said "${!_ad_name-}" || break
    done
  fi
  local _ad_options_before=$_ad_options
  _ad_agent=1 _ad_options='' _ad_asked=("--agent=${AWSDIRENV_AGENT_DEFAULT-}" "${_ad_asked[@]}")
  _awsdirenv_run text _awsdirenv_add_word _ad_options agent "${AWSDIRENV_AGENT_DEFAULT-}"
  _ad_options+=${_ad_options_before:+ }$_ad_options_before
}

_awsdirenv_is_said() { case $1 in '' | 0 | [Ff][Aa][Ll][Ss][Ee] | [Nn][Oo]) return 1 ;; esac }

# Finds the nearest `_ad_dotenv` at or above the directory.
_awsdirenv_nearest_dotenv() {
  local _ad_folder=$PWD
  while [[ ! -f $_ad_folder/.env ]]; do
    [[ $_ad_folder ]] || return 1
    _ad_folder=${_ad_folder%/*}
  done
  _ad_dotenv=${_ad_folder%/}/.env
}

# Reads which profile the .env declares: `_ad_declared`, `_ad_key`, and the state of the .env in which it did, `_ad_dotenv_stamp`.
_awsdirenv_read_name() {
  local _ad_reply
  _awsdirenv_run text _awsdirenv_hash "$_ad_dotenv ${AWS_PROFILE+=$AWS_PROFILE}"
  _awsdirenv_take_name "$_ad_cache/names/$_ad_reply"
}

_awsdirenv_take_name() {
  local LC_ALL=C _ad_lines=() _ad_name_profile _ad_name_dotenv _ad_name_variables
  _awsdirenv_read_file "$1" 6 && _awsdirenv_take_name_lines && [[ ${_ad_name_dotenv#* @ } == "$_ad_dotenv" ]] &&
    _awsdirenv_variables_text "$_ad_name_variables" && [[ $_ad_reply == "$_ad_name_variables" ]] &&
    _awsdirenv_run names _awsdirenv_encode "$_ad_name_profile" 2>/dev/null || return 1
  _ad_declared=$_ad_name_profile _ad_key=$_ad_reply _ad_dotenv_stamp=$_ad_name_dotenv
}

# Says in _ad_reply what the variables have now whose names stand in $1: variables_text of awsdirenv/config/environment.py.
_awsdirenv_variables_text() {
  local - IFS=' ' _ad_name _ad_words
  set -f
  # shellcheck disable=SC2206 # it is split at spaces, and at nothing else
  _ad_words=($1) _ad_reply=''
  for _ad_name in "${_ad_words[@]%%=*}"; do
    case $_ad_name in '' | [0-9]* | *[!A-Za-z0-9_]*) return 1 ;; esac
    [[ ($_ad_name != HOSTNAME && ${!_ad_name@a} != *x*) || ! -v $_ad_name ]] || { _awsdirenv_run text _awsdirenv_add_word _ad_reply "$_ad_name" "${!_ad_name}" && continue; }
    _ad_reply+=${_ad_reply:+ }$_ad_name
  done
}

# Made from awsdirenv/cache/grammar.py by tests/support/bash_grammar.py.
_awsdirenv_take_name_lines() {
  local IFS=' '
  set -- "${_ad_lines[@]#*=}"
  _ad_name_profile=$2 _ad_name_dotenv=$3 _ad_name_variables=$4
  [[ ${_ad_lines[*]/=*/=} == "AWSDIRENV_VERSION= AWSDIRENV_PROFILE= AWSDIRENV_DOTENV= AWSDIRENV_VARIABLES= AWSDIRENV_END=" &&
    $1 == 1 &&
    $5 == 1 &&
    $2 && $2 != *[[:cntrl:]]* &&
    $3 ]] &&
    ((${#2} <= 200 && ${#3} <= 8192 && ${#4} <= 8192))
}

# Where this is missing, the file has been cut off; see _awsdirenv_run.
_ad_parts+=' context '
