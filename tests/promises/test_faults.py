"""Whatever goes wrong, the directory is closed, says why in one line and how to mend it in another, and heals."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from network import closed_port
from strict_sts import BLIND_FAULTS, ERROR_FAULTS, SPOILING_FAULTS
from world import AT_ONCE, BLOCK, CLOSED, OUTER, World, without_direnv

ENVRC = "use aws_profile plain\nexport REST_OF_ENVRC=loaded\n"


@pytest.fixture
def folder(world: World) -> Path:
    """Make a project that needs no code."""
    world.role("plain", mfa=False)
    return world.project("plain", ENVRC)


def assert_closed(world: World, folder: Path, kind: str = "", **env: str) -> str:
    """Enter, with outer credentials in the environment; assert the one way to fail; give what was said."""
    changes, said = world.enter(folder, **{**OUTER, **env})
    for name in BLOCK:
        assert name in changes, f"{name} of the outer environment stays"
        assert changes[name] == CLOSED[name], f"{name} is set"
    assert changes["REST_OF_ENVRC"] == "loaded"
    said = without_direnv(said)
    assert_clear(said, kind)
    return said


def assert_clear(said: str, kind: str) -> None:
    """Assert that an error and a hint are all that is said, but for waits: ours, and direnv's after 5 s.

    `kind` is what the error says, or several such things with `|` between them.
    """
    waits = ("is taking a while", "awsdirenv: waiting for ")
    lines = [line for line in said.splitlines() if not any(wait in line for wait in waits)]
    assert len(lines) == 2, said
    assert lines[0].startswith("awsdirenv: error: "), said
    assert lines[1].startswith("awsdirenv: hint: "), said
    assert "Traceback" not in said
    assert "SENTINEL-" not in said
    assert "outer-" not in said
    assert any(words in said for words in kind.split("|"))


def assert_refused(world: World, profile: str, kind: str) -> str:
    """Load in this process, as entering does; assert that it fails, and gives nothing; give what was said."""
    done = world.run("awsdirenv", "load", "--", profile, cwd=world.root, **OUTER)
    assert (done.returncode != 0, done.stdout) == (True, "")
    assert_clear(done.stderr, kind)
    return done.stderr


def assert_mended(world: World, folder: Path) -> None:
    """Load in this process, as entering does, and enter."""
    world.hold("plain")
    assert_open(world, folder)


def assert_open(world: World, folder: Path) -> None:
    """Enter, with outer credentials in the environment; assert that ours replace them all."""
    changes, said = world.enter(folder, **OUTER)
    assert str(changes["AWS_ACCESS_KEY_ID"]).startswith("ASID"), said
    assert str(changes["AWS_SESSION_TOKEN"]).startswith("SENTINEL-TOKEN-")
    assert changes["AWS_ACCOUNT_ID"] == "123456789012"
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN"):
        assert changes[name] is None
    assert changes["REST_OF_ENVRC"] == "loaded"
    assert "awsdirenv: error" not in said


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("500", "AWS has a problem (500)"),
        ("503", "AWS has a problem (503)"),
        ("throttle", "Throttling"),
        ("garbage", "the answer is not from AWS"),
        ("html", "the answer is not from AWS"),
        ("empty", "the answer is not from AWS"),
        # To an older botocore a body that is cut off is a connection that is.
        ("truncated", "the answer is not from AWS|no answer (ConnectionClosedError)"),
        ("drop", "no answer (ConnectionClosedError)"),
        ("missing-credentials", "the answer is not from AWS"),
        ("past-expiration", "the answer is not from AWS"),
        ("access-denied", "Access denied"),
    ],
)
def test_faults_of_sts(world: World, folder: Path, kind: str, words: str) -> None:
    """Each way in which STS can fail is one clear error, and the next success heals it."""
    world.sts.add_fault("AssumeRole", kind, times=None)
    if kind in ("500", "throttle", "html", "drop"):  # one of each sort; in the others a load fails by the same words
        assert_closed(world, folder, words)
    else:
        assert_refused(world, "plain", words)
    world.sts.reset(faults=True)
    assert_mended(world, folder)


def test_no_network(world: World, folder: Path) -> None:
    """Without a network the error says so."""
    world.sts.stop()
    assert_closed(world, folder, "no answer (EndpointConnectionError)")


def test_configuration(world: World, folder: Path) -> None:
    """Each broken configuration is one clear error, quotes nothing of the files, and its mending is noticed."""
    good = world.config.read_text(), world.credentials.read_text()

    def broken(config: bytes | None = None, credentials: bytes | None = None) -> Callable[[], None]:
        def write() -> None:
            if config is not None:
                world.config.write_bytes(config)
            if credentials is not None:
                world.credentials.write_bytes(credentials)

        return write

    secret = world.user.secret_access_key
    cases: list[tuple[Callable[[], None], str]] = [
        (broken(config=b""), "no profile plain in "),
        (broken(config=b"[profile plain]\nrole_arn = x\n"), "neither source_profile nor credential_source"),
        (broken(config=good[0].encode() + b"role_arn = again\n"), "a key is there twice"),
        (broken(config=good[0].encode() + b"[profile plain]\n"), "a section is there twice"),
        (broken(config=b"nonsense\n" + good[0].encode()), "line 1: neither a section nor key = value"),
        (broken(config=b"[profile plain]\nregion = \xff\xfe\n"), "not UTF-8 at byte"),
        (broken(credentials=b""), "profile base has no credentials"),
        (broken(credentials=b"[base]\naws_access_key_id = AKIDX\n"), "missing: aws_secret_access_key"),
        (broken(credentials=f"[base]\n{secret}\n".encode()), "neither a section nor key = value"),
        (
            broken(credentials=f"[base]\naws_access_key_id = AKIDNOBODY\naws_secret_access_key = {secret}\n".encode()),
            "STS does not take the access key of profile base (InvalidClientTokenId)",
        ),
    ]
    for write, words in cases:
        write()
        said = assert_closed(world, folder, words)
        assert secret not in said
        world.config.write_text(good[0])
        world.credentials.write_text(good[1])
        assert_mended(world, folder)


@pytest.mark.needs("root")
def test_unreadable_config(world: World, folder: Path) -> None:
    """A file that may not be read is named; root may read everything, so it enters without that capability."""
    world.config.chmod(0)
    powerless = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    done = world.run(*powerless, "direnv", "export", "json", cwd=folder, **OUTER)
    assert f"cannot read {world.config}: permission denied" in done.stderr
    assert json.loads(done.stdout)["AWS_ACCESS_KEY_ID"] is None
    world.config.chmod(0o600)
    assert_mended(world, folder)


def test_denied(world: World, folder: Path) -> None:
    """STS's no names the role and the profile."""
    world.profile("other", role_arn="arn:aws:iam::123456789012:role/not-mine", source_profile="base", region="x-1")
    said = assert_closed(world, world.project("other", ENVRC.replace("plain", "other")), "not authorized")
    assert "AssumeRole of arn:aws:iam::123456789012:role/not-mine for profile other" in said


