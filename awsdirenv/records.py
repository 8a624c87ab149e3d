"""Frozen records, for commands that must start fast.

They do the same as `@dataclass(frozen=True)`, but cost less at start-up: `dataclasses` imports `inspect`, which takes
as long as starting Python itself, and it compiles code for each class at every start.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from typing_extensions import dataclass_transform

    R = TypeVar("R", bound="Record")
else:

    def dataclass_transform(**_: object) -> object:
        """Do nothing: only type checkers use the real one."""
        return lambda cls: cls


@dataclass_transform(frozen_default=True)
class Record:
    """Base class for records. The annotations of a subclass are its fields, in order; an assigned value is the default.

    Two records of one class are equal if all their fields are. The repr leaves out the fields in `hidden`.
    """

    _fields: tuple[str, ...]
    _hidden: tuple[str, ...]

    def __init_subclass__(cls, hidden: tuple[str, ...] = ()) -> None:
        cls._fields = tuple(cls.__annotations__)
        cls._hidden = hidden

    def __init__(self, *values: Any, **named: Any) -> None:
        """Set the fields, by position or by name. Raises TypeError for an unknown or a missing field."""
        fields = self.__dict__
        fields.update(zip(self._fields, values, strict=False), **named)
        missing = [name for name in self._fields if name not in fields and not hasattr(type(self), name)]
        if missing or len(values) + len(named) > len(fields) or fields.keys() - self._fields:
            raise TypeError(f"{type(self).__name__} has the fields {', '.join(self._fields)}")
        for name in self._fields:
            fields.setdefault(name, getattr(type(self), name, None))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__[name] for name in self._fields))

    def __repr__(self) -> str:
        shown = (f"{name}={self.__dict__[name]!r}" for name in self._fields if name not in self._hidden)
        return f"{type(self).__qualname__}({', '.join(shown)})"


def replace(record: R, **changes: Any) -> R:
    """Return a copy of a record with some fields changed. Raises TypeError for an unknown field."""
    return type(record)(**{**record.__dict__, **changes})
