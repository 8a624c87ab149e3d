"""Private files: whole or not at all, 0600 under any umask, and not believed where others may have written."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awsdirenv.errors import CacheError
from awsdirenv.system import files
from files import STRANGER, VALUES, mode
from world import AT_ONCE

# Python 3.12 warns of forking beside threads; the children here only call the system.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@contextlib.contextmanager
def umask(mask: int) -> Iterator[None]:
    """Live under another umask for a while."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    """Names and values come back exactly, empty ones, spaces, `=` and bytes that are no UTF-8 included."""
    files.write_private(tmp_path / "f", VALUES)
    assert files.read_private(tmp_path / "f") == VALUES


LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=40)


@settings(max_examples=50)
@given(values=st.dictionaries(LINE.map(lambda text: "N" + text.replace("=", "")), LINE, max_size=8))
def test_any_values_of_one_line_are_read_back(values: dict[str, str]) -> None:
    """Unicode's own line separators, NUL and control characters end no line of ours."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f"
        files.write_private(path, values)
        assert files.read_private(path) == values


def test_the_file_is_lines_between_a_version_and_an_end(tmp_path: Path) -> None:
    """The bytes are what the extension's reader and python-dotenv expect."""
    files.write_private(tmp_path / "f", {"A": "1", "B": "x y"})
    assert (tmp_path / "f").read_bytes() == b"AWSDIRENV_VERSION=1\nA=1\nB=x y\nAWSDIRENV_END=1\n"


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o177, 0o277, 0o777])
def test_the_file_is_0600_under_any_umask(tmp_path: Path, mask: int) -> None:
    """Neither a lax nor a crippling umask shows in the mode."""
    with umask(mask):
        files.write_private(tmp_path / "f", VALUES)
    assert mode(tmp_path / "f") == 0o600
    assert files.read_private(tmp_path / "f") == VALUES


def test_the_modification_time_is_the_one_asked_for(tmp_path: Path) -> None:
    """What direnv compares is set before anybody can see the file."""
    files.write_private(tmp_path / "f", VALUES, mtime=4102444800)
    assert (tmp_path / "f").stat().st_mtime_ns == 4102444800 * 10**9


@pytest.mark.parametrize("first", [1000, 1001])
def test_outdating_is_once_in_each_generation(tmp_path: Path, first: int) -> None:
    """Each is a second of its own to who watches, and so is its end, however many say so."""
    path, seen = tmp_path / "f", []
    for wanted in (first, first, first - 500, first + 1):
        files.write_private(path, VALUES, mtime=files.fresh_mtime(path, wanted))
        seen.append(path.stat().st_mtime)
        files.outdate(path)
        seen.append(path.stat().st_mtime)
        files.outdate(path)
        assert path.stat().st_mtime == seen[-1]
    assert seen == sorted(set(seen))
    assert abs(seen[0] - first) <= 1


def test_outdating_follows_no_link_and_needs_no_file(tmp_path: Path) -> None:
    """What is not there is nobody's to look at, and a planted link touches nothing."""
    files.outdate(tmp_path / "absent")
    (tmp_path / "victim").write_text("mine")
    os.utime(tmp_path / "victim", (1000, 1000))
    (tmp_path / "f").symlink_to(tmp_path / "victim")
    files.outdate(tmp_path / "f")
    assert (tmp_path / "victim").stat().st_mtime == 1000


def test_without_one_the_modification_time_is_now(tmp_path: Path) -> None:
    """Files that nobody watches keep the time they were written at."""
    files.write_private(tmp_path / "f", VALUES)
    assert abs((tmp_path / "f").stat().st_mtime - time.time()) < 60


def test_a_symlink_in_our_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """What a planted link points to stays as it is."""
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "f").symlink_to(tmp_path / "victim")
    files.write_private(tmp_path / "f", VALUES)
    assert (tmp_path / "victim").read_text() == "mine"
    assert not (tmp_path / "f").is_symlink()
    assert files.read_private(tmp_path / "f") == VALUES


