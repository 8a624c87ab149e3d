"""strict_sts.py holds the rest of the suite up, so each of its rules is proved with AWS's own client."""

from __future__ import annotations

import base64
import http.client
import json
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import UNSIGNED
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from strict_sts import SECRET_PREFIX, TOKEN_PREFIX, Fault, StrictSts, User, totp

SESSION = botocore.session.Session()
# The client's own checks are off, or the server's could not be reached.
QUICK: dict[str, Any] = {
    "retries": {"total_max_attempts": 1},
    "parameter_validation": False,
    "max_pool_connections": 100,
}
BAD_CODE = "MultiFactorAuthentication failed with invalid MFA one time pass code. "
BAD_SERIAL = (
    "MultiFactorAuthentication failed, unable to validate MFA code.  "
    "Please verify your MFA serial number is valid and associated with this user."
)
BAD_TOKEN = "The security token included in the request is invalid."
TOO_LONG = "The requested DurationSeconds exceeds the "
CHAINING = TOO_LONG + "1 hour session limit for roles assumed by role chaining."


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a proxy of the machine's from coming between the client and loopback."""
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def sts() -> Iterator[StrictSts]:
    """Give a server with listed codes."""
    with StrictSts() as server:
        yield server


@pytest.fixture
def alice(sts: StrictSts) -> User:
    """Give a user with a device."""
    return sts.add_user("alice")


def client(sts: StrictSts, who: Any, service: str = "sts", read_timeout: float = 20, **change: str) -> Any:
    """Make a real client with a User's keys or with the Credentials of an answer; `change` replaces some."""
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    if isinstance(who, User):
        values = [who.access_key_id, who.secret_access_key, None]
    else:
        values = [who["AccessKeyId"], who["SecretAccessKey"], who["SessionToken"]]
    keys: dict[str, Any] = {**dict(zip(names, values, strict=True)), **change}
    config = Config(read_timeout=read_timeout, **QUICK)
    return SESSION.create_client(service, "eu-west-1", endpoint_url=sts.url, config=config, **keys)


def refusal(call: Callable[..., Any], **params: Any) -> tuple[int, str, str]:
    """Give status, code and message of the refusal the call must meet."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


def session(sts: StrictSts, user: User, code: str | None = None, **params: Any) -> Any:
    """Credentials of GetSessionToken, with MFA if a code is given."""
    if code is not None:
        sts.accept_code(user.mfa_serial, code)
        params |= {"SerialNumber": user.mfa_serial, "TokenCode": code}
    return client(sts, user).get_session_token(**params)["Credentials"]


def assume(sts: StrictSts, who: Any, role: str, **params: Any) -> Any:
    """Give the answer of AssumeRole."""
    return client(sts, who).assume_role(RoleArn=role, RoleSessionName="work", **params)


def assume_refused(sts: StrictSts, who: Any, role: str, **params: Any) -> tuple[int, str, str]:
    """Give the refusal AssumeRole must meet."""
    return refusal(client(sts, who).assume_role, **{"RoleArn": role, "RoleSessionName": "work", **params})


def not_authorized(arn: str, role: str) -> tuple[int, str, str]:
    """AWS's answer to a caller whom the role's trust policy does not name."""
    return (
        403,
        "AccessDenied",
        f"User: {arn} is not authorized to perform: sts:AssumeRole on resource: {role}",
    )


def raw(
    sts: StrictSts, user: User, late: dict[str, str], service: str = "sts", *, tamper: bool = False
) -> tuple[int, str]:
    """Status and body of a request signed by hand; `late` headers are added after signing."""
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    request = AWSRequest(method="POST", url=sts.url + "/", data=body, headers=headers)
    SigV4Auth(Credentials(user.access_key_id, user.secret_access_key), service, "eu-west-1").add_auth(request)
    sent = {name: value for name, value in {**request.headers, **late}.items() if value}
    connection = http.client.HTTPConnection("127.0.0.1", sts.port, timeout=10)
    with closing(connection):
        connection.request("POST", "/", body + b"&Extra=1" * tamper, sent)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_user_identity(sts: StrictSts) -> None:
    """GetCallerIdentity names the user and account that own the long-term key."""
    user = sts.add_user("bob", account="210987654321", mfa=False)
    answer = client(sts, user).get_caller_identity()
    assert (answer["Arn"], answer["Account"]) == ("arn:aws:iam::210987654321:user/bob", "210987654321")
    assert answer["UserId"].startswith("AIDA")
    assert user.mfa_serial == ""


def test_given_keys_are_kept(sts: StrictSts) -> None:
    """A user can be given fixed keys."""
    user = sts.add_user("bob", access_key_id="AKIDTESTFIXED", secret="fixed")
    assert client(sts, user).get_caller_identity()["Arn"] == user.arn
    assert user.access_key_id == "AKIDTESTFIXED"


def test_session_token_credentials(sts: StrictSts, alice: User) -> None:
    """Every GetSessionToken issues new, recognisable, working keys of the user, good for 12 hours."""
    first, second = session(sts, alice), session(sts, alice)
    for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"):
        assert first[name] != second[name]
        assert first[name].isascii()
        assert first[name].isprintable()
        assert " " not in first[name]
    assert first["SecretAccessKey"].startswith(SECRET_PREFIX)
    assert first["SessionToken"].startswith(TOKEN_PREFIX)
    assert abs(first["Expiration"].timestamp() - time.time() - 43200) < 10
    assert client(sts, second).get_caller_identity()["Arn"] == alice.arn


def test_secrets_stay_out_of_reprs(sts: StrictSts, alice: User) -> None:
    """A failing assertion prints no secret."""
    shown = repr(alice) + repr(sts.keys)
    assert SECRET_PREFIX not in shown
    assert alice.totp_seed not in shown


def test_listed_code_works_once(sts: StrictSts, alice: User) -> None:
    """A listed code is accepted once and refused the second time, and cannot be listed again."""
    session(sts, alice, "123456")
    params = {"SerialNumber": alice.mfa_serial, "TokenCode": "123456"}
    assert refusal(client(sts, alice).get_session_token, **params) == (403, "AccessDenied", BAD_CODE)
    with pytest.raises(ValueError, match="already used"):
        sts.accept_code(alice.mfa_serial, "123456")


def test_code_is_spent_across_operations(sts: StrictSts, alice: User) -> None:
    """A code GetSessionToken has taken is refused by AssumeRole."""
    session(sts, alice, "123456")
    mfa = {"SerialNumber": alice.mfa_serial, "TokenCode": "123456"}
    assert assume_refused(sts, alice, sts.add_role("dev"), **mfa)[2] == BAD_CODE


def test_codes_belong_to_devices(sts: StrictSts, alice: User) -> None:
    """The same digits spent on one device are still good on another."""
    session(sts, alice, "123456")
    session(sts, sts.add_user("bob"), "123456")
    assert sts.count("GetSessionToken", ok=True) == 2


def test_one_code_one_winner(sts: StrictSts, alice: User) -> None:
    """Of 20 simultaneous requests with the same code exactly one is let in."""
    sts.accept_code(alice.mfa_serial, "123456")
    api, mfa = client(sts, alice), {"SerialNumber": alice.mfa_serial, "TokenCode": "123456"}

    def attempt(_: int) -> bool:
        try:
            return bool(api.get_session_token(**mfa))
        except ClientError:
            return False

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(attempt, range(20))) == 1


def test_unlisted_code_is_refused(sts: StrictSts, alice: User) -> None:
    """A code nobody listed is refused in AWS's words."""
    params = {"SerialNumber": alice.mfa_serial, "TokenCode": "000000"}
    assert refusal(client(sts, alice).get_session_token, **params) == (403, "AccessDenied", BAD_CODE)


