"""`awsdirenv explain`: what it says beforehand is what the load then does, and it costs nobody anything."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session

from awsdirenv.cache.layout import snapshot_key
from awsdirenv.config.environment import SOURCE_VARIABLES
from awsdirenv.refresh.request import Request, looking
from awsdirenv.reports.explain.report import Explanation, document, explain, text
from awsdirenv.reports.explain.values import SHOWN_BY_KIND
from awsdirenv.session_credentials import from_epoch
from awsdirenv.system import files
from awsdirenv.system.lock import Locks
from corpus import CASES, Case, Refused
from desk import HOUR, Call, Desk
from sentinels import SENTINELS
from sources import ALONE, BEHIND, Make, function, process, process_with_keys, sso, stored_session
from world import HOSTILE, REGION, World, tree

HOP = ["profile", "kind", "role_arn", "asks_for_code", "duration_seconds", "capped_by", "cached_until", "values"]
KINDS = {
    *("static", "sso", "process", "web-identity", "login", "environment", "container", "instance-metadata", "attached"),
    *("mfa-session", "session", "assume-role"),
}
CALLS = {"mfa-session": "GetSessionToken", "session": "GetSessionToken", "assume-role": "AssumeRole"}

Asked = Callable[[], int] | None  # how often a source was asked


def test_variables_are_those_of_the_table() -> None:
    """What is shown of the environment leads to credentials, by the one table of such variables, or is a switch."""
    named = {name for names in SHOWN_BY_KIND.values() for name in names}
    assert named - {"AWS_EC2_METADATA_DISABLED", "AWS_LAMBDA_FUNCTION_NAME"} <= set(SOURCE_VARIABLES)


def foretold(explained: Explanation) -> list[Call]:
    """Give the calls that an explanation promises."""
    assert explained.next_load
    pairs = zip(explained.hops, explained.next_load.plan.steps, strict=True)
    return [
        (CALLS[hop.kind], hop.role_arn or "", hop.duration_seconds or 0, step.proves)
        for hop, step in pairs
        if step.is_called and hop.kind in CALLS
    ]


def keeps_its_word(desk: Desk, profile: str, asked: Asked = None, duration: int | None = None) -> None:
    """Check that what an explanation says is what the load does, and that afterwards there is nothing left to do."""
    desk.calls()
    sources, questions = asked and asked(), desk.asked
    before = desk.explain(profile, duration)
    assert before.next_load, before.error
    assert desk.calls() == [], "explaining calls nobody"
    assert (asked and asked(), desk.asked) == (sources, questions)
    failed = desk.load(profile, duration)
    assert failed is None, failed.message
    assert desk.calls() == foretold(before)
    assert desk.asked - questions == sum(hop.asks_for_code for hop in before.hops)
    if asked and before.hops[0].kind not in ("static", "environment", "login"):
        assert (asked() > (sources or 0)) == before.next_load.plan.steps[0].is_called


def is_settled(desk: Desk, profile: str, duration: int | None = None) -> None:
    """Check that the next load is said to do nothing, and until when: as the snapshot and the sessions have it."""
    explained = desk.explain(profile, duration)
    assert explained.next_load
    assert explained.next_load.is_fresh
    assert foretold(explained) == []
    assert not any(hop.asks_for_code for hop in explained.hops)
    ends = {from_epoch(int((files.read_private(path) or {})["EXPIRATION"])) for path in desk.paths.sessions.iterdir()}
    assert {hop.cached_until for hop in explained.hops[:-1] if hop.cached_until} <= ends
    last = explained.next_load.snapshot
    assert last
    assert explained.hops[-1].cached_until == last.credentials.expiration


def lives_through(desk: Desk, profile: str, asked: Asked = None, duration: int | None = None) -> None:
    """Go through all that time and people do to what is stored, with an explanation before each load."""
    keeps_its_word(desk, profile, asked, duration)
    is_settled(desk, profile, duration)
    desk.forget_snapshots()
    keeps_its_word(desk, profile, asked, duration)
    is_settled(desk, profile, duration)
    for seconds, kinds in (
        (600, ("role", "source", "snapshot")),  # to be renewed ahead
        (600, ("role", "source")),
        (600, ("source",)),
        (0, ("role", "snapshot")),
        (0, ("role", "source", "snapshot")),
        (600, ("mfa", "role", "source", "snapshot")),
        (0, ("mfa", "role", "source", "snapshot")),
    ):
        desk.lives(seconds, *kinds)
        keeps_its_word(desk, profile, asked, duration)
    desk.lives(600, "role", "snapshot")
    desk.lives(0, "mfa")  # a code is due, and nobody is asked while there is something that holds
    keeps_its_word(desk, profile, asked, duration)
    desk.forget_snapshots()
    keeps_its_word(desk, profile, asked, duration)


Roles = Callable[[World], str]


def user(world: World) -> str:
    """Have no role, and no device."""
    world.profile("me", source_profile="nowhere")
    with world.credentials.open("a") as file:
        keys = f"aws_access_key_id = {world.user.access_key_id}\naws_secret_access_key = {world.user.secret_access_key}"
        file.write(f"[me]\n{keys}\n")
    return "me"


def user_with_device(world: World) -> str:
    """Have no role, and a device."""
    return _with_line(world, user(world), "mfa_serial", world.mfa_serial)


def role(world: World) -> str:
    """Have a role behind a device."""
    world.role("one")
    return "one"


def open_role(world: World) -> str:
    """Have a role that wants no device."""
    world.role("one", mfa=False)
    return "one"


def long_role(world: World) -> str:
    """Have a role for two hours behind a device: the code goes with it."""
    world.role("one", duration_seconds=2 * HOUR)
    _longest(world, 2 * HOUR)
    return "one"


def long_open_role(world: World) -> str:
    """Have a role for two hours that wants no device."""
    world.role("one", mfa=False, duration_seconds=2 * HOUR)
    _longest(world, 2 * HOUR)
    return "one"


def roles_behind_roles(world: World) -> str:
    """Have three roles, the first and the last of which want two hours."""
    world.role("one", duration_seconds=2 * HOUR)
    world.role("two", mfa=False, source_profile="one")
    world.role("three", mfa=False, source_profile="two", duration_seconds=2 * HOUR)
    _longest(world, 2 * HOUR)
    return "three"


def open_roles(world: World) -> str:
    """Have two roles without a device, the first of which wants two hours."""
    world.role("one", mfa=False, duration_seconds=2 * HOUR)
    world.role("two", mfa=False, source_profile="one")
    _longest(world, 2 * HOUR)
    return "two"


def device_of_the_key(world: World) -> str:
    """Have the device named by the key's own profile, with ${username} in it."""
    world.role("one", mfa=False)
    return _with_line(world, "one", "mfa_serial", world.mfa_serial.replace("foo", "${username}"))


