"""The wheel, which is what people install: in an environment of its own, with no checkout in sight."""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path

import pytest

import builds
from awsdirenv import __version__
from awsdirenv.cli.main import parser
from awsdirenv.shell.completion import script
from awsdirenv.system.files import extension_source
from builds import made_once, run
from documents import ROOT
from world import World

pytestmark = pytest.mark.cold

EXTENSION = "awsdirenv/direnvrc.d/"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the wheel that people install."""
    return builds.wheel(tmp_path_factory)


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install it into a new virtual environment; give that one's folder of programs."""

    def make(folder: Path) -> None:
        run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
        pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python"]
        links = builds.wheelhouse(tmp_path_factory)
        run(*pip, "install", "--quiet", "--no-compile", "--no-index", "--find-links", links, wheel, cwd=folder)

    return made_once(tmp_path_factory, "installed", make) / "bin"


@pytest.fixture
def their_world(installed: Path, world: World) -> World:
    """Give a home whose awsdirenv is the installed one, and the only one."""
    world.run("awsdirenv", "setup", "--uninstall").check_returncode()
    world.env["PATH"] = world.env["PATH"].replace(str(Path(sys.executable).parent), str(installed))
    assert shutil.which("awsdirenv", path=world.env["PATH"]) == str(installed / "awsdirenv")
    return world


def test_the_wheel_has_the_package_and_the_extension_and_no_more(wheel: Path) -> None:
    """Tests and tools stay at home; the extension and the templates of the completions come along."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        extension = {name.removeprefix(EXTENSION): archive.read(name) for name in names if name.startswith(EXTENSION)}
    assert wheel.name == f"awsdirenv-{__version__}-py3-none-any.whl"
    assert extension == {path.name: path.read_bytes() for path in (ROOT / "direnvrc.d").iterdir()}
    assert extension.keys() == {path.name for path in extension_source().parent.glob("*.sh")}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "awsdirenv").rglob("*.py")}
    templates = {
        f"awsdirenv/shell/scripts/completions/{path.name}"
        for path in (ROOT / "awsdirenv" / "shell" / "scripts" / "completions").iterdir()
    }
    assert {name for name in names if name.endswith(".py")} == modules
    assert {name for name in names if "/completions/" in name} == templates
    assert {name.split("/")[0] for name in names} == {"awsdirenv", f"awsdirenv-{__version__}.dist-info"}


def test_nothing_of_the_checkout_is_importable(installed: Path, tmp_path: Path) -> None:
    """What the other tests here run is the installed package."""
    code = "import awsdirenv, sys; print(awsdirenv.__file__, *sys.path, sep='\\n')"
    place, *path = run(installed / "python", "-I", "-c", code, cwd=tmp_path).splitlines()
    assert Path(place).is_relative_to(installed.parent)
    assert not [entry for entry in path if Path(entry).is_relative_to(ROOT)]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script(installed: Path, tmp_path: Path, shell: str) -> None:
    """`awsdirenv completion fish`, and its like, print the same script as in the checkout."""
    assert run(installed / "awsdirenv", "completion", shell, cwd=tmp_path) == script(shell, parser())


def test_the_main_job(their_world: World, installed: Path) -> None:
    """From `awsdirenv setup` to credentials in the environment, and out again."""
    world = their_world
    done = world.run("awsdirenv", "setup")
    extension = world.home / ".config" / "direnv" / "lib" / "awsdirenv.sh"
    assert done.returncode == 0, done.stderr
    assert f"+ {extension}\n" in done.stderr
    assert str(installed / "python") in extension.read_text()
    assert str(ROOT) not in extension.read_text()

    world.role("adminrole")
    project = world.project("adminrole")
    changes, said = world.enter(project)
    assert not changes.get("AWS_ACCESS_KEY_ID")
    assert "awsdirenv: hint: awsdirenv login adminrole\n" in said

    world.login("adminrole")
    changes, said = world.enter(project)
    assert "awsdirenv: adminrole: account 123456789012, role adminrole, eu-west-1, " in said
    key = changes["AWS_ACCESS_KEY_ID"]
    assert key in world.sts.keys
    assert world.sts.keys[key].arn.startswith("arn:aws:sts::123456789012:assumed-role/adminrole/")
    assert world.sts.keys[key].secret == changes["AWS_SECRET_ACCESS_KEY"]
    assert world.sts.keys[key].token == changes["AWS_SESSION_TOKEN"]
    assert world.sts.count("AssumeRole") == 1

    world.env |= {name: value for name, value in changes.items() if value is not None}
    changes, _ = world.enter(world.root)
    assert changes["AWS_ACCESS_KEY_ID"] is None
    assert changes["AWS_SECRET_ACCESS_KEY"] is None
    assert changes["AWS_SESSION_TOKEN"] is None


def test_the_demo_without_its_extra(their_world: World, installed: Path) -> None:
    """Moto and its like are nobody's burden who does not ask for the demo."""
    done = their_world.run("awsdirenv", "demo")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "awsdirenv: error: the demo needs moto, which is not installed\n"
        f"awsdirenv: hint: uv pip install --python {installed}/python3 "
        "'awscli>=1.29' 'flask-cors>=4' 'flask>=2.2' 'moto>=5.0' 'pexpect>=4.8'\n"
    )


def test_the_keychain_without_its_extra(their_world: World, installed: Path) -> None:
    """Without the library nothing moves, and the hint installs it into this very environment; all else works."""
    before = their_world.credentials.read_bytes()
    done = their_world.run("awsdirenv", "keys", "add", "base")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "awsdirenv: error: the keychain needs the library keyring, which is not installed\n"
        f"awsdirenv: hint: uv pip install --python {installed}/python3 'keyring>=23.5'\n"
    )
    assert their_world.credentials.read_bytes() == before
    assert their_world.run("awsdirenv", "keys", "list").returncode == 0
