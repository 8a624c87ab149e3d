"""Short-lived AWS credentials per directory, through direnv; and from Python, with the same sessions and codes.

    import awsdirenv

    awsdirenv.session("adminrole").client("s3")

Importing this costs little: boto3 is imported by the first call that needs it, and what stands below in `_HOMES` when
it is asked for.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` is a tenth of the time that `awsdirenv prompt` may take, and begins with this file
if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.credentials import CredentialProvider

    from awsdirenv.errors import AwsdirenvError
    from awsdirenv.session_credentials import SessionCredentials

__version__ = "0.1.0"

_HOMES = {"AwsdirenvError": "errors", "SessionCredentials": "session_credentials"}

__all__ = ["AwsdirenvError", "SessionCredentials", "__version__", "credential_provider", "credentials", "session"]


def credentials(profile: str | None = None, *, duration: int | str | None = None) -> SessionCredentials:
    """Give a profile's credentials, renewed where that is due; for what takes three strings.

    `profile` None is the profile of the directory, as on the command line. `duration` is how long they are to live, in
    seconds or as in "1h30m", from 15m to 12h. They are good for a moment at least, but they do end: call again before
    each use (that costs a millisecond), or use `session`. `expiration` is an aware datetime in UTC, or None where
    nobody knows the end.

    A person is asked for an MFA code only in the main thread of a program that runs in the foreground of a terminal.
    Elsewhere PersonNeededError (of `awsdirenv.errors`) says what to type; CancelledError is a Ctrl-C at the question.
    Raises AwsdirenvError, with `message`, `hint` and a stable `kind`; ProfileNotFoundError, SettingError and the
    others are its subclasses.

        found = awsdirenv.credentials("adminrole")
        connect(found.access_key_id, found.secret_access_key, found.session_token)
    """
    from awsdirenv import api  # noqa: PLC0415

    return api.credentials(profile, duration)


def session(profile: str | None = None, *, region: str | None = None, duration: int | str | None = None) -> Session:
    """Give a boto3 session that renews its credentials by itself, through the sessions that your shells share.

    `region` None is AWS_REGION or AWS_DEFAULT_REGION, unless a directory's profile has put them there, else the
    profile's own; all else that the profile says (endpoint_url, ca_bundle, …) holds. `profile` and `duration` (seconds
    or text) are those of `credentials`. Which profile is meant is decided here, and credentials are got when the first
    client is made.

    Raises AwsdirenvError: here for a profile that does not exist or makes no sense, later from whichever call needs
    credentials and cannot have them.

        buckets = awsdirenv.session("adminrole").client("s3").list_buckets()
    """
    from awsdirenv import api  # noqa: PLC0415

    return api.session(profile, region, duration)


def credential_provider(profile: str | None = None, *, duration: int | str | None = None) -> CredentialProvider:
    """Give a provider, named "awsdirenv", to put among those of a botocore session of yours.

    The parameters are those of `credentials`; which profile is meant is decided here. It never passes on to the next
    provider: what it cannot get raises AwsdirenvError, and nobody ends up in another account.

        resolver = botocore_session.get_component("credential_provider")
        resolver.insert_before("env", awsdirenv.credential_provider("adminrole"))
    """
    from awsdirenv import api  # noqa: PLC0415

    return api.credential_provider(profile, duration)


def __getattr__(name: str) -> object:
    """Import a name of `_HOMES` at its first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    value: object = getattr(import_module(f"awsdirenv.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
