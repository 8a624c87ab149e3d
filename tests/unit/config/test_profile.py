"""Which keys a profile starts from and which roles follow: as botocore decides, compared with botocore itself."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import botocore.credentials as bc
import pytest
from botocore.session import Session
from botocore.validate import ParamValidator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from awsdirenv.aws.botocore_session import Budget
from awsdirenv.aws.sts import Sts
from awsdirenv.config.aws_files import file_paths, load_files
from awsdirenv.config.chain import Chain, RoleHop
from awsdirenv.config.environment import BLOCK
from awsdirenv.config.resolve import resolve_chain
from awsdirenv.errors import AwsdirenvError, ConfigError, ProfileNotFoundError
from awsdirenv.records import replace
from container import no_root
from world import AT_ONCE

SENTINEL = "SENTINEL-SECRET"
A, B, C, D, E = (f"arn:aws:iam::{number * 12}:role/team/{number}" for number in "12345")
KEYS = "aws_access_key_id = AKID{0}\naws_secret_access_key = secret{0}\n"
BASE = "[base]\n" + KEYS.format("BASE")
MFA = "arn:aws:iam::123456789012:mfa/foo"
ASSUME_ROLE: Any = Session().get_service_model("sts").operation_model("AssumeRole").input_shape
PROCESS = (
    'credential_process = /bin/echo \'{"Version": 1, "AccessKeyId": "AKIDPROC", "SecretAccessKey": "s",'
    ' "SessionToken": "t", "Expiration": "2099-01-01T00:00:00Z"}\''
)


@dataclass(frozen=True)
class Decision:
    """What a profile comes to: the keys it starts from, and the hops in the order of the calls."""

    source: tuple[str, str, str | None]
    hops: tuple[dict[str, Any], ...]


@dataclass
class Recorder:
    """Stands in for botocore's clients: notes each AssumeRole with the key that signs it, and checks parameters."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    signers: list[tuple[str, str, str | None]] = field(default_factory=list)

    def __call__(self, _service: str, **keys: str) -> Recorder:
        names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
        self.signers.append((keys[names[0]], keys[names[1]], keys.get(names[2]) or None))
        return self

    def assume_role(self, **params: Any) -> dict[str, Any]:
        report = ParamValidator().validate(params, ASSUME_ROLE)
        if report.has_errors():
            raise ValueError(report.generate_report())
        self.calls.append(params)
        number = len(self.calls)
        ends = datetime.now(timezone.utc) + timedelta(hours=1)
        keys = {"AccessKeyId": f"HOP{number}", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": ends}
        return {"Credentials": keys, "AssumedRoleUser": {"Arn": params["RoleArn"]}}


def botocore_decides(profile: str) -> Decision | None:
    """Give botocore's own decision, or None for an error."""
    recorder: Any = Recorder()
    try:
        session = Session(profile=profile)
        session.get_scoped_config()
        provider = bc.AssumeRoleProvider(
            load_config=lambda: session.full_config,
            client_creator=recorder,
            cache={},
            profile_name=profile,
            prompter=lambda _: "123456",
            credential_sourcer=bc.CanonicalNameCredentialSourcer([bc.EnvProvider(), bc.ContainerProvider()]),
            profile_provider_builder=bc.ProfileProviderBuilder(session),
        )
        found: Any = provider.load() or bc.create_credential_resolver(session).load_credentials()
        keys: Any = found.get_frozen_credentials()
    except Exception:  # noqa: BLE001 - its errors have no common class; that there is one is what counts
        return None
    if not recorder.calls:
        return Decision((keys.access_key, keys.secret_key, keys.token or None), ())
    # Each hop is signed with what the hop before it gave.
    assert [signer[0] for signer in recorder.signers[1:]] == [f"HOP{n}" for n in range(1, len(recorder.calls))]
    return Decision(recorder.signers[0], tuple(plain(call) for call in recorder.calls))


def plain(call: dict[str, Any]) -> dict[str, Any]:
    """Leave out what botocore makes up itself."""
    made_up = call.get("RoleSessionName", "").startswith("botocore-session-")
    return {k: v for k, v in call.items() if k != "TokenCode" and not (made_up and k == "RoleSessionName")}


def call_of(hop: RoleHop) -> dict[str, Any]:
    """Write a hop as the parameters of its call."""
    call = {
        "RoleArn": hop.role_arn,
        "ExternalId": hop.external_id,
        "RoleSessionName": hop.role_session_name,
        "DurationSeconds": hop.duration_seconds,
        "SerialNumber": hop.mfa_serial,
    }
    return {name: value for name, value in call.items() if value is not None}


def chain_of(profile: str) -> Chain:
    """Resolve a profile from the files that the environment names."""
    return resolve_chain(load_files(os.environ), profile, os.environ)


def we_decide(profile: str) -> Decision | AwsdirenvError:
    """Give our decision: the chain, with the keys that `sts.Sts` finds at its start."""
    try:
        files = load_files(os.environ)
        chain = resolve_chain(files, profile, os.environ)
        source = Sts(files, chain, "eu-west-1", os.environ, Budget(20)).source_credentials()
    except AwsdirenvError as error:
        return error
    keys = (source.access_key_id, source.secret_access_key, source.session_token)
    return Decision(keys, tuple(call_of(hop) for hop in chain.hops))


def assert_agreed(profile: str) -> None:
    """Compare the two; an error of ours names the profile or the file, and quotes nothing."""
    theirs, ours = botocore_decides(profile), we_decide(profile)
    if isinstance(ours, AwsdirenvError):
        assert theirs is None, ours.message
        assert SENTINEL not in f"{ours.message}{ours.hint}"
        assert (ours.message + ours.hint).isprintable()
    else:
        assert ours == theirs


class Home:
    """A home with AWS's two files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = root / ".aws" / "config"
        self.credentials = root / ".aws" / "credentials"
        self.config.parent.mkdir(exist_ok=True)

    def write(self, config: str | bytes | None = None, credentials: str | bytes | None = BASE) -> None:
        """Write the files; None leaves one out."""
        for path, text in ((self.config, config), (self.credentials, credentials)):
            path.unlink(missing_ok=True)
            if text is not None:
                path.write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the developer's AWS settings out."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Make a home with one user's keys, `base`, in the credentials file."""
    made = Home(tmp_path)
    made.write()
    return made


def role(name: str, arn: str, *lines: str, source: str | None = "base") -> str:
    """Write a role's section."""
    from_source = [f"source_profile = {source}"] if source is not None else []
    return "\n".join([f"[profile {name}]", f"role_arn = {arn}", *from_source, *lines, ""])


CHAIN = role("a", A) + role("b", B, source="a") + role("c", C, source="b") + role("p", D, source="c")
# name -> config file, credentials file (None: as in BASE); the profile is always `p`.
AGREED: dict[str, tuple[str, str | None]] = {
    "keys in credentials": ("", "[p]\n" + KEYS.format(1)),
    "keys in config": ("[profile p]\n" + KEYS.format(1), None),
    "keys in both": ("[profile p]\n" + KEYS.format(1), "[p]\n" + KEYS.format(2)),
    "session token": ("", "[p]\n" + KEYS.format(1) + "aws_session_token = tok\n"),
    "token in config only": ("[profile p]\naws_session_token = tok\n", "[p]\n" + KEYS.format(1)),
    "token in credentials only": ("[profile p]\n" + KEYS.format(1), "[p]\naws_session_token = tok\n"),
    "secret in both, id in config": ("[profile p]\n" + KEYS.format(1), "[p]\naws_secret_access_key = other\n"),
    "secret in both, id in credentials": ("[profile p]\naws_secret_access_key = x\n", "[p]\n" + KEYS.format(1)),
    "old name of the token": ("", "[p]\n" + KEYS.format(1) + "aws_security_token = old\n"),
    "both names of the token": (
        "",
        "[p]\n" + KEYS.format(1) + "aws_session_token = tok\naws_security_token = old\n",
    ),
    "empty old token": ("", "[p]\n" + KEYS.format(1) + "aws_session_token = tok\naws_security_token =\n"),
    "old name in config": ("[profile p]\n" + KEYS.format(1) + "aws_security_token = old\n", None),
    "empty token": ("", "[p]\n" + KEYS.format(1) + "aws_session_token =\n"),
    "process beside keys in config": (f"[profile p]\n{PROCESS}\n" + KEYS.format(1), None),
    "process beside keys in credentials": (f"[profile p]\n{PROCESS}\n", "[p]\n" + KEYS.format(1)),
    "process in credentials, keys in config": ("[profile p]\n" + KEYS.format(1), f"[p]\n{PROCESS}\n"),
    "source with process and keys": (f"[profile s]\n{PROCESS}\n" + KEYS.format(1) + role("p", A, source="s"), None),
    "SSO beside keys": ("[profile p]\nsso_session = corp\nsso_account_id = 1\n" + KEYS.format(1), None),
    "half an SSO beside keys": ("[profile p]\nsso_region = x\n" + KEYS.format(1), None),
    "SSO beside keys in credentials": ("[profile p]\nsso_start_url = https://x\n", "[p]\n" + KEYS.format(1)),
    "login session beside keys": ("[profile p]\nlogin_session = me\n" + KEYS.format(1), None),
    "login session beside keys in credentials": ("[profile p]\nlogin_session = me\n", "[p]\n" + KEYS.format(1)),
    "web identity beside keys": ("[profile p]\nweb_identity_token_file = /nowhere\n" + KEYS.format(1), None),
    "nested secret": ("", "[p]\naws_access_key_id = A\naws_secret_access_key =\n  a = b\n"),
    "half a pair": ("", "[p]\naws_access_key_id = AKID\n"),
    "pair over both files": ("[profile p]\naws_secret_access_key = x\n", "[p]\naws_access_key_id = AKID\n"),
    "nothing to start from": ("[profile p]\nregion = eu-west-1\n", None),
    "no such profile": ("[profile q]\n", None),
    "process": (f"[profile p]\n{PROCESS}\n", None),
    "process that fails": ("[profile p]\ncredential_process = /bin/false\n", None),
    "one hop": (role("p", A), None),
    "one hop in credentials": ("", BASE + f"[p]\nrole_arn = {A}\nsource_profile = base\n"),
    "all options": (
        role("p", A, "external_id = ext", "role_session_name = me", "duration_seconds = 1800", f"mfa_serial = {MFA}"),
        None,
    ),
    "two hops": (role("a", A) + role("p", B, source="a"), None),
    "three hops": (role("a", A) + role("b", B, source="a") + role("p", C, source="b"), None),
    "four hops": (CHAIN, None),
    "options on each hop": (
        role("a", A, "external_id = ext-a", "duration_seconds = 900")
        + role("b", B, "role_session_name = me-b", f"mfa_serial = {MFA}", source="a")
        + role("p", C, "external_id = ext-p", "duration_seconds = 3600", source="b"),
        None,
    ),
    "role_arn in both files": (role("p", A), BASE + f"[p]\nrole_arn = {B}\n"),
    "source in both files": (
        role("p", A),
        BASE + KEYS.format("OTHER").join(["[other]\n", "[p]\nsource_profile=other\n"]),
    ),
    "source is a process": (f"[profile s]\n{PROCESS}\n" + role("p", A, source="s"), None),
    "source without keys": ("[profile s]\nregion = x\n" + role("p", A, source="s"), None),
    "source missing": (role("p", A, source="nobody"), None),
    "source of the source missing": (role("a", A, source="nobody") + role("p", B, source="a"), None),
    "source with keys and role": (role("s", A) + KEYS.format("S") + role("p", B, source="s"), None),
    "source with half a pair and role": (role("s", A) + "aws_access_key_id=X\n" + role("p", B, source="s"), None),
    "top with keys and role": (role("p", A) + KEYS.format("P"), None),
    "itself with keys": (role("p", A, source="p") + KEYS.format("P"), None),
    "itself with keys in credentials": (role("p", A, source="p"), "[p]\n" + KEYS.format("P")),
    "itself with half a pair": (role("p", A, source="p") + "aws_secret_access_key = x\n", None),
    "itself without keys": (role("p", A, source="p"), None),
    "source is itself with keys": (role("s", A, source="s") + KEYS.format("S") + role("p", B, source="s"), None),
    "source is itself without keys": (role("s", A, source="s") + role("p", B, source="s"), None),
    "loop of two": (role("a", A, source="p") + role("p", B, source="a"), None),
    "loop of two with keys": (role("a", A, source="p") + role("p", B, source="a") + KEYS.format("P"), None),
    "loop of three": (role("a", A, source="b") + role("b", B, source="p") + role("p", C, source="a"), None),
    "loop further up": (role("a", A, source="b") + role("b", B, source="a") + role("p", C, source="a"), None),
    "both kinds of source": (role("p", A, "credential_source = Environment"), None),
    "neither kind of source": (role("p", A, source=None), None),
    "empty source": (role("p", A, source=""), None),
    "both, one empty": (role("p", A, "credential_source = Environment", source=""), None),
    "environment": (role("p", A, "credential_source = Environment", source=None), None),
    "environment further up": (
        role("a", A, "credential_source = Environment", source=None) + role("p", B, source="a"),
        None,
    ),
    "bad credential_source": (role("p", A, "credential_source = Heaven", source=None), None),
    "small credential_source": (role("p", A, "credential_source = environment", source=None), None),
    "empty credential_source": (role("p", A, "credential_source =", source=None), None),
    "credential_source with keys": (
        role("p", A, "credential_source = Environment", source=None) + KEYS.format("P"),
        None,
    ),
    "source without role but with source": ("[profile s]\nsource_profile = base\n" + role("p", A, source="s"), None),
    "duration garbage": (role("p", A, "duration_seconds = 1h"), None),
    "duration float": (role("p", A, "duration_seconds = 3600.0"), None),
    "duration empty": (role("p", A, "duration_seconds ="), None),
    "duration odd but a number": (role("p", A, "duration_seconds = 1_800"), None),
    "session name empty": (role("p", A, "role_session_name ="), None),
    "role_arn empty": (role("p", ""), None),
    "role_arn nested": ("[profile p]\nrole_arn =\n  a = b\nsource_profile = base\n", None),
    "external_id nested": (role("p", A, "external_id =\n  a = b"), None),
    "duration nested": (role("p", A, "duration_seconds =\n  a = b"), None),
    "others nested": (role("p", A, "s3 =\n  max_queue_size = 9\n  multipart_threshold = 1"), None),
    "bad nesting": (role("p", A, "s3 =\n  max_queue_size"), None),
    "comments and blanks": (f"# c\n\n; d\n[profile p]\n# e\nrole_arn : {A}\n\nsource_profile= base\n", None),
    "inline comment": (role("p", f"{A} # mine"), None),
    "capitals in keys": (f"[profile p]\nROLE_ARN = {A}\nSource_Profile = base\n", None),
    "capitals in names": (role("P", A), None),
    "percent signs": (role("p", A, "external_id = 100%(x)s"), None),
    "quoted name": (f'[profile "p"]\nrole_arn = {A}\nsource_profile = base\n', None),
    "section without `profile`": (f"[p]\nrole_arn = {A}\nsource_profile = base\n", None),
    "`profile` in credentials": ("", f"[profile p]\n{KEYS.format(1)}"),
    "profile in credentials with keys beside role": (role("p", A), BASE + "[p]\n" + KEYS.format("P")),
    "default is no parent": ("[default]\nsource_profile = base\n" + role("p", A, source=None), None),
    "DEFAULT is a parent": (f"[DEFAULT]\nsource_profile = base\n[profile p]\nrole_arn = {A}\n", None),
    "duplicate section": (role("p", A) + role("p", B), None),
    "duplicate option": (role("p", A, f"role_arn = {B}"), None),
    "duplicate section in credentials": (role("p", A), BASE + BASE),
    "garbage line": (role("p", A) + f"{SENTINEL}\n", None),
    "garbage line in credentials": (role("p", A), BASE + f"{SENTINEL}\n"),
    "no section": (f"aws_secret_access_key = {SENTINEL}\n", None),
    "broken header": (f"[profile p\nrole_arn = {SENTINEL}\n", None),
    "broken quote in the header": (f'[profile "p]\nrole_arn = {A}\nsource_profile = base\n', None),
    "empty files": ("", ""),
    "BOM": ("\ufeff" + role("p", A), None),
    "CRLF": (role("p", A, "external_id = ext").replace("\n", "\r\n"), BASE.replace("\n", "\r\n")),
    "no last line break": (role("p", A).rstrip("\n"), BASE.rstrip("\n")),
}


@pytest.mark.parametrize("row", AGREED)
def test_the_decision_is_botocore_s(home: Home, monkeypatch: pytest.MonkeyPatch, row: str) -> None:
    """The same keys, the same hops in the same order with the same parameters, and an error where botocore has one."""
    config, credentials = AGREED[row]
    home.write(config, BASE if credentials is None else credentials)
    assert_agreed("p")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    assert_agreed("p")


def test_the_table_is_no_table_of_errors(home: Home) -> None:
    """The control of the table: half of its rows lead to credentials, and some to several hops."""
    decisions = []
    for config, credentials in AGREED.values():
        home.write(config, BASE if credentials is None else credentials)
        decisions.append(botocore_decides("p"))
    assert 0.4 < sum(one is not None for one in decisions) / len(decisions) < 0.7
    assert {len(one.hops) for one in decisions if one} == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("key", ["external_id", "mfa_serial"])
def test_an_empty_value_is_an_error_as_in_botocore(home: Home, key: str) -> None:
    """A template whose external_id or mfa_serial nobody filled in is not a role without one."""
    home.write(role("p", A, f"{key} ="))
    assert_agreed("p")


def test_empty_keys_are_an_error_of_ours(home: Home) -> None:
    """Botocore goes to AWS with them, after the question for a code: we say it before."""
    home.write("", "[p]\naws_access_key_id =\naws_secret_access_key =\n")
    assert botocore_decides("p") is not None
    error = we_decide("p")
    assert isinstance(error, AwsdirenvError)
    assert error.message == "profile p has half a key: no aws_access_key_id"


@pytest.mark.parametrize("key", ["source_profile", "services"])
def test_a_nested_value_where_a_name_belongs_is_an_error_of_ours(home: Home, key: str) -> None:
    """An indented line below an empty key makes a mapping of it, which must not end as a traceback."""
    home.write(role("p", A, f"{key} =\n  a = {SENTINEL}", source=None if key == "source_profile" else "base"))
    with pytest.raises(AwsdirenvError):
        chain_of("p")


@pytest.mark.parametrize("key", ["source_profile", "credential_source"])
def test_a_secret_that_an_indented_line_added_to_a_value_is_not_quoted(home: Home, key: str) -> None:
    """A line indented by mistake continues the one before it: the secret key is then part of, say, source_profile."""
    lines = {"source_profile": "base", "role_arn": A} if key != "credential_source" else {"role_arn": A, key: "x"}
    lines[key] += f"\n  aws_secret_access_key = {SENTINEL}"
    home.write("\n".join(["[profile p]", *(f"{name} = {value}" for name, value in lines.items()), ""]))
    with pytest.raises(ConfigError) as caught:
        chain_of("p")
    assert SENTINEL not in f"{caught.value.message}{caught.value.hint}"


def test_a_secret_in_a_nested_value_is_not_quoted(home: Home) -> None:
    """An unknown credential_source is named only where it is a word."""
    home.write(role("p", A, f"credential_source =\n  aws_secret_access_key = {SENTINEL}", source=None))
    with pytest.raises(ConfigError) as caught:
        chain_of("p")
    assert SENTINEL not in f"{caught.value.message}{caught.value.hint}"


@pytest.mark.parametrize("name", ["$A", "a-b", "1A", "A=b", "A;B", "é", "A.B"])
def test_what_is_no_variable_is_refused(home: Home, name: str) -> None:
    """Only names of variables stand in awsdirenv_variables, and what else stands there is not quoted."""
    home.write(f"[profile p]\ncredential_process = x\nawsdirenv_variables = CLIENT, {name}\n")
    with pytest.raises(ConfigError, match=r"^profile p has an invalid name in awsdirenv_variables$"):
        chain_of("p")


SECRET_NAMES = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "GITHUB_TOKEN",
    "DB_PASSWORD",
    "VAULT_PASSPHRASE",
    "PGPASSWD",
)


