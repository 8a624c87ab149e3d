"""`awsdirenv exec`: a command with a profile's credentials, and its own life."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time

import pytest

from awsdirenv.config.environment import BLOCK
from shells import SHELLS, Shell
from world import AT_ONCE, BIN, OUTER, REGION, World, wait_for


@pytest.fixture
def plain(world: World) -> World:
    """Add a role that wants no code, with fresh credentials."""
    world.role("plain", mfa=False)
    world.hold("plain")
    return world


def environment(world: World, *words: str, **env: str) -> dict[str, str]:
    """Give the environment of a command that exec runs."""
    done = world.run("awsdirenv", "exec", *words, "--", "env", "-0", cwd=None, **env)
    assert done.returncode == 0, done.stderr
    return dict(line.split("=", 1) for line in done.stdout.split("\0") if line)


def test_the_command_is_who_the_profile_says(plain: World) -> None:
    """The real AWS CLI is in the role, whatever keys, profiles and tokens were in the environment."""
    plain.run("awsdirenv", "clear", "plain").check_returncode()
    done = plain.run("awsdirenv", "exec", "plain", "--", "aws", "sts", "get-caller-identity", cwd=None, **OUTER)
    assert done.returncode == 0, done.stderr
    assert ":assumed-role/plain/" in json.loads(done.stdout)["Arn"]
    assert done.stderr == ""


def test_the_block_is_replaced_whole(plain: World) -> None:
    """No other identity's variable is left, nothing of a directory's, and everything else is as it was."""
    outer = {**dict.fromkeys(BLOCK, "outer"), **OUTER, "AWSDIRENV_LOADED": "0 /x", "EDITOR": "vi", "AWS_PAGER": ""}
    values = environment(plain, "plain", **outer)
    ours = {name: value for name, value in values.items() if name in BLOCK}
    assert ours.keys() == {
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"),
        *("AWS_ACCOUNT_ID", "AWS_REGION", "AWS_DEFAULT_REGION", "AWSDIRENV_PROFILE"),
    }
    assert "outer" not in ours.values()
    assert ours["AWSDIRENV_PROFILE"] == "plain"
    assert values["EDITOR"] == "vi"
    assert not values["AWS_PAGER"]


def test_regions(plain: World) -> None:
    """The option wins over the environment's region, that over the profile's."""
    assert environment(plain, "plain")["AWS_REGION"] == REGION
    assert environment(plain, "plain", AWS_DEFAULT_REGION="eu-north-1")["AWS_REGION"] == "eu-north-1"
    values = environment(plain, "plain", "--region", "ap-south-1", AWS_REGION="eu-north-1")
    assert values["AWS_REGION"] == values["AWS_DEFAULT_REGION"] == "ap-south-1"


def test_inside_a_directory(plain: World) -> None:
    """Without PROFILE it is the directory's; with one, nothing of the directory's is left."""
    plain.role("other", mfa=False, region="us-west-2")
    plain.hold("plain")
    changes, _ = plain.enter(plain.project("plain"))
    inside = {name: value for name, value in changes.items() if value is not None}
    assert environment(plain, **inside)["AWS_ACCESS_KEY_ID"] == inside["AWS_ACCESS_KEY_ID"]
    values = environment(plain, "other", **inside)
    assert (values["AWSDIRENV_PROFILE"], values["AWS_REGION"]) == ("other", "us-west-2")
    assert values["AWS_ACCESS_KEY_ID"] != inside["AWS_ACCESS_KEY_ID"]
    assert "AWSDIRENV_LOADED" not in values
    assert "AWSDIRENV_REFRESH_AT" not in values


def test_long_term_keys(world: World) -> None:
    """`--no-session` hands the profile's own keys on, and writes them nowhere."""
    values = environment(world, "base", "--no-session")
    assert values["AWS_SECRET_ACCESS_KEY"] == world.user.secret_access_key
    assert "AWS_SESSION_TOKEN" not in values
    held = [path for path in world.cache.rglob("*") if path.is_file()]
    assert not [path for path in held if world.user.secret_access_key.encode() in path.read_bytes()]


def test_the_status_is_the_commands(plain: World) -> None:
    """Whatever it says is what we say, and nothing of ours is between its lines."""
    for status in (0, 1, 7, 255):
        done = plain.run("awsdirenv", "exec", "plain", "--", "sh", "-c", f"echo out; echo err >&2; exit {status}")
        assert (done.returncode, done.stdout, done.stderr) == (status, "out\n", "err\n")


