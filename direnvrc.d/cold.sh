#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # the parts share the variables of warm.sh
#
# What the extension needs where Python has to be started, where something is wrong with the line, and for the rare cases
# of names and paths. It is read in the midst of warm.sh, and works with its variables.

# Leaves no AWS credential, neither an outer directory's nor the login shell's. What `_ad_closed` has from its beginning
# keeps programs from [default] and from the machine's role; see CLOSED_PROFILE in awsdirenv/config/environment.py.
_awsdirenv_close() {
  [[ ${AWS_EC2_METADATA_DISABLED@a} != *r* ]] || _awsdirenv_close_metadata _ad_closed
  ((_ad_envrc_mtime)) || _awsdirenv_look_at_envrc
  _ad_closed+=("AWSDIRENV_LOADED=$_ad_envrc_mtime $PWD")
  # So that `awsdirenv login`, typed here, is for what the directory wants.
  [[ ! $_ad_declared ]] || _ad_closed+=("AWSDIRENV_DECLARED=$_ad_declared" ${_ad_narrowed:+"AWSDIRENV_NARROWED=$_ad_narrowed"})
}

# Finds `_ad_envrc_mtime` where no look has told it.
_awsdirenv_look_at_envrc() {
  local _ad_line
  for _ad_stat in _awsdirenv_stat _awsdirenv_look; do
    _ad_line=$("$_ad_stat" ./.envrc 3>&- 2>/dev/null) _ad_line=${_ad_line##*$'\n'}
    _ad_line=${_ad_line#* * * } # behind owner, mode and size
    _ad_envrc_mtime=${_ad_line%% *}
    [[ ! $_ad_envrc_mtime || $_ad_envrc_mtime == *[!0-9]* ]] || return 0
  done
  _ad_envrc_mtime=0
}

# Runs our command: BOOT of awsdirenv/shell/extension.py.
_awsdirenv_command() {
  # The redirection is the command's alone: bash itself would say through it that the command was killed.
  if [[ ! $_ad_python ]]; then
    command awsdirenv "$@" 2>&"${_awsdirenv_stderr:-2}"
  elif [[ -x $_ad_python ]]; then
    "$_ad_python" -I -c 'import sys; sys.path.append(sys.argv.pop(1)); from awsdirenv.__main__ import main; main()' \
      "$_ad_package" "$@" 2>&"${_awsdirenv_stderr:-2}"
  else
    return 127
  fi
}

# Prints what _awsdirenv_stat does where that cannot be had: no such program, or another one than at `setup`.
_awsdirenv_look() { _awsdirenv_command look -- "$@"; }

# Runs a program of ours in the environment around the line. In a subshell: here AWS_PROFILE stays closed meanwhile.
_awsdirenv_run_around() {
  for _ad_name in AWS_PROFILE AWS_EC2_METADATA_DISABLED; do
    [[ ${!_ad_name-} ]] || _awsdirenv_unset "$_ad_name"
  done
  _awsdirenv_command "$@"
}

# Says that whatever comes of this line is lost. The environment stays as it was above it.
_awsdirenv_warn_in_subshell() {
  _awsdirenv_warn "this line sets nothing here: it is in a pipe or in parentheses" \
    "write it on its own line, without | and ( )"
}

# The way out where a variable of the block is readonly. The switch for the machine's role may be: nobody is led astray by it.
_awsdirenv_refuse_readonly() {
  [[ ${AWS_EC2_METADATA_DISABLED@a} != *r* ]] || ! _awsdirenv_unset "${_ad_taken[@]}" 2>/dev/null || return 0
  _awsdirenv_refuse_readonly_names
}

# Nothing can be put in the place of what is readonly, but it can be kept from programs.
_awsdirenv_refuse_readonly_names() {
  local _ad_readonly=() _ad_reply
  while read -r _ _ _ad_reply; do
    _ad_reply=${_ad_reply%%=*}
    case $_ad_reply in *[!A-Za-z0-9_]*) ;; AWS* | AMAZON*) _ad_readonly+=("$_ad_reply") ;; esac
  done < <(builtin readonly -p 2>/dev/null 3>&-) # also those without a value
  # Without a name it would show every variable.
  [[ ! ${_ad_readonly[*]} ]] || builtin export -n "${_ad_readonly[@]}"
  # Where nothing can be written into AWS_PROFILE, programs find no file with [default].
  [[ " ${_ad_readonly[*]} " != *' AWS_PROFILE '* ]] ||
    _ad_closed=(AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true)
  [[ " ${_ad_readonly[*]} " != *' AWS_EC2_METADATA_DISABLED '* ]] || _awsdirenv_close_metadata _ad_closed
  _awsdirenv_refuse "readonly in this .envrc, so no profile can be used: ${_ad_readonly[*]}" \
    "remove \`readonly\` (or \`declare -r\`) from it, in .envrc or direnvrc"
}

