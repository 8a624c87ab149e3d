"""Checks of `doctor` about our own folder: real locks, real mounts, a kernel that really refuses to lock."""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path

import pytest

from awsdirenv.reports.doctor.setup import mount_of
from awsdirenv.system.lock import Locks
from container import must_have
from doctor_faults import Home, sound_home
from world import BIN, World

# Has the kernel answer flock with ENOLCK, as some network file systems do, and becomes another program: a filter of
# four instructions (load the call's number; if it is flock's: refuse; else let it through).
WITHOUT_FLOCK = """\
import ctypes, os, struct, sys
number = {"x86_64": 73, "aarch64": 32}[os.uname().machine]
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050000 | 37), (0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0, ctypes.get_errno()
os.execv(sys.argv[1], sys.argv[1:])
"""
# What /proc/mounts has: what is mounted, where, of which type, with which options.
MOUNTS = """\
/dev/vda / ext4 rw 0 0
host:/home /home nfs4 rw,vers=4.2 0 0
//host/share /home/me/my\\040share cifs rw 0 0
tmpfs /home/me/.cache tmpfs rw 0 0
host:/old /srv nfs rw,nolock,vers=3 0 0
host:/new /srv nfs rw,vers=3 0 0
broken line
"""


@pytest.fixture
def home(world: World) -> Home:
    """Make a home where all is well."""
    return sound_home(world)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/root/x", ("ext4", "rw")),
        ("/home", ("nfs4", "rw,vers=4.2")),
        ("/home/me/.cachet", ("nfs4", "rw,vers=4.2")),
        ("/home/me/my share/x", ("cifs", "rw")),
        ("/home/me/.cache/awsdirenv", ("tmpfs", "rw")),
        ("/srv/x", ("nfs", "rw,vers=3")),
    ],
)
def test_the_file_system_of_a_path(path: str, kind: tuple[str, str]) -> None:
    """The innermost mount counts, of two at one point the later; a space in a name is written as octal."""
    assert mount_of(path, MOUNTS) == kind


def test_no_mounts_no_file_system() -> None:
    """Where there is no /proc nothing is known, which is no failure."""
    assert mount_of("/x", "") == ("", "")


def test_a_folder_that_cannot_be_locked(home: Home) -> None:
    """Where the kernel refuses locks that is an error, with a way out."""
    must_have("x86_64 or aarch64, whose system calls it knows", is_there=platform.machine() in ("x86_64", "aarch64"))
    words = [sys.executable, "-c", WITHOUT_FLOCK, sys.executable, "-m", "awsdirenv", "doctor"]
    done = home.world.run(*words, cwd=home.folder)
    assert done.returncode == 1, done.stderr
    assert "cannot be locked (" in done.stdout
    assert "No locks available [cache-folder]" in done.stdout
    assert "  hint: set XDG_CACHE_HOME to a folder on a local file system\n" in done.stdout


@pytest.mark.needs("/proc")
@pytest.mark.needs("mounts")
@pytest.mark.parametrize(
    ("kind", "options", "severity"),
    [
        ("cifs", "rw", "warning"),
        ("9p", "rw", "warning"),
        ("fuse.sshfs", "rw", "warning"),
        ("nfs", "rw,nolock", "warning"),
        ("nfs4", "rw,local_lock=all", "warning"),
        ("nfs4", "rw,local_lock=none", "info"),
        ("ext4", "rw", None),
        ("fuse.encfs", "rw", None),
    ],
)
def test_a_network_file_system(home: Home, kind: str, options: str, severity: str | None) -> None:
    """On a network file system whose locks other machines may not see that is a warning; where they do, a note.

    The kernel's own list of mounts is replaced for this one process, in a mount namespace.
    """
    listed = home.world.root / "mounts"
    listed.write_text(f"/dev/x / ext4 rw 0 0\nhost:/x {home.world.root} {kind} {options} 0 0\n", encoding="utf-8")
    script = 'mount --bind "$0" /proc/$$/mounts && exec "$@"'
    words = ["unshare", "--mount", "sh", "-c", script, str(listed), str(BIN / "awsdirenv"), "doctor"]
    done = home.world.run(*words, cwd=home.folder)
    if severity is None:
        assert done.stdout == "no problems found\n", done.stderr
    else:
        assert done.stdout.startswith(f"{severity}: {home.world.cache} is on a network file system ({kind})")
    assert done.returncode == (severity == "warning")


@pytest.mark.needs("root")
def test_somebody_elses_folder(home: Home) -> None:
    """A cache folder that belongs to another user is an error."""
    os.chown(home.world.cache, 12345, 12345)
    (row,) = home.found("cache-folder")
    assert (row["severity"], row["message"]) == ("error", f"{home.world.cache} belongs to another user")


def test_a_lock_that_is_held_for_long(home: Home) -> None:
    """A lock that somebody has held for more than five minutes is a warning that names the process and what it does."""
    locks = Locks(home.world.cache / "locks", 1, lambda *_: None, "/dev/pts/9")
    with locks.hold("mfa-x"):
        locks.note("asking for the MFA code")
        assert home.found("locks") == []
        path = home.world.cache / "locks" / "mfa-x.lock"
        os.utime(path, (time.time() - 720,) * 2)
        (row,) = home.found("locks")
    assert row["severity"] == "warning"
    who = f"pid {os.getpid()} on /dev/pts/9, asking for the MFA code"
    assert row["message"] == f"a lock has been held for 12m by {who}"
    assert (row["hint"], row["path"]) == (f"answer it, or end that process: kill {os.getpid()}", str(path))
    assert home.found("locks") == []  # released: the note of it stays behind, and is none


def test_looking_does_not_keep_a_lock_from_anybody(home: Home) -> None:
    """While doctor tries a lock it is shared, and gone with it: a load meanwhile has no failure."""
    home.world.login("adminrole")
    for _ in range(3):
        assert home.found("cache-folder") == []
        home.world.run("awsdirenv", "login", "adminrole", "--force").check_returncode()


def test_a_killed_timer(home: Home) -> None:
    """The mark of a timer that was killed is a note, that of one's last use is none."""
    folder = home.world.cache / "timers"
    (folder / "adminrole").write_text("999999999\n", encoding="ascii")
    (folder / "adminrole.used").write_text("999999999\n", encoding="ascii")
    (folder / "odd").write_text("not a number\n", encoding="ascii")
    for path in folder.iterdir():
        os.utime(path, (time.time() - 3600,) * 2)
    (row,) = home.found("locks")
    assert row["path"] == str(folder / "adminrole")
    Path(row["path"]).unlink()
    assert home.found("locks") == []
