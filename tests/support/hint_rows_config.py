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
        "profile … has an invalid name in awsdirenv_variables",
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
        "profile … has a role_arn that is not the ARN of a role: …",
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
        "correct … in …",
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
        "remove … from …",
        f"{SSO}[profile p]\nsso_session = corp\nsso_region = eu-west-2\n"
        "sso_account_id = 123456789012\nsso_role_name = D\n",
        {"sso_region": None},
        how="awsdirenv explain -- p",
    ),
    Edit(
        "profile … is of IAM Identity Center and has no …",
        "add … to …",
        f"{SSO}[profile p]\nsso_session = corp\nsso_account_id = 123456789012\n",
        {"sso_role_name": "D"},
        how="awsdirenv explain -- p",
    ),
    Edit(
        "profile … is of IAM Identity Center and has no …",
        "add … to …",
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
        "profile … has an invalid awsdirenv_stage",
        "set awsdirenv_stage in … to a word such as production",
        f"{CHAIN}awsdirenv_stage = {'x' * 50}\n",
        {"awsdirenv_stage": "production"},
    ),
    Edit(
        "profile … has an invalid region: …",
        "set region in …",
        f"{CHAIN}region = us-east-1 # prod lives here\n",
        {"region": "us-east-1"},
        how="awsdirenv explain -- p",
    ),
    Edit("…: botocore cannot use this value", "correct … in …", f"{CHAIN}max_attempts = x\n", {"max_attempts": "3"}),
    Edit("…: …", "correct … in …", f"{CHAIN}defaults_mode = none\n", {"defaults_mode": "standard"}),
]


def filled(walk: Walk, text: str) -> str:
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
        walk.config(filled(walk, edit.config))
        hint = yield walk.shell(edit.how)
        walk.edit(hint, **{key: value and filled(walk, value) for key, value in edit.values.items()})
        return edit.then


for _edit in EDITS:
    _note(_edit)


# --- names of profiles --------------------------------------------------------------------------------------------

NOT_FOUND = "no profile … in … or …"
NO_SOURCE = "profile … names a source_profile that does not exist: …"
WRITE = "write … instead of […] in …"


def _written(walk: Walk, hint: str) -> None:
    """Write one header in the place of another one."""
    found = re.fullmatch(r"write (\[.*\]) instead of (\[.*\]) in (.*)", hint)
    assert found, hint
    path = Path(found[3])
    text = path.read_text(encoding="utf-8")
    assert f"\n{found[2]}\n" in text
    path.write_text(text.replace(f"\n{found[2]}\n", f"\n{found[1]}\n"), encoding="utf-8")


def _miswritten(message: str, config: str, profile: str) -> None:
    @row(message, WRITE)
    def miswritten(walk: Walk) -> Steps:
        walk.config(filled(walk, config))
        hint = yield walk.load(profile)
        _written(walk, hint)


KEYS = "aws_access_key_id = <id>\naws_secret_access_key = <secret>\n"
_miswritten(NOT_FOUND, f"[profile my prof]\n{KEYS}", "my prof")
_miswritten(NOT_FOUND, f"[user1]\n{KEYS}", "user1")
_miswritten(NOT_FOUND, f"[Profile user1]\n{KEYS}", "user1")
_miswritten(NOT_FOUND, f"[ profile user1 ]\n{KEYS}", "user1")
_miswritten(NOT_FOUND, f"[profile jo's]\n{KEYS}", "jo's")
_miswritten(NO_SOURCE, f"[user1]\n{KEYS}{ROLE}source_profile = user1\n", "p")


@row(NOT_FOUND, WRITE)
def _in_the_credentials_file(walk: Walk) -> Steps:
    walk.config(filled(walk, f"[profile user1]\n{KEYS}"), walk.world.credentials)
    hint = yield walk.load("user1")
    _written(walk, hint)


@row(NOT_FOUND, "add … to …")
def _no_such_profile(walk: Walk) -> Steps:
    hint = yield walk.load("my prof")
    walk.edit(hint)
    return f"{NO_KEYS}, and no role is attached to this machine"


