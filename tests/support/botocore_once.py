"""What botocore works out anew for each session, worked out once for all tests of a process.

No process of ours has more than one session, and a test of a room has dozens. None of this depends on anything but
its arguments: the files that botocore brings, the names of events, whether a function takes keyword arguments.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from botocore import hooks
from botocore.credentials import SSOProvider
from botocore.loaders import JSONFileLoader
from botocore.tokens import SSOTokenProvider

_SSO_CACHE = "_SSO_TOKEN_CACHE_DIR"
_load = JSONFileLoader.load_file
_make = hooks.EventAliaser.__init__
_accepts_kwargs = hooks.accepts_kwargs
_ALIASES: dict[str, str] = {}  # by the name of the event


@functools.cache
def _loaded(path: str) -> Any:
    return _load(JSONFileLoader(), path)


def _made(self: Any, event_emitter: Any, event_aliases: Any = None) -> None:
    _make(self, event_emitter, event_aliases)
    if self._event_aliases == hooks.EVENT_ALIASES:
        self._alias_name_cache = _ALIASES


def _takes_kwargs(handler: Callable[..., Any]) -> object:
    code = getattr(getattr(handler, "__func__", handler), "__code__", None)
    return code.co_flags & inspect.CO_VARKEYWORDS if code else _accepts_kwargs(handler)


def use_sso_cache(folder: str) -> str:
    """Tell botocore, which asks for the home when it is imported, where token files are; give where they were."""
    before: str = getattr(SSOProvider, _SSO_CACHE)
    for provider in (SSOProvider, SSOTokenProvider):
        setattr(provider, _SSO_CACHE, folder)
    return before


def share_what_sessions_work_out() -> None:
    """Let all sessions of this process share it from now on."""
    for owner, name, once in (
        (JSONFileLoader, "load_file", lambda _self, file_path: _loaded(file_path)),
        (hooks.EventAliaser, "__init__", _made),
        (hooks, "accepts_kwargs", _takes_kwargs),
    ):
        setattr(owner, name, once)
