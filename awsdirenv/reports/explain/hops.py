"""How a profile comes to its credentials, step by step: what `awsdirenv explain` says, as data. Works offline."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from awsdirenv.config.aws_files import load_files
from awsdirenv.config.chain import Chain, with_duration
from awsdirenv.config.resolve import resolve_chain, source_kind
from awsdirenv.config.source_lines import Provenance
from awsdirenv.errors import AwsdirenvError
from awsdirenv.records import Record, replace
from awsdirenv.refresh.plan import ASSUME_ROLE, Step, check_device
from awsdirenv.refresh.preflight import check
from awsdirenv.refresh.request import ProfileContext
from awsdirenv.reports.explain.next_load import NextLoad, next_load
from awsdirenv.reports.explain.values import HopValues, Value
from awsdirenv.system.text import utc_text

ROLE_CHAINING = "role chaining"


class Hop(Record):
    """One step as it is shown. `unused` has what its profile says and nothing asks for."""

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
    """All that there is to say. `error` is what a load will stumble over; then there is no next load."""

    profile: str
    region: Value | None
    hops: tuple[Hop, ...]
    next_load: NextLoad | None
    error: AwsdirenvError | None


def explain(context: ProfileContext) -> Explanation:
    """Explain a profile. What is wrong with it is in the explanation, and not raised."""
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
    """Write it as JSON. What no load would do, because it fails before, is not promised."""
    hops = []
    for hop in explained.hops:
        entry = {**vars(hop), "values": {name: vars(value) for name, value in hop.values.items()}}
        del entry["unused"]
        entry["cached_until"] = utc_text(hop.cached_until) if hop.cached_until else None
        hops.append(entry)
    region = explained.region
    whole = {
        "version": 1,
        "profile": explained.profile,
        "region": region and region.value,
        "region_source": region and region.source,
        "hops": hops,
    }
    return json.dumps(whole, indent=2) + "\n"


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
    """Give the steps as far as they can be seen where the chain is broken, the one next to the break first."""
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
    said = values.of_profile(profile)
    role = said.get("role_arn")
    kind = ASSUME_ROLE if role and "web_identity_token_file" not in said else source_kind(values.files, profile)
    role_arn = role.value if role and kind == ASSUME_ROLE else None
    return Hop(profile, kind, role_arn, False, None, None, None, said)


def _with_unused(values: HopValues, hops: Sequence[Hop]) -> tuple[Hop, ...]:
    """Add to the last step of each profile what the profile says and no step takes."""
    used = {(name, value.source) for hop in hops for name, value in hop.values.items()}
    last = {hop.profile: hop for hop in hops}
    made = []
    for hop in hops:
        said = values.of_profile(hop.profile) if last[hop.profile] is hop else {}
        left = {name: value for name, value in said.items() if (name, value.source) not in used}
        made.append(replace(hop, unused=left))
    return tuple(made)
