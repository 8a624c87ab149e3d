# awsdirenv's completion for fish. Save it as ~/.config/fish/completions/awsdirenv.fish.

function __awsdirenv_profiles
    set -l config "$HOME/.aws/config"
    set -q AWS_CONFIG_FILE; and set config "$AWS_CONFIG_FILE"
    set -l credentials "$HOME/.aws/credentials"
    set -q AWS_SHARED_CREDENTIALS_FILE; and set credentials "$AWS_SHARED_CREDENTIALS_FILE"
    set -l files
    for file in $config $credentials
        string match -q '~/*' -- $file; and set file $HOME(string sub -s 2 -- $file)
        string match -q '/*' -- $file; or set file ./$file
        test -f $file -a -r $file; or set file /dev/null
        set -a files $file
    end
    LC_ALL=C command awk @AWK@ kind=config $files[1] kind=credentials $files[2] 2>/dev/null
end

# Whether the cursor is in a command ('' before there is one) and, if a number is given, at that argument of it; with
# `list`, whether it is behind an option that takes all words up to the next option.
function __awsdirenv_at
    set -l command ''
    set -l count 1
    set -l has_value 0
    set -l only_arguments 0
    set -l words (commandline -opc)
    for word in $words[2..-1]
        if test $has_value = 1
            set has_value 0
        else if test $has_value = 2; and not string match -q -- '-*' $word
            continue
        else if test $only_arguments = 0; and test "$word" = --
            set only_arguments 1
        else if test $only_arguments = 0; and string match -qr -- '^-.' $word
            set has_value 0
            contains -- "$command $word" @VALUES@; and set has_value 1
            contains -- "$command $word" @LISTS@; and set has_value 2
        else if test -z "$command"
            set command $word
        else
            set count (math $count + 1)
        end
    end
    test "$command" = "$argv[1]"; or return 1
    set -q argv[2]; or return 0
    if test $has_value = 2 -o $argv[2] = list
        test $has_value = 2 -a $argv[2] = list
        return
    end
    test $count -ge $argv[2]; and test $count -le $argv[-1]
end

complete -c awsdirenv -e
complete -c awsdirenv -f
