"""A person's machine in a temporary folder: a home, AWS's files, projects with an `.envrc`, and programs run in it."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import botocore.credentials

from aws_doubles import login_file, sso_file
from awsdirenv.config.environment import CLOSED_PROFILE
from awsdirenv.shell.extension import own_command
from awsdirenv.system.files import own_python
from container import allows, must_have
from in_process import call, can_call
from strict_sts import StrictSts
from warm import as_program, fork_the_aws_cli, path_of_programs
from warm import variables as warm_variables

BIN = Path(sys.executable).parent
REGION = "eu-west-1"
# What must be gone inside a directory that could not be opened, and outside of any.
BLOCK = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ACCOUNT_ID",
)

# What is there instead: nobody, and a name that says what to type.
CLOSED = {**dict.fromkeys(BLOCK), "AWS_PROFILE": CLOSED_PROFILE}

# A locale of this kind that is there; macOS before 15 does not have the first.
UTF8 = "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"
# A terminal as messages show it, here and on macOS.
A_TERMINAL = r"/dev/(?:pts/|ttys)\d+"
# How the extension of releases began that were one file.
WHOLE_EXTENSION = """#!/usr/bin/env bash
#
# awsdirenv's extension of direnv's stdlib. `awsdirenv setup` installs it into direnv's lib folder with the absolute
# path of the installation in `_awsdirenv_command`.
use_aws_profile() { export WHOLE=1; }
"""

# Seconds: "at once", on a machine that has a lot else to do. What would be wrong instead takes far longer.
AT_ONCE = 10

_CODES = itertools.count(100001)


def told(said: str) -> list[str]:
    """Give what we said in all that was said, but for waits: how many of those there are the machine decides."""
    lines = [line for line in said.splitlines() if line.startswith("awsdirenv: ")]
    return [line for line in lines if not line.startswith("awsdirenv: waiting for ")]


def assert_nobody(held: Mapping[str, str | None], names: Iterable[str] = BLOCK) -> None:
    """Assert that a directory is closed: of the variables that lead to an identity there are only those of nobody."""
    assert {name: held.get(name) for name in names} == {name: CLOSED.get(name) for name in names}


def wait_for(holds: Callable[[], object]) -> None:
    """Wait until a condition holds, for a minute: only a failure takes so long."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def words_of(pid: int) -> list[str]:
    """Give the command of a process. Without /proc its words are told apart by spaces only."""
    if allows("/proc"):
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
    return subprocess.run(
        ["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split()


@functools.cache
def _written_by_setup() -> list[tuple[Path, int, bytes | None, float]]:
    """Run the real `setup`; give each folder and file with its mode, content and time. It costs what a test costs."""
    with tempfile.TemporaryDirectory(prefix="awsdirenv-home-") as home:
        env = {"HOME": home, "PATH": f"{BIN}:{os.environ['PATH']}", "LANG": UTF8, "SHELL": "/bin/bash"}
        call(("setup",), env, Path(home), timeout=60).check_returncode()
        found = []
        for path in sorted(Path(home).rglob("*")):
            data = path.read_bytes().replace(home.encode(), b"/home-of-nobody") if path.is_file() else None
            info = path.stat()
            found.append((path.relative_to(home), info.st_mode & 0o777, data, info.st_mtime))
        return found


class World:
    """`awsdirenv`, `aws` and `direnv` see only this home and only this STS."""

    def __init__(self, sts: StrictSts, root: Path) -> None:
        self.sts = sts
        self.root = root
        self.shows_waits = False
        self.is_cold = False
        self.home = root / "home"
        self.config = self.home / ".aws" / "config"
        self.credentials = self.home / ".aws" / "credentials"
        self.cache = self.home / ".cache" / "awsdirenv"
        self.config.parent.mkdir(parents=True)
        self.user = sts.add_user("foo")
        self.env = {
            "HOME": str(self.home),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "TERM": "xterm",
            "LANG": UTF8,
            "SHELL": "/bin/bash",
            "AWS_ENDPOINT_URL": sts.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWSDIRENV_AUTO_REFRESH": "0",  # tests of the timer set it to 1
        }
        self.credentials.write_text(
            f"[base]\naws_access_key_id = {self.user.access_key_id}\n"
            f"aws_secret_access_key = {self.user.secret_access_key}\n"
        )
        self._past = int(time.time()) - 3600
        self._write(self.config, f"[profile base]\nregion = {REGION}\n")
        self._set_up()

    def _set_up(self) -> None:
        """Have what `awsdirenv setup` has written, in a home of its own, once for all worlds of a process."""
        for path, mode, data, mtime in _written_by_setup():
            there = self.home / path
            if data is None:
                there.mkdir(mode, parents=True, exist_ok=True)
                continue
            there.write_bytes(data.replace(b"/home-of-nobody", str(self.home).encode()))
            there.chmod(mode)
            os.utime(there, (mtime, mtime))

    @property
    def mfa_serial(self) -> str:
        return self.user.mfa_serial

    def code(self) -> str:
        """Make STS take a new code, once, and give it."""
        code = f"{next(_CODES):06d}"
        self.sts.accept_code(self.mfa_serial, code)
        return code

    def profile(self, name: str, **values: object) -> None:
        """Append a profile to the config file."""
        self._section(f"profile {name}", **values)

    def _section(self, title: str, **values: object) -> None:
        lines = [f"[{title}]", *(f"{key} = {value}" for key, value in values.items())]
        self._write(self.config, self.config.read_text(encoding="utf-8") + "\n".join(lines) + "\n")

    def _write(self, path: Path, text: str) -> None:
        """Write a file with a time of its own, in the past: direnv compares whole seconds, and tests have many in one.

        What a test writes by itself, once a shell is there, has yet another time: now.
        """
        path.write_text(text, encoding="utf-8")
        self._past += 1
        os.utime(path, (self._past, self._past))

    def role(self, name: str, *, mfa: bool = True, **values: object) -> str:
        """Make a role and a profile of the same name for it, as far as roles may have it; give the ARN."""
        arn = self.sts.add_role(re.sub(r"[^\w+=,.@-]", "-", name, flags=re.ASCII)[:64], require_mfa=mfa)
        settings: dict[str, object] = {"role_arn": arn, "source_profile": "base", "region": REGION}
        if mfa:
            settings["mfa_serial"] = self.mfa_serial
        self.profile(name, **{**settings, **values})
        return arn

    def sso_session(self, name: str = "corp", *, signed_in: bool = True, **values: object) -> None:
        """Append an sso-session, and cache a token as if `aws sso login` had been run."""
        sso = self.sts.sso
        settings = {"sso_start_url": sso.start_url, "sso_region": sso.region}
        self._section(f"sso-session {name}", **{**settings, "sso_registration_scopes": "sso:account:access", **values})
        if signed_in:
            self.sso_sign_in(name)

    def sso_profile(
        self,
        name: str,
        session: str | None = "corp",
        *,
        account: str = "123456789012",
        role_name: str = "Developer",
        **values: object,
    ) -> str:
        """Make a profile for a role of Identity Center; give the ARN of the role there, for trust policies.

        `session` None makes a legacy profile, with a token cached under its start URL.
        """
        arn = self.sts.sso.assign(role_name, account)
        settings: dict[str, object] = {"sso_account_id": account, "sso_role_name": role_name, "region": REGION}
        if session is None:
            settings |= {"sso_start_url": self.sts.sso.start_url, "sso_region": self.sts.sso.region}
            self.sso_sign_in(None)
        else:
            settings["sso_session"] = session
        self.profile(name, **{**settings, **values})
        return arn

    def sso_sign_in(self, session: str | None = "corp", life: int | None = None) -> Path:
        """Cache a token that is good for `life` seconds, as `aws sso login` does.

        `session` None is for legacy profiles, which get no refresh token.
        """
        if session is None:
            token = self.sts.sso.sign_in(life, scopes=())
            return sso_file(self.home, token["startUrl"], token)
        return sso_file(self.home, session, self.sts.sso.sign_in(life))

    def login_profile(self, name: str, *, life: int | None = None, **values: object) -> Path:
        """Make a profile of `aws login` for the user `foo`, and cache a token; `life` of its credentials in seconds.

        A test with it does not run where botocore is too old.
        """
        must_have("a botocore that knows `aws login`", is_there=hasattr(botocore.credentials, "LoginProvider"))
        self.profile(name, **{"login_session": self.user.arn, "region": REGION, **values})
        self.is_cold = True  # when botocore takes awscrt in, and when it does not, only a new process shows
        return login_file(self.home, self.user.arn, self.sts.signin.sign_in(self.user.arn, life))

    def web_identity_profile(self, name: str, **values: object) -> str:
        """Make a role for a web identity, its token file and a profile; give the role's ARN."""
        arn = self.sts.add_role(name, trusted=[])
        token = self.root / f"{name}.token"
        token.write_text(self.sts.web_identity.add(arn), encoding="utf-8")
        settings = {"role_arn": arn, "web_identity_token_file": token, "region": REGION}
        self.profile(name, **{**settings, **values})
        return arn

    def program(self, name: str, text: str) -> Path:
        """Write a program, for `credential_process` or `mfa_process`; without a first line of its own it is sh's."""
        path = self.root / "programs" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    def codes(self, count: int) -> Path:
        """Make a program that prints codes of the device, a new one each time."""
        left = self.root / "codes"
        left.write_text("".join(f"{self.code()}\n" for _ in range(count)), encoding="utf-8")
        return self.program("code", f"sed -n 1p {left}; sed 1d {left} >{left}.new; mv {left}.new {left}")

    def replace_stat(self, text: str | None) -> None:
        """Have the extension start another program in the place of the system's `stat`, or one that is not there."""
        program = self.program("stat", text) if text else Path("/nowhere/stat")
        self.install(stat_program=str(program))

    def replace_command(self, text: str) -> None:
        """Have the extension start another program in our place: sh's, with our words, which finds us as `$ours`."""
        python = self.install()
        if python == own_python() and not self.is_cold:
            python = str(as_program() or python)
        count = len(list(self.root.glob("programs/ours*")))
        ours = self.program(f"ours{count}", f'exec {shlex.join((python, *own_command()[1:]))} "$@"')
        self.install(python=str(self.program(f"command{count}", f"shift 4\nours={ours}\n{text}")))

    def install(self, **values: str) -> str:
        """Change what the installed extension says about the installation, and give the path of its Python."""
        extension = self.home / ".config" / "direnv" / "lib" / "awsdirenv.sh"
        text = extension.read_text(encoding="utf-8")
        for name, value in values.items():
            text, changes = re.subn(rf"(?<= _ad_{name}=)\S+", shlex.quote(value), text)
            assert changes == 1
        extension.write_text(text, encoding="utf-8")
        return str(re.findall(r" _ad_python=(\S+)", text)[0])

    def start_as_program(self) -> None:
        """Have the extension start a program by its path for our Python, also where that is forked (see warm.py).

        This is for tests of what surrounds the line in `.envrc`, which could get into a function of bash's.
        """
        self.is_cold = True
        self.install(python=str(as_program() or own_python()))

    def project(self, name: str, envrc: str | None = None) -> Path:
        """Make a folder with an allowed `.envrc`; by default it uses the profile of its name."""
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        self._write(folder / ".envrc", f"use aws_profile {name}\n" if envrc is None else envrc)
        self.allow(folder)
        return folder

    def allow(self, folder: Path) -> None:
        """Allow a folder's `.envrc` as `direnv allow` does, without its process; the real direnv then believes it."""
        path = os.fsencode(folder / ".envrc") + b"\n"
        allowed = Path(self.env.get("XDG_DATA_HOME") or self.home / ".local" / "share") / "direnv" / "allow"
        allowed.mkdir(parents=True, exist_ok=True)
        (allowed / hashlib.sha256(path + (folder / ".envrc").read_bytes()).hexdigest()).write_bytes(path)

    def run(self, *command: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a program with nobody at a terminal; a command of ours in this process, in a tenth of the time."""
        whole = {**self.env, **env}
        if not can_call(command, whole):
            return self.process(*command, cwd=cwd, **env)
        python = None if self.is_cold else as_program
        return self._without_slowness(call(command[1:], whole, cwd or self.root, timeout=60, python=python))

    def process(self, *command: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a program, be it one of ours, in a process of its own; ours are forked, unless the world `is_cold`."""
        whole = {**self.env, **env}
        if command[0] == "aws" and not self.is_cold:
            fork_the_aws_cli()
        done = subprocess.run(
            command,
            env={**whole, **({} if self.is_cold else path_of_programs(whole))},
            cwd=cwd or self.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return self._without_slowness(done)

    def _without_slowness(self, done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
        """Leave out that a call to AWS took longer than a second, which the machine decides; see `shows_waits`."""
        if not self.shows_waits:
            done.stderr = re.sub(r"^awsdirenv: waiting for AWS: .*\n", "", done.stderr, flags=re.MULTILINE)
        return done

    def enter(self, folder: Path, **env: str) -> tuple[dict[str, str | None], str]:
        """Evaluate a folder's `.envrc` as a shell's hook would; give the changes (None: unset) and stderr.

        Our Python is forked off one that has imported everything, unless the world `is_cold`; see warm.py.
        """
        warm = {} if self.is_cold else warm_variables()
        done = self.run("direnv", "export", "json", cwd=folder, **{**warm, **env})
        assert done.returncode == 0, done.stderr
        changes: dict[str, str | None] = json.loads(done.stdout or "{}")
        return changes, done.stderr

    def end_timers(self) -> None:
        """End the timers that a test has left behind: each would go on for the life of its credentials."""
        for mark in filter(Path.is_file, (self.cache / "timers").glob("*")):
            with suppress(OSError, ValueError):
                pid = int(mark.read_text(encoding="ascii"))  # nothing where it is the note of its use
                if "timer" in words_of(pid):
                    os.kill(pid, signal.SIGKILL)

    def hold(self, profile: str) -> None:
        """Get credentials that need no code, as a directory does that is entered for the first time."""
        done = self.run("awsdirenv", "load", "--", profile)
        assert done.returncode == 0, done.stderr

    def login(self, profile: str) -> None:
        """Log in with a fresh code."""
        done = self.run("awsdirenv", "login", "--token-code", self.code(), "--", profile)
        assert done.returncode == 0, done.stderr


OUTER = {
    "AWS_ACCESS_KEY_ID": "AKIDOUTER",
    "AWS_SECRET_ACCESS_KEY": "outer-secret",
    "AWS_SESSION_TOKEN": "outer-token",
    "AWS_SECURITY_TOKEN": "outer-security-token",
    "AWS_PROFILE": "outer",
    "AWS_DEFAULT_PROFILE": "outer",
    "AWS_ACCOUNT_ID": "999999999999",
    "AWS_CREDENTIAL_EXPIRATION": "2030-01-01T00:00:00+00:00",
}

HOSTILE = "\x1b]0;pwned\x07\u009b2J\u202eé"


_OF_DIRENV = re.compile(r"^(?:\x1b\[\d*m)?direnv: (?:using aws_profile a\nb|.*)\n", re.MULTILINE)


def without_direnv(said: str) -> str:
    """Leave out direnv's own lines, with whatever colour its version begins them."""
    return _OF_DIRENV.sub("", said)


def tree(root: Path) -> dict[Path, tuple[int, int]]:
    """Give all that is below a folder, with size and time of change."""
    return {path: (path.lstat().st_size, path.lstat().st_ctime_ns) for path in [root, *root.rglob("*")]}
