"""Where credentials come from that are not STS's own, on the strict STS's port; STS knows every key they issue.

IAM Identity Center, credentials of a container, of an EC2 instance, of `aws login`, and web identities. Shapes and
errors are those of botocore's models; where AWS documents no rule, the stricter one holds here, and a comment says so.
Calls are counted and faults strike under the names in `operation`.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import os
import random
import re
import secrets
import string
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

from strict_sts import (
    HTML,
    OVER_MAX,
    ROLE_ARN,
    SECRET_PREFIX,
    TOKEN_PREFIX,
    Answer,
    Key,
    RefusedError,
    Request,
    StrictSts,
    check,
    duration,
    iso,
    random_id,
    result_xml,
    session_name,
)

ACCOUNT = "123456789012"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
CODE_GRANT = "authorization_code"
# Of a native program: the address has no port, and any port matches it (RFC 8252).
LOOPBACK_URI = re.compile(r"http://127\.0\.0\.1(/\S*)")
# The scope without which Identity Center gives no refresh token.
ACCOUNT_ACCESS = "sso:account:access"
NOT_WEB = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
NOT_JWT = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
NO_PROVIDER = "No OpenIDConnect provider found in your account for the issuer of this token"
TAG_CONFLICT = (
    "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key "
    "from the calling session."
)
TAG_MISSING = "The specified transitive tag key must be included in the requested tags."
TAG_TWICE = "Duplicate tag keys found. Please note that Tag keys are case insensitive."


def sent_tags(params: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Give the keys and values of Tags.member.N, in order."""
    names = {name for name in params if name.startswith("Tags.member.")}
    for number in itertools.count(1):
        pair = [f"Tags.member.{number}.{part}" for part in ("Key", "Value")]
        if not names:
            return
        check(names.issuperset(pair), "", f"tags.{number}.member", "not be null")
        names.difference_update(pair)
        yield params[pair[0]], params[pair[1]]


def check_tag_text(text: str, name: str, shortest: int, longest: int) -> None:
    """Refuse the key or the value of a tag that AWS refuses."""
    check(len(text) >= shortest, text, name, f"have length greater than or equal to {shortest}")
    check(len(text) <= longest, text, name, f"have length less than or equal to {longest}")
    allowed = all(unicodedata.category(one)[0] in "LZN" or one in "_.:/=+-@" for one in text)
    check(allowed, text, name, r"satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]" + "*+"[shortest])


def inheritable_tags(params: dict[str, str], inherited: dict[str, str]) -> dict[str, str]:
    """Check the session tags, and give those which the next session of the chain inherits.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html: keys are compared without regard to case.
    """
    pairs = list(sent_tags(params))
    check(len(pairs) <= 50, f"{len(pairs)} tags", "tags", "have length less than or equal to 50")
    for number, (key, value) in enumerate(pairs, 1):
        check_tag_text(key, f"tags.{number}.member.key", 1, 128)
        check_tag_text(value, f"tags.{number}.member.value", 0, 256)
        if key.lower().startswith("aws:"):
            raise RefusedError("InvalidParameterValue", "Tag keys beginning with aws: are reserved for system use.")
    named = {key.lower(): (key, value) for key, value in pairs}
    if len(named) < len(pairs):
        raise RefusedError("InvalidParameterValue", TAG_TWICE)
    # The same value is refused like another.
    if not named.keys().isdisjoint(key.lower() for key in inherited):
        raise RefusedError("InvalidParameterValue", TAG_CONFLICT)
    marked = [value.lower() for name, value in params.items() if name.startswith("TransitiveTagKeys.member.")]
    check(len(marked) <= 50, f"{len(marked)} keys", "transitiveTagKeys", "have length less than or equal to 50")
    if not named.keys() >= set(marked):
        raise RefusedError("InvalidParameterValue", TAG_MISSING)
    return inherited | dict(named[key] for key in marked)


def json_answer(content: object, status: int = 200, **more: Any) -> Answer:
    """Answer in JSON."""
    return Answer(status, json.dumps(content).encode(), "application/json", **more)


def typed(content: object, error: RefusedError) -> Answer:
    """Refuse in JSON, with the header that AWS's clients take the error's type from."""
    return json_answer(content, error.status, error_code=error.code, headers=(("x-amzn-ErrorType", error.code),))


class Double:
    """A service beside STS; `settings` may be changed by `configure`, from another process too."""

    settings: ClassVar[set[str]] = set()
    # What the faults that STS shares with all are called here.
    words: ClassVar[dict[str, tuple[str, int]]] = {}

    def __init__(self, sts: StrictSts) -> None:
        self.sts = sts

    def configure(self, **settings: Any) -> None:
        """Set options by name."""
        if unknown := settings.keys() - self.settings:
            raise ValueError(f"unknown settings: {sorted(unknown)}")
        vars(self).update(settings)

    def operation(self, request: Request) -> str | None:
        """Name the operation, or give None for a request that is not for this service."""
        raise NotImplementedError

    def carry_out(self, request: Request, *, past: bool) -> Answer:
        """Answer an operation; `past` asks for credentials that are expired."""
        raise NotImplementedError

    def refuse(self, error: RefusedError, action: str) -> Answer:
        """Write a refusal as the service does."""
        raise NotImplementedError

    def answer(self, request: Request, *, past: bool) -> Answer:
        """Answer a request, or refuse it."""
        try:
            with self.sts._lock:
                return self.carry_out(request, past=past)
        except RefusedError as refused:
            return self.refuse(refused, request.action)

    def fault(self, error: RefusedError, action: str) -> Answer:
        """Write an injected error in the service's own words."""
        code, status = self.words.get(error.code, (error.code, error.status))
        return self.refuse(RefusedError(code, error.message, status), action)