def command_for_codes(world: World) -> str:
    """Have a command that prints codes."""
    world.role("one", mfa_process=world.codes(20))
    return "one"


def included(world: World) -> str:
    """Have all of it from another profile."""
    world.role("team")
    world.profile("one", include_profile="team")
    return "one"


def _with_line(world: World, profile: str, key: str, value: str) -> str:
    text = world.config.read_text().replace(f"[profile {profile}]\n", f"[profile {profile}]\n{key} = {value}\n")
    world.config.write_text(text)
    return profile


def _longest(world: World, seconds: int) -> None:
    for known in world.sts.roles.values():
        known.max_duration = seconds


SHAPES = (
    *(user, user_with_device, role, open_role, long_role, long_open_role, roles_behind_roles, open_roles),
    *(device_of_the_key, command_for_codes, included),
)


@pytest.mark.parametrize("make", SHAPES, ids=lambda make: make.__name__)
def test_the_word_is_kept(desk: Desk, make: Roles) -> None:
    """Which calls are made, for how long, who is asked and what is stored: each load does what was said before it."""
    lives_through(desk, make(desk.world))


@pytest.mark.parametrize("make", [user, user_with_device, role, open_role], ids=lambda make: make.__name__)
def test_the_word_is_kept_with_a_duration(desk: Desk, make: Roles) -> None:
    """So it is with `--duration`."""
    profile = make(desk.world)
    _longest(desk.world, 2 * HOUR)
    lives_through(desk, profile, duration=2 * HOUR)


@pytest.mark.parametrize("make", ALONE, ids=lambda make: make.__name__)
def test_the_word_is_kept_for_a_source(desk: Desk, make: Make) -> None:
    """So it is for whatever gives credentials, alone."""
    source = make(desk.world)
    desk.export(source.env)
    _first(desk, make, "start")
    if make in (stored_session, function):
        keeps_its_word(desk, "start")  # nothing says when these end
    else:
        lives_through(desk, "start", source.asked)


@pytest.mark.parametrize("make", BEHIND, ids=lambda make: make.__name__)
def test_the_word_is_kept_behind_a_source(desk: Desk, make: Make) -> None:
    """So it is for roles behind it, which want more than they get."""
    source = make(desk.world)
    first = desk.world.sts.add_role("first", trusted=[source.arn], max_duration=2 * HOUR)
    desk.world.sts.add_role("second", trusted=[first])
    # Whether a program prints long-term keys nobody can know offline: then a role gets the hours that it wants.
    wanted = HOUR if make is process_with_keys else 2 * HOUR
    desk.world.profile("first", role_arn=first, duration_seconds=wanted, **source.settings)
    desk.world.profile("second", role_arn=first.replace("first", "second"), source_profile="first")
    desk.export(source.env)
    _first(desk, make, "first")
    lives_through(desk, "second", source.asked)
    keeps_its_word(desk, "first", source.asked)


def _first(desk: Desk, make: Make, profile: str) -> None:
    # With a session of its keys there is something to tell that it does.
    if make is process_with_keys:
        assert desk.load(profile) is None


def test_a_source_near_its_end_keeps_no_role_from_asking(desk: Desk) -> None:
    """Credentials of a source that still hold are no reason not to ask for the code that a role behind it wants."""
    process(desk.world)
    desk.world.role("one", source_profile="start")
    for number in (1, 2):
        assert [hop.asks_for_code for hop in desk.explain("one").hops] == [False, True]
        error = desk.load("one")
        assert error
        assert "MFA device" in error.message  # AWS knows no device of a role
        assert desk.asked == number
        desk.lives(600, "source")


