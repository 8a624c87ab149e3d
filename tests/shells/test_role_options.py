"""What a profile and a directory can say about a role's session: each is sent to STS as it is meant, or refused."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from interpreter import count_interpreters
from sentinels import SENTINELS
from shells import Shell
from sources import closed, known, opened
from sources import refused as load_refused
from strict_sts import Call
from world import BLOCK, OUTER, REGION, World, assert_nobody, told

ACCOUNT = "123456789012"


def assumed(world: World) -> Call:
    """Give the last call of AssumeRole."""
    return [call for call in world.sts.calls if call.action == "AssumeRole"][-1]


def refused(world: World, envrc: str, **env: str) -> tuple[str, str]:
    """Enter a directory with this line, which must stay closed; give message and hint."""
    changes, said = world.enter(world.project("refused", f"{envrc}\n"), **{**OUTER, **env})
    assert changes.keys() >= set(BLOCK)
    assert_nobody(changes)
    lines = told(said)
    assert [line.split(": ")[1] for line in lines] == ["error", "hint"], said
    return lines[0].removeprefix("awsdirenv: error: "), lines[1].removeprefix("awsdirenv: hint: ")


def inside(world: World, folder: Path, **env: str) -> dict[str, str]:
    """Enter a directory; give the environment of a shell that is in it."""
    changes, said = world.enter(folder, **env)
    assert "awsdirenv: error" not in said, said
    return {name: value for name, value in {**env, **changes}.items() if value is not None}


# How long


@pytest.mark.parametrize("text", ["899", "43201", "0", "-3600"])
def test_duration_seconds_out_of_range(world: World, text: str) -> None:
    """A duration_seconds that STS would refuse is refused before, with the range and the line to change."""
    world.role("plain", mfa=False, duration_seconds=text)
    message, hint = (closed if text == "899" else load_refused)(world, "plain")
    assert message == f"profile plain has a duration_seconds out of range: {text}"
    assert hint == f"set duration_seconds in [profile plain] of {world.config} between 900 (15m) and 43200 (12h)"
    assert not world.sts.calls


@pytest.mark.parametrize(
    ("option", "seconds"),
    [
        ("--duration 3600", 3600),
        ("--duration=15m", 900),
        ("--duration 2h", 7200),
        ("--duration=1h30m", 5400),
        ("--duration 43200s", 43200),
    ],
)
def test_a_directory_says_how_long(world: World, option: str, seconds: int) -> None:
    """The directory's --duration wins over the profile's, in both ways of writing it, and STS is asked for it."""
    world.role("plain", mfa=False, duration_seconds=1800)
    if option.endswith(("2h", "1h30m", "s")):  # the two others are passed on by direnv, in both ways of writing it
        text = re.split("[ =]", option)[1]
        world.run("awsdirenv", "load", "--duration", text, "--", "plain").check_returncode()
    values = inside(world, world.project("plain", f"use aws_profile plain {option}\n"))
    assert world.sts.count("AssumeRole") == 1
    assert assumed(world).params["DurationSeconds"] == str(seconds)
    end = datetime.fromisoformat(values["AWS_CREDENTIAL_EXPIRATION"])
    assert abs(end - datetime.now(timezone.utc) - timedelta(seconds=seconds)) < timedelta(seconds=30)


@pytest.mark.parametrize("text", ["0", "5m", "13h", "soon", "", "1d", "-1h", "1h 30m", "$(touch pwned)", "9" * 30])
def test_no_duration(world: World, text: str) -> None:
    """What is no duration within AWS's bounds closes the directory, and is a wrong command line in a command."""
    world.role("plain", mfa=False)
    message, hint = refused(world, f"use aws_profile plain --duration '{text}'")
    assert message == f"--duration must be a time between 15m and 12h: {text}"
    assert hint == "such as 3600, 15m, 2h or 1h30m"
    for command in ("login", "export"):
        done = world.run("awsdirenv", command, "plain", f"--duration={text}")
        assert done.returncode == 2
        assert "--duration must be a time between 15m and 12h" in done.stderr
        assert done.stdout == ""
    assert not world.sts.calls
    assert not list(world.root.rglob("pwned"))


