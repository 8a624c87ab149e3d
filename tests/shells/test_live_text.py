"""The config file of live directories: what of the person's files is in it, what is replaced, and that no secret is."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys

import pytest

from awsdirenv.config.environment import SessionOptions
from awsdirenv.refresh.live import Commands, command_line

PLACES = ["/opt/venv/bin/python", "/home/me/my # proj; x/it's/py", '/a\t#b/$(id)/`x`/"q"', "/größe/日本/python"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("split", ["shlex", "sh"])
@pytest.mark.parametrize("way", ["session", "keys"])
def test_command(place: str, split: str, way: str) -> None:
    """However an installation's path looks, shlex and sh get the words that were meant, and INI finds no comment.

    Long-term keys are never stored, so Python is started for them at once.
    """
    code = "import sys; print(sys.argv[1:])"
    commands = Commands((place, "-c", code), (place, "-c", code, "stat"))
    line = command_line(commands, "a b", SessionOptions(900, policy_file="/a b"), way)
    words = [place, "-c", code, "credential-process", "--duration=900", "--policy=/a b"]
    if way == "keys":
        words.append("--keys")
    else:
        words = [place, "-c", code, "stat", "duration=900 policy=/a%20b", *words]
    words.append("--live=a%20b")
    assert not any(mark in line for mark in (" #", " ;", "\t#", "\t;"))
    assert "\n" not in line
    if split == "shlex":
        assert shlex.split(line) == words
        return
    program = "import json, sys; print(json.dumps(sys.argv[1:]))"
    shell = ["sh", "-c", f"{shlex.quote(sys.executable)} -c '{program}' {line}"]
    done = subprocess.run(shell, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == words
