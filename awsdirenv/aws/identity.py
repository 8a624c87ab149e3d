"""What AWS says of credentials: who a program in this environment is (`whoami`), and facts of a key (`doctor`).

botocore finds the environment's credentials in its usual order, as it does for any program. About a key AWS is asked
with the key itself; many keys may not ask IAM, and the facts are then unknown, which is no failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NoReturn

from awsdirenv.aws.botocore_session import AwsClock, Budget, client_with_keys, let_crt_in
from awsdirenv.aws.errors import again_if_cut_off, bad_answer, guarded, guarded_source
from awsdirenv.config.aws_files import AwsFiles, place_of
from awsdirenv.config.environment import CLOSED_PROFILE
from awsdirenv.errors import (
    AwsdirenvError,
    BadAnswerError,
    NetworkError,
    PersonNeededError,
    ProfileNotFoundError,
    SignInNeededError,
)
from awsdirenv.records import Record, replace
from awsdirenv.system.text import key_end, unset_command

# The outcomes. NONE: no credentials were found. OFFLINE: AWS was not reached. FAILED: any other error.
KNOWN, NONE, EXPIRED, OFFLINE, FAILED = "known", "none", "expired", "offline", "failed"

_OUTCOMES = {SignInNeededError: EXPIRED, NetworkError: OFFLINE, BadAnswerError: OFFLINE}
_WHAT, _STS = "the credentials of this environment", "GetCallerIdentity"
_TIMEOUTS: dict[str, Any] = {"connect_timeout": 3, "read_timeout": 4}  # seconds
_KEY_TIMEOUT = 3  # seconds, for each call about a key
_EXPIRED = {"ExpiredToken", "ExpiredTokenException"}
_ANY_REGION = "us-east-1"  # the answer does not depend on the region, but a client must have one


class Caller(Record):
    """The answer, and which credentials were found, if any. `method` is botocore's name for where it found them."""

    outcome: str
    arn: str | None = None
    account_id: str | None = None
    user_id: str | None = None
    access_key_id: str | None = None
    method: str | None = None
    error: AwsdirenvError | None = None
    code: str = ""  # AWS's own, for credentials that have expired


def ask_caller(environ: Mapping[str, str], seconds: float) -> Caller:
    """Find the credentials and ask STS whose they are, in at most `seconds` for both. No person is asked for anything.

    `environ` must be the environment of this process: that is where botocore looks.
    """
    budget, session, caller = Budget(seconds), _session(), Caller(NONE)
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or None
    try:
        find = lambda: budget.spend(_WHAT, lambda: _find_credentials(session))  # noqa: E731
        caller = guarded_source(_WHAT, find, "~/.aws/config", "aws sso login, or aws login")
        if caller.access_key_id is None:
            return caller
        answer = guarded(_STS, lambda: budget.spend(_STS, lambda: _identity(session, region)))
    except AwsdirenvError as error:
        is_first = isinstance(error, SignInNeededError) and error.is_first
        return replace(caller, outcome=NONE if is_first else _OUTCOMES.get(type(error), FAILED), error=error)
    if isinstance(answer, str):
        return replace(caller, outcome=EXPIRED, code=answer)
    arn, account_id, user_id = (str(answer.get(name) or "") or None for name in ("Arn", "Account", "UserId"))
    return replace(caller, outcome=KNOWN, arn=arn, account_id=account_id, user_id=user_id)


def _session() -> Any:
    """Make a botocore session as boto3 does by default."""
    let_crt_in()  # for whatever provides the credentials here
    from botocore.config import Config  # noqa: PLC0415
    from botocore.session import Session  # noqa: PLC0415

    session = Session()
    options: dict[str, Any] = {"retries": {"total_max_attempts": 2, "mode": "standard"}}
    session.set_default_client_config(Config(**_TIMEOUTS, **options))
    return session


