"""Secrets stay put: a sentinel in every secret, and then a search for it wherever it must not be."""

from __future__ import annotations

import stat
import subprocess

import pytest

from sentinels import SENTINELS, all_arguments, holders
from shells import SHELLS, Shell
from world import World

pytestmark = pytest.mark.cold


@pytest.mark.parametrize("kind", SHELLS)
def test_nothing_shows_on_the_screen(world: World, kind: str) -> None:
    """A whole session, with `set -x` in .envrc and a wrong code, shows no secret on the terminal."""
    world.role("adminrole")
    folder = world.project("adminrole", "set -x\nset -v\nuse aws_profile adminrole\nset +x\n")
    with Shell(world, kind) as shell:
        shell.start(f"cd {folder}")
        shell.expect(f"Enter MFA code for {world.mfa_serial}: ")
        shell.send("000000\r")
        shell.expect(f"Enter MFA code for {world.mfa_serial}: ")
        shell.send(world.code() + "\r")
        shell.finish()
        shell.run(f"cd {world.root}")
        shell.run(f"cd {folder}")
        shell.run("awsdirenv login adminrole --force")
        shell.run("awsdirenv clear --all")
        assert shell.variable("AWS_ACCESS_KEY_ID") == ""
        assert "awsdirenv: adminrole: account" in shell.log
        assert not any(sentinel in shell.log for sentinel in SENTINELS)


def test_files(world: World) -> None:
    """Secrets are in our 0600 files in 0700 folders and nowhere else; long-term keys are only where they were."""
    world.role("adminrole")
    folder = world.project("adminrole")
    world.login("adminrole")
    world.enter(folder)
    found = holders(world.root)
    assert world.credentials in found
    found.remove(world.credentials)
    assert len(found) == 3  # the snapshot, the MFA session, the role's session
    for path in found:
        assert path.is_relative_to(world.cache)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert world.user.secret_access_key not in path.read_text()
    for path in [world.cache, *world.cache.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_arguments(world: World) -> None:
    """No secret is ever in the arguments of a process."""
    world.role("adminrole")
    folder = world.project("adminrole")
    with all_arguments(world) as seen:
        world.login("adminrole")
        for _ in range(5):
            world.enter(folder)
        world.run("awsdirenv", "export", "adminrole", "--output", str(world.root / "out"))
    assert any(b"adminrole" in arguments for arguments in seen)
    assert not any(sentinel.encode() in arguments for arguments in seen for sentinel in SENTINELS)


def test_broken_answer_is_not_quoted(world: World) -> None:
    """Botocore quotes an answer it cannot parse, credentials and all; we do not, not even with Python's own traces."""
    world.role("plain", mfa=False)
    for kind in ("garbage", "truncated", "missing-credentials"):
        world.sts.add_fault("AssumeRole", kind, times=None)
        done = world.run("awsdirenv", "login", "plain", PYTHONDEVMODE="1", PYTHONFAULTHANDLER="1")
        assert done.returncode == 1
        assert not any(sentinel in done.stdout + done.stderr for sentinel in SENTINELS)
        world.sts.reset(faults=True)


def test_history_of_git(world: World) -> None:
    """Nothing is written into the project tree: `git status` of a project stays clean."""
    world.role("plain", mfa=False)
    folder = world.project("plain")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *command], cwd=folder, env=world.env, check=True)
    world.enter(folder)
    world.run("awsdirenv", "login", "plain", cwd=folder)
    done = subprocess.run(["git", "status", "--short"], cwd=folder, env=world.env, capture_output=True, check=True)
    assert done.stdout == b""
