"""`awsdirenv status`: what is held and what runs, told truly, at nobody's cost, whatever lies in the cache."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from awsdirenv.cache import key_records
from awsdirenv.cache.key_records import KeyRecord
from awsdirenv.cache.layout import CachePaths, snapshot_key
from awsdirenv.session_credentials import utc_now
from awsdirenv.system.lock import Locks
from desk import Desk
from documents import part
from interpreter import SLOW, imported
from reports import KEYS, seconds, status, text
from shells import Shell, children, shown
from timers import LIFE, SOON, running, wait_until
from world import A_TERMINAL, BIN, HOSTILE, World, tree


def test_the_reference_names_every_key(world: World) -> None:
    """The keys of the document are those of the reference."""
    named = re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\|([^|]*)\|", part("Status"), re.MULTILINE)))
    world.env["AWSDIRENV_AUTO_REFRESH"] = "1"
    world.role("adminrole")
    world.login("adminrole")
    world.enter(world.project("adminrole"))
    running(world)
    key_records.write(CachePaths(world.cache), KeyRecord("base", "…ABCD", utc_now(), is_made_then=True))
    with held(world, "snapshot-x", "testing"):
        whole = status(world)
    entries = [entry for key in KEYS[1:] for entry in whole[key][:1]]
    assert len(entries) == 6
    assert named == [*KEYS, *(key for entry in entries for key in entry)]
    assert set(re.findall(r"`(fresh|due|outdated|expired)`", part("Status"))) == {"fresh", "due", "outdated", "expired"}


HOLDER = """
import sys, time
from pathlib import Path
from awsdirenv.system.lock import Locks
locks = Locks(Path(sys.argv[1]), 1, lambda *_: None, "/dev/pts/9")
with locks.hold(sys.argv[2]):
    if sys.argv[3]:
        locks.note(sys.argv[3])
    print("held", flush=True)
    time.sleep(60)
