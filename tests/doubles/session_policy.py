"""The session policies of a request for credentials, and what they then let a session do.

A session may do what its role may do and what one of its policies allows, unless one of them denies it. What a role may
do by itself is not known here: all of it. Policies are what IAM's own would be, for the actions that tests call.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

Policies = Sequence[Mapping[str, Any]]

LONGEST = 2048  # characters
MOST = 10
_ARN = re.compile(r"arn:(aws[a-z-]*):iam::(aws|\d{12}):policy/(?:\S+/)?([\w+=,.@-]+)", re.ASCII)
_READING = ["*:Get*", "*:List*", "*:Describe*", "*:Head*"]
# AWS's own policies, each with the actions that it allows.
_OF_AWS = {"ReadOnlyAccess": _READING, "AmazonS3ReadOnlyAccess": ["s3:Get*", "s3:List*"], "AdministratorAccess": ["*"]}
_NOT_PRINTABLE = re.compile(r"[^\t\n\r\x20-\xff]")


class BadPolicyError(ValueError):
    """A policy that STS refuses: the code of its error, and the message."""

    def __init__(self, code: str, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.code = code


def of_request(params: Mapping[str, str], partition: str, managed: Mapping[str, Mapping[str, Any]]) -> Policies | None:
    """Return the session policies of a request, or None where it has none. Raises BadPolicyError."""
    arns = [value for name, value in params.items() if re.fullmatch(r"PolicyArns\.member\.\d+\.arn", name)]
    if len(arns) > MOST:
        raise BadPolicyError("ValidationError", f"1 validation error detected: {len(arns)} policyArns")
    found = [_managed(arn, partition, managed) for arn in arns]
    if "Policy" in params:
        found.append(_inline(params["Policy"]))
    return found or None


def allow(policies: Policies, action: str) -> bool:
    """Tell whether policies let a session do something. GetCallerIdentity needs no permission."""
    effects = {
        statement["Effect"]
        for policy in policies
        for statement in _listed(policy["Statement"])
        if _is_about(statement, action)
    }
    return action == "sts:GetCallerIdentity" or ("Allow" in effects and "Deny" not in effects)


def _managed(arn: str, partition: str, managed: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    match = _ARN.fullmatch(arn)
    if not match or match[1] != partition:
        raise BadPolicyError("ValidationError", f"ARN {arn} is not valid.")
    if arn in managed:
        return managed[arn]
    if match[2] != "aws" or match[3] not in _OF_AWS:
        raise BadPolicyError("InvalidParameterValue", f"The specified policy does not exist: {arn}")
    return {"Statement": [{"Effect": "Allow", "Action": _OF_AWS[match[3]], "Resource": "*"}]}


def _inline(text: str) -> Mapping[str, Any]:
    if not text or len(text) > LONGEST or _NOT_PRINTABLE.search(text):
        raise BadPolicyError("ValidationError", f"Member must have length less than or equal to {LONGEST}")
    try:
        policy = json.loads(text)
        statements = _listed(policy["Statement"])
        is_sound = all(
            statement["Effect"] in ("Allow", "Deny")
            and "Principal" not in statement
            and len(statement.keys() & {"Action", "NotAction"}) == 1
            and len(statement.keys() & {"Resource", "NotResource"}) == 1
            for statement in statements
        )
    except (KeyError, TypeError, ValueError):
        is_sound = False
    if not is_sound:
        raise BadPolicyError("MalformedPolicyDocument", "The policy is not in the valid JSON format.")
    whole: Mapping[str, Any] = policy
    return whole


def _is_about(statement: Mapping[str, Any], action: str) -> bool:
    def named(key: str) -> bool:
        return any(fnmatchcase(action.lower(), name.lower()) for name in _listed(statement[key]))

    return named("Action") if "Action" in statement else not named("NotAction")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
