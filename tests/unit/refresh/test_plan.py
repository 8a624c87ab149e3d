"""What `awsdirenv explain` prints of the next load is what that load does, call by call, as STS records it."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone

import pytest

from awsdirenv.cache.sessions import prepare
from awsdirenv.config.aws_files import load_files, static_keys
from awsdirenv.refresh.plan import USERNAME
from awsdirenv.reports.explain.report import Explanation, text
from corpus import CASES, Case, Resolved
from desk import Desk
from world import REGION, World

HOUR = 3600  # seconds
STS_ACTIONS = ("GetSessionToken", "AssumeRole", "GetCallerIdentity")
SOURCE_ACTIONS = ("GetRoleCredentials", "AssumeRoleWithWebIdentity", "ContainerCredentials", "ImdsCredentials")
SOURCE_WORDS = {
    *("asks IAM Identity Center for credentials", "runs credential_process", "asks the container's endpoint"),
    *("calls AssumeRoleWithWebIdentity", "asks the EC2 instance's metadata service"),
    "looks for the role of the machine",
}
NOT_RECORDED = ("takes the credentials of aws login",)  # a file
NOTHING = ("nothing", "makes no call")
BY_PERSON, BY_COMMAND = "asks for an MFA code", "runs a command for a code"


@dataclass(frozen=True)
class Event:
    """One call. `role` and `seconds` are of sessions, `code` says who gave it, empty for a call without one."""

    action: str
    role: str = ""
    seconds: int = 0
    code: str = ""


SOURCE, IDENTITY = Event("source"), Event("GetCallerIdentity")


def foretold(desk: Desk, explained: Explanation) -> list[Event]:
    """Read the events from the text that a person sees."""
    assert explained.error is None, explained.error.message
    printed = text(explained, str(desk.world.home), datetime.now(timezone.utc)).splitlines()[-1]
    assert printed.startswith("next load: ")
    events, code = [], ""
    for words in printed.removeprefix("next load: ").split(", "):
        call = re.fullmatch(r"calls (\w+) \((\d+)\)", words)
        if call:
            hop = explained.hops[int(call[2]) - 1]
            assert hop.asks_for_code == (code == BY_PERSON)
            events.append(Event(call[1], hop.role_arn or "", hop.duration_seconds or 0, code))
            code = ""
        elif words in (BY_PERSON, BY_COMMAND):
            code = words
        elif words in SOURCE_WORDS:
            events.append(SOURCE)
        elif words == "calls GetCallerIdentity":
            events.append(IDENTITY)
        else:
            ends = ("keeps the credentials until ", *NOTHING)
            known = words.startswith(ends) or words in NOT_RECORDED or re.match(r"\d+h?\d*m? left", words)
            assert known or words.startswith("needs a sign-in: "), printed
    return events


def done(desk: Desk, seen: int, runs: int) -> tuple[list[Event], bool]:
    """Give what STS and the sources have recorded since `seen` calls, and whether one of them was refused."""
    calls = [call for call in desk.world.sts.calls[seen:] if call.action in STS_ACTIONS + SOURCE_ACTIONS]
    events = [SOURCE] * min(runs, 1)
    by_command = (desk.world.root / "codes").exists()
    for call in calls:
        if call.action in SOURCE_ACTIONS:
            events += [] if SOURCE in events else [SOURCE]
        elif call.action == "GetCallerIdentity":
            events.append(IDENTITY)
        else:
            code = (BY_COMMAND if by_command else BY_PERSON) if "TokenCode" in call.params else ""
            seconds = int(call.params.get("DurationSeconds", HOUR))
            events.append(Event(call.action, call.params.get("RoleArn", ""), seconds, code))
    return events, any(call.error_code for call in calls)


def keeps_its_word(desk: Desk, profile: str, duration: int | None, where: object) -> bool:
    """Compare what is foretold with what the load does; say whether that got credentials."""
    log = desk.world.root / "runs"
    seen, asked = len(desk.world.sts.calls), desk.asked
    runs = len(log.read_text().splitlines()) if log.exists() else 0
    explained = desk.explain(profile, duration)
    expected = foretold(desk, explained)
    assert len(desk.world.sts.calls) == seen, "explaining calls nobody"
    assert desk.asked == asked
    error = desk.load(profile, duration)
    now_runs = len(log.read_text().splitlines()) if log.exists() else 0
    events, was_refused = done(desk, seen, now_runs - runs)
    if len(explained.hops) == 1 and SOURCE in expected:  # it says itself whose credentials it gives, or STS is asked
        events = [event for event in events if event != IDENTITY]
    if error:
        assert was_refused, (where, error.message)
        assert events == expected[: len(events)], where
        assert events, where
    else:
        assert events == expected, where
    assert desk.asked - asked == sum(event.code == BY_PERSON for event in events), where
    assert sum(hop.asks_for_code for hop in explained.hops) >= desk.asked - asked, where
    return error is None


def forget(desk: Desk, *kinds: str) -> None:
    """Forget all snapshots, and the sessions and marks whose names begin so."""
    desk.forget_snapshots()
    for folder in (desk.paths.sessions, desk.paths.marks):
        for path in folder.iterdir():
            if path.name.startswith(kinds):
                path.unlink()


def in_all_states(desk: Desk, profile: str, duration: int | None, where: object) -> bool:
    """Go through what can be stored and how long it lives; say whether there were credentials at all."""
    if not with_and_without_sessions(desk, profile, duration, where):
        return False
    near_the_end(desk, profile, duration, where)
    return True


def with_and_without_sessions(desk: Desk, profile: str, duration: int | None, where: object) -> bool:
    """Go through what can be stored; say whether there were credentials at all."""
    if not keeps_its_word(desk, profile, duration, (where, "nothing stored")):
        return False
    keeps_its_word(desk, profile, duration, (where, "a snapshot"))
    after_the_first(desk, profile, duration, where)
    return True


def after_the_first(desk: Desk, profile: str, duration: int | None, where: object) -> None:
    """Go on with a profile that was loaded once, through what can be left of that."""
    forget(desk, "nothing")
    keeps_its_word(desk, profile, duration, (where, "every session"))
    forget(desk, "role", "source")
    keeps_its_word(desk, profile, duration, (where, "an MFA session"))
    names = {path: path.read_bytes() for path in desk.paths.marks.glob("user-*")}
    if names:
        forget(desk, "role", "source", "user")
        keeps_its_word(desk, profile, duration, (where, "an MFA session, and nobody knows whose the key is"))
    if (desk.world.root / "runs").exists():  # whose the key of a program is nobody knows offline
        for path, name in names.items():
            path.write_bytes(name)
            path.chmod(0o600)


def near_the_end(desk: Desk, profile: str, duration: int | None, where: object) -> None:
    """Go on where all is stored, and some of it is about to end."""
    desk.lives(600, "role", "source", "snapshot")
    keeps_its_word(desk, profile, duration, (where, "near the end"))
    if any(desk.paths.sessions.glob("mfa-*")):
        desk.lives(600, "role", "source", "snapshot")
        desk.lives(0, "mfa")
        keeps_its_word(desk, profile, duration, (where, "near the end without an MFA session"))
        forget(desk, "role", "source")
        keeps_its_word(desk, profile, duration, (where, "an MFA session that is over"))


# The files of the corpus


def is_for_sts(case: Case) -> bool:
    """Whether a double of STS is all that a load needs."""
    keys = isinstance(case.expected, Resolved) and case.expected.source in ("static", "stored-session", "environment")
    return keys and "ignore_configured_endpoint" not in f"{case.config}{case.environ}".lower()


LOADABLE = [case for case in CASES if is_for_sts(case)]
BATCH = 12  # cases in one world, which takes as long as they do


@pytest.mark.parametrize("first", range(0, len(LOADABLE), BATCH))
def test_the_corpus(desk: Desk, first: int) -> None:
    """Whatever people have in their files, a load does what was foretold."""
    environ, loaded = dict(desk.env), 0
    for case in LOADABLE[first : first + BATCH]:
        desk.env.clear()
        desk.env.update(environ)
        with desk.patch.context() as patch:
            (desk.world.root / "codes").unlink(missing_ok=True)
            loaded += of_the_corpus(replace(desk, patch=patch), case)
    assert loaded


def of_the_corpus(desk: Desk, case: Case) -> bool:
    """Write a case into the home, with its key and its device at STS, and load it; say whether there was something."""
    world, expected = desk.world, case.expected
    assert isinstance(expected, Resolved)
    desk.export({"AWS_ENDPOINT_URL_STS": world.sts.url, **case.environ})
    shutil.rmtree(world.cache)
    prepare(desk.paths)
    world.config.write_bytes(case.config.encode())
    world.credentials.write_bytes(case.credentials.encode())
    if expected.source == "environment":
        key_id, secret, token = desk.env["AWS_ACCESS_KEY_ID"], desk.env["AWS_SECRET_ACCESS_KEY"], None
    else:
        owners = (static_keys(load_files(desk.env), name) for name in load_files(desk.env).profiles)
        key_id, secret, token = next(keys for keys in owners if keys and keys[0] == expected.key)
    partition = expected.hops[0].split(":")[1] if expected.hops else "aws"
    world.sts.add_user("foo", access_key_id=key_id, secret=secret, partition=partition)
    known = world.sts.keys[key_id]
    known.token, known.mfa_serial = token or "", expected.mfa_serial or ""
    known.kind = "session" if token else "user"
    world.sts.lenient_roles = True
    serial = (expected.mfa_serial or "").replace(USERNAME, "foo")
    known.mfa_serial = serial
    if serial:
        world.user = replace(world.user, mfa_serial=serial)
    if "mfa_process" in case.config:
        desk.export({"AWSDIRENV_MFA_PROCESS": str(world.codes(12))})
    if desk.explain(case.profile).error:  # what is no region, a token that has ended
        assert desk.load(case.profile)
        return False
    # That lives end has to do with what is stored, and not with how the files say it: the chains below show it.
    return with_and_without_sessions(desk, case.profile, None, case.name)


# Every source with every chain behind it


@dataclass(frozen=True)
class Shape:
    """What stands behind a source: how many roles, whose line names the device, how long the last role lives."""

    roles: int
    device: str = ""  # of the "first" role, of the "last", of the "source"; "user": with ${username}
    life: int | None = None
    duration: int | None = None  # --duration
    by_command: bool = False


def shapes(*, has_keys: bool) -> Iterator[Shape]:
    """Give what makes sense behind a source, with keys of a user's or without."""
    devices = (("", "source", "user"), ("", "source", "first", "user"), ("", "source", "first", "last", "user"))
    lives = ((None, None), (None, 2 * HOUR), (2 * HOUR, None), (900, None))
    for roles, (life, duration) in itertools.product((0, 1, 2), lives):
        if (roles == 0 and life) or (roles == 2 and life == 900):
            continue
        for device in devices[roles]:
            # AWS knows no device of a role, so those who have one there get nothing, however long it would live.
            if has_keys or not device or not (life or duration):
                yield Shape(roles, device, life, duration)
            if has_keys and device and life is None:
                yield Shape(roles, device, life, duration, by_command=True)