class WebIdentity(Double):
    """AssumeRoleWithWebIdentity: a token of an identity provider instead of a signature."""

    def __init__(self, sts: StrictSts) -> None:
        super().__init__(sts)
        # The role each token is for, and until when.
        self.tokens: dict[str, tuple[str, float]] = {}

    def add(self, role_arn: str, token: str | None = None, life: float = 3600) -> str:
        """Make a token, good for `life` seconds, which this role's trust policy accepts."""
        # The shape of a JWT, not its content: the provider's signature is not what is tested.
        token = token or f"header.claims.{TOKEN_PREFIX}{secrets.token_urlsafe(40)}"
        with self.sts._lock:
            self.tokens[token] = (role_arn, int(self.sts.now()) + life)
        return token

    def expire(self, token: str) -> None:
        """End a token before its time."""
        self.tokens[token] = (self.tokens[token][0], int(self.sts.now()))

    def operation(self, request: Request) -> str | None:
        name = "AssumeRoleWithWebIdentity"
        return name if request.is_sts and request.action == name else None

    def carry_out(self, request: Request, *, past: bool) -> Answer:
        params, now = request.params, int(self.sts.now())
        name, arn, life = session_name(params), params.get("RoleArn", ""), duration(params, 3600, 43200)
        token = params.get("WebIdentityToken", "")
        check(4 <= len(token) <= 20000, "(token)", "webIdentityToken", "have a length from 4 to 20000")
        # Stricter than AWS: a client that signs wants keys where it has to do without.
        if "Authorization" in request.headers:
            raise RefusedError("ValidationError", "AssumeRoleWithWebIdentity is called without a signature")
        if not ROLE_ARN.fullmatch(arn):
            raise RefusedError("ValidationError", "Request ARN is invalid")
        if token not in self.tokens:
            raise RefusedError("InvalidIdentityToken", NO_PROVIDER if token.count(".") == 2 else NOT_JWT)
        for_role, expires = self.tokens[token]
        if expires <= now:
            late = f"Token expired: current date/time {now} must be before the expiration date/time {int(expires)}"
            raise RefusedError("ExpiredTokenException", late)
        role = self.sts.roles.get(arn)
        if not role or arn != for_role:
            raise RefusedError("AccessDenied", NOT_WEB)
        if life > role.max_duration:
            raise RefusedError("ValidationError", OVER_MAX)
        policies = self.sts.policies_of(params, arn.split(":")[1])
        session = replace(self.sts.role_session(arn, name), policies=policies)
        return result_xml(request.action, self.sts.assumed(session, life, past=past))

    def refuse(self, error: RefusedError, action: str) -> Answer:
        return error.answer


@dataclass
class Device:
    """A device authorization: somebody was asked to type `user_code` into a page."""

    user_code: str
    client_id: str
    expires: float
    state: str = "pending"
    polls: int = 0
    polled: float = float("-inf")


@dataclass
class Client:
    """A registered client. `grants` is empty for one that named none: it may use device codes."""

    secret: str
    expires: float
    scopes: list[str]
    grants: list[str]
    redirect_uris: list[str]


@dataclass
class Authorization:
    """A page of a sign-in with PKCE that a browser has opened: what it asked for."""

    client_id: str
    redirect_uri: str
    state: str
    challenge: str


