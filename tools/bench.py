"""`make bench`: what a person waits for, as ratios of whole processes within one run, and a picture of them.

Whatever is compared runs in turn, because the machine's speed drifts; a figure is the median ratio. Beside the wall
time stands that of the processor, user and system, of the process and all it has waited for: other programs of a busy
machine do not count in it. Nothing here is a test: a slow machine is no fault. Milliseconds are for orientation only.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shlex
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import peers
from awsdirenv.system.files import own_python
from chart import Row, draw
from strict_sts import StrictSts
from timing import SHELLS_AT_ONCE, Cost, at_once, in_turn, pair, timed
from world import REGION, World

AGAIN = "the floor again"
US, LIVE, STATIC = "awsdirenv: use aws_profile", "awsdirenv: use aws_profile --live", "static exports, without any AWS"
KEPT = Path(__file__).resolve().parent.parent / "build" / "bench.json"
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


def main() -> None:
    """Measure, print, draw."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=40, help="pairs per figure (default: %(default)s)")
    options.add_argument("--peers", action="store_true", help="compare with what people use otherwise, and draw it all")
    options.add_argument("--plot", type=Path, help="where the picture of a run with --peers goes")
    options.add_argument("--redraw", action="store_true", help="measure nothing, and draw the last run with --peers")
    arguments = options.parse_args()
    if arguments.redraw:
        kept = json.loads(KEPT.read_text(encoding="utf-8"))
        rows, figures = [Row(**row) for row in kept["rows"]], [peers.Figures(**row) for row in kept["peers"]]
    else:
        rows, figures = run(arguments.pairs, with_peers=arguments.peers)
    for row in rows:
        verdict = "ok" if row.ratio <= row.budget else "OVER BUDGET"
        cpu = f"  (processor {row.cpu:.3f})" if row.cpu else ""
        print(f"{row.name:46} {row.ratio:6.3f} x {row.unit:34} budget {row.budget:.2f}  {verdict}{cpu}")
    for each in figures:
        print(peers.line(each))
    if arguments.plot and figures:
        kept = {"rows": [*map(dataclasses.asdict, rows)], "peers": [*map(dataclasses.asdict, figures)]}
        KEPT.parent.mkdir(exist_ok=True)
        KEPT.write_text(json.dumps(kept, indent=1), encoding="utf-8")
        arguments.plot.write_text(draw(rows, figures), encoding="utf-8")
        print(f"wrote {arguments.plot}")
    elif arguments.plot:
        print(f"{arguments.plot} stays as it is: make bench ARGS=--peers draws it")


def run(pairs: int, *, with_peers: bool) -> tuple[list[Row], list[peers.Figures]]:
    """Measure everything in a home of its own."""
    with StrictSts() as sts, tempfile.TemporaryDirectory() as folder:
        world = World(sts, Path(folder))
        del world.env["AWSDIRENV_AUTO_REFRESH"]  # as people have it: with timers
        measured = measure(world, pairs, with_peers=with_peers)
        world.run("awsdirenv", "clear", "--all").check_returncode()  # ends them
    return measured


