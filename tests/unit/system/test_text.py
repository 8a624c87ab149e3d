"""Text for people, and the rules that have one owner each."""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import awsdirenv
from awsdirenv.config.chain import assumed_role, given_name
from awsdirenv.system.files import LARGEST, read_bytes, read_text
from awsdirenv.system.text import clock_text, one_line, printable, utc_text, with_tilde, without_keys

PACKAGE = Path(awsdirenv.__file__).parent
NOON = datetime(2026, 5, 4, 12, 0, 5, 999999, timezone.utc)


@pytest.mark.parametrize(
    ("rule", "owner"),
    [
        ("how a time is written in UTC", (r"%Y-%m-%dT%H:%M:%SZ", "system/text.py")),
        ("how a clock shows a time", (r"%Y-%m-%d %H:%M\b(?!:)", "system/text.py")),
        ("how a path below home is shortened", (r'f"~/\{', "system/text.py")),
        ("how foreign text is made printable", (r"if char\.isprintable\(\) else", "system/text.py")),
        ("how fish writes a universal variable", (r"SETUVAR", "shell/hooks.py")),
        ("how Identity Center names a role", (r"AWSReservedSSO", "config/chain.py")),
        ("how our line in .envrc looks", (r"re\.compile\(.*\buse\[.*aws_profile", "none")),
        ("where snapshots are listed", (r"snapshots\b.*\.(?:iterdir|glob)\(", "none")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_rule_has_one_owner(rule: str, owner: tuple[str, str]) -> None:
    """A rule is written down in one module, and every other one asks that."""
    pattern, module = owner
    found = [
        str(path.relative_to(PACKAGE))
        for path in sorted(PACKAGE.rglob("*.py"))
        if re.search(pattern, path.read_text(encoding="utf-8"))
    ]
    assert found == ([] if module == "none" else [module]), rule


def test_nothing_steers_a_terminal() -> None:
    """What is not printable becomes a question mark; in a server's words a space, and they end somewhere."""
    assert printable("a\x1b[2Jb\nc\u009bd é") == "a?[2Jb?c?d é"
    assert one_line("a\x1b[2J\n b.  \u009b c...") == "a [2J b. c"
    assert len(one_line("x" * 1000)) == 300


def test_times() -> None:
    """A time is written in whole seconds of UTC, and shown with the date where it is not today."""
    assert utc_text(NOON.astimezone(timezone(timedelta(hours=5)))) == "2026-05-04T12:00:05Z"
    local = NOON.astimezone()
    assert clock_text(NOON, NOON) == f"{local:%H:%M}"
    assert clock_text(NOON, NOON, seconds=True) == f"{local:%H:%M:%S}"
    assert clock_text(NOON, NOON + timedelta(days=2), seconds=True) == f"{local:%Y-%m-%d %H:%M}"


def test_paths_below_home() -> None:
    """Only what is below the home folder is shortened, also where HOME ends with a slash."""
    assert (
        with_tilde("/h/me/.aws/config:3", "/h/me") == with_tilde("/h/me/.aws/config:3", "/h/me/") == "~/.aws/config:3"
    )
    assert with_tilde("/h/me2/x", "/h/me") == "/h/me2/x"
    assert with_tilde("--region", "/h/me") == "--region"


def test_roles_of_identity_center() -> None:
    """The role of a permission set has the name that people gave it, every other one its own."""
    arn = "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Power_User_0123456789abcdef/me"
    assert given_name(str(assumed_role(arn))) == "Power_User"
    assert given_name("AWSReservedSSO_own") == "AWSReservedSSO_own"
    assert assumed_role("arn:aws:iam::123456789012:user/foo") is None
    assert assumed_role(None) is None


def test_a_file_that_is_there(tmp_path: Path) -> None:
    """A file is read whole, through links, up to the largest size, whatever its bytes and line ends."""
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"a\r\nb\xff\n")
    link.symlink_to(path)
    assert read_bytes(link) == b"a\r\nb\xff\n"
    assert read_text(link) == "a\nb\ufffd\n"
    assert read_text(link, errors="surrogateescape") == "a\nb\udcff\n"
    path.write_bytes(b"x" * LARGEST)
    assert read_bytes(path) == b"x" * LARGEST


@pytest.mark.parametrize("kind", ["missing", "folder", "fifo", "device", "huge", "loop", "below a file", "nul"])
def test_a_file_that_is_none(tmp_path: Path, kind: str) -> None:
    """What is no file, or too large, is as if it were not there, and holds nobody up."""
    path = tmp_path / "file"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "huge":
        path.write_bytes(b"x" * (LARGEST + 1))
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "below a file":
        path.write_bytes(b"x")
        path /= "x"
    elif kind == "nul":
        path = Path("a\0b")
    assert read_bytes(path) is None
    assert read_text(path) is None


BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
MESSAGES = [
    "MultiFactorAuthentication failed with invalid MFA one time pass code.",
    (
        "User: arn:aws:iam::123456789012:user/Alice-Who-Has-A-Long-Name is not authorized: sts:AssumeRole on "
        "resource: arn:aws:iam::123456789012:role/team/AWSReservedSSO_Administrator_0123456789abcdef"
    ),
    "Signature expired: 20261128T000000Z is now earlier than 20261128T011500Z (20261128T013000Z - 15 min.)",
    "request id 8d5f3b2e-8b7c-4f7d-9c55-0123456789ab of awsdirenv-session-1764300000",
    "1 validation error detected: Value '43201' at 'durationSeconds' failed to satisfy constraint",
]


@pytest.mark.parametrize("message", MESSAGES)
def test_what_aws_says_stays_readable(message: str) -> None:
    """Names, ARNs, times and numbers are no keys."""
    assert without_keys(message) == message


@given(st.text(BASE64, min_size=40, max_size=400), st.sampled_from(MESSAGES), st.sampled_from(" ='>("))
def test_no_secret_key_and_no_token_is_quoted(secret: str, message: str, before: str) -> None:
    """Whatever stands around it, a word as long as a secret key is gone, and the rest is there."""
    shown = without_keys(f"{message}{before}{secret} {message}")
    assert secret not in shown
    assert shown.endswith(f"… {message}")
