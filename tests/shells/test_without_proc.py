"""A machine without Linux's /proc, as macOS: only /dev/fd is there. What /proc tells, we find out otherwise."""

from __future__ import annotations

import json
import subprocess

import pytest

from container import allows, must_have
from interpreter import count_interpreters
from wall import Wall
from world import BIN, World, wait_for

# /dev/fd leads to /proc/self/fd here, and to the processes' real folders through another place.
HIDDEN = "mount --bind /proc /mnt && mount -t tmpfs none /proc && ln -s /mnt/self /proc/self && exec"


@pytest.fixture(autouse=True)
def _mounts() -> None:
    must_have("mounts", is_there=allows("mounts"))


def run(world: World, command: str, timers: str = "0") -> subprocess.CompletedProcess[str]:
    """Run a line of sh where nothing can be asked of any process, nor of the machine's start."""
    done = world.process("unshare", "--mount", "sh", "-c", f"{HIDDEN} sh -c '{command}'", AWSDIRENV_AUTO_REFRESH=timers)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.needs("/proc")
def test_a_warm_load_starts_no_python(world: World) -> None:
    """A timer is known by its number: only the first load starts Python, for the credentials and for the timer."""
    world.role("plain", mfa=False)
    folder = world.project("plain")
    log = count_interpreters(world)
    try:
        run(world, f"cd {folder} && direnv export json", timers="1")
        timers = world.cache / "timers"
        wait_for(lambda: any(mark.stat().st_size for mark in timers.iterdir()))
        assert log.read_text() == "started\n" * 2
        log.unlink()
        for _ in range(2):
            done = run(world, f"cd {folder} && direnv export json", timers="1")
            assert json.loads(done.stdout)["AWSDIRENV_PROFILE"] == "plain"
        assert not log.exists()
        (timer,) = json.loads(run(world, "awsdirenv status --json").stdout)["timers"]
        assert timer["profile"] == "plain"
    finally:
        world.end_timers()
    assert json.loads(run(world, "awsdirenv status --json").stdout)["timers"] == []


def test_status_tells_who_holds_a_lock(world: World) -> None:
    """A lock that is held is shown with its holder; one that was let go is not, though its holder lives on."""
    script = (
        "import sys; from pathlib import Path; from awsdirenv.system.lock import Locks; "
        "locks = Locks(Path(sys.argv[1]), 0, print)\n"
        'with locks.hold("before"): locks.note("doing this")\n'
        'with locks.hold("now"): locks.note("doing that"); print("held", flush=True); sys.stdin.read()'
    )
    (world.cache / "locks").mkdir(0o700, parents=True, exist_ok=True)
    with subprocess.Popen(
        [BIN / "python", "-c", script, str(world.cache / "locks")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        (lock,) = json.loads(run(world, "awsdirenv status --json").stdout)["locks"]
        holder.communicate()
    assert (lock["name"], lock["pid"]) == ("now", holder.pid)
    assert json.loads(run(world, "awsdirenv status --json").stdout)["locks"] == []


def test_a_clock_that_was_set_is_noticed(world: World) -> None:
    """As macOS tells it, the start of the machine has moved by as much: what was kept before says so."""
    wall = Wall(world)
    world.role("plain", mfa=False)
    run(world, "awsdirenv load -- plain")
    (snapshot,) = (world.cache / "snapshots").iterdir()
    script = world.program(
        "since",
        f"#!{BIN}/python\nfrom awsdirenv.system import clocks, files\nfrom pathlib import Path\n"
        f"print(clocks.set_since(files.read_private(Path({str(snapshot)!r}))['AWSDIRENV_CLOCK']).total_seconds())\n",
    )
    for ahead in (0, -7200, 7200):
        wall.set(ahead)
        assert abs(float(run(world, str(script)).stdout) - ahead) < 60
