"""What `.envrc` insists on before anything is exported: which account, which role, and a person who means it.

The extension checks the same from the snapshot alone (`_awsdirenv_admits`); here is where it is said, and asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from awsdirenv.cache.snapshots import Snapshot
from awsdirenv.config.chain import Chain
from awsdirenv.credentials import utc_now
from awsdirenv.errors import CancelledError, ConfirmationNeededError, PersonNeededError, WrongIdentityError
from awsdirenv.refresh.loader import Loader
from awsdirenv.system import private_files
from awsdirenv.system.direnv import opened_profile
from awsdirenv.system.lock import ASKING
from awsdirenv.system.paths import encode_name


@dataclass(frozen=True)
class Conditions:
    """What one `use aws_profile` insists on: the account's id, the role's name, and whether entering is confirmed."""

    account: str | None = None
    role: str | None = None
    stage: str | None = None
    confirm: bool = False


def admitted(loader: Loader, conditions: Conditions, load: Callable[[], Snapshot]) -> Snapshot:
    """Load what meets the conditions. Raises WrongIdentityError, where possible before anybody is called or asked.

    Raises ConfirmationNeededError and CancelledError for a person who is not there, or thinks better of it.
    """
    if conditions.account or conditions.role:
        _check_chain(conditions, loader.chain())
    made = load()
    check(conditions, made)
    word = _word(conditions, made, loader.environ.get("AWSDIRENV_CONFIRM", ""))
    if word:
        _confirm(loader, made, word)
    return made


def check(conditions: Conditions, made: Snapshot) -> None:
    """Compare credentials, as STS gave them, with what is wanted. Raises WrongIdentityError."""
    wanted, account = conditions.account, made.credentials.account_id
    if wanted and account != wanted:
        raise _wrong(made.profile, f"account {account or 'unknown'}", f"account {wanted}")
    if conditions.role and made.role != conditions.role:
        raise _wrong(made.profile, f"role {made.role}" if made.role else "no role", f"role {conditions.role}")


def _check_chain(conditions: Conditions, chain: Chain) -> None:
    """Compare what the files say, before a call."""
    account = chain.hops[-1].account_id if chain.hops else None
    if conditions.account and account and account != conditions.account:
        raise _wrong(chain.profile, f"account {account}", f"account {conditions.account}")
    if conditions.role and chain.role and chain.role != conditions.role:
        raise _wrong(chain.profile, f"role {chain.role}", f"role {conditions.role}")


def _wrong(profile: str, found: str, wanted: str) -> WrongIdentityError:
    return WrongIdentityError(
        f"profile {profile} leads to {found}, and .envrc insists on {wanted}",
        f"correct [profile {profile}], or the line in .envrc",
    )


def _word(conditions: Conditions, made: Snapshot, setting: str) -> str | None:
    """Give what a person has to type to enter, if they have to."""
    stage = conditions.stage or made.stage
    if conditions.confirm:
        return stage or made.profile
    return stage if stage and _folded(stage) == _folded(setting) else None


def _folded(text: str) -> str:
    """Fold the case of ASCII letters only: what the extension does, and both must agree on whether to ask."""
    return "".join(char.lower() if char.isascii() else char for char in text)


def _confirm(loader: Loader, made: Snapshot, word: str) -> None:
    """Have the person type the word, once for each MFA session, in whichever shell."""
    mark = loader.paths.confirmed / loader.key
    since = (private_files.read_private(loader.paths.mfa_renewed) or {}).get("SINCE", "")
    values = {
        "AWSDIRENV_WORD": encode_name(word),
        "AWSDIRENV_ACCOUNT_ID": made.credentials.account_id or "",
        "AWSDIRENV_SINCE": since,
    }

    def is_confirmed() -> bool | None:
        present = private_files.read_private(mark) or {}
        until = present.pop("AWSDIRENV_UNTIL", "")
        return (present == values and until.isdecimal() and int(until) > utc_now().timestamp()) or None

    if is_confirmed():
        return
    with loader.locks.hold_unless(f"confirm-{loader.key}", is_confirmed) as seen:
        if seen or is_confirmed():
            return
        # Who is inside already has confirmed it, and is not to be asked by an `ls`.
        if loader.is_expected or opened_profile(loader.environ) != made.profile:
            loader.locks.note(f"{ASKING} the confirmation of {made.profile}")
            _ask(loader, made, word)
        until = utc_now() + loader.settings.mfa_session_duration
        private_files.write_private(mark, {**values, "AWSDIRENV_UNTIL": str(int(until.timestamp()))})


def _ask(loader: Loader, made: Snapshot, word: str) -> None:
    again = "direnv reload"
    if loader.human is None or not loader.is_expected:
        where = "" if loader.human else ", and nobody is here to give it"
        raise ConfirmationNeededError(f"entering {made.profile} needs a confirmation{where}", f"in a terminal: {again}")
    question = f"Type {word} to enter {made.profile} ({made.credentials.account_id or 'account unknown'}): "
    try:
        answer = loader.human.ask(question, loader.settings.prompt_timeout.total_seconds())
    except (CancelledError, PersonNeededError):
        answer = ""
    if _folded(answer.strip()) != _folded(word):
        raise CancelledError(f"entering {made.profile} was not confirmed", again)
