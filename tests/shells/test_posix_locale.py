"""Names with letters that the locale does not have: no command ends with a traceback."""

from __future__ import annotations

import shlex

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


# One call of each command that reads AWS's files; the profile's name and a comment are no ASCII.
READING = (
    "list",
    "explain ümläut",
    "login ümläut",
    "load ümläut",
    "export ümläut",
    "exec ümläut -- sh -c 'echo $AWS_ACCESS_KEY_ID'",
    "credential-process ümläut",
    "status",
    "whoami",
    "doctor --offline",
    "init ümläut",
    "clear ümläut",
)


@pytest.mark.parametrize("setting", ["0", "1"])
def test_every_command_reads_the_files_as_a_load_does(world: World, setting: str) -> None:
    """PYTHONUTF8, which the extension keeps away from our process, changes nothing for the other commands either."""
    world.role("ümläut", mfa=False)
    world.config.write_text(world.config.read_text(encoding="utf-8") + "# é\n", encoding="utf-8")
    folder = world.project("project", "use aws_profile ümläut\n")
    world.enter(folder)
    for command in READING:
        done = [
            world.run("awsdirenv", *shlex.split(command), cwd=folder, LC_ALL="POSIX", **more)
            for more in ({}, {"PYTHONUTF8": setting})
        ]
        assert "cannot parse" not in done[1].stderr, command
        assert done[1].returncode == done[0].returncode, (command, done[1].stderr)
    kept = world.run("awsdirenv", "exec", "ümläut", "--", "printenv", "PYTHONUTF8", LC_ALL="POSIX", PYTHONUTF8=setting)
    assert kept.stdout == f"{setting}\n"  # it is for the programs that the person runs
