"""Broken headers in AWS's files: the error names the header, and not a key below it that is right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from botocore.configloader import raw_config_parse
from botocore.exceptions import ConfigParseError

from awsdirenv.config.aws_files import load_files
from awsdirenv.errors import ConfigError

NO_BRACKET, NO_BRACKETS = "a header without ]", "a header without [ and ]"
INDENTED, NEITHER = (
    "an indented header, which is read as a part of the value above it",
    "neither a section nor key = value",
)
# What is written instead of `[profile p]`, and the reason that is given where botocore refuses the file.
BROKEN = {
    "[profile p": NO_BRACKET,
    "[profile p # [": NO_BRACKET,
    "[profile p =": NO_BRACKET,
    "[profile p:": NO_BRACKET,
    "  [profile p": NO_BRACKET,
    "[": NO_BRACKET,
    "  [profile p]": INDENTED,
    "\t[profile p] # c": INDENTED,
    "profile p]": NO_BRACKETS,
    "profile p": NO_BRACKETS,
    "profile: p": NO_BRACKETS,
    "sso-session p": NO_BRACKETS,
    "default": NO_BRACKETS,
    "(profile p)": NEITHER,
    "[]": NEITHER,
    "nonsense": NEITHER,
}
# Botocore takes these, and so do we.
TAKEN = ("[profile p]:", "[profile p] region = x", "[profile p] ]", "[profile 'p]", "[ profile p ]", "[profile p];")
VALUE = "SENTINEL-SECRET"
KEYS = f"aws_secret_access_key = {VALUE}\nregion = eu-west-1\n"
# Before and behind the header
AROUND = {
    "first": ("", KEYS),
    "behind the same keys": (f"[default]\n{KEYS}", KEYS),
    "behind other keys": ("[default]\noutput = json\n", KEYS),
    "behind a section that is there twice later": (f"[a]\n{KEYS}", f"{KEYS}[b]\nx = y\n[b]\n"),
    "behind nested lines": (f"[default]\ns3 =\n  k = v\n\n# [c\n[a]\n{KEYS}", f"{KEYS}[b]\n"),
}


def is_taken(text: str, path: Path) -> bool:
    """Tell whether botocore can parse this text."""
    path.write_text(text, encoding="utf-8")
    try:
        raw_config_parse(str(path))
    except ConfigParseError:
        return False
    return True


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("header", [*BROKEN, *TAKEN])
def test_the_line_of_a_broken_header(tmp_path: Path, header: str, around: str) -> None:
    """Whatever botocore stumbles over, the line that is wrong is named with its reason; what it takes stays taken."""
    before, behind = AROUND[around]
    path = tmp_path / "credentials"
    taken = is_taken(f"{before}{header}\n{behind}", path)
    environ = {"HOME": str(tmp_path), "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": str(path)}
    if taken:
        load_files(environ)
        return
    with pytest.raises(ConfigError) as caught:
        load_files(environ)
    message = caught.value.message
    assert VALUE not in message
    named = re.fullmatch(rf"cannot parse {re.escape(str(path))}, line (\d+): (.*)", message)
    assert named, message
    if header in TAKEN:  # only what is behind it is wrong
        assert int(named[1]) > before.count("\n") + 1
        return
    expected = before.count("\n") + 1, BROKEN[header]
    if "is there twice" in message:
        # Where the keys above are others, botocore takes the header for a key or a part of a value.
        assert is_taken(f"{before}{header}\n{KEYS}", path)
        return
    assert (int(named[1]), named[2]) == expected


def test_a_key_above_the_first_section(tmp_path: Path) -> None:
    """It is said that the section is missing, for a key is right as it is."""
    path = tmp_path / "config"
    path.write_text(f"# c\nregion = {VALUE}\n[default]\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_files({"HOME": str(tmp_path), "AWS_CONFIG_FILE": str(path)})
    assert caught.value.message == f"cannot parse {path}, line 2: a key above the first section"
