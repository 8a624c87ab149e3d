"""`awsdirenv credential-process`: how the real AWS CLI, boto3 and JavaScript SDK get their credentials from us."""

from __future__ import annotations

import json
import shutil
import sys
import time
from datetime import datetime, timedelta, timezone

import pytest

from awsdirenv.cache.layout import snapshot_key
from awsdirenv.cli.commands.credential_process import render
from awsdirenv.session_credentials import SessionCredentials
from credential_documents import NEEDS_CODE, ONE_LINE, locks, printed, with_sdk_profiles
from strict_sts import SECRET_PREFIX
from world import AT_ONCE, BIN, REGION, World


@pytest.fixture
def ours(world: World) -> World:
    """Have two roles, and for each a profile whose credential_process we are."""
    return with_sdk_profiles(world)


def test_what_is_printed(ours: World) -> None:
    """Exactly one JSON object of Version 1 on stdout, whose keys STS knows, and nothing on stderr."""
    found = printed(ours.run("awsdirenv", "credential-process", "plain"))
    assert list(found) == ["Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration", "AccountId"]
    key = ours.sts.keys[str(found["AccessKeyId"])]
    assert (found["Version"], found["SecretAccessKey"], found["SessionToken"]) == (1, key.secret, key.token)
    end = datetime.strptime(str(found["Expiration"]), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    assert 3500 < end.timestamp() - time.time() <= 3600
    assert printed(ours.run("awsdirenv", "credential-process", "plain")) == found


def test_no_known_end(world: World) -> None:
    """Where nobody knows the end, Expiration is left out: an SDK then asks once."""
    key = world.sts.issue_credentials(world.sts.add_role("start"))
    with world.credentials.open("a", encoding="utf-8") as file:
        file.write(f"[pasted]\naws_access_key_id = {key['AccessKeyId']}\n")
        file.write(f"aws_secret_access_key = {key['SecretAccessKey']}\naws_session_token = {key['SessionToken']}\n")
    found = printed(world.run("awsdirenv", "credential-process", "pasted"))
    assert "Expiration" not in found
    assert found["AccessKeyId"] == key["AccessKeyId"]


def test_duration(ours: World) -> None:
    """`--duration` is a life of its own, as in a directory that asks for it."""
    for _ in range(2):
        found = printed(ours.run("awsdirenv", "credential-process", "plain", "--duration", "15m"))
    end = datetime.strptime(str(found["Expiration"]), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    assert 800 < end.timestamp() - time.time() <= 900
    assert ours.sts.count("AssumeRole") == 1


def test_nobody_there(ours: World) -> None:
    """Where a code is needed and nobody is there: status 3, nothing on stdout, and exactly one line."""
    done = ours.run("awsdirenv", "credential-process", "adminrole")
    line = f"awsdirenv: error: {NEEDS_CODE.format(serial=ours.mfa_serial)}\n"
    assert (done.returncode, done.stdout, done.stderr) == (3, "", line)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["nonsense"], 1, "no profile nonsense in "),
        (["a\x01b"], 2, "the profile name has control characters: use the name as it is in ~/.aws/config"),
        (["--no-session"], 2, "unrecognized arguments: --no-session: awsdirenv credential-process --help"),
        (["x", "y"], 2, "unrecognized arguments: y: awsdirenv credential-process --help"),
        (["--duration", "1s"], 2, "argument --duration: --duration must be a time between 15m and 12h: '1s'; "),
        (["--duration"], 2, "argument --duration: expected one argument: awsdirenv credential-process --help"),
    ],
)
def test_one_line(world: World, words: list[str], status: int, said: str) -> None:
    """Every error of this command is one line, whatever its kind."""
    done = world.run("awsdirenv", "credential-process", *words)
    assert (done.returncode, done.stdout) == (status, "")
    assert ONE_LINE.fullmatch(done.stderr), done.stderr
    assert done.stderr.startswith(f"awsdirenv: error: {said}")


