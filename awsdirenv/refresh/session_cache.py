"""Stored sessions and how they are renewed: look, lock, look again, renew, write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from awsdirenv.cache.sessions import SessionStore
from awsdirenv.credentials import SessionCredentials
from awsdirenv.errors import AwsdirenvError, SessionRefusedError
from awsdirenv.system.lock import Locks


@dataclass(frozen=True)
class Wanted:
    """One session: its key, a label for people, how to get a new one.

    `ahead` renews it before its end; then a failure keeps what still works, and nobody is asked. `force` takes no
    stored one. `min_life` wants at least that much left, from which on the person waits and may be asked.
    """

    key: str
    label: str
    renew: Callable[[], SessionCredentials]
    ahead: bool
    force: bool
    min_life: timedelta | None = None

    def is_met_by(self, session: SessionCredentials, now: datetime) -> bool:
        """Whether a stored session makes a new one needless."""
        if self.force or not session.lasts(self.min_life, now):
            return False
        return session.is_fresh(now) if self.ahead else session.is_usable(now)

    def can_do_with(self, session: SessionCredentials, now: datetime) -> bool:
        """Whether a stored session will do if there is no new one."""
        return not self.force and session.is_usable(now) and session.lasts(self.min_life, now)


class Sessions:
    """The stored sessions that one load goes through. `may_ask` is false while nobody's credentials depend on it."""

    def __init__(
        self,
        store: SessionStore,
        locks: Locks,
        now: Callable[[], datetime],
        confirmed: Callable[[SessionCredentials], SessionCredentials],
    ) -> None:
        """Take the store, its locks, the clock, and how to ask AWS about what the clock cannot tell."""
        self._store = store
        self._locks = locks
        self._now = now
        self._confirmed = confirmed
        self.may_ask = True

    def obtain(self, wanted: Wanted, refused: str | None = None) -> SessionCredentials:
        """Give the stored session if it will do, else a new one; one process at a time gets it.

        `refused` is the access key id of a session that STS no longer takes: it is dropped, but not its successor,
        which another process may have stored meanwhile.
        """
        session = self._stored(wanted.key, refused)
        if session is not None and wanted.is_met_by(session, self._now()):
            return session
        with self._locks.hold(wanted.key):
            session = self._stored(wanted.key, refused)
            if session is not None and session.is_in_doubt(self._now()):
                session = self._after_doubt(wanted, session)
            if session is not None and wanted.is_met_by(session, self._now()):
                return session
            if session is None and refused:
                self._store.drop(wanted.key)
            keep = session if session is not None and wanted.can_do_with(session, self._now()) else None
            might_ask = self.may_ask
            self.may_ask &= keep is None  # no question to a person whose credentials still hold
            try:
                renewed = wanted.renew()
            except AwsdirenvError:
                if keep is None:
                    raise
                return keep
            finally:
                self.may_ask = might_ask  # a source that is renewed ahead forbids no question of the roles behind it
            # A program may give long-term keys, which are not ours to write, or say nothing of an end.
            if not renewed.is_long_term and renewed.expiration is not None:
                self._store.write(wanted.key, renewed, wanted.label)
            return renewed

    def _after_doubt(self, wanted: Wanted, session: SessionCredentials) -> SessionCredentials | None:
        """Have AWS say whether the session is over, since our clock was set and cannot."""
        if wanted.force:
            return session
        self._locks.note("asking AWS whether the session still holds")
        try:
            found = self._confirmed(session)
        except SessionRefusedError:
            self._store.drop(wanted.key)
            return None
        self._store.write(wanted.key, found, wanted.label)
        return found

    def _stored(self, key: str, refused: str | None) -> SessionCredentials | None:
        session = self._store.read(key)
        return None if session is None or session.access_key_id == refused else session
