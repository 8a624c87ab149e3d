"""The snapshot: one writer in Python, one reader in bash, and nothing of a damaged one ever in an environment."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import string
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awsdirenv.cache import snapshots
from awsdirenv.cache.layout import name_key, snapshot_key
from awsdirenv.cache.snapshots import Basis, Snapshot
from awsdirenv.config.environment import context_text
from awsdirenv.errors import BadAnswerError, CacheError, ConfigError
from awsdirenv.records import replace
from awsdirenv.session_credentials import SessionCredentials
from awsdirenv.system.stamps import file_stamp
from parts import reading
from strict_sts import StrictSts
from world import REGION, UTF8, World, assert_nobody

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
STRANGER = 12345
STAMPS = ("0 600 3 7 1:2:2026-01-01 00:00:00.000000005 +0000 @ /h/.aws/config", "absent @ /h/.aws/credentials")
GOOD = SessionCredentials("ASIDTEST", "s3cret", "t0ken", NOW + HOUR, NOW, "123456789012")
SNAPSHOT = Snapshot("dev", GOOD, "eu-west-1", "Dev", STAMPS)


# What is written is what is read


SECONDS = st.integers(0, 4 * 10**9).map(lambda seconds: datetime.fromtimestamp(seconds, timezone.utc))
PRINTABLE = st.text(string.ascii_letters + string.digits + string.punctuation, min_size=1, max_size=80)
KEY_IDS = st.text(string.ascii_letters + string.digits + "_", min_size=1, max_size=40)
PROFILES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=16)
PATHS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(lambda text: f"absent @ /{text}")
CREDENTIALS = st.builds(
    SessionCredentials,
    access_key_id=KEY_IDS,
    secret_access_key=PRINTABLE,
    session_token=PRINTABLE,
    expiration=st.none() | SECONDS,
    issued=SECONDS,
    account_id=st.none() | st.from_regex(r"[0-9]{12}", fullmatch=True),
)
SNAPSHOTS = st.builds(
    Snapshot,
    profile=PROFILES,
    credentials=CREDENTIALS,
    region=st.none() | st.sampled_from(["eu-west-1", "us-gov-east-1"]),
    role=st.none() | st.from_regex(r"[A-Za-z0-9+=,.@_-]{1,64}", fullmatch=True),
    stamps=st.tuples(PATHS, PATHS),
    policies=st.none() | st.sampled_from(["ReadOnlyAccess", "a.json + für alle"]),
    policy_stamp=st.just("") | PATHS,
)


def read(path: Path) -> str:
    """Give a file as it is."""
    return path.read_text(encoding="utf-8")


@settings(max_examples=100, deadline=None)
@given(SNAPSHOTS)
def test_every_snapshot_comes_back(snapshot: Snapshot) -> None:
    """Credentials of any printable ASCII characters, any profile's name and any path survive the file."""
    with tempfile.TemporaryDirectory() as folder:
        snapshots.write(Path(folder) / "f", snapshot)
        assert snapshots.read(Path(folder) / "f") == snapshot


@pytest.mark.needs("/proc")
def test_the_file_says_what_the_extension_needs(tmp_path: Path) -> None:
    """Every line of the grammar is there, in its order; what is unknown is empty."""
    snapshots.write(tmp_path / "f", SNAPSHOT)
    epoch = int(NOW.timestamp())
    text = re.sub("(?m)^AWSDIRENV_CLOCK=[0-9a-f]{8}[.][0-9]+:[0-9]+$", "AWSDIRENV_CLOCK=…", read(tmp_path / "f"))
    assert text.splitlines() == [
        "AWSDIRENV_VERSION=1",
        "AWSDIRENV_PROFILE=dev",
        "AWSDIRENV_CONTEXT=",
        "AWS_ACCESS_KEY_ID=ASIDTEST",
        "AWS_SECRET_ACCESS_KEY=s3cret",
        "AWS_SESSION_TOKEN=t0ken",
        "AWS_ACCOUNT_ID=123456789012",
        "AWS_REGION=eu-west-1",
        "AWSDIRENV_ROLE=Dev",
        "AWSDIRENV_STAGE=",
        "AWSDIRENV_POLICIES=",
        "AWSDIRENV_POLICY_FILE=",
        "AWSDIRENV_ENVIRONMENT=",
        f"AWSDIRENV_ISSUED={epoch}",
        f"AWSDIRENV_EXPIRATION={epoch + 3600}",
        "AWSDIRENV_CLOCK=…",
        f"AWSDIRENV_CONFIG={STAMPS[0]}",
        f"AWSDIRENV_CREDENTIALS={STAMPS[1]}",
        "AWSDIRENV_END=1",
    ]


@pytest.mark.parametrize("token", [None, ""])
def test_long_term_keys_are_never_written(tmp_path: Path, token: str | None) -> None:
    """A user's own key is refused before anything is on the disk, and the message does not show it."""
    longterm = replace(GOOD, session_token=token, expiration=None)
    with pytest.raises(BadAnswerError) as caught:
        snapshots.write(tmp_path / "f", replace(SNAPSHOT, credentials=longterm))
    assert "s3cret" not in f"{caught.value.message}{caught.value.hint}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["access_key_id", "secret_access_key", "session_token"])
@pytest.mark.parametrize("hurt", ["a b", "a\nAWS_REGION=x", "a\0", "é", ""])
def test_values_the_reader_would_refuse_are_never_written(tmp_path: Path, name: str, hurt: str) -> None:
    """What no credential looks like is an error, and the message does not repeat it."""
    values: Any = {name: hurt}
    with pytest.raises(BadAnswerError) as caught:
        snapshots.write(tmp_path / "f", replace(SNAPSHOT, credentials=replace(GOOD, **values)))
    assert caught.value.message == "the credentials of profile dev have characters that credentials do not have"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["secret_access_key", "session_token"])
def test_a_value_that_is_too_long_is_never_written(tmp_path: Path, name: str) -> None:
    """With a variable above 128 KiB Linux starts no program; the reader refuses it long before."""
    for size in (16384, 16385):
        values: Any = {name: "a" * size}
        wanted = replace(SNAPSHOT, credentials=replace(GOOD, **values))
        if size == 16384:
            snapshots.write(tmp_path / "f", wanted)
            assert snapshots.read(tmp_path / "f") == wanted
            continue
        with pytest.raises(BadAnswerError) as caught:
            snapshots.write(tmp_path / "g", wanted)
    assert caught.value.message == f"AWS_{name.upper()} of profile dev is too long: 16385 characters"
    assert caught.value.hint == "check its source: 16384 characters at most"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize("region", ["EU.WEST.1", "eu west", "-eu", "eu_west", "$(x)", "a" * 65, "eu-west-1\n", "é"])
