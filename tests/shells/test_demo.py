"""`awsdirenv demo` as a person runs it: real bash, real direnv, the real AWS CLI, and nothing of the person's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from container import proc
from shells import clean

BIN = Path(sys.executable).parent
ROLES = (
    ("adminrole", "123456789012", "adminrole"),
    ("development", "111111111111", "development"),
    ("staging", "222222222222", "staging"),
    ("production/yatteiki", "333333333333", "yatteiki"),
)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Make the environment of a person with settings that would break the demo if it took any of them."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    return {
        "HOME": str(tmp_path),
        "TMPDIR": str(folder),
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "TERM": "xterm",
        "AWS_PROFILE": "no-such-profile",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "XDG_CACHE_HOME": "/proc/nowhere",
        "CI": "1",
    }


def demo(env: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """Run it with nobody at a terminal."""
    return subprocess.run(
        [BIN / "awsdirenv", "demo", *options],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def left_running(folder: Path) -> list[str]:
    """Give the processes whose home is below a folder."""
    found = []
    for entry in proc().iterdir():
        try:
            environ = (entry / "environ").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if f"HOME={folder}/".encode() in environ:
            found.append(entry.name)
    return found


def test_the_transcript_is_the_main_job(env: dict[str, str], tmp_path: Path) -> None:
    """One code, four identities, and nothing left outside: of the variables, or of the home."""
    done = demo(env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == "\nawsdirenv: 4 roles in as many accounts, one MFA code, nothing left behind\n"
    assert left_running(tmp_path) == []
    assert done.stdout.count("Enter MFA code for arn:aws:iam::123456789012:mfa/foo: ") == 1
    for profile, account_id, role in ROLES:
        assert f" $ cd ~/projects/{profile}\n" in done.stdout
        assert f"\nawsdirenv: {profile}: account {account_id}, role {role}, " in done.stdout
        assert done.stdout.count(f"arn:aws:sts::{account_id}:assumed-role/{role}/awsdirenv-session-") == 1
    assert done.stdout.endswith("echo no AWS credentials\nno AWS credentials\n~ $ \n")
    for unwanted in ("Traceback", "error:", "hint:", "warning:", "\x1b", "\r"):
        assert unwanted not in done.stdout
    assert list((tmp_path / "tmp").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tmp"]


def test_interactive_gives_the_shell(env: dict[str, str], tmp_path: Path) -> None:
    """The person gets that very bash on their own terminal, and the home goes when they leave it."""
    child = pexpect.spawn(str(BIN / "awsdirenv"), ["demo", "--interactive"], env=env, encoding="utf-8", timeout=30)
    try:
        child.expect_exact("\r\n~ $ ")
        assert "aws sts get-caller-identity" in str(child.before)
        child.send("cd ~/projects/staging\r")
        child.expect_exact("Enter MFA code for arn:aws:iam::123456789012:mfa/foo: ")
        child.send("123456\r")
        child.expect_exact("~/projects/staging $ ")
        assert "awsdirenv: staging: account 222222222222, role staging, " in clean(str(child.before))
        child.send("exit\r")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0
    finally:
        child.close(force=True)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_interactive_without_a_terminal(env: dict[str, str]) -> None:
    """Nobody there to play: said at once."""
    done = demo(env, "--interactive")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "awsdirenv: error: the interactive demo needs a terminal\nawsdirenv: hint: awsdirenv demo\n"


def test_without_direnv(env: dict[str, str], tmp_path: Path) -> None:
    """What is missing is named, with how to get it, and nothing is left behind."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "bash").symlink_to(str(shutil.which("bash")))
    done = demo({**env, "PATH": f"{BIN}:{programs}"})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "awsdirenv: error: the demo needs direnv, which is not installed\n"
        "awsdirenv: hint: install direnv with apt-get or brew\n"
    )
    assert list((tmp_path / "tmp").iterdir()) == []


def test_with_an_aws_cli_that_would_go_to_aws(env: dict[str, str], tmp_path: Path) -> None:
    """An AWS CLI that ignores AWS_ENDPOINT_URL is never run against anything."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    old = python.parent / "aws"
    old.write_text("#!/bin/sh\necho aws-cli/2.9.19 Python/3.11.2\n")
    old.chmod(0o755)
    code = f"import sys; sys.executable = {str(python)!r}; from awsdirenv.cli.main import run; sys.exit(run(['demo']))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"awsdirenv: error: {old} cannot be pointed at this machine\n"
        f"awsdirenv: hint: {python} -m pip install "
        "'awscli>=1.29' 'flask-cors>=4' 'flask>=2.2' 'moto>=5.0' 'pexpect>=4.8'\n"
    )
