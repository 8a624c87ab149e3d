"""The chain of a profile: the source of its credentials, and the roles that follow. Plain data, no files, no AWS."""

from __future__ import annotations

import re

from awsdirenv.records import Record

# The kinds of sources. The three of the second line have no profile of their own if credential_source names them.
STATIC, SSO, PROCESS, WEB_IDENTITY, LOGIN = "static", "sso", "process", "web-identity", "login"
ENVIRONMENT, CONTAINER, INSTANCE = "environment", "container", "instance-metadata"
# A profile that says nothing about credentials gets those of the role that is attached to the machine.
ATTACHED = "attached"
# The keys of a profile that `awsdirenv keys` has put into the keychain: its credential_process is ours.
KEYCHAIN = "keychain"

# IAM Identity Center gives the role of a permission set such a name.
_OF_CENTER = re.compile(r"AWSReservedSSO_(.+)_[0-9a-f]{16}")

# The values of `credential_source`.
CREDENTIAL_SOURCES = {"Environment": ENVIRONMENT, "EcsContainer": CONTAINER, "Ec2InstanceMetadata": INSTANCE}

# For each partition of AWS, a region whose STS every account may use.
HOME_REGIONS = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-iso": "us-iso-east-1",
    "aws-iso-b": "us-isob-east-1",
    "aws-iso-e": "eu-isoe-west-1",
    "aws-iso-f": "us-isof-south-1",
    "aws-eusc": "eusc-de-east-1",
}


class Narrowing(Record):
    """The session policies that take rights away from a session: ARNs of managed ones, and one as JSON."""

    arns: tuple[str, ...]
    policy: str | None
    label: str  # for people: the names of the policies
    stamp: str  # `file_stamp` of the policy's file, "" if it is in no file of its own


class RoleHop(Record):
    """One AssumeRole. `duration_seconds` is None if the profile does not say it; then STS gives one hour."""

    profile: str
    role_arn: str
    duration_seconds: int | None
    external_id: str | None
    role_session_name: str | None
    mfa_serial: str | None
    source_identity: str | None = None
    session_tags: tuple[tuple[str, str], ...] = ()
    transitive_session_tags: tuple[str, ...] = ()
    policy_arns: tuple[str, ...] = ()
    policy: str | None = None
    is_for_agent: bool = False

    @property
    def role(self) -> str:
        """The role's name, without the path."""
        return self.role_arn.rpartition("/")[2]

    @property
    def account_id(self) -> str | None:
        """The account of the ARN."""
        return account_of(self.role_arn)

    @property
    def default_session_name(self) -> str:
        """The beginning of the session's name, if the profile says none: who asked for it, a person or an agent."""
        return "awsdirenv-agent" if self.is_for_agent else "awsdirenv-session"

    @property
    def identity(self) -> list[object]:
        """All parameters that make one session of a role differ from another, except the duration."""
        named = [self.role_arn, self.external_id, self.role_session_name]
        more = [self.policy_arns, self.policy] if self.policy_arns or self.policy else []
        more += ["agent"] if self.is_for_agent else []
        return [*named, self.source_identity, self.session_tags, self.transitive_session_tags, *more]


class KeychainEntry(Record):
    """The long-term keys of a user in the keychain. `user_id` is AWS's, such as AIDA…: it is never given again."""

    name: str
    user_id: str


class SsoSession(Record):
    """Where the user signs in. `name` is None for a legacy profile, which has no [sso-session] section."""

    name: str | None
    start_url: str
    region: str
    role_name: str | None = None
    registration_scopes: tuple[str, ...] = ()
    account_id: str | None = None

    def __str__(self) -> str:
        return self.name or self.start_url


