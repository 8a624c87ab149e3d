"""The package as people get it: its sources, what is built of them, and all wheels that an installation takes.

Each is made once for all processes of a run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from documents import ROOT

if TYPE_CHECKING:
    import pytest

# All that is made in a checkout and not written. (A `venv` in sight of the build would be packed for minutes.)
_MADE = (".git", ".venv", "__pycache__", "build", "dist", ".*_cache", ".hypothesis", "*.egg-info")
# The backend that installs from sources, and what pipx renews in an environment of its own.
_TOOLS = ("hatchling", "pip", "setuptools", "wheel")
_DATE = "1700000000"  # in place of the commit's: a copy has none


def run(*command: str | Path, cwd: Path, env: Mapping[str, str] | None = None, umask: int = 0o022) -> str:
    """Run a program that must succeed; give what it printed."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        umask=umask,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Give a folder that one process of this run makes for all of them."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    with FileLock(base / f"{name}.lock"):
        folder, done = base / name, base / f"{name}.done"
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


def copy_sources(folder: Path) -> Path:
    """Copy what a clone has, so that a build leaves nothing in the checkout."""
    shutil.copytree(ROOT, folder / "source", ignore=shutil.ignore_patterns(*_MADE))
    return folder / "source"


def build(source: Path, env: Mapping[str, str] | None = None, umask: int = 0o022) -> Path:
    """Build sdist and wheel as `make dist` does; give their folder."""
    env = {**(env or {}), "PYTHON": sys.executable, "SOURCE_DATE_EPOCH": _DATE}
    run(source / ".ci" / "package", cwd=source, env=env, umask=umask)
    return source / "dist"


def built(factory: pytest.TempPathFactory) -> Path:
    """Give the folder with sdist and wheel."""

    def make(folder: Path) -> None:
        build(copy_sources(folder))

    return made_once(factory, "built", make) / "source" / "dist"


def wheel(factory: pytest.TempPathFactory) -> Path:
    """Give the wheel."""
    (found,) = built(factory).glob("*.whl")
    return found


def wheelhouse(factory: pytest.TempPathFactory) -> Path:
    """Give a folder with all wheels that an installation takes, so that each one needs no index."""

    def make(folder: Path) -> None:
        run(sys.executable, "-m", "pip", "wheel", "--quiet", wheel(factory), *_TOOLS, cwd=folder)

    return made_once(factory, "wheelhouse", make)
