"""The algorithm, with the real STS client over HTTP: as few calls and questions as there can be, nothing stale."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from awsdirenv.aws.botocore_session import Budget
from awsdirenv.aws.sts import Sts
from awsdirenv.cache.layout import CachePaths
from awsdirenv.cache.sessions import SessionStore, UsedCodes, UserNames, prepare
from awsdirenv.config.aws_files import load_files
from awsdirenv.config.resolve import resolve_chain
from awsdirenv.errors import (
    AwsdirenvError,
    BadAnswerError,
    CodeRefusedError,
    CredentialSourceError,
    DeniedError,
    NetworkError,
    NoCredentialsError,
    PersonNeededError,
    SessionRefusedError,
)
from awsdirenv.refresh.mfa_codes import CodeSource, Given, Human, Process, Prompt, nobody_there
from awsdirenv.refresh.refresher import Refresher
from awsdirenv.session_credentials import SessionCredentials, utc_now
from awsdirenv.system.lock import Locks
from strict_sts import Call, Fault, Key, Request, StrictSts, User

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
REGION = "eu-west-1"
ACCOUNT = "123456789012"


@dataclass
class Bench:
    """A home, an STS and a person; every `load` is another process as far as the code can tell."""

    sts: StrictSts
    root: Path
    user: User
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)  # given before the device's own codes
    number: int = 100000
    later: timedelta = timedelta(0)  # how far our clock is ahead

    @property
    def paths(self) -> CachePaths:
        return CachePaths(self.root / "cache")

    def write(self, config: str = "", credentials: str | None = None) -> None:
        """Write AWS's files; the user's keys are `base`."""
        keys = f"aws_access_key_id = {self.user.access_key_id}\naws_secret_access_key = {self.user.secret_access_key}\n"
        (self.root / "config").write_text(config)
        (self.root / "credentials").write_text(f"[base]\n{keys}" if credentials is None else credentials)

    def role(self, name: str, *, profile: str | None = None, mfa: bool = False, **values: object) -> str:
        """Make a role that needs MFA or not, and give the section of a profile for it."""
        arn = self.sts.add_role(name, require_mfa=mfa)
        lines: dict[str, object] = {"role_arn": arn, "source_profile": "base", **values}
        body = "".join(f"{key} = {value}\n" for key, value in lines.items() if value is not None)
        return f"[profile {profile or name}]\n{body}"

    def code(self) -> str:
        """Give what the device shows: a new code each time, which STS takes once."""
        self.number += 1
        self.sts.accept_code(self.user.mfa_serial, str(self.number))
        return str(self.number)

    def ask(self, prompt: str, _timeout: float) -> str:
        """Answer a question."""
        self.asked.append(prompt)
        return self.answers.pop(0) if self.answers else self.code()

    def refresher(self, profile: str, codes: CodeSource | None = None, **changes: Any) -> Refresher:
        """Put a refresher together as the loader does."""
        prepare(self.paths)
        files = load_files(os.environ)
        chain = resolve_chain(files, profile, os.environ)
        values: dict[str, Any] = {
            "chain": chain,
            "sts": Sts(files, chain, REGION, os.environ, Budget(20)),
            "store": SessionStore(self.paths.sessions),
            "used": UsedCodes(self.paths.marks),
            "users": UserNames(self.paths.marks),
            "locks": Locks(self.paths.locks, timeout=5, on_wait=lambda *_: None),
            "codes": codes or Prompt(Human(self.ask, self.said.append), 60),
            "now": lambda: utc_now() + self.later,
            "mfa_session_duration": 12 * HOUR,
        }
        return Refresher(**{**values, **changes})

    def load(self, profile: str, codes: CodeSource | None = None, **changes: Any) -> SessionCredentials:
        """Get a profile's credentials; whatever comes back is what STS knows them to be."""
        got = self.refresher(profile, codes, **changes).credentials()
        known = self.sts.keys[got.access_key_id]
        assert (known.secret, known.token) == (got.secret_access_key, got.session_token)
        return got

    def known(self, credentials: SessionCredentials) -> Key:
        """Give what STS knows about them."""
        return self.sts.keys[credentials.access_key_id]

    def calls(self) -> list[str]:
        """Give the calls since the last look: the action, the role's name, `!` for a refusal."""
        done = [self.describe(call) for call in self.sts.calls]
        self.sts.reset()
        return done

    @staticmethod
    def describe(call: Call) -> str:
        """Write a call in one word."""
        name = call.params.get("RoleArn", "").rpartition("/")[2]
        return {"GetSessionToken": "session", "GetCallerIdentity": "who"}.get(call.action, name) + "!" * bool(
            call.error_code
        )

    def params(self, action: str) -> dict[str, str]:
        """Give the parameters of the last call of an action."""
        return next(call.params for call in reversed(self.sts.calls) if call.action == action)

    def signer(self, action: str) -> Key:
        """Give who signed the last call of an action."""
        return self.sts.keys[next(call.access_key_id for call in reversed(self.sts.calls) if call.action == action)]

    def kinds(self, kind: str) -> list[str]:
        """Give the access key ids that STS issued of one kind: session or role."""
        return [key_id for key_id, key in self.sts.keys.items() if key.kind == kind]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sts: StrictSts) -> None:
    """Let the process see this test's files and this test's STS only."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", sts.url)


@pytest.fixture
def bench(sts: StrictSts, tmp_path: Path) -> Bench:
    """Make a user `foo` with an MFA device."""
    made = Bench(sts, tmp_path, sts.add_user("foo"))
    made.write()
    return made


# As few calls as there can be


def test_ten_roles_cost_one_session_one_question_and_one_call_each(bench: Bench) -> None:
    """Every role behind the same key and device shares one GetSessionToken."""
    names = [f"r{number}" for number in range(10)]
    bench.write("".join(bench.role(name, mfa=True, mfa_serial=bench.user.mfa_serial) for name in names))
    got = [bench.load(name) for name in names]
    assert bench.calls() == ["session", *names]
    assert bench.asked == [f"Enter MFA code for {bench.user.mfa_serial}: "]
    assert [bench.known(one).role_arn.rpartition("/")[2] for one in got] == names


def test_what_is_stored_is_not_called_for_again(bench: Bench) -> None:
    """A second process gets the same credentials, and STS does not hear of it."""
    bench.write(bench.role("dev", mfa=True, mfa_serial=bench.user.mfa_serial))
    first = bench.load("dev")
    bench.calls()
    again = bench.load("dev")
    assert (again.access_key_id, again.secret_access_key) == (first.access_key_id, first.secret_access_key)
    assert bench.calls() == []


def test_the_session_is_asked_for_as_the_settings_say(bench: Bench) -> None:
    """GetSessionToken is signed with the key and carries device, code and duration; AssumeRole carries none of them."""
    bench.write(bench.role("dev", mfa=True, mfa_serial=bench.user.mfa_serial))
    bench.load("dev", mfa_session_duration=2 * HOUR)
    wanted = {"DurationSeconds": "7200", "SerialNumber": bench.user.mfa_serial, "TokenCode": "(code)"}
    assert wanted.items() <= bench.params("GetSessionToken").items()
    assert bench.signer("GetSessionToken").access_key_id == bench.user.access_key_id
    assert not {"DurationSeconds", "SerialNumber", "TokenCode", "ExternalId"} & bench.params("AssumeRole").keys()
    assert bench.signer("AssumeRole").kind == "session"


def test_an_intermediate_hop_is_assumed_once_for_all_who_go_through_it(bench: Bench) -> None:
    """Two chains through one hub, and the hub itself as a profile, share its session."""
    serial = bench.user.mfa_serial
    bench.write(
        bench.role("hub", mfa=True, mfa_serial=serial)
        + bench.role("x", source_profile="hub")
        + bench.role("y", source_profile="hub")
        + bench.role("z", source_profile="y")
    )
    for name in ("x", "y", "z", "hub", "x"):
        bench.load(name)
    assert bench.calls() == ["session", "hub", "x", "y", "z"]
    assert len(bench.asked) == 1


def test_a_hub_that_is_a_profile_first_is_used_by_the_chains(bench: Bench) -> None:
    """The other order costs no more."""
    bench.write(bench.role("hub") + bench.role("x", source_profile="hub"))
    bench.load("hub")
    bench.load("x")
    assert bench.calls() == ["hub", "x"]


def test_a_hub_s_own_duration_does_not_split_its_session_between_chains(bench: Bench) -> None:
    """How long a hop on the way lives does not matter to those who only pass."""
    bench.write(
        bench.role("hub", duration_seconds=1800)
        + bench.role("x", source_profile="hub")
        + bench.role("y", source_profile="hub", duration_seconds=900)
    )
    bench.load("x")
    bench.load("y")
    assert bench.calls() == ["hub", "x", "y"]


def test_an_edited_duration_of_a_hub_leaves_the_way_open(bench: Bench) -> None:
    """The session of a hop on the way serves on, whatever its profile says about durations by now."""
    config = bench.role("hub", duration_seconds=1800) + bench.role("x", source_profile="hub")
    bench.write(config)
    bench.load("x")
    bench.write(config.replace("1800", "900") + bench.role("y", source_profile="hub"))
    bench.load("y")
    assert bench.calls() == ["hub", "x", "y"]


def test_two_profiles_with_one_key_share_a_session(bench: Bench) -> None:
    """It is the key and the device that decide, and not the name of the section they stand in."""
    serial = bench.user.mfa_serial
    keys = f"aws_access_key_id = {bench.user.access_key_id}\naws_secret_access_key = {bench.user.secret_access_key}\n"
    bench.write(
        bench.role("dev", mfa=True, mfa_serial=serial)
        + bench.role("dev", profile="same", mfa=True, mfa_serial=serial, source_profile="copy"),
        f"[base]\n{keys}[copy]\n{keys}region = x\n",
    )
    assert bench.load("dev").access_key_id == bench.load("same").access_key_id
    assert bench.calls() == ["session", "dev"]
    assert len(bench.asked) == 1


def test_each_hop_is_signed_by_the_hop_before_it(bench: Bench) -> None:
    """A chain of three is walked from the key outwards."""
    bench.write(bench.role("a") + bench.role("b", source_profile="a") + bench.role("c", source_profile="b"))
    got = bench.load("c")
    signers = [bench.sts.keys[call.access_key_id] for call in bench.sts.calls]
    assert [signer.role_arn.rpartition("/")[2] for signer in signers] == ["", "a", "b"]
    assert bench.known(got).role_arn.endswith("role/c")


# Which device, and where


@pytest.mark.parametrize(("base", "first", "last"), [(0, 1, 0), (1, 0, 0), (1, 1, 1), (0, 0, 1), (0, 1, 1)], ids=str)
def test_wherever_mfa_serial_stands_the_device_is_proved_once_at_the_key(
    bench: Bench, base: int, first: int, last: int
) -> None:
    """On the source, on either hop or on all: one GetSessionToken with the device, and hops without one."""
    serials = [bench.user.mfa_serial if bit else None for bit in (base, first, last)]
    section = f"[profile base]\nmfa_serial = {serials[0]}\n" if base else ""
    bench.write(
        section
        + bench.role("hub", mfa=True, mfa_serial=serials[1])
        + bench.role("x", source_profile="hub", mfa_serial=serials[2])
    )
    bench.load("x")
    assert [call for call in bench.sts.calls if "SerialNumber" in call.params] == bench.sts.calls[:1]
    assert bench.calls() == ["session", "hub", "x"]
    assert len(bench.asked) == 1


def test_of_two_devices_the_one_next_to_the_key_is_proved(bench: Bench) -> None:
    """Another user's device on a later hop cannot be proved with this key, and is not asked for."""
    other = bench.sts.add_user("bar").mfa_serial
    bench.write(
        bench.role("hub", mfa=True, mfa_serial=bench.user.mfa_serial)
        + bench.role("x", source_profile="hub", mfa_serial=other)
    )
    bench.load("x")
    assert bench.asked == [f"Enter MFA code for {bench.user.mfa_serial}: "]


