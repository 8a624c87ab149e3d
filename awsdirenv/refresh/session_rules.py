"""The arithmetic of a chain's steps: what their sessions are called, which one proves the device, how long each lives.

No effects and no AWS: `refresh` takes the steps, `forecast` says beforehand which it would take. Both must agree on
every word of this, or `awsdirenv explain` would tell tales.
"""

from __future__ import annotations

from awsdirenv.cache.layout import session_key
from awsdirenv.config.chain import ENVIRONMENT, STATIC, Chain

# AWS: a role assumed with session credentials lives at most one hour, whatever the role allows.
CHAINING_CAP = 3600  # seconds


def has_plain_keys(chain: Chain) -> bool:
    """Whether the source is a key that stands somewhere, and nobody has to be asked for it."""
    return chain.source_kind in (STATIC, ENVIRONMENT)


def source_identity(chain: Chain, access_key_id: str) -> str:
    """Tell sources apart: a key by its id; what changes its keys by itself (SSO, …) by what its profile says."""
    if has_plain_keys(chain):
        return f"key {access_key_id}"
    # A named source is the machine's, and the same for every profile that names it.
    profile = "" if chain.is_named_source else chain.source_profile
    return f"profile {profile} {chain.source_fingerprint}"


def source_key(chain: Chain, identity: str) -> str:
    """Name what somebody else gave for the source."""
    return session_key("source", identity, chain.endpoint)


def device_key(chain: Chain, identity: str, serial: str, own_duration: int | None = None) -> str:
    """Name the key's session, which is also the lock of the device; without a device `serial` is empty."""
    own = [own_duration] if own_duration else []
    return session_key("mfa", identity, serial, chain.endpoint, *own)


def hop_key(chain: Chain, identity: str, index: int) -> str:
    """Name a hop's session by everything that leads to it: an edited role never finds yesterday's credentials."""
    before = [hop.identity for hop in chain.hops[: index + 1]]
    # How long the hops before the last one live is nobody's wish: they only open the way.
    seconds = chain.hops[index].duration_seconds if index == len(chain.hops) - 1 else None
    return session_key("role", identity, chain.mfa_serial or "", chain.endpoint, before, seconds)


def proves_at_role(chain: Chain, *, is_long_term: bool) -> bool:
    """Whether the first role is assumed with the code itself, instead of through the key's MFA session.

    A role that wants more than an hour cannot have it through a session. And where the source is temporary already,
    there is no key to prove the device at: the hop's own serial is handed on, as botocore does.
    """
    if not chain.mfa_serial:
        return False
    if not is_long_term:
        return chain.hops[0].mfa_serial is not None
    return len(chain.hops) == 1 and (chain.hops[0].duration_seconds or 0) > CHAINING_CAP


def key_session_seconds(chain: Chain, default: int) -> tuple[int, int | None]:
    """Give how long the key's session is to live, and the same again if that is the directory's own wish."""
    own = None if chain.hops else chain.duration_seconds
    return own or default, own


def is_capped(chain: Chain, index: int, *, caller_is_long_term: bool) -> bool:
    """Whether a hop wants more than AWS gives where a session assumes the role."""
    wanted = chain.hops[index].duration_seconds or 0
    return wanted > CHAINING_CAP and (index > 0 or not caller_is_long_term)
