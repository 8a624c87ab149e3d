"""What every test stands on: a real STS on loopback, and a home that has nothing of the developer's in it.

- `unit/ROOM/`: a room of `awsdirenv/`, in the test's own process; `unit/conftest.py` lets none start another one.
  `make quick` runs these.
- `shells/`: real direnv, real shells on terminals, real commands as processes.
- `promises/`: what holds for all of it: secrets, faults, many at once, a day, the shape of the code, errors, documents,
  the wheel.
- `doubles/`: what stands in for AWS, a proxy and TLS, each with its own tests.
- `support/`: what tests of several files use; no test file imports another one.

One test: `.venv/bin/python -m pytest tests/shells/test_direnv_prompt.py -k wrong_codes`.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from container import allows, must_have
from desk import Desk, sit_down
from sdks import installed_node_modules
from strict_sts import StrictSts
from world import BIN, World

TOOLS = ("direnv", "bash", "zsh", "fish", "tcsh", "tmux", "shellcheck", "shfmt", "stat", "stty", "cc")
OF_VENV = ("aws", "node", "npm")  # pip brings them
MEMORY = "/dev/shm"  # where Linux has a file system in it


def _live_in_memory() -> None:
    """Have the homes of tests in memory, where there is room, unless somebody has said where (TMPDIR).

    A test makes a hundred small files and folders, and removes them again. On a disk that is a third of all its time.
    """
    if sys.platform != "linux" or "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK | os.X_OK):
        return
    there = os.statvfs(MEMORY)
    if there.f_bavail * there.f_frsize >= 1 << 30 and not there.f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = tempfile.tempdir = MEMORY


_live_in_memory()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Have tests compiled once where they are not, as in a new clone: otherwise each worker does it, in 7 seconds."""
    tag = f"{sys.implementation.cache_tag}-pytest-{pytest.__version__}.pyc"
    tests = [path for argument in config.args for path in Path(argument).rglob("test_*.py")]
    compiled = [path.parent / "__pycache__" / f"{path.stem}.{tag}" for path in tests]
    if not sys.dont_write_bytecode and not all(map(Path.exists, compiled)):
        command = [sys.executable, "-m", "pytest", "--collect-only", "-qq"]
        halves = [[*command, *map(str, half)] for half in (tests[::2], tests[1::2]) if half]
        for started in [subprocess.Popen(half, stdout=subprocess.DEVNULL) for half in halves]:
            started.wait()  # the workers say what is wrong


def pytest_sessionstart(session: pytest.Session) -> None:
    """Fail loudly where a shell or a tool is missing: a skipped shell is an untested shell."""
    # A run in the background (`make test &`) ignores Ctrl-C and Ctrl-\, and whatever it starts would, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    if os.environ.get("PYTEST_XDIST_WORKER"):
        # Linux shares processors out by sessions: in one with the other workers, an STS starves between busy shells.
        os.setsid()
    if all("tests/unit" in argument for argument in session.config.args):
        return
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    missing += [tool for tool in OF_VENV if shutil.which(tool, path=str(BIN)) is None]
    if missing:
        pytest.exit(f"missing: {', '.join(missing)}; run: make tools venv", returncode=3)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest; where several run at once, mix those that wait for a clock with those that do not.

    In the order of their files, all workers come to the tests of ended sessions together, and the processors idle. The
    order is the same in all workers and in each run.
    """
    if os.environ.get("PYTEST_XDIST_WORKER"):
        # What tests of a file share is made once only if they are not torn apart.
        items.sort(key=lambda item: zlib.crc32((item.path.name if _shares(item) else item.nodeid).encode()))
    items.sort(key=lambda item: item.path.name != "test_day.py")


def pytest_collection_finish() -> None:
    """Leave the thousands of tests alone when garbage is collected: to look at them takes a fifth of all time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _shares(item: pytest.Item) -> bool:
    """Tell whether a test shares something with others of its file, which would be made again for each of them."""
    assert isinstance(item, pytest.Function)
    made_by = [last for *_, last in item._fixtureinfo.name2fixturedefs.values()]
    return any(fixture.scope == "module" for fixture in made_by)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Run what needs more than a container may have only where that is there."""
    for marker in item.iter_markers("needs"):
        for what in marker.args:
            must_have(what, is_there=allows(what))


@pytest.fixture
def sts() -> Iterator[StrictSts]:
    """Start an STS that is as strict as AWS."""
    with StrictSts() as server:
        yield server


@pytest.fixture
def world(sts: StrictSts, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """Make a home with an IAM user `foo`, an MFA device and roles behind it, with the extension installed."""
    made = World(sts, tmp_path)
    made.is_cold = request.node.get_closest_marker("cold") is not None
    if request.node.get_closest_marker("as_program"):
        made.start_as_program()
    yield made
    made.end_timers()


@pytest.fixture
def desk(world: World, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Sit down in this test's world."""
    return sit_down(world, monkeypatch)


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """Have the JavaScript SDK."""
    return installed_node_modules()
