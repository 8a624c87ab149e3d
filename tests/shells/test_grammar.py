"""Both readers of each file of ours agree, on files that are damaged in every way that we could think of.

FUZZ_COUNT says how many files of each kind are made, FUZZ_SEED which.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from awsdirenv.cache import live_files, snapshots
from awsdirenv.cache.grammar import LATEST
from awsdirenv.cache.live_files import Made
from awsdirenv.cache.snapshots import Snapshot
from awsdirenv.config.aws_files import section_header
from awsdirenv.config.environment import variables_text
from awsdirenv.records import replace
from awsdirenv.session_credentials import CLOCK_TOLERANCE, SessionCredentials, from_epoch, refresh_at, usable_until
from awsdirenv.system.files import encode_name
from awsdirenv.system.stamps import file_stamp, stamped_path
from parts import reading

COUNT = int(os.environ.get("FUZZ_COUNT", "2000"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
NOW = int(time.time())
# Values that are valid on one line or another, or nearly.
VALUES = [
    *(b"", b"0", b"00", b"01", b"7", b"999999999999", b"9999999999999", b"-1", b"1e3", b"0x1f", b" 1", b"1 "),
    *(b"%d" % LATEST, b"%d" % (LATEST + 1), b"%d" % NOW, b"%d" % (NOW + 3600), b"%d" % (NOW - 10**9)),
    *(b"123456789012", b"1" * 20, b"1" * 21, b"eu-west-1", b"-eu", b"EU", b"a" * 64, b"a" * 65, b"Role+=,.@_-"),
    *(b"dev", b"de", b"dev@", b"%64ev", b"%zz", b"a%20b", b".dev", b"%2Edev", b"production", b"a b", b"a\tb"),
    *("é".encode(), "é".encode() * 80, "é".encode() * 81, b"\xff", b"\x7f", b"a" * 200, b"a" * 201, b"a" * 128),
    *(b"0123456789abcdef", b"01234567", b"01234567.22:1", b"01234567.22:01", b"01234567.22:", b":1", b"1:2"),
    *(b"012345678901234567890123456789:1", b"01234567.22:999999999999", b"01234567.22:1:2", b"/bin/sh", b"=", b"=/x"),
    *(b"a" * 16384, b"a" * 16385, b"a" * 8192, b"a" * 8193, b"~" * 16384, b"$(touch pwned)", b"a[$(touch pwned)]"),
]
FIRST = (
    reading("warm", "look", "keys", "context", "names", "live", "cold", "leave")
    + """
set +u; LC_ALL=C; cd "$1"; watch_file() { :; }
_ad_stat=_awsdirenv_stat _ad_key=dev _ad_config=$1/config _ad_credentials=$1/credentials _ad_dotenv=''
"""
)
READ_SNAPSHOTS = """
show() {
  local text=''
  [[ ! $_ad_expiration ]] || { _awsdirenv_utc_text "$_ad_expiration"; text=$_ad_reply; }
  printf '%s\\0' "$file" 14 "$_ad_size" "$_ad_access_key_id" "$_ad_secret_access_key" "$_ad_session_token" \
    "$_ad_account_id" "$_ad_region" "$_ad_role" "$_ad_stage" "${_ad_stamps[@]}" \
    "$_ad_issued" "$text" "$_ad_refresh_at" "$_ad_usable_until"
}
_awsdirenv_end_look() { return 1; }
judge() { source "$_ad_installed/snapshot.sh" keys show :; }
_ad_step=read
for file in {0..LAST}; do
  exec {_ad_fd}<"$1/$file"
  judge
  exec {_ad_fd}<&-
done
"""
READ_LIVE = """
for file in {0..LAST}; do
  _ad_lines=() _ad_live_stamps=()
  if _awsdirenv_read_file "$1/$file" 16 && _awsdirenv_take_live_lines; then
    _awsdirenv_take_live_header; is_current=$?
    _awsdirenv_take_live_lines
    printf '%s\\0' "$file" 10 "$is_current" "$_ad_live_profile" "${_ad_live_stamps[@]}" "$_ad_live_config_file" \
      "$_ad_live_shared_credentials_file" "$_ad_live_region" "$_ad_live_account_id" "$_ad_live_role" "$_ad_live_stage"
  fi
