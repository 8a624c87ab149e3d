"""Who credentials are, asked of STS where nothing else has told."""

from __future__ import annotations

from dataclasses import replace

from awsdirenv.cache.sessions import UserNames
from awsdirenv.credentials import SessionCredentials
from awsdirenv.errors import AwsdirenvError, ConfigError, SessionRefusedError
from awsdirenv.refresh.sources import CredentialSource

# In mfa_serial: the name of the IAM user whose key it is, so that a team can share the line.
USERNAME = "${username}"


def identified(session: SessionCredentials, sts: CredentialSource) -> SessionCredentials:
    """Add the account where nothing said it so far. A session without it is still good.

    Raises SessionRefusedError.
    """
    if session.account_id:
        return session
    try:
        account_id, arn = sts.caller_identity(session)
    except SessionRefusedError:
        raise
    except AwsdirenvError:
        return session
    return replace(session, account_id=account_id or None, arn=arn or None)


def with_username(serial: str, source: SessionCredentials, sts: CredentialSource, users: UserNames) -> str:
    """Put the name of the key's IAM user into an mfa_serial that asks for it. STS is asked once for each key.

    Raises ConfigError where the credentials are no IAM user's.
    """
    user = users.read(source.access_key_id)
    if user is None:
        _, arn = sts.caller_identity(source)
        if ":user/" not in arn:
            raise ConfigError(
                f"mfa_serial has {USERNAME}, and whose credentials these are is no IAM user",
                "write the name of the device into mfa_serial, or set AWS_MFA_SERIAL",
            )
        user = arn.rpartition("/")[2]
        users.remember(source.access_key_id, user)
    return serial.replace(USERNAME, user)
