"""For Python programs: the same credentials, locks and files as the command line's. What they do stands in `__init__`.

A library is a guest: nothing is printed, and nothing that the process has one of is changed for good.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timezone
from typing import TYPE_CHECKING

from awsdirenv.cache.live_files import leave
from awsdirenv.config.environment import environment_region
from awsdirenv.config.settings import role_duration
from awsdirenv.records import Record, replace
from awsdirenv.refresh.loader import LoadOptions
from awsdirenv.refresh.request import Reporter, Request, loading, served
from awsdirenv.session_credentials import SessionCredentials

if TYPE_CHECKING:
    from boto3.session import Session

    from awsdirenv.aws.boto3_provider import AwsdirenvProvider

_SILENT = Reporter(lambda _holder: None, lambda _notice: None)


def credentials(profile: str | None, duration: int | str | None) -> SessionCredentials:
    """Give a profile's credentials as they are now."""
    found = served(_request(profile, duration), _environment(), _SILENT).credentials
    # botocore parses times into the zone of the machine.
    return replace(found, expiration=found.expiration and found.expiration.astimezone(timezone.utc))


def credential_provider(profile: str | None, duration: int | str | None) -> AwsdirenvProvider:
    """Give a provider for botocore."""
    return _Declared.now(profile, duration).provider()


def session(profile: str | None, region: str | None, duration: int | str | None) -> Session:
    """Give a boto3 session."""
    from awsdirenv.aws import boto3_provider  # noqa: PLC0415 - imports boto3
    from awsdirenv.config.aws_files import load_files  # noqa: PLC0415
    from awsdirenv.config.resolve import resolve_chain  # noqa: PLC0415

    declared = _Declared.now(profile, duration)
    files = load_files(declared.environ)
    chain = resolve_chain(files, declared.name, declared.environ)
    wanted = region or environment_region(declared.environ) or chain.region
    return boto3_provider.session(files, declared.name, wanted, declared.provider())


class _Declared(Record):
    """What a session is for, decided when it is made: what becomes of os.environ later gives it no other account."""

    name: str
    environ: Mapping[str, str]
    request: Request

    @classmethod
    def now(cls, profile: str | None, duration: int | str | None) -> _Declared:
        request, environ = _request(profile, duration), _environment()
        with loading(replace(request, may_ask=False), environ, _SILENT) as loader:
            name = loader.declared.name
        return cls(name, environ, replace(request, profile=name))

    def provider(self) -> AwsdirenvProvider:
        from awsdirenv.aws.boto3_provider import AwsdirenvProvider  # noqa: PLC0415 - imports boto3

        return AwsdirenvProvider(lambda: served(self.request, self.environ, _SILENT).credentials)


def _request(profile: str | None, duration: int | str | None) -> Request:
    seconds = None if duration is None else role_duration(str(duration))
    return Request(profile, options=LoadOptions(duration=seconds))


def _environment() -> dict[str, str]:
    environ = dict(os.environ)
    leave(environ)
    return environ
