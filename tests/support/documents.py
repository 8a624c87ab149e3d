"""The documents, as tests compare them with what the programs say."""

from __future__ import annotations

import ast
import functools
import re
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")


def blocks(text: str) -> list[tuple[str, str]]:
    """Give the blocks of code of a document: the language of each, and its text."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def section(text: str, title: str) -> str:
    """Give a part of a document, by its heading."""
    headings = [*re.finditer(r"^(#+) (.+)$", text, re.MULTILINE), None]
    for this, after in pairwise(headings):
        if this and this[2] == title:
            rest = [h for h in headings[headings.index(after) :] if h and len(h[1]) <= len(this[1])]
            return text[this.end() : rest[0].start() if rest else None]
    pytest.fail(f"no heading {title}")


def part(title: str) -> str:
    """Give a part of the reference, by its heading."""
    return section(REFERENCE, title)


@functools.cache
def parsed(source: str) -> ast.Module:
    """Parse Python. Once more where CPython 3.11 mistakes two threads that do so at once for one (its issue 106905)."""
    try:
        return ast.parse(source)
    except SystemError:
        return ast.parse(source)