@row(NOT_FOUND, "did you mean …?")
def _mistyped(walk: Walk) -> Steps:
    hint = yield walk.load("bass")
    yield walk.load(hint.removeprefix("did you mean ").removesuffix("?"))


@row(NO_SOURCE, "add … to …, or […] to …")
def _no_such_source(walk: Walk) -> Steps:
    walk.config(f"{ROLE}source_profile = keys\n")
    hint = yield walk.load("p")
    header, path = re.findall(r"(\[\w+\]) to (\S+)$", hint)[0]
    walk.config(filled(walk, f"{header}\n{KEYS}"), Path(path))


@row(NO_SOURCE, "add … to …, or […] to …")
def _no_such_source_in_the_config_file(walk: Walk) -> Steps:
    walk.config(f"{ROLE}source_profile = keys\n")
    hint = yield walk.load("p")
    header, path = re.findall(r"^add (\[.*?\]) to (\S+),", hint)[0]
    walk.config(f"{header}\nregion = eu-west-1\n", Path(path))
    return NO_KEYS


@row(
    f"{NO_KEYS}, and no role is attached to this machine",
    "name a profile of those that awsdirenv list shows, or add aws_access_key_id and aws_secret_access_key to […] in …",
)
def _no_profile_named(walk: Walk) -> Steps:
    hint = yield walk.shell("awsdirenv login")
    assert "awsdirenv list" in hint
    assert "base" in [line.split("\t")[0] for line in walk.does("awsdirenv list").splitlines()]
    yield walk.shell("awsdirenv login base")


@row(
    f"{NO_KEYS}, and no role is attached to this machine",
    "name a profile of those that awsdirenv list shows, or add aws_access_key_id and aws_secret_access_key to […] in …",
)
def _keys_for_default(walk: Walk) -> Steps:
    hint = yield walk.shell("awsdirenv login")
    header, path = re.findall(r"(\[\w+\]) in (\S+)$", hint)[0]
    walk.config(filled(walk, f"{header}\n{KEYS}"), Path(path))


@row("the profile name is too long (… characters)", "use a name of up to 60 characters")
def _long_name(walk: Walk) -> Steps:
    walk.config(f"[profile {'p' * 60}]\nsource_profile = base\nrole_arn = {ARN}\n")
    yield walk.load("p" * 300)
    yield walk.load("p" * 60)


@row("the profile name is empty", "name a profile, as in `use aws_profile adminrole`")
def _no_name(walk: Walk) -> Steps:
    walk.config(f"[profile adminrole]\nsource_profile = base\nrole_arn = {ARN}\n")
    yield walk.load("")
    yield walk.load("adminrole")


@row("the profile name has control characters", "use the name as it is in ~/.aws/config")
def _odd_name(walk: Walk) -> Steps:
    yield walk.load("ba\tse")
    yield walk.load("base")


# --- keys and values ----------------------------------------------------------------------------------------------


def _several_lines_row(wrong: str, right: str) -> None:
    @row("profile … has several lines for …", "write … on one line; an indented line continues the one before it")
    def several_lines(walk: Walk) -> Steps:
        walk.config(f"{CHAIN}{wrong}")
        hint = yield walk.load("p")
        assert hint.startswith("write external_id on one line")
        text = walk.world.config.read_text(encoding="utf-8")
        walk.world.config.write_text(text.replace(wrong, right), encoding="utf-8")


_several_lines_row("external_id = x\n  y\n", "external_id = xy\n")
_several_lines_row("external_id = xy\n  region = eu-west-1\n", "external_id = xy\nregion = eu-west-1\n")


@row("profile … has an empty …", "give … a value, or remove the line")
def _empty_value(walk: Walk) -> Steps:
    walk.config(f"{CHAIN}external_id =\n")
    yield walk.load("p")
    walk.rewrite(walk.world.config, "[profile p]", external_id="xy")


