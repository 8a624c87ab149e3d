"""The way to STS: which one is asked, through which endpoint, proxy and certificates, and what is in the way."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from network import PASSWORD, closed_port, unanswered
from shells import Shell
from sources import Source, closed, opened, opened_cold, refused, role_behind
from tls import Authority, ConnectProxy, TlsFront
from world import AT_ONCE, REGION, World, told, wait_for


@dataclass(frozen=True)
class Internet:
    """What stands for the whole of it: whatever host is asked for, the strict STS answers, and `hosts` tells."""

    proxy: ConnectProxy
    front: TlsFront
    bundle: Path

    @property
    def env(self) -> dict[str, str]:
        return {"HTTPS_PROXY": self.proxy.url, "AWS_CA_BUNDLE": str(self.bundle)}

    @property
    def hosts(self) -> set[str]:
        return set(self.proxy.hosts)


@pytest.fixture
def internet(world: World) -> Iterator[Internet]:
    """Take the endpoint out of the world's environment, and lead every host name to the strict STS."""
    del world.env["AWS_ENDPOINT_URL"]
    authority = Authority(world.root / "authority")
    parts = ["amazonaws.com", "amazonaws.com.cn"]
    names = ["sts.amazonaws.com", *(f"sts.{region}.{parts['cn-' in region]}" for region in REGIONS)]
    with (
        TlsFront(world.sts.port, authority, names) as front,
        ConnectProxy(front.port, f"jo:{PASSWORD}") as proxy,
    ):
        yield Internet(proxy, front, authority.bundle)


REGIONS = ("eu-west-1", "us-east-1", "us-west-2", "af-south-1", "cn-north-1", "cn-northwest-1", "us-gov-west-1")


def plain(world: World, region: str | None = REGION, partition: str = "aws", **settings: str) -> None:
    """Make a profile `plain` for a role that needs no code, of a user of the partition."""
    user = world.sts.add_user("they", partition=partition)
    keys = ["[key]", f"aws_access_key_id = {user.access_key_id}", f"aws_secret_access_key = {user.secret_access_key}"]
    world.credentials.write_text("\n".join(keys) + "\n")
    arn = world.sts.add_role("plain", partition=partition)
    own = {"role_arn": arn, "source_profile": "key", **({"region": region} if region else {})}
    world.profile("plain", **{**own, **settings})


# Which STS


@pytest.mark.parametrize(
    ("region", "env", "asked"),
    [
        ("eu-west-1", {}, "eu-west-1"),
        ("eu-west-1", {"AWS_REGION": "us-west-2"}, "us-west-2"),
        ("eu-west-1", {"AWS_DEFAULT_REGION": "us-west-2"}, "us-west-2"),
        ("us-east-1", {}, "us-east-1"),
        (None, {}, "us-east-1"),
        ("af-south-1", {}, "af-south-1"),
    ],
)
def test_the_region_s_own_sts_is_asked(
    world: World, internet: Internet, region: str | None, env: Mapping[str, str], asked: str
) -> None:
    """The STS of the region in effect is asked: tokens of the global one are worth nothing where one has to opt in."""
    plain(world, region)
    (opened_cold if env else opened)(world, "plain", **env, **internet.env)
    assert internet.hosts == {f"sts.{asked}.amazonaws.com:443"}
    assert [call.region for call in world.sts.calls] == [asked]


@pytest.mark.parametrize("place", ["profile", "environment"])
def test_a_person_may_want_the_global_sts(world: World, internet: Internet, place: str) -> None:
    """Who asks for the global endpoint, as of old, gets it."""
    plain(world, "us-west-2", **({"sts_regional_endpoints": "legacy"} if place == "profile" else {}))
    env = {} if place == "profile" else {"AWS_STS_REGIONAL_ENDPOINTS": "legacy"}
    opened(world, "plain", **env, **internet.env)
    assert internet.hosts == {"sts.amazonaws.com:443"}


def test_the_directory_s_region_is_not_sts_s(world: World) -> None:
    """--region is what programs get; which STS is asked does not depend on it, so that all share one session."""
    plain(world)
    changes, _ = world.enter(world.project("plain", "use aws_profile plain --region ap-south-1\n"))
    assert changes["AWS_REGION"] == "ap-south-1"
    assert [call.region for call in world.sts.calls] == [REGION]


@pytest.mark.parametrize(
    ("partition", "region", "env", "asked"),
    [
        ("aws-cn", None, {}, "cn-north-1"),
        ("aws-cn", "cn-northwest-1", {}, "cn-northwest-1"),
        ("aws-cn", "cn-northwest-1", {"AWS_REGION": "eu-west-1"}, "cn-north-1"),
        ("aws-us-gov", None, {}, "us-gov-west-1"),
        ("aws-us-gov", "us-gov-east-1", {}, "us-gov-east-1"),
        ("aws-us-gov", "eu-west-1", {}, "us-gov-west-1"),
        ("aws", "cn-north-1", {}, "us-east-1"),
    ],
)
def test_the_partition_is_the_role_s(
    world: World, partition: str, region: str | None, env: dict[str, str], asked: str
) -> None:
    """A role of China or GovCloud is asked for in its own partition, whatever region the environment has."""
    plain(world, region, partition)
    assert (opened_cold if env else opened)(world, "plain", **env).arn.startswith(f"arn:{partition}:sts::")
    assert [call.region for call in world.sts.calls] == [asked]