def test_a_region_that_cannot_be_one_is_an_error(tmp_path: Path, region: str) -> None:
    """A mistyped region is named with its profile, rather than silently dropped."""
    with pytest.raises(ConfigError, match="profile dev has an invalid region"):
        snapshots.write(tmp_path / "f", replace(SNAPSHOT, region=region))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("role", ["a b", "x/y", "é", "a" * 65, "$(x)"])
@pytest.mark.parametrize("account", ["12a", "", "1" * 21, "１２"])  # noqa: RUF001 - digits that are not ASCII
def test_decoration_that_the_reader_would_refuse_is_left_out(tmp_path: Path, role: str, account: str) -> None:
    """A strange role name or account id costs its line and not the credentials."""
    strange = replace(SNAPSHOT, role=role, credentials=replace(GOOD, account_id=account))
    snapshots.write(tmp_path / "f", strange)
    assert snapshots.read(tmp_path / "f") == replace(SNAPSHOT, role=None, credentials=replace(GOOD, account_id=None))


def test_a_path_with_a_line_break_is_an_error(tmp_path: Path) -> None:
    """A stamp cannot bring a line of its own along."""
    with pytest.raises(CacheError, match="line break"):
        snapshots.write(tmp_path / "f", replace(SNAPSHOT, stamps=(STAMPS[0], "absent @ /x\nAWS_REGION=evil")))


@pytest.mark.parametrize("name", ["ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"])
def test_a_snapshot_without_a_credential_is_none(tmp_path: Path, name: str) -> None:
    """A missing part makes the whole worthless."""
    snapshots.write(tmp_path / "f", SNAPSHOT)
    rewrite(tmp_path / "f", lambda whole: re.sub(rb"AWS_%b=.*\n" % name.encode(), b"", whole))
    assert snapshots.read(tmp_path / "f") is None


@pytest.mark.parametrize("line", ["PROFILE", "ISSUED", "CONFIG", "CREDENTIALS"])
def test_a_snapshot_that_does_not_say_what_it_is_is_none(tmp_path: Path, line: str) -> None:
    """Without its profile, its age or its stamps it stands for nothing."""
    snapshots.write(tmp_path / "f", SNAPSHOT)
    rewrite(tmp_path / "f", lambda whole: re.sub(rb"AWSDIRENV_%b=.*\n" % line.encode(), b"", whole))
    assert snapshots.read(tmp_path / "f") is None


@pytest.mark.parametrize("name", [b"", b"%0A", b"%", b"%zz", b"a%00b", b"%61", b"." + b"a", b"a" * 201])
def test_a_name_that_could_not_have_been_written_makes_a_snapshot_none(tmp_path: Path, name: bytes) -> None:
    """Control characters, broken and needless encodings raise nothing."""
    snapshots.write(tmp_path / "f", SNAPSHOT)
    in_value("AWSDIRENV_PROFILE", name)(tmp_path / "f")
    assert snapshots.read(tmp_path / "f") is None


@pytest.mark.parametrize("number", [b"", b"x", b"1e9", b"9" * 30, b"-9999999999999", b"0x10", b"9" * 5000, b"9" * 14])
def test_a_time_that_is_none_makes_a_snapshot_none(tmp_path: Path, number: bytes) -> None:
    """Garbage and times beyond the calendar raise nothing."""
    snapshots.write(tmp_path / "f", SNAPSHOT)
    rewrite(tmp_path / "f", lambda whole: re.sub(rb"(_ISSUED=).*", rb"\g<1>" + number, whole))
    assert snapshots.read(tmp_path / "f") is None


def test_a_snapshot_holds_for_what_it_was_made_from_and_its_time() -> None:
    """Other files, another profile, another context, another environment or the end each make it worthless."""
    basis = Basis("dev", STAMPS, "", {"HOSTNAME": "h", "CLIENT": "a"})
    assert SNAPSHOT.holds(basis, NOW)
    others: list[dict[str, Any]] = [
        {"stamps": (STAMPS[0], "absent @ /x")},
        {"stamps": STAMPS[::-1]},
        {"profile": "Dev"},
        {"context": "duration=900"},
    ]
    assert not any(SNAPSHOT.holds(replace(basis, **other), NOW) for other in others)
    assert not SNAPSHOT.holds(basis, NOW + HOUR - timedelta(seconds=20))
    held = ["HOSTNAME=h", "CLIENT=a HOSTNAME=h", "CLIENT=a STAGE"]
    assert [replace(SNAPSHOT, environment=text).holds(basis, NOW) for text in held] == [True] * len(held)
    not_held = ["HOSTNAME=i", "CLIENT=l", "CLIENT=", "CLIENT", "STAGE=", "STAGE CLIENT=a", "CLIENT=a CLIENT=a", " "]
    assert [replace(SNAPSHOT, environment=text).holds(basis, NOW) for text in not_held] == [False] * len(not_held)


# Generations


@settings(max_examples=40, deadline=None)
@given(st.lists(st.none() | st.integers(-5, 5), min_size=2, max_size=8))
def test_no_two_generations_share_a_second(lives: list[int | None]) -> None:
    """Each rewrite gets a later whole second than the one before, whatever the expirations do, or direnv misses it."""
    seen = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f"
        for life in lives:
            end = None if life is None else NOW + HOUR + timedelta(seconds=life)
            snapshots.write(path, replace(SNAPSHOT, credentials=replace(GOOD, expiration=end)))
            seen.append(path.stat().st_mtime_ns)
    assert all(time % 10**9 == 0 for time in seen)
    assert all(earlier < later for earlier, later in itertools.pairwise(seen))


def test_the_first_generation_s_time_is_its_expiration(tmp_path: Path) -> None:
    """A snapshot that was cleared and made again differs from the one before it, too."""
    snapshots.write(tmp_path / "f", SNAPSHOT)
    assert (tmp_path / "f").stat().st_mtime == (NOW + HOUR).timestamp()


def test_a_planted_link_s_time_is_not_its_target_s(tmp_path: Path) -> None:
    """What the next generation's time is counted from is the thing in our place, and not what it points to."""
    (tmp_path / "target").touch()
    os.utime(tmp_path / "target", (4 * 10**9, 4 * 10**9))
    (tmp_path / "f").symlink_to(tmp_path / "target")
    snapshots.write(tmp_path / "f", SNAPSHOT)
    assert (tmp_path / "f").lstat().st_mtime < 4 * 10**9


# Stamps


