"""How a profile comes to its credentials, step by step: what `awsdirenv explain` says, as data. Works offline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

from awsdirenv.config.aws_files import load_files
from awsdirenv.config.chain import Chain, with_duration
from awsdirenv.config.resolve import resolve_chain, source_kind
from awsdirenv.config.source_lines import Provenance
from awsdirenv.errors import AwsdirenvError
from awsdirenv.refresh.plan import ASSUME_ROLE, Circumstances, Forecast, Step, forecast
from awsdirenv.refresh.preflight import check
from awsdirenv.reports.explain.values import HopValues, Value
from awsdirenv.system.text import utc_text

ROLE_CHAINING = "role chaining"


@dataclass(frozen=True)
class Hop:
    """One step as it is shown. `unused` has what its profile says and nothing asks for."""

    profile: str
    kind: str
    role_arn: str | None
    asks_for_code: bool
    duration_seconds: int | None
    capped_by: str | None
    cached_until: datetime | None
    values: dict[str, Value]
    unused: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Explanation:
    """All that there is to say. `error` is what a load will stumble over; then there is no forecast."""

    profile: str
    region: Value | None
    hops: tuple[Hop, ...]
    forecast: Forecast | None
    error: AwsdirenvError | None


def explain(given: Circumstances) -> Explanation:
    """Explain a profile. What is wrong with it is in the explanation, and not raised."""
    try:
        files = load_files(given.environ)
    except AwsdirenvError as error:
        return Explanation(given.profile, Value(*given.region) if given.region else None, (), None, error)
    told = HopValues(files, given, Provenance(files))
    try:
        chain = with_duration(resolve_chain(files, given.profile, given.environ), given.duration)
    except AwsdirenvError as error:
        return _made(told, _way(told), None, error)
    seen = forecast(chain, files, given)
    hops = [_hop(told, chain, seen, step) for step in seen.steps]
    try:
        check(chain, files, given.environ)
    except AwsdirenvError as error:
        return _made(told, [replace(hop, asks_for_code=False) for hop in hops], None, error)
    return _made(told, hops, seen, None)


def document(explained: Explanation) -> str:
    """Write it as JSON. What no load would do, because it fails before, is not promised."""
    hops = []
    for hop in explained.hops:
        entry = asdict(hop)
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


def _made(told: HopValues, hops: list[Hop], seen: Forecast | None, error: AwsdirenvError | None) -> Explanation:
    given = told.given
    if error:
        error.on_the_way_to(given.profile)
    region = Value(*given.region) if given.region else None
    if region is None and given.profile in told.files.profiles:
        region = told.of_profile(given.profile, ("region",)).get("region")
    region = region if region and region.value else None
    return Explanation(given.profile, region, _with_unused(told, hops), seen, error)


def _hop(told: HopValues, chain: Chain, seen: Forecast, step: Step) -> Hop:
    role = chain.hops[step.hop] if step.hop is not None else None
    return Hop(
        profile=role.profile if role else chain.source_profile,
        kind=step.kind,
        role_arn=role.role_arn if role else None,
        asks_for_code=step.asks,
        duration_seconds=step.seconds,
        capped_by=ROLE_CHAINING if step.is_capped else None,
        cached_until=_cached_until(told.given, seen, step),
        values=told.of_step(chain, seen, step),
    )


def _cached_until(given: Circumstances, seen: Forecast, step: Step) -> datetime | None:
    if step is seen.steps[-1] and seen.snapshot:
        return seen.snapshot.credentials.expiration
    return step.stored.expiration if step.stored and step.holds(given.now) else None


def _way(told: HopValues) -> list[Hop]:
    """Give the steps as far as they can be seen where the chain is broken, the one next to the break first."""
    profiles = told.files.profiles
    names: list[str] = [told.given.profile] if told.given.profile in profiles else []
    while names:
        config = profiles[names[-1]]
        source = str(config.get("source_profile"))
        has_keys = len(names) > 1 and ("aws_access_key_id" in config or "aws_secret_access_key" in config)
        if "role_arn" not in config or has_keys or source not in profiles or source in names:
            break
        names.append(source)
    return [_broken_hop(told, name) for name in reversed(names)]


def _broken_hop(told: HopValues, profile: str) -> Hop:
    values = told.of_profile(profile)
    role = values.get("role_arn")
    kind = ASSUME_ROLE if role and "web_identity_token_file" not in values else source_kind(told.files, profile)
    role_arn = role.value if role and kind == ASSUME_ROLE else None
    return Hop(profile, kind, role_arn, False, None, None, None, values)


def _with_unused(told: HopValues, hops: Sequence[Hop]) -> tuple[Hop, ...]:
    """Add to the last step of each profile what the profile says and no step takes."""
    used = {(name, value.source) for hop in hops for name, value in hop.values.items()}
    last = {hop.profile: hop for hop in hops}
    made = []
    for hop in hops:
        said = told.of_profile(hop.profile) if last[hop.profile] is hop else {}
        left = {name: value for name, value in said.items() if (name, value.source) not in used}
        made.append(replace(hop, unused=left))
    return tuple(made)
