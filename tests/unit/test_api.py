"""`awsdirenv.credentials`, `session` and `credential_provider`: what a Python program gets, and what it is spared."""

from __future__ import annotations

import gc
import json
import logging
import os
import shutil
import signal
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import botocore.session
import pytest

import awsdirenv
from awsdirenv.cache import snapshots
from awsdirenv.cache.layout import CachePaths, snapshot_key
from awsdirenv.errors import CredentialProcessError, NetworkError, PersonNeededError, ProfileNotFoundError, SettingError
from awsdirenv.records import replace
from awsdirenv.system.lock import Locks
from strict_sts import SECRET_PREFIX, TOKEN_PREFIX
from world import REGION, World, wait_for


@pytest.fixture
def here(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Put this very process into the world: its environment, and a folder of it. `plain` is a role without a code."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in world.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(world.root)
    world.role("plain", mfa=False)
    return world


def session_of(*words: str | None, **options: Any) -> Any:
    """Make a session; boto3 has no types, and mypy would say so at each call."""
    return awsdirenv.session(*words, **options)


def role_of(world: World, access_key_id: str) -> str:
    """Give the name of the role that a key is of, as STS knows it."""
    return world.sts.keys[access_key_id].role_arn.rpartition("/")[2]


def caller(client: Any) -> str:
    """Give the role that a client of STS calls as."""
    return str(client.get_caller_identity()["Arn"]).split("/")[1]


def paste(world: World, name: str) -> str:
    """Add a profile with a stored session whose end nobody knows; give its access key id."""
    key = world.sts.issue_credentials(world.sts.add_role(name))
    with world.credentials.open("a", encoding="utf-8") as file:
        file.write(f"[{name}]\naws_access_key_id = {key['AccessKeyId']}\nregion = {REGION}\n")
        file.write(f"aws_secret_access_key = {key['SecretAccessKey']}\naws_session_token = {key['SessionToken']}\n")
    return key["AccessKeyId"]


def test_what_is_exported() -> None:
    """What the package offers stands in `__all__`, and each function explains itself with an example."""
    assert awsdirenv.__all__ == sorted(awsdirenv.__all__)
    for name in ("credentials", "session", "credential_provider"):
        assert "awsdirenv." in (getattr(awsdirenv, name).__doc__ or "")


def test_credentials(here: World) -> None:
    """They are STS's, with an aware end in UTC, frozen, and their repr shows no secret."""
    found = awsdirenv.credentials("plain")
    key = here.sts.keys[found.access_key_id]
    assert (found.secret_access_key, found.session_token, found.account_id) == (key.secret, key.token, "123456789012")
    assert found.expiration
    assert found.expiration.utcoffset() == timedelta(0)
    assert timedelta(minutes=58) < found.expiration - datetime.now(timezone.utc) <= timedelta(hours=1)
    assert SECRET_PREFIX not in repr(found)
    assert TOKEN_PREFIX not in repr(found)
    with pytest.raises(AttributeError):
        found.access_key_id = "other"  # type: ignore[misc]
    assert awsdirenv.credentials("plain").access_key_id == found.access_key_id
    assert here.sts.count("*") == 1


def test_which_profile(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name it is the profile of the directory, of the nearest .env, of the environment, or `default`."""
    for name in ("other", "third", "default"):
        here.role(name, mfa=False)

    def held() -> str:
        return role_of(here, awsdirenv.credentials().access_key_id)

    assert held() == "default"
    monkeypatch.setenv("AWS_PROFILE", "other")
    assert held() == "other"
    (here.root / ".env").write_text("AWS_PROFILE=third\n", encoding="utf-8")
    assert held() == "third"
    monkeypatch.setenv("AWSDIRENV_PROFILE", "plain")
    assert held() == "plain"


def test_durations(here: World) -> None:
    """Seconds and text mean the same, and are a life of their own."""
    keys = {awsdirenv.credentials("plain", duration=wish).access_key_id for wish in (900, "900", "15m", "0h15m")}
    assert len(keys) == 1
    assert awsdirenv.credentials("plain").access_key_id not in keys
    end = awsdirenv.credentials("plain", duration=900).expiration
    assert end
    assert timedelta(minutes=14) < end - datetime.now(timezone.utc) <= timedelta(minutes=15)
    assert session_of("plain", duration="15m").get_credentials().access_key in keys


@pytest.mark.parametrize("wish", [0, -900, 899, 43201, "", "soon", "1.5h", 1e9, True])
def test_bad_durations(here: World, wish: Any) -> None:
    """A life that AWS does not grant is refused at once, by each function."""
    for function in (awsdirenv.credentials, awsdirenv.session, awsdirenv.credential_provider):
        with pytest.raises(SettingError) as caught:
            function("plain", duration=wish)
        assert caught.value.message == f"--duration must be a time between 15m and 12h: {str(wish)!r}"
    assert here.sts.count("*") == 0


def test_errors(here: World) -> None:
    """What fails is one of our errors, with the message, the hint and the kind that the command line has."""
    here.role("adminrole")
    with pytest.raises(PersonNeededError) as needed:
        awsdirenv.credentials("adminrole")
    assert needed.value.hint == "awsdirenv login adminrole"
    assert isinstance(needed.value, awsdirenv.AwsdirenvError)
    for function in (awsdirenv.credentials, awsdirenv.session):
        with pytest.raises(ProfileNotFoundError) as missing:
            function("adminrol")
        assert (missing.value.kind, missing.value.hint) == ("profile-not-found", "did you mean adminrole?")
    with pytest.raises(ProfileNotFoundError):
        awsdirenv.credential_provider("adminrol").load()
    assert here.sts.count("*") == 0


def test_inside_a_credential_process(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential_process in Python that asks for its own profile is told so at once."""
    monkeypatch.setenv("AWSDIRENV_RUNNING_FOR", snapshot_key("plain", here.env))
    with pytest.raises(CredentialProcessError, match="calls awsdirenv for the same profile"):
        awsdirenv.credentials("plain")


def state() -> dict[str, Any]:
    """Give what a process has one of."""
    return {
        "environ": dict(os.environ),
        "gc": gc.isenabled(),
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "handlers": {name: list(getattr(log, "handlers", ())) for name, log in logging.root.manager.loggerDict.items()},
        "root": (logging.root.level, list(logging.root.handlers)),
        "warnings": list(warnings.filters),
        "folder": Path.cwd(),
        "umask": os.umask(0o022) or os.umask(0o022),
        "hook": (sys.excepthook, threading.excepthook, sys.stdout, sys.stderr),
    }


def test_nothing_is_left_behind(here: World, capfd: pytest.CaptureFixture[str]) -> None:
    """Success and failure print nothing and change nothing that the process has one of."""
    here.role("adminrole")
    client = session_of("plain").client("sts")  # whatever boto3 does when it is imported
    caller(client)
    gc.collect()  # what tests before this one have left open
    threads = threading.active_count()
    before, files = state(), set(os.listdir("/dev/fd"))
    here.run("awsdirenv", "clear", "plain").check_returncode()
    awsdirenv.credentials("plain")
    session_of("plain").get_credentials()
    with pytest.raises(PersonNeededError):
        awsdirenv.credentials("adminrole")
    gc.collect()
    assert state() == before
    wait_for(lambda: set(os.listdir("/dev/fd")) <= files)  # the STS of this process closes some, and ends threads
    wait_for(lambda: threading.active_count() <= threads)
    assert capfd.readouterr() == ("", "")


def test_waiting_is_silent(here: World, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for another process says nothing either, and ends in the usual error."""
    monkeypatch.setenv("AWSDIRENV_LOCK_TIMEOUT", "1s")
    locks = Locks(CachePaths.from_environ(here.env).locks, timeout=1, on_wait=lambda *_: None)
    (here.cache / "locks").mkdir(parents=True, exist_ok=True)
    with locks.hold(f"snapshot-{snapshot_key('plain', here.env)}"), pytest.raises(awsdirenv.AwsdirenvError) as caught:
        awsdirenv.credentials("plain")
    assert caught.value.kind == "lock-timeout"
    assert capfd.readouterr() == ("", "")


def test_session(here: World) -> None:
    """Its clients call as the profile's role, through the sessions that the shells have, and it knows its profile."""
    here.run("awsdirenv", "load", "plain").check_returncode()
    session = session_of("plain")
    assert (session.profile_name, session.region_name) == ("plain", REGION)
    assert caller(session.client("sts")) == "plain"
    found = session.get_credentials()
    assert found.method == "awsdirenv"
    assert getattr(found, "account_id", "123456789012") == "123456789012"  # botocore 1.34 knows no accounts
    assert here.sts.count("AssumeRole") == 1


def test_session_beside_other_keys(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither keys nor a profile of the environment get in."""
    for name, value in {"ACCESS_KEY_ID": "AKIAELSE", "SECRET_ACCESS_KEY": "else", "PROFILE": "base"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    session = session_of("plain")
    assert session.profile_name == "plain"
    assert caller(session.client("sts")) == "plain"


def test_session_over_generations(here: World) -> None:
    """Through three lives no call of a client that threads share is refused, and STS is asked once for each life."""
    here.sts.life_override = 10
    client = session_of("plain").client("sts")
    end = time.monotonic() + 12

    def work(_: int) -> set[str]:
        seen = set()
        while time.monotonic() < end:
            seen.add(str(client.get_caller_identity()["Arn"]))
            time.sleep(0.2)
        return seen

    with ThreadPoolExecutor(4) as pool:
        seen = set().union(*pool.map(work, range(4)))
    assert here.sts.count("GetCallerIdentity", ok=False) == 0
    assert 3 <= here.sts.count("AssumeRole") <= 6
    assert 3 <= len(seen) <= 6


def test_sessions_in_threads(here: World) -> None:
    """Sessions that are made in many threads at once share one session of STS."""
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda _: caller(session_of("plain").client("sts")), range(10)))
    assert found == ["plain"] * 10
    assert here.sts.count("AssumeRole") == 1


def end_in(world: World, seconds: int) -> None:
    """Make the one snapshot there is end within seconds, at the end of an hour's life, and forget the session."""
    (path,) = (world.cache / "snapshots").iterdir()
    made = snapshots.read(path)
    assert made
    end = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    aged = replace(made.credentials, issued=end - timedelta(hours=1), expiration=end)
    snapshots.write(path, replace(made, credentials=aged))
    shutil.rmtree(world.cache / "sessions")


def test_a_failure_before_the_end(here: World) -> None:
    """While the credentials hold, a renewal that fails is no error; when they have ended, it is one of ours."""
    key = awsdirenv.credentials("plain").access_key_id
    end_in(here, 300)
    here.sts.stop()
    found = session_of("plain").get_credentials()
    for _ in range(2):
        assert found.get_frozen_credentials().access_key == key
    end_in(here, -1)
    with pytest.raises(NetworkError):
        found.get_frozen_credentials()


def test_without_an_end(here: World) -> None:
    """Credentials whose end nobody knows work, and are not asked for again."""
    key = paste(here, "pasted")
    session = session_of("pasted")
    assert caller(session.client("sts")) == "pasted"
    assert session.get_credentials().access_key == key
    assert awsdirenv.credentials("pasted").expiration is None


def test_an_end_that_goes_away(here: World) -> None:
    """When AWS's files are edited so that nobody knows the end any more, a session goes on with what they say."""
    session = session_of("plain")
    client = session.client("sts")
    session.get_credentials()._expiry_time = datetime.now(timezone.utc) + timedelta(minutes=1)
    key = paste(here, "start")
    here.config.write_text("", encoding="utf-8")
    here.credentials.write_text(here.credentials.read_text(encoding="utf-8").replace("[start]", "[plain]"))
    for _ in range(2):
        assert caller(client) == "start"
        assert session.get_credentials().access_key == key


@pytest.mark.parametrize(
    ("env", "region", "expected"),
    [
        ({}, None, REGION),
        ({"AWS_DEFAULT_REGION": "us-east-2"}, None, "us-east-2"),
        ({"AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "us-east-2"}, None, "us-west-2"),
        ({"AWS_REGION": "us-west-2"}, "ap-south-1", "ap-south-1"),
        ({"AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "us-west-2", "AWSDIRENV_PROFILE": "x"}, None, REGION),
    ],
)
def test_region(
    here: World, monkeypatch: pytest.MonkeyPatch, env: dict[str, str], region: str | None, expected: str
) -> None:
    """The argument wins over the environment, unless a directory has set it, and that over the profile."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert session_of("plain", region=region).region_name == expected


def test_no_region(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The region of a directory's own profile is no other profile's: where nothing names one there is none."""
    here.profile("nowhere", role_arn=here.sts.add_role("nowhere"), source_profile="base")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-west-2")
    monkeypatch.setenv("AWSDIRENV_PROFILE", "plain")
    session = session_of("nowhere")
    assert session.region_name is None
    assert session.client("sts", region_name="eu-west-3").meta.region_name == "eu-west-3"


def test_the_profile_s_own_settings(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the profile says of endpoints, certificates and retries holds, also through include_profile."""
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    here.profile("shared", region="eu-north-1", endpoint_url=here.sts.url)
    arn = here.sts.add_role("own")
    own = {"role_arn": arn, "source_profile": "base", "include_profile": "shared"}
    here.profile("own", **own, ca_bundle="/some/ca", max_attempts=7)
    session = session_of("own")
    assert session.region_name == "eu-north-1"
    inner = session._session
    assert inner.get_config_variable("ca_bundle") == "/some/ca"
    assert inner.get_config_variable("max_attempts") == 7
    client = session.client("sts")
    assert client.meta.endpoint_url == here.sts.url
    assert caller(client) == "own"


def test_what_was_meant_stays(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What becomes of the environment and the folder after a session was made does not change whom it is for."""
    here.sts.life_override = 2
    here.role("other", mfa=False)
    folder = here.root / "release"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("AWS_PROFILE", "plain")
    client = session_of().client("sts")
    here.sts.life_override = None
    monkeypatch.setenv("AWS_PROFILE", "other")
    monkeypatch.setenv("AWSDIRENV_PROFILE", "other")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    folder.rmdir()
    time.sleep(2.1)
    assert caller(client) == "plain"
    assert here.sts.count("AssumeRole") == 2


def test_provider(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """In front of the others it gives the credentials of its profile, whatever keys are in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAELSE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "else")
    session = botocore.session.Session()
    resolver = session.get_component("credential_provider")
    resolver.insert_before("env", awsdirenv.credential_provider("plain"))
    assert resolver.get_provider("awsdirenv").METHOD == "awsdirenv"
    assert caller(session.create_client("sts", region_name=REGION)) == "plain"


def test_provider_that_fails(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it cannot get it does not leave to the next provider: nobody ends up in another account."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAELSE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "else")
    here.role("adminrole")
    session = botocore.session.Session()
    session.get_component("credential_provider").insert_before("env", awsdirenv.credential_provider("adminrole"))
    with pytest.raises(PersonNeededError):
        session.get_credentials()


def test_types(here: World) -> None:
    """The package says that it is typed, so that programs that use it are checked."""
    assert (Path(awsdirenv.__file__).parent / "py.typed").is_file()
    assert json.dumps(awsdirenv.credentials("plain").access_key_id)