class IdentityCenter(Double):
    """IAM Identity Center: the portal that gives credentials of roles, and the OIDC service that gives its tokens.

    Lives are in seconds; `interval` is how far apart polls must be. With `approve_on_visit`, whoever opens the page
    for a user code, or the page of a sign-in with PKCE, has approved it, as a browser that is signed in would let them
    with a click. With `page_error` the latter page sends the browser back with this error.
    """

    settings: ClassVar = {
        "start_url",
        "region",
        "token_life",
        "device_life",
        "client_life",
        "interval",
        "approve_on_visit",
        "page_error",
        "code_life",
    }
    words: ClassVar = {
        "InternalFailure": ("InternalServerException", 500),
        "Throttling": ("TooManyRequestsException", 429),
        "ThrottlingException": ("TooManyRequestsException", 429),
        "AccessDenied": ("ForbiddenException", 403),
        "NotFound": ("ResourceNotFoundException", 404),
    }
    oidc_words: ClassVar = {
        "InternalFailure": ("InternalServerException", 500),
        "Throttling": ("SlowDownException", 400),
        "ThrottlingException": ("SlowDownException", 400),
        "AccessDenied": ("AccessDeniedException", 400),
    }
    routes: ClassVar = {
        ("GET", "/federation/credentials"): "GetRoleCredentials",
        ("POST", "/client/register"): "RegisterClient",
        ("POST", "/device_authorization"): "StartDeviceAuthorization",
        ("POST", "/token"): "CreateToken",
        ("GET", "/device"): "VisitDevicePage",
        ("GET", "/authorize"): "Authorize",
    }

    def __init__(self, sts: StrictSts) -> None:
        super().__init__(sts)
        self.start_url, self.region = "https://d-0123456789.awsapps.com/start", "eu-west-1"
        self.token_life, self.device_life, self.client_life, self.interval = 28800, 600, 90 * 86400, 1
        self.approve_on_visit = False
        self.page_error, self.code_life = "", 60
        # By account and role name: the ARN of the role that Identity Center made there, and how long a session lasts.
        self.assignments: dict[tuple[str, str], tuple[str, int]] = {}
        self.devices: dict[str, Device] = {}
        self.access_tokens: dict[str, float] = {}
        # The client that a refresh token was given to; a token that was used is gone.
        self.refresh_tokens: dict[str, str] = {}
        # The pages that browsers have opened, and what each code was given for, and until when; a used code is gone.
        self.authorizations: list[Authorization] = []
        self.codes: dict[str, tuple[Authorization, float]] = {}
        self._clients: dict[str, Client] = {}
        self._approve_after: int | None = None

    def assign(self, role_name: str, account: str = ACCOUNT, *, life: int = 3600, partition: str = "aws") -> str:
        """Assign the user to a permission set in an account; give the ARN of the role there, for trust policies.

        Once more is the same role, with another `life`.
        """
        if known := self.assignments.get((account, role_name)):
            self.assignments[account, role_name] = (known[0], life)
            return known[0]
        name = f"AWSReservedSSO_{role_name}_{secrets.token_hex(8)}"
        path = f"aws-reserved/sso.amazonaws.com/{self.region}/"
        arn = self.sts.add_role(path + name, account, partition=partition, trusted=[])
        self.assignments[account, role_name] = (arn, life)
        return arn

    def unassign(self, role_name: str, account: str = ACCOUNT) -> None:
        """Take an assignment back."""
        del self.assignments[account, role_name]

    def sign_in(self, life: int | None = None, scopes: Sequence[str] = (ACCOUNT_ACCESS,)) -> dict[str, str]:
        """Give what `aws sso login` writes into its cache after a person signed in; `life` of the access token."""
        client_id, client = self._register(list(scopes))
        tokens = self._tokens(client_id, life)
        cached = {
            "startUrl": self.start_url,
            "region": self.region,
            "accessToken": tokens["accessToken"],
            "expiresAt": iso(self.access_tokens[tokens["accessToken"]]),
            "clientId": client_id,
            "clientSecret": client.secret,
            "registrationExpiresAt": iso(client.expires),
        }
        return cached | {name: tokens[name] for name in ("refreshToken",) if name in tokens}

    def pending(self) -> list[str]:
        """Give the user codes that nobody has answered."""
        return [device.user_code for device in list(self.devices.values()) if device.state == "pending"]

    def approve(self, user_code: str) -> None:
        """Approve as the person at the page."""
        self._settle(user_code, "approved")

    def deny(self, user_code: str) -> None:
        """Deny as the person at the page."""
        self._settle(user_code, "denied")

    def answer_to(self, page: Authorization, error: str = "") -> str:
        """Give where the page sends the browser once the person has clicked: with a code, or with an error."""
        if error:
            return f"{page.redirect_uri}?{urlencode({'error': error, 'error_description': 'No.', 'state': page.state})}"
        code = TOKEN_PREFIX + secrets.token_urlsafe(40)
        self.codes[code] = (page, self.sts.now() + self.code_life)
        return f"{page.redirect_uri}?{urlencode({'code': code, 'state': page.state})}"

    def auto_approve_after(self, polls: int | None) -> None:
        """Approve every authorization once this many polls were told to wait; None: no longer."""
        self._approve_after = polls

    def expire_access_tokens(self) -> None:
        """End every access token; refresh tokens stay good."""
        with self.sts._lock:
            self.access_tokens = dict.fromkeys(self.access_tokens, 0.0)

    def sign_out(self) -> None:
        """End every access and refresh token, as an administrator does."""
        with self.sts._lock:
            self.access_tokens.clear()
            self.refresh_tokens.clear()

    def operation(self, request: Request) -> str | None:
        return self.routes.get((request.method, urlsplit(request.target).path))

    def carry_out(self, request: Request, *, past: bool) -> Answer:
        if request.action == "GetRoleCredentials":
            return json_answer(self._role_credentials(request, past=past))
        if request.action == "VisitDevicePage":
            return self._visit(request)
        if request.action == "Authorize":
            return self._authorize(request)
        sent = json_body(request)
        operations = {
            "RegisterClient": self._register_client,
            "StartDeviceAuthorization": self._start_device_authorization,
            "CreateToken": self._create_token,
        }
        return json_answer(operations[request.action](sent))

    def refuse(self, error: RefusedError, action: str) -> Answer:
        content = {"message": error.message, "__type": error.code}
        if action != "GetRoleCredentials":
            # OAuth's words beside AWS's: authorization_pending.
            word = re.sub("(?<!^)(?=[A-Z])", "_", error.code.removesuffix("Exception")).lower()
            content = {"error": word, "error_description": error.message}
        return typed(content, error)

    def fault(self, error: RefusedError, action: str) -> Answer:
        words = self.words if action == "GetRoleCredentials" else self.oidc_words
        code, status = words.get(error.code, (error.code, error.status))
        return self.refuse(RefusedError(code, error.message, status), action)

    def _role_credentials(self, request: Request, *, past: bool) -> dict[str, Any]:
        role_name, account = (request.params.get(name, "") for name in ("role_name", "account_id"))
        if not role_name or not re.fullmatch("[0-9]{12}", account):
            raise RefusedError("InvalidRequestException", "Invalid request", 400)
        token = request.headers.get("x-amz-sso_bearer_token", "")
        if self.access_tokens.get(token, 0) <= self.sts.now():
            raise RefusedError("UnauthorizedException", "Session token not found or invalid", 401)
        if account not in (known for known, _ in self.assignments):
            raise RefusedError("ResourceNotFoundException", "The specified account does not exist", 404)
        if (account, role_name) not in self.assignments:
            raise RefusedError("ForbiddenException", "No access", 403)
        arn, life = self.assignments[account, role_name]
        key = self.sts.issue(self.sts.role_session(arn, "foo@example.com"), life, past=past)
        names = {"accessKeyId": key.access_key_id, "secretAccessKey": key.secret, "sessionToken": key.token}
        return {"roleCredentials": {**names, "expiration": int(key.expires) * 1000}}

    def _register(self, scopes: list[str], grants: Sequence[str] = (), uris: Sequence[str] = ()) -> tuple[str, Client]:
        client_id, expires = secrets.token_urlsafe(16), int(self.sts.now()) + self.client_life
        secret = SECRET_PREFIX + secrets.token_urlsafe(60)
        self._clients[client_id] = Client(secret, expires, scopes, list(grants), list(uris))
        return client_id, self._clients[client_id]

    def _register_client(self, sent: dict[str, Any]) -> dict[str, Any]:
        require(sent, "clientName", "clientType")
        if sent["clientType"] != "public":
            raise RefusedError("InvalidClientMetadataException", "Invalid client type", 400)
        scopes, grants, uris = (sent.get(name) or [] for name in ("scopes", "grantTypes", "redirectUris"))
        if not set(scopes) <= {ACCOUNT_ACCESS}:
            raise RefusedError("InvalidScopeException", "Invalid scope", 400)
        if not set(grants) <= {CODE_GRANT, DEVICE_GRANT, "refresh_token"}:
            raise RefusedError("UnsupportedGrantTypeException", "Unsupported grant type provided", 400)
        if CODE_GRANT in grants:
            # Stricter than AWS: the issuer is the start URL as Identity Center itself writes it.
            require(sent, "issuerUrl")
            if sent["issuerUrl"] != self.start_url:
                raise RefusedError("InvalidRequestException", "Invalid start url provided", 400)
            if not uris or not all(LOOPBACK_URI.fullmatch(uri) for uri in uris):
                raise RefusedError("InvalidRedirectUriException", "Invalid redirect URI", 400)
        client_id, client = self._register(scopes, grants, uris)
        now = int(self.sts.now())
        return {
            "clientId": client_id,
            "clientSecret": client.secret,
            "clientIdIssuedAt": now,
            "clientSecretExpiresAt": int(client.expires),
        }

    def _client(self, sent: dict[str, Any]) -> str:
        """Give the client's ID, once its secret is right and its registration holds."""
        client_id = str(sent["clientId"])
        client = self._clients.get(client_id)
        if not client or sent["clientSecret"] != client.secret or client.expires <= self.sts.now():
            raise RefusedError("InvalidClientException", "Invalid client provided", 401)
        return client_id

    def _authorize(self, request: Request) -> Answer:
        """Open the page of a sign-in with PKCE; a request that is not whole has no page, and goes nowhere."""
        asked = {name: given for name, given in parse_qs(urlsplit(request.target).query).items() if len(given) == 1}
        values = {name: given[0] for name, given in asked.items()}
        client = self._clients.get(values.get("client_id", ""))
        uri = values.get("redirect_uri", "")
        port = re.match(r"http://127\.0\.0\.1:[0-9]+(?=/)", uri)
        is_whole = (
            client is not None
            and CODE_GRANT in client.grants
            and port is not None
            and uri.replace(port[0], "http://127.0.0.1") in client.redirect_uris
            and values.get("response_type") == "code"
            and values.get("code_challenge_method") == "S256"
            and re.fullmatch(r"[A-Za-z0-9_-]{43}", values.get("code_challenge", "")) is not None
            and len(values.get("state", "")) >= 16
            and set(values.get("scopes", "").split()) == set(client.scopes)
        )
        if not is_whole:
            return Answer(400, b"<!DOCTYPE html>Invalid request", HTML, "InvalidRequest")
        page = Authorization(values["client_id"], uri, values["state"], values["code_challenge"])
        self.authorizations.append(page)
        if self.page_error or self.approve_on_visit:
            return Answer(302, b"", HTML, headers=(("Location", self.answer_to(page, self.page_error)),))
        return Answer(200, b"<!DOCTYPE html>Allow access to your data?", HTML)

    def _start_device_authorization(self, sent: dict[str, Any]) -> dict[str, Any]:
        require(sent, "clientId", "clientSecret", "startUrl")
        client_id = self._client(sent)
        # Some people write the last slash and some do not.
        if str(sent["startUrl"]).rstrip("/") != self.start_url.rstrip("/"):
            raise RefusedError("InvalidRequestException", "Invalid start url provided", 400)
        letters = "".join(random.SystemRandom().choices(string.ascii_uppercase, k=8))
        user_code, device_code = f"{letters[:4]}-{letters[4:]}", secrets.token_urlsafe(60)
        self.devices[device_code] = Device(user_code, client_id, self.sts.now() + self.device_life)
        page = f"{self.sts.url}/device"
        return {
            "deviceCode": device_code,
            "userCode": user_code,
            "verificationUri": page,
            "verificationUriComplete": f"{page}?user_code={user_code}",
            "expiresIn": self.device_life,
            "interval": self.interval,
        }

    def _visit(self, request: Request) -> Answer:
        code = parse_qs(urlsplit(request.target).query).get("user_code", [""])[0]
        if self.approve_on_visit and code:
            if code not in self.pending():
                return Answer(404, b"<!DOCTYPE html>Invalid code", HTML, "InvalidCode")
            self.approve(code)
        return Answer(200, b"<!DOCTYPE html>Allow access to your data?", HTML)

    def _settle(self, user_code: str, state: str) -> None:
        if user_code not in self.pending():
            raise ValueError(f"nobody waits for {user_code}")
        for device in list(self.devices.values()):
            device.state = state if device.user_code == user_code else device.state

    def _create_token(self, sent: dict[str, Any]) -> dict[str, Any]:
        require(sent, "clientId", "clientSecret", "grantType")
        client_id = self._client(sent)
        if sent["grantType"] == DEVICE_GRANT:
            require(sent, "deviceCode")
            self._check_grant(client_id, DEVICE_GRANT)
            self._redeem_device(sent["deviceCode"], client_id)
        elif sent["grantType"] == CODE_GRANT:
            require(sent, "code", "redirectUri", "codeVerifier")
            self._check_grant(client_id, CODE_GRANT)
            self._redeem_code(sent, client_id)
        elif sent["grantType"] == "refresh_token":
            require(sent, "refreshToken")
            self._check_grant(client_id, "refresh_token")
            # A refresh token works once, and only for the client it was given to.
            if self.refresh_tokens.get(sent["refreshToken"]) != client_id:
                raise RefusedError("InvalidGrantException", "Invalid refresh token provided", 400)
            del self.refresh_tokens[sent["refreshToken"]]
        else:
            raise RefusedError("UnsupportedGrantTypeException", "Unsupported grant type provided", 400)
        return self._tokens(client_id)

    def _check_grant(self, client_id: str, grant: str) -> None:
        allowed = self._clients[client_id].grants or [DEVICE_GRANT, "refresh_token"]
        if grant not in allowed:
            raise RefusedError("UnauthorizedClientException", "The client may not use this grant type", 400)

    def _redeem_code(self, sent: dict[str, Any], client_id: str) -> None:
        # Stricter than AWS may be: a wrong try uses the code up, too.
        page, expires = self.codes.pop(sent["code"], (None, 0.0))
        proof = encode(hashlib.sha256(sent["codeVerifier"].encode()).digest())
        is_theirs = page is not None and (page.client_id, page.redirect_uri) == (client_id, sent["redirectUri"])
        if page is None or not is_theirs or not secrets.compare_digest(proof, page.challenge):
            raise RefusedError("InvalidGrantException", "Invalid authorization code provided", 400)
        if not 43 <= len(sent["codeVerifier"]) <= 128:
            raise RefusedError("InvalidRequestException", "Invalid code verifier", 400)
        if expires <= self.sts.now():
            raise RefusedError("ExpiredTokenException", "Authorization code has expired", 400)

    def _redeem_device(self, device_code: str, client_id: str) -> None:
        device, now = self.devices.get(device_code), self.sts.now()
        if not device or device.client_id != client_id:
            raise RefusedError("InvalidGrantException", "Invalid device code provided", 400)
        if device.expires <= now:
            raise RefusedError("ExpiredTokenException", "Device code has expired", 400)
        # A tenth is forgiven: two requests do not travel equally fast.
        early, device.polled = now - device.polled < self.interval * 0.9, now
        if early:
            raise RefusedError("SlowDownException", "Slow down to the interval that was given", 400)
        if device.state == "denied":
            raise RefusedError("AccessDeniedException", "The authorization was denied", 400)
        if device.state == "pending" and (self._approve_after is None or device.polls < self._approve_after):
            device.polls += 1
            raise RefusedError("AuthorizationPendingException", "The authorization is still pending", 400)
        del self.devices[device_code]

    def _tokens(self, client_id: str, life: int | None = None) -> dict[str, Any]:
        life = self.token_life if life is None else life
        access, refresh = (TOKEN_PREFIX + secrets.token_urlsafe(60) for _ in range(2))
        self.access_tokens[access] = int(self.sts.now()) + life
        answer = {"accessToken": access, "tokenType": "Bearer", "expiresIn": life}
        if ACCOUNT_ACCESS not in self._clients[client_id].scopes:
            return answer
        self.refresh_tokens[refresh] = client_id
        return answer | {"refreshToken": refresh}


