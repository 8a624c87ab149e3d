"""Private files: whole or not at all, 0600 under any umask, and not believed where others may have written."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from awsdirenv.cache.layout import name_key
from awsdirenv.errors import CacheError
from awsdirenv.shell import extension
from awsdirenv.system import files
from awsdirenv.system.lock import Locks
from files import STRANGER, VALUES, mode
from world import World, assert_nobody, tree


def in_child(action: Callable[[], object]) -> str:
    """Run something in a process of its own that may change itself; give its result or error as text."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            text = str(action())
        except BaseException as error:  # noqa: BLE001 - all of it is the parent's business
            text = f"{type(error).__name__}: {error}"
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as answer:
        text = answer.read()
    assert os.waitpid(pid, 0)[1] == 0
    return text


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Make a folder that other users can reach, unlike pytest's."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o700)
    shutil.rmtree(folder)


def as_ordinary_user(folder: Path, action: Callable[[], object]) -> str:
    """Run something in a child that has no privileges, with the folder given to it."""

    def unprivileged() -> object:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(STRANGER)
            os.setuid(STRANGER)
        return action()

    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, STRANGER, STRANGER)
    return in_child(unprivileged)


def test_a_lax_umask_never_shows_the_draft_to_others(tmp_path: Path) -> None:
    """A reader who polls during thousands of writes never sees a readable file of any name: no write-then-chmod."""
    path = tmp_path / "f"
    ended = tmp_path / "ended"

    def write() -> str:
        os.umask(0)
        until = time.monotonic() + 0.6
        while time.monotonic() < until:
            files.write_private(path, VALUES)
        ended.touch(0o600)
        return "written"

    seen: set[int] = set()
    watcher = os.fork()
    if watcher == 0:
        os._exit(0 if in_child(write) == "written" else 1)
    while not ended.exists():
        for name in ("f", ".f.new"):
            with contextlib.suppress(FileNotFoundError):
                seen.add(mode(tmp_path / name))
    assert os.waitpid(watcher, 0)[1] == 0
    assert seen == {0o600}


def test_a_reader_sees_the_old_or_the_new_file_and_nothing_between(tmp_path: Path) -> None:
    """A file that is replaced again and again is whole at every look."""
    path = tmp_path / "f"
    old, new = ({"GENERATION": text * 4000} for text in "on")
    files.write_private(path, old)

    def write() -> str:
        until = time.monotonic() + 0.4
        while time.monotonic() < until:
            files.write_private(path, new)
            files.write_private(path, old)
        (tmp_path / "ended").touch()
        return ""

    watcher = os.fork()
    if watcher == 0:
        os._exit(len(in_child(write)))
    found = []
    while not (tmp_path / "ended").exists():
        found.append(files.read_private(path))
    assert os.waitpid(watcher, 0)[1] == 0
    assert len(found) > 20
    assert all(values in (old, new) for values in found)