def test_a_fifo_in_our_place_is_replaced_without_waiting_for_a_reader(tmp_path: Path) -> None:
    """Opening a FIFO for writing would block until somebody reads."""
    os.mkfifo(tmp_path / "f")
    files.write_private(tmp_path / "f", VALUES)
    assert files.read_private(tmp_path / "f") == VALUES


@pytest.mark.needs("root")
def test_a_stranger_s_file_in_our_place_is_replaced(tmp_path: Path) -> None:
    """The new file is ours, and not the stranger's with our secrets in it."""
    (tmp_path / "f").write_text("AWSDIRENV_VERSION=1\n")
    os.chown(tmp_path / "f", STRANGER, STRANGER)
    (tmp_path / "f").chmod(0o666)
    files.write_private(tmp_path / "f", VALUES)
    assert (tmp_path / "f").stat().st_uid == os.geteuid()
    assert mode(tmp_path / "f") == 0o600


@pytest.mark.parametrize("kind", ["half", "link", "fifo", "lax"])
def test_what_a_killed_writer_left_is_replaced_and_never_piles_up(tmp_path: Path, kind: str) -> None:
    """A leftover draft of any kind neither stops the next writer nor lends its mode or its target."""
    draft, victim = tmp_path / ".f.new", tmp_path / "victim"
    victim.write_text("mine")
    if kind == "link":
        draft.symlink_to(victim)
    elif kind == "fifo":
        os.mkfifo(draft)
    else:
        draft.write_text("AWSDIRENV_VERS")
        draft.chmod(0o666 if kind == "lax" else 0o600)
    files.write_private(tmp_path / "f", VALUES)
    assert files.read_private(tmp_path / "f") == VALUES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f", "victim"]
    assert victim.read_text() == "mine"
    assert mode(tmp_path / "f") == 0o600


def test_a_folder_in_the_draft_s_place_is_an_error_of_ours(tmp_path: Path) -> None:
    """What cannot be cleared away is reported, and the old file stays."""
    files.write_private(tmp_path / "f", {"OLD": "1"})
    (tmp_path / ".f.new").mkdir()
    with pytest.raises(CacheError, match="cannot use"):
        files.write_private(tmp_path / "f", VALUES)
    assert files.read_private(tmp_path / "f") == {"OLD": "1"}


def test_a_folder_in_our_place_is_an_error_of_ours_and_leaves_no_draft(tmp_path: Path) -> None:
    """A directory cannot be replaced: the error names it, and no secret is left beside it."""
    (tmp_path / "f").mkdir()
    with pytest.raises(CacheError) as caught:
        files.write_private(tmp_path / "f", VALUES)
    assert caught.value.message == f"cannot use {tmp_path / 'f'}: Is a directory"
    assert str(tmp_path) in caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize("value", ["a\nb", "\n", "a\rb", "a\r\n"])
