"""What is found in an `.envrc` about AWS: the words of those who read it and of those who rewrite it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from awsdirenv.config.bash_outline import Function, Outline, Statement
from awsdirenv.config.bash_text import Word
from awsdirenv.config.foreign.tools import Tool, Value
from awsdirenv.records import Record

PROFILES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
KEY_NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
# The kinds of what is found.
PROFILE, REGION, KEY, TOOL, CONTEXT, ACCOUNT, DOTENV, UNSET, OURS, OTHER = (
    *("profile", "region", "key", "tool", "context", "account", "dotenv", "unset", "ours", "other"),
)


class Found(Record, hidden=("value", "values")):
    """Something about AWS in an `.envrc`. `words` are those of the statement that have to go; none: all of it.

    `stays` says that the statement is no obstacle and is left as it is. `origins` are assignments that only lead to it.
    """

    kind: str
    statement: Statement
    name: str = ""
    value: Value | None = None
    tool: Tool | None = None
    words: tuple[Word, ...] = ()
    stays: bool = False
    path: Path | None = None
    values: Mapping[str, str] = {}
    origins: tuple[Found, ...] = ()


class Foreign(Record):
    """What an `.envrc` says about AWS, in the order of its lines. `functions` are its own that nothing else calls."""

    whole: Outline
    found: tuple[Found, ...]
    functions: tuple[Function, ...]
    others: tuple[Statement, ...]

    def line(self, found: Found) -> int:
        """Return the number of the line."""
        return self.whole.line(found.statement)


class UnclearError(Exception):
    """A line that may give credentials, and is not understood: its number, and what about it is not clear."""

    def __init__(self, line: int, what: str) -> None:
        """Create the error. `what` has no secrets."""
        super().__init__(line, what)
        self.line = line
        self.what = what
