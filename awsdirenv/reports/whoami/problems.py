"""Finds the problems of a shell: each reason why its declared, held and actual identity may differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from awsdirenv.aws.identity import EXPIRED, FAILED, NONE, OFFLINE
from awsdirenv.config.aws_files import load_files
from awsdirenv.config.environment import BLOCK, CLOSED_PROFILE, METADATA_SWITCH, NEVER_EXPORTED
from awsdirenv.config.resolve import source_place
from awsdirenv.errors import ConfigError, CredentialSourceError, SessionRefusedError
from awsdirenv.records import replace
from awsdirenv.reports.whoami.report import Look, Problem, actual_role, named_profile
from awsdirenv.session_credentials import time_left
from awsdirenv.shell.hooks import fish_universals
from awsdirenv.system.text import aws_command, erase_universal_command, login_command, unset_command

_METHODS = {
    "shared-credentials-file": "the keys of [default] in AWS's files",
    "config-file": "the keys of [default] in AWS's files",
    "iam-role": "the role of this EC2 instance",
    "container-role": "the role of this container",
}
# A live directory leads programs to us with them, and they are not in the block.
_LEADING = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", METADATA_SWITCH)


def with_problems(state: Look) -> Look:
    """Return the look with its problems, the most likely cause first."""
    return replace(state, problems=tuple(problem for find in _FINDERS for problem in find(state)))


def _files(state: Look) -> Iterator[Problem]:
    if state.failure:
        yield Problem(state.failure.kind, state.failure.message, state.failure.hint)


def _closed(state: Look) -> Iterator[Problem]:
    profile = state.place.environ.get("AWSDIRENV_DECLARED")
    if state.place.is_here and not profile and state.place.environ.get("AWS_PROFILE") == CLOSED_PROFILE:
        yield Problem("closed", f"{state.place.loaded} is closed", "direnv reload, which says why")
    if state.place.is_here and profile and "AWSDIRENV_PROFILE" not in state.place.environ:
        declared, place = state.declared, state.place.loaded
        if declared.refusal:
            yield Problem("closed", f"{place} is closed: {declared.refusal.message}", declared.refusal.hint)
        elif declared.is_stored and declared.profile == profile:
            said = f"{place} is closed, and there are credentials for profile {profile}"
            yield Problem("closed", said, "direnv reload, which says why")
        else:
            said = f"{place} is closed: there are no credentials for profile {profile}"
            yield Problem("closed", said, state.failure.hint if state.failure else login_command(profile))


def _stale(state: Look) -> Iterator[Problem]:
    place = state.place
    if place.loaded is not None and not place.is_here:
        yield Problem(
            "stale",
            f"this shell still has the variables of {place.loaded}: direnv's hook has not run here",
            "open a new shell outside of that directory; in a script: direnv exec . COMMAND",
        )
    elif place.gone:
        yield Problem(
            "stale",
            f"{place.gone} no longer exists, and this shell still has its variables",
            "press Enter, and direnv unloads it; if it does not: open a new shell",
        )
    elif place.loaded is not None and state.declared.profile and place.mark not in (None, state.declared.profile):
        yield Problem("stale", f"the .envrc has changed since this shell loaded it for {place.mark}", "direnv reload")
    elif _is_renewed(state):
        yield Problem(
            "stale", "this shell has the keys from before the last renewal", "press Enter in it, or direnv reload"
        )


def _is_renewed(state: Look) -> bool:
    key = state.held.access_key_id
    ours = state.exported.get("AWS_ACCESS_KEY_ID")
    if state.held.expiration and state.held.expiration == state.declared.until:
        return False  # this is the end of the present ones: something below our line has set the keys
    return key is not None and key == ours and state.declared.key not in (None, key) and key not in state.snapshots


def _not_loaded(state: Look) -> Iterator[Problem]:
    place = state.place
    if place.said and place.loaded is None and "AWSDIRENV_PROFILE" not in place.environ:
        yield Problem(
            "not-loaded",
            f"{place.said.envrc} is not loaded in this shell",
            "direnv allow; without direnv's hook: direnv exec . COMMAND",
        )


def _profile_beside_keys(state: Look) -> Iterator[Problem]:
    profile = named_profile(state.place.environ)
    if profile and state.held.access_key_id:
        name = "AWS_PROFILE" if state.place.environ.get("AWS_PROFILE") else "AWS_DEFAULT_PROFILE"
        yield Problem(
            "profile-beside-keys",
            f"{name} is {profile}, and keys are set, too: some SDKs use the profile, some the keys",
            _below_our_line(state, name) or unset_command(name),
        )


def _below_our_line(state: Look, name: str) -> str | None:
    """Return what to do where the `.envrc` itself has set a variable after our line. None: it has not."""
    value = state.place.environ.get(name)
    if not value or state.exported.get(name) != value or not state.exported.get("AWSDIRENV_LOADED"):
        return None
    way = "; for another profile: awsdirenv exec, or --live in .envrc"
    return f"remove the line of .envrc that sets {name}, such as dotenv{way}"


def _regions(state: Look) -> Iterator[Problem]:
    """Find two regions that differ, unless they only differ because one was changed since: see `_overrides`."""
    environ, names = state.place.environ, ("AWS_REGION", "AWS_DEFAULT_REGION")
    first, second = (environ.get(name) for name in names)
    as_direnv_left_them = all(state.exported.get(name, environ.get(name)) == environ.get(name) for name in names)
    if first and second and first != second and as_direnv_left_them:
        yield Problem(
            "regions",
            f"AWS_REGION is {first} and AWS_DEFAULT_REGION is {second}: some programs use the first, some the second",
            "remove the line of .envrc that sets one of them, and use --region"
            if any(name in state.exported for name in names)
            else unset_command("AWS_DEFAULT_REGION"),
        )


def _overrides(state: Look) -> Iterator[Problem]:
    """Find the variables that were changed after direnv set them, and those that are fish's universal variables."""
    universals = {name: value for name, value, _ in fish_universals(state.place.environ)}
    gone: list[str] = []
    changed: list[str] = []
    for name in sorted({*BLOCK, *_LEADING}):
        value = state.place.environ.get(name)
        if not state.exported or state.exported.get(name) == value:
            continue
        # A variable that we can export but did not export here may have the user's own value.
        if name not in state.exported and name not in NEVER_EXPORTED:
            continue
        if value is not None and universals.get(name) == value:
            yield Problem(
                "fish-universal",
                f"{name} is a universal variable of fish, which direnv cannot unset",
                erase_universal_command(name),
            )
        else:
            (gone if value is None else changed).append(name)
    if gone:
        were, them = ("was", "it") if len(gone) == 1 else ("were", "them")
        yield Problem("override", f"{_listed(gone)} {were} unset after direnv had set {them}", "direnv reload")
    if changed:
        are, them = ("is", "it") if len(changed) == 1 else ("are", "them")
        yield Problem(
            "override",
            f"{_listed(changed)} {are} not as direnv set {them}: a start-up file or a command has changed {them}",
            f"direnv reload; awsdirenv doctor looks for {them} in your start-up files",
        )


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _other_keys(state: Look) -> Iterator[Problem]:
    key, declared_key = state.held.access_key_id, state.declared.key
    if state.declared.mixed:
        said = f"not from the same credentials as the access key: {_listed(state.declared.mixed)}"
        yield Problem("other-keys", said, _below_our_line(state, state.declared.mixed[0]) or "direnv reload")
    if key is None:
        return
    owner = state.snapshots.get(key)
    whose = f"of profile {owner}" if owner else "not ours"
    if state.place.is_here and "AWSDIRENV_PROFILE" not in state.place.environ:
        hint = _below_our_line(state, "AWS_ACCESS_KEY_ID") or "direnv reload"
        yield Problem("other-keys", f"the keys are {whose}, and {state.place.loaded} is closed", hint)
        return
    if key == declared_key or state.declared.profile is None or _is_renewed(state):
        return
    is_theirs = owner is None and declared_key is not None
    if is_theirs or owner not in (None, state.declared.profile):
        said = f"the keys are {whose}, but this directory is for {state.declared.profile}"
        yield Problem("other-keys", said, _below_our_line(state, "AWS_ACCESS_KEY_ID") or "direnv reload")


