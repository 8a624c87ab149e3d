"""The ways to install that the README names, each as a stranger types it: from an empty home to a loaded directory."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

import builds
from container import must_have
from documents import ROOT, blocks, section
from setup_steps import follow_steps
from shells import OwnShell, Shell
from strict_sts import StrictSts
from world import BIN, World

pytestmark = pytest.mark.cold

PROFILE = "adminrole"
IS_MANAGED = next(Path("/usr/lib").glob("python3*/EXTERNALLY-MANAGED"), None) is not None


def install_lines() -> list[str]:
    """Give the lines of the README's part on installing, without their comments."""
    text = section((ROOT / "README.md").read_text(encoding="utf-8"), "Install")
    return [line.partition("  #")[0].strip() for _, block in blocks(text) for line in block.splitlines()]


PACKAGES, PIPX, UV, PIP = install_lines()
SETUP = "awsdirenv setup"
WAYS = {"pipx": (PIPX, SETUP), "uv": (UV, SETUP), "pip": (PIP, "~/.awsdirenv/bin/awsdirenv setup")}
# What starts it without an installation.
WITHOUT = {"pipx": "pipx run --spec", "uv": "uvx --from"}


class Stranger(World):
    """Somebody whose home has AWS's two files and nothing else, and no awsdirenv anywhere."""

    def _set_up(self) -> None:
        self.is_cold = True
        tools = self.root / "tools"
        tools.mkdir()
        (tools / "uv").symlink_to(BIN / "uv")
        (tools / "uvx").symlink_to(BIN / "uvx")
        others = [one for one in os.environ["PATH"].split(":") if not Path(one, "awsdirenv").exists()]
        self.env["PATH"] = ":".join([str(tools), *others])

    def with_wheels(self, links: Path) -> None:
        """Let every installer find what it needs in a folder, and look nowhere else."""
        self.env |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        self.env |= {"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(links), "UV_OFFLINE": "1"}
        self.env |= {"UV_PYTHON": sys.executable, "UV_PYTHON_DOWNLOADS": "never"}
        if not IS_MANAGED:  # pipx takes the system's Python, which may be too old
            self.env["PIPX_DEFAULT_PYTHON"] = sys.executable


@pytest.fixture
def stranger(sts: StrictSts, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    """Make an empty home."""
    made = Stranger(sts, tmp_path)
    made.with_wheels(builds.wheelhouse(tmp_path_factory))
    assert os.listdir(made.home) == [".aws"]
    return made


def succeed(shell: Shell, line: str) -> None:
    """Type a line that must succeed."""
    said = shell.run(f"{line} && echo went''well")
    assert "wentwell" in said, said


@pytest.mark.parametrize("way", WAYS)
def test_from_an_empty_home_to_a_loaded_directory(
    stranger: Stranger, way: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The README's lines, and what `setup` says is next, end in a directory with keys that STS knows.

    What is started without an installation is in a cache, and so would be the Python that the extension starts: `setup`
    says so.
    """
    world, (install, setup) = stranger, WAYS[way]
    world.role(PROFILE)
    assert [name for name in PACKAGES.split()[3:] if not shutil.which(name, path=world.env["PATH"])] == []
    with OwnShell(world, "bash", builds.copy_sources(world.root)) as shell:
        succeed(shell, install)

    rc = world.home / ".bashrc"
    with OwnShell(world, "bash") as shell:
        succeed(shell, f"{setup} 2>~/said")
    said = (world.home / "said").read_text(encoding="utf-8")
    steps = [step for step in follow_steps(said, rc) if "install bash-completion" not in step]
    assert steps == ["start a new shell", "in a project: awsdirenv init PROFILE"], said
    assert "warning" not in said

    (world.home / "projects" / "mine").mkdir(parents=True)
    with OwnShell(world, "bash") as shell:
        shell.run("cd ~/projects/mine")
        shell.start(f"awsdirenv init {PROFILE}")
        shell.expect(f"Enter MFA code for {world.mfa_serial}: ")
        shell.send(f"{world.code()}\r")
        assert f"awsdirenv: {PROFILE}: account 123456789012, role {PROFILE}, " in shell.finish()
        key = world.sts.keys[shell.variable("AWS_ACCESS_KEY_ID")]
        assert key.arn.startswith(f"arn:aws:sts::123456789012:assumed-role/{PROFILE}/")
        assert shell.variable("AWS_SESSION_TOKEN") == key.token
        succeed(shell, "awsdirenv whoami")  # the command that hints name is one in a new shell
        shell.run("cd")
        assert shell.variable("AWS_ACCESS_KEY_ID") == ""
    # A package that is missing goes into the environment of awsdirenv, with the installer that this one has.
    hint = world.run("bash", "-ic", "awsdirenv demo").stderr.rpartition("awsdirenv: hint: ")[2]
    install, _, packages = hint.partition(" install ")
    assert "moto" in packages
    with OwnShell(world, "bash") as shell:
        succeed(shell, f"{install} install {''.join(re.findall(r'^--python [^ ]+ ', packages))}pluggy")
        extension = (world.home / ".config" / "direnv" / "lib" / "awsdirenv.sh").read_text(encoding="utf-8")
        succeed(shell, f"{re.findall(r' _ad_python=(/[^ ]+)', extension)[0]} -c 'import pluggy'")

    python = shutil.which("python3", path=world.env["PATH"])
    assert "No module named" in world.run(str(python), "-c", "import awsdirenv").stderr

    if way in WITHOUT:
        said = world.run(*WITHOUT[way].split(), str(builds.wheel(tmp_path_factory)), "awsdirenv", "setup").stderr
        assert re.search(r"^awsdirenv: warning: this awsdirenv is in \S+cache, and is lost ", said, re.MULTILINE), said
        assert "export PATH" not in said


def test_the_systems_python_refuses_pip(stranger: Stranger) -> None:
    """Debian's and Ubuntu's own Python takes nothing from a bare `pip install`, so the README begins with pipx."""
    must_have("an externally managed Python", is_there=IS_MANAGED)
    pip = (str(BIN / "python"), "-m", "pip", "--python", "/usr/bin/python3")
    done = stranger.run(*pip, "install", "awsdirenv")
    assert (done.returncode, "externally-managed-environment" in done.stderr) == (1, True)
