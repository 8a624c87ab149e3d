"""Hints about session policies: the option, the file or the key that each names is corrected."""

from __future__ import annotations

import json

from hint_rows_config import ARN, CHAIN
from hint_walk import Steps, Walk, row

GOOD = json.dumps({"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}})
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


INTO = "write the ARN of a managed policy into … of …, or remove the line"


def _no_policy(message: str, wrong: str, right: str | None) -> None:
    @row(message, INTO)
    def no_policy(walk: Walk) -> Steps:
        walk.config(f"{CHAIN}awsdirenv_policy_arns = {wrong}\n")
        hint = yield walk.load("p")
        walk.edit(hint, awsdirenv_policy_arns=right)


_no_policy("profile … names no policy in …: …", "ReadOnlyAccess", READ_ONLY)
_no_policy("profile … names no policy in …", "", None)


@row(
    "profile … is narrowed by …, and cannot be narrowed again: with more policies a session may do more",
    "leave … out, or remove … from …",
)
def _narrowed_twice(walk: Walk) -> Steps:
    walk.config(f"{CHAIN}awsdirenv_policy_arns = {READ_ONLY}\n")
    hint = yield walk.load("p", "--read-only")
    assert hint.startswith("leave --read-only out")
    assert walk.load("p")() == []
    walk.edit(hint, awsdirenv_policy_arns=None)
    yield walk.load("p", "--read-only")


@row("profile … would be narrowed by … policies, and AWS takes …", "write at most … ARNs after …")
def _too_many(walk: Walk) -> Steps:
    walk.config(CHAIN)
    arns = [f"arn:aws:iam::123456789012:policy/P{number}" for number in range(11)]
    walk.world.sts.managed_policies.update(dict.fromkeys(arns, json.loads(GOOD)))
    yield walk.load("p", *(f"--policy-arn={arn}" for arn in arns))
    yield walk.load("p", *(f"--policy-arn={arn}" for arn in arns[:10]))


@row("profile … is of the partition aws, and a policy of another one: …", "write its ARN in aws: …")
def _of_another_partition(walk: Walk) -> Steps:
    walk.config(CHAIN)
    hint = yield walk.load("p", "--policy-arn", "arn:aws-cn:iam::aws:policy/ReadOnlyAccess")
    yield walk.load("p", "--policy-arn", hint.rpartition(": ")[2])


def _put_role_behind(walk: Walk, hint: str) -> None:
    walk.config(f"[profile p]\nrole_arn = {ARN}\nsource_profile = {hint.rpartition(' = ')[2]}\n")


@row(
    "profile … cannot be narrowed: AWS takes no policy for …",
    "name a profile with a role behind it: role_arn = ROLE and source_profile = …",
)
def _not_to_be_narrowed(walk: Walk) -> Steps:
    walk.config("[profile q]\ncredential_process = awsdirenv credential-process base\n")
    hint = yield walk.load("q", "--read-only")
    _put_role_behind(walk, hint)
    yield walk.load("p", "--read-only")


@row(
    "profile … cannot be narrowed: its keys are those of a session",
    "name a profile with a role behind it: role_arn = ROLE and source_profile = …",
)
def _keys_of_a_session(walk: Walk) -> Steps:
    given = walk.world.sts.issue_credentials(ARN)
    keys = {name: given[key] for name, key in NAMES.items()}
    walk.config("[profile q]\n" + "".join(f"{name} = {value}\n" for name, value in keys.items()))
    hint = yield walk.load("q", "--read-only")
    _put_role_behind(walk, hint)
    yield walk.load("p", "--read-only")


NAMES = {
    "aws_access_key_id": "AccessKeyId",
    "aws_secret_access_key": "SecretAccessKey",
    "aws_session_token": "SessionToken",
}


@row("the policy … cannot be read", "write the path of a JSON file after …")
def _unreadable(walk: Walk) -> Steps:
    walk.config(CHAIN)
    hint = yield walk.load("p", "--policy", "gone.json")
    assert hint.endswith(" after --policy")
    path = walk.world.root / "policy.json"
    path.write_text(GOOD)
    yield walk.load("p", "--policy", str(path))


@row("the policy … cannot be used: …", "correct …")
def _unusable(walk: Walk) -> Steps:
    walk.config(CHAIN)
    path = walk.world.root / "policy.json"
    path.write_text("{")
    hint = yield walk.load("p", "--policy", str(path))
    assert hint == f"correct {path}"
    path.write_text(GOOD)
    yield walk.load("p", "--policy", str(path))


@row("profile … has a session policy, and no policy narrows long-term keys", "leave --no-session out")
def _long_term_keys(walk: Walk) -> Steps:
    walk.config(f"[profile q]\nsource_profile = base\nregion = eu-west-1\nawsdirenv_policy_arns = {READ_ONLY}\n")
    user = walk.world.user
    keys = f"aws_access_key_id = {user.access_key_id}\naws_secret_access_key = {user.secret_access_key}\n"
    walk.config(f"[profile k]\nregion = eu-west-1\n{keys}awsdirenv_policy_arns = {READ_ONLY}\n")
    yield walk.enter("use aws_profile k --no-session\n")
    yield walk.enter("use aws_profile k\n")


@row("AWSDIRENV_NARROWED has no policies: …", "direnv reload")
def _changed(walk: Walk) -> Steps:
    walk.config(CHAIN)
    walk.env["AWSDIRENV_PROFILE"] = "p"
    walk.env["AWSDIRENV_NARROWED"] = "read-onlx"
    yield walk.shell("awsdirenv export")
    walk.env["AWSDIRENV_NARROWED"] = "read-only"  # as it is after a reload


@row("--policy-arn is no ARN of a managed policy: …", "such as arn:aws:iam::aws:policy/ReadOnlyAccess")
def _no_arn(walk: Walk) -> Steps:
    walk.config(CHAIN)
    # argparse has made one message of both, for a hint of its own.
    hint = yield lambda: [
        (f"{first[0]}: {first[1]}", f"such as{last}")
        for message, _ in walk.load("p", "--policy-arn", "ReadOnlyAccess")()
        for before, _, last in [message.partition("; such as")]
        for first in [before.partition(": ")[2].split(": ", 1)]
    ]
    yield walk.load("p", "--policy-arn", hint.removeprefix("such as "))


# --- agents -------------------------------------------------------------------------------------------------------


def _for_agents(message: str, hint: str, wrong: str, right: str) -> None:
    @row(message, f"{hint} … of …")
    def by_profile(walk: Walk) -> Steps:
        walk.env["AI_AGENT"] = "1"
        walk.config(f"{CHAIN}awsdirenv_agent = {wrong}\n[profile q]\nrole_arn = {ARN}\nsource_profile = base\n")
        hint = yield walk.load("p")
        walk.edit(hint, awsdirenv_agent=right)

    @row(message, f"{hint} AWSDIRENV_AGENT_DEFAULT")
    def by_setting(walk: Walk) -> Steps:
        walk.env.update(AI_AGENT="1", AWSDIRENV_AGENT_DEFAULT=wrong)
        walk.config(f"{CHAIN}[profile q]\nrole_arn = {ARN}\nsource_profile = base\n")
        yield walk.load("p")
        walk.env["AWSDIRENV_AGENT_DEFAULT"] = right


_for_agents("profile … is not for agents", "write a profile that is for agents into", "deny", "q")
_for_agents(
    "profile … has no profile for agents: …",
    "write a profile, read-only, deny, or ARNs of policies into",
    "nobody",
    "read-only",
)


@row(
    "profile … is narrowed by …, and for agents again: with more policies a session may do more",
    "write … = … into …: then agents get it as it is",
)
def _narrowed_for_agents(walk: Walk) -> Steps:
    walk.env.update(AI_AGENT="1", AWSDIRENV_AGENT_DEFAULT="read-only")
    walk.config(f"{CHAIN}awsdirenv_policy_arns = {READ_ONLY}\n")
    hint = yield walk.load("p")
    assert hint.startswith("write awsdirenv_agent = p into [profile p]")
    walk.rewrite(walk.world.config, "[profile p]", awsdirenv_agent="p")


@row(
    "profile … has no role, and its MFA session is the user's",
    "give agents a profile with a role behind it: role_arn = ROLE and source_profile = …",
)
def _mfa_session(walk: Walk) -> Steps:
    walk.env["AI_AGENT"] = "1"
    user = walk.world.user
    keys = f"aws_access_key_id = {user.access_key_id}\naws_secret_access_key = {user.secret_access_key}\n"
    walk.config(f"[profile q]\n{keys}mfa_serial = {walk.world.mfa_serial}\n")
    hint = yield walk.load("q")
    _put_role_behind(walk, hint)
    walk.world.login("p")
    yield walk.load("p")


@row("agents do not get the long-term keys of profile …", "leave this to the user")
def _keys_for_agents(walk: Walk) -> Steps:
    walk.env["AI_AGENT"] = "1"
    yield walk.load("base", "--no-session")
    del walk.env["AI_AGENT"]
