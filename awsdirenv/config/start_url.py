"""Start URLs of IAM Identity Center, as people have them: copied from a browser, of an alias, or of a company's own.

The AWS CLI knows the same hosts (its sso/resolve.py, since June 2026).
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# Compiled at their first use: commands that read config files need neither.
_OF_AWS = (
    r"(?:.+\.)?(?:app\.aws|awsapps\.(?:com|cn)|portal\.amazonaws\.(?:com(?:\.cn)?|eu)"
    r"|app\.amazonwebservices\.com\.cn|api\.amazonwebservices\.eu)"
    r"|identitycenter\.(?:us-gov\.)?amazonaws\.(?:com(?:\.cn)?|eu)"
)
_REGION = (
    r"[^.]+\.(?:portal\.([a-z0-9-]+)\.(?:app\.aws|app\.amazonwebservices\.com\.cn|api\.amazonwebservices\.eu)"
    r"|([a-z0-9-]+)\.portal\.amazonaws\.(?:com(?:\.cn)?|eu))"
)


def canonical(url: str) -> str:
    """Return a start URL as Identity Center itself writes it: without `#/`, query, last slash and HTTPS's port."""
    plain = re.split("[#?]", url, maxsplit=1)[0].rstrip("/")
    return re.sub("^(https://[^/]*):443(?=/|$)", r"\1", plain)


def is_of_aws(url: str) -> bool:
    """Return whether the host is one of AWS's own."""
    return re.fullmatch(_OF_AWS, _host(url)) is not None


def region_of(url: object) -> str | None:
    """Return the region that the host of a start URL names, or None."""
    match = re.fullmatch(_REGION, _host(url)) if isinstance(url, str) else None
    return match and (match[1] or match[2])


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:  # an IPv6 address without an end
        return ""
