"""What is true for every test of the rooms: it runs in the test's own process, so that all of them take a minute."""

from __future__ import annotations

import os
import pty
import subprocess
import types
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest

from awsdirenv.system import browser, subprocesses
from in_process import no_collection


class _Refused(subprocess.Popen[Any]):
    def __init__(self, command: object, *_: object, **__: object) -> None:
        _fail(command)


def _fail(*what: object) -> NoReturn:
    pytest.fail(f"a test of a room starts no process, and this one does: {what}")


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test start a process; our own code may run a profile's programs, which a test makes of two lines of sh."""
    for_our_code = types.ModuleType("subprocess")
    vars(for_our_code).update(vars(subprocess))
    for module in (browser, subprocesses):
        monkeypatch.setattr(module, "subprocess", for_our_code)
    monkeypatch.setattr(subprocess, "Popen", _Refused)
    # From 3.13 on it would otherwise call os.posix_spawn, for our code and for botocore, which may run such a program.
    monkeypatch.setattr(subprocess, "_USE_POSIX_SPAWN", False)
    for module, names in ((os, ("fork", "forkpty", "posix_spawn", "posix_spawnp", "system")), (pty, ("fork", "spawn"))):
        for name in names:
            monkeypatch.setattr(module, name, _fail)


@pytest.fixture
def uncollected() -> Iterator[None]:
    """For tests of what is nested too deep."""
    with no_collection():
        yield