@dataclass(frozen=True)
class Start:
    """A source: how it is made in a world, giving variables, and what a role's profile says of it."""

    make: Callable[[World], dict[str, str]]
    has_keys: bool = False
    named: str = ""  # credential_source


def _keys(world: World) -> dict[str, str]:
    return {"aws_access_key_id": world.user.access_key_id, "aws_secret_access_key": world.user.secret_access_key}


def in_credentials(world: World) -> dict[str, str]:
    """Keep keys in the credentials file."""
    lines = [f"{name} = {value}" for name, value in _keys(world).items()]
    world.credentials.write_text("\n".join(["[start]", *lines, ""]))
    world.profile("start", region=REGION)
    return {}


def as_variables(world: World) -> dict[str, str]:
    """Export keys."""
    world.profile("start", region=REGION)
    return {name.upper(): value for name, value in _keys(world).items()}


def stored_session(world: World) -> dict[str, str]:
    """Keep a session that another tool has stored."""
    given = world.sts.issue_credentials(world.sts.add_role("stored"))
    names = {"aws_access_key_id": "AccessKeyId", "aws_secret_access_key": "SecretAccessKey"}
    names["aws_session_token"] = "SessionToken"
    world.profile("start", **{name: given[key] for name, key in names.items()})
    return {}


