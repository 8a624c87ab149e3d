"""How a profile gets its credentials, step by step: what `awsdirenv explain` says, as data. Works offline."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from awsdirenv.aws import sso_token
from awsdirenv.aws.sso_token import SsoToken
from awsdirenv.cache import snapshots
from awsdirenv.cache.layout import snapshot_key
from awsdirenv.cache.sessions import SessionStore, UserNames
from awsdirenv.cache.snapshots import Basis, Snapshot
from awsdirenv.config.aws_files import AwsFiles, load_files, static_keys
from awsdirenv.config.chain import ENVIRONMENT, PROCESS, SSO, STATIC, Chain, with_duration
from awsdirenv.config.resolve import resolve_chain, source_kind
from awsdirenv.config.source_lines import Provenance
from awsdirenv.errors import AwsdirenvError
from awsdirenv.records import Record, replace
from awsdirenv.refresh.plan import (
    ASSUME_ROLE,
    KnownSource,
    Plan,
    Planner,
    Step,
    check_device,
    device_key,
    fits,
    source_key,
)
from awsdirenv.refresh.preflight import check
from awsdirenv.refresh.request import ProfileContext
from awsdirenv.reports.explain.values import HopValues, Value
from awsdirenv.system.text import utc_text

ROLE_CHAINING = "role chaining"


class NextLoad(Record):
    """What the next load of a profile does. `snapshot` is the usable snapshot, if there is one."""

    plan: Plan
    snapshot: Snapshot | None
    is_fresh: bool  # the snapshot needs no renewal, so the load does nothing
    sign_in: SsoToken | None = None
    needs_sign_in: bool = False


def next_load(chain: Chain, files: AwsFiles, context: ProfileContext) -> NextLoad:
    """Plan the next load of a valid chain, for a user at a terminal who may be asked."""
    now, settings = context.now, context.settings
    planner = Planner(
        chain, SessionStore(context.paths.sessions), UserNames(context.paths.marks), settings.mfa_session_duration
    )
    snapshot = _usable_snapshot(context)
    plan = planner.plan(
        _known_source(planner, files, context.environ),
        now,
        asks_nobody=bool(settings.mfa_process or chain.mfa_process),
        may_ask=snapshot is None,
    )
    token = sso_token.read(chain.sso_session, context.environ) if chain.sso_session else None
    if snapshot and snapshot.credentials.is_fresh(now):
        return NextLoad(_without_calls(plan, 0), snapshot, is_fresh=True, sign_in=token)
    is_signed_in = chain.source_kind != SSO or (token is not None and (token.expiration > now or token.can_refresh))
    source = plan.steps[0]
    needs_sign_in = source.is_called and not source.holds(now) and not is_signed_in
    if needs_sign_in and not settings.sso_login_auto:
        plan = _without_calls(plan, 1)  # the load fails at the source
    return NextLoad(plan, snapshot, is_fresh=False, sign_in=token, needs_sign_in=needs_sign_in)


class Hop(Record):
    """One step as it is shown. `unused` has the values of its profile that no step uses."""

    profile: str
    kind: str
    role_arn: str | None
    asks_for_code: bool
    duration_seconds: int | None
    capped_by: str | None
    cached_until: datetime | None
    values: dict[str, Value]
    unused: Mapping[str, Value] = MappingProxyType({})


class Explanation(Record):
    """The whole explanation of a profile. With an `error`, a load would fail, and `next_load` is None."""

    profile: str
    region: Value | None
    hops: tuple[Hop, ...]
    next_load: NextLoad | None
    error: AwsdirenvError | None


def explain(context: ProfileContext) -> Explanation:
    """Explain a profile. An error in it becomes part of the explanation and is not raised."""
    try:
        files = load_files(context.environ)
    except AwsdirenvError as error:
        return Explanation(context.profile, Value(*context.region) if context.region else None, (), None, error)
    values = HopValues(files, context, Provenance(files))
    try:
        chain = with_duration(resolve_chain(files, context.profile, context.environ), context.duration)
    except AwsdirenvError as error:
        return _explanation(values, _way(values), None, error)
    load = next_load(chain, files, context)
    hops = [_hop(values, chain, load, step) for step in load.plan.steps]
    try:
        check(chain, files, context.environ)
        check_device(load.plan)
    except AwsdirenvError as error:
        return _explanation(values, [replace(hop, asks_for_code=False) for hop in hops], None, error)
    return _explanation(values, hops, load, None)


def document(explained: Explanation) -> str:
    """Return the explanation as JSON."""
    hops = []
    for hop in explained.hops:
        entry = {**vars(hop), "values": {name: vars(value) for name, value in hop.values.items()}}
        del entry["unused"]
        entry["cached_until"] = utc_text(hop.cached_until) if hop.cached_until else None
        hops.append(entry)
    region = explained.region
    data = {
        "version": 1,
        "profile": explained.profile,
        "region": region and region.value,
        "region_source": region and region.source,
        "hops": hops,
    }
    return json.dumps(data, indent=2) + "\n"


def _without_calls(plan: Plan, first: int) -> Plan:
    """Return the plan without the calls of the step `first` and of the later ones."""
    skipped = (replace(step, is_called=False, is_confirmed=False, asks=False) for step in plan.steps[first:])
    return replace(plan, steps=(*plan.steps[:first], *skipped))


def _usable_snapshot(context: ProfileContext) -> Snapshot | None:
    key = snapshot_key(context.profile, context.environ, context.duration)
    snapshot = snapshots.read(context.paths.snapshots / key)
    basis = Basis.present(context.profile, context.environ, context.duration)
    return snapshot if snapshot and snapshot.holds(basis, context.now) else None


def _known_source(planner: Planner, files: AwsFiles, environ: Mapping[str, str]) -> KnownSource:
    """Return what is known of the source without a call."""
    chain = planner.chain
    if chain.source_kind == STATIC:
        keys = static_keys(files, chain.source_profile)
        return KnownSource(keys[0], is_long_term=not keys[2]) if keys else KnownSource()
    if chain.source_kind == ENVIRONMENT:
        token = environ.get("AWS_SECURITY_TOKEN") or environ.get("AWS_SESSION_TOKEN")
        return KnownSource(environ.get("AWS_ACCESS_KEY_ID", ""), is_long_term=not token)
    if chain.source_kind == PROCESS and planner.stored(source_key(chain)) is None:
        # A program may print long-term keys. We never store those, but a session that was started with them.
        own = chain.duration_seconds if not chain.hops else None
        for key, label, _ in planner.store.labelled():
            serial = label if chain.mfa_serial and fits(chain, label) else None
            if key == device_key(chain, "", serial, own):
                return KnownSource(is_long_term=True, serial=serial)
    return KnownSource()


def _explanation(
    values: HopValues, hops: list[Hop], load: NextLoad | None, error: AwsdirenvError | None
) -> Explanation:
    context = values.context
    if error:
        error.on_the_way_to(context.profile)
    region = Value(*context.region) if context.region else None
    if region is None and context.profile in values.files.profiles:
        region = values.of_profile(context.profile, ("region",)).get("region")
    region = region if region and region.value else None
    return Explanation(context.profile, region, _with_unused(values, hops), load, error)


def _hop(values: HopValues, chain: Chain, load: NextLoad, step: Step) -> Hop:
    role = chain.hops[step.hop] if step.hop is not None else None
    return Hop(
        profile=role.profile if role else chain.source_profile,
        kind=step.kind,
        role_arn=role.role_arn if role else None,
        asks_for_code=step.asks,
        duration_seconds=step.life,
        capped_by=ROLE_CHAINING if step.is_capped else None,
        cached_until=_cached_until(values.context, load, step),
        values=values.of_step(chain, load.plan, step),
    )


def _cached_until(context: ProfileContext, load: NextLoad, step: Step) -> datetime | None:
    if step is load.plan.steps[-1] and load.snapshot:
        return load.snapshot.credentials.expiration
    return step.stored.expiration if step.stored and step.holds(context.now) else None


def _way(values: HopValues) -> list[Hop]:
    """Return the visible steps of a broken chain. The one next to the break comes first."""
    profiles = values.files.profiles
    names: list[str] = [values.context.profile] if values.context.profile in profiles else []
    while names:
        config = profiles[names[-1]]
        source = str(config.get("source_profile"))
        has_keys = len(names) > 1 and ("aws_access_key_id" in config or "aws_secret_access_key" in config)
        if "role_arn" not in config or has_keys or source not in profiles or source in names:
            break
        names.append(source)
    return [_broken_hop(values, name) for name in reversed(names)]


def _broken_hop(values: HopValues, profile: str) -> Hop:
    values_of_profile = values.of_profile(profile)
    role = values_of_profile.get("role_arn")
    kind = (
        ASSUME_ROLE
        if role and "web_identity_token_file" not in values_of_profile
        else source_kind(values.files, profile)
    )
    role_arn = role.value if role and kind == ASSUME_ROLE else None
    return Hop(profile, kind, role_arn, False, None, None, None, values_of_profile)


def _with_unused(values: HopValues, hops: Sequence[Hop]) -> tuple[Hop, ...]:
    """Add the values of a profile that no step uses to the last step of this profile."""
    used = {(name, value.source) for hop in hops for name, value in hop.values.items()}
    last = {hop.profile: hop for hop in hops}
    completed = []
    for hop in hops:
        own_values = values.of_profile(hop.profile) if last[hop.profile] is hop else {}
        unused = {name: value for name, value in own_values.items() if (name, value.source) not in used}
        completed.append(replace(hop, unused=unused))
    return tuple(completed)
