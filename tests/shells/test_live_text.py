"""The config file of live directories: what of the person's files is in it, what is replaced, and that no secret is."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys

import pytest

from awsdirenv.config.environment import SessionOptions
from awsdirenv.refresh.live import command_line

PLACES = ["/opt/venv/bin/python", "/home/me/my # proj; x/it's/py", '/a\t#b/$(id)/`x`/"q"', "/größe/日本/python"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("split", ["shlex", "sh"])
def test_command(place: str, split: str) -> None:
    """However an installation's path looks, shlex and sh get the words that were meant, and INI finds no comment."""
    code = "import sys; print(sys.argv[1:])"
    line = command_line([place, "-c", code], "a b", SessionOptions(900), "keys")
    words = [place, "-c", code, "credential-process", "--duration=900", "--keys", "--live=a%20b"]
    assert not any(mark in line for mark in (" #", " ;", "\t#", "\t;"))
    assert "\n" not in line
    if split == "shlex":
        assert shlex.split(line) == words
        return
    program = "import json, sys; print(json.dumps(sys.argv[1:]))"
    shell = ["sh", "-c", f"{shlex.quote(sys.executable)} -c '{program}' {line}"]
    done = subprocess.run(shell, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == words