def is_honest(explained: Explanation, env: Mapping[str, str], home: Path) -> None:
    """Check each place that is named: the line holds the key, the variable is set, the file is there; and no secret."""
    for hop in explained.hops:
        for name, value in [*hop.values.items(), *hop.unused.items()]:
            path, _, line = value.source.rpartition(":")
            if line.isdigit():
                said = Path(path).read_text(encoding="utf-8").split("\n")[int(line) - 1]
                key, rest = re.split("[=:]", said, maxsplit=1)
                assert key.strip().lower() == name
                assert value.value in (None, rest.strip()) or "${username}" in rest
            elif name == "sign_in":
                assert value.source.startswith(str(home / ".aws" / "sso" / "cache"))
            elif value.source not in ("default", "--duration"):
                assert value.value in (None, env[value.source])
    both = document(explained) + text(explained, str(home), datetime.now(timezone.utc))
    assert not any(sentinel in both for sentinel in SENTINELS)
    assert is_of_the_schema(json.loads(document(explained)))


def is_of_the_schema(whole: dict[str, Any]) -> bool:
    """Check a document against the one in the reference: these keys, in this order, with these types."""
    assert list(whole) == ["version", "profile", "region", "region_source", "hops"]
    assert whole["version"] == 1
    assert isinstance(whole["profile"], str)
    assert isinstance(whole["region"], str | None)
    assert (whole["region"] is None) == (whole["region_source"] is None)
    for hop in whole["hops"]:
        assert list(hop) == HOP
        assert hop["kind"] in KINDS
        assert isinstance(hop["asks_for_code"], bool)
        assert isinstance(hop["duration_seconds"], int | None)
        assert hop["capped_by"] in (None, "role chaining")
        assert hop["cached_until"] is None or re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", hop["cached_until"])
        assert hop["role_arn"] is None or hop["kind"] == "assume-role"
        for name, value in hop["values"].items():
            assert list(value) == ["value", "source"]
            assert isinstance(value["value"], str | None)
            assert value["value"] is None or name not in ("aws_secret_access_key", "aws_session_token", "mfa_process")
    return True


@pytest.mark.parametrize("make", SHAPES, ids=lambda make: make.__name__)
def test_honest_about_roles(desk: Desk, make: Roles) -> None:
    """Every place that is named is the right one, and nothing that is said is a secret."""
    profile = make(desk.world)
    is_honest(desk.explain(profile), desk.env, desk.world.home)
    assert desk.load(profile) is None
    is_honest(desk.explain(profile, 2 * HOUR), desk.env, desk.world.home)


@pytest.mark.parametrize("make", ALONE, ids=lambda make: make.__name__)
def test_honest_about_sources(desk: Desk, make: Make) -> None:
    """So it is for whatever gives credentials, alone."""
    desk.export(make(desk.world).env)
    is_honest(desk.explain("start"), desk.env, desk.world.home)


@pytest.mark.parametrize("make", BEHIND, ids=lambda make: make.__name__)
def test_honest_about_sources_of_roles(desk: Desk, make: Make) -> None:
    """And where a role takes it for its source."""
    source = make(desk.world)
    desk.export(source.env)
    desk.world.profile("first", role_arn="arn:aws:iam::123456789012:role/first", **source.settings)
    explained = desk.explain("first")
    assert explained.error is None
    is_honest(explained, desk.env, desk.world.home)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_honest_about_old_files(tmp_path: Path, case: Case) -> None:
    """Whatever people have in their files: roles and device are the expected ones, a refusal comes with its steps."""
    folder = tmp_path / ".aws"
    folder.mkdir()
    (folder / "config").write_bytes(case.config.encode())
    (folder / "credentials").write_bytes(case.credentials.encode())
    env = {"HOME": str(tmp_path), **case.environ}
    explained = explain(looking(Request(case.profile), env))
    for hop in explained.hops:
        for name, value in [*hop.values.items(), *hop.unused.items()]:
            in_file = value.source.startswith(str(folder)) and name != "sign_in"
            assert not in_file or re.search(r":\d+$", value.source)
    said = document(explained) + text(explained, str(tmp_path), datetime.now(timezone.utc))
    said += f"{explained.error and explained.error.message}"
    assert not any(sentinel in said for sentinel in SENTINELS)
    assert is_of_the_schema(json.loads(document(explained)))
    if isinstance(case.expected, Refused):
        assert explained.error
        return
    assert tuple(hop.role_arn for hop in explained.hops if hop.role_arn) == case.expected.hops
    devices = {hop.values["mfa_serial"].value for hop in explained.hops if "mfa_serial" in hop.values}
    if explained.error is None:  # seen further than the corpus does: what is no region, a token that has ended
        assert devices == ({case.expected.mfa_serial} if case.expected.mfa_serial else set())
        key = explained.hops[0].values.get("aws_access_key_id")
        assert case.expected.key in (None, key and key.value)


def printed(world: World, *words: str, status: int = 0, **env: str) -> str:
    """Run the command; give what it prints."""
    done = world.run("awsdirenv", "explain", *words, cwd=world.root, **env)
    assert done.returncode == status, done.stderr
    assert not any(sentinel in done.stdout + done.stderr for sentinel in SENTINELS)
    return done.stdout + done.stderr


def numbered(world: World, line: str) -> str:
    """Give the place of a line of the config file."""
    return f"{world.config}:{world.config.read_text().splitlines().index(line) + 1}"


