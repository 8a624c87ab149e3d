#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # the parts share the variables of warm.sh
#
# The arguments of the line, where it has others than a profile and --live. Works with the variables of warm.sh.

# Fills `_ad_declared`, `_ad_has_profile` and the options of the caller.
_awsdirenv_parse_arguments() {
  local _ad_name _ad_value _ad_only_names='' _ad_policy_arns=() _ad_read_only=''
  [[ $* != *$'\r'* ]] || _awsdirenv_run cold _awsdirenv_refuse_line_end || return 1
  while (($#)); do
    if [[ $_ad_only_names || $1 != -* ]]; then
      [[ ! $_ad_has_profile ]] || _awsdirenv_refuse_argument "$1" second || return 1
      _ad_has_profile=1 _ad_declared=$1
      shift
      continue
    fi
    case $1 in --policy* | --read-only) _ad_narrowed=unclear ;; esac # until all of the line is understood
    case $1 in
      --) _ad_only_names=1 ;;
      --region | --region=* | --duration | --duration=* | --min-life | --min-life=* | \
        --account | --account=* | --role | --role=* | --stage | --stage=* | --policy | --policy=* | --policy-arn | --policy-arn=*)
        _ad_name=${1%%=*} _ad_value=''
        if [[ $1 == *=* ]]; then
          _ad_value=${1#*=}
        elif (($# > 1)); then
          _ad_value=$2
          shift
        fi
        _awsdirenv_take_option "$_ad_name" "$_ad_value" || return 1
        ;;
      --no-session) _ad_option_no_session=1 ;;
      --live) _ad_option_live=1 ;;
      --keys) _ad_keys=1 ;;
      --confirm) _ad_option_confirm=1 ;;
      --read-only) _ad_read_only=--read-only ;;
      *) _awsdirenv_refuse_argument "$1" || return 1 ;;
    esac
    shift
  done
  _ad_asked=(${_ad_option_policy:+"--policy=$_ad_option_policy"} "${_ad_policy_arns[@]/#/--policy-arn=}" ${_ad_read_only:+"$_ad_read_only"})
  [[ ! $_ad_option_live || ! $_ad_keys ]] || _awsdirenv_refuse_argument --keys || return 1
  if [[ $_ad_option_no_session ]]; then
    [[ ! $_ad_option_live ]] || _awsdirenv_refuse_argument --live || return 1
    [[ ! ${_ad_asked[*]} ]] || _awsdirenv_refuse_argument --no-session || return 1
  fi
  _awsdirenv_write_options
}

# AWSDIRENV_MODE says how directories get credentials whose line does not say it.
_awsdirenv_take_mode() {
  local _ad_reply
  case $AWSDIRENV_MODE in
    keys) ;;
    live) [[ $_ad_keys$_ad_option_no_session ]] || _ad_option_live=1 ;;
    *)
      _awsdirenv_run cold _awsdirenv_printable "$AWSDIRENV_MODE" || return 1
      _awsdirenv_refuse "AWSDIRENV_MODE must be live or keys: $_ad_reply" "export AWSDIRENV_MODE=live"
      ;;
  esac
}

# Says in `_ad_options` what is asked of the session, and in `_ad_asked` with which options of a command: text and
# arguments of SessionOptions in awsdirenv/config/environment.py.
_awsdirenv_write_options() {
  local _ad_word _ad_value
  _ad_narrowed=''
  for _ad_word in "${_ad_asked[@]#--}"; do
    case $_ad_word in
      *=*) _awsdirenv_run text _awsdirenv_add_word _ad_narrowed "${_ad_word%%=*}" "${_ad_word#*=}" ;;
      *) _ad_narrowed+=${_ad_narrowed:+ }$_ad_word ;;
    esac
  done
  _ad_options=$_ad_narrowed
  [[ ! $_ad_option_duration ]] || _ad_asked=("--duration=$_ad_option_duration" "${_ad_asked[@]}") _ad_options="duration=$_ad_option_duration${_ad_narrowed:+ }$_ad_narrowed"
}

