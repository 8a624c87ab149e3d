"""The double of IAM for a user's own keys: as strict as IAM in what `awsdirenv keys rotate` depends on."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.session import Session

from strict_sts import StrictSts


def client(sts: StrictSts, service: str, key: str, secret: str, token: str | None = None) -> Any:
    """Make a client with these credentials."""
    session = Session()
    session.set_credentials(key, secret, token)
    return session.create_client(service, region_name="eu-west-1", endpoint_url=sts.url)


def refusal(call: Any, **request: str) -> str:
    """Make a call that is refused; give the code."""
    with pytest.raises(ClientError) as error:
        call(**request)
    return str(error.value.response["Error"]["Code"])


def test_a_life_of_keys(sts: StrictSts) -> None:
    """A second key is made, a third is not; an inactive and a deleted one sign nothing; nobody's key is not found."""
    user = sts.add_user("foo")
    iam = client(sts, "iam", user.access_key_id, user.secret_access_key)
    made = iam.create_access_key()["AccessKey"]
    assert refusal(iam.create_access_key) == "LimitExceeded"
    other = client(sts, "sts", made["AccessKeyId"], made["SecretAccessKey"])
    assert other.get_caller_identity()["Arn"] == user.arn
    assert iam.get_access_key_last_used(AccessKeyId=made["AccessKeyId"])["AccessKeyLastUsed"]["ServiceName"] == "N/A"
    iam.update_access_key(AccessKeyId=made["AccessKeyId"], Status="Inactive")
    assert refusal(other.get_caller_identity) == "InvalidClientTokenId"
    states = {key["AccessKeyId"]: key["Status"] for key in iam.list_access_keys()["AccessKeyMetadata"]}
    assert states == {user.access_key_id: "Active", made["AccessKeyId"]: "Inactive"}
    iam.delete_access_key(AccessKeyId=made["AccessKeyId"])
    assert refusal(iam.delete_access_key, AccessKeyId=made["AccessKeyId"]) == "NoSuchEntity"
    assert len(iam.list_access_keys()["AccessKeyMetadata"]) == 1


def test_signatures_and_sessions(sts: StrictSts) -> None:
    """A wrong secret and a session without MFA are refused; one with MFA may, and outlives the key that it is from."""
    user = sts.add_user("foo")
    wrong = client(sts, "iam", user.access_key_id, "wrong")
    assert refusal(wrong.list_access_keys) == "SignatureDoesNotMatch"
    sessions = client(sts, "sts", user.access_key_id, user.secret_access_key)
    sts.accept_code(user.mfa_serial, "123456")
    sts.iam.needs_mfa = True
    for proof, is_let_in in (({}, False), ({"SerialNumber": user.mfa_serial, "TokenCode": "123456"}, True)):
        given = sessions.get_session_token(**proof)["Credentials"]
        iam = client(sts, "iam", *(given[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")))
        if not is_let_in:
            assert refusal(iam.list_access_keys) == "AccessDenied"
    iam.update_access_key(AccessKeyId=user.access_key_id, Status="Inactive")
    assert [key["Status"] for key in iam.list_access_keys()["AccessKeyMetadata"]] == ["Inactive"]


def test_a_new_key_becomes_known(sts: StrictSts) -> None:
    """AWS learns late of a new key: that many calls with it fail."""
    user = sts.add_user("foo")
    sts.iam.unseen = 2
    made = client(sts, "iam", user.access_key_id, user.secret_access_key).create_access_key()["AccessKey"]
    other = client(sts, "sts", made["AccessKeyId"], made["SecretAccessKey"])
    assert [refusal(other.get_caller_identity) for _ in range(2)] == ["InvalidClientTokenId"] * 2
    assert other.get_caller_identity()["Arn"] == user.arn
