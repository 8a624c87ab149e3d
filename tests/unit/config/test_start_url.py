"""Start URLs: which hosts are AWS's, which name a region, and how Identity Center itself writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from awsdirenv.config.aws_files import load_files
from awsdirenv.config.resolve import resolve_chain
from awsdirenv.config.source_lines import Provenance
from awsdirenv.config.start_url import canonical, is_of_aws, region_of


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("d-0123456789.awsapps.com", None),
        ("my-company.awsapps.com", None),
        ("d-0123456789.awsapps.cn", None),
        ("start.us-gov-home.awsapps.com", None),
        ("identitycenter.amazonaws.com", None),
        ("identitycenter.us-gov.amazonaws.com", None),
        ("identitycenter.amazonaws.eu", None),
        ("identitycenter.amazonaws.com.cn", None),
        ("ssoins-0123456789abcdef.portal.us-west-2.app.aws", "us-west-2"),
        ("SSOINS-0123456789ABCDEF.Portal.US-West-2.App.AWS.", "us-west-2"),
        ("ssoins-0123.us-gov-west-1.portal.amazonaws.com", "us-gov-west-1"),
        ("ssoins-0123.cn-north-1.portal.amazonaws.com.cn", "cn-north-1"),
        ("ssoins-0123.portal.cn-north-1.app.amazonwebservices.com.cn", "cn-north-1"),
        ("ssoins-0123.eusc-de-east-1.portal.amazonaws.eu", "eusc-de-east-1"),
        ("ssoins-0123.portal.eusc-de-east-1.api.amazonwebservices.eu", "eusc-de-east-1"),
    ],
)
def test_hosts_of_aws(host: str, region: str | None) -> None:
    """The hosts that the AWS CLI takes for AWS's are so here, and those with a region name it."""
    for url in (f"https://{host}/start", f"https://{host}", f"https://{host}:443/#/"):
        assert is_of_aws(url)
        assert region_of(url) == region


@pytest.mark.parametrize(
    "url",
    [
        "https://aws.example.com/start",
        "https://awsapps.com.example.com/start",
        "https://evil-awsapps.com/start",
        "https://x.portal.us-west-2.app.aws.example.com",
        "https://notidentitycenter.amazonaws.com",
        "https://portal.us-west-2-app.aws",
        "https://example.com/ssoins-0123.portal.us-west-2.app.aws",
        "https://example.com#ssoins-0123.portal.us-west-2.app.aws",
        "https://[::1/start",
        "",
        "x",
    ],
)
def test_other_hosts(url: str) -> None:
    """A name that only looks like one of AWS's is none."""
    assert not is_of_aws(url)
    assert region_of(url) is None


@pytest.mark.parametrize("value", [None, 7, {}])
def test_no_text(value: object) -> None:
    """A value that is no text names no region."""
    assert region_of(value) is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://x.awsapps.com/start", "https://x.awsapps.com/start"),
        ("https://x.awsapps.com/start/", "https://x.awsapps.com/start"),
        ("https://x.awsapps.com/start#/", "https://x.awsapps.com/start"),
        ("https://x.awsapps.com/start/#/?tab=accounts", "https://x.awsapps.com/start"),
        ("https://x.awsapps.com/start?a=b", "https://x.awsapps.com/start"),
        ("https://x.portal.eu-west-1.app.aws:443/", "https://x.portal.eu-west-1.app.aws"),
        ("https://aws.example.com:4430/", "https://aws.example.com:4430"),
        ("https://start.us-gov-home.awsapps.com/directory/d-1", "https://start.us-gov-home.awsapps.com/directory/d-1"),
    ],
)
def test_canonical(url: str, expected: str) -> None:
    """What a browser adds is taken off, and nothing else."""
    assert canonical(url) == expected


URL = "https://ssoins-0123.portal.eu-north-1.app.aws"


@pytest.mark.parametrize("place", ["sso-session", "profile", "credentials"])
@pytest.mark.parametrize("own_region", ["", "eu-west-3"])
def test_a_region_that_is_missing(tmp_path: Path, place: str, own_region: str) -> None:
    """Without sso_region the region is that of the start URL's host, and its place is the URL's; with one it counts."""
    sign_in = [f"sso_start_url = {URL}", *([f"sso_region = {own_region}"] if own_region else [])]
    own = ["sso_account_id = 123456789012", "sso_role_name = x"]
    config, credentials = tmp_path / "config", tmp_path / "credentials"
    lines = {
        "sso-session": ["[profile dev]", "sso_session = corp", *own, "[sso-session corp]", *sign_in],
        "profile": ["[profile dev]", *own, *sign_in],
        "credentials": ["[dev]", *own, *sign_in],
    }[place]
    path = credentials if place == "credentials" else config
    path.write_text("\n".join(lines), encoding="utf-8")
    environ = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
    files = load_files(environ)
    session = resolve_chain(files, "dev", environ).sso_session
    assert session is not None
    assert session.region == (own_region or "eu-north-1")
    where = Provenance(files)
    in_session = place == "sso-session"
    source = where.in_sso_session("corp", "sso_region") if in_session else where.of("dev", "sso_region")
    key = "sso_region" if own_region else "sso_start_url"
    assert source == f"{path}:{next(number for number, line in enumerate(lines, 1) if line.startswith(key))}"


def test_a_region_that_nothing_names(tmp_path: Path) -> None:
    """A host without a region, or a session whose profile has the start URL, is left as it is."""
    config = tmp_path / "config"
    text = (
        "[profile a]\nsso_session = s\nsso_start_url = {0}\nsso_account_id = 1\n[sso-session s]\nsso_start_url = {1}\n"
    )
    config.write_text(text.format(URL, "https://x.awsapps.com/start"), encoding="utf-8")
    files = load_files({"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")})
    assert "sso_region" not in files.full_config["sso_sessions"]["s"]
    assert "sso_region" not in files.profiles["a"]