def test_an_unreachable_sts(ours: World) -> None:
    """Without a network it is one line, too, and no line about the attempts."""
    ours.sts.stop()
    done = ours.run("awsdirenv", "credential-process", "plain", AWSDIRENV_STS_TIMEOUT="2s")
    assert done.returncode == 1
    assert ONE_LINE.fullmatch(done.stderr), done.stderr


@pytest.mark.parametrize("name", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
def test_with_a_profile_in_the_environment(ours: World, name: str) -> None:
    """The SDK's own profile is in the environment, and is not ours."""
    ours.env[name] = "sdk-plain"
    found = printed(ours.run("awsdirenv", "credential-process", "plain"))
    assert ours.sts.keys[str(found["AccessKeyId"])].role_arn.endswith(":role/plain")


def test_keys_in_the_environment(ours: World) -> None:
    """Keys of somebody else's in the environment do not get in."""
    ours.env |= {"AWS_ACCESS_KEY_ID": "AKIAELSE", "AWS_SECRET_ACCESS_KEY": "else", "AWS_SESSION_TOKEN": "else"}
    assert printed(ours.run("awsdirenv", "credential-process", "plain"))["AccessKeyId"] != "AKIAELSE"


def test_without_a_home(ours: World) -> None:
    """With every file named in the environment no home is needed; one with spaces in its name is as good as any."""
    ours.env |= {
        "AWS_CONFIG_FILE": str(ours.config),
        "AWS_SHARED_CREDENTIALS_FILE": str(ours.credentials),
        "XDG_CACHE_HOME": str(ours.root / "a cache"),
    }
    for home in ("", "/nowhere", str(ours.root / "böse heim")):
        printed(ours.run("awsdirenv", "credential-process", "plain", HOME=home))
    del ours.env["HOME"]
    printed(ours.run("awsdirenv", "credential-process", "plain"))
    assert ours.sts.count("AssumeRole") == 1


def test_relative_files(ours: World) -> None:
    """A relative AWS_CONFIG_FILE is one of the folder that the SDK runs in."""
    shutil.copy(ours.config, ours.root / "config")
    printed(ours.run("awsdirenv", "credential-process", "plain", AWS_CONFIG_FILE="config"))
    done = ours.run("awsdirenv", "credential-process", "plain", AWS_CONFIG_FILE="config", cwd=ours.home)
    assert done.returncode == 1
    assert ONE_LINE.fullmatch(done.stderr)


def in_time(world: World, *words: str) -> str:
    """Run a command of ours that must fail at once, on one line; give what it says."""
    started = time.monotonic()
    done = world.run("awsdirenv", "credential-process", *words)
    assert time.monotonic() - started < AT_ONCE
    assert (done.returncode, done.stdout) == (1, "")
    assert ONE_LINE.fullmatch(done.stderr), done.stderr
    assert done.stderr.endswith(": let it name another profile, the one with the source of the credentials\n")
    return done.stderr.removeprefix("awsdirenv: error: credential_process of profile ").rpartition(": ")[0]


def test_profiles_that_name_each_other(world: World) -> None:
    """What the files alone show to be a circle is refused before any lock is taken, roles in between included."""
    run = "awsdirenv credential-process"
    world.profile("self", credential_process=f"{run} self")
    world.profile("one", credential_process=f"{run} --duration 1h two")
    world.profile("two", credential_process=f"{BIN}/awsdirenv credential-process -- one")
    world.profile("role", role_arn=world.sts.add_role("role"), source_profile="tool", region=REGION)
    world.profile("tool", credential_process=f"{sys.executable} -m awsdirenv credential-process role")
    assert in_time(world, "self") == "self closes a loop: self -> self"
    assert in_time(world, "one") == "two closes a loop: one -> two -> one"
    assert in_time(world, "role") == "tool closes a loop: role -> role"
    assert in_time(world, "tool") == "tool closes a loop: tool -> role -> role"
    assert locks(world) == set()
    assert world.sts.count("*") == 0


@pytest.mark.parametrize("command", ["credential-process", "export --format json", "load", "login"])
def test_a_script_that_comes_back(world: World, command: str) -> None:
    """A script that comes back to us with any command is told by the environment, and its own error is passed on."""
    script = world.program("wrapper", f"exec awsdirenv {command} wrapped")
    world.profile("wrapped", credential_process=script, region=REGION)
    started = time.monotonic()
    done = world.run("awsdirenv", "credential-process", "wrapped")
    assert time.monotonic() - started < AT_ONCE
    assert done.returncode == 1
    assert ONE_LINE.fullmatch(done.stderr)
    inner = "credential_process of profile wrapped calls awsdirenv for the same profile"
    outer = "awsdirenv: error: credential_process of profile wrapped failed with status 1: "
    assert done.stderr.startswith(f"{outer}{inner}"), done.stderr


def test_scripts_in_a_circle(world: World) -> None:
    """Two profiles whose scripts call us for each other, and one that comes back for a role behind it, end as well."""
    for name, other in (("one", "two"), ("two", "one"), ("tool", "role")):
        script = world.program(name, f"exec awsdirenv credential-process {other}")
        world.profile(name, credential_process=script, region=REGION)
    world.profile("role", role_arn=world.sts.add_role("role"), source_profile="tool", region=REGION)
    for name, knot in (("one", "one"), ("role", "role"), ("tool", "tool")):
        started = time.monotonic()
        done = world.run("awsdirenv", "credential-process", name)
        assert time.monotonic() - started < AT_ONCE
        assert f"credential_process of profile {knot} calls awsdirenv for the same profile" in done.stderr
        assert ONE_LINE.fullmatch(done.stderr)


def test_the_inner_one_takes_no_lock(ours: World) -> None:
    """Who finds by the environment that it would wait for itself takes no lock, and gives no old credentials either."""
    running = snapshot_key("plain", ours.env)
    for ready in (False, True):
        if ready:
            ours.run("awsdirenv", "load", "plain").check_returncode()
        before = locks(ours)
        done = ours.run("awsdirenv", "credential-process", "plain", AWSDIRENV_RUNNING_FOR=f"other\n{running}")
        assert (done.returncode, done.stdout) == (1, "")
        assert "credential_process of profile plain calls awsdirenv for the same profile" in done.stderr
        assert locks(ours) == before


def test_a_script_for_other_files(ours: World) -> None:
    """A script that asks us for a profile of the same name in other files is no circle."""
    there = ours.root / "there"
    there.write_text(ours.config.read_text(encoding="utf-8"), encoding="utf-8")
    script = ours.program("elsewhere", f"AWS_CONFIG_FILE={there} exec awsdirenv credential-process plain")
    ours.config.write_text(f"[profile plain]\ncredential_process = {script}\nregion = {REGION}\n", encoding="utf-8")
    found = printed(ours.run("awsdirenv", "credential-process", "plain"))
    assert ours.sts.keys[str(found["AccessKeyId"])].role_arn.endswith(":role/plain")


def test_render() -> None:
    """What we print as a program is what we read of one; an unknown end is left out, as the format demands."""
    secret = f"{SECRET_PREFIX}abcdefghijklmnopqrstuvwxyz0123456789"
    now = datetime.now(timezone.utc).replace(microsecond=0)
    found = SessionCredentials("ASIA", secret, "token", now + timedelta(hours=1), now, "123456789012")
    text = render(found)
    assert text.endswith("}\n")
    assert json.loads(text) == {
        "Version": 1,
        "AccessKeyId": "ASIA",
        "SecretAccessKey": secret,
        "SessionToken": "token",
        "Expiration": (now + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "AccountId": "123456789012",
    }
    unending = json.loads(render(SessionCredentials("ASIA", secret, "token", None, now)))
    assert set(unending) == {"Version", "AccessKeyId", "SecretAccessKey", "SessionToken"}
