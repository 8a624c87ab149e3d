"""Pins: what `.envrc` demands before anything is exported (an account, a role, the user's confirmation).

The extension checks the same, from the snapshot alone (snapshot.sh). The messages and the question are here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from awsdirenv.cache.snapshots import Snapshot
from awsdirenv.config.aws_files import section_header
from awsdirenv.config.chain import Chain
from awsdirenv.config.envrc import has_later_line, nearest
from awsdirenv.errors import (
    CancelledError,
    ConfirmationNeededError,
    LaterLineError,
    PersonNeededError,
    WrongIdentityError,
)
from awsdirenv.records import Record
from awsdirenv.refresh.loader import Loader
from awsdirenv.session_credentials import utc_now
from awsdirenv.system import files
from awsdirenv.system.direnv import loaded_directory, opened_profile
from awsdirenv.system.files import encode_name, home
from awsdirenv.system.lock import ASKING
from awsdirenv.system.text import with_tilde

_AGAIN = "direnv reload"


class Conditions(Record):
    """The pins of one `use aws_profile`: the account id, the role's name, and whether the user must confirm.

    `stage` comes from the line in `.envrc`. None: the profile's own stage counts.
    """

    account: str | None = None
    role: str | None = None
    stage: str | None = None
    confirm: bool = False


def admitted(loader: Loader, conditions: Conditions, load: Callable[[], Snapshot]) -> Snapshot:
    """Call `load`, and return its snapshot if it meets the conditions.

    Raises WrongIdentityError, if possible before any call or question; ConfirmationNeededError if nobody can be asked
    to confirm; CancelledError if the user does not confirm.
    """
    if conditions.account or conditions.role:
        check_chain(conditions, loader.chain())
    snapshot = load()
    check(conditions, snapshot)
    word = _word(conditions, snapshot, loader.environ.get("AWSDIRENV_CONFIRM", ""))
    if word:
        _confirm(loader, snapshot, word)
    return snapshot


def check_chain(conditions: Conditions, chain: Chain) -> None:
    """Compare what AWS's files say with the conditions, before any call. Raises WrongIdentityError."""
    if conditions.account and chain.account_id and chain.account_id != conditions.account:
        raise _wrong(chain.profile, f"account {chain.account_id}", f"account {conditions.account}")
    if conditions.role and chain.role and chain.role != conditions.role:
        raise _wrong(chain.profile, f"role {chain.role}", f"role {conditions.role}")


def of_directory(profile: str, environ: Mapping[str, str]) -> Conditions:
    """Return the account and the role that the loaded directory demands, if it is for this profile."""
    directory = loaded_directory(environ)
    is_its = profile in (environ.get("AWSDIRENV_PROFILE"), environ.get("AWSDIRENV_DECLARED"))
    line = nearest(directory) if directory and is_its else None
    return Conditions(line.options.get("--account"), line.options.get("--role")) if line else Conditions()


def check(conditions: Conditions, snapshot: Snapshot) -> None:
    """Compare the credentials that STS gave with the conditions. Raises WrongIdentityError."""
    wanted_account, account = conditions.account, snapshot.credentials.account_id
    if wanted_account and account != wanted_account:
        raise _wrong(snapshot.profile, f"account {account or 'unknown'}", f"account {wanted_account}")
    if conditions.role and snapshot.role != conditions.role:
        leads_to = f"role {snapshot.role}" if snapshot.role else "no role"
        raise _wrong(snapshot.profile, leads_to, f"role {conditions.role}")


def _wrong(profile: str, leads_to: str, demanded: str) -> WrongIdentityError:
    return WrongIdentityError(
        f"profile {profile} leads to {leads_to}, but .envrc wants {demanded}",
        f"correct {section_header(profile)}, or the line in .envrc",
    )


def _word(conditions: Conditions, snapshot: Snapshot, setting: str) -> str | None:
    """Return the word that the user must type to enter, or None if no confirmation is needed.

    `setting` is the stage for which the user always wants to be asked (AWSDIRENV_CONFIRM).
    """
    stage = conditions.stage or snapshot.stage
    if conditions.confirm:
        return stage or snapshot.profile
    return stage if stage and _folded(stage) == _folded(setting) else None


def _folded(text: str) -> str:
    """Lower ASCII letters only, as the extension does. Both must agree on whether a question is needed."""
    return "".join(char.lower() if char.isascii() else char for char in text)


def _confirm(loader: Loader, snapshot: Snapshot, word: str) -> None:
    """Let the user type the word, once for each MFA session and for all shells. Raises as `admitted` does."""
    mark = loader.paths.confirmed / loader.key
    since = (files.read_private(loader.paths.mfa_renewed) or {}).get("SINCE", "")
    values = {
        "AWSDIRENV_WORD": encode_name(word),
        "AWSDIRENV_ACCOUNT_ID": snapshot.credentials.account_id or "",
        "AWSDIRENV_SINCE": since,
    }

    def is_confirmed() -> bool | None:
        present = files.read_private(mark) or {}
        until = present.pop("AWSDIRENV_UNTIL", "")
        return (present == values and until.isdecimal() and int(until) > utc_now().timestamp()) or None

    def confirm() -> None:
        until = utc_now() + loader.settings.mfa_session_duration
        files.write_private(mark, {**values, "AWSDIRENV_UNTIL": str(int(until.timestamp()))})

    if is_confirmed():
        return
    # A user who is in the directory has confirmed it already. An `ls` there must not lead to a question.
    is_person = loader.options.session.agent is None
    if is_person and not loader.is_expected and opened_profile(loader.environ) == snapshot.profile:
        confirm()
        return
    _refuse_question(loader, snapshot)
    with loader.locks.hold_unless(f"confirm-{loader.key}", is_confirmed) as was_confirmed:
        if was_confirmed or is_confirmed():
            return
        loader.locks.note(f"{ASKING} the confirmation of {snapshot.profile}")
        _ask(loader, snapshot, word)
        confirm()


def _refuse_question(loader: Loader, snapshot: Snapshot) -> None:
    """Raise ConfirmationNeededError if the user cannot be asked, or does not want to go there."""
    evaluation = loader.evaluation
    if evaluation and has_later_line(evaluation.envrc, evaluation.directory):
        inner = with_tilde(str(evaluation.envrc), str(home(loader.environ)))
        raise LaterLineError(
            f"{snapshot.profile} needs a confirmation and stays closed: {inner} has another line after it",
            f"to enter {snapshot.profile}: cd to its own folder",
        )
    if loader.human is None or not loader.is_expected:
        where = "" if loader.human else ", and nobody is here to give it"
        raise ConfirmationNeededError(
            f"entering {snapshot.profile} needs a confirmation{where}", f"in a terminal: {_AGAIN}"
        )


def _ask(loader: Loader, snapshot: Snapshot, word: str) -> None:
    assert loader.human is not None  # noqa: S101 - see _refuse_question
    question = f"Type {word} to enter {snapshot.profile} ({snapshot.credentials.account_id or 'account unknown'}): "
    try:
        answer = loader.human.ask(question, loader.settings.prompt_timeout.total_seconds())
    except (CancelledError, PersonNeededError):
        answer = ""
    if _folded(answer.strip()) != _folded(word):
        raise CancelledError(f"entering {snapshot.profile} was not confirmed", _AGAIN)
