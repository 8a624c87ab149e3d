"""What a release is made of: sdist and wheel, the same bytes each time, and packaging that its own tools can read."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from importlib.metadata import requires
from pathlib import Path

import pytest

import builds
from awsdirenv import __version__
from container import must_have
from documents import ROOT

PACKAGING = ROOT / "packaging"
# What the flake asks of nixpkgs and of home-manager: no more than to give back what they get.
EVALUATION = """
let
  lib = {
    genAttrs = names: f: builtins.listToAttrs (map (name: { inherit name; value = f name; }) names);
    mkEnableOption = name: name;
    mkOption = option: option;
    types.package = "package";
    mkIf = condition: value: assert condition; value;
    mkDefault = value: value;
    mkOrder = order: text: { inherit order text; };
    hm.dag.entryAfter = after: text: { inherit after text; };
    getExe = package: "/store/bin/${package.meta.mainProgram}";
  };
  python3Packages = {
    buildPythonApplication = package: package;
    hatchling = "hatchling"; boto3 = "boto3"; filelock = "filelock"; python-dotenv = "python-dotenv";
  };
  nixpkgs = { inherit lib; legacyPackages.x86_64-linux.callPackage = file: _: file { inherit python3Packages; }; };
  self = (import FLAKE).outputs { inherit self nixpkgs; };
  package = self.packages.x86_64-linux.default;
  module = self.homeManagerModules.default {
    inherit lib;
    pkgs.system = "x86_64-linux";
    config = { xdg.dataHome = "/data"; programs.awsdirenv = { enable = true; inherit package; }; };
  };
in
{
  inherit (package) pname version dependencies build-system;
  inherit (module) config;
  option = module.options.programs.awsdirenv.package.default.pname;
}
"""


def needs_tool(name: str) -> str:
    """Give a program's path. In CI `make tools` installs it, with apt-get."""
    found = shutil.which(name)
    must_have(name, is_there=found is not None)
    return str(found)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder with sdist and wheel."""
    return builds.built(tmp_path_factory)


@pytest.fixture(scope="session")
def filled(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fill in the packaging, with wheels of this machine as the index; give the folder."""
    links = builds.wheelhouse(tmp_path_factory)

    def make(folder: Path) -> None:
        shutil.copytree(built, folder / "dist")
        shutil.copytree(PACKAGING, folder / "packaging")
        (folder / "tools").mkdir()
        program = shutil.copy(ROOT / "tools" / "fill_packaging.py", folder / "tools")
        index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links)}
        builds.run(sys.executable, program, "https://host/a.tar.gz", "https://host", "--draft", cwd=folder, env=index)

    return builds.made_once(tmp_path_factory, "filled", make) / "dist" / "packaging"


