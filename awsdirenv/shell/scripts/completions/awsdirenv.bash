# awsdirenv's completion for bash. Save it to a file and source that from ~/.bashrc.
# shellcheck shell=bash
# shellcheck disable=SC2088 # the tilde is in the value, where botocore expands it and bash does not

# @PROFILES@

# What is expected at the cursor: after an option, as the nth argument, as an option or command.
_awsdirenv_place() {
  place=()
  case $1 in
    # @CASES@
  esac
}

# Joins the parts into which COMP_WORDBREAKS has split a word. `raw` is the word at the cursor. `broken` is its part
# before the last break, which readline does not replace. `before` has the words before it.
_awsdirenv_words() {
  local i word line=${COMP_LINE-} rest
  line=${line:0:${COMP_POINT:-0}}
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]} rest=${line#"${line%%[!$' \t']*}"}
    ((i < COMP_CWORD)) || [[ ! ${COMP_LINE+set} ]] || word=$rest
    if ((i)) && [[ ${COMP_LINE+set} && $line == "$rest" ]]; then
      broken=$raw
    else
      ((i < 2)) || before+=("$raw")
      raw='' broken=''
    fi
    raw+=$word line=${rest#"$word"}
  done
  case $word in
    '' | *[!"${COMP_WORDBREAKS-}"]*) ;;
    *) broken=$raw ;;
  esac
  broken=${broken%@} # readline breaks before this one
}

# Removes the quotes of a word, without evaluating it. Sets `plain`, the `style` of a quote that is still open, and
# `opened` with the text before that quote.
_awsdirenv_unquote() {
  local i char
  plain='' style='' opened=''
  for ((i = 0; i < ${#1}; i++)); do
    char=${1:i:1}
    case $style$char in
      "''" | '""') style='' ;;
      "'" | '"') style=$char opened=$plain ;;
      \\ | '"'\\)
        i=$((i + 1))
        case $style${1:i:1} in '"' | '"'[!\"\\\$\`]) plain+=\\ ;; esac
        plain+=${1:i:1}
        ;;
      *) plain+=$char ;;
    esac
  done
}

_awsdirenv() {
  local IFS=$'\n' raw='' broken='' before=('') place=() word names globs=''
  local plain style opened command='' value='' is_list='' only_arguments='' count=1 current head lead=''
  _awsdirenv_words
  for word in "${before[@]:1}"; do
    if [[ $value && ! ($is_list && $word == -*) ]]; then
      [[ $is_list ]] || value=''
    elif [[ ! $only_arguments && $word == -- ]]; then
      only_arguments=1
    elif [[ ! $only_arguments && $word == -?* ]]; then
      value='' is_list=''
      _awsdirenv_place "$command $word"
      [[ ${place+set} != set ]] || value=$word
      [[ ${place-} != files ]] || is_list=1
    elif [[ ! $command ]]; then
      command=$word
    else
      count=$((count + 1))
    fi
  done
  _awsdirenv_unquote "$broken"
  head=$plain
  _awsdirenv_unquote "$raw"
  current=$plain
  [[ ! $style ]] || head=$opened
  if [[ $value && ! ($is_list && $current == -*) ]]; then
    _awsdirenv_place "$command $value"
  elif [[ ! $only_arguments && $current == --*=* ]]; then
    word=${current%%=*}=
    _awsdirenv_place "$command ${word%=}"
    current=${current#"$word"}
    if [[ $head == "$word"* ]]; then head=${head#"$word"}; else lead=$word head=''; fi
  elif [[ ! $only_arguments && $current == -* ]]; then
    _awsdirenv_place "$command options"
  else
    _awsdirenv_place "$command $count"
  fi
  COMPREPLY=()
  case ${place-} in
    choices)
      for word in "${place[@]:1}"; do
        [[ $word != "$current"* ]] || COMPREPLY+=("$lead${word:${#head}}")
      done
      ;;
    profile)
      names=$(current=$current head=$head lead=$lead style=$style _awsdirenv_profiles)
      case $- in *f*) ;; *) globs=1 ;; esac
      set -f
      # shellcheck disable=SC2206 # split at line breaks; a loop of `read` takes three times as long
      COMPREPLY=($names)
      [[ ! $globs ]] || set +f
      ;;
    file | files) compopt -o default 2>/dev/null || : ;; # readline knows best how to quote a file
  esac
}

complete -F _awsdirenv awsdirenv
