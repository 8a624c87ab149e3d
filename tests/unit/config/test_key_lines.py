"""Edits of AWS's files: a profile's key and its credential_process change, and nothing else, to the byte."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.configloader import load_config, raw_config_parse
from hypothesis import given, settings
from hypothesis import strategies as st

from awsdirenv.config import key_lines
from awsdirenv.config.aws_files import KEY_NAMES, AwsFiles, load_files
from awsdirenv.config.key_lines import Edit
from awsdirenv.errors import ConfigError
from world import wait_for

KEY, SECRET, COMMAND = "AKIDNEW", "new/secret+=", "/opt/awsdirenv keys get --user=AIDA1 base"
HEADERS = {
    "config": [
        "[profile base]",
        '[profile "base"]',
        "[profile  base]",
        "[default]",
        "[profile other]",
        "[sso-session base]",
    ],
    "credentials": ["[base]", "[other]", "[DEFAULT]", "[base ]", "[profile base]"],
}
LINES = [
    *(
        "# a comment",
        "; another",
        "",
        "   ",
        "region = eu-west-1",
        "output=json",
        "x:y",
        "s3 =\n  addressing_style = path",
    ),
    *("aws_access_key_id = AKIDOLD", "AWS_SECRET_ACCESS_KEY=old", "aws_secret_access_key   =  old/secret", "note = é"),
    *("aws_access_key_id=AKIDOLD\n  more", "credential_process = /bin/x", "[not a header", "# [base]", "a = [base]"),
]


def key_of(line: str) -> str:
    """Give the key of a line: a file with one twice in a section is one that nobody can use."""
    return re.split("[=:]", line)[0].strip().lower()


@st.composite
def texts(draw: st.DrawFn, kind: str) -> bytes:
    """Make a file of a person, with whatever line ends."""
    lines: list[str] = draw(st.lists(st.sampled_from(LINES[:3]), max_size=2))
    for header in draw(st.lists(st.sampled_from(HEADERS[kind]), max_size=4, unique=True)):
        lines += [header, *draw(st.lists(st.sampled_from(LINES), max_size=7, unique_by=key_of))]
    end = draw(st.sampled_from(["\n", "\r\n"]))
    text = end.join(line.replace("\n", end) for line in lines)
    return (text + draw(st.sampled_from(["", end]))).encode()


EDITS: list[tuple[str, Callable[[AwsFiles], Edit], dict[str, str | None]]] = [
    ("credentials", lambda f: key_lines.without_keys(f, "base", in_credentials=True), dict.fromkeys(KEY_NAMES)),
    ("config", lambda f: key_lines.without_keys(f, "base", in_credentials=False), dict.fromkeys(KEY_NAMES)),
    (
        "credentials",
        lambda f: key_lines.with_values(f, "base", dict(zip(KEY_NAMES, (KEY, SECRET), strict=True))),
        dict(zip(KEY_NAMES, (KEY, SECRET), strict=True)),
    ),
    ("config", lambda f: key_lines.with_process(f, "base", COMMAND), {"credential_process": COMMAND}),
]


def parsed(path: Path, kind: str) -> dict[str, Any]:
    """Parse a file as botocore does."""
    return dict(load_config(str(path)) if kind == "config" else raw_config_parse(str(path)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Have a folder for all examples."""
    return tmp_path_factory.mktemp("aws")