def test_commands_say_how_long(world: World) -> None:
    """`login` and `export` take --duration as the directory does, and find what the directory has."""
    world.role("plain", mfa=False)
    world.run("awsdirenv", "login", "plain", "--duration", "2h").check_returncode()
    assert assumed(world).params["DurationSeconds"] == "7200"
    world.run("awsdirenv", "export", "plain", "--duration", "20m").check_returncode()
    assert assumed(world).params["DurationSeconds"] == "1200"
    inside(world, world.project("plain", "use aws_profile plain --duration 2h\n"))
    assert len(world.sts.calls) == 2


def test_directories_with_durations_of_their_own(world: World) -> None:
    """Directories of one profile that want other durations never share a snapshot, and each is warm by itself."""
    world.role("plain", mfa=False)
    lines = {"short": "--duration 15m", "long": "--duration 2h", "none": ""}
    folders = {name: world.project(name, f"use aws_profile plain {line}\n") for name, line in lines.items()}
    for line in ("--duration 15m", "--duration 2h"):
        world.run("awsdirenv", "load", *line.split(), "--", "plain").check_returncode()
    first = {name: inside(world, folder) for name, folder in folders.items()}
    asked = [call.params.get("DurationSeconds") for call in world.sts.calls]
    assert asked == ["900", "7200", None]
    log = count_interpreters(world)
    for name, folder in folders.items():
        again = inside(world, folder)
        assert {key: again[key] for key in BLOCK if key in again} == {
            key: value for key, value in first[name].items() if key in BLOCK
        }
    assert len({values["AWS_ACCESS_KEY_ID"] for values in first.values()}) == 3
    assert not log.exists()


def test_the_chaining_cap_is_said_once(world: World) -> None:
    """Behind another role AWS gives an hour: that is asked for and said on entering, and not by a reload in place."""
    world.role("hub", mfa=False)
    world.role("end", mfa=False, source_profile="hub")
    folder = world.project("end", "use aws_profile end --duration 2h\n")
    notice = "awsdirenv: end: you asked for 2h, but AWS allows 1h at most with role chaining"
    with Shell(world, "bash") as shell:
        assert shell.run(f"cd {folder}").count(notice) == 1
        assert assumed(world).params["DurationSeconds"] == "3600"
        time.sleep(1.1)  # direnv tells times apart by the second
        world.run("awsdirenv", "clear", "--all").check_returncode()
        world.config.touch()
        said = shell.run("true")
        assert "awsdirenv: end: account" in said
        assert notice not in said
        assert world.sts.count("AssumeRole") == 4


def test_who_gives_the_credentials_decides_how_long(world: World) -> None:
    """Where nobody can be asked for a duration, the directory is opened all the same, and says so."""
    world.sso_session()
    world.sso_profile("team")
    _, said = world.enter(world.project("team", "use aws_profile team --duration 2h\n"))
    assert (
        "awsdirenv: team: --duration has no effect: the source of these credentials decides how long they are valid\n"
        in said
    )
    assert "awsdirenv: team: account 123456789012" in said


def test_a_user_s_own_session_is_as_long(world: World) -> None:
    """A profile without a role has a session of its key, which lives as long as the directory says."""
    inside(world, world.project("base", "use aws_profile base --duration 20m\n"))
    first = world.sts.calls[0]
    assert (first.action, first.params["DurationSeconds"]) == ("GetSessionToken", "1200")


# What is sent


def sent(call: Call) -> dict[str, str]:
    """Give what a call said besides how it was made."""
    own = ("Action", "Version", "RoleArn", "SerialNumber", "TokenCode")
    return {name: value for name, value in call.params.items() if name not in own}


