"""Commands as messages show them: each can be pasted into bash, zsh and fish as it stands. Pure: strings in and out."""

from __future__ import annotations

import re

# No shell sees more in it than text. To zsh `=name` is the path of a command, to fish `%self` is its own number.
_PLAIN = re.compile(r"(?![=%])[A-Za-z0-9_@%+=:,./-]+")


def shell_word(text: str) -> str:
    r"""Quote for bash, zsh and fish alike, also where they are interactive and `!` is the history.

    A backslash stays outside of the single quotes: inside, fish takes `\\` for one and the others for two.
    """
    if _PLAIN.fullmatch(text):
        return text
    return "'" + text.replace("'", "'\"'\"'").replace("\\", "'\\\\'") + "'"


def command_line(command: str, operand: str) -> str:
    """Give a command with an operand, such as a path, that is no option whatever it looks like."""
    return f"{command} {'-- ' if operand.startswith('-') else ''}{shell_word(operand)}"


def login_command(profile: str) -> str:
    """Give the command that gets new credentials for a profile, and asks a person for whatever that needs."""
    return command_line("awsdirenv login", profile)


def aws_command(command: str, profile: str) -> str:
    """Give a command of the AWS CLI's for a profile. Its parser takes no value that begins with `-`, but behind `=`."""
    option = f"--profile={profile}" if profile.startswith("-") else "--profile"
    return f"{command} {shell_word(option)}" if "=" in option else f"{command} {option} {shell_word(profile)}"


def unset_command(*names: str) -> str:
    """Give what takes variables out of a shell's environment. fish knows no `unset`, and the others no `set -e`."""
    listed = " ".join(names)
    return f"unset {listed}; in fish: set -e {listed}"


def erase_universal_command(name: str) -> str:
    """Give what takes a universal variable of fish's out, which only fish itself can."""
    return f"in fish: set -eU {name}"