def test_a_value_with_a_line_break_is_refused_before_anything_is_touched(tmp_path: Path, value: str) -> None:
    """No value can smuggle a line in; the message does not repeat it."""
    files.write_private(tmp_path / "f", {"OLD": "1"})
    with pytest.raises(CacheError) as caught:
        files.write_private(tmp_path / "f", {"NAME": value})
    assert caught.value.message == "a value for f has a line break"
    assert files.read_private(tmp_path / "f") == {"OLD": "1"}
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_file_cut_off_anywhere_is_not_believed(tmp_path: Path) -> None:
    """No prefix of a real file reads as a file, down to a missing last line break."""
    path = tmp_path / "f"
    files.write_private(path, VALUES)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert files.read_private(path) is None, whole[:size]


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole + b"X=1\n",
        lambda whole: whole + b"\n",
        lambda whole: b"\n" + whole,
        lambda whole: b"\xef\xbb\xbf" + whole,
        lambda whole: whole.replace(b"\n", b"\r\n"),
        lambda whole: whole.replace(b"VERSION=1", b"VERSION=2"),
        lambda whole: whole.replace(b"END=1", b"END=2"),
        lambda whole: whole.replace(b"END=1", b"END"),
        lambda whole: b"\0" * len(whole),
        lambda whole: whole[: len(whole) // 2] + b"\0" * (len(whole) - len(whole) // 2),
    ],
    ids=["line behind", "blank behind", "blank before", "BOM", "CRLF", "version", "end", "bare end", "zeros", "tail 0"],
)
def test_a_file_with_another_frame_is_not_believed(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """First and last line must be exactly ours, with nothing around them."""
    path = tmp_path / "f"
    files.write_private(path, VALUES)
    path.write_bytes(damage(path.read_bytes()))
    assert files.read_private(path) is None


def test_a_name_that_stands_twice_makes_the_file_worthless(tmp_path: Path) -> None:
    """Of two values nobody can tell which is meant; we never wrote both."""
    path = tmp_path / "f"
    files.write_private(path, {"A": "1", "B": "2"})
    for line in (b"A=1\n", b"A=3\n"):
        whole = path.read_bytes()
        path.write_bytes(whole.replace(b"B=2\n", b"B=2\n" + line))
        assert files.read_private(path) is None
        path.write_bytes(whole)


@pytest.mark.parametrize("bits", [0o400, 0o700, 0o4600, 0o640, 0o604, 0o644, 0o620, 0o602, 0o610, 0o601, 0o666, 0o777])
def test_a_file_open_to_others_is_not_believed(tmp_path: Path, bits: int) -> None:
    """One bit for group or others is enough to refuse it, and so is any mode that the extension would not take."""
    files.write_private(tmp_path / "f", VALUES)
    (tmp_path / "f").chmod(bits)
    assert files.read_private(tmp_path / "f") is None


@pytest.mark.needs("root")
def test_a_stranger_s_file_is_not_believed(tmp_path: Path) -> None:
    """A file of another user's is refused even at 0600."""
    files.write_private(tmp_path / "f", VALUES)
    os.chown(tmp_path / "f", STRANGER, -1)
    assert files.read_private(tmp_path / "f") is None


def test_a_link_to_a_good_file_is_not_believed(tmp_path: Path) -> None:
    """A symlink may change its target between two looks; a hard link is the file itself."""
    files.write_private(tmp_path / "good", VALUES)
    (tmp_path / "f").symlink_to(tmp_path / "good")
    (tmp_path / "hard").hardlink_to(tmp_path / "good")
    assert files.read_private(tmp_path / "f") is None
    assert files.read_private(tmp_path / "hard") == VALUES


def test_a_fifo_is_not_read_and_blocks_nobody(tmp_path: Path) -> None:
    """Without O_NONBLOCK this test would hang until its alarm."""
    os.mkfifo(tmp_path / "f", 0o600)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(5)
    try:
        assert files.read_private(tmp_path / "f") is None
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_a_fifo_that_says_the_right_thing_is_not_believed(tmp_path: Path) -> None:
    """A well-formed content proves nothing where the thing is no regular file."""
    files.write_private(tmp_path / "good", VALUES)
    os.mkfifo(tmp_path / "f", 0o600)
    descriptor = os.open(tmp_path / "f", os.O_RDWR)
    try:
        os.write(descriptor, (tmp_path / "good").read_bytes())
        assert files.read_private(tmp_path / "f") is None
    finally:
        os.close(descriptor)


def test_what_is_no_file_of_ours_reads_as_nothing(tmp_path: Path) -> None:
    """A missing path, a device and an empty file are None and raise nothing."""
    (tmp_path / "empty").touch(0o600)
    for path in (tmp_path / "missing", tmp_path / "empty", tmp_path / "empty" / "below", Path("/dev/zero")):
        assert files.read_private(path) is None


def test_a_folder_in_our_place_reads_as_nothing(tmp_path: Path) -> None:
    """A directory is None as well, and raises nothing that would end as a traceback."""
    (tmp_path / "folder").mkdir(0o700)
    assert files.read_private(tmp_path / "folder") is None


def test_a_huge_file_is_not_even_read(tmp_path: Path) -> None:
    """A sparse terabyte in our place costs neither memory nor time."""
    path = tmp_path / "f"
    files.write_private(path, VALUES)
    os.truncate(path, 1 << 40)
    started = time.monotonic()
    assert files.read_private(path) is None
    assert time.monotonic() - started < AT_ONCE


@pytest.mark.parametrize(("size", "readable"), [(256 * 1024, True), (256 * 1024 + 1, False)])
def test_the_limit_is_256_kib(tmp_path: Path, size: int, *, readable: bool) -> None:
    """A file of exactly the limit is read, one byte more is not."""
    frame = len("AWSDIRENV_VERSION=1\nX=\nAWSDIRENV_END=1\n")
    files.write_private(tmp_path / "f", {"X": "x" * (size - frame)})
    assert (tmp_path / "f").stat().st_size == size
    assert (files.read_private(tmp_path / "f") is not None) == readable


@pytest.mark.parametrize("bits", [0o755, 0o750, 0o701, 0o777, 0o710])
def test_a_folder_open_to_others_is_tightened(tmp_path: Path, bits: int) -> None:
    """Our own folder becomes 0700 again, with what is in it."""
    folder = tmp_path / "ours"
    folder.mkdir()
    folder.chmod(bits)
    (folder / "kept").touch()
    files.ensure_private_folder(folder)
    assert mode(folder) == 0o700
    assert (folder / "kept").exists()


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_a_new_folder_is_0700_and_its_parents_are_made(tmp_path: Path, mask: int) -> None:
    """A missing ~/.cache is made as well; a private folder that is there already is left alone."""
    folder = tmp_path / "a" / "b"
    with umask(mask):
        files.ensure_private_folder(folder)
        files.ensure_private_folder(folder)
    assert mode(folder) == 0o700


def test_a_folder_below_a_setgid_folder_is_0700_all_the_same(tmp_path: Path) -> None:
    """In a home whose folders hand their group down, ours is 0700 and not 2700, which the extension refuses."""
    tmp_path.chmod(0o2755)
    files.ensure_private_folder(tmp_path / "ours")
    assert mode(tmp_path / "ours") == 0o700


def test_a_folder_made_under_a_crippling_umask_is_0700_all_the_same(tmp_path: Path) -> None:
    """A umask that takes bits from the owner does not make a folder that neither we nor the extension can use."""
    with umask(0o177):
        files.ensure_private_folder(tmp_path / "ours")
    assert mode(tmp_path / "ours") == 0o700


@pytest.mark.needs("root")
def test_a_stranger_s_folder_is_refused(tmp_path: Path) -> None:
    """What another user owns is an error that names the folder, and is not changed."""
    folder = tmp_path / "theirs"
    folder.mkdir(0o777)
    os.chown(folder, STRANGER, STRANGER)
    folder.chmod(0o777)
    with pytest.raises(CacheError) as caught:
        files.ensure_private_folder(folder)
    assert caught.value.message == f"{folder} belongs to another user"
    assert mode(folder) == 0o777


@pytest.mark.needs("root")
def test_what_root_makes_in_somebody_s_folder_is_theirs(tmp_path: Path) -> None:
    """`sudo -E` keeps HOME. The person could not change what root owns there; our own folder is refused to root."""
    os.chown(tmp_path, STRANGER, STRANGER)
    files.make_folder(tmp_path / "a" / "b")
    files.replace_file(tmp_path / "a" / "file", b"text", 0o644)
    files.replace_file(tmp_path / "a" / "file", b"again", 0o600)
    with pytest.raises(CacheError) as caught:
        files.ensure_private_folder(tmp_path / "cache" / "ours")
    assert caught.value.hint == "run the command as that user (sudo without -E), or set XDG_CACHE_HOME"
    assert mode(tmp_path / "a" / "file") == 0o600
    made = sorted(path for path in tmp_path.rglob("*"))
    assert [path.name for path in made] == ["a", "b", "file", "cache", "ours"]
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(STRANGER, STRANGER)}


