"""The token file of IAM Identity Center: as the AWS CLI and botocore have it, private, and judged without a crash."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from botocore.utils import JSONFileCache, SSOTokenLoader

from awsdirenv.aws import sso_token
from awsdirenv.aws.sso_token import SsoToken
from awsdirenv.config.chain import SsoSession
from awsdirenv.errors import CacheError

START_URL = "https://d-0123456789.awsapps.com/start#/"
CORP = SsoSession("corp", START_URL, "eu-west-1")
LEGACY = SsoSession(None, START_URL, "eu-west-1")
NOON = datetime(2026, 11, 23, 12, tzinfo=timezone(timedelta(hours=2)))
SOON, EARLIER = "2126-01-01T00:00:00Z", "2020-01-01T00:00:00Z"
TOKEN: dict[str, Any] = {
    "accessToken": "an access token",
    "expiresAt": NOON,
    "clientId": "a client",
    "clientSecret": "its secret",
    "registrationExpiresAt": NOON,
    "refreshToken": "a refresh token",
}
SOUND = {**TOKEN, "expiresAt": SOON, "registrationExpiresAt": SOON}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Have a home with nothing in it."""
    return {"HOME": str(tmp_path)}


@pytest.fixture
def any_umask() -> Iterator[None]:
    """Let files be readable by everybody, as far as the umask goes."""
    before = os.umask(0)
    yield
    os.umask(before)


def put(values: object, environ: dict[str, str], session: SsoSession = CORP) -> None:
    """Write a token file as somebody else would."""
    path = sso_token.path(session, environ)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(values if isinstance(values, str) else json.dumps(values), encoding="utf-8")


@pytest.mark.parametrize("session", [CORP, LEGACY], ids=["session", "legacy"])
def test_the_name_is_botocore_s(session: SsoSession, environ: dict[str, str]) -> None:
    """The file is named by the SHA-1 of the session's name, or of the start URL to the letter, as botocore has it."""
    path = sso_token.path(session, environ)
    cache: dict[str, Any] = {}
    botocore_s: Any = SSOTokenLoader(cache)
    botocore_s.save_token(session.start_url, TOKEN, session.name)
    assert [path.stem] == list(cache)
    assert path.parent == Path(environ["HOME"]) / ".aws" / "sso" / "cache"