def test_a_role_without_any_device_is_assumed_with_the_key_itself(bench: Bench) -> None:
    """No GetSessionToken is spent where nothing is to be proved."""
    bench.write(bench.role("dev"))
    bench.load("dev")
    assert bench.signer("AssumeRole").access_key_id == bench.user.access_key_id
    assert bench.calls() == ["dev"]
    assert bench.asked == []


def test_parameters_of_a_hop_arrive(bench: Bench) -> None:
    """ExternalId, session name and duration are sent as the profile says; without a name there is one of ours."""
    arn = bench.sts.add_role("dev", external_id="ext")
    lines = f"role_arn = {arn}\nsource_profile = base\nexternal_id = ext\n"
    bench.write(f"[profile dev]\n{lines}role_session_name = me\nduration_seconds = 1800\n[profile plain]\n{lines}")
    got = bench.load("dev")
    wanted = {"ExternalId": "ext", "RoleSessionName": "me", "DurationSeconds": "1800", "RoleArn": arn}
    assert wanted.items() <= bench.params("AssumeRole").items()
    assert got.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/dev/me"
    bench.load("plain")
    assert bench.params("AssumeRole")["RoleSessionName"].startswith("awsdirenv-session-")
    assert "DurationSeconds" not in bench.params("AssumeRole")


