"""The functions for Python programs, which share credentials, locks and files with the command line.

`__init__` has their documentation. They print nothing and leave the state of the process as it was.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timezone
from typing import TYPE_CHECKING

from awsdirenv.cache.live_files import leave
from awsdirenv.config.environment import SessionOptions, agent_default, environment_region
from awsdirenv.config.session_options import of_directory
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
    """Return a profile's present credentials."""
    present = served(_request(profile, duration), _environment(), _SILENT).credentials
    # botocore returns times in the local time zone.
    return replace(present, expiration=present.expiration and present.expiration.astimezone(timezone.utc))


def credential_provider(profile: str | None, duration: int | str | None) -> AwsdirenvProvider:
    """Return a provider for botocore."""
    return _Declared.now(profile, duration).provider()


def session(profile: str | None, region: str | None, duration: int | str | None) -> Session:
    """Return a boto3 session."""
    from awsdirenv.aws import boto3_provider  # noqa: PLC0415 - imports boto3
    from awsdirenv.config.aws_files import load_files  # noqa: PLC0415
    from awsdirenv.config.resolve import resolve_chain  # noqa: PLC0415

    declared = _Declared.now(profile, duration)
    files = load_files(declared.environ)
    chain = resolve_chain(files, declared.name, declared.environ)
    used_region = region or environment_region(declared.environ) or chain.region
    return boto3_provider.session(files, declared.name, used_region, declared.provider())


class _Declared(Record):
    """The profile and the environment of a session at its start. Later changes of os.environ do not change it."""

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
    asked = SessionOptions(seconds, agent=agent_default(os.environ))
    return Request(profile, options=LoadOptions(session=asked if profile else of_directory(asked, os.environ)))


def _environment() -> dict[str, str]:
    environ = dict(os.environ)
    leave(environ)
    return environ
