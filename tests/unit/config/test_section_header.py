"""The header of a profile's section, as hints show it."""

from __future__ import annotations

import pytest

from awsdirenv.config.aws_files import load_files, section_header
from world import World


@pytest.mark.parametrize("name", ["plain", "my prof", "jo's", 'a"b', "a\\b", "default", "ü", "a b'c\"d"])
def test_a_header_is_read_as_it_is_meant(world: World, name: str) -> None:
    """Whatever the name, botocore reads it back from the header that hints show."""
    world.config.write_text(f"{section_header(name)}\nregion = eu-north-1\n")
    assert load_files(world.env).profiles[name]["region"] == "eu-north-1"