done
"""
READ_NAMES = """
_ad_dotenv=$1/.env
for file in {0..LAST}; do
  if _awsdirenv_take_name "$1/$file"; then printf '%s\\0' "$file" 3 "$_ad_declared" "$_ad_key" "$_ad_dotenv_stamp"; fi
done
"""


class Damage:
    """Ways to damage a file."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def __call__(self, whole: bytes) -> bytes:
        """Do one to three things to a file, or nothing, which is a control."""
        for _ in range(self.chance.choices((0, 1, 2, 3), (1, 12, 4, 2))[0]):
            whole = self.chance.choices(*zip(*self.ways(), strict=True))[0](whole)
        return whole

    def ways(self) -> list[tuple[Callable[[bytes], bytes], int]]:
        """Give the ways, and how often each is taken."""
        of_bytes = [self.flip, self.insert, self.drop, self.digit, self.cut]
        of_lines = [self.lose_line, self.double_line, self.swap_lines, self.blank_line]
        return [(self.value, 12), (self.lengthen, 2), *((way, 1) for way in (*of_bytes, *of_lines))]

    def place(self, whole: bytes) -> int:
        """Choose a byte."""
        return self.chance.randrange(len(whole)) if whole else 0

    def flip(self, whole: bytes) -> bytes:
        """Flip a bit."""
        at = self.place(whole)
        return whole[:at] + bytes(byte ^ 1 << self.chance.randrange(8) for byte in whole[at : at + 1]) + whole[at + 1 :]

    def insert(self, whole: bytes) -> bytes:
        """Insert a byte that does not belong, or put it in another's place."""
        at = self.place(whole)
        strange = self.chance.choice(
            [b"\0", b"\r", b"\n", b" ", b"=", b"\t", b"\xe9", b"\xff", b"\x7f", b"'", b"$", b"0"]
        )
        return whole[:at] + strange + whole[at + self.chance.randrange(2) :]

    def drop(self, whole: bytes) -> bytes:
        """Lose some bytes."""
        at = self.place(whole)
        return whole[:at] + whole[at + self.chance.choice((1, 1, 2, 9)) :]

    def digit(self, whole: bytes) -> bytes:
        """Change one digit or letter for another."""
        places = [at for at, byte in enumerate(whole) if chr(byte).isalnum()] or [0]
        at = self.chance.choice(places)
        return whole[:at] + self.chance.choice([b"0", b"1", b"9", b"a", b"Z"]) + whole[at + 1 :]

    def cut(self, whole: bytes) -> bytes:
        """Cut the file off, or what stands before a place."""
        at = self.place(whole)
        return self.chance.choice([whole[:at], whole[:-1], whole[at:], whole + b"\n", whole + b"\0", whole + whole])

    def line(self, whole: bytes) -> tuple[list[bytes], int]:
        """Choose a line."""
        lines = whole.split(b"\n")
        return lines, self.chance.randrange(len(lines))

    def lose_line(self, whole: bytes) -> bytes:
        """Lose a line."""
        lines, at = self.line(whole)
        return b"\n".join(lines[:at] + lines[at + 1 :])

    def double_line(self, whole: bytes) -> bytes:
        """Have a line twice."""
        lines, at = self.line(whole)
        return b"\n".join(lines[:at] + lines[at : at + 1] + lines[at:])

    def swap_lines(self, whole: bytes) -> bytes:
        """Exchange two lines."""
        lines, at = self.line(whole)
        other = self.chance.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
        return b"\n".join(lines)

    def blank_line(self, whole: bytes) -> bytes:
        """Put an empty line in."""
        lines, at = self.line(whole)
        return b"\n".join([*lines[:at], b"", *lines[at:]])

    def value(self, whole: bytes) -> bytes:
        """Give a line another value."""
        lines, at = self.line(whole)
        others = [one.partition(b"=")[2] for one in lines]
        lines[at] = lines[at].partition(b"=")[0] + b"=" + self.chance.choice([*VALUES, *VALUES, *others])
        return b"\n".join(lines)

    def lengthen(self, whole: bytes) -> bytes:
        """Repeat what a line ends with."""
        lines, at = self.line(whole)
        lines[at] += lines[at][-self.chance.choice((1, 2, 9)) :] * self.chance.choice((1, 3, 60, 2000))
        return b"\n".join(lines)


