"""botocore's session and clients as this package needs them, calls that end in time, and AWS's clock.

STS gives the end of credentials by AWS's clock, and everybody compares it with the clock of this machine. So ends are
converted to our clock: the Date header of every answer says how far the two are apart. A call that AWS refuses because
of the time of its signature is signed again, by AWS's clock.

Importing this module is cheap: botocore is imported by the functions that use it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar

from awsdirenv.aws.errors import UNREPORTED_SKEW, is_about_clock, server_time
from awsdirenv.config.aws_files import AwsFiles
from awsdirenv.config.environment import ENDPOINT_VARIABLES
from awsdirenv.errors import NetworkError
from awsdirenv.records import replace
from awsdirenv.session_credentials import CLOCK_TOLERANCE, SessionCredentials, in_utc, time_left, utc_now
from awsdirenv.system.clocks import patience

_CONNECT_TIMEOUT = 5  # seconds
_READ_TIMEOUT = 10  # seconds
_ATTEMPTS = 4  # of one call, with botocore's pauses in between; a Budget may end them earlier
_SERVICES = ("iam", "signin", "sso", "sso-oidc", "sts")  # all that we, or botocore for us, make clients of

_VERSION = "awsdirenv-v4"  # our name for our signature, in botocore's table of signatures
_OFFSET = "awsdirenv_offset"  # our key in the context of botocore's requests
_SIGNED = ("GetSessionToken", "GetFederationToken", "AssumeRole", "GetCallerIdentity")
_SECOND = timedelta(seconds=1)  # a Date header has no fractions of a second

T = TypeVar("T")


def let_crt_in() -> None:
    """Let botocore import awscrt, AWS's native library, which `__main__` keeps out, and `aws login` needs.

    To be called before botocore is imported, by `guarded` too: afterwards it has no effect.
    """
    if sys.modules.get("awscrt", sys) is None:
        del sys.modules["awscrt"]


def parsed_session(files: AwsFiles, profile: str) -> Any:
    """Make a botocore session for a named profile, with AWS's files as we have parsed them.

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
    except (AttributeError, BotoCoreError):
        return None  # a services section that is not there, or is none: botocore makes no client then
    return str(setting) if setting else None


def boto_session(files: AwsFiles, profile: str, *, instead: Mapping[str, object] | None = None) -> Any:
    """Make a botocore session for a named profile whose calls end in time.

    `instead` has values that count more than those of the profile and the environment, by botocore's names.
    """
    from botocore.config import Config  # noqa: PLC0415

    session = parsed_session(files, profile)
    for name, value in (instead or {}).items():
        session.get_component("config_store").set_config_variable(name, value)  # unlike the session, it takes None
    options: dict[str, Any] = {"connect_timeout": _CONNECT_TIMEOUT, "read_timeout": _READ_TIMEOUT}
    if session.get_config_variable("max_attempts") is None:
        options["retries"] = {"total_max_attempts": _ATTEMPTS, "mode": "standard"}
    session.set_default_client_config(Config(**options))
    # botocore lists the folders of all four hundred services to see whether a name is one of them. That is a third of
    # the time that a client takes.
    session.get_component("data_loader").list_available_services = lambda _type: _SERVICES
    return session


def client_with_keys(  # noqa: PLR0913, PLR0917 - what a client is made of
    files: AwsFiles,
    profile: str,
    clock: AwsClock,
    keys: tuple[str, str, str | None],
    service: str,
    region: str,
    **options: Any,
) -> Any:
    """Make a client that signs with these keys, and not with a profile's own. `options` are those of botocore's Config.

    `keys` are the access key's id, its secret, and the session token of temporary ones.
    """
    from botocore.config import Config  # noqa: PLC0415

    session = boto_session(files, profile)
    clock.listen(session)
    session.set_credentials(*keys)
    return session.create_client(service, region_name=region, config=Config(**options))


def local_client(service: str, url: str) -> Any:
    """Make a client of a server on this machine, such as the demo's. It uses neither the person's files nor a proxy."""
    from botocore.config import Config  # noqa: PLC0415
    from botocore.session import Session  # noqa: PLC0415

    own = {"profile": None, "config_file": os.devnull, "credentials_file": os.devnull}
    session = Session(session_vars={name: (None, None, value, None) for name, value in own.items()})
    session.set_credentials("setup", "setup")
    return session.create_client(service, endpoint_url=url, region_name="us-east-1", config=Config(proxies={}))


class Budget:
    """How long all calls to AWS of one load may take together.

    The time that a person takes to type, or a credential_process to run, is not counted. `waiting` is told of what
    takes longer than a second.
    """

    def __init__(self, seconds: float, waiting: Callable[[str], None] = lambda _: None) -> None:
        self.waiting = waiting
        self.seconds = seconds
        self._left = seconds

    def spend(self, what: str, call: Callable[[], T]) -> T:
        """Call, and return the result or raise the exception of the call. `what` names it in messages.

        Raises NetworkError when the time is over. The call runs in a thread of its own: name servers and TLS heed
        neither botocore's timeouts nor Ctrl-C, but waiting for a thread ends with either. A thread that is left behind
        ends with the process.
        """
        outcome: list[tuple[T | None, BaseException | None]] = []

        def work() -> None:
            try:
                outcome.append((call(), None))
            except BaseException as error:  # noqa: BLE001 - whatever it is, the waiting thread raises it
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
                f"{what}: no answer within {self.seconds:g}s", "check the network and any proxy, then direnv reload"
            )
        result, error = outcome[0]
        if error is not None:
            raise error
        return result  # type: ignore[return-value] # None only where T has it