def test_foreign_serial_is_refused(sts: StrictSts, alice: User) -> None:
    """Another user's device, an unknown one and one of a user without a device are refused alike."""
    bob, carol = sts.add_user("bob"), sts.add_user("carol", mfa=False)
    sts.accept_code(bob.mfa_serial, "123456")
    for who, serial in ((alice, bob.mfa_serial), (alice, "arn:aws:iam::123456789012:mfa/x"), (carol, "")):
        params = {"SerialNumber": serial, "TokenCode": "123456"}
        assert refusal(client(sts, who).get_session_token, **params) == (403, "AccessDenied", BAD_SERIAL)


@pytest.mark.parametrize("given", [{"SerialNumber": "alice"}, {"TokenCode": "123456"}])
def test_mfa_needs_both_parameters(sts: StrictSts, alice: User, given: dict[str, str]) -> None:
    """A serial number without a code, or a code without a serial number, is refused."""
    if "SerialNumber" in given:
        given = {"SerialNumber": alice.mfa_serial}
    status, code, message = refusal(client(sts, alice).get_session_token, **given)
    assert (status, code) == (403, "AccessDenied")
    assert "must provide both MFA serial number and one time pass code" in message


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "12 456", "123456\n", "١٢٣٤٥٦"])
def test_malformed_code_is_a_validation_error(sts: StrictSts, alice: User, code: str) -> None:
    """A TokenCode that is not six ASCII digits is refused before it is compared with anything."""
    params = {"SerialNumber": alice.mfa_serial, "TokenCode": code}
    assert refusal(client(sts, alice).get_session_token, **params)[:2] == (400, "ValidationError")


