"""Says which setting botocore refuses, and where it stands: in the profile, its `services` section, or a variable.

It asks botocore: a client is made with one setting left out after the other, until the complaint is another one. That
happens after a failure only. Importing this module is cheap: botocore is imported by the functions that use it.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import Any

from awsdirenv.aws.botocore_session import boto_session, endpoint_setting
from awsdirenv.config.aws_files import AwsFiles
from awsdirenv.config.environment import ENDPOINT_VARIABLES, environment_region, region_variable
from awsdirenv.records import Record

_A_REGION = "us-east-1"
_REQUESTS_BUNDLE = "REQUESTS_CA_BUNDLE"  # botocore takes it where neither AWS_CA_BUNDLE nor ca_bundle is set


class Setting(Record):
    """The name of a setting: of a variable if `is_variable`, else a key of a profile or of its `services` section."""

    name: str
    is_variable: bool = False
    services: str | None = None  # the name of the `services` section that has the key


def setting_at_fault(files: AwsFiles, profile: str, environ: Mapping[str, str], region: str | None) -> Setting | None:
    """Return the setting for which botocore makes no client of STS, or None if that is unknown or all is well."""
    from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES as KNOWN  # noqa: PLC0415

    complaint = _complaint(files, profile, region)
    if complaint is None:
        return None
    for name, (key, variable, default, _) in KNOWN.items():
        setting = _setting(key, variable, files.profiles[profile], environ)
        other_value = "-" if name == "ca_bundle" else default
        if setting and _complaint(files, profile, region, name, other_value) != complaint:
            return setting
    if _complaint(files, profile, region, "ignore_configured_endpoint_urls", value=True) != complaint:
        return _endpoint(files, profile, environ)
    if _complaint(files, profile, _A_REGION) != complaint:
        is_variable = environment_region(environ) is not None
        return Setting(region_variable(environ) if is_variable else "region", is_variable)
    return None


def unusable_bundle(profile: Mapping[str, Any], environ: Mapping[str, str]) -> Setting | None:
    """Return the setting that names the certificates to trust if they cannot be read. None if all is well."""
    setting = _setting("ca_bundle", "AWS_CA_BUNDLE", profile, environ)
    if setting is None:
        return None
    path = environ[setting.name] if setting.is_variable else profile[setting.name]
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(os.path.expanduser(path))
    except (OSError, TypeError, ValueError):  # ssl.SSLError is an OSError; ValueError: a NUL in the path
        return setting
    return None


def unusable_proxy(url: str, environ: Mapping[str, str]) -> Setting | None:
    """Return the variable of the proxy for a URL if its value is no URL. None if all is well, or there is no proxy."""
    from botocore import httpsession  # noqa: PLC0415
    from botocore.utils import get_environ_proxies  # noqa: PLC0415

    try:
        proxy = httpsession.ProxyConfiguration(get_environ_proxies(url)).proxy_url_for(url)
        # urllib3's, which botocore uses
        if not proxy or httpsession.proxy_from_url(proxy).proxy.host:  # type: ignore[attr-defined]
            return None
    except Exception:  # noqa: BLE001, S110 - urllib3 has many classes for a URL that is none
        pass
    variable = f"{url.partition(':')[0]}_proxy"
    return Setting(variable if variable in environ else variable.upper(), is_variable=True)


def _setting(
    key: str | None, variable: object, profile: Mapping[str, Any], environ: Mapping[str, str]
) -> Setting | None:
    """Return the setting from which botocore takes a value: a variable wins over the profile's key."""
    if key is None:
        return None
    if isinstance(variable, str) and variable in environ:
        return Setting(variable, is_variable=True)
    if key in profile:
        return Setting(key)
    is_bundle = key == "ca_bundle" and _REQUESTS_BUNDLE in environ
    return Setting(_REQUESTS_BUNDLE, is_variable=True) if is_bundle else None


def _endpoint(files: AwsFiles, profile: str, environ: Mapping[str, str]) -> Setting:
    name = endpoint_setting(files, profile, environ)
    if name == "services":
        return Setting("endpoint_url", services=str(files.profiles[profile]["services"]))
    return Setting(name or "services", is_variable=name in ENDPOINT_VARIABLES)


def _complaint(
    files: AwsFiles, profile: str, region: str | None, name: str | None = None, value: object = None
) -> str | None:
    """Return what botocore says when it makes a client, with another value for one setting. None if it makes one."""
    try:
        session = boto_session(files, profile, instead={name: value} if name else None)
        session.set_credentials("-", "-")
        session.create_client("sts", region_name=region)
    except Exception as error:  # noqa: BLE001 - a bad value breaks botocore in ways that have no common class
        return repr(error)
    return None