def by_stat(path: Path) -> str:
    """Give what the extension's `stat` prints for a path."""
    script = reading() + '_awsdirenv_stat "$1"'
    done = subprocess.run(
        ["bash", "--norc", "--noprofile", "-c", script, "-", path],
        capture_output=True,
        check=True,
        cwd="/",
        env={"PATH": os.environ["PATH"], "TZ": "XYZ-5"},  # whatever zone the person lives in
    )
    return os.fsdecode(done.stdout).removesuffix("/\n")


@pytest.mark.parametrize("name", ["config", "a b", " lead", "trail ", "ü", "\udcff", "$HOME", "-n", "a'b\"c", "%n"])
def test_a_stamp_is_what_stat_prints(tmp_path: Path, name: str) -> None:
    """Python and the extension's process agree on every digit and on the name."""
    path = tmp_path / name
    path.write_bytes(b"x" * 123)
    os.utime(path, ns=(1, 1))
    (tmp_path / "link").symlink_to(path)
    assert file_stamp(str(path)) == by_stat(path)
    assert file_stamp(str(tmp_path / "link")) == by_stat(tmp_path / "link")
    assert file_stamp(str(tmp_path)) == by_stat(tmp_path)


def edit_in_place(path: Path) -> None:
    """Change one byte."""
    path.write_bytes(b"y" * 10)


def swap(path: Path) -> None:
    """Put another file with the same content there, as editors and git do."""
    shutil.copy2(path, path.with_name("draft"))
    path.with_name("draft").replace(path)


def grow(path: Path) -> None:
    """Add a byte."""
    path.write_bytes(path.read_bytes() + b"\n")


def relink(path: Path) -> None:
    """Let the link point to another generation, as home-manager does."""
    path.with_name("generation2").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to("generation2")


@pytest.mark.parametrize("edit", [edit_in_place, swap, grow, relink, Path.unlink], ids=lambda edit: edit.__name__)
def test_a_stamp_differs_after_any_edit_even_where_the_time_was_put_back(
    tmp_path: Path, edit: Callable[[Path], None]
) -> None:
    """A restored modification time hides no change of content, inode, size or existence."""
    path = tmp_path / "config"
    (tmp_path / "generation1").write_bytes(b"x" * 10)
    path.symlink_to("generation1")
    os.utime(path, (1, 1))
    before = file_stamp(str(path))
    time.sleep(0.02)  # the kernel counts change times in ticks
    edit(path)
    if path.exists():
        os.utime(path, (1, 1))
        assert path.stat().st_mtime == 1
    assert file_stamp(str(path)) != before


def test_reading_a_file_does_not_change_its_stamp(tmp_path: Path) -> None:
    """What changes nothing renews nothing."""
    path = tmp_path / "config"
    path.write_text("x")
    before = file_stamp(str(path))
    path.read_text()
    assert file_stamp(str(path)) == before


def test_what_is_not_there_is_stamped_absent(tmp_path: Path) -> None:
    """A missing file, a dangling link, a path through a file and an empty path are all absent, and say which."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for path in (str(tmp_path / "missing"), str(tmp_path / "link"), str(tmp_path / "file" / "below"), ""):
        assert file_stamp(path) == f"absent @ {path}"


# The reader, through direnv


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change a file's bytes in place; its mode, owner and inode stay."""
    path.write_bytes(change(path.read_bytes()))


def in_value(name: str, value: bytes) -> Callable[[Path], None]:
    """Give a damage that replaces one line's value."""
    line = re.compile(rb"(?m)^(%b=).*$" % name.encode())
    return lambda path: rewrite(path, lambda whole: line.sub(lambda found: found[1] + value, whole))


def without(*names: str) -> Callable[[Path], None]:
    """Give a damage that removes lines."""
    lines = re.compile(rb"(?m)^(?:%b)=.*\n" % "|".join(names).encode())
    return lambda path: rewrite(path, lambda whole: lines.sub(b"", whole))


def twice(name: str, value: bytes | None = None) -> Callable[[Path], None]:
    """Give a damage that repeats a line, with another value where one is given."""
    line = re.compile(rb"(?m)^(%b=)(.*\n)" % name.encode())

    def repeat(found: re.Match[bytes]) -> bytes:
        return found[0] + found[1] + (found[2] if value is None else value + b"\n")

    return lambda path: rewrite(path, lambda whole: line.sub(repeat, whole))


def with_line(line: bytes) -> Callable[[Path], None]:
    """Give a damage that adds a line before the last one."""
    return lambda path: rewrite(path, lambda whole: whole.replace(b"AWSDIRENV_END", line + b"\nAWSDIRENV_END"))


def cut_to(share: float) -> Callable[[Path], None]:
    """Give a damage that keeps a share of the file."""
    return lambda path: os.truncate(path, int(path.stat().st_size * share))


def moved_and(put: Callable[[Path, Path], object]) -> Callable[[Path], None]:
    """Give a damage that moves the file away and puts something in its place."""

    def damage(path: Path) -> None:
        away = path.parent.parent / f"away-{path.name}"
        path.replace(away)
        put(path, away)

    return damage


def ended(path: Path) -> None:
    """Let it have expired an hour ago."""
    past = int(time.time()) - 3600
    in_value("AWSDIRENV_ISSUED", str(past - 3600).encode())(path)
    in_value("AWSDIRENV_EXPIRATION", str(past).encode())(path)


