"""A machine that differs from this one: other programs over /usr, another Python, another user, no /proc.

All of it is in a mount namespace of its own, so nothing of this machine changes. Programs stand where a package puts
them: what looks for them by an absolute path, as `setup` does for `stat`, finds them, too.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from container import allows
from debian import archive, unpack
from installs import npm_install

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "matrix"
USER = 4242  # a number that no account has
_HOME = Path("/run/home")  # of that user
_INSTALLED = Path.home() / ".cache" / "awsdirenv-tests"  # what tests/support/prompts.py has installed


class CannotRunError(Exception):
    """What a row takes is not to be had here; the message says why."""


class OutdatedRowError(Exception):
    """A row is about code that is not there any more: a fault of ours, on every machine."""


@dataclass
class Machine:
    """What differs. `layers` are folders to lay over /usr, the first one uppermost."""

    layers: list[Path] = field(default_factory=list)
    before: list[str] = field(default_factory=list)  # lines of sh, run as root
    as_user: list[str] = field(default_factory=list)  # words before the command
    environ: dict[str, str] = field(default_factory=dict)
    python: Path = Path(sys.executable)

    def command(self, *words: str) -> list[str]:
        """Return the words that run a command there. Raises CannotRunError without the right to mount."""
        command = [*self.as_user, *words]
        if not self.layers and not self.before:
            return command
        if not allows("mounts"):
            raise CannotRunError("it needs root and the right to mount")
        lines = ["set -eu"]
        if self.layers:
            over = ":".join([*map(str, self.layers), "/usr"])
            lines.append(f"mount -t overlay -o {shlex.quote(f'lowerdir={over}')} none /usr")
        script = "\n".join([*lines, *self.before, f"exec {shlex.join(command)}"])
        return ["unshare", "--mount", "sh", "-c", script]

    def run(self, *words: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run a command there, with nobody at a terminal; give what it printed."""
        # In CI nothing of Linux may be missing, but this is a machine that differs.
        env = {name: value for name, value in os.environ.items() if name != "CI"} | self.environ
        return subprocess.run(
            self.command(*words),
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )


Part = Callable[[Machine], None]


def _layer(name: str, make: Callable[[Path], None]) -> Path:
    """Give a folder to lay over /usr, made once."""
    folder = BUILD / "layers" / name
    if not folder.exists():
        draft = folder.with_suffix(".draft")
        shutil.rmtree(draft, ignore_errors=True)
        (draft / "usr").mkdir(parents=True)
        try:
            make(draft)
        except subprocess.SubprocessError as error:
            program = getattr(error, "cmd", ["?"])[0]
            raise CannotRunError(f"{program} did not get {name}") from None
        for old in ("bin", "lib", "lib64", "sbin"):  # where packages before 2023 put things
            if (draft / old).exists():
                shutil.copytree(draft / old, draft / "usr" / old, symlinks=True, dirs_exist_ok=True)
        draft.rename(folder)
    return folder / "usr"


def debian(suite: str, *packages: str) -> Part:
    """Have packages of another suite of Debian's over those of this machine."""

    def change(machine: Machine) -> None:
        if not archive():
            raise CannotRunError("it needs an archive of Debian's, and apt-get")
        name = "-".join([suite, *packages])[:120]
        apt = BUILD / "apt" / suite
        apt.mkdir(parents=True, exist_ok=True)
        machine.layers.insert(0, _layer(name, lambda folder: unpack(folder, suite, packages, apt)))

    return change


def program(path: str, text: str) -> Part:
    """Have a script as the program at a path below /usr."""

    def make(folder: Path) -> None:
        target = folder / path.lstrip("/")
        target.parent.mkdir(parents=True)
        target.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        target.chmod(0o755)

    number = sum(text.encode())  # another text is another layer
    return lambda machine: machine.layers.insert(0, _layer(f"{Path(path).name}-{number}", make))


def link(path: str, target: str) -> Part:
    """Have a link to another program at a path below /usr."""

    def make(folder: Path) -> None:
        place = folder / path.lstrip("/")
        place.parent.mkdir(parents=True)
        place.symlink_to(target)

    name = f"{path}-{target}".replace("/", "-").lstrip("-")
    return lambda machine: machine.layers.insert(0, _layer(name, make))


def changed_line(path: str, old: str, new: str) -> Part:
    """Have another line in a file of this checkout, to emulate what our code asks its system."""

    def change(machine: Machine) -> None:
        text = (ROOT / path).read_text(encoding="utf-8")
        if text.count(f"{old}\n") != 1:
            raise OutdatedRowError(f"{path} has no line {old}")
        copy = BUILD / "changed" / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text.replace(f"{old}\n", f"{new}\n"), encoding="utf-8")
        machine.before.append(f"mount --bind {shlex.quote(str(copy))} {shlex.quote(str(ROOT / path))}")

    return change


