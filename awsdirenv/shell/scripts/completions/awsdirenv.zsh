#compdef awsdirenv
# awsdirenv's completion for zsh. Save it as _awsdirenv in a folder of $fpath, or source it after compinit.

# @PROFILES@

_awsdirenv_profile() {
  local output
  local -a names
  output=$(_awsdirenv_profiles)
  [[ -n $output ]] || return 1
  names=("${(@f)output}")
  compadd "$@" -a names
}

_awsdirenv() {
  local curcontext=$curcontext state line ret=1
  local -a commands
  typeset -A opt_args
  _arguments -C -S \
    @TOP@ \
    ': :->command' '*:: :->arguments' && ret=0
  case $state in
    command)
      commands=(
        @COMMANDS@
      )
      _describe -t commands command commands && ret=0
      ;;
    arguments)
      curcontext=${curcontext%:*}-$words[1]:
      case $words[1] in
        # @CASES@
      esac
      ;;
  esac
  return ret
}

if [[ ${zsh_eval_context[-1]-} == loadautofunc ]]; then
  _awsdirenv "$@"
elif (( ${+functions[compdef]} )); then
  compdef _awsdirenv awsdirenv
fi
