"""What a line in `.envrc` or a command asks of a session: how long it lives, the policies that narrow it, and for whom.

A session policy takes rights away: the session may do what its role may do and the policies allow. AWS takes managed
policies by their ARNs, and one policy as JSON. Two wishes are never put together, because with more policies a session
may do more.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from awsdirenv.config.aws_files import (
    AGENT_KEY,
    ARNS_KEY,
    POLICY_KEY,
    AwsFiles,
    expand,
    listed,
    place_of,
    section_header,
)
from awsdirenv.config.chain import (
    ATTACHED,
    CONTAINER,
    ENVIRONMENT,
    INSTANCE,
    KEYCHAIN,
    LOGIN,
    PROCESS,
    SSO,
    STATIC,
    WEB_IDENTITY,
    Chain,
    Narrowing,
)
from awsdirenv.config.environment import SessionOptions
from awsdirenv.config.resolve import resolve_chain
from awsdirenv.errors import AgentDeniedError, ConfigError, SettingError
from awsdirenv.records import Record, replace
from awsdirenv.system.files import read_bytes
from awsdirenv.system.stamps import file_stamp

_MOST_ARNS = 10
_LONGEST_POLICY = 2048  # characters, without the spaces between the words of JSON
_LARGEST_FILE = 256 * 1024  # bytes
_LONGEST_LABEL = 100  # characters
_ARN = re.compile(r"arn:([a-z-]+):iam::(?:aws|\d{12}):policy/(?:[\x21-\x7e]+/)?[\w+=,.@-]{1,128}", re.ASCII)
_KINDS = {
    SSO: "Identity Center's credentials",
    **dict.fromkeys((STATIC, KEYCHAIN), "an MFA session"),
    PROCESS: "what a program gives",
    LOGIN: "what `aws login` gives",
    **dict.fromkeys((ENVIRONMENT, CONTAINER, INSTANCE, ATTACHED), "what the machine gives"),
}
_ELEMENTS = {"Version", "Id", "Statement"}
_ONE_OF = (("Action", "NotAction"), ("Resource", "NotResource"))
_STATEMENT = {"Sid", "Effect", "Condition", *(name for pair in _ONE_OF for name in pair)}


def policy_arn(text: str) -> str:
    """Return the ARN of a managed policy. Raises SettingError for any other text."""
    if not _ARN.fullmatch(text) or len(text) > 2048:
        raise SettingError(
            f"--policy-arn is no ARN of a managed policy: {text!r}",
            "such as arn:aws:iam::aws:policy/ReadOnlyAccess",
        )
    return text


def of_directory(asked: SessionOptions, environ: Mapping[str, str]) -> SessionOptions:
    """Return what is asked for the profile of a loaded directory: the policies of its line count, unless others do.

    Raises SettingError.
    """
    narrowed = environ.get("AWSDIRENV_NARROWED", "")
    if asked.narrows or not narrowed:
        return asked
    try:
        return replace(SessionOptions.parse(narrowed), duration=asked.duration, agent=asked.agent)
    except ValueError:
        raise SettingError(f"AWSDIRENV_NARROWED has no policies: {narrowed!r}", "direnv reload") from None


def resolve(files: AwsFiles, profile: str, options: SessionOptions, environ: Mapping[str, str]) -> Chain:
    """Return the chain that a person, or an agent, gets for a profile. An agent may get another profile's.

    Raises AgentDeniedError, and what `resolve_chain` and `_with_options` raise.
    """
    if options.agent is None:
        return _with_options(resolve_chain(files, profile, environ), files, options, environ)
    target, options = _for_agent(files, profile, options)
    chain = _with_options(resolve_chain(files, target, environ), files, options, environ)
    if not chain.hops and chain.source_kind in (STATIC, KEYCHAIN) and chain.mfa_serial:
        raise AgentDeniedError(
            f"profile {target} has no role, and its MFA session is the user's",
            f"give agents a profile with a role behind it: role_arn = ROLE and source_profile = {target}",
        )
    if not chain.hops:
        return replace(chain, source_fingerprint=f"{chain.source_fingerprint} agent", is_for_agent=True)
    hop = chain.hops[-1]
    # In CloudTrail the name says who it was. 64 characters are the longest that AWS takes.
    name = f"{hop.role_session_name[:58]}-agent" if hop.role_session_name else None
    hops = (*chain.hops[:-1], replace(hop, role_session_name=name, is_for_agent=True))
    return replace(chain, hops=hops, is_for_agent=True)


def _for_agent(files: AwsFiles, profile: str, options: SessionOptions) -> tuple[str, SessionOptions]:
    """Return the profile that an agent gets for a profile, and its options. Raises AgentDeniedError and ConfigError."""
    visited = [profile]
    while True:
        name = visited[-1]
        own = str(files.profiles.get(name, {}).get(AGENT_KEY, "")).strip()
        said = own or (options.agent or "" if len(visited) == 1 else "")
        place = f"{AGENT_KEY} of {place_of(files, name, AGENT_KEY)}" if own else "AWSDIRENV_AGENT_DEFAULT"
        words = listed(said)
        if words == ["deny"]:
            raise AgentDeniedError(
                f"profile {name} is not for agents", f"write a profile that is for agents into {place}"
            )
        if words == ["read-only"]:
            return name, _narrowed_once(files, name, options, replace(options, read_only=True))
        if words and all(_ARN.fullmatch(word) for word in words):
            return name, _narrowed_once(files, name, options, replace(options, policy_arns=tuple(words)))
        if not words or said == name:
            return name, options
        if said in visited or said not in files.profiles:
            raise ConfigError(
                f"profile {name} has no profile for agents: {' '.join(words)}",
                f"write a profile, read-only, deny, or ARNs of policies into {place}",
            )
        visited.append(said)


def _narrowed_once(files: AwsFiles, name: str, options: SessionOptions, for_agent: SessionOptions) -> SessionOptions:
    """Return the options for an agent, `for_agent`. Raises ConfigError where others narrow the session already."""
    own = next((key for key in (POLICY_KEY, ARNS_KEY) if key in files.profiles.get(name, {})), None)
    first = own or next(iter(options.narrowing()), "").partition("=")[0]
    if first and (own or for_agent != options):
        raise ConfigError(
            f"profile {name} is narrowed by {first}, and for agents again: with more policies a session may do more",
            f"write {AGENT_KEY} = {name} into {section_header(name)}: then agents get it as it is",
        )
    return for_agent


def _with_options(chain: Chain, files: AwsFiles, options: SessionOptions, environ: Mapping[str, str]) -> Chain:
    """Return the chain with the duration and the policies that a directory or a command asks for.

    Policies of the profile itself count where nobody else asks for any. Raises ConfigError.
    """
    if options.duration is not None:
        last = (replace(hop, duration_seconds=options.duration) for hop in chain.hops[-1:])
        chain = replace(chain, hops=(*chain.hops[:-1], *last), duration_seconds=options.duration)
    narrowing = _narrowing(chain, files, options, environ)
    if narrowing is None:
        return chain
    _check_source(chain)
    if chain.hops:
        narrowed = replace(chain.hops[-1], policy_arns=narrowing.arns, policy=narrowing.policy)
        return replace(chain, hops=(*chain.hops[:-1], narrowed), narrowing=narrowing)
    fingerprint = f"{chain.source_fingerprint} {json.dumps([narrowing.arns, narrowing.policy])}"
    return replace(chain, source_fingerprint=fingerprint, narrowing=narrowing)


def is_narrowed(values: Mapping[str, Any]) -> bool:
    """Return whether a profile's own keys narrow its sessions, for all or for agents."""
    return not {POLICY_KEY, ARNS_KEY, AGENT_KEY}.isdisjoint(values)