# How long


def lives(credentials: SessionCredentials) -> timedelta:
    """Give the life in whole minutes."""
    assert credentials.expiration is not None
    return round((credentials.expiration - credentials.issued) / MINUTE) * MINUTE


def test_a_role_for_more_than_an_hour_is_assumed_with_the_code_itself(bench: Bench) -> None:
    """Through a session AWS gives an hour only: key and code go into AssumeRole, and the life is the wanted one."""
    bench.write(bench.role("long", mfa=True, mfa_serial=bench.user.mfa_serial, duration_seconds=7200))
    got = bench.load("long")
    wanted = {"DurationSeconds": "7200", "SerialNumber": bench.user.mfa_serial, "TokenCode": "(code)"}
    assert wanted.items() <= bench.params("AssumeRole").items()
    assert bench.signer("AssumeRole").kind == "user"
    assert lives(got) == 2 * HOUR
    assert bench.calls() == ["long"]
    assert len(bench.asked) == 1


@pytest.mark.parametrize(("seconds", "shared"), [(3599, True), (3600, True), (3601, False)])
def test_an_hour_is_what_a_session_can_still_give(bench: Bench, seconds: int, *, shared: bool) -> None:
    """The border between shared session and code of its own is exactly AWS's."""
    bench.write(bench.role("dev", mfa=True, mfa_serial=bench.user.mfa_serial, duration_seconds=seconds))
    got = bench.load("dev")
    assert got.expiration is not None
    assert abs((got.expiration - got.issued).total_seconds() - seconds) < 3
    assert bench.calls() == (["session", "dev"] if shared else ["dev"])


def test_a_long_role_without_a_device_is_assumed_with_the_key_for_its_whole_life(bench: Bench) -> None:
    """No session, no cap."""
    bench.write(bench.role("long", duration_seconds=43200))
    assert lives(bench.load("long")) == 12 * HOUR
    assert bench.calls() == ["long"]


def test_a_chained_hop_is_capped_at_an_hour(bench: Bench) -> None:
    """AWS refuses more from a role or a session; so it is not asked for, on whichever hop it stands."""
    serial = bench.user.mfa_serial
    bench.write(
        bench.role("hub", mfa=True, mfa_serial=serial, duration_seconds=7200)
        + bench.role("x", source_profile="hub", duration_seconds=43200)
        + bench.role("short", source_profile="hub", duration_seconds=900)
    )
    assert lives(bench.load("x")) == HOUR
    assert [call.params.get("DurationSeconds") for call in bench.sts.calls] == ["43200", "3600", "3600"]
    assert lives(bench.load("short")) == 15 * MINUTE
    assert bench.calls() == ["session", "hub", "x", "short"]


def test_the_first_hop_of_a_chain_without_a_device_is_not_capped(bench: Bench) -> None:
    """The key itself may assume for longer, which saves the others the renewal of the hub."""
    bench.write(bench.role("hub", duration_seconds=7200) + bench.role("x", source_profile="hub", duration_seconds=7200))
    bench.load("x")
    assert [call.params.get("DurationSeconds") for call in bench.sts.calls] == ["7200", "3600"]
    assert bench.calls() == ["hub", "x"]


def test_a_role_that_allows_less_than_the_profile_wants_is_said(bench: Bench) -> None:
    """MaxSessionDuration is the role's business: STS's own words arrive, and the call is not repeated."""
    arn = bench.sts.add_role("brief", max_duration=3600)
    bench.write(f"[profile brief]\nrole_arn = {arn}\nsource_profile = base\nduration_seconds = 7200\n")
    with pytest.raises(AwsdirenvError) as caught:
        bench.load("brief")
    assert "MaxSessionDuration" in caught.value.message
    assert bench.calls() == ["brief!"]


# Sessions that ended before their time


@pytest.mark.parametrize("end", ["expire", "revoke"])
def test_a_dead_mfa_session_is_replaced_and_the_call_repeated_once(bench: Bench, end: str) -> None:
    """STS refuses the stored session: it is dropped, a new one is asked for, and the role is assumed with that."""
    serial = bench.user.mfa_serial
    bench.write(bench.role("one", mfa=True, mfa_serial=serial) + bench.role("two", mfa=True, mfa_serial=serial))
    bench.load("one")
    (dead,) = bench.kinds("session")
    getattr(bench.sts, end)(dead)
    bench.calls()
    bench.load("two")
    assert bench.calls() == ["two!", "session", "two"]
    assert len(bench.asked) == 2
    bench.load("two")
    assert bench.calls() == []