@row("profile … has an empty …", "give … a value, or remove the line")
def _empty_line(walk: Walk) -> Steps:
    walk.config(f"{CHAIN}mfa_serial =\n")
    yield walk.load("p")
    walk.rewrite(walk.world.config, "[profile p]", mfa_serial=None)


@row("profile … has an unknown credential_source: …", "set it to one of …")
def _unknown_source(walk: Walk) -> Steps:
    walk.config(f"{ROLE}credential_source = Environ\n")
    hint = yield walk.load("p")
    assert "Environment" in hint.removeprefix("set it to one of ").split(", ")
    walk.rewrite(walk.world.config, "[profile p]", credential_source="Environment")
    return "profile … has credential_source = …, and there are none here"


@row(
    "profile … has credential_source = …, and there are none here",
    "change credential_source in …, or go where it works",
)
def _source_that_is_not_here(walk: Walk) -> Steps:
    walk.config(f"{ROLE}credential_source = EcsContainer\n")
    user = walk.world.user
    hint = yield walk.load("p")
    walk.edit(hint, credential_source="Environment")
    walk.env |= {"AWS_ACCESS_KEY_ID": user.access_key_id, "AWS_SECRET_ACCESS_KEY": user.secret_access_key}


@row(
    "profile … has credential_source = …, and there are none here",
    "change credential_source in …, or go where it works",
)
def _source_that_is_elsewhere(walk: Walk) -> Steps:
    walk.config(f"{ROLE}credential_source = Environment\n")
    user = walk.world.user
    yield walk.load("p")
    walk.env |= {"AWS_ACCESS_KEY_ID": user.access_key_id, "AWS_SECRET_ACCESS_KEY": user.secret_access_key}


def _half_a_key(missing: str, value: str, present: str) -> None:
    @row(f"profile … has half a key: no {missing}", f"add {missing} to […] in …")
    def half_a_key(walk: Walk) -> Steps:
        walk.config(filled(walk, f"[p]\n{present}\n"), walk.world.credentials)
        hint = yield walk.shell("awsdirenv explain p")
        walk.edit(hint, **{missing: filled(walk, value)})

    @row(f"profile … has half a key: no {missing}", f"add {missing} to … in …")
    def empty_half_of_a_source(walk: Walk) -> Steps:
        walk.config(filled(walk, f"{ROLE}source_profile = q\n[profile q]\n{present}\n"))
        hint = yield walk.load("p")
        walk.edit(hint, **{missing: filled(walk, value)})


_half_a_key("aws_secret_access_key", "<secret>", "aws_access_key_id = <id>\naws_secret_access_key =")
_half_a_key("aws_access_key_id", "<id>", "aws_access_key_id =\naws_secret_access_key = <secret>")


@row("the session token that is stored for profile … has ended", "renew it with the tool that wrote it into …")
def _stored_token_over(walk: Walk) -> Steps:
    given = walk.world.sts.issue_credentials(ARN)
    keys = f"aws_access_key_id = {given['AccessKeyId']}\naws_secret_access_key = {given['SecretAccessKey']}\n"
    keys += f"aws_session_token = {given['SessionToken']}\n"
    walk.config(f"[tool]\n{keys}x_security_token_expires = 2020-01-01T00:00:00Z\n", walk.world.credentials)
    hint = yield walk.load("tool")
    assert hint.endswith(f"[tool] of {walk.world.credentials}")
    walk.rewrite(walk.world.credentials, "[tool]", x_security_token_expires="2099-01-01T00:00:00Z")


@row(
    "profile … has a setting within credential_process",
    "remove the spaces at the start of the line below credential_process: they make it part of the command",
)
def _setting_in_a_command(walk: Walk) -> Steps:
    walk.config(filled(walk, "[profile p]\ncredential_process = <program>\n  region = eu-west-1\n"))
    yield walk.load("p")
    text = walk.world.config.read_text(encoding="utf-8")
    walk.world.config.write_text(text.replace("\n  region", "\nregion"), encoding="utf-8")


