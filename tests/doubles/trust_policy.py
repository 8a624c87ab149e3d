"""What a role's trust policy says of a caller, for the part of IAM's language that such policies have.

An element that is not known here is an error, and never passed over: a policy would seem to admit somebody.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

_ELEMENTS = {"Sid", "Effect", "Principal", "Action", "Condition"}


def admits(policy: Mapping[str, Any], action: str, principals: Iterable[str], context: Mapping[str, str]) -> bool:
    """Tell whether a policy allows an action to a caller, who has these names (ARNs) and this context (keys)."""
    names = set(principals)
    effects = {
        statement["Effect"]
        for statement in _listed(policy["Statement"])
        if _is_about(statement, action, names) and _holds(statement.get("Condition", {}), context)
    }
    return "Allow" in effects and "Deny" not in effects


def _is_about(statement: Mapping[str, Any], action: str, names: set[str]) -> bool:
    if unknown := statement.keys() - _ELEMENTS:
        raise ValueError(f"elements that are not known here: {unknown}")
    trusted = statement["Principal"]
    accounts = {"*"} if trusted == "*" else {_root(name) for name in _listed(trusted.get("AWS", []))}
    return bool(accounts & {"*", *names}) and any(fnmatchcase(action, name) for name in _listed(statement["Action"]))


def _holds(condition: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    """Tell whether all conditions hold. A key that a request does not have holds for none of these operators."""
    tests = {
        "Bool": lambda actual, wanted: actual.lower() == str(wanted).lower(),
        "StringEquals": lambda actual, wanted: actual == wanted,
        "StringLike": fnmatchcase,
    }
    return all(
        key in context and any(tests[operator](context[key], value) for value in _listed(wanted))
        for operator, keys in condition.items()
        for key, wanted in keys.items()
    )


def _root(name: str) -> str:
    """Return the name of an account as IAM keeps it."""
    return f"arn:aws:iam::{name}:root" if name.isdigit() else name


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
