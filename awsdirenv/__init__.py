"""Short-lived AWS credentials per directory, through direnv; and from Python, with the same sessions and codes.

    import awsdirenv

    awsdirenv.session("adminrole").client("s3")

Importing this package is fast: boto3 is imported by the first call that needs it, and the names in `_HOMES` when they
are used.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` would take a tenth of the time that `awsdirenv prompt` may take
if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.credentials import CredentialProvider

    from awsdirenv.errors import AwsdirenvError
    from awsdirenv.session_credentials import SessionCredentials

__version__ = "0.1.0"

_HOMES = {"AwsdirenvError": "errors", "SessionCredentials": "session_credentials"}

__all__ = ["AwsdirenvError", "SessionCredentials", "__version__", "credential_provider", "credentials", "session"]


def credentials(profile: str | None = None, *, duration: int | str | None = None) -> SessionCredentials:
    """Return a profile's credentials, and renew them first if needed. Use it for code that takes three strings.

    Without `profile` it is the profile of the directory, as on the command line. `duration` is the lifetime to ask for,
    in seconds or as in "1h30m", from 15m to 12h. The credentials are valid now, but they end: call again before each
    use (that takes a millisecond), or use `session`. `expiration` is an aware datetime in UTC, or None if the end is
    unknown.

    The user is asked for an MFA code only in the main thread of a program in the foreground of a terminal. In other
    cases PersonNeededError (of `awsdirenv.errors`) says what to type. CancelledError is a Ctrl-C at the question.
    Raises AwsdirenvError with `message`, `hint` and a stable `kind`. ProfileNotFoundError, SettingError and others are
    its subclasses.

        keys = awsdirenv.credentials("adminrole")
        connect(keys.access_key_id, keys.secret_access_key, keys.session_token)
    """
    from awsdirenv import api  # noqa: PLC0415

    return api.credentials(profile, duration)


def session(profile: str | None = None, *, region: str | None = None, duration: int | str | None = None) -> Session:
    """Return a boto3 session that renews its credentials itself. It shares the stored sessions with your shells.

    Without `region` it uses AWS_REGION or AWS_DEFAULT_REGION (unless a directory's profile has set them), else the
    profile's region. The profile's other settings (endpoint_url, ca_bundle, …) count, too. `profile` and `duration`
    (seconds or text) are those of `credentials`. The profile is chosen by this call. The credentials are loaded when
    the first client is made.

    Raises AwsdirenvError: in this call if the profile does not exist or is not valid, and later in each call that
    cannot get credentials.

        buckets = awsdirenv.session("adminrole").client("s3").list_buckets()
    """
    from awsdirenv import api  # noqa: PLC0415

    return api.session(profile, region, duration)


def credential_provider(profile: str | None = None, *, duration: int | str | None = None) -> CredentialProvider:
    """Return a credential provider with the name "awsdirenv", for a botocore session of yours.

    The parameters are those of `credentials`. The profile is chosen by this call. If the provider cannot get
    credentials it raises AwsdirenvError. It never lets botocore try the next provider, which may be another account.

        resolver = botocore_session.get_component("credential_provider")
        resolver.insert_before("env", awsdirenv.credential_provider("adminrole"))
    """
    from awsdirenv import api  # noqa: PLC0415

    return api.credential_provider(profile, duration)


def __getattr__(name: str) -> object:
    """Import a name of `_HOMES` when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    value: object = getattr(import_module(f"awsdirenv.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