@pytest.mark.usefixtures("any_umask")
@pytest.mark.parametrize("session", [CORP, LEGACY], ids=["session", "legacy"])
def test_the_file_is_the_aws_cli_s(session: SsoSession, environ: dict[str, str]) -> None:
    """Keys, order and times are those of `aws sso login`; the file is 0600 whatever was there before."""
    put("{}", environ, session)
    path = sso_token.path(session, environ)
    path.chmod(0o644)
    sso_token.write(session, TOKEN, environ)
    assert path.read_text() == (
        f'{{"startUrl": "{START_URL}", "region": "eu-west-1", "accessToken": "an access token", '
        '"expiresAt": "2026-11-23T10:00:00Z", "clientId": "a client", "clientSecret": "its secret", '
        '"registrationExpiresAt": "2026-11-23T10:00:00Z", "refreshToken": "a refresh token"}'
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    loader = SSOTokenLoader(JSONFileCache(str(path.parent)))
    assert loader(session.start_url, session.name)["accessToken"] == "an access token"


@pytest.mark.usefixtures("any_umask")
def test_a_new_folder_is_private(environ: dict[str, str]) -> None:
    """Where there was no cache, it is made so that nobody else can look into it."""
    sso_token.prepare(CORP, environ)
    assert stat.S_IMODE(sso_token.path(CORP, environ).parent.stat().st_mode) == 0o700


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize(
    "values",
    [
        "",
        "{",
        "null",
        "[]",
        "7",
        '"accessToken expiresAt"',
        "\x00\x01",
        {},
        {"accessToken": "x"},
        {"expiresAt": SOON},
        {"accessToken": None, "expiresAt": SOON},
        {"accessToken": 7, "expiresAt": SOON},
        {"accessToken": "x", "expiresAt": None},
        {"accessToken": "x", "expiresAt": 7},
        {"accessToken": "x", "expiresAt": "soon"},
        {"accessToken": "x", "expiresAt": ""},
        {"accessToken": "x", "expiresAt": "0001-01-01T00:00:00+10:00"},
        "[" * 200_000,
    ],
    ids=lambda values: str(values)[:80],
)
def test_what_is_no_token(values: object, environ: dict[str, str]) -> None:
    """A file that is torn, empty or something else is no token, and no reason to fail."""
    put(values, environ)
    assert sso_token.read(CORP, environ) is None
    assert not sso_token.has_sound_token(CORP, environ)


def test_no_file_at_all(environ: dict[str, str]) -> None:
    """Without a file, or with something else in its place, there is no token."""
    assert sso_token.read(CORP, environ) is None
    sso_token.path(CORP, environ).mkdir(parents=True)
    assert sso_token.read(CORP, environ) is None


@pytest.mark.parametrize("text", ["2026-11-23T10:00:00Z", "2026-11-23T10:00:00UTC", "2026-11-23T12:00:00+02:00"])
def test_times(text: str, environ: dict[str, str]) -> None:
    """The times of all versions of the AWS CLI are understood."""
    put({"accessToken": "x", "expiresAt": text}, environ)
    assert sso_token.read(CORP, environ) == SsoToken(NOON, can_refresh=False)


@pytest.mark.parametrize(
    ("session", "change", "can_refresh"),
    [
        (CORP, {}, True),
        (LEGACY, {}, False),
        (CORP, {"registrationExpiresAt": EARLIER}, False),
        (CORP, {"registrationExpiresAt": "some day"}, False),
        (CORP, {"registrationExpiresAt": None}, False),
        (CORP, {"refreshToken": None}, False),
        (CORP, {"clientId": None}, False),
        (CORP, {"clientSecret": None}, False),
    ],
    ids=str,
)
def test_what_can_be_refreshed(
    session: SsoSession,
    change: dict[str, str],
    can_refresh: bool,  # noqa: FBT001 - pytest gives it by name
    environ: dict[str, str],
) -> None:
    """A token is refreshed as long as the registration holds, and never for a legacy profile, as in botocore."""
    put({**SOUND, **change}, environ, session)
    found = sso_token.read(session, environ)
    assert found is not None
    assert found.can_refresh == can_refresh
    assert sso_token.has_sound_token(session, environ)
    put({**SOUND, **change, "expiresAt": EARLIER}, environ, session)
    assert sso_token.has_sound_token(session, environ) == can_refresh


@pytest.mark.parametrize(
    "step", [lambda environ: sso_token.prepare(CORP, environ), lambda environ: sso_token.write(CORP, TOKEN, environ)]
)
def test_a_cache_that_cannot_be(step: Callable[[dict[str, str]], None], environ: dict[str, str]) -> None:
    """Something in the folder's place is an error that names the file, before and after a person has signed in."""
    folder = sso_token.path(CORP, environ).parent
    folder.parent.mkdir(parents=True)
    folder.touch()
    with pytest.raises(CacheError) as caught:
        step(environ)
    assert caught.value.message == f"cannot use {sso_token.path(CORP, environ)}: File exists"
    assert caught.value.hint == f"make {folder} writable"


def test_a_cache_that_is_closed(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that takes no files is noticed before a person signs in."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(CacheError, match=r"^cannot use .*\.json: Permission denied$"):
        sso_token.prepare(CORP, environ)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_half_written(error: BaseException, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C or a full disk in the middle of the write leaves the old token, and no draft of the new one."""
    put(SOUND, environ)

    def replace(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises((KeyboardInterrupt, CacheError)):
        sso_token.write(CORP, TOKEN, environ)
    path = sso_token.path(CORP, environ)
    assert list(path.parent.iterdir()) == [path]
    assert json.loads(path.read_text()) == SOUND