def test_totp_matches_the_rfc() -> None:
    """The code at RFC 6238's first test time is the one the RFC lists."""
    assert totp(base64.b32encode(b"12345678901234567890").decode(), 59 // 30) == "287082"


def test_totp_mode() -> None:
    """The code of the current 30 s and its neighbours work once each; codes further off do not work."""
    with StrictSts(codes="totp") as sts:
        alice = sts.add_user("alice")
        # The middle of a step, or the test could straddle two.
        sts.clock_offset = 15 - time.time() % 30
        api = client(sts, alice)
        for step in (0, -1, 1):
            mfa = {"SerialNumber": alice.mfa_serial, "TokenCode": alice.code(step)}
            api.get_session_token(**mfa)
            assert refusal(api.get_session_token, **mfa)[2] == BAD_CODE
        for step in (-2, 2):
            mfa = {"SerialNumber": alice.mfa_serial, "TokenCode": alice.code(step)}
            assert refusal(api.get_session_token, **mfa)[2] == BAD_CODE
        with pytest.raises(ValueError, match="totp"):
            sts.accept_code(alice.mfa_serial, "123456")


def test_wrong_secret(sts: StrictSts, alice: User) -> None:
    """A signature made with another secret is refused."""
    api = client(sts, alice, aws_secret_access_key="wrong")
    assert refusal(api.get_caller_identity)[:2] == (403, "SignatureDoesNotMatch")


def test_unknown_key(sts: StrictSts, alice: User) -> None:
    """An access key the server never issued is refused."""
    api = client(sts, alice, aws_access_key_id="AKIDTESTNOBODY")
    assert refusal(api.get_caller_identity) == (403, "InvalidClientTokenId", BAD_TOKEN)


@pytest.mark.parametrize("token", ["", "other", "made-up"])
def test_session_needs_its_own_token(sts: StrictSts, alice: User, token: str) -> None:
    """Session keys without their token, or with another session's, are refused."""
    first, second = session(sts, alice), session(sts, alice)
    api = client(sts, first, aws_session_token=second["SessionToken"] if token == "other" else token)
    assert refusal(api.get_caller_identity) == (403, "InvalidClientTokenId", BAD_TOKEN)


def test_long_term_key_with_a_token(sts: StrictSts, alice: User) -> None:
    """A long-term key sent along with somebody's session token is refused."""
    api = client(sts, alice, aws_session_token=session(sts, alice)["SessionToken"])
    assert refusal(api.get_caller_identity) == (403, "InvalidClientTokenId", BAD_TOKEN)


def test_hand_made_requests(sts: StrictSts, alice: User) -> None:
    """The signature covers body, service and x-amz headers, and must be there and be well-formed."""
    assert raw(sts, alice, {})[0] == 200
    for expected, answer in (
        ((403, "SignatureDoesNotMatch"), raw(sts, alice, {}, tamper=True)),
        ((403, "Credential should be scoped to correct service"), raw(sts, alice, {}, service="iam")),
        ((403, "SignatureDoesNotMatch"), raw(sts, alice, {"X-Amz-Extra": "unsigned"})),
        ((403, "MissingAuthenticationToken"), raw(sts, alice, {"Authorization": ""})),
        ((400, "IncompleteSignature"), raw(sts, alice, {"Authorization": "AWS4-HMAC-SHA256 nonsense"})),
        ((400, "IncompleteSignature"), raw(sts, alice, {"X-Amz-Date": "yesterday"})),
    ):
        assert answer[0] == expected[0]
        assert expected[1] in answer[1]


@pytest.mark.parametrize(("offset", "words"), [(960, "Signature expired: "), (-960, "not yet current")])
def test_clock_skew(sts: StrictSts, alice: User, offset: int, words: str) -> None:
    """A request dated 16 minutes off the server's clock is refused, 14 minutes off is let in."""
    sts.clock_offset = offset
    status, code, message = refusal(client(sts, alice).get_caller_identity)
    assert (status, code) == (403, "SignatureDoesNotMatch")
    assert words in message
    sts.clock_offset = offset * 14 / 16
    client(sts, alice).get_caller_identity()


def test_server_clock_is_shown(sts: StrictSts, alice: User) -> None:
    """The Date header and the expirations follow the shifted clock."""
    sts.clock_offset = 600
    answer = client(sts, alice).get_session_token(DurationSeconds=900)
    soon = datetime.now(timezone.utc) + timedelta(seconds=600)
    date = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    assert abs(date - soon) < timedelta(seconds=10)
    assert abs(answer["Credentials"]["Expiration"] - soon - timedelta(seconds=900)) < timedelta(seconds=10)


def test_session_expires_by_the_clock(sts: StrictSts, alice: User) -> None:
    """A session is good until its Expiration and answers ExpiredToken from then on."""
    sts.life_override = 300
    credentials = session(sts, alice)
    sts.clock_offset = 280
    client(sts, credentials).get_caller_identity()
    sts.clock_offset = 300
    expired = (403, "ExpiredToken", "The security token included in the request is expired")
    assert refusal(client(sts, credentials).get_caller_identity) == expired


def test_expire_and_revoke(sts: StrictSts, alice: User) -> None:
    """expire() ends one session as expired, revoke() as unknown, and other sessions go on."""
    first, second, third = (session(sts, alice) for _ in range(3))
    sts.expire(first["AccessKeyId"])
    sts.revoke(second["AccessKeyId"])
    assert refusal(client(sts, first).get_caller_identity)[1] == "ExpiredToken"
    assert refusal(client(sts, second).get_caller_identity) == (403, "InvalidClientTokenId", BAD_TOKEN)
    client(sts, third).get_caller_identity()


def test_expire_all_sessions(sts: StrictSts, alice: User) -> None:
    """expire_all_sessions() ends user and role sessions and leaves long-term keys alone."""
    credentials = [session(sts, alice), assume(sts, alice, sts.add_role("dev"))["Credentials"]]
    sts.expire_all_sessions()
    assert [refusal(client(sts, one).get_caller_identity)[1] for one in credentials] == ["ExpiredToken"] * 2
    client(sts, alice).get_caller_identity()


def test_session_cannot_get_a_session(sts: StrictSts, alice: User) -> None:
    """GetSessionToken refuses session and role keys."""
    role = sts.add_role("dev")
    for who in (session(sts, alice), assume(sts, alice, role)["Credentials"]):
        denied = (403, "AccessDenied", "Cannot call GetSessionToken with session credentials")
        assert refusal(client(sts, who).get_session_token) == denied


@pytest.mark.parametrize("longest", [129600, 43200])
def test_duration_bounds(sts: StrictSts, alice: User, longest: int) -> None:
    """GetSessionToken takes 900 to 129600 seconds, AssumeRole 900 to 43200, and nothing outside."""
    api, params = client(sts, alice), {"RoleArn": sts.add_role("dev"), "RoleSessionName": "work"}
    call, params = (api.get_session_token, {}) if longest == 129600 else (api.assume_role, params)
    for good in (900, longest):
        expiration = call(**params, DurationSeconds=good)["Credentials"]["Expiration"]
        assert abs(expiration.timestamp() - time.time() - good) < 10
    head = "1 validation error detected: Value '{}' at 'durationSeconds' failed to satisfy constraint: "
    for bad, bound in (
        (899, "greater than or equal to 900"),
        (longest + 1, f"less than or equal to {longest}"),
    ):
        message = f"{head.format(bad)}Member must have value {bound}"
        assert refusal(call, **params, DurationSeconds=bad) == (400, "ValidationError", message)


def test_role_max_duration(sts: StrictSts, alice: User) -> None:
    """A role's own maximum is enforced below AWS's."""
    role = sts.add_role("dev", max_duration=7200)
    message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    assert assume_refused(sts, alice, role, DurationSeconds=7201) == (400, "ValidationError", message)
    assume(sts, alice, role, DurationSeconds=7200)


def test_role_chaining_is_limited_to_an_hour(sts: StrictSts, alice: User) -> None:
    """Role keys and GetSessionToken keys may assume a role for an hour and not a second more."""
    role = sts.add_role("dev")
    for who in (session(sts, alice), assume(sts, alice, role)["Credentials"]):
        assert assume_refused(sts, who, role, DurationSeconds=3601) == (400, "ValidationError", CHAINING)
        assume(sts, who, role, DurationSeconds=3600)


def test_assumed_role_identity(sts: StrictSts, alice: User) -> None:
    """Role keys last an hour by default and answer as the assumed role, whose ARN has no path."""
    answer = assume(sts, alice, sts.add_role("team/dev", account="210987654321"))
    assert abs(answer["Credentials"]["Expiration"].timestamp() - time.time() - 3600) < 10
    identity = client(sts, answer["Credentials"]).get_caller_identity()
    assert identity["Arn"] == answer["AssumedRoleUser"]["Arn"]
    assert identity["Arn"] == "arn:aws:sts::210987654321:assumed-role/dev/work"
    assert identity["Account"] == "210987654321"
    assert identity["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]
    assert identity["UserId"].endswith(":work")


@pytest.mark.parametrize("name", ["", "x", "x" * 65, "a b", "a/b", "é" * 3])
def test_bad_session_names(sts: StrictSts, alice: User, name: str) -> None:
    """A RoleSessionName outside AWS's pattern is a validation error."""
    role = sts.add_role("dev")
    assert assume_refused(sts, alice, role, RoleSessionName=name)[:2] == (400, "ValidationError")


def test_good_session_names(sts: StrictSts, alice: User) -> None:
    """Both lengths at the edge and every special character AWS allows are let in."""
    api, role = client(sts, alice), sts.add_role("dev")
    for name in ("ab", "x" * 64, "a_+=,.@-"):
        api.assume_role(RoleArn=role, RoleSessionName=name)


def test_malformed_role_arn(sts: StrictSts, alice: User) -> None:
    """A RoleArn which is no role's ARN is a validation error, even to a lenient server."""
    sts.lenient_roles = True
    assert assume_refused(sts, alice, "arn:aws:iam::1:user/dev")[:2] == (400, "ValidationError")


def test_unknown_role(sts: StrictSts, alice: User) -> None:
    """A role nobody registered is refused like one that trusts others, unless lenient_roles is on."""
    role = "arn:aws:iam::123456789012:role/ghost"
    assert assume_refused(sts, alice, role) == not_authorized(alice.arn, role)
    sts.lenient_roles = True
    assume(sts, alice, role)


def test_trust(sts: StrictSts, alice: User) -> None:
    """A role lets in the users, roles and accounts its trust names, and nobody else."""
    bob = sts.add_user("bob", account="210987654321")
    first = sts.add_role("first", trusted=[alice.arn])
    second = sts.add_role("second", trusted=[first, "arn:aws:iam::210987654321:root"])
    chained = assume(sts, alice, first)["Credentials"]
    assume(sts, session(sts, alice), first)
    assert assume_refused(sts, bob, first) == not_authorized(bob.arn, first)
    assert assume_refused(sts, alice, second) == not_authorized(alice.arn, second)
    assume(sts, chained, second)
    assume(sts, bob, second)
    caller = "arn:aws:sts::123456789012:assumed-role/first/work"
    assert assume_refused(sts, chained, first) == not_authorized(caller, first)


def test_external_id(sts: StrictSts, alice: User) -> None:
    """A role with an external ID demands exactly that ID; one without ignores it."""
    role = sts.add_role("dev", external_id="right")
    for params in ({}, {"ExternalId": "wrong"}):
        assert assume_refused(sts, alice, role, **params) == not_authorized(alice.arn, role)
    assume(sts, alice, role, ExternalId="right")
    assume(sts, alice, sts.add_role("open"), ExternalId="whatever")


def tagged(*transitive: str, **tags: str) -> dict[str, Any]:
    """Parameters of AssumeRole with these session tags, of which some are transitive."""
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    return {"Tags": pairs, "TransitiveTagKeys": list(transitive)}


def test_session_tags(sts: StrictSts, alice: User) -> None:
    """Session tags are taken within AWS's limits, and each call is recorded with its own."""
    role = sts.add_role("dev")
    longest = {"Key": "k" * 128, "Value": "v" * 256}
    fifty = [{"Key": f"k{number}", "Value": ""} for number in range(50)]
    for tags in ([], [longest], fifty, [{"Key": "Zürich /=+-@:._", "Value": "ä 1"}]):
        assume(sts, alice, role, Tags=tags)
    assume(sts, alice, role, **tagged("team", Team="x", cost="7"))
    assert sts.calls[-1].params["Tags.member.1.Key"] == "Team"
    assert sts.calls[-1].params["Tags.member.2.Value"] == "7"
    assert sts.calls[-1].params["TransitiveTagKeys.member.1"] == "team"
    invalid = (400, "ValidationError")
    for bad in (
        [{"Key": "", "Value": "x"}],
        [{"Key": "k" * 129, "Value": "x"}],
        [{"Key": "k", "Value": "v" * 257}],
        [{"Key": "a*b", "Value": "x"}],
        [{"Key": "k", "Value": "a;b"}],
        [{"Key": "k"}],
        [*fifty, longest],
    ):
        assert assume_refused(sts, alice, role, Tags=bad)[:2] == invalid
    parameter = (400, "InvalidParameterValue")
    for params in (tagged("other", team="x"), tagged(team="x", Team="y"), tagged(**{"aws:team": "x"})):
        assert assume_refused(sts, alice, role, **params)[:2] == parameter


def test_transitive_tags(sts: StrictSts, alice: User) -> None:
    """A transitive tag stays for the rest of a chain and cannot be set again; others are for one session."""
    role = sts.add_role("dev")
    first = assume(sts, alice, role, **tagged("team", team="x", cost="7"))["Credentials"]
    second = assume(sts, first, role, **tagged("cost", cost="8"))["Credentials"]
    for params in (tagged(TEAM="y"), tagged(team="x"), tagged(cost="9")):
        assert assume_refused(sts, second, role, **params)[:2] == (400, "InvalidParameterValue")
    assume(sts, first, role, **tagged(cost="9"))
    assert sts.keys[second["AccessKeyId"]].tags == {"team": "x", "cost": "8"}


def test_source_identity(sts: StrictSts, alice: User) -> None:
    """A SourceIdentity is set once in a chain, by AWS's pattern, and cannot be changed."""
    role = sts.add_role("dev")
    for bad in ("", "a", "x" * 65, "a b", "a:b"):
        assert assume_refused(sts, alice, role, SourceIdentity=bad)[:2] == (400, "ValidationError")
    first = assume(sts, alice, role, SourceIdentity="alice")["Credentials"]
    assert sts.calls[-1].params["SourceIdentity"] == "alice"
    second = assume(sts, first, role)["Credentials"]
    assume(sts, second, role, SourceIdentity="alice")
    status, code, message = assume_refused(sts, second, role, SourceIdentity="bob")
    assert (status, code) == (403, "AccessDenied")
    assert "sts:SetSourceIdentity" in message


@pytest.mark.parametrize(
    ("action", "params"),
    [("sts:TagSession", tagged(team="x")), ("sts:SetSourceIdentity", {"SourceIdentity": "alice"})],
)
def test_denied_actions(sts: StrictSts, alice: User, action: str, params: dict[str, Any]) -> None:
    """A trust policy may let a role be assumed, but without session tags or a source identity."""
    role = sts.add_role("dev", denied=[action])
    assume(sts, alice, role)
    assert action in assume_refused(sts, alice, role, **params)[2]


def test_partitions(sts: StrictSts) -> None:
    """Keys of a partition work in its regions, for its roles, and nowhere else; the call shows the region."""
    for partition, region in (("aws", "us-east-1"), ("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")):
        user = sts.add_user("bob", partition=partition)
        role = sts.add_role("dev", partition=partition, trusted=[f"arn:{partition}:iam::123456789012:root"])
        keys: Any = {"aws_access_key_id": user.access_key_id, "aws_secret_access_key": user.secret_access_key}
        for other in ("us-east-1", "cn-north-1", "us-gov-west-1"):
            api: Any = SESSION.create_client("sts", other, endpoint_url=sts.url, config=Config(**QUICK), **keys)
            if other != region:
                assert refusal(api.get_caller_identity)[1] == "InvalidClientTokenId"
                continue
            answer = api.assume_role(RoleArn=role, RoleSessionName="work")
            assert sts.calls[-1].region == region
            assert answer["AssumedRoleUser"]["Arn"] == f"arn:{partition}:sts::123456789012:assumed-role/dev/work"
            foreign = role.replace(f"arn:{partition}:", "arn:aws-cn:" if partition == "aws" else "arn:aws:")
            sts.lenient_roles = True
            code = refusal(api.assume_role, RoleArn=foreign, RoleSessionName="work")[1]
            assert code == "ValidationError"


def by_web_identity(sts: StrictSts, role: str, token: str, **params: Any) -> Any:
    """Answer of AssumeRoleWithWebIdentity, from a client that has no keys."""
    config = Config(signature_version=UNSIGNED, **QUICK)
    api: Any = SESSION.create_client("sts", "eu-west-1", endpoint_url=sts.url, config=config)
    sent = {"RoleArn": role, "RoleSessionName": "work", "WebIdentityToken": token, **params}
    return api.assume_role_with_web_identity(**sent)


def test_web_identity(sts: StrictSts, alice: User) -> None:
    """A token turns into a session of its role, for an hour or as asked, which may assume what trusts the role."""
    role = sts.add_role("ci", trusted=[], max_duration=7200)
    token = sts.web_identity.add(role)
    for seconds, params in ((3600, {}), (7200, {"DurationSeconds": 7200})):
        answer = by_web_identity(sts, role, token, **params)
        assert answer["AssumedRoleUser"]["Arn"] == "arn:aws:sts::123456789012:assumed-role/ci/work"
        assert abs(answer["Credentials"]["Expiration"].timestamp() - time.time() - seconds) < 10
    assume(sts, answer["Credentials"], sts.add_role("end", trusted=[role]))
    assert assume_refused(sts, alice, role) == not_authorized(alice.arn, role)
    assert sts.count("AssumeRoleWithWebIdentity", ok=True) == 2
    assert token not in repr(sts.calls)
    sts.add_fault("AssumeRoleWithWebIdentity", "throttle")
    assert refusal(by_web_identity, sts=sts, role=role, token=token)[1] == "Throttling"


def test_web_identity_is_refused(sts: StrictSts) -> None:
    """Unknown and expired tokens, another's role, unknown roles and bad parameters are refused, each by its name."""
    role, other = sts.add_role("ci"), sts.add_role("other")
    token = sts.web_identity.add(role, life=60)
    invalid, denied = (400, "ValidationError"), (403, "AccessDenied")
    for expected, change in (
        ((400, "InvalidIdentityToken"), {"token": "opaque"}),
        ((400, "InvalidIdentityToken"), {"token": "a.b.c"}),
        (invalid, {"token": "abc"}),
        (denied, {"role": other}),
        (denied, {"role": "arn:aws:iam::123456789012:role/unknown"}),
        (invalid, {"role": "ci"}),
        (invalid, {"DurationSeconds": 899}),
        (invalid, {"DurationSeconds": 43201}),
        (invalid, {"RoleSessionName": "a b"}),
    ):
        params: dict[str, Any] = {"role": role, "token": token, **change}
        assert refusal(by_web_identity, sts=sts, **params)[:2] == expected
    by_web_identity(sts, role, token)
    sts.clock_offset = 60
    status, code, message = refusal(by_web_identity, sts=sts, role=role, token=token)
    assert (status, code) == (400, "ExpiredTokenException")
    assert message.startswith("Token expired: current date/time ")


def test_web_identity_has_no_signature(sts: StrictSts, alice: User) -> None:
    """A client that signs the request is refused: it would need keys where none are needed."""
    role = sts.add_role("ci")
    form = f"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=work&RoleArn={role}"
    body = f"{form}&WebIdentityToken={sts.web_identity.add(role)}".encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    request = AWSRequest(method="POST", url=sts.url + "/", data=body, headers=dict(headers))
    SigV4Auth(Credentials(alice.access_key_id, alice.secret_access_key), "sts", "eu-west-1").add_auth(request)
    for sent, expected in ((headers, 200), (dict(request.headers), 400)):
        with closing(http.client.HTTPConnection("127.0.0.1", sts.port, timeout=10)) as connection:
            connection.request("POST", "/", body, sent)
            assert connection.getresponse().status == expected


def test_role_requiring_mfa(sts: StrictSts, alice: User) -> None:
    """MFA context comes from a code with AssumeRole or from a session made with one, nothing else."""
    role = sts.add_role("dev", require_mfa=True)
    for who in (alice, session(sts, alice)):
        assert assume_refused(sts, who, role) == not_authorized(alice.arn, role)
    sts.accept_code(alice.mfa_serial, "111111")
    answer = assume(sts, alice, role, SerialNumber=alice.mfa_serial, TokenCode="111111")
    assume(sts, session(sts, alice, "222222"), role)
    # The MFA of the first role's caller does not pass on to the second.
    assert assume_refused(sts, answer["Credentials"], role)[1] == "AccessDenied"


def test_sessions_cannot_send_codes(sts: StrictSts, alice: User) -> None:
    """A valid code sent with session or role keys is refused and stays good."""
    role = sts.add_role("dev")
    sts.accept_code(alice.mfa_serial, "123456")
    mfa = {"SerialNumber": alice.mfa_serial, "TokenCode": "123456"}
    for who in (session(sts, alice), assume(sts, alice, role)["Credentials"]):
        assert assume_refused(sts, who, role, **mfa)[:2] == (403, "AccessDenied")
    assume(sts, alice, role, **mfa)


def test_life_override(sts: StrictSts, alice: User) -> None:
    """life_override sets the life of every session, whatever was asked for, below AWS's minimum too."""
    sts.life_override = 2
    for credentials in (session(sts, alice), assume(sts, alice, sts.add_role("dev"))["Credentials"]):
        assert 0 < credentials["Expiration"].timestamp() - time.time() + 1 <= 3


def test_calls_are_recorded(sts: StrictSts, alice: User) -> None:
    """Each call is recorded with key, parameters, status and error, but without the MFA code."""
    session(sts, alice, "123456", DurationSeconds=900)
    refusal(client(sts, alice).get_session_token, DurationSeconds=1)
    good, bad = sts.calls
    assert (good.action, good.status, good.error_code) == ("GetSessionToken", 200, None)
    assert (bad.status, bad.error_code, bad.access_key_id) == (400, "ValidationError", alice.access_key_id)
    assert good.params["DurationSeconds"] == "900"
    assert good.params["TokenCode"] == "(code)"
    assert abs(good.time - time.time()) < 10
    assert SECRET_PREFIX not in repr(sts.calls)


def test_count_and_reset(sts: StrictSts, alice: User) -> None:
    """count() tells actions and outcomes apart, `*` counts all, and reset() starts over."""
    api = client(sts, alice)
    api.get_caller_identity()
    api.get_session_token()
    refusal(api.get_session_token, DurationSeconds=1)
    counts = [sts.count("GetSessionToken", ok=ok) for ok in (None, True, False)]
    assert (counts, sts.count("*"), sts.count("AssumeRole")) == ([2, 1, 1], 3, 0)
    sts.reset()
    assert (sts.count("*"), sts.calls) == (0, [])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("500", (500, "InternalFailure")),
        ("503", (503, "ServiceUnavailable")),
        ("throttle", (400, "Throttling")),
        ("throttling-exception", (400, "ThrottlingException")),
        ("access-denied", (403, "AccessDenied")),
        ("404", (404, "NotFound")),
        ("signature-expired", (403, "SignatureDoesNotMatch")),
        ("signature-not-yet-current", (403, "SignatureDoesNotMatch")),
        ("request-time-too-skewed", (403, "RequestTimeTooSkewed")),
    ],
)
def test_error_faults(sts: StrictSts, alice: User, kind: str, expected: tuple[int, str]) -> None:
    """A fault with an AWS error answers once, burns no code, and the next call works."""
    sts.accept_code(alice.mfa_serial, "123456")
    sts.faults.append(Fault("GetSessionToken", kind))
    api, mfa = client(sts, alice), {"SerialNumber": alice.mfa_serial, "TokenCode": "123456"}
    assert refusal(api.get_session_token, **mfa)[:2] == expected
    api.get_session_token(**mfa)
    assert (sts.count("GetSessionToken", ok=False), sts.count("GetSessionToken", ok=True)) == (1, 1)


