"""What the next load of a profile does: its plan, made from what is stored, and the snapshot that may spare it all."""

from __future__ import annotations

from collections.abc import Mapping

from awsdirenv.aws import sso_token
from awsdirenv.aws.sso_token import SsoToken
from awsdirenv.cache import snapshots
from awsdirenv.cache.layout import snapshot_key
from awsdirenv.cache.sessions import SessionStore, UserNames
from awsdirenv.cache.snapshots import Snapshot, file_stamp
from awsdirenv.config.aws_files import AwsFiles, file_paths, static_keys
from awsdirenv.config.chain import ENVIRONMENT, PROCESS, SSO, STATIC, Chain
from awsdirenv.config.environment import environment_mark
from awsdirenv.records import Record, replace
from awsdirenv.refresh.plan import KnownSource, Plan, Planner, device_key, fits, source_key
from awsdirenv.refresh.request import ProfileContext


class NextLoad(Record):
    """What the next load of a profile does. `snapshot` is the one that can be used, if any."""

    plan: Plan
    snapshot: Snapshot | None
    is_fresh: bool  # so that nothing happens at all
    sign_in: SsoToken | None = None
    needs_sign_in: bool = False


def next_load(chain: Chain, files: AwsFiles, context: ProfileContext) -> NextLoad:
    """Plan the next load of a sound chain, with a person there who may be asked."""
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
        plan = _without_calls(plan, 1)  # it fails at the source
    return NextLoad(plan, snapshot, is_fresh=False, sign_in=token, needs_sign_in=needs_sign_in)


def _without_calls(plan: Plan, first: int) -> Plan:
    """Give the plan of a load that does not come to the steps from `first` on."""
    skipped = (replace(step, is_called=False, is_confirmed=False, asks=False) for step in plan.steps[first:])
    return replace(plan, steps=(*plan.steps[:first], *skipped))


def _usable_snapshot(context: ProfileContext) -> Snapshot | None:
    key = snapshot_key(context.profile, context.environ, context.duration)
    snapshot = snapshots.read(context.paths.snapshots / key)
    config, credentials = file_paths(context.environ)
    stamps, mark = (file_stamp(config), file_stamp(credentials)), environment_mark(context.environ)
    return snapshot if snapshot and snapshot.holds(stamps, context.profile, mark, context.now) else None


def _known_source(planner: Planner, files: AwsFiles, environ: Mapping[str, str]) -> KnownSource:
    """Say what is known of the source without asking anybody for it."""
    chain = planner.chain
    if chain.source_kind == STATIC:
        keys = static_keys(files, chain.source_profile)
        return KnownSource(keys[0], is_long_term=not keys[2]) if keys else KnownSource()
    if chain.source_kind == ENVIRONMENT:
        token = environ.get("AWS_SECURITY_TOKEN") or environ.get("AWS_SESSION_TOKEN")
        return KnownSource(environ.get("AWS_ACCESS_KEY_ID", ""), is_long_term=not token)
    if chain.source_kind == PROCESS and planner.stored(source_key(chain)) is None:
        # A program may print long-term keys, which are never stored; but the session that they began is.
        own = chain.duration_seconds if not chain.hops else None
        for key, label, _ in planner.store.labelled():
            serial = label if chain.mfa_serial and fits(chain, label) else None
            if key == device_key(chain, "", serial, own):
                return KnownSource(is_long_term=True, serial=serial)
    return KnownSource()
