#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # the parts share the variables of warm.sh
#
# AWSDIRENV_MODE in the .env next to the .envrc. Works with the variables of warm.sh.
#
# Only python-dotenv says what a .env means. The Python side leaves a note of it, and the note says of which state of the file.
# The snapshot's look compares that state: `_ad_dotenv` is then this file, be the profile from it or not.

# Takes the mode of a .env that has the word in it. `_ad_mode_stamp` is the state of the file in which it said so; it is
# `unknown` where Python has to be asked first.
_awsdirenv_read_mode() {
  local _ad_reply _ad_text='' _ad_lines=() _ad_mode _ad_mode_dotenv _ad_mode_variables
  { IFS='' read -r -N 1048576 _ad_text <./.env; } 2>/dev/null
  [[ $_ad_text == *AWSDIRENV_MODE* ]] || return 0
  _ad_dotenv=${PWD%/}/.env _ad_mode_stamp=unknown
  _awsdirenv_run text _awsdirenv_hash "$_ad_dotenv AWSDIRENV_MODE" || return 1
  _awsdirenv_run context _awsdirenv_read_file "$_ad_cache/names/$_ad_reply" 5 && _awsdirenv_take_mode_lines && [[ ${_ad_mode_dotenv#* @ } == "$_ad_dotenv" ]] &&
    _awsdirenv_variables_text "$_ad_mode_variables" && [[ $_ad_reply == "$_ad_mode_variables" ]] || return 0
  _ad_mode_stamp=$_ad_mode_dotenv _ad_dotenv_stamp=$_ad_mode_dotenv
  [[ $_ad_mode != live ]] || _ad_option_live=1
}

# Looks again, once it is clear what the .env says now: first the watch, then the look at it.
_awsdirenv_settle_mode() {
  local _ad_line _ad_try
  for _ad_try in '' again again; do
    _awsdirenv_run cold _awsdirenv_watch "$_ad_dotenv"
    for _ad_stat in _awsdirenv_stat _awsdirenv_look; do
      _ad_line=$("$_ad_stat" "$_ad_dotenv" 3>&- 2>/dev/null)
      [[ ! $_ad_line ]] || break
    done
    [[ $_ad_line != "$_ad_mode_stamp/" ]] || break
    _awsdirenv_run cold _awsdirenv_ask_for_mode || return 1
    _ad_option_live='' _ad_is_fresh='' _ad_dotenv='' _ad_dotenv_stamp='' _ad_mode_stamp=''
    _awsdirenv_run bytes _awsdirenv_in_bytes _awsdirenv_look_up || return 1
    [[ $_ad_mode_stamp && ! $_ad_is_fresh ]] || break
  done
  _ad_stat=_awsdirenv_stat
  [[ $_ad_mode_stamp != unknown ]] || _awsdirenv_run cold _awsdirenv_refuse_files
}

# Runs that step of warm.sh again.
_awsdirenv_look_up() {
  local _ad_step='mode locate read'
  builtin source "$_ad_installed/find.sh"
}

# Made from awsdirenv/cache/grammar.py by tests/support/bash_grammar.py.
_awsdirenv_take_mode_lines() {
  local IFS=' '
  set -- "${_ad_lines[@]#*=}"
  _ad_mode=$2 _ad_mode_dotenv=$3 _ad_mode_variables=$4
  [[ ${_ad_lines[*]/=*/=} == "AWSDIRENV_VERSION= AWSDIRENV_MODE= AWSDIRENV_DOTENV= AWSDIRENV_VARIABLES= AWSDIRENV_END=" &&
    $1 == 1 &&
    $5 == 1 &&
    $2 != *[!a-z]* &&
    $3 ]] &&
    ((${#2} <= 4 && ${#3} <= 8192 && ${#4} <= 8192))
}

# Where this is missing, the file has been cut off; see _awsdirenv_run.
_ad_parts+=' mode '