def _warn(problem: str, remedy: str, tell: Callable[[str], None]) -> None:
    tell(f"warning: {problem}")
    tell(f"hint: {remedy}")


class AwsClock:
    """AWS's clock, by the answers to one load. `offset` is by how much it is ahead of ours.

    `tell` shows the person a line.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.offset = timedelta(0)
        self._tell = tell
        self._has_told = False
        self._sent = utc_now()

    def listen(self, session: Any) -> None:
        """Read the clock in the answers to every client of a botocore session, and sign its calls of STS by that."""
        session.register("before-send", self._send)
        session.register("response-received", self._receive)
        session.register("before-sign.sts", self._before_sign)
        for operation in _SIGNED:
            session.register(f"choose-signer.sts.{operation}", self._choose_signer)

    def in_time(self, call: Callable[[], T], *, may_repeat: bool = True) -> T:
        """Call, and call again if AWS has refused the time of the signature and its answer says what time it is."""
        from botocore.exceptions import ClientError  # noqa: PLC0415

        signed_with = self.offset
        try:
            return call()
        except ClientError as error:
            if not is_about_clock(error.response):
                raise
            if not may_repeat or abs(self.offset - signed_with) < UNREPORTED_SKEW:
                self._has_told = True  # the error says so itself
                raise
        return self.in_time(call, may_repeat=False)

    def ours(self, moment: datetime) -> datetime:
        """Convert a time of AWS's clock into a time of ours, in UTC.

        botocore may have it in the zone of the machine, where subtraction is wrong across a change to or from DST.
        """
        try:
            return in_utc(moment) - self.offset
        except OverflowError:  # it is at the beginning of the calendar
            return moment.replace(tzinfo=timezone.utc)

    def translated(self, credentials: SessionCredentials) -> SessionCredentials:
        """Return the same credentials with their end by our clock instead of AWS's."""
        end = credentials.expiration and self.ours(credentials.expiration)
        return replace(credentials, expiration=end, offset=self.offset)

    def settled(self, session: SessionCredentials) -> SessionCredentials:
        """Return credentials that AWS has just accepted, with their times by our clock as it is now."""
        moved = session.moved(session.offset - self.offset)
        return replace(moved, issued=min(moved.issued, utc_now()), set_forward=timedelta(0))

    def report(self) -> None:
        """Warn the user, once, if our clock is wrong."""
        if abs(self.offset) < UNREPORTED_SKEW or self._has_told:
            return
        self._has_told = True
        now = utc_now()
        how = "behind" if self.offset > timedelta(0) else "ahead of"
        amount = time_left(now + abs(self.offset), now)
        remedy = "set the clock; AWS may refuse what other programs ask"
        _warn(f"this machine's clock is {amount} {how} AWS's", remedy, self._tell)

    def _send(self, **_: Any) -> None:
        self._sent = utc_now()

    def _receive(
        self, response_dict: Mapping[str, Any] | None, parsed_response: Mapping[str, Any] | None, **_: Any
    ) -> None:
        answer = (parsed_response or {}).get("ResponseMetadata", {})
        # A proxy or portal between us and AWS has a clock of its own.
        if response_dict is None or not (answer.get("RequestId") or answer.get("HTTPStatusCode") == 200):
            return
        received = utc_now()
        theirs = server_time(response_dict["headers"].get("date"))
        if theirs is None:
            return
        # AWS read its clock at some time between `_sent` and `received`, which may be far apart.
        offset = theirs - received if theirs > received else min(theirs + _SECOND - self._sent, timedelta(0))
        self.offset = offset if abs(offset) > CLOCK_TOLERANCE else timedelta(0)

    def _before_sign(self, request: Any, **_: Any) -> None:
        request.context[_OFFSET] = self.offset

    def _choose_signer(self, **_: Any) -> str | None:
        return _signature_version() if self.offset else None


def _signature_version() -> str:
    """Add a signature by AWS's clock to botocore's table, and return its name. botocore itself has none."""
    from botocore.auth import AUTH_TYPE_MAPS, SigV4Auth  # noqa: PLC0415

    class AwsTimeAuth(SigV4Auth):
        def _modify_request_before_signing(self, request: Any) -> None:
            moment = utc_now() + request.context.get(_OFFSET, timedelta(0))
            request.context["timestamp"] = moment.strftime("%Y%m%dT%H%M%SZ")
            super()._modify_request_before_signing(request)  # type: ignore[misc] # the stubs leave it out

    AUTH_TYPE_MAPS.setdefault(_VERSION, AwsTimeAuth)
    return _VERSION
