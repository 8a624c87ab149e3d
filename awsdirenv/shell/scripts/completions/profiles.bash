_awsdirenv_profiles() {
  local config=${AWS_CONFIG_FILE-${HOME-}/.aws/config}
  local credentials=${AWS_SHARED_CREDENTIALS_FILE-${HOME-}/.aws/credentials}
  case $config in '~/'*) config=${HOME-}/${config#'~/'} ;; /*) ;; *) config=./$config ;; esac
  case $credentials in '~/'*) credentials=${HOME-}/${credentials#'~/'} ;; /*) ;; *) credentials=./$credentials ;; esac
  [[ -f $config && -r $config ]] || config=/dev/null
  [[ -f $credentials && -r $credentials ]] || credentials=/dev/null
  LC_ALL=C command awk @AWK@ kind=config "$config" kind=credentials "$credentials" 2>/dev/null || :
}