def _find_credentials(session: Any) -> Caller:
    """Return a Caller with the credentials that botocore finds, and without an answer."""
    from botocore.exceptions import ProfileNotFound  # noqa: PLC0415

    try:
        providers = session.get_component("credential_provider")
        # botocore would ask for an MFA code, and has no option that prevents it.
        providers.get_provider("assume-role")._prompter = _refuse_to_ask  # noqa: SLF001
        credentials = session.get_credentials()
    except ProfileNotFound:
        if session.profile == CLOSED_PROFILE:
            return Caller(NONE)
        raise ProfileNotFoundError(
            f"AWS_PROFILE names a profile that does not exist: {session.profile}",
            unset_command("AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
        ) from None
    if credentials is None:
        return Caller(NONE)
    # Only freezing fetches or renews what has to be.
    access_key_id = credentials.get_frozen_credentials().access_key
    return Caller(NONE, access_key_id=access_key_id, method=str(credentials.method))


def _refuse_to_ask(_prompt: str) -> NoReturn:
    raise PersonNeededError(
        "an SDK would ask for an MFA code here", "awsdirenv login, then enter a directory with use aws_profile"
    )


def _identity(session: Any, region: str | None) -> dict[str, Any] | str:
    """Return the answer of GetCallerIdentity, or the code with which it says that the credentials have expired."""
    import botocore.exceptions as bx  # noqa: PLC0415

    region = region or session.get_config_variable("region") or _ANY_REGION
    try:
        answer: dict[str, Any] = again_if_cut_off(session.create_client("sts", region_name=region).get_caller_identity)
    except bx.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code"))
        if code in _EXPIRED:
            return code
        raise
    if not isinstance(answer.get("Arn"), str):
        raise bad_answer(_STS)
    return answer


class LongTermKey(Record):
    """A long-term key of one of AWS's files. `region` is the one whose STS is asked."""

    profile: str
    access_key_id: str
    secret_access_key: str
    region: str

    def __repr__(self) -> str:
        return f"LongTermKey({self.profile!r}, {self.shown!r})"

    @property
    def shown(self) -> str:
        """The last four characters of its id, for messages."""
        return key_end(self.access_key_id)


class KeyFacts(Record):
    """What AWS said about a key; None for what it would not say.

    `created` has the times at which the user's active keys were made, by access key id. `offset` is by how much AWS's
    clock is ahead of ours. `refusal` is the error where STS did not say whose key it is.
    """

    key: LongTermKey
    arn: str | None
    offset: timedelta
    refusal: AwsdirenvError | None = None
    created: Mapping[str, datetime] | None = None
    mfa_devices: tuple[str, ...] | None = None

    @property
    def is_root(self) -> bool:
        """Whether it is the account's root user's."""
        return (self.arn or "").endswith(":root")


def ask_about_key(files: AwsFiles, key: LongTermKey, budget: Budget) -> KeyFacts:
    """Ask STS whose key it is, and then IAM about the user. Errors of AWS and the network are part of the answer."""
    return _Inquiry(files, key, budget).facts()


class _Inquiry:
    """The calls about one key, which share a clock."""

    def __init__(self, files: AwsFiles, key: LongTermKey, budget: Budget) -> None:
        self._files = files
        self._key = key
        self._budget = budget
        self._clock = AwsClock(lambda _: None)

    def facts(self) -> KeyFacts:
        try:
            arn = str(self._call("sts", "get_caller_identity").get("Arn", ""))
        except AwsdirenvError as error:
            return KeyFacts(self._key, None, self._clock.offset, refusal=error)
        if ":user/" not in arn:  # root has no name that IAM could be asked about
            return KeyFacts(self._key, arn, self._clock.offset)
        keys = self._listed("list_access_keys", "AccessKeyMetadata")
        devices = self._listed("list_mfa_devices", "MFADevices")
        created = {str(k.get("AccessKeyId")): k.get("CreateDate") for k in keys or () if k.get("Status") == "Active"}
        return KeyFacts(
            self._key,
            arn,
            self._clock.offset,
            created={key: moment for key, moment in created.items() if isinstance(moment, datetime)},
            mfa_devices=None if devices is None else tuple(str(device.get("SerialNumber")) for device in devices),
        )

    def _listed(self, operation: str, member: str) -> list[Mapping[str, Any]] | None:
        """Ask IAM for a list of the user's own keys or devices; None where it does not give it."""
        try:
            items = self._call("iam", operation).get(member)
        except AwsdirenvError:
            return None
        return items if isinstance(items, list) else None

    def _call(self, service: str, operation: str) -> dict[str, Any]:
        what = f"{operation} with the access key {self._key.shown} of profile {self._key.profile}"

        def call() -> dict[str, Any]:
            client = self._client(service)
            answer: dict[str, Any] = again_if_cut_off(lambda: self._clock.in_time(getattr(client, operation)))
            return answer

        return guarded(
            what, lambda: self._budget.spend(what, call), place_of(self._files, self._key.profile, "aws_access_key_id")
        )

    def _client(self, service: str) -> Any:
        key = self._key
        keys = (key.access_key_id, key.secret_access_key, None)
        options = {"connect_timeout": _KEY_TIMEOUT, "read_timeout": _KEY_TIMEOUT, "retries": {"total_max_attempts": 1}}
        return client_with_keys(self._files, key.profile, self._clock, keys, service, key.region, **options)