@pytest.mark.parametrize("name", [*SECRET_NAMES, *sorted(BLOCK)])
def test_a_variable_that_may_be_secret_or_is_ours_is_refused(home: Home, name: str) -> None:
    """The values of awsdirenv_variables are written, so no secret is one, nor what differs in an open directory."""
    home.write(f"[profile p]\nawsdirenv_variables = CLIENT {name}\ncredential_process = x\n")
    with pytest.raises(ConfigError, match=f"^profile p has {name} in awsdirenv_variables"):
        chain_of("p")


def test_variables_count_wherever_they_are_declared_on_the_way(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of a program's profile, of roles behind it and of what they include count, and no others do."""
    included = "[profile i]\ncredential_process = x\nawsdirenv_variables = ONE TWO\n"
    source = "[profile s]\ninclude_profile = i\n"
    home.write(
        included + source + role("p", A, "awsdirenv_variables = THREE,ONE", source="s") + role("q", A, source="s")
    )
    assert (chain_of("p").variables, chain_of("q").variables) == (("THREE", "ONE", "TWO"), ("ONE", "TWO"))
    before = [chain_of(name).source_fingerprint for name in "pq"]
    monkeypatch.setenv("THREE", "")
    after = [chain_of(name).source_fingerprint for name in "pq"]
    assert [old == new for old, new in zip(before, after, strict=True)] == [False, True]
    home.write("[profile p]\naws_access_key_id = a\naws_secret_access_key = b\nawsdirenv_variables = ONE\n")
    assert chain_of("p").variables == ()  # nothing reads them


NAMES = ("p", "a", "b", "base")
SECTION = st.fixed_dictionaries(
    {},
    optional={
        "role_arn": st.sampled_from((A, B, C)),
        "source_profile": st.sampled_from((*NAMES, "nobody")),
        "credential_source": st.sampled_from(("Environment", "Heaven")),
        "external_id": st.just("ext"),
        "role_session_name": st.just("me"),
        "duration_seconds": st.sampled_from(("900", "3600", "1h")),
        "aws_access_key_id": st.sampled_from(("AKID1", "AKID2")),
        "aws_secret_access_key": st.sampled_from(("s1", "s2")),
        "aws_session_token": st.sampled_from(("t1", "")),
        "aws_security_token": st.just("t2"),
    },
)
# Roles often, or hardly any chain would have a second hop.
LINK = st.fixed_dictionaries(
    {"role_arn": st.sampled_from((A, B, C)), "source_profile": st.sampled_from(NAMES)},
    optional={"external_id": st.just("ext"), "aws_access_key_id": st.just("AKID1")},
)
FILE = st.dictionaries(st.sampled_from(NAMES), SECTION | LINK)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(config=FILE, credentials=FILE)
def test_the_decision_is_botocore_s_for_any_files(
    home: Home, config: dict[str, dict[str, str]], credentials: dict[str, dict[str, str]]
) -> None:
    """Files that nobody would write are decided alike, too."""

    def text(sections: dict[str, dict[str, str]], prefix: str) -> str:
        written = [(name, [f"{k} = {v}" for k, v in values.items()]) for name, values in sections.items()]
        return "".join("\n".join([f"[{prefix}{name}]", *lines, ""]) for name, lines in written)

    home.write(text(config, "profile "), text(credentials, ""))
    assert_agreed("p")


@pytest.mark.parametrize("name", ["a b", "ünï", "日本", "it's", "a/b", "a.b", "-x", "$(id)", "p#1", "a;b", "100%"])
def test_names_of_all_kinds_are_found_as_botocore_finds_them(home: Home, name: str) -> None:
    """A quoted section with spaces and every other odd name is one profile for both."""
    home.write(
        f'[profile "{name}"]\nrole_arn = {A}\nsource_profile = {name} base\n', f"[{name} base]\n{KEYS.format(1)}"
    )
    assert botocore_decides(name) is not None
    assert_agreed(name)


def test_the_default_profile_needs_no_prefix(home: Home) -> None:
    """`[default]` and `[profile default]` are both the default profile."""
    for header in ("[default]", "[profile default]"):
        home.write(f"{header}\nrole_arn = {A}\nsource_profile = base\n")
        assert botocore_decides("default") is not None
        assert_agreed("default")


@pytest.mark.parametrize("broken", ["config", "credentials"])
@pytest.mark.parametrize("content", [b"[profile p]\nregion = \xff\xfe" + SENTINEL.encode(), b"\x00\x01\x02", b"\xff"])
def test_a_file_that_is_no_text_is_an_error_for_both(home: Home, broken: str, content: bytes) -> None:
    """The error names the file and the place, and does not repeat what stands there."""
    good = role("p", A) if broken == "credentials" else BASE
    home.write(*((content, good) if broken == "config" else (good, content)))
    error = we_decide("p")
    assert botocore_decides("p") is None
    assert isinstance(error, ConfigError)
    assert str(home.config.with_name(broken)) in error.message
    assert SENTINEL not in error.message


@pytest.mark.parametrize("odd", ["config", "credentials"])
def test_a_folder_in_a_file_s_place_is_a_missing_file_for_both(home: Home, odd: str) -> None:
    """What is no regular file is not read."""
    home.write(role("p", A), BASE)
    path = home.config.with_name(odd)
    path.unlink()
    path.mkdir()
    assert_agreed("p")
    assert_agreed("base")


def test_a_fifo_in_a_file_s_place_blocks_nobody(home: Home) -> None:
    """A FIFO is a missing file to botocore, and to us."""
    home.write(None, BASE)
    os.mkfifo(home.config)
    assert_agreed("base")
    assert_agreed("p")


@pytest.mark.parametrize("name", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
@pytest.mark.parametrize(
    "value",
    ["~/other/file", "$ELSEWHERE/file", "${ELSEWHERE}/file", "$UNSET/file", "", "missing", "other/file", "~nobody9/x"],
)
def test_the_files_are_found_where_botocore_finds_them(
    home: Home, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Tilde, variables, relative paths and empty values in the two variables mean to us what they mean to botocore."""
    other = home.root / "other"
    other.mkdir()
    home.write(role("p", A), BASE)
    (other / "file").write_text(role("p", B) if "CONFIG" in name else BASE.replace("AKIDBASE", "AKIDOTHER"))
    monkeypatch.chdir(home.root)
    monkeypatch.setenv("ELSEWHERE", str(other))
    before = we_decide("p")
    monkeypatch.setenv(name, value)
    assert_agreed("p")
    assert we_decide("p") != before


def test_a_variable_is_expanded_once_as_botocore_does(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path whose variable holds another variable's name is taken as it stands after one expansion."""
    home.write(role("p", A), BASE)
    (home.root / "$INNER").mkdir()
    (home.root / "$INNER" / "config").write_text(role("p", B))
    monkeypatch.setenv("INNER", ".aws")
    monkeypatch.setenv("OUTER", "$INNER")
    monkeypatch.chdir(home.root)
    monkeypatch.setenv("AWS_CONFIG_FILE", "$OUTER/config")
    assert_agreed("p")


def test_the_paths_are_the_default_ones_without_variables(home: Home) -> None:
    """Both files are looked for below the home folder."""
    assert file_paths(os.environ) == (str(home.config), str(home.credentials))


@pytest.mark.parametrize("keyed", [False, True])
def test_web_identity_is_left_to_botocore(home: Home, *, keyed: bool) -> None:
    """A role with web_identity_token_file is no hop of ours, neither at the top nor as a source."""
    token = "web_identity_token_file = /nowhere/token"
    home.write(role("w", A, token, source="base" if keyed else None) + role("p", B, source="w"))
    session = Session(profile="w")
    unused: Any = Recorder()
    provider = bc.AssumeRoleProvider(lambda: session.full_config, unused, {}, "w")
    assert provider.load() is None
    assert (chain_of("w").hops, chain_of("w").source_profile) == ((), "w")
    assert ([hop.role_arn for hop in chain_of("p").hops], chain_of("p").source_profile) == ([B], "w")


def test_a_chain_is_in_the_order_of_the_calls(home: Home) -> None:
    """The hop next to the keys comes first, the declared profile's last, each with the name of its profile."""
    home.write(CHAIN)
    chain = chain_of("p")
    assert [(hop.profile, hop.role_arn) for hop in chain.hops] == [("a", A), ("b", B), ("c", C), ("p", D)]
    assert (chain.profile, chain.source_profile, chain.source_kind) == ("p", "base", "static")


def test_a_credential_source_is_the_start_of_the_chain(home: Home) -> None:
    """The profile that has it is both the source and the first hop."""
    home.write(role("a", A, "credential_source = Ec2InstanceMetadata", source=None) + role("p", B, source="a"))
    chain = chain_of("p")
    assert (chain.source_profile, chain.source_kind) == ("a", "instance-metadata")
    assert [hop.profile for hop in chain.hops] == ["a", "p"]


# Which device is proved, in the order of precedence: hop next to the key, the key's own profile, the later hops.
@pytest.mark.parametrize(
    ("base", "first", "second", "serial"),
    [
        ("", "", "", None),
        ("B", "", "", "B"),
        ("", "F", "", "F"),
        ("", "", "S", "S"),
        ("B", "F", "S", "F"),
        ("B", "", "S", "B"),
        ("", "F", "S", "F"),
    ],
)
def test_the_device_is_the_one_nearest_to_the_key(
    home: Home, base: str, first: str, second: str, serial: str | None
) -> None:
    """The hop next to the key decides, then the key's own profile, then the later hops."""
    lines = [[f"mfa_serial = {one}"] if one else [] for one in (base, first, second)]
    home.write(
        "\n".join(["[profile base]", *lines[0], ""]) + role("a", A, *lines[1]) + role("p", B, *lines[2], source="a")
    )
    assert chain_of("p").mfa_serial == serial


def test_the_source_s_device_counts_without_any_role(home: Home) -> None:
    """A plain user's mfa_serial is the chain's."""
    home.write(f"[profile base]\nmfa_serial = {MFA}\n")
    assert chain_of("base").mfa_serial == MFA
    assert chain_of("base").hops == ()


def test_a_credential_source_s_own_serial_is_its_hop_s(home: Home) -> None:
    """Where no profile has keys there is no device of a key, but the hop's own is handed on."""
    home.write(role("p", A, "credential_source = Environment", f"mfa_serial = {MFA}", source=None))
    chain = chain_of("p")
    assert chain.source_mfa_serial is None
    assert chain.mfa_serial == MFA


def test_the_nearest_mfa_process_counts(home: Home) -> None:
    """The declared profile's command wins, then each step's towards the source."""
    sections = role("a", A, "mfa_process = of-a"), "[profile base]\nmfa_process = of-base\n"
    home.write(role("p", B, "mfa_process = of-p", source="a") + "".join(sections))
    assert chain_of("p").mfa_process == "of-p"
    home.write(role("p", B, "mfa_process =", source="a") + "".join(sections))
    assert chain_of("p").mfa_process == "of-a"
    home.write(role("p", B) + "".join(sections))
    assert chain_of("p").mfa_process == "of-base"
    home.write(role("p", B))
    assert chain_of("p").mfa_process is None


def test_the_region_is_the_declared_profile_s_own(home: Home) -> None:
    """A source's region is not inherited, as in botocore."""
    home.write("[profile base]\nregion = us-east-1\n" + role("p", A) + role("q", A, "region = eu-west-1"))
    assert chain_of("p").region is None
    assert chain_of("q").region == "eu-west-1"


def test_the_fingerprint_tells_states_of_the_source_apart(home: Home) -> None:
    """It changes with the source's profile and the SSO sessions, and not with the roles that use it."""
    sso = "[sso-session corp]\nsso_start_url = https://{0}\n"
    texts = [
        "[profile s]\nsso_account_id = 1\n",
        "[profile s]\nsso_account_id = 2\n",
        "[profile s]\nsso_account_id = 1\n" + sso.format("one"),
        "[profile s]\nsso_account_id = 1\n" + sso.format("two"),
    ]
    prints = []
    for text in texts:
        home.write(text + role("p", A, source="s") + role("q", B, "external_id = x", source="s"))
        prints.append(chain_of("p").source_fingerprint)
        assert chain_of("q").source_fingerprint == prints[-1]
    assert len(set(prints)) == len(prints)
    assert all(len(one) == 64 for one in prints)


def test_the_endpoint_is_whatever_decides_which_sts_answers(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment, profile and services section each make another endpoint, and none of them makes none."""
    services = "[services local]\nsts =\n  endpoint_url = http://{0}\n"
    home.write(role("p", A))
    found = [chain_of("p").endpoint]
    assert found == [""]
    for lines in (["endpoint_url = http://a"], ["endpoint_url = http://b"], ["services = local"], ["services = none"]):
        home.write(role("p", A, *lines) + services.format("c"))
        found.append(chain_of("p").endpoint)
    assert found.pop() == ""  # a services section that is not there decides nothing
    home.write(role("p", A, "services = local") + services.format("d"))
    found.append(chain_of("p").endpoint)
    home.write(role("p", A))
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
        with monkeypatch.context() as context:
            context.setenv(name, "http://a")
            found.append(chain_of("p").endpoint)
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("arn", "name", "account"),
    [
        ("arn:aws:iam::123456789012:role/Dev", "Dev", "123456789012"),
        ("arn:aws-cn:iam::123456789012:role/team/x/Dev", "Dev", "123456789012"),
        ("arn:aws:iam::aws:role/Dev", "Dev", None),
        ("Dev", "Dev", None),
        ("arn:aws:iam::123456789012", "arn:aws:iam::123456789012", None),
    ],
)
def test_a_hop_knows_its_role_s_name_and_account(arn: str, name: str, account: str | None) -> None:
    """Both are taken from the ARN, path or not; what is no ARN has no account."""
    hop = RoleHop("p", arn, None, None, None, None)
    assert (hop.role, hop.account_id) == (name, account)


def test_resolving_changes_nothing_in_what_was_parsed(home: Home) -> None:
    """The same files can be asked again, and answer the same."""
    home.write(CHAIN)
    files = load_files(os.environ)
    first = resolve_chain(files, "p", os.environ)
    assert resolve_chain(files, "p", os.environ) == first
    assert replace(files) == load_files(os.environ)


def test_full_config_is_what_botocore_s_session_has(home: Home) -> None:
    """What we hand to botocore in place of its own parse is the same, SSO sessions and services included."""
    sso = "[sso-session corp]\nsso_region = x\n[services local]\nsts =\n  endpoint_url = http://a\n[plugins]\nx = y\n"
    home.write(CHAIN + sso, BASE + "[p]\nexternal_id = won\n[profile q]\nregion = x\n")
    expected = Session(profile="p").full_config
    expected["profiles"].setdefault("default", {})  # always there for us
    assert load_files(os.environ).full_config == expected


# Every error in full: message and hint
ERRORS: dict[str, tuple[str, str | None, str, str]] = {
    "unknown, close": (
        "[profile prod]\n",
        None,
        "no profile p in {config} or {credentials}",
        "add [profile p] to {config}",
    ),
    "empty role_arn": (
        role("p", ""),
        None,
        "profile p has an empty role_arn",
        "give role_arn a value, or remove the line",
    ),
    "both": (
        role("p", A, "credential_source = Environment"),
        None,
        "profile p has both source_profile and credential_source",
        "keep one of them in [profile p] of {config}",
    ),
    "neither": (
        role("p", A, source=None),
        None,
        "profile p has role_arn but neither source_profile nor credential_source",
        "add source_profile to [profile p] of {config}",
    ),
    "unknown credential_source": (
        role("p", A, "credential_source = Heaven", source=None),
        None,
        "profile p has an unknown credential_source: Heaven",
        "set it to one of Environment, EcsContainer, Ec2InstanceMetadata",
    ),
    "missing source": (
        role("a", A, source="x y") + role("p", B, source="a"),
        None,
        "profile a names a source_profile that does not exist: x y",
        'add [profile "x y"] to {config}, or [x y] to {credentials}',
    ),
    "loop": (
        role("a", A, source="b") + role("b", B, source="a") + role("p", C, source="a"),
        None,
        "profile b closes a loop: p -> a -> b -> a",
        "change source_profile in [profile b] of {config}",
    ),
    "itself": (
        role("p", A, source="p"),
        None,
        "profile p closes a loop: p -> p",
        "change source_profile in [profile p] of {config}",
    ),
    "nested": (
        role("p", A, f"external_id =\n  a = {SENTINEL}"),
        None,
        "profile p has several lines for external_id",
        "write external_id on one line; an indented line continues the one before it",
    ),
    "duplicate key": (
        role("p", A, f"role_arn = {SENTINEL}"),
        None,
        "cannot parse {config}, line 4: a key is there twice",
        "correct {config}",
    ),
    "duplicate section": (
        role("p", A) + f"[profile p]\nx = {SENTINEL}\n",
        None,
        "cannot parse {config}, line 4: a section is there twice",
        "correct {config}",
    ),
    "garbage": (
        role("p", A) + f"{SENTINEL}\n",
        None,
        "cannot parse {config}, line 4: neither a section nor key = value",
        "correct {config}",
    ),
    "no section": (
        "",
        f"\naws_secret_access_key = {SENTINEL}\n",
        "cannot parse {credentials}, line 2: a key above the first section",
        "correct {credentials}",
    ),
    "bad nesting": (
        role("p", A, f"s3 =\n  {SENTINEL}"),
        None,
        "cannot parse {config}, line 5: an indented line that is not key = value",
        "correct {config}",
    ),
    "bad nesting below good lines": (
        "[q]\ns3 =\n  a = b\n\n" + role("p", A, f"s3 =\n  a = b\n# a comment\n\n  ; one more\n  {SENTINEL}\n  c = d"),
        None,
        "cannot parse {config}, line 13: an indented line that is not key = value",
        "correct {config}",
    ),
    "bad nesting for all": (
        f"[DEFAULT]\ns3 =\n  {SENTINEL}\n" + role("p", A),
        None,
        "cannot parse {config}, line 3: an indented line that is not key = value",
        "correct {config}",
    ),
    "bad nesting in credentials": (
        role("p", A),
        f"[base]\naws_secret_access_key =\n  {SENTINEL}\n",
        "cannot parse {credentials}, line 3: an indented line that is not key = value",
        "correct {credentials}",
    ),
    "byte order mark": (
        "\ufeff" + role("p", A),
        None,
        "cannot parse {config}, line 1: a byte order mark; save the file without it",
        "correct {config}",
    ),
    "byte order mark before a comment": (
        role("p", A),
        f"\ufeff# {SENTINEL}\n{BASE}",
        "cannot parse {credentials}, line 1: a byte order mark; save the file without it",
        "correct {credentials}",
    ),
    "byte order mark further down": (
        f"[q]\nx = y\n\ufeff{SENTINEL}\n",
        None,
        "cannot parse {config}, line 3: neither a section nor key = value",
        "correct {config}",
    ),
}


@pytest.mark.parametrize("row", ERRORS)
def test_an_error_names_the_place_and_the_remedy_and_quotes_no_content(home: Home, row: str) -> None:
    """Message and hint say which profile, or which file and line, and repeat nothing of a broken line."""
    config, credentials, message, hint = ERRORS[row]
    home.write(config, BASE if credentials is None else credentials)
    with pytest.raises((ConfigError, ProfileNotFoundError)) as caught:
        chain_of("p")
    places = {"config": home.config, "credentials": home.credentials}
    assert (caught.value.message, caught.value.hint) == (message.format(**places), hint.format(**places))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def links(count: int, key: str, last: str, extra: str = "") -> str:
    """Write so many profiles p0, p1, …, each naming the next one in `key`, and the last one `last`."""
    names = [*(f"p{number}" for number in range(1, count)), last]
    return "".join(f"[profile p{number}]\n{key} = {name}\n{extra}" for number, name in enumerate(names))


TOO_MANY_ROLES = "profile p0 has a chain of more than 50 roles"
TOO_MANY_INCLUSIONS = "profile p0: include_profile leads through more than 20 profiles"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (links(50, "source_profile", "base", f"role_arn = {A}\n"), None),
        (links(51, "source_profile", "base", f"role_arn = {A}\n"), TOO_MANY_ROLES),
        (links(3000, "source_profile", "base", f"role_arn = {A}\n"), TOO_MANY_ROLES),
        (links(3000, "source_profile", "p0", f"role_arn = {A}\n"), TOO_MANY_ROLES),
        (links(60, "source_profile", "base", f"role_arn = {A}\n{KEYS.format(1)}"), None),  # the second one has keys
        (links(20, "include_profile", "base"), None),
        (links(21, "include_profile", "base"), TOO_MANY_INCLUSIONS),
        (links(3000, "include_profile", "base"), TOO_MANY_INCLUSIONS),
        (links(3000, "include_profile", "p0"), TOO_MANY_INCLUSIONS),
    ],
)
def test_long_ways_through_profiles_are_refused_at_once(home: Home, config: str, message: str | None) -> None:
    """A chain has up to 50 roles, and 20 inclusions; resolving every one of thousands of profiles takes no minutes."""
    home.write(config, BASE)
    files = load_files(os.environ)
    started, problems = time.monotonic(), {}
    for name in files.profiles:
        try:
            resolve_chain(files, name, os.environ)
        except ConfigError as error:
            problems[name] = error.message
    assert problems.get("p0") == message
    assert time.monotonic() - started < AT_ONCE


def test_bytes_that_are_no_text_are_located(home: Home) -> None:
    """The number of the byte helps to find it."""
    home.write(b"[profile p]\n# \xff\n")
    with pytest.raises(ConfigError) as caught:
        chain_of("p")
    assert caught.value.message == f"cannot parse {home.config}: not UTF-8 at byte 14"


def test_a_mistyped_profile_is_guessed(home: Home) -> None:
    """The nearest name is the hint."""
    home.write("[profile production]\n")
    with pytest.raises(ProfileNotFoundError) as caught:
        chain_of("prodution")
    assert caught.value.hint == "did you mean production?"


def test_a_profile_with_a_stage_is_never_suggested(home: Home) -> None:
    """A typing mistake must not lead into production: of the names that are near, one without a stage is the hint."""
    staged = "[profile client-prod-admin]\nawsdirenv_stage = production\n"
    hints = {}
    for others in ("", "[profile client-dev-admin]\n"):
        home.write(staged + others)
        with pytest.raises(ProfileNotFoundError) as caught:
            chain_of("client-pro-admin")
        hints[others] = caught.value.hint
    assert list(hints.values()) == [
        f"add [profile client-pro-admin] to {home.config}",
        "did you mean client-dev-admin?",
    ]


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make a config file that even its owner may not read, and be no root meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = Path(folder) / "config"
        path.write_text(role("p", A))
        path.chmod(0)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{folder}/missing")
        with no_root():
            yield path


def test_a_file_that_we_may_not_read_is_an_error(unreadable: Path) -> None:
    """Botocore takes it for an empty one, which would be reported as a missing profile."""
    assert load_files({"HOME": "/", "AWS_CONFIG_FILE": "/x"}).profiles == {"default": {}}
    with pytest.raises(ConfigError) as caught:
        chain_of("p")
    assert caught.value.message == f"cannot read {unreadable}: permission denied"
    assert caught.value.hint == f"chmod u+r {unreadable}"
