#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # the parts share the variables of _awsdirenv_use
#
# What a directory with a fresh snapshot takes, and no more: bash parses it at each load, and a comment costs a third of code.
#
# We read snapshots, and only Python writes them. Nothing of them is evaluated: names come from a closed list, values are
# checked, and all are exported or none. aws_profile.sh has taken the AWS variables out before, and exports what _ad_result
# names afterwards. So none is left where bash gives up in between, as it does for a variable that somebody has made readonly.

# Finds what is wanted. `_ad_is_fresh` tells whether nothing has to be made.
_awsdirenv_find() {
  # Most lines have a profile, and perhaps --live.
  if [[ ${1-} != -* && ($#${2-} == [01] || $#${2-} == 2--live) ]]; then
    _ad_has_profile=${1+1} _ad_declared=${1-} _ad_option_live=${2:+1}
  else
    _awsdirenv_run options _awsdirenv_parse_arguments "$@" || return 1
  fi
  _awsdirenv_take_agent && _awsdirenv_look_up
}

# Tells an agent: AGENT_VARIABLES of awsdirenv/config/environment.py.
_awsdirenv_take_agent() {
  [[ ! ${AWSDIRENV_AGENT-}${AI_AGENT-}${AGENT-}${CLAUDECODE-}${CLAUDE_CODE-}${GEMINI_CLI-}${CODEX_SANDBOX-}${CODEX_THREAD_ID-}${CODEX_CI-}${OPENCODE-}${OPENCODE_CLIENT-}${AUGMENT_AGENT-}${GOOSE_TERMINAL-}${AMP_CURRENT_THREAD_ID-}${ANTIGRAVITY_AGENT-}${COPILOT_CLI-}${CLINE_ACTIVE-}${QWEN_CODE-}${!CURSOR_@} ]] || _awsdirenv_run context _awsdirenv_look_for_agent
}

# Finds the `_ad_snapshot` and its `_ad_key` as awsdirenv/cache/layout.py does, and the files that it depends on. `_ad_context`
# is context_text of awsdirenv/config/environment.py.
_awsdirenv_locate() {
  local _ad_reply _ad_name
  # botocore takes an empty AWS_CONFIG_FILE at its word, so `-` and not `:-`.
  _ad_reply=${AWS_CONFIG_FILE-~/.aws/config} _ad_context=''
  [[ $_ad_reply != *\$* && $_ad_reply != '~'* ]] || _awsdirenv_run cold _awsdirenv_expand "$_ad_reply" || return 1
  _ad_config=$_ad_reply _ad_reply=${AWS_SHARED_CREDENTIALS_FILE-~/.aws/credentials}
  [[ $_ad_reply != *\$* && $_ad_reply != '~'* ]] || _awsdirenv_run cold _awsdirenv_expand "$_ad_reply" || return 1
  _ad_credentials=$_ad_reply
  for _ad_name in AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE AWS_ENDPOINT_URL_STS AWS_ENDPOINT_URL AWS_IGNORE_CONFIGURED_ENDPOINT_URLS; do
    [[ ! -v $_ad_name ]] || _awsdirenv_add_word _ad_context "$_ad_name" "${!_ad_name}"
  done
  [[ ! $_ad_options ]] || _ad_context+=${_ad_context:+ }$_ad_options
  _awsdirenv_find_cache
  _ad_key='' _ad_snapshot=''
  if [[ ! $_ad_has_profile ]] && _awsdirenv_run context _awsdirenv_nearest_dotenv; then
    # Python leaves a note of what .env means. Without one there is no key yet.
    _awsdirenv_read_name || return 0
  else
    [[ $_ad_has_profile ]] || _ad_declared=${AWS_PROFILE:-default}
    _awsdirenv_encode "$_ad_declared" || return 1
    _ad_key=$_ad_reply
  fi
  if [[ $_ad_context || $_ad_key == *[A-Z]* || $_ad_key == *.used ]]; then
    _awsdirenv_hash "$_ad_key $_ad_context"
    _ad_key+=@$_ad_reply
  fi
  _ad_snapshot=$_ad_cache/snapshots/$_ad_key
}

_awsdirenv_find_cache() {
  case ${XDG_CACHE_HOME-} in
    /*) _ad_cache=$XDG_CACHE_HOME/awsdirenv ;;
    *) _ad_cache=$HOME/.cache/awsdirenv ;;
  esac
}

# Adds NAME=value to the words in the variable $1.
_awsdirenv_add_word() {
  local _ad_value=${3//\%/%25}
  _ad_value=${_ad_value// /%20}
  printf -v "$1" %s "${!1}${!1:+ }$2=${_ad_value//$'\n'/%0A}"
}

# Makes a number of a text, in _ad_reply: text_number of awsdirenv/system/text.py. The file that it finds says what it is for.
_awsdirenv_hash() {
  local _ad_text=${1//[!A-Za-z0-9]/_} _ad_signs=${1//[A-Za-z0-9]/} _ad_number=${#1} _ad_prime=1099511628211
  _ad_signs=${_ad_signs//\//a} _ad_signs=${_ad_signs//./b} _ad_signs=${_ad_signs//:/c} _ad_signs=${_ad_signs//-/d}
  _ad_text+=${_ad_signs//[!a-d]/e}000000000000000000000000000000000000000
  while ((${#_ad_text} >= 40)); do # ten digits to the base of 64 are 60 bits
    ((_ad_number = ((((_ad_number ^ 64#${_ad_text:0:10}) * _ad_prime ^ 64#${_ad_text:10:10}) * _ad_prime ^ 64#${_ad_text:20:10}) * _ad_prime ^ 64#${_ad_text:30:10}) * _ad_prime))
    _ad_text=${_ad_text:40}
  done
  printf -v _ad_reply %016x "$_ad_number"
}

# The grammar of AWS_REGION in awsdirenv/cache/grammar.py. What is in a range, the locale decides.
_awsdirenv_is_region() {
  case $1 in '' | -* | *[!ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-]*) return 1 ;; esac
  ((${#1} <= 63))
}

# Opens a file of ours as the caller's `_ad_fd`, and not what somebody put in its place.
_awsdirenv_open_file() {
  [[ -f $1 && -O $1 && -r $1 && ! -L $1 ]] && exec {_ad_fd}<"$1"
}

# A profile name as a file name, in _ad_reply.
_awsdirenv_encode() {
  _ad_reply=$1
  case $1 in '' | .* | *[!A-Za-z0-9._-]*) _awsdirenv_run cold _awsdirenv_encode_all "$1" || return 1 ;; esac
  ((${#_ad_reply} <= 200)) || _awsdirenv_refuse "the profile name is too long" "use a name of up to 60 characters"
}

# Starts the one process of a warm load, which tells the state of all files that count, and of those that are given, a line for
# each that is there; see awsdirenv/system/stamps.py. The path of the open file may be another one by now.
_awsdirenv_begin_look() {
  exec {_ad_looked}< <("$_ad_stat" "/dev/fd/$_ad_fd" "${_ad_snapshot%/*}" ./.envrc "$_ad_config" "$_ad_credentials" \
    ${_ad_dotenv:+"$_ad_dotenv"} "$@" 2>/dev/null)
}

# Compares what has come with `_ad_stamps`, what the files were when the snapshot was made. `_ad_state` and `_ad_folder` are the
# lines of the open file and its folder, `_ad_rest` is what has come behind those of the files.
_awsdirenv_end_look() {
  local _ad_stamp _ad_line _ad_expected=''
  for _ad_stamp in "${_ad_stamps[@]}"; do
    [[ $_ad_stamp == 'absent @ '* ]] || _ad_expected+=$_ad_stamp/$'\n'
  done
  read -r -N 65536 -u "$_ad_looked" _ad_rest # at once: by lines, bash reads a pipe byte by byte
  exec {_ad_looked}<&-
  # By length: to take `*` and something off the beginning costs a text's square.
  _ad_state=${_ad_rest%%$'\n'*} _ad_rest=${_ad_rest:${#_ad_state}+1}
  _ad_folder=${_ad_rest%%$'\n'*} _ad_rest=${_ad_rest:${#_ad_folder}+1}
  _ad_line=${_ad_rest%%$'\n'*}
  if [[ $_ad_line == *' @ ./.envrc/' ]]; then
    _ad_rest=${_ad_rest:${#_ad_line}+1} _ad_line=${_ad_line#* * * } # behind owner, mode and size
    _ad_envrc_mtime=${_ad_line%% *}
  fi
  [[ $_ad_rest == "$_ad_expected"* ]] && _ad_rest=${_ad_rest:${#_ad_expected}}
}

# Reads the snapshot into the caller's variables. True when it is whole, nobody else's, made from the files as they are
# now, and not over. $2, of the part $1, decides before the look has come, $3 in the end, when it sees to watches. The look is
# also for the files behind it.
_awsdirenv_read_snapshot() {
  local _ad_fd _ad_looked _ad_size _ad_state _ad_folder _ad_rest _ad_stamps _ad_first_word=$2 _ad_last_word=$3 _ad_sound='' _ad_judging=1
  # A link in the place of a folder of ours is somebody else's word; Python says so.
  [[ ! -L $_ad_cache && ! -L ${_ad_snapshot%/*} ]] && _awsdirenv_open_file "$_ad_snapshot" || return 1
  _awsdirenv_begin_look "${@:4}"
  _awsdirenv_run "$1" : && _awsdirenv_part snapshot builtin test -r && _awsdirenv_part snapshot builtin source && _ad_sound=1
  _ad_judging=''
  exec {_ad_fd}<&- {_ad_looked}<&-
  [[ $_ad_sound ]] || { _awsdirenv_run snapshot : && ! :; } # it says so if it cannot be read
}

# Runs what reads our files: in its patterns and lengths, characters are bytes.
_awsdirenv_in_bytes() {
  case ${LC_ALL-} in
    C) "$@" ;;
    '') local LC_ALL=C && "$@" ;;
    *) _awsdirenv_run context _awsdirenv_in_bytes_and_back "$@" ;;
  esac
}

_awsdirenv_look_up() {
  if [[ ${AWSDIRENV_MODE-} ]]; then
    _awsdirenv_run options _awsdirenv_take_mode || return 1
  elif [[ ! $_ad_option_live$_ad_keys$_ad_option_no_session && -f ./.env && ! -v AWSDIRENV_MODE ]]; then
    _awsdirenv_run mode _awsdirenv_read_mode || return 1
  fi
  _awsdirenv_locate || return 1
  if [[ $_ad_mode_stamp && $_ad_mode_stamp != "$_ad_dotenv_stamp" ]]; then
    : # see _awsdirenv_settle_mode
  elif [[ $_ad_option_live ]]; then
    ! _awsdirenv_run live _awsdirenv_read_snapshot_and_live || _ad_is_fresh=1
  elif [[ ! $_ad_option_no_session ]]; then
    ! _awsdirenv_read_snapshot keys _awsdirenv_is_fresh _awsdirenv_watch_files || _ad_is_fresh=1
  fi
}

# The state of the snapshot stands for that of the files, whose stamps are in it.
_awsdirenv_watch_files() { _awsdirenv_recall_watches "$_ad_state$_ad_dotenv_stamp" || _awsdirenv_run cold _awsdirenv_watch_and_look; }

# What `direnv watch` makes of DIRENV_WATCHES follows from its value before and from the state of the files, so it can be
# remembered. True when the value for the state $1 is known, and in force. Whatever changes behind the look that has found this
# state, direnv sees at the next prompt.
_awsdirenv_recall_watches() {
  local _ad_fd _ad_line _ad_lines _ad_end=" $1 ." _ad_found=''
  # direnv takes the later time of a link and its target; `stat` tells the target's.
  [[ ${DIRENV_WATCHES-} && ! -L $_ad_config && ! -L $_ad_credentials && ! -L $_ad_dotenv ]] && _awsdirenv_open_file "$_ad_cache/watches/$_ad_key" || return 1
  while mapfile -t -n 2 -u "$_ad_fd" _ad_lines && [[ ${_ad_lines-} ]]; do # what was added last comes first
    for _ad_line in "${_ad_lines[@]}"; do [[ $_ad_line != "$DIRENV_WATCHES "*"$_ad_end" ]] || _ad_found=${_ad_line:${#DIRENV_WATCHES}+1:-${#_ad_end}}; done
    [[ ! $_ad_found ]] || break
  done
  exec {_ad_fd}<&-
  [[ $_ad_found && ! $_ad_found =~ [^A-Za-z0-9_=-] ]] && export DIRENV_WATCHES=$_ad_found
}

# The line on entering.
_awsdirenv_say_where() {
  [[ ! ${AWSDIRENV_PROMPT_VARIABLE-} ]] || _awsdirenv_run cold _awsdirenv_set_prompt_variable
  [[ ${DIRENV_LOG_FORMAT-set} && ${AWSDIRENV_QUIET-} != 1 ]] && ((!BASH_SUBSHELL)) || return 0
  local _ad_left='' _ad_mark='' _ad_seconds _ad_reply=$_ad_declared
  if [[ $_ad_expiration ]]; then
    _ad_seconds=$((_ad_expiration - _ad_now))
    ((_ad_seconds < 60)) || ((_ad_seconds += 30)) # to the nearest minute
    if ((_ad_seconds >= 3600)); then
      printf -v _ad_left '%dh%02dm' $((_ad_seconds / 3600)) $((_ad_seconds % 3600 / 60))
    elif ((_ad_seconds >= 60)); then
      _ad_left=$((_ad_seconds / 60))m
    else
      _ad_left=${_ad_seconds}s
    fi
    _ad_left=", $_ad_left left"
  fi
  [[ ! $_ad_option_no_session ]] || _ad_left='; long-term keys are in the environment'
  [[ ! $_ad_option_live ]] || _ad_left=', live'
  [[ ! $_ad_policies$_ad_agent ]] || _awsdirenv_run cold _awsdirenv_add_policies
  if [[ $_ad_stage ]]; then
    _ad_reply=${_ad_stage^^}
    [[ $_ad_reply != *[!A-Z0-9._-]* ]] || _awsdirenv_run cold _awsdirenv_printable_stage
    _ad_mark="*** $_ad_reply ***" _ad_reply=$_ad_declared
    [[ ! -t 2 || ${NO_COLOR-} || ${TERM-dumb} == dumb ]] || _ad_mark=$'\e[1;37;41m'$_ad_mark$'\e[0m'
    _ad_mark+=' '
  fi
  # Not direnv's log_status: it takes % for a format, and since 2.36 it starts a process.
  [[ $_ad_reply != *[!A-Za-z0-9._-]* ]] || _awsdirenv_run cold _awsdirenv_printable "$_ad_reply"
  printf '%s\n' "awsdirenv: $_ad_mark$_ad_reply: account ${_ad_account_id:-unknown}, ${_ad_role:+role $_ad_role, }${_ad_region:-no region}$_ad_left" >&2
  [[ $_ad_region ]] || _awsdirenv_run cold _awsdirenv_warn_without_region
}

# What `use aws_profile` does.
_awsdirenv_use() {
  # Only in here: the environment as it was around the line; _awsdirenv_run_around gives it to what we start.
  local AWS_PROFILE
  [[ ${AWS_EC2_METADATA_DISABLED@a} == *r* ]] || local AWS_EC2_METADATA_DISABLED
  [[ ! ${_awsdirenv_left-} ]] || _awsdirenv_run context _awsdirenv_look_behind_line_above
  local _ad_value # what .envrc has declared may have hidden another one, which is not exported any more
  for _ad_value in "${_ad_around[@]}"; do
    _ad_name=${_ad_value%%=*}
    [[ -v $_ad_name && ${!_ad_name} == "${_ad_value#*=}" ]] || local -x "$_ad_value"
  done
  local _ad_declared _ad_has_profile _ad_option_region _ad_option_duration _ad_option_min_life _ad_option_no_session _ad_option_live \
    _ad_option_account _ad_option_role _ad_option_stage _ad_option_confirm _ad_option_policy _ad_options _ad_asked _ad_narrowed _ad_agent _ad_keys _ad_mode_stamp \
    _ad_key _ad_context _ad_cache _ad_snapshot _ad_dotenv _ad_dotenv_stamp _ad_config _ad_credentials _ad_is_fresh _ad_live _ad_empty \
    _ad_now _ad_profile _ad_access_key_id _ad_secret_access_key _ad_session_token _ad_account_id _ad_region _ad_role _ad_stage \
    _ad_policies _ad_policy_file _ad_environment _ad_issued _ad_expiration _ad_start _ad_started _ad_refresh_at _ad_usable_until _ad_judging \
    _ad_envrc_mtime=0 _ad_stat=_awsdirenv_stat
  ((!BASH_SUBSHELL)) || _awsdirenv_run cold _awsdirenv_warn_in_subshell
  case ${AWS_CONFIG_FILE-} in
    */awsdirenv/live/*)
      _awsdirenv_run leave _awsdirenv_in_bytes _awsdirenv_leave_live || return 0
      [[ ${AWS_PROFILE-} != "${AWSDIRENV_PROFILE-}" ]] || unset AWS_PROFILE
      ;;
  esac
  if ! _awsdirenv_in_bytes _awsdirenv_find "$@" || { [[ $_ad_mode_stamp && ! $_ad_is_fresh ]] && ! _awsdirenv_run mode _awsdirenv_settle_mode; }; then
    _awsdirenv_run cold _awsdirenv_close
  elif [[ $_ad_option_live ]]; then
    _awsdirenv_run live _awsdirenv_open_live
  elif [[ $_ad_option_no_session ]]; then
    _awsdirenv_run cold _awsdirenv_open_without_session
  elif [[ $_ad_is_fresh ]]; then
    _awsdirenv_open
  elif [[ ! $_ad_unread ]]; then # or nothing that Python does can be read
    _awsdirenv_run cold _awsdirenv_renew
  fi
  _awsdirenv_around=("${_ad_around[@]}") # for a line of ours below this one, as _awsdirenv_left is
  [[ $_ad_result == _awsdirenv_left* ]] || _awsdirenv_left=("${_ad_closed[@]}")
}

# Where this is missing, the file has been cut off; see _awsdirenv_run.
_ad_parts+=' warm '
