# awsdirenv's hook for fish. When a directory's credentials are due, it makes direnv evaluate again, also before a command
# that you type after a pause. It also has `awsdirenv prompt`, without starting Python. Source it next to direnv's hook,
# before or after it.
#
# It starts no process at a prompt. fish has no variable with the time, but `path` prints the age of a file, and the age
# of a file from the first second of 1970 is the time. The hook changes only direnv's list of watched files: to a valid
# list that is stale. (Without a list direnv would forget to revert when you leave.) And where the .envrc was deleted,
# the path that direnv has of it.

if test (path mtime -- @EPOCH@ 2>/dev/null; or echo none) = 0 2>/dev/null
    function _awsdirenv_now
        path mtime -R -- @EPOCH@; or date +%s
    end
else # the file was not installed by `setup`, or it was copied, or this fish is older than 3.5
    function _awsdirenv_now
        date +%s
    end
end

function _awsdirenv_hook --on-event fish_prompt --on-event fish_preexec
    set -q AWSDIRENV_REFRESH_AT; or return
    if test -n "$_awsdirenv_timed" -a "$_awsdirenv_timed" = "$AWSDIRENV_REFRESH_AT"
        read -l uptime idle </proc/uptime
        test "$uptime" -ge $_awsdirenv_due; or return
    end
    test "$_awsdirenv_seen" != "$AWSDIRENV_REFRESH_AT"; or return
    string match -qr '^[1-9][0-9]{0,10}$' -- "$AWSDIRENV_REFRESH_AT"; or return
    set -l left (math $AWSDIRENV_REFRESH_AT - (_awsdirenv_now))
    if test $left -gt 0
        # Getting the time needs a command substitution, which is the slowest part of this function. Linux has a file
        # with the time since the machine was started, suspend included. That is enough to see that it is not due yet.
        if test -r /proc/uptime
            read -l uptime idle </proc/uptime
            set -g _awsdirenv_due (math "$uptime + $left - 1") # `left` is rounded to seconds, so check a bit earlier
            set -g _awsdirenv_timed $AWSDIRENV_REFRESH_AT
        end
        return
    end
    # Only once for each time: a shell may have inherited a time that is never renewed there.
    set -g _awsdirenv_seen $AWSDIRENV_REFRESH_AT
    set -gx DIRENV_WATCHES @STALE@
    direnv export fish | source
end

# Of what is no letter, sign or space, a terminal makes something else than text. It is shown as ?.
function _awsdirenv_printable
    string replace -ra '[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}' '?' -- $argv
end

# Says which stage you are leaving, before direnv evaluates at the prompt and the next directory says where you are. An
# inner directory without a line of ours may have the stage of the outer one, by `source_up`: between such two it is
# _awsdirenv_left that says it, if they differ.
function _awsdirenv_leave --on-event fish_postexec
    test -n "$AWSDIRENV_STAGE" -a -n "$DIRENV_FILE"; and functions -q __direnv_export_eval; or return
    set -l folder $PWD
    while test -n "$folder" -a ! -e "$folder/.envrc"
        set folder (string replace -r '/[^/]*$' '' -- "$folder")
    end
    set -l outer (string replace -r '/[^/]*$' '' -- "$DIRENV_FILE")
    if test -e "$folder/.envrc"
        test (realpath -- "$folder/.envrc") = (realpath -- "$DIRENV_FILE"); and return
        set -l inner
        string match -qr -- '^'(string escape --style=regex -- "$outer")/ "$folder"; and set inner "$folder/.envrc"
        string match -qr -- '^'(string escape --style=regex -- "$folder")/ "$outer"; and set inner "$DIRENV_FILE"
        if test -n "$inner"
            string match -qr '^\s*use[_\s]+aws_profile' <"$inner"; or return
        end
    end
    echo "awsdirenv: leaving *** "(_awsdirenv_printable (string upper -- "$AWSDIRENV_STAGE" | string collect))" ***" >&2
    set -g _awsdirenv_inside
end

# If the stage is gone or another one now, its directory has just been left. Where _awsdirenv_leave has said so, there is
# nothing to say.
function _awsdirenv_left --on-variable AWSDIRENV_STAGE
    if test -n "$_awsdirenv_inside" -a "$_awsdirenv_inside" != "$AWSDIRENV_STAGE"
        echo "awsdirenv: left *** "(_awsdirenv_printable (string upper -- "$_awsdirenv_inside" | string collect))" ***" >&2
    end
    set -g _awsdirenv_inside "$AWSDIRENV_STAGE"
end
set -g _awsdirenv_inside "$AWSDIRENV_STAGE"

# Says once that something beside or below our line has set another profile, or other keys, than the directory's, and
# lets go of a directory that is not there any more.
function _awsdirenv_watch_block --on-event fish_prompt
    if test ! -e "$DIRENV_FILE" -a -n "$AWSDIRENV_LOADED" -a -n "$DIRENV_FILE"
        # The .envrc is gone. direnv 2.37 takes nothing back then, not even when you leave (direnv issue 1548), but with
        # any file in its place it does.
        set -gx DIRENV_FILE /dev/null
        direnv export fish | source
    end
    set -l said
    if test -z "$AWS_ACCESS_KEY_ID"
    else if string match -q 'closed-by-awsdirenv:*' -- "$AWS_PROFILE"
        set said "this directory is closed, but something has set AWS_ACCESS_KEY_ID" 'direnv reload'
    else if test -n "$AWSDIRENV_PROFILE"
        set -l name AWS_PROFILE
        test -n "$AWS_PROFILE"; or set name AWS_DEFAULT_PROFILE
        set -l ours $AWSDIRENV_KEY_ID
        string match -q '*/awsdirenv/live/*' -- "$AWS_CONFIG_FILE"; and set ours none
        if test -n "$ours" -a "$ours" != "$AWS_ACCESS_KEY_ID"
            set said "the keys here are not this directory's: something has set AWS_ACCESS_KEY_ID" 'direnv reload'
        else if test -n "$$name" -a "$$name" != "$AWSDIRENV_PROFILE"
            set said "$name is set together with keys: many programs use the keys, and not that profile" "set -e $name"
        end
    end
    if test -n "$said[1]" -a "$said[1]" != "$_awsdirenv_mixed"
        echo "awsdirenv: warning: $said[1]" >&2
        echo "awsdirenv: hint: $said[2], or remove it from .envrc; for another profile: awsdirenv exec, or --live in .envrc" >&2
    end
    set -g _awsdirenv_mixed $said[1]
end

# Characters that have a meaning in a prompt are shown as ?.
function awsdirenv_prompt
    set -l status_before $status
    set -l segment
    if test -n "$AWSDIRENV_PROFILE"
        set segment "$AWSDIRENV_PROFILE"
        test -n "$AWSDIRENV_STAGE"; and set segment "$segment "(string upper -- "$AWSDIRENV_STAGE" | string collect)
    else if test -n "$AWSDIRENV_DECLARED"
        set segment "($AWSDIRENV_DECLARED: closed)"
    end
    test -n "$segment"; and string replace -ra '[$`\\\\%!#]' '?' -- (_awsdirenv_printable "$segment")
    return $status_before
end

function awsdirenv
    switch "$argv"
        case prompt
            awsdirenv_prompt
        case '*'
            command awsdirenv $argv
    end
end
