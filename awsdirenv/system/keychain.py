"""The keychain of the operating system, through the library `keyring`: one text by name, and never an endless wait.

`keyring` is imported when a keychain is first used. It is an extra of ours, and slow to import.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from awsdirenv.errors import KeychainError
from awsdirenv.system.clocks import patience
from awsdirenv.system.files import extra_command
from awsdirenv.system.text import unset_command

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SERVICE = "awsdirenv"  # under this name all that is ours is in the keychain
_SPARE = "awsdirenv, being written"  # on macOS; see `_places`
_RECOMMENDED = 1  # by keyring's own scale: what is below it keeps secrets in plain text, or not at all
_VARIABLE = "PYTHON_KEYRING_BACKEND"
_DEFAULT = "/org/freedesktop/secrets/aliases/default"
_MOMENT = 0.5  # seconds
_MAY_NOT_ASK = -25308  # of macOS: its keychain is locked, and over SSH it can ask nobody

T = TypeVar("T")


class Keychain:
    """The user's keychain. Every call ends within `timeout` seconds, and raises KeychainError."""

    def __init__(
        self, timeout: float, environ: Mapping[str, str], waiting: Callable[[str], None], *, may_ask: bool = True
    ) -> None:
        """Create it. `waiting` is told if an answer takes longer than a second: the desktop may ask the user.

        Without `may_ask` a Secret Service that is locked is an error: otherwise a window would open.
        """
        self._may_ask = may_ask
        self._timeout = timeout
        self._environ = environ
        self._waiting = waiting

    def read(self, name: str) -> str | None:
        """Return the text that is kept under a name, or None."""

        def work(backend: KeyringBackend) -> str | None:
            texts = (backend.get_password(place, name) for place in reversed(_places()))
            return next((text for text in texts if text is not None), None)

        return self._in_time(work)

    def write(self, name: str, text: str) -> None:
        """Keep a text under a name, in the place of the one before, and see that it is there."""

        def work(backend: KeyringBackend) -> bool:
            for place in _places():
                backend.set_password(place, name, text)
            is_kept = backend.get_password(SERVICE, name) == text
            for place in _places()[:-1] if is_kept else ():
                backend.delete_password(place, name)
            return is_kept

        if not self._in_time(work):
            raise KeychainError("the keychain did not keep what was written into it", "check its free space and rights")

    def delete(self, name: str) -> None:
        """Delete what is kept under a name, if it is there."""

        def work(backend: KeyringBackend) -> None:
            for place in _places():
                if backend.get_password(place, name) is not None:
                    backend.delete_password(place, name)

        self._in_time(work)

    def _in_time(self, work: Callable[[KeyringBackend], T]) -> T:
        """Do it in a thread of its own, which is left behind if the keychain hangs. It ends with the process."""
        outcome: list[tuple[T | None, BaseException | None]] = []

        def run() -> None:
            try:
                backend = _backend(self._environ)
                may_read = _is_open(backend) or self._may_ask
                outcome.append((work(backend), None) if may_read else (None, _locked()))
            except BaseException as error:  # noqa: BLE001 - whatever it is, the waiting thread raises it
                outcome.append((None, error))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        with patience(self._waiting, "the keychain, which may ask you for its password"):
            thread.join(self._timeout)
        if not outcome:
            raise KeychainError(
                f"the keychain did not answer within {self._timeout:g}s",
                "unlock it, or answer its question on the desktop, then try again",
            )
        result, error = outcome[0]
        if error is not None:
            raise _translated(error) from None
        return result  # type: ignore[return-value] # None only where T has it


def _places() -> tuple[str, ...]:
    """Return under which names a text is written, one after the other. The last one stays, and counts.

    On macOS keyring deletes what is there before it adds the new text. Whoever is killed in between would lose the only
    copy of a key, so there it is in another place meanwhile.
    """
    return (_SPARE, SERVICE) if sys.platform == "darwin" else (SERVICE,)


def may_be_here(environ: Mapping[str, str]) -> bool:
    """Return whether this machine may have a keychain, without asking it."""
    return sys.platform == "darwin" or bool(environ.get("DBUS_SESSION_BUS_ADDRESS"))


