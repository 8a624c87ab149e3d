"""Programs that give credentials, and Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pexpect
import pytest

from awsdirenv.system import subprocesses
from programs import HANGING, is_gone
from world import AT_ONCE, World, wait_for


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