# Keeps programs from the machine's role where its switch is readonly: there is another way.
_awsdirenv_close_metadata() {
  local -n _ad_values=$1
  local _ad_kept=()
  for _ad_name in "${_ad_values[@]}"; do [[ $_ad_name == AWS_EC2_METADATA_DISABLED=* ]] || _ad_kept+=("$_ad_name"); done
  _ad_values=("${_ad_kept[@]}" AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:9)
}

# True where bash sees a variable that decides for us as programs do. One that is not exported, or an array, is ours alone.
_awsdirenv_check_exported() {
  for _ad_name in HOME XDG_CACHE_HOME AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE AWS_ENDPOINT_URL_STS AWS_ENDPOINT_URL \
    AWS_IGNORE_CONFIGURED_ENDPOINT_URLS AWS_MFA_SERIAL AWSDIRENV_CONFIRM; do
    if [[ -R $_ad_name ]] || [[ -v $_ad_name && (${!_ad_name@a} != *x* || ${!_ad_name@a} == *[aA]*) ]]; then
      _awsdirenv_refuse "$_ad_name is set, but programs do not see it" "write it in .envrc as: export $_ad_name=VALUE"
      return 1
    fi
  done
}

# Says that what Python has just made cannot be used. Fails.
_awsdirenv_refuse_files() {
  local _ad_reply
  _awsdirenv_printable "${_ad_declared:-this directory}"
  if [[ $_ad_option_live ]]; then
    _awsdirenv_refuse "the live files for $_ad_reply cannot be used" "direnv reload"
  else
    _awsdirenv_refuse "the snapshot for $_ad_reply cannot be used" "direnv reload"
  fi
}

# Says that the line ends with a carriage return. Fails.
_awsdirenv_refuse_line_end() {
  _awsdirenv_refuse "the lines of this .envrc end as on Windows, with CR LF" \
    "tr -d '\r' <.envrc >.envrc.lf; mv .envrc.lf .envrc; direnv allow"
}

# Makes a text fit for a terminal, in _ad_reply: without controls, and without what turns or hides text. Text that is no
# UTF-8 loses all but ASCII. Like printable in awsdirenv/system/text.py, which knows all of Unicode.
_awsdirenv_printable() { _awsdirenv_run bytes _awsdirenv_in_bytes _awsdirenv_replace_unprintable "$1"; }

# The stage in upper case, which for some letters only the locale knows.
_awsdirenv_printable_stage() {
  [[ ${LC_ALL-} != C ]] || local LC_ALL=''
  _awsdirenv_printable "${_ad_stage^^}"
}

