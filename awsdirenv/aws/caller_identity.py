"""Who AWS takes programs of this environment for: botocore's own order of looking for credentials, and STS's answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from awsdirenv.aws.botocore_session import Budget, let_crt_in
from awsdirenv.aws.errors import bad_answer, guarded, guarded_source
from awsdirenv.errors import (
    AwsdirenvError,
    BadAnswerError,
    NetworkError,
    PersonNeededError,
    ProfileNotFoundError,
    SignInNeededError,
)
from awsdirenv.system.commands import unset_command

# What came of asking.
KNOWN, NONE, EXPIRED, OFFLINE, FAILED = "known", "none", "expired", "offline", "failed"

_OUTCOMES = {SignInNeededError: EXPIRED, NetworkError: OFFLINE, BadAnswerError: OFFLINE}
_WHAT, _STS = "the credentials of this environment", "GetCallerIdentity"
_TIMEOUTS: dict[str, Any] = {"connect_timeout": 3, "read_timeout": 4}  # seconds
_EXPIRED = {"ExpiredToken", "ExpiredTokenException"}
_ANYWHERE = "us-east-1"  # who somebody is does not depend on the region, but a client wants one


@dataclass(frozen=True)
class Caller:
    """What came of asking. `access_key_id` and `method` (botocore's word) tell which credentials were found, if any."""

    outcome: str
    arn: str | None = None
    account_id: str | None = None
    user_id: str | None = None
    access_key_id: str | None = None
    method: str | None = None
    error: AwsdirenvError | None = None


def ask(environ: Mapping[str, str], seconds: float) -> Caller:
    """Ask STS for at most `seconds`, programs and sign-ins that give the credentials included. Nobody is asked.

    `environ` must be the environment of this process: that is where botocore looks.
    """
    budget, session, found = Budget(seconds), _session(), Caller(NONE)
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or None
    try:
        search = lambda: budget.spend(_WHAT, lambda: _found(session))  # noqa: E731
        found = guarded_source(_WHAT, search, "~/.aws/config", "aws sso login, or aws login")
        if found.access_key_id is None:
            return found
        answer = guarded(_STS, lambda: budget.spend(_STS, lambda: _identity(session, region)))
    except AwsdirenvError as error:
        return replace(found, outcome=_OUTCOMES.get(type(error), FAILED), error=error)
    if answer is None:
        return replace(found, outcome=EXPIRED)
    arn, account_id, user_id = (str(answer.get(name) or "") or None for name in ("Arn", "Account", "UserId"))
    return replace(found, outcome=KNOWN, arn=arn, account_id=account_id, user_id=user_id)


def _session() -> Any:
    """Make a session as boto3 does by default. It must not ask for a code: only a look was asked for."""
    let_crt_in()  # for whatever provides the credentials here
    from botocore.config import Config  # noqa: PLC0415
    from botocore.session import Session  # noqa: PLC0415

    session = Session()
    options: dict[str, Any] = {"retries": {"total_max_attempts": 2, "mode": "standard"}}
    session.set_default_client_config(Config(**_TIMEOUTS, **options))
    return session


def _found(session: Any) -> Caller:
    from botocore.exceptions import ProfileNotFound  # noqa: PLC0415

    try:
        providers = session.get_component("credential_provider")
        providers.get_provider("assume-role")._prompter = _refuse  # noqa: SLF001 - there is no other way to it
        found = session.get_credentials()
    except ProfileNotFound:
        raise ProfileNotFoundError(
            f"AWS_PROFILE names a profile that does not exist: {session.profile}",
            unset_command("AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
        ) from None
    if found is None:
        return Caller(NONE)
    # Frozen, so that what has to be fetched or renewed is.
    return Caller(NONE, access_key_id=found.get_frozen_credentials().access_key, method=str(found.method))


def _refuse(_prompt: str) -> NoReturn:
    raise PersonNeededError(
        "an SDK would ask for an MFA code here", "awsdirenv login, and a directory with use aws_profile"
    )


def _identity(session: Any, region: str | None) -> dict[str, Any] | None:
    """Give STS's answer, or None where it says that the credentials are over."""
    import botocore.exceptions as bx  # noqa: PLC0415

    region = region or session.get_config_variable("region") or _ANYWHERE
    try:
        answer: dict[str, Any] = session.create_client("sts", region_name=region).get_caller_identity()
    except bx.ClientError as error:
        if error.response.get("Error", {}).get("Code") in _EXPIRED:
            return None
        raise
    if not isinstance(answer.get("Arn"), str):
        raise bad_answer(_STS)
    return answer
