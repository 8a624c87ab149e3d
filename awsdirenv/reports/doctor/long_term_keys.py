"""Checks of `doctor` on where long-term keys are: those in plain files, and those in the keychain.

The keychain is not asked: it might ask the user. What is known of its keys is in our own notes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from awsdirenv.config.keychain_command import is_gone
from awsdirenv.reports.doctor.context import ERROR, INFO, WARNING, DoctorContext, Finding
from awsdirenv.reports.long_term_keys import ListedKey, of_files
from awsdirenv.system import keychain as system_keychain
from awsdirenv.system.files import extra_command
from awsdirenv.system.text import command_line, key_end

OLD_KEY = timedelta(days=90)
_MOST = 5  # findings


def plain_keys(context: DoctorContext) -> Iterator[Finding]:
    """Whether long-term keys in plain files could be in the keychain of this machine; the oldest come first."""
    if context.files is None or not system_keychain.may_be_here(context.outer):
        return
    profiles = context.files.profiles
    found = [
        key for key in of_files(context.files, context.paths) if key.path and "role_arn" not in profiles[key.profile]
    ]
    made = {id_end: created for fact in context.asked for id_end, created in _made(fact.created or {})}
    aged = [(made.get(key.shown or ""), key) for key in found]
    aged.sort(key=lambda pair: pair[0] or pair[1].since or context.now)
    for created, key in aged[:_MOST]:
        hint = command_line("awsdirenv keys add", key.profile)
        if not system_keychain.is_installed():
            hint = f"{extra_command('keyring')}; then {hint}"
        age = _age(created, key, context.now)
        message = f"the long-term key {key.shown} of profile {key.profile} is in a plain file{age}"
        yield Finding(INFO, message, hint, key.path)


def _made(created: object) -> Iterator[tuple[str, datetime]]:
    """Yield when AWS made keys, by the last characters of their ids."""
    if isinstance(created, dict):
        yield from ((key_end(key), moment) for key, moment in created.items())


def _age(created: datetime | None, key: ListedKey, now: datetime) -> str:
    """Return what is known of a key's age if it is old, for a message."""
    if created and now - created > OLD_KEY:
        return f", and {(now - created).days} days old"
    if not created and key.since and now - key.since > OLD_KEY:
        return f", which has not changed for {(now - key.since).days} days"
    return ""


def keychain(context: DoctorContext) -> Iterator[Finding]:
    """Whether the keys in the keychain can be used by every program, are not old, and no rotation of one is open."""
    if context.files is None:
        return
    for key in of_files(context.files, context.paths):
        if key.path:
            continue
        profile, path = key.profile, context.files.config_path
        if not system_keychain.is_installed():
            message = f"the key of profile {profile} is in the keychain, and the library keyring is not installed"
            yield Finding(ERROR, message, extra_command("keyring"), path)
        elif is_gone(context.files.profiles[profile]["credential_process"]):
            message = f"credential_process of profile {profile} names an awsdirenv that is not there any more"
            yield Finding(ERROR, message, command_line("awsdirenv keys add", profile), path)
        if key.is_rotating:
            message = f"the rotation of the key {key.shown} of profile {profile} has not ended"
            yield Finding(WARNING, message, command_line("awsdirenv keys rotate", profile))
        elif key.since and context.now - key.since > OLD_KEY:
            days = (context.now - key.since).days
            known = f"is {days} days old" if key.is_made_then else f"has been in the keychain for {days} days"
            message = f"the key {key.shown} of profile {profile} {known}"
            yield Finding(WARNING, message, command_line("awsdirenv keys rotate", profile))
