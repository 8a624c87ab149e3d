"""A command of ours run in the test's own process: the same code, without the half second that a new Python takes.

What a process has of its own is the command's for as long as it runs: environment, folder, and the three streams, which
are no terminal. What only a process can show (its end, its isolation, what it takes the place of) is `World.process`'s.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - where a test has broken its first import, Python remembers that there is no such codec
import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from awsdirenv.cli import main
from botocore_once import share_what_sessions_work_out, use_sso_cache
from live_python import named_in_live_files

share_what_sessions_work_out()

# `exec` takes the place of the process; `timer` and `demo` leave others behind.
COMMANDS = {
    *("setup", "init", "login", "load", "export", "credential-process", "clear", "status", "list", "explain"),
    *("doctor", "whoami", "console", "hook", "prompt", "completion"),
}
_OURS = Path(sys.executable).parent / "awsdirenv"  # a test may put another one in its place
# Which count from its start only; with a keychain, a process keeps connections to it.
_OF_A_PROCESS = {"LD_PRELOAD", "TZ", "DBUS_SESSION_BUS_ADDRESS"}


def can_call(command: tuple[str, ...], env: Mapping[str, str]) -> bool:
    """Tell whether this is a command of ours that can be run here."""
    if len(command) < 2 or command[0] != "awsdirenv" or command[1] not in COMMANDS:
        return False
    if _OF_A_PROCESS & env.keys() or any(name.startswith("PYTHON") for name in env):
        return False
    return shutil.which("awsdirenv", path=env["PATH"]) == str(_OURS)


def call(
    words: tuple[str, ...],
    env: Mapping[str, str],
    cwd: Path,
    timeout: int,
    python: Callable[[], Path | None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `awsdirenv WORDS`. Raises TimeoutError after so many seconds.

    `python` gives what the files of `--live` have programs start in the place of our Python.
    """
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        with _as_a_process(env, cwd, stdout, stderr), _at_most(timeout), no_collection(), ExitStack() as way_back:
            if python and words[0] == "load":
                way_back.enter_context(named_in_live_files(python))
            try:
                status = main.run(list(words))
            except SystemExit as end:  # of `--help`
                status = int(end.code or 0)
        texts = []
        for file in (stdout, stderr):
            file.seek(0)
            texts.append(file.read().decode().replace("\r\n", "\n"))
    return subprocess.CompletedProcess(["awsdirenv", *words], status, *texts)


@contextmanager
def no_collection() -> Iterator[None]:
    """Collect no garbage of other tests meanwhile: in the depths of a recursion its finalizers fail, too."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def caller_arn(env: Mapping[str, str], cwd: Path, profile: str | None, region: str) -> str:
    """Give who botocore's own providers make of this environment and STS answers, or what botocore says instead."""
    with tempfile.TemporaryFile() as nowhere, _as_a_process(env, cwd, nowhere, nowhere), _at_most(60):
        try:
            client: Any = Session(profile=profile).create_client("sts", region_name=region)
            return str(client.get_caller_identity()["Arn"])
        except (BotoCoreError, ClientError) as error:
            return str(error)


@contextmanager
def _as_a_process(env: Mapping[str, str], cwd: Path, stdout: IO[bytes], stderr: IO[bytes]) -> Iterator[None]:
    with ExitStack() as way_back, open(os.devnull, encoding="ascii") as null:
        way_back.callback(os.chdir, os.getcwd())
        way_back.callback(_replace_environ, dict(os.environ))
        way_back.callback(_replace_streams, sys.stdin, sys.stdout, sys.stderr)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for number, descriptor in enumerate((null.fileno(), stdout.fileno(), stderr.fileno())):
            kept = os.dup(number)
            way_back.callback(os.close, kept)
            way_back.callback(os.dup2, kept, number)
            os.dup2(descriptor, number)
        # As Python opens them in the locale of tests.
        out = way_back.enter_context(open(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False))
        err = way_back.enter_context(open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False))
        _replace_streams(null, out, err)
        _replace_environ(env)
        way_back.callback(use_sso_cache, use_sso_cache(os.path.expanduser("~/.aws/sso/cache")))
        os.chdir(cwd)
        yield


def _replace_streams(stdin: IO[str], stdout: IO[str], stderr: IO[str]) -> None:
    sys.stdin, sys.stdout, sys.stderr = stdin, stdout, stderr


def _replace_environ(env: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(env)


@contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    def over(*_: object) -> NoReturn:
        raise TimeoutError(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