@pytest.mark.needs("mounts")
@pytest.mark.parametrize("damage", ["file", "foreign", "read-only", "full"])
def test_cache_folder(world: World, folder: Path, damage: str) -> None:
    """A cache folder that cannot be used closes the directory, and nothing is left when it can be used again."""
    parent = world.cache.parent
    shutil.rmtree(parent, ignore_errors=True)
    mounted = False
    if damage == "file":
        parent.mkdir()
        world.cache.write_text("")
    elif damage == "foreign":
        world.cache.mkdir(parents=True, mode=0o700)
        os.chown(world.cache, 12345, 12345)
    else:
        parent.mkdir()
        # root ignores modes, but not a read-only or a full file system
        options = "ro,size=4k" if damage == "read-only" else "size=4k,nr_inodes=3"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(parent)], check=True)
        mounted = True
    try:
        assert_closed(world, folder, str(world.cache))
    finally:
        if mounted:
            subprocess.run(["umount", str(parent)], check=True)
    shutil.rmtree(parent, ignore_errors=True)
    if world.cache.exists():
        world.cache.unlink()
    assert_mended(world, folder)


BAD_LINES = (
    "use aws_profile nobody-knows-it",
    "use aws_profile ''",
    "use aws_profile --live plain",
    "use aws_profile plain other",
    "use aws_profile plain --region",
    "use aws_profile plain --region 'eu west'",
    "use aws_profile \"$(printf 'a\\nb')\"",
    f"use aws_profile {'x' * 300}",
    "use aws_profile ../../etc/passwd",
    "use aws_profile '$(touch pwned)'",
)


@pytest.mark.parametrize("strict", [False, True])
def test_bad_lines(world: World, strict: bool) -> None:  # noqa: FBT001
    """Whatever is wrong with the line itself, it is closed and said, with and without strict_env."""
    head = "strict_env\n" if strict else ""
    for line in BAD_LINES:
        folder = world.project("bad", f"{head}{line}\nexport REST_OF_ENVRC=loaded\n")
        try:
            assert_closed(world, folder)
        except AssertionError as error:
            raise AssertionError(line) from error
        assert not (folder / "pwned").exists(), line


@pytest.mark.parametrize("strict", [False, True])
def test_strict_env(world: World, strict: bool) -> None:  # noqa: FBT001
    """It works the same with strict_env, with odd shell options and with a changed IFS."""
    world.role("plain", mfa=False)
    head = "strict_env\nIFS=:/\nset -f\nshopt -s nocasematch\n" if strict else ""
    folder = world.project("plain", f"{head}{ENVRC}")
    if not strict:
        world.hold("plain")
    assert_open(world, folder)
    assert_open(world, folder)


