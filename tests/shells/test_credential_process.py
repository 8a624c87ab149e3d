"""Programs that give credentials, and Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pexpect
import pytest

from awsdirenv.system import subprocesses
from programs import HANGING, is_gone
from world import AT_ONCE, REGION, World, wait_for


def test_an_interrupt_while_it_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Ctrl-C between the start of a program and our knowing of it ends it, too, and is not lost."""
    pid = tmp_path / "pid"

    class Interrupted(subprocess.Popen[bytes]):
        def __init__(self, *words: Any, **options: Any) -> None:
            super().__init__(*words, **options)
            wait_for(lambda: pid.exists() and pid.read_text(encoding="utf-8").strip())
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        subprocesses.run(f"echo $$ >{pid}; sleep 300", 60)
    assert is_gone(int(pid.read_text(encoding="utf-8")))
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c(world: World) -> None:
    """Ctrl-C ends a hanging program and what it has started at once, with one error and one hint."""
    world.profile("tool", credential_process=world.program("give", HANGING))
    child = pexpect.spawn("awsdirenv", ["login", "tool"], env=world.env, cwd=str(world.root), encoding="utf-8")
    files = [world.home / "pid", world.home / "child"]
    wait_for(lambda: all(file.exists() and file.read_text(encoding="utf-8").strip() for file in files))
    started = time.monotonic()
    child.sendcontrol("c")
    child.expect(pexpect.EOF, timeout=60)
    said = str(child.before).replace("\r\n", "\n")
    child.close()
    assert time.monotonic() - started < AT_ONCE
    assert child.exitstatus == 3
    assert said.endswith("awsdirenv: error: loading tool was cancelled\nawsdirenv: hint: awsdirenv login tool\n")
    assert "Traceback" not in said
    assert all(is_gone(int(file.read_text(encoding="utf-8"))) for file in files)


def test_variables_that_a_program_reads(world: World) -> None:
    """A program's credentials, and the roles behind it, are used only where the declared variables are the same."""
    log = world.root / "runs"
    arns = {value: world.sts.add_role(f"of-{value or 'nobody'}") for value in ("a", "l", "")}
    role = world.sts.add_role("behind", trusted=list(arns.values()))
    for value, arn in arns.items():
        given = json.dumps({"Version": 1, **world.sts.issue_credentials(arn)})
        (world.root / f"given-{value}").write_text(given, encoding="utf-8")
    give = world.program("give", f'echo run >>{log}; cat {world.root}/given-"$CLIENT"')
    world.profile("broker", credential_process=give, awsdirenv_variables="CLIENT, UNUSED", region=REGION)
    world.profile("behind", role_arn=role, source_profile="broker", region=REGION)
    lines = {"a": "export CLIENT=a", "l": "export CLIENT=l", "": "unset CLIENT"}
    opened: dict[str, set[str]] = {value: set() for value in arns}
    for profile in ("broker", "behind"):
        folders = {
            value: world.project(f"{profile}/{value or 'none'}", f"{line}\nuse aws_profile {profile}\n")
            for value, line in lines.items()
        }
        for value in ("a", "l", "", "l", "a", "a"):
            changes, said = world.enter(folders[value], CLIENT="outer")
            assert "error" not in said
            opened[value].add(world.sts.keys[str(changes["AWS_ACCESS_KEY_ID"])].access_key_id)
            if profile == "broker":
                assert world.sts.keys[str(changes["AWS_ACCESS_KEY_ID"])].role_arn == arns[value]
    assert {value: len(keys) for value, keys in opened.items()} == dict.fromkeys(arns, 2)  # of the source, of the role
    callers = [world.sts.keys[call.access_key_id].role_arn for call in world.sts.calls if call.action == "AssumeRole"]
    assert sorted(callers) == sorted(arns.values())
    assert log.read_text(encoding="utf-8") == "run\n" * len(arns)


def test_directories_share_what_a_program_gives_by_default(world: World) -> None:
    """Without a word on variables one run serves all directories, and `explain` says so, and what to do."""
    log = world.root / "runs"
    given = json.dumps({"Version": 1, **world.sts.issue_credentials(world.sts.add_role("one"))})
    give = world.program("give", f"echo run >>{log}; echo '{given}'")
    world.profile("broker", credential_process=give, region=REGION)
    keys = set()
    for value in ("a", "l"):
        folder = world.project(value, f"export CLIENT={value}\nuse aws_profile broker\n")
        keys.add(world.enter(folder)[0]["AWS_ACCESS_KEY_ID"])
    assert (len(keys), log.read_text(encoding="utf-8")) == (1, "run\n")
    shared = "   all directories share what it gives; name the variables that it reads in awsdirenv_variables\n"
    assert shared in world.run("awsdirenv", "explain", "broker").stdout
    world.profile("told", credential_process=give, awsdirenv_variables="CLIENT")
    split = "   directories share what it gives where the variables of awsdirenv_variables are the same\n"
    assert split in world.run("awsdirenv", "explain", "told").stdout
