"""What we remember between processes besides snapshots: STS sessions, MFA codes already used, steps cancelled.

Sessions are shared by every profile behind the same key, device or hop. Long-term keys are refused here: they are
never written anywhere by us.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from awsdirenv.cache.layout import CachePaths, session_key
from awsdirenv.errors import BadAnswerError
from awsdirenv.session_credentials import SessionCredentials, from_epoch
from awsdirenv.system import clocks, files

# A TOTP code holds for 30 s and is taken one step early or late; after this no code can come round again.
_CODE_MEMORY = timedelta(seconds=120)
# A cancelled step is not tried again by itself for this long, unless the person says so.
_CANCEL_MEMORY = timedelta(minutes=10)

# Whoever is refused with the same token within this time does not wait for another program's.
_TOKEN_MEMORY = timedelta(seconds=60)


class SessionStore:
    """STS sessions by key, one private file each. The caller holds the lock of the key when writing."""

    def __init__(self, folder: Path, renewed: Path | None = None) -> None:
        """Keep the sessions in `folder`, which is made before the first lock is taken.

        `renewed` is a file that changes with each new MFA session. Directories that are closed because a code is
        missing watch it: one code, typed anywhere, opens them all.
        """
        self._folder = folder
        self._renewed = renewed

    def read(self, key: str) -> SessionCredentials | None:
        """Return the session, which may have expired. None if it is missing or not sound."""
        return _session(files.read_private(self._folder / key) or {})

    def labelled(self) -> list[tuple[str, str, SessionCredentials]]:
        """Return all sound sessions, each with its key and its label."""
        try:
            keys = sorted(path.name for path in self._folder.iterdir() if files.name_of(path) == path.name)
        except OSError:
            return []
        read = [(key, files.read_private(self._folder / key) or {}) for key in keys]
        found = [(key, values.get("LABEL", ""), _session(values)) for key, values in read]
        return [(key, label, session) for key, label, session in found if session]

    def write(self, key: str, session: SessionCredentials, label: str) -> None:
        """Keep the session. `label` says for people what it is (an MFA serial, a role ARN).

        Raises BadAnswerError for values that are not credentials, CacheError when the disk will not.
        """
        if session.is_long_term or session.expiration is None or not session.is_well_formed():
            raise BadAnswerError(
                f"the session for {label} is malformed", "check the program or the server that gave it"
            )
        values = {
            "LABEL": label,
            "ACCESS_KEY_ID": session.access_key_id,
            "SECRET_ACCESS_KEY": session.secret_access_key,
            "SESSION_TOKEN": session.session_token,
            "EXPIRATION": str(int(session.expiration.timestamp())),
            "ISSUED": str(int(session.issued.timestamp())),
            "ACCOUNT_ID": session.account_id,
            "ARN": session.arn,
            "OFFSET": str(round(session.offset.total_seconds())) if session.offset else None,
            "CLOCK": clocks.anchor(),
        }
        files.write_private(self._folder / key, {name: value for name, value in values.items() if value})
        if key.startswith("mfa-"):
            self.announce(session.issued)

    def announce(self, since: datetime) -> None:
        """Make directories evaluate again that are closed because a code or a sign-in was missing."""
        if self._renewed:
            epoch = int(since.timestamp())
            files.write_private(self._renewed, {"SINCE": str(epoch)}, files.fresh_mtime(self._renewed, epoch))

    def drop(self, key: str) -> None:
        """Forget the session."""
        files.remove(self._folder / key)


class UsedCodes:
    """Which MFA codes a device has spent. Only their hashes are kept, and only for two minutes."""

    def __init__(self, folder: Path) -> None:
        """Keep the marks in `folder`."""
        self._folder = folder

    def remember(self, mfa_serial: str, code: str, now: datetime) -> None:
        """Note that STS has taken this code, or may have."""
        kept = self._recent(mfa_serial, now)
        kept[self._hash(mfa_serial, code)] = str(int(now.timestamp()))
        files.write_private(self._path(mfa_serial), kept)

    def forget(self, mfa_serial: str, code: str, now: datetime) -> None:
        """Take back that this code may have been taken: STS has said that it was not, or nothing was sent."""
        kept = self._recent(mfa_serial, now)
        if kept.pop(self._hash(mfa_serial, code), None):
            files.write_private(self._path(mfa_serial), kept)

    def contains(self, mfa_serial: str, code: str, now: datetime) -> bool:
        """Whether STS has, or may have, taken this code of this device lately."""
        return self._hash(mfa_serial, code) in self._recent(mfa_serial, now)

    def _recent(self, mfa_serial: str, now: datetime) -> dict[str, str]:
        known = files.read_private(self._path(mfa_serial)) or {}
        return {name: when for name, when in known.items() if _is_recent(when, now, _CODE_MEMORY)}

    def _path(self, mfa_serial: str) -> Path:
        return self._folder / session_key("codes", mfa_serial)

    @staticmethod
    def _hash(mfa_serial: str, code: str) -> str:
        import hashlib  # noqa: PLC0415

        return hashlib.sha256(f"{mfa_serial}\n{code}".encode()).hexdigest()[:32]


class RefusedTokens:
    """Which content of a sign-in's file was refused just now, after a wait for another. Only its hash is kept."""

    def __init__(self, folder: Path) -> None:
        """Keep the marks in `folder`."""
        self._folder = folder

    def remember(self, content: bytes, now: datetime) -> None:
        """Note that we have waited in vain. Raises CacheError."""
        files.write_private(self._path(content), {"SINCE": str(int(now.timestamp()))})

    def contains(self, content: bytes, now: datetime) -> bool:
        """Whether somebody has waited in vain lately."""
        return _is_recent((files.read_private(self._path(content)) or {}).get("SINCE", ""), now, _TOKEN_MEMORY)

    def _path(self, content: bytes) -> Path:
        return self._folder / session_key("refused", content.hex())


