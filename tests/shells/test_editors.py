"""Editors, agents' tools and containers call direnv themselves: without a terminal, or on one that is theirs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from awsdirenv.config.environment import CLOSED_PROFILE
from shells import Shell
from world import OUTER, World, assert_nobody

# What an editor hands on as stdin: nothing, a pipe that stays open, nothing at all.
STDINS = ["/dev/null", "pipe", "closed"]


@pytest.fixture
def folder(world: World) -> Path:
    """Make a project behind a device."""
    world.role("adminrole")
    return world.project("work", "use aws_profile adminrole\n")


def as_an_editor(world: World, folder: Path, stdin: str, **env: str) -> tuple[dict[str, str | None], str]:
    """Run `direnv export json` as an extension of VS Code or Emacs does; give the changes, and what is said."""
    command = ["direnv", "export", "json"]
    if stdin == "closed":
        command = ["sh", "-c", "exec direnv export json <&-"]
    with (
        (world.root / "out").open("w+") as out,
        (world.root / "err").open("w+") as err,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE if stdin == "pipe" else subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=folder,
            env={**world.env, "TERM": "dumb", **env},
            start_new_session=True,  # no controlling terminal
        ) as process,
    ):
        assert process.wait(timeout=60) == 0  # before anybody closes stdin
        changes = json.loads((world.root / "out").read_text() or "{}")
        return changes, (world.root / "err").read_text()


def sign_in(world: World) -> None:
    """Type the hint at a terminal, and a code."""
    with Shell(world, "bash") as shell:
        shell.start("awsdirenv login adminrole")
        shell.expect("Enter MFA code for ")
        shell.send(f"{world.code()}\r")
        shell.finish()


@pytest.mark.parametrize("stdin", STDINS)
@pytest.mark.parametrize("line", ["adminrole", "adminrole --live", "adminrole --confirm"])
def test_an_editor_is_never_asked(world: World, folder: Path, stdin: str, line: str) -> None:
    """It gets nobody and the hint; once somebody has signed in at a terminal, it gets the role."""
    (folder / ".envrc").write_text(f"use aws_profile {line}\n")
    world.allow(folder)
    changes, said = as_an_editor(world, folder, stdin, **OUTER)
    if "--live" not in line:
        assert_nobody(changes, OUTER)
    assert "awsdirenv: hint: awsdirenv login adminrole\n" in said
    assert world.sts.count("AssumeRole") == 0
    sign_in(world)
    changes, said = as_an_editor(world, folder, stdin)
    if "--confirm" in line:
        assert changes["AWS_PROFILE"] == CLOSED_PROFILE
        assert "confirm" in said
    else:
        assert (changes["AWSDIRENV_PROFILE"], "error" in said) == ("adminrole", False)
    assert [call.action for call in world.sts.calls].count("AssumeRole") == 1


def test_an_editor_on_a_terminal(world: World, folder: Path) -> None:
    """Started from a shell it has the terminal's screen for itself: what it runs asks nobody there."""
    with Shell(world, "bash") as shell:
        shown = shell.run(f"(cd {folder} && direnv export json >{world.root}/out 2>{world.root}/err)")
        assert "MFA" not in shown
    assert json.loads((world.root / "out").read_text())["AWS_PROFILE"] == CLOSED_PROFILE
    assert "awsdirenv: hint: awsdirenv login adminrole\n" in (world.root / "err").read_text()


@pytest.mark.parametrize("profile", ["adminrole", "nobody"])
def test_what_is_started_inside_can_leave(world: World, folder: Path, profile: str) -> None:
    """An editor or a tmux that was started in a directory, open or closed, has nothing of it elsewhere."""
    (folder / ".envrc").write_text(f"use aws_profile {profile}\n")
    world.allow(folder)
    sign_in(world)
    calls = len(world.sts.calls)
    inside = {name: value for name, value in world.enter(folder, **OUTER)[0].items() if value is not None}
    started = {**OUTER, **inside}
    assert as_an_editor(world, folder, "/dev/null", **started)[0] == {}
    changes, _ = as_an_editor(world, world.root, "/dev/null", **started)
    left = {name: value for name, value in {**world.env, **started, **changes}.items() if value}
    assert {name: left.get(name) for name in OUTER} == OUTER
    assert {name: left[name] for name in left if name.startswith(("AWSDIRENV_", "AWS_EC2"))} == {
        name: world.env[name] for name in world.env if name.startswith(("AWSDIRENV_", "AWS_EC2"))
    }
    assert len(world.sts.calls) == calls


def test_files_of_windows(world: World) -> None:
    """Below /mnt/c each file has the mode 777: what is read there is read, and what is ours is not ours to believe."""
    world.role("plain", mfa=False)
    project = world.project("work", "use aws_profile plain\n")
    for path in (world.config, world.credentials, project / ".envrc", project):
        path.chmod(0o777)
    for _ in range(2):
        changes, said = world.enter(project, **OUTER)
        assert changes["AWSDIRENV_PROFILE"] == "plain", said
    assert len(world.sts.calls) == 1


# `sudo -E` keeps HOME: root is at work in somebody's home.
BY_ROOT = [
    ["direnv", "export", "json"],
    ["direnv", "exec", ".", "true"],
    *(
        ["awsdirenv", *words]
        for words in (
            ["setup"],
            ["init", "plain"],
            ["login", "plain"],
            ["exec", "plain", "--", "true"],
            ["export", "plain", "--output", ".env"],
            ["credential-process", "plain"],
            ["status"],
            ["list"],
            ["explain", "plain"],
            ["whoami"],
            ["doctor"],
            ["clear", "--all"],
        )
    ),
]


@pytest.mark.needs("root")
@pytest.mark.parametrize("is_new", [True, False], ids=["first use", "later use"])
def test_root_leaves_nothing_of_its_own_in_somebody_s_home(world: World, *, is_new: bool) -> None:
    """The person is never locked out of a file or a folder, nothing is open, and an error says how to go on."""
    world.role("plain", mfa=False)
    folder, inner = world.project("work", "use aws_profile plain\n"), world.root / "work" / "inner"
    inner.mkdir()
    if is_new:
        shutil.rmtree(world.cache.parent)
        shutil.rmtree(world.home / ".local" / "share" / "awsdirenv")
    places = (folder, world.home)
    for path in (place for top in places for place in (top, *top.rglob("*"))):
        os.chown(path, 12345, 12345, follow_symlinks=False)
    for command in BY_ROOT:
        done = world.run(*command, cwd=inner if "init" in command else folder)
        assert "Traceback" not in done.stderr
        if "login" in command:
            hint = "run the command as that user (sudo without -E), or set XDG_CACHE_HOME"
            assert f"{world.cache} belongs to another user\nawsdirenv: hint: {hint}\n" in done.stderr
    allowed = world.home / ".local" / "share" / "direnv"  # direnv writes it itself
    owners = {path: path.lstat().st_uid for place in places for path in place.rglob("*") if allowed not in path.parents}
    assert [path for path, owner in owners.items() if owner == 0] == []
    assert world.sts.count("AssumeRole") == 0