# Damage after which the module sees itself that the snapshot will not do.
SEEN_BY_BOTH: dict[str, Callable[[Path], None]] = {
    "mode 0644": lambda path: path.chmod(0o644),
    "mode 0640": lambda path: path.chmod(0o640),
    "mode 0666": lambda path: path.chmod(0o666),
    "link to a good copy": moved_and(lambda path, away: path.symlink_to(away)),
    "dangling link": moved_and(lambda path, _: path.symlink_to("nowhere")),
    "FIFO": moved_and(lambda path, _: os.mkfifo(path, 0o600)),
    "empty": lambda path: os.truncate(path, 0),
    "cut at a tenth": cut_to(0.1),
    "cut at a third": cut_to(0.33),
    "cut in the token": cut_to(0.5),
    "cut near the end": cut_to(0.97),
    "all zeros": lambda path: rewrite(path, lambda whole: bytes(len(whole))),
    "CRLF": lambda path: rewrite(path, lambda whole: whole.replace(b"\n", b"\r\n")),
    "line behind the end": lambda path: rewrite(path, lambda whole: whole + b"AWS_REGION=evil-1\n"),
    "another version": in_value("AWSDIRENV_VERSION", b"2"),
    "no version": without("AWSDIRENV_VERSION"),
    "no end": without("AWSDIRENV_END"),
    "no key id": without("AWS_ACCESS_KEY_ID"),
    "no secret": without("AWS_SECRET_ACCESS_KEY"),
    "no token": without("AWS_SESSION_TOKEN"),
    "no profile": without("AWSDIRENV_PROFILE"),
    "no stamp": without("AWSDIRENV_CREDENTIALS"),
    "no values at all": without(r"AWS_\w+", r"AWSDIRENV_(?!VERSION|END)\w+"),
    "empty secret": in_value("AWS_SECRET_ACCESS_KEY", b""),
    "control character": in_value("AWS_SECRET_ACCESS_KEY", b"EVIL\x1b]0;x\x07"),
    "tab": in_value("AWS_SESSION_TOKEN", b"EVIL\tEVIL"),
    "space": in_value("AWS_SECRET_ACCESS_KEY", b"EVIL EVIL"),
    "command": in_value("AWS_SECRET_ACCESS_KEY", b"$(touch pwned)"),
    "carriage return": in_value("AWS_SESSION_TOKEN", b"EVIL\r"),
    "no ASCII": in_value("AWS_SECRET_ACCESS_KEY", "EVILé".encode()),
    "no UTF-8": in_value("AWS_SECRET_ACCESS_KEY", b"EVIL\xff"),
    "quote in the key id": in_value("AWS_ACCESS_KEY_ID", b"EVIL'"),
    "command in the key id": in_value("AWS_ACCESS_KEY_ID", b"EVIL$(touch${IFS}pwned)"),
    "another profile": in_value("AWSDIRENV_PROFILE", b"prod"),
    "prefix of the profile": in_value("AWSDIRENV_PROFILE", b"de"),
    "stamp of another state": in_value("AWSDIRENV_CONFIG", b"1:2:3:4.000000005 /etc/passwd"),
    "third stamp": with_line(b"AWSDIRENV_DOTENV=absent @ /nowhere"),
    "command in a stamp": in_value("AWSDIRENV_CONFIG", b"a[$(touch pwned)]:2 /$(touch pwned)"),
    "ended": ended,
    "command in the issue time": in_value("AWSDIRENV_ISSUED", b"a[$(touch pwned)]"),
    "command in the expiration": in_value("AWSDIRENV_EXPIRATION", b"a[$(touch pwned)]"),
}


def later_start(text: str) -> str:
    """Write a snapshot as if our clock had been set back since."""
    return re.sub(r"(?m)^(AWSDIRENV_CLOCK=.*:)(.*)$", lambda found: f"{found[1]}{int(found[2]) + 60}", text)


def start_later(path: Path) -> None:
    """Let a snapshot be from before the clock was set back."""
    path.write_text(later_start(path.read_text()))


# Damage of modes and of lines that are not about secrets.
SEEN_BY_THE_EXTENSION: dict[str, Callable[[Path], None]] = {
    "mode 0400": lambda path: path.chmod(0o400),
    "mode 0700": lambda path: path.chmod(0o700),
    "unknown line": with_line(b"LD_PRELOAD=/evil.so"),
    "blank line": with_line(b""),
    "line without a name": with_line(b"evil"),
    "name without a value": lambda path: rewrite(
        path, lambda whole: whole.replace(b"AWSDIRENV_STAGE=", b"AWSDIRENV_STAGE")
    ),
    "stamp twice": twice("AWSDIRENV_CONFIG"),
    "lines in another order": lambda path: rewrite(
        path, lambda whole: re.sub(rb"(AWS_REGION=.*\n)(AWSDIRENV_ROLE=.*\n)", rb"\2\1", whole)
    ),
    "no line of the region": without("AWS_REGION"),
    "no line of the expiration": without("AWSDIRENV_EXPIRATION"),
    "clock without an expiration": in_value("AWSDIRENV_EXPIRATION", b""),
    "octal issue time": in_value("AWSDIRENV_ISSUED", b"0123456789"),
    "thirteen digits": in_value("AWSDIRENV_EXPIRATION", b"9999999999999"),
    "year 10000": in_value("AWSDIRENV_EXPIRATION", b"253402300800"),
    "expiration in words": in_value("AWSDIRENV_EXPIRATION", b"2099-01-01 00:00"),
    "token of 16385": in_value("AWS_SESSION_TOKEN", b"E" * 16385),
    "letters in the account": in_value("AWS_ACCOUNT_ID", b"12EVIL"),
    "a dot in the region": in_value("AWS_REGION", b"eu.west"),
    "dash before the region": in_value("AWS_REGION", b"-evil"),
    "command in the region": in_value("AWS_REGION", b"$(touch pwned)"),
    "slash in the role": in_value("AWSDIRENV_ROLE", b"EVIL/evil"),
    "control character in the stage": in_value("AWSDIRENV_STAGE", b"EVIL\x1b]0;x\x07"),
    "command in the clock": in_value("AWSDIRENV_CLOCK", b"01234567.1:a[$(touch pwned)]"),
    "command in the start": in_value("AWSDIRENV_CLOCK", b"01234567.a[$(touch pwned)]:1"),
    "clock of this start that was set back": start_later,
}
# Damage that a reader overlooks who does not look for it.
EASILY_OVERLOOKED: dict[str, Callable[[Path], None]] = {
    "NUL byte": in_value("AWS_SECRET_ACCESS_KEY", b"EVIL\0EVIL"),
    "NUL byte at the end": in_value("AWS_SESSION_TOKEN", b"EVIL\0"),
    "second secret": twice("AWS_SECRET_ACCESS_KEY", b"EVIL2"),
    "second key id": twice("AWS_ACCESS_KEY_ID", b"EVIL2"),
    "stamp of nothing": in_value("AWSDIRENV_CONFIG", b"absent @ /nowhere"),
    "stamp of another file": in_value("AWSDIRENV_CONFIG", file_stamp("/").encode()),
}
DAMAGES = {**SEEN_BY_BOTH, **SEEN_BY_THE_EXTENSION, **EASILY_OVERLOOKED}
# One of each mechanism goes all the way through direnv, which takes a third of a second; of the rest, the module mends
# some in this process.
THROUGH_DIRENV = [
    *("link to a good copy", "FIFO", "cut in the token", "command", "another profile", "ended"),
    *("command in the clock", "mode 0400", "NUL byte", "stamp of nothing"),
]
THROUGH_THE_MODULE = [
    *("mode 0644", "empty", "cut near the end", "all zeros", "CRLF", "no secret", "control character", "space"),
    *("quote in the key id", "stamp of another state", "unknown line", "no line of the region", "second secret"),
]