@pytest.mark.needs("mounts")
def test_a_full_disk_leaves_the_old_file_untouched(tmp_path: Path) -> None:
    """On a file system without a free block the error says so, the old file stays whole and no draft is left."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "none", str(tmp_path)], check=True)
    try:
        path = tmp_path / "f"
        files.write_private(path, {"OLD": "x" * 5000})
        with pytest.raises(CacheError) as caught:
            files.write_private(path, {"NEW": "y" * 5000})
        assert caught.value.message == f"cannot use {path}: No space left on device"
        assert files.read_private(path) == {"OLD": "x" * 5000}
        assert [one.name for one in tmp_path.iterdir()] == ["f"]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("limit", [0, 1, 20, 100])
def test_a_write_that_stops_half_way_leaves_the_old_file_untouched(tmp_path: Path, limit: int) -> None:
    """A quota or a size limit hit at any byte is an error of ours, and what was there is whole."""
    path = tmp_path / "f"
    files.write_private(path, {"OLD": "1"})

    def write() -> object:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        files.write_private(path, {"NEW": "y" * 200})
        return "written"

    assert in_child(write) == f"CacheError: cannot use {path}: File too large"
    assert files.read_private(path) == {"OLD": "1"}
    assert [one.name for one in tmp_path.iterdir()] == ["f"]


def test_a_read_only_folder_is_an_error_of_ours(open_folder: Path) -> None:
    """Without the right to write, reading goes on and writing names the path and the remedy."""
    path = open_folder / "f"
    files.write_private(path, {"OLD": "1"})
    open_folder.chmod(0o555)
    answer = as_ordinary_user(open_folder, lambda: files.write_private(path, VALUES))
    assert answer == f"CacheError: cannot use {path}: Permission denied"
    assert as_ordinary_user(open_folder, lambda: files.read_private(path)) == str({"OLD": "1"})
    assert as_ordinary_user(open_folder, lambda: files.remove(path)).startswith("CacheError: cannot use ")


def test_a_folder_that_cannot_be_made_is_an_error_of_ours(open_folder: Path) -> None:
    """A read-only ~/.cache is reported with the path that was wanted."""
    open_folder.chmod(0o555)
    answer = as_ordinary_user(open_folder, lambda: files.ensure_private_folder(open_folder / "awsdirenv"))
    assert answer == f"CacheError: cannot use {open_folder / 'awsdirenv'}: Permission denied"


def test_clear_removes_the_drafts_that_killed_commands_have_left(world: World) -> None:
    """Those of directories that we serve, of our installed files, and in our own folders; `doctor` finds the same."""
    world.role("adminrole", mfa=False)
    folder = world.project("project", "use aws_profile adminrole\n")
    world.enter(folder)
    token = world.home / ".aws/sso/cache/token.json"
    token.parent.mkdir(parents=True)
    targets = [folder / ".env", folder / ".env.local", folder / ".envrc", extension.extension_path(world.env), token]
    drafts = [files.draft_of(target) for target in targets]
    ours = [world.cache / name for name in ("snapshots/adminrole", "sessions/x", "live/adminrole", "live/.empty")]
    for draft in drafts + [files.private_draft_of(path) for path in ours]:
        draft.write_text("SENTINEL-SECRET", encoding="utf-8")
        os.utime(draft, (1, 1))
        drafts = [*dict.fromkeys([*drafts, draft])]
    found = json.loads(world.run("awsdirenv", "doctor", "--offline", "--json").stdout)["findings"]
    assert {row["path"] for row in found if row["check"] == "drafts"} == set(map(str, drafts))
    assert world.run("awsdirenv", "clear", "--all").returncode == 0
    assert [draft for draft in drafts if draft.exists()] == []
    assert (folder / ".envrc").exists()


@pytest.mark.parametrize("name", ["", "snapshots", "live", "timers", "claims"])
def test_a_link_in_the_place_of_a_folder_of_ours_is_refused(world: World, name: str) -> None:
    """Also where all is fresh: nothing behind it is believed, and nothing is written there."""
    world.role("plain", mfa=False)
    folder = world.project("plain", f"use aws_profile plain{' --live' if name == 'live' else ''}\n")
    world.enter(folder, AWSDIRENV_AUTO_REFRESH="1")
    world.end_timers()
    real, elsewhere = (world.cache / name if name else world.cache), world.root / "elsewhere"
    real.rename(elsewhere)
    real.symlink_to(elsewhere)
    before = tree(elsewhere)
    if name == "claims":
        world.config.touch()
    changes, said = world.enter(folder, AWSDIRENV_AUTO_REFRESH="1")
    if name == "timers":  # without one there is no renewal behind, and no more
        assert changes["AWSDIRENV_PROFILE"] == "plain"
    else:
        assert_nobody(changes)
        assert f"awsdirenv: error: {real} is a symbolic link" in said
    assert tree(elsewhere) == before


OUTPUTS = [("export", "--output", "{}/.env.ci", "--format", "dotenv"), ("export", "--output", "{}/x.sh"), ("init",)]


@pytest.mark.parametrize("words", OUTPUTS, ids=lambda words: words[-1])
def test_the_draft_of_a_killed_command_is_known_wherever_it_is(world: World, words: tuple[str, ...]) -> None:
    """A command killed at the rename leaves a draft in any folder: `clear --all` finds it, and so does the next run."""
    world.role("adminrole", mfa=False)
    far = world.root / "far"
    far.mkdir()
    words = (*(word.format(far) for word in words), "--", "adminrole")
    killing = (
        "import os, signal; os.replace = lambda a, b: os.kill(os.getpid(), 9) if '/far/' in str(b) else os.rename(a, b)"
    )
    start = "import sys; sys.argv[0] = 'awsdirenv'; from awsdirenv.__main__ import main; main()"
    for run in range(2):
        done = world.process(sys.executable, "-c", f"{killing}; {start}", *words, cwd=far)
        assert done.returncode == -signal.SIGKILL
        (draft,) = far.iterdir()
        if run:
            assert world.run("awsdirenv", "clear", "--all").returncode == 0
            assert not draft.exists()
        else:
            world.run("awsdirenv", *words, cwd=far).check_returncode()
            assert draft not in list(far.iterdir())
            assert list((world.cache / "marks").glob("draft-*")) == []
            for path in far.iterdir():
                path.unlink()


@pytest.mark.needs("/proc")
def test_a_dotenv_that_is_saved_while_we_look(world: World) -> None:
    """Saved between our look at it and our note of it: the next prompt, and every new shell, has the new profile."""
    for name in ("first", "second"):
        world.role(name, mfa=False)
    folder = world.project("p", "use aws_profile\n")
    dotenv = folder / ".env"
    dotenv.write_text("AWS_PROFILE=first\n")
    os.utime(dotenv, (1, 1))  # direnv compares whole seconds
    world.enter(world.project("first"))
    locks = Locks(world.cache / "locks", 1, lambda *_: None)
    name = f"name-{name_key(dotenv, world.env)}"
    with locks.hold(name):
        command = ["direnv", "export", "json"]
        opened = opens(world.cache / "locks" / f"{name}.lock")
        process = subprocess.Popen(command, cwd=folder, env=world.env, stdout=subprocess.PIPE, text=True)
        assert select.select([opened], [], [], 60)[0], "nobody has come to the lock, which is after the .env was read"
        os.close(opened)
        dotenv.write_text("AWS_PROFILE=second\n")
    changes = json.loads(process.communicate(timeout=60)[0])
    assert world.enter(folder)[0]["AWSDIRENV_PROFILE"] == "second"
    shell = {key: value for key, value in changes.items() if value is not None}
    assert {**shell, **world.enter(folder, **shell)[0]}["AWSDIRENV_PROFILE"] == "second"


def opens(path: Path) -> int:
    """Give a descriptor that can be read once a process opens a file from now on (Linux's inotify)."""
    libc = ctypes.CDLL(None)
    watch: int = libc.inotify_init1(os.O_CLOEXEC)
    assert libc.inotify_add_watch(watch, os.fsencode(path), 0x20) >= 0  # IN_OPEN
    return watch