def test_document(world: World) -> None:
    """The JSON document, word for word."""
    arn = world.role("one", duration_seconds=900, external_id="xy")
    session = {
        "profile": "base",
        "kind": "mfa-session",
        "role_arn": None,
        "asks_for_code": True,
        "duration_seconds": 43200,
        "capped_by": None,
        "cached_until": None,
        "values": {
            "duration_seconds": {"value": "43200", "source": "default"},
            "mfa_serial": {
                "value": world.mfa_serial,
                "source": numbered(world, f"mfa_serial = {world.mfa_serial}"),
            },
        },
    }
    key = {
        **session,
        "kind": "static",
        "asks_for_code": False,
        "duration_seconds": None,
        "values": {
            "aws_access_key_id": {"value": world.user.access_key_id, "source": f"{world.credentials}:2"},
            "aws_secret_access_key": {"value": None, "source": f"{world.credentials}:3"},
        },
    }
    role_hop = {
        **key,
        "profile": "one",
        "kind": "assume-role",
        "role_arn": arn,
        "duration_seconds": 900,
        "values": {
            "role_arn": {"value": arn, "source": numbered(world, f"role_arn = {arn}")},
            "source_profile": {"value": "base", "source": numbered(world, "source_profile = base")},
            "external_id": {"value": "xy", "source": numbered(world, "external_id = xy")},
            "role_session_name": {"value": "awsdirenv-session-TIME", "source": "default"},
            "duration_seconds": {"value": "900", "source": numbered(world, "duration_seconds = 900")},
            "region": {"value": "us-east-1", "source": "AWS_REGION"},
            "endpoint_url": {"value": world.sts.url, "source": "AWS_ENDPOINT_URL"},
        },
    }
    whole = json.loads(printed(world, "one", "--json", AWS_REGION="us-east-1"))
    assert whole == {
        "version": 1,
        "profile": "one",
        "region": "us-east-1",
        "region_source": "AWS_REGION",
        "hops": [key, session, role_hop],
    }


def test_for_people(world: World) -> None:
    """Block by block, in lines that make sense alone and fit 80 columns where the values do."""
    arn = world.role("one", duration_seconds=2 * HOUR, source_profile="two")
    other = world.role("two", sso_region="eu-north-1")
    world.login("two")
    before = printed(world, "one", "--duration", "90m")
    assert before.splitlines() == [
        f"one: region {REGION}  (~/.aws/config:6)",
        "",
        "1. access key, profile base",
        f"   aws_access_key_id      {world.user.access_key_id}  (~/.aws/credentials:2)",
        "   aws_secret_access_key  set, not shown  (~/.aws/credentials:3)",
        "",
        "2. GetSessionToken with an MFA code, profile base",
        "   duration_seconds  43200  (default)",
        f"   mfa_serial        {world.mfa_serial}  (~/.aws/config:13)",
        "   lifetime 12h",
        before.splitlines()[10],
        "   not used here:",
        f"     region  {REGION}  (~/.aws/config:2)",
        "",
        "3. AssumeRole, profile two",
        f"   role_arn           {other}  (~/.aws/config:10)",
        "   source_profile     base  (~/.aws/config:11)",
        "   role_session_name  awsdirenv-session-TIME  (default)",
        "   duration_seconds   3600  (default)",
        "   lifetime 1h",
        before.splitlines()[20],
        "   not used here:",
        "     sso_region  eu-north-1  (~/.aws/config:14)",
        f"     region      {REGION}  (~/.aws/config:12)",
        "",
        "4. AssumeRole, profile one",
        f"   role_arn           {arn}  (~/.aws/config:4)",
        "   source_profile     two  (~/.aws/config:5)",
        "   role_session_name  awsdirenv-session-TIME  (default)",
        "   duration_seconds   5400  (--duration)",
        f"   region             {REGION}  (~/.aws/config:6)",
        f"   endpoint_url       {world.sts.url}  (AWS_ENDPOINT_URL)",
        "   lifetime 1h, limited by role chaining",
        "   not cached",
        "   not used here:",
        "     duration_seconds  7200  (~/.aws/config:8)",
        f"     mfa_serial        {world.mfa_serial}  (~/.aws/config:7)",
        "",
        "next load: calls AssumeRole (4)",
    ]
    assert re.fullmatch(r"   cached until (\d{4}-\d\d-\d\d )?\d\d:\d\d, (12h00m|11h59m) left", before.splitlines()[10])
    assert re.fullmatch(r"   cached until (\d{4}-\d\d-\d\d )?\d\d:\d\d, (1h00m|59m) left", before.splitlines()[20])
    assert printed(world, "two").splitlines()[-1].startswith("next load: nothing: valid until ")


def said_next(world: World, profile: str, **env: str) -> str:
    """Give the last line."""
    return printed(world, profile, status=0, **env).splitlines()[-1].removeprefix("next load: ")


