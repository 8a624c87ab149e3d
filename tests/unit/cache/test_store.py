"""What is remembered between processes: sessions, spent codes, cancelled steps, and for how long."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awsdirenv.cache.layout import CachePaths
from awsdirenv.cache.sessions import CancelMarks, SessionStore, UsedCodes, prepare
from awsdirenv.errors import BadAnswerError, CacheError
from awsdirenv.records import replace
from awsdirenv.session_credentials import SessionCredentials

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
ARN = "arn:aws:sts::123456789012:assumed-role/dev/me"
SERIAL = "arn:aws:iam::123456789012:mfa/foo"
SESSION = SessionCredentials("ASIDTEST", "s3cret", "t0ken", NOW + HOUR, NOW, "123456789012", ARN)
PRINTABLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=80)
MOMENTS = st.integers(0, 4 * 10**9).map(lambda seconds: datetime.fromtimestamp(seconds, timezone.utc))


def text_of(folder: Path) -> str:
    """Give everything that is written in a folder, names included."""
    return "".join(f"{path.name}\n{path.read_text()}" for path in folder.iterdir())


@settings(max_examples=60, deadline=None)
@given(
    secret=PRINTABLE,
    token=PRINTABLE,
    expiration=MOMENTS,
    issued=MOMENTS,
    account=st.none() | st.from_regex("[0-9]{12}", fullmatch=True),
    arn=st.none() | st.just(ARN),
)
def test_every_session_comes_back(secret: str, token: str, **others: Any) -> None:
    """A session of any printable characters is read as it was written, ended or not."""
    values = {"expiration": others["expiration"], "issued": others["issued"], "arn": others["arn"]}
    session = SessionCredentials("ASIDTEST", secret, token, **values, account_id=others["account"])
    with tempfile.TemporaryDirectory() as folder:
        store = SessionStore(Path(folder))
        store.write("key", session, "label")
        assert store.read("key") == session


def test_a_session_that_has_ended_is_read_all_the_same(tmp_path: Path) -> None:
    """Whether it will still do is not the store's decision."""
    store = SessionStore(tmp_path)
    store.write("key", replace(SESSION, issued=NOW - 3 * HOUR, expiration=NOW - 2 * HOUR), "label")
    assert store.read("key") is not None


def test_sessions_are_kept_apart_by_key_and_replaced_under_the_same(tmp_path: Path) -> None:
    """Two keys are two sessions; the last one written under a key is the one that is read."""
    store = SessionStore(tmp_path)
    store.write("a", SESSION, "first")
    store.write("b", replace(SESSION, access_key_id="OTHER"), "second")
    store.write("a", replace(SESSION, access_key_id="NEWER"), "third")
    found = [store.read(key) for key in ("a", "b", "c")]
    assert [session.access_key_id if session else None for session in found] == ["NEWER", "OTHER", None]


def test_a_dropped_session_is_gone_and_dropping_nothing_is_no_error(tmp_path: Path) -> None:
    """Dropping removes this key's file only."""
    store = SessionStore(tmp_path)
    store.write("a", SESSION, "label")
    store.write("b", SESSION, "label")
    store.drop("a")
    store.drop("a")
    assert store.read("a") is None
    assert store.read("b") == SESSION


def test_a_session_s_file_is_private(tmp_path: Path) -> None:
    """The file is 0600 and says what it is for in its first line."""
    SessionStore(tmp_path).write("key", SESSION, SERIAL)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert (tmp_path / "key").read_text().splitlines()[1] == f"LABEL={SERIAL}"


@pytest.mark.parametrize(
    "change",
    [
        {"session_token": None},
        {"session_token": ""},
        {"expiration": None},
        {"secret_access_key": "a\nb"},
        {"secret_access_key": ""},
        {"session_token": "a b"},
        {"access_key_id": "é"},
    ],
    ids=str,
)
def test_what_is_no_session_is_never_written(tmp_path: Path, change: dict[str, Any]) -> None:
    """Long-term keys, keys without an end and malformed values are refused, unquoted, with nothing on the disk."""
    with pytest.raises(BadAnswerError) as caught:
        SessionStore(tmp_path).write("key", replace(SESSION, **change), "the role")
    assert caught.value.message == "the session for the role is malformed"
    assert list(tmp_path.iterdir()) == []


def test_a_label_cannot_smuggle_a_line_in(tmp_path: Path) -> None:
    """A role_arn with a line break is an error of ours, and the session is not written."""
    with pytest.raises(CacheError, match="line break"):
        SessionStore(tmp_path).write("key", SESSION, "arn\nACCESS_KEY_ID=EVIL")
    assert list(tmp_path.iterdir()) == []


def test_a_full_cache_is_an_error_and_the_old_session_stays(tmp_path: Path) -> None:
    """What cannot be written is said, and does not cost what was there."""
    store = SessionStore(tmp_path)
    store.write("key", SESSION, "label")
    (tmp_path / ".key.new").mkdir()
    with pytest.raises(CacheError):
        store.write("key", replace(SESSION, access_key_id="NEWER"), "label")
    assert store.read("key") == SESSION


