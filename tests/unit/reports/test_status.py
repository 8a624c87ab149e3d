"""`awsdirenv status`: what is held and what runs, told truly, at nobody's cost, whatever lies in the cache."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from awsdirenv.cache.layout import CachePaths
from awsdirenv.system import files
from awsdirenv.system.lock import Locks
from desk import Desk
from measure import takes_at_most
from reports import KEYS, seconds, status, text
from sentinels import SENTINELS
from world import AT_ONCE, REGION, World

ACCOUNT = "123456789012"
HOUR = 3600  # seconds


def profile(world: World, name: str, **env: str) -> dict[str, Any]:
    """Give what is told of one profile."""
    (found,) = [entry for entry in status(world, **env)["profiles"] if entry["profile"] == name]
    return dict(found)


def line(world: World, words: str) -> str:
    """Give the place of a line in the config file."""
    return f"{world.config}:{world.config.read_text().splitlines().index(words) + 1}"


def test_nothing_is_held(world: World) -> None:
    """In a home without any cache it says so, has every key in its document, and makes no folder."""
    bare = world.root / "bare"
    bare.mkdir()
    env = {"HOME": str(bare)}
    assert world.run("awsdirenv", "status", **env).stdout == "no credentials are stored\n"  # type: ignore[arg-type]
    assert status(world, **env) == {"version": 1, **{key: [] for key in KEYS[1:]}}
    assert list(bare.iterdir()) == []


def test_a_role(world: World) -> None:
    """Of a profile with a role all is told: account, role, region with its line, stage, and how long it lasts."""
    arn = world.role("adminrole", region="eu-central-1", awsdirenv_stage="production")
    world.login("adminrole")
    now = time.time()
    found = profile(world, "adminrole")
    expiration, refresh_at = found.pop("expiration"), found.pop("refresh_at")
    assert 0 <= seconds(expiration) - now - found.pop("seconds_remaining") < 10
    assert seconds(expiration) - seconds(refresh_at) == 900
    assert seconds(expiration) == pytest.approx(now + HOUR, abs=10)
    assert found == {
        "profile": "adminrole",
        "account_id": ACCOUNT,
        "role_arn": arn,
        "region": "eu-central-1",
        "region_source": line(world, "region = eu-central-1"),
        "stage": "production",
        "state": "fresh",
    }
    (session,) = status(world)["mfa_sessions"]
    assert session["mfa_serial"] == world.mfa_serial
    assert session["seconds_remaining"] == pytest.approx(12 * HOUR, abs=10)
    assert seconds(session["expiration"]) == pytest.approx(now + 12 * HOUR, abs=10)
    assert text(world) == (
        "profile    account       role       region        region from      stage       time left\n"
        f"adminrole  {ACCOUNT}  adminrole  eu-central-1  ~/.aws/config:6  production  1h00m\n"
        "\n"
        "MFA session                        time left\n"
        f"{world.mfa_serial}  12h00m\n"
    )


def test_whose_role(world: World) -> None:
    """The role is the one that was assumed, whatever the files say by now; without its session, theirs if it fits."""
    arn = world.role("plain", mfa=False)
    world.run("awsdirenv", "load", "plain").check_returncode()
    before = world.config.read_text()
    for other in (arn.replace(ACCOUNT, "210987654321"), f"arn:aws:iam::{ACCOUNT}:role/other"):
        world.config.write_text(before.replace(arn, other))
        assert profile(world, "plain")["role_arn"] == arn
    (session,) = [path for path in (world.cache / "sessions").iterdir() if path.name.startswith("role-")]
    session.unlink()
    for other in (arn.replace(ACCOUNT, "210987654321"), f"arn:aws:iam::{ACCOUNT}:role/other"):
        world.config.write_text(before.replace(arn, other))
        assert profile(world, "plain")["role_arn"] is None
    world.config.write_text(before)
    assert profile(world, "plain")["role_arn"] == arn


def test_other_kinds_of_profiles(world: World) -> None:
    """Without a role in the files its ARN is unknown, and without an end, the end; a key's own session is no MFA's."""
    world.sso_session()
    world.sso_profile("dev")
    given = world.sts.issue_credentials(world.sts.add_role("pasted"))
    world.credentials.write_text(
        world.credentials.read_text() + f"[pasted]\naws_access_key_id = {given['AccessKeyId']}\n"
        f"aws_secret_access_key = {given['SecretAccessKey']}\naws_session_token = {given['SessionToken']}\n"
    )
    for name in ("dev", "pasted", "base"):
        world.run("awsdirenv", "load", name).check_returncode()
    dev, pasted, base = (profile(world, name) for name in ("dev", "pasted", "base"))
    assert (dev["account_id"], dev["role_arn"], dev["region"]) == (ACCOUNT, None, REGION)
    assert [pasted[key] for key in ("region", "region_source", "stage", "state")] == [None, None, None, "fresh"]
    assert [pasted[key] for key in ("expiration", "seconds_remaining", "refresh_at")] == [None, None, None]
    assert base["region_source"] == line(world, f"region = {REGION}")
    assert status(world)["mfa_sessions"] == []
    assert "end not known" in text(world)


def test_states(desk: Desk) -> None:
    """Fresh, due for renewal, over, or made from files that have changed: each is told, in the text too."""
    world = desk.world
    world.role("plain", mfa=False)
    assert desk.load("plain") is None
    for left, state, words in (
        (3000, "fresh", "50m"),
        (600, "due", "10m, due"),
        (19, "expired", "expired"),
        (-60, "expired", "expired"),
    ):
        desk.lives(left, "snapshot")
        found = profile(world, "plain")
        assert (found["state"], found["seconds_remaining"]) == (state, pytest.approx(max(left, 0), abs=15))
        assert text(world).splitlines()[1].endswith(words), left
    assert found["seconds_remaining"] == 0
    desk.lives(3000, "snapshot")
    world.profile("more")
    assert profile(world, "plain")["state"] == "outdated"
    assert text(world).splitlines()[1].endswith("outdated")
    world.config.unlink()
    assert profile(world, "plain")["state"] == "outdated"


def test_mfa_sessions_that_have_ended(desk: Desk) -> None:
    """An ended session of a device is told as ended, and not at all beside one that holds."""
    world = desk.world
    world.role("one")
    assert desk.load("one") is None
    desk.lives(-5, "mfa-")
    assert [session["seconds_remaining"] for session in status(world)["mfa_sessions"]] == [0]
    assert re.search(rf"^{world.mfa_serial}  ended$", text(world), re.MULTILINE)
    (old,) = [path for path in desk.paths.sessions.iterdir() if path.name.startswith("mfa-")]
    values = files.read_private(old) or {}
    files.write_private(old.with_name("mfa-other"), {**values, "EXPIRATION": str(int(time.time()) + HOUR)})
    assert [session["seconds_remaining"] > 0 for session in status(world)["mfa_sessions"]] == [True]


def test_where_the_region_comes_from(world: World) -> None:
    """It is what a directory gets: the environment's where it has one, else the profile's, be that from another one."""
    world.profile("common", region="eu-north-1", awsdirenv_stage="test")
    world.role("plain", mfa=False, include_profile="common", region="")
    world.config.write_text(world.config.read_text().replace("region = \n", ""))
    world.run("awsdirenv", "load", "plain").check_returncode()
    found = profile(world, "plain")
    assert (found["region"], found["region_source"]) == ("eu-north-1", line(world, "region = eu-north-1"))
    for env in ({"AWS_REGION": "us-east-1"}, {"AWS_DEFAULT_REGION": "us-east-1"}):
        found = profile(world, "plain", **env)
        assert (found["region"], found["region_source"]) == ("us-east-1", next(iter(env)))
    inside = {"AWS_REGION": "us-east-1", "AWSDIRENV_PROFILE": "other"}
    assert profile(world, "plain", **inside)["region"] == "eu-north-1"
    world.config.write_text(world.config.read_text().replace("eu-north-1", "eu-north-2"))
    found = profile(world, "plain")
    assert (found["region"], found["region_source"], found["state"]) == ("eu-north-1", None, "outdated")


def test_other_contexts(world: World) -> None:
    """What other directories hold is shown, too: of other files with their lines, and each wish for a life."""
    world.role("plain", mfa=False)
    other = world.root / "other config"
    other.write_text(world.config.read_text().replace(REGION, "ap-south-1") + "awsdirenv_stage = elsewhere\n")
    world.run("awsdirenv", "load", "plain").check_returncode()
    world.run("awsdirenv", "load", "plain", "--duration", "2h").check_returncode()
    world.run("awsdirenv", "load", "plain", AWS_CONFIG_FILE=str(other)).check_returncode()
    found = status(world)["profiles"]
    assert [entry["profile"] for entry in found] == ["plain"] * 3
    assert sorted((entry["region"], entry["stage"]) for entry in found if entry["stage"]) == [
        ("ap-south-1", "elsewhere")
    ]
    sources = [entry["region_source"].rpartition(":")[0] for entry in found]
    assert sorted(sources) == sorted([str(other), str(world.config), str(world.config)])
    assert sorted(entry["seconds_remaining"] // HOUR for entry in found) in ([0, 0, 1], [0, 0, 0])


def test_open_is_not_held(world: World) -> None:
    """Who has a lock file open and holds another lock, as one that waits in turn does, holds only that."""
    folder = world.cache / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with Locks(folder, timeout=1, on_wait=lambda *_: None).hold("role-held"), (folder / "role-open.lock").open("w"):
        assert [(lock["name"], lock["pid"]) for lock in status(world)["locks"]] == [("role-held", os.getpid())]


@pytest.mark.parametrize(
    "content", [b"[profile plain\n", b"a = b\n", b"\xff\xfe\x00", b"[profile plain]\nregion = \n", b""]
)
def test_files_of_aws_that_cannot_be_parsed(world: World, content: bytes) -> None:
    """Files that have become nonsense make what is held outdated, and no error."""
    world.role("plain", mfa=False)
    world.run("awsdirenv", "load", "plain").check_returncode()
    world.config.write_bytes(content)
    found = profile(world, "plain")
    assert [found[key] for key in ("state", "region", "region_source")] == ["outdated", REGION, None]
    assert found["account_id"] == ACCOUNT


def test_tells_no_secret(world: World) -> None:
    """No secret is in what it says."""
    world.role("adminrole")
    world.login("adminrole")
    said = text(world) + json.dumps(status(world))
    assert not any(sentinel in said for sentinel in SENTINELS)
    assert world.user.access_key_id not in said


def test_five_thousand_profiles(world: World) -> None:
    """Five thousand profiles in the config file and two hundred in the cache are looked through at once."""
    world.role("plain", mfa=False)
    with world.config.open("a", encoding="utf-8") as file:
        for number in range(5000):
            file.write(f"[profile p{number}]\nrole_arn = x\nsource_profile = base\nregion = r{number}\n")
    world.run("awsdirenv", "load", "plain").check_returncode()
    snapshots = CachePaths.from_environ(world.env).snapshots
    (made,) = snapshots.iterdir()
    values = files.read_private(made) or {}
    for number in range(200):
        files.write_private(
            snapshots / f"p{number}", {**values, "AWSDIRENV_PROFILE": f"p{number}", "AWS_REGION": f"r{number}"}
        )
    found: list[dict[str, Any]] = []
    assert takes_at_most(AT_ONCE, lambda: found.extend(status(world)["profiles"]))
    assert len(found) == 201
    assert all(Path(entry["region_source"].rpartition(":")[0]) == world.config for entry in found)
