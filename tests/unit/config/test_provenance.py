"""Where AWS's files say something: every line that is named really holds that key, by the word of botocore itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from awsdirenv.config.aws_files import load_files
from awsdirenv.config.source_lines import Provenance
from awsdirenv.errors import ConfigError
from config_texts import FILES, SEVERAL, environ, parsed


def split(source: str) -> tuple[Path, int]:
    """Take `path:line` apart."""
    path, _, line = source.rpartition(":")
    return Path(path), int(line)


def line_of(source: str) -> str:
    """Give the line that is meant, as an editor counts."""
    path, number = split(source)
    return path.read_text(encoding="utf-8").split("\n")[number - 1]


def with_another_value(source: str) -> None:
    """Change the value on the line that is meant."""
    path, number = split(source)
    lines = path.read_bytes().decode().split("\n")
    key = re.match(r"\s*[^=:]*[=:]", lines[number - 1])
    assert key, lines[number - 1]
    ending = "\r" if lines[number - 1].endswith("\r") else ""
    lines[number - 1] = f"{key[0]} CHANGED{ending}"
    path.write_bytes("\n".join(lines).encode())


@SEVERAL
@given(config=FILES, credentials=FILES, ending=st.sampled_from(("\n", "\r\n")))
def test_the_line_decides(tmp_path: Path, config: list[str], credentials: list[str], ending: str) -> None:
    """Whoever changes the value on the named line changes what botocore reads for that profile and key."""
    texts = [ending.join(lines) + ending for lines in (config, credentials)]
    try:
        files = parsed(tmp_path, *texts)
    except ConfigError:
        assume(condition=False)
    where = Provenance(files)
    sources = {(name, key): where.of(name, key) for name, values in files.profiles.items() for key in values}
    for (name, key), source in sources.items():
        assert re.split("[=:]", line_of(source))[0].strip().lower() == key
        if key == "include_profile":
            continue  # it changes more than itself
        with_another_value(source)
        value = str(load_files(environ(tmp_path)).profiles[name][key])
        assert value == "CHANGED" or value.startswith("CHANGED\n"), (name, key)
        parsed(tmp_path, *texts)


CASES = {
    "plain": ("[profile a]\nregion = x\n", "region", "config:2"),
    "no-line-end": ("[profile a]\nregion = x", "region", "config:2"),
    "colon-and-case": ("[profile a]\n\nREGION : x\n", "region", "config:3"),
    "crlf": ("[default]\r\n# c\r\n[profile a]\r\nregion = x\r\n", "region", "config:4"),
    "cr": ("[default]\r[profile a]\rregion = x\r", "region", "config:3"),
    "after-a-long-value": ("[profile a]\ns3 =\n  k = v\n\n  # c\n  l = w\nregion = x\n", "region", "config:7"),
    "all-indented": ("[profile a]\n  output = y\n  region = x\n", "region", "config:3"),
    "default-section": ("[DEFAULT]\nregion = x\n[profile a]\noutput = y\n", "region", "config:2"),
    "own-before-default": ("[DEFAULT]\nregion = x\n[profile a]\nregion = y\n", "region", "config:4"),
    "quoted": ("[profile 'a']\nregion = x\n", "region", "config:2"),
    "later-spelling": ("[profile a]\nregion = x\n[profile  a]\nregion = y\n", "region", "config:4"),
    "included": ("[profile b]\nregion = x\n[profile a]\ninclude_profile = b\n", "region", "config:2"),
    "includes-for-itself": (
        "[profile b]\nregion = x\n[profile a]\ninclude_profile = b\nregion =\n",
        "region",
        "config:2",
    ),
    "includes-twice": (
        "[profile a]\ninclude_profile = b\n[profile b]\ninclude_profile = c\n[profile c]\nregion = x\n",
        *("region", "config:6"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_line_of_a_key(tmp_path: Path, case: str) -> None:
    """Comments, line ends, cases, quotes, [DEFAULT], several spellings and include_profile: the line is right."""
    config, key, expected = CASES[case]
    assert Provenance(parsed(tmp_path, config)).of("a", key) == f"{tmp_path}/{expected}"


def test_the_credentials_file_comes_first(tmp_path: Path) -> None:
    """A key that both files have is the credentials file's; `[profile a]` there is no section of `a`."""
    files = parsed(tmp_path, "[profile a]\nregion = x\noutput = y\n", "[profile a]\nregion = no\n[a]\nregion = z\n")
    where = Provenance(files)
    assert where.of("a", "region") == f"{tmp_path}/credentials:4"
    assert where.of("a", "output") == f"{tmp_path}/config:3"
    assert where.in_config("a", "region") == f"{tmp_path}/config:2"


def test_sections_that_are_no_profiles(tmp_path: Path) -> None:
    """Keys of an sso-session, and those of a service within its section, have their lines."""
    text = "[sso-session x]\nsso_region = r\n[services x]\nec2 =\n  endpoint_url = a\nsts =\n\n  # endpoint_url = no\n"
    files = parsed(tmp_path, f"{text}  endpoint_url = b\n[profile a]\nregion = x\n")
    assert files.full_config["services"]["x"]["sts"]["endpoint_url"] == "b"
    where = Provenance(files)
    assert where.in_sso_session("x", "sso_region") == f"{tmp_path}/config:2"
    assert where.in_service("x", "sts", "endpoint_url") == f"{tmp_path}/config:9"
    assert where.in_service("x", "s3", "endpoint_url") == f"{tmp_path}/config"


def test_one_file_for_both(tmp_path: Path) -> None:
    """Both variables may name one file, which is then read by both rules."""
    (tmp_path / "config").write_text("[a]\nregion = x\n[profile b]\nregion = y\n")
    files = load_files({**environ(tmp_path), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "config")})
    where = Provenance(files)
    assert (where.of("a", "region"), where.of("b", "region")) == (f"{tmp_path}/config:2", f"{tmp_path}/config:4")


@pytest.mark.parametrize("text", [None, "[broken", "\ufeff[profile a]\nregion = x\n"])
def test_a_file_that_changes_meanwhile(tmp_path: Path, text: str | None) -> None:
    """Where the file has become another since it was parsed, the path is given without a line."""
    files = parsed(tmp_path, "[profile a]\nregion = x\n")
    if text is None:
        (tmp_path / "config").unlink()
    else:
        (tmp_path / "config").write_text(text, encoding="utf-8")
    assert Provenance(files).of("a", "region") == f"{tmp_path}/config"
