"""`awsdirenv console`: whom AWS lets in, where the link leads, for how long, and who gets to see it."""

from __future__ import annotations

import re
import socket
import time
from contextlib import closing
from urllib.parse import parse_qs, urlsplit

import pytest

from awsdirenv.aws.console_urls import ConsolePage, checked_endpoint
from awsdirenv.errors import SettingError
from awsdirenv.system import browser
from console import console, granted, link
from network import PASSWORD
from tls import Authority, ConnectProxy, TlsFront
from world import AT_ONCE, REGION, World

HOUR = 3600  # seconds


@pytest.fixture
def world(world: World) -> World:
    """Have the sign-in of AWS on this machine."""
    world.env["AWSDIRENV_SIGNIN_ENDPOINT"] = world.sts.url
    return world


def refused(world: World, *words: str, status: int = 1, **env: str) -> list[str]:
    """Give message and hint."""
    done = console(world, *words, **env)
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert [line.split(": ")[1] for line in lines[-2:]] == ["error", "hint"]
    return [line.split(": ", 2)[2] for line in lines[-2:]]


# The link


def test_the_link(world: World) -> None:
    """The link signs in to the profile's account and role, in its region, and stdout has it alone."""
    world.role("adminrole", mfa=False)
    found = link(world, "adminrole", "--service", "s3")
    assert found["endpoint"] == world.sts.url
    assert (found["Action"], found["Issuer"]) == ("login", "awsdirenv")
    assert found["Destination"] == f"https://{REGION}.console.aws.amazon.com/s3/home?region={REGION}"
    assert found["SigninToken"] in world.sts.federation.granted
    assert granted(world) == ("adminrole", None)
    done = console(world, "adminrole")
    assert done.stderr == "awsdirenv: console of adminrole: account 123456789012, role adminrole, for 1h00m\n"


def test_credentials_travel_in_the_body(world: World) -> None:
    """The credentials are posted: the address that proxies and servers write down has none of them."""
    world.role("adminrole", mfa=False)
    link(world, "adminrole")
    assert world.sts.federation.targets == ["/federation"]


# Where it leads

PLACES = [
    (("aws", None, None), "https://console.aws.amazon.com/console/home"),
    (("aws", "us-east-1", None), "https://console.aws.amazon.com/console/home?region=us-east-1"),
    (("aws", "eu-west-1", None), "https://eu-west-1.console.aws.amazon.com/console/home?region=eu-west-1"),
    (("aws", "eu-west-1", "dynamodb"), "https://eu-west-1.console.aws.amazon.com/dynamodbv2/home?region=eu-west-1"),
    (("aws", "eu-west-1", "ssm"), "https://eu-west-1.console.aws.amazon.com/systems-manager/home?region=eu-west-1"),
    (("aws", "eu-west-1", "braket"), "https://eu-west-1.console.aws.amazon.com/braket/home?region=eu-west-1"),
    (("aws", "eu-west-1", "iam"), "https://console.aws.amazon.com/iam/home"),
    (
        ("aws", "eu-west-1", "logs"),
        "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:log-groups",
    ),
    (("aws-cn", "cn-north-1", "s3"), "https://console.amazonaws.cn/s3/home?region=cn-north-1"),
    (
        ("aws-cn", "cn-northwest-1", "s3"),
        "https://cn-northwest-1.console.amazonaws.cn/s3/home?region=cn-northwest-1",
    ),
    (("aws-us-gov", "us-gov-west-1", "s3"), "https://console.amazonaws-us-gov.com/s3/home?region=us-gov-west-1"),
    (
        ("aws-us-gov", "us-gov-east-1", "s3"),
        "https://us-gov-east-1.console.amazonaws-us-gov.com/s3/home?region=us-gov-east-1",
    ),
]


@pytest.mark.parametrize(("place", "page"), PLACES)
def test_destinations(place: tuple[str, str | None, str | None], page: str) -> None:
    """Each partition has a console of its own, with hosts for its regions; what is of no region has none."""
    assert ConsolePage(*place).destination == page


