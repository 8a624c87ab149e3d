"""Text for people, terminals and shells: printable, shortened, quoted, hashed. Pure."""

from __future__ import annotations

from datetime import datetime, timezone


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
