"""Text for people, terminals and shells: printable, shortened, quoted, hashed; and commands to paste. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timezone

# No shell sees more in it than text. To zsh `=name` is the path of a command, to fish `%self` is its own number.
_PLAIN = re.compile(r"(?![=%])[A-Za-z0-9_@%+=:,./-]+")


def printable(text: str) -> str:
    """Keep what a file or a server says from steering the terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def one_line(text: str) -> str:
    """Make foreign words fit for a message: one line, not too long, without a full stop."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line[:300].rstrip(".")


def with_tilde(path: str, home: str) -> str:
    """Shorten a path below the home folder, as people write it."""
    below = home.rstrip("/") + "/"
    return f"~/{path.removeprefix(below)}" if path.startswith(below) else path


def utc_text(moment: datetime) -> str:
    """Write a time as JSON documents have it: RFC 3339, in UTC, in whole seconds."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock_text(moment: datetime, now: datetime, *, seconds: bool = False) -> str:
    """Say a time as a clock of this time zone shows it, with the date if it is not today."""
    local = moment.astimezone()
    if local.date() != now.astimezone().date():
        return local.strftime("%Y-%m-%d %H:%M")
    return local.strftime("%H:%M:%S" if seconds else "%H:%M")


def is_set(value: str | None) -> bool:
    """Tell whether a yes-or-no variable says yes."""
    return (value or "").lower() not in ("", "0", "false", "no")


def sh_quote(text: str) -> str:
    """Quote for sh, bash and zsh, always: to zsh `=name`, which shlex.quote lets be, is the path of a command."""
    return "'" + text.replace("'", "'\\''") + "'"


def fish_quote(text: str) -> str:
    r"""Quote for fish, where only \\ and \' are special inside single quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def powershell_quote(text: str) -> str:
    """Quote for PowerShell, where a single quote is doubled. It takes typographic ones for single quotes, too."""
    for quote in ("'", "\u2018", "\u2019", "\u201a", "\u201b"):
        text = text.replace(quote, quote * 2)
    return f"'{text}'"


def fnv1a(data: bytes) -> int:
    """Hash as FNV-1a, 32 bits: the one decent hash that bash can do without a process."""
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


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
