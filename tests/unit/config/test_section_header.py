"""The header of a profile's section, as hints show it."""

from __future__ import annotations

import itertools
import re

import pytest
from botocore.configloader import raw_config_parse

from awsdirenv.config.aws_files import load_files, section_header
from awsdirenv.config.resolve import resolve_chain
from awsdirenv.errors import ConfigError
from awsdirenv.refresh.preflight import check_chain
from world import World

NAMES = ["plain", "my prof", "jo's", 'a"b', "a\\b", "default", "ü", "a b'c\"d"]


@pytest.mark.parametrize("kind", ["profile", "sso-session", "services"])
@pytest.mark.parametrize("name", NAMES)
def test_a_header_is_read_as_it_is_meant(world: World, name: str, kind: str) -> None:
    """Whatever the name and the kind of section, botocore reads it back from the header that hints show."""
    world.config.write_text(f"{section_header(name, kind)}\nregion = eu-north-1\n")
    sections = load_files(world.env).full_config[f"{kind.replace('-', '_').removesuffix('s')}s"]
    assert sections[name]["region"] == "eu-north-1"


# Values that are refused, with the keys that have to be there for that.
BAD = {
    "awsdirenv_stage": "x" * 50,
    "awsdirenv_variables": "1x",
    "duration_seconds": "60",
    "external_id": "!",
    "include_profile": "INCLUDER",
    "mfa_serial": "!",
    "region": "eu-west-1 # here",
    "role_arn": "none",
    "session_tags": "x",
    "source_profile": "PROFILE",
    "transitive_session_tags": "x",
}
GOOD = {"role_arn": "arn:aws:iam::123456789012:role/r", "source_profile": "base"}
PLACES = ("config", "credentials", "both", "included", "included from credentials")
OWN = ("awsdirenv_stage", "include_profile", "source_profile")  # is not inherited, or closes no loop then
CASES = [pair for pair in itertools.product(BAD, PLACES) if pair[0] not in OWN or "included" not in pair[1]]


@pytest.mark.parametrize(("key", "place"), CASES)
@pytest.mark.parametrize("name", ["plain", "a b'c", "default"])
def test_a_hint_names_the_section_that_has_the_value(world: World, name: str, key: str, place: str) -> None:
    """In whichever section of whichever file a bad value stands, the hint names that one, and its file."""
    owner = "other" if place.startswith("included") else name
    bad = BAD[key].replace("INCLUDER", name).replace("PROFILE", name)
    good = {"credential_process": "program"} if key == "awsdirenv_variables" else GOOD
    lines = "".join(f"{k} = {v}\n" for k, v in {**good, key: bad}.items())
    rest = "".join(f"{k} = {v}\n" for k, v in good.items() if k != key)
    config, credentials = {
        "config": (f"{section_header(owner)}\n{lines}", ""),
        "credentials": ("", f"[{owner}]\n{lines}"),
        "both": (f"{section_header(owner)}\n{rest}", f"[{owner}]\n{key} = {bad}\n"),
        "included": (f"{section_header(name)}\ninclude_profile = other\n{section_header(owner)}\n{lines}", ""),
        "included from credentials": (f"{section_header(name)}\ninclude_profile = other\n", f"[{owner}]\n{lines}"),
    }[place]
    world.config.write_text(config, encoding="utf-8")
    with world.credentials.open("a", encoding="utf-8") as file:
        file.write(credentials)
    files = load_files(world.env)
    with pytest.raises(ConfigError) as caught:
        check_chain(resolve_chain(files, name, world.env), files)
    assert key in f"{caught.value.message} {caught.value.hint}"
    named = re.search(r"\[(.*?)\](?: of |: )(/[^\s:,]+)", caught.value.hint)
    assert named, caught.value.hint
    sections = raw_config_parse(named[2])
    assert sections[named[1]][key] == bad
    assert sections[named[1]][key] == files.profiles[name][key]
