"""Moves the long-term keys of a profile from AWS's files into the keychain, and back.

Each step leaves a profile that works, so a killed command loses nothing: the same command goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from awsdirenv.aws.iam_keys import Identity, UserKeys
from awsdirenv.aws.keychain_keys import KeychainKeys, KeyPair, StoredKeys
from awsdirenv.aws.providers import process_credentials
from awsdirenv.cache import drafts, key_records
from awsdirenv.cache.key_records import KeyRecord
from awsdirenv.cache.layout import CachePaths
from awsdirenv.config import key_lines
from awsdirenv.config.aws_files import AwsFiles, broken_pair, load_files, place_of, section_header, static_keys
from awsdirenv.config.chain import KeychainEntry
from awsdirenv.config.key_lines import PROCESS_KEY, Edit
from awsdirenv.config.keychain_command import keychain_command, keychain_entry
from awsdirenv.config.resolve import resolve_chain
from awsdirenv.errors import ConfigError, KeychainError, SessionRefusedError
from awsdirenv.records import Record
from awsdirenv.session_credentials import parse_time, utc_now
from awsdirenv.system.files import read_bytes
from awsdirenv.system.text import command_line, utc_text

# With one of these a profile gets its credentials from there, and not from credential_process.
_OTHER_SOURCES = ("web_identity_token_file", "sso_account_id", "sso_role_name", "sso_session", "login_session")


class Mover(Record):
    """Moves the keys of one profile. `say` shows the user a line, `user_keys` makes the calls to AWS."""

    profile: str
    environ: Mapping[str, str]
    paths: CachePaths
    keys: KeychainKeys
    user_keys: Callable[[AwsFiles], UserKeys]
    command: Sequence[str]  # starts awsdirenv
    say: Callable[[str], None]

    def add(self, typed: Callable[[], KeyPair]) -> None:
        """Put the keys of the files, or those that `typed` asks for, into the keychain; then clean the files."""
        files = load_files(self.environ)
        self._check_profile(files)
        plain, kept = self._plain(files), self.keys.read(self.profile)
        if kept and plain and not _same(kept.key, plain):
            raise KeychainError(
                f"the keychain has another key of profile {self.profile}, {kept.key.shown}",
                f"if you do not need that one: {command_line('awsdirenv keys remove --yes', self.profile)}, then again",
            )
        pair = plain or (kept.key if kept else typed())
        whose = self.identity(files, pair)
        entry = KeychainEntry(self.profile, whose.user_id)
        if not kept or kept.user_id != whose.user_id:
            kept = StoredKeys(pair, whose.user_id, whose.account_id, utc_text(utc_now()))
            self.keys.write(self.profile, kept)
        self.say(f"  the access key {pair.shown} of {whose.arn} is in the keychain")
        command = keychain_command(self.command, entry)
        self._see(files, command, pair, whose)
        self.carry_out(key_lines.with_process(files, self.profile, command))
        for in_credentials in (True, False):
            files = load_files(self.environ)
            if key_lines.has_keys(files, self.profile)[not in_credentials]:
                self.carry_out(key_lines.without_keys(files, self.profile, in_credentials=in_credentials))
        note(self.paths, self.profile, kept)
        for path in dict.fromkeys((files.credentials_path, files.config_path)):
            if pair.secret_access_key.encode() in (read_bytes(path) or b""):
                self.say(f"  note: the secret is still in {path}, in a comment or in another profile")
        if resolve_chain(load_files(self.environ), self.profile, self.environ).keychain != entry:
            raise ConfigError(
                f"profile {self.profile} does not use the keychain, although its credential_process is written",
                f"put the keys back: {command_line('awsdirenv keys remove --restore', self.profile)}",
            )

    def restore(self) -> None:
        """Write the keys back into the credentials file, and delete them from the keychain."""
        files, kept = load_files(self.environ), self._kept()
        plain = self._plain(files)
        if plain and not _same(plain, kept.key):
            place = place_of(files, self.profile, "aws_access_key_id")
            raise ConfigError(
                f"profile {self.profile} has another key, {plain.shown}, in {place}",
                f"remove that one, then: {command_line('awsdirenv keys remove --restore', self.profile)}",
            )
        if not plain:
            self.carry_out(key_lines.with_values(files, self.profile, kept.key.lines))
        self._forget(load_files(self.environ))

    def remove(self, confirm: Callable[[str], None]) -> None:
        """Delete the keys from the keychain. `confirm` is called with the key's end if there is no other copy."""
        files = load_files(self.environ)
        if self.keys.is_readable(self.profile):
            kept, plain = self._kept(), self._plain(files)
            if not (plain and _same(plain, kept.key)):
                confirm(kept.key.shown)
        else:
            confirm("…????")
        self._forget(files)

    def _kept(self) -> StoredKeys:
        kept = self.keys.present(self.profile)
        # One that has only begun has changed nothing: the key is the one that AWS takes.
        if kept.rotation and (kept.rotation.new or kept.rotation.old):
            raise KeychainError(
                f"the rotation of the key of profile {self.profile} has not ended",
                command_line("awsdirenv keys rotate", self.profile),
            )
        return kept

    def _forget(self, files: AwsFiles) -> None:
        """Take our credential_process out, and then the keys out of the keychain."""
        entry = keychain_entry(files.config_profiles.get(self.profile, {}).get(PROCESS_KEY))
        if entry and entry.name == self.profile:
            self.carry_out(key_lines.without_process(files, self.profile))
        self.keys.delete(self.profile)
        key_records.forget(self.paths, self.profile)

    def _check_profile(self, files: AwsFiles) -> None:
        """Raise ConfigError for a profile that would not use what we write, or whose own program we would replace."""
        values = files.profiles.get(self.profile, {})
        if "role_arn" in values:
            source = values.get("source_profile")
            hint = f"move the keys to a profile of their own, and name it as source_profile of {self.profile}"
            if isinstance(source, str) and source != self.profile:
                hint = command_line("awsdirenv keys add", source)
            raise ConfigError(f"profile {self.profile} assumes a role: its keys are those of its source_profile", hint)
        other = next((key for key in _OTHER_SOURCES if values.get(key)), None)
        process = values.get(PROCESS_KEY)
        if other is None and process and not keychain_entry(process):
            other = PROCESS_KEY
        if other:
            raise ConfigError(
                f"profile {self.profile} has {other}, and so gets its credentials from there",
                f"remove {other} from {place_of(files, self.profile, other)}, or name another profile",
            )

    def _plain(self, files: AwsFiles) -> KeyPair | None:
        """Return the long-term key of a profile in AWS's files, or None. Raises ConfigError for what is no such key."""
        if not any(key_lines.has_keys(files, self.profile)):
            return None
        keys = static_keys(files, self.profile)
        if keys is None:
            raise broken_pair(files, self.profile)
        if keys[2]:
            raise ConfigError(
                f"the keys of profile {self.profile} are those of a session, which soon ends",
                "name a profile with long-term keys",
            )
        own = files.config_profiles.get(self.profile, {}).get("aws_access_key_id", keys[0])
        if own != keys[0]:
            raise ConfigError(
                f"profile {self.profile} has two access keys: the AWS CLI uses the one of {files.credentials_path}",
                f"remove the other one from {section_header(self.profile)} of {files.config_path}",
            )
        return KeyPair(keys[0], keys[1])

    def identity(self, files: AwsFiles, pair: KeyPair) -> Identity:
        """Return whose a key is. Raises SessionRefusedError if AWS does not take it."""
        try:
            return self.user_keys(files).identity(pair.credentials())
        except SessionRefusedError as error:
            raise SessionRefusedError(
                f"STS does not take the access key {pair.shown} ({error.code})",
                "check the key in IAM, and both halves of it",
            ) from None

    def _see(self, files: AwsFiles, command: str, pair: KeyPair, whose: Identity) -> None:
        """See that the new way works: run the program as every SDK will, and ask STS with what it prints."""
        place = section_header(self.profile)
        given = process_credentials(command, self.profile, place, self.environ, self.profile)
        if given.access_key_id != pair.access_key_id or self.user_keys(files).identity(given) != whose:
            raise KeychainError(f"the keychain gives another key for profile {self.profile}", "repeat the command")
        self.say(f"  AWS takes what {command_line('awsdirenv keys get', self.profile)} prints")

    def carry_out(self, edit: Edit) -> None:
        """Show an edit, and write it, unless nothing changes."""
        if not edit.is_needed:
            return
        self.say(f"{'~' if edit.before is not None else '+'} {edit.path}")
        for line in edit.shown:
            self.say(f"  {line}")
        with drafts.noted(self.paths, Path(edit.path)):
            key_lines.write(edit)


def note(paths: CachePaths, profile: str, kept: StoredKeys) -> None:
    """Write down what `status` and `doctor` may know of a key without asking the keychain."""
    made, added = parse_time(kept.key.created or ""), parse_time(kept.added) or utc_now()
    record = KeyRecord(profile, kept.key.shown, made or added, made is not None, kept.rotation is not None)
    key_records.write(paths, record)


def _same(one: KeyPair, other: KeyPair) -> bool:
    return (one.access_key_id, one.secret_access_key) == (other.access_key_id, other.secret_access_key)
