"""Checks of `doctor` on the profiles in use: what AWS's files say about them, and what AWS says about their keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from awsdirenv.aws import sso_token
from awsdirenv.aws.identity import KeyFacts
from awsdirenv.config.aws_files import section_header
from awsdirenv.config.environment import SessionOptions
from awsdirenv.config.session_options import resolve
from awsdirenv.errors import AwsdirenvError, SessionRefusedError
from awsdirenv.refresh.preflight import Preflight
from awsdirenv.reports.doctor.context import ERROR, INFO, WARNING, DoctorContext, Finding
from awsdirenv.reports.doctor.long_term_keys import OLD_KEY
from awsdirenv.session_credentials import time_left
from awsdirenv.system.files import read_text
from awsdirenv.system.text import command_line, key_end, login_command

_SKEW = timedelta(seconds=60)  # a smaller error of the clock is no finding
_REFUSED_SKEW = timedelta(minutes=5)  # AWS refuses calls if the clock is wrong by this much
_SETS_REGION = re.compile(r"^[^#\n]*\bAWS_(?:DEFAULT_)?REGION=", re.MULTILINE)


def profile(context: DoctorContext) -> Iterator[Finding]:
    """Whether AWS's files can be read, and the profile of this directory leads to credentials."""
    for problem in filter(None, (context.problem, context.files_problem)):
        yield Finding(ERROR, problem.message, problem.hint)
    if context.files is None or context.profile is None:
        return
    try:
        chain = resolve(context.files, context.profile, SessionOptions(), context.outer)
        Preflight(context.files, context.outer).check(chain)
    except AwsdirenvError as error:
        yield Finding(ERROR, error.message, error.hint)


