"""What AWS says about a long-term key, for `doctor`: whose it is, how old, whether its user has an MFA device.

AWS is asked with the key itself. Many keys may not ask IAM; the facts are then unknown, which is no failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from awsdirenv.aws.botocore_session import Budget, boto_session
from awsdirenv.aws.clock_skew import AwsClock
from awsdirenv.aws.errors import guarded
from awsdirenv.config.aws_files import AwsFiles
from awsdirenv.errors import AwsdirenvError
from awsdirenv.records import Record

_TIMEOUT = 3  # seconds, for each call


class LongTermKey(Record):
    """A long-term key of one of AWS's files. `region` is the one whose STS is asked."""

    profile: str
    access_key_id: str
    secret_access_key: str
    region: str

    def __repr__(self) -> str:
        return f"LongTermKey({self.profile!r}, {self.shown!r})"

    @property
    def shown(self) -> str:
        """The last four characters of its id, for messages."""
        return f"…{self.access_key_id[-4:]}"


class KeyFacts(Record):
    """What AWS said about a key; None for what it would not say.

    `created` has the times at which the user's active keys were made, by access key id. `offset` is by how much AWS's
    clock is ahead of ours. `refusal` is the error where STS did not say whose key it is.
    """

    key: LongTermKey
    arn: str | None
    offset: timedelta
    refusal: AwsdirenvError | None = None
    created: Mapping[str, datetime] | None = None
    mfa_devices: tuple[str, ...] | None = None

    @property
    def is_root(self) -> bool:
        """Whether it is the account's root user's."""
        return (self.arn or "").endswith(":root")


def ask(files: AwsFiles, key: LongTermKey, budget: Budget) -> KeyFacts:
    """Ask STS whose key it is, and then IAM about the user. Errors of AWS and the network are part of the answer."""
    return _Inquiry(files, key, budget).facts()


class _Inquiry:
    """The calls about one key, which share a clock."""

    def __init__(self, files: AwsFiles, key: LongTermKey, budget: Budget) -> None:
        self._files = files
        self._key = key
        self._budget = budget
        self._clock = AwsClock(lambda _: None)

    def facts(self) -> KeyFacts:
        try:
            arn = str(self._call("sts", "get_caller_identity").get("Arn", ""))
        except AwsdirenvError as error:
            return KeyFacts(self._key, None, self._clock.offset, refusal=error)
        if ":user/" not in arn:  # root has no name that IAM could be asked about
            return KeyFacts(self._key, arn, self._clock.offset)
        keys = self._listed("list_access_keys", "AccessKeyMetadata")
        devices = self._listed("list_mfa_devices", "MFADevices")
        created = {str(k.get("AccessKeyId")): k.get("CreateDate") for k in keys or () if k.get("Status") == "Active"}
        return KeyFacts(
            self._key,
            arn,
            self._clock.offset,
            created={key: moment for key, moment in created.items() if isinstance(moment, datetime)},
            mfa_devices=None if devices is None else tuple(str(device.get("SerialNumber")) for device in devices),
        )

    def _listed(self, operation: str, member: str) -> list[Mapping[str, Any]] | None:
        """Ask IAM for a list of the user's own keys or devices; None where it does not give it."""
        try:
            items = self._call("iam", operation).get(member)
        except AwsdirenvError:
            return None
        return items if isinstance(items, list) else None

    def _call(self, service: str, operation: str) -> dict[str, Any]:
        what = f"{operation} with the access key {self._key.shown} of profile {self._key.profile}"

        def call() -> dict[str, Any]:
            client = self._client(service)
            answer: dict[str, Any] = self._clock.in_time(getattr(client, operation))
            return answer

        return guarded(what, lambda: self._budget.spend(what, call), f"[{self._key.profile}]")

    def _client(self, service: str) -> Any:
        from botocore.config import Config  # noqa: PLC0415

        session = boto_session(self._files, self._key.profile)
        self._clock.listen(session)
        session.set_credentials(self._key.access_key_id, self._key.secret_access_key)
        options = Config(connect_timeout=_TIMEOUT, read_timeout=_TIMEOUT, retries={"total_max_attempts": 1})
        return session.create_client(service, region_name=self._key.region, config=options)
