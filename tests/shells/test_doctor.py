"""`awsdirenv doctor`: every check finds its fault, made for real in a home, and is silent where all is well."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import threading
import time
from pathlib import Path

import pexpect
import pytest

from awsdirenv.reports.doctor import report
from awsdirenv.reports.doctor.context import WARNING, DoctorContext, Finding
from awsdirenv.reports.doctor.report import CHECKS
from doctor_faults import FAULTS, HOOK, LONG_TERM, SOUND, TEMPORARY, Home, Maker, sound_home, without_region
from shells import clean
from world import AT_ONCE, BIN, World

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(world: World) -> Home:
    """Make a home where all is well."""
    return sound_home(world)


@pytest.mark.parametrize(
    ("check", "severity", "message", "make"), FAULTS, ids=[f"{check}-{make.__name__}" for check, _, _, make in FAULTS]
)
def test_a_fault_is_found(home: Home, check: str, severity: str, message: str, make: Maker) -> None:
    """Each check finds its fault, names it and says what to do; no key is in what it says."""
    make(home)
    found = home.found(check)
    assert [(row["severity"], message in row["message"]) for row in found] == [(severity, True)], found
    assert found[0]["hint"]
    assert not any(LONG_TERM in text or TEMPORARY in text for text in found[0].values() if text)


@pytest.mark.parametrize(("check", "make"), SOUND, ids=[f"{check}-{make.__name__}" for check, make in SOUND])
def test_what_is_no_fault_is_not_found(home: Home, check: str, make: Maker) -> None:
    """What comes near to a fault of a check, and is none, is not found by it."""
    make(home)
    assert home.found(check) == []


def test_every_check_is_tested() -> None:
    """There is no check without a fault that it finds, and without one that it does not."""
    assert {check for check, *_ in FAULTS} == set(CHECKS)
    assert {check for check, _ in SOUND} == set(CHECKS)


def test_a_sound_home_has_nothing_to_mend(home: Home) -> None:
    """Where all is well doctor says so, exits with 0, and has changed no file."""
    before = {path: path.stat().st_mtime_ns for path in home.world.root.rglob("*")}
    done = home.run()
    assert (done.returncode, done.stdout) == (0, "no problems found\n"), done.stderr
    # What takes longer than a second says so, on a machine that has a lot else to do.
    assert [line for line in done.stderr.splitlines() if not line.startswith("awsdirenv: checking ")] == []
    assert {path: path.stat().st_mtime_ns for path in home.world.root.rglob("*")} == before


def test_a_loaded_directory_has_nothing_to_mend(home: Home) -> None:
    """Inside a loaded directory our own variables are no fault, and its profile is the one that is looked at."""
    home.world.login("adminrole")
    done = home.world.run("direnv", "exec", str(home.folder), "awsdirenv", "doctor", cwd=home.folder)
    assert (done.returncode, done.stdout) == (0, "no problems found\n"), done.stderr


def test_every_check_is_in_the_reference() -> None:
    """docs/reference.md names every check, and none that is not there."""
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    part = text.partition("### Doctor\n")[2].partition("\n## ")[0].partition("\n### ")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", part, re.MULTILINE) == list(CHECKS)


def test_the_worst_comes_first(home: Home) -> None:
    """Findings are in the order of their severity, in text and JSON alike, with a word for each and a count."""
    home.toml('[global]\nwarn_timeout = "1s"\n')
    home.rc.write_text(HOOK + "export AWS_PROFILE=x\n", encoding="utf-8")
    home.world.credentials.chmod(0o644)
    assert [row["severity"] for row in home.examine()] == ["error", "warning", "info"]
    done = home.run()
    assert done.returncode == 1
    assert done.stdout == (
        f"error: {home.world.credentials} can be read or written by others (0644) [permissions]\n"
        f"  hint: chmod 600 {home.world.credentials}\n"
        "  at: ~/.aws/credentials\n"
        "\n"
        "warning: AWS_PROFILE is set in a start-up file: a new shell has it together with the keys of a directory "
        "[aws-variables]\n"
        "  hint: remove the line: .envrc names the profile\n"
        "  at: ~/.bashrc:2\n"
        "\n"
        "info: direnv's warn_timeout of 1s prints into the question for an MFA code [direnv-settings]\n"
        "  hint: set warn_timeout in direnv.toml to 5s, which is its default, or more\n"
        "  at: ~/.config/direnv/direnv.toml\n"
        "\n"
        "1 error, 1 warning, 1 info\n"
    )


def test_info_alone_is_no_failure(home: Home) -> None:
    """With nothing but notes the exit status is 0."""
    home.toml('[global]\nwarn_timeout = "1s"\n')
    assert home.run().returncode == 0


def test_aws_is_asked_once_for_each_key(home: Home) -> None:
    """However many profiles stand behind a key, AWS is asked three times about it; --offline asks nothing."""
    home.world.role("other", mfa=False)
    home.world.run("awsdirenv", "load", "other").check_returncode()
    home.world.sts.reset()
    assert home.run().returncode == 0
    assert [call.action for call in home.world.sts.calls] == ["GetCallerIdentity", "ListAccessKeys", "ListMFADevices"]
    home.world.sts.reset()
    assert home.run("--offline").returncode == 0
    assert home.world.sts.count("*") == 0


def test_without_long_term_keys_nobody_is_asked(home: Home) -> None:
    """A person who signs in to Identity Center has no keys to ask with, and none of the checks misses them."""
    home.world.sso_session()
    home.world.sso_profile("dev")
    home.envrc("use aws_profile dev\n")
    assert home.run().stdout == "no problems found\n"
    assert home.world.sts.count("*") == 0


def test_stored_session_tokens_are_no_long_term_keys(home: Home) -> None:
    """Temporary credentials that another tool has stored are not asked with."""
    issued = home.world.sts.issue_credentials(home.world.sts.add_role("other"))
    lines = ["[tool]", f"aws_access_key_id = {issued['AccessKeyId']}"]
    lines += [f"aws_secret_access_key = {issued['SecretAccessKey']}", f"aws_session_token = {issued['SessionToken']}"]
    home.world.credentials.write_text("\n".join(lines) + "\n", encoding="utf-8")
    home.envrc("use aws_profile tool --region eu-west-1\n")
    assert home.run().stdout == "no problems found\n"
    assert home.world.sts.count("*") == 0


def test_a_region_that_only_the_environment_has(home: Home) -> None:
    """A region that the `.envrc` has from elsewhere is seen where direnv has loaded it."""
    without_region(home)
    home.file("more", "export AWS_REGION=eu-west-1\n")
    home.envrc("source_env more\nuse aws_profile adminrole\n")
    home.world.login("adminrole")
    done = home.world.run("direnv", "exec", str(home.folder), "awsdirenv", "doctor", cwd=home.folder)
    assert done.stdout == "no problems found\n", done.stderr


def test_waiting_is_announced_and_ends(home: Home) -> None:
    """Where AWS does not answer doctor says after a second what it waits for, and goes on without it."""
    home.world.sts.add_fault("*", "hang", times=None)
    started = time.monotonic()
    done = home.run("--json", AWSDIRENV_STS_TIMEOUT="2s")
    assert time.monotonic() - started < 3 * AT_ONCE
    assert "awsdirenv: checking network: whether AWS answers" in done.stderr
    (row,) = json.loads(done.stdout)["findings"]
    assert (row["check"], row["severity"]) == ("network", "info")
    assert done.returncode == 0


def test_a_check_that_fails_harms_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a check raises is a note of its own; one that never ends is left behind, and announced."""
    monkeypatch.setattr(report, "_LONGEST", 1.2)
    told: list[str] = []

    def good(_: DoctorContext) -> list[Finding]:
        return [Finding(WARNING, "found", "mend it")]

    def bad(_: DoctorContext) -> list[Finding]:
        raise PermissionError(13, "Permission denied", "/some/where")

    def slow(_: DoctorContext) -> list[Finding]:
        """Whether it is ever over."""
        threading.Event().wait()
        return []

    found = report.examine(DoctorContext({}, ROOT), told.append, {"bad": bad, "slow": slow, "good": good})
    assert [(row.check, row.severity, row.message) for row in found] == [
        ("good", "warning", "found"),
        ("bad", "info", "the check failed: Permission denied"),
        ("slow", "info", "the check took longer than 1.2s"),
    ]
    assert found[1].path == "/some/where"
    assert told == ["awsdirenv: checking slow: whether it is ever over"]


