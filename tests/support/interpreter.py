"""Starts of our Python, and what it imports when it is started."""

from __future__ import annotations

import re
from pathlib import Path

from world import BIN, World


def count_interpreters(world: World) -> Path:
    """Have the installed extension note each start of our interpreter."""
    log = world.root / "starts"
    world.replace_command(f'echo started >>{log}; exec $ours "$@"')
    return log


def imported(world: World, *words: str, status: int = 0) -> set[str]:
    """Run our command and give the names of all packages and modules that Python imported."""
    done = world.run(str(BIN / "python"), "-X", "importtime", "-m", "awsdirenv", *words)
    assert done.returncode == status, done.stderr
    names = re.findall(r"^import time: +\d+ \| +\d+ \| +(\S+)$", done.stderr, re.MULTILINE)
    assert "awsdirenv.cli.main" in names
    return {name.split(".")[0] for name in names} | set(names)


SLOW = {"boto3", "botocore", "urllib3", "filelock", "dotenv", "asyncio", "http"}