def test_all_that_a_role_can_be_told(world: World) -> None:
    """Everything that a profile says about its role's session is sent as AWS names it."""
    world.sts.add_role("plain", external_id="ex/1")
    world.profile(
        "plain",
        role_arn=f"arn:aws:iam::{ACCOUNT}:role/plain",
        source_profile="base",
        region=REGION,
        external_id="ex/1",
        role_session_name="jo@example.com",
        source_identity="jo",
        session_tags="Team = Payments, Stage=prod=1,Empty=",
        transitive_session_tags="Team, Stage",
    )
    key = opened(world, "plain")
    assert sent(assumed(world)) == {
        "ExternalId": "ex/1",
        "RoleSessionName": "jo@example.com",
        "SourceIdentity": "jo",
        "Tags.member.1.Key": "Team",
        "Tags.member.1.Value": "Payments",
        "Tags.member.2.Key": "Stage",
        "Tags.member.2.Value": "prod=1",
        "Tags.member.3.Key": "Empty",
        "Tags.member.3.Value": "",
        "TransitiveTagKeys.member.1": "Team",
        "TransitiveTagKeys.member.2": "Stage",
    }
    assert key.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/plain/jo@example.com"
    assert (key.tags, key.source_identity) == ({"Team": "Payments", "Stage": "prod=1"}, "jo")


def test_nothing_is_sent_that_nobody_said(world: World) -> None:
    """A role of which the profile says nothing more is assumed under a name that tells the tool."""
    world.role("plain", mfa=False)
    opened(world, "plain")
    values = sent(assumed(world))
    assert values.pop("RoleSessionName").startswith("awsdirenv-session-")
    assert values == {}


def test_tags_along_a_chain(world: World) -> None:
    """Each hop sends its own tags; transitive ones and the source identity stay with the session to the end."""
    world.role(
        "hub", mfa=False, session_tags="Team=Payments,Own=1", transitive_session_tags="Team", source_identity="jo"
    )
    world.role("end", mfa=False, source_profile="hub", session_tags="Stage=prod")
    key = opened(world, "end")
    assert (key.tags, key.source_identity) == ({"Team": "Payments"}, "jo")
    assert sent(assumed(world))["Tags.member.1.Key"] == "Stage"
    assert "SourceIdentity" not in sent(assumed(world))


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("external_id", "other"),
        ("role_session_name", "other"),
        ("source_identity", "other"),
        ("session_tags", "Team=Other"),
        ("transitive_session_tags", "Team"),
    ],
)
def test_an_edited_option_is_another_session(world: World, change: str, value: str) -> None:
    """Credentials that were got with other options are never used again."""
    options = {"external_id": "one", "role_session_name": "one", "source_identity": "one", "session_tags": "Team=One"}
    world.role("plain", mfa=False, **options)
    first = opened(world, "plain")
    text = world.config.read_text()
    old = f"{change} = {options.get(change, '')}\n"
    world.config.write_text(
        text.replace(old, f"{change} = {value}\n") if change in options else f"{text}{old[:-1]}{value}\n"
    )
    assert opened(world, "plain").access_key_id != first.access_key_id
    assert world.sts.count("AssumeRole") == 2


@pytest.mark.parametrize(
    ("options", "words", "hint"),
    [
        (
            {"session_tags": "Team"},
            "profile plain has session_tags that are not key=value: Team",
            "write session_tags = ",
        ),
        ({"session_tags": "=x"}, "profile plain has session_tags that are not key=value: =x", "write session_tags = "),
        ({"session_tags": "aws:x=1"}, "session_tags that STS does not take as Tags", "[profile plain]"),
        ({"session_tags": "a=1,A=2"}, "session_tags that STS does not take as Tags", "[profile plain]"),
        ({"session_tags": "a=<>"}, "session_tags that STS does not take as Tags", "[profile plain]"),
        (
            {"transitive_session_tags": "Team"},
            "that STS does not take as TransitiveTagKeys",
            "[profile plain]",
        ),
        ({"role_session_name": "x"}, "RoleSessionName", "[profile plain]"),
        ({"role_session_name": "jo doe"}, "RoleSessionName", "[profile plain]"),
        ({"source_identity": "jo doe"}, "SourceIdentity", "[profile plain]"),
    ],
)
def test_what_aws_takes_no_part_of(world: World, options: Mapping[str, str], words: str, hint: str) -> None:
    """An option that AWS or we refuse is named with AWS's words, the role's profile and where to change it."""
    world.role("plain", mfa=False, **options)
    message, remedy = load_refused(world, "plain")
    assert "profile plain" in message
    assert words in message
    assert hint in remedy