def test_a_session_that_is_refused_again_is_an_error_and_no_loop(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where STS revokes each session at once, there are two tries and no third."""
    original = bench.sts._issue

    def stillborn(*arguments: Any, **options: Any) -> str:
        answer = original(*arguments, **options)
        for one in bench.kinds("session"):
            bench.sts.revoke(one)
        return answer

    monkeypatch.setattr(bench.sts, "_issue", stillborn)
    bench.write(bench.role("dev", mfa=True, mfa_serial=bench.user.mfa_serial))
    with pytest.raises(SessionRefusedError):
        bench.load("dev")
    assert bench.calls() == ["session", "dev!", "session", "dev!"]
    assert len(bench.asked) == 2


def write_hub(bench: Bench) -> None:
    """Make a role behind the device, and two behind that role."""
    bench.write(
        bench.role("hub", mfa=True, mfa_serial=bench.user.mfa_serial)
        + bench.role("x", source_profile="hub")
        + bench.role("y", source_profile="hub")
    )


@pytest.mark.parametrize("kind", ["truncated", "empty"])
def test_an_answer_that_is_cut_off_is_asked_for_once_more(bench: Bench, kind: str) -> None:
    """One such answer costs one more call; a second one is an error."""
    bench.write(bench.role("dev"))
    bench.sts.add_fault("AssumeRole", kind)
    bench.load("dev")
    assert bench.calls() == ["dev!", "dev"]
    bench.sts.add_fault("AssumeRole", kind, times=None)
    with pytest.raises(BadAnswerError):
        bench.load("dev", renew_role=True)
    assert bench.calls() == ["dev!", "dev!"]


def test_a_page_of_somebody_else_s_is_asked_for_once(bench: Bench) -> None:
    """What is whole but no answer of STS would come again."""
    bench.write(bench.role("dev"))
    for kind in ("html", "garbage", "missing-credentials"):
        bench.sts.add_fault("AssumeRole", kind)
        with pytest.raises(BadAnswerError):
            bench.load("dev")
        assert bench.calls() == ["dev!"]


@pytest.mark.parametrize(("duration", "call"), [(None, "session!"), (2 * 3600, "dev!")])
def test_a_call_with_a_code_is_never_repeated(bench: Bench, duration: int | None, call: str) -> None:
    """STS takes a code once, so the answer that was lost is lost."""
    bench.write(bench.role("dev", mfa=True, mfa_serial=bench.user.mfa_serial, duration_seconds=duration))
    bench.sts.add_fault("AssumeRole" if duration else "GetSessionToken", "truncated")
    with pytest.raises(BadAnswerError):
        bench.load("dev")
    assert bench.calls() == [call]
    assert len(bench.asked) == 1


def test_a_dead_hub_is_assumed_again_without_a_question(bench: Bench) -> None:
    """Only what STS refused is replaced: the MFA session behind it still holds."""
    write_hub(bench)
    bench.load("x")
    bench.sts.expire(next(k for k in bench.kinds("role") if bench.sts.keys[k].role_arn.endswith("/hub")))
    bench.calls()
    bench.load("y")
    assert bench.calls() == ["y!", "hub", "y"]
    assert len(bench.asked) == 1


def test_when_everything_is_dead_each_link_is_renewed_once(bench: Bench) -> None:
    """From the last link to the first each is refused once, and from the first to the last each is made once."""
    write_hub(bench)
    bench.load("x")
    bench.sts.expire_all_sessions()
    bench.calls()
    bench.load("y")
    assert bench.calls() == ["y!", "hub!", "session", "hub", "y"]
    assert len(bench.asked) == 2


def test_a_successor_that_another_process_stored_is_used_and_not_dropped(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While our call is refused somebody else logs in anew: their session serves us, and nobody is asked."""
    serial = bench.user.mfa_serial
    bench.write(bench.role("one", mfa=True, mfa_serial=serial) + bench.role("two", mfa=True, mfa_serial=serial))
    bench.load("one")
    (file,) = bench.paths.sessions.glob("mfa-*")
    dead = file.read_text()
    bench.load("one", renew_role=True, renew_mfa=True)
    successor = file.read_text()
    assert successor != dead
    file.write_text(dead)
    bench.sts.expire(bench.kinds("session")[0])
    original = bench.sts.handle

    def handle(request: Request) -> Any:
        answer = original(request)
        if request.action == "AssumeRole":
            file.write_text(successor)
        return answer

    monkeypatch.setattr(bench.sts, "handle", handle)
    bench.calls()
    asked = len(bench.asked)
    bench.load("two")
    assert bench.calls() == ["two!", "two"]
    assert len(bench.asked) == asked
    assert file.read_text() == successor


def test_a_denied_role_costs_one_call_and_no_session(bench: Bench) -> None:
    """AccessDenied is an answer about the role: the MFA session stays, and nothing is repeated."""
    serial = bench.user.mfa_serial
    arn = bench.sts.add_role("closed", trusted=["arn:aws:iam::999999999999:root"])
    bench.write(
        f"[profile closed]\nrole_arn = {arn}\nsource_profile = base\nmfa_serial = {serial}\n"
        + bench.role("dev", mfa=True, mfa_serial=serial)
    )
    with pytest.raises(DeniedError, match="not authorized to perform: sts:AssumeRole") as caught:
        bench.load("closed")
    assert "profile closed" in caught.value.message
    assert bench.calls() == ["session", "closed!"]
    bench.load("dev")
    assert bench.calls() == ["dev"]


# The key itself


@pytest.mark.parametrize(
    "values",
    [
        {"mfa": True},
        {},
        {"mfa": True, "duration_seconds": 7200},
    ],
    ids=["through a session", "without a device", "with the code"],
)
def test_a_key_that_sts_does_not_know_is_named_by_its_profile(bench: Bench, values: dict[str, Any]) -> None:
    """A deleted access key is the source profile's fault, and the hint says which lines to mend."""
    serial = bench.user.mfa_serial if values.get("mfa") else None
    bench.write(bench.role("dev", mfa_serial=serial, **values))
    bench.sts.revoke(bench.user.access_key_id)
    with pytest.raises(SessionRefusedError) as caught:
        bench.load("dev")
    assert caught.value.message == "STS does not take the access key of profile base (InvalidClientTokenId)"
    assert caught.value.hint.startswith("check aws_access_key_id and aws_secret_access_key of [base] of /")
    assert bench.sts.count("*") == 1
    assert list(bench.paths.sessions.iterdir()) == []


@pytest.mark.parametrize("mfa", [True, False])
def test_a_wrong_secret_is_named_by_its_profile(bench: Bench, *, mfa: bool) -> None:
    """A mistyped secret is the source profile's fault as well."""
    bench.write(
        bench.role("dev", mfa_serial=bench.user.mfa_serial if mfa else None),
        f"[base]\naws_access_key_id = {bench.user.access_key_id}\naws_secret_access_key = wrong\n",
    )
    with pytest.raises(AwsdirenvError) as caught:
        bench.load("dev")
    assert "of profile base" in caught.value.message
    assert "[base]" in caught.value.hint


def test_a_profile_without_keys_is_named(bench: Bench) -> None:
    """There is nothing to call with, so nothing is called."""
    bench.write("[profile empty]\nregion = x\n" + bench.role("dev", source_profile="empty"))
    with pytest.raises(NoCredentialsError) as caught:
        bench.load("dev")
    assert caught.value.message == "profile empty has no credentials"
    assert bench.calls() == []


def test_a_secret_that_ran_into_the_role_arn_is_not_quoted(bench: Bench) -> None:
    """An indented line continues the one before it; the message about the role must not repeat the secret."""
    section = bench.role("dev").rstrip("\n").splitlines()
    bench.write("\n".join([section[0], *section[2:], section[1], "  aws_secret_access_key = SENTINEL", ""]))
    with pytest.raises(AwsdirenvError) as caught:
        bench.load("dev")
    assert "SENTINEL" not in f"{caught.value.message}{caught.value.hint}"


# Codes


@pytest.mark.parametrize(("duration", "action"), [(None, "GetSessionToken"), (7200, "AssumeRole")])
def test_three_wrong_codes_are_three_calls_and_an_error(bench: Bench, duration: int | None, action: str) -> None:
    """A person gets three tries, in one session's call as in a role's own."""
    bench.answers = ["000001", "000002", "000003", "000004"]
    bench.write(bench.role("dev", mfa=True, mfa_serial=bench.user.mfa_serial, duration_seconds=duration))
    with pytest.raises(CodeRefusedError) as caught:
        bench.load("dev")
    assert caught.value.message == f"STS refused 3 MFA codes for {bench.user.mfa_serial}"
    assert caught.value.hint == "check mfa_serial and the clock of the device, then direnv reload"
    assert bench.sts.count(action) == bench.sts.count("*") == 3
    assert bench.said == ["awsdirenv: STS refused that code"] * 2
    assert list(bench.paths.sessions.iterdir()) == []


def test_the_third_code_may_be_the_right_one(bench: Bench) -> None:
    """Two mistypings cost two calls."""
    bench.answers = ["000001", "000002"]
    bench.write(bench.role("dev", mfa=True, mfa_serial=bench.user.mfa_serial))
    bench.load("dev")
    assert bench.calls() == ["session!", "session!", "session", "dev"]


def test_a_code_that_was_used_is_refused_here_and_costs_no_call_and_no_try(bench: Bench) -> None:
    """AWS takes a code once and has the words of a wrong one for the second time; so it does not hear of it."""
    serial = bench.user.mfa_serial
    bench.write(
        bench.role("one", mfa=True, mfa_serial=serial)
        + bench.role("long", mfa=True, mfa_serial=serial, duration_seconds=7200)
    )
    used = bench.code()
    bench.answers = [used]
    bench.load("one")
    bench.calls()
    bench.answers = [used, "000001", used, "000002"]
    bench.load("long")
    assert bench.calls() == ["long!", "long!", "long"]
    spent = "awsdirenv: that code was already used, the next one comes within 30 s"
    refused = "awsdirenv: STS refused that code"
    assert bench.said == [spent, refused, spent, refused]


def test_a_used_code_of_the_command_line_is_an_error_without_a_call(bench: Bench) -> None:
    """`--token-code` has no second one to give."""
    serial = bench.user.mfa_serial
    bench.write(bench.role("dev", mfa=True, mfa_serial=serial))
    code = bench.code()
    bench.load("dev", Given(code))
    bench.calls()
    with pytest.raises(CodeRefusedError) as caught:
        bench.load("dev", Given(code), renew_role=True, renew_mfa=True)
    assert caught.value.message == f"that code was already used: {code}"
    assert bench.calls() == []


def test_a_wrong_code_of_the_command_line_is_tried_once(bench: Bench) -> None:
    """What STS says about it is the error."""
    bench.write(bench.role("dev", mfa=True, mfa_serial=bench.user.mfa_serial))
    with pytest.raises(CodeRefusedError):
        bench.load("dev", Given("000001"))
    assert bench.calls() == ["session!"]


def test_a_refused_code_is_not_remembered_as_used(bench: Bench) -> None:
    """A code that a clock out of step made wrong may be right a moment later."""
    bench.write(bench.role("dev", mfa=True, mfa_serial=bench.user.mfa_serial))
    with pytest.raises(CodeRefusedError):
        bench.load("dev", Given("555555"))
    bench.sts.accept_code(bench.user.mfa_serial, "555555")
    bench.load("dev", Given("555555"))


def test_an_unknown_device_is_said_after_one_question(bench: Bench) -> None:
    """Another code would not help against a wrong mfa_serial."""
    bench.write(bench.role("dev", mfa=True, mfa_serial=f"arn:aws:iam::{ACCOUNT}:mfa/nobody"))
    with pytest.raises(DeniedError, match="does not know this MFA device") as caught:
        bench.load("dev")
    assert "check mfa_serial in [profile " in caught.value.hint
    assert bench.calls() == ["session!"]
    assert len(bench.asked) == 1


def test_a_command_gives_the_code_without_a_question(bench: Bench) -> None:
    """mfa_process is run by a real shell, once."""
    bench.write(bench.role("dev", mfa=True, mfa_serial=bench.user.mfa_serial))
    bench.load("dev", Process(f"echo x >>'{bench.root}/runs'; echo {bench.code()} | cat"))
    assert (bench.root / "runs").read_text() == "x\n"
    assert bench.asked == []


def test_where_nobody_can_give_a_code_no_call_is_made(bench: Bench) -> None:
    """The error is there at once, before anything is sent."""
    bench.write(bench.role("dev", mfa=True, mfa_serial=bench.user.mfa_serial))
    with pytest.raises(PersonNeededError) as caught:
        bench.load("dev", nobody_there("dev"))
    assert caught.value.hint == "awsdirenv login dev"
    assert bench.calls() == []


# Ahead of the end


def advise(bench: Bench) -> SessionCredentials:
    """Load a role with a device, and let our clock be where it is due and still usable."""
    bench.write(bench.role("dev", mfa=True, mfa_serial=bench.user.mfa_serial))
    first = bench.load("dev")
    bench.calls()
    bench.asked.clear()
    bench.later = 50 * MINUTE
    return first


def test_ahead_of_the_end_credentials_are_renewed_silently(bench: Bench) -> None:
    """With the MFA session still good, one call gives the next generation."""
    first = advise(bench)
    assert bench.load("dev").access_key_id != first.access_key_id
    assert bench.calls() == ["dev"]
    assert bench.asked == []


@pytest.mark.parametrize("minutes", [0, 44])
def test_before_that_nothing_is_called(bench: Bench, minutes: int) -> None:
    """Fresh credentials are given as they are."""
    first = advise(bench)
    bench.later = minutes * MINUTE
    assert bench.load("dev").access_key_id == first.access_key_id
    assert bench.calls() == []


@pytest.mark.parametrize("kind", ["500", "access-denied", "garbage", "html", "drop", "missing-credentials"])
def test_ahead_of_the_end_a_failure_keeps_what_still_works(bench: Bench, kind: str) -> None:
    """Whatever STS does wrong, credentials with ten minutes left are given on without a word."""
    first = advise(bench)
    bench.sts.faults.append(Fault("AssumeRole", kind, times=None))
    assert bench.load("dev").access_key_id == first.access_key_id
    assert bench.sts.count("AssumeRole") > 0
    bench.sts.reset(faults=True)
    assert bench.load("dev").access_key_id != first.access_key_id


@pytest.mark.parametrize("kind", ["500", "access-denied", "garbage"])
def test_at_the_end_a_failure_is_an_error(bench: Bench, kind: str) -> None:
    """Credentials with less than the margin left are never given."""
    advise(bench)
    bench.later = HOUR - timedelta(seconds=15)
    bench.sts.faults.append(Fault("AssumeRole", kind, times=None))
    with pytest.raises(AwsdirenvError):
        bench.load("dev")


@pytest.mark.parametrize("gone", ["ended by STS", "not stored"])
def test_ahead_of_the_end_nobody_is_asked(bench: Bench, gone: str) -> None:
    """Where renewal would need a code, the person is left in peace until the end."""
    first = advise(bench)
    if gone == "not stored":
        next(bench.paths.sessions.glob("mfa-*")).unlink()
    else:
        bench.sts.expire(bench.kinds("session")[0])
    assert bench.load("dev").access_key_id == first.access_key_id
    assert bench.asked == []
    assert bench.sts.count("GetSessionToken") == 0
    bench.later = HOUR
    assert bench.load("dev").access_key_id != first.access_key_id
    assert len(bench.asked) == 1


def test_ahead_of_the_end_a_command_may_still_give_a_code(bench: Bench) -> None:
    """mfa_process disturbs nobody, so it is used."""
    first = advise(bench)
    next(bench.paths.sessions.glob("mfa-*")).unlink()
    assert bench.load("dev", Process(f"echo {bench.code()}")).access_key_id != first.access_key_id
    assert bench.calls() == ["session", "dev"]


def test_a_long_role_is_not_asked_for_ahead_of_its_end(bench: Bench) -> None:
    """A role that is assumed with the code itself keeps its person in peace, too."""
    bench.write(bench.role("long", mfa=True, mfa_serial=bench.user.mfa_serial, duration_seconds=7200))
    first = bench.load("long")
    bench.later = 110 * MINUTE
    assert bench.load("long").access_key_id == first.access_key_id
    assert len(bench.asked) == 1


def test_a_hop_on_the_way_is_used_until_it_ends(bench: Bench) -> None:
    """Only the last hop is renewed ahead: the way there is good as long as it is open."""
    bench.sts.life_override = 3600
    bench.write(bench.role("hub") + bench.role("x", source_profile="hub"))
    bench.load("x")
    bench.calls()
    bench.later = 50 * MINUTE
    bench.load("x")
    assert bench.calls() == ["x"]
    bench.later = HOUR
    bench.load("x")
    assert bench.calls() == ["hub", "x"]


def test_the_end_that_counts_is_the_one_sts_gave(bench: Bench) -> None:
    """A session that STS made shorter than asked for is renewed by its own end."""
    bench.sts.life_override = 600
    bench.write(bench.role("dev", duration_seconds=3600))
    first = bench.load("dev")
    bench.later = 7 * MINUTE
    assert bench.load("dev").access_key_id == first.access_key_id
    bench.later = 8 * MINUTE
    assert bench.load("dev").access_key_id != first.access_key_id


def test_a_session_that_has_ended_by_our_clock_is_asked_for_anew(bench: Bench) -> None:
    """After twelve hours the code of a new morning is due, once."""
    advise(bench)
    bench.later = 12 * HOUR
    bench.load("dev")
    assert bench.calls() == ["session", "dev"]
    assert len(bench.asked) == 1


# An edited profile


@pytest.mark.parametrize(
    "edit",
    [
        ("role_arn", "role/dev", "role/other"),
        ("external_id", "external_id = one", "external_id = two"),
        ("external_id gone", "external_id = one\n", ""),
        ("role_session_name", "role_session_name = me", "role_session_name = you"),
        ("duration_seconds", "duration_seconds = 900", "duration_seconds = 1800"),
        ("hub", "role/hub", "role/hub2"),
        ("hub's external_id", "external_id = hub", "external_id = bub"),
    ],
    ids=lambda edit: str(edit[0]),
)
def test_an_edited_role_never_gets_yesterday_s_credentials(bench: Bench, edit: tuple[str, str, str]) -> None:
    """Whatever decides who one becomes makes another session; the old one is found again when the edit is undone."""
    for name in ("other", "hub2"):
        bench.sts.add_role(name)
    config = bench.role("hub", external_id="hub") + bench.role(
        "dev", external_id="one", role_session_name="me", duration_seconds=900, source_profile="hub"
    )
    edited = config.replace(edit[1], edit[2])
    assert edited != config
    bench.write(config)
    first = bench.load("dev")
    bench.write(edited)
    bench.calls()
    second = bench.load("dev")
    assert bench.calls()[-1] in ("dev", "other")
    assert second.access_key_id != first.access_key_id
    bench.write(config)
    assert bench.load("dev").access_key_id == first.access_key_id
    assert bench.calls() == []


def test_another_key_of_the_source_is_another_session(bench: Bench) -> None:
    """After a key rotation, or with another user's keys, nothing of the old key's is used."""
    config = bench.role("dev", mfa=True, mfa_serial=bench.user.mfa_serial)
    bench.write(config)
    first = bench.load("dev")
    bench.user = bench.sts.add_user("foo")
    bench.write(config)
    bench.calls()
    assert bench.load("dev").access_key_id != first.access_key_id
    assert bench.calls() == ["session", "dev"]


def test_a_new_device_is_another_session(bench: Bench) -> None:
    """Taking the device away, or another one, never leads back to a session of the old one."""
    bench.write(bench.role("dev", mfa_serial=bench.user.mfa_serial))
    first = bench.load("dev")
    bench.calls()
    bench.write(bench.role("dev"))
    assert bench.load("dev").access_key_id != first.access_key_id
    assert bench.calls() == ["dev"]


def test_another_endpoint_has_sessions_of_its_own(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of LocalStack's are never sent to AWS, nor the other way round, and switching back costs nothing."""
    serial = bench.user.mfa_serial
    with StrictSts() as local:
        local.add_user("foo", access_key_id=bench.user.access_key_id, secret=bench.user.secret_access_key)
        local.add_role("dev", require_mfa=True)
        local.accept_code(serial, "777777")
        bench.write(bench.role("dev", mfa=True, mfa_serial=serial))
        first = bench.load("dev")
        bench.calls()
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", local.url)
        second = bench.refresher("dev", Given("777777")).credentials()
        assert [call.action for call in local.calls] == ["GetSessionToken", "AssumeRole"]
        assert second.access_key_id in local.keys
        monkeypatch.delenv("AWS_ENDPOINT_URL_STS")
        assert bench.load("dev").access_key_id == first.access_key_id
        assert bench.calls() == []


# Without a role


def test_a_plain_user_with_a_device_gets_a_session_of_its_account(bench: Bench) -> None:
    """The device's ARN says the account, so STS is not asked who that is."""
    bench.write(f"[profile base]\nmfa_serial = {bench.user.mfa_serial}\n")
    got = bench.load("base")
    assert bench.known(got).kind == "session"
    assert bench.known(got).mfa
    assert (got.account_id, lives(got)) == (ACCOUNT, 12 * HOUR)
    assert bench.calls() == ["session"]


def test_a_plain_user_s_session_is_the_one_the_roles_use(bench: Bench) -> None:
    """User and roles behind one device ask for one code."""
    bench.write(f"[profile base]\nmfa_serial = {bench.user.mfa_serial}\n" + bench.role("dev", mfa=True))
    bench.load("base")
    bench.load("dev")
    assert bench.calls() == ["session", "dev"]
    assert len(bench.asked) == 1


def test_a_plain_user_with_a_device_is_not_renewed_ahead(bench: Bench) -> None:
    """Each renewal would cost a code, so the session is used up."""
    bench.write(f"[profile base]\nmfa_serial = {bench.user.mfa_serial}\n")
    first = bench.load("base")
    bench.later = 12 * HOUR - MINUTE
    silent = Process(f"touch '{bench.root}/run'; exit 1")
    assert bench.load("base", silent).access_key_id == first.access_key_id
    assert not (bench.root / "run").exists()
    bench.later = 12 * HOUR
    assert bench.load("base").access_key_id != first.access_key_id
    assert len(bench.asked) == 2


def test_a_plain_user_without_a_device_gets_a_session_and_is_renewed_ahead(bench: Bench) -> None:
    """The long-term key itself is never handed out; who it is, STS says."""
    first = bench.load("base")
    assert bench.known(first).kind == "session"
    assert not bench.known(first).mfa
    assert (first.account_id, first.arn) == (ACCOUNT, bench.user.arn)
    assert bench.calls() == ["session", "who"]
    bench.later = 12 * HOUR - 10 * MINUTE
    assert bench.load("base").access_key_id != first.access_key_id
    assert bench.asked == []


def test_a_hardware_device_s_account_is_asked_of_sts(bench: Bench) -> None:
    """A serial number that is no ARN says no account."""
    bench.sts.keys[bench.user.access_key_id].mfa_serial = "GAHT12345678"
    bench.sts.accept_code("GAHT12345678", "424242")
    bench.answers = ["424242"]
    bench.write("[profile base]\nmfa_serial = GAHT12345678\n")
    assert bench.load("base").account_id == ACCOUNT
    assert bench.calls() == ["session", "who"]
    assert bench.load("base").account_id == ACCOUNT
    assert bench.calls() == []


def test_a_session_whose_account_nobody_says_is_still_good(bench: Bench) -> None:
    """GetCallerIdentity is a courtesy: its failure costs the account id only."""
    bench.sts.faults.append(Fault("GetCallerIdentity", "access-denied", times=None))
    got = bench.load("base")
    assert (got.account_id, got.arn) == (None, None)
    assert bench.load("base").access_key_id == got.access_key_id


def test_a_role_s_account_is_the_one_it_is_in(bench: Bench) -> None:
    """A role of another account brings that account's id, with no call for it."""
    arn = bench.sts.add_role("far", account="999999999999")
    bench.write(f"[profile far]\nrole_arn = {arn}\nsource_profile = base\n")
    got = bench.load("far")
    assert got.account_id == "999999999999"
    assert bench.load("far").account_id == "999999999999"
    assert bench.calls() == ["far"]


# A source that is temporary itself


def paste(bench: Bench, config: str = "") -> str:
    """Put a session into the credentials file, as `[base]`, as people do; give its key id."""
    bench.write()
    got = bench.load("base")
    lines = f"aws_access_key_id = {got.access_key_id}\naws_secret_access_key = {got.secret_access_key}\n"
    bench.write(config, f"[base]\n{lines}aws_session_token = {got.session_token}\n")
    bench.calls()
    return got.access_key_id


def test_a_pasted_session_is_given_as_it_is_with_its_account(bench: Bench) -> None:
    """There is no key to start another session with; nothing is known of its end."""
    pasted = paste(bench)
    got = bench.load("base")
    assert (got.access_key_id, got.account_id, got.expiration) == (pasted, ACCOUNT, None)
    assert bench.calls() == ["who"]


def test_a_pasted_session_that_has_ended_is_an_error(bench: Bench) -> None:
    """Nobody gets credentials that STS has just refused."""
    bench.sts.expire(paste(bench))
    with pytest.raises(SessionRefusedError):
        bench.load("base")
    assert bench.calls() == ["who!"]


def test_roles_behind_a_pasted_session_are_assumed_with_it_and_capped(bench: Bench) -> None:
    """No GetSessionToken, which AWS refuses to a session, and no more than an hour."""
    pasted = paste(bench, bench.role("dev", duration_seconds=7200))
    assert lives(bench.load("dev")) == HOUR
    assert bench.signer("AssumeRole").access_key_id == pasted
    assert bench.calls() == ["dev"]


def test_a_device_behind_a_pasted_session_is_proved_at_the_role(bench: Bench) -> None:
    """As botocore does: the role's own mfa_serial goes with the call, once."""
    paste(bench, bench.role("dev", mfa_serial=bench.user.mfa_serial))
    with pytest.raises(DeniedError):  # the server knows, as AWS does, that a session cannot prove a device
        bench.load("dev")
    assert bench.params("AssumeRole")["SerialNumber"] == bench.user.mfa_serial
    assert bench.calls() == ["dev!"]


def test_a_device_of_a_pasted_session_s_profile_is_not_proved_again(bench: Bench) -> None:
    """The session was made with the device, or not: there is no key to prove it at."""
    paste(bench, f"[profile base]\nmfa_serial = {bench.user.mfa_serial}\n" + bench.role("dev"))
    bench.load("dev")
    assert bench.calls() == ["dev"]
    assert bench.asked == []


def test_a_source_that_changes_its_keys_by_itself_keeps_its_roles(bench: Bench) -> None:
    """Temporary keys of a process (or of SSO) are new ones each time: the role is stored under the profile's name."""
    bench.write()
    for number in ("1", "2"):
        got = bench.load("base", renew_role=True)
        document = {"Version": 1, "AccessKeyId": got.access_key_id, "SecretAccessKey": got.secret_access_key}
        document |= {"SessionToken": got.session_token, "Expiration": "2099-01-01T00:00:00Z"}
        (bench.root / number).write_text(json.dumps(document))
    process = f"[profile s]\ncredential_process = cat {bench.root}/0\n"
    bench.write(process + bench.role("dev", source_profile="s"))
    bench.calls()
    (bench.root / "0").symlink_to("1")
    first = bench.load("dev")
    (bench.root / "0").unlink()
    (bench.root / "0").symlink_to("2")
    assert bench.load("dev").access_key_id == first.access_key_id
    assert bench.calls() == ["dev"]
    bench.write(process + "region = x\n" + bench.role("dev", source_profile="s"))
    assert bench.load("dev").access_key_id != first.access_key_id


def test_keys_of_the_environment_are_used_only_where_the_profile_says_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """credential_source = Environment takes them; nothing else does, or exports would feed their own refresh."""
    other = bench.sts.add_user("env")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", other.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", other.secret_access_key)
    bench.write(
        bench.role("named", source_profile=None, credential_source="Environment")
        + bench.role("dev")
        + "[profile bare]\nregion = x\n"
    )
    named = bench.load("named")
    assert bench.signer("AssumeRole").access_key_id == other.access_key_id
    another = bench.sts.add_user("env2")
    with monkeypatch.context() as context:
        context.setenv("AWS_ACCESS_KEY_ID", another.access_key_id)
        context.setenv("AWS_SECRET_ACCESS_KEY", another.secret_access_key)
        assert bench.load("named").access_key_id != named.access_key_id
    bench.load("dev")
    assert bench.signer("AssumeRole").access_key_id == bench.user.access_key_id
    with pytest.raises(NoCredentialsError):
        bench.load("bare")


# By force


def test_force_renews_the_last_step_only(bench: Bench) -> None:
    """`login --force` gets a new role session with the stored MFA session."""
    first = advise(bench)
    bench.later = timedelta(0)
    assert bench.load("dev", renew_role=True).access_key_id != first.access_key_id
    assert bench.calls() == ["dev"]


def test_force_does_not_renew_the_hops_on_the_way(bench: Bench) -> None:
    """Others use them, too."""
    bench.write(bench.role("hub") + bench.role("x", source_profile="hub"))
    bench.load("x")
    bench.load("x", renew_role=True)
    assert bench.calls() == ["hub", "x", "x"]


def test_force_renews_a_plain_user_s_session(bench: Bench) -> None:
    """Where there is no role, the session is the last step."""
    first = bench.load("base")
    assert bench.load("base", renew_role=True).access_key_id != first.access_key_id


def test_force_with_a_code_renews_the_mfa_session_as_well(bench: Bench) -> None:
    """`login --force --token-code` starts from the key."""
    advise(bench)
    bench.load("dev", Given(bench.code()), renew_role=True, renew_mfa=True)
    assert bench.calls() == ["session", "dev"]


def test_force_hides_no_failure(bench: Bench) -> None:
    """Who asked for new credentials is not given the old ones."""
    advise(bench)
    bench.later = timedelta(0)
    bench.sts.faults.append(Fault("AssumeRole", "500", times=None))
    with pytest.raises(NetworkError):
        bench.load("dev", renew_role=True)


# What is left on the disk


def test_neither_the_key_nor_a_code_is_ever_written(bench: Bench) -> None:
    """After every kind of load, our folders hold sessions, and no long-term secret, no code and no answer of STS's."""
    serial = bench.user.mfa_serial
    bench.write(
        f"[profile base]\nmfa_serial = {serial}\n"
        + bench.role("dev", mfa=True)
        + bench.role("long", mfa=True, duration_seconds=7200)
    )
    for name in ("base", "dev", "long"):
        bench.load(name)
    written = "".join(path.name + path.read_text() for path in bench.paths.root.rglob("*") if path.is_file())
    assert bench.user.secret_access_key not in written
    assert not [code for code in range(100001, bench.number + 1) if f"={code}" in written]
    assert {path.stat().st_mode & 0o777 for path in bench.paths.sessions.iterdir()} == {0o600}
    held = [line for line in written.splitlines() if line.startswith("ACCESS_KEY_ID=")]
    assert len(held) == 3
    assert f"ACCESS_KEY_ID={bench.user.access_key_id}" not in held


def test_times_that_are_stored_are_those_that_sts_gave(bench: Bench) -> None:
    """A process that reads the session later judges by the same end, to the second."""
    bench.write(bench.role("dev"))
    first, again = bench.load("dev"), bench.load("dev")
    assert first.expiration == again.expiration
    assert again.issued == first.issued.replace(microsecond=0)
    assert first.expiration is not None
    assert first.expiration == datetime.fromtimestamp(bench.known(first).expires, timezone.utc)


# Session tokens that another tool has stored


@pytest.mark.parametrize("key", ["x_security_token_expires", "aws_credential_expiration"])
@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S+00:00"])
def test_the_end_that_is_noted_beside_a_stored_token_counts(bench: Bench, key: str, form: str) -> None:
    """What saml2aws and others write into the credentials file ends when they say it does."""
    arn = bench.sts.add_role("stored")
    given = bench.sts.issue_credentials(arn)
    stored = (
        f"[stored]\naws_access_key_id = {given['AccessKeyId']}\naws_secret_access_key = {given['SecretAccessKey']}\n"
        f"aws_session_token = {given['SessionToken']}\n"
    )
    end = (utc_now() + HOUR).replace(microsecond=0)
    bench.write("", stored + f"{key} = {end.strftime(form)}\n")
    assert bench.load("stored").expiration == end
    bench.write("", stored + f"{key} = {(end - 2 * HOUR).strftime(form)}\n")
    with pytest.raises(CredentialSourceError, match="stored for profile stored has ended") as caught:
        bench.load("stored")
    assert "[stored]" in caught.value.hint
    bench.write("", stored + f"{key} = soon\n")
    assert bench.load("stored").expiration is None
