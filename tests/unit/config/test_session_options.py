"""Session policies from a file: what the snapshot is made from is the state of the file that was read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from awsdirenv.config import session_options
from awsdirenv.config.aws_files import load_files
from awsdirenv.config.environment import SessionOptions
from awsdirenv.system.files import read_bytes
from awsdirenv.system.stamps import file_stamp

if TYPE_CHECKING:
    import pytest

POLICY = '{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}'
ROLE = "[profile p]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n"


def test_an_edit_while_the_policy_is_read_is_noticed_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stamp is that of the text, or of one before it: never of a later one, which nobody has read."""
    path = tmp_path / "policy.json"
    path.write_text(POLICY)
    (tmp_path / "config").write_text(f"{ROLE}[profile base]\naws_access_key_id = a\naws_secret_access_key = b\n")
    environ = {"HOME": str(tmp_path), "AWS_CONFIG_FILE": str(tmp_path / "config")}

    def edited_behind(name: str, largest: int) -> bytes | None:
        data = read_bytes(name, largest)
        path.write_text(POLICY.replace("s3", "ec2"))
        return data

    monkeypatch.setattr(session_options, "read_bytes", edited_behind)
    options = SessionOptions(policy_file=str(path))
    chain = session_options.resolve(load_files(environ), "p", options, environ)
    assert chain.narrowing is not None
    assert "s3" in str(chain.narrowing.policy)
    assert chain.narrowing.stamp != file_stamp(str(path))