def _identity(state: Look) -> Iterator[Problem]:
    declared, caller = state.declared, state.caller
    if caller.account_id and declared.account_id and caller.account_id != declared.account_id:
        yield Problem(
            "other-account",
            f"AWS says account {caller.account_id}, and profile {declared.profile} is for {declared.account_id}",
            "direnv reload",
        )
    role = actual_role(caller.arn)
    if caller.arn and declared.role and role != declared.role:
        what = f"role {role}" if role else caller.arn
        said = f"AWS says {what}, and profile {declared.profile} is for role {declared.role}"
        yield Problem("other-role", said, "direnv reload")


def _fallback(state: Look) -> Iterator[Problem]:
    held, method = state.held, state.caller.method
    if state.declared.profile and state.caller.access_key_id and not held.access_key_id and not held.profile:
        what = _METHODS.get(method or "", "what they find elsewhere")
        refusal = state.declared.refusal
        hint = f"{refusal.hint if refusal else 'awsdirenv login'}, or leave the directory"
        yield Problem("fallback", f"there are no keys here, so SDKs use {what}", hint)


def _expired(state: Look) -> Iterator[Problem]:
    end, error = state.held.expiration, state.caller.error
    if state.is_over and end:
        yield Problem(
            "expired", f"the credentials ended {time_left(state.now, end)} ago", _renewal(state, "get new ones")
        )
    elif state.caller.outcome == EXPIRED:
        said = error.message if error else f"AWS says that the credentials have expired ({state.caller.code})"
        yield Problem("expired", said, _renewal(state, error.hint if error else "get new ones"))


