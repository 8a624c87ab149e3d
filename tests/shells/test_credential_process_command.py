"""`awsdirenv credential-process`: how the real AWS CLI, boto3 and JavaScript SDK get their credentials from us."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pexpect
import pytest

from credential_documents import NEEDS_CODE, ONE_LINE, locks, printed, with_sdk_profiles
from in_process import caller_arn
from sdks import ONE_OF_EACH, SDKS, at_once, sdk_of
from shells import on_terminal
from world import AT_ONCE, REGION, World


@pytest.fixture
def ours(world: World) -> World:
    """Have two roles, and for each a profile whose credential_process we are."""
    return with_sdk_profiles(world)


# The SDKs


def test_sdks(ours: World, node_modules: Path) -> None:
    """An SDK has the role's credentials through us, and every later one and our own commands share the session."""
    ours.login("adminrole")
    for name in SDKS:
        done = ours.run(*sdk_of(name, node_modules)("sdk-adminrole"))
        assert done.returncode == 0, done.stderr
        assert "assumed-role/adminrole/" in done.stdout, name
    assert ours.enter(ours.project("adminrole"))[0]["AWS_ACCESS_KEY_ID"]
    assert (ours.sts.count("GetSessionToken"), ours.sts.count("AssumeRole")) == (1, 1)
    assert ours.sts.count("GetCallerIdentity", ok=True) == len(SDKS)


def test_sdks_start_the_session(ours: World, node_modules: Path) -> None:
    """What an SDK made us get, a directory has without another call."""
    folder = ours.project("plain")
    for number, name in enumerate(ONE_OF_EACH, 1):
        done = ours.run(*sdk_of(name, node_modules)("sdk-plain"))
        assert done.returncode == 0, done.stderr
        changes, _ = ours.enter(folder)
        assert ours.sts.keys[str(changes["AWS_ACCESS_KEY_ID"])].role_arn.endswith(":role/plain")
        assert ours.sts.count("AssumeRole") == number, name
        ours.run("awsdirenv", "clear", "plain").check_returncode()


def test_sdks_over_generations(ours: World, node_modules: Path) -> None:
    """When a life ends the SDKs come back to us and have the next one, without an error in between."""
    ours.sts.life_override = 12
    # The AWS CLI is a new process for each call. In fromIni the client remembers the credentials, and not the provider.
    ways = ("boto3", "default", "fromIni")
    commands = [sdk_of(name, node_modules)("sdk-plain", calls=3, pause=7) for name in ways]
    for status, said, complained in at_once(ours, commands):
        assert (status, len(said.splitlines())) == (0, 3), complained
    assert ours.sts.count("GetCallerIdentity", ok=True) == 3 * len(ways)
    assert ours.sts.count("GetCallerIdentity", ok=False) == 0
    assert 3 <= ours.sts.count("AssumeRole") <= 7


def test_sdks_at_once(ours: World, node_modules: Path) -> None:
    """Six processes at the same time, two of each SDK, cost one call of AssumeRole."""
    commands = [sdk_of(name, node_modules)("sdk-plain") for name in ONE_OF_EACH]
    for status, said, complained in at_once(ours, commands * 2):
        assert status == 0, complained
        assert "assumed-role/plain/" in said
    assert ours.sts.count("AssumeRole") == 1


def test_sdks_without_a_person(ours: World, node_modules: Path) -> None:
    """Where a code is needed the SDK's own message has our line, with the command to type."""
    said = f"awsdirenv: error: {NEEDS_CODE.format(serial=ours.mfa_serial)}"
    for name in SDKS:
        sdk = sdk_of(name, node_modules)
        done = ours.run(*sdk("sdk-adminrole"))
        assert done.returncode != 0, name
        assert (sdk.hides or said) in done.stderr, name
    assert ours.sts.count("*") == 0


def test_sdks_in_a_circle(world: World, node_modules: Path) -> None:
    """A profile that leads an SDK to us and us back to the profile fails at once, and says so."""
    world.profile("self", credential_process="awsdirenv credential-process self", region=REGION)
    said = "awsdirenv: error: credential_process of profile self closes a loop: self -> self: "
    for name in ONE_OF_EACH:
        sdk = sdk_of(name, node_modules)
        started = time.monotonic()
        done = world.run(*sdk("self"))
        assert time.monotonic() - started < 3 * AT_ONCE, name
        assert done.returncode != 0, name
        assert (sdk.hides or said) in done.stderr, name
        assert locks(world) == set(), name


