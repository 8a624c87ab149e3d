"""Nobody looks at a still terminal: what takes longer than a second says what it is."""

from __future__ import annotations

import time

import pytest

from awsdirenv.system.clocks import patience
from shells import Shell
from world import World


@pytest.fixture(autouse=True)
def shown(world: World) -> None:
    """Have all that is said of waiting: elsewhere what a slow machine adds is left out."""
    world.shows_waits = True


def waits(said: str) -> list[str]:
    """Give what is said of waiting."""
    return [line.partition("waiting for ")[2] for line in said.splitlines() if "awsdirenv: waiting for " in line]


def test_less_than_a_second_says_nothing() -> None:
    """What is over by then was no wait, and what comes later is not told any more."""
    told: list[str] = []
    with patience(told.append, "nothing"):
        pass
    time.sleep(1.2)
    assert told == []


def test_more_than_a_second_is_told_once() -> None:
    """However long it takes, and with what it waits for."""
    told: list[str] = []
    with patience(told.append, "Godot"):
        time.sleep(2.2)
    assert told == ["Godot"]


def test_a_slow_sts(world: World) -> None:
    """A load says which call it is that takes so long."""
    world.role("adminrole")
    world.sts.add_fault("AssumeRole", "delay", seconds=2)
    done = world.run("awsdirenv", "login", "adminrole", "--token-code", world.code())
    arn = "arn:aws:iam::123456789012:role/adminrole"
    assert f"AWS: AssumeRole of {arn} for profile adminrole" in waits(done.stderr)
    assert done.returncode == 0


def test_a_directory_says_it(world: World) -> None:
    """So does entering a directory, in the shell, before the line that says where one is."""
    world.role("plain", mfa=False)
    folder = world.project("plain")
    world.sts.add_fault("AssumeRole", "delay", seconds=2)
    with Shell(world, "bash") as shell:
        said = shell.run(f"cd {folder}")
    assert waits(said) == ["AWS: AssumeRole of arn:aws:iam::123456789012:role/plain for profile plain"]
    assert said.index("waiting for") < said.index("awsdirenv: plain: account")


@pytest.mark.parametrize("seconds", [0, 2])
def test_a_slow_program(world: World, seconds: int) -> None:
    """A credential_process and an mfa_process of the person's own are named."""
    keys = f'"AccessKeyId": "{world.user.access_key_id}", "SecretAccessKey": "{world.user.secret_access_key}"'
    vault = world.program("vault", f"sleep {seconds}; echo '{{\"Version\": 1, {keys}}}'")
    world.profile("kept", credential_process=vault, region="eu-west-1")
    world.role("dev", source_profile="kept", mfa_process=f"sleep {seconds}; echo {world.code()}")
    done = world.run("awsdirenv", "login", "dev")
    assert done.returncode == 0, done.stderr
    expected = ["credential_process of profile kept", f"the MFA process for {world.mfa_serial}"]
    assert [what for what in waits(done.stderr) if what in expected] == (expected if seconds else [])


def test_a_slow_sign_in_service(world: World) -> None:
    """The service that a browser is to be sent to, before there is anything to send it to."""
    world.sso_session(signed_in=False)
    world.sso_profile("dev")
    world.sts.add_fault("RegisterClient", "delay", seconds=2)
    with Shell(world, "bash") as shell:
        shell.send("awsdirenv login dev --no-browser\r")
        said = shell.expect("Ctrl-C cancels")
        shell.send("\x03")
    assert waits(said)[0].startswith("AWS: the sign-in to corp")


def test_a_program_s_output_stays_clean(world: World) -> None:
    """A program that has us for its credential_process is told nothing: it would take it for a complaint."""
    world.role("plain", mfa=False)
    world.sts.add_fault("AssumeRole", "delay", seconds=2)
    done = world.run("awsdirenv", "credential-process", "plain")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_hostile_name_steers_no_terminal(world: World) -> None:
    """What is said of a wait is made printable, as everything is."""
    world.role("pl\x1b[31main", mfa=False)
    world.sts.add_fault("AssumeRole", "delay", seconds=2)
    done = world.run("awsdirenv", "load", "pl\x1b[31main")
    assert "\x1b" not in done.stderr
