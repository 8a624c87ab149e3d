"""The token of a sign-in, while another program renews it: cut off at any byte, empty, replaced, or refused."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ConnectTimeoutError,
    InvalidRegionError,
    LoginRefreshRequired,
    SSOTokenLoadError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.utils import (
    JSONFileCache,
    LoginTokenLoader,
    SSOTokenLoader,
    generate_login_cache_key,
    get_login_token_cache_directory,
)

from awsdirenv.aws import shared_tokens
from awsdirenv.aws.shared_tokens import TokenFile, load, token_file
from awsdirenv.config.aws_files import load_files
from awsdirenv.config.resolve import resolve_chain
from world import World

KINDS = ["Identity Center", "aws login"]
END = "sign-in has ended"


class Shared:
    """A profile behind a sign-in, the file of its token, and another program that renews the token."""

    def __init__(self, world: World, kind: str, life: int) -> None:
        self.world, self.kind, self.is_sso = world, kind, kind == "Identity Center"
        if self.is_sso:
            world.sso_session(signed_in=False)
            world.sso_profile("dev")
            self.path = world.sso_sign_in(life=life)
        else:
            self.path = world.login_profile("dev", life=life)
        self.service: Any = world.sts.sso if self.is_sso else world.sts.signin
        self.refreshes = "CreateToken" if self.is_sso else "CreateOAuth2Token"

    @property
    def file(self) -> TokenFile:
        """What our code knows of the file."""
        files = load_files(self.world.env)
        chain = resolve_chain(files, "dev", self.world.env)
        return token_file(chain, files.profiles["dev"].get("login_session"), self.world.env)

    def read(self) -> object:
        """Read the token as botocore does, and fail as it does."""
        cache: Any = JSONFileCache(str(self.path.parent))
        if self.is_sso:
            return SSOTokenLoader(cache)("url", session_name="corp")["accessToken"]
        loader: Any = LoginTokenLoader(cache)
        return loader.load_token(self.world.user.arn)["accessToken"]["accessKeyId"]

    def renewed(self) -> bytes:
        """Have the other program renew the token; give what it is going to write."""
        used = json.loads(self.path.read_text(encoding="utf-8"))["refreshToken"]
        token = self.service.sign_in() if self.is_sso else self.service.sign_in(self.world.user.arn)
        del self.service.refresh_tokens[used]
        return json.dumps(token).encode()

    def has_token(self) -> bool:
        """Tell whether the file has a refresh token that the service takes."""
        return json.loads(self.path.read_text(encoding="utf-8"))["refreshToken"] in self.service.refresh_tokens


@pytest.fixture(params=KINDS)
def shared(world: World, request: pytest.FixtureRequest) -> Shared:
    """Have a sign-in of each kind, whose token has ended and can be renewed."""
    return Shared(world, request.param, -60)


@pytest.fixture
def polls(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Count how often we look again while we wait."""
    found: list[float] = []

    def sleep(seconds: float) -> None:
        found.append(seconds)
        time.sleep(seconds)

    monkeypatch.setattr(shared_tokens, "time", type("Clock", (), {"sleep": sleep, "monotonic": time.monotonic}))
    return found


def broken(shared: Shared, meanwhile: Callable[[], object]) -> Callable[[], object]:
    """Give a call that reads the file as it is, and does something else before it fails the first time."""
    failed: list[bool] = []

    def call() -> object:
        try:
            return shared.read()
        except (KeyError, BotoCoreError):
            if not failed:
                meanwhile()
            failed.append(True)
            raise

    return call


def test_cut_off_at_any_byte(shared: Shared) -> None:
    """At whatever byte the file ends when it is read, the rest that comes a moment later is waited for."""
    whole = shared.path.read_bytes()
    expected = shared.read()
    for length in range(len(whole)):
        shared.path.write_bytes(whole[:length])
        call = broken(shared, lambda: shared.path.write_bytes(whole))
        assert load(shared.file, call, within=0) == expected


def test_cut_off_for_good(shared: Shared) -> None:
    """A file that stays cut off, at whatever byte, is no token: the sign-in is over, and no other error comes of it."""
    whole = shared.path.read_bytes()
    for length in range(len(whole)):
        shared.path.write_bytes(whole[:length])
        with pytest.raises(SSOTokenLoadError, match="the token is none"):
            load(shared.file, shared.read, within=0)


@pytest.mark.parametrize("how", ["in place", "by another file"])
def test_rewritten_while_it_is_read(shared: Shared, how: str) -> None:
    """Whole before and whole after, and torn only in between: read once more, and no time is lost."""
    whole = shared.path.read_bytes()

    def rewrite() -> None:
        if how == "in place":
            shared.path.write_bytes(whole)
        else:
            draft = shared.path.with_suffix(".new")
            draft.write_bytes(whole)
            draft.replace(shared.path)

    expected, call = shared.read(), broken(shared, rewrite)

    def torn() -> object:
        if not calls:
            calls.append(1)
            shared.path.write_bytes(b"")
        return call()

    calls: list[int] = []
    assert load(shared.file, torn, within=0) == expected


