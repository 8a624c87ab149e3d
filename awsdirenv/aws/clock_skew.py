"""The difference between AWS's clock and ours, which the Date header of every answer tells.

STS gives the end of credentials by AWS's clock, and everybody compares it with the clock of this machine. So ends are
converted to our clock. A call that AWS refuses because of the time of its signature is signed again, by AWS's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar

from awsdirenv.aws.errors import UNREPORTED_SKEW, bad_answer, is_about_clock, server_time
from awsdirenv.records import replace
from awsdirenv.session_credentials import CLOCK_TOLERANCE, SessionCredentials, time_left, utc_now

_VERSION = "awsdirenv-v4"  # our name for our signature, in botocore's table of signatures
_OFFSET = "awsdirenv_offset"  # our key in the context of botocore's requests
_SIGNED = ("GetSessionToken", "AssumeRole", "GetCallerIdentity")
_SECOND = timedelta(seconds=1)  # a Date header has no fractions of a second

T = TypeVar("T")


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
        """Give a moment of AWS's clock by our clock, in UTC.

        botocore may have it in the zone of the machine, where subtraction is wrong across a change to or from DST.
        """
        try:
            return moment.astimezone(timezone.utc) - self.offset
        except OverflowError:  # it is at the end of the calendar, as 9999-12-31 for "never"
            return moment.replace(tzinfo=timezone.utc)

    def translated(self, credentials: SessionCredentials) -> SessionCredentials:
        """Give the same credentials with an end by our clock instead of AWS's."""
        end = credentials.expiration and self.ours(credentials.expiration)
        return replace(credentials, expiration=end, offset=self.offset)

    def settled(self, session: SessionCredentials) -> SessionCredentials:
        """Give credentials that AWS has just accepted with times by our clock as it is now."""
        moved = session.moved(session.offset - self.offset)
        return replace(moved, issued=min(moved.issued, utc_now()), set_forward=timedelta(0))

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


def session_credentials(
    what: str, answer: Mapping[str, Any], clock: AwsClock, account_id: str | None, arn: str | None = None
) -> SessionCredentials:
    """Read the credentials in an answer of STS. Raises BadAnswerError where there are none that can be used."""
    given = answer.get("Credentials") or {}
    try:
        session = SessionCredentials(
            access_key_id=given["AccessKeyId"],
            secret_access_key=given["SecretAccessKey"],
            session_token=given["SessionToken"],
            expiration=clock.ours(given["Expiration"]),
            issued=utc_now(),
            account_id=account_id,
            arn=arn,
            offset=clock.offset,
        )
        is_sound = session.is_well_formed() and not session.is_long_term and session.is_usable(utc_now())
    except (AttributeError, KeyError, TypeError):
        is_sound = False
    if not is_sound:
        raise bad_answer(what)
    return session


def _signature_version() -> str:
    """Add a signature by AWS's clock to botocore's table, and give its name. botocore has none."""
    from botocore.auth import AUTH_TYPE_MAPS, SigV4Auth  # noqa: PLC0415

    class AwsTimeAuth(SigV4Auth):
        def _modify_request_before_signing(self, request: Any) -> None:
            moment = utc_now() + request.context.get(_OFFSET, timedelta(0))
            request.context["timestamp"] = moment.strftime("%Y%m%dT%H%M%SZ")
            super()._modify_request_before_signing(request)  # type: ignore[misc] # the stubs leave it out

    AUTH_TYPE_MAPS.setdefault(_VERSION, AwsTimeAuth)
    return _VERSION
