"""Packages of any suite of Debian's archive, unpacked into a folder and not installed."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from pathlib import Path

_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@functools.cache
def archive() -> str | None:
    """Give the address of Debian's archive as this machine has it; on another system None."""
    if not shutil.which("apt-get"):
        return None
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    name = re.search(r"^VERSION_CODENAME=(\w+)", release, re.MULTILINE)
    done = subprocess.run(["apt-get", "--print-uris", "update"], capture_output=True, text=True, check=False)
    found = re.search(rf"^'(\S+)/dists/{name[1]}/InRelease'", done.stdout, re.MULTILINE) if name else None
    return found[1] if found and "ID=debian" in release.split() else None


def unpack(folder: Path, suite: str, packages: tuple[str, ...], apt: Path | None = None) -> None:
    """Download packages and unpack them into a folder. A suite's lists are fetched once for each folder `apt`."""
    lists = (apt or folder / "apt").resolve()
    options = _options(lists, suite)
    if not any(lists.glob("lists/*_Packages*")):
        run(["apt-get", "-qq", *options, "update"], folder)
    run(["apt-get", "-qq", *options, "download", *packages], folder)
    for package in folder.glob("*.deb"):
        run(["dpkg-deb", "-x", str(package), str(folder)], folder)
        package.unlink()
    if apt is None:
        shutil.rmtree(lists)


def _options(apt: Path, suite: str) -> list[str]:
    (apt / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (apt / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    keys = f"[signed-by={_KEYS}] " if _KEYS.exists() else ""
    (apt / "sources.list").write_text(f"deb {keys}{archive()} {suite} main\n", encoding="utf-8")
    settings = {
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": "/dev/null",  # what is installed here would be preferred
        "Dir::Cache": apt,
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "APT::Sandbox::User": "",  # which could not write here
    }
    return [f"-o{name}={value}" for name, value in settings.items()]


def run(command: list[str], folder: Path, env: dict[str, str] | None = None) -> None:
    """Run a program that must succeed."""
    subprocess.run(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, check=True, timeout=300)
