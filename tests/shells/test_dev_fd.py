"""A kernel as that of macOS, where /dev/fd/N is not on the device of its file: directories open, and are warm."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from awsdirenv.system.files import extension_source
from interpreter import count_interpreters
from warm import library
from world import World


@pytest.fixture
def kernel() -> dict[str, str]:
    """Give the variables with which bash sees such a kernel."""
    preloaded = {"LD_PRELOAD": library("dev_fd")}
    script = 'exec 7<"$0"; [[ /dev/fd/7 -ef $0 ]]'
    assert (
        subprocess.run(["bash", "-c", script, __file__], env={**os.environ, **preloaded}, check=False).returncode == 1
    )
    return preloaded


def of_this_system(text: str) -> str:
    """Make what is only for macOS hold here."""
    assert text.count("*darwin*") == 1
    return text.replace("*darwin*", "*linux*")


def last_word() -> str:
    """Give the condition by which the extension accepts a snapshot in the end."""
    text = extension_source().with_name("snapshot.sh").read_text(encoding="utf-8")
    (last,) = re.findall(r"^    (\[\[ /dev/fd/.*\]\])$", text, re.MULTILINE)
    return str(last)


@pytest.mark.needs("LD_PRELOAD")
@pytest.mark.cold
@pytest.mark.parametrize("line", ["use aws_profile plain\n", "use aws_profile plain --live\n"])
def test_a_directory_opens(world: World, kernel: dict[str, str], line: str) -> None:
    """The first load opens it, and the second starts no Python."""
    parts = world.root / "parts"
    shutil.copytree(extension_source().parent, parts)
    (parts / "snapshot.sh").write_text(of_this_system((parts / "snapshot.sh").read_text(encoding="utf-8")))
    world.install(installed=str(parts))
    world.role("plain", mfa=False)
    folder = world.project("p", line)
    assert world.enter(folder, **kernel)[0]["AWSDIRENV_PROFILE"] == "plain"
    world.enter(folder, **kernel)
    started = count_interpreters(world)
    assert world.enter(folder, **kernel)[0]["AWSDIRENV_PROFILE"] == "plain"
    assert not started.exists()


@pytest.mark.needs("LD_PRELOAD")
@pytest.mark.parametrize(
    ("happens", "status"),
    [
        ("true", 0),
        ('cp -p "$1" "$1.new"; TZ=UTC0 touch -t 203001010000.00 "$1.new"; mv "$1.new" "$1"', 1),
        ('cp -p "$1" "$1.new"; TZ=UTC0 touch -t 200001010000.00 "$1.new"; mv "$1.new" "$1"', 1),
        ('rm "$1"', 1),
        ("exec {_ad_fd}<&-", 1),
    ],
)
def test_a_snapshot_that_is_replaced(tmp_path: Path, kernel: dict[str, str], happens: str, status: int) -> None:
    """The path must still lead to the snapshot that is open."""
    (tmp_path / "snapshot").touch()
    script = f'_ad_snapshot=$1; exec {{_ad_fd}}<"$1"; {happens}; {of_this_system(last_word())}'
    words = ["bash", "-c", script, "bash", str(tmp_path / "snapshot")]
    assert subprocess.run(words, env={**os.environ, **kernel}, check=False).returncode == status


@pytest.mark.needs("/proc")
@pytest.mark.parametrize(("happens", "status"), [("true", 0), ('cp -p "$1" "$1.new"; mv "$1.new" "$1"', 1)])
def test_elsewhere_it_must_be_the_same_file(tmp_path: Path, happens: str, status: int) -> None:
    """Another one with the very same time is refused."""
    (tmp_path / "snapshot").touch()
    script = f'_ad_snapshot=$1; exec {{_ad_fd}}<"$1"; {happens}; {last_word()}'
    words = ["bash", "-c", script, "bash", str(tmp_path / "snapshot")]
    assert subprocess.run(words, check=False).returncode == status