@pytest.mark.parametrize("kind", ["garbage", "html", "empty", "truncated"])
def test_unreadable_faults(sts: StrictSts, alice: User, kind: str) -> None:
    """A body that is not whole XML reaches the client as an error of its own, not as AWS's."""
    sts.faults.append(Fault("*", kind))
    # ResponseParserError is no BotoCoreError, which is what makes these faults worth having.
    with pytest.raises(ResponseParserError) as caught:
        session(sts, alice)
    # botocore's message quotes the body it could not read: in a truncated answer, the secret just issued.
    assert (SECRET_PREFIX in str(caught.value)) == (kind in ("garbage", "truncated"))
    assert sts.calls[-1].error_code == kind
    session(sts, alice)


def test_html_fault_is_a_web_page(sts: StrictSts, alice: User) -> None:
    """The captive portal answers 200 with text/html."""
    sts.faults.append(Fault("*", "html"))
    status, body = raw(sts, alice, {})
    assert status == 200
    assert body.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(("kind", "expected"), [("redirect", 302), ("511", 511)])
def test_captive_portals(sts: StrictSts, alice: User, kind: str, expected: int) -> None:
    """The captive portal may redirect to its page too, or say what it is; either is a failure to a client."""
    sts.add_fault("*", kind, 2)
    assert raw(sts, alice, {})[0] == expected
    with pytest.raises((ClientError, ResponseParserError)):
        client(sts, alice).get_caller_identity()
    with urllib.request.urlopen(f"{sts.url}/captive-portal", timeout=10) as page:
        assert page.read().startswith(b"<!DOCTYPE html>")
    client(sts, alice).get_caller_identity()


