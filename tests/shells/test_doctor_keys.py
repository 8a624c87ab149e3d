"""The check of `doctor` for keys in a project: which files, in which order, and where it stops."""

from __future__ import annotations

import pytest

from doctor_faults import LONG_TERM, Home, sound_home
from world import World

WHERE = "keys-in-files"


@pytest.fixture
def home(world: World) -> Home:
    """Make a home where all is well."""
    return sound_home(world)


def lines(home: Home) -> list[str]:
    """Give severity and place of each key, below the project."""
    return [f"{row['severity']} {(row['path'] or '').removeprefix(f'{home.folder}/')}" for row in home.found(WHERE)]


def test_what_git_has_comes_first(home: Home) -> None:
    """Of a key in several files those that git has are errors and come first; each place is told once."""
    home.git("init", "-q")
    home.file(".gitignore", ".env\nbuild\n")
    home.file("a.txt", f"x\n{LONG_TERM} {LONG_TERM[:-1]}A\n")
    home.file("sub/z ü.txt", f"\n\n'{LONG_TERM}'")
    home.file(".env", f"K={LONG_TERM}\r\n")
    home.file("build/out.txt", LONG_TERM)
    home.git("add", "sub", ".gitignore")
    # git's name of a file with ü is not quoted with --null.
    assert lines(home) == ["error sub/z ü.txt:3", "warning .env:1", "warning a.txt:2", "warning a.txt:2"]


def test_the_project_is_that_of_the_envrc(home: Home) -> None:
    """From a folder below, the whole project is looked at, and no more, even where the repository is larger."""
    home.world.run("git", "init", "-q", cwd=home.world.root).check_returncode()
    (home.world.root / "other.txt").write_text(LONG_TERM, encoding="utf-8")
    home.file("top.txt", LONG_TERM)
    home.file("below/x", "")
    done = home.world.run("awsdirenv", "doctor", cwd=home.folder / "below")
    assert f"  at: {home.folder}/top.txt:1\n" in done.stdout
    assert "other.txt" not in done.stdout


def test_a_repository_that_is_broken(home: Home) -> None:
    """Without a git that works all files are looked at that are not hidden, and nothing that is not a project's own."""
    home.file(".git", "gitdir: /nowhere\n")
    home.file("a.txt", LONG_TERM)
    home.file("venv/b.txt", LONG_TERM)
    home.file(".hidden/c.txt", LONG_TERM)
    assert lines(home) == ["warning a.txt:1"]
    home.env["GIT_DIR"] = str(home.world.root / "elsewhere")
    assert lines(home) == ["warning a.txt:1"]


def test_another_repository_in_the_environment(home: Home) -> None:
    """GIT_DIR and the like, as hooks of git have them, do not lead into another repository."""
    home.git("init", "-q")
    home.file("a.txt", LONG_TERM)
    home.git("add", "a.txt")
    home.env["GIT_DIR"] = str(home.world.root / "elsewhere")
    assert lines(home) == ["error a.txt:1"]


def test_where_keys_belong(home: Home) -> None:
    """AWS's own credentials file is where a key belongs, also where the home folder is a project; unless git has it."""
    home.world.credentials.write_text(f"[base]\naws_access_key_id = {LONG_TERM}\n", encoding="utf-8")
    home.world.sts.add_user("bar", access_key_id=LONG_TERM)
    home.folder = home.world.home / ".aws"
    home.envrc("use aws_profile adminrole\n")
    assert lines(home) == []
    home.git("init", "-q")
    assert lines(home) == []
    home.git("add", "credentials")
    assert lines(home) == ["error credentials:2"]


def test_the_home_folder_is_no_project(home: Home) -> None:
    """In a home folder only its .envrc and .env are looked at, and what git has of it."""
    home.folder = home.world.home
    home.envrc(f"use aws_profile adminrole\n# {LONG_TERM}\n")
    home.file("notes.txt", LONG_TERM)
    assert lines(home) == ["warning .envrc:2"]
    home.git("init", "-q")
    assert lines(home) == ["warning .envrc:2"]


def test_many_keys(home: Home) -> None:
    """Twenty are told one by one, the others as a number."""
    home.file("dump.txt", "".join(f"{LONG_TERM}\n" for _ in range(25)))
    assert len(lines(home)) == 21
    assert home.found(WHERE)[-1]["message"] == "5 more access keys are in this project's files"


def test_a_project_too_large(home: Home) -> None:
    """Where not all can be looked at while somebody waits, it says so and how to look by hand."""
    home.git("init", "-q")
    home.file("a.txt", f"{LONG_TERM}\n" * 60000)
    home.git("add", "a.txt")
    home.file(".env", LONG_TERM)
    found = home.found(WHERE)
    assert [row["severity"] for row in found] == ["warning", "info"]
    assert found[1]["message"] == "the project is too large: we searched only some of its files for access keys"


def test_large_files_are_passed_over(home: Home) -> None:
    """A file of more than a megabyte is not read where there is no git."""
    home.file("large.txt", f"{LONG_TERM}\n" + "x" * (1 << 20))
    home.file("fits.txt", "x" * ((1 << 20) - 30) + "\n" + LONG_TERM)
    assert lines(home) == ["warning fits.txt:2"]