class Chain(Record):
    """A source of credentials (`source_profile`, `source_kind`), and the hops in the order of the calls."""

    profile: str
    source_profile: str
    source_kind: str
    hops: tuple[RoleHop, ...]
    source_mfa_serial: str | None
    mfa_process: str | None
    region: str | None
    source_fingerprint: str  # a hash of all that decides what the source gives
    endpoint: str  # all settings that decide which STS answers; empty for AWS's own
    sso_session: SsoSession | None = None
    environment_mfa_serial: str | None = None  # AWS_MFA_SERIAL: the user's own device, for a config file of a team
    duration_seconds: int | None = None  # the directory's `--duration`
    variables: tuple[str, ...] = ()  # the names of the variables that decide what the source gives
    narrowing: Narrowing | None = None  # of the last step's session
    is_for_agent: bool = False  # an agent gets the last step's session, and no person does
    keychain: KeychainEntry | None = None  # where the long-term keys are, if not in a file

    @property
    def mfa_serial(self) -> str | None:
        """The MFA device of the chain. Its code is given once, together with the long-term key.

        AWS_MFA_SERIAL wins, as in aws-vault. Otherwise the first hop decides, as in the AWS CLI; then the profile of
        the key; then the later hops.
        """
        serials = [hop.mfa_serial for hop in self.hops]
        in_order = [self.environment_mfa_serial, *serials[:1], self.source_mfa_serial, *serials[1:]]
        return next((serial for serial in in_order if serial), None)

    @property
    def sign_in(self) -> str | None:
        """What identifies the user's sign-in. One process at a time may renew it, because the refresh token changes."""
        if self.sso_session:
            return f"{self.sso_session.name} {self.sso_session.start_url}"
        return self.source_fingerprint if self.source_kind == LOGIN else None

    @property
    def account_id(self) -> str | None:
        """The account that the chain leads to, if the files say it: for a key they do if it has an MFA device."""
        if self.hops:
            return self.hops[-1].account_id
        return self.sso_session.account_id if self.sso_session else account_of(self.source_mfa_serial)

    @property
    def role(self) -> str | None:
        """The name of the role that the chain ends with, if the profile says it."""
        if self.hops:
            return self.hops[-1].role
        return self.sso_session.role_name if self.sso_session else None

    def role_of(self, arn: str | None) -> str | None:
        """Return the role of credentials: the profile's role, or the role in `arn` if that is a different one.

        For a profile with the role NAME, Identity Center uses a role with the name AWSReservedSSO_NAME_HASH.
        """
        actual = assumed_role(arn)
        return self.role if actual is None or given_name(actual) == self.role else actual

    @property
    def is_named_source(self) -> bool:
        """Whether `credential_source` names the source, so that no profile has the keys."""
        return bool(self.hops) and self.source_kind in CREDENTIAL_SOURCES.values()

    @property
    def depends_on_environment(self) -> bool:
        """Whether its credentials may differ in another shell, or on another machine with the same home."""
        return self.source_kind in (ENVIRONMENT, CONTAINER, INSTANCE, ATTACHED)

    @property
    def partition(self) -> str | None:
        """The chain's partition of AWS, such as `aws-cn`, if an ARN says it."""
        arns = [hop.role_arn for hop in self.hops] + [self.mfa_serial or ""]
        return next((arn.split(":")[1] for arn in arns if arn.startswith("arn:")), None)


def account_of(arn: str | None) -> str | None:
    """Return the account id in an ARN, or None."""
    parts = (arn or "").split(":")
    return parts[4] if len(parts) > 5 and parts[4].isdigit() else None


def partition_of(region: str) -> str:
    """Return the partition that a region belongs to, by its name."""
    prefixes = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "us-iso-": "aws-iso", "us-isob-": "aws-iso-b"}
    prefixes |= {"us-isof-": "aws-iso-f", "eu-isoe-": "aws-iso-e", "eusc-": "aws-eusc"}
    return next((name for prefix, name in prefixes.items() if region.startswith(prefix)), "aws")


def assumed_role(arn: str | None) -> str | None:
    """Return the role's name in the ARN of a session, as AWS spells it. None for any other ARN."""
    kind, _, rest = (arn or "").rpartition(":")[2].partition("/")
    return (rest.partition("/")[0] or None) if kind == "assumed-role" else None


def given_name(role: str) -> str:
    """Return the name of a role that the user knows. For Identity Center that is the permission set's name."""
    match = _OF_CENTER.fullmatch(role)
    return match[1] if match else role