# Checks the value of an option and fills the variable of its name; durations become seconds.
_awsdirenv_take_option() {
  # The same as policy_arn in awsdirenv/config/session_options.py.
  local LC_ALL=C _ad_is_policy='^arn:[a-z-]+:iam::(aws|[0-9]{12}):policy/([!-~]+/)?[A-Za-z0-9_+=,.@-]{1,128}$'
  case $1 in
    --region) ! _awsdirenv_run names _awsdirenv_is_region "$2" || { _ad_option_region=$2 && return; } ;;
    --account) [[ $2 == *[!0-9]* || ${#2} != 12 ]] || { _ad_option_account=$2 && return; } ;;
    --role) [[ ! $2 || $2 == *[!A-Za-z0-9+=,.@_-]* ]] || { _ad_option_role=$2 && return; } ;;
    --policy) [[ ! $2 || $2 == *[[:cntrl:]]* ]] || { [[ $2 == /* ]] || set -- "$1" "$PWD/$2" && _ad_option_policy=$2 && return; } ;;
    --policy-arn) [[ ! $2 =~ $_ad_is_policy ]] || { _ad_policy_arns+=("$2") && return; } ;;
    --stage) [[ ! $2 || $2 == *[[:cntrl:]]* || ${#2} -gt 40 ]] || { _ad_option_stage=$2 && return; } ;;
    *)
      local _ad_seconds=0 _ad_least=1
      [[ $1 != --duration ]] || _ad_least=900
      if ((${#2} < 12)) && [[ $2 =~ ^(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s?)?$ ]]; then
        ((_ad_seconds = 10#0${BASH_REMATCH[2]} * 3600 + 10#0${BASH_REMATCH[4]} * 60 + 10#0${BASH_REMATCH[6]}))
      fi
      if ((_ad_seconds >= _ad_least && _ad_seconds <= 43200)); then
        if ((_ad_least > 1)); then _ad_option_duration=$_ad_seconds; else _ad_option_min_life=$_ad_seconds; fi
        return
      fi
      ;;
  esac
  _awsdirenv_refuse_option "$1" "$2"
}

# Says what is wrong with an argument of the line, and fails. $2 is for a second profile.
_awsdirenv_refuse_argument() {
  local _ad_reply
  _awsdirenv_run cold _awsdirenv_printable "$1" || return 1
  case ${2-}$1 in
    --keys)
      _awsdirenv_refuse "use aws_profile takes --live or --keys, not both" "leave one of them out"
      ;;
    --no-session)
      _awsdirenv_refuse "use aws_profile --no-session gives long-term keys, which no policy narrows" "leave --no-session out"
      ;;
    --live)
      _awsdirenv_refuse "use aws_profile takes --live or --no-session, not both" \
        "in a live directory, name the profile that has the keys: aws --profile NAME"
      ;;
    -*)
      _awsdirenv_refuse "unknown option of use aws_profile: $_ad_reply" \
        "use aws_profile [PROFILE] [--region REGION] [--duration TIME] [--min-life TIME] [--live | --keys | --no-session] [--account ID] [--role NAME] [--stage STAGE] [--confirm] [--read-only] [--policy-arn ARN] [--policy FILE]"
      ;;
    *)
      _awsdirenv_refuse "use aws_profile takes one profile, and got a second: $_ad_reply" \
        "put a name with spaces into quotes"
      ;;
  esac
}

# The same for the value $2 of an option.
_awsdirenv_refuse_option() {
  local LC_ALL=C _ad_reply _ad_range='between 15m and 12h'
  case $1 in
    --region) _awsdirenv_refuse_line "$1 needs the name of a region" "$1 eu-west-1" ;;
    --account) _awsdirenv_refuse_line "$1 needs the twelve digits of an account" "$1 123456789012" ;;
    --policy) _awsdirenv_refuse_line "$1 needs the path of a file" "$1 policy.json" ;;
    --policy-arn) _awsdirenv_refuse_line "$1 needs the ARN of a managed policy" "$1 arn:aws:iam::aws:policy/ReadOnlyAccess" ;;
    --role) _awsdirenv_refuse_line "$1 needs the name of a role, without its path" "$1 adminrole" ;;
    --stage)
      if [[ $2 && $2 != *[[:cntrl:]]* ]]; then
        _awsdirenv_refuse_line "$1 is too long" "$1 production"
      else
        _awsdirenv_refuse_line "$1 needs a word such as production" "$1 production"
      fi
      ;;
    *)
      [[ $1 == --duration ]] || _ad_range='up to 12h'
      _awsdirenv_run cold _awsdirenv_printable "$2" || return 1
      _awsdirenv_refuse "$1 must be a time $_ad_range: $_ad_reply" "such as 3600, 15m, 2h or 1h30m"
      ;;
  esac
}

# Says $1, and the whole line with the option $2, as it can be pasted. Fails.
_awsdirenv_refuse_line() {
  local _ad_reply
  _awsdirenv_quote "${_ad_declared:-adminrole}"
  _awsdirenv_run cold _awsdirenv_printable "$_ad_reply" || return 1
  case $_ad_reply in
    -* | \'-*) _awsdirenv_refuse "$1" "use aws_profile $2 -- $_ad_reply" ;;
    *) _awsdirenv_refuse "$1" "use aws_profile $_ad_reply $2" ;;
  esac
}

# Quotes a word for every shell, in _ad_reply: shell_word of awsdirenv/system/text.py.
_awsdirenv_quote() {
  local _ad_text=${1//[[:cntrl:]]/?}
  case $_ad_text in
    '' | [=%]* | *[!A-Za-z0-9_@%+=:,./-]*)
      _ad_text=${_ad_text//\'/\'\"\'\"\'}
      _ad_reply=\'${_ad_text//\\/\'\\\\\'}\'
      ;;
    *) _ad_reply=$_ad_text ;;
  esac
}

# Where this is missing, the file has been cut off; see _awsdirenv_run.
_ad_parts+=' options '