def signed_in(world: World) -> dict[str, str]:
    """Be signed in to Identity Center."""
    world.sso_session()
    world.sso_profile("start")
    return {}


def signed_in_once(world: World) -> dict[str, str]:
    """Be signed in with an access token that has ended and a refresh token that has not."""
    world.sso_session(signed_in=False)
    path = world.sso_sign_in()
    path.write_text(json.dumps({**json.loads(path.read_text()), "expiresAt": "2020-01-01T00:00:00Z"}))
    world.sso_profile("start")
    return {}


def legacy_sign_in(world: World) -> dict[str, str]:
    """Be signed in by a start URL of the profile."""
    world.sso_profile("start", None)
    return {}


def aws_login(world: World) -> dict[str, str]:
    """Be logged in by `aws login`."""
    world.login_profile("start")
    return {}


def _program(world: World, given: dict[str, str]) -> dict[str, str]:
    document = world.root / "document.json"
    document.write_text(json.dumps({"Version": 1, **given}))
    program = world.program("give", f"echo run >>{world.root}/runs\nexec cat {document}")
    world.profile("start", credential_process=program)
    return {}


def program_with_session(world: World) -> dict[str, str]:
    """Have a program that prints a role's session."""
    return _program(world, world.sts.issue_credentials(world.sts.add_role("handed-out"), life=12 * HOUR))


