"""The values that each step of a chain uses, and where they come from. Secrets are never shown.

A value that must not be shown is None. Such values are secrets, command lines (some people write their MFA secret into
them), and values of several lines: an indented line continues the one before it, and may be the secret key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from awsdirenv.aws import sso_token
from awsdirenv.config.aws_files import AGENT_KEY, ARNS_KEY, POLICY_KEY, VARIABLES_KEY, AwsFiles
from awsdirenv.config.chain import (
    ATTACHED,
    CONTAINER,
    ENVIRONMENT,
    INSTANCE,
    LOGIN,
    PROCESS,
    SSO,
    STATIC,
    WEB_IDENTITY,
    Chain,
)
from awsdirenv.config.settings import Settings
from awsdirenv.config.source_lines import Provenance
from awsdirenv.records import Record
from awsdirenv.refresh.plan import ASSUME_ROLE, STS_DEFAULT, Plan, Step
from awsdirenv.refresh.request import ProfileContext
from awsdirenv.system.text import command_line, utc_text

DEFAULT, WISH = "default", "--duration"
_NEVER_SHOWN = {"aws_secret_access_key", "aws_session_token", "aws_security_token", "credential_process", "mfa_process"}
_KEY_ID = re.compile(r"\w{1,32}", re.ASCII)  # a longer value may be the secret key, pasted into the wrong line
_USERINFO = re.compile(r"(?<=//)[^/?#]*@")
_ROLE_KEYS: tuple[str, ...] = ("role_arn", "source_profile", "credential_source", "external_id", "role_session_name")
_ROLE_KEYS += ("source_identity", "session_tags", "transitive_session_tags")
_STATIC_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_security_token", "aws_session_token")
_SIGN_IN_KEYS = ("sso_start_url", "sso_region", "sso_registration_scopes")
_BY_KIND = {
    SSO: ("sso_session", "sso_account_id", "sso_role_name"),
    PROCESS: ("credential_process", VARIABLES_KEY),
    WEB_IDENTITY: ("role_arn", "web_identity_token_file", "role_session_name"),
    LOGIN: ("login_session",),
}
_MACHINE = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
SHOWN_BY_KIND = {
    ENVIRONMENT: ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"),
    CONTAINER: _MACHINE,
    INSTANCE: ("AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_SERVICE_ENDPOINT"),
    ATTACHED: ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_LAMBDA_FUNCTION_NAME", *_MACHINE),
}
_SHOWN_VARIABLES = {"AWS_EC2_METADATA_DISABLED", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"}
# All keys that can decide about credentials, in the order in which we show them.
KNOWN: tuple[str, ...] = (
    *_ROLE_KEYS,
    "duration_seconds",
    "mfa_serial",
    "mfa_process",
    "include_profile",
    *_STATIC_KEYS,
)
KNOWN += (*_BY_KIND[PROCESS], "login_session", "web_identity_token_file", *_BY_KIND[SSO], *_SIGN_IN_KEYS)
KNOWN += (AGENT_KEY, ARNS_KEY, POLICY_KEY)
KNOWN += ("region", "endpoint_url", "services", "sts_regional_endpoints")


class Value(Record):
    """A value as it is used, and its source: `path:line`, a variable, an option, or `default`."""

    value: str | None
    source: str


class HopValues(Record):
    """Collects the values of one chain's steps."""

    files: AwsFiles
    context: ProfileContext
    where: Provenance

    def of_profile(self, profile: str, keys: Iterable[str] = KNOWN) -> dict[str, Value]:
        """Return the values of a profile for those of `keys` that it has."""
        config = self.files.profiles[profile]
        return {key: Value(_shown(key, config[key]), self.where.of(profile, key)) for key in keys if key in config}

    def of_step(self, chain: Chain, plan: Plan, step: Step) -> dict[str, Value]:
        """Return the values that a step uses."""
        if step.kind == ASSUME_ROLE:
            values = self._of_role(chain, step)
        elif step.seconds is not None:
            values = {"duration_seconds": self._session_duration(chain, step.seconds)}
        else:
            values = self._of_source(chain)
        if step.proves and plan.serial:
            values["mfa_serial"] = Value(plan.serial, self._source_of_serial(chain))
            values |= self._code_process(chain)
        if step is not plan.steps[-1]:
            return values
        return values | self._policies(chain) | self._of_declared(chain)

    def _policies(self, chain: Chain) -> dict[str, Value]:
        """Return the session policies that narrow the session, and who asks for them."""
        own = self.of_profile(chain.profile, (ARNS_KEY, POLICY_KEY))
        if own or chain.narrowing is None:
            return own
        values, options = {}, self.context.options
        if chain.narrowing.arns:
            named = [word.partition("=")[0] for word in options.narrowing() if not word.startswith("--policy=")]
            source = ", ".join(dict.fromkeys(named)) or self._source_for_agents(chain.profile)
            values[ARNS_KEY] = Value(", ".join(chain.narrowing.arns), source)
        if options.policy_file:
            values[POLICY_KEY] = Value(options.policy_file, "--policy")
        return values

    def _source_for_agents(self, profile: str) -> str:
        said = AGENT_KEY in self.files.profiles[profile]
        return self.where.of(profile, AGENT_KEY) if said else "AWSDIRENV_AGENT_DEFAULT"

    def _of_role(self, chain: Chain, step: Step) -> dict[str, Value]:
        hop = chain.hops[step.hop or 0]
        keys = (*_ROLE_KEYS, "include_profile", *([VARIABLES_KEY] if chain.source_kind == PROCESS else []))
        values = self.of_profile(hop.profile, keys)
        if not hop.role_session_name:
            values["role_session_name"] = Value(f"{hop.default_session_name}-TIME", DEFAULT)
        if chain.duration_seconds and step.hop == len(chain.hops) - 1:
            values["duration_seconds"] = Value(str(chain.duration_seconds), WISH)
        elif hop.duration_seconds is None:
            values["duration_seconds"] = Value(str(STS_DEFAULT), DEFAULT)
        else:
            values |= self.of_profile(hop.profile, ("duration_seconds",))
        return values

    def _session_duration(self, chain: Chain, seconds: int) -> Value:
        if chain.duration_seconds and not chain.hops:
            return Value(str(seconds), WISH)
        name = "AWSDIRENV_MFA_SESSION_DURATION"
        is_set = (
            self.context.environ.get(name)
            or self.context.settings.mfa_session_duration != Settings.mfa_session_duration
        )
        return Value(str(seconds), name if is_set else DEFAULT)

    def _of_source(self, chain: Chain) -> dict[str, Value]:
        kind, profile, environ = chain.source_kind, chain.source_profile, self.context.environ
        values: dict[str, Value] = {}
        if kind == STATIC:
            values = self._static_keys(profile)
        elif chain.keychain:
            shown = command_line("awsdirenv keys get", chain.keychain.name)
            values = {"credential_process": Value(shown, self.where.of(profile, "credential_process"))}
        elif kind in _BY_KIND:
            values = self.of_profile(profile, _BY_KIND[kind])
        for name in SHOWN_BY_KIND.get(kind, ()):
            if environ.get(name):
                key = name.lower() if kind == ENVIRONMENT else name
                is_shown = key == "aws_access_key_id" or name in _SHOWN_VARIABLES
                values[key] = Value(_shown(key, environ[name]) if is_shown else None, name)
        if kind == SSO:
            values |= self._sign_in(chain)
        if not chain.is_named_source:
            values |= self.of_profile(profile, ("include_profile",))
        return values

    def _static_keys(self, profile: str) -> dict[str, Value]:
        """Return the keys of the file that has the pair. Nothing is used from the other file, not even a token."""
        section, at = self.files.credentials_sections.get(profile, {}), self.where.in_credentials
        expirations: tuple[str, ...] = ("x_security_token_expires", "aws_credential_expiration")
        if "aws_access_key_id" not in section:
            section, at, expirations = self.files.config_profiles.get(profile, {}), self.where.in_config, ()
        token = next((key for key in ("aws_security_token", "aws_session_token") if key in section), None)
        end = next((key for key in expirations if section.get(key)), None) if token else None
        keys = ("aws_access_key_id", "aws_secret_access_key", token, end)
        return {key: Value(_shown(key, section[key]), at(profile, key)) for key in keys if key and key in section}

    def _sign_in(self, chain: Chain) -> dict[str, Value]:
        """Return the values of the sign-in: where the user signs in, and when the present sign-in ends."""
        values = self.of_profile(chain.source_profile, _SIGN_IN_KEYS)
        name = chain.sso_session.name if chain.sso_session else None
        section: Mapping[str, object] = self.files.full_config.get("sso_sessions", {}).get(name, {}) if name else {}
        for key in _SIGN_IN_KEYS:
            if name and key in section:
                values[key] = Value(_shown(key, section[key]), self.where.in_sso_session(name, key))
        if chain.sso_session:
            token = sso_token.read(chain.sso_session, self.context.environ)
            end = utc_text(token.expiration) if token else None
            values["sign_in"] = Value(end, str(sso_token.path(chain.sso_session, self.context.environ)))
        return values

    def _source_of_serial(self, chain: Chain) -> str:
        if chain.environment_mfa_serial:
            return "AWS_MFA_SERIAL"
        owners = [(hop.profile, hop.mfa_serial) for hop in chain.hops]
        owners.insert(1 if owners else 0, (chain.source_profile, chain.source_mfa_serial))
        return next(self.where.of(profile, "mfa_serial") for profile, serial in owners if serial)

    def _code_process(self, chain: Chain) -> dict[str, Value]:
        if self.context.settings.mfa_process:
            return {"mfa_process": Value(None, "AWSDIRENV_MFA_PROCESS")}
        visited = [hop.profile for hop in reversed(chain.hops)]
        visited += [] if chain.is_named_source else [chain.source_profile]
        owner = next((profile for profile in visited if self.files.profiles[profile].get("mfa_process")), None)
        return self.of_profile(owner, ("mfa_process",)) if owner else {}

    def _of_declared(self, chain: Chain) -> dict[str, Value]:
        """Return the values that the declared profile decides for all steps: the region and the STS endpoint."""
        values = self.of_profile(chain.profile, ("region",) if chain.region else ())
        if self.context.region:
            values["region"] = Value(*self.context.region)
        regional = self.context.environ.get("AWS_STS_REGIONAL_ENDPOINTS")
        values |= self.of_profile(chain.profile, ("services", "sts_regional_endpoints"))
        if regional:
            values["sts_regional_endpoints"] = Value(regional, "AWS_STS_REGIONAL_ENDPOINTS")
        return values | self._endpoint(chain)

    def _endpoint(self, chain: Chain) -> dict[str, Value]:
        """Return the endpoint that botocore uses for STS, with the setting that it comes from."""
        if not chain.endpoint:
            return {}
        # This slow import is only needed if an endpoint is set.
        from awsdirenv.aws.botocore_session import endpoint_setting  # noqa: PLC0415

        setting = endpoint_setting(self.files, chain.profile, self.context.environ)
        if setting == "services":
            name = str(self.files.profiles[chain.profile]["services"])
            url = self.files.full_config["services"][name]["sts"]["endpoint_url"]
            place = self.where.in_service(name, "sts", "endpoint_url")
            return {"endpoint_url": Value(_shown("endpoint_url", url), place)}
        if setting and setting in self.context.environ:
            return {"endpoint_url": Value(_shown("endpoint_url", self.context.environ[setting]), setting)}
        return self.of_profile(chain.profile, ("endpoint_url",)) if setting else {}


def _shown(key: str, value: object) -> str | None:
    if not isinstance(value, str) or "\n" in value or key in _NEVER_SHOWN:
        return None
    if key == "aws_access_key_id" and not _KEY_ID.fullmatch(value):
        return None
    return _USERINFO.sub("…@", value)