def test_odd_files_stop_nobody(home: Home) -> None:
    """FIFOs, folders and endless links in the places of files neither hang nor break it."""
    for name in (".zshrc", ".profile", ".config/fish/fish_variables", "fifo"):
        path = home.world.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(path)
    (home.world.home / ".zshenv").mkdir()
    (home.world.home / ".bash_profile").symlink_to(".bash_profile")
    home.rc.write_text(f"{HOOK}source ~/.bashrc\n. ~/fifo\nsource {home.world.root}/\n", encoding="utf-8")
    os.mkfifo(home.folder / ".env")
    (home.folder / "loop").symlink_to(".")
    (home.world.cache / "locks" / "x.lock").mkdir()
    os.mkfifo(home.world.cache / "snapshots" / "odd")
    assert home.run().stdout == "no problems found\n"


def test_a_home_without_anything(world: World, tmp_path: Path) -> None:
    """In an empty home, or without HOME, doctor has no more to say than that something is missing."""
    empty = tmp_path / "empty"
    empty.mkdir()
    done = world.run("awsdirenv", "doctor", "--json", cwd=empty, HOME=str(empty))
    assert {row["check"] for row in json.loads(done.stdout)["findings"]} == {"hook", "extension"}
    environ = {name: value for name, value in world.env.items() if name != "HOME"}
    words = [str(BIN / "awsdirenv"), "doctor", "--json", "--offline"]
    done = subprocess.run(words, env=environ, cwd=empty, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1)
    assert json.loads(done.stdout)["version"] == 1


