"""Makes a link into AWS's console for a profile: with which credentials, and for how long."""

from __future__ import annotations

from collections.abc import Mapping

from awsdirenv.aws import console_urls
from awsdirenv.aws.console_urls import ENDPOINT_VARIABLE, ConsolePage, Federation
from awsdirenv.cache.snapshots import Snapshot
from awsdirenv.config.aws_files import AwsFiles, static_keys
from awsdirenv.config.chain import (
    ATTACHED,
    CONTAINER,
    ENVIRONMENT,
    INSTANCE,
    KEYCHAIN,
    SSO,
    STATIC,
    WEB_IDENTITY,
    Chain,
    partition_of,
)
from awsdirenv.config.environment import environment_region
from awsdirenv.errors import DeniedError
from awsdirenv.records import Record, replace
from awsdirenv.refresh.loader import Loader, LoadOptions
from awsdirenv.refresh.plan import proves_at_role
from awsdirenv.session_credentials import duration_text, time_left, utc_now

_OF_ROLES = {SSO, WEB_IDENTITY, CONTAINER, INSTANCE, ATTACHED}  # these sources always give credentials of a role


class Visit(Record):
    """What the user wants to see of the console. `seconds` is for how long; None: as long as the credentials live."""

    service: str | None
    region: str | None
    seconds: int | None


class Link(Record):
    """The link, which is a secret for 15 minutes. The console stays open for `seconds`, or as long as the credentials.

    `made` is the snapshot whose credentials the link was made from.
    """

    address: str
    made: Snapshot
    seconds: int | None


def link(visit: Visit, loader: Loader, environ: Mapping[str, str]) -> Link:
    """Load the profile and return a link. Raises an AwsdirenvError.

    `loader` loads credentials with the visit's duration. `environ` is the environment of the command.
    """
    (_, files), chain = loader.parsed(), loader.chain()
    place = _place(visit, chain, environ)
    endpoint = environ.get(ENDPOINT_VARIABLE)
    address = console_urls.checked_endpoint(endpoint) if endpoint else place.endpoint
    is_long_term = _is_long_term_key(chain, files, loader.environ)
    if is_long_term and not chain.hops and not chain.narrowing:
        raise _is_user(chain.profile)
    seconds = visit.seconds if _takes_duration(chain, is_long_term=is_long_term) else None
    # A role that is assumed with the key and a code gets the duration of the visit, and needs its own session. In all
    # other cases the snapshot that everybody shares lives long enough.
    needs_own = seconds is None or proves_at_role(chain, is_long_term=is_long_term)
    snapshot = loader.load() if needs_own else loader.with_options(_without_duration(loader.options)).load()
    token = _sign_in_token(chain, files, loader, address, snapshot, seconds)
    _tell_of_the_end(visit, loader, snapshot, seconds)
    return Link(console_urls.link(address, token, place.destination), snapshot, seconds)


def describe(opened: Link) -> str:
    """Return a line that says which console a link opens, and for how long."""
    credentials = opened.made.credentials
    parts = [f"account {credentials.account_id or 'unknown'}"]
    if opened.made.role:
        parts.append(f"role {opened.made.role}")
    if opened.seconds is not None:
        parts.append(f"for {duration_text(opened.seconds)}")
    elif credentials.expiration:
        parts.append(f"for {time_left(credentials.expiration, utc_now())}")
    return f"console of {opened.made.profile}: {', '.join(parts)}"


def _without_duration(options: LoadOptions) -> LoadOptions:
    return replace(options, session=replace(options.session, duration=None))


def _place(visit: Visit, chain: Chain, environ: Mapping[str, str]) -> ConsolePage:
    """Return the page to open. The profile decides the partition, if it says anything; a variable never does."""
    own = environment_region(environ) or chain.region
    sign_in = chain.sso_session.region if chain.sso_session else None
    partition = chain.partition or partition_of(chain.region or sign_in or visit.region or own or "")
    if visit.region is not None:
        own = console_urls.checked_region(visit.region, partition)
    return ConsolePage(partition, own if own and partition_of(own) == partition else None, visit.service)


def _is_long_term_key(chain: Chain, files: AwsFiles, environ: Mapping[str, str]) -> bool:
    """Return whether the chain starts at an IAM user's key, according to the files and the environment."""
    if chain.source_kind == STATIC:
        keys = static_keys(files, chain.source_profile)
        return keys is not None and not keys[2]
    if chain.source_kind == KEYCHAIN:
        return True
    has_token = environ.get("AWS_SESSION_TOKEN") or environ.get("AWS_SECURITY_TOKEN")
    return chain.source_kind == ENVIRONMENT and not has_token


def _takes_duration(chain: Chain, *, is_long_term: bool) -> bool:
    """Return whether AWS accepts a SessionDuration. It does not for a role that was assumed with a session."""
    if not chain.hops:
        return chain.source_kind in (SSO, WEB_IDENTITY)
    straight = not chain.mfa_serial or proves_at_role(chain, is_long_term=is_long_term)
    return is_long_term and len(chain.hops) == 1 and straight


def _sign_in_token(  # noqa: PLR0913, PLR0917 - it puts all the parts together
    chain: Chain, files: AwsFiles, loader: Loader, address: str, snapshot: Snapshot, seconds: int | None
) -> str:
    from awsdirenv.aws.botocore_session import Budget, boto_session  # noqa: PLC0415 - imports botocore
    from awsdirenv.aws.sts import Sts  # noqa: PLC0415

    budget = Budget(loader.settings.sts_timeout.total_seconds(), loader.waiting)
    if not chain.hops and chain.source_kind not in _OF_ROLES:
        region = environment_region(loader.environ) or chain.region
        _, arn = Sts(files, chain, region, loader.environ, budget).caller_identity(snapshot.credentials)
        if ":assumed-role/" not in arn and ":federated-user/" not in arn:
            raise _is_user(chain.profile)
    session = boto_session(files, chain.profile)
    return Federation(address, session, loader.environ, budget, chain.profile).sign_in_token(
        snapshot.credentials, seconds
    )


def _is_user(profile: str) -> DeniedError:
    return DeniedError(
        f"profile {profile} is an IAM user, and AWS lets only roles into the console by a link",
        "name a profile with a role, as in: awsdirenv console adminrole",
    )


def _tell_of_the_end(visit: Visit, loader: Loader, snapshot: Snapshot, seconds: int | None) -> None:
    end, now = snapshot.credentials.expiration, utc_now()
    if visit.seconds is None or seconds is not None or end is None:
        return
    if (end - now).total_seconds() < visit.seconds - 60:
        left = time_left(end, now)
        loader.tell(
            f"{snapshot.profile}: the console for {left} instead of {duration_text(visit.seconds)}: "
            "with role chaining it ends with the credentials"
        )
