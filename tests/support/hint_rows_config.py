"""Hints about AWS's files and our settings: the edit that each names is made in the file that it names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hint_walk import Steps, Walk, row

ARN = "arn:aws:iam::123456789012:role/r"
SSO = "[sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n"
ROLE = f"[profile p]\nrole_arn = {ARN}\n"
CHAIN = f"{ROLE}source_profile = base\n"
NO_KEYS = "profile … has no credentials"
Edits = dict[str, str | None]


@dataclass(frozen=True)
class Edit:
    """A hint that names a section: what the config file has, what is changed, what is said then, and how to see it."""

    message: str
    hint: str
    config: str
    values: Edits
    then: str | None = None
    how: str = "awsdirenv load -- p"


EDITS = [
    Edit(
        "profile … has both source_profile and credential_source",
        "keep one of them in …",
        f"{CHAIN}credential_source = Environment\n",
        {"credential_source": None},
    ),
    Edit(
        "profile … has role_arn but neither source_profile nor credential_source",
        "add source_profile to …",
        ROLE,
        {"source_profile": "base"},
    ),
    Edit(
        "profile … closes a loop: …",
        "change source_profile in …",
        f"{ROLE}source_profile = q\n[profile q]\nrole_arn = {ARN}\nsource_profile = p\n",
        {"source_profile": "base"},
    ),
    Edit(
        "profile …: …",
        "change include_profile in …",
        f"{CHAIN}include_profile = q\n[profile q]\ninclude_profile = p\n",
        {"include_profile": "base"},
    ),
    Edit(
        "profile … has a duration_seconds out of range: …",
        "set duration_seconds in … between … (15m) and … (12h)",
        f"{CHAIN}duration_seconds = 60\n",
        {"duration_seconds": "900"},
    ),
    Edit(
        "profile … has session_tags that are not key=value: …",
        "write session_tags = Key=Value,Key=Value in …",
        f"{CHAIN}session_tags = a\n",
        {"session_tags": "Key=Value,Key2=Value"},
    ),
    Edit(
        "profile … has a chain of more than … roles",
        "shorten the chain that begins with source_profile in …",
        f"{ROLE}source_profile = q0\n"
        + "".join(f"[profile q{n}]\nrole_arn = {ARN}\nsource_profile = q{n + 1}\n" for n in range(60))
        + "[profile q60]\n",
        {"source_profile": "base"},
    ),
    Edit(
        "profile … has awsdirenv_variables with what is no name of a variable",
        "write … = NAME, NAME in …",
        "[profile p]\ncredential_process = <program>\nawsdirenv_variables = $CLIENT\n",
        {"awsdirenv_variables": "CLIENT, STAGE"},
    ),
    Edit(
        "profile … has … in awsdirenv_variables, which may be secret or is set by us",
        "name another variable in …: we write its value into files",
        "[profile p]\ncredential_process = <program>\nawsdirenv_variables = AWS_SECRET_ACCESS_KEY\n",
        {"awsdirenv_variables": "CLIENT"},
    ),
    Edit(
        "profile … has a role_arn that is none: …",
        "correct role_arn in …, as in arn:aws:iam::123456789012:role/NAME",
        "[profile p]\nrole_arn = r\nsource_profile = base\n",
        {"role_arn": ARN},
    ),
    Edit(
        "profile … has a value for … that STS does not take as …",
        "correct mfa_serial in …, as in arn:aws:iam::123456789012:mfa/NAME",
        f"{CHAIN}mfa_serial = a b\n",
        {"mfa_serial": "arn:aws:iam::123456789012:mfa/foo"},
        "profile … needs an MFA code for …, and nobody is here to type it",
    ),
    Edit(
        "profile … has a value for … that STS does not take as …",
        "correct session_tags in …",
        f"{CHAIN}session_tags = aws:a=b\n",
        {"session_tags": "a=b"},
    ),
    Edit(
        "profile … has a value for … that STS does not take as …",
        "name keys of session_tags only in …",
        f"{CHAIN}session_tags = a=b\ntransitive_session_tags = c\n",
        {"transitive_session_tags": "a"},
    ),
    Edit(
        "profile … has a value for … that STS does not take as …",
        "correct … in … of …",
        f"{CHAIN}role_session_name = a b\n",
        {"role_session_name": "ab"},
    ),
    Edit(
        "profile … has web_identity_token_file and no role_arn",
        "add role_arn to …",
        "[profile p]\nweb_identity_token_file = /nowhere\n",
        {"role_arn": ARN},
        how="awsdirenv explain -- p",
    ),
    Edit(
        "profile … and its sso_session … differ in …",
        "take … out of …",
        f"{SSO}[profile p]\nsso_session = corp\nsso_region = eu-west-2\nsso_account_id = 123456789012\nsso_role_name = D\n",
        {"sso_region": None},
        how="awsdirenv explain -- p",
    ),
    Edit(
        "profile … is of IAM Identity Center and has no …",
        "add … to […]",
        f"{SSO}[profile p]\nsso_session = corp\nsso_account_id = 123456789012\n",
        {"sso_role_name": "D"},
        how="awsdirenv explain -- p",
    ),
    Edit(
        "profile … is of IAM Identity Center and has no …",
        "add … to [sso-session …]",
        "[sso-session corp]\nsso_region = eu-west-1\n"
        "[profile p]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = D\n",
        {"sso_start_url": "https://corp.awsapps.com/start"},
        how="awsdirenv explain -- p",
    ),
    Edit(
        NO_KEYS,
        "add role_arn to …: source_profile alone gives no credentials",
        f"[profile p]\nsource_profile = base\n[profile q]\nrole_arn = {ARN}\nsource_profile = p\n",
        {"role_arn": ARN},
        how="awsdirenv load q",
    ),
    Edit(
        f"{NO_KEYS}, and no role is attached to this machine",
        "add role_arn to …: source_profile alone gives no credentials",
        "[profile p]\nsource_profile = base\n",
        {"role_arn": ARN},
    ),
    Edit(
        f"{NO_KEYS}, and no role is attached to this machine",
        "add role_arn to …: credential_source alone gives no credentials",
        "[profile p]\ncredential_source = Environment\n",
        {"role_arn": ARN},
        "profile … has credential_source = …, and there are none here",
    ),
    Edit(
        f"{NO_KEYS}, and no role is attached to this machine",
        "add sso_account_id and sso_role_name to …",
        f"{SSO}[profile p]\nsso_session = corp\n",
        {"sso_account_id": "123456789012", "sso_role_name": "D"},
        "the credentials for profile …: nobody has signed in…",
    ),
    Edit(
        f"{NO_KEYS}, and no role is attached to this machine",
        "add sso_account_id and sso_role_name to …",
        "[profile p]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n",
        {"sso_account_id": "123456789012", "sso_role_name": "D"},
        "the credentials for profile …: nobody has signed in…",
    ),
    Edit(
        f"{NO_KEYS}, and no role is attached to this machine",
        "add aws_access_key_id and aws_secret_access_key to […] in …",
        "[profile p]\nregion = eu-west-1\n",
        {"aws_access_key_id": "<id>", "aws_secret_access_key": "<secret>"},
    ),
    Edit(
        "profile … has an awsdirenv_stage that cannot be one",
        "set awsdirenv_stage in … to a word such as production",
        f"{CHAIN}awsdirenv_stage = {'x' * 50}\n",
        {"awsdirenv_stage": "production"},
    ),
    Edit(
        "profile … has a region that cannot be one: …",
        "set region in …: …",
        f"{CHAIN}region = us-east-1 # prod lives here\n",
        {"region": "us-east-1"},
        how="awsdirenv explain -- p",
    ),
]


def _filled(walk: Walk, text: str) -> str:
    """Put the world's own values into a text."""
    user = walk.world.user
    text = text.replace("<id>", user.access_key_id).replace("<secret>", user.secret_access_key)
    if "<program>" in text:
        document = (
            f'{{"Version": 1, "AccessKeyId": "{user.access_key_id}", "SecretAccessKey": "{user.secret_access_key}"}}'
        )
        text = text.replace("<program>", str(walk.world.program("keys", f"echo '{document}'")))
    return text


def _note(edit: Edit) -> None:
    @row(edit.message, edit.hint)
    def section(walk: Walk) -> Steps:
        walk.config(_filled(walk, edit.config))
        hint = yield walk.shell(edit.how)
        walk.edit(hint, **{key: value and _filled(walk, value) for key, value in edit.values.items()})
        return edit.then


for _edit in EDITS:
    _note(_edit)