@pytest.mark.parametrize(
    ("action", "options"),
    [("sts:TagSession", {"session_tags": "Team=x"}), ("sts:SetSourceIdentity", {"source_identity": "jo"})],
)
def test_what_the_trust_policy_does_not_let(world: World, action: str, options: Mapping[str, str]) -> None:
    """What the trust policy has to allow beside AssumeRole is named where it does not."""
    arn = world.role("plain", mfa=False, **options)
    world.sts.roles[arn].denied.append(action)
    message, _ = load_refused(world, "plain")
    assert f"is not authorized to perform: {action} on resource: {arn}" in message


def test_included_options(world: World) -> None:
    """What a profile includes counts as its own, its own word first, and an edit of what it includes is noticed."""
    arn = world.sts.add_role("plain", external_id="ex")
    world.profile("common", source_profile="base", external_id="ex", role_session_name="team", region="eu-central-1")
    world.profile("plain", role_arn=arn, include_profile="common", role_session_name="mine")
    world.hold("plain")
    changes, _ = world.enter(world.project("plain"))
    assert known(world, changes).role_arn == arn
    assert changes["AWS_REGION"] == "eu-central-1"
    assert sent(assumed(world)) == {"ExternalId": "ex", "RoleSessionName": "mine"}
    world.config.write_text(world.config.read_text().replace("external_id = ex", "external_id = wrong"))
    assert "not authorized to perform: sts:AssumeRole" in closed(world, "plain")[0]


def test_keys_are_not_included(world: World) -> None:
    """Whose credentials it has a profile must say itself: those of what it includes are not its own."""
    keys = {"aws_access_key_id": world.user.access_key_id, "aws_secret_access_key": world.user.secret_access_key}
    world.profile("common", region=REGION, **keys)
    world.profile("plain", include_profile="common")
    assert closed(world, "plain")[0].startswith("profile plain has no credentials")


def test_an_inclusion_in_a_loop(world: World) -> None:
    """Profiles that include each other are named, and other profiles work."""
    world.role("plain", mfa=False)
    world.role("one", mfa=False, include_profile="two")
    world.profile("two", include_profile="one")
    message, hint = closed(world, "one")
    assert message == "profile one: include_profile closes a loop: one -> two -> one"
    assert hint.startswith("change include_profile in [profile one]")
    opened(world, "plain")


# The device, and where its codes come from


def gives_codes(world: World, name: str = "codes") -> str:
    """Make a program that prints one good code."""
    return str(world.program(name, f"echo {name} >>{world.root / 'asked'}\necho {world.code()}"))


def asked(world: World) -> list[str]:
    """Give the programs that were asked for a code."""
    return (world.root / "asked").read_text().split()


def test_which_command_gives_the_code(world: World) -> None:
    """AWSDIRENV_MFA_PROCESS wins, then the declared profile's mfa_process, then that of what it comes from."""
    names = ("environment", "declared", "source")
    programs = {name: gives_codes(world, name) for name in names}
    world.profile("key", source_profile="base", mfa_process=programs["source"])
    with world.credentials.open("a") as file:
        keys = world.credentials.read_text().replace("[base]", "[key]")
        file.write(keys)
    world.role("first", source_profile="key", mfa_process=programs["declared"])
    world.role("second", source_profile="key")
    opened(world, "first", AWSDIRENV_MFA_PROCESS=programs["environment"])
    for profile in ("first", "second"):
        world.run("awsdirenv", "clear", "--all").check_returncode()
        opened(world, profile)
    assert asked(world) == list(names)