def test_date_fault(sts: StrictSts, alice: User) -> None:
    """The Date header can be off while everything else is right."""
    sts.add_fault("*", "date", seconds=-3600)
    dates = [client(sts, alice).get_caller_identity()["ResponseMetadata"]["HTTPHeaders"]["date"] for _ in range(2)]
    wrong, right = map(parsedate_to_datetime, dates)
    assert abs(right - wrong - timedelta(hours=1)) < timedelta(seconds=10)
    assert sts.count("*", ok=True) == 2


def test_fault_without_credentials(sts: StrictSts, alice: User) -> None:
    """A client takes a 200 without Credentials for a success, which is why the fault exists."""
    sts.faults.append(Fault("*", "missing-credentials"))
    assert "Credentials" not in client(sts, alice).get_session_token()


def test_past_expiration_fault(sts: StrictSts, alice: User) -> None:
    """The credentials of this fault are expired on arrival and refused."""
    sts.faults.append(Fault("GetSessionToken", "past-expiration"))
    credentials = session(sts, alice)
    assert credentials["Expiration"] < datetime.now(timezone.utc)
    assert refusal(client(sts, credentials).get_caller_identity)[1] == "ExpiredToken"


def test_drop_fault(sts: StrictSts, alice: User) -> None:
    """A dropped call sees its connection closed and is recorded with status 0."""
    sts.faults.append(Fault("*", "drop"))
    with pytest.raises(ConnectionClosedError):
        session(sts, alice)
    assert (sts.calls[-1].status, sts.calls[-1].error_code) == (0, "drop")


