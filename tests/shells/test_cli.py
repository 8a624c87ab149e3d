"""The command line as a person and a script meet it: words, exit codes, closed pipes and Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from awsdirenv import __version__
from awsdirenv.cache.layout import CachePaths, snapshot_key
from awsdirenv.cli import main
from awsdirenv.cli.main import parser
from awsdirenv.system.lock import Locks
from world import AT_ONCE, BIN, UTF8, World, told, wait_for

NEEDS_FULL = pytest.mark.needs("/dev/full")
ONE_ERROR = re.compile(r"awsdirenv: error: [^\n]+\nawsdirenv: hint: [^\n]+\n")


def commands() -> dict[str, argparse.ArgumentParser]:
    """Give every subcommand of the parser."""
    return next(dict(action.choices) for action in parser()._actions if isinstance(action.choices, dict))


@pytest.fixture
def role(world: World) -> World:
    """Add a role that wants no code."""
    world.role("adminrole", mfa=False)
    return world


@contextlib.contextmanager
def refreshing(world: World, profile: str) -> Iterator[None]:
    """Hold the lock of a profile's snapshot, as another awsdirenv would."""
    locks = Locks(CachePaths.from_environ(world.env).locks, timeout=1, on_wait=lambda *_: None)
    (world.cache / "locks").mkdir(parents=True, exist_ok=True)
    with locks.hold(f"snapshot-{snapshot_key(profile, world.env)}"):
        locks.note("testing")
        yield


