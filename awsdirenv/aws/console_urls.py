"""AWS's console: its addresses, and the link that signs in to it with a token from AWS's federation endpoint.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_enable-console-custom-url.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from awsdirenv.aws.botocore_session import Budget
from awsdirenv.aws.errors import bad_answer, guarded
from awsdirenv.config.chain import partition_of
from awsdirenv.errors import AwsdirenvError, ConfigError, DeniedError, NetworkError, SettingError, UsageError
from awsdirenv.records import Record
from awsdirenv.session_credentials import SessionCredentials
from awsdirenv.system.text import login_command

ENDPOINT_VARIABLE = "AWSDIRENV_SIGNIN_ENDPOINT"

# The domain behind `signin.` and `console.`, and the region whose hosts have no region in their names.
_PARTITIONS = {
    "aws": ("aws.amazon.com", "us-east-1"),
    "aws-cn": ("amazonaws.cn", "cn-north-1"),
    "aws-us-gov": ("amazonaws-us-gov.com", "us-gov-west-1"),
    "aws-eusc": ("amazonaws-eusc.eu", ""),  # all its hosts have a region in their names
}
# Services whose page in the console has another name than the service has in the API, the AWS CLI, or for people.
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
_OPERATION = "getSigninToken"
_TIMEOUTS = (5, 10)  # seconds, to connect and to read
_LONGEST_TOKEN = 16384  # characters
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class ConsolePage(Record):
    """A page of the console: of a partition, in a region, for a service.

    A `region` of None leaves the choice to the console; a `service` of None is the console's home page. The constructor
    raises UsageError for what cannot be a service, and ConfigError for a partition whose console we do not know.
    """

    partition: str
    region: str | None
    service: str | None

    def __init__(self, partition: str, region: str | None, service: str | None) -> None:
        super().__init__(partition, region, service)
        if service is not None and not _SERVICE.fullmatch(service):
            raise UsageError(f"--service is not a valid service: {service!r}", "as in: awsdirenv console --service s3")
        if partition not in _PARTITIONS:
            raise ConfigError(f"the console of the partition {partition} is not known", "sign in to it with a browser")

    @property
    def endpoint(self) -> str:
        """The base address of the sign-in, without a path."""
        return self._host("signin", self.region)

    @property
    def destination(self) -> str:
        """The address of the page."""
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
    """Return the link. It is a secret: anybody who opens it within 15 minutes is signed in."""
    query = {"Action": "login", "Issuer": "awsdirenv", "Destination": destination, "SigninToken": sign_in_token}
    return f"{endpoint}/federation?{urlencode(query)}"


def checked_region(wanted: str, partition: str) -> str:
    """Return a region of the command line. Raises UsageError if it is no region, or not of this partition."""
    if not _REGION.fullmatch(wanted):
        raise UsageError(f"--region is not a valid region: {wanted!r}", "as in: awsdirenv console --region eu-west-1")
    if partition_of(wanted) != partition:
        raise UsageError(
            f"region {wanted} is not in the partition of the profile, {partition}", "use a region of that partition"
        )
    return wanted


def checked_endpoint(address: str) -> str:
    """Return the sign-in endpoint of a setting, without a slash at its end.

    Raises SettingError for an address to which credentials must not be sent: what is neither https nor on this machine.
    """
    try:
        parts = urlsplit(address)
        is_sound = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        is_sound &= bool(parts.hostname) and not parts.query and not parts.fragment and "@" not in parts.netloc
    except ValueError:
        is_sound = False
    if not is_sound:
        raise SettingError("AWSDIRENV_SIGNIN_ENDPOINT is not an https address", "such as https://signin.aws.amazon.com")
    return address.rstrip("/")


class Federation(Record):
    """AWS's federation endpoint, reached by botocore's HTTP with a profile's configuration (CA bundle, proxy)."""

    endpoint: str
    boto_session: Any
    environ: Mapping[str, str]
    budget: Budget
    profile: str

    def sign_in_token(self, credentials: SessionCredentials, seconds: int | None) -> str:
        """Exchange credentials for a sign-in token, whose console lasts for `seconds`; None: as long as they do.

        Raises DeniedError, NetworkError, BadAnswerError and ConfigError.
        """
        session = {
            "sessionId": credentials.access_key_id,
            "sessionKey": credentials.secret_access_key,
            "sessionToken": credentials.session_token,
        }
        form = {"Action": "getSigninToken", "Session": json.dumps(session)}
        if seconds is not None:
            form["SessionDuration"] = str(seconds)
        status, body = self._answer(form)
        if 400 <= status < 500 and status != 407:
            raise _refused(status, self.profile, with_duration=seconds is not None)
        try:
            token = json.loads(body)["SigninToken"] if status == 200 else None
        except (ValueError, KeyError, TypeError, RecursionError):  # the last one by a thousand brackets
            token = None
        if not isinstance(token, str) or not token.isprintable() or not 0 < len(token) <= _LONGEST_TOKEN:
            raise bad_answer(_OPERATION)
        return token

    def _answer(self, form: Mapping[str, str]) -> tuple[int, bytes]:
        """Return status and body of the answer. If AWS was not reached, or failed, this calls once more."""
        try:
            return self._call(form)
        except NetworkError:
            return self._call(form)

    def _call(self, form: Mapping[str, str]) -> tuple[int, bytes]:
        status, body = guarded(_OPERATION, lambda: self.budget.spend(_OPERATION, lambda: self._post(form)))
        if status == 429:
            raise NetworkError(f"{_OPERATION}: AWS asks for fewer calls ({status})", "wait a moment, then try again")
        if status >= 500 and status != 511:  # of a portal on the way, which no second call passes
            raise NetworkError(f"{_OPERATION}: AWS has a problem ({status})", "wait a moment, then try again")
        return status, body

    def _post(self, form: Mapping[str, str]) -> tuple[int, bytes]:
        """Send the form in the body, for it is secret: proxies and servers keep addresses in their logs."""
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415
        from botocore.httpsession import URLLib3Session  # noqa: PLC0415
        from botocore.utils import get_environ_proxies  # noqa: PLC0415

        url = f"{self.endpoint}/federation"
        bundle = self.boto_session.get_config_variable("ca_bundle") or self.environ.get("REQUESTS_CA_BUNDLE")
        settings: dict[str, Any] = {"verify": bundle or True, "timeout": _TIMEOUTS}
        http = URLLib3Session(proxies=get_environ_proxies(url), **settings)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        answer = http.send(AWSRequest(method="POST", url=url, data=dict(form), headers=headers).prepare())
        return int(answer.status_code), bytes(answer.content)


def _refused(status: int, profile: str, *, with_duration: bool) -> AwsdirenvError:
    # The session may have been revoked, or be one that AWS lets do nothing there: only new ones can tell.
    line = login_command(profile, "--force")
    return DeniedError(
        f"AWS does not let these credentials into the console (getSigninToken: {status})",
        f"leave --duration out, or get new ones: {line}" if with_duration else f"get new ones: {line}",
    )
