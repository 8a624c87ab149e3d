"""`awsdirenv explain`: how a profile gets its credentials, step by step. Works offline.

The text has one line for each fact, without colours and columns. So each line makes sense alone, as in a log.
"""

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
from awsdirenv.config.aws_files import VARIABLES_KEY, AwsFiles, load_files, static_keys
from awsdirenv.config.chain import (
    ATTACHED,
    CONTAINER,
    ENVIRONMENT,
    INSTANCE,
    KEYCHAIN,
    LOGIN,
    PROCESS,
    SSO,
    STATIC,
    WEB_IDENTITY,
    Chain,
)
from awsdirenv.config.resolve import source_kind
from awsdirenv.config.session_options import resolve
from awsdirenv.config.source_lines import Provenance
from awsdirenv.errors import AwsdirenvError
from awsdirenv.records import Record, replace
from awsdirenv.refresh.plan import (
    ASSUME_ROLE,
    FEDERATION,
    KEY_SESSION,
    MFA_SESSION,
    KnownSource,
    Plan,
    Planner,
    Step,
    check_device,
    device_key,
    fits,
    source_key,
)
from awsdirenv.refresh.preflight import Preflight
from awsdirenv.refresh.request import ProfileContext
from awsdirenv.reports.explain.values import HopValues, Value
from awsdirenv.session_credentials import duration_text, time_left
from awsdirenv.system.text import clock_text, login_command, printable, utc_text, with_tilde

ROLE_CHAINING = "role chaining"
_WIDTH = 80
_CALLS = {
    **dict.fromkeys((MFA_SESSION, KEY_SESSION), "GetSessionToken"),
    FEDERATION: "GetFederationToken",
    ASSUME_ROLE: "AssumeRole",
}
_TITLES = {
    STATIC: "access key",
    SSO: "IAM Identity Center",
    PROCESS: "credential_process",
    KEYCHAIN: "access key in the keychain",
    WEB_IDENTITY: "AssumeRoleWithWebIdentity",
    LOGIN: "aws login",
    ENVIRONMENT: "keys in the environment",
    CONTAINER: "role of the container",
    INSTANCE: "role of the EC2 instance",
    ATTACHED: "role of the machine",
    **_CALLS,
    MFA_SESSION: "GetSessionToken with an MFA code",
}
_SHARED = f"all directories share what it gives; name the variables that it reads in {VARIABLES_KEY}"
_SPLIT = f"directories share what it gives where the variables of {VARIABLES_KEY} are the same"
_SOURCES = {
    SSO: "asks IAM Identity Center for credentials",
    PROCESS: "runs credential_process",
    KEYCHAIN: "reads the key from the keychain",
    WEB_IDENTITY: "calls AssumeRoleWithWebIdentity",
    LOGIN: "takes the credentials of aws login",
    CONTAINER: "asks the container's endpoint",
    INSTANCE: "asks the EC2 instance's metadata service",
    ATTACHED: "looks for the role of the machine",
}


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
        chain = resolve(files, context.profile, context.options, context.environ)
    except AwsdirenvError as error:
        return _explanation(values, _way(values), None, error)
    load = next_load(chain, files, context)
    hops = [_hop(values, chain, load, step) for step in load.plan.steps]
    try:
        Preflight(files, context.environ).check(chain)
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
    key = snapshot_key(context.profile, context.environ, context.options)
    snapshot = snapshots.read(context.paths.snapshots / key)
    basis = Basis.present(context.profile, context.environ, context.options)
    return snapshot if snapshot and snapshot.holds(basis, context.now) else None


def _known_source(planner: Planner, files: AwsFiles, environ: Mapping[str, str]) -> KnownSource:
    """Return what is known of the source without a call."""
    chain = planner.chain
    if chain.source_kind == STATIC and (keys := static_keys(files, chain.source_profile)):
        return KnownSource(keys[0], is_long_term=not keys[2])
    if chain.source_kind == ENVIRONMENT:
        token = environ.get("AWS_SECURITY_TOKEN") or environ.get("AWS_SESSION_TOKEN")
        return KnownSource(environ.get("AWS_ACCESS_KEY_ID", ""), is_long_term=not token)
    if chain.source_kind in (PROCESS, KEYCHAIN) and planner.stored(source_key(chain)) is None:
        # A program may print long-term keys. We never store those, but a session that was started with them.
        own = chain.duration_seconds if not chain.hops else None
        for key, label, _ in planner.store.labelled():
            serial = label if chain.mfa_serial and fits(chain, label) else None
            if key == device_key(chain, "", serial, own):
                return KnownSource(is_long_term=True, serial=serial)
    return KnownSource(is_long_term=chain.source_kind == KEYCHAIN)


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


def text(explained: Explanation, home: str, now: datetime) -> str:
    """Return the explanation as text. Paths below `home` begin with `~`. Times are in the local time zone."""
    return _Writer(explained, home, now).text()


