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


LINES = (
    "use aws_profile plain",
    "use aws_profile plain --live",
    "use aws_profile base --no-session",
    "use aws_profile",
)
WARNING = "cannot change locale"


@pytest.mark.parametrize("line", [*LINES, "use aws_profile mfa", "use aws_profile gone", "use aws_profile ümläut"])
def test_a_locale_that_is_not_installed(world: World, line: str) -> None:
    """Bash says once that it has no such locale, where it is exported or where bash starts, and not for our line."""
    for name in ("plain", "mfa", "ümläut"):
        world.role(name, mfa=name == "mfa")
    inside = world.project("inside", f"export LC_ALL=xx_XX.UTF-8\n{line}\n")
    outside = world.project("outside", f"{line}\n")
    for folder in (inside, outside):
        (folder / ".env").write_text("AWS_PROFILE=plain\n", encoding="utf-8")
        for _ in range(2):
            _, said = world.enter(folder, **({"LC_ALL": "xx_XX.UTF-8"} if folder == outside else {}))
            assert said.count(WARNING) == 1, said
            assert "awsdirenv: " in said  # which went to the same place
