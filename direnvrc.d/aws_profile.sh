#!/usr/bin/env bash
#
# awsdirenv's extension of direnv's stdlib. `awsdirenv setup` installs it into direnv's lib folder with the absolute
# path of the installation in `_awsdirenv_command`.
#
# It reads snapshots (~/.cache/awsdirenv/snapshots) and never writes any: that is the Python side's part. Nothing is
# evaluated or sourced: names come from a closed list, values are checked, and all are exported or none.
#
# direnv sources this file at every evaluation, so it only defines functions: `use_aws_profile` is public, the rest is
# ours. It needs bash 4.4.

# The line between the marks is replaced by `awsdirenv setup`. Its stderr is `_awsdirenv_stderr`, where that is set.
# >>> installation
_awsdirenv_command() { command awsdirenv "$@" 2>&"${_awsdirenv_stderr:-2}"; }
# <<< installation

# Usage: use aws_profile [<profile>] [--region <region>] [--duration <time>] [--min-life <time>]
#                        [--live | --no-session] [--account <id>] [--role <name>] [--stage <stage>] [--confirm]
#
# Puts short-lived credentials for an AWS profile into the environment, renewing them where they are due, and takes
# every other AWS credential out. When the profile's credentials cannot be had, no AWS credential is left, one line
# says why, and the rest of .envrc loads.
#
# <profile> defaults to AWS_PROFILE of the nearest .env, then of the environment, then to `default`.
# --duration says how long the credentials are to live: 3600, 15m, 2h, 1h30m; from 15m to 12h.
# --min-life renews the credentials where less than that is left of them.
# --live exports no keys, but files by which AWS's SDKs ask awsdirenv for them: for programs that run for hours, or use
# several profiles.
# --account and --role refuse any other identity. --stage says what kind of place it is, and --confirm has the person
# type it before anything is exported, once for each MFA session.
# --no-session exports the profile's own long-term keys, for what AWS refuses to sessions. They are kept nowhere.
#
# Example:
#
#    use aws_profile adminrole
#    use aws_profile adminrole --region eu-west-1 --duration 1h30m
#
use_aws_profile() {
  if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
    _awsdirenv_say error "bash $BASH_VERSION is too old"
    _awsdirenv_say hint 'have direnv run bash 4.4 or later: bash_path in direnv.toml'
    _awsdirenv_unset_block
    return 0
  fi
  # Options are ours until we return: a trace must not show values, and strict_env must not end .envrc half-way.
  local -
  set +xvefuET +o pipefail
  local IFS=$' \t\n'
  local declared='' has_profile='' option_region='' option_duration='' option_min_life='' option_no_session='' option_live=''
  local option_account='' option_role='' option_stage='' option_confirm=''
  local key='' cache='' snapshot='' dotenv='' dotenv_stamp='' config='' credentials='' envrc_mtime=0
  if ! { _awsdirenv_leave_live && _awsdirenv_parse_arguments "$@" && _awsdirenv_locate; }; then
    _awsdirenv_close
    return 0
  fi

  local now profile access_key_id secret_access_key session_token account_id region role stage
  local issued expiration expiration_text refresh_at usable_until clock
  if [[ $option_live ]]; then
    _awsdirenv_open_live
    return 0
  fi
  if [[ $option_no_session ]]; then
    _awsdirenv_open_without_session
    return 0
  fi
  if _awsdirenv_read_fresh_snapshot || { _awsdirenv_let_another_do_it && _awsdirenv_read_fresh_snapshot; }; then
    _awsdirenv_open
    return 0
  fi

  _awsdirenv_renew
  return 0
}

