"""What people have in AWS's files comes to what corpus.py says: here, and in botocore unless we differ."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.credentials as bc
import pytest
from botocore.session import Session

from awsdirenv.cache.layout import CachePaths
from awsdirenv.config.aws_files import load_files, static_keys
from awsdirenv.config.chain import ENVIRONMENT, STATIC, Chain
from awsdirenv.config.environment import environment_region
from awsdirenv.config.settings import DeclaredProfile, Settings
from awsdirenv.errors import AwsdirenvError
from awsdirenv.refresh.loader import Loader
from awsdirenv.refresh.plan import proves_at_role
from awsdirenv.system.lock import Locks
from corpus import CASES, Case, Refused, Resolved

# What a message says of a problem, whatever else it names.
WORDS = {
    "both-sources": ("has both source_profile and credential_source",),
    "duration-out-of-range": ("has a duration_seconds out of range",),
    "empty-value": ("has an empty",),
    "include-loop": ("include_profile closes a loop",),
    "loop": ("closes a loop",),
    "no-source": ("has role_arn but neither source_profile nor credential_source",),
    "partial-keys": ("Partial credentials found", "missing: aws_secret_access_key"),
    "profile-not-found": ("no profile ", "credentials"),
    "session-tags": ("has session_tags that are not key=value",),
    "several-lines": ("",),
    "source-empty": (" has credential_source = ", ", and there are none here"),
    "source-profile-missing": ("names a source_profile that does not exist",),
    "source-without-credentials": ("has no credentials",),
    "sso-incomplete": ("missing required configuration",),
    "sso-inconsistent": ("inconsistent",),
    "sso-session-missing": ("sso-session does not exist",),
    "unknown-credential-source": ("has an unknown credential_source",),
    "unparsable": ("cannot parse ",),
    "web-identity-without-role": ("role",),
}
SEVERAL_LINES = ("has several lines for", "has a setting within credential_process")
END = "2999-01-01T00:00:00Z"


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: Case) -> Mapping[str, str]:
    """Write the case into a home, and leave nothing of the developer's in the environment."""
    folder = tmp_path / ".aws"
    folder.mkdir()
    for name, text in (("config", case.config), ("credentials", case.credentials)):
        (folder / name).write_bytes(text.encode())
    for name in list(os.environ):
        if name.startswith(("AWS_", "AWSDIRENV_")) or name in ("HTTPS_PROXY", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name)
    own = {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true", **case.environ}
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    return dict(os.environ)


def loader(case: Case, environ: Mapping[str, str]) -> Loader:
    """Give what the extension's command uses, with nobody at a terminal."""
    paths = CachePaths.from_environ(environ)
    return Loader(
        environ=environ,
        settings=Settings(),
        paths=paths,
        locks=Locks(paths.locks, 5, lambda *_: None),
        declared=DeclaredProfile(case.profile, None),
        human=None,
        tell=lambda _: None,
    )


def resolved(chain: Chain, environ: Mapping[str, str]) -> Resolved:
    """Put a chain of ours in the corpus's words."""
    source, key = chain.source_kind, None
    if source == STATIC:
        keys = static_keys(load_files(environ), chain.source_profile)
        assert keys
        source, key = "stored-session" if keys[2] else "static", keys[0]
    device = chain.mfa_serial
    if source not in (STATIC, ENVIRONMENT):  # no key to prove a device at, but perhaps a role
        device = device if chain.hops and proves_at_role(chain, is_long_term=False) else None
    return Resolved(
        source=source,  # type: ignore[arg-type] # a word that is none of the corpus's is what the test would find
        hops=tuple(hop.role_arn for hop in chain.hops),
        mfa_serial=device,
        region=environment_region(environ) or chain.region,
        duration=chain.hops[-1].duration_seconds if chain.hops else None,
        key=key,
    )


def cases(kind: type[Resolved | Refused]) -> pytest.MarkDecorator:
    """Give the cases that end so, each under its name."""
    return pytest.mark.parametrize("case", [c for c in CASES if isinstance(c.expected, kind)], ids=lambda c: c.name)


@cases(Resolved)
def test_what_a_profile_comes_to(case: Case, environ: Mapping[str, str]) -> None:
    """Source, roles, device, region and duration are the expected ones."""
    assert resolved(loader(case, environ).chain(), environ) == case.expected


@cases(Refused)
def test_what_is_refused(case: Case, environ: Mapping[str, str]) -> None:
    """A refusal says what is wrong and where, and what to do, and quotes no secret."""
    assert isinstance(case.expected, Refused)
    with pytest.raises(AwsdirenvError) as caught:
        loader(case, environ).load()
    message, hint = caught.value.message, caught.value.hint
    said = f"{message}\n{hint}"
    for words in WORDS[case.expected.problem]:
        assert words in message
    if case.expected.problem == "several-lines":
        assert any(words in message for words in SEVERAL_LINES)
    assert [name for name in case.expected.names if name not in said] == []
    assert (str(environ["HOME"]) if case.expected.problem == "unparsable" else case.profile) in message
    assert hint
    assert "SENTINEL" not in said
    assert message.isprintable()
    assert hint.isprintable()


@dataclass
class Outside:
    """Stands in for all that botocore would ask: STS, programs, the machine. Notes what STS is asked."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    signers: list[tuple[str, str | None]] = field(default_factory=list)

    def client(self, _service: str, **keys: Any) -> Outside:
        if "aws_access_key_id" in keys:
            self.signers.append((keys["aws_access_key_id"], keys.get("aws_session_token")))
        return self

    def assume_role(self, **params: Any) -> dict[str, Any]:
        self.calls.append(params)
        return self._session(f"HOP{len(self.calls)}", params["RoleArn"])

    def assume_role_with_web_identity(self, **params: Any) -> dict[str, Any]:
        return self._session("web-identity", params["RoleArn"])

    @staticmethod
    def _session(key_id: str, arn: str) -> dict[str, Any]:
        keys = {"AccessKeyId": key_id, "SecretAccessKey": "s", "SessionToken": "t", "Expiration": END}
        return {"Credentials": keys, "AssumedRoleUser": {"Arn": arn}}

    def replace(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the place of every way out that botocore has."""

        def has_login(provider: Any) -> Any:
            config = provider._load_config()["profiles"].get(provider._profile_name, {})
            return bc.Credentials("login", "s", "t") if "login_session" in config else None

        def prompting(provider: Any, *args: Any, **options: Any) -> None:
            initialize(provider, *args, **{**options, "prompter": lambda _: "123456"})

        initialize = bc.AssumeRoleProvider.__init__
        metadata = {"access_key": "process", "secret_key": "s", "token": "t", "expiry_time": END}
        sso = {"ProviderType": "sso", **self._session("sso", "")}
        for owner, name, double in (
            (bc, "_get_client_creator", lambda *_: self.client),
            (bc.AssumeRoleProvider, "__init__", prompting),
            (bc.FileWebIdentityTokenLoader, "__call__", lambda _: "token"),
            (bc.ProcessProvider, "_retrieve_credentials_using", lambda *_: metadata),
            (bc.SSOCredentialFetcher, "_get_credentials", lambda _: sso),
            (bc.LoginProvider, "load", has_login),
            (bc.ContainerProvider, "load", lambda _: bc.Credentials("container", "s", "t")),
            (bc.InstanceMetadataProvider, "load", lambda _: bc.Credentials("instance-metadata", "s", "t")),
            (bc.BotoProvider, "load", lambda _: None),
        ):
            monkeypatch.setattr(owner, name, double)


def botocore_resolves(case: Case, outside: Outside) -> Resolved:
    """Give what botocore makes of a case, in the corpus's words; raises whatever it raises."""
    session = Session(profile=case.profile)
    found: Any = session.get_credentials()
    keys = found.get_frozen_credentials()
    first, token = outside.signers[0] if outside.calls else (keys.access_key, keys.token)
    # Each hop is signed with what the hop before it gave.
    assert [signer for signer, _ in outside.signers[1:]] == [f"HOP{n}" for n in range(1, len(outside.calls))]
    source: Any = {"AKIDTEST9": "environment"}.get(first, first)
    if source in ("container", "instance-metadata") and not outside.calls:
        source = "attached"
    in_files = first.startswith("AKIDTEST") and first != "AKIDTEST9"
    return Resolved(
        source=("stored-session" if token else "static") if in_files else source,
        hops=tuple(call["RoleArn"] for call in outside.calls),
        mfa_serial=next((call["SerialNumber"] for call in outside.calls if "SerialNumber" in call), None),
        region=session.get_config_variable("region") or None,
        duration=outside.calls[-1].get("DurationSeconds") if outside.calls else None,
        key=first if in_files else None,
    )


@pytest.mark.parametrize("case", [c for c in CASES if not c.botocore], ids=lambda c: c.name)
def test_botocore_agrees(case: Case, environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is expected is what botocore does, and a refusal is one of botocore's too."""
    outside = Outside()
    outside.replace(monkeypatch)
    if isinstance(case.expected, Refused):
        with pytest.raises(Exception):  # noqa: B017, PT011 - its errors have no common class
            botocore_resolves(case, outside)
    else:
        assert botocore_resolves(case, outside) == case.expected