def alone(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run our command in an empty home, without any AWS: nothing here may get as far as needing one."""
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": UTF8, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    command = [str(BIN / "awsdirenv"), *words]
    return subprocess.run(command, env=env, cwd=home, capture_output=True, text=True, timeout=30, check=False)


def fails(done: subprocess.CompletedProcess[str], status: int) -> str:
    """Check that there is one error and one hint, no traceback and no output; give what was said."""
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert ONE_ERROR.fullmatch(done.stderr), done.stderr
    return done.stderr


def test_version(tmp_path: Path) -> None:
    """`--version` prints the package's version on stdout."""
    done = alone(tmp_path, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"awsdirenv {__version__}\n", "")


@pytest.mark.parametrize("command", ["", *commands()])
def test_help(command: str) -> None:
    """Every command has a help of its own, on stdout, with a sentence that says what it does."""
    words = [command] if command else []
    done = subprocess.run([BIN / "awsdirenv", *words, "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: awsdirenv {command}".rstrip())
    assert re.search(r"^[A-Z].*", done.stdout, re.MULTILINE)
    assert not command or re.search(rf"^example: .*awsdirenv {command}\b", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(("typed", "meant"), [("statsu", "status"), ("whomai", "whoami"), ("logni", "login")])
def test_a_mistyped_command(tmp_path: Path, typed: str, meant: str) -> None:
    """The one that was meant is the hint, with nothing behind it: it is typed once more."""
    said = fails(alone(tmp_path, typed, "adminrole"), 2)
    assert said == f"awsdirenv: error: there is no command {typed}\nawsdirenv: hint: awsdirenv {meant}\n"


@pytest.mark.parametrize("name", [name for name in commands() if hasattr(main._command(name), "BARE")])
def test_nothing_typed_behind_a_quick_command(name: str) -> None:
    """What a quick command takes for its options, where nothing is typed, is what argparse would make of that."""
    assert vars(parser().parse_args([name])) == main._command(name).BARE


def test_general_help() -> None:
    """It lists every command but for those for our own use, the options of our line, and what an exit status means."""
    done = subprocess.run([BIN / "awsdirenv", "--help"], capture_output=True, text=True, check=False)
    shown = {name for name in commands() if re.search(rf"^  {name}\b", done.stdout, re.MULTILINE)}
    assert set(commands()) - shown == {"load", "look", "mode", "timer"}
    assert "use aws_profile [<profile>] [--region <region>]" in done.stdout
    assert all(option in done.stdout for option in ("--live", "--confirm"))
    meanings = "0 ok, 1 failed, 2 usage, 3 you must act (a code, a sign-in), 4 gave up waiting for another awsdirenv."
    assert f"Exit status: {meanings}" in re.sub(r"\s+", " ", done.stdout)


@pytest.mark.parametrize(
    ("words", "fragment", "help_of"),
    [
        ([], "COMMAND", "awsdirenv"),
        (["nonsense"], "there is no command nonsense", "awsdirenv"),
        (["--nonsense", "load"], "--nonsense", "awsdirenv"),
        (["export", "--format", "yaml"], "argument --format: invalid choice: 'yaml'", "awsdirenv export"),
        (["export", "--format"], "argument --format: expected one argument", "awsdirenv export"),
        (["login", "a", "b"], "unrecognized arguments: b", "awsdirenv login"),
        (["completion"], "the following arguments are required: shell", "awsdirenv completion"),
        (["completion", "tcsh"], "invalid choice: 'tcsh'", "awsdirenv completion"),
        (["clear", "adminrole", "--all"], "clear takes a PROFILE or --all, not both", "awsdirenv clear"),
    ],
)
def test_usage_errors(tmp_path: Path, words: list[str], fragment: str, help_of: str) -> None:
    """A command line that makes no sense is status 2, one error and one hint, which names the help to read."""
    error, hint = fails(alone(tmp_path, *words), 2).splitlines()
    assert fragment in error
    assert hint == f"awsdirenv: hint: {help_of} --help"


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", " 123456", "-12345", "１２３４５６", "123456\n"])  # noqa: RUF001
def test_a_token_code_is_six_digits(tmp_path: Path, code: str) -> None:
    """Anything but six ASCII digits is refused as a token code, before there is need of a profile, let alone of STS."""
    said = fails(alone(tmp_path, "login", "adminrole", f"--token-code={code}"), 2)
    assert said == (
        "awsdirenv: error: argument --token-code: an MFA code is six digits\nawsdirenv: hint: awsdirenv login --help\n"
    )


@pytest.mark.parametrize("name", ["", "a\tb", "a\nb", "x" * 201])
def test_a_name_that_cannot_be(tmp_path: Path, name: str) -> None:
    """A name that can be no profile's is a usage error."""
    assert "the profile name" in fails(alone(tmp_path, "load", name), 2)


def test_status_0(role: World) -> None:
    """Loading says nothing, on neither stream, and succeeds; the second time without STS."""
    for _ in range(2):
        done = role.run("awsdirenv", "load", "adminrole")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert role.sts.count("AssumeRole") == 1


def test_status_1(world: World) -> None:
    """A profile that does not exist is status 1, and the hint has the name that was meant."""
    world.profile("adminrole")
    assert fails(world.run("awsdirenv", "load", "adminrol"), 1) == (
        f"awsdirenv: error: no profile adminrol in {world.config} or {world.credentials}\n"
        "awsdirenv: hint: did you mean adminrole?\n"
    )


def test_status_3(world: World) -> None:
    """A code that nobody is there to type is status 3, and the hint is the command to type."""
    world.role("two words' worth")
    world.config.write_text(world.config.read_text(encoding="utf-8").replace("[profile two", '[profile "two'))
    world.config.write_text(world.config.read_text(encoding="utf-8").replace("worth]", 'worth"]'))
    assert fails(world.run("awsdirenv", "load", "two words' worth"), 3) == (
        f"awsdirenv: error: profile two words' worth needs an MFA code for {world.mfa_serial}, "
        "and nobody is here to type it\n"
        "awsdirenv: hint: awsdirenv login 'two words'\"'\"' worth'\n"
    )


def test_status_4(role: World) -> None:
    """Waiting longer than AWSDIRENV_LOCK_TIMEOUT for another process is status 4, and says for whom."""
    with refreshing(role, "adminrole"):
        started = time.monotonic()
        done = role.run("awsdirenv", "load", "adminrole", AWSDIRENV_LOCK_TIMEOUT="1s")
        assert 1 <= time.monotonic() - started < 1 + AT_ONCE
    assert done.returncode == 4
    assert re.fullmatch(
        r"awsdirenv: waiting for pid \d+, testing\n"
        r"awsdirenv: error: gave up waiting for another awsdirenv \(pid \d+, testing\) after 1s\n"
        r"awsdirenv: hint: finish or end that process, then try again\n",
        done.stderr,
    )
    assert role.sts.count("*") == 0


def test_login_says_where_it_led(world: World) -> None:
    """Login with a code gets the credentials and says profile, account, role, region and time left, and no secret."""
    world.role("adminrole")
    done = world.run("awsdirenv", "login", "adminrole", "--token-code", world.code())
    assert (done.returncode, done.stdout) == (0, "")
    line = r"awsdirenv: adminrole: account 123456789012, role adminrole, eu-west-1, \w+ left\n"
    assert re.fullmatch(line, done.stderr)


def test_login_force_renews(world: World) -> None:
    """`--force` renews credentials that still hold from the MFA session; with a code, the MFA session too."""
    world.role("adminrole")
    world.login("adminrole")
    for words, assumed, started in (([], 1, 1), (["--force"], 2, 1), (["--force", "--token-code", world.code()], 3, 2)):
        assert world.run("awsdirenv", "login", "adminrole", *words).returncode == 0
        assert (world.sts.count("AssumeRole"), world.sts.count("GetSessionToken")) == (assumed, started)


def test_clear_forgets_one_profile(world: World) -> None:
    """Clearing a profile costs it one AssumeRole and nobody a code; another profile's credentials stay."""
    for name in ("adminrole", "other"):
        world.role(name)
    world.login("adminrole")
    assert world.run("awsdirenv", "load", "other").returncode == 0
    done = world.run("awsdirenv", "clear", "adminrole")
    assert (done.returncode, done.stdout) == (0, "")
    said = r"awsdirenv: deleted the credentials of adminrole \(2 files\); MFA sessions are shared and stay: "
    assert re.fullmatch(said + r"awsdirenv clear --all\n", done.stderr)
    world.sts.reset()
    assert world.run("awsdirenv", "load", "other").returncode == 0
    assert world.sts.count("*") == 0
    assert world.run("awsdirenv", "load", "adminrole").returncode == 0
    assert (world.sts.count("AssumeRole"), world.sts.count("GetSessionToken")) == (1, 0)


def test_clear_all_forgets_everything(world: World) -> None:
    """After `clear --all` nothing is stored but lock files and which codes were used, and a code is needed again."""
    world.role("adminrole")
    world.login("adminrole")
    done = world.run("awsdirenv", "clear", "--all")
    assert (done.returncode, done.stdout) == (0, "")
    assert re.fullmatch(r"awsdirenv: deleted everything \(\d+ files\)\n", done.stderr)
    left = [path for path in world.cache.rglob("*") if path.is_file() and not path.name.startswith("codes-")]
    assert {path.parent.name for path in left} <= {"locks"}
    assert "needs an MFA code" in fails(world.run("awsdirenv", "load", "adminrole"), 3)


def test_clear_keeps_which_codes_were_used(world: World) -> None:
    """Nobody can spend a code twice by forgetting it: it is refused without a call, and with the time to wait."""
    world.role("adminrole")
    code = world.code()
    login = ("awsdirenv", "login", "adminrole", "--token-code", code)
    assert world.run(*login).returncode == 0
    assert world.run("awsdirenv", "clear", "--all").returncode == 0
    done = world.run(*login)
    assert f"awsdirenv: error: that code was already used: {code}, for profile adminrole\n" in done.stderr
    assert "awsdirenv: hint: try again when the next code shows, within 30 s\n" in done.stderr
    assert world.sts.count("GetSessionToken") == 1
    marks = [mark.read_text() for mark in (world.cache / "marks").iterdir()]
    assert len(marks) == 1
    assert code not in marks[0]


def test_clear_of_both_clears_nothing(role: World) -> None:
    """A PROFILE together with `--all` is refused, and the credentials stay."""
    role.run("awsdirenv", "load", "adminrole").check_returncode()
    fails(role.run("awsdirenv", "clear", "adminrole", "--all"), 2)
    role.run("awsdirenv", "load", "adminrole").check_returncode()
    assert role.sts.count("AssumeRole") == 1


@pytest.mark.parametrize(
    "command",
    ["export adminrole", "completion bash", "--help", "--version"],
)
def test_a_reader_that_leaves_is_no_error(role: World, command: str) -> None:
    """With `| head -0` behind it, a command says nothing."""
    done = role.run("bash", "-c", f"{{ sleep 0.5; awsdirenv {command}; }} | head -0")
    assert done.stderr == ""


@pytest.mark.parametrize("sink", [">&-", pytest.param(">/dev/full", marks=NEEDS_FULL)])
@pytest.mark.parametrize("command", ["export adminrole", "completion bash", "--version"])
def test_output_that_goes_nowhere_is_an_error(role: World, command: str, sink: str) -> None:
    """Output that cannot be written is status 1 with one error and one hint, never silently lost."""
    fails(role.run("bash", "-c", f"exec awsdirenv {command} {sink}"), 1)


@pytest.mark.parametrize(
    ("command", "status", "sink"),
    [
        ("load nonsense", 1, "2>&-"),
        pytest.param("load nonsense", 1, "2>/dev/full", marks=NEEDS_FULL),
        ("nonsense", 2, "2>&-"),
        pytest.param("nonsense", 2, "2>/dev/full", marks=NEEDS_FULL),
        ("login adminrole", 0, "2>&-"),
        pytest.param("login adminrole", 0, "2>/dev/full", marks=NEEDS_FULL),
    ],
)
def test_nobody_to_tell_is_no_error(role: World, command: str, status: int, sink: str) -> None:
    """Where stderr is closed or full, the status is what it would be, and nothing goes to stdout instead."""
    done = role.run("bash", "-c", f"exec awsdirenv {command} {sink}")
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


def test_all_closed(role: World) -> None:
    """Without stdin, stdout and stderr the load itself works, and no file of ours becomes one of them."""
    done = role.run("bash", "-c", "exec awsdirenv load adminrole <&- >&- 2>&-")
    assert done.returncode == 0
    assert role.sts.count("AssumeRole", ok=True) == 1


def interrupted(world: World, process: subprocess.Popen[str]) -> str:
    """Send SIGINT and check the end; give what was said."""
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 3, said
    assert "Traceback" not in said
    return said


def start(world: World) -> subprocess.Popen[str]:
    """Start a load in the background of this test."""
    command = [str(BIN / "awsdirenv"), "load", "adminrole"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=world.env, cwd=world.root, stdout=pipe, stderr=pipe, text=True)


CANCELLED = "awsdirenv: error: loading adminrole was cancelled\nawsdirenv: hint: awsdirenv login adminrole\n"


def test_an_interrupt_while_waiting(role: World) -> None:
    """SIGINT while another process is waited for ends with one error and one hint, and no traceback."""
    with refreshing(role, "adminrole"), start(role) as process:
        assert process.stderr
        assert process.stderr.readline().startswith("awsdirenv: waiting for pid ")
        assert interrupted(role, process) == CANCELLED


def test_an_interrupt_while_sts_is_silent(role: World) -> None:
    """SIGINT while STS does not answer ends with one error and one hint, and the next load gets the credentials."""
    role.sts.add_fault("AssumeRole", "hang", seconds=10)
    with start(role) as process:
        wait_for(lambda: role.sts.count("AssumeRole"))
        assert "\n".join(told(interrupted(role, process))) + "\n" == CANCELLED
    assert role.run("awsdirenv", "load", "adminrole").returncode == 0


def test_ctrl_c_at_the_terminal(role: World) -> None:
    """Ctrl-C typed in a terminal while another process is waited for does the same as the signal."""
    with refreshing(role, "adminrole"):
        child = pexpect.spawn(
            str(BIN / "awsdirenv"), ["login", "adminrole"], env=role.env, encoding="utf-8", timeout=60
        )
        child.expect_exact("waiting for pid")
        child.sendcontrol("c")
        child.expect(pexpect.EOF)
        said = str(child.before).replace("\r\n", "\n")
        child.close()
    assert child.exitstatus == 3
    assert said.endswith(CANCELLED)
    assert "Traceback" not in said


def test_a_folder_that_is_gone(role: World) -> None:
    """In a folder that was removed there is one error and one hint, and no traceback."""
    fails(role.run("bash", "-c", "mkdir gone; cd gone; rmdir ../gone; exec awsdirenv load"), 1)


def test_options_are_not_abbreviated(tmp_path: Path) -> None:
    """An option has one spelling: `--tok` is not `--token-code`."""
    said = fails(alone(tmp_path, "login", "adminrole", "--tok", "12345"), 2)
    assert "unrecognized arguments: --tok" in said
