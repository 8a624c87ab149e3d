"""AWS's clock against ours: every answer tells what time it is there.

What STS says of an end is true time, and what everybody compares it with is the clock of this machine. So ends are put
into our time, and calls that are refused for their time are signed once more, in AWS's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from awsdirenv.aws.errors import UNREPORTED_SKEW, bad_answer, is_about_clock
from awsdirenv.credentials import CLOCK_TOLERANCE, SessionCredentials, time_left, utc_now

_VERSION = "awsdirenv-v4"  # of the signature, among botocore's
_OFFSET = "awsdirenv_offset"  # in the context of a request
_SIGNED = ("GetSessionToken", "AssumeRole", "GetCallerIdentity")
_SECOND = timedelta(seconds=1)  # what a Date header leaves out

T = TypeVar("T")


class AwsClock:
    """What AWS's answers to one load have told of its clock. `offset` is by how much that is ahead of ours."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        """Take how to tell a person."""
        self.offset = timedelta(0)
        self._tell = tell
        self._has_told = False
        self._sent = utc_now()

    def listen(self, session: Any) -> None:
        """Hear what is answered to any client that a botocore session makes, and have a say in STS's signatures."""
        session.register("before-send", self._send)
        session.register("response-received", self._receive)
        session.register("before-sign.sts", self._before_sign)
        for operation in _SIGNED:
            session.register(f"choose-signer.sts.{operation}", self._choose_signer)

    def in_time(self, call: Callable[[], T], *, may_repeat: bool = True) -> T:
        """Call, and once more if AWS has refused the time of it and told a better one."""
        from botocore.exceptions import ClientError  # noqa: PLC0415

        signed_with = self.offset
        try:
            return call()
        except ClientError as error:
            if not is_about_clock(error.response):
                raise
            if not may_repeat or abs(self.offset - signed_with) < UNREPORTED_SKEW:
                self._has_told = True  # the error will
                raise
        return self.in_time(call, may_repeat=False)

    def ours(self, moment: datetime) -> datetime:
        """Say in our time when something of AWS's is.

        In UTC: botocore may have it in the zone of the machine, where subtraction knows nothing of DST.
        """
        return moment.astimezone(timezone.utc) - self.offset

    def translated(self, credentials: SessionCredentials) -> SessionCredentials:
        """Give credentials whose end is AWS's with an end in our time."""
        end = credentials.expiration and self.ours(credentials.expiration)
        return replace(credentials, expiration=end, offset=self.offset)

    def settled(self, session: SessionCredentials) -> SessionCredentials:
        """Give credentials that AWS has just taken with times of our clock as it is now."""
        found = session.moved(session.offset - self.offset)
        return replace(found, issued=min(found.issued, utc_now()), set_forward=timedelta(0))

    def report(self) -> None:
        """Tell the person, once, if our clock is wrong."""
        if abs(self.offset) < UNREPORTED_SKEW or self._has_told:
            return
        self._has_told = True
        now = utc_now()
        how = "behind" if self.offset > timedelta(0) else "ahead of"
        self._tell(f"warning: this machine's clock is {time_left(now + abs(self.offset), now)} {how} AWS's")
        self._tell("hint: set the clock; AWS may refuse what other programs ask")

    def _send(self, **_: Any) -> None:
        self._sent = utc_now()

    def _receive(
        self, response_dict: Mapping[str, Any] | None, parsed_response: Mapping[str, Any] | None, **_: Any
    ) -> None:
        answer = (parsed_response or {}).get("ResponseMetadata", {})
        # What stands between us and AWS has a clock of its own.
        if response_dict is None or not (answer.get("RequestId") or answer.get("HTTPStatusCode") == 200):
            return
        received = utc_now()
        try:
            theirs = parsedate_to_datetime(response_dict["headers"].get("date"))
            # Somewhere between question and answer, which may have been long under way.
            offset = theirs - received if theirs > received else min(theirs + _SECOND - self._sent, timedelta(0))
        except (TypeError, ValueError):
            return
        self.offset = offset if abs(offset) > CLOCK_TOLERANCE else timedelta(0)

    def _before_sign(self, request: Any, **_: Any) -> None:
        request.context[_OFFSET] = self.offset

    def _choose_signer(self, **_: Any) -> str | None:
        return _signature_version() if self.offset else None


def session_credentials(
    what: str, answer: Mapping[str, Any], clock: AwsClock, account_id: str | None, arn: str | None = None
) -> SessionCredentials:
    """Read an answer of STS's. Raises BadAnswerError for one without credentials, or with useless ones."""
    found = answer.get("Credentials") or {}
    try:
        session = SessionCredentials(
            access_key_id=found["AccessKeyId"],
            secret_access_key=found["SecretAccessKey"],
            session_token=found["SessionToken"],
            expiration=clock.ours(found["Expiration"]),
            issued=utc_now(),
            account_id=account_id,
            arn=arn,
            offset=clock.offset,
        )
        sound = session.is_well_formed() and not session.is_long_term and session.is_usable(utc_now())
    except (AttributeError, KeyError, TypeError):
        sound = False
    if not sound:
        raise bad_answer(what)
    return session


def _signature_version() -> str:
    """Make a signature by AWS's time known to botocore, which has no such correction, and give its name."""
    from botocore.auth import AUTH_TYPE_MAPS, SigV4Auth  # noqa: PLC0415

    class AwsTimeAuth(SigV4Auth):
        def _modify_request_before_signing(self, request: Any) -> None:
            moment = utc_now() + request.context.get(_OFFSET, timedelta(0))
            request.context["timestamp"] = moment.strftime("%Y%m%dT%H%M%SZ")
            super()._modify_request_before_signing(request)  # type: ignore[misc] # the stubs leave it out

    AUTH_TYPE_MAPS.setdefault(_VERSION, AwsTimeAuth)
    return _VERSION
