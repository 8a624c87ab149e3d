"""Records, beside what `dataclasses` makes of the same fields."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awsdirenv.records import Record, replace


class Point(Record, hidden=("z",)):
    """A record."""

    x: int
    y: int = 2
    z: str = "secret"

    @property
    def total(self) -> int:
        """Something that follows from fields."""
        return self.x + self.y


class Other(Record):
    """Another record, with the same fields."""

    x: int
    y: int = 2
    z: str = "secret"


@dataclasses.dataclass(frozen=True)
class Model:
    """What a record is to behave like."""

    x: int
    y: int = 2
    z: str = dataclasses.field(default="secret", repr=False)

    @property
    def total(self) -> int:
        """As above."""
        return self.x + self.y


VALUES = st.one_of(st.integers(-3, 3), st.text(max_size=2))
CALLS = st.tuples(
    st.lists(VALUES, max_size=4), st.dictionaries(st.sampled_from(["x", "y", "z", "unknown"]), VALUES, max_size=3)
)


def outcome(act: Callable[..., object], *values: Any, **named: Any) -> object:
    """Give what a call gives, or the kind of its error."""
    try:
        return act(*values, **named)
    except (TypeError, AttributeError) as error:
        return TypeError if isinstance(error, TypeError) else AttributeError


def shown(made: Any) -> object:
    """Tell all that can be seen of an instance."""
    if isinstance(made, type):
        return made
    return made.x, made.y, made.z, repr(made).partition("(")[2], outcome(lambda: made.total)


@given(CALLS, CALLS)
def test_a_record_is_made_compared_and_shown_as_a_dataclass(
    one: tuple[list[Any], dict[str, Any]], other: tuple[list[Any], dict[str, Any]]
) -> None:
    """With any arguments it is made, or refused, as a dataclass is; equality, hash and repr are the same."""
    records, models = ([outcome(cls, *values, **named) for values, named in (one, other)] for cls in (Point, Model))
    assert [shown(made) for made in records] == [shown(made) for made in models]
    assert (records[0] == records[1]) == (models[0] == models[1])
    if isinstance(records[0], Point) and records[0] == records[1]:
        assert hash(records[0]) == hash(records[1])


@given(CALLS, st.dictionaries(st.sampled_from(["x", "y", "z", "unknown"]), VALUES, max_size=3))
def test_replacing_is_as_with_a_dataclass(first: tuple[list[Any], dict[str, Any]], changes: dict[str, Any]) -> None:
    """Some fields are replaced, or an unknown one is refused; the first stays as it was."""
    record, model = (outcome(cls, *first[0], **first[1]) for cls in (Point, Model))
    if isinstance(record, Point) and isinstance(model, Model):
        before = shown(record)
        expected = outcome(dataclasses.replace, model, **changes)
        assert shown(outcome(replace, record, **changes)) == shown(expected)
        assert shown(record) == before


def test_nobody_changes_a_record() -> None:
    """Fields can be neither set nor deleted, and there are no others."""
    made = Point(1)
    for name in ("x", "z", "other"):
        assert outcome(setattr, made, name, 3) is AttributeError
        assert outcome(delattr, made, name) is AttributeError
    assert made == Point(1, 2, "secret")


def test_records_of_two_classes_differ() -> None:
    """Equal fields do not make two classes one."""
    assert Point(1) != Other(1)
    assert Point(1) != (1, 2, "secret")


def test_a_record_can_be_copied_and_sent() -> None:
    """Programs may pickle what our functions give them."""
    assert pickle.loads(pickle.dumps(Point(1, 5))) == Point(1, 5)


def test_an_error_says_the_fields_and_no_value() -> None:
    """What is wrong with a call is told without what was handed over."""
    with pytest.raises(TypeError, match=r"^Point has the fields x, y, z$"):
        Point(1, 2, "key", "token")  # type: ignore[call-arg]
