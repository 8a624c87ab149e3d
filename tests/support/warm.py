"""The Python of the extension, forked off one that has imported everything already: a tenth of a new one's time.

`World.enter` has direnv's bash find it in the place of the interpreter, by a function of that path (`BASH_ENV`). The
command's arguments, environment, folder, streams, umask and status are those of a real start, and it has a process of
its own. Where a difference could show, the real one is started: at a terminal, for timers, with variables that count
from a process's start. Tests that are about the start itself are marked `cold`.
"""

from __future__ import annotations

import atexit
import functools
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from awsdirenv.system.files import own_python

_HERE = Path(__file__).parent


@functools.cache
def variables() -> dict[str, str]:
    """Give the variables with which direnv's bash starts ours so; start the server, once for a process of tests."""
    python = own_python()
    if not re.fullmatch(r"[\w/.-]+", python):  # no name of a function
        return {}
    folder = tempfile.TemporaryDirectory(prefix="awsdirenv-warm-")
    client, socket, functions = (Path(folder.name, name) for name in ("client", "socket", "functions.sh"))
    subprocess.run(["cc", "-O2", "-o", client, _HERE / "warm_client.c"], check=True)
    # Where the client is killed, bash says so, with the whole line, to the stderr that the function has.
    call = f'{client} {socket} {python} "$@" 2>&8 8>&-'
    functions.write_text(f"{python}() {{ {{ {call}; }} 8>&2 2>/dev/null; }}\n")
    server = subprocess.Popen(
        [sys.executable, "-I", _HERE / "warm_server.py", socket],
        env={"HOME": folder.name, "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin", "AWS_EC2_METADATA_DISABLED": "true"},
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )

    def end() -> None:
        server.communicate()  # its stdin ends
        folder.cleanup()

    atexit.register(end)
    while not socket.exists():
        assert server.poll() is None, "the server of warm.py has ended"
        time.sleep(0.02)
    return {"BASH_ENV": str(functions)}
