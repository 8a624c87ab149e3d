"""What `awsdirenv list` and `status` say, taken apart."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import Any

from world import World

ACCOUNT = "123456789012"


def rows(world: World, **env: str) -> list[list[str]]:
    """Give the rows as a program behind a pipe sees them."""
    done = world.run("awsdirenv", "list", **env)  # type: ignore[arg-type]
    assert (done.returncode, done.stderr) == (0, "")
    return [line.split("\t") for line in done.stdout.splitlines()]


def entries(world: World, **env: str) -> dict[str, dict[str, Any]]:
    """Give the profiles of the JSON document by their names."""
    done = world.run("awsdirenv", "list", "--json", **env)  # type: ignore[arg-type]
    assert (done.returncode, done.stderr) == (0, "")
    whole = json.loads(done.stdout)
    assert list(whole) == ["version", "profiles"]
    assert whole["version"] == 1
    return {entry["profile"]: entry for entry in whole["profiles"]}


TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

KEYS = ["version", "profiles", "mfa_sessions", "locks", "timers", "directories", "keychain_keys"]


def status(world: World, **env: str) -> dict[str, Any]:
    """Give the document."""
    done = world.run("awsdirenv", "status", "--json", **env)  # type: ignore[arg-type]
    assert (done.returncode, done.stderr) == (0, "")
    whole: dict[str, Any] = json.loads(done.stdout)
    assert list(whole) == KEYS
    assert whole["version"] == 1
    return whole


def text(world: World) -> str:
    """Give what is told to a log."""
    done = world.run("awsdirenv", "status")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def seconds(moment: str) -> float:
    """Take a time of the document, which is in UTC; give epoch seconds."""
    assert TIME.fullmatch(moment)
    return datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()
