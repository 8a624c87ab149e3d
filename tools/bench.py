"""`make bench`: what a person waits for, as ratios of whole processes within one run, and a plot of them.

Whatever is compared runs in turn, because the machine's speed drifts; a figure is the median ratio. Beside the wall
time stands that of the processor, user and system, of the process and all it has waited for: other programs of a busy
machine do not count in it. Nothing here is a test: a slow machine is no fault. Milliseconds are for orientation only.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
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

# Each prints how long a thing takes a shell, in nanoseconds: our hook, direnv's, and a prompt's segment.
PROMPTS = {
    "bash": """
eval "$(direnv hook bash)"; source @HOOK@; _direnv_hook 2>/dev/null
each() {
  local n=$1 i from=$EPOCHREALTIME; shift
  for ((i = 0; i < n; i++)); do "$@"; done >/dev/null 2>&1
  echo $(((${EPOCHREALTIME/./} - ${from/./}) * 1000 / n)) >&3
}
draw() { PS1="$(awsdirenv prompt)"; }
each 2000 _awsdirenv_hook; each 20 _direnv_hook; each 100 draw
""",
    "zsh": """
eval "$(direnv hook zsh)"; source @HOOK@; _direnv_hook 2>/dev/null
each() {
  local n=$1 from=$EPOCHREALTIME; shift
  repeat $n; do "$@"; done >/dev/null 2>&1
  print -u3 $(( int((EPOCHREALTIME - from) * 1e9 / n) ))
}
zmodload zsh/mathfunc
draw() { PROMPT="$(awsdirenv prompt)"; }
each 2000 _awsdirenv_hook; each 20 _direnv_hook; each 100 draw
""",
    "fish": """
direnv hook fish | source; source @HOOK@; direnv export fish 2>/dev/null | source
function each
    set -l from (date +%s%N)
    for i in (seq $argv[1]); $argv[2..]; end >/dev/null 2>&1
    math -s0 "($(date +%s%N) - $from) / $argv[1]" >&3
end
function theirs; direnv export fish | source; end
function draw; set -g prompt (awsdirenv prompt); end
each 1000 _awsdirenv_hook; each 20 theirs; each 100 draw
""",
}

BARE_SOURCE = """
import boto3, sys
session = boto3.Session(profile_name=sys.argv[1])
session.get_credentials().get_frozen_credentials()
if len(sys.argv) > 2:
    session.client("sts").get_caller_identity()
"""


@dataclass(frozen=True)
class Row:
    """One line of the table: a ratio with its budget, both in multiples of `unit`."""

    name: str
    ratio: float
    budget: float
    unit: str
    cpu: float | None = None  # the same ratio of the processor's time


def main() -> None:
    """Measure, print, plot."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=40, help="pairs per figure (default: %(default)s)")
    options.add_argument("--plot", type=Path, help="write an SVG here")
    arguments = options.parse_args()
    with StrictSts() as sts, tempfile.TemporaryDirectory() as folder:
        world = World(sts, Path(folder))
        del world.env["AWSDIRENV_AUTO_REFRESH"]  # as people have it: with timers
        rows = measure(world, arguments.pairs)
        world.run("awsdirenv", "clear", "--all").check_returncode()  # ends them
    for row in rows:
        verdict = "ok" if row.ratio <= row.budget else "OVER BUDGET"
        cpu = f"  (processor {row.cpu:.3f})" if row.cpu else ""
        print(f"{row.name:46} {row.ratio:6.3f} x {row.unit:34} budget {row.budget:.2f}  {verdict}{cpu}")
    if arguments.plot:
        arguments.plot.write_text(plot(rows), encoding="utf-8")
        print(f"wrote {arguments.plot}")