def json_body(request: Request) -> dict[str, Any]:
    """Read the body, and note it among the request's parameters, which the call is recorded with."""
    try:
        sent = json.loads(request.body)
    except ValueError:
        sent = None
    if not isinstance(sent, dict):
        raise RefusedError("InvalidRequestException", "Invalid request", 400)
    request.params.update({name: item if isinstance(item, str) else json.dumps(item) for name, item in sent.items()})
    return sent


def require(sent: dict[str, Any], *names: str) -> None:
    """Refuse a request without these members."""
    for name in names:
        if not isinstance(sent.get(name), str):
            raise RefusedError("InvalidRequestException", f"Missing required parameter: {name}", 400)


class _RoleSource(Double):
    """What hands out one role's credentials to whoever is inside: the same until five minutes before their end."""

    def __init__(self, sts: StrictSts, life: int) -> None:
        super().__init__(sts)
        self.life = life
        self._issued: Key | None = None

    def _credentials(self, role_arn: str, *, past: bool) -> dict[str, str]:
        key = self._issued
        stale = not key or key.role_arn != role_arn or key.revoked or key.expires - self.sts.now() < 300
        if key is None or stale or past:
            key = self._issued = self.sts.issue(self.sts.role_session(role_arn, "i-0123456789"), self.life, past=past)
        return {
            "AccessKeyId": key.access_key_id,
            "SecretAccessKey": key.secret,
            "Token": key.token,
            "Expiration": iso(key.expires),
        }