def test_in_a_folder_that_is_gone(home: Home) -> None:
    """Where the working directory no longer exists it says so, and goes on."""
    gone = home.world.root / "gone"
    gone.mkdir()
    done = home.world.run("sh", "-c", 'rmdir "$PWD"; exec awsdirenv doctor --json', cwd=gone)
    messages = [row["message"] for row in json.loads(done.stdout)["findings"]]
    assert "the working directory no longer exists" in messages


def test_hostile_names(home: Home) -> None:
    """What a hint says to type is quoted, and what is printed steers no terminal."""
    name = "$(touch pwned) it's"
    arn = home.world.sts.add_role("hostile")
    home.world.profile(f'"{name}"', role_arn=arn, source_profile="base", region="eu-west-1")
    home.world.run("awsdirenv", "load", name).check_returncode()
    text = home.world.config.read_text(encoding="utf-8")
    home.world.config.write_text(text.replace(f'[profile "{name}"]', "[profile gone]"), encoding="utf-8")
    home.file("a\x1b[31m.txt", LONG_TERM)
    home.env["AWS_SHARED_CREDENTIALS_FILE"] = str(home.world.credentials.rename(home.world.root / "c\x1b[31m"))
    (home.world.root / "c\x1b[31m").chmod(0o644)
    rows = {row["check"]: row for row in home.examine()}
    assert rows["snapshots"]["hint"] == f"awsdirenv clear {shlex.quote(name)}"
    assert rows["keys-in-files"]["path"].endswith("a\x1b[31m.txt:1")
    assert "\x1b" not in home.run().stdout


@pytest.mark.parametrize(
    ("variables", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours_only_repeat_words(home: Home, variables: dict[str, str], is_coloured: bool) -> None:  # noqa: FBT001
    """On a terminal the words for how bad it is have a colour, unless NO_COLOR is set; the words are always there."""
    home.world.credentials.chmod(0o644)
    environ = {**home.world.env, **variables}
    words = ["doctor", "--offline"]
    child = pexpect.spawn(str(BIN / "awsdirenv"), words, env=environ, cwd=str(home.folder), encoding="utf-8")
    shown = str(child.read())
    assert ("\x1b[31merror\x1b[0m: " in shown) == is_coloured
    assert clean(shown).startswith("error: ")


@pytest.mark.parametrize("answer", ["1", "2", "false"])
def test_not_allowed_in_the_words_of_every_direnv(home: Home, answer: str) -> None:
    """Newer versions of direnv give numbers: 0 for allowed, 1 for not, 2 for denied."""
    for allowed, count in ((answer, 1), ("0", 0), ("true", 0)):
        path = home.folder / ".envrc"
        status = f"echo 'Found RC path {path}'; echo 'Found RC allowed {allowed}'"
        home.fake_direnv(f"case $1 in version) echo 2.37.1 ;; status) {status} ;; esac")
        assert len(home.found("envrc-allowed")) == count


@pytest.mark.parametrize(("check", "make"), [(check, make) for check, _, _, make in FAULTS if check == "own-function"])
def test_own_functions_do_win(home: Home, check: str, make: Maker) -> None:
    """With any of these functions direnv really gives no credentials of ours."""
    home.world.login("adminrole")
    make(home)
    assert "AWS_SESSION_TOKEN" not in home.world.enter(home.folder)[0]


def test_functions_that_lose_do_lose(home: Home) -> None:
    """With those that are no fault it does."""
    home.world.login("adminrole")
    for check, make in SOUND:
        if check == "own-function":
            make(home)
    assert home.world.enter(home.folder)[0]["AWS_SESSION_TOKEN"]


ORDERS = {
    "_hooks_in_the_wrong_order": "direnv ours",
    "_hook_taken_out": "",
    "_hooks_in_order": "ours direnv",
}


MAKERS = [*(make for *_, make in FAULTS), *(make for _, make in SOUND)]


@pytest.mark.parametrize("make", [make for make in MAKERS if make.__name__ in ORDERS])
def test_the_order_is_what_bash_makes_of_it(home: Home, make: Maker) -> None:
    """A real bash with these files has the hooks in the order that doctor complains of, or in the right one."""
    make(home)
    done = home.world.run("bash", "-ic", 'echo "PROMPT_COMMAND is ${PROMPT_COMMAND[*]}"')
    found = re.findall(r"_direnv_hook|_awsdirenv_hook", done.stdout)
    assert (
        " ".join({"_direnv_hook": "direnv", "_awsdirenv_hook": "ours"}[name] for name in found) == ORDERS[make.__name__]
    )


def test_nothing_is_written_or_run(home: Home) -> None:
    """With credentials stored, a repository, and programs that others would like to see run: no file changes."""
    home.world.login("adminrole")
    home.git("init", "-q")
    home.git("config", "core.fsmonitor", str(home.world.program("monitor", f"touch {home.world.root}/pwned")))
    home.git("config", "core.pager", "touch pwned")
    home.git("config", "diff.external", "touch pwned")
    home.git("add", ".envrc")
    before = {path: path.stat().st_mtime_ns for path in home.world.root.rglob("*")}
    assert home.run().stdout == "no problems found\n"
    assert {path: path.stat().st_mtime_ns for path in home.world.root.rglob("*")} == before
