"""The calls of STS, through botocore, and the credentials that a chain starts from.

One client serves a whole chain. From one role to the next only the keys change that it signs with.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from awsdirenv.aws import keychain_keys, providers, sso_token
from awsdirenv.aws.botocore_session import AwsClock, Budget, boto_session, let_crt_in
from awsdirenv.aws.client_settings import Setting, setting_at_fault, unusable_bundle, unusable_proxy
from awsdirenv.aws.errors import again_if_cut_off, bad_answer, guarded, guarded_source, send_once
from awsdirenv.config.aws_files import (
    AwsFiles,
    broken_pair,
    has_empty_key,
    place_of,
    section_header,
    static_keys,
    stored_expiration,
)
from awsdirenv.config.chain import (
    HOME_REGIONS,
    LOGIN,
    PROCESS,
    STATIC,
    Chain,
    Narrowing,
    RoleHop,
    account_of,
    partition_of,
)
from awsdirenv.config.resolve import source_place
from awsdirenv.errors import (
    AwsdirenvError,
    BadAnswerError,
    ConfigError,
    CredentialSourceError,
    SessionRefusedError,
)
from awsdirenv.session_credentials import SessionCredentials, parse_time, utc_now
from awsdirenv.system.keychain import Keychain
from awsdirenv.system.text import aws_command, command_line, login_command

_TOKEN_DUE = timedelta(minutes=16)  # botocore renews a sign-in's token in its last 15 minutes
_SETTING_LINE = re.compile(r"^\s*\w+\s*[=:]", re.MULTILINE)


class Sts:
    """STS as the configuration of one profile reaches it (region, endpoint, CA bundle, proxy).

    `region` is the wanted one, `budget` the time for all calls together. `tell` shows words about a wrong clock.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - it is where the parts come together
        self,
        files: AwsFiles,
        chain: Chain,
        region: str | None,
        environ: Mapping[str, str],
        budget: Budget,
        tell: Callable[[str], None] = lambda _: None,
        keychain: Keychain | None = None,
    ) -> None:
        if chain.source_kind == LOGIN:
            let_crt_in()
        self._keychain = keychain
        self._files = files
        self._chain = chain
        self._environ = environ
        self._budget = budget
        # Any region of the role's partition will do: keys are only good for the STS of their own partition.
        partition = chain.partition or partition_of(region or "")
        self._region = region if region and partition_of(region) == partition else HOME_REGIONS.get(partition)
        self._session: Any = None
        self._client: Any = None
        self._signer: Any = None
        self._clock = AwsClock(tell)
        self._sent: dict[str, bool] = {}  # of the call that runs; not in self, which the client would keep alive

    def check_settings(self) -> None:
        """Make the client. Raises ConfigError for a setting that botocore would refuse, now or with the first call."""
        what = f"the settings of profile {self._chain.profile}"
        try:
            with self._naming_setting(what):
                guarded(what, self._sts_client, self._section(self._chain.profile))
        except BadAnswerError:
            # Nothing has answered yet: a value such as a bad number fails with an error that is none of botocore's.
            raise ConfigError(
                f"botocore cannot use the settings of profile {self._chain.profile}",
                f"check the values in {self._section(self._chain.profile)}",
            ) from None
        url = self._client.meta.endpoint_url
        is_encrypted = url.startswith("https:")
        bundle = unusable_bundle(self._files.profiles[self._chain.profile], self._environ) if is_encrypted else None
        if bundle:
            where = bundle.name if bundle.is_variable else f"{bundle.name} in {self._section(self._chain.profile)}"
            raise ConfigError(
                f"{what}: the certificates to trust cannot be read",
                f"set {where} to a file of certificates that can be read",
            )
        proxy = unusable_proxy(url, self._environ)
        if proxy:
            raise ConfigError(f"{what}: the proxy is not a URL", f"correct {proxy.name}, as in http://HOST:PORT")

    def source_credentials(self) -> SessionCredentials:
        """Get the credentials that the chain starts from.

        Raises NoCredentialsError, CredentialSourceError, CredentialProcessError, SignInNeededError and ConfigError.
        """
        chain, what = self._chain, self._named("the credentials", self._chain.source_profile)
        keys = static_keys(self._files, chain.source_profile) if chain.source_kind == STATIC else None
        if keys:
            return self._from_stored_keys(*keys)
        if chain.source_kind == STATIC and has_empty_key(self._files, chain.source_profile):
            raise broken_pair(self._files, chain.source_profile)
        if chain.source_kind == PROCESS:
            return providers.process_credentials(
                self.process(),
                chain.source_profile,
                self._section(chain.source_profile, "credential_process"),
                self._environ,
                chain.profile,
                self._budget.waiting,
            )
        if chain.keychain and self._keychain:
            return keychain_keys.credentials(chain.keychain, self._keychain)
        session = self._boto_session()
        with self._naming_setting(what):
            credentials = guarded_source(
                what,
                lambda: self._budget.spend(
                    what,
                    lambda: providers.resolve(chain, session, self._region, self._environ, self._budget.seconds),
                ),
                self._section(chain.source_profile),
                self._sign_in(),
            )
        if credentials is None:
            raise providers.nothing_found(self._files, chain)
        self._clock.report()
        # The end of what `aws login` gives is by our clock already.
        return credentials if chain.source_kind == LOGIN else self._clock.translated(credentials)

    def may_renew_sign_in(self) -> bool:
        """Return whether the token of a sign-in may have to be renewed, which other profiles share."""
        if self._chain.sso_session is None:
            return self._chain.sign_in is not None
        token = sso_token.read(self._chain.sso_session, self._environ)
        return token is None or token.expiration - utc_now() < _TOKEN_DUE

    def get_session_token(
        self, source: SessionCredentials, seconds: int, mfa_serial: str | None, token_code: str | None
    ) -> SessionCredentials:
        """Call GetSessionToken for a session of `seconds`, with a code of the MFA device where one is given."""
        request: dict[str, Any] = {"DurationSeconds": seconds}
        if mfa_serial:
            request |= {"SerialNumber": mfa_serial, "TokenCode": token_code}
        owner, step = self._owner_of_serial(), "GetSessionToken"
        if mfa_serial and owner != self._chain.source_profile:
            step = f"GetSessionToken, with the mfa_serial of profile {owner},"
        what = self._named(step, self._chain.source_profile)
        answer = self._call(what, owner, source, "get_session_token", request)
        return _session_credentials(what, answer, self._clock, account_id=account_of(mfa_serial))

    def get_federation_token(
        self, source: SessionCredentials, seconds: int, narrowing: Narrowing
    ) -> SessionCredentials:
        """Call GetFederationToken with a long-term key, for a session that policies narrow."""
        request = {"Name": "awsdirenv", "DurationSeconds": seconds, **_given(narrowing.arns, narrowing.policy)}
        what = self._named("GetFederationToken", self._chain.source_profile)
        answer = self._call(what, self._chain.source_profile, source, "get_federation_token", request)
        arn = (answer.get("FederatedUser") or {}).get("Arn")
        return _session_credentials(what, answer, self._clock, account_id=account_of(arn), arn=arn)

    def assume_role(
        self,
        source: SessionCredentials,
        hop: RoleHop,
        seconds: int | None,
        mfa_serial: str | None = None,
        token_code: str | None = None,
    ) -> SessionCredentials:
        """Call AssumeRole for a session of `seconds`, with a code of the MFA device where one is given.

        None leaves the seconds to STS.
        """
        request: dict[str, Any] = {
            "RoleArn": hop.role_arn,
            # As botocore does. In CloudTrail it shows the tool, and tells sessions apart.
            "RoleSessionName": hop.role_session_name or f"{hop.default_session_name}-{int(time.time())}",
            "ExternalId": hop.external_id,
            "DurationSeconds": seconds,
            "SourceIdentity": hop.source_identity,
            "Tags": [{"Key": key, "Value": value} for key, value in hop.session_tags] or None,
            "TransitiveTagKeys": list(hop.transitive_session_tags) or None,
            **_given(hop.policy_arns, hop.policy),
            "SerialNumber": mfa_serial,
            "TokenCode": token_code,
        }
        what = self._named(f"AssumeRole of {hop.role_arn}", hop.profile)
        request = {key: value for key, value in request.items() if value is not None}
        answer = self._call(what, hop.profile, source, "assume_role", request)
        arn = answer.get("AssumedRoleUser", {}).get("Arn")
        return _session_credentials(what, answer, self._clock, account_id=account_of(arn) or hop.account_id, arn=arn)

    def caller_identity(self, source: SessionCredentials) -> tuple[str, str]:
        """Ask STS whose credentials these are, and give account id and ARN; "" for what it does not say."""
        what = self._named("GetCallerIdentity", self._chain.source_profile)
        answer = self._call(what, self._chain.source_profile, source, "get_caller_identity", {})
        return str(answer.get("Account", "")), str(answer.get("Arn", ""))

    def confirmed(self, session: SessionCredentials) -> SessionCredentials:
        """Ask STS whether it still accepts credentials, and correct their times.

        Raises SessionRefusedError where they have ended, and NetworkError.
        """
        self.caller_identity(session)
        return self._clock.settled(session)

    def _named(self, step: str, profile: str) -> str:
        """Name a step in messages: of which profile, and for which profile in the end."""
        way = "" if profile == self._chain.profile else f", on the way to {self._chain.profile}"
        return f"{step} for profile {profile}{way}"

    def _from_stored_keys(self, key_id: str, secret: str, token: str | None) -> SessionCredentials:
        profile = self._chain.source_profile
        end = parse_time(stored_expiration(self._files, profile) or "") if token else None
        credentials = SessionCredentials(key_id, secret, token, expiration=end, issued=utc_now())
        if not credentials.is_usable(utc_now()):
            raise CredentialSourceError(
                f"the session token that is stored for profile {profile} has ended",
                f"renew it with the tool that wrote it into {self._section(profile, 'aws_access_key_id')}",
            )
        return credentials

    def source_refused(self, source: SessionCredentials, code: str) -> SessionRefusedError:
        """Make the error for credentials of the source that STS refuses with this code."""
        profile = self._chain.source_profile
        section = source_place(self._files, profile)
        if source.is_long_term:
            if self._chain.keychain:
                return SessionRefusedError(
                    f"STS does not take the key of profile {profile} in the keychain ({code})",
                    command_line("awsdirenv keys remove", self._chain.keychain.name) + ", then put a valid one in",
                )
            return SessionRefusedError(
                f"STS does not take the access key of profile {profile} ({code})",
                f"check aws_access_key_id and aws_secret_access_key of {section}",
            )
        return SessionRefusedError(
            f"STS does not take the credentials of profile {profile} ({code})",
            f"get new credentials for {section} from their source",
        )

    def process(self) -> str:
        """Return the credential_process that the chain starts from. Raises ConfigError if a setting is part of it."""
        profile = self._chain.source_profile
        command = self._files.profiles[profile]["credential_process"]
        # botocore takes indented lines below it for arguments. One that was meant as a setting may be the secret key.
        if not isinstance(command, str) or _SETTING_LINE.search(command.partition("\n")[2]):
            raise ConfigError(
                f"profile {profile} has a setting within credential_process",
                "remove the spaces at the start of the line below credential_process: they make it part of the command",
            )
        return command

    def _sign_in(self) -> str | None:
        """Return the command with which the user signs in again, or None if the chain does not start at a sign-in."""
        if self._chain.sso_session:
            return login_command(self._chain.profile)
        return aws_command("aws login", self._chain.source_profile) if self._chain.sign_in else None

    def _may_be_store(self) -> bool:
        """Return whether the profile's keys may be those of a store with S3's interface, which has no STS."""
        chain, values = self._chain, self._files.profiles[self._chain.profile]
        has_endpoint = bool(values.get("endpoint_url") or values.get("services"))
        return has_endpoint and chain.source_kind == STATIC and not chain.hops and not chain.mfa_serial

    def _owner_of_serial(self) -> str:
        """Return the profile that has the mfa_serial."""
        owners = [hop.profile for hop in self._chain.hops if hop.mfa_serial == self._chain.mfa_serial]
        return next(iter(owners), self._chain.source_profile)

    def _section(self, profile: str, key: str = "") -> str:
        return place_of(self._files, profile, key)

    def _place(self, setting: Setting) -> str:
        """Name a setting of the config file and where it stands."""
        if setting.services:
            return (
                f"{setting.name} of sts in {section_header(setting.services, 'services')} of {self._files.config_path}"
            )
        return f"{setting.name} in {self._section(self._chain.profile)}"

    def _call(
        self, what: str, profile: str, source: SessionCredentials, operation: str, request: dict[str, Any]
    ) -> dict[str, Any]:
        def call() -> dict[str, Any]:
            client = self._sts_client()
            self._signer.access_key = source.access_key_id
            self._signer.secret_key = source.secret_access_key
            self._signer.token = source.session_token
            answer: dict[str, Any] = self._clock.in_time(lambda: getattr(client, operation)(**request))
            return answer

        self._sent["code"] = with_code = "TokenCode" in request
        attempt = call if with_code else lambda: again_if_cut_off(call)
        spend = lambda: self._budget.spend(what, attempt)  # noqa: E731
        try:
            with self._naming_setting(what):
                return guarded(what, spend, self._section(profile), with_code=with_code)
        except AwsdirenvError as error:
            if not self._may_be_store():
                raise
            line = command_line("use aws_profile --no-session", self._chain.profile)
            hint = f"for a store with S3's interface, which gives no sessions: {line}; else {error.hint}"
            # Not a SessionRefusedError: what is no STS cannot tell whether a session has ended.
            kind = BadAnswerError if isinstance(error, SessionRefusedError) else type(error)
            raise kind(error.message, hint) from None
        finally:
            self._clock.report()

    @contextmanager
    def _naming_setting(self, what: str) -> Iterator[None]:
        """Name the setting in the error if botocore has refused one, and say where it stands. `what` failed."""
        try:
            yield
        except (ConfigError, BadAnswerError) as error:
            setting = setting_at_fault(self._files, self._chain.profile, self._environ, self._region)
            if setting is None:
                raise
            words = error.message.removeprefix(f"{what}: ")
            if isinstance(error, BadAnswerError):
                words = "botocore cannot use this value"  # it failed with an error that is none of its own
            if setting.is_variable:
                raise ConfigError(f"{setting.name}: {words}", f"correct {setting.name}, or unset it") from None
            raise ConfigError(f"{what}: {words}", f"correct {self._place(setting)}") from None

    def _boto_session(self) -> Any:
        if self._session is None:
            self._session = boto_session(self._files, self._chain.profile)
            self._clock.listen(self._session)
            narrowing = self._chain.narrowing
            if narrowing and not self._chain.hops:
                narrow = lambda params, **_: params.update(_given(narrowing.arns, narrowing.policy))  # noqa: E731
                self._session.register("before-parameter-build.sts.AssumeRoleWithWebIdentity", narrow)
            # Session tokens of the global endpoint do not work in regions that an account has to enable first.
            if not self._set_by_person("sts_regional_endpoints", "AWS_STS_REGIONAL_ENDPOINTS"):
                self._session.set_config_variable("sts_regional_endpoints", "regional")
        return self._session

    def _set_by_person(self, key: str, variable: str) -> bool:
        return variable in self._environ or key in self._files.profiles[self._chain.profile]

    def _sts_client(self) -> Any:
        if self._client is None:
            session = self._boto_session()
            session.set_credentials("-", "-")
            self._signer = session.get_credentials()
            self._client = session.create_client("sts", region_name=self._region)
            once = lambda sent=self._sent, **event: send_once(event) if sent["code"] else None  # noqa: E731
            self._client.meta.events.register_first("needs-retry.sts", once)
        return self._client


def _given(arns: Sequence[str], policy: str | None) -> dict[str, Any]:
    """Return the parameters of a session's policies."""
    wanted = {"PolicyArns": [{"arn": arn} for arn in arns] or None, "Policy": policy}
    return {key: value for key, value in wanted.items() if value is not None}


def _session_credentials(
    what: str, answer: Mapping[str, Any], clock: AwsClock, account_id: str | None, arn: str | None = None
) -> SessionCredentials:
    """Read the credentials in an answer of STS. Raises BadAnswerError if they are missing or cannot be used."""
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