def make(folder: Path, good: Sequence[bytes], chance: random.Random) -> list[Path]:
    """Write damaged files, each under its number."""
    folder.mkdir(0o700, exist_ok=True)
    damage = Damage(chance)
    paths = [folder / str(number) for number in range(COUNT)]
    for path in paths:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(damage(chance.choice(good)))
    return paths


def by_extension(folder: Path, script: str) -> dict[str, list[str]]:
    """Give what the extension takes from each file that it does not refuse. One bash reads them all."""
    script = FIRST + script.replace("LAST", str(COUNT - 1))
    done = subprocess.run(
        ["bash", "--norc", "--noprofile", "-c", script, "-", folder],
        capture_output=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOSTNAME": "here"},
    )
    assert done.stderr == b""
    assert not list(folder.rglob("pwned"))
    fields = iter(os.fsdecode(done.stdout).split("\0")[:-1])
    return {number: [next(fields) for _ in range(int(next(fields)))] for number in fields}


def assert_agreed(paths: Sequence[Path], ours: dict[str, list[str]], theirs: dict[str, list[str]]) -> None:
    """Compare what each side has taken, file by file."""
    for path in paths:
        bash, python = ours.get(path.name), theirs.get(path.name)
        assert bash == python, f"FUZZ_COUNT={COUNT} FUZZ_SEED={SEED}, file {path}: {path.read_bytes()[:4000]!r}"
    assert COUNT / 20 < len(theirs) < COUNT * 0.9  # or neither side has anything to tell


def good_snapshots(folder: Path) -> list[bytes]:
    """Write sound snapshots of many kinds."""
    stamps = (file_stamp(str(folder / "config")), file_stamp(str(folder / "credentials")))
    now = from_epoch(NOW - 5555)  # no change of one digit makes it a time between bash's look and Python's
    plain = SessionCredentials("ASIDTEST", "s3cret/+=", "t0ken" * 9, now + timedelta(hours=1), now, "123456789012")
    lives = [
        plain,
        replace(plain, expiration=None),
        *(replace(plain, expiration=now + timedelta(seconds=s)) for s in LIVES),
    ]
    full = Snapshot("dev", plain, "eu-west-1", "Dev", stamps, "", "HOSTNAME=here UNSET", "über prod")
    kinds = [replace(full, credentials=one, environment=None, stage=None) for one in lives]
    kinds += [full, Snapshot("dev", replace(plain, account_id=None), None, None, stamps)]
    found = []
    for one in kinds:
        snapshots.write(folder / "good", one)
        found.append((folder / "good").read_bytes())
    return found


LIVES = (-9, 0, 1, 7, 60, 199, 201, 479, 481, 901, 3599, 3601, 43200, 10**9)  # seconds


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with two files of AWS's, and a .env."""
    tmp_path.chmod(0o700)
    for name in ("config", ".env"):
        (tmp_path / name).write_text("x")
    return tmp_path


def test_snapshots(folder: Path) -> None:
    """Snapshots: what one side refuses, the other refuses, and from the rest both take the same."""
    good = good_snapshots(folder)
    paths = make(folder, good, random.Random(SEED))
    ours = by_extension(folder, READ_SNAPSHOTS)
    stamps = (file_stamp(str(folder / "config")), file_stamp(str(folder / "credentials")))
    # The look compares sizes and stamps, once for all of a load.
    ours = {
        number: values[1:]
        for number, values in ours.items()
        if int(values[0]) == (folder / number).stat().st_size and tuple(values[8:10]) == stamps
    }
    theirs = {path.name: taken for path in paths if (taken := from_snapshot(path, stamps))}
    assert_agreed(paths, ours, theirs)