class Container(_RoleSource):
    """What ECS and EKS give a container: set AWS_CONTAINER_CREDENTIALS_FULL_URI to `uri`.

    With `authorization`, the request must have this Authorization header; `account_id` False leaves AccountId out.
    """

    settings: ClassVar = {"authorization", "role_arn", "life", "account_id"}

    def __init__(self, sts: StrictSts) -> None:
        super().__init__(sts, 21600)
        self.authorization: str | None = None
        self.role_arn = f"arn:aws:iam::{ACCOUNT}:role/container"
        self.account_id = True

    @property
    def uri(self) -> str:
        """Where the credentials are."""
        return f"{self.sts.url}/container/credentials"

    def operation(self, request: Request) -> str | None:
        asked = (request.method, urlsplit(request.target).path)
        return "ContainerCredentials" if asked == ("GET", "/container/credentials") else None

    def carry_out(self, request: Request, *, past: bool) -> Answer:
        if self.authorization not in (None, request.headers.get("Authorization")):
            raise RefusedError("AccessDeniedException", "Invalid authorization token", 401)
        given = self._credentials(self.role_arn, past=past)
        owner = {"AccountId": self.role_arn.split(":")[4]} if self.account_id else {}
        return json_answer({"RoleArn": self.role_arn, **given, **owner})

    def refuse(self, error: RefusedError, action: str) -> Answer:
        content = {"code": error.code, "message": error.message}
        return json_answer(content, error.status, error_code=error.code)


