"""Names with letters that the locale does not have: no command ends with a traceback."""

from __future__ import annotations

import pytest

from world import World

ROLE = "role_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n"


@pytest.mark.parametrize("name", ["ümläut", "plain"])
def test_no_traceback_in_the_posix_locale(world: World, name: str) -> None:
    """Profiles and folders with umlauts, in `.envrc` and on the command line, are an error of ours at most."""
    world.config.write_text(f"[profile {name}]\n{ROLE}", encoding="utf-8")
    folder = world.project("prö jekt", f"use aws_profile {name}\n")
    commands = [
        f"{word} ümläut" for word in ("explain", "login", "load", "export", "clear", "init", "credential-process")
    ]
    for command in (*commands, "list", "status", "whoami", "doctor --offline", "prompt", "setup"):
        done = world.run("awsdirenv", *command.split(), cwd=folder, LC_ALL="POSIX", PYTHONUTF8="0")
        assert "Traceback" not in done.stderr, (command, done.stderr)
