"""A real keychain for a world: gnome-keyring as Secret Service, on a D-Bus session of its own; and how to be killed."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from keyring.backends import SecretService

from awsdirenv.aws.keychain_keys import KeychainKeys, StoredKeys
from awsdirenv.system.keychain import Keychain
from container import must_have, proc
from world import World

_PROMPTER = "org.gnome.keyring.SystemPrompter"
_BUS = "DBUS_SESSION_BUS_ADDRESS"
PASSWORD = "the password of the keychain"
DIE_AT = "AWSDIRENV_TEST_DIE_AT"  # the number of the effect at which a process kills itself; see `die_at`

# `gnome-keyring-daemon --unlock` reads the password up to the end of its stdin, and leaves the daemon behind. The line
# with the address of the bus says that the daemon is there.
_UNLOCKED = 'printf %s "$1" | gnome-keyring-daemon --unlock --components=secrets'
_LOCKED = "gnome-keyring-daemon --start --components=secrets"
_SESSION = '{daemon} >/dev/null 2>&1; echo "$DBUS_SESSION_BUS_ADDRESS"; exec cat >/dev/null'


def _has_name() -> bool:
    try:
        return bool(pwd.getpwuid(os.geteuid()).pw_name)
    except KeyError:
        return False


@contextmanager
def session(world: World, daemon: str = _UNLOCKED) -> Iterator[dict[str, str]]:
    """Have a D-Bus session with a keychain in the world's home; give the variables with which programs find it."""
    programs = ("gnome-keyring-daemon", "dbus-run-session")
    must_have("a Secret Service", is_there=all(shutil.which(program) for program in programs))
    must_have("an account with a name, for D-Bus", is_there=_has_name())
    command = ["dbus-run-session", "--", "sh", "-c", _SESSION.format(daemon=daemon), "sh", PASSWORD]
    # Each has its own folder, because a daemon hands over to another one that is there; and with a short path, as a
    # socket must have one.
    with (
        tempfile.TemporaryDirectory(prefix="awsdirenv-run-", ignore_cleanup_errors=True) as runtime,
        subprocess.Popen(
            command,
            env={**world.env, "XDG_RUNTIME_DIR": runtime},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as bus,
    ):
        assert bus.stdin
        assert bus.stdout
        address = bus.stdout.readline().strip()
        assert address, "no D-Bus"
        yield {"XDG_RUNTIME_DIR": runtime, "DBUS_SESSION_BUS_ADDRESS": address}
        bus.stdin.close()
        bus.wait()
        _end_daemons(runtime)


def _end_daemons(runtime: str) -> None:
    """End the daemons of a session. Most of them end with it, but not each that has taken the place of another one."""
    for process in proc().glob("[0-9]*"):
        with suppress(OSError):
            is_daemon = (process / "cmdline").read_bytes().startswith(b"gnome-keyring-daemon\0")
            if is_daemon and f"XDG_RUNTIME_DIR={runtime}".encode() in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)


@contextmanager
def unlocked(world: World) -> Iterator[dict[str, str]]:
    """Have a keychain that is open, in the world's environment, too.

    The daemon answers D-Bus a moment after its start. Who asks before that has D-Bus start another one, which knows no
    password.
    """
    for _ in range(5):
        with session(world) as variables:
            if not _is_open(variables):
                continue
            world.env |= variables
            yield variables
            for name in variables:
                world.env.pop(name, None)
            return
    raise AssertionError("gnome-keyring does not open its keychain")


def _is_open(variables: Mapping[str, str]) -> bool:
    import secretstorage  # noqa: PLC0415 - it is there where a Secret Service may be
    from jeepney.io.blocking import open_dbus_connection  # noqa: PLC0415 - the same

    with open_dbus_connection(bus=variables[_BUS]) as connection:
        try:
            return not secretstorage.Collection(connection, "/org/freedesktop/secrets/aliases/default").is_locked()
        except secretstorage.exceptions.SecretStorageException:
            return False


@contextmanager
def locked(world: World) -> Iterator[dict[str, str]]:
    """Have the same keychain, and nobody who could type its password."""
    with session(world, _LOCKED) as variables:
        yield variables


def put_prompter(variables: Mapping[str, str], program: Path) -> None:
    """Have a program in the place of the window in which the desktop asks for the password of the keychain."""
    from jeepney import DBusAddress, new_method_call  # noqa: PLC0415 - it is there where a Secret Service may be
    from jeepney.io.blocking import open_dbus_connection  # noqa: PLC0415 - the same

    services = Path(variables["XDG_RUNTIME_DIR"]) / "dbus-1" / "services"  # which dbus-daemon has made
    text = f"[D-BUS Service]\nName={_PROMPTER}\nExec={program}\n"
    (services / f"{_PROMPTER}.service").write_text(text, encoding="utf-8")
    bus = DBusAddress("/", bus_name="org.freedesktop.DBus", interface="org.freedesktop.DBus")  # type: ignore[no-untyped-call]
    with open_dbus_connection(bus=variables[_BUS]) as connection:
        connection.send_and_get_reply(new_method_call(bus, "ReloadConfig"))  # type: ignore[no-untyped-call]


def kept(world: World, profile: str = "base") -> StoredKeys | None:
    """Look into the keychain, with nothing of ours."""
    before = os.environ.get(_BUS)
    os.environ[_BUS] = world.env[_BUS]
    try:
        text = SecretService.Keyring().get_password("awsdirenv", profile)  # type: ignore[no-untyped-call]
    finally:
        os.environ.pop(_BUS)
        if before is not None:
            os.environ[_BUS] = before
    return parsed(text) if text else None


def parsed(text: str) -> StoredKeys | None:
    """Read a document of the keychain as we do."""

    class Known(Keychain):
        def __init__(self) -> None: ...

        def read(self, name: str) -> str | None:
            return text

    return KeychainKeys(Known()).read("base")


def die_at(when: str) -> None:
    """Have this process kill itself at its effect of this number: a call of AWS, a file, an item of the keychain.

    Each counts twice: before it, and after it was carried out and nobody has yet taken note. With `wire ` in front of
    the number only calls of AWS count.
    """
    import http.client  # noqa: PLC0415 - in the process that is to die

    from secretstorage import Collection, Item  # noqa: PLC0415 - the same

    count, number = 0, int(when.removeprefix("wire "))

    def point() -> None:
        nonlocal count
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(owner: Any, name: str) -> None:
        real: Callable[..., Any] = getattr(owner, name)

        def effect(*arguments: Any, **options: Any) -> Any:
            point()
            result = real(*arguments, **options)
            point()
            return result

        setattr(owner, name, effect)

    if not when.startswith("wire "):
        for owner, name in ((os, "replace"), (Collection, "create_item"), (Item, "delete")):
            around(owner, name)
    send, receive = http.client.HTTPConnection.endheaders, http.client.HTTPConnection.getresponse

    def sent(*arguments: Any, **options: Any) -> None:
        point()
        send(*arguments, **options)

    def received(*arguments: Any, **options: Any) -> Any:
        answer = receive(*arguments, **options)
        point()
        return answer

    http.client.HTTPConnection.endheaders = sent  # type: ignore[method-assign]
    http.client.HTTPConnection.getresponse = received  # type: ignore[method-assign]
