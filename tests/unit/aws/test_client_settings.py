"""A setting that botocore refuses is named, with the place that a person has to change; nobody is asked before."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES as KNOWN

from awsdirenv.aws.botocore_session import boto_session
from awsdirenv.config.aws_files import load_files
from awsdirenv.config.resolve import resolve_chain
from awsdirenv.errors import ConfigError
from awsdirenv.refresh.preflight import _PLAIN, Preflight

ROLE = "role_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n"
BASE = "[profile base]\naws_access_key_id = AKIDTEST1\naws_secret_access_key = SENTINEL-SECRET-1\n"
BAD = "may be"
FILE = "to a file of certificates that can be read"
# All settings of botocore that a profile and a variable may have, with a bad value; of some, no value is bad.
TWICE = [(key, variable) for key, variable, *_ in KNOWN.values() if key and isinstance(variable, str)]
TWICE = [pair for pair in TWICE if pair[0] not in ("region", "data_path")]  # no value of these is read for a client
SERVICES = "[services s]\nsts =\n  endpoint_url = "
# Where else a bad value may stand: the profile, other sections, the variables, and what the hint has to say.
PLACES = {
    "an endpoint of the profile": (f"endpoint_url = {BAD}", "", {}, "correct endpoint_url in {p}"),
    "STS's own": ("services = s", f"{SERVICES}{BAD}", {}, "correct endpoint_url of sts in [services s] of {f}"),
    "a variable for all": ("", "", {"AWS_ENDPOINT_URL": BAD}, "correct AWS_ENDPOINT_URL, or unset it"),
    "a variable for STS": ("", "", {"AWS_ENDPOINT_URL_STS": BAD}, "correct AWS_ENDPOINT_URL_STS, or unset it"),
    "a variable that wins over the file": (
        "endpoint_url = http://127.0.0.1\nservices = s",
        f"{SERVICES}http://127.0.0.1",
        {"AWS_ENDPOINT_URL": BAD},
        "correct AWS_ENDPOINT_URL, or unset it",
    ),
    "services that are not there": ("services = s", "", {}, "correct services in {p}"),
    "services of a service that are none": ("services = s", "[services s]\nsts = x", {}, "correct services in {p}"),
    "versions that are none": ("api_versions = x", "", {}, "correct api_versions in {p}"),
    "a key of another service": ("s3 =", "", {}, "check the values in {p}"),
    "a region": ("region = 1234", "", {}, "correct region in {p}"),
    "a region of a variable": ("", "", {"AWS_DEFAULT_REGION": "1234"}, "correct AWS_DEFAULT_REGION, or unset it"),
    "no bundle": ("ca_bundle = /nowhere", "", {}, "set ca_bundle in {p} {c}"),
    "a folder": ("ca_bundle = /tmp", "", {}, "set ca_bundle in {p} {c}"),
    "a bundle of no certificates": ("", "", {"AWS_CA_BUNDLE": "{f}"}, "set AWS_CA_BUNDLE {c}"),
    "a bundle of requests": ("", "", {"REQUESTS_CA_BUNDLE": "/nowhere"}, "set REQUESTS_CA_BUNDLE {c}"),
    "an empty bundle of requests": ("", "", {"REQUESTS_CA_BUNDLE": ""}, "correct REQUESTS_CA_BUNDLE, or unset it"),
    "a proxy": ("", "", {"HTTPS_PROXY": "http://a:b:c"}, "correct HTTPS_PROXY, as in http://HOST:PORT"),
    "a proxy in lower case": ("", "", {"https_proxy": "http://[x"}, "correct https_proxy, as in http://HOST:PORT"),
    "a proxy without a host": ("", "", {"HTTPS_PROXY": "http://"}, "correct HTTPS_PROXY, as in http://HOST:PORT"),
}  # fmt: skip


class Home:
    """AWS's config file with a profile `p`, and an environment that botocore sees, too."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.config = folder / "config"
        self._patch = monkeypatch
        for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(self.config))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))

    def refusal(self, settings: str, sections: str = "", environ: Mapping[str, str] | None = None) -> str | None:
        """Write the profile, set the variables, and give the hint of what is refused; None if nothing is."""
        self.config.write_text(f"[profile p]\n{ROLE}{settings}\n{BASE}{sections}\n", encoding="utf-8")
        with self._patch.context() as patch:
            for name, value in (environ or {}).items():
                patch.setenv(name, value)
            files = load_files(os.environ)
            try:
                Preflight(files, os.environ).check(resolve_chain(files, "p", os.environ))
            except ConfigError as error:
                return error.hint
        return None

    def refuses(self, settings: str, environ: Mapping[str, str]) -> bool:
        """Tell whether botocore makes no client for the profile, in a session as loads have it."""
        self.config.write_text(f"[profile p]\n{settings}\n", encoding="utf-8")
        with self._patch.context() as patch:
            for name, value in environ.items():
                patch.setenv(name, value)
            try:
                session = boto_session(load_files(os.environ), "p")
                session.set_credentials("-", "-")
                session.create_client("sts", region_name="eu-west-1")
            except Exception:  # noqa: BLE001 - a bad value breaks botocore in ways that have no common class
                return True
        return False


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Give a home without settings."""
    return Home(tmp_path, monkeypatch)


def test_a_setting_of_the_profile_and_of_the_environment(home: Home) -> None:
    """Of every setting that botocore takes from either, the one is named that has the bad value."""
    refused = 0
    for key, variable in TWICE:
        for bad in (BAD, ""):
            if not home.refuses(f"{key} = {bad}", {}):
                continue
            refused += 1
            of_variable = f"correct {variable}, or unset it"
            assert home.refusal(f"{key} = {bad}") == f"correct {key} in [profile p] of {home.config}"
            assert home.refusal("", environ={variable: bad}) == of_variable
            assert home.refusal(f"{key} = {bad}x", environ={variable: bad}) == of_variable
    assert refused > 4


@pytest.mark.parametrize("place", PLACES)
def test_a_bad_value_is_found_where_it_stands(home: Home, place: str) -> None:
    """Endpoints, regions, certificates and proxies: the hint names the section or the variable that has the value."""
    settings, sections, environ, hint = PLACES[place]
    environ = {name: value.format(f=home.config) for name, value in environ.items()}
    section = f"[profile p] of {home.config}"
    assert home.refusal(settings, sections, environ) == hint.format(p=section, f=home.config, c=FILE)


def test_what_is_taken_without_botocore(home: Home) -> None:
    """Values that need no look are those with which botocore makes a client."""
    values = ("http://127.0.0.1:65535/", "https://a-b.example", "3", "legacy", "standard", "adaptive", "regional")
    for name, plain in _PLAIN.items():
        taken = [value for value in values if plain.fullmatch(value)]
        assert taken or name == "region"
        for value in taken:
            is_key = name.islower() and not name.endswith("_proxy")
            assert not home.refuses(f"{name} = {value}" if is_key else "", {} if is_key else {name: value})