def test_a_file_in_the_folder_s_place_is_an_error_of_ours(tmp_path: Path) -> None:
    """What can be no folder is reported as such."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(CacheError, match="cannot use"):
            files.ensure_private_folder(path)


@pytest.mark.parametrize("target", ["folder", "file", "nowhere", "link"])
def test_a_link_in_the_folder_s_place_is_refused(tmp_path: Path, target: str) -> None:
    """Wherever it leads to, nothing is made or changed there."""
    (tmp_path / "folder").mkdir(0o755)
    (tmp_path / "file").touch()
    link = tmp_path / "link"
    link.symlink_to(target)
    with pytest.raises(CacheError) as caught:
        files.ensure_private_folder(link)
    assert caught.value.message == f"{link} is a symbolic link"
    assert caught.value.hint == f"rm {link}; for another place, set XDG_CACHE_HOME"
    assert mode(tmp_path / "folder") == 0o755
    assert not (tmp_path / "nowhere").exists()


def test_a_link_above_the_folder_is_followed(tmp_path: Path) -> None:
    """People keep their whole ~/.cache elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    files.ensure_private_folder(tmp_path / "link" / "ours")
    assert mode(tmp_path / "elsewhere" / "ours") == 0o700


@pytest.mark.parametrize(("mask", "bits"), [(0o000, 0o755), (0o002, 0o755), (0o027, 0o750), (0o077, 0o700)])
def test_no_folder_that_we_make_can_be_written_by_others(tmp_path: Path, mask: int, bits: int) -> None:
    """Not even under a umask that would allow it; a stricter one counts."""
    with umask(mask):
        files.make_folder(tmp_path / "a" / "b" / "c")
        files.ensure_private_folder(tmp_path / "d" / "e" / "f")
    assert {mode(tmp_path / name) for name in ("a", "a/b", "a/b/c", "d", "d/e")} == {bits}