class Imds(_RoleSource):
    """The metadata service of an EC2 instance: set AWS_EC2_METADATA_SERVICE_ENDPOINT to `endpoint`.

    `http_tokens` is "optional" (version 1 works without a token) or "required"; `http_endpoint` is "enabled",
    "disabled" (403), or "silent": accepts and never answers, like the address anywhere but on EC2.
    """

    settings: ClassVar = {"http_tokens", "http_endpoint", "life"}
    ROLES = "/latest/meta-data/iam/security-credentials/"

    def __init__(self, sts: StrictSts) -> None:
        super().__init__(sts, 21600)
        self.http_tokens, self.http_endpoint = "optional", "enabled"
        self.role_arn: str | None = None
        self._tokens: dict[str, float] = {}

    @property
    def endpoint(self) -> str:
        """The service's URL."""
        return f"{self.sts.url}/"

    def attach(self, role_name: str = "instance", account: str = ACCOUNT) -> str:
        """Attach a role to the instance; give its ARN."""
        self.role_arn = self.sts.add_role(role_name, account, trusted=[])
        return self.role_arn

    def detach(self) -> None:
        """Leave the instance without a role."""
        self.role_arn = None

    def operation(self, request: Request) -> str | None:
        path = urlsplit(request.target).path
        if path == "/latest/api/token":
            return "ImdsToken"
        if path.startswith(self.ROLES):
            return "ImdsRole" if path == self.ROLES else "ImdsCredentials"
        return "ImdsOther" if path.startswith("/latest/") else None

    def carry_out(self, request: Request, *, past: bool) -> Answer:
        if self.http_endpoint == "silent":
            return Answer(0, error_code="hang", hold=True)
        if self.http_endpoint == "disabled":
            raise RefusedError("Forbidden", "Forbidden", 403)
        if request.action == "ImdsToken":
            return Answer(200, self._token(request).encode(), "text/plain")
        token = request.headers.get("x-aws-ec2-metadata-token")
        good = self._tokens.get(token or "", 0) > self.sts.now()
        # A wrong token is refused even where none is needed.
        if not good and (token is not None or self.http_tokens == "required"):
            raise RefusedError("Unauthorized", "Unauthorized", 401)
        match = ROLE_ARN.fullmatch(self.role_arn or "")
        if request.method != "GET" or not match or not self.role_arn:
            raise RefusedError("NotFound", "Not Found", 404)
        if request.action == "ImdsRole":
            return Answer(200, match[3].encode(), "text/plain")
        if urlsplit(request.target).path != self.ROLES + match[3]:
            raise RefusedError("NotFound", "Not Found", 404)
        about = {"Code": "Success", "LastUpdated": iso(self.sts.now()), "Type": "AWS-HMAC"}
        return json_answer({**about, **self._credentials(self.role_arn, past=past)})

    def _token(self, request: Request) -> str:
        if request.method != "PUT":
            raise RefusedError("MethodNotAllowed", "Method Not Allowed", 405)
        # So that nobody gets a token through a proxy that was left open.
        if "X-Forwarded-For" in request.headers:
            raise RefusedError("Forbidden", "Forbidden", 403)
        life = request.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
        if not re.fullmatch("[0-9]{1,5}", life) or not 1 <= int(life) <= 21600:
            raise RefusedError("BadRequest", "Bad Request", 400)
        token = TOKEN_PREFIX + secrets.token_urlsafe(40)
        self._tokens[token] = self.sts.now() + int(life)
        return token

    def refuse(self, error: RefusedError, action: str) -> Answer:
        page = f"<!DOCTYPE html><html><body><h1>{error.status} - {error.message}</h1></body></html>"
        return Answer(error.status, page.encode(), "text/html", error.code)


