"""What every test stands on: a real STS on loopback, and a home that has nothing of the developer's in it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from desk import Desk, sit_down
from sdks import installed_node_modules
from strict_sts import StrictSts
from world import BIN, World

TOOLS = ("direnv", "bash", "zsh", "fish", "shellcheck", "shfmt", "stat", "stty", "cc")
OF_VENV = ("aws", "node", "npm")  # pip brings them


def pytest_sessionstart() -> None:
    """Fail loudly where a shell or a tool is missing: a skipped shell is an untested shell."""
    # A run in the background (`make test &`) ignores Ctrl-C, and whatever it starts would, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if os.environ.get("PYTEST_XDIST_WORKER"):
        # Linux shares processors out by sessions: in one with the other workers, an STS starves between busy shells.
        os.setsid()
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    missing += [tool for tool in OF_VENV if shutil.which(tool, path=str(BIN)) is None]
    if missing:
        pytest.exit(f"missing: {', '.join(missing)}; run: make tools venv", returncode=3)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest. What needs root (mounts, strangers' files) is skipped in plain sight, but not in CI."""
    items.sort(key=lambda item: item.path.name != "test_day.py")
    if os.geteuid() == 0 or os.environ.get("CI"):
        return
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.fixture
def sts() -> Iterator[StrictSts]:
    """Start an STS that is as strict as AWS."""
    with StrictSts() as server:
        yield server


@pytest.fixture
def world(sts: StrictSts, tmp_path: Path) -> Iterator[World]:
    """Make a home with an IAM user `foo`, an MFA device and roles behind it, with the extension installed."""
    made = World(sts, tmp_path)
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
