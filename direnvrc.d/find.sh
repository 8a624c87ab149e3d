#!/usr/bin/env bash
# shellcheck disable=SC1091,SC2034,SC2154 # it sources other parts, and they share the variables of warm.sh
#
# Finds what is wanted. Notes are at the end.
{
  _ad_parts+=' find '
  [[ $_ad_step ]] || return 0
  if [[ $_ad_step == line* ]]; then
    set -- "${_ad_line[@]}"
    if [[ ${1-} != -* && ($#${2-} == [01] || $#${2-} == 2--live) ]]; then
      _ad_has_profile=${1+1} _ad_declared=${1-} _ad_option_live=${2:+1}
    else
      _awsdirenv_run options _awsdirenv_parse_arguments "$@" || return 1
    fi
  fi
  if [[ $_ad_step == *agent* && ${AWSDIRENV_AGENT-}${AI_AGENT-}${AGENT-}${CLAUDECODE-}${CLAUDE_CODE-}${GEMINI_CLI-}${CODEX_SANDBOX-}${CODEX_THREAD_ID-}${CODEX_CI-}${OPENCODE-}${OPENCODE_CLIENT-}${AUGMENT_AGENT-}${GOOSE_TERMINAL-}${AMP_CURRENT_THREAD_ID-}${ANTIGRAVITY_AGENT-}${COPILOT_CLI-}${CLINE_ACTIVE-}${QWEN_CODE-}${!CURSOR_@} ]]; then
    _awsdirenv_run context _awsdirenv_look_for_agent || return 1
  fi
  case ${XDG_CACHE_HOME-} in
    /*) _ad_cache=$XDG_CACHE_HOME/awsdirenv ;;
    *) _ad_cache=$HOME/.cache/awsdirenv ;;
  esac
  if [[ $_ad_step == *mode* ]]; then
    if [[ ${AWSDIRENV_MODE-} ]]; then
      _awsdirenv_run options _awsdirenv_take_mode || return 1
    elif [[ ! $_ad_option_live$_ad_keys$_ad_option_no_session && -f ./.env && ! -v AWSDIRENV_MODE ]]; then
      _awsdirenv_run mode _awsdirenv_read_mode || return 1
    fi
  fi

  _ad_config=${AWS_CONFIG_FILE-~/.aws/config} _ad_credentials=${AWS_SHARED_CREDENTIALS_FILE-~/.aws/credentials}
  _ad_context='' _ad_key='' _ad_snapshot=''
  if [[ $_ad_config$_ad_credentials == *[\$~]* ]]; then
    _awsdirenv_run cold _awsdirenv_expand_paths || return 1
  fi
  for _ad_name in AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE AWS_ENDPOINT_URL_STS AWS_ENDPOINT_URL AWS_IGNORE_CONFIGURED_ENDPOINT_URLS; do
    [[ ! -v $_ad_name ]] || _awsdirenv_run text _awsdirenv_add_word _ad_context "$_ad_name" "${!_ad_name}" || return 1
  done
  [[ ! $_ad_options ]] || _ad_context+=${_ad_context:+ }$_ad_options
  if [[ ! $_ad_has_profile ]] && _awsdirenv_run context _awsdirenv_nearest_dotenv; then
    _awsdirenv_read_name || return 0
  else
    [[ $_ad_has_profile || ! $_ad_unread ]] || return 1
    [[ $_ad_has_profile ]] || _ad_declared=${AWS_PROFILE:-default}
    _ad_key=$_ad_declared
    if [[ ! $_ad_key || $_ad_key == .* || $_ad_key == *[!A-Za-z0-9._-]* || ${#_ad_key} -gt 200 ]]; then
      _ad_key=''
      _awsdirenv_run names _awsdirenv_encode "$_ad_declared" || return 1
      _ad_key=$_ad_reply
    fi
  fi
  if [[ $_ad_context || $_ad_key == *[A-Z]* || $_ad_key == *.used ]]; then
    _awsdirenv_run text _awsdirenv_hash "$_ad_key $_ad_context" || return 1
    _ad_key+=@$_ad_reply
  fi
  _ad_snapshot=$_ad_cache/snapshots/$_ad_key

  if [[ $_ad_step != *read || ($_ad_mode_stamp && $_ad_mode_stamp != "$_ad_dotenv_stamp") ]]; then
    :
  elif [[ $_ad_option_live ]]; then
    ! _awsdirenv_run live _awsdirenv_read_snapshot_and_live || _ad_is_fresh=1
  elif [[ ! $_ad_option_no_session ]]; then
    ! _awsdirenv_read_snapshot keys _awsdirenv_is_fresh _awsdirenv_watch_files || _ad_is_fresh=1
  fi
  return
} # find

# Notes
#
# - It is a step of warm.sh, and runs in bytes: in its patterns and lengths, characters are bytes. The words in `_ad_step` say
#   what of it is wanted; `_ad_is_fresh` tells in the end whether nothing has to be made.
# - Most lines have a profile, and perhaps --live. The part `options` reads the others.
# - The variables that tell an agent are AGENT_VARIABLES of awsdirenv/config/environment.py.
# - `_ad_snapshot` and its `_ad_key` are as in awsdirenv/cache/layout.py; `_ad_context` is context_text of
#   awsdirenv/config/environment.py. botocore takes an empty AWS_CONFIG_FILE at its word: so `-`, and not `:-`.
# - Python leaves a note of what .env means. Without one there is no key yet. Where the part that looks for .env cannot be read,
#   nobody knows which profile it is.
# - A mode that .env declares may be another one by now: see _awsdirenv_settle_mode.