def test_the_next_load(desk: Desk) -> None:
    """One line says what a load does now, whoever is asked for what."""
    world = desk.world
    world.role("one")
    world.role("plain", mfa=False)
    assert said_next(world, "one") == "asks for an MFA code, calls GetSessionToken (2), calls AssumeRole (3)"
    assert said_next(world, "plain") == "calls AssumeRole (2)"
    by_command = said_next(world, "one", AWSDIRENV_MFA_PROCESS=f"touch {world.root}/ran")
    assert by_command == "runs a command for a code, calls GetSessionToken (2), calls AssumeRole (3)"
    assert not (world.root / "ran").exists()
    assert desk.load("one") is None
    assert said_next(world, "one").startswith("nothing: valid until ")
    desk.forget_snapshots()
    assert said_next(world, "one") == "makes no call: everything is stored"
    desk.lives(600, "role")
    assert said_next(world, "one") == "calls AssumeRole (3)"
    desk.lives(0, "mfa")
    assert re.fullmatch(
        r"keeps the credentials until [\d: -]+, 10m left; new ones need an MFA code", said_next(world, "one")
    )


def test_the_next_load_of_others(desk: Desk) -> None:
    """Programs, sign-ins and machines are named; a session that another tool has stored holds as long as its file."""
    world = desk.world
    process(world)
    world.sso_session(signed_in=False)
    world.sso_profile("dev")
    world.profile("pod")
    world.web_identity_profile("web")
    assert said_next(world, "start") == "runs credential_process"
    assert not (world.root / "runs").exists()
    assert said_next(world, "dev") == "needs a sign-in: awsdirenv login dev"
    world.sso_sign_in()
    assert said_next(world, "dev") == "asks IAM Identity Center for credentials"
    assert said_next(world, "pod") == "looks for the role of the machine"
    assert said_next(world, "web") == "calls AssumeRoleWithWebIdentity"
    with world.credentials.open("a") as file:
        given = world.sts.issue_credentials(world.sts.add_role("stored"))
        file.write(f"[kept]\naws_access_key_id = {given['AccessKeyId']}\n")
        file.write(f"aws_secret_access_key = {given['SecretAccessKey']}\naws_session_token = {given['SessionToken']}\n")
    assert said_next(world, "kept") == "calls GetCallerIdentity"
    assert desk.load("kept") is None
    assert said_next(world, "kept") == "nothing: valid until AWS's files change"


def sign_in_of(world: World, profile: str) -> tuple[dict[str, str], str]:
    """Give what is said of a sign-in, to programs and to people."""
    whole = json.loads(printed(world, profile, "--json"))
    line = next(line for line in printed(world, profile).splitlines() if line.lstrip().startswith("sign_in"))
    return whole["hops"][0]["values"]["sign_in"], re.sub(r"^ +sign_in +", "", line)


def test_sign_in(world: World) -> None:
    """An SSO step tells until when the sign-in holds; when it is over, how to sign in again."""
    world.sso_session(signed_in=False)
    world.sso_profile("dev")
    value, line = sign_in_of(world, "dev")
    assert value["value"] is None
    assert line == "none; awsdirenv login dev"
    path = world.sso_sign_in(life=HOUR)
    value, line = sign_in_of(world, "dev")
    assert value == {"value": json.loads(path.read_text())["expiresAt"], "source": str(path)}
    assert re.match(r"until [\d: -]+, (1h00m|59m) left", line)
    token = {**json.loads(path.read_text()), "expiresAt": "2020-01-01T00:00:00Z"}
    path.write_text(json.dumps(token))
    assert sign_in_of(world, "dev")[1].startswith("ended; the next load refreshes it")
    path.write_text(json.dumps({**token, "refreshToken": None}))
    value, line = sign_in_of(world, "dev")
    assert value["value"] == "2020-01-01T00:00:00Z"
    assert line.startswith("ended; awsdirenv login dev")


def test_a_sign_in_that_never_was(desk: Desk) -> None:
    """Without a sign-in the load fails before the roles are assumed; nobody is said to be asked for a code."""
    sso(desk.world)
    desk.world.role("one", source_profile="start")
    for path in (desk.world.home / ".aws" / "sso" / "cache").iterdir():
        path.unlink()
    explained = desk.explain("one")
    assert [hop.asks_for_code for hop in explained.hops] == [False, False]
    assert foretold(explained) == []
    assert "nobody has signed in" in str(desk.load("one"))
    assert desk.calls() == []


@pytest.mark.parametrize("wide", [True, False])
def test_sources_are_written_below_wide_values(world: World, *, wide: bool) -> None:
    """Where a line would be wider than 80 columns the place goes below the value."""
    name = "r" * (60 if wide else 3)
    arn = world.role(name, mfa=False)
    lines = printed(world, name).splitlines()
    at = next(i for i, line in enumerate(lines) if arn in line)
    place = f"(~/.aws/config:{world.config.read_text().splitlines().index(f'role_arn = {arn}') + 1})"
    assert lines[at : at + 2][wide].endswith(f"  {place}")
    assert max(map(len, lines)) <= 80 or wide