def test_the_process_is_the_commands(plain: World) -> None:
    """It runs in our own process: a signal to us is a signal to it, its death by one is ours."""
    command = [str(BIN / "awsdirenv"), "exec", "plain", "--", "sh", "-c", "echo $$; exec sleep 60"]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL):
        with subprocess.Popen(command, env=plain.env, cwd=plain.root, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert int(process.stdout.readline()) == process.pid
            process.send_signal(number)
            assert process.wait(10) == -number


def test_a_closed_pipe_ends_the_command_quietly(plain: World) -> None:
    """Python ignores SIGPIPE; the command must not, or `| head` ends in its complaints."""
    done = plain.run("sh", "-c", "awsdirenv exec plain -- yes | head -n 1")
    assert (done.stdout, done.stderr) == ("y\n", "")


def test_input_and_descriptors_reach_the_command(plain: World) -> None:
    """Stdin is the command's, and so is what the caller had open; of ours nothing is."""
    script = 'exec 7<<<seven; echo in | awsdirenv exec plain -- sh -c \'cat; cat <&7; ls /dev/fd | tr "\\n" " "\''
    done = plain.run("bash", "-c", script)
    assert done.stdout.splitlines()[:2] == ["in", "seven"]
    assert done.stdout.splitlines()[2].split() == ["0", "1", "2", "3", "7"]  # 3 is ls's own


def test_no_such_command(plain: World) -> None:
    """127 and one error, as a shell has it."""
    for name in ("no such command", "./absent", "$(touch pwned)", ""):
        done = plain.run("awsdirenv", "exec", "plain", "--", name)
        assert done.returncode == 127, name
        assert done.stderr.splitlines() == [
            f"awsdirenv: error: there is no command {name}",
            "awsdirenv: hint: check the name, and PATH",
        ]


def test_what_cannot_be_run(plain: World) -> None:
    """126, and what is wrong with it."""
    for text, mode, message in (
        ("#!/bin/sh\n", 0o644, "Permission denied"),
        ("#!/no/such/interpreter\n", 0o755, "its interpreter is missing"),
        ("\x7fELF", 0o755, "Exec format error"),
    ):
        path = plain.program("it's broken", "")
        path.write_text(text)
        path.chmod(mode)
        done = plain.run("awsdirenv", "exec", "plain", "--", str(path))
        assert done.returncode == 126, message
        assert done.stderr.startswith(f"awsdirenv: error: cannot run {path}: {message}\nawsdirenv: hint: ")


def test_without_a_command(world: World) -> None:
    """A command line of which one could only guess what is whose is refused, and nothing is called."""
    world.role("plain", mfa=False)
    said = "awsdirenv: error: exec needs a command after --\nawsdirenv: hint: awsdirenv exec PROFILE -- COMMAND\n"
    for words in (["plain"], ["plain", "--"], ["plain", "env"], ["plain", "env", "-0"]):
        done = world.run("awsdirenv", "exec", *words)
        assert (done.returncode, done.stderr) == (2, said), words
    assert not world.sts.calls


def test_options_behind_the_mark_are_the_commands(plain: World) -> None:
    """Help, versions and further marks of the command are none of ours."""
    done = plain.run("awsdirenv", "exec", "plain", "--", "printf", "%s,", "--help", "--", "--min-life", "-h")
    assert (done.returncode, done.stdout) == (0, "--help,--,--min-life,-h,")
    assert "usage: awsdirenv exec" in plain.run("awsdirenv", "exec", "--help", "--", "true").stdout


def test_nobody_there_is_status_3(world: World) -> None:
    """Where a code is needed in cron, the command is not run."""
    world.role("adminrole")
    done = world.run("awsdirenv", "exec", "adminrole", "--", "touch", "ran")
    assert done.returncode == 3
    assert done.stderr.splitlines()[1] == "awsdirenv: hint: awsdirenv login adminrole"
    assert not (world.root / "ran").exists()


@pytest.mark.parametrize("kind", SHELLS)
def test_a_person_is_asked_first(world: World, kind: str) -> None:
    """In a terminal it asks, and then the terminal is the command's: what was typed ahead, its keys, its Ctrl-C."""
    world.role("adminrole")
    world.sts.add_fault("AssumeRole", "delay", seconds=2)
    with Shell(world, kind) as shell:
        before = shell.modes()
        shell.send("awsdirenv exec adminrole -- cat\r")
        shell.expect("Enter MFA code for")
        shell.send(f"{world.code()}\rwith the code\r")
        wait_for(lambda: world.sts.count("AssumeRole"))
        shell.send("while STS works\r")
        shell.expect("with the code\r\nwhile STS works\r\n")
        shell.send("later\r")
        shell.expect("later\r\nlater")
        shell.send("\x03")
        shell.settle(0.3)
        assert shell.modes() == before
        assert "awsdirenv: error" not in shell.log


@pytest.mark.parametrize("key", ["\x03", "\x1a"])
def test_given_up_while_sts_works(world: World, key: str) -> None:
    """Ctrl-C ends it with one error, and so does Ctrl-Z: a stopped process would keep the others waiting."""
    world.role("plain", mfa=False)
    with Shell(world, "bash") as shell:
        before = shell.modes()
        world.sts.add_fault("AssumeRole", "hang", seconds=60)
        shell.start("awsdirenv exec plain -- touch ran")
        wait_for(lambda: world.sts.count("AssumeRole"))
        shell.send(key)
        said = shell.finish()
        assert "awsdirenv: error: loading plain was cancelled\r\n" in said
        assert "Traceback" not in said
        assert shell.modes() == before
        assert shell.run("jobs").count("exec") == 0
    assert not (world.root / "ran").exists()
    started = time.monotonic()
    world.run("awsdirenv", "exec", "plain", "--", "true").check_returncode()
    assert time.monotonic() - started < AT_ONCE


def test_an_old_environment_is_no_hurdle(plain: World) -> None:
    """Without a PATH the command is found by its own path."""
    done = plain.run("/usr/bin/env", "-u", "PATH", str(BIN / "awsdirenv"), "exec", "plain", "--", "/bin/echo", "x")
    assert (done.returncode, done.stdout) == (0, "x\n")


# At least so much left


@pytest.fixture
def aging(world: World) -> World:
    """Add roles whose credentials can be made to look old: `age` moves their times into the past."""
    world.role("plain", mfa=False)
    world.role("adminrole")
    return world


def age(world: World, seconds: int) -> None:
    """Let all that is stored be that much older, without waiting."""
    for path in [*(world.cache / "snapshots").iterdir(), *(world.cache / "sessions").iterdir()]:
        text = path.read_text(encoding="utf-8")
        text = re.sub(
            r"^((?:AWSDIRENV_)?(?:ISSUED|EXPIRATION))=(\d+)$",
            lambda found: f"{found.group(1)}={int(found.group(2)) - seconds}",
            text,
            flags=re.MULTILINE,
        )
        # A clock that was recorded with them has grown older, too.
        text = re.sub(
            r"(?m)^((?:AWSDIRENV_)?CLOCK=[^:\n]*:)(\d+)",
            lambda found: f"{found.group(1)}{int(found.group(2)) - seconds}",
            text,
        )
        info = path.stat()
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


@pytest.mark.parametrize(("old", "calls"), [(1700, 1), (1900, 2)])
def test_a_directory_has_its_least_life(aging: World, old: int, calls: int) -> None:
    """Of an hour, --min-life 30m is met at first and renewed later, long before it would be otherwise."""
    folder = aging.project("plain", "use aws_profile plain --min-life 30m\n")
    aging.hold("plain")
    aging.enter(folder)
    age(aging, old)
    changes, said = aging.enter(folder)
    assert aging.sts.count("AssumeRole") == calls
    assert "error" not in said
    left = aging.sts.keys[changes["AWS_ACCESS_KEY_ID"] or ""].expires - time.time() - (old if calls == 1 else 0)
    assert left > 1790


def test_without_it_nothing_is_renewed_early(aging: World) -> None:
    """The same credentials do for a directory that asks for nothing."""
    aging.hold("plain")
    aging.enter(aging.project("long", "use aws_profile plain --min-life=30m\n"))
    age(aging, 1900)
    aging.enter(aging.project("plain"))
    assert aging.sts.count("AssumeRole") == 1


def test_the_shells_hook_is_told_of_it(aging: World) -> None:
    """AWSDIRENV_REFRESH_AT is when less than that is left, so that a shell with the hook looks again."""
    aging.hold("plain")
    changes, _ = aging.enter(aging.project("plain", "use aws_profile plain --min-life 50m\n"))
    assert abs(int(changes["AWSDIRENV_REFRESH_AT"] or 0) - time.time() - 600) < 15
    changes, _ = aging.enter(aging.project("other", "use aws_profile plain --min-life 5m\n"))
    assert abs(int(changes["AWSDIRENV_REFRESH_AT"] or 0) - time.time() - 2700) < 15


def test_more_than_there_can_be(aging: World) -> None:
    """Where even new credentials have less, they are used, a line says so, and they are not renewed at every turn."""
    folder = aging.project("plain", "use aws_profile plain --min-life 2h\n")
    changes, said = aging.enter(folder)
    assert changes["AWS_ACCESS_KEY_ID"]
    assert "awsdirenv: plain: 1h00m left instead of 2h: new credentials do not last longer" in said
    _, again = aging.enter(folder)
    assert "instead" not in again
    assert aging.sts.count("AssumeRole") == 1
    done = aging.run("awsdirenv", "exec", "--min-life", "2h", "plain", "--", "true")
    assert (done.returncode, aging.sts.count("AssumeRole")) == (0, 1)


def test_exec_has_its_least_life(aging: World) -> None:
    """Exec renews what has less left, and takes what has more."""
    for old, calls in ((0, 1), (1700, 1), (200, 2)):
        if old:
            age(aging, old)
        aging.run("awsdirenv", "exec", "--min-life", "30m", "plain", "--", "true").check_returncode()
        assert aging.sts.count("AssumeRole") == calls


def test_exec_insists_and_a_directory_does_not(aging: World) -> None:
    """Where they cannot be renewed, exec runs nothing; a directory keeps what still holds, and says how much."""
    folder = aging.project("plain", "use aws_profile plain --min-life 30m\n")
    aging.hold("plain")
    aging.enter(folder)
    age(aging, 1900)
    aging.sts.add_fault("AssumeRole", "access-denied", times=None)
    done = aging.run("awsdirenv", "exec", "--min-life", "30m", "plain", "--", "echo", "ran")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("awsdirenv: error: AssumeRole of ")
    changes, said = aging.enter(folder)
    assert changes["AWS_ACCESS_KEY_ID"]
    assert "awsdirenv: plain: 28m left instead of 30m: AssumeRole of " in said
    assert aging.run("awsdirenv", "exec", "plain", "--", "true").returncode == 0


def test_a_person_is_asked_for_a_longer_session(aging: World) -> None:
    """A user's own MFA session with too little left is begun anew, with a code, because somebody is just entering."""
    aging.profile("user", source_profile="base", mfa_serial=aging.mfa_serial, region=REGION)
    text = aging.credentials.read_text().replace("[base]", "[user]")
    with aging.credentials.open("a") as file:
        file.write(text)
    aging.run("awsdirenv", "login", "user", "--token-code", aging.code()).check_returncode()
    age(aging, 43200 - 1200)
    folder = aging.project("user", "use aws_profile user --min-life 30m\n")
    with Shell(aging, "bash") as shell:
        shell.send(f"cd {folder}\r")
        shell.expect("Enter MFA code for")
        shell.send(f"{aging.code()}\r")
        assert shell.variable("AWS_ACCESS_KEY_ID")
    assert aging.sts.count("GetSessionToken") == 2


def test_no_least_life(aging: World) -> None:
    """What is no duration closes the directory, and is a wrong command line."""
    hint = "awsdirenv: hint: such as 3600, 15m"
    for text in ("0", "13h", "soon", "", "-1h", "$(touch pwned)", "9" * 30):
        changes, said = aging.enter(aging.project("plain", f"use aws_profile plain --min-life '{text}'\n"))
        assert f"awsdirenv: error: --min-life must be a time up to 12h: {text}\n{hint}" in said
        assert "AWS_ACCESS_KEY_ID" not in changes, text
        # The parser of exec is that of `load`, which needs no process of its own.
        words = ["load", "plain"] if text != "0" else ["exec", "plain", "--", "true"]
        done = aging.run("awsdirenv", words[0], f"--min-life={text}", *words[1:])
        assert done.returncode == 2, text
        assert "--min-life must be a time up to 12h" in done.stderr, text
    assert not list(aging.root.rglob("pwned"))
    assert not aging.sts.calls