def from_snapshot(path: Path, stamps: tuple[str, str]) -> list[str] | None:
    """Give what Python takes from a snapshot, as the script prints it."""
    found = snapshots.read(path)
    if (
        not found
        or (found.stamps, found.profile, found.context) != (stamps, "dev", "")
        or not (found.environment is None or is_present(found.environment))
        or (found.policy_stamp and found.policy_stamp != file_stamp(stamped_path(found.policy_stamp)))
    ):
        return None
    held = found.credentials
    end, texts = held.expiration, (held.account_id, found.region, found.role, found.stage)
    times = ["", "", ""]
    if end:
        if not found.is_settled or held.issued > from_epoch(time.time()) + CLOCK_TOLERANCE:
            return None  # the clock was set back since
        moments = (refresh_at(held.issued, end), usable_until(held.issued, end))
        times = [end.isoformat(), *(str(int(moment.timestamp())) for moment in moments)]
    keys = [held.access_key_id, held.secret_access_key, held.session_token or ""]
    return [*keys, *(text or "" for text in texts), *stamps, str(int(held.issued.timestamp())), *times]


def test_live_headers(folder: Path) -> None:
    """The headers of live files: what one side refuses, the other refuses, and from the rest both take the same."""
    stamps = (file_stamp(str(folder / "config")), file_stamp(str(folder / "credentials")))
    shown = ("eu-west-1", "123456789012", "Dev", "", "")
    plain = Made("dev", stamps, (None, None), "", "", sys.executable, "/etc/passwd", *shown)
    kinds = [
        plain,
        replace(plain, stage="über prod", options="duration=900 read-only", policies="ReadOnlyAccess"),
        replace(plain, originals=("", "/x")),
    ]
    good = []
    for one in kinds:
        live_files.write(folder / "good", one, b"[profile dev]\nregion = eu-west-1\n")
        good.append((folder / "good").read_bytes())
    paths = make(folder, good, random.Random(SEED))
    theirs = {}
    for path in paths:
        made = live_files.read(path)
        if made:
            decides = ("profile", "stamps", "originals", "mfa_serial", "options")
            same = all(getattr(made, name) == getattr(plain, name) for name in decides)
            originals = ["" if one is None else f"={one}" for one in made.originals]
            texts = [made.profile, *made.stamps, *originals, made.region, made.account_id, made.role, made.stage]
            same = same and os.access(folder / made.python, os.X_OK) and os.access(folder / made.program, os.R_OK)
            theirs[path.name] = [str(int(not same)), *texts]
    ours = by_extension(folder, READ_LIVE)
    # The extension only looks whether the paths are right: the stamps are compared when it has looked.
    ours = {
        number: [str(int(values[0] != "0" or tuple(values[2:4]) != stamps)), *values[1:]]
        for number, values in ours.items()
    }
    assert_agreed(paths, ours, theirs)


def is_present(variables: str) -> bool:
    """Say whether the variables of a note are as they are for the script."""
    environ = {"PATH": os.environ["PATH"], "HOSTNAME": "here"}
    names = [word.partition("=")[0] for word in variables.split()]
    text = " ".join(variables_text([name], environ) for name in names)
    return text == variables and all(re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) for name in names)


def test_names(folder: Path) -> None:
    """Notes which profile a `.env` declares: both sides take the same, and the same files."""
    good = []
    for name in ("dev", "a b/é", ".x", "a" * 200, "%41", "\udcff"):
        note = snapshots.NameNote(name, file_stamp(str(folder / ".env")), "HOSTNAME=here UNSET")
        snapshots.write_name(folder / "good", note)
        good.append((folder / "good").read_bytes())
    paths = make(folder, good, random.Random(SEED))
    theirs = {}
    for path in paths:
        found = snapshots.read_name(path)
        if found and stamped_path(found.stamp) == str(folder / ".env") and is_present(found.variables):
            theirs[path.name] = [found.profile, encode_name(found.profile), found.stamp]
    assert_agreed(paths, by_extension(folder, READ_NAMES), theirs)


def test_headers(folder: Path) -> None:
    """The header of a section, as a hint of the extension shows it, is the one that Python's hints show."""
    names = ["plain", "my prof", "jo's", 'a"b', "a\\b", "default", "ü", "a b'c\"d", "a#b", " lead", "tab\tx", "$x"]
    script = FIRST + (
        """_awsdirenv_warn() { printf '%s\\n' "$2"; }
        shift; for _ad_declared; do _awsdirenv_warn_without_region; done"""
    )
    words = ["bash", "--norc", "--noprofile", "-c", script, "-", str(folder), *names]
    shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    assert shown == [f"set region in {section_header(name)} of {folder}/config" for name in names]