@pytest.mark.parametrize("number", range(len(EDITS)))
def test_only_these_lines_change(folder: Path, number: int) -> None:
    """For botocore only these keys have changed; all other lines are there, in their order, to the byte."""
    kind, edit_of, changes = EDITS[number]
    count: list[bool] = []  # of the examples that got that far: whether there was something to do

    @settings(max_examples=150, deadline=None)
    @given(texts(kind))
    def check(data: bytes) -> None:
        shutil.rmtree(folder)
        folder.mkdir()
        path = folder / kind
        path.write_bytes(data)
        path.chmod(0o600)
        environ = {
            "AWS_CONFIG_FILE": str(folder / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        }
        try:
            files = load_files(environ)
            before = parsed(path, kind)
        except ConfigError:
            return  # a file that nobody can use
        try:
            edit = edit_of(files)
        except ConfigError:
            assert path.read_bytes() == data
            return
        key_lines.write(edit)
        count.append(edit.is_needed)
        after = parsed(path, kind)
        own = after["profiles"] if kind == "config" else after
        wanted = before["profiles"] if kind == "config" else before
        section = {**wanted.get("base", {}), **changes}
        section = {name: value for name, value in section.items() if value is not None}
        assert own.get("base", {}) == section
        assert {**own, "base": 0} == {**wanted, "base": 0}
        names = tuple(name.encode() for name in changes)
        rest = iter(path.read_bytes().splitlines())
        kept = [line for line in data.splitlines() if not line.lower().lstrip().startswith(names)]
        assert all(line in rest for line in kept)

    check()
    assert sum(count) > 5


def test_there_and_back(tmp_path: Path) -> None:
    """What is written into a section and taken out again leaves the bytes as they were."""
    path = tmp_path / "config"
    data = b"# mine\r\n[profile base]\r\n\tregion=eu-west-1 \r\n\r\n[profile other]\r\noutput = \xe9\r\n"
    path.write_bytes(data.replace(b"\t", b""))
    environ = {"AWS_CONFIG_FILE": str(path), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}
    path.write_bytes(path.read_bytes().replace(b"\xe9", b"e"))
    before = path.read_bytes()
    key_lines.write(key_lines.with_process(load_files(environ), "base", COMMAND))
    assert path.read_bytes().count(b"\r\n") == before.count(b"\r\n") + 1
    key_lines.write(key_lines.without_process(load_files(environ), "base"))
    assert path.read_bytes() == before


def test_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    """A new file, and its folder, are for the user alone."""
    folder = tmp_path / "new" / "aws"
    environ = {"AWS_CONFIG_FILE": str(folder / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials")}
    key_lines.write(key_lines.with_process(load_files(environ), "a b", COMMAND))
    assert (folder / "config").read_text() == f'[profile "a b"]\ncredential_process = {COMMAND}\n'
    assert (folder / "config").stat().st_mode & 0o777 == 0o600


def test_two_at_once(tmp_path: Path) -> None:
    """What another program has written since the file was read is not overwritten."""
    path = tmp_path / "config"
    path.write_text("[profile base]\n")
    environ = {"AWS_CONFIG_FILE": str(path), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}
    edit = key_lines.with_process(load_files(environ), "base", COMMAND)
    path.write_text("[profile base]\nregion = eu-west-1\n")
    with pytest.raises(ConfigError, match="has changed in the meantime"):
        key_lines.write(edit)
    assert path.read_text() == "[profile base]\nregion = eu-west-1\n"


def test_an_edit_shows_no_secret(tmp_path: Path) -> None:
    """Neither what is shown of an edit nor its repr has the secret."""
    environ = {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }
    edit = key_lines.with_values(load_files(environ), "base", dict(zip(KEY_NAMES, (KEY, SECRET), strict=True)))
    assert SECRET not in repr(edit)
    assert SECRET not in "".join(edit.shown)


@pytest.mark.needs("/proc")
def test_two_of_ours_at_once(tmp_path: Path) -> None:
    """What another writer of ours writes while we wait for our turn is not lost, as a key that was just restored."""
    path = tmp_path / "credentials"
    path.write_text("[base]\n", encoding="utf-8")
    path.chmod(0o600)
    edit = Edit(str(path), path.read_bytes(), b"[base]\nregion = eu-west-1\n", ())
    outcome: list[ConfigError] = []

    def write() -> None:
        try:
            key_lines.write(edit)
        except ConfigError as error:
            outcome.append(error)

    ours = re.compile(rf"-> FLOCK .* {os.getpid()} \S+:{tmp_path.stat().st_ino} ")
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        thread = threading.Thread(target=write)
        thread.start()
        wait_for(lambda: ours.search(Path("/proc/locks").read_text(encoding="ascii")))
        path.write_text("[base]\n[other]\n", encoding="utf-8")
    finally:
        os.close(folder)
    thread.join()
    assert [error.message for error in outcome] == [f"{path} has changed in the meantime"]
    assert path.read_text(encoding="utf-8") == "[base]\n[other]\n"
