"""A Python that has imported what our commands need, and forks off a process for each that is asked for; see warm.py.

Usage: python -I warm_server.py FOLDER ROOM. It ends when its stdin does. ROOM is any long text, and makes room for
other commands in what `ps` shows.

A process cannot join the session of a terminal, only be born into it. So it is this server that starts a shell on a
terminal (`start_on_terminal`): the process that becomes the shell leaves a server of that session behind before.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import importlib
import os
import pkgutil
import platform
import select
import signal
import socket
import struct
import sys
import tempfile
import termios
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

REPOSITORY = Path(__file__).parents[2]
ROOMS = ("system", "config", "cache", "aws", "refresh", "reports", "shell", "cli")
CLONE = {"x86_64": 56, "aarch64": 220}.get(platform.machine())  # the number of the system call on Linux
CLONE_PARENT = 0x8000


def serve(folder: Path, end: int, name: str, told: int | None = None) -> None:
    """Answer on the socket of that name, until a descriptor can be read and nobody is served any more.

    Where it is for one session, close `told` once somebody can connect; else start programs on terminals, too.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.set_blocking(reader, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with listening(folder / name) as clients:
        if told is not None:
            os.close(told)
            answer(folder, clients, None, reader, end)
            return
        with listening(folder / "shells") as shells:
            answer(folder, clients, shells, reader, end)


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """Give a socket that listens at a path. Whoever sees the path can connect."""
    new = path.with_name(f"{path.name}.new")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(new))
        listener.listen(64)
        new.rename(path)
        yield listener
        path.unlink()


def answer(folder: Path, listener: socket.socket, shells: socket.socket | None, reader: int, end: int) -> None:
    """Answer until the end."""
    clients: dict[int, tuple[int, socket.socket]] = {}  # by the socket: the process that does the client's work
    poll = select.poll()
    for descriptor in (end, listener, reader, *([shells] if shells else ())):
        poll.register(descriptor, select.POLLIN)
    is_over = False
    while clients or not is_over:
        ready = {descriptor for descriptor, _ in poll.poll()}
        for descriptor in clients.keys() & ready:  # somebody has killed what it stands for
            poll.unregister(descriptor)
            os.kill(clients[descriptor][0], signal.SIGKILL)
        if reader in ready:
            os.read(reader, 4096)
            tell_ends(clients, poll)
        if shells and shells.fileno() in ready:
            start_on_terminal(folder, shells.accept()[0])
        if listener.fileno() in ready:
            client, _ = listener.accept()
            pid = os.fork()
            if not pid:
                become(client)
            clients[client.fileno()] = pid, client
            with suppress(OSError):
                client.sendall(struct.pack("i", pid))
            poll.register(client.fileno(), 0)  # tells of its end only
        if end in ready:
            poll.unregister(end)
            is_over = True


def start_on_terminal(folder: Path, client: socket.socket) -> None:
    """Start a program on a terminal of its own, as a child of the tests' process, and tell its process id."""
    with client:
        (terminal, cwd), (count, *texts) = receive(client, 2)
        # As os.fork does it.
        ctypes.pythonapi.PyOS_BeforeFork()
        pid = ctypes.PyDLL(None).syscall(CLONE, *map(ctypes.c_long, (CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)))
        if not pid:
            ctypes.pythonapi.PyOS_AfterFork_Child()
            try:
                be_on_terminal(folder, terminal, cwd, texts[: int(count)], texts[int(count) :])
            finally:
                os._exit(127)
        ctypes.pythonapi.PyOS_AfterFork_Parent()
        os.close(terminal)
        os.close(cwd)
        client.sendall(struct.pack("i", pid))


def be_on_terminal(folder: Path, terminal: int, cwd: int, words: list[bytes], variables: list[bytes]) -> None:
    """Be that program; leave a server behind, which has this session, and ends when it does."""
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    os.fchdir(cwd)
    for stream in range(3):
        os.dup2(terminal, stream)
    os.closerange(3, 1024)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    leader = os.getpid()
    ready, told = os.pipe()
    middle = os.fork()
    if not middle:
        if not os.fork():
            serve_session(folder, leader, told)
        os._exit(0)
    os.waitpid(middle, 0)
    os.close(told)
    os.read(ready, 1)
    os.close(ready)
    os.execve(words[0], words, dict(variable.split(b"=", 1) for variable in variables))


def serve_session(folder: Path, leader: int, told: int) -> NoReturn:
    """Serve the session of this process while its leader lives."""
    os.setpgid(0, 0)
    end = os.pidfd_open(leader)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    serve(folder, end, f"session-{leader}", told)
    os._exit(0)


def tell_ends(clients: dict[int, tuple[int, socket.socket]], poll: select.poll) -> None:
    """Tell the clients whose processes have ended how they did."""
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            for descriptor, (worker, client) in list(clients.items()):
                if worker == pid:
                    with suppress(KeyError):
                        poll.unregister(descriptor)
                    with clients.pop(descriptor)[1], suppress(OSError):
                        client.sendall(struct.pack("i", status))