# The cold path: Python renews what is due, and whatever came of it decides what is exported.
_awsdirenv_renew() {
  local watches=${DIRENV_WATCHES-} watches_if_closed status=0
  # A directory that stays closed also waits for the next MFA session, whichever shell starts it, and for the AWS CLI's
  # next sign-in.
  _awsdirenv_watch "$cache/marks/mfa-renewed" "${key:+$cache/confirmed/$key}" "$HOME/.aws/sso/cache" "$HOME"/.aws/sso/cache/*.json
  watches_if_closed=${DIRENV_WATCHES-}
  _awsdirenv_load || status=$?
  [[ ! $dotenv ]] || _awsdirenv_locate || : # the .env may have another meaning by now, or its first
  export DIRENV_WATCHES=$watches
  if _awsdirenv_read_snapshot watch; then
    _awsdirenv_open
    return 0
  fi
  # First watch, then look again: a refresh by another shell is then either in what we read, or a change that direnv
  # will see at the next prompt.
  export DIRENV_WATCHES=$watches_if_closed
  _awsdirenv_watch "$snapshot" "$config" "$credentials" "$dotenv"
  if _awsdirenv_read_snapshot watched; then
    _awsdirenv_open
    return 0
  fi
  if ((status == 0)); then
    _awsdirenv_say error "the snapshot for ${declared:-this directory} cannot be used"
    _awsdirenv_say hint 'direnv reload'
  fi
  _awsdirenv_close
}

# Exports the profile's long-term keys, which come through a pipe and are never on the disk: Python starts every time.
_awsdirenv_open_without_session() {
  local LC_ALL=C lines=() fd
  printf -v now '%(%s)T' -1
  _awsdirenv_watch "$config" "$credentials" "$dotenv"
  exec {fd}< <(_awsdirenv_load)
  mapfile -t -n 40 -u "$fd" lines
  exec {fd}<&-
  [[ ! $dotenv ]] || _awsdirenv_locate || : # the .env may have another meaning by now, or its first
  envrc_mtime=$(stat -L -c %Y ./.envrc 3>&- 2>/dev/null) || envrc_mtime=0
  if _awsdirenv_take_values; then
    _awsdirenv_open
  else
    _awsdirenv_close
  fi
}

# Exports no keys, but AWS_PROFILE and files of ours, by which every SDK gets them from us. So the snapshot only says
# whether there is something to ask of a person who enters.
_awsdirenv_open_live() {
  local live='' empty=$cache/live/.empty live_region='' live_account_id='' live_role='' live_stage=''
  if ! { _awsdirenv_read_snapshot_and_live || {
    _awsdirenv_let_another_do_it && _awsdirenv_read_snapshot_and_live
  } || _awsdirenv_make_live; }; then
    _awsdirenv_close
    return 0
  fi
  local region_wanted=$option_region
  [[ ${AWSDIRENV_PROFILE+set} ]] || region_wanted=${region_wanted:-${AWS_REGION:-${AWS_DEFAULT_REGION-}}}
  _awsdirenv_unset_block
  export AWS_PROFILE=$declared AWS_CONFIG_FILE=$live AWS_SHARED_CREDENTIALS_FILE=$empty
  export AWSDIRENV_PROFILE=$declared AWSDIRENV_LOADED="$envrc_mtime $PWD"
  # Not the profile's own, which would be wrong for every other profile.
  [[ ! $region_wanted ]] || export AWS_REGION=$region_wanted AWS_DEFAULT_REGION=$region_wanted
  [[ ! $stage ]] || export AWSDIRENV_STAGE=$stage
  region=${region_wanted:-$region} expiration=''
  _awsdirenv_show_in_prompt
  _awsdirenv_say_where
}

# The cold path: Python makes the files, and gets credentials. True where the directory may be opened: also without
# credentials, unless the line insists on what only they can tell.
_awsdirenv_make_live() {
  local watches=${DIRENV_WATCHES-} watches_if_closed status=0
  _awsdirenv_load || status=$?
  [[ ! $dotenv ]] || _awsdirenv_locate || : # the .env may have another meaning by now, or its first
  export DIRENV_WATCHES=$watches
  # First watch, then look: see _awsdirenv_renew.
  _awsdirenv_watch "$cache/marks/mfa-renewed" "${key:+$cache/confirmed/$key}" "$HOME/.aws/sso/cache" \
    "$HOME"/.aws/sso/cache/*.json "$snapshot" "${key:+$cache/live/$key}" "$config" "$credentials" "$dotenv"
  watches_if_closed=$DIRENV_WATCHES
  export DIRENV_WATCHES=$watches
  if _awsdirenv_read_snapshot_and_live; then
    return 0
  fi
  if ((status == 0)); then
    if _awsdirenv_read_live; then
      region=$live_region account_id=$live_account_id role=$live_role stage=${option_stage:-$live_stage}
      # Why there are no credentials has been said.
      [[ $option_account || $option_role || $option_confirm || ${AWSDIRENV_CONFIRM-} ]] || return 0
    else
      _awsdirenv_say error "the live files for ${declared:-this directory} cannot be used"
      _awsdirenv_say hint 'direnv reload'
    fi
  fi
  export DIRENV_WATCHES=$watches_if_closed
  return 1
}

_awsdirenv_read_snapshot_and_live() { _awsdirenv_read_snapshot watched && _awsdirenv_read_live; }

# True for a live config file that was made from all that it would be made from now. Also sees to it that direnv watches
# it and AWS's own files: first the watch, then the look, as for a snapshot.
_awsdirenv_read_live() {
  local LC_ALL=C lines=() fd stamp stamps paths=() present='' expected='' times='' modified
  local before=${DIRENV_WATCHES-} remembered=()
  [[ $key ]] || return 1
  live=$cache/live/$key
  _awsdirenv_open_file "$live" 14 || return 1
  exec {fd}<&-
  _awsdirenv_take_live_header || return 1
  [[ ! $dotenv ]] || stamps+=("$dotenv_stamp")
  for stamp in "${stamps[@]}"; do
    if [[ $stamp == 'absent '* ]]; then
      [[ ! -e ${stamp#* } ]] || return 1
      present+=n
    else
      paths+=("${stamp#* }") expected+=$stamp$'\n' present+=y
    fi
  done
  if ! { _awsdirenv_recall_watches && _awsdirenv_look_at_live && _awsdirenv_watch_as_remembered; }; then
    _awsdirenv_watch "$live" "$empty" "$config" "$credentials" "$dotenv"
    _awsdirenv_look_at_live || return 1
    _awsdirenv_remember_watches
  fi
}

# Takes the first lines apart, as awsdirenv/cache/live_files.py writes them: `stamps`, `modified`, and what to say on entering.
_awsdirenv_take_live_header() {
  local name i=0 values=() original_config='' original_credentials=''
  for name in version profile config credentials AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE AWS_MFA_SERIAL \
    duration python region account_id role stage mtime; do
    [[ ${lines[i]-} == "# $name="* ]] || return 1
    values+=("${lines[i]#*=}")
    ((++i))
  done
  [[ ! ${AWS_CONFIG_FILE+set} ]] || original_config="=$AWS_CONFIG_FILE"
  [[ ! ${AWS_SHARED_CREDENTIALS_FILE+set} ]] || original_credentials="=$AWS_SHARED_CREDENTIALS_FILE"
  [[ ${values[0]} == 1 && ${values[1]} == "${key%%@*}" && ${values[4]} == "$original_config" &&
    ${values[5]} == "$original_credentials" && ${values[6]} == "${AWS_MFA_SERIAL-}" &&
    ${values[7]} == "$option_duration" && -x ${values[8]} ]] || return 1
  stamps=("${values[2]}" "${values[3]}")
  [[ ${stamps[0]#* } == "$config" && ${stamps[1]#* } == "$credentials" ]] || return 1
  live_region=${values[9]} live_account_id=${values[10]} live_role=${values[11]} modified=${values[13]}
  printf -v live_stage %b "${values[12]//%/\\x}"
}

# As _awsdirenv_look_at_files, for what a live directory hands out. The empty file must be empty: keys that somebody has
# written into it would win.
_awsdirenv_look_at_live() {
  local stat_fd line stamp actual='' live_state='' empty_state='' folder_state=''
  times=live,$present,
  exec {stat_fd}< <(exec stat -L -c '%n %u %a %Y %d:%i:%s:%.9Z' -- \
    "$live" "$empty" "${live%/*}" ./.envrc "${paths[@]}" 3>&- 2>/dev/null)
  while IFS= read -r line; do
    stamp=${line##* } line=${line% *}
    case $line in
      "$live "*) live_state=${line#"$live "} times+=${line##* }, ;;
      "$empty "*) empty_state="${line#"$empty "} $stamp" times+=${line##* }, ;;
      "${live%/*} "*) folder_state=${line#"${live%/*} "} ;;
      './.envrc '*) envrc_mtime=${line##* } ;;
      *) actual+="$stamp ${line% * * *}"$'\n' times+=${line##* }, ;;
    esac
  done <&"$stat_fd"
  exec {stat_fd}<&-
  [[ $live_state == "$EUID 600 $modified" && $empty_state == "$EUID 600 "*:*:0:* && $actual == "$expected" &&
    $folder_state == "$EUID 700 "* && ! -L $empty ]]
}

# Goes back to the person's own files where the environment still has those of a live directory: a line of ours above
# this one, or a shell that direnv has lost sight of.
_awsdirenv_leave_live() {
  local LC_ALL=C lines=() fd name i
  case ${AWS_CONFIG_FILE-} in */awsdirenv/live/*) ;; *) return 0 ;; esac
  if ! _awsdirenv_open_file "$AWS_CONFIG_FILE" 13; then
    _awsdirenv_say error "AWS_CONFIG_FILE is that of a live directory, and gone: ${AWS_CONFIG_FILE//[[:cntrl:]]/?}"
    _awsdirenv_say hint 'unset AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE; in fish: set -e AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE; then: direnv reload'
    return 1
  fi
  exec {fd}<&-
  i=4
  for name in AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE; do
    if [[ ${!name-} == */awsdirenv/live/* && ${lines[i]-} == "# $name="* ]]; then
      unset "$name"
      [[ ${lines[i]} != "# $name=="* ]] || export "$name=${lines[i]#*==}"
    fi
    ((++i))
  done
  [[ ${AWS_PROFILE-} != "${AWSDIRENV_PROFILE-}" ]] || unset AWS_PROFILE
}

# Fills `declared`, `has_profile` and the options of the caller.
_awsdirenv_parse_arguments() {
  local name value only_names=''
  while (($#)); do
    case $only_names$1 in
      --)
        only_names=1
        shift
        continue
        ;;
      --region | --region=* | --duration | --duration=* | --min-life | --min-life=* | \
        --account | --account=* | --role | --role=* | --stage | --stage=*)
        name=${1%%=*}
        if [[ $1 == *=* ]]; then
          value=${1#*=}
        elif (($# > 1)); then
          value=$2
          shift
        else
          value=''
        fi
        _awsdirenv_take_option "$name" "$value" || return 1
        ;;
      --no-session) option_no_session=1 ;;
      --live) option_live=1 ;;
      --confirm) option_confirm=1 ;;
      -*)
        _awsdirenv_say error "unknown option of use aws_profile: ${1//[[:cntrl:]]/?}"
        _awsdirenv_say hint 'use aws_profile [PROFILE] [--region REGION] [--duration TIME] [--min-life TIME] [--live | --no-session] [--account ID] [--role NAME] [--stage STAGE] [--confirm]'
        return 1
        ;;
      *)
        if [[ $has_profile ]]; then
          _awsdirenv_say error "use aws_profile takes one profile, and got a second: ${1//[[:cntrl:]]/?}"
          _awsdirenv_say hint 'put a name with spaces into quotes'
          return 1
        fi
        has_profile=1 declared=$1
        ;;
    esac
    shift
  done
  if [[ $option_live && $option_no_session ]]; then
    _awsdirenv_say error 'use aws_profile takes --live or --no-session, not both'
    _awsdirenv_say hint 'in a live directory, name the profile that has the keys: aws --profile NAME'
    return 1
  fi
}

# Checks the value of an option and fills the variable of its name; durations become seconds.
_awsdirenv_take_option() {
  local LC_ALL=C
  case $1 in
    --region)
      _awsdirenv_is_region "$2" || _awsdirenv_refuse "$1 needs the name of a region" "$1 eu-west-1" || return 1
      option_region=$2
      ;;
    --account)
      [[ $2 == [0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9] ]] ||
        _awsdirenv_refuse "$1 needs the twelve digits of an account" "$1 123456789012" || return 1
      option_account=$2
      ;;
    --role)
      case $2 in
        '' | *[!A-Za-z0-9+=,.@_-]*)
          _awsdirenv_refuse "$1 needs the name of a role, without its path" "$1 adminrole" || return 1
          ;;
      esac
      option_role=$2
      ;;
    --stage)
      case $2 in
        '' | *[[:cntrl:]]*) _awsdirenv_refuse "$1 needs a word such as production" "$1 production" || return 1 ;;
      esac
      ((${#2} <= 40)) || _awsdirenv_refuse "$1 is too long" "$1 production" || return 1
      option_stage=$2
      ;;
    *) _awsdirenv_take_duration "$1" "$2" ;;
  esac
}

_awsdirenv_take_duration() {
  local seconds=0 least=900 range='between 15m and 12h'
  [[ $1 == --duration ]] || least=1 range='up to 12h'
  if ((${#2} < 12)) && [[ $2 =~ ^(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s?)?$ ]]; then
    ((seconds = 10#0${BASH_REMATCH[2]} * 3600 + 10#0${BASH_REMATCH[4]} * 60 + 10#0${BASH_REMATCH[6]}))
  fi
  if ((seconds < least || seconds > 43200)); then
    _awsdirenv_say error "$1 is no duration $range: ${2//[[:cntrl:]]/?}"
    _awsdirenv_say hint 'such as 3600, 15m, 2h or 1h30m'
    return 1
  fi
  if [[ $1 == --duration ]]; then option_duration=$seconds; else option_min_life=$seconds; fi
}

# Says what is wrong with the line and, from an option with a value, how it may look. Fails.
_awsdirenv_refuse() {
  local LC_ALL=C REPLY line
  _awsdirenv_quote "${declared:-adminrole}"
  line="$REPLY $2"
  [[ $REPLY != -* && $REPLY != \'-* ]] || line="$2 -- $REPLY"
  printf '%s\n' "awsdirenv: error: $1" "awsdirenv: hint: use aws_profile $line" >&2
  return 1
}

# Quotes a word for every shell, in REPLY: shell_word of awsdirenv/system/commands.py.
_awsdirenv_quote() {
  local text=${1//[[:cntrl:]]/?}
  case $text in
    '' | [=%]* | *[!A-Za-z0-9_@%+=:,./-]*)
      text=${text//\'/\'\"\'\"\'}
      REPLY=\'${text//\\/\'\\\\\'}\'
      ;;
    *) REPLY=$text ;;
  esac
}

_awsdirenv_is_region() {
  local LC_ALL=C
  case $1 in
    '' | -* | *[!a-z0-9-]*) return 1 ;;
  esac
  ((${#1} <= 64))
}

# Finds the `snapshot` and its name (`key`) as awsdirenv/cache/layout.py does, and the files that it depends on.
_awsdirenv_locate() {
  # botocore takes an empty AWS_CONFIG_FILE at its word, so `-` and not `:-`.
  local REPLY context=''
  _awsdirenv_expand "${AWS_CONFIG_FILE-~/.aws/config}" || return 1
  config=$REPLY
  _awsdirenv_expand "${AWS_SHARED_CREDENTIALS_FILE-~/.aws/credentials}" || return 1
  credentials=$REPLY
  [[ ! ${AWS_CONFIG_FILE+set} ]] || context+=c=$AWS_CONFIG_FILE$'\n'
  [[ ! ${AWS_SHARED_CREDENTIALS_FILE+set} ]] || context+=s=$AWS_SHARED_CREDENTIALS_FILE$'\n'
  [[ ! ${AWS_ENDPOINT_URL_STS+set} ]] || context+=e=$AWS_ENDPOINT_URL_STS$'\n'
  [[ ! ${AWS_ENDPOINT_URL+set} ]] || context+=u=$AWS_ENDPOINT_URL$'\n'
  [[ ! ${AWS_IGNORE_CONFIGURED_ENDPOINT_URLS+set} ]] || context+=i=$AWS_IGNORE_CONFIGURED_ENDPOINT_URLS$'\n'
  [[ ! $option_duration ]] || context+=d=$option_duration$'\n'

  case ${XDG_CACHE_HOME-} in
    /*) cache=$XDG_CACHE_HOME/awsdirenv ;;
    *) cache=$HOME/.cache/awsdirenv ;;
  esac
  key='' snapshot=''
  if [[ $has_profile ]]; then
    _awsdirenv_encode "$declared" || return 1
    key=$REPLY
  elif _awsdirenv_nearest_dotenv; then
    # Only python-dotenv says what .env means; the Python side leaves a note of it. Without one there is no key yet.
    _awsdirenv_read_name || return 0
  else
    declared=${AWS_PROFILE:-default}
    _awsdirenv_encode "$declared" || return 1
    key=$REPLY
  fi
  if [[ $context ]]; then
    _awsdirenv_hash "$context"
    key+=@$REPLY
  fi
  snapshot=$cache/snapshots/$key
}

# Expands variables of the environment and then a leading ~ as botocore does, in REPLY. A variable that is not set stays
# as it is. ~user is more than bash can expand without evaluating the value, so it is refused.
_awsdirenv_expand() {
  local rest=$1 braced name
  REPLY=''
  while [[ $rest == *\$* ]]; do
    REPLY+=${rest%%\$*}
    rest=${rest#*\$}
    braced=''
    if [[ $rest =~ ^([A-Za-z0-9_]+|\{[^}]*\}) ]]; then
      braced=${BASH_REMATCH[1]}
      rest=${rest#"$braced"}
    fi
    name=${braced#'{'}
    name=${name%'}'}
    # Our own variables, and bash's, are none of the environment's.
    if [[ $name =~ ^[A-Za-z_][A-Za-z0-9_]*$ && ${!name@a} == *x* ]]; then
      REPLY+=${!name}
    else
      REPLY+=\$$braced
    fi
  done
  REPLY+=$rest
  # shellcheck disable=SC2088 # the tilde is in the value, where botocore expands it and bash does not
  case $REPLY in
    '~' | '~/'*) REPLY=$HOME${REPLY#'~'} ;;
    '~'*)
      _awsdirenv_say error "cannot tell where ${REPLY//[[:cntrl:]]/?} is"
      _awsdirenv_say hint 'write the whole path instead of ~user'
      return 1
      ;;
  esac
}

_awsdirenv_nearest_dotenv() {
  local folder=$PWD
  while :; do
    if [[ -f $folder/.env ]]; then
      dotenv=${folder%/}/.env
      return 0
    fi
    [[ $folder ]] || return 1
    folder=${folder%/*}
  done
}

# Opens a file of ours, and not what somebody put in its place: its first lines are then in the caller's `lines`, and the
# file is open as `fd`.
_awsdirenv_open_file() {
  [[ -f $1 && -O $1 && ! -L $1 ]] || return 1
  { exec {fd}<"$1"; } 2>/dev/null || return 1
  mapfile -t -n "$2" -u "$fd" lines
}

# Reads which profile the .env declares: `declared`, `key`, and the state of the .env in which it did, `dotenv_stamp`.
_awsdirenv_read_name() {
  local LC_ALL=C lines fd
  _awsdirenv_hash "$dotenv"$'\n'"${AWS_PROFILE-}"
  _awsdirenv_open_file "$cache/names/$REPLY" 9 || return 1
  exec {fd}<&-
  ((${#lines[@]} == 4)) || return 1
  [[ ${lines[0]} == AWSDIRENV_VERSION=1 && ${lines[3]} == AWSDIRENV_END=1 ]] || return 1
  [[ ${lines[1]} == AWSDIRENV_PROFILE=* && ${lines[2]} == "AWSDIRENV_DOTENV="*" $dotenv" ]] || return 1
  key=${lines[1]#*=} dotenv_stamp=${lines[2]#*=}
  case $key in '' | .* | *[!A-Za-z0-9._%-]*) return 1 ;; esac
  printf -v declared %b "${key//%/\\x}"
}

# A profile name as a file name, in REPLY.
_awsdirenv_encode() {
  local LC_ALL=C name=$1 char code i
  case $name in
    '')
      _awsdirenv_say error 'the profile name is empty'
      _awsdirenv_say hint "name a profile, as in \`use aws_profile adminrole\`"
      return 1
      ;;
    *[[:cntrl:]]*)
      _awsdirenv_say error 'the profile name has control characters'
      _awsdirenv_say hint 'use the name as it stands in ~/.aws/config'
      return 1
      ;;
    .* | *[!A-Za-z0-9._-]*)
      REPLY=''
      for ((i = 0; i < ${#name}; i++)); do
        char=${name:i:1}
        case $char in
          [A-Za-z0-9_-]) REPLY+=$char ;;
          .) if ((i)); then REPLY+=.; else REPLY+=%2E; fi ;;
          *)
            printf -v code %d "'$char"
            printf -v code %%%02X "$((code & 255))"
            REPLY+=$code
            ;;
        esac
      done
      ;;
    *) REPLY=$name ;;
  esac
  if ((${#REPLY} > 200)); then
    _awsdirenv_say error 'the profile name is too long'
    _awsdirenv_say hint 'use a name of up to 60 characters'
    return 1
  fi
}

# FNV-1a, 32 bits, in REPLY: the one decent hash that bash can do without a process.
_awsdirenv_hash() {
  local LC_ALL=C text=$1 i code value=2166136261
  for ((i = 0; i < ${#text}; i++)); do
    printf -v code %d "'${text:i:1}"
    ((value = ((value ^ (code & 255)) * 16777619) & 4294967295))
  done
  printf -v REPLY %08x "$value"
}

# What a profile depends on that takes its credentials from the environment or the machine, as one number in REPLY; see
# environment_mark in awsdirenv/config/environment.py.
_awsdirenv_mark_environment() {
  local name text=''
  for name in AWS_ACCESS_KEY_ID AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_CONTAINER_CREDENTIALS_FULL_URI \
    AWS_WEB_IDENTITY_TOKEN_FILE AWS_ROLE_ARN AWS_EC2_METADATA_SERVICE_ENDPOINT; do
    [[ ${!name@a} != *x* ]] || text+=${!name}
    text+=$'\n'
  done
  _awsdirenv_hash "$text${HOSTNAME-}"
}

# Watches files: a changed one is a reload at the next prompt, in every shell that watches it.
_awsdirenv_watch() {
  local file files=() path folder
  for file in "$@"; do
    # direnv takes no path below a file, and then watches nothing at all: it gets the file that is in the way.
    path=$file
    while folder=${path%/*} && [[ $folder == /* && ! -d $folder ]]; do
      [[ ! -e $folder ]] || file=$folder
      path=$folder
    done
    [[ ! $file ]] || files+=("$file")
  done
  watch_file "${files[@]}" # one call: three would cost three processes
}

# What `direnv watch` makes of DIRENV_WATCHES follows from its value before and from the times of the files, so it can be
# remembered, and spares a process. Fills `remembered` with what is known for the present value; true if there is any.
_awsdirenv_recall_watches() {
  local line lines=() fd
  # direnv takes the later time of a link and its target, and our `stat` tells only the target's.
  [[ $before && ! -L $config && ! -L $credentials && ! -L $dotenv ]] || return 1
  _awsdirenv_open_file "$cache/watches/$key" 64 || return 1
  exec {fd}<&-
  for line in "${lines[@]}"; do
    [[ $line != "$before "*' .' ]] || remembered+=("${line#"$before "}")
  done
  ((${#remembered[@]}))
}

# True when one of `remembered` was made with these times of the files; it is then in force.
_awsdirenv_watch_as_remembered() {
  local line
  for line in "${remembered[@]}"; do
    [[ $line == "$times "* ]] || continue
    line=${line#"$times "}
    line=${line%' .'}
    case $line in '' | *[!A-Za-z0-9_=-]*) continue ;; esac
    export DIRENV_WATCHES=$line
    return 0
  done
  return 1
}

# Keeps what `direnv watch` made, for the next time. Losing it costs one process.
_awsdirenv_remember_watches() {
  [[ $before && -d $cache/watches && -O $cache/watches ]] || return 0
  (
    exec 3>&-
    umask 077
    mapfile -t -n 64 remembered <"$cache/watches/$key"
    # A directory's line is of no use once a file has changed: start again rather than grow.
    ((${#remembered[@]} < 48)) || : >"$cache/watches/$key"
    printf '%s\n' "$before $times $DIRENV_WATCHES ." >>"$cache/watches/$key"
  ) 2>/dev/null
}

# True for a snapshot to export as it is: fresh, or usable where a timer renews it, and with the life that is wanted.
# One that was got a moment ago and lives shorter is as long as they get.
_awsdirenv_read_fresh_snapshot() {
  _awsdirenv_read_snapshot watch || return 1
  if [[ $option_min_life && $expiration ]] && ((expiration - now < option_min_life && now - issued >= 60)); then
    return 1
  fi
  ((now < ${refresh_at:-now + 1})) || _awsdirenv_may_work_behind
}

# True unless work in the background is unwanted: by the person, or in CI, where nothing is to outlive its job.
_awsdirenv_may_work_behind() {
  case ${AWSDIRENV_AUTO_REFRESH-} in 0 | [Ff][Aa][Ll][Ss][Ee] | [Nn][Oo]) return 1 ;; esac
  case ${CI-} in '' | 0 | [Ff][Aa][Ll][Ss][Ee] | [Nn][Oo]) ;; *) return 1 ;; esac
}

# Sees to it that one process renews the snapshot before its end, whoever sits still meanwhile; see awsdirenv/refresh/timer.py.
_awsdirenv_keep_fresh() {
  local mark=$cache/timers/$key pid='' words=() arguments=(timer)
  [[ $expiration && -d $cache/timers && -O $cache/timers ]] || return 0
  if ! _awsdirenv_may_work_behind; then
    [[ ! -s $mark ]] || : >|"$mark" # ends the one that another evaluation started
    return 0
  fi
  # By the time of this file the timer knows that somebody is here.
  if [[ -e $mark.used ]]; then : >|"$mark.used"; else (umask 077 && : >"$mark.used"); fi
  { read -r pid <"$mark"; } 2>/dev/null
  case $pid in
    '' | *[!0-9]*) ;;
    *)
      # A number alone may be another process's by now.
      { mapfile -d '' -t words <"/proc/$pid/cmdline"; } 2>/dev/null
      [[ " ${words[*]} " != *' timer '* ]] || return 0
      ;;
  esac
  [[ ! $option_duration ]] || arguments+=("--duration=$option_duration")
  # In a subshell of its own, without any of direnv's descriptors: nobody waits for it.
  (_awsdirenv_command "${arguments[@]}" -- "$declared" </dev/null >/dev/null 2>&1 3>&- &)
}

# Reads the snapshot into the caller's variables. True when it is whole, nobody else's, made from the files as they are
# now, and not over. With `watch`, also sees to it that direnv watches the files.
_awsdirenv_read_snapshot() {
  local LC_ALL=C # ranges in patterns are bytes
  local fd lines stamps=()
  _awsdirenv_open_file "$snapshot" 40 || return 1
  # Not EPOCHSECONDS: bash 4.4 has none, and an `unset` makes it an ordinary variable.
  printf -v now '%(%s)T' -1
  local sound=1
  if _awsdirenv_take_values && ((now < ${usable_until:-now + 1})) && ! _awsdirenv_was_set_back; then
    _awsdirenv_check_files "$1" || sound=''
  else
    sound=''
  fi
  exec {fd}<&-
  [[ $sound ]]
}

# Takes the lines apart: only names we know, each once, only values that match, nothing missing, nothing cut off.
_awsdirenv_take_values() {
  local line name value seen=' '
  profile='' access_key_id='' secret_access_key='' session_token='' account_id='' region='' role='' stage=''
  issued=0 expiration='' expiration_text='' refresh_at='' usable_until='' clock=''
  ((${#lines[@]} > 2)) || return 1
  [[ ${lines[0]} == AWSDIRENV_VERSION=1 && ${lines[-1]} == AWSDIRENV_END=1 ]] || return 1
  for line in "${lines[@]:1:${#lines[@]}-2}"; do
    name=${line%%=*} value=${line#*=}
    [[ $seen != *" $name "* ]] || return 1
    seen+="$name "
    case $name in
      AWS_ACCESS_KEY_ID)
        case $value in '' | *[!A-Za-z0-9_]*) return 1 ;; esac
        access_key_id=$value
        ;;
      AWS_SECRET_ACCESS_KEY)
        case $value in '' | *[!\!-~]*) return 1 ;; esac
        secret_access_key=$value
        ;;
      AWS_SESSION_TOKEN)
        case $value in '' | *[!\!-~]*) return 1 ;; esac
        session_token=$value
        ;;
      AWS_CREDENTIAL_EXPIRATION)
        case $value in '' | *[!0-9T:+-]*) return 1 ;; esac
        expiration_text=$value
        ;;
      AWS_ACCOUNT_ID)
        case $value in '' | *[!0-9]*) return 1 ;; esac
        account_id=$value
        ;;
      AWS_REGION)
        case $value in '' | *[!a-z0-9-]*) return 1 ;; esac
        region=$value
        ;;
      AWSDIRENV_PROFILE)
        case $value in '' | *[!A-Za-z0-9._%-]*) return 1 ;; esac
        profile=$value
        ;;
      AWSDIRENV_ENVIRONMENT)
        _awsdirenv_mark_environment
        [[ $value == "$REPLY" ]] || return 1
        ;;
      AWSDIRENV_ROLE)
        case $value in '' | *[!A-Za-z0-9+=,.@_-]*) return 1 ;; esac
        role=$value
        ;;
      AWSDIRENV_STAGE)
        case $value in '' | *[!A-Za-z0-9._%-]*) return 1 ;; esac
        printf -v stage %b "${value//%/\\x}"
        ;;
      AWSDIRENV_ISSUED | AWSDIRENV_EXPIRATION | AWSDIRENV_REFRESH_AT | AWSDIRENV_USABLE_UNTIL)
        case $value in '' | *[!0-9]* | ???????????*) return 1 ;; esac
        case $name in
          AWSDIRENV_ISSUED) issued=$value ;;
          AWSDIRENV_EXPIRATION) expiration=$value ;;
          AWSDIRENV_REFRESH_AT) refresh_at=$value ;;
          AWSDIRENV_USABLE_UNTIL) usable_until=$value ;;
        esac
        ;;
      AWSDIRENV_CLOCK)
        case $value in ????????.*:*) ;; *) return 1 ;; esac
        case ${value#????????.*:} in '' | *[!0-9]* | ???????????*) return 1 ;; esac
        case ${value%:*} in *[!0-9a-f.]*) return 1 ;; esac
        clock=$value
        ;;
      AWSDIRENV_CONFIG)
        [[ ${value#* } == "$config" ]] || return 1
        stamps+=("$value")
        ;;
      AWSDIRENV_CREDENTIALS)
        [[ ${value#* } == "$credentials" ]] || return 1
        stamps+=("$value")
        ;;
      *) return 1 ;;
    esac
  done
  [[ $profile && $access_key_id && $secret_access_key ]] || return 1
  # A session token, or the long-term keys that were asked for: never one in the place of the other.
  case $option_no_session${session_token:+token} in 1 | token) ;; *) return 1 ;; esac
  # All about the end, or nothing: a lost line must not make credentials that never end.
  case "${expiration:+1}${expiration_text:+1}${refresh_at:+1}${usable_until:+1}" in '' | 1111) ;; *) return 1 ;; esac
  ((${#stamps[@]} == 2)) || return 1
  [[ ! $dotenv ]] || stamps+=("$dotenv_stamp")
  [[ $key == "$profile" || $key == "$profile"@* ]] && _awsdirenv_admits
}

# True for the account and the role that the line insists on, and for a person who has said that they mean to enter.
# awsdirenv/refresh/pins.py says what is wrong, and asks.
_awsdirenv_admits() {
  stage=${option_stage:-$stage}
  [[ ! $option_account || $account_id == "$option_account" ]] || return 1
  [[ ! $option_role || $role == "$option_role" ]] || return 1
  local word=''
  if [[ $option_confirm ]]; then
    word=${stage:-$declared}
  elif [[ $stage && ${stage,,} == "${AWSDIRENV_CONFIRM,,}" ]]; then
    word=$stage
  fi
  [[ ! $word ]] || _awsdirenv_is_confirmed "$word"
}

_awsdirenv_is_confirmed() {
  local lines=() fd REPLY line since='' until=''
  _awsdirenv_open_file "$cache/marks/mfa-renewed" 3 && exec {fd}<&-
  for line in "${lines[@]}"; do [[ $line != SINCE=* ]] || since=${line#*=}; done
  lines=()
  _awsdirenv_open_file "$cache/confirmed/$key" 9 || return 1
  exec {fd}<&-
  _awsdirenv_encode "$1" || return 1
  until=${lines[4]-}
  until=${until#AWSDIRENV_UNTIL=}
  case $until in '' | *[!0-9]* | ???????????*) return 1 ;; esac
  [[ ${lines[0]} == AWSDIRENV_VERSION=1 && ${lines[1]} == "AWSDIRENV_WORD=$REPLY" && ${lines[5]} == AWSDIRENV_END=1 &&
    ${lines[2]} == "AWSDIRENV_ACCOUNT_ID=$account_id" && ${lines[3]} == "AWSDIRENV_SINCE=$since" ]] || return 1
  printf -v line '%(%s)T' -1
  ((line < until))
}

# True when the clock was set back since the snapshot was written, by more than awsdirenv/system/clocks.py tolerates: its end is
# then later than it should be, and the Python side writes it anew. What says so is when the machine was started.
_awsdirenv_was_set_back() {
  [[ $expiration ]] || return 1
  ((issued <= now + 15)) || return 0
  [[ $clock ]] || return 1
  local boot uptime first='' LC_ALL=C
  { read -r uptime _ </proc/uptime; } 2>/dev/null || return 1
  ((now - ${uptime%.*} + 15 < ${clock##*:})) || return 1
  # Unless that was another start, or another container's.
  { read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null || return 1
  { read -r first </proc/1/stat; } 2>/dev/null || :
  # shellcheck disable=SC2086 # numbers, and the 20th behind the name says when the first process was started
  set -- ${first##*) }
  [[ $clock == "${boot%%-*}.${20:-0}:"* ]]
}

# Compares the files with what the snapshot says they were, and the snapshot itself with what a file of ours looks like.
# With `watch`, sees to it that direnv watches them: first the watch, then the look, so that no change falls between.
# Remembered watches hold the times that the look has found, and so can only be put in force behind it.
_awsdirenv_check_files() {
  local stamp paths=() present='' expected='' times='' before=${DIRENV_WATCHES-} remembered=()
  for stamp in "${stamps[@]}"; do
    if [[ $stamp == 'absent '* ]]; then
      [[ ! -e ${stamp#* } ]] || return 1
      present+=n
    else
      paths+=("${stamp#* }") expected+=$stamp$'\n' present+=y
    fi
  done
  if [[ $1 == watched ]]; then
    _awsdirenv_look_at_files || return 1
  elif ! { _awsdirenv_recall_watches && _awsdirenv_look_at_files && _awsdirenv_watch_as_remembered; }; then
    _awsdirenv_watch "$snapshot" "$config" "$credentials" "$dotenv"
    _awsdirenv_look_at_files || return 1
    _awsdirenv_remember_watches
  fi
  # Replaced since we opened it: then direnv may have the new one's time on its list, and would not come back for it.
  [[ /dev/fd/$fd -ef $snapshot ]]
}

# One process for all: modes, owners, stamps and times. Modification times alone do not tell: see file_stamp in
# awsdirenv/cache/snapshots.py.
_awsdirenv_look_at_files() {
  local stat_fd line stamp actual='' snapshot_mode='' folder_mode='' size=0 snapshot_size=''
  times=$present,
  # fd 3 is direnv's. The snapshot is checked by its descriptor: its path may be another file by now.
  exec {stat_fd}< <(exec stat -L -c '%n %u %a %Y %d:%i:%s:%.9Z' -- \
    "/dev/fd/$fd" "${snapshot%/*}" ./.envrc "${paths[@]}" 3>&- 2>/dev/null)
  while IFS= read -r line; do
    stamp=${line##* } line=${line% *}
    case $line in
      "/dev/fd/$fd "*)
        snapshot_mode=${line#* } times+=${line##* },
        snapshot_mode=${snapshot_mode% *} snapshot_size=${stamp%:*}
        ;;
      "${snapshot%/*} "*) folder_mode=${line#"${snapshot%/*} "} folder_mode=${folder_mode% *} ;;
      './.envrc '*) envrc_mtime=${line##* } ;;
      *) actual+="$stamp ${line% * * *}"$'\n' times+=${line##* }, ;;
    esac
  done <&"$stat_fd"
  exec {stat_fd}<&-
  # bash drops NUL bytes: what it has read must be as long as the file.
  for line in "${lines[@]}"; do ((size += ${#line} + 1)); done
  [[ ${snapshot_size##*:} == "$size" ]] || return 1
  [[ $snapshot_mode == "$EUID 600" && $folder_mode == "$EUID 700" && $actual == "$expected" ]]
}

# True after waiting, up to a second, for another shell that is already getting the same: fifty shells then start one
# Python instead of fifty. This is no lock, only good manners; the lock is the Python side's, which takes the claim away
# when it is done, and as soon as it turns to a person.
_awsdirenv_let_another_do_it() {
  local claim=$cache/claims/$key pid='' pause rounds
  [[ $key && -d ${claim%/*} && -O ${claim%/*} ]] || return 1
  set -C
  if { printf '%s\n' "$$" >"$claim"; } 2>/dev/null; then
    set +C
    return 1
  fi
  set +C
  # A pipe that nobody writes to: reading it with a time limit is the sleep that costs no process.
  { exec {pause}<> <(:); } 2>/dev/null || return 1
  for ((rounds = 0; rounds < 25; rounds++)); do
    { read -r pid <"$claim"; } 2>/dev/null || pid=$PPID # not written yet, or gone, which ends the loop
    if [[ ! -e $claim || $pid == "$$" ]] || ! kill -0 "$pid" 2>/dev/null; then
      break
    fi
    read -r -t 0.04 -u "$pause" _
  done
  exec {pause}<&-
}

# Starts the Python side, which renews what is due and says what is wrong. Long-term keys it writes to stdout.
_awsdirenv_load() {
  local arguments=(load --envrc) terminal='' status=0 output _awsdirenv_stderr
  exec {_awsdirenv_stderr}>&2 || _awsdirenv_stderr=2 # closed
  output=$_awsdirenv_stderr
  [[ ! $option_no_session ]] || arguments+=(--no-session) output=1
  [[ ! $option_live ]] || arguments+=(--live)
  [[ ! $option_account ]] || arguments+=("--account=$option_account")
  [[ ! $option_role ]] || arguments+=("--role=$option_role")
  [[ ! $option_stage ]] || arguments+=("--stage=$option_stage")
  [[ ! $option_confirm ]] || arguments+=(--confirm)
  [[ ! $option_duration ]] || arguments+=("--duration=$option_duration")
  [[ ! $option_min_life ]] || arguments+=("--min-life=$option_min_life")
  [[ $dotenv ]] || arguments+=(-- "$declared")
  [[ ! -t 2 ]] || terminal=$(stty -g 2>/dev/null </dev/tty)
  # Without 3>&- direnv would wait for whatever that process leaves running. To the outer stderr bash would say, with the
  # whole command line, that it was killed.
  { _awsdirenv_command "${arguments[@]}" </dev/null >&"$output" 3>&-; } 2>/dev/null
  status=$?
  ((_awsdirenv_stderr == 2)) || exec {_awsdirenv_stderr}>&-
  if ((status > 125)); then
    [[ ! $key ]] || rm -f -- "$cache/claims/$key"
    [[ ! $terminal ]] || stty "$terminal" 2>/dev/null </dev/tty # a killed prompt leaves the terminal raw
    if ((status > 128)); then
      _awsdirenv_say error "awsdirenv was ended by signal $((status - 128))"
      _awsdirenv_say hint 'direnv reload'
    else
      _awsdirenv_say error 'awsdirenv is not where this extension expects it'
      _awsdirenv_say hint 'awsdirenv setup'
    fi
  fi
  return "$status"
}

# Exports the block: the profile's credentials in, every other AWS credential out.
_awsdirenv_open() {
  _awsdirenv_keep_fresh # before the environment holds what we export
  local region_wanted=$option_region
  # A region that an earlier `use aws_profile` of this evaluation exported is not the environment's word.
  [[ ${AWSDIRENV_PROFILE+set} ]] || region_wanted=${region_wanted:-${AWS_REGION:-${AWS_DEFAULT_REGION-}}}
  _awsdirenv_unset_block
  region=${region_wanted:-$region}
  export AWS_ACCESS_KEY_ID=$access_key_id AWS_SECRET_ACCESS_KEY=$secret_access_key
  [[ ! $session_token ]] || export AWS_SESSION_TOKEN=$session_token
  export AWSDIRENV_PROFILE=$declared AWSDIRENV_LOADED="$envrc_mtime $PWD"
  [[ ! $stage ]] || export AWSDIRENV_STAGE=$stage
  [[ ! $account_id ]] || export AWS_ACCOUNT_ID=$account_id
  [[ ! $region ]] || export AWS_REGION=$region AWS_DEFAULT_REGION=$region
  # A shell's hook is to look again as soon as less is left than is wanted.
  if [[ $option_min_life && $expiration ]] && ((now < expiration - option_min_life)); then
    ((refresh_at < expiration - option_min_life)) || refresh_at=$((expiration - option_min_life))
  fi
  # Once that time is over, the next is the end: the shells' hooks look again at either, once.
  ((now < ${refresh_at:-0})) || refresh_at=$usable_until
  [[ ! $expiration ]] || export AWS_CREDENTIAL_EXPIRATION=$expiration_text AWSDIRENV_REFRESH_AT=$refresh_at
  _awsdirenv_show_in_prompt
  _awsdirenv_say_where
}

# For prompts that know other tools' variables only. What they would take for their own is shown as ?, as by
# `awsdirenv prompt`: themes evaluate such values.
_awsdirenv_show_in_prompt() {
  case ${AWSDIRENV_PROMPT_VARIABLE-} in
    '') ;;
    AWS_VAULT | AWSUME_PROFILE) export "$AWSDIRENV_PROMPT_VARIABLE=${declared//[\$\`\\%!#]/?}" ;;
    *)
      _awsdirenv_say warning 'AWSDIRENV_PROMPT_VARIABLE names a variable that is not ours to set'
      _awsdirenv_say hint 'AWSDIRENV_PROMPT_VARIABLE=AWS_VAULT, or AWSUME_PROFILE'
      ;;
  esac
}

# Takes every AWS credential out, an outer directory's and the login shell's included.
_awsdirenv_close() {
  _awsdirenv_unset_block
  ((envrc_mtime)) || envrc_mtime=$(stat -L -c %Y ./.envrc 3>&- 2>/dev/null) || envrc_mtime=0
  export AWSDIRENV_LOADED="$envrc_mtime $PWD"
  # So that `awsdirenv login`, typed here, is for what the directory wants.
  [[ ! $declared ]] || export AWSDIRENV_DECLARED=$declared
}

_awsdirenv_unset_block() {
  unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_SECURITY_TOKEN AWS_CREDENTIAL_EXPIRATION \
    AWS_SESSION_EXPIRATION AWS_PROFILE AWS_DEFAULT_PROFILE AWS_ACCOUNT_ID AWS_REGION AWS_DEFAULT_REGION \
    AWS_ROLE_ARN AWS_ROLE_SESSION_NAME AWS_WEB_IDENTITY_TOKEN_FILE AWS_CONTAINER_CREDENTIALS_FULL_URI \
    AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_CONTAINER_AUTHORIZATION_TOKEN AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE \
    AWS_EC2_METADATA_SERVICE_ENDPOINT AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE AWS_CREDENTIAL_FILE AWS_ACCESS_KEY \
    AWS_SECRET_KEY AWS_CREDENTIAL_SCOPE AMAZON_ACCESS_KEY_ID AMAZON_SECRET_ACCESS_KEY AMAZON_SESSION_TOKEN \
    AWS_BEARER_TOKEN_BEDROCK \
    AWS_VAULT AWSUME_PROFILE AWSDIRENV_PROFILE AWSDIRENV_STAGE AWSDIRENV_REFRESH_AT AWSDIRENV_LOADED AWSDIRENV_DECLARED
}

# The line on entering: which profile, account, role, region, and for how long.
_awsdirenv_say_where() {
  [[ ${DIRENV_LOG_FORMAT-set} && ${AWSDIRENV_QUIET-} != 1 ]] || return 0
  local left='' mark='' seconds
  if [[ $expiration ]]; then
    seconds=$((expiration - now))
    ((seconds < 60)) || ((seconds += 30)) # to the nearest minute
    if ((seconds >= 3600)); then
      printf -v left '%dh%02dm' $((seconds / 3600)) $((seconds % 3600 / 60))
    elif ((seconds >= 60)); then
      left=$((seconds / 60))m
    else
      left=${seconds}s
    fi
    left=", $left left"
  fi
  [[ ! $option_no_session ]] || left='; long-term keys are in the environment'
  [[ ! $option_live ]] || left=', live'
  if [[ $stage ]]; then
    mark="*** ${stage^^} ***"
    [[ ! -t 2 || ${NO_COLOR-} || ${TERM-dumb} == dumb ]] || mark=$'\e[1;37;41m'$mark$'\e[0m'
    mark+=' '
  fi
  printf '%s\n' "awsdirenv: $mark$declared: account ${account_id:-unknown}, ${role:+role $role, }${region:-no region}$left" >&2
  if [[ ! $region ]]; then
    _awsdirenv_say warning "no region for profile $declared"
    _awsdirenv_say hint "set region in [profile $declared] of $config"
  fi
}

# Not direnv's log_error: it takes % for a format, and since 2.36 it starts a process.
_awsdirenv_say() { printf '%s\n' "awsdirenv: $1: $2" >&2; }