def test_errors_come_after_the_steps(world: World) -> None:
    """What is wrong in the files is said after the steps up to it, with its hint; nothing is promised then."""
    world.role("two", source_profile="base")
    world.profile("work", role_arn="arn:aws:iam::123456789012:role/x", source_profile="two", duration_seconds=60)
    lines = printed(world, "work", status=1).splitlines()
    assert [line for line in lines if re.match(r"\d\.", line)] == [
        "1. access key, profile base",
        "2. AssumeRole, profile two",
        "3. AssumeRole, profile work",
    ]
    assert lines[-2:] == [
        "awsdirenv: error: profile work has a duration_seconds out of range: 60",
        f"awsdirenv: hint: set duration_seconds in [profile work] of {world.config} between 900 (15m) and 43200 (12h)",
    ]
    assert "not cached" not in "".join(lines)
    assert "next load" not in "".join(lines)
    done = world.run("awsdirenv", "explain", "work", "--json")
    assert (done.returncode, done.stderr) == (1, "\n".join(lines[-2:]) + "\n")
    assert is_of_the_schema(json.loads(done.stdout))
    assert [hop["kind"] for hop in json.loads(done.stdout)["hops"]] == ["static", "assume-role", "assume-role"]


def test_a_loop(world: World) -> None:
    """A loop is shown once around."""
    for name, source in (("a", "b"), ("b", "c"), ("c", "b")):
        world.profile(name, role_arn="arn:aws:iam::123456789012:role/x", source_profile=source)
    lines = printed(world, "a", status=1).splitlines()
    assert [line for line in lines if re.match(r"\d\.", line)] == [
        f"{number}. AssumeRole, profile {name}" for number, name in enumerate("cba", start=1)
    ]
    assert lines[-2] == "awsdirenv: error: profile c closes a loop: a -> b -> c -> b"


@pytest.mark.parametrize("words", [("nobody",), ("nobody", "--json"), ("base", "--json"), ("base",)])
def test_no_step_at_all(world: World, words: tuple[str, ...]) -> None:
    """A profile that is not there, and files that cannot be parsed, have no steps: an empty document, or no text."""
    if words[0] == "base":
        world.config.write_text("[profile base]\nregion\n")
    done = world.run("awsdirenv", "explain", *words)
    assert done.returncode == 1
    assert re.fullmatch(r"awsdirenv: error: .+\nawsdirenv: hint: .+\n", done.stderr)
    if "--json" in words:
        assert is_of_the_schema(json.loads(done.stdout))
        assert json.loads(done.stdout)["hops"] == []
    else:
        assert done.stdout == ""


SOUND = "sso_account_id = 1\nsso_role_name = r\nsso_start_url = https://x\nsso_region = eu-west-1\n"
UNSOUND = {
    "sso-session": (
        "sso_session = gone\nsso_account_id = 1\n",
        "profile p names an sso_session that does not exist: gone",
        "add [sso-session gone] to {config}",
    ),
    "sso-key": (
        SOUND.replace("sso_region", "region"),
        "profile p is of IAM Identity Center and has no sso_region",
        "add sso_region to [profile p] of {config}",
    ),
    "sso-key-of-the-session": (
        "sso_session = s\nsso_account_id = 1\nsso_role_name = r\n[sso-session s]\nsso_start_url = https://x\n",
        "profile p is of IAM Identity Center and has no sso_region",
        "add sso_region to [sso-session s]",
    ),
    "sso-differs": (
        f"sso_session = s\n{SOUND}[sso-session s]\nsso_start_url = https://y\nsso_region = eu-west-1\n",
        "profile p and its sso_session s differ in sso_start_url",
        "remove sso_start_url from [profile p] of {config}",
    ),
    "half-a-key": (
        "aws_access_key_id = AKIDTEST1\n",
        "profile p has half a key: no aws_secret_access_key",
        "add aws_secret_access_key to [profile p] in {config}",
    ),
    "web-identity": (
        "web_identity_token_file = /x\n",
        "profile p has web_identity_token_file and no role_arn",
        "add role_arn to [profile p] of {config}",
    ),
    "process": (
        "credential_process = x\n  aws_secret_access_key = SENTINEL-SECRET-1\n",
        "profile p has a setting within credential_process",
        "remove the spaces at the start of the line below credential_process: they make it part of the command",
    ),
    "environment": (
        "role_arn = arn:aws:iam::123456789012:role/x\ncredential_source = Environment\n",
        "profile p has credential_source = Environment, and there are none here",
        "change credential_source in [profile p] of {config}, or go where it works",
    ),
    "nothing": (
        "role_arn = arn:aws:iam::123456789012:role/x\nsource_profile = q\n[profile q]\nregion = eu-west-1\n",
        "profile q has no credentials, on the way to p",
        "add aws_access_key_id and aws_secret_access_key to [q] in {credentials}",
    ),
}


@pytest.mark.parametrize("case", UNSOUND)
def test_what_a_load_would_stumble_over(world: World, case: str) -> None:
    """What cannot work is found without a call, and a load of it fails, too."""
    body, message, hint = UNSOUND[case]
    world.config.write_text(f"[profile p]\n{body}")
    said = printed(world, "p", status=1).splitlines()
    hint = hint.format(config=world.config, credentials=world.credentials)
    assert said[-2:] == [f"awsdirenv: error: {message}", f"awsdirenv: hint: {hint}"]
    assert said[2].startswith("1. ")
    assert world.sts.count("*") == 0
    assert world.run("awsdirenv", "load", "p").returncode != 0


def test_other_half_of_a_key(world: World) -> None:
    """An empty id is as good as none, and the file that has the pair is named."""
    world.credentials.write_text("[base]\naws_access_key_id =\naws_secret_access_key = SENTINEL-SECRET-1\n")
    assert printed(world, "base", status=1).splitlines()[-2:] == [
        "awsdirenv: error: profile base has half a key: no aws_access_key_id",
        f"awsdirenv: hint: add aws_access_key_id to [base] in {world.credentials}",
    ]


