"""Programs that give credentials: how they are run, what they may print, and what comes of it."""

from __future__ import annotations

import gc
import json
import os
import shlex
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from awsdirenv.aws import providers
from awsdirenv.aws.providers import is_running_for, process_credentials
from awsdirenv.errors import CredentialProcessError
from awsdirenv.session_credentials import SessionCredentials
from programs import HANGING, is_gone
from strict_sts import SECRET_PREFIX
from world import AT_ONCE, REGION, World

SECRET = f"{SECRET_PREFIX}abcdefghijklmnopqrstuvwxyz0123456789"
ANSWER: dict[str, Any] = {"Version": 1, "AccessKeyId": "ASIATEST", "SecretAccessKey": SECRET, "SessionToken": "token"}
HINT = "run the command yourself: credential_process in [profile tool] of /config"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Give an environment with a home of its own."""
    return {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}


def run(command: str, environ: dict[str, str]) -> SessionCredentials:
    """Run a command for the profile `tool`, which somebody wanted for itself."""
    return process_credentials(command, "tool", "[profile tool] of /config", environ, "tool")


def printing(document: object) -> str:
    """Give a command that prints a document as JSON."""
    return shlex.join(["printf", "%s", json.dumps(document)])


def failure(command: str, environ: dict[str, str]) -> str:
    """Run a command that must fail; give what it is said to have done."""
    with pytest.raises(CredentialProcessError) as caught:
        run(command, environ)
    assert caught.value.hint == HINT
    beginning = "credential_process of profile tool "
    assert caught.value.message.startswith(beginning)
    assert SECRET not in caught.value.message
    return caught.value.message.removeprefix(beginning)


def script(folder: Path, text: str, name: str = "give") -> Path:
    """Write a program for sh."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_whole(environ: dict[str, str]) -> None:
    """What a program prints arrives: keys, token, end in UTC, account; a number is an account, too."""
    found = run(printing({**ANSWER, "Expiration": "2999-01-01T02:00:00+02:00", "AccountId": 123456789012}), environ)
    assert (found.access_key_id, found.secret_access_key, found.session_token) == ("ASIATEST", SECRET, "token")
    assert found.expiration == datetime(2999, 1, 1, tzinfo=timezone.utc)
    assert found.expiration.utcoffset() == timedelta(0)
    assert found.account_id == "123456789012"
    assert abs(found.issued - datetime.now(timezone.utc)) < timedelta(seconds=5)


def test_little(environ: dict[str, str]) -> None:
    """Without token, end and account there are long-term keys of nobody in particular."""
    for empty in (None, ""):
        given = {**ANSWER, "SessionToken": empty, "AccountId": empty, "Expiration": None, "Anything": [1]}
        found = run(printing(given), environ)
        assert (found.session_token, found.expiration, found.account_id) == (None, None, None)
        assert found.is_long_term


def test_arguments(tmp_path: Path, environ: dict[str, str]) -> None:
    """Words are split as botocore splits them, and no shell sees them; a ~ in front of a word is the home folder."""
    folder = tmp_path / "two words"
    folder.mkdir()
    script(folder, f'for word; do echo "<$word>"; done >{shlex.quote(str(tmp_path / "said"))}\n{printing(ANSWER)}')
    run("~/'two words'/give 'a b' \"c'd\" e\\ f '' $HOME * ~ ~/g x~ a=~ '#' ; && %s", environ)
    said = (tmp_path / "said").read_text(encoding="utf-8").splitlines()
    home = environ["HOME"]
    plain = ["a b", "c'd", "e f", "", "$HOME", "*", home, f"{home}/g", "x~", "a=~", "#", ";", "&&", "%s"]
    assert said == [f"<{word}>" for word in plain]


def test_several_lines(tmp_path: Path, environ: dict[str, str]) -> None:
    """A command may go on in a second line, as botocore takes it."""
    script(tmp_path, f'[ "$*" = "a b" ] && {printing(ANSWER)}')
    assert run("~/give\na\n b", environ).access_key_id == "ASIATEST"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2999-01-01T00:00:00Z", "2999-01-01T00:00:00"),
        ("2999-01-01T00:00:00.123456789Z", "2999-01-01T00:00:00.123456"),
        ("2999-01-01T05:30:00+05:30", "2999-01-01T00:00:00"),
        ("29990101T000000Z", "2999-01-01T00:00:00"),
        ("2999-01-01 00:00:00 UTC", "2999-01-01T00:00:00"),
        ("Tue, 01 Jan 2999 00:00:00 GMT", "2999-01-01T00:00:00"),
        *((f"9999-12-31T23:59:59{offset}", "9000-12-31T00:00:00") for offset in ("Z", "-12:00", "+14:00")),
    ],
)
def test_expirations(environ: dict[str, str], text: str, moment: str) -> None:
    """An end is read in every form with an offset that botocore reads."""
    found = run(printing({**ANSWER, "Expiration": text}), environ)
    assert found.expiration == datetime.fromisoformat(moment).replace(tzinfo=timezone.utc)


