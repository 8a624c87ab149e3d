"""The grammar of the files that Python and the extension both read: one table of lines for each.

A file has all lines of its table, in this order, each once; a value that is unknown is empty. The readers here use the
tables directly. Those in direnvrc.d are made from them: tests/support/bash_grammar.py says how, and a test compares.
Lengths are in bytes, because bash counts them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto

from awsdirenv.records import Record
from awsdirenv.session_credentials import KEY_ID_CHARACTERS, LONGEST_KEY_ID, LONGEST_SECRET, SECRET_CHARACTERS
from awsdirenv.system.clocks import ANCHOR

# The last second of the year 9999: Python has no later one.
LATEST = 253402300799
# A path has up to 4096 bytes; a longer one names no file. A stamp has some numbers before it.
_LONGEST_TEXT = 8192


class Form(Enum):
    """What else there is to know of a value than its characters."""

    WORD = auto()  # only the characters that its line names
    NAME = auto()  # the same, and no dash at its beginning
    NUMBER = auto()  # decimal digits without a zero before them; to bash, that would mean an octal number
    ANCHOR = auto()  # see `clocks`
    WORDS = auto()  # anything without control characters
    TEXT = auto()  # anything that fits on a line; a stamp is one, and whoever reads it compares it with the file
    SETTING = auto()  # a variable of the environment: empty where it is not set, `=` and its value where it is


class Line(Record):
    """One line of a file: `NAME=value`."""

    name: str
    longest: int  # bytes
    characters: str = ""  # as they stand between brackets in a pattern, both of Python's and of bash's
    form: Form = Form.WORD
    required: bool = False

    def takes(self, value: str) -> bool:
        """Tell whether this may stand on the line."""
        data = value.encode("utf-8", "surrogateescape")
        if len(data) > self.longest or not re.fullmatch(self._pattern(), data):
            return False
        return self.form is not Form.NUMBER or int(value or 0) <= LATEST

    def _pattern(self) -> bytes:
        if self.form is Form.ANCHOR:
            pattern = ANCHOR
        elif self.form is Form.NUMBER:
            pattern = "0|[1-9][0-9]*"
        else:
            pattern = {
                Form.WORD: f"[{self.characters}]+",
                Form.NAME: f"(?!-)[{self.characters}]+",
                Form.WORDS: r"[^\x00-\x1f\x7f]+",
                Form.TEXT: r"[^\x00\n]+",
                Form.SETTING: r"=[^\x00\n]*",
            }[self.form]
        return (pattern if self.required else f"(?:{pattern})?").encode()


# What an AWS account and role, and a stage, are called: in snapshots and in live files alike.
_ACCOUNT = ("0-9", 20)
_ROLE = ("A-Za-z0-9+=,.@_-", 64)
_LONGEST_STAGE = 160  # 40 characters
_LONGEST_POLICIES = 400  # 100 characters
_PROFILE = ("A-Za-z0-9._%-", 200)  # as `encode_name` makes it


def _word(name: str, kind: tuple[str, int], *, required: bool = False) -> Line:
    characters, longest = kind
    return Line(name, longest, characters, required=required)


def _region(name: str) -> Line:
    return Line(name, 63, "A-Za-z0-9-", Form.NAME)  # what botocore takes: OVH has GRA


def _number(name: str, longest: int = 12, *, required: bool = False) -> Line:
    return Line(name, longest, form=Form.NUMBER, required=required)


def _text(name: str, *, required: bool = False) -> Line:
    return Line(name, _LONGEST_TEXT, form=Form.TEXT, required=required)


SNAPSHOT = (
    _word("AWSDIRENV_PROFILE", _PROFILE, required=True),
    _text("AWSDIRENV_CONTEXT"),
    _word("AWS_ACCESS_KEY_ID", (KEY_ID_CHARACTERS, LONGEST_KEY_ID), required=True),
    _word("AWS_SECRET_ACCESS_KEY", (SECRET_CHARACTERS, LONGEST_SECRET), required=True),
    _word("AWS_SESSION_TOKEN", (SECRET_CHARACTERS, LONGEST_SECRET)),
    _word("AWS_ACCOUNT_ID", _ACCOUNT),
    _region("AWS_REGION"),
    _word("AWSDIRENV_ROLE", _ROLE),
    Line("AWSDIRENV_STAGE", _LONGEST_STAGE, form=Form.WORDS),
    Line("AWSDIRENV_POLICIES", _LONGEST_POLICIES, form=Form.WORDS),
    _text("AWSDIRENV_POLICY_FILE"),
    _text("AWSDIRENV_ENVIRONMENT"),
    _number("AWSDIRENV_ISSUED", required=True),
    _number("AWSDIRENV_EXPIRATION"),
    Line("AWSDIRENV_CLOCK", 42, form=Form.ANCHOR),
    _text("AWSDIRENV_CONFIG", required=True),
    _text("AWSDIRENV_CREDENTIALS", required=True),
)
LIVE = (
    _word("version", ("4", 1), required=True),
    _word("profile", _PROFILE, required=True),
    _text("config", required=True),
    _text("credentials", required=True),
    Line("AWS_CONFIG_FILE", _LONGEST_TEXT, form=Form.SETTING),
    Line("AWS_SHARED_CREDENTIALS_FILE", _LONGEST_TEXT, form=Form.SETTING),
    _text("AWS_MFA_SERIAL"),
    _text("options"),
    _text("python", required=True),
    _text("program", required=True),
    _region("region"),
    _word("account_id", _ACCOUNT),
    _word("role", _ROLE),
    Line("stage", _LONGEST_STAGE, form=Form.WORDS),
    Line("policies", _LONGEST_POLICIES, form=Form.WORDS),
    _number("mtime", required=True),
)
MODE = (
    _word("AWSDIRENV_MODE", ("a-z", 4)),
    _text("AWSDIRENV_DOTENV", required=True),
    _text("AWSDIRENV_VARIABLES"),
)
NAME = (
    Line("AWSDIRENV_PROFILE", 200, form=Form.WORDS, required=True),
    _text("AWSDIRENV_DOTENV", required=True),
    _text("AWSDIRENV_VARIABLES"),
)


def fits(table: Sequence[Line], names: Sequence[str], values: Sequence[str]) -> bool:
    """Tell whether a file with these names and values is one of the table."""
    return list(names) == [line.name for line in table] and not unfit(table, values)


def unfit(table: Sequence[Line], values: Sequence[str]) -> Line | None:
    """Give the first line that may not have its value."""
    return next((line for line, value in zip(table, values, strict=True) if not line.takes(value)), None)