class SignIn(Double):
    """The service behind `aws login`: a refresh token and a proof of its key give credentials for 15 minutes.

    Refresh tokens work once here, which AWS does not document. `refusal` is the code that every refresh is refused
    with: USER_CREDENTIALS_CHANGED after a new password, INSUFFICIENT_PERMISSIONS without signin:CreateOAuth2Token.
    """

    settings: ClassVar = {"life", "refusal"}
    words: ClassVar = {
        "InternalFailure": ("InternalServerException", 500),
        "Throttling": ("TooManyRequestsError", 429),
        "ThrottlingException": ("TooManyRequestsError", 429),
        "AccessDenied": ("AccessDeniedException", 400),
    }
    CLIENT = "arn:aws:signin:::devtools/same-device"

    def __init__(self, sts: StrictSts) -> None:
        super().__init__(sts)
        self.life, self.refusal = 900, ""
        # Whose a refresh token is, and the thumbprint of the key that must be proved.
        self.refresh_tokens: dict[str, tuple[Key, str]] = {}
        self._proofs: set[str] = set()

    def sign_in(self, arn: str, life: int | None = None) -> dict[str, Any]:
        """Give what `aws login` writes into its cache when the user with this ARN has logged in; see `login_file`."""
        private, thumbprint = new_dpop_key()
        users = [key for key in list(self.sts.keys.values()) if key.kind == "user" and key.arn == arn]
        account = arn.split(":")[4]
        whose = users[0] if users else Key("user", arn, account, random_id("AIDA", 21))
        key = self.sts.issue(self._session(whose), self.life if life is None else life)
        given = {**access_token(key), "accountId": account, "expiresAt": iso(key.expires)}
        return {
            "accessToken": given,
            "tokenType": "aws_sigv4",
            "refreshToken": self._refresh_token(whose, thumbprint),
            "clientId": self.CLIENT,
            "dpopKey": private,
        }

    def expire_refresh_tokens(self) -> None:
        """End every login: the next refresh is TOKEN_EXPIRED."""
        self.refresh_tokens.clear()

    def operation(self, request: Request) -> str | None:
        asked = (request.method, urlsplit(request.target).path)
        return "CreateOAuth2Token" if asked == ("POST", "/v1/token") else None

    def carry_out(self, request: Request, *, past: bool) -> Answer:
        sent = json_body(request)
        if not re.fullmatch(r"arn:aws:signin:::devtools/(cross|same)-device", str(sent.get("clientId"))):
            raise RefusedError("ValidationException", "invalid_request", 400)
        if sent.get("grantType") != "refresh_token":
            raise RefusedError("ValidationException", "unsupported_grant_type", 400)
        thumbprint = self._proved(request)
        if self.refusal:
            raise RefusedError("AccessDeniedException", self.refusal, 400)
        whose, expected = self.refresh_tokens.get(str(sent.get("refreshToken")), (None, ""))
        if not whose:
            raise RefusedError("AccessDeniedException", "TOKEN_EXPIRED", 400)
        if thumbprint != expected:
            raise RefusedError("ValidationException", "invalid_request", 400)
        del self.refresh_tokens[sent["refreshToken"]]
        key = self.sts.issue(self._session(whose), self.life, past=past)
        return json_answer(
            {
                "accessToken": access_token(key),
                "tokenType": "aws_sigv4",
                "expiresIn": int(key.expires - int(self.sts.now())),
                "refreshToken": self._refresh_token(whose, expected),
            }
        )

    def refuse(self, error: RefusedError, action: str) -> Answer:
        return typed({"error": error.message, "message": f"Refused: {error.message}"}, error)

    @staticmethod
    def _session(whose: Key) -> Key:
        return Key("session", whose.arn, whose.account, whose.user_id, mfa=False)

    def _refresh_token(self, whose: Key, thumbprint: str) -> str:
        token = TOKEN_PREFIX + secrets.token_urlsafe(60)
        self.refresh_tokens[token] = (whose, thumbprint)
        return token

    def _proved(self, request: Request) -> str:
        """Check the DPoP header (RFC 9449) and give the thumbprint of the key that made it."""
        host, path = request.headers.get("Host", ""), urlsplit(request.target).path
        try:
            thumbprint, claims = open_dpop(request.headers.get("DPoP", ""))
            fits = claims["htm"] == request.method and claims["htu"] in (
                f"http://{host}{path}",
                f"https://{host}{path}",
            )
            fresh = abs(claims["iat"] - self.sts.now()) < 300 and str(claims["jti"]) not in self._proofs
        except (ValueError, KeyError, TypeError):
            fits = fresh = False
        if not fits or not fresh:
            raise RefusedError("ValidationException", "invalid_request", 400)
        self._proofs.add(str(claims["jti"]))
        return thumbprint