def test_hang_fault(sts: StrictSts, alice: User) -> None:
    """A hanging call is recorded at once, runs into the client's timeout, and holds up nobody else."""
    sts.faults.append(Fault("GetSessionToken", "hang"))
    with pytest.raises(ReadTimeoutError):
        client(sts, alice, read_timeout=0.3).get_session_token()
    assert sts.calls[-1].error_code == "hang"
    client(sts, alice).get_caller_identity()


def test_stop_ends_a_hang(sts: StrictSts, alice: User) -> None:
    """stop() closes hanging connections instead of waiting for them."""
    sts.faults.append(Fault("*", "hang"))
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(session, sts, alice)
        while not sts.calls:
            time.sleep(0.01)
        sts.stop()
        assert isinstance(result.exception(5), ConnectionClosedError)


def test_timed_faults(sts: StrictSts, alice: User) -> None:
    """A hang of some seconds ends without an answer after them, a delay with the right one."""
    api = client(sts, alice)
    sts.faults += [Fault("*", "hang", seconds=0.3), Fault("*", "delay", seconds=0.3)]
    started = time.monotonic()
    with pytest.raises(ConnectionClosedError):
        api.get_caller_identity()
    middle = time.monotonic()
    assert api.get_caller_identity()["Arn"] == alice.arn
    assert middle - started >= 0.3
    assert time.monotonic() - middle >= 0.3
    assert sts.count("*", ok=True) == 1