@pytest.mark.parametrize("place", ["environment", "envrc"])
def test_a_person_s_own_device(world: World, place: str) -> None:
    """AWS_MFA_SERIAL, of the shell or of .envrc, is the device that is proved, whatever a shared file says."""
    world.role("shared", mfa_serial=f"arn:aws:iam::{ACCOUNT}:mfa/somebody-else")
    env = {"AWSDIRENV_MFA_PROCESS": gives_codes(world)}
    line = f"export AWS_MFA_SERIAL={world.mfa_serial}\n" if place == "envrc" else ""
    env |= {} if line else {"AWS_MFA_SERIAL": world.mfa_serial}
    values = inside(world, world.project("shared", f"{line}use aws_profile shared\n"), **env)
    assert world.sts.keys[values["AWS_ACCESS_KEY_ID"]].role_arn.endswith(":role/shared")
    serials = [call.params["SerialNumber"] for call in world.sts.calls if "SerialNumber" in call.params]
    assert serials == [world.mfa_serial]


SHARED_SERIAL = f"arn:aws:iam::{ACCOUNT}:mfa/${{username}}"


def test_the_user_s_name_in_the_device(world: World) -> None:
    """`${username}` is whose key it is: STS is asked once for each key, and never again."""
    world.role("first", mfa_serial=SHARED_SERIAL)
    world.role("second", mfa_serial=SHARED_SERIAL)
    for profile in ("first", "second"):
        opened(world, profile, AWSDIRENV_MFA_PROCESS=gives_codes(world))
    assert world.sts.count("GetCallerIdentity") == 1
    assert [call.params.get("SerialNumber") for call in world.sts.calls if call.action == "GetSessionToken"] == [
        world.mfa_serial
    ]
    other = world.sts.add_user("other")
    text = world.credentials.read_text().replace(world.user.access_key_id, other.access_key_id)
    world.credentials.write_text(text.replace(world.user.secret_access_key, other.secret_access_key))
    world.sts.accept_code(other.mfa_serial, "654321")
    opened(world, "first", AWSDIRENV_MFA_PROCESS="echo 654321")
    assert world.sts.count("GetCallerIdentity") == 2


def test_the_name_of_somebody_who_is_no_user(world: World) -> None:
    """`${username}` behind credentials that are no IAM user's is an error that says what to write."""
    given = world.sts.issue_credentials(world.sts.add_role("stored"))
    with world.credentials.open("a") as file:
        names = {"aws_access_key_id": "AccessKeyId", "aws_secret_access_key": "SecretAccessKey"}
        names["aws_session_token"] = "SessionToken"
        file.write("\n".join(["[temporary]", *(f"{name} = {given[key]}" for name, key in names.items())]) + "\n")
    world.role("first", source_profile="temporary", mfa_serial=SHARED_SERIAL)
    message, hint = load_refused(world, "first", AWSDIRENV_MFA_PROCESS=gives_codes(world))
    assert "mfa_serial has ${username}, but the credentials are not those of an IAM user" in message
    assert hint == "write the name of the device into mfa_serial, or set AWS_MFA_SERIAL"


# Long-term keys, for what AWS refuses to sessions


def holders_of_the_key(world: World) -> list[Path]:
    """Give the files that the user's long-term secret is in."""
    secret = world.user.secret_access_key.encode()
    return [path for path in world.root.rglob("*") if path.is_file() and secret in path.read_bytes()]


@pytest.mark.parametrize("head", ["", "strict_env\n", "set -x\n"], ids=["plain", "strict", "traced"])
def test_no_session(world: World, head: str) -> None:
    """--no-session exports the user's own key and takes all else out, says so, and leaves it nowhere."""
    folder = world.project("base", f"{head}use aws_profile base --no-session\nexport REST_OF_ENVRC=loaded\n")
    for _ in range(2):
        changes, said = world.enter(folder, **OUTER)
        values = {name: value for name, value in {**OUTER, **changes}.items() if name in BLOCK and value is not None}
        assert values == {
            "AWS_ACCESS_KEY_ID": world.user.access_key_id,
            "AWS_SECRET_ACCESS_KEY": world.user.secret_access_key,
        }
        assert (changes["AWS_REGION"], changes["REST_OF_ENVRC"]) == (REGION, "loaded")
        assert f"awsdirenv: base: account unknown, {REGION}; long-term keys are in the environment\n" in said
        assert not any(sentinel in said for sentinel in SENTINELS)
        assert holders_of_the_key(world) == [world.credentials]
    assert not world.sts.calls


