"""The part of IAM that a user needs for their own access keys, at the wire: signatures, MFA, the limit, consistency."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from aws_doubles import Double
from strict_sts import (
    BAD_SIGNATURE,
    BAD_TOKEN,
    EXPIRED_TOKEN,
    SECRET_PREFIX,
    Answer,
    Key,
    RefusedError,
    Request,
    StrictSts,
    check_date,
    iso,
    random_id,
    random_secret,
    result_xml,
    signed_by,
)

MOST_KEYS = 2
LIMIT = f"Cannot exceed quota for AccessKeysPerUser: {MOST_KEYS}"


class Iam(Double):
    """A user's own access keys and devices; everything else of IAM is moto's.

    `denied` names what their policy does not allow, `needs_mfa` says that it allows nothing without a code. `created`
    has when a key was made; without it that was yesterday. `unseen` is by how many calls AWS learns late of a new key.
    `heard` is called with each call of IAM's before it is answered, and `done` after it was carried out.
    """

    def __init__(self, sts: StrictSts) -> None:
        super().__init__(sts)
        self.denied: set[str] = set()
        self.needs_mfa = False
        self.created: dict[str, float] = {}
        self.unseen = 0
        self.last_used: dict[str, tuple[float, str]] = {}
        self.heard: Callable[[str], None] = lambda _: None
        self.done: Callable[[str], None] = lambda _: None
        self._operations = {
            "ListAccessKeys": self._list_access_keys,
            "ListMFADevices": self._list_mfa_devices,
            "CreateAccessKey": self._create_access_key,
            "UpdateAccessKey": self._update_access_key,
            "DeleteAccessKey": self._delete_access_key,
            "GetAccessKeyLastUsed": self._get_access_key_last_used,
        }

    def operation(self, request: Request) -> str | None:
        is_iam = request.params.get("Version") == "2010-05-08" and request.action in self._operations
        # What an administrator does for a user, or somebody whom only moto knows, is moto's.
        is_of_user = request.action.startswith("List") or (request.scope and request.scope[1] in self.sts.keys)
        return request.action if is_iam and is_of_user and "UserName" not in request.params else None

    def carry_out(self, request: Request, *, past: bool) -> Answer:
        self.heard(request.action)
        caller = self._caller(request)
        is_allowed = caller.kind == "user" or (caller.kind == "session" and caller.mfa)
        if request.action in self.denied or not is_allowed or (self.needs_mfa and not caller.mfa):
            whom = f"User: {caller.arn} is not authorized to perform: iam:{request.action}"
            raise RefusedError("AccessDenied", whom)
        result = self._operations[request.action](caller, request.params)
        self.done(request.action)
        return result_xml(request.action, result)

    def refuse(self, error: RefusedError, action: str) -> Answer:
        return error.answer

    def keys_of(self, arn: str) -> list[Key]:
        """Give the long-term keys of a user that are not deleted."""
        return [key for key in self.sts.keys.values() if key.arn == arn and not key.token and not key.deleted]

    def _list_access_keys(self, caller: Key, _: dict[str, str]) -> str:
        name = caller.arn.rpartition("/")[2]
        members = "".join(f"<member>{self._shown(key, name)}</member>" for key in self.keys_of(caller.arn))
        return f"<AccessKeyMetadata>{members}</AccessKeyMetadata><IsTruncated>false</IsTruncated>"

    def _list_mfa_devices(self, caller: Key, _: dict[str, str]) -> str:
        name = caller.arn.rpartition("/")[2]
        serials = [caller.mfa_serial] if caller.mfa_serial else []
        members = "".join(
            f"<member><SerialNumber>{serial}</SerialNumber><UserName>{name}</UserName></member>" for serial in serials
        )
        return f"<MFADevices>{members}</MFADevices><IsTruncated>false</IsTruncated>"

    def _create_access_key(self, caller: Key, _: dict[str, str]) -> str:
        own = self.keys_of(caller.arn)
        if len(own) >= MOST_KEYS:
            raise RefusedError("LimitExceeded", LIMIT, 409)
        key_id, secret = random_id("AKIDTEST"), random_secret(SECRET_PREFIX, 30)
        made = replace(own[0], access_key_id=key_id, secret=secret, revoked=False, unseen=self.unseen)
        self.sts.keys[key_id] = made
        self.created[key_id] = self.sts.now()
        shown = self._shown(made, caller.arn.rpartition("/")[2])
        return f"<AccessKey>{shown}<SecretAccessKey>{secret}</SecretAccessKey></AccessKey>"

    def _update_access_key(self, caller: Key, params: dict[str, str]) -> str:
        self._own(caller, params).revoked = params["Status"] == "Inactive"
        return ""

    def _delete_access_key(self, caller: Key, params: dict[str, str]) -> str:
        key = self._own(caller, params)
        key.revoked = key.deleted = True
        return ""

    def _get_access_key_last_used(self, caller: Key, params: dict[str, str]) -> str:
        self._own(caller, params)
        when, service = self.last_used.get(params["AccessKeyId"], (0, "N/A"))
        date = f"<LastUsedDate>{iso(when)}</LastUsedDate>" if when else ""
        used = f"{date}<ServiceName>{service}</ServiceName><Region>N/A</Region>"
        return f"<UserName>{caller.arn.rpartition('/')[2]}</UserName><AccessKeyLastUsed>{used}</AccessKeyLastUsed>"

    def _own(self, caller: Key, params: dict[str, str]) -> Key:
        wanted = params.get("AccessKeyId", "")
        for key in self.keys_of(caller.arn):
            if key.access_key_id == wanted:
                return key
        raise RefusedError("NoSuchEntity", f"The Access Key with id {wanted} cannot be found.", 404)

    def _shown(self, key: Key, name: str) -> str:
        status = "Inactive" if key.revoked else "Active"
        made = iso(self.created.get(key.access_key_id, self.sts.now() - 86400))
        parts = {"UserName": name, "AccessKeyId": key.access_key_id, "Status": status, "CreateDate": made}
        return "".join(f"<{tag}>{text}</{tag}>" for tag, text in parts.items())

    def _caller(self, request: Request) -> Key:
        scope = request.scope
        key = self.sts.keys.get(scope[1]) if scope else None
        token = request.headers.get("X-Amz-Security-Token", "")
        if scope is None or key is None or key.revoked or scope[3] != "iam" or token != key.token:
            raise RefusedError("InvalidClientTokenId", BAD_TOKEN)
        if key.is_still_unseen():
            raise RefusedError("InvalidClientTokenId", BAD_TOKEN)
        check_date(request.headers.get("X-Amz-Date", ""), self.sts.now())
        if not signed_by(request, scope, key):
            raise RefusedError("SignatureDoesNotMatch", BAD_SIGNATURE)
        if key.expires <= self.sts.now():
            raise RefusedError("ExpiredToken", EXPIRED_TOKEN)
        return key
