"""What a profile comes down to: where credentials start, and the roles that follow. Plain data, no files, no AWS."""

from __future__ import annotations

import re

from awsdirenv.records import Record, replace

# Where a chain can start. The last three have no profile of their own where they are named by credential_source.
STATIC, SSO, PROCESS, WEB_IDENTITY, LOGIN = "static", "sso", "process", "web-identity", "login"
ENVIRONMENT, CONTAINER, INSTANCE = "environment", "container", "instance-metadata"
# A profile that says nothing about credentials has those of the role that is attached to the machine.
# How Identity Center names the role of a permission set.
_OF_CENTER = re.compile(r"AWSReservedSSO_(.+)_[0-9a-f]{16}")

ATTACHED = "attached"

# As `credential_source` spells them.
CREDENTIAL_SOURCES = {"Environment": ENVIRONMENT, "EcsContainer": CONTAINER, "Ec2InstanceMetadata": INSTANCE}

# Where each partition of AWS has an STS that every account may use.
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


class RoleHop(Record):
    """One AssumeRole. `duration_seconds` is None where the profile leaves it to STS (one hour)."""

    profile: str
    role_arn: str
    duration_seconds: int | None
    external_id: str | None
    role_session_name: str | None
    mfa_serial: str | None
    source_identity: str | None = None
    session_tags: tuple[tuple[str, str], ...] = ()
    transitive_session_tags: tuple[str, ...] = ()

    @property
    def role(self) -> str:
        """The role's name, without the path."""
        return self.role_arn.rpartition("/")[2]

    @property
    def account_id(self) -> str | None:
        """The account of the ARN."""
        return account_of(self.role_arn)

    @property
    def identity(self) -> list[object]:
        """All that makes the session of one caller differ from that of another, but for how long it lives."""
        named = [self.role_arn, self.external_id, self.role_session_name]
        return [*named, self.source_identity, self.session_tags, self.transitive_session_tags]


class SsoSession(Record):
    """Where a person signs in. `name` is None for a legacy profile, which has no [sso-session] section."""

    name: str | None
    start_url: str
    region: str
    role_name: str | None = None
    registration_scopes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name or self.start_url


class Chain(Record):
    """Where credentials come from (`source_profile`, `source_kind`), and the hops in the order of the calls."""

    profile: str
    source_profile: str
    source_kind: str
    hops: tuple[RoleHop, ...]
    source_mfa_serial: str | None
    mfa_process: str | None
    region: str | None
    source_fingerprint: str  # of all that the source's profile says
    endpoint: str  # set by the profile or the environment; empty for AWS's own
    sso_session: SsoSession | None = None
    environment_mfa_serial: str | None = None  # AWS_MFA_SERIAL: a person's own device, whatever a shared file says
    duration_seconds: int | None = None  # asked for by the directory (`--duration`)

    @property
    def mfa_serial(self) -> str | None:
        """The device to prove, once, at the long-term key.

        AWS_MFA_SERIAL wins, as in aws-vault. Else the hop next to the key decides, as in the AWS CLI; then the key's
        own profile; then the later hops.
        """
        serials = [hop.mfa_serial for hop in self.hops]
        in_order = [self.environment_mfa_serial, *serials[:1], self.source_mfa_serial, *serials[1:]]
        return next((serial for serial in in_order if serial), None)

    @property
    def sign_in(self) -> str | None:
        """What a person signed in to, which may be renewed by one process at a time: the refresh token changes."""
        if self.sso_session:
            return f"{self.sso_session.name} {self.sso_session.start_url}"
        return self.source_fingerprint if self.source_kind == LOGIN else None

    @property
    def role(self) -> str | None:
        """The name of the role that the credentials are of, where the profile says it."""
        if self.hops:
            return self.hops[-1].role
        return self.sso_session.role_name if self.sso_session else None

    def role_of(self, arn: str | None) -> str | None:
        """Give the role that credentials are of: the one that AWS says, where that is not how it names the profile's.

        Identity Center calls the role NAME of a profile AWSReservedSSO_NAME_ and something.
        """
        actual = assumed_role(arn)
        return self.role if actual is None or given_name(actual) == self.role else actual

    @property
    def is_named_source(self) -> bool:
        """Whether `credential_source` says where the chain starts, so that no profile holds the keys."""
        return bool(self.hops) and self.source_kind in CREDENTIAL_SOURCES.values()

    @property
    def depends_on_environment(self) -> bool:
        """Whether another shell, or another machine with the same home, may have other credentials for it."""
        return self.source_kind in (ENVIRONMENT, CONTAINER, INSTANCE, ATTACHED)

    @property
    def partition(self) -> str | None:
        """The partition of AWS the chain is in, such as `aws-cn`, where an ARN tells."""
        arns = [hop.role_arn for hop in self.hops] + [self.mfa_serial or ""]
        return next((arn.split(":")[1] for arn in arns if arn.startswith("arn:")), None)


def with_duration(chain: Chain, seconds: int | None) -> Chain:
    """Give the chain as a directory wants it that says how long its credentials should live."""
    if seconds is None:
        return chain
    hops = (*chain.hops[:-1], *(replace(hop, duration_seconds=seconds) for hop in chain.hops[-1:]))
    return replace(chain, hops=hops, duration_seconds=seconds)


def account_of(arn: str | None) -> str | None:
    """Give the account that an ARN names, if it names one."""
    parts = (arn or "").split(":")
    return parts[4] if len(parts) > 5 and parts[4].isdigit() else None


def partition_of(region: str) -> str:
    """Give the partition that a region belongs to, by its name."""
    prefixes = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "us-iso-": "aws-iso", "us-isob-": "aws-iso-b"}
    prefixes |= {"us-isof-": "aws-iso-f", "eu-isoe-": "aws-iso-e", "eusc-": "aws-eusc"}
    return next((name for prefix, name in prefixes.items() if region.startswith(prefix)), "aws")


def assumed_role(arn: str | None) -> str | None:
    """Give the name of the role that a session's ARN is of, as AWS has it; None for any other ARN."""
    kind, _, rest = (arn or "").rpartition(":")[2].partition("/")
    return (rest.partition("/")[0] or None) if kind == "assumed-role" else None


def given_name(role: str) -> str:
    """Give the name that people know a role by: that of a permission set is within the role's in Identity Center."""
    found = _OF_CENTER.fullmatch(role)
    return found[1] if found else role