def region(context: DoctorContext) -> Iterator[Finding]:
    """Whether the profile of this directory has a region, from wherever."""
    name = context.profile
    if name is None or name not in context.chains or context.files is None:
        return
    in_environment = any(context.environ.get(variable) for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"))
    if in_environment or context.region or context.chains[name].region or _sets_region(context):
        return
    hint = f"add to {section_header(name)}: region = NAME, or to the line in .envrc: --region NAME"
    yield Finding(WARNING, f"profile {name} has no region", hint, context.files.config_path)


def live_programs(context: DoctorContext) -> Iterator[Finding]:
    """Whether this is a live directory with a repository of restic's, which finds no credentials there."""
    environ = context.environ
    is_live = "AWSDIRENV_PROFILE" in environ and "AWSDIRENV_KEY_ID" not in environ  # only keys have an id
    if is_live and environ.get("RESTIC_REPOSITORY", "").startswith("s3:"):
        hint = "awsdirenv exec -- restic COMMAND, or --keys on the line in .envrc"
        yield Finding(WARNING, "restic finds no credentials in a live directory", hint, str(context.envrc or ""))


def sso_sign_in(context: DoctorContext) -> Iterator[Finding]:
    """Whether the sign-ins to IAM Identity Center behind the profiles in use still hold."""
    checked = set()
    for name, chain in context.chains.items():
        session = chain.sso_session
        if session is None or str(session) in checked:
            continue
        checked.add(str(session))
        if sso_token.has_sound_token(session, context.outer):
            continue
        is_here = name == context.profile
        path = sso_token.path(session, context.outer)
        message = f"the sign-in to {session} has ended" if path.exists() else f"nobody has signed in to {session}"
        hint = login_command(name)
        yield Finding(WARNING if is_here else INFO, message, hint, str(path))


def network(context: DoctorContext) -> Iterator[Finding]:
    """Whether AWS answers, where a long-term key is there to ask with."""
    errors = [fact.refusal for fact in context.asked if fact.refusal and not _is_refused(fact)]
    for error in errors[:1]:  # the other errors say the same
        yield Finding(INFO, f"AWS was not asked about keys: {error.message}", error.hint)


def access_key(context: DoctorContext) -> Iterator[Finding]:
    """Whether AWS still takes the long-term keys of the profiles in use."""
    for fact in context.asked:
        if _is_refused(fact):
            message = f"AWS does not take the access key {fact.key.shown} of profile {fact.key.profile}"
            yield Finding(
                ERROR, message, "it may be deleted or inactive in IAM; replace it with a new one", _file(context)
            )


def root_key(context: DoctorContext) -> Iterator[Finding]:
    """Whether a long-term key is the account's root user's, which may do everything."""
    for fact in context.asked:
        if fact.is_root:
            message = f"the access key {fact.key.shown} of profile {fact.key.profile} is the root user's"
            hint = "make an IAM user or use IAM Identity Center, and delete the root user's keys"
            yield Finding(ERROR, message, hint, _file(context))


def key_age(context: DoctorContext) -> Iterator[Finding]:
    """Whether a long-term key is older than 90 days, where IAM says so."""
    reported = set()
    for fact in context.asked:
        for access_key_id, created in (fact.created or {}).items():
            age = context.now - created
            if age <= OLD_KEY or access_key_id in reported:
                continue
            reported.add(access_key_id)
            name, shown = fact.key.profile, f"the access key {key_end(access_key_id)}"
            if access_key_id == fact.key.access_key_id:
                message = f"{shown} of profile {name} is {age.days} days old"
                yield Finding(WARNING, message, command_line("awsdirenv keys rotate", name), _file(context))
            else:
                message = f"{shown} of the user of profile {name} is {age.days} days old"
                yield Finding(WARNING, message, "delete it in IAM if nobody needs it, else replace it there")


def mfa(context: DoctorContext) -> Iterator[Finding]:
    """Whether the user of each long-term key has an MFA device, and the profiles name it."""
    facts = {fact.key.access_key_id: fact for fact in context.asked}
    for key in context.keys:
        fact = facts.get(key.access_key_id)
        devices = fact.mfa_devices if fact else None
        is_named = _names_device(context, key.profile)
        if devices == ():
            message = f"the user of the access key {key.shown} of profile {key.profile} has no MFA device"
            yield Finding(WARNING, message, "give the user one in IAM, and name it: mfa_serial = ARN", _file(context))
        elif devices and not is_named:
            message = f"no profile names the MFA device of the user of profile {key.profile}"
            hint = f"add to {section_header(key.profile)}: mfa_serial = {devices[0]}"
            yield Finding(INFO, message, hint, _config(context))
        elif devices is None and not is_named and not (fact and fact.is_root):
            message = f"profile {key.profile} has long-term keys and no mfa_serial"
            hint = f"give the user an MFA device, and add to {section_header(key.profile)}: mfa_serial = ARN"
            yield Finding(WARNING, message, hint, _config(context))


def clock(context: DoctorContext) -> Iterator[Finding]:
    """Whether this machine's clock is right, by the answers of AWS."""
    offset = max((fact.offset for fact in context.asked), key=abs, default=timedelta(0))
    if abs(offset) < _SKEW:
        return
    amount = time_left(context.now + abs(offset), context.now)
    message = f"this machine's clock is {amount} {'behind' if offset > timedelta(0) else 'ahead of'} AWS's"
    hint = "set it, and keep it right: timedatectl set-ntp true, or your system's settings"
    yield Finding(ERROR if abs(offset) >= _REFUSED_SKEW else WARNING, message, hint)


def _is_refused(fact: KeyFacts) -> bool:
    """Return whether AWS refuses the key itself. Other errors say nothing about the key."""
    return isinstance(fact.refusal, SessionRefusedError)


def _names_device(context: DoctorContext, name: str) -> bool:
    """Return whether the profile of a key, or a role that uses the key, names an MFA device."""
    profiles = context.files.profiles if context.files else {}
    users = (values for other, values in profiles.items() if name in (other, values.get("source_profile")))
    in_chains = any(chain.mfa_serial for chain in context.chains.values() if chain.source_profile == name)
    return in_chains or any(values.get("mfa_serial") for values in users)


def _sets_region(context: DoctorContext) -> bool:
    text = read_text(context.envrc) if context.envrc else None
    return bool(_SETS_REGION.search(text or ""))


def _file(context: DoctorContext) -> str | None:
    return context.files.credentials_path if context.files else None


def _config(context: DoctorContext) -> str | None:
    return context.files.config_path if context.files else None