def test_nobody_is_asked(world: World) -> None:
    """With no human a needed code is an error at once that names the command, and STS is left alone."""
    world.role("adminrole")
    folder = world.project("adminrole", ENVRC.replace("plain", "adminrole"))
    started = time.monotonic()
    said = assert_closed(world, folder, "awsdirenv: hint: awsdirenv login adminrole")
    assert time.monotonic() - started < AT_ONCE
    assert "nobody is here to type it" in said
    assert world.sts.count("*") == 0


def test_missing_interpreter(world: World, folder: Path) -> None:
    """An installation that was removed is named, with the command that mends it."""
    extension = world.home / ".config" / "direnv" / "lib" / "awsdirenv.sh"
    text = extension.read_text()
    extension.write_text(text.replace("/bin/python", "/bin/gone-python"))
    assert_closed(world, folder, "awsdirenv: hint: awsdirenv setup")
    extension.write_text(text)
    assert_mended(world, folder)


def test_dead_session_is_replaced(world: World) -> None:
    """A session that STS refuses is dropped and the step tried once more, without a word where no code is needed."""
    world.role("adminrole")
    world.role("second")
    world.login("adminrole")
    folder = world.project("second", ENVRC.replace("plain", "second"))
    world.sts.expire_all_sessions()
    assert_closed(world, folder, "awsdirenv login second")
    world.login("second")
    assert_open(world, folder)
    assert world.sts.count("AssumeRole", ok=False) == 1


def test_edited_role(world: World, folder: Path) -> None:
    """An edited role_arn never gets yesterday's credentials, not even when the new role is refused."""
    assert_mended(world, folder)
    first, _ = world.enter(folder)
    stat = world.config.stat()
    text = world.config.read_text()
    world.config.write_text(text.replace("role/plain", "role/plane"))
    os.utime(world.config, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # same size, same time: only ctime tells
    assert_closed(world, folder, "role/plane")
    world.sts.add_role("plane")
    changes, _ = world.enter(folder)
    assert changes["AWS_ACCESS_KEY_ID"] != first["AWS_ACCESS_KEY_ID"]


BROKEN_PROGRAMS = (
    ("/nowhere/at/all", "cannot start /nowhere/at/all: No such file or directory"),
    ("echo SENTINEL-SECRET-x", "did not print JSON"),
    ("sh -c 'echo SENTINEL-SECRET-x >&2; exit 3'", "failed with status 3: …"),
    ("echo '{\"Version\": 2}'", "did not print Version 1"),
    ("echo '[]'", "did not print a JSON object"),
    ("printf '\\377'", "did not print JSON"),
)


def test_broken_credential_process(world: World) -> None:
    """A credential_process that fails is said to be the profile's source, and what it printed is not repeated."""
    for number, (program, words) in enumerate(BROKEN_PROGRAMS):
        world.profile(f"made{number}", credential_process=program, region="eu-west-1")
        whole = f"awsdirenv: error: credential_process of profile made{number} {words}\n"
        assert_refused(world, f"made{number}", whole)
    assert_closed(world, world.project("made", ENVRC.replace("plain", f"made{number}")), whole)


# Answers that say that STS has not taken the code.
NOT_TAKEN = {"404", "throttle", "throttling-exception", "access-denied"} | {
    kind for kind in ERROR_FAULTS if "signature" in kind or "skewed" in kind
}


@pytest.mark.parametrize("kind", sorted({*BLIND_FAULTS, *ERROR_FAULTS, *SPOILING_FAULTS} - {"date"}))
def test_a_code_is_not_sent_again(world: World, kind: str) -> None:
    """A code whose answer is lost may be spent: neither botocore nor a second try sends it again, and that is said."""
    world.role("adminrole")
    if kind in ("hang", "delay"):  # a busy machine may take longer than that for an answer
        world.env["AWSDIRENV_STS_TIMEOUT"] = "1s"
    # What was left behind by a time limit must not meet the second try.
    world.sts.add_fault("GetSessionToken", kind, seconds=20 if kind == "hang" else 2 if kind == "delay" else None)
    words = ("awsdirenv", "login", "--token-code", code := world.code(), "adminrole")
    tries = [world.run(*words), world.run(*words)]
    sent = [call for call in world.sts.calls if "TokenCode" in call.params]
    if kind in NOT_TAKEN:
        assert [call.status == 200 for call in sent] == [False, True]
        assert tries[1].returncode == 0
    else:
        assert len(sent) == 1, [(call.action, call.status) for call in world.sts.calls]
        assert tries[0].returncode == 1
        error = f"awsdirenv: error: that code was already used: {code}"
        assert tries[1].stderr.startswith(error), tries[1].stderr
        world.login("adminrole")


def test_a_code_that_never_left_is_good(world: World) -> None:
    """Where no connection is made, the same code may be typed again."""
    world.role("adminrole")
    words = ("awsdirenv", "login", "--token-code", world.code(), "adminrole")
    refused = world.run(*words, AWS_ENDPOINT_URL=closed_port())
    assert (refused.returncode, "no answer" in refused.stderr) == (1, True)
    assert world.run(*words).returncode == 0
