"""The calls of IAM and STS with which a user's access keys are made, tried and deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from awsdirenv.aws.botocore_session import AwsClock, Budget, client_with_keys
from awsdirenv.aws.errors import bad_answer, guarded
from awsdirenv.aws.keychain_keys import KeyPair
from awsdirenv.config.aws_files import AwsFiles, section_header
from awsdirenv.errors import DeniedError
from awsdirenv.records import Record
from awsdirenv.session_credentials import SessionCredentials, utc_now
from awsdirenv.system.text import key_end, utc_text

_ANY_REGION = "us-east-1"
_GONE = "NoSuchEntity"
_NEVER = "N/A"  # IAM's word for the region and the service of a key that nobody has used

T = TypeVar("T")


class Identity(Record):
    """Whose a key is. `user_id` is never given again to another user; that of the root user is the account's id."""

    account_id: str
    arn: str
    user_id: str


class AccessKey(Record):
    """An access key of a user, as IAM lists it."""

    access_key_id: str
    is_active: bool
    created: datetime | None

    @property
    def shown(self) -> str:
        """The last four characters of its id, for messages."""
        return key_end(self.access_key_id)


class UserKeys:
    """IAM and STS, asked by one user about their own keys. Every method takes the credentials that sign the call.

    All raise AwsdirenvErrors: DeniedError if a policy of the user does not allow the call, SessionRefusedError if AWS
    does not know the credentials.
    """

    def __init__(
        self, files: AwsFiles, profile: str, region: str | None, patience: float, waiting: Callable[[str], None]
    ) -> None:
        """Use the settings of a profile. `patience` is the time in seconds for each call, with its retries."""
        self._files = files
        self._profile = profile
        self._region = region or _ANY_REGION
        self._patience = patience
        self._waiting = waiting
        self._clock = AwsClock(lambda _: None)

    def identity(self, signer: SessionCredentials) -> Identity:
        """Return whose credentials these are."""
        answer = self._call("sts", "get_caller_identity", signer)
        values = [answer.get(name) for name in ("Account", "Arn", "UserId")]
        if not all(isinstance(value, str) and value for value in values):
            raise bad_answer(self._named("get_caller_identity"))
        return Identity(*map(str, values))

    def keys(self, signer: SessionCredentials) -> list[AccessKey]:
        """Return all keys of the user."""
        answer = self._call("iam", "list_access_keys", signer)
        return [
            AccessKey(str(key.get("AccessKeyId")), key.get("Status") == "Active", key.get("CreateDate"))
            for key in answer.get("AccessKeyMetadata") or ()
        ]

    def create(self, signer: SessionCredentials) -> KeyPair:
        """Make a new key. It is sent once: if the answer is lost, there may be a key that nobody has."""
        answer = self._call("iam", "create_access_key", signer, attempts=1).get("AccessKey") or {}
        created = answer.get("CreateDate")
        pair = KeyPair(
            str(answer.get("AccessKeyId") or ""),
            str(answer.get("SecretAccessKey") or ""),
            utc_text(created) if isinstance(created, datetime) else None,
        )
        if not pair.credentials().is_well_formed():
            raise bad_answer(self._named("create_access_key"))
        return pair

    def deactivate(self, signer: SessionCredentials, access_key_id: str) -> None:
        """Deactivate a key. One that is deleted is no error."""
        self._call("iam", "update_access_key", signer, {"AccessKeyId": access_key_id, "Status": "Inactive"})

    def delete(self, signer: SessionCredentials, access_key_id: str) -> None:
        """Delete a key. One that is deleted is no error."""
        self._call("iam", "delete_access_key", signer, {"AccessKeyId": access_key_id})

    def was_used(self, signer: SessionCredentials, access_key_id: str) -> bool:
        """Return whether anybody has ever used a key."""
        answer = self._call("iam", "get_access_key_last_used", signer, {"AccessKeyId": access_key_id})
        used: Mapping[str, Any] = answer.get("AccessKeyLastUsed") or {}
        return bool(used.get("LastUsedDate")) or used.get("ServiceName", _NEVER) != _NEVER

    def now(self) -> datetime:
        """Return AWS's time, by its last answer."""
        return utc_now() + self._clock.offset

    def _named(self, operation: str) -> str:
        return f"{''.join(word.capitalize() for word in operation.split('_'))} for profile {self._profile}"

    def _call(
        self,
        service: str,
        operation: str,
        signer: SessionCredentials,
        request: Mapping[str, str] | None = None,
        attempts: int | None = None,
    ) -> dict[str, Any]:
        what = self._named(operation)

        def call() -> dict[str, Any]:
            from botocore.exceptions import ClientError  # noqa: PLC0415 - slow

            client = self._client(service, signer, attempts)
            try:
                answer: dict[str, Any] = self._clock.in_time(lambda: getattr(client, operation)(**request or {}))
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") == _GONE:
                    return {}
                raise
            return answer

        budget = Budget(self._patience, self._waiting)
        try:
            return guarded(what, lambda: budget.spend(what, call), section_header(self._profile))
        except DeniedError as error:
            words = error.message.removeprefix(f"{what}: ")
            raise DeniedError(
                f"the user of profile {self._profile} may not call {what.partition(' ')[0]}: {words}",
                "let the user's policy allow it for their own keys, as in docs/iam.md",
            ) from None

    def _client(self, service: str, signer: SessionCredentials, attempts: int | None) -> Any:
        keys = (signer.access_key_id, signer.secret_access_key, signer.session_token)
        options = {"retries": {"total_max_attempts": attempts}} if attempts else {}
        return client_with_keys(self._files, self._profile, self._clock, keys, service, self._region, **options)