def measure(world: World, pairs: int) -> list[Row]:
    """Give all figures."""
    world.project("floor", "".join(f"export VARIABLE{n}=value\n" for n in range(6)))
    world.role("plain", mfa=False)
    world.project("plain")
    world.project("live", "use aws_profile plain --live\n")
    rows = []
    for count in (10, 5000):
        pad_config(world, count)
        rows += entering(world, count, pairs)
        rows.append(cold(world, count, max(8, pairs // 3)))
    rows += light_commands(world, pairs)
    rows.append(crowd(world, max(5, pairs // 5)))
    rows += [row for shell in PROMPTS for row in at_prompts(world, shell, max(5, pairs // 5))]
    return rows + sources(world, max(8, pairs // 3))


@dataclass(frozen=True)
class Cost:
    """What a process took, in seconds: from start to end, and of the processor with all that it has waited for."""

    wall: float
    cpu: float


def entering(world: World, count: int, pairs: int) -> list[Row]:
    """Measure what the shell's hook runs, against the same in a home where awsdirenv was never installed."""
    never = {**world.env, "DIRENV_CONFIG": str(world.root / "direnv-without-us")}
    hook = ["direnv", "export", "bash"]
    cases = {
        "floor": (hook, world.root / "floor", never),
        "static exports, awsdirenv installed": (hook, world.root / "floor", world.env),
        "warm": (hook, world.root / "plain", world.env),
        "warm, --live": (hook, world.root / "live", world.env),
    }
    costs = in_turn(cases, pairs)
    if count > 10:
        del cases["static exports, awsdirenv installed"]
    budgets = {"static exports, awsdirenv installed": 1.01, "warm": 1.25, "warm, --live": 1.25}
    names = {name: name if name not in ("warm", "warm, --live") else f"{name}, {count} profiles" for name in cases}
    return [
        compared(names[name], costs[name], costs["floor"], budgets[name], "static exports without us")
        for name in cases
        if name != "floor"
    ]


def light_commands(world: World, pairs: int) -> list[Row]:
    """Measure the commands that prompts and people run all the time, against a Python that does nothing."""
    budgets = {"--version": 2.0, "prompt": 2.0, "status": 3.5}
    env = {**world.env, "AWSDIRENV_PROFILE": "plain"}
    cases = {word: ([str(Path(sys.executable).with_name("awsdirenv")), word], world.root, env) for word in budgets}
    cases["floor"] = ([sys.executable, "-I", "-c", "pass"], world.root, env)
    costs = in_turn(cases, pairs)
    return [
        compared(f"awsdirenv {word}", costs[word], costs["floor"], budget, "python -I -c pass")
        for word, budget in budgets.items()
    ]


def in_turn(cases: Mapping[str, tuple[list[str], Path, dict[str, str]]], rounds: int) -> dict[str, list[Cost]]:
    """Run all cases one after the other, again and again; the first three rounds do not count.

    Each round has its own order: whoever runs behind a heavy case pays for the caches that it has emptied.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in cases}
    order = random.Random(1)
    for number in range(rounds + 3):
        for name in order.sample(list(cases), len(cases)):
            command, folder, env = cases[name]
            cost = cost_of(command, folder, env)
            if number >= 3:
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


def compared(name: str, ours: list[Cost], theirs: list[Cost], budget: float, unit: str) -> Row:
    """Give the median ratios of what ran in the same round, and print the least times."""
    print(
        f"# {name}: at least {min(cost.wall for cost in ours) * 1e3:.1f} ms, "
        f"processor {min(cost.cpu for cost in ours) * 1e3:.1f} ms; "
        f"{unit} {min(cost.wall for cost in theirs) * 1e3:.1f} ms, "
        f"processor {min(cost.cpu for cost in theirs) * 1e3:.1f} ms"
    )
    wall = statistics.median(a.wall / b.wall for a, b in zip(ours, theirs, strict=True))
    cpu = statistics.median(a.cpu / b.cpu for a, b in zip(ours, theirs, strict=True))
    return Row(name, wall, budget, unit, cpu)


def at_prompts(world: World, shell: str, rounds: int) -> list[Row]:
    """Measure in one shell what our hook and a prompt's segment cost beside direnv's own hook, with nothing to do."""
    hook = world.home / ".local" / "share" / "awsdirenv" / f"hook.{shell}"
    script = world.root / f"prompts.{shell}"
    script.write_text(PROMPTS[shell].replace("@HOOK@", str(hook)))
    command = {"bash": "bash", "zsh": "zsh -f", "fish": "fish --no-config"}[shell]
    figures = []
    for _ in range(rounds):
        done = world.run("sh", "-c", f"exec {command} {script} 3>&1 >/dev/null 2>&1", cwd=world.root / "plain")
        figures.append([int(figure) for figure in done.stdout.split()])
    ours, theirs, segment = (statistics.median(column) for column in zip(*figures, strict=True))
    print(
        f"# {shell}, a prompt: our hook {ours / 1e6:.3f} ms, direnv's {theirs / 1e6:.1f} ms, "
        f"awsdirenv prompt {segment / 1e6:.2f} ms"
    )
    return [
        Row(f"our hook at a prompt, {shell}", ours / theirs * 100, 1.50, "a hundredth of direnv's own hook"),
        Row(f"awsdirenv prompt, {shell}", segment / theirs * 10, 2.50, "a tenth of direnv's own hook"),
    ]


def sources(world: World, pairs: int) -> list[Row]:
    """Measure a first load from each kind of source against botocore alone, without what direnv itself costs."""
    world.sso_session("corp")
    role = world.sso_profile("sso", "corp")
    world.web_identity_profile("web-identity")
    given = json.dumps({"Version": 1, **world.sts.issue_credentials(role)})
    world.profile("process", credential_process=world.program("give", f"echo '{given}'"), region=REGION)
    told = json.dumps({**json.loads(given), "AccountId": "123456789012"})
    world.profile("process-told", credential_process=world.program("tell", f"echo '{told}'"), region=REGION)
    script, floor = world.root / "bare_source.py", world.root / "floor"
    script.write_text(BARE_SOURCE)
    base = statistics.median(evaluate(world, floor) for _ in range(9))
    names = {
        "sso": "IAM Identity Center",
        "web-identity": "web identity",
        "process-told": "credential_process",
        "process": "credential_process that names no account",  # STS is asked whose it is, by both sides
    }
    rows = []
    for profile, name in names.items():
        folder = world.project(profile)

        def load(folder: Path = folder) -> float:
            forget(world)
            return evaluate(world, folder) - base

        bare = [sys.executable, str(script), profile, *(["and whose"] if profile == "process" else [])]
        ratio, ours, theirs = pair(load, lambda bare=bare: timed(bare, world, world.root), pairs)  # type: ignore[misc]
        print(f"# cold, {name}: {ours * 1e3:.0f} ms without direnv, botocore alone {theirs * 1e3:.0f} ms")
        rows.append(Row(f"cold, {name}", ratio, 1.15, "botocore alone"))
    return rows


def cold(world: World, count: int, pairs: int) -> Row:
    """Measure a first load against a script that does nothing but AssumeRole, without what direnv itself costs."""
    script, folder, floor = world.root / "bare.py", world.root / "plain", world.root / "floor"
    script.write_text(BARE)
    base = statistics.median(evaluate(world, floor) for _ in range(9))

    def load() -> float:
        forget(world)
        return evaluate(world, folder) - base

    def bare() -> float:
        return timed([sys.executable, str(script), "arn:aws:iam::123456789012:role/plain"], world, world.root)

    ratio, ours, theirs = pair(load, bare, pairs)
    print(f"# cold, {count} profiles: {ours * 1e3:.0f} ms without direnv, bare boto3 {theirs * 1e3:.0f} ms")
    return Row(f"cold, {count} profiles in the config file", ratio, 1.15, "a bare boto3 AssumeRole script")


def crowd(world: World, rounds: int) -> Row:
    """Measure fifty shells that all enter at once with nothing cached, against one that does; both without direnv."""
    folder, floor = world.root / "plain", world.root / "floor"
    base_many = statistics.median(at_once(world, floor) for _ in range(5))
    base_one = statistics.median(evaluate(world, floor) for _ in range(9))

    def many() -> float:
        forget(world)
        return at_once(world, folder) - base_many

    def one() -> float:
        forget(world)
        return evaluate(world, folder) - base_one

    before = world.sts.count("AssumeRole")
    ratio, ours, single = pair(many, one, rounds)
    calls = world.sts.count("AssumeRole") - before - 2 * (rounds + 1)
    assert calls == 0, f"{calls} AssumeRole too many"
    print(
        f"# {SHELLS_AT_ONCE} cold shells: {ours * 1e3:.0f} ms more than as many with static exports, which take "
        f"{base_many * 1e3:.0f} ms; one cold load {single * 1e3:.0f} ms more than one"
    )
    return Row(f"{SHELLS_AT_ONCE} cold shells, the last one served", ratio, 2.0, "one cold load")


def at_once(world: World, folder: Path) -> float:
    """Time fifty evaluations that start together, until the last has ended."""
    null, command = subprocess.DEVNULL, ["direnv", "export", "bash"]
    started = time.perf_counter()
    shells = [
        subprocess.Popen(command, cwd=folder, env=world.env, stdin=null, stdout=null, stderr=null)
        for _ in range(SHELLS_AT_ONCE)
    ]
    for shell in shells:
        shell.wait()
    return time.perf_counter() - started


def pad_config(world: World, count: int) -> None:
    """Fill the config file up to so many profiles."""
    text = world.config.read_text()
    present = text.count("[profile ")
    more = (
        f"[profile filler{n}]\nrole_arn = arn:aws:iam::{n:012d}:role/filler\nsource_profile = base\nregion = {REGION}\n"
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
    size = f'width="760" height="{height * len(rows) + 20}"'
    style = 'font-family="system-ui, sans-serif" font-size="13" fill="#57606a"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>']
    for number, row in enumerate(rows):
        y, budget = 12 + number * height, left + row.budget * scale
        label = f'x="{left - 10}" text-anchor="end"'
        parts += [
            f'<text {label} y="{y + 12}">{row.name}</text>',
            f'<text {label} y="{y + 27}" font-size="11">in multiples of {row.unit}</text>',
            f'<rect x="{left}" y="{y}" width="{row.ratio * scale:.0f}" height="22" fill="#2f81f7"/>',
            f'<text x="{left + 6}" y="{y + 16}" fill="#ffffff">{row.ratio:.2f}</text>',
            f'<path d="M{budget:.0f} {y - 4}v30" stroke="#cf222e" stroke-width="2"/>',
            f'<text x="{budget + 5:.0f}" y="{y + 16}" font-size="11">{row.budget:.2f}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    main()
