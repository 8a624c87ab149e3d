"""`make bench`: what a person waits for, as ratios of whole processes within one run, and a plot of them.

Every figure is a median of interleaved pairs, because the machine's speed drifts. Nothing here is a test: a slow
machine is no fault. Milliseconds are printed for orientation only.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from strict_sts import StrictSts
from world import REGION, World

SHELLS_AT_ONCE = 50
BARE = """
import boto3, sys
sts = boto3.Session(profile_name="base").client("sts")
sts.assume_role(RoleArn=sys.argv[1], RoleSessionName="bare")["Credentials"]
"""


@dataclass(frozen=True)
class Row:
    """One line of the table: a ratio with its budget, both in multiples of `unit`."""

    name: str
    ratio: float
    budget: float
    unit: str


def main() -> None:
    """Measure, print, plot."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=40, help="pairs per figure (default: %(default)s)")
    options.add_argument("--plot", type=Path, help="write an SVG here")
    arguments = options.parse_args()
    with StrictSts() as sts, tempfile.TemporaryDirectory() as folder:
        rows = measure(World(sts, Path(folder)), arguments.pairs)
    for row in rows:
        verdict = "ok" if row.ratio <= row.budget else "OVER BUDGET"
        print(f"{row.name:46} {row.ratio:6.2f} x {row.unit:34} budget {row.budget:.2f}  {verdict}")
    if arguments.plot:
        arguments.plot.write_text(plot(rows), encoding="utf-8")
        print(f"wrote {arguments.plot}")


def measure(world: World, pairs: int) -> list[Row]:
    """Give all figures."""
    floor = world.project("floor", "".join(f"export VARIABLE{n}=value\n" for n in range(6)))
    arn = world.role("plain", mfa=False)
    folder = world.project("plain")
    rows = []
    for count in (10, 5000):
        pad_config(world, count)
        world.enter(folder)
        world.enter(folder)
        ratio, ours, base = pair(lambda: evaluate(world, folder), lambda: evaluate(world, floor), pairs)
        rows.append(Row(f"warm, {count} profiles in the config file", ratio, 1.30, "static exports"))
        print(f"# warm, {count} profiles: {ours * 1e3:.1f} ms, static exports {base * 1e3:.1f} ms")
        rows.append(cold(world, folder, floor, arn, count, max(8, pairs // 3)))
    rows.append(crowd(world, folder, max(3, pairs // 10)))
    return rows


def cold(world: World, folder: Path, floor: Path, arn: str, count: int, pairs: int) -> Row:
    """Measure a first load against a script that does nothing but AssumeRole, without what direnv itself costs."""
    script = world.root / "bare.py"
    script.write_text(BARE)
    base = statistics.median(evaluate(world, floor) for _ in range(9))

    def load() -> float:
        forget(world)
        return evaluate(world, folder) - base

    def bare() -> float:
        return timed([sys.executable, str(script), arn], world, world.root)

    ratio, ours, theirs = pair(load, bare, pairs)
    print(f"# cold, {count} profiles: {ours * 1e3:.0f} ms without direnv, bare boto3 {theirs * 1e3:.0f} ms")
    return Row(f"cold, {count} profiles in the config file", ratio, 1.15, "a bare boto3 AssumeRole script")


def crowd(world: World, folder: Path, rounds: int) -> Row:
    """Measure fifty shells that all enter at once with nothing cached, against one that does."""

    def many() -> float:
        forget(world)
        started = time.perf_counter()
        command = ["direnv", "export", "bash"]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        shells = [subprocess.Popen(command, cwd=folder, env=world.env, **quiet) for _ in range(SHELLS_AT_ONCE)]
        for shell in shells:
            shell.wait()
        return time.perf_counter() - started

    def one() -> float:
        forget(world)
        return evaluate(world, folder)

    before = world.sts.count("AssumeRole")
    ratio, ours, single = pair(many, one, rounds)
    calls = world.sts.count("AssumeRole") - before - 2 * (rounds + 1)
    assert calls == 0, f"{calls} AssumeRole too many"
    print(f"# {SHELLS_AT_ONCE} cold shells: {ours * 1e3:.0f} ms until the last is served, one {single * 1e3:.0f} ms")
    return Row(f"{SHELLS_AT_ONCE} cold shells, the last one served", ratio, 2.0, "one cold load")


def pad_config(world: World, count: int) -> None:
    """Fill the config file up to so many profiles."""
    text = world.config.read_text()
    present = text.count("[profile ")
    more = (
        f"[profile filler-{n}]\nrole_arn = arn:aws:iam::{n:012d}:role/filler\nsource_profile = base\nregion = {REGION}\n"
        for n in range(present, count)
    )
    world.config.write_text(text + "".join(more))


def forget(world: World) -> None:
    """Make the next load a cold one."""
    for name in ("snapshots", "sessions", "watches"):
        shutil.rmtree(world.cache / name, ignore_errors=True)


def evaluate(world: World, folder: Path) -> float:
    """Time what the shell's hook runs, in seconds."""
    return timed(["direnv", "export", "bash"], world, folder)


def timed(command: list[str], world: World, folder: Path) -> float:
    """Time a whole process, in seconds."""
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, env=world.env, capture_output=True, check=True, stdin=subprocess.DEVNULL)
    return time.perf_counter() - started


def pair(ours: Callable[[], float], theirs: Callable[[], float], pairs: int) -> tuple[float, float, float]:
    """Measure in turn; give the median ratio and the medians."""
    ours(), theirs()
    figures = [(ours(), theirs()) for _ in range(pairs)]
    ratio = statistics.median(a / b for a, b in figures)
    return ratio, statistics.median(a for a, _ in figures), statistics.median(b for _, b in figures)


def plot(rows: list[Row]) -> str:
    """Draw bars with the budget as a mark; readable on light and dark ground."""
    scale, left, height = 150.0, 330, 44
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{height * len(rows) + 20}" '
        'font-family="system-ui, sans-serif" font-size="13" fill="#57606a">'
    ]
    for number, row in enumerate(rows):
        y = 12 + number * height
        parts += [
            f'<text x="{left - 10}" y="{y + 12}" text-anchor="end">{row.name}</text>',
            f'<text x="{left - 10}" y="{y + 27}" text-anchor="end" font-size="11">in multiples of {row.unit}</text>',
            f'<rect x="{left}" y="{y}" width="{row.ratio * scale:.0f}" height="22" fill="#2f81f7"/>',
            f'<text x="{left + 6}" y="{y + 16}" fill="#ffffff">{row.ratio:.2f}</text>',
            f'<line x1="{left + row.budget * scale:.0f}" x2="{left + row.budget * scale:.0f}" y1="{y - 4}" '
            f'y2="{y + 26}" stroke="#cf222e" stroke-width="2"/>',
            f'<text x="{left + row.budget * scale + 5:.0f}" y="{y + 16}" font-size="11">{row.budget:.2f}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    main()
