"""AWS's files, made at random for hypothesis."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from awsdirenv.config.aws_files import AwsFiles, load_files

HEADERS = (
    *("[default]", "[DEFAULT]", "[profile default]", "[profile a]", "[profile  a]", '[profile "a"]', "[profilea]"),
    *("[profile b]", '[profile "b c"]', "[b c]", "[a]", "[b]", "[profile a] # note", "[sso-session a]", "[services a]"),
)

LINES = (
    *("region = x", "Region: x", "region=x", "REGION  :  x", "role_arn = y", "mfa_serial: z", "output = json"),
    *("  region = indented", "\trole_arn = tab", "    more", "# region = no", "; region = no", "  # region = no"),
    *("", "   ", "s3 =", "  k = v", "sts =", "  endpoint_url = http://x", "empty =", "include_profile = b"),
    *("include_profile = a", "source_profile = b", "region = a = b", "région = é", "k: v = w", "k = v # no comment"),
)

# A key twice in a section, or a header twice, would make most files worthless.
SECTIONS = st.lists(
    st.sampled_from(LINES), max_size=8, unique_by=lambda line: re.split("[=:]", line)[0].strip().lower()
)

FILES = st.lists(st.tuples(st.sampled_from(HEADERS), SECTIONS), max_size=5, unique_by=lambda section: section[0]).map(
    lambda sections: [line for header, lines in sections for line in (header, *lines)]
)

SEVERAL = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def parsed(folder: Path, config: str = "", credentials: str = "") -> AwsFiles:
    """Write both files, byte by byte, and parse them."""
    (folder / "config").write_bytes(config.encode())
    (folder / "credentials").write_bytes(credentials.encode())
    return load_files(environ(folder))


def environ(folder: Path) -> dict[str, str]:
    """Name both files."""
    return {
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
    }
