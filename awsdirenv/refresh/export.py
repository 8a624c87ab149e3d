"""Writes credentials as text for shells, files and programs, and runs one command with them in its environment."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping, Sequence
from typing import NoReturn

from awsdirenv.cache.snapshots import Snapshot
from awsdirenv.config import dotenv
from awsdirenv.config.environment import BLOCK, EXPORTED, STALE
from awsdirenv.errors import CommandNotFoundError, CommandNotRunnableError
from awsdirenv.system.text import command_line, fish_quote, powershell_quote, sh_quote, utc_text

# A universal variable belongs to the user in every fish session. We must not erase it, but we say that it is there.
_FISH_LEFTOVERS = """\
for name in {names}
    set -q $name; or continue
    echo "awsdirenv: warning: $name is still set" >&2
    echo "awsdirenv: hint: set -e $name" >&2
end"""


def variables(snapshot: Snapshot, region: str | None) -> dict[str, str]:
    """Return the block of variables. Those without a value are left out. Times are RFC 3339 with an offset."""
    credentials = snapshot.credentials
    expiration = credentials.expiration
    values = {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "AWS_CREDENTIAL_EXPIRATION": expiration.replace(microsecond=0).isoformat() if expiration else None,
        "AWS_ACCOUNT_ID": credentials.account_id,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWSDIRENV_PROFILE": snapshot.profile,
    }
    return {name: value for name, value in values.items() if value}


def stale_names(values: Mapping[str, str]) -> frozenset[str]:
    """Return the names to unset: those that would win over the block, and those that the block has no value for."""
    return frozenset(STALE) | {name for name in EXPORTED if name not in values}


def render(form: str, snapshot: Snapshot, region: str | None) -> str:
    """Write the block as `env`, `fish`, `powershell`, `json` or `dotenv`.

    Raises SetupError for a value that cannot be written in this form.
    """
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
        lines = dotenv.lines(values)
    return "\n".join(lines) + "\n"


def command_environment(environ: Mapping[str, str], snapshot: Snapshot, region: str | None) -> dict[str, str]:
    """Return the environment with the profile's block, and without any other variable that names an identity."""
    kept = {name: value for name, value in environ.items() if name not in BLOCK}
    return {**kept, **variables(snapshot, region)}


def become(command: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Replace this process with a command. The command keeps our terminal and folder, and gets `environ`.

    Raises CommandNotFoundError and CommandNotRunnableError. Their exit codes are the ones a shell would give.
    """
    import shutil  # noqa: PLC0415 - `export` does not need it, and should not wait for it

    name = command[0]
    path = shutil.which(name, mode=os.F_OK, path=environ.get("PATH", os.defpath))
    if not path:
        raise CommandNotFoundError(f"there is no command {name}", "check the name, and PATH")
    # Python ignores SIGPIPE, and the command would inherit that: `… | head` would end in error messages.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execvpe(name, list(command), dict(environ))  # noqa: S606 - on purpose without a shell in between
    except FileNotFoundError:
        raise CommandNotRunnableError(
            f"cannot run {name}: its interpreter is missing", command_line("head -n 1", path)
        ) from None
    except OSError as error:
        raise CommandNotRunnableError(f"cannot run {name}: {error.strerror}", command_line("ls -l", path)) from None


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
