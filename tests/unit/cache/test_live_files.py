"""The files of live directories: private, believed only if ours, and with the way back to the person's own."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from awsdirenv.cache.live_files import Made, empty_file, is_current, leave, read, write, write_empty
from awsdirenv.errors import CacheError, ConfigError
from awsdirenv.records import replace

MADE = Made(
    profile="dev",
    stamps=("0 600 3 7 1:2:2026 @ /home/me/.aws/config", "absent @ /home/me/.aws/credentials"),
    originals=(None, ""),
    mfa_serial="",
    options="",
    python="/usr/bin/python",
    program="/opt/p.sh",
    region="eu-west-1",
    account_id="123456789012",
    role="dev",
    stage="",
    policies="",
)
OTHERS: tuple[dict[str, Any], ...] = (
    {"profile": "other"},
    {"stamps": (MADE.stamps[0], "absent @ /elsewhere")},
    {"originals": ("", "")},
    {"originals": (None, None)},
    {"mfa_serial": "arn:aws:iam::123456789012:mfa/foo"},
    {"options": "duration=900"},
    {"python": "/opt/python"},
    {"program": "/elsewhere.sh"},
    {"region": ""},
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder like ours."""
    made = tmp_path / "awsdirenv" / "live"
    made.mkdir(parents=True)
    return made


def mode(path: Path) -> int:
    """Give the permission bits."""
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("mask", [0, 0o22, 0o777])
def test_private(folder: Path, mask: int) -> None:
    """Both files are 0600 whatever the umask, and begin with what they are made from."""
    before = os.umask(mask)
    try:
        write(folder / "dev", MADE, b"[profile dev]\n")
        assert write_empty(folder) is None
    finally:
        os.umask(before)
    assert (mode(folder / "dev"), mode(empty_file(folder))) == (0o600, 0o600)
    assert empty_file(folder).read_bytes() == b""
    text = (folder / "dev").read_text(encoding="utf-8")
    assert text.startswith("# version=4\n# profile=dev\n")
    assert text.endswith("\n\n[profile dev]\n")


def test_current(folder: Path) -> None:
    """A file is current until anything it is made from differs, or anybody has touched it."""
    path = folder / "dev"
    assert not is_current(path, MADE)
    write(path, MADE, b"")
    assert is_current(path, MADE)
    for other in OTHERS:
        assert not is_current(path, replace(MADE, **other))
    path.chmod(0o644)
    assert not is_current(path, MADE)
    path.chmod(0o600)
    os.utime(path, (1, 1))
    assert not is_current(path, MADE)


def test_each_generation_has_a_second_of_its_own(folder: Path) -> None:
    """Direnv compares whole seconds: two files in one second would look the same to it."""
    seconds = set()
    for _ in range(5):
        write(folder / "dev", MADE, b"")
        seconds.add(int((folder / "dev").stat().st_mtime))
    assert len(seconds) == 5


@pytest.mark.parametrize("what", ["link", "fifo", "folder", "garbage", "old", "short"])
def test_what_is_not_ours(folder: Path, what: str) -> None:
    """What is no file of ours is not believed, and is replaced; a link is not followed."""
    path, elsewhere = folder / "dev", folder / "elsewhere"
    write(elsewhere, MADE, b"")
    if what == "link":
        path.symlink_to(elsewhere)
    elif what == "fifo":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    else:
        text = elsewhere.read_bytes()
        other = {"garbage": b"\xff\0\n" * 9, "old": text.replace(b"version=4", b"version=3"), "short": text[:60]}
        path.write_bytes(other[what])
        path.chmod(0o600)
    assert not is_current(path, MADE)
    with pytest.raises(ConfigError, match="AWS_CONFIG_FILE names a live file that no longer exists: "):
        leave({"AWS_CONFIG_FILE": str(path)})
    before = elsewhere.read_bytes()
    if what == "folder":
        with pytest.raises(CacheError):
            write(path, MADE, b"")
        return
    write(path, MADE, b"")
    assert is_current(path, MADE)
    assert elsewhere.read_bytes() == before


def test_line_breaks(folder: Path) -> None:
    """A path with a line break cannot forge a line: it is refused."""
    with pytest.raises(CacheError, match="a value for dev has a line break"):
        write(folder / "dev", replace(MADE, originals=("/x\n# role=y", None)), b"")


def test_too_long(folder: Path) -> None:
    """A value that the readers would refuse is refused, with its name; what is only shown is left out."""
    with pytest.raises(CacheError, match="AWS_MFA_SERIAL for dev is too long"):
        write(folder / "dev", replace(MADE, mfa_serial="x" * 8193), b"")
    write(folder / "dev", replace(MADE, account_id="1" * 21, role="a b"), b"")
    assert read(folder / "dev") == replace(MADE, account_id="", role="")


def test_empty_file_that_was_written_to(folder: Path) -> None:
    """Keys that somebody has written into the empty file are put aside, not lost, and do not win."""
    path = empty_file(folder)
    write_empty(folder)
    before = path.stat().st_ino
    assert write_empty(folder) is None
    assert path.stat().st_ino == before
    path.write_text("[default]\naws_access_key_id = AKIA\n", encoding="utf-8")
    aside = write_empty(folder)
    assert aside
    assert (aside.read_text(encoding="utf-8"), mode(aside)) == ("[default]\naws_access_key_id = AKIA\n", 0o600)
    assert (path.read_bytes(), mode(path)) == (b"", 0o600)
    path.chmod(0o644)
    assert write_empty(folder) is None
    assert mode(path) == 0o600
    path.unlink()
    path.symlink_to(aside)
    assert write_empty(folder) is None
    assert not path.is_symlink()


ENVIRONMENTS: tuple[tuple[tuple[str | None, str | None], dict[str, str]], ...] = (
    ((None, None), {}),
    (("", None), {"AWS_CONFIG_FILE": ""}),
    (("/a=b", "~/c\udcff"), {"AWS_CONFIG_FILE": "/a=b", "AWS_SHARED_CREDENTIALS_FILE": "~/c\udcff"}),
)


@pytest.mark.parametrize(("originals", "expected"), ENVIRONMENTS)
def test_leaving(folder: Path, originals: tuple[str | None, str | None], expected: dict[str, str]) -> None:
    """The person's own values come back exactly, set or not; our AWS_PROFILE goes, and nothing else changes."""
    write(folder / "dev", replace(MADE, originals=originals), b"")
    ours = {"AWS_CONFIG_FILE": str(folder / "dev"), "AWS_SHARED_CREDENTIALS_FILE": str(empty_file(folder))}
    environ = {**ours, "AWS_PROFILE": "dev", "AWSDIRENV_PROFILE": "dev", "OTHER": "x"}
    leave(environ)
    assert environ == {**expected, "AWSDIRENV_PROFILE": "dev", "OTHER": "x"}


def test_leaving_what_the_person_has_changed(folder: Path) -> None:
    """What was set after us stays: another AWS_PROFILE, other files."""
    write(folder / "dev", MADE, b"")
    environ = {"AWS_CONFIG_FILE": str(folder / "dev"), "AWS_SHARED_CREDENTIALS_FILE": "/mine", "AWS_PROFILE": "other"}
    leave(environ)
    assert environ == {"AWS_SHARED_CREDENTIALS_FILE": "/mine", "AWS_PROFILE": "other"}
    mine = {"AWS_CONFIG_FILE": "/mine", "AWS_SHARED_CREDENTIALS_FILE": str(empty_file(folder)), "AWS_PROFILE": "x"}
    environ = dict(mine)
    leave(environ)
    assert environ == mine