@pytest.mark.parametrize(
    ("partition", "region", "endpoint"),
    [
        ("aws", None, "https://signin.aws.amazon.com"),
        ("aws", "us-east-1", "https://signin.aws.amazon.com"),
        ("aws", "af-south-1", "https://af-south-1.signin.aws.amazon.com"),
        ("aws-cn", None, "https://signin.amazonaws.cn"),
        ("aws-cn", "cn-northwest-1", "https://cn-northwest-1.signin.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "https://signin.amazonaws-us-gov.com"),
        ("aws-us-gov", "us-gov-east-1", "https://us-gov-east-1.signin.amazonaws-us-gov.com"),
        ("aws-eusc", None, "https://eusc-de-east-1.signin.amazonaws-eusc.eu"),
    ],
)
def test_endpoints(partition: str, region: str | None, endpoint: str) -> None:
    """Each partition has a sign-in of its own, with hosts for its regions."""
    assert ConsolePage(partition, region, None).endpoint == endpoint


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_the_partition_s_own_sign_in_is_asked(world: World, partition: str) -> None:
    """The credentials go to the sign-in of the role's partition and nowhere else, through proxy and CA bundle."""
    host = {"aws": "signin.aws.amazon.com", "aws-cn": "signin.amazonaws.cn"}.get(
        partition, "signin.amazonaws-us-gov.com"
    )
    authority = Authority(world.root / "authority")
    user = world.sts.add_user("they", partition=partition)
    with world.credentials.open("a") as file:
        file.write(f"[key]\naws_access_key_id = {user.access_key_id}\n")
        file.write(f"aws_secret_access_key = {user.secret_access_key}\n")
    arn = world.sts.add_role("plain", partition=partition)
    world.profile("plain", role_arn=arn, source_profile="key")
    del world.env["AWSDIRENV_SIGNIN_ENDPOINT"]
    with TlsFront(world.sts.port, authority, [host]) as front, ConnectProxy(front.port, f"jo:{PASSWORD}") as proxy:
        found = link(world, "plain", HTTPS_PROXY=proxy.url, AWS_CA_BUNDLE=str(authority.bundle), NO_PROXY="127.0.0.1")
        assert set(proxy.hosts) == {f"{host}:443"}
        assert found["endpoint"] == f"https://{host}"
        # Without the bundle nothing is sent.
        world.sts.federation.targets.clear()
        message, _ = refused(world, "plain", HTTPS_PROXY=proxy.url, NO_PROXY="127.0.0.1")
        assert message == "getSigninToken: the certificate of the server is not trusted"
        assert world.sts.federation.targets == []


@pytest.mark.parametrize(
    ("words", "env", "region"),
    [
        ((), {}, REGION),
        (("--region", "us-west-2"), {}, "us-west-2"),
        ((), {"AWS_REGION": "us-west-2"}, "us-west-2"),
        (("--region", "us-east-2"), {"AWS_REGION": "us-west-2"}, "us-east-2"),
        ((), {"AWS_REGION": "cn-north-1"}, None),
    ],
)
def test_regions(world: World, words: tuple[str, ...], env: dict[str, str], region: str | None) -> None:
    """The region is --region, else the environment's, else the profile's; never one of another partition."""
    world.role("adminrole", mfa=False)
    page = link(world, "adminrole", *words, **env)["Destination"]
    assert parse_qs(urlsplit(page).query).get("region") == (None if region is None else [region])


HOSTILE = ["", "-x", "a b", "a/b", "../x", "S3", "s3?x", "s3#x", "$(touch x)", "é", "s3\n", "a" * 80]


@pytest.mark.parametrize("option", ["--region", "--service"])
@pytest.mark.parametrize("value", HOSTILE)
def test_names_that_cannot_be(world: World, option: str, value: str) -> None:
    """What cannot be a region or a service is refused before anything is loaded, and changes no address."""
    world.role("adminrole", mfa=False)
    message, _ = refused(world, "adminrole", f"{option}={value}", status=2)
    assert message == f"{option} is not a valid {option[2:]}: {value!r}".replace("é", "é")
    assert world.sts.count("*") == 0


def test_a_region_elsewhere(world: World) -> None:
    """A region of another partition is no place for this profile."""
    world.role("adminrole", mfa=False)
    message, _ = refused(world, "adminrole", "--region", "cn-north-1", status=2)
    assert message == "region cn-north-1 is not in the partition of the profile, aws"


def test_a_partition_without_a_known_console(world: World) -> None:
    """A partition that we do not know is said to be one, before anything is loaded."""
    world.profile("iso", role_arn="arn:aws-iso:iam::123456789012:role/x", source_profile="base")
    message, hint = refused(world, "iso")
    assert (message, hint) == ("the console of the partition aws-iso is not known", "sign in to it with a browser")
    assert world.sts.count("*") == 0


@pytest.mark.parametrize(
    ("address", "is_sound"),
    [
        ("https://signin.example.org", True),
        ("https://signin.example.org:8443/base/", True),
        ("http://127.0.0.1:8000", True),
        ("http://localhost:8000", True),
        ("http://signin.example.org", False),
        ("http://127.0.0.1.example.org", False),
        ("https://u:p@signin.example.org", False),
        ("https://signin.example.org/?x", False),
        ("https://", False),
        ("signin.example.org", False),
        ("https://[", False),
    ],
)
def test_endpoints_of_one_s_own(address: str, *, is_sound: bool) -> None:
    """Credentials go over TLS, or stay on the machine."""
    if is_sound:
        assert checked_endpoint(address) == address.rstrip("/")
    else:
        with pytest.raises(SettingError, match="is not an https address"):
            checked_endpoint(address)


# For how long


def test_a_role_of_a_key(world: World) -> None:
    """A role that is assumed with the key itself takes any duration, without credentials of its own."""
    world.role("adminrole", mfa=False)
    link(world, "adminrole")
    link(world, "adminrole", "--duration", "12h")
    assert granted(world) == ("adminrole", str(12 * HOUR))
    assert world.sts.count("AssumeRole") == 1
    done = console(world, "adminrole", "--duration", "12h")
    assert done.stderr == "awsdirenv: console of adminrole: account 123456789012, role adminrole, for 12h\n"


def test_a_role_behind_a_device(world: World) -> None:
    """A role behind a device is assumed with the code itself for more than an hour, and else through the session."""
    world.role("adminrole")
    world.env["AWSDIRENV_MFA_PROCESS"] = str(world.program("codes", f"echo {world.code()}"))
    link(world, "adminrole")
    link(world, "adminrole", "--duration", "30m")
    assert granted(world) == ("adminrole", None)
    assert [call.params.get("DurationSeconds") for call in world.sts.calls if call.action == "AssumeRole"][1:] == [
        "1800"
    ]
    world.env["AWSDIRENV_MFA_PROCESS"] = str(world.program("codes", f"echo {world.code()}"))
    link(world, "adminrole", "--duration", "8h")
    assert granted(world) == ("adminrole", str(8 * HOUR))


def test_a_chain_is_capped(world: World) -> None:
    """AWS takes no duration where a role has assumed the role: none is sent, and what comes of it is said."""
    world.role("first", mfa=False)
    world.role("second", mfa=False, source_profile="first")
    done = console(world, "second", "--duration", "8h")
    assert done.returncode == 0, done.stderr
    assert granted(world) == ("second", None)
    assert (
        "awsdirenv: second: the console for 1h00m instead of 8h: with role chaining it ends with the credentials"
        in done.stderr.splitlines()
    )
    assert done.stderr.splitlines()[-1].endswith(", role second, for 1h00m")


def test_identity_center(world: World) -> None:
    """A role of IAM Identity Center takes a duration."""
    world.sso_session()
    world.sso_profile("dev")
    link(world, "dev", "--duration", "4h")
    assert granted(world) == ("AWSReservedSSO_Developer_" + granted(world)[0].rpartition("_")[2], str(4 * HOUR))


def test_durations_that_cannot_be(world: World) -> None:
    """A duration out of AWS's range is refused by the command line."""
    world.role("adminrole", mfa=False)
    for text in ("10m", "13h", "x"):
        message, _ = refused(world, "adminrole", "--duration", text, status=2)
        assert "must be a time between 15m and 12h" in message


# Whom AWS lets in


def test_a_user_s_session(world: World) -> None:
    """An IAM user's session has no way into the console: that is said before a code is asked for or AWS called."""
    world.profile("person", source_profile="base", mfa_serial=world.mfa_serial)
    with world.credentials.open("a") as file:
        file.write(f"[person]\naws_access_key_id = {world.user.access_key_id}\n")
        file.write(f"aws_secret_access_key = {world.user.secret_access_key}\n")
    message, hint = refused(world, "person")
    assert message == "profile person is an IAM user, and AWS lets only roles into the console by a link"
    assert hint == "name a profile with a role, as in: awsdirenv console adminrole"
    assert world.sts.count("*") == 0


@pytest.mark.parametrize("whose", ["user", "role"])
def test_credentials_of_a_program(world: World, whose: str) -> None:
    """Whose a program's credentials are STS tells: a role's are let in, a user's never get as far as the sign-in."""
    if whose == "role":
        made = world.sts.issue_credentials(world.sts.add_role("made"))
        text = f'{{"Version": 1, {", ".join(f"{key!r}: {value!r}" for key, value in made.items())}}}'.replace("'", '"')
    else:
        text = (
            f'{{"Version": 1, "AccessKeyId": "{world.user.access_key_id}", '
            f'"SecretAccessKey": "{world.user.secret_access_key}"}}'
        )
    world.profile("made", credential_process=world.program("print", f"echo '{text}'"), region=REGION)
    if whose == "role":
        link(world, "made")
        assert granted(world)[0] == "made"
    else:
        message, _ = refused(world, "made")
        assert message == "profile made is an IAM user, and AWS lets only roles into the console by a link"
        assert world.sts.count("getSigninToken") == 0


# What goes wrong


def test_refusals(world: World) -> None:
    """What AWS refuses is said, without the page that it answers."""
    world.role("adminrole", mfa=False)
    link(world, "adminrole")
    world.sts.expire_all_sessions()
    message, hint = refused(world, "adminrole")
    assert message == "AWS does not let these credentials into the console (getSigninToken: 400)"
    assert hint == "get new ones: awsdirenv login --force adminrole"
    _, hint = refused(world, "adminrole", "--duration", "1h")
    assert hint == "leave --duration out, or get new ones: awsdirenv login --force adminrole"


@pytest.mark.parametrize("kind", ["500", "drop"])
def test_a_moment_s_trouble(world: World, kind: str) -> None:
    """What fails once and then works is no failure."""
    world.role("adminrole", mfa=False)
    world.sts.add_fault("getSigninToken", kind)
    link(world, "adminrole")


@pytest.mark.parametrize("kind", ["garbage", "html", "redirect", "511", "empty"])
def test_what_is_not_aws(world: World, kind: str) -> None:
    """A captive portal or nonsense is no token, and is never quoted."""
    world.role("adminrole", mfa=False)
    world.sts.add_fault("getSigninToken", kind, times=None)
    message, _ = refused(world, "adminrole")
    assert message == "getSigninToken: the answer is not from AWS"


def test_trouble_that_stays(world: World) -> None:
    """Trouble of AWS's is said to be that, and waiting has an end."""
    world.role("adminrole", mfa=False)
    world.sts.add_fault("getSigninToken", "500", times=None)
    assert refused(world, "adminrole")[0] == "getSigninToken: AWS has a problem (500)"
    world.sts.reset(faults=True)
    world.sts.add_fault("getSigninToken", "hang", times=None)
    started = time.monotonic()
    assert refused(world, "adminrole", AWSDIRENV_STS_TIMEOUT="1s")[0] == "getSigninToken: no answer within 1s"
    assert time.monotonic() - started < 1 + AT_ONCE


@pytest.mark.parametrize("token", ['""', "1", '"a\\u001bb"', "null", f'"{"x" * 20000}"', "[" * 200_000], ids=len)
def test_tokens_that_are_none(world: World, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that cannot be one opens nothing."""
    from strict_sts import Answer  # noqa: PLC0415

    world.role("adminrole", mfa=False)
    body = f'{{"SigninToken": {token}}}'.encode()
    monkeypatch.setattr(world.sts.federation, "carry_out", lambda *_, **__: Answer(200, body, "application/json"))
    assert refused(world, "adminrole")[0] == "getSigninToken: the answer is not from AWS"


def test_too_many_calls(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """That AWS asks for fewer calls says nothing of the credentials."""
    from strict_sts import Answer  # noqa: PLC0415

    world.role("adminrole", mfa=False)
    monkeypatch.setattr(world.sts.federation, "carry_out", lambda *_, **__: Answer(429, b"", "text/html"))
    assert refused(world, "adminrole")[0] == "getSigninToken: AWS asks for fewer calls (429)"


def test_an_endpoint_that_is_none(world: World) -> None:
    """An endpoint without TLS gets nothing."""
    world.role("adminrole", mfa=False)
    message, hint = refused(world, "adminrole", AWSDIRENV_SIGNIN_ENDPOINT="http://example.org")
    assert message == "AWSDIRENV_SIGNIN_ENDPOINT is not an https address"
    assert hint == "such as https://signin.aws.amazon.com"
    assert world.sts.count("*") == 0


# The browser


def get(address: str) -> tuple[int, str | None]:
    """Ask for an address, and follow nothing."""
    parts = urlsplit(address)
    with closing(socket.create_connection((parts.hostname or "", parts.port or 0))) as connection:
        connection.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        data = b""
        while more := connection.recv(4096):
            data += more
    location = re.search(rb"^Location: (\S+)", data, re.MULTILINE)
    return int(data.split()[1]), location[1].decode() if location else None


def test_the_page_works_once() -> None:
    """The page on loopback sends on the first who asks for it by its name, and nobody else."""
    answers: list[tuple[int, str | None]] = []

    def start(page: str) -> bool:
        idle = socket.create_connection(("127.0.0.1", urlsplit(page).port or 0))  # as browsers do, ahead of need
        answers.append(get(urlsplit(page)._replace(path="/").geturl()))
        answers.append(get(page + "x"))
        answers.append(get(page))
        answers.append(get(page))
        idle.close()
        return True

    assert browser.hand_over("https://secret", start, 5)
    assert answers == [(404, None), (404, None), (303, "https://secret"), (404, None)]


def test_nobody_comes() -> None:
    """Without a browser the wait has an end, and the page is gone."""
    pages: list[str] = []

    def start(page: str) -> bool:
        pages.append(page)
        return True

    assert not browser.hand_over("https://secret", start, 0.2)
    assert not browser.hand_over("https://secret", lambda _: False, 60)
    with pytest.raises(OSError, match="refused"):
        get(pages[0])


# Secrecy