def built_by_hand(path: str, name: str) -> Part:
    """Have at a path below /usr a program that somebody has put into `build/matrix/by-hand`."""

    def change(machine: Machine) -> None:
        target = BUILD / "by-hand" / name
        if not target.exists():
            raise CannotRunError(
                f"Debian's archive does not have it; build it and put it at {target.relative_to(ROOT)}"
            )
        link(path, str(target))(machine)

    return change


def from_npm(path: str, package: str, program: str) -> Part:
    """Have at a path below /usr a program of a package of npm's, which may be in one that it depends on."""

    def make(folder: Path) -> None:
        (folder / "npm").mkdir()
        npm_install(folder / "npm", package)
        found = [one for one in (folder / "npm").rglob(program) if one.is_file() and not one.is_symlink()]
        if not found:
            raise CannotRunError(f"npm's {package} has no program {program} for this machine")
        target = folder / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(max(found, key=lambda one: one.stat().st_size), target)  # the others are scripts that start it
        shutil.rmtree(folder / "npm")

    return lambda machine: machine.layers.insert(0, _layer(f"npm-{package}", make))


def with_shell(kind: str) -> Part:
    """Run the tests of a shell that this machine does not have; see tests/shells/test_other_shells.py."""
    return lambda machine: machine.environ.update(AWSDIRENV_TEST_SHELLS=kind)


def without(path: str) -> Part:
    """Have nothing at a path below /usr."""

    def change(machine: Machine) -> None:
        if not allows("mounts"):
            raise CannotRunError("it needs root and the right to mount")
        place = f"without-{Path(path).name}"
        machine.layers.insert(0, _layer(place, lambda folder: _hide(folder / path.lstrip("/"))))

    return change


def _hide(target: Path) -> None:
    target.parent.mkdir(parents=True)
    os.mknod(target, 0o20000, 0)  # overlayfs takes it for "not there"


def gnu_stat_elsewhere(machine: Machine) -> None:
    """Keep GNU's `stat` where the tests find it by PATH, and `setup` does not look."""

    def make(folder: Path) -> None:
        target = folder / "usr" / "local" / "bin" / "stat"
        target.parent.mkdir(parents=True)
        shutil.copy(shutil.which("stat") or "/usr/bin/stat", target)

    machine.layers.append(_layer("gnu-stat", make))


def no_proc(machine: Machine) -> None:
    """Have of /proc only what stands for /dev/fd and for a program's own path, as on systems that never had it."""
    machine.before += [
        "real=$(mktemp -d)",
        'mount --bind /proc "$real"',
        "mount -t tmpfs -o mode=755 none /proc",
        'ln -s "$real/self" /proc/self',
    ]


def hidepid(machine: Machine) -> None:
    """Have a /proc that shows nobody the processes of others, as on shared and on hardened machines."""
    machine.before.append("mount -t proc -o hidepid=invisible none /proc")


def _closed_above(path: Path) -> Path | None:
    """Return the uppermost folder above a path through which another user may not go, such as root's home."""
    return next((folder for folder in reversed(path.parents) if not folder.stat().st_mode & 0o001), None)


def ordinary_user(umask: str, *, has_name: bool = True) -> Part:
    """Be nobody in particular, with a umask; without a name there is no line in /etc/passwd."""

    def change(machine: Machine) -> None:
        interpreter = machine.python.resolve().parents[1]
        places = {path: path for path in (Path(sys.base_prefix), interpreter, ROOT) if _closed_above(path)}
        covered = dict.fromkeys(map(_closed_above, places))
        places |= {path: _HOME / path.relative_to(Path.home()) for path in _INSTALLED.glob("*") if path.is_dir()}
        for number, path in enumerate(places):
            machine.before += [f"mkdir -p /run/matrix/{number}", f"mount --bind {path} /run/matrix/{number}"]
        machine.before.insert(0, "mount -t tmpfs -o mode=755 none /run")
        machine.before += [f"mount -t tmpfs -o mode=755 none {folder}" for folder in covered]
        machine.before.append(f"mkdir -p {_HOME}/.cache/{_INSTALLED.name} && chown -R {USER}:{USER} {_HOME}")
        for number, path in enumerate(places.values()):
            machine.before += [f"mkdir -p {path}", f"mount --bind /run/matrix/{number} {path}"]
        if has_name:
            line = f"matrix:x:{USER}:{USER}::{_HOME}:/bin/sh"
            machine.before += [
                f"{{ cat /etc/passwd; echo {line}; }} >/run/passwd",
                "mount --bind /run/passwd /etc/passwd",
            ]
        words = f'umask {umask}; exec "$@"'
        number_words = [f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
        machine.as_user = ["setpriv", *number_words, "sh", "-c", words, "sh"]
        machine.environ |= {"HOME": str(_HOME), "PYTHONDONTWRITEBYTECODE": "1"}
        machine.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = f"{_HOME}/.hypothesis"  # not in the checkout, which is root's

    return change
