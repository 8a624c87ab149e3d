"""`awsdirenv status`: what is held and what runs, told truly, at nobody's cost, whatever lies in the cache."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from awsdirenv.cache.layout import CachePaths, snapshot_key
from awsdirenv.system import private_files
from awsdirenv.system.lock import Locks
from desk import Desk
from documents import part
from interpreter import SLOW, imported
from measure import quickest
from sentinels import SENTINELS
from shells import Shell, children, shown
from timers import LIFE, SOON, running, wait_until
from world import AT_ONCE, BIN, HOSTILE, REGION, World, tree

ACCOUNT = "123456789012"
HOUR = 3600  # seconds
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
KEYS = ["version", "profiles", "mfa_sessions", "locks", "timers", "directories"]


def status(world: World, **env: str) -> dict[str, Any]:
    """Give the document."""
    done = world.run("awsdirenv", "status", "--json", **env)  # type: ignore[arg-type]
    assert (done.returncode, done.stderr) == (0, "")
    whole: dict[str, Any] = json.loads(done.stdout)
    assert list(whole) == KEYS
    assert whole["version"] == 1
    return whole


def text(world: World) -> str:
    """Give what is told to a log."""
    done = world.run("awsdirenv", "status")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def profile(world: World, name: str, **env: str) -> dict[str, Any]:
    """Give what is told of one profile."""
    (found,) = [entry for entry in status(world, **env)["profiles"] if entry["profile"] == name]
    return dict(found)


def line(world: World, words: str) -> str:
    """Give the place of a line in the config file."""
    return f"{world.config}:{world.config.read_text().splitlines().index(words) + 1}"


def seconds(moment: str) -> float:
    """Take a time of the document, which is in UTC; give epoch seconds."""
    assert TIME.fullmatch(moment)
    return datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()


def test_nothing_is_held(world: World) -> None:
    """In a home without any cache it says so, has every key in its document, and makes no folder."""
    bare = world.root / "bare"
    bare.mkdir()
    env = {"HOME": str(bare)}
    assert world.run("awsdirenv", "status", **env).stdout == "no credentials are held\n"  # type: ignore[arg-type]
    assert status(world, **env) == {"version": 1, **{key: [] for key in KEYS[1:]}}
    assert list(bare.iterdir()) == []


def test_a_role(world: World) -> None:
    """Of a profile with a role all is told: account, role, region with its line, stage, and how long it lasts."""
    arn = world.role("adminrole", region="eu-central-1", awsdirenv_stage="production")
    world.login("adminrole")
    now = time.time()
    found = profile(world, "adminrole")
    expiration, refresh_at = found.pop("expiration"), found.pop("refresh_at")
    assert 0 <= seconds(expiration) - now - found.pop("seconds_remaining") < 10
    assert seconds(expiration) - seconds(refresh_at) == 900
    assert seconds(expiration) == pytest.approx(now + HOUR, abs=10)
    assert found == {
        "profile": "adminrole",
        "account_id": ACCOUNT,
        "role_arn": arn,
        "region": "eu-central-1",
        "region_source": line(world, "region = eu-central-1"),
        "stage": "production",
        "state": "fresh",
    }
    (session,) = status(world)["mfa_sessions"]
    assert session["mfa_serial"] == world.mfa_serial
    assert session["seconds_remaining"] == pytest.approx(12 * HOUR, abs=10)
    assert seconds(session["expiration"]) == pytest.approx(now + 12 * HOUR, abs=10)
    assert text(world) == (
        "profile    account       role       region        region from      stage       time left\n"
        f"adminrole  {ACCOUNT}  adminrole  eu-central-1  ~/.aws/config:6  production  1h00m\n"
        "\n"
        "MFA session                        time left\n"
        f"{world.mfa_serial}  12h00m\n"
    )


def test_whose_role(world: World) -> None:
    """The role is the one that was assumed, whatever the files say by now; without its session, theirs if it fits."""
    arn = world.role("plain", mfa=False)
    world.run("awsdirenv", "load", "plain").check_returncode()
    before = world.config.read_text()
    for other in (arn.replace(ACCOUNT, "210987654321"), f"arn:aws:iam::{ACCOUNT}:role/other"):
        world.config.write_text(before.replace(arn, other))
        assert profile(world, "plain")["role_arn"] == arn
    (session,) = [path for path in (world.cache / "sessions").iterdir() if path.name.startswith("role-")]
    session.unlink()
    for other in (arn.replace(ACCOUNT, "210987654321"), f"arn:aws:iam::{ACCOUNT}:role/other"):
        world.config.write_text(before.replace(arn, other))
        assert profile(world, "plain")["role_arn"] is None
    world.config.write_text(before)
    assert profile(world, "plain")["role_arn"] == arn


def test_other_kinds_of_profiles(world: World) -> None:
    """Without a role in the files its ARN is unknown, and without an end, the end; a key's own session is no MFA's."""
    world.sso_session()
    world.sso_profile("dev")
    given = world.sts.issue_credentials(world.sts.add_role("pasted"))
    world.credentials.write_text(
        world.credentials.read_text() + f"[pasted]\naws_access_key_id = {given['AccessKeyId']}\n"
        f"aws_secret_access_key = {given['SecretAccessKey']}\naws_session_token = {given['SessionToken']}\n"
    )
    for name in ("dev", "pasted", "base"):
        world.run("awsdirenv", "load", name).check_returncode()
    dev, pasted, base = (profile(world, name) for name in ("dev", "pasted", "base"))
    assert (dev["account_id"], dev["role_arn"], dev["region"]) == (ACCOUNT, None, REGION)
    assert [pasted[key] for key in ("region", "region_source", "stage", "state")] == [None, None, None, "fresh"]
    assert [pasted[key] for key in ("expiration", "seconds_remaining", "refresh_at")] == [None, None, None]
    assert base["region_source"] == line(world, f"region = {REGION}")
    assert status(world)["mfa_sessions"] == []
    assert "no end known" in text(world)


def test_the_reference_names_every_key(world: World) -> None:
    """The keys of the document are those of the reference."""
    named = re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\|([^|]*)\|", part("Status"), re.MULTILINE)))
    world.env["AWSDIRENV_AUTO_REFRESH"] = "1"
    world.role("adminrole")
    world.login("adminrole")
    world.enter(world.project("adminrole"))
    running(world)
    with held(world, "snapshot-x", "testing"):
        whole = status(world)
    entries = [entry for key in KEYS[1:] for entry in whole[key][:1]]
    assert len(entries) == 5
    assert named == [*KEYS, *(key for entry in entries for key in entry)]
    assert set(re.findall(r"`(fresh|due|outdated|expired)`", part("Status"))) == {"fresh", "due", "outdated", "expired"}


def test_states(desk: Desk) -> None:
    """Fresh, due for renewal, over, or made from files that have changed: each is told, in the text too."""
    world = desk.world
    world.role("plain", mfa=False)
    assert desk.load("plain") is None
    for left, state, words in (
        (3000, "fresh", "50m"),
        (600, "due", "10m, due"),
        (19, "expired", "expired"),
        (-60, "expired", "expired"),
    ):
        desk.lives(left, "snapshot")
        found = profile(world, "plain")
        assert (found["state"], found["seconds_remaining"]) == (state, pytest.approx(max(left, 0), abs=15))
        assert text(world).splitlines()[1].endswith(words), left
    assert found["seconds_remaining"] == 0
    desk.lives(3000, "snapshot")
    world.profile("more")
    assert profile(world, "plain")["state"] == "outdated"
    assert text(world).splitlines()[1].endswith("outdated")
    world.config.unlink()
    assert profile(world, "plain")["state"] == "outdated"


def test_mfa_sessions_that_have_ended(desk: Desk) -> None:
    """An ended session of a device is told as ended, and not at all beside one that holds."""
    world = desk.world
    world.role("one")
    assert desk.load("one") is None
    desk.lives(-5, "mfa-")
    assert [session["seconds_remaining"] for session in status(world)["mfa_sessions"]] == [0]
    assert re.search(rf"^{world.mfa_serial}  ended$", text(world), re.MULTILINE)
    (old,) = [path for path in desk.paths.sessions.iterdir() if path.name.startswith("mfa-")]
    values = private_files.read_private(old) or {}
    private_files.write_private(old.with_name("mfa-other"), {**values, "EXPIRATION": str(int(time.time()) + HOUR)})
    assert [session["seconds_remaining"] > 0 for session in status(world)["mfa_sessions"]] == [True]


def test_where_the_region_comes_from(world: World) -> None:
    """It is what a directory gets: the environment's where it has one, else the profile's, be that from another one."""
    world.profile("common", region="eu-north-1", awsdirenv_stage="test")
    world.role("plain", mfa=False, include_profile="common", region="")
    world.config.write_text(world.config.read_text().replace("region = \n", ""))
    world.run("awsdirenv", "load", "plain").check_returncode()
    found = profile(world, "plain")
    assert (found["region"], found["region_source"]) == ("eu-north-1", line(world, "region = eu-north-1"))
    for env in ({"AWS_REGION": "us-east-1"}, {"AWS_DEFAULT_REGION": "us-east-1"}):
        found = profile(world, "plain", **env)
        assert (found["region"], found["region_source"]) == ("us-east-1", next(iter(env)))
    inside = {"AWS_REGION": "us-east-1", "AWSDIRENV_PROFILE": "other"}
    assert profile(world, "plain", **inside)["region"] == "eu-north-1"
    world.config.write_text(world.config.read_text().replace("eu-north-1", "eu-north-2"))
    found = profile(world, "plain")
    assert (found["region"], found["region_source"], found["state"]) == ("eu-north-1", None, "outdated")


def test_other_contexts(world: World) -> None:
    """What other directories hold is shown, too: of other files with their lines, and each wish for a life."""
    world.role("plain", mfa=False)
    other = world.root / "other config"
    other.write_text(world.config.read_text().replace(REGION, "ap-south-1") + "awsdirenv_stage = elsewhere\n")
    world.run("awsdirenv", "load", "plain").check_returncode()
    world.run("awsdirenv", "load", "plain", "--duration", "2h").check_returncode()
    world.run("awsdirenv", "load", "plain", AWS_CONFIG_FILE=str(other)).check_returncode()
    found = status(world)["profiles"]
    assert [entry["profile"] for entry in found] == ["plain"] * 3
    assert sorted((entry["region"], entry["stage"]) for entry in found if entry["stage"]) == [
        ("ap-south-1", "elsewhere")
    ]
    sources = [entry["region_source"].rpartition(":")[0] for entry in found]
    assert sorted(sources) == sorted([str(other), str(world.config), str(world.config)])
    assert sorted(entry["seconds_remaining"] // HOUR for entry in found) in ([0, 0, 1], [0, 0, 0])


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
    """Who holds a lock is told by the kernel; what for and since when, by its note."""
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
    """A lock without a note, or with the note of somebody else who lives, is told with the process that holds it."""
    with held(world, "name-x") as process:
        lock = {"name": "name-x", "pid": process.pid, "since": None}
        assert status(world)["locks"] == [lock]
        (world.cache / "locks" / "name-x.lock").write_text(f"{os.getpid()}\t/dev/pts/1\tasking for nothing\n")
        assert status(world)["locks"] == [lock]
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


def test_open_is_not_held(world: World) -> None:
    """Who has a lock file open and holds another lock, as one that waits in turn does, holds only that."""
    folder = world.cache / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with Locks(folder, timeout=1, on_wait=lambda *_: None).hold("role-held"), (folder / "role-open.lock").open("w"):
        assert status(world)["locks"] == [{"name": "role-held", "pid": os.getpid(), "since": None}]


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
        assert re.search(rf"on /dev/pts/\d+ +asking for the MFA code of {world.mfa_serial}", text(world))
        shell.send(world.code() + "\r")
        shell.finish()
    assert status(world)["locks"] == []


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


@pytest.mark.parametrize(
    "content", [b"[profile plain\n", b"a = b\n", b"\xff\xfe\x00", b"[profile plain]\nregion = \n", b""]
)
def test_files_of_aws_that_cannot_be_parsed(world: World, content: bytes) -> None:
    """Files that have become nonsense make what is held outdated, and no error."""
    world.role("plain", mfa=False)
    world.run("awsdirenv", "load", "plain").check_returncode()
    world.config.write_bytes(content)
    found = profile(world, "plain")
    assert [found[key] for key in ("state", "region", "region_source")] == ["outdated", REGION, None]
    assert found["account_id"] == ACCOUNT


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


@pytest.mark.root
def test_works_offline(world: World) -> None:
    """Without any network it says the same."""
    world.role("plain", mfa=False)
    world.enter(world.project("plain"))
    alone = world.run("unshare", "-n", str(BIN / "awsdirenv"), "status")
    assert (alone.returncode, alone.stdout) == (0, text(world))


def test_tells_no_secret(world: World) -> None:
    """No secret is in what it says."""
    world.role("adminrole")
    world.login("adminrole")
    said = text(world) + json.dumps(status(world))
    assert not any(sentinel in said for sentinel in SENTINELS)
    assert world.user.access_key_id not in said


def test_imports_little(world: World) -> None:
    """Nothing slow is imported: no botocore, no filelock."""
    world.role("plain", mfa=False)
    world.enter(world.project("plain"))
    assert imported(world, "status") & SLOW == set()
    assert imported(world, "status", "--json") & SLOW == set()


def test_five_thousand_profiles(world: World) -> None:
    """Five thousand profiles in the config file and two hundred in the cache are looked through at once."""
    world.role("plain", mfa=False)
    with world.config.open("a", encoding="utf-8") as file:
        for number in range(5000):
            file.write(f"[profile p{number}]\nrole_arn = x\nsource_profile = base\nregion = r{number}\n")
    world.run("awsdirenv", "load", "plain").check_returncode()
    snapshots = CachePaths.from_environ(world.env).snapshots
    (made,) = snapshots.iterdir()
    values = private_files.read_private(made) or {}
    for number in range(200):
        private_files.write_private(
            snapshots / f"p{number}", {**values, "AWSDIRENV_PROFILE": f"p{number}", "AWS_REGION": f"r{number}"}
        )
    assert quickest(lambda: status(world)) < AT_ONCE
    found = status(world)["profiles"]
    assert len(found) == 201
    assert all(Path(entry["region_source"].rpartition(":")[0]) == world.config for entry in found)
