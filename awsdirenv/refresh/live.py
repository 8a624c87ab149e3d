"""`use aws_profile --live`: no keys in the environment, but files that have every SDK ask us, as often as it must."""

from __future__ import annotations

import locale
import sys
from collections.abc import Mapping

from awsdirenv.cache import live_files
from awsdirenv.cache.layout import snapshot_key
from awsdirenv.cache.live_files import Made
from awsdirenv.cache.sessions import prepare
from awsdirenv.cache.snapshots import check_region
from awsdirenv.config.aws_files import stage_of
from awsdirenv.config.chain import Chain
from awsdirenv.errors import (
    AwsdirenvError,
    CacheError,
    CancelledError,
    ConfigError,
    ConfirmationNeededError,
    DirectoryError,
    ProfileNotFoundError,
    SettingError,
    WrongIdentityError,
)
from awsdirenv.refresh.loader import Loader
from awsdirenv.refresh.pins import Conditions, admitted
from awsdirenv.refresh.request import Reporter, Request, loading
from awsdirenv.system.paths import encode_name

# With these a directory stays closed; whatever else went wrong, somebody who logs in later mends it.
_CLOSING = (
    *(CacheError, ConfigError, DirectoryError, ProfileNotFoundError, SettingError),
    *(ConfirmationNeededError, WrongIdentityError),
)


def load(
    request: Request, conditions: Conditions, environ: Mapping[str, str], reporter: Reporter
) -> AwsdirenvError | None:
    """Write what a live directory needs, then get the credentials, as for any directory.

    Gives what went wrong with the credentials alone: the directory is opened all the same, because what it exports can
    give no identity but the declared one. Raises AwsdirenvError where it is not to be opened.
    """
    failed: AwsdirenvError | None = None
    try:
        with loading(request, environ, reporter) as loader:
            _make(loader, reporter)
            try:
                admitted(loader, conditions, loader.load)
            except _CLOSING:
                raise
            except AwsdirenvError as error:
                failed = error
    except CancelledError as error:
        return error
    return failed


def _make(loader: Loader, reporter: Reporter) -> None:
    """Write the config file, unless the one that is there is as it should be."""
    prepare(loader.paths)
    stamps, files = loader.parsed()
    chain = loader.chain()
    check_region(chain.profile, chain.region)
    made = _made(chain, stamps, stage_of(files, chain.profile), loader)
    folder = loader.paths.live
    path = folder / snapshot_key(chain.profile, loader.environ, loader.wishes.duration)
    with loader.locks.hold("live"):
        aside = live_files.write_empty(folder)
        if not live_files.is_current(path, made):
            from awsdirenv.refresh.live_config import config_text  # noqa: PLC0415
            from awsdirenv.shell.extension import own_command  # noqa: PLC0415

            text = config_text(files, chain, loader.environ, own_command(), loader.wishes.duration)
            # As botocore will read it, in the locale's encoding; it has read the files themselves so.
            encoding = locale.getpreferredencoding(do_setlocale=False)
            live_files.write(path, made, text.encode(encoding, "surrogateescape"))
    if aside:
        reporter.notice(f"what was written into {live_files.empty_file(folder)} is in {aside} now, and not used")


def _made(chain: Chain, stamps: tuple[str, str], stage: str | None, loader: Loader) -> Made:
    environ = loader.environ
    account_id = chain.hops[-1].account_id if chain.hops else None
    return Made(
        profile=encode_name(chain.profile),
        stamps=stamps,
        originals=(environ.get("AWS_CONFIG_FILE"), environ.get("AWS_SHARED_CREDENTIALS_FILE")),
        mfa_serial=environ.get("AWS_MFA_SERIAL", ""),
        duration=loader.wishes.duration,
        python=sys.executable,
        region=chain.region or "",
        account_id=account_id or "",
        role=chain.role or "",
        stage=encode_name(stage) if stage else "",
    )