def test_faults_queue_up(sts: StrictSts, alice: User) -> None:
    """Faults strike in order, each for its number of times, only its action, and None means for ever."""
    sts.faults += [Fault("GetSessionToken", "500", times=2), Fault("GetSessionToken", "throttle", times=None)]
    api = client(sts, alice)
    codes = [refusal(api.get_session_token)[1] for _ in range(5)]
    assert codes == ["InternalFailure"] * 2 + ["Throttling"] * 3
    api.get_caller_identity()
    sts.reset(faults=True)
    api.get_session_token()


def test_misspelt_fault() -> None:
    """A kind of fault that does not exist cannot be queued."""
    with pytest.raises(ValueError, match="no such fault"):
        Fault("*", "hangs")


def test_iam_goes_to_moto(sts: StrictSts, alice: User) -> None:
    """IAM calls reach moto, whose answers and errors come back, and are counted like the others."""
    iam = client(sts, alice, "iam")
    name = f"user-{time.time_ns()}"
    iam.create_user(UserName=name)
    assert iam.get_user(UserName=name)["User"]["Arn"] == f"arn:aws:iam::123456789012:user/{name}"
    assert refusal(iam.get_user, UserName="nobody")[:2] == (404, "NoSuchEntity")
    assert (sts.count("GetUser", ok=True), sts.count("GetUser", ok=False)) == (1, 1)
    # The other operations of STS pass through too, once the signature is good.
    assert client(sts, alice).get_access_key_info(AccessKeyId=alice.access_key_id)["Account"]
    wrong = client(sts, alice, aws_secret_access_key="wrong")
    assert refusal(wrong.get_access_key_info, AccessKeyId="x")[1] == "SignatureDoesNotMatch"


