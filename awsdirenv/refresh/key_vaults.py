"""Where a rotation finds and keeps the keys of a profile: in the keychain, or in AWS's credentials file.

In the credentials file a section of its own has what is needed to end a rotation that was killed. It is there only as
long as the rotation lasts, and has the new key, as the file has the old one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from awsdirenv.aws.keychain_keys import KeychainKeys, KeyPair, Rotation, StoredKeys
from awsdirenv.config import key_lines
from awsdirenv.config.aws_files import KEY_NAMES, AwsFiles, load_files, static_keys
from awsdirenv.config.key_lines import Edit
from awsdirenv.config.keychain_command import keychain_entry
from awsdirenv.errors import ConfigError, KeyRotationError
from awsdirenv.records import Record
from awsdirenv.session_credentials import utc_now
from awsdirenv.system.text import utc_text

_STATE = "awsdirenv_rotation"  # the key of that section that has all but the new key, as JSON


def check_alone(files: AwsFiles, profile: str, kept: StoredKeys, keys: KeychainKeys) -> None:
    """Refuse a key that another profile has, too: the rotation would delete it there. Raises KeyRotationError."""
    for name in files.profiles:
        static = static_keys(files, name)
        entry = keychain_entry(files.profiles[name].get("credential_process"))
        if static:
            is_same = name != profile and static[0] == kept.key.access_key_id
        elif entry and entry.name != profile and entry.user_id == kept.user_id:
            other = keys.read(entry.name)
            is_same = other is not None and other.key.access_key_id == kept.key.access_key_id
        else:
            continue
        if is_same:
            raise KeyRotationError(
                f"profile {name} has the same key as profile {profile}, and would be left with a deleted one",
                f"remove the key from {name}; a role there can have source_profile = {profile}",
            )


class KeychainVault(Record):
    """The keys in the keychain. `note` is told of each state that is written."""

    profile: str
    keys: KeychainKeys
    note: Callable[[StoredKeys], None]

    def read(self) -> StoredKeys:
        """Return the keys, and how far their rotation has come. Raises KeychainError."""
        return self.keys.present(self.profile)

    def write(self, kept: StoredKeys) -> None:
        """Replace both in one step."""
        self.keys.write(self.profile, kept)
        self.note(kept)


class FileVault(Record):
    """The keys in AWS's files. `user_id` is whose they are; `carry_out` writes an edit."""

    profile: str
    environ: Mapping[str, str]
    user_id: Callable[[AwsFiles, KeyPair], str]
    carry_out: Callable[[Edit], None]

    def read(self) -> StoredKeys:
        """Return the keys, and how far their rotation has come. Raises ConfigError."""
        files = load_files(self.environ)
        keys = static_keys(files, self.profile)
        if keys is None or keys[2]:
            raise ConfigError(
                f"profile {self.profile} has no long-term keys of its own", "name the profile that has the keys"
            )
        pair = KeyPair(keys[0], keys[1])
        rotation = self._rotation(files, pair)
        return StoredKeys(pair, self.user_id(files, pair), "", utc_text(utc_now()), rotation)

    def write(self, kept: StoredKeys) -> None:
        """Write the state first, and then the key itself: each in one step, and `read` understands what is between."""
        rotation = kept.rotation
        if rotation:
            new = rotation.new
            state = {"began": rotation.began, "known": rotation.known, "old": rotation.old}
            values: dict[str, str | None] = {_STATE: json.dumps(state)}
            # While the key is switched, the section keeps the new one until the profile has it.
            if new:
                values |= new.lines
            self.carry_out(key_lines.with_values(load_files(self.environ), self._section, values))
        files = load_files(self.environ)
        keys = static_keys(files, self.profile)
        if keys is None or keys[:2] != (kept.key.access_key_id, kept.key.secret_access_key):
            in_credentials, _ = key_lines.has_keys(files, self.profile)
            self.carry_out(key_lines.with_values(files, self.profile, kept.key.lines, in_credentials=in_credentials))
        if rotation is None and self._section in load_files(self.environ).credentials_sections:
            self.carry_out(key_lines.without_section(load_files(self.environ), self._section))

    @property
    def _section(self) -> str:
        return f"awsdirenv-rotation {self.profile}"

    def _rotation(self, files: AwsFiles, pair: KeyPair) -> Rotation | None:
        section: Mapping[str, Any] = files.credentials_sections.get(self._section, {})
        if not section:
            return None
        try:
            state = json.loads(section[_STATE])
            new = KeyPair(*(str(section[name]) for name in KEY_NAMES)) if KEY_NAMES[0] in section else None
            known, old = tuple(map(str, state["known"])), state["old"]
            if new and new.access_key_id == pair.access_key_id:  # it was switched, and the rest is still to be done
                new, old = None, old or next((one for one in known if one != pair.access_key_id), None)
            elif new:
                old = None
            return Rotation(int(state["began"]), known, new, old)
        except (KeyError, TypeError, ValueError):
            raise ConfigError(
                f"[{self._section}] of {files.credentials_path} is not as awsdirenv has written it",
                "look whether one of its keys is needed, then remove it",
            ) from None
