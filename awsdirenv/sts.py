"""STS, through botocore: the only module that talks to it.

One client serves a whole chain; what changes from hop to hop is what it signs with.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from typing import Any

from awsdirenv.aws_files import AwsFiles, static_keys
from awsdirenv.errors import NoCredentialsError
from awsdirenv.profile import Chain, RoleHop
from awsdirenv.session_credentials import SessionCredentials, utc_now
from awsdirenv.sts_errors import bad_answer, guarded, source_failed

_HOME_REGIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
_CONNECT_TIMEOUT = 5  # seconds
_READ_TIMEOUT = 10  # seconds
_ATTEMPTS = 3


class Sts:
    """STS as one profile's configuration reaches it (region, endpoint, CA bundle, proxy)."""

    def __init__(self, files: AwsFiles, chain: Chain, region: str | None) -> None:
        """Take the parsed files, whose configuration to use, and the region to talk to (None: any that serves)."""
        self._files = files
        self._profile = chain.profile
        self._region = region
        # Which STS answers is nobody's wish where no region is set; it must only be of the role's partition.
        self._any_region = _HOME_REGIONS.get(chain.partition, "us-east-1")
        self._client: Any = None
        self._signer: Any = None

    def source_credentials(self, chain: Chain) -> SessionCredentials:
        """Resolve where the chain starts, with botocore's own providers.

        Raises NoCredentialsError, CredentialSourceError and ConfigError.
        """
        keys = None if chain.credential_source else static_keys(self._files, chain.source_profile)
        if keys:
            return SessionCredentials(*keys, expiration=None, issued=utc_now())
        what = f"the credentials of profile {chain.source_profile}"

        def resolve() -> SessionCredentials | None:
            try:
                return self._resolve_source(chain)
            except (OSError, ValueError, TypeError, AttributeError) as error:  # a program that is not there, or babbles
                raise source_failed(what, error) from None

        credentials = guarded(what, resolve)
        if credentials is None:
            raise NoCredentialsError(
                f"profile {chain.source_profile} has no credentials",
                f"add aws_access_key_id and aws_secret_access_key to [{chain.source_profile}] "
                f"in {self._files.credentials_path}",
            )
        return credentials

    def get_session_token(
        self, source: SessionCredentials, seconds: int, mfa_serial: str | None, token_code: str | None
    ) -> SessionCredentials:
        """Call GetSessionToken for `seconds`, proving the device where one is given."""
        request: dict[str, Any] = {"DurationSeconds": seconds}
        if mfa_serial:
            request |= {"SerialNumber": mfa_serial, "TokenCode": token_code}
        what = f"GetSessionToken for profile {self._profile}"
        answer = self._call(what, source, "get_session_token", request)
        return _session_credentials(what, answer, account_id=_account_of(mfa_serial))

    def assume_role(
        self,
        source: SessionCredentials,
        hop: RoleHop,
        seconds: int | None,
        mfa_serial: str | None = None,
        token_code: str | None = None,
    ) -> SessionCredentials:
        """Call AssumeRole for `seconds` (None leaves it to STS), proving the device where one is given."""
        request: dict[str, Any] = {
            "RoleArn": hop.role_arn,
            # As botocore does: a name that tells the sessions apart, and the tool, in CloudTrail.
            "RoleSessionName": hop.role_session_name or f"awsdirenv-session-{int(time.time())}",
            "ExternalId": hop.external_id,
            "DurationSeconds": seconds,
            "SerialNumber": mfa_serial,
            "TokenCode": token_code,
        }
        what = f"AssumeRole of {hop.role_arn} for profile {hop.profile}"
        answer = self._call(what, source, "assume_role", {k: v for k, v in request.items() if v is not None})
        arn = answer.get("AssumedRoleUser", {}).get("Arn")
        return _session_credentials(what, answer, account_id=_account_of(arn) or hop.account_id, arn=arn)

    def caller_identity(self, source: SessionCredentials) -> tuple[str, str]:
        """Ask STS who these credentials are: account id and ARN."""
        what = f"GetCallerIdentity for profile {self._profile}"
        answer = self._call(what, source, "get_caller_identity", {})
        return str(answer.get("Account", "")), str(answer.get("Arn", ""))

    def _resolve_source(self, chain: Chain) -> SessionCredentials | None:
        import botocore.credentials as bc  # noqa: PLC0415

        session = _session(self._files, self._profile)
        resolver = bc.create_credential_resolver(session)
        found: Any
        if chain.credential_source:
            providers = [bc.EnvProvider(), *resolver.providers]
            found = bc.CanonicalNameCredentialSourcer(providers).source_credentials(chain.credential_source)
        elif chain.hops:
            # Exactly the providers that botocore asks for a source profile: no environment, no instance metadata.
            builder = bc.ProfileProviderBuilder(session, region_name=self._region)
            found = bc.CredentialResolver(builder.providers(chain.source_profile, True)).load_credentials()
        else:
            found = resolver.load_credentials()
        if found is None:
            return None
        frozen = found.get_frozen_credentials()
        return SessionCredentials(
            access_key_id=frozen.access_key,
            secret_access_key=frozen.secret_key,
            session_token=frozen.token or None,
            expiration=getattr(found, "_expiry_time", None),
            issued=utc_now(),
            account_id=getattr(frozen, "account_id", None),
        )

    def _call(self, what: str, source: SessionCredentials, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        def call() -> dict[str, Any]:
            client = self._sts_client()
            self._signer.access_key = source.access_key_id
            self._signer.secret_key = source.secret_access_key
            self._signer.token = source.session_token
            answer: dict[str, Any] = getattr(client, operation)(**request)
            return answer

        return guarded(what, call, with_code="TokenCode" in request)

    def _sts_client(self) -> Any:
        if self._client is None:
            from botocore.config import Config  # noqa: PLC0415

            session = _session(self._files, self._profile)
            session.set_credentials("-", "-")
            self._signer = session.get_credentials()
            self._client = session.create_client(
                "sts",
                region_name=self._region or self._any_region,
                config=Config(
                    connect_timeout=_CONNECT_TIMEOUT,
                    read_timeout=_READ_TIMEOUT,
                    retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
                ),
            )
        return self._client


def _session(files: AwsFiles, profile: str) -> Any:
    """Make a botocore session for a named profile.

    The profile is always explicit, so that keys which are already in the environment never feed their own refresh, and
    the files are not parsed a second time: at 5,000 profiles that is a quarter of a second.
    """
    # Nothing of the 150 ms of import is garbage; the collector would look for some a hundred times.
    gc.disable()
    from botocore.session import Session  # noqa: PLC0415

    class ParsedSession(Session):
        @property
        def full_config(self) -> dict[str, Any]:
            return files.full_config

    return ParsedSession(profile=profile)


def _session_credentials(
    what: str, answer: Mapping[str, Any], account_id: str | None, arn: str | None = None
) -> SessionCredentials:
    found = answer.get("Credentials") or {}
    try:
        session = SessionCredentials(
            access_key_id=found["AccessKeyId"],
            secret_access_key=found["SecretAccessKey"],
            session_token=found["SessionToken"],
            expiration=found["Expiration"],
            issued=utc_now(),
            account_id=account_id,
            arn=arn,
        )
        sound = session.is_well_formed() and not session.is_long_term and session.is_usable(utc_now())
    except (KeyError, TypeError):
        sound = False
    if not sound:
        raise bad_answer(what)
    return session


def _account_of(arn: str | None) -> str | None:
    parts = (arn or "").split(":")
    return parts[4] if len(parts) > 5 and parts[4].isdigit() else None