def test_secrets_on_wrong_lines(world: World) -> None:
    """A secret where an id belongs, a password in an address, a seed in a command, a key swallowed by an indent."""
    secret = world.user.secret_access_key
    world.credentials.write_text(f"[base]\naws_access_key_id = {secret}\naws_secret_access_key = {secret}\n")
    world.profile("p", source_profile="base", role_arn="arn:aws:iam::123456789012:role/x", mfa_process=f"x {secret}")
    world.profile("q", credential_process=f"x {secret}", mfa_serial="arn:aws:iam::123456789012:mfa/x")
    world.profile("r", region=f"eu-west-1\n  aws_secret_access_key = {secret}", endpoint_url="http://u:hidden@x/")
    endpoints = {"AWS_ENDPOINT_URL": "http://u:hidden@127.0.0.1:9/"}
    for profile in ("base", "p", "q", "r"):
        for words in ((), ("--json",)):
            done = world.run("awsdirenv", "explain", profile, *words, cwd=world.root, **endpoints)
            assert not any(sentinel in done.stdout + done.stderr for sentinel in (*SENTINELS, "hidden"))
            assert done.stdout


def test_nothing_steers_the_terminal(world: World) -> None:
    """Names and values that hold commands for terminals are made harmless, for people and in JSON."""
    world.profile(f'"a{HOSTILE}"', role_arn=f"arn:{HOSTILE}", source_profile="b", external_id=HOSTILE)
    world.profile("b", role_arn="arn:aws:iam::123456789012:role/x", source_profile=f"a{HOSTILE}", mfa_serial=HOSTILE)
    world.profile("c", role_arn=f"arn:aws:iam::123456789012:role/{HOSTILE}", source_profile="base", region=HOSTILE)
    for profile in ("b", "c"):
        for words in ((), ("--json",)):
            done = world.run("awsdirenv", "explain", profile, *words)
            said = done.stdout + done.stderr
            assert done.returncode == 1
            assert all(char.isprintable() or char == "\n" for char in said), said
            assert "]0;pwned" in said


def test_names(world: World) -> None:
    """Profiles with spaces and quotes are explained as any other, and commands for them are ready to paste."""
    world.sso_session(signed_in=False)
    world.sso_profile('"a b\'s"')
    assert said_next(world, "a b's") == """needs a sign-in: awsdirenv login 'a b'"'"'s'"""


def test_the_directory_decides(world: World) -> None:
    """Without a PROFILE it is the one of the directory; the region that we exported there is not taken for a wish."""
    world.role("one", mfa=False)
    inside = {"AWSDIRENV_PROFILE": "one", "AWS_REGION": "us-east-1"}
    assert printed(world, status=0, **inside).splitlines()[0] == f"one: region {REGION}  (~/.aws/config:6)"
    assert printed(world, AWS_PROFILE="one", AWS_DEFAULT_REGION="us-east-1").splitlines()[0] == (
        "one: region us-east-1  (AWS_DEFAULT_REGION)"
    )
    world.profile("bare")
    assert printed(world, "bare").splitlines()[0] == "bare: no region"


def test_settings_and_variables_are_named(world: World) -> None:
    """What the environment decides is given with the variable's name, from a `.env` too."""
    world.role("one")
    env = {"AWS_MFA_SERIAL": "GAHT12345678", "AWSDIRENV_MFA_SESSION_DURATION": "1h", "AWSDIRENV_MFA_PROCESS": "false"}
    env |= {"AWS_STS_REGIONAL_ENDPOINTS": "legacy", "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9"}
    whole = json.loads(printed(world, "one", "--json", status=0, **env))
    assert whole["hops"][1]["values"] == {
        "duration_seconds": {"value": "3600", "source": "AWSDIRENV_MFA_SESSION_DURATION"},
        "mfa_serial": {"value": "GAHT12345678", "source": "AWS_MFA_SERIAL"},
        "mfa_process": {"value": None, "source": "AWSDIRENV_MFA_PROCESS"},
    }
    last = whole["hops"][2]["values"]
    assert last["sts_regional_endpoints"] == {"value": "legacy", "source": "AWS_STS_REGIONAL_ENDPOINTS"}
    assert last["endpoint_url"] == {"value": "http://127.0.0.1:9", "source": "AWS_ENDPOINT_URL_STS"}
    folder = world.root / "d"
    folder.mkdir()
    (folder / ".env").write_text("AWSDIRENV_MFA_SESSION_DURATION=2h\n")
    inside = json.loads(printed(world, "one", "--json", AWSDIRENV_LOADED=f"1 {folder}"))
    assert inside["hops"][1]["values"]["duration_seconds"] == {
        "value": "7200",
        "source": "AWSDIRENV_MFA_SESSION_DURATION",
    }


