"""`make matrix`: the main job on machines that differ from this one, and a table of what ran, passed and failed.

A row that cannot run says why. The status is 1 if a test failed. `--quick` runs the rows that cost little, and WORDS
the rows that have one of them in their names: make matrix ARGS="fish stat". With `--whole` a row runs all tests of the
shells and of the promises, some minutes each. The last result of each row is kept in build/matrix/results.json;
`--table` prints them all, and runs nothing.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from xml.etree import ElementTree as ET

from machine import BUILD, CannotRunError, Machine, OutdatedRowError
from rows import PARTIAL, ROWS, Row

SECONDS = 3600  # that a row's tests may take
WHOLE = ("tests/shells", "tests/promises")


@dataclass
class Result:
    """What came of a row: the names of the tests that failed, why others were skipped, and why nothing ran."""

    group: str
    name: str
    version: str = ""
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    reason: str = ""
    seconds: int = 0
    date: str = field(default_factory=lambda: date.today().isoformat())  # noqa: DTZ011 - as the person's calendar says


def run_row(row: Row, jobs: int) -> Result:
    """Prepare a row's machine and run its tests there."""
    result, begin = Result(row.group, row.name), time.monotonic()
    try:
        machine = Machine()
        for part in row.parts:
            part(machine)
        result.version = "; ".join(_version(machine, command) for command in row.versions)
        _run_tests(row, machine, jobs, result)
    except CannotRunError as error:
        result.reason = str(error)
    except OutdatedRowError as error:
        result.failed = [str(error)]
    except subprocess.TimeoutExpired:
        result.failed = [f"the tests took more than {SECONDS} seconds"]
    result.seconds = round(time.monotonic() - begin)
    return result


def whole(row: Row) -> Row:
    """Return the row that runs all tests of the shells and of the promises on the same machine."""
    return replace(row, name=f"{row.name}: all tests", tests=WHOLE)


def _version(machine: Machine, command: str) -> str:
    """Return what a program says of itself. Raises CannotRunError if it does not start."""
    done = machine.run("sh", "-c", f'PATH="{machine.python.parent}:$PATH"; {command} 2>&1 </dev/null')
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    if done.returncode:
        raise CannotRunError(f"`{command}` fails: {(lines or [''])[-1].strip()[:200]}")
    return re.split(r" \((?:x86|Debian)|, API", lines[0].strip())[0] if lines else "says nothing"


def _run_tests(row: Row, machine: Machine, jobs: int, result: Result) -> None:
    with tempfile.TemporaryDirectory(prefix="awsdirenv-matrix-") as name:
        folder = Path(name)
        folder.chmod(0o777)  # for another user, too
        report = folder / "report.xml"
        options = ["-q", "-n", str(jobs), f"--junit-xml={report}", f"--basetemp={folder}/tests"]
        done = machine.run(str(machine.python), "-m", "pytest", *options, *row.tests, timeout=SECONDS)
        log = BUILD / "logs" / f"{row.group} {row.name}.txt".replace("/", "-")
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout, encoding="utf-8")
        if report.exists():
            _count(row, report, result)
        if done.returncode and not result.failed:
            result.failed = [f"pytest ended with {done.returncode}; see {log}"]


def _count(row: Row, report: Path, result: Result) -> None:
    """Take the outcomes out of pytest's report. What the row names and did not run has failed, too.

    Of folders' tests those that this machine cannot run are counted, with what they say that they need.
    """
    ran = set()
    skips = Counter(str(skip.get("message")) for skip in ET.parse(report).iter("skipped"))
    result.skipped = [f"{count} not run: {reason}" for reason, count in sorted(skips.items())]
    for case in ET.parse(report).iter("testcase"):
        name, outcomes = str(case.get("name")), {child.tag for child in case}
        if outcomes & {"failure", "error"}:
            result.failed.append(name)
        elif "skipped" not in outcomes:
            result.passed += 1
            ran.add(name)
    ran |= {name.partition("[")[0] for name in ran | set(result.failed)} | set(result.failed)
    names = [test.partition("::")[2] for test in row.tests]
    result.failed += [f"did not run: {name}" for name in names if name and name not in ran]


def table(results: list[Result]) -> str:
    """Return the results as a Markdown table."""
    lines = ["| what | which | version | passed | failed |", "|---|---|---|---|---|"]
    for result in results:
        end = f"{'<br>'.join([str(result.passed), *result.skipped])} | {'<br>'.join(result.failed) or '0'}"
        if result.reason:
            end = f"- | did not run: {result.reason}"
        version = result.version.replace("|", "/") or "-"
        lines.append(f"| {result.group} | {result.name} | {version} | {end} |")
    return "\n".join(lines)


def kept_results() -> dict[tuple[str, str], Result]:
    """Return the last result of each row that has ever run here."""
    try:
        kept = json.loads((BUILD / "results.json").read_text(encoding="utf-8"))
    except OSError:
        return {}
    return {(one["group"], one["name"]): Result(**one) for one in kept}


def keep(result: Result) -> None:
    """Write a result down in the place of the last one of its row."""
    results = {**kept_results(), (result.group, result.name): result}
    BUILD.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(one) for one in results.values()], indent=1)
    (BUILD / "results.json").write_text(text, encoding="utf-8")


def report(results: list[Result]) -> int:
    """Print the table and the sums; return the status."""
    days = sorted({result.date for result in results})
    where = f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release().partition('-')[0]}"
    print(f"On {where}, {' to '.join(dict.fromkeys([*days[:1], *days[-1:]]))}:\n")
    print(table(results))
    failed = sum(len(result.failed) for result in results)
    print(f"\nmatrix: {sum(result.passed for result in results)} passed, {failed} failed")
    return 1 if failed else 0


def main() -> int:
    """Run the rows that are asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("words", nargs="*", metavar="WORD", help="only rows with one of these words in their names")
    parser.add_argument("--quick", action="store_true", help="only the rows that cost little")
    parser.add_argument("--whole", action="store_true", help="all tests of the shells and of the promises in each row")
    parser.add_argument("--jobs", type=int, default=2, help="tests at once (2)")
    parser.add_argument("--list", action="store_true", help="name the rows, and run none")
    parser.add_argument("--table", action="store_true", help="print the last result of each row, and run none")
    options = parser.parse_args()
    rows = [row for row in ROWS if row.is_quick or not options.quick]
    if options.words:
        rows = [row for row in rows if any(word in f"{row.group}: {row.name}" for word in options.words)]
    if options.whole:
        rows = [whole(row) for row in rows if row.tests not in PARTIAL]
    if options.list:
        print(*(f"{row.group}: {row.name}: {len(row.tests)} tests" for row in rows), sep="\n")
        return 0
    if options.table:
        kept = kept_results()
        named = [(one.group, one.name) for row in rows for one in dict.fromkeys([row, whole(row)])]
        return report([kept[name] for name in named if name in kept])
    results = []
    for row in rows:
        print(f"{row.group}: {row.name} …", file=sys.stderr, flush=True)
        result = run_row(row, options.jobs)
        results.append(result)
        keep(result)
        said = result.reason or ", ".join([f"{result.passed} passed, {len(result.failed)} failed", *result.skipped])
        print(
            f"  {said} ({result.seconds} s) {result.version}", *result.failed, file=sys.stderr, sep="\n  ", flush=True
        )
    return report(results)


if __name__ == "__main__":
    sys.exit(main())
