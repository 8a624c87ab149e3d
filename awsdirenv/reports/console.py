"""From a profile to a link into AWS's console: which credentials may go there, and for how long."""

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
    SSO,
    STATIC,
    WEB_IDENTITY,
    Chain,
    partition_of,
)
from awsdirenv.config.environment import environment_region
from awsdirenv.errors import DeniedError
from awsdirenv.records import Record, replace
from awsdirenv.refresh.loader import Loader
from awsdirenv.refresh.plan import proves_at_role
from awsdirenv.session_credentials import duration_text, time_left, utc_now

_OF_ROLES = {SSO, WEB_IDENTITY, CONTAINER, INSTANCE, ATTACHED}  # what these give is always a role's


class Visit(Record):
    """What a person wants to see of the console. `seconds` is how long, None as long as the credentials live."""

    service: str | None
    region: str | None
    seconds: int | None


class Link(Record):
    """The link, which is a secret for 15 minutes, and what it opens; `seconds` None: as long as the credentials."""

    address: str
    made: Snapshot
    seconds: int | None


def link(visit: Visit, loader: Loader, environ: Mapping[str, str]) -> Link:
    """Load the profile and give a link. Raises any AwsdirenvError.

    `loader` loads credentials of the visit's duration; `environ` is the environment of the command.
    """
    (_, files), chain = loader.parsed(), loader.chain()
    place = _place(visit, chain, environ)
    endpoint = environ.get(ENDPOINT_VARIABLE)
    address = console_urls.checked_endpoint(endpoint) if endpoint else place.endpoint
    is_long_term = _is_long_term_key(chain, files, loader.environ)
    if is_long_term and not chain.hops:
        raise _is_user(chain.profile)
    seconds = visit.seconds if _takes_duration(chain, is_long_term=is_long_term) else None
    # A role that is assumed with the key and a code is as long as the visit. What is long enough without that is
    # everybody's.
    needs_own = seconds is None or proves_at_role(chain, is_long_term=is_long_term)
    made = loader.load() if needs_own else loader.with_options(replace(loader.options, duration=None)).load()
    token = _sign_in_token(chain, files, loader, address, made, seconds)
    _tell_of_the_end(visit, loader, made, seconds)
    return Link(console_urls.link(address, token, place.destination), made, seconds)


def describe(found: Link) -> str:
    """Say whose console a link opens, and for how long."""
    credentials = found.made.credentials
    parts = [f"account {credentials.account_id or 'unknown'}"]
    if found.made.role:
        parts.append(f"role {found.made.role}")
    if found.seconds is not None:
        parts.append(f"for {duration_text(found.seconds)}")
    elif credentials.expiration:
        parts.append(f"for {time_left(credentials.expiration, utc_now())}")
    return f"console of {found.made.profile}: {', '.join(parts)}"


def _place(visit: Visit, chain: Chain, environ: Mapping[str, str]) -> ConsolePage:
    """Say where in the console. Which partition that is the profile decides, as far as it says; never a variable."""
    own = environment_region(environ) or chain.region
    sign_in = chain.sso_session.region if chain.sso_session else None
    partition = chain.partition or partition_of(chain.region or sign_in or visit.region or own or "")
    if visit.region is not None:
        own = console_urls.checked_region(visit.region, partition)
    return ConsolePage(partition, own if own and partition_of(own) == partition else None, visit.service)


def _is_long_term_key(chain: Chain, files: AwsFiles, environ: Mapping[str, str]) -> bool:
    """Tell whether the chain starts at an IAM user's key, as far as files and environment say."""
    if chain.source_kind == STATIC:
        keys = static_keys(files, chain.source_profile)
        return keys is not None and not keys[2]
    has_token = environ.get("AWS_SESSION_TOKEN") or environ.get("AWS_SECURITY_TOKEN")
    return chain.source_kind == ENVIRONMENT and not has_token


def _takes_duration(chain: Chain, *, is_long_term: bool) -> bool:
    """Tell whether AWS takes a SessionDuration: not where a session, the key's own included, assumes the role."""
    if not chain.hops:
        return chain.source_kind in (SSO, WEB_IDENTITY)
    straight = not chain.mfa_serial or proves_at_role(chain, is_long_term=is_long_term)
    return is_long_term and len(chain.hops) == 1 and straight


def _sign_in_token(  # noqa: PLR0913, PLR0917 - it is where the parts come together
    chain: Chain, files: AwsFiles, loader: Loader, address: str, made: Snapshot, seconds: int | None
) -> str:
    from awsdirenv.aws.botocore_session import Budget, boto_session  # noqa: PLC0415 - imports botocore
    from awsdirenv.aws.sts import Sts  # noqa: PLC0415

    budget = Budget(loader.settings.sts_timeout.total_seconds(), loader.waiting)
    if not chain.hops and chain.source_kind not in _OF_ROLES:
        region = environment_region(loader.environ) or chain.region
        _, arn = Sts(files, chain, region, loader.environ, budget).caller_identity(made.credentials)
        if ":assumed-role/" not in arn and ":federated-user/" not in arn:
            raise _is_user(chain.profile)
    session = boto_session(files, chain.profile)
    return Federation(address, session, loader.environ, budget).sign_in_token(made.credentials, seconds)


def _is_user(profile: str) -> DeniedError:
    return DeniedError(
        f"profile {profile} is an IAM user, and AWS lets only roles into the console by a link",
        "name a profile with a role, as in: awsdirenv console adminrole",
    )


def _tell_of_the_end(visit: Visit, loader: Loader, made: Snapshot, seconds: int | None) -> None:
    end, now = made.credentials.expiration, utc_now()
    if visit.seconds is None or seconds is not None or end is None:
        return
    if (end - now).total_seconds() < visit.seconds - 60:
        left = time_left(end, now)
        loader.tell(
            f"{made.profile}: the console for {left} instead of {duration_text(visit.seconds)}: "
            "it lives as long as the credentials where a session assumes the role"
        )