class Federation(Double):
    """The federation endpoint of the console's sign-in: getSigninToken, and the link that is made of its token.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_enable-console-custom-url.html: credentials of
    roles only, a SessionDuration of 15 minutes to 12 hours, and none where a session has assumed the role.
    """

    def __init__(self, sts: StrictSts) -> None:
        super().__init__(sts)
        self.targets: list[str] = []  # the addresses of all requests, as proxies see them
        self.agents: list[str] = []
        self.granted: dict[str, tuple[Key, str | None]] = {}  # by token: whose, and for how many seconds
        self.visits: list[str] = []  # where people who opened a link came to

    def operation(self, request: Request) -> str | None:
        is_ours = urlsplit(request.target).path == "/federation"
        return request.action if is_ours and request.action in {"getSigninToken", "login"} else None

    def carry_out(self, request: Request, *, past: bool) -> Answer:
        if request.action == "login":
            destination = request.params.get("Destination", "")
            if request.params.get("SigninToken") not in self.granted or not destination.startswith("https://"):
                raise RefusedError("BadRequest", "The federation token is invalid.", 400)
            self.visits.append(destination)
            return Answer(302, b"", HTML, headers=(("Location", destination),))
        self.targets.append(request.target)
        self.agents.append(request.headers.get("User-Agent", ""))
        seconds = request.params.get("SessionDuration")
        key = self._proved(request.params.get("Session", ""))
        fits = seconds is None or (re.fullmatch("[0-9]{1,6}", seconds) and 900 <= int(seconds) <= 43200)
        if key.kind != "role" or not fits or (seconds is not None and key.chained):
            raise RefusedError("BadRequest", "Bad Request", 400)
        token = TOKEN_PREFIX + secrets.token_urlsafe(400)
        self.granted[token] = (key, seconds)
        return json_answer({"SigninToken": token})

    def refuse(self, error: RefusedError, action: str) -> Answer:
        page = f"<html><body><h1>{error.status}: {error.message}</h1></body></html>"
        return Answer(error.status, page.encode(), HTML, error.code)

    def _proved(self, session: str) -> Key:
        try:
            sent = json.loads(session)
            key = self.sts.keys[sent["sessionId"]]
            is_sound = (key.secret, key.token) == (sent["sessionKey"], sent["sessionToken"])
        except (ValueError, KeyError, TypeError):
            raise RefusedError("BadRequest", "Bad Request", 400) from None
        if not is_sound or key.revoked or key.expires <= self.sts.now():
            raise RefusedError("BadRequest", "Bad Request", 400)
        return key


def access_token(key: Key) -> dict[str, str]:
    """Give the credentials as the sign-in service names them."""
    return {"accessKeyId": key.access_key_id, "secretAccessKey": key.secret, "sessionToken": key.token}


def login_file(home: Path, login_session: str, token: dict[str, Any]) -> Path:
    """Write a token of `SignIn.sign_in` to where a profile with this `login_session` finds it."""
    return private_file(home / ".aws/login/cache", hashlib.sha256(login_session.encode()).hexdigest(), token)


def sso_file(home: Path, name: str, token: dict[str, Any]) -> Path:
    """Write a token of `IdentityCenter.sign_in`; `name` is the sso-session's, or the start URL of a legacy profile."""
    return private_file(home / ".aws/sso/cache", hashlib.sha1(name.encode()).hexdigest(), token)


def private_file(folder: Path, name: str, token: dict[str, Any]) -> Path:
    """Write JSON as the AWS CLI writes its caches."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(token, file)
    return path


def thumbprint_of(jwk: dict[str, str]) -> str:
    """RFC 7638."""
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return hashlib.sha256(json.dumps(members, sort_keys=True).encode()).hexdigest()


def encode(data: bytes) -> str:
    """Base64 for URLs, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Undo `encode`."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def new_dpop_key() -> tuple[str, str]:
    """Make a key; give it in PEM, and its thumbprint."""
    # Here and not above: the import is slow, and few tests need it.
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    numbers = key.public_key().public_numbers()
    x, y = (encode(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    form = serialization.PrivateFormat.TraditionalOpenSSL
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return pem.decode(), thumbprint_of({"crv": "P-256", "kty": "EC", "x": x, "y": y})


def open_dpop(proof: str) -> tuple[str, dict[str, Any]]:
    """Give the thumbprint of the key and the claims of a DPoP proof; ValueError, KeyError or TypeError: it is none."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, utils  # noqa: PLC0415

    head, claims, signature = proof.split(".")
    header, raw = json.loads(decode(head)), decode(signature)
    if (header["typ"], header["alg"], header["jwk"]["kty"], len(raw)) != ("dpop+jwt", "ES256", "EC", 64):
        raise ValueError(head)
    x, y = (int.from_bytes(decode(header["jwk"][name]), "big") for name in "xy")
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    pair = utils.encode_dss_signature(*(int.from_bytes(half, "big") for half in (raw[:32], raw[32:])))
    try:
        public.verify(pair, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise ValueError(head) from error
    return thumbprint_of(header["jwk"]), dict(json.loads(decode(claims)))
