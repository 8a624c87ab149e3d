"""A loopback STS that refuses what AWS refuses; everything that is not STS goes to a real moto server.

moto answers any STS request with success: it checks no signature, MFA code, duration or expiry, and its
GetSessionToken always returns the same keys. Broken clients pass against it, so the rules are enforced here.

Where credentials come from that are not STS's (Identity Center, a container, an instance, `aws login`) is in
aws_doubles.py, on the same port: `sts.sso`, `sts.container`, `sts.imds`, `sts.signin`, `sts.federation`. A user's own
keys in IAM are in iam_double.py: `sts.iam`.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import http.client
import json
import logging
import operator
import random
import re
import secrets
import selectors
import signal
import socket
import socketserver
import string
import struct
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import session_policy
import trust_policy

if TYPE_CHECKING:
    from aws_doubles import Double

SECRET_PREFIX, TOKEN_PREFIX = "SENTINEL-SECRET-", "SENTINEL-TOKEN-"
GARBAGE = b"\x07not xml at all " + SECRET_PREFIX.encode() + b"GARBAGE"
PORTAL = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body>Log in to Wi-Fi<br></body></html>"
NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
BASIC_ISO, MAX_SKEW = "%Y%m%dT%H%M%SZ", 15 * 60
MFA_FAILED = "MultiFactorAuthentication failed"
MFA_BAD_CODE = MFA_FAILED + " with invalid MFA one time pass code. "
MFA_NEEDS_BOTH = MFA_FAILED + ", must provide both MFA serial number and one time pass code."
MFA_BAD_SERIAL = (
    MFA_FAILED + ", unable to validate MFA code.  "
    "Please verify your MFA serial number is valid and associated with this user."
)
BAD_TOKEN = "The security token included in the request is invalid."
EXPIRED_TOKEN = "The security token included in the request is expired"
BAD_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
    "Access Key and signing method. Consult the service documentation for details."
)
WRONG_SCOPE = "Credential should be scoped to correct service: 'sts'. "
TOO_LONG = "The requested DurationSeconds exceeds the "
CHAINING = TOO_LONG + "1 hour session limit for roles assumed by role chaining."
OVER_MAX = TOO_LONG + "MaxSessionDuration set for this role."
# Groups: access key, region, service, signed headers, signature.
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,]+)/\d{8}/([^/,]+)/([^/,]+)/aws4_request, *"
    r"SignedHeaders=([^,]+), *Signature=([0-9a-f]{64})"
)
WORD = r"[\w+=,.@-]*"
# Groups: partition, account, name without its path.
ROLE_ARN = re.compile(r"arn:(aws|aws-cn|aws-us-gov):iam::(\d{12}):role/(?:.*/)?([\w+=,.@-]+)", re.ASCII)
STATUS = {"InternalFailure": 500, "ServiceUnavailable": 503, "Throttling": 400, "ThrottlingException": 400}
STATUS |= {"ValidationError": 400, "IncompleteSignature": 400, "InvalidParameterValue": 400, "NotFound": 404}
STATUS |= {"InvalidIdentityToken": 400, "ExpiredTokenException": 400}
# Parameters that prove who somebody is: a record of calls is printed when a test fails.
PROOFS = {"TokenCode": "(code)", "WebIdentityToken": "(token)", "clientSecret": "(secret)"}
PROOFS |= {"refreshToken": "(token)", "deviceCode": "(code)", "Session": "(credentials)", "SigninToken": "(token)"}
CONTROLLABLE = {"add_user", "add_role", "accept_code", "revoke", "expire", "expire_all_sessions"}
CONTROLLABLE |= {"count", "reset", "add_fault", "configure", "issue_credentials"}
CONTROLLABLE |= {"web_identity.add", "web_identity.expire"}
CONTROLLABLE |= {f"sso.{name}" for name in ("configure", "assign", "unassign", "sign_in", "approve", "deny")}
CONTROLLABLE |= {f"sso.{name}" for name in ("auto_approve_after", "expire_access_tokens", "sign_out", "pending")}
CONTROLLABLE |= {"container.configure", "imds.configure", "imds.attach", "imds.detach"}
CONTROLLABLE |= {"signin.configure", "signin.sign_in", "signin.expire_refresh_tokens"}


@dataclass(frozen=True)
class User:
    """An IAM user with one long-term key; `mfa_serial` is empty for a user without a device."""

    name: str
    account: str
    arn: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    mfa_serial: str
    totp_seed: str = field(repr=False)
    _now: Callable[[], float] = field(repr=False, compare=False)

    def code(self, step: int = 0) -> str:
        """Show the code on the user's device now, or `step` periods of 30 s later."""
        return totp(self.totp_seed, int(self._now() // 30) + step)


@dataclass
class Key:
    """What the server knows about an access key it issued; `kind` is user, session or role.

    `tags` are the transitive ones and `source_identity` is what was set: both stay for the rest of a chain. `chained`
    is a role's that a session has assumed. `policies` are those that narrow a session, None for one that is not.
    """

    kind: str
    arn: str
    account: str
    user_id: str
    access_key_id: str = ""
    secret: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    mfa_serial: str = ""
    totp_seed: str = field(default="", repr=False)
    mfa: bool = False
    role_arn: str = ""
    expires: float = float("inf")
    revoked: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    source_identity: str = ""
    chained: bool = False
    policies: session_policy.Policies | None = None
    deleted: bool = False
    unseen: int = 0

    def is_still_unseen(self) -> bool:
        """Whether AWS has not yet heard of a new key; each call brings it nearer."""
        self.unseen, before = max(self.unseen - 1, 0), self.unseen
        return before > 0


@dataclass
class Role:
    """A role and the conditions of its trust policy; `trusted=None` lets every caller in.

    `trust` is a whole policy, which has a say beside them.
    `denied` names what else AssumeRole may need, and the policy does not allow: sts:TagSession, sts:SetSourceIdentity.
    """

    arn: str
    require_mfa: bool = False
    external_id: str | None = None
    trusted: list[str] | None = None
    max_duration: int = 43200
    denied: list[str] = field(default_factory=list)
    trust: dict[str, Any] | None = None
    role_id: str = field(default_factory=lambda: random_id("AROA", 21))

    def admits(self, caller: Key, *, mfa: bool, external_id: str | None) -> bool:
        """Whether the trust policy lets this caller assume the role."""
        partition = caller.arn.split(":")[1]
        names = {caller.arn, caller.role_arn, f"arn:{partition}:iam::{caller.account}:root"} - {""}
        trusted = self.trusted is None or not names.isdisjoint(self.trusted)
        if self.trust is not None:
            context = {"sts:ExternalId": external_id} if external_id else {}
            if caller.kind != "user" or mfa:  # a request by a long-term key alone does not have it
                context["aws:MultiFactorAuthPresent"] = str(mfa).lower()
            trusted &= trust_policy.admits(self.trust, "sts:AssumeRole", names, context)
        return trusted and (mfa or not self.require_mfa) and self.external_id in (None, external_id)


@dataclass(frozen=True)
class Call:
    """One request as it was answered; status 0 means the connection was left without an answer.

    `region` is the one that was signed for, empty for a request without a signature.
    """

    action: str
    access_key_id: str
    params: dict[str, str]
    time: float
    status: int
    error_code: str | None
    region: str = ""


@dataclass
class Fault:
    """The next `times` calls of `action` (None: all of them) go wrong in the way `kind` names.

    `seconds` is how long a hang or a delay lasts, and how far `date` puts the Date header off.
    """

    action: str
    kind: str
    times: int | None = 1
    seconds: float | None = None

    def __post_init__(self) -> None:
        # A misspelt kind would be a test that tests nothing.
        if self.kind not in (*BLIND_FAULTS, *ERROR_FAULTS, *SPOILING_FAULTS):
            raise ValueError(f"no such fault: {self.kind}")


class Request:
    """An HTTP request with its body read and its API operation recognised."""

    def __init__(self, method: str, target: str, headers: Message, body: bytes) -> None:
        self.method, self.target, self.headers, self.body = method, target, headers, body
        url = urlsplit(target)
        pairs = parse_qsl(url.query, keep_blank_values=True)
        if headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            pairs += parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
        self.params = dict(pairs)
        self.action = self.params.get("Action") or headers.get("X-Amz-Target") or f"{method} {url.path}"
        self.scope = AUTHORIZATION.fullmatch(headers.get("Authorization", ""))
        # By API version too: a request signed for another service must not slip past the rules.
        for_sts = self.scope is not None and self.scope[3] == "sts"
        self.is_sts = for_sts or self.params.get("Version") == "2011-06-15"

    @property
    def region(self) -> str:
        """The region that was signed for."""
        return self.scope[2] if self.scope else ""


@dataclass(frozen=True)
class Answer:
    """What goes back; `cut` closes the connection halfway through the body, status 0 before it.

    `hold` leaves the client waiting until the server stops; `skew` puts the Date header off by so many seconds.
    """

    status: int
    body: bytes = b""
    content_type: str = "text/xml"
    error_code: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    cut: bool = False
    hold: bool = False
    skew: float = 0


class RefusedError(Exception):
    """A request AWS would refuse, with the answer it would give."""

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status or STATUS.get(code, 403)

    @property
    def answer(self) -> Answer:
        """The refusal as STS writes it."""
        kind, text = "Sender" if self.status < 500 else "Receiver", escape(self.message)
        error = f"<Error><Type>{kind}</Type><Code>{self.code}</Code><Message>{text}</Message></Error>"
        error += f"<RequestId>{uuid.uuid4()}</RequestId>"
        body = f'<ErrorResponse xmlns="{NAMESPACE}">{error}</ErrorResponse>'
        return Answer(self.status, body.encode(), error_code=self.code)


HTML = "text/html; charset=utf-8"
# Neither group looks at the request, so no fault of theirs burns an MFA code. What a network does to any request:
BLIND_FAULTS = {
    "garbage": Answer(200, GARBAGE, error_code="garbage"),
    "html": Answer(200, PORTAL, HTML, error_code="html"),
    # A captive portal again, in the two other ways that it may stand in between.
    "redirect": Answer(302, PORTAL, HTML, "redirect", (("Location", "/captive-portal"),)),
    "511": Answer(511, PORTAL, HTML, error_code="511"),
    "empty": Answer(200, error_code="empty"),
    "hang": Answer(0, error_code="hang", hold=True),
    "drop": Answer(0, error_code="drop"),
}
# What the service answers, in its own way of writing errors. The three about clocks are what a client with a wrong
# clock meets; `configure(clock_offset=…)` gives the same by the real rule.
ERROR_FAULTS = {
    "404": ("NotFound", "Not Found"),
    "500": ("InternalFailure", "An internal error has occurred."),
    "503": ("ServiceUnavailable", "Service Unavailable"),
    "throttle": ("Throttling", "Rate exceeded"),
    "throttling-exception": ("ThrottlingException", "Rate exceeded"),
    "access-denied": ("AccessDenied", "Access denied by an injected fault"),
    "signature-expired": (
        "SignatureDoesNotMatch",
        "Signature expired: 20200101T000000Z is now earlier than 20200101T010000Z (20200101T011500Z - 15 min.)",
    ),
    "signature-not-yet-current": (
        "SignatureDoesNotMatch",
        "Signature not yet current: 20200101T013000Z is still later than 20200101T011500Z (20200101T010000Z + 15 min.)",
    ),
    "request-time-too-skewed": (
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
    ),
}
# Faults that spoil or hold back the answer the request would have got.
SPOILING_FAULTS = {"truncated", "delay", "date", "missing-credentials", "past-expiration"}


def spoil(answer: Answer, fault: Fault | None) -> Answer:
    """Damage the real answer the way the fault says; a refusal stays the refusal it is."""
    if not fault or fault.kind == "delay":
        return answer
    if fault.kind == "date":
        return replace(answer, skew=fault.seconds or 0)
    body = answer.body
    if fault.kind == "missing-credentials" and not answer.error_code:
        xml = body.startswith(b"<")
        body = re.sub(rb"<Credentials>.*</Credentials>", b"", body) if xml else b"{}"
    return replace(answer, body=body, cut=fault.kind == "truncated", error_code=answer.error_code or fault.kind)


def random_id(prefix: str, length: int = 20) -> str:
    """Make an identifier of AWS's length; key prefixes match no secret scanner's AKIA/ASIA rule."""
    chars = random.SystemRandom().choices(string.ascii_uppercase + string.digits, k=length - len(prefix))
    return prefix + "".join(chars)


def random_secret(prefix: str, size: int) -> str:
    """Join sentinel and base64: real secrets contain `+`, `/` and `=`, which careless quoting breaks."""
    return prefix + base64.b64encode(secrets.token_bytes(size)).decode()


def totp(seed: str, step: int) -> str:
    """RFC 6238 with SHA-1, 6 digits."""
    digest = hmac.new(base64.b32decode(seed), struct.pack(">Q", step), hashlib.sha1).digest()
    number: int = struct.unpack_from(">I", digest, digest[-1] & 15)[0]
    return f"{(number & 0x7FFFFFFF) % 1_000_000:06d}"


def iso(moment: float, form: str = "%Y-%m-%dT%H:%M:%SZ") -> str:
    """Write a time as AWS does."""
    return datetime.fromtimestamp(moment, timezone.utc).strftime(form)


def plain(value: Any) -> dict[str, Any]:
    """Turn a dataclass into a dict for JSON, without its private fields (a User holds a clock)."""
    return {name: item for name, item in vars(value).items() if not name.startswith("_")}


def check(holds: object, value: object, name: str, rule: str) -> None:
    """Refuse a parameter out of its bounds, in AWS's wording."""
    if not holds:
        what = f"Value '{value}' at '{name}' failed to satisfy constraint: Member must {rule}"
        raise RefusedError("ValidationError", f"1 validation error detected: {what}")


def duration(params: dict[str, str], default: int, longest: int) -> int:
    """DurationSeconds within AWS's bounds."""
    text = params.get("DurationSeconds", str(default))
    check(re.fullmatch(r"-?[0-9]{1,9}", text), text, "durationSeconds", "be an integer")
    check(int(text) >= 900, text, "durationSeconds", "have value greater than or equal to 900")
    check(int(text) <= longest, text, "durationSeconds", f"have value less than or equal to {longest}")
    return int(text)


def session_name(params: dict[str, str]) -> str:
    """RoleSessionName as AWS accepts it."""
    return word(params.get("RoleSessionName", ""), "roleSessionName")


def word(text: str, name: str) -> str:
    """Give a RoleSessionName or a SourceIdentity as AWS accepts it."""
    check(len(text) >= 2, text, name, "have length greater than or equal to 2")
    check(len(text) <= 64, text, name, "have length less than or equal to 64")
    satisfied = re.fullmatch(WORD, text, re.ASCII)
    check(satisfied, text, name, f"satisfy regular expression pattern: {WORD}")
    return text


def partition_of(region: str) -> str:
    """Give the partition that a region is part of."""
    return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rsplit("-", 2)[0], "aws")


def check_date(stamp: str, now: float) -> None:
    """Refuse a request dated more than 15 minutes off the server's clock."""
    try:
        sent = datetime.strptime(stamp, BASIC_ISO).replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        raise RefusedError("IncompleteSignature", "Date must be in ISO-8601 'basic format'") from None
    first, here, last = (iso(now + d, BASIC_ISO) for d in (-MAX_SKEW, 0, MAX_SKEW))
    if sent < now - MAX_SKEW:
        wrong = f"Signature expired: {stamp} is now earlier than {first} ({here} - 15 min.)"
        raise RefusedError("SignatureDoesNotMatch", wrong)
    if sent > now + MAX_SKEW:
        wrong = f"Signature not yet current: {stamp} is still later than {last} ({here} + 15 min.)"
        raise RefusedError("SignatureDoesNotMatch", wrong)


def signed_by(request: Request, scope: re.Match[str], key: Key) -> bool:
    """Whether the signature is the one this key's secret makes over the request as it arrived."""
    names, arrived = scope[4].split(";"), {name.lower() for name in request.headers}
    # AWS demands these under the signature; otherwise anyone on the way could change them.
    if not {"host", *(name for name in arrived if name.startswith("x-amz-"))} <= set(names) <= arrived:
        return False
    url = f"http://{request.headers['Host']}{request.target}"
    signed = AWSRequest(method=request.method, url=url, data=request.body)
    for name in names:
        signed.headers[name] = request.headers[name]
    signed.context["timestamp"] = request.headers["X-Amz-Date"]
    signer = SigV4Auth(Credentials(key.access_key_id, key.secret), scope[3], scope[2])
    expected = signer.signature(signer.string_to_sign(signed, signer.canonical_request(signed)), signed)
    return hmac.compare_digest(expected, scope[5])


class StrictSts:
    """The server and everything it knows; use as a context manager or with start() and stop()."""

    def __init__(self, port: int = 0, codes: str = "listed") -> None:
        if codes not in ("listed", "totp"):
            raise ValueError(f"codes must be 'listed' or 'totp', not {codes!r}")
        self.port, self.codes = port, codes
        self.clock_offset: float = 0
        self.lenient_roles = False
        self.life_override: int | None = None
        self.session_life: int | None = None  # of GetSessionToken's sessions, where it is not the override's
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self.keys: dict[str, Key] = {}
        self.roles: dict[str, Role] = {}
        self.managed_policies: dict[str, dict[str, Any]] = {}  # those of accounts, by ARN
        # Here and not above: aws_doubles is written with the parts of this module.
        import aws_doubles  # noqa: PLC0415
        import iam_double  # noqa: PLC0415

        self.sso, self.container = aws_doubles.IdentityCenter(self), aws_doubles.Container(self)
        self.imds, self.signin = aws_doubles.Imds(self), aws_doubles.SignIn(self)
        self.web_identity, self.federation = aws_doubles.WebIdentity(self), aws_doubles.Federation(self)
        self.iam = iam_double.Iam(self)
        self._session_tags = aws_doubles.inheritable_tags
        self._accepted: set[tuple[str, str]] = set()
        self._used: set[tuple[str, str]] = set()
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._server: _Server | None = None
        self._moto: Any = None

    def __enter__(self) -> StrictSts:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> StrictSts:
        """Listen; a server that was stopped comes back on the same port with the same users and sessions."""
        self._stopping.clear()
        self._server = _Server(self)
        self.port = self._server.server_port
        self._serving = threading.Thread(target=self._server.serve, daemon=True)
        self._serving.start()
        return self

    def stop(self) -> None:
        """Stop listening and cut every open connection, hanging ones included."""
        self._stopping.set()
        if self._server:
            self._server.end()
            self._serving.join()
            self._server.server_close()
            self._server.cut_connections()
        if self._moto:
            self._moto.stop()
        self._server = self._moto = None

    @property
    def url(self) -> str:
        """The endpoint URL."""
        return f"http://127.0.0.1:{self.port}"

    def now(self) -> float:
        """Read the server's clock."""
        return time.time() + self.clock_offset

    def configure(self, **settings: Any) -> None:
        """Set options by name, for a driver in another process."""
        if unknown := settings.keys() - {"clock_offset", "lenient_roles", "life_override"}:
            raise ValueError(f"unknown settings: {sorted(unknown)}")
        vars(self).update(settings)

    def add_user(
        self,
        name: str,
        account: str = "123456789012",
        *,
        mfa: bool = True,
        access_key_id: str | None = None,
        secret: str | None = None,
        partition: str = "aws",
    ) -> User:
        """Create an IAM user with one long-term key and, unless `mfa` is false, one MFA device."""
        key_id, secret = access_key_id or random_id("AKIDTEST"), secret or random_secret(SECRET_PREFIX, 30)
        iam = f"arn:{partition}:iam::{account}"
        seed = base64.b32encode(secrets.token_bytes(20)).decode()
        serial = f"{iam}:mfa/{name}" if mfa else ""
        key = Key("user", f"{iam}:user/{name}", account, random_id("AIDA", 21), key_id, secret)
        with self._lock:
            self.keys[key_id] = replace(key, mfa_serial=serial, totp_seed=seed)
        return User(name, account, key.arn, key_id, secret, serial, seed, self.now)

    def add_role(self, name: str, account: str = "123456789012", *, partition: str = "aws", **conditions: Any) -> str:
        """Create a role, with what Role says of require_mfa, external_id and so on; returns its ARN."""
        role = Role(f"arn:{partition}:iam::{account}:role/{name}", **conditions)
        with self._lock:
            self.roles[role.arn] = role
        return role.arn

    def issue_credentials(self, role_arn: str, session_name: str = "work", life: int = 3600) -> dict[str, str]:
        """Make a session of a role for a program to hand out, in the words of credential_process."""
        key = self.issue(self.role_session(role_arn, session_name), life)
        return {
            "AccessKeyId": key.access_key_id,
            "SecretAccessKey": key.secret,
            "SessionToken": key.token,
            "Expiration": iso(key.expires),
        }

    def accept_code(self, serial: str, code: str) -> None:
        """Let this device's code be used, once."""
        with self._lock:
            if self.codes != "listed" or (serial, code) in self._used:
                raise ValueError(f"{code} can never be accepted: already used, or codes='totp'")
            self._accepted.add((serial, code))

    def revoke(self, access_key_id: str) -> None:
        """Make a key unknown, as AWS does when its user or the key is deleted."""
        self.keys[access_key_id].revoked = True

    def expire(self, access_key_id: str) -> None:
        """End a session before its time."""
        self.keys[access_key_id].expires = 0

    def expire_all_sessions(self) -> None:
        """End every session; long-term keys stay good."""
        with self._lock:
            for key in self.keys.values():
                key.expires = 0 if key.token else key.expires

    def add_fault(self, action: str, kind: str, times: int | None = 1, seconds: float | None = None) -> None:
        """Append to `faults`, for a driver in another process."""
        self.faults.append(Fault(action, kind, times, seconds))

    def count(self, action: str, *, ok: bool | None = None) -> int:
        """How many calls of `action` arrived; ok=True: were answered properly; ok=False: were not."""
        with self._lock:
            calls = [call for call in self.calls if action in ("*", call.action)]
        return sum(ok is None or ok == (not call.error_code) for call in calls)

    def reset(self, *, faults: bool = False) -> None:
        """Forget the calls, and the faults too if asked."""
        with self._lock:
            self.calls.clear()
            if faults:
                self.faults.clear()

    def handle(self, request: Request) -> Answer:
        """Answer one request; status 0 asks for the connection to be closed without an answer."""
        if request.target.startswith("/_control"):
            return self._control(request)
        double = self._double(request)
        fault = self._take_fault(request.action)
        kind = fault.kind if fault else ""
        if kind in ERROR_FAULTS:
            error = RefusedError(*ERROR_FAULTS[kind])
            answer = double.fault(error, request.action) if double else error.answer
        elif kind in BLIND_FAULTS:
            answer = BLIND_FAULTS[kind]
        else:
            answer = spoil((double.answer if double else self._answer)(request, past=kind == "past-expiration"), fault)
        key_id = request.scope[1] if request.scope else ""
        params = {name: PROOFS.get(name, value) for name, value in request.params.items()}
        # Recorded before the wait and before the client hears of it: a test may look as soon as it returns.
        with self._lock:
            status, error_code = answer.status, answer.error_code
            self.calls.append(Call(request.action, key_id, params, self.now(), status, error_code, request.region))
        if answer.hold or kind == "delay":
            seconds = fault.seconds if fault else None
            self._stopping.wait(1 if seconds is None and kind == "delay" else seconds)
        return answer

    def _double(self, request: Request) -> Double | None:
        """Find the service beside STS that a request is for, and name its operation."""
        beside = (self.sso, self.container, self.imds, self.signin, self.web_identity, self.federation, self.iam)
        for double in beside:
            if name := double.operation(request):
                request.action = name
                return double
        return None

    def _take_fault(self, action: str) -> Fault | None:
        with self._lock:
            fault = next((one for one in self.faults if one.action in ("*", action)), None)
            if fault and fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self.faults.remove(fault)
        return fault

    def _control(self, request: Request) -> Answer:
        try:
            if request.method == "GET":
                result: Any = self.calls.copy()
            else:
                order = json.loads(request.body)
                # A name that is not listed is a KeyError like one that is missing.
                method = {name: operator.attrgetter(name) for name in CONTROLLABLE}[order["method"]](self)
                result = method(*order.get("args", ()), **order.get("kwargs", {}))
            return Answer(200, json.dumps(result, default=plain).encode(), "application/json")
        except (ValueError, TypeError, KeyError) as error:
            return Answer(400, json.dumps({"error": repr(error)}).encode(), "application/json")

    def _answer(self, request: Request, *, past: bool) -> Answer:
        own = {
            "GetSessionToken": self._get_session_token,
            "GetFederationToken": self._get_federation_token,
            "AssumeRole": self._assume_role,
        }
        action = request.action
        if action == "GET /captive-portal":
            return Answer(200, PORTAL, HTML)
        # This one carries its proof in a parameter instead of a signature; only moto knows it.
        if request.is_sts and action != "AssumeRoleWithSAML":
            try:
                with self._lock:
                    caller = self._authenticate(request)
                    self._check_policies(caller, "sts", action)
                    if action in own:
                        return result_xml(action, own[action](caller, request.params, past=past))
            except RefusedError as refused:
                return refused.answer
            if action == "GetCallerIdentity":
                who = f"<UserId>{caller.user_id}</UserId><Account>{caller.account}</Account>"
                return result_xml(action, f"<Arn>{escape(caller.arn)}</Arn>{who}")
        try:
            if request.scope and request.scope[1] in self.keys:
                self._check_policies(self.keys[request.scope[1]], request.scope[3], action.rpartition(".")[2])
        except RefusedError as refused:
            return refused.answer
        return self._forward(request)

    def _check_policies(self, caller: Key, service: str, action: str) -> None:
        """Refuse what the policies of a session do not allow. An action that stands for a path is one of S3."""
        method, space, _ = action.partition(" ")
        action = f"{'Get' if method in ('GET', 'HEAD') else 'Put'}Object" if space else action
        if caller.policies is not None and not session_policy.allow(caller.policies, f"{service}:{action}"):
            raise self._not_authorized(caller, f"{service}:{action}", "*")

    def policies_of(self, params: dict[str, str], partition: str) -> session_policy.Policies | None:
        """Return the session policies of a request."""
        try:
            return session_policy.of_request(params, partition, self.managed_policies)
        except session_policy.BadPolicyError as error:
            raise RefusedError(error.code, str(error)) from None

    def _authenticate(self, request: Request) -> Key:
        """Find the key that signed. Expiry comes last: only the holder learns that a session ended."""
        if "Authorization" not in request.headers:
            raise RefusedError("MissingAuthenticationToken", "Request is missing Authentication Token")
        if not (scope := request.scope):
            raise RefusedError("IncompleteSignature", "Authorization header is malformed.")
        key = self.keys.get(scope[1])
        if not key or key.revoked or request.headers.get("X-Amz-Security-Token", "") != key.token:
            raise RefusedError("InvalidClientTokenId", BAD_TOKEN)
        if key.is_still_unseen():
            raise RefusedError("InvalidClientTokenId", BAD_TOKEN)
        # A partition knows nothing of the keys of another.
        if partition_of(scope[2]) != key.arn.split(":")[1]:
            raise RefusedError("InvalidClientTokenId", BAD_TOKEN)
        check_date(request.headers.get("X-Amz-Date", ""), self.now())
        if scope[3] != "sts" or not signed_by(request, scope, key):
            message = BAD_SIGNATURE if scope[3] == "sts" else WRONG_SCOPE
            raise RefusedError("SignatureDoesNotMatch", message)
        if key.expires <= self.now():
            raise RefusedError("ExpiredToken", EXPIRED_TOKEN)
        return key

    def _mfa(self, caller: Key, params: dict[str, str]) -> bool:
        """Whether the request has MFA context; burns the code that was sent."""
        serial, code = params.get("SerialNumber"), params.get("TokenCode")
        if serial is None and code is None:
            return caller.mfa
        digits = code is None or re.fullmatch("[0-9]{6}", code)
        check(digits, code, "tokenCode", r"satisfy regular expression pattern: [\d]{6}")
        if serial is None or code is None:
            raise RefusedError("AccessDenied", MFA_NEEDS_BOTH)
        if caller.kind != "user" or not serial or serial != caller.mfa_serial:
            raise RefusedError("AccessDenied", MFA_BAD_SERIAL)
        marks = [(serial, code)] if (serial, code) in self._accepted else []
        if self.codes == "totp":
            # A step is spent, not its digits: the same six digits may come up again another day.
            now, seed = int(self.now() // 30), caller.totp_seed
            marks = [(serial, str(step)) for step in (now - 1, now, now + 1) if totp(seed, step) == code]
        if not (fresh := set(marks) - self._used):
            raise RefusedError("AccessDenied", MFA_BAD_CODE)
        self._used |= fresh
        return True

    def issue(self, key: Key, life: int, *, past: bool = False) -> Key:
        """Make `key` a session with secrets of its own, known to STS from now on."""
        override = self.session_life if key.kind == "session" and self.session_life else self.life_override
        life = -60 if past else life if override is None else override
        secret, token = random_secret(SECRET_PREFIX, 30), random_secret(TOKEN_PREFIX, 241)
        # Whole seconds, like the Expiration the client is told.
        expires = int(self.now()) + life
        issued = replace(key, access_key_id=random_id("ASIDTEST"), secret=secret, token=token, expires=expires)
        with self._lock:
            self.keys[issued.access_key_id] = issued
        return issued

    def role_session(self, role_arn: str, session_name: str) -> Key:
        """Give the identity of a role's session; it gets its secrets by `issue`."""
        if not (match := ROLE_ARN.fullmatch(role_arn)):
            raise ValueError(f"no ARN of a role: {role_arn}")
        role = self.roles.get(role_arn) or Role(role_arn)
        arn = f"arn:{match[1]}:sts::{match[2]}:assumed-role/{match[3]}/{session_name}"
        return Key("role", arn, match[2], f"{role.role_id}:{session_name}", role_arn=role_arn)

    def _issue(self, key: Key, life: int, *, past: bool) -> str:
        """Issue a session and return its Credentials element."""
        key = self.issue(key, life, past=past)
        return (
            f"<Credentials><AccessKeyId>{key.access_key_id}</AccessKeyId><SecretAccessKey>{key.secret}"
            f"</SecretAccessKey><SessionToken>{key.token}</SessionToken>"
            f"<Expiration>{iso(key.expires)}</Expiration></Credentials>"
        )

    def _get_session_token(self, caller: Key, params: dict[str, str], *, past: bool) -> str:
        if caller.kind != "user":
            raise RefusedError("AccessDenied", "Cannot call GetSessionToken with session credentials")
        life = duration(params, 43200, 129600)
        return self._issue(replace(caller, kind="session", mfa=self._mfa(caller, params)), life, past=past)

    def _get_federation_token(self, caller: Key, params: dict[str, str], *, past: bool) -> str:
        if caller.kind != "user":
            raise RefusedError("AccessDenied", "Cannot call GetFederationToken with session credentials")
        name, life = word(params.get("Name", ""), "name"), duration(params, 43200, 129600)
        partition = caller.arn.split(":")[1]
        arn = f"arn:{partition}:sts::{caller.account}:federated-user/{name}"
        # Without a policy such a session may do nothing.
        policies = self.policies_of(params, partition) or ()
        key = replace(caller, kind="federated", arn=arn, user_id=f"{caller.account}:{name}", policies=policies)
        user = f"<FederatedUser><FederatedUserId>{key.user_id}</FederatedUserId><Arn>{arn}</Arn></FederatedUser>"
        return f"{user}{self._issue(key, life, past=past)}"

    def _assume_role(self, caller: Key, params: dict[str, str], *, past: bool) -> str:
        name, arn, life = session_name(params), params.get("RoleArn", ""), duration(params, 3600, 43200)
        if not (match := ROLE_ARN.fullmatch(arn)):
            raise RefusedError("ValidationError", f"{arn} is invalid")
        if match[1] != caller.arn.split(":")[1]:
            raise RefusedError("ValidationError", "Request ARN is invalid")
        tags = self._session_tags(params, caller.tags)
        if "SourceIdentity" in params:
            word(params["SourceIdentity"], "sourceIdentity")
        # AWS counts a GetSessionToken session as a link of the chain too.
        if caller.kind != "user" and life > 3600:
            raise RefusedError("ValidationError", CHAINING)
        mfa = self._mfa(caller, params)
        if self.lenient_roles:
            self.roles.setdefault(arn, Role(arn))
        role = self.roles.get(arn)
        if not role or not role.admits(caller, mfa=mfa, external_id=params.get("ExternalId")):
            raise self._not_authorized(caller, "sts:AssumeRole", arn)
        source = params.get("SourceIdentity", caller.source_identity)
        if "Tags.member.1.Key" in params and "sts:TagSession" in role.denied:
            raise self._not_authorized(caller, "sts:TagSession", arn)
        # Once it is set, it stays for the rest of the chain.
        if source and ("sts:SetSourceIdentity" in role.denied or caller.source_identity not in ("", source)):
            raise self._not_authorized(caller, "sts:SetSourceIdentity", arn)
        if life > role.max_duration:
            raise RefusedError("ValidationError", OVER_MAX)
        chained, policies = caller.kind != "user", self.policies_of(params, match[1])
        session = self.role_session(arn, name)
        key = replace(session, tags=tags, source_identity=source, chained=chained, policies=policies)
        return self.assumed(key, life, past=past)

    @staticmethod
    def _not_authorized(caller: Key, action: str, arn: str) -> RefusedError:
        whom = f"User: {caller.arn} is not authorized to perform: {action} on resource: {arn}"
        return RefusedError("AccessDenied", whom)

    def assumed(self, key: Key, life: int, *, past: bool) -> str:
        """Issue a role's session and return its AssumedRoleUser and Credentials elements."""
        user = f"<AssumedRoleId>{key.user_id}</AssumedRoleId><Arn>{key.arn}</Arn>"
        return f"<AssumedRoleUser>{user}</AssumedRoleUser>{self._issue(key, life, past=past)}"

    def _forward(self, request: Request) -> Answer:
        """Relay to moto, unmodified but for the Host header, which must name moto's own port."""
        with self._lock:
            self._moto = self._moto or start_moto()
            host, port = self._moto.get_host_and_port()
        upstream = http.client.HTTPConnection(host, port, timeout=60)
        try:
            upstream.putrequest(request.method, request.target, skip_accept_encoding=True)
            for name, value in request.headers.items():
                if name.lower() not in ("host", "connection", "expect"):
                    upstream.putheader(name, value)
            upstream.endheaders(request.body or None)
            response = upstream.getresponse()
            body = response.read()
        finally:
            upstream.close()
        own = ("connection", "content-length", "content-type", "date", "server", "transfer-encoding")
        headers = tuple((name, value) for name, value in response.getheaders() if name.lower() not in own)
        error = None if response.status < 400 else f"moto:{response.status}"
        return Answer(response.status, body, response.getheader("Content-Type", ""), error, headers)


def result_xml(action: str, result: str) -> Answer:
    """Wrap a result as AWS's query protocol does."""
    metadata = f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata>"
    result = f"<{action}Result>{result}</{action}Result>{metadata}"
    return Answer(200, f'<{action}Response xmlns="{NAMESPACE}">{result}</{action}Response>'.encode())


def start_moto() -> Any:
    """Start moto on a free port."""
    # Here and not above: the import takes a second which most tests need not spend.
    from moto.server import ThreadedMotoServer  # noqa: PLC0415

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    return moto


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    timeout = 0  # of `handle_request`, where a client has gone meanwhile
    request_queue_size = 256

    def __init__(self, sts: StrictSts) -> None:
        self.sts = sts
        self._open: set[Any] = set()
        super().__init__(("127.0.0.1", sts.port), _Handler)
        self._end, self._ended = socket.socketpair()

    def serve(self) -> None:
        """Serve until the end. Not `serve_forever`, which looks only now and then whether it is over."""
        with self._ended, selectors.DefaultSelector() as selector:
            for one in (self, self._ended):
                selector.register(one, selectors.EVENT_READ)
            while self._ended not in [key.fileobj for key, _ in selector.select()]:
                self.handle_request()

    def end(self) -> None:
        """End that."""
        self._end.close()

    def server_bind(self) -> None:
        # Not HTTPServer's: its reverse lookup may wait for a name server.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def cut_connections(self) -> None:
        """Kept-alive connections outlive the listener; a stopped server must not go on answering them."""
        for connection in self._open.copy():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that went away is not worth a traceback; anything else is.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    # Headers and body go out in two writes; Nagle would hold the second back for 40 ms.
    disable_nagle_algorithm = True
    _skew: float = 0

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.server.sts.handle(Request(self.command, self.path, self.headers, body))
        self.close_connection = self.close_connection or answer.cut or not answer.status
        if not answer.status:
            return
        self._skew = answer.skew
        self.send_response(answer.status)
        for name, value in (*answer.headers, ("Content-Type", answer.content_type)):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: len(answer.body) // 2] if answer.cut else answer.body)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = _serve  # noqa: N815

    def date_time_string(self, timestamp: float | None = None) -> str:
        now = self.server.sts.now() + self._skew
        return super().date_time_string(int(now if timestamp is None else timestamp))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class names it)
        pass


def main() -> None:
    """Serve until a signal; drive it through POST /_control."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--print-port", action="store_true")
    parser.add_argument("--codes", choices=("listed", "totp"), default="listed")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with StrictSts(options.port, options.codes) as sts, suppress(KeyboardInterrupt):
        if options.print_port:
            print(sts.port, flush=True)  # noqa: T201
        threading.Event().wait()


if __name__ == "__main__":
    # By its own name: aws_doubles imports it so, and a second RefusedError would not be caught as the first.
    from strict_sts import main as _main

    _main()
