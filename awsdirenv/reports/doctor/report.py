"""`doctor`: runs the checks, and writes what they find. If a check fails, the others still run."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from awsdirenv.records import replace
from awsdirenv.reports.doctor import aws, files, long_term_keys, setup
from awsdirenv.reports.doctor.context import (
    ERROR,
    INFO,
    NETWORK_TIME,
    SEVERITIES,
    WARNING,
    Check,
    DoctorContext,
    Finding,
)
from awsdirenv.system.text import printable

# The names are part of the output, for users and scripts. docs/reference.md describes each of them.
CHECKS: Mapping[str, Check] = {
    "direnv": setup.direnv,
    "direnv-version": setup.direnv_version,
    "direnv-settings": setup.direnv_settings,
    "bash": setup.bash,
    "stat": setup.stat_program,
    "awk": setup.awk,
    "hook": setup.direnv_hook,
    "hook-order": setup.hook_order,
    "extension": setup.extension,
    "own-function": setup.own_function,
    "envrc-allowed": setup.envrc_allowed,
    "line-ends": files.line_ends,
    "profile": aws.profile,
    "region": aws.region,
    "live-programs": aws.live_programs,
    "sso-token": aws.sso_sign_in,
    "permissions": files.permissions,
    "keys-in-files": files.keys_in_files,
    "aws-variables": files.aws_variables,
    "fish-universals": files.fish_universals,
    "cache-folder": setup.cache_folder,
    "locks": setup.locks,
    "snapshots": setup.snapshots,
    "drafts": files.left_drafts,
    "network": aws.network,
    "access-key": aws.access_key,
    "root-key": aws.root_key,
    "key-age": aws.key_age,
    "mfa": aws.mfa,
    "clock": aws.clock,
    "plain-keys": long_term_keys.plain_keys,
    "keychain": long_term_keys.keychain,
}
OF_THE_MACHINE = ("direnv", "direnv-version", "bash", "stat", "awk", "hook", "hook-order")
_PATIENCE = 1.0  # seconds after which the user is told which check is slow
_LONGEST = NETWORK_TIME + 4  # seconds for one check: a network file system without its server never answers
_COLOURS = {ERROR: "31", WARNING: "33", INFO: "36"}


def examine(context: DoctorContext, tell: Callable[[str], None], checks: Mapping[str, Check] = CHECKS) -> list[Finding]:
    """Run the checks and return what they find, the worst first. `tell` gets a line for each slow check."""
    findings = [finding for name, check in checks.items() for finding in _carry_out(name, check, context, tell)]
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def exit_status(findings: Iterable[Finding]) -> int:
    """Return 1 if any finding is a warning or an error, else 0."""
    return int(any(finding.severity != INFO for finding in findings))


def document(findings: Iterable[Finding]) -> str:
    """Return the findings as JSON."""
    names = ("check", "severity", "message", "hint", "path")
    rows = [{name: getattr(finding, name) for name in names} for finding in findings]
    return json.dumps({"version": 1, "findings": rows}, indent=2, ensure_ascii=False) + "\n"


def text(findings: list[Finding], home: str, *, is_coloured: bool) -> str:
    """Return the findings as text, one block for each. Paths below `home` begin with `~`."""
    if not findings:
        return "no problems found\n"
    blocks = [_block(finding, home, is_coloured=is_coloured) for finding in findings]
    counts = [(sum(finding.severity == severity for finding in findings), severity) for severity in SEVERITIES]
    words = [f"{count} {name}{'s' if count > 1 and name != INFO else ''}" for count, name in counts if count]
    return "\n".join([*blocks, ", ".join(words) + "\n"])


def _block(finding: Finding, home: str, *, is_coloured: bool) -> str:
    word = finding.severity
    if is_coloured:
        word = f"\x1b[{_COLOURS[word]}m{word}\x1b[0m"
    lines = [f"{word}: {printable(finding.message)} [{finding.check}]", f"  hint: {printable(finding.hint)}"]
    if finding.path:
        below = finding.path.startswith(home.rstrip("/") + "/")
        path = f"~{finding.path[len(home.rstrip('/')) :]}" if below else finding.path
        lines.append(f"  at: {printable(path)}")
    return "".join(f"{line}\n" for line in lines)


def _carry_out(name: str, check: Check, context: DoctorContext, tell: Callable[[str], None]) -> list[Finding]:
    """Run one check, with a time limit, and return its findings. A failure of the check itself is a finding, too."""
    findings: list[Finding] = []
    failures: list[BaseException] = []

    def work() -> None:
        try:
            findings.extend(check(context))
        except Exception as error:  # noqa: BLE001 - after any error the other checks are still useful
            failures.append(error)

    # It runs in its own thread: a check that waits for a file system or a name server cannot be interrupted. We can
    # only stop waiting for it.
    thread = threading.Thread(target=work, daemon=True)
    started = time.monotonic()
    thread.start()
    thread.join(_PATIENCE)
    if thread.is_alive():
        about = str(check.__doc__).partition("\n")[0].rstrip(".")
        tell(f"awsdirenv: checking {name}: {about[:1].lower()}{about[1:]}")
        thread.join(_LONGEST - (time.monotonic() - started))
    if thread.is_alive():
        return [
            Finding(
                INFO,
                f"the check took longer than {_LONGEST:g}s",
                "check the disk and the file system",
                check=name,
            )
        ]
    for error in failures:
        what = getattr(error, "strerror", None) or getattr(error, "message", None) or type(error).__name__
        path = getattr(error, "filename", None)
        findings.append(
            Finding(INFO, f"the check failed: {what}", "correct that, then: awsdirenv doctor", path and str(path))
        )
    return [replace(finding, check=name) for finding in findings]
