"""Text for people, terminals and shells: printable, shortened, quoted or hashed text, and commands to paste."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable
from datetime import datetime, timezone

# An ARN, a time as AWS signs it, or any word as long as a key may be.
_LONG_WORD = re.compile(r"(?P<known>arn:[\w:/.@,*-]+|\b\d{8}T\d{6}Z\b)|[\w+/=-]{16,}")
_SECRET_LENGTH = 40  # characters: that of a secret access key
# Text that has no special meaning in any shell. zsh replaces `=name` with the path of a command, fish replaces `%self`
# with its process id.
_PLAIN = re.compile(r"(?![=%])[A-Za-z0-9_@%+=:,./-]+")

# bash's digits to the base of 64, and what stands for signs.
_DIGITS = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ@_"
_SIGNS = bytes.maketrans(b"/.:-", b"abcd")


def printable(text: str) -> str:
    """Return the text of a file or a server without the characters that could control the terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def one_line(text: str) -> str:
    """Return somebody else's text in the form of our messages: one line, not too long, without a full stop."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line[:300].rstrip(".")


def without_keys(text: str) -> str:
    """Replace words that may be credentials by `…`, in what a program or a server has written.

    ARNs and times stay. So do words that look like no key: names in lower case, and words of letters only, if they are
    shorter than a secret key.
    """
    return _LONG_WORD.sub(lambda word: word[0] if word["known"] or _is_no_key(word[0]) else "…", text)


def _is_no_key(word: str) -> bool:
    is_name = word == word.lower() and len(word) < _SECRET_LENGTH and not {*"+/="} & {*word}
    is_of_letters = word.isalpha() and len(word) < _SECRET_LENGTH
    return is_name or is_of_letters


def with_tilde(path: str, home: str) -> str:
    """Return a path with `~` for the home folder."""
    below = home.rstrip("/") + "/"
    return f"~/{path.removeprefix(below).lstrip('/')}" if path.startswith(below) else path


def utc_text(moment: datetime) -> str:
    """Return a time for JSON: RFC 3339, in UTC, in whole seconds."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock_text(moment: datetime, now: datetime, *, seconds: bool = False) -> str:
    """Return a time in the local time zone, with the date if it is not today."""
    local = moment.astimezone()
    if local.date() != now.astimezone().date():
        return local.strftime("%Y-%m-%d %H:%M")
    return local.strftime("%H:%M:%S" if seconds else "%H:%M")


def is_set(value: str | None) -> bool:
    """Return whether the value of a variable means yes."""
    return (value or "").lower() not in ("", "0", "false", "no")


def sh_quote(text: str) -> str:
    """Quote for sh, bash and zsh, always. shlex.quote leaves `=name` unquoted, which zsh replaces with a path."""
    return "'" + text.replace("'", "'\\''") + "'"


def fish_quote(text: str) -> str:
    r"""Quote for fish, where only \\ and \' are special inside single quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def powershell_quote(text: str) -> str:
    """Quote for PowerShell: each single quote is doubled. For PowerShell typographic ones are single quotes, too."""
    for quote in ("'", "\u2018", "\u2019", "\u201a", "\u201b"):
        text = text.replace(quote, quote * 2)
    return f"'{text}'"


def os_bytes(text: str) -> bytes:
    """Return the bytes of a name or path as the system has them, also of one that the locale's encoding lacks.

    Such text comes from a file of ours or from JSON, which are UTF-8 in every locale.
    """
    try:
        return os.fsencode(text)
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")


def text_number(text: str) -> int:
    """Return a number of 64 bits for a text, as bash can compute it without a process.

    bash reads ten characters as digits to the base of 64, four times in one step. So all that is no letter and no digit
    becomes `_` first, and is appended in a second alphabet; zeros fill the last step.
    """
    data = os_bytes(text)
    signs = re.sub(rb"[^a-d]", b"e", re.sub(rb"[A-Za-z0-9]", b"", data).translate(_SIGNS))
    digits = re.sub(rb"[^A-Za-z0-9]", b"_", data) + signs
    digits += b"0" * (-len(digits) % 40)
    number = len(data)
    for start in range(0, len(digits), 10):
        word = 0
        for digit in digits[start : start + 10]:
            word = word * 64 + _DIGITS.index(digit)
        number = (number ^ word) * 1099511628211 & 0xFFFF_FFFF_FFFF_FFFF
    return number


def shell_word(text: str) -> str:
    r"""Quote for bash, zsh and fish, also for interactive ones, where `!` means the history.

    A backslash stays outside the single quotes. Inside them `\\` is one backslash for fish, and two for the others.
    """
    if _PLAIN.fullmatch(text):
        return text
    return "'" + text.replace("'", "'\"'\"'").replace("\\", "'\\\\'") + "'"


def unix_lines_command(envrc: str, folder: str) -> str:
    """Return the command that makes all lines of an `.envrc` end with LF, and allows it again."""
    path, draft = sh_quote(envrc), sh_quote(f"{envrc}.lf")
    return f"tr -d '\\r' <{path} >{draft}; mv {draft} {path}; direnv allow {sh_quote(folder)}"


def command_line(command: str, operand: str) -> str:
    """Return a command with an operand, such as a path. A `--` keeps the operand from being read as an option."""
    return f"{command} {'-- ' if operand.startswith('-') else ''}{shell_word(operand)}"


def sdk_command(words: Iterable[str]) -> str:
    """Return a command line for AWS's config file, such as a credential_process.

    Every SDK's parser reads it unchanged, and a shell and botocore's shlex split it into the same words.
    """
    # For some parsers ` #` and ` ;` begin a comment, even in quotes. An empty pair of quotes between the two prevents
    # that.
    return " ".join(re.sub(r"(\s)(?=[#;])", r"\1''", shlex.quote(word)) for word in words)


def key_end(access_key_id: str) -> str:
    """Return what messages show of an access key: the last four characters of its id."""
    return f"…{access_key_id[-4:]}"


def login_command(profile: str, *options: str) -> str:
    """Return the command that gets new credentials for a profile, with a question to the user if needed.

    Without the option `--force` it changes nothing while the stored credentials still hold.
    """
    return command_line(" ".join(["awsdirenv login", *map(shell_word, options)]), profile)


def aws_command(command: str, profile: str) -> str:
    """Return a command of the AWS CLI for a profile. Its parser accepts a value with a leading `-` only after `=`."""
    option = f"--profile={profile}" if profile.startswith("-") else "--profile"
    return f"{command} {shell_word(option)}" if "=" in option else f"{command} {option} {shell_word(profile)}"


def unset_command(*names: str) -> str:
    """Return commands that unset variables. fish has no `unset`, and `set -e` does something else elsewhere."""
    listed = " ".join(names)
    return f"unset {listed}; in fish: set -e {listed}"


def erase_universal_command(name: str) -> str:
    """Return the command that erases a universal variable of fish. Only fish itself can do that."""
    return f"in fish: set -eU {name}"
