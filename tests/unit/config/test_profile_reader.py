"""A look at single profiles: it says what botocore says, with the right line, or nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import assume, given

from awsdirenv.config.source_lines import ProfileReader, Provenance, SourcedValue
from awsdirenv.errors import ConfigError
from config_texts import FILES, SEVERAL, parsed

KEYS = ("region", "role_arn", "output", "include_profile")


def reader(folder: Path, config: str = "", credentials: str = "") -> ProfileReader:
    """Write both files and look at them."""
    (folder / "config").write_bytes(config.encode())
    (folder / "credentials").write_bytes(credentials.encode())
    return ProfileReader(str(folder / "config"), str(folder / "credentials"))


@SEVERAL
@given(config=FILES, credentials=FILES)
def test_never_says_what_botocore_does_not(tmp_path: Path, config: list[str], credentials: list[str]) -> None:
    """Whatever the files look like: what it says of a profile is what botocore takes, from that very line."""
    texts = ["".join(f"{line}\n" for line in lines) for lines in (config, credentials)]
    try:
        files = parsed(tmp_path, *texts)
    except ConfigError:
        assume(False)
    where, seen = Provenance(files), reader(tmp_path, *texts)
    for profile in files.profiles:
        for key in KEYS:
            said, value = seen.value(profile, key), files.profiles[profile].get(key)
            if said:
                assert said == SourcedValue(str(value), where.of(profile, key))
            elif isinstance(value, str) and value and "\n" not in value:
                assert key not in {"region", "role_arn"}, (profile, key, value)


def test_the_credentials_file_comes_first(tmp_path: Path) -> None:
    """As for botocore, a section of the credentials file wins over the profile of the config file."""
    seen = reader(tmp_path, "[profile a]\nregion = one\nrole_arn = x\n", "\n[a]\nregion = two\n")
    assert seen.value("a", "region") == SourcedValue("two", f"{tmp_path}/credentials:3")
    assert seen.value("a", "role_arn") == SourcedValue("x", f"{tmp_path}/config:3")
    assert seen.value("a", "output") is None
    assert seen.value("nobody", "region") is None


def test_inclusions(tmp_path: Path) -> None:
    """What a profile lacks, the one gives that it includes, through any number of them; a loop ends."""
    text = "[profile a]\ninclude_profile = b\n[profile b]\ninclude_profile = c\n[profile c]\nregion = x\n"
    assert reader(tmp_path, text).value("a", "region") == SourcedValue("x", f"{tmp_path}/config:6")
    loop = "[profile a]\ninclude_profile = b\n[profile b]\ninclude_profile = a\n"
    assert reader(tmp_path, loop).value("a", "region") is None


@pytest.mark.parametrize(
    "content", [b"[profile a]\nregion = \xff\xfe\n", b"[profile a\nregion", b"\0" * 99, b"region = x\n"]
)
def test_what_cannot_be_read_is_nothing(tmp_path: Path, content: bytes) -> None:
    """Broken text, no header, no file, and what is no file: nothing is said, and nothing raised."""
    (tmp_path / "broken").write_bytes(content)
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "broken", tmp_path / "absent", tmp_path, tmp_path / "fifo"):
        seen = ProfileReader(str(path), str(path)).value("a", "region")
        assert seen is None or not seen.value.isascii()


def test_several_lines_are_nothing(tmp_path: Path) -> None:
    """A value that is continued on another line, which may be the secret key, is not shown."""
    text = "[profile a]\nregion = x\n  aws_secret_access_key = SENTINEL-SECRET\n"
    assert reader(tmp_path, text).value("a", "region") is None


def test_names(tmp_path: Path) -> None:
    """Names are read as botocore reads them: quoted, with spaces; `default` with and without `profile`."""
    text = (
        "[profile \"b c\"]\nregion = 1\n[default]\nregion = 2\n[profile 'd']\nregion = 3\n[sso-session e]\nregion = 4\n"
    )
    seen = reader(tmp_path, text)
    found = {name: seen.value(name, "region") for name in ("b c", "default", "d", "e", '"b')}
    assert {name: said and said.value for name, said in found.items()} == {
        "b c": "1",
        "default": "2",
        "d": "3",
        "e": None,
        '"b': None,
    }


def test_five_thousand_profiles(tmp_path: Path) -> None:
    """One of five thousand profiles is found in a fraction of the time that parsing them takes."""
    text = "".join(f"[profile p{n}]\nregion = r{n}\nrole_arn = x\nsource_profile = y\n" for n in range(5000))

    def quickest(deed: Callable[[], object]) -> float:
        took = []
        for _ in range(3):
            started = time.process_time()
            deed()
            took.append(time.process_time() - started)
        return min(took)

    started = time.process_time()
    parsed(tmp_path, text)
    parsing = time.process_time() - started
    assert quickest(lambda: reader(tmp_path, text).value("p4999", "region")) < parsing / 3
    assert reader(tmp_path, text).value("p4999", "region") == SourcedValue("r4999", f"{tmp_path}/config:{4999 * 4 + 2}")
