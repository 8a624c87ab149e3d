"""Codes from commands and options: what counts as one, and what happens when it will not do."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from pathlib import Path

import pytest

from awsdirenv.cache.sessions import UsedCodes
from awsdirenv.errors import CodeProcessError, CodeRefusedError
from awsdirenv.refresh.mfa_codes import Given, Process, prove
from world import AT_ONCE

SERIAL = "arn:aws:iam::123456789012:mfa/foo"
NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "command", ["echo 123456", "printf ' 123456\\n\\n'", "echo 0123456 | cut -c2-", "echo 123456 #"]
)
def test_a_command_line_prints_a_code(command: str) -> None:
    """A command line of the shell, pipes included, may surround its six digits with blanks."""
    assert Process(command).next_code(SERIAL) == "123456"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("echo 12345", "did not print six digits"),
        ("echo 123456 654321", "did not print six digits"),
        ("printf '\\357\\274\\221\\357\\274\\222'", "did not print six digits"),
        ("true", "did not print six digits"),
        ("echo 123456; exit 3", "failed with status 3"),
        ("/nowhere/at/all SEED", "failed with status 127"),
    ],
)
def test_a_command_that_gives_no_code_is_an_error(command: str, words: str) -> None:
    """What is no code, or comes from a command that failed, is not used, and the command line is not shown."""
    with pytest.raises(CodeProcessError) as caught:
        Process(command).next_code(SERIAL)
    assert words in caught.value.message
    assert "SEED" not in caught.value.message + caught.value.hint


def test_a_command_inherits_no_descriptor_but_the_usual_three() -> None:
    """Direnv waits for whoever holds its pipe open; a command for codes holds none, and has no stdin to wait for."""
    code = Process("test -z \"$(ls /dev/fd | grep -vE '^[0-3]$')\" && ! read -r x && echo 123456").next_code(SERIAL)
    assert code == "123456"


def test_a_command_that_repeats_a_used_code_waits_once(tmp_path: Path) -> None:
    """After the wait for the next code, the same code again is an error: others wait for the device."""
    used = UsedCodes(tmp_path)
    used.remember(SERIAL, "123456", NOW)
    slept: list[float] = []
    with pytest.raises(CodeProcessError, match="already used"):
        prove(SERIAL, lambda code: code, Process("echo 123456", slept.append), used, lambda: NOW)
    assert len(slept) == 1
    assert 0 < slept[0] <= 31


def test_a_command_that_gives_the_next_code_is_waited_for(tmp_path: Path) -> None:
    """Where the code was used, the next one does."""
    used = UsedCodes(tmp_path)
    used.remember(SERIAL, "111111", NOW)
    state = tmp_path / "state"
    process = Process(f"if [ -e {state} ]; then echo 222222; else echo 111111; fi", lambda _: state.touch())
    assert prove(SERIAL, lambda code: code, process, used, lambda: NOW) == "222222"
    assert used.contains(SERIAL, "222222", NOW)


def test_a_refused_code_of_a_command_is_not_tried_again(tmp_path: Path) -> None:
    """STS's no to a command's code is final, and not remembered as used; a role called `unused` changes nothing."""
    asked: list[str] = []

    def refuse(code: str) -> str:
        asked.append(code)
        raise CodeRefusedError("AssumeRole of …/unused for profile confused: no", "hint")

    started = time.monotonic()
    with pytest.raises(CodeRefusedError, match="unused"):
        prove(SERIAL, refuse, Process("echo 123456"), UsedCodes(tmp_path), lambda: NOW)
    assert asked == ["123456"]
    assert time.monotonic() - started < AT_ONCE
    assert not UsedCodes(tmp_path).contains(SERIAL, "123456", NOW)


def test_a_given_code_is_tried_once(tmp_path: Path) -> None:
    """`--token-code` has one code; where it was used already, the error says when the next one shows."""
    used = UsedCodes(tmp_path)
    used.remember(SERIAL, "123456", NOW)
    with pytest.raises(CodeRefusedError) as caught:
        prove(SERIAL, lambda code: code, Given("123456"), used, lambda: NOW)
    assert caught.value.message == "that code was already used: 123456"
    assert caught.value.hint == "try again when the next code shows, within 30 s"
