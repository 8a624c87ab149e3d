"""Prompts of others, the real ones: installed once, into the cache folder of whoever runs the tests.

Debian has starship, liquidprompt and powerlevel9k, npm has pure and spaceship. powerlevel10k, oh-my-zsh and
bash-preexec are in no registry; what they do to hooks is done by hand in `test_hook_company.py`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from world import BIN

# The first release of Debian with a starship; an older system runs it with that release's C library.
_SUITE = "trixie"
_DEBIAN = ("starship", "libc6", "libgcc-s1", "zlib1g", "liquidprompt", "zsh-theme-powerlevel9k")
_NPM = ("pure-prompt@1.28", "spaceship-prompt@4.22")
_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def debian() -> Path:
    """Give a folder with the unpacked packages of Debian, in which `starship` runs."""
    return _installed(f"prompts-{_SUITE}-1", _install_debian)


def npm() -> Path:
    """Give a folder with npm's packages."""
    return _installed("prompts-npm-1", _install_npm) / "node_modules"


def starship() -> Path:
    """Give the program."""
    found = shutil.which("starship")
    return Path(found) if found else debian() / "starship"


def _installed(name: str, install: Callable[[Path], None]) -> Path:
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


def _install_npm(folder: Path) -> None:
    options = ["--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
    env = {**os.environ, "NODE_OPTIONS": "--use-system-ca"}  # a company's proxy is in the system's list only
    _run([str(BIN / "npm"), "install", *options, *_NPM], folder, env)


def _install_debian(folder: Path) -> None:
    if not shutil.which("apt-get") or not (archive := _archive()):
        if os.environ.get("CI"):
            pytest.fail("there is no archive of Debian's to get prompts from")
        pytest.skip("needs Debian's archive")
    apt = folder / "apt"
    (apt / "lists" / "partial").mkdir(parents=True)
    (apt / "archives" / "partial").mkdir(parents=True)
    keys = f"[signed-by={_KEYS}] " if _KEYS.exists() else ""
    (apt / "sources.list").write_text(f"deb {keys}{archive} {_SUITE} main\n", encoding="utf-8")
    settings = {
        "Dir::State::lists": apt / "lists",
        "Dir::Cache": apt,
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "APT::Sandbox::User": "",  # which could not write here
    }
    options = [f"-o{name}={value}" for name, value in settings.items()]
    _run(["apt-get", "-qq", *options, "update"], folder)
    _run(["apt-get", "-qq", *options, "download", *_DEBIAN], folder)
    for package in folder.glob("*.deb"):
        _run(["dpkg-deb", "-x", str(package), str(folder)], folder)
        package.unlink()
    shutil.rmtree(apt)
    # As a script: it stays right where the folder is moved, and `starship init` finds it by its name in PATH.
    (folder / "starship").write_text(
        '#!/bin/sh\nhere=${0%/*}\nset -- "$here"/usr/bin/starship "$@"\n'
        'for loader in "$here"/usr/lib/*/ld-linux-*; do\n  exec "$loader" --library-path "${loader%/*}" "$@"\ndone\n',
        encoding="utf-8",
    )
    (folder / "starship").chmod(0o755)


def _archive() -> str | None:
    """Give the address of Debian's archive as this machine has it; on another system None."""
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    name = re.search(r"^VERSION_CODENAME=(\w+)", release, re.MULTILINE)
    done = subprocess.run(["apt-get", "--print-uris", "update"], capture_output=True, text=True, check=False)
    found = re.search(rf"^'(\S+)/dists/{name[1]}/InRelease'", done.stdout, re.MULTILINE) if name else None
    return found[1] if found and "ID=debian" in release.split() else None


def _run(command: list[str], folder: Path, env: dict[str, str] | None = None) -> None:
    subprocess.run(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, check=True, timeout=300)
