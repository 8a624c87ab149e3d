"""botocore's session and clients, set up the way all of us need them, and calls that end in time."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from awsdirenv.aws import crt
from awsdirenv.config.aws_files import AwsFiles
from awsdirenv.config.environment import ENDPOINT_VARIABLES
from awsdirenv.errors import NetworkError
from awsdirenv.system.progress import patience

_CONNECT_TIMEOUT = 5  # seconds
_READ_TIMEOUT = 10  # seconds
_ATTEMPTS = 4  # with botocore's pauses in between; Budget ends them early

# What we are a client of, or botocore for us.
_SERVICES = ("iam", "signin", "sso", "sso-oidc", "sts")

T = TypeVar("T")


def parsed_session(files: AwsFiles, profile: str) -> Any:
    """Make a botocore session for a named profile.

    The profile is always explicit, so that keys which are already in the environment never feed their own refresh, and
    the files are not parsed a second time: at 5,000 profiles that is a quarter of a second.
    """
    from botocore.session import Session  # noqa: PLC0415

    class ParsedSession(Session):
        @property
        def full_config(self) -> dict[str, Any]:
            return files.full_config

    return ParsedSession(profile=profile if profile in files.profiles else None)


def endpoint_setting(files: AwsFiles, profile: str, environ: Mapping[str, str]) -> str | None:
    """Ask botocore which setting says where STS is: a variable, `services` or `endpoint_url`; None for AWS's own place.

    Each setting has its own name for a value here, so that botocore's answer names the one that counts. This imports
    much of botocore, but makes no client.
    """
    from botocore.configprovider import ConfiguredEndpointProvider  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    if parsed_session(files, profile).get_config_variable("ignore_configured_endpoint_urls"):
        return None
    config, sections = files.profiles[profile], files.full_config.get("services", {})
    name = config.get("services")
    own = {"endpoint_url": "endpoint_url"} if config.get("endpoint_url") else {}
    of_sts = sections.get(name, {}).get("sts")
    if isinstance(of_sts, Mapping) and of_sts.get("endpoint_url"):
        sections = {**sections, name: {**sections[name], "sts": {**of_sts, "endpoint_url": "services"}}}
    variables = {variable: variable for variable in ENDPOINT_VARIABLES if environ.get(variable)}
    provider = ConfiguredEndpointProvider({"services": sections}, {**config, **own}, "sts", variables)
    try:
        setting = provider.provide()
    except BotoCoreError:  # a services section that is not there: botocore makes no client then
        return None
    return str(setting) if setting else None


def boto_session(files: AwsFiles, profile: str, *, needs_crt: bool = False) -> Any:
    """Make a botocore session for a named profile whose calls end in time."""
    if needs_crt:
        crt.let_in()
    from botocore.config import Config  # noqa: PLC0415

    session = parsed_session(files, profile)
    options: dict[str, Any] = {"connect_timeout": _CONNECT_TIMEOUT, "read_timeout": _READ_TIMEOUT}
    if session.get_config_variable("max_attempts") is None:
        options["retries"] = {"total_max_attempts": _ATTEMPTS, "mode": "standard"}
    session.set_default_client_config(Config(**options))
    # To know a service by its name botocore looks into the folders of all four hundred: a third of a client's time.
    session.get_component("data_loader").list_available_services = lambda _type: _SERVICES
    return session


def local_client(service: str, url: str) -> Any:
    """Make a client of a server on this machine, such as the demo's: neither the person's files nor proxy are asked."""
    from botocore.config import Config  # noqa: PLC0415
    from botocore.session import Session  # noqa: PLC0415

    own = {"profile": None, "config_file": os.devnull, "credentials_file": os.devnull}
    session = Session(session_vars={name: (None, None, value, None) for name, value in own.items()})
    session.set_credentials("setup", "setup")
    return session.create_client(service, endpoint_url=url, region_name="us-east-1", config=Config(proxies={}))


class Budget:
    """How long all of one load's calls may take together. People who type and programs that run are not counted."""

    def __init__(self, seconds: float, waiting: Callable[[str], None] = lambda _: None) -> None:
        """Take the seconds, and whom to tell of what takes longer than one."""
        self.waiting = waiting
        self._seconds = seconds
        self._left = seconds

    def spend(self, what: str, call: Callable[[], T]) -> T:
        """Call, and give its result or its exception. Raises NetworkError when the time is over.

        The call has a thread of its own: name servers and TLS heed neither botocore's timeouts nor Ctrl-C, but waiting
        for a thread ends with either. What is then left behind ends with the process.
        """
        outcome: list[tuple[T | None, BaseException | None]] = []

        def work() -> None:
            try:
                outcome.append((call(), None))
            except BaseException as error:  # noqa: BLE001 - handed over, whatever it is
                outcome.append((None, error))

        started = time.monotonic()
        thread = threading.Thread(target=work, daemon=True)
        if self._left > 0:
            thread.start()
            with patience(self.waiting, f"AWS: {what}"):
                thread.join(self._left)
            self._left -= time.monotonic() - started
        if not outcome:
            raise NetworkError(
                f"{what}: no answer within {self._seconds:g}s", "check the network and any proxy, then direnv reload"
            )
        result, error = outcome[0]
        if error is not None:
            raise error
        return result  # type: ignore[return-value] # None only where T has it
