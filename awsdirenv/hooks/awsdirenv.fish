# awsdirenv's hook for fish: once a directory's credentials are due, direnv looks again, also before a command that you
# type after having sat still. Source it after direnv's hook.
#
# No process at a prompt. fish has no variable with the time, but `path` tells how old a file is: one from the first
# second of 1970 is as old as the clock. What the hook changes is only what direnv believes to have seen: a list that
# decodes and is stale. (Without a list direnv would forget to revert when you leave.)

function _awsdirenv_hook --on-event fish_prompt --on-event fish_preexec
    set -l due $AWSDIRENV_REFRESH_AT
    string match -qr '^[0-9]+$' -- "$due"; or return
    test "$_awsdirenv_seen" != "$due"; or return
    set -l now (path mtime -R -- @EPOCH@ 2>/dev/null; or date +%s)
    test $now -ge $due; or return
    # Once for each time: a shell may have inherited one that nobody in it will ever renew.
    set -g _awsdirenv_seen $due
    set -gx DIRENV_WATCHES @STALE@
    direnv export fish | source
end
