"""Frozen values with names, for commands that must start at once.

They are what `@dataclass(frozen=True)` makes, without its price: `dataclasses` imports `inspect`, which takes as long
as the whole of Python to start, and each class is compiled anew at every start.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from typing_extensions import dataclass_transform

    R = TypeVar("R", bound="Record")
else:

    def dataclass_transform(**_: object) -> object:
        """Stand in for what only type checkers read."""
        return lambda cls: cls


@dataclass_transform(frozen_default=True)
class Record:
    """A base for classes whose annotations are the fields, in order; a value behind one is its default.

    Two of one class with equal fields are equal. The repr leaves out the fields named as `hidden` with the class.
    """

    _fields: tuple[str, ...]
    _hidden: tuple[str, ...]

    def __init_subclass__(cls, hidden: tuple[str, ...] = ()) -> None:
        cls._fields = tuple(cls.__annotations__)
        cls._hidden = hidden

    def __init__(self, *values: Any, **named: Any) -> None:
        """Take the fields, in order or by name. Raises TypeError for one too many, and for one that is missing."""
        given = self.__dict__
        given.update(zip(self._fields, values, strict=False), **named)
        missing = [name for name in self._fields if name not in given and not hasattr(type(self), name)]
        if missing or len(values) + len(named) > len(given) or given.keys() - self._fields:
            raise TypeError(f"{type(self).__name__} has the fields {', '.join(self._fields)}")
        for name in self._fields:
            given.setdefault(name, getattr(type(self), name, None))

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
    """Give a record with other values in some fields. Raises TypeError for a field that it does not have."""
    return type(record)(**{**record.__dict__, **changes})