"""


@contextlib.contextmanager
def held(world: World, name: str, doing: str = "") -> Iterator[subprocess.Popen[str]]:
    """Have another process hold a lock."""
    folder = world.cache / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", HOLDER, str(folder), name, doing]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_holder(world: World) -> None:
    """Who holds a lock, what for and since when is told by its note, and that it is held by the kernel."""
    with held(world, "snapshot-adminrole", "asking for the MFA code of x") as process:
        (lock,) = status(world)["locks"]
        since = lock.pop("since")
        assert lock == {"name": "snapshot-adminrole", "pid": process.pid}
        assert seconds(since) == pytest.approx(time.time(), abs=10)
        shown_lines = text(world).splitlines()
        assert shown_lines[0].split() == ["lock", "held", "by", "doing", "since"]
        assert re.fullmatch(
            rf"snapshot-adminrole  pid {process.pid} on /dev/pts/9  asking for the MFA code of x  \d\d:\d\d:\d\d",
            shown_lines[1],
        )
    assert status(world)["locks"] == []


def test_a_holder_that_says_nothing(world: World) -> None:
    """A lock is told with the process that holds it, not with one that has let go and lives on."""
    (world.cache / "locks").mkdir(parents=True, exist_ok=True)
    locks = Locks(world.cache / "locks", 1, lambda *_: None)
    with locks.hold("name-x"):
        locks.note("asking for nothing")
        assert [lock["pid"] for lock in status(world)["locks"]] == [os.getpid()]
    with held(world, "name-x") as process:
        (lock,) = status(world)["locks"]
        assert (lock["name"], lock["pid"], "holder" in lock) == ("name-x", process.pid, False)
        assert "asking" not in text(world)


def test_notes_of_the_dead(world: World) -> None:
    """After kill -9 the lock is free, whatever its note says; a note of a living process that holds nothing is none."""
    with held(world, "snapshot-adminrole", "calling STS") as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        note = world.cache / "locks" / "snapshot-adminrole.lock"
        assert f"{process.pid}\t" in note.read_text()
        assert status(world)["locks"] == []
        note.write_text(f"{os.getpid()}\t/dev/pts/1\tasking for the MFA code\n")
        assert status(world)["locks"] == []


def test_locks_elsewhere(world: World) -> None:
    """A lock of another home, a waiter, and a cache behind a link do not confuse it."""
    other = world.root / "elsewhere"
    other.mkdir()
    (world.cache / "locks").rename(other / "locks")
    (world.cache / "locks").symlink_to(other / "locks")
    with held(world, "snapshot-a") as process:
        waiting = Locks(world.cache / "locks", timeout=0.1, on_wait=lambda *_: None)
        with contextlib.suppress(Exception), waiting.hold("snapshot-a"):
            pytest.fail("two hold it")
        assert [lock["pid"] for lock in status(world)["locks"]] == [process.pid]
        assert status(world, XDG_CACHE_HOME=str(world.root / "none"))["locks"] == []


def test_a_question_in_a_shell(world: World) -> None:
    """While a shell asks for a code, another one tells who asks for which, and where."""
    world.role("adminrole")
    folder = world.project("adminrole")
    with Shell(world, "bash") as shell:
        shell.start(f"cd {folder}")
        shell.expect(f"Enter MFA code for {world.mfa_serial}: ")
        locks = status(world)["locks"]
        assert {lock["pid"] for lock in locks} <= set(children(shell.pid))
        assert f"snapshot-{snapshot_key('adminrole', world.env)}" in [lock["name"] for lock in locks]
        first = text(world).partition("\n\n")[0]
        assert re.search(rf"on {A_TERMINAL} +asking for the MFA code of {world.mfa_serial}", first)
        shell.send(world.code() + "\r")
        shell.finish()
    assert status(world)["locks"] == []


def test_watching(world: World) -> None:
    """It shows what changes meanwhile, in the same place, until Ctrl-C, and only to a terminal."""
    done = world.run("awsdirenv", "status", "--watch")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "awsdirenv: error: --watch needs a terminal\nawsdirenv: hint: awsdirenv status\n"
    with Shell(world, "bash") as shell:
        shell.start("awsdirenv status --watch")
        shell.expect("no credentials are stored")
        with held(world, "snapshot-x", "testing"):
            shell.expect("snapshot-x")
            shell.send("\x03")
            assert "Traceback" not in shell.finish()


def test_timers(world: World) -> None:
    """A timer is told with its process and when it renews; not as a lock, not once it is dead, nor another process."""
    world.env["AWSDIRENV_AUTO_REFRESH"] = "1"
    world.sts.life_override = LIFE
    world.role("plain", mfa=False)
    world.enter(world.project("plain"))
    pid = running(world)
    whole = status(world)
    (timer,) = whole["timers"]
    assert (timer["profile"], timer["pid"]) == ("plain", pid)
    assert timer["wakes_at"] in {whole["profiles"][0]["refresh_at"], status(world)["profiles"][0]["refresh_at"]}
    assert wait_until(lambda: status(world)["locks"] == [], SOON)  # of its renewals, not its own
    assert re.search(rf"^plain +pid {pid} +(now|\d\d:\d\d:\d\d)$", text(world), re.MULTILINE)
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: status(world)["timers"] == [], 5)
    (mark,) = [path for path in (world.cache / "timers").iterdir() if path.suffix != ".used"]
    assert mark.read_text().strip() == str(pid)
    mark.write_text(f"{os.getpid()}\n")
    assert status(world)["timers"] == []


def test_directories(world: World) -> None:
    """Directories are told with the profile that they use, for people below `~`."""
    world.role("plain", mfa=False)
    folder = world.project("home/src/client", "use aws_profile plain\n")
    world.enter(folder)
    assert status(world)["directories"] == [{"path": str(folder), "profile": "plain"}]
    assert text(world).endswith("\ndirectory     profile\n~/src/client  plain\n")
    world.run("direnv", "deny", str(folder)).check_returncode()
    assert status(world)["directories"] == []


def test_after_clear(world: World) -> None:
    """What was cleared is not told any more."""
    for name in ("one", "two"):
        world.role(name, mfa=False)
        world.enter(world.project(name))
    world.run("awsdirenv", "clear", "one").check_returncode()
    whole = status(world)
    assert [entry["profile"] for entry in whole["profiles"] + whole["directories"]] == ["two", "two"]
    world.run("awsdirenv", "clear", "--all").check_returncode()
    assert status(world) == {"version": 1, **{key: [] for key in KEYS[1:]}}


def test_what_is_not_ours(world: World) -> None:
    """Whatever lies in the cache, nothing breaks, and what is sound is told."""
    world.role("plain", mfa=False)
    world.enter(world.project("plain"))
    expected = status(world)
    assert expected["profiles"]
    for folder in [path for path in world.cache.iterdir() if path.is_dir()]:
        sound = [path for path in folder.iterdir() if path.is_file()]
        (folder / "binary").write_bytes(os.urandom(2000))
        (folder / "empty").touch()
        (folder / "number").write_text("99999999999999999999\n")
        (folder / "folder.lock").mkdir()
        (folder / "link").symlink_to("/dev/null")
        (folder / os.fsdecode(b"\xff\xfe")).write_text("1\n")
        os.mkfifo(folder / "fifo")
        for number, path in enumerate(sound):
            (folder / f"torn{number}").write_bytes(path.read_bytes()[:-3])
        for extra in folder.iterdir():
            if extra.is_file() and not extra.is_symlink():
                extra.chmod(0o600)
    found = status(world)
    for entry in (*found["profiles"], *expected["profiles"]):
        del entry["seconds_remaining"]
    assert found == expected
    assert "plain" in text(world)
    (world.cache / "snapshots").rename(world.cache / "away")
    (world.cache / "snapshots").write_text("no folder")
    assert status(world)["profiles"] == []


def test_hostile_values(world: World) -> None:
    """Names, stages and paths steer no terminal and break no document."""
    odd = "it's \u202e$(touch pwned)"
    role = world.sts.add_role("odd", require_mfa=False)
    world.profile(f'"{odd}"', role_arn=role, source_profile="base", awsdirenv_stage="日本 'x' $(y)")
    written = odd.replace("$", "\\$")
    world.enter(world.project("odd\tfolder", f'use aws_profile "{written}"\n'))
    whole = status(world)
    assert [entry["profile"] for entry in whole["profiles"] + whole["directories"]] == [odd, odd]
    assert whole["profiles"][0]["stage"] == "日本 'x' $(y)"
    assert whole["directories"][0]["path"] == str(world.root / "odd\tfolder")
    with held(world, "snapshot-x", f"asking {HOSTILE}"):
        for said in (text(world), shown(world, 200, "status", NO_COLOR="1"), shown(world, 30, "status", NO_COLOR="1")):
            assert all(char.isprintable() or char == "\n" for char in said), said
    assert "it's ?$(touch pwned)" in said


def test_the_terminal(world: World) -> None:
    """It fits eighty columns as tables, forty as blocks, and has colours unless NO_COLOR is set."""
    world.role("a-rather-long-name-of-a-profile", mfa=False, awsdirenv_stage="production", region="ap-southeast-1")
    world.enter(world.project("p", "use aws_profile a-rather-long-name-of-a-profile\n"))
    wide = shown(world, 80, "status", NO_COLOR="1").splitlines()
    assert max(len(one) for one in wide) <= 80
    assert re.split(" {2,}", wide[0]) == ["profile", "account", "role", "region", "stage", "time left"]
    assert shown(world, 40, "status", NO_COLOR="1").startswith("profile: a-rather-long-name-of-a-profile\naccount: ")
    assert "\x1b[31mproduct" in shown(world, 80, "status")


def test_costs_nobody_anything(desk: Desk) -> None:
    """It writes nothing, runs no program, asks nobody, calls nobody, waits for no lock and keeps nobody waiting."""
    world = desk.world
    program = world.program("touch", f"touch {world.root}/ran; echo {world.code()}")
    world.role("one", mfa_process=program, source_profile="base")
    assert desk.load("one") is None
    world.enter(world.project("one"))
    (world.root / "ran").unlink(missing_ok=True)
    world.sts.reset()
    desk.lives(100, "snapshot")
    key = snapshot_key("one", world.env)
    with held(world, f"snapshot-{key}", "testing"):
        before = tree(world.root)
        text(world)
        status(world)
        assert tree(world.root) == before
    assert world.sts.count("*") == 0
    assert not (world.root / "ran").exists()


@pytest.mark.needs("network namespaces")
def test_works_offline(world: World) -> None:
    """Without any network it says the same."""
    world.role("plain", mfa=False)
    world.enter(world.project("plain"))
    alone = world.run("unshare", "-n", str(BIN / "awsdirenv"), "status")
    assert (alone.returncode, alone.stdout) == (0, text(world))


def test_imports_little(world: World) -> None:
    """Nothing slow is imported: no botocore, no filelock."""
    world.role("plain", mfa=False)
    world.enter(world.project("plain"))
    assert imported(world, "status") & SLOW == set()
    assert imported(world, "status", "--json") & SLOW == set()
