"""The keychain as a library that may be missing, or may choose a backend that keeps no secret."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from keyring import backend
from keyring.errors import KeyringError, KeyringLocked

from awsdirenv.errors import KeychainError
from awsdirenv.system.files import extra_command
from awsdirenv.system.keychain import Keychain


class Backend(backend.KeyringBackend):
    """A backend of somebody else, which is not to be chosen by any other test."""

    priority = -1

    def get_password(self, service: str, username: str) -> str | None:
        return f"{service} {username}"

    def set_password(self, service: str, username: str, password: str) -> None:
        raise ValueError(password)


backend.KeyringBackend._classes.discard(Backend)


@contextmanager
def only(kind: type[Backend], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have a backend that works here, and no D-Bus."""
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    backend.KeyringBackend._classes.add(kind)
    try:
        yield
    finally:
        backend.KeyringBackend._classes.discard(kind)


def refusal(**environ: str) -> KeychainError:
    """Read from the keychain, which must fail."""
    with pytest.raises(KeychainError) as error:
        Keychain(10, environ, lambda _: None).read("x")
    return error.value


def test_the_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint installs what the extra asks for, into our environment."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert refusal().hint == extra_command("keyring")
    assert "'keyring>=23.5'" in extra_command("keyring")


def test_a_weak_backend_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only a backend works that keyring does not recommend, there is no keychain: it may keep plain text."""
    with only(Backend, monkeypatch):
        monkeypatch.setattr(Backend, "priority", 0.9)
        assert refusal().message == "there is no keychain here: nothing answers as Secret Service"
        monkeypatch.setattr(Backend, "priority", 1)
        assert Keychain(10, {}, lambda _: None).read("x") == "awsdirenv x"


def test_a_variable_and_a_file_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint undoes what has chosen the backend: the variable, or the line in the file."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    chosen = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    assert refusal(**chosen).hint.startswith("unset PYTHON_KEYRING_BACKEND")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "no.such.module")
    assert refusal(**chosen).message == "keyring cannot use its setting: ModuleNotFoundError"


def test_no_error_quotes_what_was_to_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend may put the secret into its error, and we do not."""
    monkeypatch.setattr(Backend, "priority", 20)
    with only(Backend, monkeypatch), pytest.raises(KeychainError, match="the keychain failed: ValueError") as error:
        Keychain(10, {}, lambda _: None).write("x", "the secret")
    assert "secret" not in error.value.message + error.value.hint
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__


@pytest.mark.parametrize(
    ("status", "raised", "said"),
    [
        (-128, KeyringLocked, "the keychain is locked"),  # the question was dismissed
        (-25308, KeyringError, "the keychain is locked"),  # over SSH
        (-25293, KeyringError, "the keychain failed: KeyringError"),
    ],
)
def test_a_locked_keychain_of_macos(
    monkeypatch: pytest.MonkeyPatch, status: int, raised: type[Exception], said: str
) -> None:
    """It is told from other errors by the number that the library passes on, and the hint is macOS's own command."""

    def get_password(*_: object) -> None:
        raise raised("the secret") from Exception(status, "Unknown Error")

    monkeypatch.setattr(Backend, "priority", 20)
    monkeypatch.setattr(Backend, "get_password", get_password)
    monkeypatch.setattr(sys, "platform", "darwin")
    with only(Backend, monkeypatch):
        error = refusal()
    assert error.message == said
    assert error.hint == ("security unlock-keychain" if "locked" in said else "check it with: keyring diagnose")


class OfMacOs(Backend):
    """A backend that deletes what is there before it adds the new text, and may end before or after each step."""

    kept: dict[tuple[str, str], str]
    steps_left: int

    def step(self) -> None:
        if not OfMacOs.steps_left:
            raise OSError
        OfMacOs.steps_left -= 1

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if (service, username) in self.kept:
            self.delete_password(service, username)
        self.step()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self.step()
        del self.kept[service, username]


backend.KeyringBackend._classes.discard(OfMacOs)


def test_killed_while_macos_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it ends, the old text is there or the new one; the next run goes on, and nothing else is left."""
    monkeypatch.setattr(OfMacOs, "priority", 20)
    monkeypatch.setattr(sys, "platform", "darwin")
    keychain, found = Keychain(10, {}, lambda _: None), []
    with only(OfMacOs, monkeypatch):
        for steps in range(6):
            OfMacOs.kept, OfMacOs.steps_left = {}, 99
            keychain.write("x", "old")
            OfMacOs.steps_left = steps
            with suppress(KeychainError):
                keychain.write("x", "new")
            found.append(keychain.read("x"))
            OfMacOs.steps_left = 99
            keychain.write("x", "newer")
            assert OfMacOs.kept == {("awsdirenv", "x"): "newer"}
            keychain.delete("x")
            assert OfMacOs.kept == {}
    assert found == ["old", "old", "new", "new", "new", "new"]


def test_it_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that never answers is left behind."""
    ended = threading.Event()
    monkeypatch.setattr(Backend, "priority", 20)
    monkeypatch.setattr(Backend, "get_password", lambda *_: ended.wait() and None)
    with only(Backend, monkeypatch), pytest.raises(KeychainError, match=r"did not answer within 0\.5s"):
        Keychain(0.5, {}, lambda _: None).read("x")
    ended.set()
