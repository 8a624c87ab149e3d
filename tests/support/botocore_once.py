"""What botocore works out anew for each session, worked out once for all tests of a process.

No process of ours has more than one session, and a test of a room has dozens. None of this depends on anything but
its arguments: the files that botocore brings, the names of events, whether a function takes keyword arguments.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Any

from botocore import handlers, hooks
from botocore.credentials import SSOProvider
from botocore.loaders import JSONFileLoader, Loader
from botocore.session import Session
from botocore.tokens import SSOTokenProvider

_SSO_CACHE = "_SSO_TOKEN_CACHE_DIR"
_load = JSONFileLoader.load_file
_list = Loader.list_available_services
_make = hooks.EventAliaser.__init__
_accepts_kwargs = hooks.accepts_kwargs
_TRIE: Any = vars(hooks)["_PrefixTrie"]
_append, _remove = _TRIE.append_item, _TRIE.remove_item
_SESSION: Any = Session
_register = _SESSION._register_builtin_handlers
_EMITTERS: dict[Any, Any] = {}  # by the handlers
_ALIASES: dict[str, str] = {}  # by the name of the event
_SERVICES: dict[tuple[str, ...], list[str]] = {}  # by the kind of file and the folders


@functools.cache
def _loaded(path: str) -> Any:
    return _load(JSONFileLoader(), path)


def _available(loader: Loader, type_name: str) -> list[str]:
    key = (type_name, *loader.search_paths)
    if key not in _SERVICES:
        _SERVICES[key] = _list(loader, type_name)
    return _SERVICES[key]


def _made(self: Any, event_emitter: Any, event_aliases: Any = None) -> None:
    _make(self, event_emitter, event_aliases)
    if self._event_aliases == hooks.EVENT_ALIASES:
        self._alias_name_cache = _ALIASES


def _takes_kwargs(handler: Callable[..., Any]) -> object:
    code = getattr(getattr(handler, "__func__", handler), "__code__", None)
    return code.co_flags & inspect.CO_VARKEYWORDS if code else _accepts_kwargs(handler)


def _shared(trie: Any) -> Any:
    """Copy a trie of handlers: what it has is shared, and both copy of it what they change."""
    new = _TRIE()
    new._root, new.is_shared, trie.is_shared = trie._root, True, True
    return new


def _own_path(trie: Any, key: str) -> None:
    if not vars(trie).get("is_shared"):
        return
    node = trie._root = _own(trie._root)
    for part in key.split("."):
        if part not in node["children"]:
            return
        node["children"][part] = node = _own(node["children"][part])


def _own(node: dict[str, Any]) -> dict[str, Any]:
    return {**node, "children": dict(node["children"]), "values": copy.copy(node["values"])}


def _appended(trie: Any, key: str, value: Any, **section: int) -> None:
    _own_path(trie, key)
    _append(trie, key, value, **section)


def _removed(trie: Any, key: str, value: Any) -> None:
    _own_path(trie, key)
    _remove(trie, key, value)


def _registered(session: Any, events: Any) -> None:
    """Register botocore's own handlers in a session that has none yet, as they were in the first one."""
    emitter, key = session._original_handler, tuple(handlers.BUILTIN_HANDLERS)
    if emitter is None:
        _register(session, events)
    elif key in _EMITTERS:
        vars(emitter).update(vars(copy.copy(_EMITTERS[key])))
    else:
        _register(session, events)
        _EMITTERS[key] = copy.copy(emitter)


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
        (Loader, "list_available_services", _available),
        (hooks.EventAliaser, "__init__", _made),
        (hooks, "accepts_kwargs", _takes_kwargs),
        (_TRIE, "__copy__", _shared),
        (_TRIE, "append_item", _appended),
        (_TRIE, "remove_item", _removed),
        (_SESSION, "_register_builtin_handlers", _registered),
    ):
        setattr(owner, name, once)