def test_a_file_of_the_user_outlives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its content is on the disk before it gets its name, and its name before we return; our cache does not wait."""
    done: list[str] = []

    def note(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        done.append("folder" if is_folder else "content")

    def replace(old: Path, new: Path) -> None:
        done.append("name")
        rename(old, new)

    rename = os.replace
    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(os, "replace", replace)
    files.replace_file(tmp_path / "credentials", b"text", 0o600)
    assert done == ["content", "name", "folder"]


@pytest.mark.parametrize("left", ["nothing", "a file", "a link", "a FIFO"])
def test_the_next_run_takes_over_the_draft_of_a_killed_one(tmp_path: Path, left: str) -> None:
    """There is one draft for a file, whatever stands in its place is removed, and a link is not followed."""
    (tmp_path / "other").write_text("kept")
    draft = files.draft_of(tmp_path / ".env")
    if left == "a file":
        draft.write_text("SENTINEL-SECRET")
        draft.chmod(0o666)
    elif left == "a link":
        draft.symlink_to("other")
    elif left == "a FIFO":
        os.mkfifo(draft)
    files.replace_file(tmp_path / ".env", b"new", 0o600)
    assert (tmp_path / ".env").read_bytes() == b"new"
    assert mode(tmp_path / ".env") == 0o600
    assert not (tmp_path / ".env").is_symlink()
    assert (tmp_path / "other").read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", "other"]


def test_writers_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    """They share a draft, and each waits for the other."""
    contents = [str(number).encode() * 300_000 for number in range(8)]
    threads = [threading.Thread(target=files.replace_file, args=(tmp_path / "f", data, 0o600)) for data in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "f").read_bytes() in contents
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_removing_says_whether_there_was_something(tmp_path: Path) -> None:
    """A file goes, a link goes without its target, nothing is no error, a folder is one."""
    (tmp_path / "f").touch()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "kept").touch()
    (tmp_path / "folder").mkdir()
    assert files.remove(tmp_path / "f")
    assert not files.remove(tmp_path / "f")
    assert files.remove(tmp_path / "link")
    assert (tmp_path / "kept").exists()
    with pytest.raises(CacheError, match="cannot use"):
        files.remove(tmp_path / "folder")