def test_endpoints_of_the_files(world: World) -> None:
    """A services section comes before the profile's own endpoint_url, and neither counts where they are ignored."""
    world.role("one", mfa=False, services="s", endpoint_url="http://profile")
    with world.config.open("a") as file:
        file.write("[services s]\nsts =\n  endpoint_url = http://services\n")
    env = {"AWS_ENDPOINT_URL": ""}
    values = json.loads(printed(world, "one", "--json", status=0, **env))["hops"][-1]["values"]
    assert values["endpoint_url"] == {
        "value": "http://services",
        "source": numbered(world, "  endpoint_url = http://services"),
    }
    assert values["services"] == {"value": "s", "source": numbered(world, "services = s")}
    ignored = printed(world, "one", "--json", status=0, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true", **env)
    assert "endpoint_url" not in json.loads(ignored)["hops"][-1]["values"]
    world.config.write_text(world.config.read_text().replace("services = s\n", ""))
    values = json.loads(printed(world, "one", "--json", status=0, **env))["hops"][-1]["values"]
    assert values["endpoint_url"]["value"] == "http://profile"


IGNORED = (("", ""), ("", "true"), ("true", ""), ("true", "false"), ("false", "true"))


@pytest.mark.parametrize(("in_config", "variable"), IGNORED)
def test_the_endpoint_is_the_one_that_botocore_takes(desk: Desk, in_config: str, variable: str) -> None:
    """Whichever settings there are, what is shown is where a client of botocore's would go."""
    settings = ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL", "services", "endpoint_url")
    for number in range(2 ** len(settings)):
        present = {
            name: f"http://{name.lower().replace('_', '-')}" for bit, name in enumerate(settings) if number >> bit & 1
        }
        for name in settings[:2]:
            desk.export({name: present.get(name, "")})
        if variable:
            desk.export({"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": variable})
        lines = ["[profile start]", f"ignore_configured_endpoint_urls = {in_config}"]
        lines += [f"endpoint_url = {present['endpoint_url']}"] if "endpoint_url" in present else []
        lines += ["services = s", "[services s]", "sts =", "  endpoint_url = http://services"] * ("services" in present)
        desk.world.config.write_text("\n".join([*lines, ""]))
        desk.world.credentials.write_text("[start]\naws_access_key_id = A\naws_secret_access_key = b\n")
        shown = desk.explain("start").hops[-1].values.get("endpoint_url")
        client: Any = Session(profile="start").create_client("sts", region_name=REGION)
        url = str(client.meta.endpoint_url)
        assert (shown and shown.value) == (url if url.startswith("http://") else None), (present, url)


def test_only_the_pair_takes_part(world: World) -> None:
    """Keys are those of one file: a token in the other one is not used, and said so."""
    _with_line(world, "base", "aws_session_token", "SENTINEL-TOKEN-1")
    whole = json.loads(printed(world, "base", "--json"))
    assert [hop["kind"] for hop in whole["hops"]] == ["static", "session"]
    assert set(whole["hops"][0]["values"]) == {"aws_access_key_id", "aws_secret_access_key"}
    assert "     aws_session_token  set, not shown  (~/.aws/config:2)" in printed(world, "base")


def test_costs_nobody_anything(desk: Desk) -> None:
    """It writes nothing, runs no program, waits for no lock, asks nobody, and calls nobody."""
    world = desk.world
    program = world.program("touch", f"touch {world.root}/ran; echo 123456")
    world.profile("start", credential_process=program, mfa_process=program)
    world.role("one", source_profile="start", mfa_process=program)
    before = tree(world.root)
    printed(world, "one")
    printed(world, "one", "--json")
    assert tree(world.root) == before
    world.role("two")
    assert desk.load("two") is None
    world.sts.reset()
    locks = Locks(desk.paths.locks, timeout=1, on_wait=lambda *_: None)
    before = tree(world.root)
    with locks.hold(f"snapshot-{snapshot_key('two', world.env)}"):
        locked = set(desk.paths.locks.iterdir())
        printed(world, "two")
    assert set(tree(world.root)) == set(before) | locked
    assert world.sts.count("*") == 0
    assert not (world.root / "ran").exists()


@pytest.mark.parametrize("owner", ["one", "base", "two", "variable"])
def test_the_device_that_counts(world: World, owner: str) -> None:
    """Of several devices the one that is proved is shown, where it comes from, and the others as not used."""
    order = ("variable", "one", "base", "two")
    named = order[order.index(owner) :]
    world.role("one", mfa=False)
    world.role("two", mfa=False, source_profile="one")
    for profile in named[named[0] == "variable" :]:
        _with_line(world, profile, "mfa_serial", f"arn:aws:iam::123456789012:mfa/{profile}")
    env = {"AWS_MFA_SERIAL": "arn:aws:iam::123456789012:mfa/variable"} if owner == "variable" else {}
    whole = json.loads(printed(world, "two", "--json", status=0, **env))
    value = whole["hops"][1]["values"]["mfa_serial"]
    assert value["value"] == f"arn:aws:iam::123456789012:mfa/{owner}"
    assert value["source"] == (numbered(world, f"mfa_serial = {value['value']}") if not env else "AWS_MFA_SERIAL")
    assert [hop["asks_for_code"] for hop in whole["hops"]] == [False, True, False, False]
    shown = re.findall(
        r"(     )?mfa_serial +arn:aws:iam::123456789012:mfa/(\w+)", printed(world, "two", status=0, **env)
    )
    assert {name for unused, name in shown if not unused} == {owner}
    assert {name for _, name in shown} == set(named)
