"""Replaces a user's access key by a new one: create, verify, switch, deactivate, delete.

What has been done is written down before the next call. So a rotation that was killed anywhere is ended by the next
one, and there is a key that works at every moment. Only one case cannot be written down: IAM has made a key, and its
answer was lost. Nobody has the secret of such a key, and the next run deletes it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Protocol, TypeVar

from awsdirenv.aws.iam_keys import AccessKey, UserKeys
from awsdirenv.aws.keychain_keys import KeyPair, Rotation, StoredKeys
from awsdirenv.config.aws_files import AwsFiles, section_header
from awsdirenv.config.chain import Chain
from awsdirenv.config.resolve import resolve_chain
from awsdirenv.errors import (
    AwsdirenvError,
    CancelledError,
    CodeRefusedError,
    DeniedError,
    KeyRotationError,
    PersonNeededError,
    SessionRefusedError,
)
from awsdirenv.records import Record, replace
from awsdirenv.session_credentials import SessionCredentials, from_epoch, utc_now
from awsdirenv.system.text import command_line, key_end, utc_text

_MOST_KEYS = 2  # IAM's limit for one user
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0  # seconds
# A key whose answer was lost was made soon after `began`: a call takes no longer than this.
_LATEST, _CLOCK = timedelta(minutes=5), timedelta(seconds=30)
# After one of these AWS has made no key. So a key that the user then makes by hand is not taken for one of ours.
_REFUSALS = (DeniedError, SessionRefusedError, CodeRefusedError, PersonNeededError, CancelledError)

T = TypeVar("T")


class Vault(Protocol):
    """Where the keys of a profile are: the keychain, or the credentials file."""

    def read(self) -> StoredKeys:
        """Return the keys, and how far their rotation has come. Raises an AwsdirenvError."""

    def write(self, kept: StoredKeys) -> None:
        """Replace both in one step. Raises an AwsdirenvError."""


class Rotator(Record):
    """Rotates the key of one profile. `say` shows a line, `mfa_session` gets a session with MFA, or None without one.

    `as_user` begins a command that runs another one with the rights that IAM wants, for hints.
    """

    profile: str
    vault: Vault
    user_keys: UserKeys
    mfa_session: Callable[[], SessionCredentials | None]
    as_user: str
    say: Callable[[str], None]
    patience: float = 60.0  # seconds; IAM tells all its servers of a new key within some of them

    def rotate(self, *, restart: bool = False) -> StoredKeys:
        """Rotate the key, or end the rotation that was begun. Return what is kept then. Raises AwsdirenvErrors.

        With `restart`, a new key that an earlier run has made and not yet used is deleted, and another one is made.
        """
        signer = _Signer(self)
        kept = self.vault.read()
        if restart and kept.rotation and kept.rotation.new:
            unused = kept.rotation.new.access_key_id
            signer.call(kept.key, lambda by: self.user_keys.delete(by, unused))
            kept = self._written(kept, None)
        if kept.rotation is None or (kept.rotation.new is None and kept.rotation.old is None):
            kept = self._create(kept, signer)
        assert kept.rotation is not None  # noqa: S101 - `_create` begins one
        if kept.rotation.new:
            kept = self._switch(kept, kept.rotation, kept.rotation.new)
        if kept.rotation and kept.rotation.old:
            self._delete(kept, kept.rotation.old, signer)
        kept = self._written(kept, None)
        self.say("  done: this is the user's only key")
        return kept

    def _create(self, kept: StoredKeys, signer: _Signer) -> StoredKeys:
        """Make the new key, after what an earlier run may have left is gone."""
        try:
            listed = signer.call(kept.key, self.user_keys.keys)
        except SessionRefusedError as error:
            raise KeyRotationError(
                f"AWS does not take the access key {kept.key.shown} of profile {self.profile} ({error.code})",
                "replace it by a valid one of IAM's",
            ) from None
        if kept.rotation:
            listed = [key for key in listed if not self._is_orphan(key, kept, kept.rotation, signer)]
        if len(listed) >= _MOST_KEYS:
            raise self._too_many(kept.key, listed)
        known = tuple(key.access_key_id for key in listed)
        kept = self._written(kept, Rotation(int(self.user_keys.now().timestamp()), known))
        try:
            new = signer.call(kept.key, self.user_keys.create)
        except _REFUSALS:
            self._written(kept, None)
            raise
        self.say(f"  created {new.shown}")
        return self._written(kept, replace(kept.rotation, new=new) if kept.rotation else None)

    def _is_orphan(self, key: AccessKey, kept: StoredKeys, rotation: Rotation, signer: _Signer) -> bool:
        """Delete a key that an earlier run has made, and whose secret nobody has. Return whether it was one.

        It was made in the minutes after that run began, it was not there before, and nobody has ever used it.
        """
        began = from_epoch(rotation.began)
        is_of_then = key.created is not None and began - _CLOCK <= key.created <= began + _LATEST
        if key.access_key_id in (kept.key.access_key_id, *rotation.known) or not is_of_then:
            return False
        if signer.call(kept.key, lambda by: self.user_keys.was_used(by, key.access_key_id)):
            return False
        signer.call(kept.key, lambda by: self.user_keys.delete(by, key.access_key_id))
        self.say(f"  deleted {key.shown}, which an earlier run has made, and whose secret was lost")
        return True

    def _switch(self, kept: StoredKeys, rotation: Rotation, new: KeyPair) -> StoredKeys:
        """Wait until AWS takes the new key, and make it the present one."""
        try:
            whose = _patiently(lambda: self.user_keys.identity(new.credentials()), self.patience)
        except SessionRefusedError:
            raise KeyRotationError(
                f"AWS does not take the new key {new.shown} of profile {self.profile}: the old one is still in use",
                f"wait a minute, then: {self._again}; if somebody has deleted it: {self._restart}",
            ) from None
        if whose.user_id != kept.user_id:
            raise KeyRotationError(
                f"the new key {new.shown} of profile {self.profile} is another user's: {whose.arn}",
                self._restart,
            )
        old = kept.key.access_key_id
        kept = replace(kept, key=new, added=utc_text(utc_now()), rotation=replace(rotation, new=None, old=old))
        self.vault.write(kept)
        self.say(f"  switched to {new.shown}: AWS takes it")
        return kept

    def _delete(self, kept: StoredKeys, old: str, signer: _Signer) -> None:
        shown = key_end(old)
        signer.call(kept.key, lambda by: self.user_keys.deactivate(by, old), is_new=True)
        self.say(f"  deactivated {shown}")
        signer.call(kept.key, lambda by: self.user_keys.delete(by, old), is_new=True)
        self.say(f"  deleted {shown}")

    def _written(self, kept: StoredKeys, rotation: Rotation | None) -> StoredKeys:
        kept = replace(kept, rotation=rotation)
        self.vault.write(kept)
        return kept

    def _too_many(self, own: KeyPair, listed: list[AccessKey]) -> KeyRotationError:
        other = next(key for key in listed if key.access_key_id != own.access_key_id)
        state = "active" if other.is_active else "inactive"
        delete = f"{self.as_user} -- {command_line('aws iam delete-access-key --access-key-id', other.access_key_id)}"
        return KeyRotationError(
            f"the user of profile {self.profile} has two access keys, and IAM allows no third: "
            f"{own.shown}, and {other.shown}, which is {state}",
            f"if nobody needs {other.shown}: {delete}",
        )

    @property
    def _again(self) -> str:
        return command_line("awsdirenv keys rotate", self.profile)

    @property
    def _restart(self) -> str:
        return command_line("awsdirenv keys rotate --restart", self.profile)


def device_of(files: AwsFiles, chain: Chain, environ: Mapping[str, str]) -> str | None:
    """Return the MFA device of the user of a key: that of its profile, else of a role that the key leads to."""
    if chain.mfa_serial:
        return chain.mfa_serial
    for name in files.profiles:
        with contextlib.suppress(AwsdirenvError):
            other = resolve_chain(files, name, environ)
            if other.source_profile == chain.source_profile and other.mfa_serial:
                return other.mfa_serial
    return None


class _Signer:
    """Signs the calls of IAM: with the key itself, or with an MFA session from the first call that IAM denies."""

    def __init__(self, rotator: Rotator) -> None:
        self._rotator = rotator
        self._session: SessionCredentials | None = None

    def call(self, key: KeyPair, ask: Callable[[SessionCredentials], T], *, is_new: bool = False) -> T:
        """Make a call. A new key may be unknown to IAM for some seconds."""
        if self._session is None:
            try:
                patience = self._rotator.patience if is_new else 0.0
                return _patiently(lambda: ask(key.credentials()), patience)
            except DeniedError as error:
                self._session = self._rotator.mfa_session()
                if self._session is None:
                    raise DeniedError(
                        f"{error.message}; a code may be needed, and no profile names an MFA device",
                        f"add mfa_serial to {section_header(self._rotator.profile)}; or {error.hint}",
                    ) from None
        return ask(self._session)


def _patiently(call: Callable[[], T], patience: float) -> T:
    """Call again, for so many seconds, while AWS does not know the key."""
    pause, end = _FIRST_PAUSE, time.monotonic() + patience
    while True:
        try:
            return call()
        except SessionRefusedError:
            if time.monotonic() + pause > end:
                raise
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
