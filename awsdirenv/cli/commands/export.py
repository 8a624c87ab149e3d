"""Print a profile's credentials for a shell, a file or a program."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from awsdirenv.cli.output import emit, say
from awsdirenv.cli.parser import add_no_session, add_profile, add_session_options, session_options
from awsdirenv.system.text import fish_quote, powershell_quote, sh_quote, utc_text

if TYPE_CHECKING:
    from awsdirenv.cache.snapshots import Snapshot

POSITION = 50
GROUP = "for shells and programs"
EXAMPLE = "awsdirenv export adminrole --format dotenv --output .env"
FORMATS = ("env", "fish", "powershell", "json", "dotenv")  # the forms of `render`

# A universal variable belongs to the user in every fish session. We must not erase it, but we say that it is there.
_FISH_LEFTOVERS = """\
for name in {names}
    set -q $name; or continue
    echo "awsdirenv: warning: $name is still set" >&2
    echo "awsdirenv: hint: set -e $name" >&2
end"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_profile(parser)
    parser.add_argument("--format", choices=FORMATS, default="env", help="default: %(default)s")
    parser.add_argument(
        "--output", metavar="FILE", type=Path, help="write to FILE, 0600; a dotenv file is updated in place"
    )
    add_session_options(parser)
    add_no_session(parser)


def run(options: argparse.Namespace) -> int:
    """Load the credentials, and print them or write them to a file."""
    from awsdirenv.cache import drafts
    from awsdirenv.cli.loading import describe, loading, region, variables
    from awsdirenv.refresh.loader import LoadOptions
    from awsdirenv.refresh.request import Request

    with loading(Request(options.profile, options=LoadOptions(session=session_options(options)))) as loader:
        snapshot = loader.long_term_keys() if options.no_session else loader.load()
    used_region = region(snapshot)
    if options.output is None:
        emit(render(options.format, snapshot, used_region))
        return 0
    with drafts.noted(loader.paths, options.output):
        if options.format == "dotenv":
            from awsdirenv.config import dotenv

            values = variables(snapshot, used_region)
            dotenv.update(options.output, values, stale_names(values))
        else:
            from awsdirenv.shell import extension

            extension.write_output(options.output, render(options.format, snapshot, used_region))
    say(f"awsdirenv: wrote {options.output}: {describe(snapshot, used_region)}")
    return 0


def stale_names(values: Mapping[str, str]) -> frozenset[str]:
    """Return the names to unset: those that would win over the block, and those that the block has no value for."""
    from awsdirenv.config.environment import EXPORTED, STALE

    return frozenset(STALE) | {name for name in EXPORTED if name not in values}


def render(form: str, snapshot: Snapshot, region: str | None) -> str:
    """Write the block as `env`, `fish`, `powershell`, `json` or `dotenv`.

    Raises SetupError for a value that cannot be written in this form.
    """
    from awsdirenv.cli.loading import variables

    values = variables(snapshot, region)
    stale = sorted(stale_names(values))
    if form == "env":
        lines = [f"unset {' '.join(stale)}", *(f"export {k}={sh_quote(v)}" for k, v in values.items())]
    elif form == "fish":
        lines = [f"set -eg {name}" for name in stale]
        lines += [_FISH_LEFTOVERS.format(names=" ".join(stale))]
        lines += [f"set -gx {k} {fish_quote(v)}" for k, v in values.items()]
    elif form == "powershell":
        lines = [f"Remove-Item -ErrorAction Ignore Env:{name}" for name in stale]
        lines += [f"$Env:{name} = {powershell_quote(value)}" for name, value in values.items()]
    elif form == "json":
        lines = [json.dumps(_document(snapshot, region), indent=2)]
    else:
        from awsdirenv.config import dotenv

        lines = dotenv.lines(values)
    return "\n".join(lines) + "\n"


def _document(snapshot: Snapshot, region: str | None) -> dict[str, object]:
    credentials = snapshot.credentials
    expiration = credentials.expiration
    return {
        "version": 1,
        "profile": snapshot.profile,
        "account_id": credentials.account_id,
        "role": snapshot.role,
        "region": region,
        "access_key_id": credentials.access_key_id,
        "secret_access_key": credentials.secret_access_key,
        "session_token": credentials.session_token,
        "expiration": expiration and utc_text(expiration),
    }
