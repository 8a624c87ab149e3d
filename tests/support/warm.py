"""Our Python, forked off one that has imported everything already: a tenth of a new one's time.

`World.enter` has direnv's bash find it in the place of the interpreter, by a function of that path (`BASH_ENV`), and so
does a shell on a terminal, in whose PATH it is `awsdirenv`, too. The command's arguments, environment, folder, streams,
umask, signals, process group, terminal and status are those of a real start, and it has a process of its own. Where a
difference could show, the real one is started: for timers (but not for what these start), for what takes the place of a
process, with variables that count from a process's start. Tests that are about the start itself are marked `cold`. The
AWS CLI is forked off another such process, and without a terminal only.
"""

from __future__ import annotations

import atexit
import fcntl
import functools
import os
import re
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import ptyprocess  # type: ignore[import-untyped]

from awsdirenv.system.files import own_python
from container import allows

_HERE = Path(__file__).parent
_BIN = Path(sys.executable).parent


@functools.cache
def _compiled(name: str) -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="awsdirenv-library-")
    source = (_HERE / name).with_suffix(".c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", f"{folder.name}/{name}.so", source], check=True)
    return folder


def library(name: str) -> str:
    """Compile a file of this folder for LD_PRELOAD, once for all tests of a process; give its path."""
    return f"{_compiled(name).name}/{name}.so"


def wall_clock() -> str:
    """Give the path of the clock that wall.py sets, or nothing."""
    return library("wall_clock") if allows("LD_PRELOAD") else ""


def _circumstances() -> str:
    """Give what a process has from the one that started it, and does not hand on to one that is forked elsewhere."""
    spaces = [os.readlink(f"/proc/self/ns/{name}") for name in ("mnt", "net")]
    limits = [resource.getrlimit(number)[0] for number in range(16)]
    rights = re.findall(r"^CapEff:\s*(\S+)", Path("/proc/self/status").read_text(encoding="utf-8"), re.MULTILINE)
    return " ".join(map(str, (os.geteuid(), os.getegid(), *spaces, *rights, *limits)))


@functools.cache
def _server() -> Path | None:
    """Start the server, once for a process of tests; give its folder."""
    python = own_python()
    if sys.platform != "linux" or not re.fullmatch(r"[\w/.-]+", python):  # no name of a function
        return None
    temporary = tempfile.TemporaryDirectory(prefix="awsdirenv-warm-")
    folder = Path(temporary.name)
    client = folder / "bin" / "awsdirenv"
    client.parent.mkdir()
    paths = {"FOLDER": folder, "REAL": _BIN, "PYTHON": python, "WALL": wall_clock(), "ALIKE": _circumstances()}
    named = [f'-D{name}="{path}"' for name, path in paths.items()]
    subprocess.run(["cc", "-O2", *named, "-o", client, _HERE / "warm_client.c"], check=True)
    (folder / "client").symlink_to(client)
    # So that a Python that is really started there, as timers are, has that name for itself, and finds its modules.
    interpreter = folder / "venv" / "bin" / "python3"
    interpreter.parent.mkdir(parents=True)
    interpreter.symlink_to(client)
    for name in ("lib", "pyvenv.cfg"):
        (folder / "venv" / name).symlink_to(_BIN.parent / name)
    # Where the client is killed, bash says so, with the whole line, to the stderr that the function has.
    call = f'{folder}/client {python} "$@" 2>&8 8>&-'
    (folder / "functions.sh").write_text(f"{python}() {{ {{ {call}; }} 8>&2 2>/dev/null; }}\n")
    _serve("warm_server.py", folder, "shells", temporary.cleanup)
    return folder


def _serve(program: str, folder: Path, socket_name: str, clean: Callable[[], object] = bool) -> None:
    """Start a server, which ends with this process, and wait until it can be asked."""
    server = subprocess.Popen(
        [sys.executable, "-I", _HERE / program, folder, " " * 4000],
        env={
            "LD_PRELOAD": wall_clock(),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PATH": "/usr/bin:/bin",
            "AWS_EC2_METADATA_DISABLED": "true",
        },
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )

    def end() -> None:
        server.communicate()  # its stdin ends
        clean()

    atexit.register(end)
    while not (folder / socket_name).exists():
        assert server.poll() is None, f"the server of {program} has ended"
        time.sleep(0.02)


@functools.cache
def fork_the_aws_cli() -> None:
    """Have the AWS CLI forked, too, from now on, where it has no terminal, and neither asks nor writes."""
    if folder := _server():
        _serve("warm_aws.py", folder, "aws")
        (folder / "bin" / "aws").symlink_to("awsdirenv")


def variables() -> dict[str, str]:
    """Give the variables with which direnv's bash starts ours so."""
    folder = _server()
    return {"BASH_ENV": f"{folder}/functions.sh"} if folder else {}


def as_program() -> Path | None:
    """Give the path of a program that can be started in the place of the interpreter."""
    folder = _server()
    return folder / "venv" / "bin" / "python3" if folder else None


def variables_of_shell(env: Mapping[str, str]) -> dict[str, str]:
    """Give the variables with which a shell does."""
    return {**variables(), **path_of_programs(env)} if sys.platform == "linux" else {}


def path_of_programs(env: Mapping[str, str]) -> dict[str, str]:
    """Give the PATH in which `awsdirenv` is forked."""
    return {"PATH": env["PATH"].replace(f"{_BIN}:", f"{_server()}/bin:{_BIN}:")} if _server() else {}


def start_on_terminal(
    words: list[bytes], env: Mapping[str, str], cwd: str, dimensions: tuple[int, int]
) -> ptyprocess.PtyProcess:
    """Start a program on a terminal of its own, as ptyprocess does, with a server for what is started there."""
    texts = [str(len(words)).encode(), *words, *(os.fsencode(f"{name}={value}") for name, value in env.items())]
    request = b"".join(text + b"\0" for text in texts)
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", *dimensions, 0, 0))
    folder = os.open(cwd, os.O_RDONLY | os.O_DIRECTORY)
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(f"{_server()}/shells")
        socket.send_fds(server, [struct.pack("I", len(request))], [slave, folder])
        server.sendall(request)
        (pid,) = struct.unpack("i", server.recv(4, socket.MSG_WAITALL))
    os.close(slave)
    os.close(folder)
    return ptyprocess.PtyProcess(pid, master)