@pytest.mark.parametrize("name", ["ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "EXPIRATION", "ISSUED"])
def test_a_session_that_lacks_a_part_is_none(tmp_path: Path, name: str) -> None:
    """Every part but account and ARN is needed."""
    damage(tmp_path, lambda text: re.sub(rf"(?m)^{name}=.*\n", "", text))
    assert SessionStore(tmp_path).read("key") is None


@pytest.mark.parametrize("name", ["LABEL", "ACCOUNT_ID", "ARN"])
def test_a_session_may_lack_what_is_for_people(tmp_path: Path, name: str) -> None:
    """Label, account and ARN are no part of the credentials."""
    damage(tmp_path, lambda text: re.sub(rf"(?m)^{name}=.*\n", "", text))
    found = SessionStore(tmp_path).read("key")
    assert found is not None
    assert found.access_key_id == SESSION.access_key_id


def damage(folder: Path, change: Callable[[str], str]) -> None:
    """Write a session and change its file."""
    SessionStore(folder).write("key", SESSION, "label")
    (folder / "key").write_text(change((folder / "key").read_text()))


@pytest.mark.parametrize("value", ["", "soon", "1e9", "9" * 14, "9" * 30, "9" * 5000, "-" + "9" * 20, "nan", "1.5"])
@pytest.mark.parametrize("name", ["EXPIRATION", "ISSUED"])
def test_a_session_with_a_time_that_is_none_is_none(tmp_path: Path, name: str, value: str) -> None:
    """Garbage and times beyond the calendar raise nothing."""
    damage(tmp_path, lambda text: re.sub(rf"(?m)^{name}=.*", f"{name}={value}", text))
    assert SessionStore(tmp_path).read("key") is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("ACCESS_KEY_ID", ""), ("ACCESS_KEY_ID", "a b"), ("SECRET_ACCESS_KEY", "a\tb"), ("SESSION_TOKEN", "é")],
)
def test_a_session_with_a_malformed_value_is_none(tmp_path: Path, name: str, value: str) -> None:
    """What could not have been written is not believed."""
    damage(tmp_path, lambda text: re.sub(rf"(?m)^{name}=.*", f"{name}={value}", text))
    assert SessionStore(tmp_path).read("key") is None


def test_a_session_without_a_token_is_none(tmp_path: Path) -> None:
    """A stored key without a token would be taken for a long-term one."""
    damage(tmp_path, lambda text: re.sub(r"(?m)^SESSION_TOKEN=.*", "SESSION_TOKEN=", text))
    assert SessionStore(tmp_path).read("key") is None


@pytest.mark.parametrize("mode", [0o644, 0o660])
def test_a_session_that_others_could_write_or_read_is_none(tmp_path: Path, mode: int) -> None:
    """The store believes private files only."""
    damage(tmp_path, lambda text: text)
    (tmp_path / "key").chmod(mode)
    assert SessionStore(tmp_path).read("key") is None