@row("profile … has a value for … that STS does not take as …", "correct … in …")
def _value_in_the_credentials_file(walk: Walk) -> Steps:
    walk.config(f"[p]\nrole_arn = {ARN}\nsource_profile = base\nrole_session_name = a b\n", walk.world.credentials)
    hint = yield walk.load("p")
    walk.edit(hint, role_session_name="ab")


@row(
    "profile … has a value for … that STS does not take as …",
    "correct AWS_MFA_SERIAL, as in arn:aws:iam::123456789012:mfa/NAME",
)
def _odd_serial_in_the_environment(walk: Walk) -> Steps:
    walk.config(CHAIN)
    walk.env["AWS_MFA_SERIAL"] = "a b"
    hint = yield walk.load("p")
    walk.env["AWS_MFA_SERIAL"] = hint.rpartition(" ")[2]
    return "profile … needs an MFA code for …, and nobody is here to type it"


@row("…: botocore cannot use this value", "correct … in …")
def _odd_setting_in_the_credentials_file(walk: Walk) -> Steps:
    text = f"[p]\nrole_arn = {ARN}\nsource_profile = base\nmax_attempts = x\n"
    walk.config(text, walk.world.credentials)
    hint = yield walk.load("p")
    walk.edit(hint, max_attempts="3")


@row("botocore cannot use the settings of profile …", "check the values in …")
def _odd_setting_of_another_service(walk: Walk) -> Steps:
    walk.config(f"{CHAIN}s3 =\n")
    hint = yield walk.load("p")
    assert "[profile p]" in hint
    walk.rewrite(walk.world.config, "[profile p]", s3=None)


@row("…: botocore cannot use this value", "correct … of sts in … of …")
def _odd_endpoint_for_sts(walk: Walk) -> Steps:
    del walk.world.env["AWS_ENDPOINT_URL"]
    walk.config(f"{CHAIN}services = local\n[services local]\nsts =\n  endpoint_url = nowhere\n")
    hint = yield walk.load("p")
    text = walk.world.config.read_text(encoding="utf-8")
    assert "endpoint_url of sts in [services local]" in hint
    walk.world.config.write_text(text.replace("nowhere", walk.world.sts.url), encoding="utf-8")


@row("…: …", "correct …, or unset it")
def _variable_that_botocore_refuses(walk: Walk) -> Steps:
    walk.config(CHAIN)
    walk.env["AWS_DEFAULTS_MODE"] = "none"
    hint = yield walk.load("p")
    del walk.env[hint.removeprefix("correct ").partition(",")[0]]


@row("…: botocore cannot use this value", "correct …, or unset it")
def _variable_that_breaks_botocore(walk: Walk) -> Steps:
    walk.config(CHAIN)
    walk.env["AWS_MAX_ATTEMPTS"] = "many"
    hint = yield walk.load("p")
    walk.env[hint.removeprefix("correct ").partition(",")[0]] = "3"


@row("the settings of profile …: the proxy is not a URL", "correct …, as in http://HOST:PORT")
def _proxy_that_is_no_url(walk: Walk) -> Steps:
    walk.config(CHAIN)
    walk.env |= {"AWS_ENDPOINT_URL": "https://127.0.0.1:9", "HTTPS_PROXY": "http://[proxy"}
    hint = yield walk.load("p")
    walk.env[hint.removeprefix("correct ").partition(",")[0]] = "http://127.0.0.1:9"
    yield walk.load("p")
    return "…: no connection through the proxy"


@row("profile … names an sso_session that does not exist: …", "add … to …")
def _no_such_sso_session(walk: Walk) -> Steps:
    walk.config("[profile p]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = D\n")
    hint = yield walk.shell("awsdirenv explain p")
    walk.edit(hint)
    return "profile … is of IAM Identity Center and has no …"