def test_a_hundred_at_once(sts: StrictSts, alice: User) -> None:
    """A hundred simultaneous connections are all served, each with credentials of its own."""
    api, together = client(sts, alice), threading.Barrier(100)

    def issue(_: int) -> str:
        together.wait(10)
        return str(api.get_session_token()["Credentials"]["SessionToken"])

    with ThreadPoolExecutor(100) as pool:
        assert len(set(pool.map(issue, range(100)))) == 100
    assert sts.count("GetSessionToken", ok=True) == 100


def test_keep_alive(sts: StrictSts) -> None:
    """One connection carries several requests, and a refusal does not end it."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    with closing(http.client.HTTPConnection("127.0.0.1", sts.port, timeout=10)) as connection:
        connection.connect()
        socket = connection.sock
        for _ in range(3):
            connection.request("POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15", form)
            assert b"MissingAuthenticationToken" in connection.getresponse().read()
            assert connection.sock is socket


def test_stop_and_start_again(sts: StrictSts, alice: User) -> None:
    """A stopped server answers no kept-alive connection, and comes back at the same URL with its sessions."""
    api = client(sts, session(sts, alice))
    api.get_caller_identity()
    url = sts.url
    sts.stop()
    with pytest.raises(BotoCoreError):
        api.get_caller_identity()
    assert sts.start().url == url
    assert api.get_caller_identity()["Arn"] == alice.arn


def control(port: int, method: str, *args: Any, **kwargs: Any) -> Any:
    """Call a method of a server in another process."""
    body = json.dumps({"method": method, "args": args, "kwargs": kwargs}).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/_control", body, timeout=10) as answer:
        return json.load(answer)


def test_standalone() -> None:
    """The script prints its port, is driven through /_control, and ends at SIGTERM."""
    script = Path(__file__).with_name("strict_sts.py")
    command = [sys.executable, str(script), "--port", "0", "--print-port"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            port = int(process.stdout.readline())
            drive_standalone(port)
        finally:
            process.send_signal(signal.SIGTERM)
        assert (process.wait(10), process.stderr and process.stderr.read()) == (0, "")


def drive_standalone(port: int) -> None:
    """Do what another process may ask for: users, codes, faults, settings, counts."""
    remote = StrictSts(port)
    keys = control(port, "add_user", "alice")
    user = User(**keys, _now=time.time)
    control(port, "accept_code", user.mfa_serial, "123456")
    control(port, "configure", life_override=60)
    mfa = {"SerialNumber": user.mfa_serial, "TokenCode": "123456"}
    credentials = client(remote, user).get_session_token(**mfa)["Credentials"]
    assert credentials["Expiration"].timestamp() < time.time() + 61
    control(port, "add_fault", "*", "throttle")
    assert refusal(client(remote, credentials).get_caller_identity)[1] == "Throttling"
    control(port, "expire", credentials["AccessKeyId"])
    assert refusal(client(remote, credentials).get_caller_identity)[1] == "ExpiredToken"
    role = control(port, "add_role", "dev", require_mfa=True, trusted=[user.arn])
    assert assume_refused(remote, user, role) == not_authorized(user.arn, role)
    assert control(port, "count", "GetSessionToken", ok=True) == 1
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/_control/calls", timeout=10) as answer:
        assert json.load(answer)[0]["action"] == "GetSessionToken"
    with pytest.raises(urllib.error.HTTPError, match="400") as refused:
        control(port, "stop")
    refused.value.close()