def test_the_host_of_another_partition(world: World, internet: Internet) -> None:
    """China's STS has a name of its own."""
    plain(world, None, "aws-cn")
    opened(world, "plain", **internet.env)
    assert internet.hosts == {"sts.cn-north-1.amazonaws.com.cn:443"}


# Endpoints


SERVICES, PROFILE = "services", "endpoint_url"
FOR_STS, FOR_ALL = "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (PROFILE, ()),
        (SERVICES, ()),
        (SERVICES, (PROFILE,)),
        (FOR_ALL, (PROFILE, SERVICES)),
        (FOR_STS, (FOR_ALL, PROFILE, SERVICES)),
    ],
)
def test_which_endpoint_counts(world: World, good: str, bad: tuple[str, ...]) -> None:
    """Of several endpoints the one counts that counts in botocore."""
    del world.env["AWS_ENDPOINT_URL"]
    urls = {good: world.sts.url, **{name: closed_port() for name in bad}}
    settings = {"endpoint_url": urls[PROFILE]} if PROFILE in urls else {}
    if SERVICES in urls:
        settings["services"] = "local"
        with world.config.open("a") as file:
            file.write(f"[services local]\nsts =\n  endpoint_url = {urls[SERVICES]}\n")
    plain(world, **settings)
    env = {name: url for name, url in urls.items() if name.startswith("AWS_")}
    (opened_cold if env else opened)(world, "plain", **env)