@row(
    "profile … takes its keys from the environment, but these are a directory's keys",
    "leave the directory first: exported keys must not renew themselves",
)
def _keys_of_a_directory(walk: Walk) -> Steps:
    walk.config(f"{ROLE}credential_source = Environment\n")
    user = walk.world.user
    walk.env |= {"AWS_ACCESS_KEY_ID": user.access_key_id, "AWS_SECRET_ACCESS_KEY": user.secret_access_key}
    walk.env["AWSDIRENV_PROFILE"] = "p"
    yield walk.load("p")
    del walk.env["AWSDIRENV_PROFILE"]


LOOP_HINT = "let it name another profile, the one with the source of the credentials"


@row("credential_process of profile … closes a loop: …", LOOP_HINT)
def _process_in_a_circle(walk: Walk) -> Steps:
    walk.config("[profile p]\ncredential_process = awsdirenv credential-process p\n")
    yield walk.load("p")
    walk.rewrite(walk.world.config, "[profile p]", credential_process="awsdirenv credential-process base")


@row("credential_process of profile … calls awsdirenv for the same profile", LOOP_HINT)
def _process_that_comes_back(walk: Walk) -> Steps:
    program = walk.world.program("mine", "exec awsdirenv load p")
    walk.config(f"[profile p]\ncredential_process = {program}\n")
    walk.folder.mkdir()

    def act() -> list[tuple[str, str]]:
        # Its error is in the last words that we quote of it: by hand one sees both lines.
        found = walk.load("p")()
        prefix = "credential_process of profile p failed with status 1: "
        return [(message.removeprefix(prefix), LOOP_HINT if prefix in message else hint) for message, hint in found]

    yield act
    walk.world.program("mine", "exec awsdirenv credential-process base")


# --- files that cannot be read ------------------------------------------------------------------------------------


def _unparsable(message: str, wrong: bytes, right: bytes) -> None:
    @row(message, "correct …")
    def unparsable(walk: Walk) -> Steps:
        before = walk.world.config.read_bytes()
        walk.world.config.write_bytes(wrong if wrong.startswith(b"\xef") else before + wrong)
        hint = yield walk.load("base")
        Path(hint.removeprefix("correct ")).write_bytes(before + right)


_unparsable("cannot parse …, line …: …", b"[profile q]\nregion = x\nregion = y\n", b"[profile q]\nregion = x\n")
_unparsable("cannot parse …, line …: …", b"[profile q]\n[profile q]\n", b"[profile q]\n")
_unparsable("cannot parse …, line …: …", b"[profile q\n", b"[profile q]\n")
_unparsable(
    "cannot parse …, line …: …",
    b"[profile q]\ns3 =\n  x\n",
    b"[profile q]\ns3 =\n  x = y\n",
)
_unparsable("cannot parse …: not UTF-8 at byte …", b"[profile \xff]\n", b"[profile q]\n")
_unparsable("cannot parse …, line 1: a byte order mark; save the file without it", b"\xef\xbb\xbf[profile q]\n", b"")


# --- our settings -------------------------------------------------------------------------------------------------


def _durations(name: str) -> None:
    @row("… is not a duration: …", "set … to something like 12h, 90m or 3600")
    def duration(walk: Walk) -> Steps:
        walk.env[name] = "soon"
        hint = yield walk.load("base")
        assert hint.startswith(f"set {name} to ")
        for value in re.findall(r"\b\d+\w*", hint):
            walk.env[name] = value
            assert walk.load("base")() == []


for _name in ("AWSDIRENV_MFA_SESSION_DURATION", "AWSDIRENV_LOCK_TIMEOUT"):
    _durations(_name)


@row("AWSDIRENV_MFA_SESSION_DURATION is out of range: …", "set it between 15m and 36h")
def _long_session(walk: Walk) -> Steps:
    walk.env["AWSDIRENV_MFA_SESSION_DURATION"] = "37h"
    hint = yield walk.load("base")
    for value in re.findall(r"\d+\w", hint):
        walk.env["AWSDIRENV_MFA_SESSION_DURATION"] = value
        assert walk.load("base")() == []