class UserNames:
    """Whose a long-term key is: the IAM user's name by access key id, which never changes."""

    def __init__(self, folder: Path) -> None:
        """Keep the marks in `folder`."""
        self._folder = folder

    def read(self, access_key_id: str) -> str | None:
        """Return the name, or None if STS has not told it yet."""
        return (files.read_private(self._path(access_key_id)) or {}).get("NAME")

    def remember(self, access_key_id: str, name: str) -> None:
        """Note what STS has told."""
        files.write_private(self._path(access_key_id), {"NAME": name})

    def _path(self, access_key_id: str) -> Path:
        return self._folder / session_key("user", access_key_id)


class CancelMarks:
    """What a person has cancelled, so that it does not start again by itself: a directory's load, a program's question.

    A mark holds for one state of that: until the `.envrc` is touched (`direnv reload` does), as long as the program
    runs. It also ends with `awsdirenv login`, and after ten minutes.
    """

    def __init__(self, folder: Path) -> None:
        """Keep the marks in `folder`."""
        self._folder = folder

    def set(self, what: Path | str, state: int | str, now: datetime) -> None:
        """Note the cancellation. `state` is the time of the `.envrc`, or of the program's start."""
        values = {"STATE": str(state), "SINCE": str(int(now.timestamp()))}
        files.write_private(self._path(what), values)

    def holds(self, what: Path | str, state: int | str, now: datetime) -> bool:
        """Whether this very state was cancelled a moment ago."""
        values = files.read_private(self._path(what)) or {}
        recent = _is_recent(values.get("SINCE", ""), now, _CANCEL_MEMORY)
        return recent and values.get("STATE") == str(state)

    def clear(self) -> None:
        """Forget all cancellations."""
        for path in self._folder.glob("cancelled-*"):
            files.remove(path)

    def _path(self, what: Path | str) -> Path:
        return self._folder / session_key("cancelled", str(what))


class EvaluationMarks:
    """What the evaluations of `.envrc` tell each other, and the lines of one evaluation among themselves.

    `evaluation` tells one evaluation from all others. "" is for a command, which remembers nothing here.
    """

    def __init__(self, folder: Path, evaluation: str) -> None:
        """Keep the marks in `folder`."""
        self._folder = folder
        self._evaluation = evaluation

    def takes(self, envrc: Path, told_at: int) -> bool:
        """Return whether the user of this evaluation is the one who said `direnv reload` at `told_at`, in ns.

        Every shell in the directory evaluates again after it. The first one is the user's: its prompt follows at once.
        """
        path = self._folder / session_key("told", str(envrc))
        present = files.read_private(path) or {}
        if not self._evaluation or present.get("EVALUATION") == self._evaluation:
            return bool(self._evaluation)  # another line has taken it
        taken = present.get("AT", "")
        if not told_at or (taken.isdecimal() and told_at <= int(taken)):
            return False
        files.write_private(path, {"AT": str(told_at), "EVALUATION": self._evaluation})
        return True

    def left_unanswered(self, question: str) -> None:
        """Note that a question had no good answer."""
        if self._evaluation:
            files.write_private(self._folder / session_key("unanswered", question), {"EVALUATION": self._evaluation})

    def was_unanswered(self, question: str) -> bool:
        """Return whether this evaluation has put the question before, in vain."""
        values = files.read_private(self._folder / session_key("unanswered", question)) or {}
        return bool(self._evaluation) and values.get("EVALUATION") == self._evaluation


# `awsdirenv clear --all` leaves these marks. Without them AWS gets a code again that it has taken, and what was said in
# one terminal would count once more in another. They are no secrets, and count for two minutes at most.
LASTING_MARKS = ("codes-", "told-")


def _session(values: Mapping[str, str]) -> SessionCredentials | None:
    try:
        session = SessionCredentials(
            access_key_id=values["ACCESS_KEY_ID"],
            secret_access_key=values["SECRET_ACCESS_KEY"],
            session_token=values["SESSION_TOKEN"],
            expiration=from_epoch(int(values["EXPIRATION"])),
            issued=from_epoch(int(values["ISSUED"])),
            account_id=values.get("ACCOUNT_ID"),
            arn=values.get("ARN"),
            offset=timedelta(seconds=int(values.get("OFFSET", 0))),
        )
        if "CLOCK" in values:
            session = session.after_setting(clocks.set_since(values["CLOCK"]))
    except (KeyError, ValueError, OverflowError):
        return None
    return session if session.is_well_formed() and not session.is_long_term else None


def _is_recent(epoch: str, now: datetime, memory: timedelta) -> bool:
    """Return whether a note is at most `memory` old. One from the future is from before the clock was set back."""
    return epoch.isdigit() and (now - memory).timestamp() <= int(epoch) <= now.timestamp() + 1


def prepare(paths: CachePaths) -> None:
    """Make our folders, each 0700. Raises CacheError."""
    for folder in paths.folders():
        files.ensure_private_folder(folder)