# The command itself


def test_at_once(ours: World) -> None:
    """Ten at the same time cost one call, and all print the same, without a word."""
    results = at_once(ours, [["awsdirenv", "credential-process", "plain"]] * 10)
    assert len(set(results)) == 1
    assert results[0][0] == 0
    assert results[0][2] == ""
    assert ours.sts.count("AssumeRole") == 1


def test_while_another_one_asks(ours: World) -> None:
    """While another terminal is asked for the code, nobody waits: status 3 and one line that names the terminal."""
    child = on_terminal(ours, ["awsdirenv", "login", "adminrole"])
    child.expect_exact("Enter MFA code for ", timeout=60)
    done = ours.run("awsdirenv", "credential-process", "adminrole")
    child.close(force=True)
    assert done.returncode == 3
    assert re.fullmatch(r"awsdirenv: error: profile adminrole waits for an answer: pid \d+ on [^\n]+\n", done.stderr)


@pytest.mark.needs("/dev/full")
def test_odd_files(ours: World) -> None:
    """Whatever stdin and stderr are, what is printed is whole, be it from a call or from what is stored."""
    for what in ("2>&-", "2>/dev/full", "<&-", "2>&- <&-"):
        done = ours.run("sh", "-c", f"exec awsdirenv credential-process plain {what}")
        assert done.returncode == 0, what
        assert json.loads(done.stdout)["Version"] == 1, what


@pytest.mark.needs("/dev/full")
def test_nowhere_to_print(ours: World) -> None:
    """Output that cannot be written is status 1 and one line."""
    ours.hold("plain")
    for what in (">&-", ">/dev/full"):
        done = ours.run("sh", "-c", f"exec awsdirenv credential-process plain {what}")
        assert done.returncode == 1, what
        assert ONE_LINE.fullmatch(done.stderr), done.stderr


def test_a_reader_that_left(ours: World) -> None:
    """An SDK that has gone is no reason for a traceback."""
    ours.hold("plain")
    done = ours.run("bash", "-c", "{ sleep 0.5; awsdirenv credential-process plain; } | head -0")
    assert done.stderr == ""


# Where SDKs run it


def test_in_a_directory(ours: World) -> None:
    """In a directory of another profile of ours, with its keys in the environment, the profile named is what counts."""
    ours.hold("plain")
    changes, _ = ours.enter(ours.project("plain"))
    ours.login("adminrole")
    ours.env |= {name: value for name, value in changes.items() if value is not None}
    found = printed(ours.run("awsdirenv", "credential-process", "adminrole", cwd=ours.root / "plain"))
    assert ours.sts.keys[str(found["AccessKeyId"])].role_arn.endswith(":role/adminrole")
    bare = printed(ours.run("awsdirenv", "credential-process", cwd=ours.root / "plain"))
    assert bare["AccessKeyId"] == changes["AWS_ACCESS_KEY_ID"]
    assert "assumed-role/adminrole/" in caller_arn(ours.env, ours.root, "sdk-adminrole", REGION)


def test_in_a_folder_that_is_gone(ours: World) -> None:
    """A service whose folder was replaced under it still has credentials, as long as a profile is named."""
    ours.hold("plain")
    gone = "mkdir gone; cd gone; rmdir ../gone; exec awsdirenv credential-process"
    printed(ours.run("bash", "-c", f"{gone} plain"))
    done = ours.run("bash", "-c", gone)
    assert done.stderr == "awsdirenv: error: the working directory no longer exists: cd to another folder\n"


def test_by_hand(ours: World) -> None:
    """Run by a person in a terminal it asks, and what it prints is whole."""
    out = ours.root / "out"
    command = f"awsdirenv credential-process adminrole >{out}"
    child = on_terminal(ours, ["sh", "-c", command])
    child.expect_exact(f"Enter MFA code for {ours.mfa_serial}: ")
    child.send(ours.code() + "\r")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert json.loads(out.read_text(encoding="utf-8"))["Version"] == 1


# In circles


def test_a_row_that_ends(ours: World) -> None:
    """Profiles in a row, each asking us for the next one, are no circle."""
    ours.profile("outer", credential_process="awsdirenv credential-process sdk-plain", region=REGION)
    found = printed(ours.run("awsdirenv", "credential-process", "outer"))
    assert ours.sts.keys[str(found["AccessKeyId"])].role_arn.endswith(":role/plain")
