"""What tests install once, into the cache folder of whoever runs them; and npm, which pip has brought."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from world import BIN


def once(name: str, install: Callable[[Path], None]) -> Path:
    """Give a folder that `install` has filled, now or at an earlier run."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "awsdirenv-tests"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / name
    with FileLock(cache / f"{name}.lock"):
        if not folder.exists():
            draft = cache / f"{name}.draft"
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            install(draft)
            draft.rename(folder)
    return folder


def npm_install(folder: Path, *words: str) -> None:
    """Install packages of npm's below a folder; `words` are options and packages. Raises CalledProcessError."""
    options = ["--silent", "--no-audit", "--no-fund", "--prefix", str(folder)]
    # Node has a list of authorities of its own; a company's proxy is in the system's.
    env = {**os.environ, "NODE_OPTIONS": "--use-system-ca"}
    command = [str(BIN / "npm"), "install", *options, *words]
    subprocess.run(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, check=True, timeout=300)