def digests(folder: Path) -> dict[str, str]:
    """Give a digest for each file of a folder, by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}


def test_the_same_bytes_wherever_it_is_built(built: Path, tmp_path: Path) -> None:
    """Another folder, umask, zone and locale, and files of another age, change no byte of sdist and wheel."""
    source = builds.copy_sources(tmp_path)
    for path in source.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    other = builds.build(source, {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "1"}, umask=0o077)
    assert digests(other) == digests(built)
    assert digests(built).keys() == {f"awsdirenv-{__version__}.tar.gz", f"awsdirenv-{__version__}-py3-none-any.whl"}


def test_the_sdist_has_all_that_a_clone_has(built: Path) -> None:
    """From it one can build the wheel and run the tests: it has every file of the sources, with its right to be run."""
    source, top = built.parent, f"awsdirenv-{__version__}"
    wanted = {
        str(path.relative_to(source)) for path in source.rglob("*") if path.is_file() and built not in path.parents
    }
    with tarfile.open(built / f"{top}.tar.gz") as archive:
        members = {member.name.removeprefix(f"{top}/"): member.mode for member in archive}
    assert members.keys() == wanted | {"PKG-INFO"}  # which an unpacked sdist has, too
    assert {name for name in wanted if os.access(source / name, os.X_OK)} == {
        name for name, mode in members.items() if mode & 0o100
    }


def test_the_version_has_one_owner() -> None:
    """No other file of the project names the version; a test of the wheel shows that it has it."""
    found = [
        str(path.relative_to(ROOT))
        for pattern in ("*.toml", "*.md", "awsdirenv/**/*.py", "docs/**/*.md", "packaging/*", "tools/**/*.py")
        for path in ROOT.glob(pattern)
        if re.search(rf"(?<![\d.]){re.escape(__version__)}(?![\d.])", path.read_text(encoding="utf-8"))
    ]
    assert sorted(found) == ["CHANGELOG.md", "awsdirenv/__init__.py"]


def test_ruby_reads_the_formula(filled: Path) -> None:
    """`ruby -c` has nothing to say, and each dependency has the checksum of the file that pip would install."""
    ruby = needs_tool("ruby")
    for path in (PACKAGING / "awsdirenv.rb", filled / "awsdirenv.rb"):
        assert builds.run(ruby, "-wc", path, cwd=filled) == "Syntax OK\n"
    text = (filled / "awsdirenv.rb").read_text(encoding="utf-8")
    resources = re.findall(r'  resource "(\S+)" do\n    url "file://(\S+)"\n    sha256 "(\w+)"\n  end\n', text)
    assert {"boto3", "botocore", "filelock", "python-dotenv"} <= {name for name, _, _ in resources}
    for _, path, sha256 in resources:
        assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == sha256
    assert f'sha256 "{digests(filled.parent)[f"awsdirenv-{__version__}.tar.gz"]}"' in text
    assert "@" not in text.replace("python@", "")


def test_a_release_has_no_files_of_this_machine(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Without `--draft` an address that others cannot read is refused."""
    env = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(builds.wheelhouse(tmp_path_factory))}
    program = str(filled.parent.parent / "tools" / "fill_packaging.py")
    command = [sys.executable, program, "https://host/a", "https://host"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.startswith("this will not do for others: file:")) == (1, True)


def test_makepkg_reads_the_pkgbuild(filled: Path) -> None:
    """Its metadata are those of the release, and its dependencies those of pyproject.toml."""
    # It wants pacman to be there, and root only in a fakeroot.
    said = builds.run(
        needs_tool("makepkg"), "--printsrcinfo", "-F", cwd=filled, env={"PACMAN": "true", "FAKEROOTKEY": "1"}
    )
    values = re.findall(r"^\t(\w+) = (.*)$", said, re.MULTILINE)
    assert ("pkgver", __version__) in values
    assert ("sha256sums", digests(filled.parent)[f"awsdirenv-{__version__}.tar.gz"]) in values
    wanted = {one for one in requires("awsdirenv") or () if "extra" not in one}
    depends = {value for name, value in values if name == "depends"} - {"direnv"}
    bare = re.compile(r"^(?:python-)*|[<>=].*$")
    assert {bare.sub("", one) for one in depends} == {bare.sub("", one) for one in wanted}
    assert {one for one in wanted if one.startswith("filelock")} == {"filelock>=3.30"}
    assert "python-filelock>=3.30" in depends


def test_nix_reads_the_flake(tmp_path: Path) -> None:
    """It parses; its package has this version and our dependencies, its module puts our hooks below direnv's."""
    # With a store of no files it makes no folder in the root.
    nix = [needs_tool("nix-instantiate"), "--store", "dummy://"]
    home = {"HOME": str(tmp_path), "NIX_STATE_DIR": str(tmp_path)}
    # Nix reads the whole source, and a checkout also has what `make` leaves in it.
    flake = builds.copy_sources(tmp_path) / PACKAGING.name / "flake.nix"
    builds.run(*nix, "--parse", flake, cwd=tmp_path, env=home)
    words = [*nix, "--eval", "--strict", "--json", "-E", EVALUATION.replace("FLAKE", str(flake))]
    told = json.loads(builds.run(*words, cwd=tmp_path, env=home))
    assert (told["pname"], told["version"], told["option"]) == ("awsdirenv", __version__, "awsdirenv")
    wanted = {re.sub(r"[<>=].*", "", one) for one in requires("awsdirenv") or () if "extra" not in one}
    assert set(told["dependencies"]) == wanted
    assert told["build-system"] == ["hatchling"]
    assert told["config"]["programs"]["bash"]["initExtra"] == {
        "order": 1600,
        "text": "source /data/awsdirenv/hook.bash",
    }
    assert "run /store/bin/awsdirenv setup" in told["config"]["home"]["activation"]["awsdirenv"]["text"]