def program_with_keys(world: World) -> dict[str, str]:
    """Have a program that prints long-term keys."""
    return _program(world, {"AccessKeyId": world.user.access_key_id, "SecretAccessKey": world.user.secret_access_key})


def web_identity(world: World) -> dict[str, str]:
    """Have a token in a file."""
    world.web_identity_profile("start")
    return {}


def in_a_container(world: World) -> dict[str, str]:
    """Be in a container with a role."""
    world.profile("start", region=REGION)
    return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": world.sts.container.uri}


def on_an_instance(world: World) -> dict[str, str]:
    """Be on an EC2 instance with a role."""
    world.profile("start", region=REGION)
    world.sts.imds.attach()
    endpoint = world.sts.imds.endpoint
    return {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint}


STARTS = (
    Start(in_credentials, has_keys=True),
    Start(as_variables, has_keys=True, named="Environment"),
    Start(program_with_keys, has_keys=True),
    *(Start(make) for make in (stored_session, signed_in, signed_in_once, legacy_sign_in, aws_login)),
    *(Start(make) for make in (program_with_session, web_identity)),
    Start(in_a_container, named="EcsContainer"),
    Start(on_an_instance, named="Ec2InstanceMetadata"),
)
CONFIGURATIONS = [(start, shape) for start in STARTS for shape in shapes(has_keys=start.has_keys)]


def test_there_are_enough_configurations() -> None:
    """At least three hundred are walked, and most of them have a role."""
    assert len(LOADABLE) > 100
    assert len(CONFIGURATIONS) >= 300
    assert sum(shape.roles > 0 for _, shape in CONFIGURATIONS) > 200


