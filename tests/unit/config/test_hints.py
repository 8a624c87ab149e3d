"""Hints that are followed to the letter: the error goes away, or another one takes its place."""

from __future__ import annotations

import re
import shlex
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from awsdirenv.config.aws_files import load_files, section_header
from world import World

KEYS = "aws_access_key_id = {world.user.access_key_id}\naws_secret_access_key = {world.user.secret_access_key}\n"
SSO = "[sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n"
VALUES = {
    "sso_account_id": "123456789012",
    "sso_role_name": "Developer",
    "region": "eu-west-1",
    "source_profile": "base",
    "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE",
    "aws_secret_access_key": "none",
}
# What the person has: the config file, what they type, and what the hint begins with.
TABLE = {
    "two words without quotes": (
        f"[profile my prof]\n{KEYS}",
        "my prof",
        'write [profile "my prof"] instead of [profile my prof] in ',
    ),
    "without the word profile": (f"[user1]\n{KEYS}", "user1", "write [profile user1] instead of [user1] in "),
    "in upper case": (f"[Profile user1]\n{KEYS}", "user1", "write [profile user1] instead of [Profile user1] in "),
    "spaces around": (f"[ profile user1 ]\n{KEYS}", "user1", "write [profile user1] instead of [ profile user1 ] in "),
    "an apostrophe": (f"[profile jo's]\n{KEYS}", "jo's", "write [profile \"jo's\"] instead of [profile jo's] in "),
    "a source without the word profile": (
        f"[user1]\n{KEYS}[profile p]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = user1\n",
        "p",
        "write [profile user1] instead of [user1] in ",
    ),
    "nothing like it": ("", "my prof", 'add [profile "my prof"] to '),
    "source_profile without role_arn": ("[profile p]\nsource_profile = base\n", "p", "add role_arn to [profile p]: "),
    "credential_source without role_arn": (
        "[profile p]\ncredential_source = Environment\n",
        "p",
        "add role_arn to [profile p]: ",
    ),
    "role_arn without a source": (
        "[profile p q]\n[profile 'p q']\nrole_arn = arn:aws:iam::123456789012:role/r\n",
        "p q",
        'add source_profile to [profile "p q"]',
    ),
    "sso_session alone": (
        f"{SSO}[profile p]\nsso_session = corp\n",
        "p",
        "add sso_account_id and sso_role_name to [profile p]",
    ),
    "sso_start_url alone": (
        "[profile p]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n",
        "p",
        "add sso_account_id and sso_role_name to [profile p]",
    ),
    "nothing said": (
        "[profile p]\nregion = eu-west-1\n",
        "p",
        "add aws_access_key_id and aws_secret_access_key to [p]",
    ),
    "no profile named": ("", "default", "name a profile of those that awsdirenv list shows, or add "),
}


def load(world: World, profile: str, *options: str) -> tuple[str, str]:
    """Load a profile; give the error and the hint, both empty where there is none."""
    words = [] if profile == "default" else ["--", profile]
    said = world.run("awsdirenv", "load", *options, *words).stderr
    error, hint = (re.search(rf"^awsdirenv: {word}: (.*)$", said, re.MULTILINE) for word in ("error", "hint"))
    return (error[1] if error else "", hint[1] if hint else "")


def follow(world: World, hint: str, profile: str) -> str:
    """Do what a hint says; give the profile to load then."""
    if hint.startswith("name a profile"):
        names = [line.split("\t")[0] for line in world.run("awsdirenv", "list").stdout.splitlines()]
        assert "base" in names
        return "base"
    if written := re.fullmatch(r"write (\[.*\]) instead of (\[.*\]) in (.*)", hint):
        path = Path(written[3])
        text = path.read_text()
        assert written[2] in text
        path.write_text(text.replace(written[2], written[1]))
        return profile
    added = re.match(r"add (?:(\w+)(?: and (\w+))? to )?(\[.*?\])(?: (?:in|to) (\S+))?", hint)
    assert added, hint
    path = Path(added[4]) if added[4] else world.config
    text = path.read_text()
    header = added[3] if added[3] in text or not added[1] else added[3].replace('"', "'")
    values = {**VALUES, "role_arn": world.sts.add_role("r")}
    lines = "".join(f"{key} = {values[key]}\n" for key in added.groups()[:2] if key)
    path.write_text(text.replace(f"{header}\n", f"{header}\n{lines}") if header in text else f"{text}{header}\n{lines}")
    return profile


@pytest.mark.parametrize("case", TABLE)
def test_a_hint_that_is_followed_leads_on(world: World, case: str) -> None:
    """The hint says what to change, and once that is done the error is gone or has become another one."""
    config, profile, begin = TABLE[case]
    world.config.write_text(world.config.read_text() + config.format(world=world))
    error, hint = load(world, profile)
    assert error
    assert hint.startswith(begin)
    assert load(world, follow(world, hint, profile))[0] != error


@pytest.mark.parametrize("name", ["plain", "my prof", "jo's", 'a"b', "a\\b", "default", "ü", "a b'c\"d"])
def test_a_header_is_read_as_it_is_meant(world: World, name: str) -> None:
    """Whatever the name, botocore reads it back from the header that hints show."""
    world.config.write_text(f"{section_header(name)}\nregion = eu-north-1\n")
    assert load_files(world.env).profiles[name]["region"] == "eu-north-1"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, "<Error><Code>InvalidClientTokenId</Code><Message>no such key</Message></Error>"),
        (400, "<?xml version='1.0'?><Error><Code>InvalidRequest</Code><Message>no bucket</Message></Error>"),
        (501, "<Error><Code>NotImplemented</Code><Message>no</Message></Error>"),
        (200, "<html>hello</html>"),
    ],
)
def test_a_store_that_has_no_sts(world: World, status: int, body: str) -> None:
    """R2, MinIO and others answer to no call of STS: the hint takes the keys as they are, and then they work."""

    class Store(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Store)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        keys = KEYS.format(world=world)
        url = f"http://127.0.0.1:{server.server_port}"
        world.env.pop("AWS_ENDPOINT_URL")
        world.config.write_text(f"[profile r2]\nregion = auto\nendpoint_url = {url}\n{keys}")
        error, hint = load(world, "r2")
        assert error
        shown = re.search(r"which gives no sessions: use aws_profile (.*?); else ", hint)
        assert shown, hint
        done: subprocess.CompletedProcess[str] = world.run("awsdirenv", "load", *shlex.split(shown[1]))
        assert (done.returncode, done.stderr) == (0, "")
    finally:
        server.shutdown()
        server.server_close()
