"""Who AWS says that a program in this environment is, for `whoami`.

botocore finds the credentials in its usual order, as it does for any program, and STS says whose they are.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from awsdirenv.records import Record, replace
from awsdirenv.system.commands import unset_command

# The outcomes. NONE: no credentials were found. OFFLINE: AWS was not reached. FAILED: any other error.
KNOWN, NONE, EXPIRED, OFFLINE, FAILED = "known", "none", "expired", "offline", "failed"

_OUTCOMES = {SignInNeededError: EXPIRED, NetworkError: OFFLINE, BadAnswerError: OFFLINE}
_WHAT, _STS = "the credentials of this environment", "GetCallerIdentity"
_TIMEOUTS: dict[str, Any] = {"connect_timeout": 3, "read_timeout": 4}  # seconds
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


def ask(environ: Mapping[str, str], seconds: float) -> Caller:
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
        return replace(caller, outcome=_OUTCOMES.get(type(error), FAILED), error=error)
    if answer is None:
        return replace(caller, outcome=EXPIRED)
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
    """Give a Caller with the credentials that botocore finds, and no answer yet."""
    from botocore.exceptions import ProfileNotFound  # noqa: PLC0415

    try:
        providers = session.get_component("credential_provider")
        # botocore would ask for an MFA code, and has no option that prevents it.
        providers.get_provider("assume-role")._prompter = _refuse_to_ask  # noqa: SLF001
        credentials = session.get_credentials()
    except ProfileNotFound:
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
        "an SDK would ask for an MFA code here", "awsdirenv login, and a directory with use aws_profile"
    )


def _identity(session: Any, region: str | None) -> dict[str, Any] | None:
    """Give the answer of GetCallerIdentity; None where it says that the credentials have expired."""
    import botocore.exceptions as bx  # noqa: PLC0415

    region = region or session.get_config_variable("region") or _ANY_REGION
    try:
        answer: dict[str, Any] = session.create_client("sts", region_name=region).get_caller_identity()
    except bx.ClientError as error:
        if error.response.get("Error", {}).get("Code") in _EXPIRED:
            return None
        raise
    if not isinstance(answer.get("Arn"), str):
        raise bad_answer(_STS)
    return answer