def is_installed() -> bool:
    """Return whether the library is there, without importing it."""
    from importlib.util import find_spec  # noqa: PLC0415 - for `doctor` only

    return find_spec("keyring") is not None


def not_installed() -> KeychainError:
    """Return the error for a missing library, with the command that installs it."""
    return KeychainError("the keychain needs the library keyring, which is not installed", extra_command("keyring"))


def _backend(environ: Mapping[str, str]) -> KeyringBackend:
    """Return the keychain that keyring would use. Raises KeychainError for one that keeps no secret."""
    try:
        from keyring import backend, core  # noqa: PLC0415 - an extra of ours
        from keyring.backends import chainer, fail  # noqa: PLC0415
    except ImportError:
        raise not_installed() from None
    try:
        wanted: Any = core.load_env() or core.load_config()
    except Exception as error:  # noqa: BLE001 - it imports whatever a setting names
        raise KeychainError(f"keyring cannot use its setting: {type(error).__name__}", _setting(environ)) from None
    chosen: Any = wanted or fail.Keyring()  # type: ignore[no-untyped-call]
    if wanted is None or isinstance(wanted, chainer.ChainerBackend):
        backend.get_all_keyring()  # imports them all; its result is of the first call, perhaps without a desktop
        kinds = [one for one in backend.KeyringBackend.get_viable_backends() if one is not chainer.ChainerBackend]
        chosen = max((one() for one in kinds), key=_priority, default=chosen)
    if _priority(chosen) >= _RECOMMENDED and not isinstance(chosen, fail.Keyring):
        return chosen  # type: ignore[no-any-return]
    if wanted is not None:
        kind = f"{type(chosen).__module__}.{type(chosen).__name__}"
        raise KeychainError(f"keyring is set to {kind}, which is no safe keychain", _setting(environ))
    raise KeychainError(
        "there is no keychain here: nothing answers as Secret Service",
        "in a desktop session, or: dbus-run-session -- bash, then gnome-keyring-daemon --unlock",
    )


def _is_open(backend: KeyringBackend) -> bool:
    """Return whether a keychain answers without a question; True if we cannot know.

    A Secret Service that has just been started, or reads its file again, is locked for a moment.
    """
    from keyring.backends import SecretService  # noqa: PLC0415 - see `_backend`

    if not isinstance(backend, SecretService.Keyring):
        return True
    import secretstorage  # noqa: PLC0415 - what that backend is made of

    def answers() -> bool:
        with contextlib.closing(secretstorage.dbus_init()) as bus:
            try:
                return not secretstorage.Collection(bus, _DEFAULT).is_locked()
            except secretstorage.exceptions.SecretStorageException:
                return False  # there is none yet

    if answers():
        return True
    time.sleep(_MOMENT)
    return answers()


def _locked() -> KeychainError:
    of_linux = "unlock it: sign in to the desktop, or gnome-keyring-daemon --replace --unlock"
    return KeychainError("the keychain is locked", "security unlock-keychain" if sys.platform == "darwin" else of_linux)


def _priority(backend: KeyringBackend) -> float:
    """Return how good keyring thinks a backend is. One that cannot work here raises an error instead."""
    try:
        return float(backend.priority)
    except Exception:  # noqa: BLE001 - whatever a backend of somebody else's raises
        return -1


def _setting(environ: Mapping[str, str]) -> str:
    """Return how to undo the setting that chooses a keychain."""
    if environ.get(_VARIABLE):
        return unset_command(_VARIABLE)
    from keyring.util import platform_  # noqa: PLC0415 - see `_backend`

    return f"remove default-keyring from {os.path.join(platform_.config_root(), 'keyringrc.cfg')}"


def _translated(error: BaseException) -> BaseException:
    """Return our error for one of keyring's. Its message is not shown: it may quote what was to be kept."""
    if isinstance(error, KeychainError):
        return error
    from keyring import errors  # noqa: PLC0415 - see `_backend`

    # keyring knows macOS's word for a question that was dismissed, and passes on the number for the other case.
    if isinstance(error, errors.KeyringLocked) or getattr(error.__cause__, "args", ())[:1] == (_MAY_NOT_ASK,):
        return _locked()
    return KeychainError(f"the keychain failed: {type(error).__name__}", "check it with: keyring diagnose")
