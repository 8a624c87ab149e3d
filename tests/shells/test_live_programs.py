"""Programs of other SDKs in a live directory, as the table in docs/reference.md has them."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from container import must_have
from world import BIN, World

COMMON_RUNTIME = """\
from awscrt.auth import AwsCredentialsProvider
print(AwsCredentialsProvider.new_default_chain().get_credentials().result(30).access_key_id)
"""


class Storage:
    """An S3 that has nothing, and keeps in mind whose requests it has got: key ids, None for anybody's."""

    def __init__(self) -> None:
        callers: list[str | None] = []

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                found = re.search(r"Credential=(\w+)/", self.headers.get("Authorization", ""))
                callers.append(found and found[1])
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(403)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_HEAD = do_PUT = do_POST = answer  # noqa: N815 - names of the library

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.callers = callers
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def storage() -> Iterator[Storage]:
    """Start the S3."""
    made = Storage()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def env(world: World) -> dict[str, str]:
    """Enter a live directory; give what it sets."""
    world.role("plain", mfa=False)
    changes, _ = world.enter(world.project("plain", "use aws_profile plain --live\n"))
    return {name: value for name, value in changes.items() if value is not None}


def is_role(world: World, key_id: str | None) -> bool:
    """Tell whether a key is one of the directory's role."""
    return key_id in world.sts.keys and world.sts.keys[str(key_id)].role_arn.endswith(":role/plain")


def test_the_common_runtime(world: World, env: dict[str, str]) -> None:
    """AWS's library in C, on which the C++ SDK and others stand, has the role's credentials."""
    done = world.process(str(BIN / "python"), "-c", COMMON_RUNTIME, cwd=None, **env)
    assert is_role(world, done.stdout.strip()), done.stderr


def test_rclone(world: World, env: dict[str, str], storage: Storage) -> None:
    """The Go SDK 1 in rclone has them, too."""
    must_have("rclone", is_there=shutil.which("rclone") is not None)
    remote = f":s3,env_auth,provider=Other,region=eu-west-1,endpoint='{storage.url}':bucket"
    world.process("rclone", "--retries=1", "--low-level-retries=1", "lsd", remote, cwd=None, **env)
    assert storage.callers
    assert all(is_role(world, caller) for caller in storage.callers)


def test_restic(world: World, env: dict[str, str], storage: Storage, tmp_path: Path) -> None:
    """The Go library of minio in restic finds nothing, and goes on as anybody; the documented way out works."""
    must_have("restic", is_there=shutil.which("restic") is not None)
    command = ["restic", "--no-cache", "-r", f"s3:{storage.url}/bucket", "cat", "config"]
    more = {**env, "RESTIC_PASSWORD": "x", "TMPDIR": str(tmp_path)}
    world.process(*command, cwd=None, **more)
    assert set(storage.callers) == {None}
    storage.callers.clear()
    world.process("awsdirenv", "exec", "--", *command, cwd=None, **more)
    assert storage.callers
    assert all(is_role(world, caller) for caller in storage.callers)