def test_leaving_long_term_keys(world: World) -> None:
    """On leaving, what was there before is there again, and the key is not."""
    folder = world.project("base", "use aws_profile base --no-session\n")
    values = inside(world, folder, **OUTER)
    outside, _ = world.enter(world.root, **values)
    left = {name: value for name, value in {**values, **outside}.items() if value is not None}
    assert {name: left[name] for name in OUTER} == OUTER
    assert world.user.secret_access_key not in left.values()


def test_no_session_of_a_declared_profile(world: World) -> None:
    """The profile may be the .env's; editing the .env is noticed."""
    folder = world.project("declared", "use aws_profile --no-session\n")
    (folder / ".env").write_text("AWS_PROFILE=base\n")
    values = inside(world, folder)
    assert (values["AWSDIRENV_PROFILE"], values["AWS_ACCESS_KEY_ID"]) == ("base", world.user.access_key_id)
    (folder / ".env").write_text("AWS_PROFILE=missing\n")
    assert "no profile missing in" in world.enter(folder)[1]
    assert "AWS_ACCESS_KEY_ID" not in world.enter(folder)[0]


def test_no_session_where_there_is_no_key(world: World) -> None:
    """A role, or a source that gives temporary credentials, has no long-term key to export: closed, with the remedy."""
    world.role("plain", mfa=False)
    assert refused(world, "use aws_profile plain --no-session") == (
        "profile plain assumes a role, which has no long-term keys",
        "use --no-session with the profile that has the keys: base",
    )
    world.sso_session()
    world.sso_profile("team")
    assert refused(world, "use aws_profile team --no-session") == (
        "profile team has no long-term keys, but temporary credentials",
        "leave --no-session out",
    )
    assert world.sts.count("AssumeRole") == 0


def test_no_session_from_a_program(world: World) -> None:
    """A program may give the key; it is asked each time, and what it gave is kept nowhere."""
    document = f'{{"Version": 1, "AccessKeyId": "{world.user.access_key_id}", "SecretAccessKey": "\'$SECRET\'"}}'
    world.profile("made", region=REGION, credential_process=world.program("give", f"echo '{document}'"))
    world.credentials.write_text("")
    folder = world.project("made", "use aws_profile made --no-session\n")
    values = inside(world, folder, SECRET=world.user.secret_access_key)
    assert values["AWS_SECRET_ACCESS_KEY"] == world.user.secret_access_key
    assert "AWS_SESSION_TOKEN" not in values
    assert holders_of_the_key(world) == []


def test_commands_without_a_session(world: World) -> None:
    """`awsdirenv export --no-session` prints the key, and no other command does so by itself afterwards."""
    done = world.run("awsdirenv", "export", "base", "--no-session")
    assert world.user.secret_access_key in done.stdout
    assert re.search(r"^unset .*\bAWS_SESSION_TOKEN\b", done.stdout, re.MULTILINE)
    assert holders_of_the_key(world) == [world.credentials]
    done = world.run("awsdirenv", "export", "base")
    assert done.returncode == 0
    assert world.user.secret_access_key not in done.stdout


@pytest.mark.parametrize("region", ["GRA", "US", "EU-WEST-1", "us-gov-west-1", "mars-north-1", "x"])
def test_a_region_of_another_cloud(world: World, region: str) -> None:
    """Whatever botocore takes for a region is one, and reaches the directory."""
    world.profile("plain", role_arn=world.sts.add_role("plain"), source_profile="base", region=region)
    changes, said = world.enter(world.project("plain"))
    assert changes.get("AWS_REGION") == region, said
