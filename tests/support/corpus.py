"""What people have in AWS's two files, and what a profile comes to: situations from the test suites of other tools.

Data only. Where botocore has an opinion, `expected` is what botocore does; each case was loaded in botocore itself.
Where the reference says that we differ, `botocore` says what botocore does instead.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Source = Literal[
    "static",
    "stored-session",  # keys with a session token
    "sso",
    "process",
    "web-identity",
    "login",
    "environment",
    "container",
    "instance-metadata",
    "attached",  # the profile says nothing: what the machine itself has, if anything
]
Problem = Literal[
    "both-sources",
    "duration-out-of-range",
    "empty-value",
    "include-loop",
    "loop",
    "no-source",
    "partial-keys",
    "profile-not-found",
    "session-tags",
    "several-lines",
    "source-empty",
    "source-profile-missing",
    "source-without-credentials",
    "sso-incomplete",
    "sso-inconsistent",
    "sso-session-missing",
    "unknown-credential-source",
    "unparsable",
    "web-identity-without-role",
]


@dataclass(frozen=True)
class Resolved:
    """Where credentials start and which roles follow.

    `hops` are the roles that AssumeRole is called for, in the order of the calls; the role of a web identity belongs
    to the source. `mfa_serial` is the device that a person proves, by the rule of the reference. `region` is the one
    in effect: AWS_REGION, then AWS_DEFAULT_REGION, then the profile's own. `duration` is the last role's, None where
    it is left to STS. `key` is the access key id of a source that the files hold.
    """

    source: Source
    hops: tuple[str, ...] = ()
    mfa_serial: str | None = None
    region: str | None = None
    duration: int | None = None
    key: str | None = None


@dataclass(frozen=True)
class Refused:
    """An error: of the walk, or at the latest where the credentials of the source are looked for.

    `names` is what a message that helps has to name.
    """

    problem: Problem
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """Both files, what is declared, and what that comes to. The profile is always explicit."""

    name: str
    origin: str  # the suite that the context comes from
    config: str
    credentials: str = ""
    profile: str = "work"
    environ: Mapping[str, str] = field(default_factory=dict)
    expected: Resolved | Refused = field(kw_only=True)
    botocore: str = ""  # what botocore does, where we do something else


def _ini(text: str) -> str:
    """Give a file as it stands here, without the indentation that it has only here."""
    return textwrap.dedent(text).lstrip("\n")


DEV = "arn:aws:iam::222222222222:role/dev"
ADMIN = "arn:aws:iam::333333333333:role/admin"
AUDIT = "arn:aws:iam::444444444444:role/team/audit"
DEVICE = "arn:aws:iam::111111111111:mfa/jo"
OTHER_DEVICE = "arn:aws:iam::111111111111:mfa/jo-phone"
START_URL = "https://acme.awsapps.com/start"

KEYS = "aws_access_key_id = AKIDTEST1\naws_secret_access_key = SENTINEL-SECRET-1\n"
OTHER_KEYS = "aws_access_key_id = AKIDTEST2\naws_secret_access_key = SENTINEL-SECRET-2\n"
TOKEN = "aws_session_token = SENTINEL-TOKEN-1\n"
SECURITY_TOKEN = "aws_security_token = SENTINEL-TOKEN-2\n"
BASE = f"[base]\n{KEYS}"
WORK = f"[work]\n{KEYS}"

ROLE = f"[profile work]\nrole_arn = {DEV}\n"
ROLE_OF_BASE = f"{ROLE}source_profile = base\n"
SSO = f"sso_start_url = {START_URL}\nsso_region = eu-west-1\nsso_account_id = 222222222222\nsso_role_name = Reader\n"
SSO_SESSION = "sso_session = acme\nsso_account_id = 222222222222\nsso_role_name = Reader\n"
ACME = f"[sso-session acme]\nsso_start_url = {START_URL}\nsso_region = eu-west-1\n"
WEB_IDENTITY = "web_identity_token_file = /var/run/acme/token\n"
ENVIRONMENT_KEYS = {"AWS_ACCESS_KEY_ID": "AKIDTEST9", "AWS_SECRET_ACCESS_KEY": "SENTINEL-SECRET-9"}

# What the cases are from.
UNIT = "botocore tests/unit/test_credentials.py"
FUNCTIONAL = "botocore tests/functional/test_credentials.py"
LOADER = "botocore tests/unit/test_configloader.py"
SESSION = "botocore tests/functional/test_session.py"
CLI = "aws-cli v2 tests"
VAULT_CONFIG = "aws-vault vault/config_test.go"
VAULT_CHAIN = "aws-vault vault/vault_test.go"
VAULT_DOCS = "aws-vault docs/content/docs/config.md"
AWSUME = "awsume test_profile.py"
AWSUME_PLUGINS = "awsume test_default_plugins.py"
AWSUME_FILES = "awsume test_aws_files.py"
GRANTED = "granted pkg/cfaws"
GRANTED_MERGE = "granted pkg/granted/awsmerge"
SSO_CLI = "aws-sso-cli internal/awsconfig"
SAML2AWS = "saml2aws pkg/awsconfig"
AWS_MFA = "aws-mfa"

STATIC_KEYS = (
    Case("keys-in-credentials-file", AWSUME, "", WORK, expected=Resolved("static", key="AKIDTEST1")),
    Case("keys-in-config-file", LOADER, f"[profile work]\n{KEYS}", expected=Resolved("static", key="AKIDTEST1")),
    Case(
        "keys-in-both-files",
        UNIT,
        f"[profile work]\n{OTHER_KEYS}",
        WORK,
        expected=Resolved("static", key="AKIDTEST1"),
    ),
    Case(
        "keys-with-session-token",
        UNIT,
        "",
        f"{WORK}{TOKEN}",
        expected=Resolved("stored-session", key="AKIDTEST1"),
    ),
    Case(
        "keys-with-security-token",
        LOADER,
        f"[profile work]\n{KEYS}{SECURITY_TOKEN}",
        expected=Resolved("stored-session", key="AKIDTEST1"),
    ),
    Case(
        "keys-with-both-tokens",
        SAML2AWS,
        "",
        f"{WORK}{TOKEN}{SECURITY_TOKEN}",
        expected=Resolved("stored-session", key="AKIDTEST1"),
    ),
    # The pair and its token are of one file.
    Case(
        "token-in-the-other-file",
        UNIT,
        f"[profile work]\n{TOKEN}",
        WORK,
        expected=Resolved("static", key="AKIDTEST1"),
    ),
    Case(
        "keys-with-an-empty-token",
        UNIT,
        "",
        f"{WORK}aws_session_token =\n",
        expected=Resolved("static", key="AKIDTEST1"),
    ),
    Case(
        "keys-with-account-id",
        UNIT,
        "",
        f"{WORK}aws_account_id = 111111111111\n",
        expected=Resolved("static", key="AKIDTEST1"),
    ),
    Case(
        "secret-in-the-other-file",
        UNIT,
        "[profile work]\naws_secret_access_key = SENTINEL-SECRET-1\n",
        "[work]\naws_access_key_id = AKIDTEST1\n",
        expected=Refused("partial-keys"),
    ),
    Case(
        "key-id-in-the-other-file",
        UNIT,
        "[profile work]\naws_access_key_id = AKIDTEST1\n",
        "[work]\naws_secret_access_key = SENTINEL-SECRET-1\n",
        expected=Refused("partial-keys"),
    ),
    Case(
        "key-id-without-secret",
        AWSUME,
        "",
        "[work]\naws_access_key_id = AKIDTEST1\n",
        expected=Refused("partial-keys"),
    ),
    Case(
        "secret-without-key-id",
        AWSUME,
        "",
        "[work]\naws_secret_access_key = SENTINEL-SECRET-1\n",
        expected=Resolved("attached"),
    ),
    Case(
        "keys-of-default",
        AWSUME,
        "",
        f"[default]\n{KEYS}",
        profile="default",
        expected=Resolved("static", key="AKIDTEST1"),
    ),
    Case(
        "keys-of-default-are-not-inherited",
        UNIT,
        "[profile work]\nregion = eu-west-1\n",
        f"[default]\n{KEYS}",
        expected=Resolved("attached", region="eu-west-1"),
    ),
    Case(
        "one-of-many-profiles",
        UNIT,
        "",
        f"[default]\n{OTHER_KEYS}[other]\n{OTHER_KEYS}{WORK}",
        expected=Resolved("static", key="AKIDTEST1"),
    ),
    Case(
        "profile-before-environment",
        SESSION,
        "",
        WORK,
        environ=ENVIRONMENT_KEYS,
        expected=Resolved("static", key="AKIDTEST1"),
    ),
    # aws-cli issue 6042: once a profile is named, keys in the environment are nobody's.
    Case(
        "environment-does-not-fill-a-gap",
        CLI,
        "[profile work]\nregion = eu-west-1\n",
        environ=ENVIRONMENT_KEYS,
        expected=Resolved("attached", region="eu-west-1"),
    ),
    Case(
        "profile-of-the-credentials-file-alone",
        AWSUME_PLUGINS,
        "[profile other]\nregion = eu-west-1\n",
        f"{WORK}region = eu-west-3\n",
        expected=Resolved("static", region="eu-west-3", key="AKIDTEST1"),
    ),
    Case(
        "user-with-device-and-without-role",
        AWSUME_PLUGINS,
        f"[profile work]\nmfa_serial = {DEVICE}\nregion = eu-west-1\n",
        WORK,
        expected=Resolved("static", mfa_serial=DEVICE, region="eu-west-1", key="AKIDTEST1"),
        botocore="uses the keys as they are and asks for no code",
    ),
    Case("nothing-said", FUNCTIONAL, "[profile work]\noutput = json\n", expected=Resolved("attached")),
    Case("empty-section", VAULT_CONFIG, "[profile work]\n", expected=Resolved("attached")),
)

ROLES = (
    Case(
        "role-of-a-user",
        AWSUME,
        ROLE_OF_BASE,
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    Case(
        "role-of-a-user-in-the-config-file",
        FUNCTIONAL,
        f"{ROLE_OF_BASE}[profile base]\n{KEYS}",
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    Case(
        "role-of-a-user-with-a-token",
        UNIT,
        ROLE_OF_BASE,
        f"{BASE}{TOKEN}",
        expected=Resolved("stored-session", (DEV,), key="AKIDTEST1"),
    ),
    # granted issue 487.
    Case(
        "role-in-the-credentials-file",
        GRANTED,
        "[profile base]\nregion = eu-west-1\ncredential_process = granted credential-process --profile=base\n",
        f"[work]\nrole_arn = {DEV}\nsource_profile = base\nmfa_serial = {DEVICE}\n",
        expected=Resolved("process", (DEV,), mfa_serial=DEVICE),
    ),
    Case(
        "role-across-both-files",
        CLI,
        ROLE,
        f"{BASE}[work]\nsource_profile = base\nregion = eu-west-3\n",
        expected=Resolved("static", (DEV,), region="eu-west-3", key="AKIDTEST1"),
    ),
    Case(
        "role-with-all-its-parameters",
        UNIT,
        ROLE_OF_BASE + "external_id = acme-1\nrole_session_name = jo\nduration_seconds = 1800\nregion = eu-west-1\n",
        BASE,
        expected=Resolved("static", (DEV,), region="eu-west-1", duration=1800, key="AKIDTEST1"),
    ),
    Case(
        "role-of-default",
        FUNCTIONAL,
        f"{ROLE}source_profile = default\n",
        f"[default]\n{KEYS}",
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    Case(
        "default-is-the-role",
        AWSUME_PLUGINS,
        f"[default]\nrole_arn = {DEV}\nsource_profile = base\nregion = eu-west-1\n",
        BASE,
        profile="default",
        expected=Resolved("static", (DEV,), region="eu-west-1", key="AKIDTEST1"),
    ),
    # aws-vault fills every profile from [default].
    Case(
        "role-and-source-of-default-are-not-inherited",
        VAULT_CHAIN,
        f"[default]\nrole_arn = {DEV}\nsource_profile = base\nmfa_serial = {DEVICE}\n"
        "[profile work]\nregion = eu-west-1\n",
        BASE,
        expected=Resolved("attached", region="eu-west-1"),
    ),
    # awsume takes [default] for the source then.
    Case("role-without-source", AWSUME, ROLE, f"[default]\n{KEYS}", expected=Refused("no-source", ("work",))),
    Case("role-without-source-with-keys", UNIT, ROLE + KEYS, expected=Refused("no-source", ("work",))),
    Case("role-without-source-with-keys-elsewhere", UNIT, ROLE, WORK, expected=Refused("no-source", ("work",))),
    Case(
        "role-of-itself",
        FUNCTIONAL,
        f"{ROLE}source_profile = work\n{KEYS}",
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    Case(
        "role-of-itself-with-keys-elsewhere",
        UNIT,
        f"{ROLE}source_profile = work\n",
        WORK,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    Case(
        "role-of-itself-without-keys", FUNCTIONAL, f"{ROLE}source_profile = work\n", expected=Refused("loop", ("work",))
    ),
    Case(
        "role-of-itself-with-sso",
        FUNCTIONAL,
        f"{ROLE}source_profile = work\n{SSO}",
        expected=Refused("loop", ("work",)),
    ),
    Case(
        "role-of-itself-with-process",
        FUNCTIONAL,
        f"{ROLE}source_profile = work\ncredential_process = acme-login\n",
        expected=Refused("loop", ("work",)),
    ),
    Case(
        "source-that-does-not-exist",
        AWSUME,
        f"{ROLE}source_profile = elsewhere\n",
        BASE,
        expected=Refused("source-profile-missing", ("work", "elsewhere")),
    ),
    Case(
        "source-without-a-name",
        UNIT,
        f"{ROLE}source_profile =\n",
        BASE,
        expected=Refused("source-profile-missing", ("work",)),
    ),
    Case(
        "source-in-another-case",
        VAULT_CONFIG,
        f"{ROLE}source_profile = Base\n",
        BASE,
        expected=Refused("source-profile-missing", ("work", "Base")),
    ),
    Case(
        "source-with-the-config-files-header",
        CLI,
        ROLE_OF_BASE,
        f"[profile base]\n{KEYS}",
        expected=Refused("source-profile-missing", ("work", "base")),
    ),
    Case(
        "source-and-credential-source",
        AWSUME,
        f"{ROLE_OF_BASE}credential_source = Environment\n",
        BASE,
        environ=ENVIRONMENT_KEYS,
        expected=Refused("both-sources", ("work",)),
    ),
    Case(
        "source-with-nothing-but-a-region",
        FUNCTIONAL,
        f"{ROLE_OF_BASE}[profile base]\nregion = eu-west-1\n",
        expected=Refused("source-without-credentials", ("base",)),
    ),
    Case(
        "source-with-half-a-pair",
        UNIT,
        f"{ROLE_OF_BASE}[profile base]\naws_access_key_id = AKIDTEST1\n",
        expected=Refused("partial-keys"),
    ),
    Case(
        "source-with-a-secret-alone",
        UNIT,
        f"{ROLE_OF_BASE}[profile base]\naws_secret_access_key = SENTINEL-SECRET-1\n",
        expected=Refused("source-without-credentials", ("base",)),
    ),
    # A person who works in containers has no [default]; nor does the environment stand in for it.
    Case(
        "source-is-not-the-environment",
        CLI,
        f"{ROLE}source_profile = default\n[default]\nregion = eu-west-1\n",
        environ=ENVIRONMENT_KEYS,
        expected=Refused("source-without-credentials", ("default",)),
    ),
    Case(
        "source-profile-without-role",
        AWSUME_FILES,
        "[profile work]\nsource_profile = base\n",
        BASE,
        expected=Resolved("attached"),
    ),
    # aws-vault issue 1195, as its test has it: to aws-vault this is the other profile under another name.
    Case(
        "source-profile-without-role-to-sso",
        VAULT_CHAIN,
        f"[profile work]\nsource_profile = people\nregion = eu-west-1\n[profile people]\n{SSO_SESSION}{ACME}",
        expected=Resolved("attached", region="eu-west-1"),
    ),
    Case(
        "role-with-an-empty-arn",
        UNIT,
        "[profile work]\nrole_arn =\nsource_profile = base\n",
        BASE,
        expected=Refused("empty-value", ("work", "role_arn")),
        botocore="calls AssumeRole with an empty RoleArn",
    ),
    Case(
        "role-with-an-empty-external-id",
        UNIT,
        f"{ROLE_OF_BASE}external_id =\n",
        BASE,
        expected=Refused("empty-value", ("work", "external_id")),
        botocore="sends an empty ExternalId",
    ),
    Case(
        "role-with-an-empty-device",
        UNIT,
        f"{ROLE_OF_BASE}mfa_serial =\n",
        BASE,
        expected=Refused("empty-value", ("work", "mfa_serial")),
        botocore="asks for a code and sends an empty SerialNumber",
    ),
    # botocore makes a name up, as without the key.
    Case(
        "role-with-an-empty-session-name",
        UNIT,
        f"{ROLE_OF_BASE}role_session_name =\n",
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    Case(
        "role-in-china",
        VAULT_CONFIG,
        "[profile work]\nrole_arn = arn:aws-cn:iam::222222222222:role/dev\nsource_profile = base\n"
        "region = cn-north-1\n",
        BASE,
        expected=Resolved("static", ("arn:aws-cn:iam::222222222222:role/dev",), region="cn-north-1", key="AKIDTEST1"),
    ),
    # aws-vault's own example has an account of 22 digits. STS says what is wrong with an ARN.
    Case(
        "role-with-a-wrong-arn",
        VAULT_CONFIG,
        "[profile work]\nrole_arn = arn:aws:iam::4451234513441615400570:role/dev\nsource_profile = base\n",
        BASE,
        expected=Resolved("static", ("arn:aws:iam::4451234513441615400570:role/dev",), key="AKIDTEST1"),
    ),
)

CHAINS = (
    Case(
        "two-roles",
        FUNCTIONAL,
        _ini(f"""
            [profile work]
            role_arn = {DEV}
            source_profile = hub

            [profile hub]
            role_arn = {ADMIN}
            source_profile = base
        """),
        BASE,
        expected=Resolved("static", (ADMIN, DEV), key="AKIDTEST1"),
    ),
    Case(
        "three-roles",
        UNIT,
        _ini(f"""
            [profile work]
            role_arn = {DEV}
            source_profile = middle

            [profile middle]
            role_arn = {AUDIT}
            source_profile = hub

            [profile hub]
            role_arn = {ADMIN}
            source_profile = base
        """),
        BASE,
        expected=Resolved("static", (ADMIN, AUDIT, DEV), key="AKIDTEST1"),
    ),
    # aws-vault issue 310.
    Case(
        "two-roles-from-default",
        VAULT_CHAIN,
        _ini(f"""
            [default]
            region = eu-west-1

            [profile hub]
            role_arn = {ADMIN}
            source_profile = default

            [profile work]
            role_arn = {DEV}
            source_profile = hub
        """),
        f"[default]\n{KEYS}",
        expected=Resolved("static", (ADMIN, DEV), key="AKIDTEST1"),
    ),
    Case(
        "chain-ends-at-the-first-keys",
        FUNCTIONAL,
        f"{ROLE}source_profile = hub\n[profile hub]\nrole_arn = {ADMIN}\nsource_profile = base\n{OTHER_KEYS}",
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST2"),
    ),
    Case(
        "chain-ends-at-keys-of-a-role-of-itself",
        UNIT,
        f"{ROLE}source_profile = hub\n[profile hub]\nrole_arn = {ADMIN}\nsource_profile = hub\n{OTHER_KEYS}",
        expected=Resolved("static", (DEV,), key="AKIDTEST2"),
    ),
    Case(
        "chain-ends-at-half-a-pair",
        UNIT,
        f"{ROLE}source_profile = hub\n[profile hub]\nrole_arn = {ADMIN}\nsource_profile = base\n"
        "aws_access_key_id = AKIDTEST3\n",
        BASE,
        expected=Refused("partial-keys"),
    ),
    Case(
        "chain-ends-at-a-secret-alone",
        UNIT,
        f"{ROLE}source_profile = hub\n[profile hub]\nrole_arn = {ADMIN}\nsource_profile = base\n"
        "aws_secret_access_key = SENTINEL-SECRET-3\n",
        BASE,
        expected=Refused("source-without-credentials", ("hub",)),
    ),
    Case(
        "loop-of-two",
        UNIT,
        f"{ROLE}source_profile = hub\n[profile hub]\nrole_arn = {ADMIN}\nsource_profile = work\n",
        expected=Refused("loop", ("work", "hub")),
    ),
    Case(
        "loop-of-three",
        AWSUME,
        f"{ROLE}source_profile = hub\n[profile hub]\nrole_arn = {ADMIN}\nsource_profile = middle\n"
        f"[profile middle]\nrole_arn = {AUDIT}\nsource_profile = work\n",
        expected=Refused("loop", ("work", "hub", "middle")),
    ),
    Case(
        "loop-that-leaves-the-declared-profile-out",
        GRANTED,
        f"{ROLE}source_profile = hub\n[profile hub]\nrole_arn = {ADMIN}\nsource_profile = middle\n"
        f"[profile middle]\nrole_arn = {AUDIT}\nsource_profile = hub\n",
        expected=Refused("loop", ("hub", "middle")),
    ),
    Case(
        "source-is-a-role-of-itself-without-keys",
        UNIT,
        f"{ROLE}source_profile = hub\n[profile hub]\nrole_arn = {ADMIN}\nsource_profile = hub\n",
        expected=Refused("loop", ("hub",)),
    ),
    # aws-vault goes through a profile without a role; botocore wants credentials in it.
    Case(
        "chain-through-a-profile-without-role",
        VAULT_CHAIN,
        f"{ROLE}source_profile = alias\n[profile alias]\nsource_profile = base\nregion = eu-west-1\n",
        BASE,
        expected=Refused("source-without-credentials", ("alias",)),
    ),
    Case(
        "second-role-without-source",
        UNIT,
        f"{ROLE}source_profile = hub\n[profile hub]\nrole_arn = {ADMIN}\n",
        expected=Refused("no-source", ("hub",)),
    ),
    Case(
        "second-role-with-both-sources",
        UNIT,
        f"{ROLE}source_profile = hub\n"
        f"[profile hub]\nrole_arn = {ADMIN}\nsource_profile = base\ncredential_source = Environment\n",
        BASE,
        environ=ENVIRONMENT_KEYS,
        expected=Refused("both-sources", ("hub",)),
    ),
    Case(
        "second-role-with-a-missing-source",
        UNIT,
        f"{ROLE}source_profile = hub\n[profile hub]\nrole_arn = {ADMIN}\nsource_profile = elsewhere\n",
        expected=Refused("source-profile-missing", ("hub", "elsewhere")),
    ),
    Case(
        "two-roles-from-sso",
        GRANTED,
        f"{ROLE}source_profile = hub\n[profile hub]\nrole_arn = {ADMIN}\nsource_profile = people\n"
        f"[profile people]\n{SSO_SESSION}{ACME}",
        expected=Resolved("sso", (ADMIN, DEV)),
    ),
    Case(
        "two-roles-from-instance-metadata",
        UNIT,
        f"{ROLE}source_profile = hub\n[profile hub]\nrole_arn = {ADMIN}\ncredential_source = Ec2InstanceMetadata\n",
        expected=Resolved("instance-metadata", (ADMIN, DEV)),
    ),
)

CREDENTIAL_SOURCES = (
    Case(
        "environment",
        FUNCTIONAL,
        f"{ROLE}credential_source = Environment\n",
        environ=ENVIRONMENT_KEYS,
        expected=Resolved("environment", (DEV,)),
    ),
    Case(
        "environment-without-keys",
        UNIT,
        f"{ROLE}credential_source = Environment\n",
        expected=Refused("source-empty", ("Environment",)),
    ),
    Case(
        "environment-is-no-web-identity",
        FUNCTIONAL,
        f"{ROLE}credential_source = Environment\n",
        environ={"AWS_ROLE_ARN": ADMIN, "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/acme/token"},
        expected=Refused("source-empty", ("Environment",)),
    ),
    Case("container", FUNCTIONAL, f"{ROLE}credential_source = EcsContainer\n", expected=Resolved("container", (DEV,))),
    Case(
        "instance-metadata",
        FUNCTIONAL,
        f"{ROLE}credential_source = Ec2InstanceMetadata\nregion = eu-west-1\n",
        expected=Resolved("instance-metadata", (DEV,), region="eu-west-1"),
    ),
    Case(
        "credential-source-with-space-around",
        AWSUME,
        f"{ROLE}credential_source =   Ec2InstanceMetadata  \n",
        expected=Resolved("instance-metadata", (DEV,)),
    ),
    Case(
        "credential-source-in-lower-case",
        UNIT,
        f"{ROLE}credential_source = environment\n",
        environ=ENVIRONMENT_KEYS,
        expected=Refused("unknown-credential-source", ("work", "environment")),
    ),
    Case(
        "credential-source-in-upper-case",
        UNIT,
        f"{ROLE}credential_source = EC2INSTANCEMETADATA\n",
        expected=Refused("unknown-credential-source", ("work", "EC2INSTANCEMETADATA")),
    ),
    Case(
        "credential-source-of-another-name",
        FUNCTIONAL,
        f"{ROLE}credential_source = AcmeVault\n",
        expected=Refused("unknown-credential-source", ("work", "AcmeVault")),
    ),
    # botocore has providers of these names, and takes neither here.
    Case(
        "credential-source-is-a-file",
        UNIT,
        f"{ROLE}credential_source = SharedCredentials\n",
        WORK,
        expected=Refused("unknown-credential-source", ("work", "SharedCredentials")),
    ),
    Case(
        "credential-source-is-empty",
        UNIT,
        f"{ROLE}credential_source =\n",
        expected=Refused("unknown-credential-source", ("work",)),
    ),
    Case(
        "credential-source-without-role",
        AWSUME_PLUGINS,
        "[profile work]\ncredential_source = Ec2InstanceMetadata\n",
        expected=Resolved("attached"),
    ),
    Case(
        "credential-source-and-keys",
        UNIT,
        f"{ROLE}credential_source = Environment\n{KEYS}",
        environ=ENVIRONMENT_KEYS,
        expected=Resolved("environment", (DEV,)),
    ),
    Case(
        "credential-source-and-device",
        UNIT,
        f"{ROLE}credential_source = Environment\nmfa_serial = {DEVICE}\n",
        environ=ENVIRONMENT_KEYS,
        expected=Resolved("environment", (DEV,), mfa_serial=DEVICE),
    ),
)

DEVICES = (
    Case(
        "device-of-the-role",
        UNIT,
        f"{ROLE_OF_BASE}mfa_serial = {DEVICE}\n",
        BASE,
        expected=Resolved("static", (DEV,), mfa_serial=DEVICE, key="AKIDTEST1"),
    ),
    Case(
        "device-of-the-source",
        AWSUME,
        f"{ROLE_OF_BASE}[profile base]\nmfa_serial = {DEVICE}\n",
        BASE,
        expected=Resolved("static", (DEV,), mfa_serial=DEVICE, key="AKIDTEST1"),
        botocore="asks for no code",
    ),
    Case(
        "device-of-both",
        VAULT_CHAIN,
        f"{ROLE_OF_BASE}mfa_serial = {DEVICE}\n[profile base]\nmfa_serial = {DEVICE}\n",
        BASE,
        expected=Resolved("static", (DEV,), mfa_serial=DEVICE, key="AKIDTEST1"),
    ),
    Case(
        "different-devices-of-role-and-source",
        VAULT_CHAIN,
        f"{ROLE_OF_BASE}mfa_serial = {DEVICE}\n[profile base]\nmfa_serial = {OTHER_DEVICE}\n",
        BASE,
        expected=Resolved("static", (DEV,), mfa_serial=DEVICE, key="AKIDTEST1"),
    ),
    # aws-vault's advice for those who do not want to repeat it.
    Case(
        "device-of-default-is-not-inherited",
        VAULT_CHAIN,
        f"[default]\nmfa_serial = {DEVICE}\n{ROLE_OF_BASE}",
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    Case(
        "device-of-default-where-default-is-the-source",
        AWSUME,
        f"[default]\nmfa_serial = {DEVICE}\n{ROLE}source_profile = default\nmfa_serial = {DEVICE}\n",
        f"[default]\n{KEYS}",
        expected=Resolved("static", (DEV,), mfa_serial=DEVICE, key="AKIDTEST1"),
    ),
    Case(
        "same-device-at-every-role",
        VAULT_CHAIN,
        f"{ROLE}source_profile = hub\nmfa_serial = {DEVICE}\n"
        f"[profile hub]\nrole_arn = {ADMIN}\nsource_profile = base\nmfa_serial = {DEVICE}\n",
        BASE,
        expected=Resolved("static", (ADMIN, DEV), mfa_serial=DEVICE, key="AKIDTEST1"),
    ),
    Case(
        "device-of-the-last-role-alone",
        AWSUME,
        f"{ROLE}source_profile = hub\nmfa_serial = {DEVICE}\n"
        f"[profile hub]\nrole_arn = {ADMIN}\nsource_profile = base\n",
        BASE,
        expected=Resolved("static", (ADMIN, DEV), mfa_serial=DEVICE, key="AKIDTEST1"),
    ),
    Case(
        "different-devices-at-two-roles",
        VAULT_CHAIN,
        f"{ROLE}source_profile = hub\nmfa_serial = {OTHER_DEVICE}\n"
        f"[profile hub]\nrole_arn = {ADMIN}\nsource_profile = base\nmfa_serial = {DEVICE}\n",
        BASE,
        expected=Resolved("static", (ADMIN, DEV), mfa_serial=DEVICE, key="AKIDTEST1"),
    ),
    Case(
        "device-of-the-source-before-the-last-roles",
        AWSUME,
        f"{ROLE}source_profile = hub\nmfa_serial = {OTHER_DEVICE}\n"
        f"[profile hub]\nrole_arn = {ADMIN}\nsource_profile = base\n[profile base]\nmfa_serial = {DEVICE}\n",
        BASE,
        expected=Resolved("static", (ADMIN, DEV), mfa_serial=DEVICE, key="AKIDTEST1"),
        botocore="asks for a code of the last role's device, and of no other",
    ),
    # Nobody can prove a device at keys that are temporary.
    Case(
        "device-of-a-temporary-source",
        "granted issue 562",
        f"{ROLE_OF_BASE}[profile base]\nmfa_serial = {DEVICE}\n"
        "credential_process = granted credential-process --profile=base\n",
        expected=Resolved("process", (DEV,)),
    ),
    Case(
        "device-in-the-credentials-file",
        GRANTED,
        ROLE_OF_BASE,
        f"{BASE}[work]\nmfa_serial = {DEVICE}\n",
        expected=Resolved("static", (DEV,), mfa_serial=DEVICE, key="AKIDTEST1"),
    ),
    Case(
        "hardware-device",
        CLI,
        f"{ROLE_OF_BASE}mfa_serial = GAHT00000001\n",
        BASE,
        expected=Resolved("static", (DEV,), mfa_serial="GAHT00000001", key="AKIDTEST1"),
    ),
    Case(
        "device-of-the-environment",
        VAULT_CONFIG,
        ROLE_OF_BASE,
        BASE,
        environ={"AWS_MFA_SERIAL": DEVICE},
        expected=Resolved("static", (DEV,), mfa_serial=DEVICE, key="AKIDTEST1"),
        botocore="does not know AWS_MFA_SERIAL",
    ),
    Case(
        "device-of-the-environment-before-the-files",
        VAULT_CONFIG,
        f"{ROLE_OF_BASE}mfa_serial = {OTHER_DEVICE}\n[profile base]\nmfa_serial = {OTHER_DEVICE}\n",
        BASE,
        environ={"AWS_MFA_SERIAL": DEVICE},
        expected=Resolved("static", (DEV,), mfa_serial=DEVICE, key="AKIDTEST1"),
        botocore="does not know AWS_MFA_SERIAL",
    ),
    Case(
        "empty-device-of-the-environment",
        VAULT_CONFIG,
        f"{ROLE_OF_BASE}mfa_serial = {DEVICE}\n",
        BASE,
        environ={"AWS_MFA_SERIAL": ""},
        expected=Resolved("static", (DEV,), mfa_serial=DEVICE, key="AKIDTEST1"),
    ),
    # aws-vault issue 389 asks for a variable here. No tool of those looked at expands one.
    Case(
        "device-with-a-variable",
        "aws-vault issue 389",
        f"{ROLE_OF_BASE}mfa_serial = arn:aws:iam::111111111111:mfa/${{AWSIAMUSER}}\n",
        BASE,
        environ={"AWSIAMUSER": "jo"},
        expected=Resolved("static", (DEV,), mfa_serial="arn:aws:iam::111111111111:mfa/${AWSIAMUSER}", key="AKIDTEST1"),
    ),
    Case(
        "mfa-process-of-the-role",
        "aws-vault vault/config_mfa_process_test.go",
        f"{ROLE_OF_BASE}mfa_serial = {DEVICE}\nmfa_process = acme-otp 'AWS Login'\n",
        BASE,
        expected=Resolved("static", (DEV,), mfa_serial=DEVICE, key="AKIDTEST1"),
    ),
    Case(
        "mfa-process-of-the-source",
        "aws-vault vault/config_mfa_process_test.go",
        f"{ROLE_OF_BASE}mfa_serial = {DEVICE}\n[profile base]\nmfa_serial = {DEVICE}\nmfa_process = acme-otp\n",
        BASE,
        expected=Resolved("static", (DEV,), mfa_serial=DEVICE, key="AKIDTEST1"),
    ),
)

SSO_PROFILES = (
    Case(
        "sso-of-old",
        UNIT,
        f"[profile work]\nregion = eu-west-3\n{SSO}",
        expected=Resolved("sso", region="eu-west-3"),
    ),
    Case("sso-session", FUNCTIONAL, f"[profile work]\n{SSO_SESSION}{ACME}", expected=Resolved("sso")),
    Case(
        "sso-session-with-scopes",
        CLI,
        f"[profile work]\n{SSO_SESSION}{ACME}sso_registration_scopes = sso:account:access, codewhisperer:completions\n",
        expected=Resolved("sso"),
    ),
    Case(
        "sso-session-before-the-profile",
        VAULT_CONFIG,
        f"{ACME}[profile work]\nregion = eu-west-3\n{SSO_SESSION}",
        expected=Resolved("sso", region="eu-west-3"),
    ),
    Case(
        "sso-session-with-a-name-of-two-words",
        CLI,
        f"[profile work]\nsso_session = acme inc\nsso_account_id = 222222222222\nsso_role_name = Reader\n"
        f'[sso-session "acme inc"]\nsso_start_url = {START_URL}\nsso_region = eu-west-1\n',
        expected=Resolved("sso"),
    ),
    Case(
        "sso-region-is-not-the-region",
        VAULT_CONFIG,
        f"[profile work]\n{SSO_SESSION}{ACME}",
        environ={"AWS_REGION": "eu-west-3"},
        expected=Resolved("sso", region="eu-west-3"),
        botocore="does not know AWS_REGION; version 2 of the AWS CLI does",
    ),
    Case(
        "sso-session-repeated-in-the-profile",
        FUNCTIONAL,
        f"[profile work]\n{SSO_SESSION}sso_start_url = {START_URL}\nsso_region = eu-west-1\n{ACME}",
        expected=Resolved("sso"),
    ),
    # aws-vault lets the session's URL win.
    Case(
        "sso-session-with-another-start-url",
        FUNCTIONAL,
        f"[profile work]\n{SSO_SESSION}sso_start_url = https://other.awsapps.com/start\n{ACME}",
        expected=Refused("sso-inconsistent", ("sso_start_url",)),
    ),
    Case(
        "sso-session-with-a-slash-more",
        VAULT_CONFIG,
        f"[profile work]\n{SSO_SESSION}sso_start_url = {START_URL}/\n{ACME}",
        expected=Refused("sso-inconsistent", ("sso_start_url",)),
    ),
    Case(
        "sso-session-with-another-region",
        UNIT,
        f"[profile work]\n{SSO_SESSION}sso_region = us-east-1\n{ACME}",
        expected=Refused("sso-inconsistent", ("sso_region",)),
    ),
    Case(
        "sso-session-that-does-not-exist",
        FUNCTIONAL,
        f"[profile work]\n{SSO_SESSION}",
        expected=Refused("sso-session-missing", ("acme",)),
    ),
    Case(
        "sso-session-in-the-credentials-file",
        CLI,
        f"[profile work]\n{SSO_SESSION}",
        ACME,
        expected=Refused("sso-session-missing", ("acme",)),
    ),
    Case(
        "sso-session-in-another-case",
        CLI,
        f"[profile work]\n{SSO_SESSION.replace('acme', 'Acme')}{ACME}",
        expected=Refused("sso-session-missing", ("Acme",)),
    ),
    Case(
        "sso-session-without-a-name",
        CLI,
        f"[profile work]\n{SSO_SESSION.replace('acme', '')}{ACME}",
        expected=Refused("sso-session-missing"),
    ),
    Case(
        "sso-session-without-start-url",
        CLI,
        f"[profile work]\n{SSO_SESSION}[sso-session acme]\nsso_region = eu-west-1\n",
        expected=Refused("sso-incomplete", ("work", "sso_start_url")),
    ),
    Case(
        "sso-session-without-region",
        CLI,
        f"[profile work]\n{SSO_SESSION}[sso-session acme]\nsso_start_url = {START_URL}\n",
        expected=Refused("sso-incomplete", ("work", "sso_region")),
    ),
    Case(
        "sso-of-old-without-region",
        UNIT,
        f"[profile work]\n{SSO.replace('sso_region = eu-west-1', 'region = eu-west-1')}",
        expected=Refused("sso-incomplete", ("work", "sso_region")),
    ),
    Case(
        "sso-without-role-name",
        UNIT,
        f"[profile work]\nsso_session = acme\nsso_account_id = 222222222222\n{ACME}",
        expected=Refused("sso-incomplete", ("work", "sso_role_name")),
    ),
    Case(
        "sso-without-account",
        UNIT,
        f"[profile work]\nsso_session = acme\nsso_role_name = Reader\n{ACME}",
        expected=Refused("sso-incomplete", ("work", "sso_account_id")),
    ),
    # For services that take the token itself, such as CodeCatalyst. It gives no credentials.
    Case("sso-session-alone", LOADER, f"[profile work]\nsso_session = acme\n{ACME}", expected=Resolved("attached")),
    Case(
        "sso-session-alone-and-keys",
        CLI,
        f"[profile work]\nsso_session = acme\n{ACME}",
        WORK,
        expected=Resolved("static", key="AKIDTEST1"),
    ),
    Case(
        "sso-start-url-alone",
        VAULT_CONFIG,
        f"[profile work]\nsso_start_url = {START_URL}\nsso_region = eu-west-1\n",
        expected=Resolved("attached"),
    ),
    Case("sso-before-keys-of-the-config-file", CLI, f"[profile work]\n{SSO}{KEYS}", expected=Resolved("sso")),
    Case("sso-before-keys-of-the-credentials-file", CLI, f"[profile work]\n{SSO}", WORK, expected=Resolved("sso")),
    Case(
        "sso-before-process",
        UNIT,
        f"[profile work]\ncredential_process = acme-login\n{SSO}",
        expected=Resolved("sso"),
    ),
    Case("sso-and-role-without-source", GRANTED, ROLE + SSO, expected=Refused("no-source", ("work",))),
    Case(
        "role-of-sso",
        FUNCTIONAL,
        f"{ROLE}source_profile = people\nregion = eu-west-3\n[profile people]\n{SSO_SESSION}{ACME}",
        expected=Resolved("sso", (DEV,), region="eu-west-3"),
    ),
    Case(
        "role-of-sso-of-old",
        FUNCTIONAL,
        f"{ROLE}source_profile = people\n[profile people]\n{SSO}",
        expected=Resolved("sso", (DEV,)),
    ),
    Case(
        "role-of-sso-with-device",
        GRANTED,
        f"{ROLE}source_profile = people\nmfa_serial = {DEVICE}\n[profile people]\n{SSO}",
        expected=Resolved("sso", (DEV,), mfa_serial=DEVICE),
    ),
    Case(
        "role-of-sso-whose-session-is-missing",
        FUNCTIONAL,
        f"{ROLE}source_profile = people\n[profile people]\n{SSO_SESSION}",
        expected=Refused("sso-session-missing", ("acme",)),
    ),
    # yawsso issue 73: half of a profile is a profile that is not whole, as a source too.
    Case(
        "role-of-half-an-sso-profile",
        CLI,
        f"{ROLE}source_profile = default\n[default]\nsso_account_id = 111111111111\n",
        expected=Refused("sso-incomplete", ("default",)),
    ),
    Case(
        "sso-account-with-leading-zeros",
        CLI,
        f"[profile work]\nsso_session = acme\nsso_account_id = 000000000012\nsso_role_name = Reader\n{ACME}",
        expected=Resolved("sso"),
    ),
    Case(
        "sso-start-url-with-a-fragment",
        "aws-vault cli/global_test.go",
        f"[profile work]\n{SSO_SESSION}[sso-session acme]\nsso_start_url = {START_URL}#/\nsso_region = eu-west-1\n",
        expected=Resolved("sso"),
    ),
    # aws-vault would sign in as [default] here, and did so for profiles that do not exist.
    Case(
        "sso-of-default-is-not-inherited",
        "aws-vault cli/global_test.go",
        f"[default]\n{SSO_SESSION}{ACME}[profile work]\nregion = eu-west-3\n",
        expected=Resolved("attached", region="eu-west-3"),
    ),
    Case(
        "profile-that-does-not-exist-beside-default",
        "aws-vault cli/global_test.go",
        f"[default]\n{SSO_SESSION}{ACME}",
        expected=Refused("profile-not-found", ("work",)),
    ),
)

WEB_IDENTITIES = (
    Case("web-identity", FUNCTIONAL, ROLE + WEB_IDENTITY, expected=Resolved("web-identity")),
    Case(
        "web-identity-with-session-name",
        UNIT,
        f"{ROLE}{WEB_IDENTITY}role_session_name = jo\nregion = eu-west-1\n",
        expected=Resolved("web-identity", region="eu-west-1"),
    ),
    # It is opened from wherever the command runs, and nothing in it is expanded.
    Case(
        "web-identity-with-a-relative-path",
        FUNCTIONAL,
        f"{ROLE}web_identity_token_file = run/token\n",
        expected=Resolved("web-identity"),
    ),
    Case(
        "role-of-web-identity",
        FUNCTIONAL,
        f"{ROLE}source_profile = pod\n[profile pod]\nrole_arn = {ADMIN}\n{WEB_IDENTITY}",
        expected=Resolved("web-identity", (DEV,)),
    ),
    Case(
        "web-identity-before-source-profile",
        FUNCTIONAL,
        ROLE_OF_BASE + WEB_IDENTITY,
        BASE,
        expected=Resolved("web-identity"),
    ),
    Case("web-identity-before-keys", UNIT, ROLE + WEB_IDENTITY, WORK, expected=Resolved("web-identity")),
    Case("web-identity-before-sso", UNIT, ROLE + WEB_IDENTITY + SSO, expected=Resolved("web-identity")),
    Case(
        "web-identity-without-role",
        UNIT,
        f"[profile work]\n{WEB_IDENTITY}",
        expected=Refused("web-identity-without-role"),
    ),
    Case(
        "web-identity-with-the-role-in-the-environment",
        FUNCTIONAL,
        f"[profile work]\n{WEB_IDENTITY}",
        environ={"AWS_ROLE_ARN": DEV},
        expected=Refused("web-identity-without-role"),
    ),
    Case(
        "source-is-web-identity-with-the-role-in-the-environment",
        FUNCTIONAL,
        f"{ROLE}source_profile = pod\n[profile pod]\n{WEB_IDENTITY}",
        environ={"AWS_ROLE_ARN": ADMIN},
        expected=Refused("web-identity-without-role"),
    ),
    Case(
        "web-identity-of-the-environment-is-not-the-profiles",
        FUNCTIONAL,
        "[profile work]\nregion = eu-west-1\n",
        environ={"AWS_ROLE_ARN": DEV, "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/acme/token"},
        expected=Resolved("attached", region="eu-west-1"),
    ),
    Case(
        "web-identity-of-the-profile-before-the-environments",
        FUNCTIONAL,
        ROLE + WEB_IDENTITY,
        environ={"AWS_ROLE_ARN": ADMIN, "AWS_WEB_IDENTITY_TOKEN_FILE": "/elsewhere"},
        expected=Resolved("web-identity"),
    ),
    # The key keeps the role from being assumed, and its emptiness the web identity.
    Case(
        "web-identity-with-an-empty-path",
        UNIT,
        f"{ROLE_OF_BASE}web_identity_token_file =\n",
        BASE,
        expected=Resolved("attached"),
    ),
    Case(
        "web-identity-with-an-empty-path-and-keys",
        UNIT,
        f"{ROLE}web_identity_token_file =\n",
        WORK,
        expected=Resolved("static", key="AKIDTEST1"),
    ),
    # aws-vault's own key; nobody else runs it.
    Case(
        "web-identity-of-a-process",
        VAULT_CHAIN,
        f"{ROLE}web_identity_token_process = acme-oidc raw\n",
        expected=Refused("no-source", ("work",)),
    ),
)

PROCESSES = (
    Case(
        "process",
        FUNCTIONAL,
        "[profile work]\ncredential_process = acme-login --as dev\nregion = eu-west-1\n",
        expected=Resolved("process", region="eu-west-1"),
    ),
    Case(
        "process-with-quotes",
        UNIT,
        '[profile work]\ncredential_process = "/opt/acme login/bin" --as \'one two\' --note "a # b"\n',
        expected=Resolved("process"),
    ),
    Case(
        "role-of-process",
        FUNCTIONAL,
        f"{ROLE_OF_BASE}[profile base]\ncredential_process = acme-login\n",
        expected=Resolved("process", (DEV,)),
    ),
    # aws-cli issue 3624.
    Case(
        "role-of-the-process-of-default",
        CLI,
        f"{ROLE}source_profile = default\n[default]\ncredential_process = acme-login\n",
        expected=Resolved("process", (DEV,)),
    ),
    Case(
        "process-before-keys-of-the-config-file",
        UNIT,
        f"[profile work]\n{KEYS}credential_process = acme-login\n",
        expected=Resolved("process"),
    ),
    Case(
        "process-after-keys-of-the-credentials-file",
        SAML2AWS,
        "[profile work]\ncredential_process = saml2aws login --credential-process --profile work\n",
        WORK,
        expected=Resolved("static", key="AKIDTEST1"),
    ),
    Case(
        "source-with-process-and-keys-of-the-config-file",
        UNIT,
        f"{ROLE_OF_BASE}[profile base]\n{KEYS}credential_process = acme-login\n",
        expected=Resolved("process", (DEV,)),
    ),
    Case(
        "source-with-process-and-keys-of-the-credentials-file",
        UNIT,
        f"{ROLE_OF_BASE}[profile base]\ncredential_process = acme-login\n",
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    Case(
        "process-and-a-secret-alone",
        UNIT,
        "[profile work]\ncredential_process = acme-login\naws_secret_access_key = SENTINEL-SECRET-1\n",
        expected=Resolved("process"),
    ),
    # awsume and granted run the process and leave the role.
    Case(
        "process-and-role-without-source",
        AWSUME_PLUGINS,
        f"{ROLE}credential_process = acme-login\n",
        expected=Refused("no-source", ("work",)),
    ),
    Case(
        "process-on-several-lines",
        UNIT,
        "[profile work]\ncredential_process = acme-login\n  --as dev\n",
        expected=Resolved("process"),
    ),
    Case(
        "process-with-an-indented-setting",
        UNIT,
        "[profile work]\ncredential_process = acme-login\n  aws_secret_access_key = SENTINEL-SECRET-1\n",
        expected=Refused("several-lines", ("work", "credential_process")),
        botocore="runs it, with the setting for arguments",
    ),
    Case(
        "process-with-an-account",
        UNIT,
        "[profile work]\ncredential_process = acme-login\naws_account_id = 222222222222\n",
        expected=Resolved("process"),
    ),
    Case(
        "login-session",
        UNIT,
        "[profile work]\nlogin_session = arn:aws:iam::222222222222:user/jo\nregion = eu-west-1\n",
        expected=Resolved("login", region="eu-west-1"),
    ),
    Case(
        "login-session-before-process",
        UNIT,
        "[profile work]\nlogin_session = arn:aws:iam::222222222222:user/jo\ncredential_process = acme-login\n",
        expected=Resolved("login"),
    ),
    Case(
        "login-session-before-keys-of-the-config-file",
        UNIT,
        f"[profile work]\nlogin_session = arn:aws:iam::222222222222:user/jo\n{KEYS}",
        expected=Resolved("login"),
    ),
    Case(
        "login-session-after-keys-of-the-credentials-file",
        UNIT,
        "[profile work]\nlogin_session = arn:aws:iam::222222222222:user/jo\n",
        WORK,
        expected=Resolved("static", key="AKIDTEST1"),
    ),
    Case(
        "login-session-after-sso",
        UNIT,
        f"[profile work]\nlogin_session = arn:aws:iam::222222222222:user/jo\n{SSO}",
        expected=Resolved("sso"),
    ),
    Case(
        "role-of-login-session",
        UNIT,
        f"{ROLE_OF_BASE}[profile base]\nlogin_session = arn:aws:iam::111111111111:user/jo\n",
        expected=Resolved("login", (DEV,)),
    ),
)

DURATIONS = (
    Case(
        "duration-of-an-hour",
        UNIT,
        f"{ROLE_OF_BASE}duration_seconds = 3600\n",
        BASE,
        expected=Resolved("static", (DEV,), duration=3600, key="AKIDTEST1"),
    ),
    Case(
        "duration-of-half-a-day",
        AWSUME_PLUGINS,
        f"{ROLE_OF_BASE}duration_seconds = 43200\nmfa_serial = {DEVICE}\n",
        BASE,
        expected=Resolved("static", (DEV,), mfa_serial=DEVICE, duration=43200, key="AKIDTEST1"),
    ),
    Case(
        "duration-with-a-unit",
        UNIT,
        f"{ROLE_OF_BASE}duration_seconds = 12h\n",
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    Case(
        "duration-with-a-fraction",
        UNIT,
        f"{ROLE_OF_BASE}duration_seconds = 3600.0\n",
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    Case(
        "duration-with-a-comment",
        VAULT_CONFIG,
        f"{ROLE_OF_BASE}duration_seconds = 3600 # an hour\n",
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    Case(
        "duration-without-a-value",
        UNIT,
        f"{ROLE_OF_BASE}duration_seconds =\n",
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    # What Python takes for a number.
    Case(
        "duration-with-an-underscore",
        UNIT,
        f"{ROLE_OF_BASE}duration_seconds = 43_200\n",
        BASE,
        expected=Resolved("static", (DEV,), duration=43200, key="AKIDTEST1"),
    ),
    Case(
        "duration-of-nothing",
        AWSUME_PLUGINS,
        f"{ROLE_OF_BASE}duration_seconds = 0\n",
        BASE,
        expected=Refused("duration-out-of-range", ("work", "duration_seconds")),
        botocore="sends it, and STS refuses",
    ),
    Case(
        "duration-too-short",
        AWSUME_PLUGINS,
        f"{ROLE_OF_BASE}duration_seconds = 60\n",
        BASE,
        expected=Refused("duration-out-of-range", ("work", "duration_seconds")),
        botocore="sends it, and STS refuses",
    ),
    Case(
        "duration-too-long",
        AWSUME_PLUGINS,
        f"{ROLE_OF_BASE}duration_seconds = 43201\n",
        BASE,
        expected=Refused("duration-out-of-range", ("work", "duration_seconds")),
        botocore="sends it, and STS refuses",
    ),
    Case(
        "duration-below-nothing",
        UNIT,
        f"{ROLE_OF_BASE}duration_seconds = -3600\n",
        BASE,
        expected=Refused("duration-out-of-range", ("work", "duration_seconds")),
        botocore="sends it, and STS refuses",
    ),
    Case(
        "duration-of-several-lines",
        UNIT,
        f"{ROLE_OF_BASE}duration_seconds =\n  seconds = 3600\n",
        BASE,
        expected=Refused("several-lines", ("work", "duration_seconds")),
        botocore="fails with a TypeError",
    ),
    Case(
        "duration-of-the-source-is-not-inherited",
        VAULT_CHAIN,
        f"{ROLE_OF_BASE}[profile base]\nduration_seconds = 7200\n",
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    Case(
        "duration-of-each-role",
        VAULT_CHAIN,
        f"{ROLE}source_profile = hub\nduration_seconds = 1800\n"
        f"[profile hub]\nrole_arn = {ADMIN}\nsource_profile = base\nduration_seconds = 7200\n",
        BASE,
        expected=Resolved("static", (ADMIN, DEV), duration=1800, key="AKIDTEST1"),
    ),
    Case(
        "duration-of-another-role",
        VAULT_CHAIN,
        f"{ROLE}source_profile = hub\n"
        f"[profile hub]\nrole_arn = {ADMIN}\nsource_profile = base\nduration_seconds = 7200\n",
        BASE,
        expected=Resolved("static", (ADMIN, DEV), key="AKIDTEST1"),
    ),
)

REGIONS = (
    Case(
        "region-of-the-role",
        AWSUME,
        f"{ROLE_OF_BASE}region = eu-west-1\n[profile base]\nregion = eu-west-3\n",
        BASE,
        expected=Resolved("static", (DEV,), region="eu-west-1", key="AKIDTEST1"),
    ),
    # awsume inherits the region of the source, then of [default].
    Case(
        "region-of-the-source-is-not-inherited",
        AWSUME,
        f"{ROLE_OF_BASE}[profile base]\nregion = eu-west-3\n",
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    Case(
        "region-of-default-is-not-inherited",
        AWSUME,
        f"[default]\nregion = eu-west-3\n{ROLE_OF_BASE}",
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    # saml2aws writes a region beside the keys. awsume lets the config file win.
    Case(
        "region-of-the-credentials-file-wins",
        SAML2AWS,
        "[profile work]\nregion = eu-west-1\n",
        f"{WORK}region = eu-west-3\n",
        expected=Resolved("static", region="eu-west-3", key="AKIDTEST1"),
    ),
    Case(
        "region-of-the-environment",
        CLI,
        "[profile work]\nregion = eu-west-1\n",
        WORK,
        environ={"AWS_REGION": "eu-west-3"},
        expected=Resolved("static", region="eu-west-3", key="AKIDTEST1"),
        botocore="does not know AWS_REGION; version 2 of the AWS CLI does",
    ),
    Case(
        "default-region-of-the-environment",
        CLI,
        "[profile work]\nregion = eu-west-1\n",
        WORK,
        environ={"AWS_DEFAULT_REGION": "eu-west-3"},
        expected=Resolved("static", region="eu-west-3", key="AKIDTEST1"),
    ),
    Case(
        "both-regions-of-the-environment",
        VAULT_CONFIG,
        "",
        WORK,
        environ={"AWS_REGION": "eu-west-3", "AWS_DEFAULT_REGION": "eu-west-2"},
        expected=Resolved("static", region="eu-west-3", key="AKIDTEST1"),
        botocore="does not know AWS_REGION; version 2 of the AWS CLI does",
    ),
    Case(
        "region-without-a-value",
        AWSUME,
        f"{ROLE_OF_BASE}region =\n",
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
)

FILE_FORMATS = (
    Case(
        "line-ends-of-windows",
        "botocore configparser",
        f"{ROLE_OF_BASE}region = eu-west-1\n".replace("\n", "\r\n"),
        BASE.replace("\n", "\r\n"),
        expected=Resolved("static", (DEV,), region="eu-west-1", key="AKIDTEST1"),
    ),
    Case(
        "line-ends-of-old-macs",
        "botocore configparser",
        f"{ROLE_OF_BASE}region = eu-west-1\n".replace("\n", "\r"),
        BASE,
        expected=Resolved("static", (DEV,), region="eu-west-1", key="AKIDTEST1"),
    ),
    Case("mark-of-notepad", "botocore configparser", f"\ufeff{ROLE_OF_BASE}", BASE, expected=Refused("unparsable")),
    Case(
        "mark-of-notepad-in-the-credentials-file",
        "botocore configparser",
        ROLE_OF_BASE,
        f"\ufeff{BASE}",
        expected=Refused("unparsable"),
    ),
    Case(
        "comments-on-lines-of-their-own",
        GRANTED_MERGE,
        f"# people\n; and machines\n[profile work]\n  # indented\nrole_arn = {DEV}\n#region = eu-west-3\n"
        "source_profile = base\nregion = eu-west-1\n",
        BASE,
        expected=Resolved("static", (DEV,), region="eu-west-1", key="AKIDTEST1"),
    ),
    # aws-vault cuts it off. To botocore it is part of the value.
    Case(
        "comment-after-a-value",
        VAULT_CONFIG,
        f"{ROLE_OF_BASE}region = eu-west-1 # Ireland\n",
        BASE,
        expected=Resolved("static", (DEV,), region="eu-west-1 # Ireland", key="AKIDTEST1"),
    ),
    Case(
        "comment-after-a-source",
        VAULT_CONFIG,
        f"{ROLE}source_profile = base ; the user\n",
        BASE,
        expected=Refused("source-profile-missing", ("work", "base ; the user")),
    ),
    Case(
        "value-in-quotes",
        "botocore configparser",
        f'{ROLE_OF_BASE}region = "eu-west-1"\n',
        BASE,
        expected=Resolved("static", (DEV,), region='"eu-west-1"', key="AKIDTEST1"),
    ),
    Case(
        "colons-for-equals-signs",
        "botocore configparser",
        f"[profile work]\nrole_arn: {DEV}\nsource_profile: base\nregion: eu-west-1\n",
        BASE,
        expected=Resolved("static", (DEV,), region="eu-west-1", key="AKIDTEST1"),
    ),
    Case(
        "no-spaces-around-equals-signs",
        VAULT_CONFIG,
        f"[profile work]\nrole_arn={DEV}\nsource_profile=base\nregion=eu-west-1\n",
        BASE,
        expected=Resolved("static", (DEV,), region="eu-west-1", key="AKIDTEST1"),
    ),
    Case(
        "keys-in-upper-case",
        VAULT_CONFIG,
        f"[profile work]\nRole_Arn = {DEV}\nSOURCE_PROFILE = base\nREGION = eu-west-1\nmfa_Serial = {DEVICE}\n",
        BASE,
        expected=Resolved("static", (DEV,), mfa_serial=DEVICE, region="eu-west-1", key="AKIDTEST1"),
    ),
    Case(
        "percent-sign",
        "botocore configparser",
        f"{ROLE_OF_BASE}region = %(home)s\n",
        BASE,
        expected=Resolved("static", (DEV,), region="%(home)s", key="AKIDTEST1"),
    ),
    Case("key-without-equals-sign", LOADER, f"{ROLE_OF_BASE}region\n", BASE, expected=Refused("unparsable")),
    Case("key-before-any-section", LOADER, f"region = eu-west-1\n{ROLE_OF_BASE}", BASE, expected=Refused("unparsable")),
    Case(
        "credentials-of-the-first-tools",
        LOADER,
        ROLE_OF_BASE,
        "AWSAccessKeyId=AKIDTEST1\nAWSSecretKey=SENTINEL-SECRET-1\n",
        expected=Refused("unparsable"),
    ),
    Case(
        "key-twice",
        "botocore configparser",
        f"{ROLE_OF_BASE}region = eu-west-1\nregion = eu-west-3\n",
        BASE,
        expected=Refused("unparsable"),
    ),
    Case(
        "key-twice-in-two-cases",
        "botocore configparser",
        f"{ROLE_OF_BASE}region = eu-west-1\nREGION = eu-west-1\n",
        BASE,
        expected=Refused("unparsable"),
    ),
    Case(
        "section-twice",
        GRANTED_MERGE,
        f"{ROLE_OF_BASE}[profile work]\nregion = eu-west-1\n",
        BASE,
        expected=Refused("unparsable"),
    ),
    # To the parser these are two sections, to botocore one profile: the later one takes its place.
    Case(
        "section-twice-in-two-spellings",
        "botocore configparser",
        f"{ROLE_OF_BASE}[profile  work]\nregion = eu-west-1\n",
        BASE,
        expected=Resolved("attached", region="eu-west-1"),
    ),
    Case(
        "section-twice-with-quotes",
        "botocore configparser",
        f'[profile "work"]\nregion = eu-west-1\n{ROLE_OF_BASE}',
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    Case(
        "settings-of-s3",
        LOADER,
        f"{ROLE_OF_BASE}s3 =\n  max_concurrent_requests = 20\n  addressing_style = path\nregion = eu-west-1\n",
        BASE,
        expected=Resolved("static", (DEV,), region="eu-west-1", key="AKIDTEST1"),
    ),
    Case(
        "settings-of-s3-that-are-none",
        LOADER,
        f"{ROLE_OF_BASE}s3 =\n  addressing_style @ path\n",
        BASE,
        expected=Refused("unparsable"),
    ),
    Case(
        "section-indented-as-a-whole",
        "botocore configparser",
        f"[profile work]\n    role_arn = {DEV}\n    source_profile = base\n    region = eu-west-1\n",
        BASE,
        expected=Resolved("static", (DEV,), region="eu-west-1", key="AKIDTEST1"),
    ),
    # The line below belongs to the value above.
    Case(
        "key-indented",
        "botocore configparser",
        "[profile work]\nregion = eu-west-1\n  aws_access_key_id = AKIDTEST1\n",
        expected=Refused("several-lines", ("work", "region")),
        botocore="takes the key id for a part of the region, and asks the machine for credentials",
    ),
    Case(
        "role-of-several-lines",
        "botocore configparser",
        f"[profile work]\nrole_arn =\n  arn = {DEV}\nsource_profile = base\n",
        BASE,
        expected=Refused("several-lines", ("work", "role_arn")),
        botocore="sends a structure for an ARN, and refuses it itself",
    ),
    Case(
        "sections-of-other-tools",
        LOADER,
        f"[preview]\ncloudfront = true\n[plugins]\nacme = acme_plugin\n[toplevel]\n{ROLE_OF_BASE}",
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    Case(
        "services-of-a-profile",
        LOADER,
        f"{ROLE_OF_BASE}services = local\n[services local]\nsts =\n  endpoint_url = http://127.0.0.1:1\n",
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    Case(
        "endpoint-of-a-profile",
        VAULT_CONFIG,
        f"{ROLE_OF_BASE}endpoint_url = https://localhost:1234\nsts_regional_endpoints = legacy\n",
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    Case("no-files", AWSUME_FILES, "", expected=Refused("profile-not-found", ("work",))),
    Case(
        "no-files-and-default",
        SESSION,
        "",
        profile="default",
        expected=Resolved("attached"),
        botocore="finds no profile default where it is asked for by name, and needs none where it is not",
    ),
    # Python's parser gives what stands in [DEFAULT] to every section of the same file.
    Case(
        "section-of-pythons-defaults",
        VAULT_CONFIG,
        f"[DEFAULT]\nregion = eu-west-1\nmfa_serial = {DEVICE}\n{ROLE_OF_BASE}[default]\nregion = eu-west-3\n",
        BASE,
        expected=Resolved("static", (DEV,), mfa_serial=DEVICE, region="eu-west-1", key="AKIDTEST1"),
    ),
    Case(
        "section-of-pythons-defaults-with-keys",
        AWS_MFA,
        ROLE_OF_BASE,
        f"[DEFAULT]\n{OTHER_KEYS}[base]\nregion = eu-west-1\n",
        expected=Resolved("static", (DEV,), key="AKIDTEST2"),
    ),
    Case(
        "default-after-profile-default",
        LOADER,
        f"[profile default]\n{KEYS}region = eu-west-1\n[default]\nregion = eu-west-3\n",
        profile="default",
        expected=Resolved("attached", region="eu-west-3"),
    ),
    Case(
        "profile-default-after-default",
        LOADER,
        f"[default]\nregion = eu-west-3\n[profile default]\n{KEYS}region = eu-west-1\n",
        profile="default",
        expected=Resolved("static", region="eu-west-1", key="AKIDTEST1"),
    ),
    # aws-vault issue 525.
    Case(
        "profile-default-as-source",
        VAULT_CHAIN,
        f"[profile default]\nmfa_serial = {DEVICE}\n{ROLE}source_profile = default\nmfa_serial = {DEVICE}\n",
        f"[default]\n{KEYS}",
        expected=Resolved("static", (DEV,), mfa_serial=DEVICE, key="AKIDTEST1"),
    ),
)

NAMES = (
    Case("name-in-quotes", LOADER, f'[profile "work"]\n{KEYS}', expected=Resolved("static", key="AKIDTEST1")),
    Case(
        "name-of-two-words",
        LOADER,
        f'[profile "my work"]\n{KEYS}',
        profile="my work",
        expected=Resolved("static", key="AKIDTEST1"),
    ),
    Case(
        "name-of-two-words-with-a-backslash",
        LOADER,
        f"[profile my\\ work]\n{KEYS}",
        profile="my work",
        expected=Resolved("static", key="AKIDTEST1"),
    ),
    Case(
        "name-of-two-words-without-quotes",
        LOADER,
        f"[profile my work]\n{KEYS}",
        profile="my work",
        expected=Refused("profile-not-found", ("my work",)),
    ),
    Case(
        "name-of-two-words-in-the-credentials-file",
        LOADER,
        "",
        f"[my work]\n{KEYS}",
        profile="my work",
        expected=Resolved("static", key="AKIDTEST1"),
    ),
    Case(
        "name-in-quotes-in-the-credentials-file",
        LOADER,
        "",
        f'["work"]\n{KEYS}',
        expected=Refused("profile-not-found", ("work",)),
    ),
    Case(
        "two-names-in-quotes",
        LOADER,
        f'[profile "work" "other"]\n{KEYS}',
        expected=Refused("profile-not-found", ("work",)),
    ),
    Case(
        "name-without-its-last-quote",
        LOADER,
        f'[profile "work]\n{KEYS}',
        expected=Refused("profile-not-found", ("work",)),
    ),
    Case(
        "name-with-an-apostrophe",
        LOADER,
        f"[profile jo's]\n{KEYS}",
        profile="jo's",
        expected=Refused("profile-not-found", ("jo's",)),
    ),
    Case(
        "name-with-an-apostrophe-in-quotes",
        LOADER,
        f'[profile "jo\'s"]\n{KEYS}',
        profile="jo's",
        expected=Resolved("static", key="AKIDTEST1"),
    ),
    Case("name-after-two-spaces", LOADER, f"[profile   work]\n{KEYS}", expected=Resolved("static", key="AKIDTEST1")),
    Case("name-after-a-tab", LOADER, f"[profile\twork]\n{KEYS}", expected=Resolved("static", key="AKIDTEST1")),
    Case(
        "header-with-space-inside",
        LOADER,
        f"[ profile work ]\n{KEYS}",
        expected=Refused("profile-not-found", ("work",)),
    ),
    Case("header-without-space", LOADER, f"[profilework]\n{KEYS}", expected=Refused("profile-not-found", ("work",))),
    Case("header-in-upper-case", LOADER, f"[Profile work]\n{KEYS}", expected=Refused("profile-not-found", ("work",))),
    # botocore looks only at how it begins.
    Case("header-in-the-plural", LOADER, f"[profiles work]\n{KEYS}", expected=Resolved("static", key="AKIDTEST1")),
    Case(
        "header-of-the-credentials-file-in-the-config-file",
        AWSUME_FILES,
        f"[work]\n{KEYS}",
        expected=Refused("profile-not-found", ("work",)),
    ),
    Case(
        "header-of-the-config-file-in-the-credentials-file",
        AWSUME_FILES,
        "",
        f"[profile work]\n{KEYS}",
        expected=Refused("profile-not-found", ("work",)),
    ),
    Case(
        "header-of-the-config-file-in-the-credentials-file-by-its-name",
        AWSUME_FILES,
        "",
        f"[profile work]\n{KEYS}",
        profile="profile work",
        expected=Resolved("static", key="AKIDTEST1"),
    ),
    Case("name-in-another-case", VAULT_CONFIG, f"[profile Work]\n{KEYS}", expected=Refused("profile-not-found")),
    Case(
        "default-in-another-case",
        VAULT_CONFIG,
        f"[Default]\n{KEYS}",
        profile="Default",
        expected=Refused("profile-not-found", ("Default",)),
    ),
    Case(
        "name-with-umlaut",
        LOADER,
        f"[profile büro]\n{KEYS}",
        profile="büro",
        expected=Resolved("static", key="AKIDTEST1"),
    ),
    Case(
        "name-in-another-script",
        LOADER,
        f"[profile 仕事]\n{ROLE_OF_BASE.partition(chr(10))[2]}",
        BASE,
        profile="仕事",
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    # aws-sso-cli's default format.
    Case(
        "name-with-colons-and-slashes",
        SSO_CLI,
        '[profile 222222222222:team/Reader]\ncredential_process = /opt/aws-sso -S "Default" process --arn x\n',
        profile="222222222222:team/Reader",
        expected=Resolved("process"),
    ),
    # aws-vault's parser would have it inherit from [profile acme].
    Case(
        "name-with-a-dot",
        "go-ini section.go",
        f"[profile acme]\nmfa_serial = {DEVICE}\n[profile acme.dev]\nrole_arn = {DEV}\nsource_profile = base\n",
        BASE,
        profile="acme.dev",
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    Case(
        "name-with-a-number-sign",
        GRANTED,
        f"[profile work#1]\n{KEYS}",
        profile="work#1",
        expected=Resolved("static", key="AKIDTEST1"),
    ),
    Case(
        "name-of-digits",
        GRANTED,
        f"[profile 222222222222]\n{KEYS}",
        profile="222222222222",
        expected=Resolved("static", key="AKIDTEST1"),
    ),
    Case(
        "name-with-a-comma",
        CLI,
        f"[profile work,dev]\n{KEYS}",
        profile="work,dev",
        expected=Resolved("static", key="AKIDTEST1"),
    ),
    Case(
        "source-with-a-name-of-two-words",
        LOADER,
        f'{ROLE}source_profile = my base\n[profile "my base"]\n{KEYS}',
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    # The value of source_profile is no header: nothing takes its quotes off.
    Case(
        "source-in-quotes",
        LOADER,
        f'{ROLE}source_profile = "base"\n',
        BASE,
        expected=Refused("source-profile-missing", ("work",)),
    ),
)

OTHER_TOOLS = (
    Case(
        "session-of-saml2aws",
        SAML2AWS,
        "[profile saml]\nregion = eu-west-1\n",
        f"[saml]\n{KEYS}{TOKEN}{SECURITY_TOKEN}x_principal_arn = arn:aws:sts::222222222222:assumed-role/dev/jo\n"
        "x_security_token_expires = 2001-01-01T12:00:00+01:00\n",
        profile="saml",
        expected=Resolved("stored-session", region="eu-west-1", key="AKIDTEST1"),
    ),
    Case(
        "role-of-a-session-of-saml2aws",
        SAML2AWS,
        f"{ROLE}source_profile = saml\n",
        f"[saml]\n{KEYS}{TOKEN}x_security_token_expires = 2001-01-01T12:00:00+01:00\n",
        expected=Resolved("stored-session", (DEV,), key="AKIDTEST1"),
    ),
    Case(
        "stale-session-before-saml2aws",
        SAML2AWS,
        "[profile work]\ncredential_process = saml2aws login --credential-process --role dev --profile work\n",
        f"{WORK}{TOKEN}x_security_token_expires = 2001-01-01T12:00:00Z\n",
        expected=Resolved("stored-session", key="AKIDTEST1"),
    ),
    Case(
        "session-of-aws-mfa",
        AWS_MFA,
        "",
        f"[work-long-term]\n{OTHER_KEYS}aws_mfa_device = {DEVICE}\n"
        f"{WORK}{TOKEN}{SECURITY_TOKEN}assumed_role = False\nexpiration = 2001-01-01 12:00:00\n",
        expected=Resolved("stored-session", key="AKIDTEST1"),
    ),
    # Its device has another name, which means nothing to anybody else.
    Case(
        "key-of-aws-mfa",
        AWS_MFA,
        "",
        f"[work-long-term]\n{KEYS}aws_mfa_device = {DEVICE}\n",
        profile="work-long-term",
        expected=Resolved("static", key="AKIDTEST1"),
    ),
    Case(
        "role-of-a-session-of-aws-mfa",
        AWS_MFA,
        ROLE_OF_BASE,
        f"{BASE}{TOKEN}assumed_role = True\nassumed_role_arn = {ADMIN}\nexpiration = 2001-01-01 12:00:00\n",
        expected=Resolved("stored-session", (DEV,), key="AKIDTEST1"),
    ),
    Case(
        "profile-of-autoawsume",
        "awsume test_autoawsume.py",
        "",
        f"[autoawsume-work]\nmanager = awsume\n{KEYS}{TOKEN}region = eu-west-1\nautoawsume = true\n"
        "expiration = 2001-01-01 12:00:00\nsource_expiration = 2001-01-01 20:00:00\nawsumepy_command = work -a\n",
        profile="autoawsume-work",
        expected=Resolved("stored-session", region="eu-west-1", key="AKIDTEST1"),
    ),
    Case(
        "output-profile-of-awsume",
        "awsume test_app.py",
        "",
        f"{WORK}{TOKEN}manager = awsume\nexpiration = 2001-01-01 12:00:00\n",
        expected=Resolved("stored-session", key="AKIDTEST1"),
    ),
    Case(
        "role-with-awsumes-own-keys",
        AWSUME_PLUGINS,
        f"{ROLE_OF_BASE}role_duration = 43200\nmanager = jo\n",
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    Case(
        "role-by-saml-in-awsume",
        AWSUME,
        f"{ROLE}principal_arn = arn:aws:iam::222222222222:saml-provider/acme\n",
        expected=Refused("no-source", ("work",)),
    ),
    # awsume issue 127.
    Case(
        "source-with-a-source-and-without-role",
        "awsume issue 127",
        f"{ROLE}source_profile = shared\n[profile shared]\nsource_profile = default\nmfa_serial = {DEVICE}\n",
        f"[default]\n{KEYS}",
        expected=Refused("source-without-credentials", ("shared",)),
    ),
    Case(
        "sso-of-granted",
        "granted pkg/cfaws/granted_config_test.go",
        _ini(f"""
            [profile work]
            granted_sso_start_url = {START_URL}
            granted_sso_region = eu-west-1
            granted_sso_account_id = 222222222222
            granted_sso_role_name = Reader
            granted_sso_registration_scopes = sso:account:access
            granted_color = red
            region = eu-west-3
            credential_process = granted credential-process --profile work
        """),
        expected=Resolved("process", region="eu-west-3"),
    ),
    Case(
        "sso-of-granted-without-its-process",
        "granted pkg/cfaws/granted_config_test.go",
        f"[profile work]\ngranted_sso_start_url = {START_URL}\ngranted_sso_region = eu-west-1\n"
        "granted_sso_account_id = 222222222222\ngranted_sso_role_name = Reader\n",
        expected=Resolved("attached"),
    ),
    # granted issue 698.
    Case(
        "role-of-sso-of-granted",
        "granted issue 698",
        f"{ROLE}source_profile = people\n[profile people]\ngranted_sso_start_url = {START_URL}\n"
        "granted_sso_region = eu-west-1\ngranted_sso_account_id = 222222222222\ngranted_sso_role_name = Reader\n"
        "credential_process = granted credential-process --profile people\n",
        expected=Resolved("process", (DEV,)),
    ),
    Case(
        "key-in-the-keyring-of-granted",
        "granted issue 562",
        f"{ROLE_OF_BASE}mfa_serial = {DEVICE}\n"
        "[profile base]\nregion = eu-west-1\ncredential_process = granted credential-process --profile=base\n",
        expected=Resolved("process", (DEV,), mfa_serial=DEVICE),
    ),
    Case(
        "registry-of-granted",
        GRANTED_MERGE,
        f"[granted_registry_start acme]\n\n[profile acme.work]\ncommon_fate_generated_from = acme\n{SSO_SESSION}\n"
        f"[granted_registry_end acme]\n{ACME}",
        profile="acme.work",
        expected=Resolved("sso"),
    ),
    # granted issue 558.
    Case(
        "role-of-azure",
        "granted issue 558",
        f"{ROLE}source_profile = people\n[profile people]\nazure_tenant_id = 1\nazure_default_duration_hours = 10\n",
        expected=Refused("source-without-credentials", ("people",)),
    ),
    Case(
        "block-of-aws-sso-cli",
        SSO_CLI,
        _ini(f"""
            # BEGIN_AWS_SSO_CLI

            [profile work]
            credential_process = /opt/aws-sso -u open -S "Acme Inc" process --arn {DEV}
            region = eu-west-1
            sts_regional_endpoints = regional

            # END_AWS_SSO_CLI
        """),
        expected=Resolved("process", region="eu-west-1"),
    ),
    Case(
        "credentials-of-aws-sso-cli",
        SSO_CLI,
        "",
        f"[work]\n# Expires: 2001-01-01 12:00:00 +0000 UTC\n{KEYS}{TOKEN}",
        expected=Resolved("stored-session", key="AKIDTEST1"),
    ),
    Case(
        "credentials-of-aws-export-credentials",
        "aws-export-credentials",
        "",
        f"{WORK}{TOKEN}aws_credential_expiration = 2001-01-01T12:00:00Z\n",
        expected=Resolved("stored-session", key="AKIDTEST1"),
    ),
    Case(
        "session-of-configure-mfa-login",
        "aws-cli v2 tests/unit/customizations/configure/test_mfalogin.py",
        f"{ROLE}source_profile = 111111111111-jo\n",
        f"[111111111111-jo]\n{KEYS}{TOKEN}",
        expected=Resolved("stored-session", (DEV,), key="AKIDTEST1"),
    ),
    # aws-vault issue 1176.
    Case(
        "process-of-aws-vault",
        VAULT_CHAIN,
        f"{ROLE_OF_BASE}region = eu-west-1\n"
        "[profile base]\ncredential_process = aws-vault export --no-session --format=json base\nregion = eu-west-1\n",
        expected=Resolved("process", (DEV,), region="eu-west-1"),
    ),
    Case(
        "role-with-session-tags",
        VAULT_CONFIG,
        f"{ROLE_OF_BASE}session_tags = team = dev , cost=a=b ,note=\ntransitive_session_tags = team ,cost,\n",
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    Case(
        "role-with-tags-that-are-none",
        VAULT_CONFIG,
        f"{ROLE_OF_BASE}session_tags = team=dev,cost\n",
        BASE,
        expected=Refused("session-tags", ("work", "session_tags")),
        botocore="does not know session_tags",
    ),
    Case(
        "role-with-source-identity",
        VAULT_DOCS,
        f"{ROLE_OF_BASE}source_identity = jo\n",
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    Case(
        "settings-of-the-aws-cli",
        "awsume issue 127",
        f"{ROLE_OF_BASE}output = json\ncli_pager =\ncli_auto_prompt = on-partial\nsts_regional_endpoints = regional\n",
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
)

_REFUSES = "does not know include_profile: role_arn without source"

INCLUSIONS = (
    Case(
        "included-fragment",
        VAULT_DOCS,
        _ini(f"""
            [profile common]
            region = eu-west-1
            mfa_serial = {DEVICE}
            source_profile = base

            [profile work]
            include_profile = common
            role_arn = {DEV}
        """),
        BASE,
        expected=Resolved("static", (DEV,), mfa_serial=DEVICE, region="eu-west-1", key="AKIDTEST1"),
        botocore=_REFUSES,
    ),
    # The profile that is included names itself as the source, for those that include it.
    Case(
        "included-parent",
        VAULT_DOCS,
        f"[profile base]\nregion = eu-west-1\nmfa_serial = {DEVICE}\nsource_profile = base\n"
        f"{ROLE}include_profile = base\n",
        BASE,
        expected=Resolved("static", (DEV,), mfa_serial=DEVICE, region="eu-west-1", key="AKIDTEST1"),
        botocore=_REFUSES,
    ),
    Case(
        "included-parent-itself",
        VAULT_CONFIG,
        f"[profile base]\nregion = eu-west-1\nmfa_serial = {DEVICE}\nsource_profile = base\n",
        BASE,
        profile="base",
        expected=Resolved("static", mfa_serial=DEVICE, region="eu-west-1", key="AKIDTEST1"),
        botocore="asks for no code",
    ),
    Case(
        "included-and-sourced-from-the-same",
        VAULT_CONFIG,
        f"{ROLE_OF_BASE}include_profile = base\n[profile base]\nregion = eu-west-1\n",
        BASE,
        expected=Resolved("static", (DEV,), region="eu-west-1", key="AKIDTEST1"),
        botocore="does not know include_profile: no region",
    ),
    Case(
        "included-region",
        VAULT_CONFIG,
        "[profile common]\nregion = eu-west-1\n[profile work]\ninclude_profile = common\n",
        WORK,
        expected=Resolved("static", region="eu-west-1", key="AKIDTEST1"),
        botocore="does not know include_profile: no region",
    ),
    Case(
        "included-through-another",
        VAULT_CONFIG,
        f"{ROLE}include_profile = common\n[profile common]\ninclude_profile = company\nregion = eu-west-1\n"
        f"[profile company]\nsource_profile = base\nregion = eu-west-3\nduration_seconds = 1800\n",
        BASE,
        expected=Resolved("static", (DEV,), region="eu-west-1", duration=1800, key="AKIDTEST1"),
        botocore=_REFUSES,
    ),
    Case(
        "own-before-included",
        VAULT_CONFIG,
        f"{ROLE_OF_BASE}region = eu-west-1\nmfa_serial = {DEVICE}\ninclude_profile = common\n"
        f"[profile common]\nrole_arn = {ADMIN}\nsource_profile = other\nregion = eu-west-3\n"
        f"mfa_serial = {OTHER_DEVICE}\n",
        BASE,
        expected=Resolved("static", (DEV,), mfa_serial=DEVICE, region="eu-west-1", key="AKIDTEST1"),
    ),
    Case(
        "included-role",
        VAULT_CONFIG,
        f"[profile work]\ninclude_profile = common\nregion = eu-west-1\n"
        f"[profile common]\nrole_arn = {DEV}\nsource_profile = base\n",
        BASE,
        expected=Resolved("static", (DEV,), region="eu-west-1", key="AKIDTEST1"),
        botocore="does not know include_profile: asks the machine for credentials",
    ),
    Case(
        "included-sso",
        VAULT_CONFIG,
        f"[profile work]\ninclude_profile = people\nsso_account_id = 222222222222\n"
        f"[profile people]\nsso_session = acme\nsso_role_name = Reader\n{ACME}",
        expected=Resolved("sso"),
        botocore="does not know include_profile: an SSO profile without a role name",
    ),
    # Keys are in aws-vault's keyring, under the name of the profile that has them.
    Case(
        "keys-are-not-included",
        VAULT_DOCS,
        "[profile work]\ninclude_profile = base\n[profile base]\nregion = eu-west-1\n",
        BASE,
        expected=Resolved("attached", region="eu-west-1"),
        botocore="does not know include_profile: no region",
    ),
    # aws-vault goes on to [default] where nothing is included.
    Case(
        "default-is-not-included",
        VAULT_CHAIN,
        f"[default]\nmfa_serial = {DEVICE}\nregion = eu-west-3\n{ROLE}include_profile = common\n"
        "[profile common]\nsource_profile = base\n",
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
        botocore=_REFUSES,
    ),
    Case(
        "included-default",
        VAULT_CHAIN,
        f"[default]\nmfa_serial = {DEVICE}\nregion = eu-west-3\n{ROLE_OF_BASE}include_profile = default\n",
        BASE,
        expected=Resolved("static", (DEV,), mfa_serial=DEVICE, region="eu-west-3", key="AKIDTEST1"),
        botocore="does not know include_profile: no region and no device",
    ),
    Case(
        "included-profile-that-does-not-exist",
        VAULT_CONFIG,
        f"{ROLE_OF_BASE}include_profile = elsewhere\n",
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    Case(
        "inclusion-in-a-loop",
        VAULT_CONFIG,
        f"{ROLE_OF_BASE}include_profile = common\n[profile common]\ninclude_profile = work\n",
        BASE,
        expected=Refused("include-loop", ("work", "common")),
        botocore="does not know include_profile: no error",
    ),
    Case(
        "inclusion-of-itself",
        VAULT_CONFIG,
        f"{ROLE_OF_BASE}include_profile = work\n",
        BASE,
        expected=Refused("include-loop", ("work",)),
        botocore="does not know include_profile: no error",
    ),
    # Whoever has that loop elsewhere in the file is not to suffer from it here.
    Case(
        "inclusion-in-a-loop-of-others",
        VAULT_CONFIG,
        f"{ROLE_OF_BASE}[profile one]\ninclude_profile = two\n[profile two]\ninclude_profile = one\n",
        BASE,
        expected=Resolved("static", (DEV,), key="AKIDTEST1"),
    ),
    # aws-vault issue 818.
    Case(
        "inclusion-misspelt",
        "aws-vault issue 818",
        f"{ROLE}inlcude_profile = common\n[profile common]\nsource_profile = base\n",
        BASE,
        expected=Refused("no-source", ("work",)),
    ),
    # What aws-vault's fifth version called it.
    Case(
        "inclusion-by-its-old-name",
        VAULT_DOCS,
        f"{ROLE}parent_profile = common\n[profile common]\nsource_profile = base\n",
        BASE,
        expected=Refused("no-source", ("work",)),
    ),
    # Nothing that is included may turn what botocore accepts into an error, or into other credentials.
    Case(
        "own-credential-source-before-an-included-source",
        VAULT_DOCS,
        f"{ROLE}credential_source = Environment\ninclude_profile = common\n[profile common]\nsource_profile = base\n",
        BASE,
        environ=ENVIRONMENT_KEYS,
        expected=Resolved("environment", (DEV,)),
    ),
    Case(
        "own-keys-before-an-included-sso",
        VAULT_DOCS,
        f"[profile work]\ninclude_profile = people\n[profile people]\n{SSO_SESSION}{ACME}",
        WORK,
        expected=Resolved("static", key="AKIDTEST1"),
    ),
    Case(
        "own-keys-before-an-included-process",
        VAULT_DOCS,
        f"[profile work]\n{KEYS}include_profile = machines\n[profile machines]\ncredential_process = acme-login\n",
        expected=Resolved("static", key="AKIDTEST1"),
    ),
    Case(
        "included-source-is-the-profile-itself",
        VAULT_CONFIG,
        f"{ROLE}include_profile = team\n[profile team]\nsource_profile = work\n",
        expected=Refused("no-source", ("work",)),
    ),
    Case(
        "own-sso-session-before-an-included-start-url",
        VAULT_CONFIG,
        f"[profile work]\n{SSO_SESSION}include_profile = old\n{ACME}"
        "[profile old]\nsso_start_url = https://other.awsapps.com/start\nsso_region = us-east-1\n",
        expected=Resolved("sso"),
    ),
)

CASES: tuple[Case, ...] = (
    *STATIC_KEYS,
    *ROLES,
    *CHAINS,
    *CREDENTIAL_SOURCES,
    *DEVICES,
    *SSO_PROFILES,
    *WEB_IDENTITIES,
    *PROCESSES,
    *DURATIONS,
    *REGIONS,
    *FILE_FORMATS,
    *NAMES,
    *OTHER_TOOLS,
    *INCLUSIONS,
)
