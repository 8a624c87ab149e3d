"""`awsdirenv credential-process`: how the real AWS CLI, boto3 and JavaScript SDK get their credentials from us."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

import pexpect
import pytest

from awsdirenv.cache.layout import snapshot_key
from in_process import caller_arn
from sdks import ONE_OF_EACH, SDKS, at_once, sdk_of
from world import AT_ONCE, BIN, REGION, World

ONE_LINE = re.compile(r"awsdirenv: error: [^\n]+\n")
NEEDS_CODE = (
    "profile adminrole needs an MFA code for {serial}, and nobody is here to type it: awsdirenv login adminrole"
)


@pytest.fixture
def ours(world: World) -> World:
    """Add a role behind a code, one without, and for each a profile whose credential_process we are."""
    world.role("adminrole")
    world.role("plain", mfa=False)
    for name in ("adminrole", "plain"):
        world.profile(f"sdk-{name}", credential_process=f"awsdirenv credential-process {name}", region=REGION)
    return world


def locks(world: World) -> set[str]:
    """Give the locks that were ever taken."""
    return {path.name for path in (world.cache / "locks").glob("*")}


def printed(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    """Check that a run of ours succeeded without a word to people; give what it printed."""
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, object] = json.loads(done.stdout)
    return found


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
    ways = (*ONE_OF_EACH, "fromIni")  # in which the client remembers the credentials, and not the provider
    commands = [sdk_of(name, node_modules)("sdk-plain", calls=4, pause=7) for name in ways]
    for status, said, complained in at_once(ours, commands):
        assert (status, len(said.splitlines())) == (0, 4), complained
    assert ours.sts.count("GetCallerIdentity", ok=True) == 4 * len(ways)
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


def test_at_once(ours: World) -> None:
    """Ten at the same time cost one call, and all print the same, without a word."""
    results = at_once(ours, [["awsdirenv", "credential-process", "plain"]] * 10)
    assert len(set(results)) == 1
    assert results[0][0] == 0
    assert results[0][2] == ""
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
        (["a\x01b"], 2, "the profile name has control characters: use the name as it stands in ~/.aws/config"),
        (["--no-session"], 2, "unrecognized arguments: --no-session: awsdirenv --help"),
        (["x", "y"], 2, "unrecognized arguments: y: awsdirenv --help"),
        (["--duration", "1s"], 2, "argument --duration: --duration is no duration between 15m and 12h: '1s'; "),
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


def test_while_another_one_asks(ours: World) -> None:
    """While another terminal is asked for the code, nobody waits: status 3 and one line that names the terminal."""
    child = pexpect.spawn("awsdirenv", ["login", "adminrole"], env=ours.env, cwd=str(ours.root), encoding="utf-8")
    child.expect_exact("Enter MFA code for ", timeout=60)
    done = ours.run("awsdirenv", "credential-process", "adminrole")
    child.close(force=True)
    assert done.returncode == 3
    assert re.fullmatch(r"awsdirenv: error: profile adminrole waits for an answer: pid \d+ on [^\n]+\n", done.stderr)


def test_odd_files(ours: World) -> None:
    """Whatever stdin and stderr are, what is printed is whole, be it from a call or from what is stored."""
    for what in ("2>&-", "2>/dev/full", "<&-", "2>&- <&-"):
        done = ours.run("sh", "-c", f"exec awsdirenv credential-process plain {what}")
        assert done.returncode == 0, what
        assert json.loads(done.stdout)["Version"] == 1, what


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


def test_in_a_folder_that_is_gone(ours: World) -> None:
    """A service whose folder was replaced under it still has credentials, as long as a profile is named."""
    ours.hold("plain")
    gone = "mkdir gone; cd gone; rmdir ../gone; exec awsdirenv credential-process"
    printed(ours.run("bash", "-c", f"{gone} plain"))
    done = ours.run("bash", "-c", gone)
    assert done.stderr == "awsdirenv: error: the working directory is gone: cd to a folder that is there\n"


def test_by_hand(ours: World) -> None:
    """Run by a person in a terminal it asks, and what it prints is whole."""
    out = ours.root / "out"
    command = f"awsdirenv credential-process adminrole >{out}"
    child = pexpect.spawn("sh", ["-c", command], env=ours.env, cwd=str(ours.root), encoding="utf-8", timeout=60)
    child.expect_exact(f"Enter MFA code for {ours.mfa_serial}: ")
    child.send(ours.code() + "\r")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert json.loads(out.read_text(encoding="utf-8"))["Version"] == 1


# In circles


def in_time(world: World, *words: str) -> str:
    """Run a command of ours that must fail at once, on one line; give what it says."""
    started = time.monotonic()
    done = world.run("awsdirenv", "credential-process", *words)
    assert time.monotonic() - started < AT_ONCE
    assert (done.returncode, done.stdout) == (1, "")
    assert ONE_LINE.fullmatch(done.stderr), done.stderr
    assert done.stderr.endswith(": have it name another profile, the one that says where the credentials come from\n")
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


def test_a_row_that_ends(ours: World) -> None:
    """Profiles in a row, each asking us for the next one, are no circle."""
    ours.profile("outer", credential_process="awsdirenv credential-process sdk-plain", region=REGION)
    found = printed(ours.run("awsdirenv", "credential-process", "outer"))
    assert ours.sts.keys[str(found["AccessKeyId"])].role_arn.endswith(":role/plain")


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
    inner = "credential_process of profile wrapped has come back to awsdirenv"
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
        assert f"credential_process of profile {knot} has come back to awsdirenv" in done.stderr
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
        assert "credential_process of profile plain has come back to awsdirenv" in done.stderr
        assert locks(ours) == before


def test_a_script_for_other_files(ours: World) -> None:
    """A script that asks us for a profile of the same name in other files is no circle."""
    there = ours.root / "there"
    there.write_text(ours.config.read_text(encoding="utf-8"), encoding="utf-8")
    script = ours.program("elsewhere", f"AWS_CONFIG_FILE={there} exec awsdirenv credential-process plain")
    ours.config.write_text(f"[profile plain]\ncredential_process = {script}\nregion = {REGION}\n", encoding="utf-8")
    found = printed(ours.run("awsdirenv", "credential-process", "plain"))
    assert ours.sts.keys[str(found["AccessKeyId"])].role_arn.endswith(":role/plain")
