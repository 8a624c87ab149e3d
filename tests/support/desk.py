"""A person who loads profiles after having them explained, in the test's own process."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.credentials import SSOProvider
from botocore.tokens import SSOTokenProvider

from awsdirenv.cache import snapshots
from awsdirenv.cache.layout import CachePaths
from awsdirenv.config.environment import SessionOptions
from awsdirenv.config.settings import DeclaredProfile, Settings
from awsdirenv.errors import AwsdirenvError
from awsdirenv.records import replace
from awsdirenv.refresh.loader import Loader, LoadOptions
from awsdirenv.refresh.mfa_codes import Human
from awsdirenv.refresh.request import Request, looking
from awsdirenv.reports.explain.report import Explanation, explain
from awsdirenv.session_credentials import from_epoch
from awsdirenv.system import files
from awsdirenv.system.lock import Locks
from world import World

if TYPE_CHECKING:
    import pytest

HOUR = 3600  # seconds

Call = tuple[str, str, int, bool]  # action, role, seconds, with a code


@dataclass
class Desk:
    """A person at a terminal who loads profiles after having them explained, in this process."""

    world: World
    env: dict[str, str]
    patch: pytest.MonkeyPatch
    asked: int = 0
    seen: int = 0  # calls that were looked at
    told: list[str] = field(default_factory=list)

    @property
    def paths(self) -> CachePaths:
        return CachePaths.from_environ(self.env)

    def export(self, variables: Mapping[str, str]) -> None:
        """Set variables, for us and for botocore."""
        self.env.update(variables)
        for name, value in variables.items():
            self.patch.setenv(name, value)

    def explain(self, profile: str, duration: int | None = None) -> Explanation:
        """Have a profile explained."""
        return explain(looking(Request(profile, options=LoadOptions(session=SessionOptions(duration))), self.env))

    def load(self, profile: str, duration: int | None = None) -> AwsdirenvError | None:
        """Load a profile as on entering its directory."""
        self.paths.locks.mkdir(parents=True, exist_ok=True)
        loader = Loader(
            environ=self.env,
            settings=Settings.load(self.env, None),
            paths=self.paths,
            locks=Locks(self.paths.locks, timeout=5, on_wait=lambda *_: None),
            declared=DeclaredProfile(profile, None),
            human=Human(self.ask, self.told.append),
            tell=self.told.append,
            options=LoadOptions(session=SessionOptions(duration)),
        )
        try:
            loader.load()
        except AwsdirenvError as error:
            return error
        return None

    def ask(self, _prompt: str, _timeout: float) -> str:
        """Answer a question."""
        self.asked += 1
        return self.world.code()

    def calls(self) -> list[Call]:
        """Give the calls of sessions since the last look."""
        made = [call for call in self.world.sts.calls[self.seen :] if call.action in ("GetSessionToken", "AssumeRole")]
        self.seen = len(self.world.sts.calls)
        return [
            (
                call.action,
                call.params.get("RoleArn", ""),
                int(call.params.get("DurationSeconds", HOUR)),
                "SerialNumber" in call.params,
            )
            for call in made
        ]

    def lives(self, seconds: int, *kinds: str) -> None:
        """Let what is stored have these seconds left of an hour: sessions by the kind in their names, or snapshots."""
        end = int(time.time()) + seconds
        for path in self.paths.sessions.iterdir():
            values = files.read_private(path)
            if path.name.startswith(kinds) and values:
                files.write_private(path, {**values, "EXPIRATION": str(end), "ISSUED": str(end - HOUR)})
        for path in self.paths.snapshots.iterdir() if "snapshot" in kinds else ():
            made = snapshots.read(path)
            if made and made.credentials.expiration:
                credentials = replace(made.credentials, expiration=from_epoch(end), issued=from_epoch(end - HOUR))
                snapshots.write(path, replace(made, credentials=credentials))

    def forget_snapshots(self) -> None:
        """Leave only sessions."""
        for path in self.paths.snapshots.iterdir():
            path.unlink()


def sit_down(world: World, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Sit down in this test's world."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    world.env["NO_PROXY"] = "*"
    for name, value in world.env.items():
        monkeypatch.setenv(name, value)
    # botocore has asked for the home folder when it was imported.
    cache = str(world.home / ".aws" / "sso" / "cache")
    monkeypatch.setattr(SSOProvider, "_SSO_TOKEN_CACHE_DIR", cache)
    monkeypatch.setattr(SSOTokenProvider, "_SSO_TOKEN_CACHE_DIR", cache)
    return Desk(world, dict(world.env), monkeypatch)
