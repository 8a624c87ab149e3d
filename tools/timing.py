"""How long programs take, measured in turn: the machine's speed drifts, and ratios of neighbours do not."""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

SHELLS_AT_ONCE = 50
Case = tuple[list[str], Path, dict[str, str]]  # a command, its working directory and its environment


@dataclass(frozen=True)
class Cost:
    """What a process took, in seconds: from start to end, and of the processor with all that it has waited for."""

    wall: float
    cpu: float


def in_turn(
    cases: Mapping[str, Case], rounds: int, before: Mapping[str, Callable[[], None]] | None = None, unused: int = 3
) -> dict[str, list[Cost]]:
    """Run all cases one after the other, again and again; the first rounds, `unused`, do not count.

    Each round has its own order: whoever runs behind a heavy case pays for the caches that it has emptied. `before` is
    what has to be done before a case, and does not count.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in cases}
    order = random.Random(1)
    for number in range(rounds + unused):
        for name in order.sample(list(cases), len(cases)):
            (before or {}).get(name, lambda: None)()
            cost = cost_of(*cases[name])
            if number >= unused:
                costs[name].append(cost)
    return costs


def cost_of(command: list[str], folder: Path, env: dict[str, str]) -> Cost:
    """Run a program that must succeed, with nobody at a terminal."""
    null = subprocess.DEVNULL
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=env, stdin=null, stdout=null, stderr=null)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return Cost(wall, usage.ru_utime + usage.ru_stime)


def timed(command: list[str], folder: Path, env: dict[str, str]) -> float:
    """Time a whole process, in seconds."""
    return cost_of(command, folder, env).wall


def pair(ours: Callable[[], float], theirs: Callable[[], float], pairs: int) -> tuple[float, float, float]:
    """Measure in turn; give the median ratio and the medians."""
    ours(), theirs()
    figures = [(ours(), theirs()) for _ in range(pairs)]
    ratio = statistics.median(a / b for a, b in figures)
    return ratio, statistics.median(a for a, _ in figures), statistics.median(b for _, b in figures)


def at_once(folder: Path, env: dict[str, str]) -> tuple[float, int]:
    """Time fifty evaluations that start together, until the last has ended; say how many of them got a session.

    They wait at a pipe for each other: who had started a tenth of a second earlier would be done before the rest.
    """
    command = ["sh", "-c", "read -r _; exec direnv export json </dev/null"]
    with tempfile.TemporaryDirectory() as outputs, ExitStack() as stack:
        files = [Path(outputs, str(number)) for number in range(SHELLS_AT_ONCE)]
        opened = [stack.enter_context(file.open("wb")) for file in files]
        gate, opener = os.pipe()
        shells = [
            subprocess.Popen(command, cwd=folder, env=env, stdin=gate, stdout=file, stderr=subprocess.DEVNULL)
            for file in opened
        ]
        time.sleep(0.5)
        started = time.perf_counter()
        os.close(opener)
        for shell in shells:
            shell.wait()
        seconds = time.perf_counter() - started
        os.close(gate)
        tokens = [json.loads(file.read_bytes() or "{}").get("AWS_SESSION_TOKEN") for file in files]
    return seconds, sum(map(bool, tokens))
