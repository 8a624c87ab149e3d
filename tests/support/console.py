"""`awsdirenv console` as tests run it and take its link apart."""

from __future__ import annotations

import re
import subprocess
from urllib.parse import parse_qs

from world import World


def console(world: World, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Have the link printed, by words of the command line."""
    return world.run("awsdirenv", "console", "--print", *words, cwd=None, **env)


def link(world: World, *words: str, **env: str) -> dict[str, str]:
    """Give the parts of the link."""
    done = console(world, *words, **env)
    assert done.returncode == 0, done.stderr
    found = re.fullmatch(r"(\S+)/federation\?(\S+)\n", done.stdout)
    assert found, done.stdout
    query = {name: values[0] for name, values in parse_qs(found[2], strict_parsing=True).items()}
    return {"endpoint": found[1], **query}


def granted(world: World) -> tuple[str, str | None]:
    """Tell whom the last token is for, and for how long."""
    key, seconds = list(world.sts.federation.granted.values())[-1]
    return key.arn.split("/")[1], seconds
