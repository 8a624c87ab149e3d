"""Keep long-term keys in the keychain instead of a plain file: add, list, rotate, remove.

`get` is the credential_process that AWS's programs run. It is in the config file after `add`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from awsdirenv.cli.output import emit, report, report_waiting, say
from awsdirenv.cli.parser import add_json, add_profile
from awsdirenv.errors import (
    AgentDeniedError,
    AwsdirenvError,
    CancelledError,
    ConfirmationNeededError,
    PersonNeededError,
    UsageError,
)
from awsdirenv.system.files import decode_name
from awsdirenv.system.text import command_line

if TYPE_CHECKING:
    from awsdirenv.aws.iam_keys import UserKeys
    from awsdirenv.aws.keychain_keys import KeyPair
    from awsdirenv.config.aws_files import AwsFiles
    from awsdirenv.config.settings import Settings
    from awsdirenv.refresh.keychain_moves import Mover
    from awsdirenv.refresh.loader import Loader
    from awsdirenv.session_credentials import SessionCredentials
    from awsdirenv.system.keychain import Keychain

POSITION = 25
GROUP = "set up"
EXAMPLE = "awsdirenv keys add base; awsdirenv keys rotate base"
_ONLY_FOR = {"restore": "remove", "yes": "remove", "restart": "rotate", "json": "list"}
_ACTIONS = ("add", "get", "list", "remove", "rotate")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the action, the profile, and the options of single actions."""
    parser.add_argument(
        "action",
        choices=_ACTIONS,
        help="add: put the keys of AWS's files, or typed ones, into the keychain; list: show where keys are; "
        "rotate: replace the key by a new one; remove: delete it from the keychain; get: print it for AWS's programs",
    )
    add_profile(parser)
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--restore", action="store_true", help="with remove: write the key back into the credentials file")
    way.add_argument("--yes", action="store_true", help="with remove: do not ask, even if there is no other copy")
    way.add_argument("--restart", action="store_true", help="with rotate: give up a new key that is not in use yet")
    add_json(way)
    parser.add_argument("--user", metavar="ID", help=argparse.SUPPRESS)
    parser.add_argument("--name", metavar="NAME", type=decode_name, help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """Carry out one action."""
    for name, action in _ONLY_FOR.items():
        if getattr(options, name) and options.action != action:
            raise UsageError(f"--{name} is for awsdirenv keys {action}", "awsdirenv keys --help")
    if options.action == "get":
        return _get(options)
    if options.action == "list":
        return _list(is_json=options.json)
    with _mover(options) as (loader, mover):
        if options.action == "add":
            mover.add(lambda: _typed(loader))
            say(f"awsdirenv: {mover.profile}: the key is in the keychain; to put it back: {_restore(mover.profile)}")
        elif options.action == "remove" and options.restore:
            mover.restore()
            say(f"awsdirenv: {mover.profile}: the key is in the credentials file again, and not in the keychain")
        elif options.action == "remove":
            mover.remove(lambda shown: None if options.yes else _confirm(loader, shown))
            say(f"awsdirenv: {mover.profile}: the keychain has no key of it; at AWS the key is as it was")
        else:
            _rotate(loader, mover, restart=options.restart)
    return 0


def _get(options: argparse.Namespace) -> int:
    """Print the keys as a credential_process does. An error is one line, which SDKs put into a message of their own."""
    from awsdirenv.aws.keychain_keys import KeychainKeys
    from awsdirenv.cli.commands.credential_process import render
    from awsdirenv.config import settings
    from awsdirenv.config.chain import KeychainEntry
    from awsdirenv.system.direnv import working_directory

    try:
        profile = options.name or options.profile or os.environ.get("AWSDIRENV_PROFILE")
        profile = profile or settings.declared_profile(None, working_directory(os.environ), os.environ).name
        _refuse_agent(profile)
        if sys.stdout and sys.stdout.isatty():
            raise UsageError(
                "keys get prints the secret key, which should be on no screen",
                f"to try it: {command_line('aws sts get-caller-identity --profile', profile)}",
            )
        keys = KeychainKeys(_keychain(settings.Settings.load(os.environ, None)))
        kept = keys.of_entry(KeychainEntry(profile, options.user or ""))
    except AwsdirenvError as error:
        report(error, on_one_line=True)
        return error.exit_code
    emit(render(kept.key.credentials(kept.account_id or None)))
    return 0


@contextmanager
def _mover(options: argparse.Namespace) -> Iterator[tuple[Loader, Mover]]:
    """Yield what moves the keys of a profile. One command at a time changes those of one profile."""
    from awsdirenv.aws.keychain_keys import KeychainKeys
    from awsdirenv.cache.sessions import prepare
    from awsdirenv.cli.loading import loading
    from awsdirenv.refresh.keychain_moves import Mover
    from awsdirenv.refresh.request import Request
    from awsdirenv.shell.extension import own_command
    from awsdirenv.system.files import encode_name

    with loading(Request(options.profile)) as loader:
        profile = loader.declared.name
        _refuse_agent(profile)
        prepare(loader.paths)
        keys = KeychainKeys(_keychain(loader.settings))
        caller = lambda files: _user_keys(loader, files)  # noqa: E731
        try:
            with loader.locks.hold(f"keys-{encode_name(profile)}"):
                yield loader, Mover(profile, loader.environ, loader.paths, keys, caller, own_command(), say)
        except KeyboardInterrupt:
            raise CancelledError(
                f"awsdirenv keys {options.action} was cancelled",
                f"nothing is lost; to go on: {command_line(f'awsdirenv keys {options.action}', profile)}",
            ) from None


def _keychain(settings: Settings) -> Keychain:
    from awsdirenv.system.keychain import Keychain

    return Keychain(settings.keychain_timeout.total_seconds(), os.environ, report_waiting)


def _user_keys(loader: Loader, files: AwsFiles) -> UserKeys:
    """Return what asks AWS about the keys of the loader's profile, in the region and partition of the profile."""
    from awsdirenv.aws.iam_keys import UserKeys
    from awsdirenv.config.environment import environment_region

    profile = loader.declared.name
    region = environment_region(loader.environ) or files.profiles.get(profile, {}).get("region")
    return UserKeys(files, profile, region, loader.settings.sts_timeout.total_seconds(), report_waiting)


def _refuse_agent(profile: str) -> None:
    from awsdirenv.config.environment import agent_default

    if agent_default(os.environ) is not None:
        raise AgentDeniedError(f"agents do not get the long-term keys of profile {profile}", "leave this to the user")


def _rotate(loader: Loader, mover: Mover, *, restart: bool) -> None:
    """Rotate the key of a profile, wherever it is."""
    from awsdirenv.config.aws_files import load_files
    from awsdirenv.config.chain import KEYCHAIN
    from awsdirenv.config.resolve import resolve_chain
    from awsdirenv.refresh.key_vaults import FileVault, KeychainVault, check_alone
    from awsdirenv.refresh.keychain_moves import note
    from awsdirenv.refresh.rotation import Rotator, device_of

    profile, files = mover.profile, load_files(loader.environ)
    chain = resolve_chain(files, profile, loader.environ)
    if chain.source_kind == KEYCHAIN and not chain.hops:
        vault: FileVault | KeychainVault = KeychainVault(
            profile, mover.keys, lambda kept: note(mover.paths, profile, kept)
        )
    else:
        whose = lambda files, pair: mover.identity(files, pair).user_id  # noqa: E731
        vault = FileVault(profile, loader.environ, whose, mover.carry_out)
    present = vault.read()
    if present.rotation is None:
        check_alone(files, profile, present, mover.keys)
    serial = device_of(files, chain, loader.environ)
    as_user = command_line("awsdirenv exec" if chain.mfa_serial else "awsdirenv exec --no-session", profile)
    rotator = Rotator(profile, vault, mover.user_keys(files), lambda: _mfa_session(profile, serial), as_user, say)
    kept = rotator.rotate(restart=restart)
    say(f"awsdirenv: {profile}: the access key is {kept.key.shown}, and the old one is deleted")


def _mfa_session(profile: str, serial: str | None) -> SessionCredentials | None:
    """Return the MFA session of a key, and ask for a code if needed. None: no profile names the device."""
    from awsdirenv.cli.loading import reporter
    from awsdirenv.refresh.request import Request, loading

    if serial is None:
        return None
    with loading(Request(profile), {**os.environ, "AWS_MFA_SERIAL": serial}, reporter()) as loader:
        return loader.load().credentials


def _list(*, is_json: bool) -> int:
    """Print where the long-term keys of the profiles are. The keychain is not asked."""
    from awsdirenv.reports import long_term_keys
    from awsdirenv.reports.table import Canvas
    from awsdirenv.session_credentials import utc_now

    found = long_term_keys.found(os.environ)
    emit(long_term_keys.document(found) if is_json else long_term_keys.text(found, Canvas.of(os.environ), utc_now()))
    return 0


def _restore(profile: str) -> str:
    return command_line("awsdirenv keys remove --restore", profile)


def _typed(loader: Loader) -> KeyPair:
    """Let the user type a key. Raises PersonNeededError if nobody is at a terminal."""
    from awsdirenv.aws.keychain_keys import KeyPair

    profile, human = loader.declared.name, loader.human
    if human is None or human.ask_hidden is None:
        raise PersonNeededError(
            f"AWS's files have no long-term key of profile {profile}, and nobody is here to type one",
            f"in a terminal: {command_line('awsdirenv keys add', profile)}",
        )
    seconds = loader.settings.prompt_timeout.total_seconds()
    try:
        key_id = human.ask(f"Access key ID of {profile}: ", seconds).strip()
        pair = KeyPair(key_id, human.ask_hidden("Secret access key (not shown): ", seconds).strip())
    except (CancelledError, PersonNeededError):
        raise CancelledError("no access key was typed", command_line("awsdirenv keys add", profile)) from None
    if not pair.credentials().is_well_formed():
        raise PersonNeededError(
            "what was typed is no access key", f"again: {command_line('awsdirenv keys add', profile)}"
        )
    return pair


def _confirm(loader: Loader, shown: str) -> None:
    """Let the user say that the only copy of a key may be deleted. Raises an AwsdirenvError if they do not."""
    profile, human = loader.declared.name, loader.human
    remove = command_line("awsdirenv keys remove --yes", profile)
    if human is None:
        raise ConfirmationNeededError(
            f"the keychain has the only copy of the key {shown} of profile {profile}",
            f"to put it back into the file: {_restore(profile)}; to delete it: {remove}",
        )
    wanted = shown.removeprefix("…")
    question = f"The keychain has the only copy of the key {shown}. Type {wanted} to delete it: "
    try:
        answer = human.ask(question, loader.settings.prompt_timeout.total_seconds())
    except (CancelledError, PersonNeededError):
        answer = ""
    if answer.strip() != wanted:
        raise CancelledError(f"removing the key {shown} was not confirmed", _restore(profile))