def _narrowing(chain: Chain, files: AwsFiles, options: SessionOptions, environ: Mapping[str, str]) -> Narrowing | None:
    values = files.profiles[chain.profile]
    own = [key for key in (POLICY_KEY, ARNS_KEY) if key in values]
    if own and options.narrows:
        raise ConfigError(
            f"profile {chain.profile} is narrowed by {own[0]}, and cannot be narrowed again: "
            "with more policies a session may do more",
            f"leave {options.narrowing()[0].partition('=')[0]} out, or remove {own[0]} from "
            f"{place_of(files, chain.profile, own[0])}",
        )
    if own:
        return _own_narrowing(chain, files, environ)
    if not options.narrows:
        return None
    arns = list(options.policy_arns)
    if options.read_only:
        arns.insert(0, f"arn:{_partition(chain, files)}:iam::aws:policy/ReadOnlyAccess")
    policy = _of_file(options.policy_file, "--policy") if options.policy_file else None
    return _made(chain, files, arns, policy, "--policy-arn")


def _own_narrowing(chain: Chain, files: AwsFiles, environ: Mapping[str, str]) -> Narrowing:
    """Return the narrowing by the profile's own keys. A relative path is one in the folder of the config file."""
    values, name = files.profiles[chain.profile], chain.profile
    arns, text = str(values.get(ARNS_KEY, "")), str(values.get(POLICY_KEY, "")).strip()
    named = listed(arns)
    bad = next((arn for arn in named if not _ARN.fullmatch(arn)), None)
    if bad or not (named or text):
        key = ARNS_KEY if bad or ARNS_KEY in values else POLICY_KEY
        raise ConfigError(
            f"profile {name} names no policy in {key}: {bad!r}" if bad else f"profile {name} names no policy in {key}",
            f"write the ARN of a managed policy into {key} of {place_of(files, name, key)}, or remove the line",
        )
    policy = None
    if text.startswith("{"):
        policy = _Policy(_checked(text, f"{POLICY_KEY} of profile {name}"), "a policy", "")
    elif text:
        policy = _of_file(os.path.join(os.path.dirname(files.config_path), expand(text, environ)), POLICY_KEY)
    return _made(chain, files, named, policy, ARNS_KEY)


class _Policy(Record):
    """A policy as STS gets it, its name for people, and `file_stamp` of its file from before it was read, or ""."""

    text: str
    name: str
    stamp: str


