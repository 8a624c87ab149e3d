"""The federation endpoint of AWS's sign-in, through botocore's HTTP: credentials in, a token for the console out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from awsdirenv.aws.botocore_session import Budget
from awsdirenv.aws.errors import bad_answer, guarded
from awsdirenv.credentials import SessionCredentials
from awsdirenv.errors import AwsdirenvError, DeniedError, NetworkError

_WHAT = "getSigninToken"
_TIMEOUTS = (5, 10)  # seconds: to connect, to read
_ATTEMPTS = 2
_LONGEST = 16384


@dataclass(frozen=True)
class Federation:
    """The endpoint, as a profile's configuration reaches it (CA bundle, proxy)."""

    endpoint: str
    boto_session: Any
    environ: Mapping[str, str]
    budget: Budget

    def sign_in_token(self, credentials: SessionCredentials, seconds: int | None) -> str:
        """Exchange credentials for a token that opens the console, for `seconds` (None: as long as they live).

        Raises DeniedError, NetworkError, BadAnswerError and ConfigError.
        """
        session = {
            "sessionId": credentials.access_key_id,
            "sessionKey": credentials.secret_access_key,
            "sessionToken": credentials.session_token,
        }
        form = {"Action": "getSigninToken", "Session": json.dumps(session)}
        if seconds is not None:
            form["SessionDuration"] = str(seconds)
        status, body = self._answer(form)
        if 400 <= status < 500 and status != 407:
            raise _refused(status, with_duration=seconds is not None)
        try:
            token = json.loads(body)["SigninToken"] if status == 200 else None
        except (ValueError, KeyError, TypeError):
            token = None
        if not isinstance(token, str) or not token.isprintable() or not 0 < len(token) <= _LONGEST:
            raise bad_answer(_WHAT)
        return token

    def _answer(self, form: Mapping[str, str]) -> tuple[int, bytes]:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                status, body = guarded(_WHAT, lambda: self.budget.spend(_WHAT, lambda: self._post(form)))
                if status < 500 or status == 511:
                    return status, body
                error = NetworkError(f"{_WHAT}: AWS has a problem ({status})", "wait a moment, then try again")
            except NetworkError as found:
                error = found
            if attempt == _ATTEMPTS:
                raise error
        raise AssertionError

    def _post(self, form: Mapping[str, str]) -> tuple[int, bytes]:
        """Send what is secret in the body: addresses are kept by proxies and servers."""
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415
        from botocore.httpsession import URLLib3Session  # noqa: PLC0415
        from botocore.utils import get_environ_proxies  # noqa: PLC0415

        url = f"{self.endpoint}/federation"
        bundle = self.boto_session.get_config_variable("ca_bundle") or self.environ.get("REQUESTS_CA_BUNDLE")
        settings: dict[str, Any] = {"verify": bundle or True, "timeout": _TIMEOUTS}
        http = URLLib3Session(proxies=get_environ_proxies(url), **settings)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        answer = http.send(AWSRequest(method="POST", url=url, data=dict(form), headers=headers).prepare())
        return int(answer.status_code), bytes(answer.content)


def _refused(status: int, *, with_duration: bool) -> AwsdirenvError:
    return DeniedError(
        f"AWS does not let these credentials into the console (getSigninToken: {status})",
        "leave --duration out, and see what they are: awsdirenv explain"
        if with_duration
        else "see what they are, and when they end: awsdirenv explain",
    )