def _unknown(state: Look) -> Iterator[Problem]:
    caller, error = state.caller, state.caller.error
    if caller.outcome == NONE:
        said = error.message if error else "an SDK finds no credentials here"
        yield Problem("none", said, _renewal(state, error.hint if error else "awsdirenv init PROFILE"))
    elif caller.outcome == OFFLINE and error:
        yield Problem("offline", f"AWS was not reached: {error.message}", error.hint)
    elif caller.outcome == FAILED and isinstance(error, SessionRefusedError):
        yield Problem(error.kind, error.message, _renewal(state, _own_keys(state)))
    elif caller.outcome == FAILED and error:
        is_program = isinstance(error, CredentialSourceError)
        yield Problem(error.kind, error.message, _login(state, _by_hand(state)) if is_program else error.hint)


def _login(state: Look, otherwise: str) -> str:
    if state.failure:
        return state.failure.hint
    return login_command(state.declared.profile) if state.declared.profile else otherwise


def _renewal(state: Look, otherwise: str) -> str:
    """Return what gives this shell other credentials. A plain `awsdirenv login` keeps those that still hold."""
    declared, key = state.declared, state.held.access_key_id
    if declared.refusal:
        return declared.refusal.hint
    if declared.keys_place:
        return f"check aws_access_key_id and aws_secret_access_key of {declared.keys_place}"
    if declared.profile is None or not declared.is_stored:
        return _login(state, otherwise)
    is_live = key is None and state.caller.outcome != NONE  # SDKs find the credentials by the profile
    if key != declared.key and not is_live:
        return "direnv reload"
    return login_command(declared.profile, "--force", *declared.options.for_user())


def _own_keys(state: Look) -> str:
    """Return what to do about keys that AWS refuses and that are not ours."""
    profile = named_profile(state.place.environ)
    if state.held.access_key_id or not profile:
        return unset_command("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    try:
        place = source_place(load_files(state.place.environ), profile)
    except ConfigError:  # the files have been changed since the SDK read them
        place = f"profile {profile}"
    return f"get new credentials for {place} from their source"


def _by_hand(state: Look) -> str:
    """Return a command that shows the error of a program or a file. We do not quote such an error ourselves."""
    profile = named_profile(state.place.environ)
    command = "aws sts get-caller-identity"
    return aws_command(command, profile) if profile else command


_FINDERS: tuple[Callable[[Look], Iterator[Problem]], ...] = (
    _files,
    _closed,
    _stale,
    _not_loaded,
    _profile_beside_keys,
    _regions,
    _overrides,
    _other_keys,
    _identity,
    _fallback,
    _expired,
    _unknown,
)