@dataclass
class Entered:
    """What an evaluation did."""

    changes: dict[str, str | None]
    stderr: str
    calls: int

    @property
    def keys(self) -> tuple[str | None, ...]:
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        return tuple(self.changes.get(name) for name in names)


class Ward:
    """One world with one loaded profile, whose snapshot is damaged again and again."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.role("dev")
        world.login("dev")
        self.folder = world.project("dev")
        (self.snapshot,) = (world.cache / "snapshots").iterdir()
        self.good = self.snapshot.read_bytes()
        self.keys = self.enter().keys
        self._seen: dict[str, Entered] = {}

    def enter(self) -> Entered:
        """Evaluate the project."""
        before = len(self.world.sts.calls)
        changes, stderr = self.world.enter(self.folder)
        return Entered(changes, stderr, len(self.world.sts.calls) - before)

    def plant(self, damage: Callable[[Path], None] = lambda _: None) -> None:
        """Put a snapshot there that is sound but for its secrets, which tell where they come from; then damage it."""
        if self.snapshot.is_dir() and not self.snapshot.is_symlink():
            shutil.rmtree(self.snapshot)
        self.snapshot.unlink(missing_ok=True)
        self.snapshot.touch(0o600)
        for name, evil in zip(("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"), self.evil, strict=True):
            self.snapshot.write_bytes(self.snapshot.read_bytes() or self.good)
            in_value(f"AWS_{name}", evil.encode())(self.snapshot)
        damage(self.snapshot)

    @property
    def evil(self) -> tuple[str, str, str]:
        return ("EVILKEY", "EVIL/SECRET", "EVIL/TOKEN" * 20)

    def after(self, kind: str) -> Entered:
        """Give what the first evaluation after a damage did; each is tried once."""
        if kind not in self._seen:
            self.plant(DAMAGES[kind])
            if kind in THROUGH_THE_MODULE:
                self.world.hold("dev")
            self._seen[kind] = self.enter()
        return self._seen[kind]


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """Make the world once: a damage is undone before the next."""
    with StrictSts() as sts:
        yield Ward(World(sts, tmp_path_factory.mktemp("ward")))


def test_an_undamaged_snapshot_is_what_is_exported(ward: Ward) -> None:
    """The control of all below: with nothing damaged, the planted secrets do arrive, and no call is made."""
    ward.plant()
    entered = ward.enter()
    assert entered.keys == ward.evil
    assert entered.calls == 0


@pytest.mark.parametrize("kind", [*THROUGH_DIRENV, *THROUGH_THE_MODULE])
def test_nothing_of_a_damaged_snapshot_is_exported(ward: Ward, kind: str) -> None:
    """Whatever is wrong with it, no value of it arrives, no part of it runs, and no outer credential stays."""
    entered = ward.after(kind)
    assert "EVIL" not in str(entered.changes).upper()
    assert not (ward.folder / "pwned").exists()
    assert entered.keys in (ward.keys, (None, None, None))


@pytest.mark.parametrize("kind", [*THROUGH_DIRENV, *THROUGH_THE_MODULE])
def test_a_damaged_snapshot_is_healed_at_once_from_the_stored_session(ward: Ward, kind: str) -> None:
    """The same evaluation exports the real credentials again, without a call, a question or a complaint."""
    entered = ward.after(kind)
    assert entered.keys == ward.keys
    assert entered.calls == 0
    assert "error" not in entered.stderr
    assert "Traceback" not in entered.stderr


@pytest.mark.needs("root")
def test_a_stranger_s_snapshot_is_not_read_and_replaced(ward: Ward) -> None:
    """A file that another user owns is healed away even where its content is sound."""
    ward.plant(lambda path: os.chown(path, STRANGER, -1))
    assert ward.enter().keys == ward.keys
    assert ward.snapshot.stat().st_uid == os.geteuid()


def test_a_folder_that_was_opened_to_others_is_tightened_without_a_complaint(ward: Ward) -> None:
    """The extension does not read below a lax folder; the module makes it 0700 again, and all goes on."""
    ward.plant(lambda path: path.parent.chmod(0o770))
    entered = ward.enter()
    assert ward.snapshot.parent.stat().st_mode & 0o777 == 0o700
    assert entered.changes["AWSDIRENV_PROFILE"] == "dev"
    assert "error" not in entered.stderr


def test_a_folder_in_its_place_closes_the_block_with_one_error_and_one_hint(ward: Ward) -> None:
    """What cannot be healed is said in two lines, and nothing is exported."""
    ward.plant(moved_and(lambda path, _: path.mkdir(0o700)))
    entered = ward.enter()
    assert entered.keys == (None, None, None)
    ours = [line for line in entered.stderr.splitlines() if "direnv: " not in line.replace("awsdirenv: ", "")]
    assert len(ours) == 2
    assert ours[0] == f"awsdirenv: error: cannot use {ward.snapshot}: Is a directory"
    assert ours[1].startswith("awsdirenv: hint: ")


def test_a_folder_in_its_place_exports_nothing(ward: Ward) -> None:
    """Whatever is said about it, the block stays closed, and outer keys do not stay behind."""
    ward.plant(moved_and(lambda path, _: path.mkdir(0o700)))
    changes, _ = ward.world.enter(ward.folder, AWS_ACCESS_KEY_ID="OUTER", AWS_PROFILE="outer")
    assert changes["AWS_ACCESS_KEY_ID"] is None
    assert_nobody(changes, ["AWS_PROFILE"])
    assert "AWS_SECRET_ACCESS_KEY" not in changes


@pytest.mark.parametrize("value", ["'", '"', "`id`", "$(touch${IFS}pwned)", "${HOME}", "\\x41\\n", "%s%n", "a=b", "*"])
def test_shell_syntax_in_a_secret_is_exported_as_it_is(ward: Ward, value: str) -> None:
    """Printable characters are values and nothing else: none is evaluated, expanded or unquoted."""
    ward.plant(in_value("AWS_SECRET_ACCESS_KEY", value.encode()))
    assert ward.enter().changes["AWS_SECRET_ACCESS_KEY"] == value
    assert not (ward.folder / "pwned").exists()


# The reader, byte by byte: the same function over very many files in one bash


READ = """
LC_ALL=C _ad_step=read
_ad_stat=_awsdirenv_stat
_ad_key=dev _ad_config=$PWD/config _ad_credentials=$PWD/credentials _ad_cache='' _ad_dotenv='' _ad_declared=dev
for _ad_snapshot in "$1"/*; do
  if _awsdirenv_read_snapshot keys : :; then printf '%s\\0' "${_ad_snapshot##*/}"; fi