def test_a_torn_session_is_none(tmp_path: Path) -> None:
    """Half a file is no session."""
    damage(tmp_path, lambda text: text[: len(text) // 2])
    assert SessionStore(tmp_path).read("key") is None


# Spent codes


def test_a_spent_code_is_remembered_across_processes(tmp_path: Path) -> None:
    """Another process that looks at the same folder knows the code of this device, and only this code."""
    UsedCodes(tmp_path).remember(SERIAL, "123456", NOW)
    other = UsedCodes(tmp_path)
    assert other.contains(SERIAL, "123456", NOW)
    assert not other.contains(SERIAL, "123457", NOW)
    assert not other.contains(SERIAL + "2", "123456", NOW)


@pytest.mark.parametrize(("seconds", "known"), [(0, True), (89, True), (119, True), (120, True), (121, False)])
def test_a_spent_code_is_forgotten_after_two_minutes(tmp_path: Path, seconds: int, *, known: bool) -> None:
    """AWS takes a code one step of 30 s early or late; after 120 s the same digits may come round again."""
    UsedCodes(tmp_path).remember(SERIAL, "123456", NOW)
    assert UsedCodes(tmp_path).contains(SERIAL, "123456", NOW + seconds * SECOND) == known


def test_several_spent_codes_are_remembered_together(tmp_path: Path) -> None:
    """A second code does not push the first one out, and old ones do not pile up."""
    used = UsedCodes(tmp_path)
    for number in range(10):
        used.remember(SERIAL, f"{number:06d}", NOW + number * 30 * SECOND)
    now = NOW + 270 * SECOND
    assert [used.contains(SERIAL, f"{number:06d}", now) for number in range(10)] == [False] * 5 + [True] * 5
    (file,) = tmp_path.iterdir()
    assert len(file.read_text().splitlines()) == 5 + 2


def test_neither_the_code_nor_the_device_can_be_read_from_the_file(tmp_path: Path) -> None:
    """Only a hash that the device goes into is kept, in a private file of a name that tells nothing."""
    UsedCodes(tmp_path).remember(SERIAL, "987654", NOW)
    UsedCodes(tmp_path).remember("GAHT12345678", "987654", NOW)
    assert "987654" not in text_of(tmp_path)
    assert "mfa/foo" not in text_of(tmp_path)
    assert "GAHT12345678" not in text_of(tmp_path)
    hashes = re.findall(r"(?m)^([0-9a-f]{32})=", text_of(tmp_path))
    assert len(set(hashes)) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_a_damaged_memory_of_codes_is_an_empty_one(tmp_path: Path) -> None:
    """A torn or tampered file costs the memory and raises nothing."""
    used = UsedCodes(tmp_path)
    used.remember(SERIAL, "123456", NOW)
    (file,) = tmp_path.iterdir()
    whole = file.read_text()
    for change in (whole[:-5], re.sub(r"=\d{10}", "=soon", whole), re.sub(r"=\d{10}", "=", whole)):
        file.write_text(change)
        assert not used.contains(SERIAL, "123456", NOW)
    used.remember(SERIAL, "123456", NOW)
    assert used.contains(SERIAL, "123456", NOW)


# Cancelled steps


def test_a_cancellation_holds_for_this_directory_and_this_state_of_it(tmp_path: Path) -> None:
    """Another directory, or a touched .envrc (as by `direnv reload`), is not cancelled."""
    CancelMarks(tmp_path).set(Path("/p/a"), 1000, NOW)
    marks = CancelMarks(tmp_path)
    assert marks.holds(Path("/p/a"), 1000, NOW)
    assert not marks.holds(Path("/p/a"), 1001, NOW)
    assert not marks.holds(Path("/p/a"), 999, NOW)
    assert not marks.holds(Path("/p/b"), 1000, NOW)
    assert not marks.holds(Path("/p"), 1000, NOW)


@pytest.mark.parametrize(("seconds", "held"), [(0, True), (599, True), (600, True), (601, False), (86400, False)])
def test_a_cancellation_is_over_after_ten_minutes(tmp_path: Path, seconds: int, *, held: bool) -> None:
    """Nobody finds a directory closed the next morning because of a Ctrl-C last night."""
    CancelMarks(tmp_path).set(Path("/p/a"), 1000, NOW)
    assert CancelMarks(tmp_path).holds(Path("/p/a"), 1000, NOW + seconds * SECOND) == held


def test_a_second_cancellation_starts_the_time_anew(tmp_path: Path) -> None:
    """The last Ctrl-C counts, with the state of the .envrc at that time."""
    marks = CancelMarks(tmp_path)
    marks.set(Path("/p/a"), 1000, NOW)
    marks.set(Path("/p/a"), 2000, NOW + HOUR)
    assert not marks.holds(Path("/p/a"), 1000, NOW + HOUR)
    assert marks.holds(Path("/p/a"), 2000, NOW + HOUR + 500 * SECOND)


def test_clearing_forgets_all_cancellations_and_nothing_else(tmp_path: Path) -> None:
    """`awsdirenv login` opens every directory again; spent codes stay known."""
    marks = CancelMarks(tmp_path)
    UsedCodes(tmp_path).remember(SERIAL, "123456", NOW)
    marks.set(Path("/p/a"), 1000, NOW)
    marks.set(Path("/p/b"), 1000, NOW)
    marks.clear()
    marks.clear()
    assert not marks.holds(Path("/p/a"), 1000, NOW)
    assert not marks.holds(Path("/p/b"), 1000, NOW)
    assert UsedCodes(tmp_path).contains(SERIAL, "123456", NOW)


def test_a_damaged_mark_holds_nothing(tmp_path: Path) -> None:
    """A torn or tampered mark does not close a directory."""
    marks = CancelMarks(tmp_path)
    marks.set(Path("/p/a"), 1000, NOW)
    (file,) = tmp_path.iterdir()
    whole = file.read_text()
    for change in (whole[:-5], whole.replace("SINCE=", "SINCE=x"), whole.replace("STATE=1000\n", "")):
        file.write_text(change)
        assert not marks.holds(Path("/p/a"), 1000, NOW)


def test_a_mark_says_nothing_of_the_directory_in_its_name(tmp_path: Path) -> None:
    """A path of any length and any characters makes a short plain name."""
    CancelMarks(tmp_path).set(Path("/" + "x/" * 1500 + "ü $(x)"), 1, NOW)
    (file,) = tmp_path.iterdir()
    assert re.fullmatch(r"cancelled-[0-9a-f]{32}", file.name)


def test_a_missing_folder_holds_no_mark(tmp_path: Path) -> None:
    """Before the first load there is no cache, and asking it is no error."""
    marks = CancelMarks(tmp_path / "nowhere")
    assert not marks.holds(Path("/p"), 1, NOW)
    marks.clear()


def test_preparing_makes_every_folder_private(tmp_path: Path) -> None:
    """All our folders are there afterwards, each 0700, under a lax umask, and a second time is no error."""
    paths = CachePaths(tmp_path / "cache" / "awsdirenv")
    before = os.umask(0)
    try:
        prepare(paths)
        paths.sessions.chmod(0o755)
        prepare(paths)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in paths.folders()} == {0o700}
