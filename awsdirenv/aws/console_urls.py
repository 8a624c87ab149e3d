"""Where AWS's console is, and the link that signs in to it. Pure: strings in, strings out.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_enable-console-custom-url.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from awsdirenv.config.chain import partition_of
from awsdirenv.errors import ConfigError, SettingError, UsageError

ENDPOINT_VARIABLE = "AWSDIRENV_SIGNIN_ENDPOINT"

# The domain behind `signin.` and `console.`, and the region whose hosts have no region in their names.
_PARTITIONS = {
    "aws": ("aws.amazon.com", "us-east-1"),
    "aws-cn": ("amazonaws.cn", "cn-north-1"),
    "aws-us-gov": ("amazonaws-us-gov.com", "us-gov-west-1"),
    "aws-eusc": ("amazonaws-eusc.eu", ""),  # has none without
}
# What is called otherwise in the console than in the API, the AWS CLI, or by people.
_PATHS = {
    "": "console/home",
    "apigw": "apigateway/home",
    "billing": "costmanagement/home",
    "ce": "costmanagement/home",
    "cfn": "cloudformation/home",
    "cloudfront": "cloudfront/v4/home",
    "codeartifact": "codesuite/codeartifact/home",
    "codebuild": "codesuite/codebuild/home",
    "codecommit": "codesuite/codecommit/home",
    "codedeploy": "codesuite/codedeploy/home",
    "codepipeline": "codesuite/codepipeline/home",
    "cognito-idp": "cognito/v2/home",
    "dynamodb": "dynamodbv2/home",
    "ecs": "ecs/v2/home",
    "elb": "ec2/home#LoadBalancers:",
    "elbv2": "ec2/home#LoadBalancers:",
    "es": "aos/home",
    "eventbridge": "events/home",
    "identitystore": "singlesignon/home",
    "logs": "cloudwatch/home#logsV2:log-groups",
    "opensearch": "aos/home",
    "organizations": "organizations/v2/home",
    "redshift": "redshiftv2/home",
    "route53": "route53/v2/home",
    "sfn": "states/home",
    "sns": "sns/v3/home",
    "sqs": "sqs/v3/home",
    "ssm": "systems-manager/home",
    "sso": "singlesignon/home",
    "stepfunctions": "states/home",
    "vpc": "vpcconsole/home",
    "waf": "wafv2/homev2",
    "wafv2": "wafv2/homev2",
}
_OF_NO_REGION = {"billing", "ce", "cloudfront", "iam", "organizations", "route53"}
_SERVICE = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_REGION = re.compile(r"[a-z][a-z0-9-]{0,63}")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Place:
    """Which part of the console: of a partition, in a region (None: the console's own choice), a service or its home.

    Raises UsageError for a name that cannot be one, ConfigError for a partition whose console nobody knows.
    """

    partition: str
    region: str | None
    service: str | None

    def __post_init__(self) -> None:
        """Check."""
        if self.service is not None and not _SERVICE.fullmatch(self.service):
            raise UsageError(f"that cannot be a service: {self.service!r}", "as in: awsdirenv console --service s3")
        if self.partition not in _PARTITIONS:
            raise ConfigError(
                f"the console of the partition {self.partition} is not known", "sign in to it with a browser"
            )

    @property
    def endpoint(self) -> str:
        """The base address of the sign-in."""
        return self._host("signin", self.region)

    @property
    def destination(self) -> str:
        """The page of the console."""
        name = self.service or ""
        region = None if name in _OF_NO_REGION else self.region
        path, hash_, fragment = _PATHS.get(name, f"{name}/home").partition("#")
        query = f"?region={region}" if region else ""
        return f"{self._host('console', region)}/{path}{query}{hash_}{fragment}"

    def _host(self, name: str, region: str | None) -> str:
        domain, home = _PARTITIONS[self.partition]
        if not home and name == "signin":
            region = region or "eusc-de-east-1"
        return f"https://{f'{region}.' if region and region != home else ''}{name}.{domain}"


def link(endpoint: str, sign_in_token: str, destination: str) -> str:
    """Give the link. Whoever opens it within 15 minutes is signed in."""
    query = {"Action": "login", "Issuer": "awsdirenv", "Destination": destination, "SigninToken": sign_in_token}
    return f"{endpoint}/federation?{urlencode(query)}"


def checked_region(wanted: str, partition: str) -> str:
    """Give a region that the command line names. Raises UsageError."""
    if not _REGION.fullmatch(wanted):
        raise UsageError(f"that cannot be a region: {wanted!r}", "as in: awsdirenv console --region eu-west-1")
    if partition_of(wanted) != partition:
        raise UsageError(f"region {wanted} is not in the partition of the profile, {partition}", "name one that is")
    return wanted


def checked_endpoint(address: str) -> str:
    """Give the endpoint that a setting names: credentials go there. Raises SettingError."""
    try:
        parts = urlsplit(address)
        is_sound = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        is_sound &= bool(parts.hostname) and not parts.query and not parts.fragment and "@" not in parts.netloc
    except ValueError:
        is_sound = False
    if not is_sound:
        raise SettingError("AWSDIRENV_SIGNIN_ENDPOINT is no address of https", "such as https://signin.aws.amazon.com")
    return address.rstrip("/")