@pytest.mark.parametrize("pieces", [1, 2, 40])
def test_written_in_pieces(shared: Shared, pieces: int) -> None:
    """A program that is slow to write its file is waited for until it is whole."""
    whole = shared.path.read_bytes()
    expected = shared.read()
    shared.path.write_bytes(b"")

    def write() -> None:
        step = len(whole) // pieces + 1
        with shared.path.open("wb", buffering=0) as file:
            for start in range(0, len(whole), step):
                time.sleep(0.2 / pieces)
                file.write(whole[start : start + step])

    writer = threading.Thread(target=write)
    writer.start()
    assert load(shared.file, shared.read, within=60) == expected
    writer.join()


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("content", [b"null", b"[]", b'{"a": 1}', b"[" * 5000, b"\xff", b'{"accessToken": 7}', b"{}"])
def test_no_token(shared: Shared, content: bytes, polls: list[float]) -> None:
    """A file with anything else in it is a sign-in that is over, for which fifty shells do not wait one by one."""
    shared.path.write_bytes(content)
    for number in range(3):
        with pytest.raises(SSOTokenLoadError):
            load(shared.file, lambda: {}[shared.read()], within=0.1)  # type: ignore[index]
        assert number == 0 or polls == []
        polls.clear()


@pytest.mark.parametrize("writes", ["before our answer", "after it"])
def test_another_program_was_faster(shared: Shared, writes: str) -> None:
    """Refused since another program has used the refresh token: its new one is taken, though it writes it later."""
    new = shared.renewed()
    if writes == "before our answer":
        shared.world.sts.add_fault(shared.refreshes, "delay", seconds=0.3)

    def write() -> None:
        while not shared.world.sts.count(shared.refreshes):
            time.sleep(0.005)
        if writes == "after it":
            time.sleep(0.2)
        with shared.path.open("r+b", buffering=0) as file:  # as the AWS CLI 2 does
            file.truncate()
            for part in (new[:100], new[100:]):
                time.sleep(0.05)
                file.write(part)

    writer = threading.Thread(target=write)
    writer.start()
    done = shared.world.run("awsdirenv", "load", "--", "dev")
    writer.join()
    assert done.returncode == 0, done.stderr
    assert END not in done.stderr
    assert shared.has_token()


def test_a_sign_in_that_has_ended(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nobody else, a refused token is a sign-in that has ended, and a torn file too; the next one works."""
    monkeypatch.setattr("awsdirenv.aws.providers.WRITTEN_WITHIN", 0.1)
    shared.service.refresh_tokens.clear()
    whole = shared.path.read_bytes()
    for content in (whole, whole[:-1], b""):
        shared.path.write_bytes(content)
        done = shared.world.run("awsdirenv", "load", "--", "dev")
        assert (done.returncode, done.stdout) == (3, "")
        assert f"the credentials for profile dev: the {END}" in done.stderr
        assert f"hint: {'awsdirenv login dev' if shared.is_sso else 'aws login --profile dev'}" in done.stderr
    if shared.is_sso:
        shared.world.sso_sign_in()
    else:
        shared.path.write_text(json.dumps(shared.service.sign_in(shared.world.user.arn)), encoding="utf-8")
    assert shared.world.run("awsdirenv", "load", "--", "dev").returncode == 0


@pytest.mark.parametrize("error", [LoginRefreshRequired(), TokenRetrievalError(provider="sso", error_msg="x")], ids=str)
def test_one_waits_for_all(shared: Shared, polls: list[float], error: BotoCoreError) -> None:
    """Who is refused with the token of which somebody has just waited for a newer one does not wait again."""

    def call() -> None:
        raise error

    for number in range(3):
        with pytest.raises(type(error)):
            load(shared.file, call, within=0.1)
        assert bool(polls) == (number == 0)
        polls.clear()
    shared.path.write_bytes(shared.renewed())
    with pytest.raises(type(error)):
        load(shared.file, call, within=0.1)
    assert polls


def test_other_errors_pass(shared: Shared, polls: list[float]) -> None:
    """What the token has no part in is raised as it is, at once; a sound token's odd error after one more try."""
    calls: list[int] = []

    def call() -> None:
        calls.append(1)
        raise KeyError("x")

    shared.path.write_bytes(shared.renewed())
    with pytest.raises(KeyError):
        load(shared.file, call, within=60)
    assert (len(calls), polls) == (2, [])


@pytest.mark.parametrize(
    "error",
    [
        UnauthorizedSSOTokenError(),
        SSOTokenLoadError(error_msg="does not exist"),
        InvalidRegionError(region_name="x"),
        ConnectTimeoutError(endpoint_url="x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_wait(shared: Shared, polls: list[float], error: BotoCoreError) -> None:
    """Nobody is waited for where there is no token, where it was revoked, and where nothing answers."""
    shared.path.unlink()

    def call() -> None:
        raise error

    with pytest.raises(type(error)):
        load(shared.file, call, within=60)
    assert polls == []


def test_there_is_an_end(shared: Shared) -> None:
    """A file that changes all the time, and is refused each time, keeps nobody for ever."""
    calls: list[int] = []

    def call() -> None:
        calls.append(1)
        shared.path.write_bytes(shared.renewed())
        raise TokenRetrievalError(provider="sso", error_msg="x")

    with pytest.raises(TokenRetrievalError):
        load(shared.file, call, within=60)
    assert len(calls) == 5


@pytest.mark.parametrize("folder", ["", "~/own", "$HOME/own", "{home}/own"])
def test_the_file_of_aws_login(world: World, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    """The file is where botocore has it, by AWS_LOGIN_CACHE_DIRECTORY too."""
    world.login_profile("dev")
    monkeypatch.setenv("HOME", str(world.home))
    if folder:
        world.env["AWS_LOGIN_CACHE_DIRECTORY"] = folder.format(home=world.home)
        monkeypatch.setenv("AWS_LOGIN_CACHE_DIRECTORY", world.env["AWS_LOGIN_CACHE_DIRECTORY"])
    files = load_files(world.env)
    file = token_file(resolve_chain(files, "dev", world.env), files.profiles["dev"]["login_session"], world.env)
    assert file.path == Path(get_login_token_cache_directory()) / f"{generate_login_cache_key(world.user.arn)}.json"