done
"""


def taken(folder: Path) -> set[str]:
    """Give the names of those files in a folder that the extension's reader takes."""
    done = subprocess.run(
        ["bash", "--norc", "--noprofile", "-c", reading("warm", "look", "keys") + READ, "-", folder],
        capture_output=True,
        check=True,
        cwd=folder.parent,
        env={"PATH": os.environ["PATH"], "LANG": UTF8},
    )
    assert b"command not found" not in done.stderr
    assert not (folder.parent / "pwned").exists()
    return {os.fsdecode(name) for name in done.stdout.split(b"\0")[:-1]}


def make_bench(root: Path) -> Path:
    """Make a private folder with one sound snapshot, `whole`, of two files that exist."""
    folder = root / "snapshots"
    folder.mkdir(0o700)
    for name in ("config", "credentials"):
        (root / name).write_text("[x]\n")
    now = datetime.now(timezone.utc).replace(microsecond=0)
    stamps = (file_stamp(str(root / "config")), file_stamp(str(root / "credentials")))
    credentials = replace(GOOD, issued=now, expiration=now + HOUR)
    snapshots.write(folder / "whole", replace(SNAPSHOT, credentials=credentials, stamps=stamps))
    return folder


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """Make a bench of one test's own."""
    return make_bench(tmp_path)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> tuple[set[str], set[str]]:
    """Put one file of each kind of damage on a bench; give what the extension and what the module take."""
    folder = make_bench(tmp_path_factory.mktemp("damages"))
    whole = snapshots.read(folder / "whole")
    assert whole is not None
    for kind, damage in DAMAGES.items():
        put(folder, kind, (folder / "whole").read_bytes())
        damage(folder / kind)
    by_extension = taken(folder)
    read = {kind: snapshots.read(folder / kind) for kind in (*DAMAGES, "whole")}
    now, basis = datetime.now(timezone.utc), Basis("dev", whole.stamps, "", {})
    return by_extension, {kind for kind, one in read.items() if one and one.holds(basis, now)}


def test_both_take_what_is_whole(verdicts: tuple[set[str], set[str]]) -> None:
    """The control of the next two: the undamaged file is fine with both sides."""
    assert "whole" in verdicts[0] & verdicts[1]


@pytest.mark.needs("/proc")
def test_the_extension_takes_nothing_that_is_damaged(verdicts: tuple[set[str], set[str]]) -> None:
    """Each kind of damage is enough for the reader to refuse the file."""
    assert verdicts[0] & DAMAGES.keys() == set()


@pytest.mark.needs("/proc")
def test_the_module_takes_nothing_that_the_extension_refuses(verdicts: tuple[set[str], set[str]]) -> None:
    """What the reader cannot use is written anew, or the directory would stay closed until the next renewal."""
    assert verdicts[1] & DAMAGES.keys() == set()


