"""A user's long-term keys in the keychain: one JSON document for each profile, which also has the state of a rotation.

A document is replaced as a whole. So whoever is killed in between leaves the one or the other, and never a half.
"""

from __future__ import annotations

import json
from typing import Any

from awsdirenv.config.aws_files import KEY_NAMES
from awsdirenv.config.chain import KeychainEntry
from awsdirenv.errors import KeychainError
from awsdirenv.records import Record
from awsdirenv.session_credentials import SessionCredentials, utc_now
from awsdirenv.system.keychain import Keychain
from awsdirenv.system.text import command_line, key_end


class KeyPair(Record, hidden=("secret_access_key",)):
    """A long-term key. Its repr shows no secret. `created` is AWS's time of it in RFC 3339, None if it is unknown."""

    access_key_id: str
    secret_access_key: str
    created: str | None = None

    @property
    def shown(self) -> str:
        """The last four characters of its id, for messages."""
        return key_end(self.access_key_id)

    @property
    def lines(self) -> dict[str, str]:
        """The values as AWS's files have them, by name."""
        return dict(zip(KEY_NAMES, (self.access_key_id, self.secret_access_key), strict=True))

    def credentials(self, account_id: str | None = None) -> SessionCredentials:
        """Return it as credentials without an end."""
        return SessionCredentials(
            self.access_key_id, self.secret_access_key, None, expiration=None, issued=utc_now(), account_id=account_id
        )


class Rotation(Record):
    """How far a rotation has come. It begins with nothing but `began`, the epoch seconds by AWS's clock.

    `known` has the access key ids that the user had then. `new` is the key that was made, until it is the present one;
    `old` is the id of the key that is still to be deleted.
    """

    began: int
    known: tuple[str, ...]
    new: KeyPair | None = None
    old: str | None = None


class StoredKeys(Record):
    """What is kept for a profile: the present key, whose it is, when it was put there (RFC 3339), and a rotation."""

    key: KeyPair
    user_id: str
    account_id: str
    added: str
    rotation: Rotation | None = None


class KeychainKeys:
    """The keys of profiles in the keychain. Raises KeychainError."""

    def __init__(self, keychain: Keychain) -> None:
        """Use a keychain."""
        self._keychain = keychain

    def read(self, profile: str) -> StoredKeys | None:
        """Return the keys of a profile, or None if the keychain has none."""
        text = self._keychain.read(profile)
        kept = None if text is None else _parsed(text)
        if text is not None and kept is None:
            raise KeychainError(
                f"the keychain has something else than keys for profile {profile}",
                f"{command_line('awsdirenv keys remove --yes', profile)}, then put the keys in again",
            )
        return kept

    def is_readable(self, profile: str) -> bool:
        """Return False if the keychain has something for a profile that we cannot read."""
        text = self._keychain.read(profile)
        return text is None or _parsed(text) is not None

    def present(self, profile: str) -> StoredKeys:
        """Return the keys of a profile. Raises KeychainError also if there are none."""
        kept = self.read(profile)
        if kept is None:
            raise KeychainError(
                f"the keychain has no keys of profile {profile}", command_line("awsdirenv keys add", profile)
            )
        return kept

    def write(self, profile: str, kept: StoredKeys) -> None:
        """Keep the keys of a profile."""
        self._keychain.write(profile, _text(kept))

    def delete(self, profile: str) -> None:
        """Delete the keys of a profile."""
        self._keychain.delete(profile)

    def of_entry(self, entry: KeychainEntry) -> StoredKeys:
        """Return the keys for a credential_process of ours. Raises KeychainError also if they are another user's."""
        kept = self.present(entry.name)
        if entry.user_id not in ("", kept.user_id):
            raise KeychainError(
                f"the keys of profile {entry.name} in the keychain are those of another user",
                command_line("awsdirenv keys add", entry.name),
            )
        return kept


def credentials(entry: KeychainEntry, keychain: Keychain) -> SessionCredentials:
    """Return the long-term keys of an entry. Raises KeychainError."""
    kept = KeychainKeys(keychain).of_entry(entry)
    return kept.key.credentials(kept.account_id or None)


def _text(kept: StoredKeys) -> str:
    document: dict[str, Any] = {"version": 1, **vars(kept), "key": vars(kept.key)}
    if kept.rotation:
        new = kept.rotation.new
        document["rotation"] = {**vars(kept.rotation), "new": new and vars(new)}
    return json.dumps(document)


def _parsed(text: str) -> StoredKeys | None:
    """Return what a document of ours says, or None for another one."""
    try:
        return _checked(text)
    except (ValueError, KeyError, TypeError):
        return None


def _checked(text: str) -> StoredKeys:
    document = json.loads(text)
    if document.pop("version") != 1:
        raise ValueError("another version")
    rotation = document.get("rotation")
    if rotation:
        new = rotation.get("new")
        known = tuple(map(str, rotation.get("known", ())))
        rotation = Rotation(int(rotation["began"]), known, new and _pair(new), rotation.get("old"))
    kept = StoredKeys(**{**document, "key": _pair(document["key"]), "rotation": rotation or None})
    if not all(isinstance(value, str) for value in (kept.user_id, kept.account_id, kept.added)):
        raise TypeError("no text")
    return kept


def _pair(values: Any) -> KeyPair:
    pair = KeyPair(**values)
    if not pair.credentials().is_well_formed():
        raise ValueError("no key")
    return pair
