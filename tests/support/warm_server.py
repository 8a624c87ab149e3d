"""A Python that has imported what a load needs, and forks off a process for each that is asked for; see warm.py.

Usage: python -I warm_server.py SOCKET. It ends when its stdin does.
"""

from __future__ import annotations

import gc
import importlib
import os
import pkgutil
import select
import signal
import socket
import struct
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

REPOSITORY = Path(__file__).parents[2]
ROOMS = ("system", "config", "cache", "aws", "refresh")
BEYOND = ("cli.commands.load", "cli.commands.look", "cli.parser", "cli.loading")


def serve(path: str) -> None:
    """Answer until stdin ends."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        os.set_blocking(reader, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        clients: dict[int, socket.socket] = {}
        while True:
            ready, _, _ = select.select([0, listener.fileno(), reader], [], [])
            if reader in ready:
                os.read(reader, 4096)
                tell_ends(clients)
            if listener.fileno() in ready:
                client, _ = listener.accept()
                pid = os.fork()
                if not pid:
                    become(client)
                clients[pid] = client
            if 0 in ready:
                return


def tell_ends(clients: dict[int, socket.socket]) -> None:
    """Tell the clients whose processes have ended how they did."""
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            with clients.pop(pid) as client, suppress(OSError):
                client.sendall(struct.pack("i", status))


def become(client: socket.socket) -> NoReturn:
    """Be the process that the client stands for, and end as it."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    status = 1
    try:
        take_over(client)
        from awsdirenv.__main__ import main  # noqa: PLC0415 - the path to it is set below

        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as Python does
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def take_over(client: socket.socket) -> None:
    """Take the client's streams, folder, mask, arguments and environment."""
    head, streams, _, _ = socket.recv_fds(client, 4, 4)
    (left,) = struct.unpack("I", head)
    request = b""
    while len(request) < left:
        request += client.recv(left - len(request))
    for stream in range(3):
        os.dup2(streams[stream], stream)
    os.fchdir(streams[3])
    os.closerange(3, 1024)
    mask, count, *texts = request.split(b"\0")[:-1]
    os.umask(int(mask, 8))
    sys.argv = ["-c", *map(os.fsdecode, texts[: int(count)])]
    os.environ.clear()
    os.environb.update(text.partition(b"=")[::2] for text in texts[int(count) :] if b"=" in text)
    from botocore_once import use_sso_cache  # noqa: PLC0415 - it is there; see `import_all`

    use_sso_cache(os.path.expanduser("~/.aws/sso/cache"))


def import_all() -> None:
    """Import what loads need, and let botocore read what belongs to it."""
    sys.modules["awscrt"] = None  # type: ignore[assignment] # as __main__ does
    sys.path.append(str(REPOSITORY))
    for room in ROOMS:
        package = importlib.import_module(f"awsdirenv.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"awsdirenv.{room}."):
            importlib.import_module(module.name)
    for name in BEYOND:
        importlib.import_module(f"awsdirenv.{name}")
    sys.path.append(str(Path(__file__).parent))
    botocore_once = importlib.import_module("botocore_once")
    sys.path.pop()
    botocore_once.share_what_sessions_work_out()
    session = importlib.import_module("botocore.session").Session()
    session.create_client("sts", region_name="eu-west-1", aws_access_key_id="none", aws_secret_access_key="none")
    del session
    gc.collect()
    gc.freeze()  # what is not looked at is not copied


if __name__ == "__main__":
    import_all()
    serve(sys.argv[1])