def put(folder: Path, name: str, content: bytes) -> None:
    """Write a 0600 file."""
    with open(os.open(folder / name, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.write(content)


def test_the_reader_takes_no_file_that_is_cut_off(bench: Path) -> None:
    """Of all prefixes of a real file only the whole one is taken."""
    whole = (bench / "whole").read_bytes()
    for size in range(len(whole)):
        put(bench, f"cut{size}", whole[:size])
    assert taken(bench) == {"whole"}


@pytest.mark.parametrize("byte", [b"\x01", b" ", b"\x7f", b"\xe9", b"\n", b"\r"], ids=repr)
def test_the_reader_takes_no_file_with_a_foreign_byte(bench: Path, byte: bytes) -> None:
    """A byte that belongs in no value spoils the file wherever it stands in it."""
    whole = (bench / "whole").read_bytes()
    for place in range(0, len(whole) - 1, 3):
        if whole[place : place + 1] != byte:
            put(bench, f"at{place}", whole[:place] + byte + whole[place + 1 :])
    assert taken(bench) == {"whole"}


@pytest.mark.needs("/proc")
def test_the_reader_does_without_decoration_only(bench: Path) -> None:
    """Where a snapshot leads, its context and its clock may be empty; no other line may, and none may be missing."""
    lines = (bench / "whole").read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines):
        name = line.partition(b"=")[0]
        put(bench, f"without {name.decode()}", b"".join(lines[:number] + lines[number + 1 :]))
        put(bench, name.decode(), b"".join([*lines[:number], name, b"=\n", *lines[number + 1 :]]))
    optional = {"AWS_ACCOUNT_ID", "AWS_REGION", "AWSDIRENV_ROLE", "AWSDIRENV_CLOCK"}
    optional |= {"AWSDIRENV_STAGE", "AWSDIRENV_POLICIES", "AWSDIRENV_POLICY_FILE"}
    assert taken(bench) == {"whole", *optional, "AWSDIRENV_CONTEXT", "AWSDIRENV_ENVIRONMENT"}


def test_the_reader_takes_credentials_of_unknown_end(bench: Path) -> None:
    """A session token from the credentials file says no end: no expiration, and no clock."""
    whole = snapshots.read(bench / "whole")
    assert whole is not None
    snapshots.write(bench / "unending", replace(whole, credentials=replace(whole.credentials, expiration=None)))
    assert taken(bench) == {"whole", "unending"}


@pytest.mark.parametrize("edit", [edit_in_place, swap, grow, relink, Path.unlink], ids=lambda edit: edit.__name__)
def test_the_reader_sees_every_edit_of_the_files(bench: Path, edit: Callable[[Path], None]) -> None:
    """A file that was edited, replaced or removed makes the snapshot worthless, even with its time put back."""
    config = bench.parent / "config"
    config.write_bytes(b"x" * 10)
    config.rename(bench.parent / "generation1")
    config.symlink_to("generation1")
    os.utime(config, (1, 1))
    whole = snapshots.read(bench / "whole")
    assert whole is not None
    snapshots.write(bench / "whole", replace(whole, stamps=(file_stamp(str(config)), whole.stamps[1])))
    assert taken(bench) == {"whole"}
    time.sleep(0.02)  # the kernel counts change times in ticks
    edit(config)
    if config.exists():
        os.utime(config, (1, 1))
    assert taken(bench) == set()


@pytest.mark.parametrize("name", ["config", "credentials"])
def test_the_reader_sees_a_file_that_appears(bench: Path, name: str) -> None:
    """Credentials made without one of AWS's files do not outlive its first one."""
    late = bench.parent / name
    late.unlink()
    whole = snapshots.read(bench / "whole")
    assert whole is not None
    stamps = (file_stamp(str(bench.parent / "config")), file_stamp(str(bench.parent / "credentials")))
    snapshots.write(bench / "whole", replace(whole, stamps=stamps))
    assert taken(bench) == {"whole"}
    late.touch()
    assert taken(bench) == set()


@settings(max_examples=5, deadline=None)
@given(st.lists(st.builds(replace, st.just(GOOD), secret_access_key=PRINTABLE, session_token=PRINTABLE), min_size=20))
def test_the_reader_takes_whatever_the_writer_writes(many: list[SessionCredentials]) -> None:
    """No credentials of printable ASCII are lost between the two."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "s").mkdir(0o700)
        stamps = (file_stamp(f"{name}/config"), file_stamp(f"{name}/credentials"))
        for number, credentials in enumerate(many):
            full = replace(credentials, issued=now, expiration=now + HOUR)
            snapshots.write(Path(name) / "s" / str(number), replace(SNAPSHOT, credentials=full, stamps=stamps))
        assert taken(Path(name) / "s") == {str(number) for number in range(len(many))}


# Which snapshot, and when Python is asked


class Watched:
    """A world whose installed extension reports each start of Python."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.log = world.root / "starts"
        world.replace_command(f'echo >>{self.log}; exec $ours "$@"')

    def starts(self, folder: Path, **env: str) -> tuple[int, dict[str, str | None]]:
        """Evaluate; give how often Python was started and what changed."""
        self.log.write_text("")
        changes, stderr = self.world.enter(folder, **env)
        assert "error" not in stderr
        return len(self.log.read_text()), changes


def test_python_is_started_only_when_there_is_something_to_do(world: World) -> None:
    """Warm evaluations start none; a missing, due, ended or outdated snapshot starts one each."""
    world.role("dev")
    world.login("dev")
    folder = world.project("dev")
    watched = Watched(world)
    (snapshot,) = (world.cache / "snapshots").iterdir()
    assert [watched.starts(folder)[0] for _ in range(3)] == [0, 0, 0]
    in_value("AWSDIRENV_ISSUED", str(int(time.time()) - 3500).encode())(snapshot)
    in_value("AWSDIRENV_EXPIRATION", str(int(time.time()) + 100).encode())(snapshot)
    assert watched.starts(folder)[0] == 1
    ended(snapshot)
    assert [watched.starts(folder)[0] for _ in range(2)] == [1, 0]
    snapshot.unlink()
    assert [watched.starts(folder)[0] for _ in range(2)] == [1, 0]
    world.config.write_text(world.config.read_text())
    assert [watched.starts(folder)[0] for _ in range(2)] == [1, 0]


def test_an_edit_with_its_time_put_back_is_seen_by_the_extension(world: World) -> None:
    """A role_arn changed in place, same length and same modification time, never gets yesterday's credentials."""
    world.role("aaa")
    arn = world.sts.add_role("bbb")
    world.login("aaa")
    folder = world.project("aaa")
    before = world.config.stat()
    changes, _ = world.enter(folder)
    world.config.write_text(world.config.read_text().replace(":role/aaa", ":role/bbb"))
    os.utime(world.config, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert world.config.stat().st_size == before.st_size
    after, _ = world.enter(folder)
    assert changes["AWS_ACCESS_KEY_ID"] != after["AWS_ACCESS_KEY_ID"]
    assert world.sts.keys[after["AWS_ACCESS_KEY_ID"] or ""].role_arn == arn


def test_an_edited_dotenv_file_is_another_profile_at_once(world: World) -> None:
    """A .env changed in place, same length and same modification time, never gets the profile it named before."""
    arns = [world.role(name, mfa=False) for name in ("one", "two")]
    for name in ("one", "two"):
        world.hold(name)
    folder = world.project("p", "use aws_profile\n")
    dotenv = folder / ".env"
    found = []
    for name in ("one", "one", "two", "two", "one"):
        dotenv.write_text(f"AWS_PROFILE={name}\n")
        os.utime(dotenv, (1, 1))
        found += roles_entered(world, [folder], [{}])
    assert found == [arns[0], arns[0], arns[1], arns[1], arns[0]]


def two_configs(world: World) -> tuple[str, str]:
    """Make two homes' worth of files: in each, profile `dev` is another role; give the ARNs."""
    arns = []
    for name in ("one", "two"):
        arn = world.role(name, mfa=False)
        (world.root / name / ".aws").mkdir(parents=True)
        text = f"[profile dev]\nrole_arn = {arn}\nsource_profile = base\nregion = {REGION}\n"
        (world.root / name / ".aws" / "config").write_text(text)
        shutil.copy(world.credentials, world.root / name / ".aws" / "credentials")
        arns.append(arn)
    return arns[0], arns[1]


def load(world: World, environ: dict[str, str], cwd: Path | None = None) -> None:
    """Get the credentials of `dev` for one of the two: what is then there must not be taken for the other."""
    world.run("awsdirenv", "load", "dev", cwd=cwd, **environ).check_returncode()


def roles_entered(world: World, folders: list[Path], environs: list[dict[str, str]]) -> list[str]:
    """Enter one after another; give the roles whose credentials arrived."""
    found = []
    for folder, environ in zip(folders, environs, strict=True):
        changes, stderr = world.enter(folder, **environ)
        key = changes.get("AWS_ACCESS_KEY_ID") or ""
        found.append(world.sts.keys[key].role_arn if key else stderr)
    return found


def test_two_config_files_never_share_a_snapshot(world: World) -> None:
    """The same profile name under two AWS_CONFIG_FILEs is two roles, back and forth."""
    one, two = two_configs(world)
    folder = world.project("p", "use aws_profile dev\n")
    environs = [{"AWS_CONFIG_FILE": str(world.root / name / ".aws" / "config")} for name in ("one", "two")]
    load(world, environs[1])
    assert roles_entered(world, [folder] * 3, [*environs, environs[0]]) == [one, two, one]


def test_two_relative_config_files_never_share_a_snapshot(world: World) -> None:
    """A relative AWS_CONFIG_FILE is another file in each directory."""
    one, two = two_configs(world)
    folders = [
        world.project(name, "export AWS_CONFIG_FILE=.aws/config\nuse aws_profile dev\n") for name in ("one", "two")
    ]
    load(world, {"AWS_CONFIG_FILE": ".aws/config"}, cwd=folders[0])
    assert roles_entered(world, [*folders, folders[0]], [{}] * 3) == [one, two, one]


def test_a_variable_in_the_path_of_the_config_file_is_another_file_each_time(world: World) -> None:
    """Botocore expands variables in AWS_CONFIG_FILE: another value is another file and never the same credentials."""
    one, two = two_configs(world)
    folder = world.project("p", "use aws_profile dev\n")
    environs = [{"AWS_CONFIG_FILE": "$CLIENT/.aws/config", "CLIENT": str(world.root / name)} for name in ("one", "two")]
    load(world, environs[0])
    assert roles_entered(world, [folder, folder], environs) == [one, two]


def test_two_homes_with_one_cache_never_share_a_snapshot(world: World) -> None:
    """Another HOME has another ~/.aws/config, even where XDG_CACHE_HOME is the same."""
    one, two = two_configs(world)
    folder = world.project("p", "use aws_profile dev\n")
    shared = {"XDG_CACHE_HOME": str(world.root / "cache"), "XDG_CONFIG_HOME": str(world.home / ".config")}
    shared["XDG_DATA_HOME"] = str(world.home / ".local" / "share")
    environs = [{"HOME": str(world.root / name), **shared} for name in ("one", "two")]
    load(world, environs[0])
    assert roles_entered(world, [folder, folder], environs) == [one, two]


def test_two_dotenv_files_with_one_number_never_share_a_snapshot(world: World) -> None:
    """The number in a note's name proves nothing: what it stands for is checked from its content."""
    arns = [world.role(name, mfa=False) for name in ("one", "two")]
    for name in ("one", "two"):
        world.hold(name)
    folders = [world.project(name, "use aws_profile\n") for name in ("a+b", "a=b")]
    assert len({name_key(folder / ".env", world.env) for folder in folders}) == 1
    for folder, name in zip(folders, ("one", "two"), strict=True):
        (folder / ".env").write_text(f"AWS_PROFILE={name}\n")
    assert roles_entered(world, folders, [{}] * 2) == arns


def test_two_contexts_with_one_number_never_share_a_snapshot(world: World) -> None:
    """The same for a snapshot: of two config files whose paths make one number, each leads to its own role."""
    one, two = two_configs(world)
    folder = world.project("p", "use aws_profile dev\n")
    paths = {"a+b": "one", "a=b": "two"}
    for name, home in paths.items():
        shutil.copy(world.root / home / ".aws" / "config", world.root / name)
    environs = [{"AWS_CONFIG_FILE": str(world.root / name)} for name in paths]
    assert len({snapshot_key("dev", {**world.env, **environ}) for environ in environs}) == 1
    load(world, environs[0])
    assert roles_entered(world, [folder] * 3, [environs[1], environs[0], environs[1]]) == [two, one, two]
    assert load_from_python(world, **environs[0]) == one


def test_a_context_is_told_apart_by_its_content_alone(world: World) -> None:
    """Where profile, files and even the number are the same, the values of the variables still make two snapshots."""
    world.role("plain", mfa=False)
    folder = world.project("plain")
    environs = [{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": value} for value in ("a+b", "a=b")]
    (key,) = {snapshot_key("plain", {**world.env, **environ}) for environ in environs}
    for environ in [*environs, *environs]:
        assert world.enter(folder, **environ)[0].get("AWSDIRENV_PROFILE") == "plain"
        made = snapshots.read(world.cache / "snapshots" / key)
        assert made
        assert made.context == context_text({**world.env, **environ})


def load_from_python(world: World, **environ: str) -> str:
    """Give the role that Python finds, which may have a snapshot of the other one before it."""
    key = json.loads(world.run("awsdirenv", "credential-process", "dev", cwd=world.root, **environ).stdout)[
        "AccessKeyId"
    ]
    role = world.sts.keys[key].role_arn
    assert role
    return role


REFERENCES = {
    "default": ("AWS_PROFILE=${STAGE:-a}\n", [({}, "a"), ({"STAGE": "l"}, "l"), ({"STAGE": "x"}, "x"), ({}, "a")]),
    "through-another": (
        "KIND=${STAGE:-l}\nAWS_PROFILE=${KIND}\n",
        [({}, "l"), ({"STAGE": "a"}, "a"), ({"STAGE": "a", "KIND": "x"}, "a"), ({}, "l")],
    ),
    "two": (
        "AWS_PROFILE=${A:-}${B:-a}\n",
        [({}, "a"), ({"A": "x", "B": ""}, "x"), ({"B": "l"}, "l"), ({"A": ""}, "a")],
    ),
    "none-of-its-own": ("KIND=${STAGE}\n", [({"AWS_PROFILE": "a"}, "a"), ({"AWS_PROFILE": "l"}, "l")]),
}


@pytest.mark.parametrize("line", ["use aws_profile\n", "use aws_profile --live\n"])
@pytest.mark.parametrize("case", REFERENCES)
def test_a_dotenv_that_refers_to_variables_means_what_they_are_now(world: World, case: str, line: str) -> None:
    """A note holds each variable that a name in a `.env` refers to, also through others, and whether it is set."""
    for name in ("a", "l", "x"):
        world.role(name, mfa=False)
    text, visits = REFERENCES[case]
    folder = world.project("p", line)
    (folder / ".env").write_text(text)
    for environ, profile in visits * 2:
        changes, stderr = world.enter(folder, **environ)
        assert changes.get("AWSDIRENV_PROFILE") == profile, stderr


@pytest.mark.parametrize("line", ["use aws_profile made\n", "use aws_profile made --live\n", "use aws_profile\n"])
@pytest.mark.parametrize("name", ["config", "credentials"])
def test_a_file_saved_while_we_look_heals_at_the_next_prompt(world: World, name: str, line: str) -> None:
    """What was closed because a file changed during the load opens at the next prompt, with nothing typed."""
    role = world.role("other", mfa=False)
    given = json.dumps({"Version": 1, **world.sts.issue_credentials(role)})
    path = world.home / ".aws" / name
    once = world.root / "once"
    # Once the profile is there, somebody saves the file; in a second of its own, as direnv compares seconds.
    later = time.strftime("%Y%m%d%H%M.%S", time.gmtime(time.time() + 60))
    save = f"[ -e {once} ] || {{ touch {once}; echo '# saved' >>{path}; TZ=UTC0 touch -t {later} {path}; }}"
    world.profile("made", credential_process=world.program("give", f"{save}; echo '{given}'"), region=REGION)
    folder = world.project("p", line)
    (folder / ".env").write_text("AWS_PROFILE=made\n")
    changes, said = world.enter(folder)
    if changes.get("AWSDIRENV_PROFILE") != "made":
        changes, said = world.enter(folder, **{key: value for key, value in changes.items() if value is not None})
    assert once.exists()
    assert changes.get("AWSDIRENV_PROFILE") == "made", said