@row("AWSDIRENV_SSO_LOGIN must be auto or ask: …", "set it to auto, or to ask, which is the default")
def _odd_choice(walk: Walk) -> Steps:
    walk.env["AWSDIRENV_SSO_LOGIN"] = "yes"
    yield walk.load("base")
    for value in ("auto", "ask"):
        walk.env["AWSDIRENV_SSO_LOGIN"] = value
        assert walk.load("base")() == []


# --- .env ---------------------------------------------------------------------------------------------------------


def _dotenv(walk: Walk, text: str | bytes) -> str:
    """Have a project with a `.env`; give what loads what it declares."""
    folder = walk.world.project(walk.folder.name, "use aws_profile\n")
    (folder / ".env").write_bytes(text if isinstance(text, bytes) else text.encode())
    return "awsdirenv load --envrc"


def _dotenv_row(message: str, hint: str, text: str | bytes) -> None:
    @row(message, hint)
    def dotenv(walk: Walk) -> Steps:
        line = _dotenv(walk, text)
        hint = yield walk.shell(line, walk.folder)
        assert str(walk.folder / ".env") in hint
        (walk.folder / ".env").write_text("AWS_PROFILE=base\n", encoding="utf-8")


_dotenv_row(
    "… in … refers to …, which is not a valid variable name",
    "write the value of … into …",
    "AWS_PROFILE=${a-b.c:-d}${x y}\n",
)
_dotenv_row(
    "… in … refers to …, which is a secret", "write the value of … into …", "AWS_PROFILE=${AWS_SECRET_ACCESS_KEY}\n"
)
_dotenv_row("cannot read …: not UTF-8 at byte …", "correct or remove …", b"AWS_PROFILE=\xff\n")
_dotenv_row(
    "… in … refers to variables that are too long",
    "write the value of … into …",
    "".join(f"V{n}=${{{'X' * 200}{n}}}\n" for n in range(400))
    + "AWS_PROFILE=base"
    + "".join(f"${{V{n}}}" for n in range(400))
    + "\n",
)


@row("cannot read …: not UTF-8 at byte …", "correct or remove …")
def _dotenv_removed(walk: Walk) -> Steps:
    line = _dotenv(walk, b"AWS_PROFILE=\xff\n")
    hint = yield walk.shell(line, walk.folder)
    Path(hint.removeprefix("correct or remove ")).unlink()
    walk.env["AWS_PROFILE"] = "base"


# --- what stands in few files only --------------------------------------------------------------------------------


@row("…: …", "correct …")
def _botocore_refuses(walk: Walk) -> Steps:
    values = "sso_region = eu-west-2\nsso_account_id = 123456789012\nsso_role_name = D\n"
    walk.config(f"{SSO}[profile p]\nsso_session = corp\n{values}")
    hint = yield walk.load("p")
    walk.edit(hint, sso_region=None)
    return "the credentials for profile …: nobody has signed in"


@row("profile … has an invalid region: …", "set region in …")
def _region_without_a_session(walk: Walk) -> Steps:
    walk.config("[profile base2]\nregion = eu-west-1 # here\n")
    walk.config(filled(walk, f"[base2]\n{KEYS}"), walk.world.credentials)
    hint = yield walk.load("base2", "--no-session")
    walk.edit(hint, region="eu-west-1")


def _region_row(name: str) -> None:
    @row("… is not a valid region: …", "…")
    def region_of_the_environment(walk: Walk) -> Steps:
        walk.env[name] = "eu-west-1 # here"
        hint = yield walk.load("base", "--no-session")
        del walk.env[hint.partition(";")[0].removeprefix("unset ")]


_region_row("AWS_REGION")
_region_row("AWS_DEFAULT_REGION")


def _line_break(command: str) -> None:
    @row("a value for … has a line break", "remove the line break from the path or name that has it")
    def line_break(walk: Walk) -> Steps:
        path = walk.world.root / "a\nb"
        path.write_bytes(walk.world.config.read_bytes())
        walk.env["AWS_CONFIG_FILE"] = str(path)
        yield walk.shell(command)
        walk.env["AWS_CONFIG_FILE"] = str(path.rename(walk.world.root / "a b"))


_line_break("awsdirenv load base")