def write(desk: Desk, start: Start, shape: Shape) -> str:
    """Write the files of a configuration; give the profile at the end of its chain."""
    world = desk.world
    device = world.mfa_serial.replace(f"/{world.user.name}", f"/{USERNAME}") if shape.device == "user" else ""
    device = device or world.mfa_serial
    source = {"credential_source": start.named} if start.named and shape.roles else {"source_profile": "start"}
    names = ["first", "second"][: shape.roles]
    for name in names:
        arn = world.sts.add_role(name, max_duration=12 * HOUR)
        world.profile(name, role_arn=arn, region=REGION, **source)
        source = {"source_profile": name}
    last = names[-1] if names else "start"
    lines: dict[str, list[str]] = {}
    owner = {"source": "start", "first": "first", "last": last, "user": names[0] if names else "start"}
    if shape.device:
        lines.setdefault(owner[shape.device], []).append(f"mfa_serial = {device}")
    if shape.life:
        lines.setdefault(last, []).append(f"duration_seconds = {shape.life}")
    if shape.by_command:
        lines.setdefault(last, []).append(f"mfa_process = {world.codes(12)}")
    config = world.config.read_text()
    for name, added in lines.items():
        config = config.replace(f"[profile {name}]\n", f"[profile {name}]\n" + "".join(f"{line}\n" for line in added))
    world.config.write_text(config)
    return last


@pytest.mark.parametrize("roles", [0, 1, 2])
@pytest.mark.parametrize("start", STARTS, ids=lambda start: start.make.__name__)
def test_every_source_with_every_chain(desk: Desk, start: Start, roles: int) -> None:
    """In each state of the store a load does what was foretold, whatever the source and whatever stands behind it."""
    loaded = 0
    environ = dict(desk.env)
    for shape in shapes(has_keys=start.has_keys):
        if shape.roles != roles or (start.named == "Environment" and not roles):
            continue
        desk.env.clear()
        desk.env.update(environ)
        shutil.rmtree(desk.world.cache)
        prepare(desk.paths)
        (desk.world.root / "codes").unlink(missing_ok=True)
        desk.world.config.write_text("")
        with desk.patch.context() as patch:
            inside = replace(desk, patch=patch)
            inside.export(start.make(desk.world))
            loaded += in_the_states_of(inside, start, shape)
    assert loaded or (start.named == "Environment" and not roles)


def is_no_user(desk: Desk, profile: str) -> bool:
    """Check that nobody is called or asked for the device of a user where there is none."""
    for _ in range(2):  # of a program it is known when it has been run
        explained, seen = desk.explain(profile), len(desk.world.sts.calls)
        error = desk.load(profile)
        assert error
        assert USERNAME in error.message
        assert desk.asked == 0
        assert len(desk.world.sts.calls) == seen
    assert explained.error
    assert USERNAME in explained.error.message
    assert not any(hop.asks_for_code for hop in explained.hops)
    return False


def in_the_states_of(desk: Desk, start: Start, shape: Shape) -> bool:
    """Walk one configuration."""
    profile = write(desk, start, shape)
    if shape.device == "user" and not start.has_keys and shape.roles:
        return is_no_user(desk, profile)
    where = (start.make.__name__, shape)
    if start.make is program_with_keys:
        # Nobody can know offline that a program prints long-term keys, before there is a session that they began.
        assert desk.load(profile, shape.duration) is None
        if any(path.name.startswith("mfa-") for path in desk.paths.sessions.iterdir()):
            if shows_more(start, shape):
                after_the_first(desk, profile, shape.duration, where)
                near_the_end(desk, profile, shape.duration, where)
            else:
                keeps_its_word(desk, profile, shape.duration, (where, "a snapshot"))
                forget(desk, "role", "source")
                keeps_its_word(desk, profile, shape.duration, (where, "an MFA session"))
        return True
    if shows_more(start, shape):
        return in_all_states(desk, profile, shape.duration, where)
    return keeps_its_word(desk, profile, shape.duration, (where, "nothing stored"))


def shows_more(start: Start, shape: Shape) -> bool:
    """Say whether going on, to what can be stored, shows what no other configuration does.

    What is stored has to do with the shape, of which each is walked with keys in a file, and with the source, of which
    each is walked with each number of roles. It has nothing to do with who gives a code: a person or a command.
    """
    if start.make is in_credentials:
        return not shape.by_command or (shape.device == "source" and not shape.duration)
    if shape.life or shape.duration or shape.by_command:
        return False
    return shape.device in (("source", "user") if start.has_keys else ("",))
