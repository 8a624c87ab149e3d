"""A rotation whose new key AWS does not take: nothing is switched, and there is a way on."""

from __future__ import annotations

from pathlib import Path

import pytest

from awsdirenv.aws.iam_keys import UserKeys
from awsdirenv.config import key_lines
from awsdirenv.config.aws_files import load_files, static_keys
from awsdirenv.errors import KeyRotationError
from awsdirenv.refresh.key_vaults import FileVault
from awsdirenv.refresh.rotation import Rotator
from strict_sts import StrictSts, User


@pytest.fixture
def user(sts: StrictSts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> User:
    """Have a user whose key is in the credentials file."""
    made = sts.add_user("foo")
    (tmp_path / "credentials").write_text(
        f"[base]\naws_access_key_id = {made.access_key_id}\naws_secret_access_key = {made.secret_access_key}\n"
    )
    (tmp_path / "credentials").chmod(0o600)
    monkeypatch.setenv("AWS_ENDPOINT_URL", sts.url)
    return made


def rotator(folder: Path, patience: float) -> Rotator:
    """Make what rotates that key."""
    environ = {"AWS_CONFIG_FILE": str(folder / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials")}
    user_keys = UserKeys(load_files(environ), "base", "eu-west-1", 20, lambda _: None)
    vault = FileVault("base", environ, lambda _, pair: user_keys.identity(pair.credentials()).user_id, key_lines.write)
    return Rotator("base", vault, user_keys, lambda: None, "x", lambda _: None, patience)


def test_a_key_that_is_never_taken(user: User, sts: StrictSts, tmp_path: Path) -> None:
    """The old key stays in use, and --restart makes another one in the place of the new one."""
    sts.iam.unseen = 1000
    with pytest.raises(KeyRotationError, match="the old one is still in use"):
        rotator(tmp_path, 0.3).rotate()
    environ = {"AWS_CONFIG_FILE": str(tmp_path / "none"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}
    assert static_keys(load_files(environ), "base") == (user.access_key_id, user.secret_access_key, None)
    sts.iam.unseen = 0
    rotator(tmp_path, 30).rotate(restart=True)
    (only,) = sts.iam.keys_of(user.arn)
    assert static_keys(load_files(environ), "base") == (only.access_key_id, only.secret, None)
    assert len(load_files(environ).credentials_sections) == 1
