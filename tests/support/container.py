"""What a container, or another system, may lack. A test that needs it says so in one line where it does not run.

In CI on Linux it fails instead: nothing may be missing there.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_IS_LINUX = sys.platform == "linux"
_OF_LINUX = {
    "/proc": Path(f"/proc/{os.getpid()}/stat").exists(),
    "/dev/full": Path("/dev/full").exists(),
    "LD_PRELOAD": _IS_LINUX,
}
_TRIES = {
    "mounts": ["unshare", "--mount", "mount", "-t", "tmpfs", "-o", "size=4k", "none", "/mnt"],
    "network namespaces": ["unshare", "--net", "true"],
}


def must_have(what: str, *, is_there: bool) -> None:
    """Skip a test that cannot be run here, or fail it in CI (`CI` is set), where nothing of Linux may be missing."""
    if is_there:
        return
    if os.environ.get("CI") and _IS_LINUX:
        pytest.fail(f"needs {what}, which CI must have", pytrace=False)
    pytest.skip(f"needs {what}")


@functools.cache
def allows(what: str) -> bool:
    """Tell whether this is Linux, whether we are root, or may do what only root may, and not in every container.

    `bash 5.1` is that version or a later one.
    """
    if what in _OF_LINUX:
        return _OF_LINUX[what]
    if what.startswith("bash "):
        return _bash() >= tuple(map(int, what[5:].split(".")))
    if os.geteuid() != 0:
        return False
    return what == "root" or subprocess.run(_TRIES[what], capture_output=True, check=False).returncode == 0


def _bash() -> tuple[int, ...]:
    said = subprocess.run(["bash", "-c", "echo ${BASH_VERSINFO[*]}"], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, said.split()[:2]))


def proc() -> Path:
    """Give the folder in which Linux tells of processes. A test that gets here elsewhere is not run."""
    must_have("/proc", is_there=allows("/proc"))
    return Path("/proc")


@contextmanager
def no_root() -> Iterator[None]:
    """Be somebody whom modes of files stop, as they do not stop root."""
    if os.geteuid():
        yield
        return
    before = os.getresuid()
    os.setresuid(12345, 12345, 0)
    try:
        yield
    finally:
        os.setresuid(*before)