def test_endpoints_that_are_to_be_ignored(world: World, internet: Internet) -> None:
    """With AWS_IGNORE_CONFIGURED_ENDPOINT_URLS AWS itself is asked, and what another endpoint gave is not taken."""
    plain(world, endpoint_url=world.sts.url)
    first = opened(world, "plain", **internet.env)
    assert internet.hosts == set()
    second = opened(world, "plain", **internet.env, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true")
    assert internet.hosts == {"sts.eu-west-1.amazonaws.com:443"}
    assert first.access_key_id != second.access_key_id


def test_sessions_of_one_endpoint_are_not_another_s(world: World) -> None:
    """What one STS gave is never used with another, and is still there on the way back."""
    plain(world)
    other = world.sts.url.replace("127.0.0.1", "localhost")
    here, there = opened(world, "plain"), opened(world, "plain", AWS_ENDPOINT_URL=other)
    assert here.access_key_id != there.access_key_id
    assert opened(world, "plain") == here
    assert world.sts.count("AssumeRole") == 2


# Certificates and proxies


@pytest.fixture
def front(world: World) -> Iterator[TlsFront]:
    """Put TLS before the strict STS, with a certificate that nobody trusts yet."""
    with TlsFront(world.sts.port, Authority(world.root / "authority")) as made:
        world.env["AWS_ENDPOINT_URL"] = made.url
        yield made


def test_a_certificate_that_nobody_trusts(world: World, front: TlsFront) -> None:
    """An endpoint with an unknown certificate is not talked to, and the hint names what makes it known."""
    plain(world)
    message, hint = closed(world, "plain")
    assert message == (
        "AssumeRole of arn:aws:iam::123456789012:role/plain for profile plain: "
        "the certificate of the server is not trusted"
    )
    assert hint == "set AWS_CA_BUNDLE to your company's certificates, or sign in to the Wi-Fi"
    assert front.failed_handshakes > 0
    assert not world.sts.calls


@pytest.mark.parametrize("place", ["AWS_CA_BUNDLE", "ca_bundle"])
def test_a_certificate_of_one_s_own(world: World, front: TlsFront, place: str) -> None:
    """AWS_CA_BUNDLE, or ca_bundle of the profile, makes a company's certificate known."""
    bundle = str(world.root / "authority" / "ca.pem")
    plain(world, **({"ca_bundle": bundle} if place == "ca_bundle" else {}))
    opened(world, "plain", **({"AWS_CA_BUNDLE": bundle} if place != "ca_bundle" else {}))
    assert front.handshakes == 1


def test_a_bundle_that_is_none(world: World, front: TlsFront) -> None:
    """A bundle that is not there, or has no certificates in it, is the trouble, and not what answers."""
    plain(world)
    for bundle in (world.root / "nowhere.pem", world.config):
        message, hint = refused(world, "plain", AWS_CA_BUNDLE=str(bundle))
        assert message == "the settings of profile plain: the certificates to trust cannot be read"
        assert hint == "set AWS_CA_BUNDLE to a file of certificates that can be read"


def test_a_proxy_that_does_not_let_us_through(world: World, internet: Internet) -> None:
    """A proxy that refuses, or is not there, is said to be the trouble, and its password is not quoted."""
    plain(world)
    refusing = internet.proxy.url.replace(PASSWORD, f"{PASSWORD}-wrong")
    for url in (refusing, closed_port().replace("//", f"//jo:{PASSWORD}@")):
        way = closed if url == refusing else refused
        message, hint = way(world, "plain", **{**internet.env, "HTTPS_PROXY": url})
        assert message.endswith(" for profile plain: no connection through the proxy")
        assert hint == "check HTTPS_PROXY and NO_PROXY"
    assert internet.proxy.refused > 0
    assert not world.sts.calls


# Weather


@pytest.mark.parametrize("kind", ["500", "503", "throttle", "throttling-exception", "drop", "hang"])
def test_a_moment_s_trouble_is_nothing(world: World, kind: str) -> None:
    """What fails once and then works is a directory that opens, and a load without a word."""
    plain(world)
    if kind == "hang":
        world.sts.add_fault("AssumeRole", "delay", seconds=1)
    else:
        world.sts.add_fault("AssumeRole", kind)
    done = world.run("awsdirenv", "load", "--", "plain")
    assert (done.returncode, told(done.stderr)) == (0, [])
    opened_cold(world, "plain")
    assert world.sts.count("AssumeRole") == (1 if kind == "hang" else 2)


@pytest.mark.parametrize("where", ["answer", "connection"])
def test_waiting_for_aws_has_an_end(world: World, where: str) -> None:
    """Where STS takes the call and does not answer, or no connection comes about, the wait ends when it is set to."""
    plain(world)
    world.sts.add_fault("AssumeRole", "hang", times=None, seconds=30)
    with unanswered() as nobody:
        env = {"AWS_ENDPOINT_URL": nobody} if where == "connection" else {}
        started = time.monotonic()
        message, hint = closed(world, "plain", AWSDIRENV_STS_TIMEOUT="1s", **env)
        assert 1 < time.monotonic() - started < 1 + AT_ONCE
    assert message.endswith("AssumeRole of arn:aws:iam::123456789012:role/plain for profile plain: no answer within 1s")
    assert hint == "check the network and any proxy, then direnv reload"


@pytest.mark.parametrize("action", ["GetRoleCredentials", "AssumeRole"])
def test_ctrl_c_ends_the_wait(world: World, action: str) -> None:
    """Ctrl-C ends a command that waits for an answer at once, in a real terminal, which is then as before."""
    world.sso_session()
    role_behind(world, Source(world.sso_profile("start")))
    world.sts.add_fault(action, "hang", times=None, seconds=30)
    with Shell(world, "bash") as shell:
        before = shell.modes()
        shell.start("awsdirenv login end")
        wait_for(lambda: world.sts.count(action))
        started = time.monotonic()
        shell.send("\x03")
        said = shell.finish()
        assert time.monotonic() - started < AT_ONCE
        assert "awsdirenv: error: loading end was cancelled" in said
        assert shell.modes() == before


@pytest.mark.parametrize(("offset", "how"), [(7200, "by 2h00m, behind"), (-1800, "by 30m, ahead")])
def test_a_wrong_clock(world: World, offset: float, how: str) -> None:
    """Where AWS refuses its own time, too, it is named, with how far ours is off by AWS's, and in which direction."""
    plain(world)
    world.sts.configure(clock_offset=offset)
    world.sts.add_fault("AssumeRole", "signature-expired", times=None)
    message, hint = (closed if offset > 0 else refused)(world, "plain")
    assert f"for profile plain: the clock of this machine is wrong {how}: Signature " in message
    assert hint == f"set the clock, then {'direnv reload' if offset > 0 else 'try again'}"
    assert world.sts.count("AssumeRole") == 2


@pytest.mark.parametrize("kind", ["signature-expired", "signature-not-yet-current", "request-time-too-skewed"])
def test_a_time_that_aws_refuses_without_a_better_one(world: World, kind: str) -> None:
    """Where AWS's clock is as ours, there is no use in another try."""
    plain(world)
    world.sts.add_fault("AssumeRole", kind, times=None)
    message, hint = refused(world, "plain")
    assert "for profile plain: the clock of this machine is wrong: " in message
    assert hint == "set the clock, then try again"
    assert world.sts.count("AssumeRole") == 1


@pytest.mark.parametrize("kind", ["html", "redirect", "511"])
@pytest.mark.parametrize("action", ["AssumeRole", "GetRoleCredentials"])
def test_a_sign_in_page_of_a_network(world: World, kind: str, action: str) -> None:
    """A captive portal is taken neither for AWS nor for a matter of credentials, in any of its three manners."""
    world.sso_session()
    role_behind(world, Source(world.sso_profile("start")))
    world.sts.add_fault(action, kind, times=None)
    message, hint = (closed if kind == "html" else refused)(world, "end")
    assert message.endswith(": the answer is not from AWS")
    assert hint == "check the endpoint, the proxy, or the Wi-Fi's sign-in page"