NO_TIME, NO_OFFSET = "printed an Expiration that is no time", "printed an Expiration without an offset"


@pytest.mark.parametrize(
    ("expiration", "what"),
    [
        ("2999-01-01T00:00:00", NO_OFFSET),
        ("2999-01-01", NO_OFFSET),
        ("2999-01-01T00:00:00 XYZ", NO_OFFSET),
        (4102444800, NO_TIME),
        ("4102444800", NO_TIME),
        ("", NO_TIME),
        ("tomorrow", NO_TIME),
        ("0001-01-01T00:00:00+12:00", NO_TIME),
        (["2999-01-01T00:00:00Z"], NO_TIME),
        ("2001-01-01T00:00:00Z", "gave credentials that have ended"),
    ],
)
def test_no_expirations(environ: dict[str, str], expiration: object, what: str) -> None:
    """What is no end, or one that is over, is an error of one line, and no warning of a library's."""
    assert failure(printing({**ANSWER, "Expiration": expiration}), environ) == what


@pytest.mark.parametrize(
    ("document", "what"),
    [
        ([], "did not print a JSON object"),
        ("text", "did not print a JSON object"),
        (None, "did not print a JSON object"),
        ({}, "did not print Version 1"),
        ({**ANSWER, "Version": 2}, "did not print Version 1"),
        ({**ANSWER, "Version": "1"}, "did not print Version 1"),
        ({**ANSWER, "Version": True}, "did not print Version 1"),
        ({**ANSWER, "AccessKeyId": None}, "printed no AccessKeyId"),
        ({**ANSWER, "AccessKeyId": ""}, "printed no AccessKeyId"),
        ({**ANSWER, "AccessKeyId": 7}, "printed no AccessKeyId"),
        ({**ANSWER, "SecretAccessKey": ""}, "printed no SecretAccessKey"),
        ({"Version": 1, "AccessKeyId": "A"}, "printed no SecretAccessKey"),
        ({**ANSWER, "SessionToken": 7}, "printed a SessionToken that is no text"),
    ],
)
def test_other_documents(environ: dict[str, str], document: object, what: str) -> None:
    """JSON that is no credentials of Version 1 is told by what it lacks, and never quoted."""
    assert failure(printing(document), environ) == what


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize(
    "output",
    ["", "hello", f"{SECRET}", json.dumps(ANSWER) * 2, json.dumps(ANSWER)[:-1], "[" * 100000, "\\377\\376{}", "\\0"],
    ids=["nothing", "words", "a secret", "twice", "torn", "deep", "not UTF-8", "NUL"],
)
def test_no_json(tmp_path: Path, environ: dict[str, str], output: str) -> None:
    """Whatever is no JSON is an error, and never quoted."""
    (tmp_path / "output").write_text(output, encoding="utf-8")
    script(tmp_path, 'printf "$(cat ~/output)"')
    assert failure("~/give", environ) == "did not print JSON"


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("give 'it", "has a quote that is not closed"),
        ("/nowhere/give", "cannot start /nowhere/give: No such file or directory"),
        ("nowhere-to-be-found --at all", "cannot start nowhere-to-be-found: No such file or directory"),
        ("'no where' x", "cannot start no where: No such file or directory"),
        ("~/plain", "cannot start {home}/plain: Permission denied"),
        ("~/of-nobody", "cannot start {home}/of-nobody: No such file or directory"),
        ("~/loop", "cannot start {home}/loop: Too many levels of symbolic links"),
        ("/", "cannot start /: Permission denied"),
        (f"AWS_SECRET_ACCESS_KEY={SECRET} give", "cannot start: No such file or directory"),
        (f"/nowhere/{SECRET}", "cannot start /nowhere/…: No such file or directory"),
        ("give a\0b", "cannot start"),
        ("false", "failed with status 1"),
    ],
)
def test_no_program(tmp_path: Path, environ: dict[str, str], command: str, what: str) -> None:
    """A command that cannot be run, or that fails without a word, is one clear error with the program's name."""
    (tmp_path / "plain").write_text("no program", encoding="utf-8")
    (tmp_path / "of-nobody").write_text("#!/nowhere/sh", encoding="utf-8")
    (tmp_path / "of-nobody").chmod(0o700)
    (tmp_path / "loop").symlink_to("loop")
    assert failure(command, environ) == what.format(home=tmp_path)


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("first\nthe vault is locked.\n\n", "the vault is locked"),
        (f"no: {SECRET} and AKIAIOSFODNN7EXAMPLE, or abc/def+ghi=jkl_mno-pqr", "no: … and …, or …"),
        ("awsdirenv: error: credential_process of profile x is odd\nawsdirenv: hint: none\n",
         "credential_process of profile x is odd"),
        ("x" * 15 + " " + "word " * 100, ("x" * 15 + " " + "word " * 100)[:200].rstrip()),
        ("\\377 odd bytes", "\ufffd odd bytes"),
    ],
)  # fmt: skip
def test_last_words(tmp_path: Path, environ: dict[str, str], said: str, what: str) -> None:
    """The last line on stderr of a program that failed is quoted, but for what may be a key."""
    (tmp_path / "said").write_text(said, encoding="utf-8")
    script(tmp_path, f'echo {SECRET}; printf "$(cat ~/said)" >&2; exit 7')
    assert failure("~/give", environ).rstrip() == f"failed with status 7: {what}"


