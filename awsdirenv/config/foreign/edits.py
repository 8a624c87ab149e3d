"""Rewrites an `.envrc`: our line comes in, the lines that it replaces go, and all other bytes stay as they are."""

from __future__ import annotations

import re
from collections.abc import Sequence

from awsdirenv.config.bash_text import Word
from awsdirenv.config.foreign.found import KEY, PROFILE, PROFILES, TOOL, Foreign, Found, UnclearError

_USE = re.compile(r"\$\{?(AWS_(?:DEFAULT_)?PROFILE)\b")
_KEY_USE = re.compile(r"\$\{?AWS_(?:ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN)\b")
_NEEDS = re.compile(rf"{_USE.pattern}|{_KEY_USE.pattern}|\baws[\s-]")
_MASK = "\0"  # stands for what goes; no `.envrc` has it


def uses_after(foreign: Foreign, place: int) -> list[int]:
    """Return the lines behind a place that use AWS_PROFILE, also as the prefix of a command.

    Raises UnclearError if others use keys: a directory has the one or the other.
    """
    found = []
    with_keys = [one for one in foreign.others if one.start > place and _KEY_USE.search(foreign.whole.raw(one))]
    for one in foreign.others:
        raw = foreign.whole.raw(one)
        is_use = _USE.search(raw) or raw.startswith(tuple(f"{name}=" for name in PROFILES))
        if one.start > place and (is_use or (raw.startswith("env_vars_required") and "AWS_PROFILE" in raw)):
            found.append(foreign.whole.line(one))
    if found and with_keys:
        raise UnclearError(foreign.whole.line(with_keys[0]), "AWS_PROFILE and a key: a directory has only one of them")
    return found


def check_between(foreign: Foreign, gone: Sequence[Found], place: int) -> None:
    """Raise UnclearError for a line above our place that takes its identity from a line above that, which goes."""
    first = min((one.statement.start for one in gone if one.kind in (PROFILE, KEY, TOOL)), default=place)
    for one in foreign.others:
        if first < one.start < place and _NEEDS.search(foreign.whole.raw(one)):
            raise UnclearError(
                foreign.whole.line(one), "it uses a variable of a line above it, and our line comes below it"
            )


def rewrite(foreign: Foreign, line: str, main: Found, gone: Sequence[Found]) -> str:
    """Return the text with our line in the place of `main`, and without what is in `gone`. The rest stays as it is.

    Without a line, nothing takes the place of `main`.
    """
    text = foreign.whole.text
    edits = [(one.start, one.end, _MASK) for one in foreign.functions]
    for one in gone:
        at = one.statement
        if one.words:
            edits += [_of_word(word, at.start) for word in one.words]
        elif at.start != main.statement.start or not line:
            edits.append((at.start, at.end, _MASK))
    at = main.statement
    if not line:
        pass
    elif main.stays or any(one.words for one in gone if one.statement == at):
        rest = text[at.end :].partition("\n")[0].strip()
        indent = re.match(r"[ \t]*", text[text.rfind("\n", 0, at.start) + 1 :])
        joint = f"\n{indent[0] if indent else ''}" if not rest else "; "
        edits.append((at.end, at.end, joint + line))
    else:
        edits.append((at.start, at.end, line))
    for start, end, new in sorted(set(edits), reverse=True):
        text = text[:start] + new + text[end:]
    return _without_masks(text)


def _without_masks(text: str) -> str:
    """Remove what is masked, with the line or the semicolon that nobody needs then. A comment behind it stays."""
    text = re.sub(rf"(?m)^[ \t]*{_MASK}(?:[ \t]*(?:;|&&)[ \t]*{_MASK})*[ \t]*;?[ \t]*(?:\n|\Z)", "", text)
    text = re.sub(rf"{_MASK}[ \t]*(?:;|&&)[ \t]*", "", text)
    text = re.sub(rf"[ \t]*(?:;|&&)[ \t]*{_MASK}", "", text)
    return re.sub(rf"{_MASK}[ \t]*", "", text)


def _of_word(word: Word, start: int) -> tuple[int, int, str]:
    """Return the edit that removes a word of a statement, and one blank with it."""
    return (word.start, word.end + 1, "") if word.start == start else (word.start - 1, word.end, "")