_awsdirenv_replace_unprintable() {
  local _ad_rest
  _ad_reply=${1//[[:cntrl:]]/?}
  [[ $_ad_reply == *[!\ -~]* ]] || return 0
  _ad_rest=${_ad_reply//[$'\xc2'-$'\xdf'][$'\x80'-$'\xbf']/}
  _ad_rest=${_ad_rest//[$'\xe0'-$'\xef'][$'\x80'-$'\xbf'][$'\x80'-$'\xbf']/}
  _ad_rest=${_ad_rest//[$'\xf0'-$'\xf4'][$'\x80'-$'\xbf'][$'\x80'-$'\xbf'][$'\x80'-$'\xbf']/}
  if [[ $_ad_rest == *[!\ -~]* ]]; then
    _ad_reply=${_ad_reply//[!\ -~]/?}
    return 0
  fi
  _ad_reply=${_ad_reply//$'\xc2'[$'\x80'-$'\xa0'$'\xad']/?}
  _ad_reply=${_ad_reply//$'\xd8\x9c'/?}
  _ad_reply=${_ad_reply//$'\xe2\x80'[$'\x80'-$'\x8f'$'\xa8'-$'\xaf']/?}
  _ad_reply=${_ad_reply//$'\xe2\x81'[$'\x9f'-$'\xaf']/?}
  _ad_reply=${_ad_reply//$'\xef\xbb\xbf'/?}
  _ad_reply=${_ad_reply//$'\xf3\xa0'[$'\x80'-$'\xbf'][$'\x80'-$'\xbf']/?}
}

# The cold path: Python renews what is due, and whatever came of it decides what is exported.
_awsdirenv_renew() {
  local _ad_watches _ad_watches_if_closed _ad_status _ad_try
  _awsdirenv_can_read keys || return 1
  ! { _awsdirenv_let_another_do_it && _awsdirenv_run bytes _awsdirenv_in_bytes _awsdirenv_read_snapshot keys _awsdirenv_is_fresh _awsdirenv_watch_files; } || _ad_is_fresh=1
  [[ ! $_ad_pause ]] || exec {_ad_pause}<&-
  _ad_pause=''
  if [[ $_ad_is_fresh ]]; then
    _awsdirenv_open
    return 0
  fi
  _ad_watches=${DIRENV_WATCHES-}
  _awsdirenv_watch_if_closed
  _ad_watches_if_closed=${DIRENV_WATCHES-}
  for _ad_try in '' again again; do
    _awsdirenv_load_and_locate
    export DIRENV_WATCHES=$_ad_watches
    if _awsdirenv_run bytes _awsdirenv_in_bytes _awsdirenv_read_snapshot keys : _awsdirenv_watch_files; then
      _awsdirenv_open
      return 0
    fi
    # First watch, then look again: a refresh by another shell is then either in what we read, or a change that direnv
    # will see at the next prompt.
    export DIRENV_WATCHES=$_ad_watches_if_closed
    _awsdirenv_watch "$_ad_snapshot"
    for _ad_stat in _awsdirenv_stat _awsdirenv_look; do
      if _awsdirenv_run bytes _awsdirenv_in_bytes _awsdirenv_read_snapshot keys : :; then
        _awsdirenv_open
        return 0
      fi
      ((_ad_status == 0)) || break 2
    done
  done
  ((_ad_status)) || _awsdirenv_refuse_files
  _awsdirenv_close
}

# True where these steps and the one that reads snapshots are there: nothing that Python makes could be used else. The watch of
# such a part must stay.
_awsdirenv_can_read() {
  local _ad_step=''
  _awsdirenv_run snapshot _awsdirenv_run look _awsdirenv_run "$1" :
}

# Runs that step of warm.sh again.
_awsdirenv_locate() {
  local _ad_step=locate
  builtin source "$_ad_installed/find.sh"
}

# Has Python make what is missing, and finds it. The caller's `_ad_try` is empty for the first time. After a load that went
# well, what it has made for us may be another shell's by now: two that differ in a variable to which .env refers, or in one
# that the profile's program reads, write the same file. All is stored by then, so that to load again asks nobody.
_awsdirenv_load_and_locate() {
  _ad_status=0
  _awsdirenv_load || _ad_status=$?
  [[ ! $_ad_dotenv ]] || _awsdirenv_run bytes _awsdirenv_in_bytes _awsdirenv_locate || : # the .env may have another meaning by now, or its first
}

# Watches what a directory that stays closed waits for: AWS's files in the state before they are read, the next MFA session,
# whichever shell starts it, and the AWS CLI's next sign-in.
_awsdirenv_watch_if_closed() {
  _awsdirenv_watch "$_ad_config" "$_ad_credentials" "$_ad_dotenv" "$_ad_cache/marks/mfa-renewed" \
    "${_ad_key:+$_ad_cache/confirmed/$_ad_key}" "$_ad_option_policy" "$HOME/.aws/sso/cache" "$HOME"/.aws/sso/cache/*.json
}

# Judges the `_ad_lines` that have come through a pipe.
_awsdirenv_judge_lines() {
  local _ad_step=given
  builtin source "$_ad_installed/snapshot.sh"
}

# Exports the profile's long-term keys, which come through a pipe and are never on the disk: Python starts every time.
_awsdirenv_open_without_session() {
  local _ad_lines _ad_fd _ad_status _ad_try
  _awsdirenv_can_read keys || return 1
  _awsdirenv_watch "$_ad_config" "$_ad_credentials" "$_ad_dotenv"
  _awsdirenv_look_at_envrc
  for _ad_try in '' again again; do
    _ad_lines=()
    printf -v _ad_now '%(%s)T' -1
    exec {_ad_fd}< <(_awsdirenv_load)
    mapfile -t -n 40 -u "$_ad_fd" _ad_lines
    exec {_ad_fd}<&-
    _ad_status=0
    wait "$!" 2>/dev/null || _ad_status=$?
    [[ ! $_ad_dotenv ]] || _awsdirenv_run bytes _awsdirenv_in_bytes _awsdirenv_locate || : # see _awsdirenv_load_and_locate
    if _awsdirenv_run bytes _awsdirenv_in_bytes _awsdirenv_judge_lines; then
      _awsdirenv_open
      return 0
    fi
    ((_ad_status == 0)) || break
  done
  ((_ad_status)) || _awsdirenv_refuse_files
  _awsdirenv_close
}

# First the watch, then the look, so that no change falls between; and the outcome is kept for the next time.
_awsdirenv_watch_and_look() {
  local _ad_before=${DIRENV_WATCHES-}
  ! _awsdirenv_wait_for_watches "$_ad_state$_ad_dotenv_stamp" || return 0
  _awsdirenv_watch "$_ad_snapshot" "$_ad_config" "$_ad_credentials" "$_ad_dotenv"
  _awsdirenv_begin_look
  _awsdirenv_end_look && [[ ! $_ad_rest ]] || return 1
  _awsdirenv_remember_watches "$_ad_before" "$_ad_state$_ad_dotenv_stamp"
}

# True where the policy's file that narrows the session is as it was. It is not among the files of the look, because it may
# be the profile that names it.
_awsdirenv_is_same_policy() {
  local _ad_line
  _awsdirenv_watch "${_ad_policy_file#* @ }"
  _ad_line=$("$_ad_stat" "${_ad_policy_file#* @ }" 3>&- 2>/dev/null)
  [[ $_ad_line == "$_ad_policy_file/" ]]
}

# Adds to the line on entering whose session it is, if it is an agent's, and which policies narrow it.
_awsdirenv_add_policies() {
  local _ad_reply
  _ad_left+=${_ad_agent:+, for agents}
  [[ $_ad_policies ]] || return 0
  _awsdirenv_printable "$_ad_policies"
  _ad_left+=", only $_ad_reply"
}

# Watches files: a changed one is a reload at the next prompt, in every shell that watches it.
_awsdirenv_watch() {
  local _ad_file _ad_files=() _ad_path _ad_folder
  for _ad_file in "$@"; do
    # direnv takes no path below a file, and then watches nothing at all: it gets the file that is in the way.
    _ad_path=$_ad_file
    while _ad_folder=${_ad_path%/*} && [[ $_ad_folder == /* && ! -d $_ad_folder ]]; do
      [[ ! -e $_ad_folder ]] || _ad_file=$_ad_folder
      _ad_path=$_ad_folder
    done
    [[ ! $_ad_file ]] || _ad_files+=("$_ad_file")
  done
  watch_file "${_ad_files[@]}" # one call: three would cost three processes
}

# Keeps what `direnv watch` made, for the next time. Losing it costs one process. The newest line comes first. An older one
# of the same directory is of no use, since a file has changed: so it goes.
_awsdirenv_remember_watches() {
  local _ad_file=$_ad_cache/watches/$_ad_key _ad_line _ad_lines=() _ad_kept=()
  [[ $1 && -d $_ad_cache/watches && -O $_ad_cache/watches ]] || return 0
  (
    exec 3>&-
    umask 077
    mapfile -t -n 23 _ad_lines <"$_ad_file"
    for _ad_line in "${_ad_lines[@]}"; do [[ $_ad_line == "$1 "* ]] || _ad_kept+=("$_ad_line"); done
    printf '%s\n' "$1 $DIRENV_WATCHES $2 ." "${_ad_kept[@]}" >|"$_ad_file.$BASHPID" &&
      { command -p mv -f -- "$_ad_file.$BASHPID" "$_ad_file" || command mv -f -- "$_ad_file.$BASHPID" "$_ad_file"; } # NixOS has no /bin/mv
  ) 2>/dev/null
  return 0
}

# True after waiting, up to a second, for another shell that is already getting the same: fifty shells then start one
# Python instead of fifty. This is no lock, only good manners; the lock is the Python side's, which takes the claim away
# when it is done, and as soon as it turns to a person. The caller closes `_ad_pause`.
_awsdirenv_let_another_do_it() {
  local _ad_claim=$_ad_cache/claims/$_ad_key _ad_pid='' _ad_rounds
  [[ $_ad_key && -d ${_ad_claim%/*} && -O ${_ad_claim%/*} && ! -L ${_ad_claim%/*} && ! -L $_ad_cache ]] || return 1
  set -C
  if { printf '%s\n' "$$" >"$_ad_claim"; } 2>/dev/null; then
    set +C
    return 1
  fi
  set +C
  # A pipe that nobody writes to: reading it with a time limit is the sleep that costs no process.
  { exec {_ad_pause}<> <(:); } 2>/dev/null || return 1
  for ((_ad_rounds = 0; _ad_rounds < 25; _ad_rounds++)); do
    { read -r _ad_pid <"$_ad_claim"; } 2>/dev/null || _ad_pid=$PPID # not written yet, or gone, which ends the loop
    if [[ ! -e $_ad_claim || $_ad_pid == "$$" ]] || ! builtin kill -0 "$_ad_pid" 2>/dev/null; then
      break
    fi
    read -r -t 0.04 -u "$_ad_pause" _
  done
  return 0
}

# True once the watches for the state $1 are remembered, where this shell has waited for another one's load: that one has
# `direnv watch` tell them just now. Fifty of these processes would take longer.
_awsdirenv_wait_for_watches() {
  local _ad_round
  [[ $_ad_pause ]] || return 1
  for _ad_round in 1 2 3 4 5; do
    ! _awsdirenv_recall_watches "$1" || return 0
    read -r -t 0.03 -u "$_ad_pause" _
  done
  return 1
}

# Starts the timer in a subshell of its own, without any of direnv's descriptors: nobody waits for it. Of fifty shells that
# come at once one starts it: until the timer has made its mark, the file `KEY.used` says who starts it, and since when.
_awsdirenv_start_timer() {
  local _ad_starter='' _ad_since='' _ad_second
  printf -v _ad_second '%(%s)T' -1 # a person may have answered since _ad_now
  if [[ -e $_ad_mark.used ]]; then
    { read -r _ad_starter _ad_since <"$_ad_mark.used"; } 2>/dev/null
    if [[ ! $_ad_mark -nt $_ad_mark.used && $_ad_since && $_ad_starter$_ad_since != *[!0-9]* ]] &&
      ((_ad_second - _ad_since < 30)) && builtin kill -0 "$_ad_starter" 2>/dev/null; then
      return 0
    fi
    command rm -f -- "$_ad_mark.used"
  fi
  ({
    _ad_starter=$BASHPID
    (umask 077 && set -C && printf '%s %s\n' "$_ad_starter" "$_ad_second" >"$_ad_mark.used") &&
      _awsdirenv_run_around timer "${_ad_asked[@]}" -- "$_ad_declared"
  } </dev/null >/dev/null 2>&1 3>&- &)
}

# Starts the Python side, which renews what is due and says what is wrong. Long-term keys it writes to stdout.
_awsdirenv_load() {
  local _ad_arguments=(load --envrc "--evaluation=$$" "${_ad_asked[@]}") _ad_terminal='' _ad_status=0 _ad_output=''
  _awsdirenv_check_exported || return
  [[ ! $_ad_option_no_session ]] || _ad_arguments+=(--no-session) _ad_output=1
  [[ ! $_ad_option_live ]] || _ad_arguments+=(--live)
  [[ ! $_ad_option_account ]] || _ad_arguments+=("--account=$_ad_option_account")
  [[ ! $_ad_option_role ]] || _ad_arguments+=("--role=$_ad_option_role")
  [[ ! $_ad_option_stage ]] || _ad_arguments+=("--stage=$_ad_option_stage")
  [[ ! $_ad_option_confirm ]] || _ad_arguments+=(--confirm)
  [[ ! $_ad_option_min_life || ${_ad_try-} ]] || _ad_arguments+=("--min-life=$_ad_option_min_life") # not again
  [[ ! $_ad_has_profile && $_ad_dotenv ]] || _ad_arguments+=(-- "$_ad_declared")
  [[ ! -t 2 ]] || _ad_terminal=$(command stty -g 2>/dev/null </dev/tty)
  _awsdirenv_run_apart "$_ad_output" "${_ad_arguments[@]}" || _ad_status=$?
  if ((_ad_status > 125)); then
    [[ ! $_ad_key ]] || command rm -f -- "$_ad_cache/claims/$_ad_key"
    [[ ! $_ad_terminal ]] || command stty "$_ad_terminal" 2>/dev/null </dev/tty # a killed prompt leaves the terminal raw
    _awsdirenv_refuse_end "$_ad_status"
  fi
  return "$_ad_status"
}

# Runs a program of ours with the arguments behind $1, as _awsdirenv_run_around does. Its output goes to the descriptor $1, or to stderr.
_awsdirenv_run_apart() {
  local _ad_ended=0 _awsdirenv_stderr
  exec {_awsdirenv_stderr}>&2 || _awsdirenv_stderr=2 # closed
  # Without 3>&- direnv would wait for whatever that process leaves running. To the outer stderr bash would say, with the
  # whole command line, that it was killed.
  (_awsdirenv_run_around "${@:2}" </dev/null >&"${1:-$_awsdirenv_stderr}" 3>&-) 2>/dev/null || _ad_ended=$?
  ((_awsdirenv_stderr == 2)) || exec {_awsdirenv_stderr}>&-
  return "$_ad_ended"
}

# Says what has become of a program of ours that has said nothing itself: its status $1 is above 125.
_awsdirenv_refuse_end() {
  if (($1 > 128)); then
    _awsdirenv_refuse "awsdirenv was ended by signal $(($1 - 128))" "direnv reload"
  else
    _awsdirenv_refuse "awsdirenv is not where this extension expects it" "awsdirenv setup"
  fi
}

# Has Python write down which mode the .env declares, or say what is wrong with it.
_awsdirenv_ask_for_mode() {
  local _ad_status=0
  _awsdirenv_check_exported || return
  _awsdirenv_run_apart '' mode || _ad_status=$?
  ((_ad_status <= 125)) || _awsdirenv_refuse_end "$_ad_status"
  return "$_ad_status"
}

# True while the person's word for this place holds: until its end, or until the next MFA session.
_awsdirenv_is_confirmed() {
  local _ad_lines=() _ad_reply _ad_line _ad_since='' _ad_until=''
  _awsdirenv_run context _awsdirenv_read_file "$_ad_cache/marks/mfa-renewed" 3
  for _ad_line in "${_ad_lines[@]}"; do [[ $_ad_line != SINCE=* ]] || _ad_since=${_ad_line#*=}; done
  _ad_lines=()
  _awsdirenv_run context _awsdirenv_read_file "$_ad_cache/confirmed/$_ad_key" 9 && _awsdirenv_run names _awsdirenv_encode "$1" || return 1
  _ad_until=${_ad_lines[4]-}
  _ad_until=${_ad_until#AWSDIRENV_UNTIL=}
  case $_ad_until in '' | *[!0-9]* | ???????????*) return 1 ;; esac
  [[ ${_ad_lines[0]} == AWSDIRENV_VERSION=1 && ${_ad_lines[1]} == "AWSDIRENV_WORD=$_ad_reply" && ${_ad_lines[5]} == AWSDIRENV_END=1 &&
    ${_ad_lines[2]} == "AWSDIRENV_ACCOUNT_ID=$_ad_account_id" && ${_ad_lines[3]} == "AWSDIRENV_SINCE=$_ad_since" ]] || return 1
  printf -v _ad_line '%(%s)T' -1
  ((_ad_line < _ad_until))
}

# The cold path: Python makes the files, and gets credentials. True where the directory may be opened: also without
# credentials, unless the line insists on what only they can tell.
_awsdirenv_make_live() {
  local _ad_watches=${DIRENV_WATCHES-} _ad_watches_before _ad_watches_if_closed _ad_status _ad_try \
    _ad_insists=$_ad_option_account$_ad_option_role$_ad_option_confirm${AWSDIRENV_CONFIRM-} \
    _ad_live_region _ad_live_account_id _ad_live_role _ad_live_stage
  _awsdirenv_can_read live || return 1
  ! { _awsdirenv_let_another_do_it && _awsdirenv_run bytes _awsdirenv_in_bytes _awsdirenv_read_snapshot_and_live; } || _ad_is_fresh=1
  [[ ! $_ad_pause ]] || exec {_ad_pause}<&-
  _ad_pause=''
  [[ ! $_ad_is_fresh ]] || return 0
  _awsdirenv_watch_if_closed
  _ad_watches_before=${DIRENV_WATCHES-}
  for _ad_try in '' again again; do
    _awsdirenv_load_and_locate
    # First watch, then look: see _awsdirenv_renew.
    export DIRENV_WATCHES=$_ad_watches_before
    _awsdirenv_watch "$_ad_snapshot" "${_ad_key:+$_ad_cache/live/$_ad_key}"
    _ad_watches_if_closed=${DIRENV_WATCHES-}
    export DIRENV_WATCHES=$_ad_watches
    for _ad_stat in _awsdirenv_stat _awsdirenv_look; do
      ! _awsdirenv_run bytes _awsdirenv_in_bytes _awsdirenv_read_snapshot_and_live || return 0
      ((_ad_status == 0 || _ad_status == 10)) || break # 10: why there are no credentials has been said
      if [[ ! $_ad_insists ]] && _awsdirenv_run bytes _awsdirenv_in_bytes _awsdirenv_read_live; then
        _ad_region=$_ad_live_region _ad_account_id=$_ad_live_account_id _ad_role=$_ad_live_role _ad_stage=${_ad_option_stage:-$_ad_live_stage}
        return 0
      fi
    done
    ((_ad_status == 0)) || break
  done
  [[ $_ad_status != 0 && $_ad_insists$_ad_status != 10 ]] || _awsdirenv_refuse_files
  export DIRENV_WATCHES=$_ad_watches_if_closed
  _awsdirenv_close
  return 1
}

# True for the header of a file that was made from all that it would be made from now.
_awsdirenv_take_live_header() {
  local _ad_live_version _ad_live_profile _ad_live_config_file _ad_live_shared_credentials_file _ad_live_mfa_serial \
    _ad_live_options _ad_live_python _ad_live_program
  _awsdirenv_run leave _awsdirenv_take_live_lines && [[ ${_ad_live_stamps[0]#* @ } == "$_ad_config" && ${_ad_live_stamps[1]#* @ } == "$_ad_credentials" ]] || return 1
  # Without a snapshot the look has to compare with the file's own word.
  _ad_stamps=("${_ad_live_stamps[@]}" ${_ad_dotenv:+"$_ad_dotenv_stamp"})
  _awsdirenv_is_live_header_current
}

# True for a live config file that was made from all that it would be made from now, whatever the snapshot is.
_awsdirenv_read_live() {
  local _ad_lines=() _ad_fd _ad_looked _ad_state _ad_folder _ad_rest _ad_stamps _ad_live_stamps=() _ad_live_mtime _ad_live_state
  [[ $_ad_key ]] && _awsdirenv_run context _awsdirenv_read_file "$_ad_live" 16 && _awsdirenv_take_live_header && _awsdirenv_open_file "$_ad_live" || return 1
  _awsdirenv_begin_look "$_ad_live" "$_ad_empty" "$_ad_cache/live"
  _awsdirenv_end_look && _awsdirenv_check_live
  set -- "$?"
  exec {_ad_fd}<&-
  return "$1"
}

# True unless the time at which the machine was started is that of another start, or of another container's.
_awsdirenv_is_same_start() {
  local _ad_boot _ad_first=''
  { read -r _ad_boot </proc/sys/kernel/random/boot_id; } 2>/dev/null || return 1
  { read -r _ad_first </proc/1/stat; } 2>/dev/null || :
  # shellcheck disable=SC2086 # numbers, and the 20th behind the name says when the first process was started
  set -- ${_ad_first##*) }
  [[ $_ad_start == "${_ad_boot%%-*}.${20:-0}" ]]
}

# For prompts that know other tools' variables only. What they would take for their own is shown as ?, as by
# `awsdirenv prompt`: themes evaluate such values.
_awsdirenv_set_prompt_variable() {
  case $AWSDIRENV_PROMPT_VARIABLE in
    AWS_VAULT | AWSUME_PROFILE) _awsdirenv_left+=("$AWSDIRENV_PROMPT_VARIABLE=${_ad_declared//[\$\`\\%!#]/?}") ;;
    *)
      _awsdirenv_warn "AWSDIRENV_PROMPT_VARIABLE names a variable that is not ours to set" \
        "AWSDIRENV_PROMPT_VARIABLE=AWS_VAULT, or AWSUME_PROFILE"
      ;;
  esac
}

# The header of the section is written as botocore reads it: see section_header in config/aws_files.py.
_awsdirenv_warn_without_region() {
  local _ad_header="[profile $_ad_declared]" _ad_in_quotes="'\"'\"'"
  case $_ad_declared in
    default) _ad_header='[default]' ;;
    *[\"\\]*) _ad_header="[profile '${_ad_declared//\'/$_ad_in_quotes}']" ;;
    *[[:space:]\']*) _ad_header="[profile \"$_ad_declared\"]" ;;
  esac
  _awsdirenv_warn "no region for profile $_ad_declared" "set region in $_ad_header of $_ad_config"
}

_awsdirenv_warn() {
  local _ad_reply _ad_warning
  _awsdirenv_printable "$1" && _ad_warning=$_ad_reply
  _awsdirenv_printable "$2"
  printf '%s\n' "awsdirenv: warning: $_ad_warning" "awsdirenv: hint: $_ad_reply" >&2
}

# Expands the paths of AWS's files.
_awsdirenv_expand_paths() {
  local _ad_reply
  _awsdirenv_expand "$_ad_config" && _ad_config=$_ad_reply && _awsdirenv_expand "$_ad_credentials" && _ad_credentials=$_ad_reply
}

# Expands variables of the environment and then a leading ~ as botocore does, in _ad_reply. A variable that is not set stays
# as it is. ~user is more than bash can expand without evaluating the value, so it is refused.
_awsdirenv_expand() {
  local _ad_rest=$1 _ad_braced _ad_name
  _ad_reply=''
  while [[ $_ad_rest == *\$* ]]; do
    _ad_reply+=${_ad_rest%%\$*}
    _ad_rest=${_ad_rest#*\$}
    _ad_braced=''
    if [[ $_ad_rest =~ ^([A-Za-z0-9_]+|\{[^}]*\}) ]]; then
      _ad_braced=${BASH_REMATCH[1]}
      _ad_rest=${_ad_rest#"$_ad_braced"}
    fi
    _ad_name=${_ad_braced#'{'}
    _ad_name=${_ad_name%'}'}
    # Our own variables, and bash's, are none of the environment's.
    if [[ $_ad_name =~ ^[A-Za-z_][A-Za-z0-9_]*$ && ${!_ad_name@a} == *x* ]]; then
      _ad_reply+=${!_ad_name}
    else
      _ad_reply+=\$$_ad_braced
    fi
  done
  _ad_reply+=$_ad_rest
  # shellcheck disable=SC2088 # the tilde is in the value, where botocore expands it and bash does not
  case $_ad_reply in
    '~' | '~/'*) _ad_reply=$HOME${_ad_reply#'~'} ;;
    '~'*)
      _awsdirenv_printable "$_ad_reply"
      _awsdirenv_refuse "cannot find $_ad_reply: ~user is not expanded" "write the whole path instead of ~user"
      ;;
  esac
}

# A profile name of any characters as a file name, in _ad_reply.
_awsdirenv_encode_all() {
  local LC_ALL=C _ad_name=$1 _ad_char _ad_code _ad_i
  case $_ad_name in
    '') _awsdirenv_refuse "the profile name is empty" "name a profile, as in \`use aws_profile adminrole\`" || return ;;
    *$'\r') _awsdirenv_refuse_line_end || return ;;
    *[[:cntrl:]]*)
      _awsdirenv_refuse "the profile name has control characters" "use the name as it is in ~/.aws/config" || return
      ;;
  esac
  _ad_reply=''
  for ((_ad_i = 0; _ad_i < ${#_ad_name}; _ad_i++)); do
    _ad_char=${_ad_name:_ad_i:1}
    case $_ad_char in
      [A-Za-z0-9_-]) _ad_reply+=$_ad_char ;;
      .) if ((_ad_i)); then _ad_reply+=.; else _ad_reply+=%2E; fi ;;
      *)
        printf -v _ad_code %d "'$_ad_char"
        printf -v _ad_code %%%02X "$((_ad_code & 255))"
        _ad_reply+=$_ad_code
        ;;
    esac
  done
}

# Where this is missing, the file has been cut off; see _awsdirenv_run.
_ad_parts+=' cold '
