"""Every hint, followed to the letter: the message is gone, or has become another one; and none is forgotten."""

from __future__ import annotations

import pytest

from catalogue import sites
from hint_walk import Row, Walk, all_rows, follow
from world import World

TABLE = list(all_rows())
# Message and hint that nobody can follow here, and why.
CANNOT: dict[tuple[str, str], str] = {}


@pytest.mark.parametrize("wanted", TABLE, ids=[one.name for one in TABLE])
def test_a_hint_that_is_followed_leads_on(world: World, wanted: Row) -> None:
    """What a message tells a person to do makes it go away, and the message that may come then is another one."""
    follow(Walk(world), wanted)


def unreached() -> list[str]:
    """Give what no row reaches: messages and hints of places in the source, but for those that cannot be followed."""
    reached = {(one.message, one.hint) for one in TABLE} | set(CANNOT)
    found = []
    for site in sites():
        pairs = [pair for pair in reached if pair[0] in site.messages and pair[1] in site.hints]
        found += [f"{site.place}: {text}" for text in site.messages if text not in [message for message, _ in pairs]]
        found += [f"{site.place}: -> {text}" for text in site.hints if text not in [hint for _, hint in pairs]]
    return found


def test_every_hint_is_followed() -> None:
    """No message of the source is without a row here: whoever writes a new hint shows that it leads on."""
    assert unreached() == []


def test_no_row_is_left_over() -> None:
    """What cannot be followed here, and why, is said of messages that are still there; and so is what is followed."""
    there = {(message, hint) for site in sites() for message in site.messages for hint in site.hints}
    assert {(one.message, one.hint) for one in TABLE} | set(CANNOT) <= there