class _Writer:
    def __init__(self, explained: Explanation, home: str, now: datetime) -> None:
        self._explained = explained
        self._home = home
        self._now = now

    def text(self) -> str:
        """Return the whole text."""
        if not self._explained.hops:
            return ""
        region = self._explained.region
        lines = [f"{self._explained.profile}: region {region.value}  ({self._place(region)})" if region else ""]
        lines[0] = lines[0] or f"{self._explained.profile}: no region"
        for number, hop in enumerate(self._explained.hops, start=1):
            lines += ["", f"{number}. {_TITLES[hop.kind]}, profile {hop.profile}", *self._block(hop)]
        if self._explained.next_load:
            lines += ["", f"next load: {self._next(self._explained.next_load)}"]
        return "".join(f"{printable(line)}\n" for line in lines)

    def _block(self, hop: Hop) -> list[str]:
        lines = self._values(hop.values)
        if hop.duration_seconds is not None and not self._explained.error:
            why = f", limited by {hop.capped_by}" if hop.capped_by else ""
            lines.append(f"   lifetime {duration_text(hop.duration_seconds)}{why}")
        if hop.cached_until:
            lines.append(f"   cached until {self._moment(hop.cached_until)}")
        elif not self._explained.error and hop.kind not in (STATIC, ENVIRONMENT, KEYCHAIN):
            lines.append("   not cached")
        if hop.kind == PROCESS:
            is_split = any(VARIABLES_KEY in other.values for other in self._explained.hops)
            lines.append(f"   {_SPLIT if is_split else _SHARED}")
        if hop.asks_for_code:
            lines.append("   asks for an MFA code")
        if hop.unused:
            lines += ["   not used here:", *self._values(hop.unused, "     ")]
        return lines

    def _values(self, values: Mapping[str, Value], indent: str = "   ") -> list[str]:
        width = max((len(name) for name in values), default=0)
        lines = []
        for name, value in values.items():
            shown = self._sign_in(value) if name == "sign_in" else self._shown(value)
            line, place = f"{indent}{name:{width}}  {shown}", f"({self._place(value)})"
            if len(line) + 2 + len(place) <= _WIDTH:
                lines.append(f"{line}  {place}")
            else:
                lines += [line, f"{indent}{'':{width}}  {place}"]
        return lines

    @staticmethod
    def _shown(value: Value) -> str:
        if value.value is None:
            return "set, not shown"
        return value.value or "empty"

    def _sign_in(self, value: Value) -> str:
        if value.value is None:
            return f"none; {login_command(self._explained.profile)}"
        end = datetime.fromisoformat(value.value.replace("Z", "+00:00"))
        if end > self._now:
            return f"until {self._moment(end)}"
        token = self._explained.next_load and self._explained.next_load.sign_in
        if token and token.can_refresh:
            return "ended; the next load refreshes it"
        return f"ended; {login_command(self._explained.profile)}"

    def _place(self, value: Value) -> str:
        return with_tilde(value.source, self._home)

    def _moment(self, moment: datetime) -> str:
        return f"{clock_text(moment, self._now)}, {time_left(moment, self._now)} left"

    def _next(self, load: NextLoad) -> str:
        """Return what the next load does, as one line."""
        held = load.snapshot.credentials.expiration if load.snapshot else None
        if load.is_fresh:
            return f"nothing: valid until {self._moment(held)}" if held else "nothing: valid until AWS's files change"
        deeds = []
        for number, step in enumerate(load.plan.steps, start=1):
            deeds += self._deeds(load, step, number)
        if load.plan.waits_for_code:
            until = held or (load.plan.steps[-1].stored and load.plan.steps[-1].stored.expiration)
            kept = (
                f"keeps the credentials until {self._moment(until)}; new ones need an MFA code" if until else "nothing"
            )
            deeds.append(kept)
        return ", ".join(deeds) or "makes no call: everything is stored"

    def _deeds(self, load: NextLoad, step: Step, number: int) -> list[str]:
        """Return what the next load does for one step, in order: questions, programs, calls."""
        identity = "calls GetCallerIdentity"
        if step.is_confirmed:
            return [identity]
        if not step.is_called:
            return [identity] if step.identifies and len(load.plan.steps) == 1 and not load.is_fresh else []
        if step.kind in _SOURCES:
            needs = f"needs a sign-in: {login_command(self._explained.profile)}"
            return [needs] if load.needs_sign_in else [_SOURCES[step.kind]]
        deeds = [identity] if step.needs_user_name else []
        if step.proves:
            deeds.append("asks for an MFA code" if step.asks else "runs a command for a code")
        deeds.append(f"calls {_CALLS[step.kind]} ({number})")
        return [*deeds, identity] if step.identifies else deeds