def measure(world: World, pairs: int, *, with_peers: bool) -> tuple[list[Row], list[peers.Figures]]:
    """Give all figures."""
    world.project("floor", "".join(f"export VARIABLE{n}=value\n" for n in range(6)))
    arn = world.role("plain", mfa=False)
    world.project("plain")
    world.project("live", "use aws_profile plain --live\n")
    others, environ = peers.prepare(world, arn) if with_peers else ([], {})
    # For warm loads it stands in the file, as AWS's own endpoint needs no variable; see `entering`.
    text = world.config.read_text(encoding="utf-8").replace("[profile plain]\n", f"[profile plain]\n{endpoint(world)}")
    world.config.write_text(text, encoding="utf-8")
    rows, figures = [], list[peers.Figures]()
    for count in (10, 5000):
        pad_config(world, count)
        few = others if count == 10 else []
        costs = entering(world, count, pairs, few, environ)
        rows += compared_with_floor(costs, count)
        if few:
            figures = beside(world, costs, pairs, few, environ)
        rows.append(cold(world, count, max(8, pairs // 3)))
    rows += light_commands(world, pairs)
    rows.append(asked_by_an_sdk(world, pairs))
    rows.append(crowd(world, max(5, pairs // 5)))
    rows += [row for shell in PROMPTS for row in at_prompts(world, shell, max(5, pairs // 5))]
    return rows + sources(world, max(8, pairs // 3)), figures


def entering(
    world: World, count: int, pairs: int, others: list[peers.Peer], environ: dict[str, str]
) -> dict[str, list[Cost]]:
    """Measure what the shell's hook runs, against the same in a home where awsdirenv was never installed."""
    hook = ["direnv", "export", "bash"]
    env, without = ({**env} for env in (world.env, peers.without_us(world)))
    for each in (env, without):  # it would be 0.01 of our loads, for what only those have who use another endpoint
        del each["AWS_ENDPOINT_URL"]
    cases = {
        STATIC: (hook, world.root / "floor", without),
        AGAIN: (hook, world.root / "floor", without),
        "static exports, awsdirenv installed": (hook, world.root / "floor", env),
        US: (hook, world.root / "plain", env),
        LIVE: (hook, world.root / "live", env),
        **peers.cases(world, others, environ),
    }
    if count > 10:
        del cases["static exports, awsdirenv installed"]
    grow_old(world, env)
    # A pair's ratio is off by some 4 %: in forty pairs nobody sees a budget of 1 %.
    costs = in_turn(cases, pairs if others or count > 10 else pairs * 5)
    again = costs.pop(AGAIN)
    control = statistics.median(two.wall / one.wall for one, two in zip(costs[STATIC], again, strict=True))
    print(f"# the floor against itself: {control:.3f} (so much may other figures of this run be off, too)")
    # So that each figure is compared with both.
    return {name: figures + (again if name == STATIC else figures) for name, figures in costs.items()}


def endpoint(world: World) -> str:
    """Give the line of a profile for the test's STS."""
    return f"endpoint_url = {world.env['AWS_ENDPOINT_URL']}\n"


def grow_old(world: World, env: dict[str, str]) -> None:
    """Let the extension remember as many directories' watches as it ever does; that of the last one comes first."""
    for name in ("plain", "live"):
        timed(["direnv", "export", "bash"], world.root / name, env)
    for path in (world.cache / "watches").iterdir():
        lines = path.read_text(encoding="utf-8").splitlines()
        others = [f"other{number}{lines[0]}" for number in range(24 - len(lines))]
        path.write_text("\n".join([*lines, *others, ""]), encoding="utf-8")


def compared_with_floor(costs: dict[str, list[Cost]], count: int) -> list[Row]:
    """Give our own rows of what `entering` has measured."""
    names = {
        "static exports, awsdirenv installed": ("static exports, awsdirenv installed", 1.01),
        US: (f"warm, {count} profiles", 1.25),
        LIVE: (f"warm, --live, {count} profiles", 1.25),
    }
    return [
        compared(name, costs[key], costs[STATIC], budget, "static exports without us")
        for key, (name, budget) in names.items()
        if key in costs
    ]


def beside(
    world: World, costs: dict[str, list[Cost]], pairs: int, others: list[peers.Peer], environ: dict[str, str]
) -> list[peers.Figures]:
    """Compare us with the others: warm, which is measured already, cold, and fifty shells at once."""
    ours = (["direnv", "export", "bash"], world.root / "plain", world.env)
    theirs = peers.cases(world, others, environ)
    cases = {US: (ours, lambda: forget(world))}
    cases |= {peer.name: (theirs[peer.name], lambda peer=peer: peer.forget(world)) for peer in others}  # type: ignore[misc]
    return peers.compare(costs, costs[STATIC], cases, world, pairs)


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


def asked_by_an_sdk(world: World, pairs: int) -> Row:
    """Measure what an SDK waits for in a live directory, against the Python that used to print the same."""
    evaluate(world, world.root / "live")  # by the real Python, and not by that of the tests
    changes, _ = world.enter(world.root / "live")
    env = {**world.env, **{name: value for name, value in changes.items() if value is not None}}
    text = Path(env["AWS_CONFIG_FILE"]).read_text(encoding="utf-8").partition("[profile plain]")[2]
    words = shlex.split(text.partition("credential_process = ")[2].partition("\n")[0])
    python = words[words.index(own_python()) :]
    costs = in_turn({"stored": (words, world.root, env), "python": (python, world.root, env)}, pairs)
    return compared("credential-process, --live", costs["stored"], costs["python"], 0.15, "the same by Python")


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
    return Row(name, wall, budget, unit, cpu, milliseconds(ours), milliseconds(theirs))


def milliseconds(costs: list[Cost]) -> float:
    """Give the median of wall times."""
    return statistics.median(cost.wall for cost in costs) * 1e3


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
        Row(
            f"our hook at a prompt, {shell}",
            *(ours / theirs * 100, 1.50, "a hundredth of direnv's own hook", None, ours / 1e6, theirs / 1e8),
        ),
        Row(
            f"awsdirenv prompt, {shell}",
            *(segment / theirs * 10, 2.50, "a tenth of direnv's own hook", None, segment / 1e6, theirs / 1e7),
        ),
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
        ratio, ours, theirs = pair(load, lambda bare=bare: timed(bare, world.root, world.env), pairs)  # type: ignore[misc]
        print(f"# cold, {name}: {ours * 1e3:.0f} ms without direnv, botocore alone {theirs * 1e3:.0f} ms")
        rows.append(Row(f"cold, {name}", ratio, 1.15, "botocore alone", None, ours * 1e3, theirs * 1e3))
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
        return timed([sys.executable, str(script), "arn:aws:iam::123456789012:role/plain"], world.root, world.env)

    ratio, ours, theirs = pair(load, bare, pairs)
    print(f"# cold, {count} profiles: {ours * 1e3:.0f} ms without direnv, bare boto3 {theirs * 1e3:.0f} ms")
    unit = "a bare boto3 AssumeRole script"
    return Row(f"cold, {count} profiles in the config file", ratio, 1.15, unit, None, ours * 1e3, theirs * 1e3)


def crowd(world: World, rounds: int) -> Row:
    """Measure fifty shells that all enter at once with nothing cached, against one that does; both without direnv."""
    folder, floor = world.root / "plain", world.root / "floor"
    base_many = statistics.median(at_once(floor, world.env)[0] for _ in range(5))
    base_one = statistics.median(evaluate(world, floor) for _ in range(9))

    def many() -> float:
        forget(world)
        return at_once(folder, world.env)[0] - base_many

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
    name = f"{SHELLS_AT_ONCE} cold shells, the last one served"
    return Row(name, ratio, 2.0, "one cold load", None, ours * 1e3, single * 1e3)


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
    return timed(["direnv", "export", "bash"], folder, world.env)


if __name__ == "__main__":
    main()
