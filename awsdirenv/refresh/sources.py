"""What the algorithm of `refresh` needs of STS. `sts.Sts` is it; the algorithm does not know that."""

from __future__ import annotations

from typing import Protocol

from awsdirenv.config.chain import RoleHop
from awsdirenv.credentials import SessionCredentials


class CredentialSource(Protocol):
    """What `sts.Sts` offers."""

    def source_credentials(self) -> SessionCredentials:
        """Resolve where the chain starts."""

    def may_renew_sign_in(self) -> bool:
        """Whether `source_credentials` may renew what a person has signed in to."""

    def get_session_token(
        self, source: SessionCredentials, seconds: int, mfa_serial: str | None, token_code: str | None
    ) -> SessionCredentials:
        """Start a session of the key's own."""

    def assume_role(
        self,
        source: SessionCredentials,
        hop: RoleHop,
        seconds: int | None,
        mfa_serial: str | None = None,
        token_code: str | None = None,
    ) -> SessionCredentials:
        """Start a session of a role."""

    def caller_identity(self, source: SessionCredentials) -> tuple[str, str]:
        """Give account id and ARN."""

    def confirmed(self, session: SessionCredentials) -> SessionCredentials:
        """Ask about credentials whose end our clock cannot tell, and put their times right."""