def _made(chain: Chain, files: AwsFiles, arns: list[str], policy: _Policy | None, name: str) -> Narrowing:
    """Return the narrowing by these policies. `name` is where the ARNs are written. Raises ConfigError."""
    arns = list(dict.fromkeys(arns))
    if len(arns) > _MOST_ARNS:
        raise ConfigError(
            f"profile {chain.profile} would be narrowed by {len(arns)} policies, and AWS takes {_MOST_ARNS}",
            f"write at most {_MOST_ARNS} ARNs after {name}",
        )
    partition = _partition(chain, files)
    foreign = next((arn for arn in arns if arn.split(":")[1] != partition), None)
    if foreign:
        raise ConfigError(
            f"profile {chain.profile} is of the partition {partition}, and a policy of another one: {foreign}",
            f"write its ARN in {partition}: {':'.join(['arn', partition, *foreign.split(':')[2:]])}",
        )
    names = [*(arn.rpartition("/")[2] for arn in arns), *([policy.name] if policy else [])]
    label = " + ".join(re.sub(r"[\x00-\x1f\x7f]", "?", one) for one in names)
    if len(label) > _LONGEST_LABEL:
        label = f"{len(names)} policies"
    return Narrowing(tuple(arns), policy.text if policy else None, label, policy.stamp if policy else "")


def _check_source(chain: Chain) -> None:
    """Raise ConfigError for a source whose sessions AWS narrows by no policy."""
    if chain.hops or chain.source_kind == WEB_IDENTITY:
        return
    if chain.source_kind in (STATIC, KEYCHAIN) and not chain.mfa_serial:
        return  # GetFederationToken takes policies
    raise ConfigError(
        f"profile {chain.profile} cannot be narrowed: AWS takes no policy for {_KINDS[chain.source_kind]}",
        f"name a profile with a role behind it: role_arn = ROLE and source_profile = {chain.profile}",
    )


def _partition(chain: Chain, files: AwsFiles) -> str:
    """Return the partition of AWS: that of the chain, else of the role of a web identity."""
    arn = str(files.profiles.get(chain.source_profile, {}).get("role_arn", ""))
    return chain.partition or (arn.split(":")[1] if arn.startswith("arn:") and arn.count(":") > 1 else "aws")


def _of_file(path: str, name: str) -> _Policy:
    """Read a policy's file. `name` is where its path is written. Raises ConfigError."""
    stamp = file_stamp(path)  # before it is read, so that an edit in between is noticed later
    data = read_bytes(path, _LARGEST_FILE)
    if data is None:
        raise ConfigError(f"the policy {path} cannot be read", f"write the path of a JSON file after {name}")
    try:
        return _Policy(_checked(data.decode("utf-8-sig"), path), os.path.basename(path), stamp)
    except UnicodeDecodeError:
        _refuse(path, "it is not written in UTF-8")


def _checked(text: str, what: str) -> str:
    """Return a policy without spaces between its words, in ASCII. Raises ConfigError for what STS would refuse.

    `what` names it: a path, or a key of a profile.
    """
    try:
        policy = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError:
        _refuse(what, "it is nested too deep")
    except json.JSONDecodeError as error:
        _refuse(what, f"it is no JSON: {error.msg}, line {error.lineno}")
    except ValueError as error:
        _refuse(what, str(error))
    if not isinstance(policy, dict) or "Statement" not in policy:
        _refuse(what, "it has no Statement")
    if unknown := sorted(policy.keys() - _ELEMENTS):
        _refuse(what, f"it has the unknown element {unknown[0]}")
    if policy.get("Version", "2012-10-17") not in ("2012-10-17", "2008-10-17"):
        _refuse(what, 'its Version must be "2012-10-17"')
    statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    if not statements:
        _refuse(what, "it has no Statement")
    for statement in statements:
        _check_statement(statement, what)
    compact = json.dumps(policy, separators=(",", ":"))
    if len(compact) > _LONGEST_POLICY:
        _refuse(what, f"it has {len(compact)} characters without spaces, and AWS takes {_LONGEST_POLICY}")
    return compact


def _check_statement(statement: object, what: str) -> None:
    if not isinstance(statement, dict):
        _refuse(what, "a Statement is no object")
    if "Principal" in statement or "NotPrincipal" in statement:
        _refuse(what, "a session policy has no Principal")
    if unknown := sorted(statement.keys() - _STATEMENT):
        _refuse(what, f"a Statement has the unknown element {unknown[0]}")
    if statement.get("Effect") not in ("Allow", "Deny"):
        _refuse(what, "the Effect of a Statement must be Allow or Deny")
    for pair in _ONE_OF:
        present = [name for name in pair if name in statement]
        if len(present) != 1:
            _refuse(what, f"a Statement must have either {pair[0]} or {pair[1]}")
        value = statement[present[0]]
        if not value or not all(isinstance(one, str) for one in (value if isinstance(value, list) else [value])):
            _refuse(what, f"{present[0]} of a Statement must be a text or a list of texts")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a name that stands twice: JSON's readers take the last one, and AWS refuses both."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice} stands twice in one object")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _refuse(what: str, why: str) -> NoReturn:
    raise ConfigError(f"the policy {what} cannot be used: {why}", f"correct {what}")