def awsdirenv() -> None:
    """Run ours."""
    from awsdirenv.__main__ import main  # noqa: PLC0415 - the path to it is set below

    main()


entry: Callable[[], None] = awsdirenv  # in warm_aws.py it is another one


def become(client: socket.socket) -> NoReturn:
    """Be the process that the client stands for, and end as it."""
    signal.set_wakeup_fd(-1)
    gc.disable()  # it ends soon, and what is looked at is copied
    status = 1
    try:
        take_over(client)
        entry()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as Python does
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def receive(client: socket.socket, number: int) -> tuple[list[int], list[bytes]]:
    """Receive so many descriptors, and texts."""
    head, descriptors, _, _ = socket.recv_fds(client, 4, number)
    (left,) = struct.unpack("I", head)
    request = b""
    while len(request) < left:
        request += client.recv(left - len(request))
    return descriptors, request.split(b"\0")[:-1]


def take_over(client: socket.socket) -> None:
    """Take the client's process group, streams, folder, mask, signals, arguments and environment."""
    streams, (mask, ignored, blocked, count, *texts) = receive(client, 4)
    if sys.platform == "linux":
        peer = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        try:
            if os.getsid(peer) == os.getsid(0):
                os.setpgid(0, os.getpgid(peer))
        except ProcessLookupError:  # the client was killed meanwhile, and so are we
            os._exit(1)
    for stream in range(3):
        os.dup2(streams[stream], stream)
    os.fchdir(streams[3])
    os.closerange(3, 1024)
    os.umask(int(mask, 8))
    take_signals(int(ignored, 16), int(blocked, 16))
    sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr] # no pytest is here
    command = texts[: int(count)]
    show(command)
    sys.argv = [os.fsdecode(text) for text in ([b"-c", *command[5:]] if command[1] == b"-I" else command[1:])]
    os.environ.clear()
    os.environb.update(text.partition(b"=")[::2] for text in texts[int(count) :] if b"=" in text)
    time.tzset()
    from botocore_once import use_sso_cache  # noqa: PLC0415 - it is there; see `import_all`

    use_sso_cache(os.path.expanduser("~/.aws/sso/cache"))
    if when := os.environ.get("AWSDIRENV_TEST_DIE_AT"):
        from keychains import die_at  # noqa: PLC0415 - the same

        die_at(when)
    if sys.argv[1:2] in (["load"], ["keys"]):
        from live_python import name_in_live_files  # noqa: PLC0415 - the same

        name_in_live_files(lambda: Path(sys.orig_argv[3], "venv", "bin", "python3"))


def show(command: list[bytes]) -> None:
    """Let `ps` and /proc show a command as this process's."""
    with suppress(FileNotFoundError):
        fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        start, end = map(int, fields[45:47])
        size = end - start - 1
        ctypes.memmove(start, b"".join(word + b"\0" for word in command)[:size].ljust(size, b"\0"), size)


def take_signals(ignored: int, blocked: int) -> None:
    """Do with signals what a Python does that is started with these sets, in which bit 1 is the first signal."""
    for number in set(range(1, 32)) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGXFSZ}:
        signal.signal(number, signal.SIG_IGN if ignored >> number & 1 else signal.SIG_DFL)
    if not ignored >> signal.SIGINT & 1:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, {number for number in range(1, 32) if blocked >> number & 1})


def import_all() -> None:
    """Import what commands need, and run some, so that what they work out once is there."""
    sys.modules["awscrt"] = None  # type: ignore[assignment] # as __main__ does
    sys.path.append(str(REPOSITORY))
    for room in ROOMS:
        package = importlib.import_module(f"awsdirenv.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"awsdirenv.{room}."):
            importlib.import_module(module.name)
    before = list(sys.path)
    sys.path += [str(REPOSITORY / "tests" / "support"), str(REPOSITORY / "tests" / "doubles")]
    keyring = importlib.import_module("keyring.backends")
    # keyring imports all its backends. Also on Linux the one of macOS starts ldconfig, gcc and ld, three times.
    backends = (module.name for module in pkgutil.iter_modules(keyring.__path__, "keyring.backends."))
    for name in ("keychains", *backends, "cryptography.hazmat.backends.openssl.backend"):
        importlib.import_module(name)
    strict_sts, world = importlib.import_module("strict_sts"), importlib.import_module("world")
    with strict_sts.StrictSts() as sts, tempfile.TemporaryDirectory(prefix="awsdirenv-warm-") as root:
        exercise(world.World(sts, Path(root)))
    sys.path[:] = before
    while threading.active_count() > 1:
        time.sleep(0.01)
    gc.collect()
    gc.freeze()  # what is not looked at is not copied


def exercise(world: Any) -> None:
    """Run commands in a home of their own."""
    world.role("plain", mfa=False)
    world.role("coded")
    world.hold("plain")
    world.login("coded")
    for words in (("status",), ("whoami",), ("load", "nothing")):
        world.run("awsdirenv", *words)


if __name__ == "__main__":
    import_all()
    serve(Path(sys.argv[1]), 0, "socket")