def test_killed_by_itself(tmp_path: Path, environ: dict[str, str]) -> None:
    """A program that dies of a signal has failed."""
    script(tmp_path, "kill -9 $$")
    assert failure("~/give", environ) == "failed with status -9"


def test_noise(tmp_path: Path, environ: dict[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    """However much a program that succeeds has to say on stderr, nobody sees it, and it blocks nothing."""
    script(tmp_path, f"seq 1 200000 >&2\n{printing(ANSWER)}\nseq 1 200000 >&2")
    assert run("~/give", environ).access_key_id == "ASIATEST"
    assert capfd.readouterr() == ("", "")


def test_far_too_much(tmp_path: Path, environ: dict[str, str]) -> None:
    """A program that prints without end is stopped before it fills the memory."""
    script(tmp_path, 'echo $$ >~/pid; yes "$0"')
    started = time.monotonic()
    assert failure("~/give", environ) == "printed far more than credentials"
    assert time.monotonic() - started < AT_ONCE
    assert is_gone(int((tmp_path / "pid").read_text(encoding="utf-8")))


@pytest.mark.parametrize("text", [HANGING, f"exec >&- 2>&-; {HANGING}"], ids=["open", "closed"])
def test_hanging(tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A program that does not end is ended with all that it started, whether its output is open or closed."""
    monkeypatch.setattr(providers, "PROCESS_TIMEOUT", 1)
    script(tmp_path, text)
    started = time.monotonic()
    assert failure("~/give", environ) == "did not end within 1s"
    assert 1 <= time.monotonic() - started < 1 + AT_ONCE
    assert all(is_gone(int((tmp_path / name).read_text(encoding="utf-8"))) for name in ("pid", "child"))


@pytest.mark.needs("/proc")
def test_what_a_program_has(tmp_path: Path, environ: dict[str, str]) -> None:
    """It has the environment, a session of its own, no stdin, and no other file of ours or of direnv's."""
    text = 'ls -l /proc/$$/fd >~/files; ps -o sid= -p $$ >~/sid; echo $$ >~/pid; cat >~/input; echo "$MINE" >~/mine'
    script(tmp_path, f"{text}\n{printing(ANSWER)}")
    with (tmp_path / "of-direnv").open("w") as file:
        os.set_inheritable(file.fileno(), True)  # as direnv's fd 3 is
        run("~/give", {**environ, "MINE": "yes"})
    said = {name: (tmp_path / name).read_text(encoding="utf-8").strip() for name in ("sid", "pid", "input", "mine")}
    assert said["sid"] == said["pid"]
    assert (said["input"], said["mine"]) == ("", "yes")
    assert "of-direnv" not in (tmp_path / "files").read_text(encoding="utf-8")


def test_whom_it_runs_for(tmp_path: Path, environ: dict[str, str]) -> None:
    """It is told for which profiles it runs, those around it included, and a profile of other files is another."""
    script(tmp_path, f'echo "$AWSDIRENV_RUNNING_FOR" >~/for\n{printing(ANSWER)}')
    process_credentials("~/give", "tool", "", {**environ, "AWSDIRENV_RUNNING_FOR": "outer\n\ntool"}, "role with space")
    told = (tmp_path / "for").read_text(encoding="utf-8").strip()
    assert told.splitlines() == ["outer", "tool", "role%20with%20space"]
    inside = {**environ, "AWSDIRENV_RUNNING_FOR": told}
    assert [is_running_for(name, inside) for name in ("outer", "tool", "role with space")] == [True] * 3
    assert not is_running_for("other", inside)
    assert not is_running_for("tool", {**inside, "AWS_CONFIG_FILE": "/elsewhere"})
    assert not is_running_for("tool", environ)


def counting(world: World, document: object, name: str = "give") -> tuple[Path, Callable[[], int]]:
    """Write a program that prints a document; give it, and how to ask how often it was run."""
    log = world.root / f"{name}.runs"
    made = world.program(name, f"echo run >>{log}\n{printing(document)}")
    return made, lambda: len(log.read_text(encoding="utf-8").splitlines()) if log.exists() else 0


def test_shared_by_the_roles_behind_it(world: World) -> None:
    """Two roles behind one program run it once between them, and each is assumed once."""
    start = world.sts.issue_credentials(world.sts.add_role("start"), life=3600)
    command, runs = counting(world, {"Version": 1, **start})
    world.profile("tool", credential_process=command, region=REGION)
    for name in ("one", "two"):
        arn = world.sts.add_role(name, trusted=["arn:aws:iam::123456789012:role/start"])
        world.profile(name, role_arn=arn, source_profile="tool", region=REGION)
        done = world.run("awsdirenv", "load", name)
        assert done.returncode == 0, done.stderr
    assert (runs(), world.sts.count("AssumeRole", ok=True)) == (1, 2)


def test_long_term_keys_are_never_written(world: World) -> None:
    """Long-term keys that a program prints start a session, and are in no file of ours."""
    keys = {"AccessKeyId": world.user.access_key_id, "SecretAccessKey": world.user.secret_access_key}
    command, _ = counting(world, {"Version": 1, **keys})
    world.credentials.write_text("", encoding="utf-8")
    world.profile("tool", credential_process=command, region=REGION)
    done = world.run("awsdirenv", "export", "tool", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["access_key_id"] != world.user.access_key_id
    assert world.sts.count("GetSessionToken", ok=True) == 1
    written = [path.read_bytes() for path in world.cache.rglob("*") if path.is_file()]
    assert written
    assert not any(world.user.secret_access_key.encode() in content for content in written)


def test_a_setting_below_it(world: World) -> None:
    """An indented setting below credential_process is not handed to the program, and not quoted."""
    command, runs = counting(world, ANSWER)
    world.profile("tool", credential_process=f"{command}\n  aws_secret_access_key = {SECRET}")
    done = world.run("awsdirenv", "load", "tool")
    assert (done.returncode, runs()) == (1, 0)
    hint = "remove the spaces at the start of the line below credential_process: they make it part of the command"
    message = "profile tool has a setting within credential_process"
    assert done.stderr == f"awsdirenv: error: {message}\nawsdirenv: hint: {hint}\n"


@pytest.mark.parametrize("account", ["a\nb", "\ud800", "x" * 5000, {"a": 1}, "12 34"])
def test_odd_accounts(world: World, account: object) -> None:
    """An AccountId that is none is left out, and neither tears a file of ours nor ends in a traceback."""
    start = world.sts.issue_credentials(world.sts.add_role("start"), life=3600)
    command, _ = counting(world, {"Version": 1, **start, "AccountId": account})
    world.profile("tool", credential_process=command, region=REGION)
    for _ in range(2):
        done = world.run("awsdirenv", "export", "tool", "--format", "json")
        assert "Traceback" not in done.stderr
        assert done.returncode == 0, done.stderr


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_program_that_is_not_ours_to_end(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where killing fails, as with what sudo has started, we give up all the same."""
    monkeypatch.setattr(os, "killpg", lambda *_: (_ for _ in ()).throw(PermissionError()))
    monkeypatch.setattr(providers, "PROCESS_TIMEOUT", 0.2)
    started = time.monotonic()
    assert failure("sleep 30", environ) == "did not end within 0.2s"
    assert time.monotonic() - started < AT_ONCE
    gc.collect()  # here, and not in some other test, Python says that the process is still running
