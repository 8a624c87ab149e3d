"""`init --migrate`: what an `.envrc` becomes that gives AWS credentials without us. Nothing in it is ever run."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from awsdirenv.config.aws_files import load_files
from awsdirenv.config.bash_outline import Function, Outline, outline
from awsdirenv.config.environment import BLOCK, is_secret
from awsdirenv.config.envrc import line_of, uses
from awsdirenv.config.foreign import found as kinds
from awsdirenv.config.foreign.edits import check_between, rewrite, uses_after
from awsdirenv.config.foreign.found import Foreign, Found, UnclearError
from awsdirenv.config.foreign.identity import Finder, Identity, declared
from awsdirenv.config.foreign.lines import read
from awsdirenv.config.foreign.tools import SIGN_IN, Tool
from awsdirenv.config.settings import role_duration
from awsdirenv.errors import MigrationError
from awsdirenv.records import Record
from awsdirenv.shell.extension import check_lines
from awsdirenv.system.files import LARGEST, direnv_lib, home, read_bytes, read_text
from awsdirenv.system.text import login_command, printable, shell_word

_SKIPPED = frozenset((".git", ".hg", "node_modules", ".venv", "venv", ".terraform", ".direnv", "__pycache__"))
_LEAVE_OUT = "correct that, or leave the folder out"
_IDENTITY = (kinds.PROFILE, kinds.KEY, kinds.TOOL, kinds.DOTENV)
_REGION_USE = re.compile(r"\$\{?AWS_(?:DEFAULT_)?REGION\b")
_ASSIGNED = re.compile(r"""\b(\w+)(=|: )(?:"(?:[^"\\]|\\.)*"?|'[^']*'?|\\.|[^\s"';])+""", re.DOTALL)
_KEY_TEXT = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}|[A-Za-z0-9/+=]{40,}|(?<=://)[^\s/@:]+:[^\s/@]+(?=@)")


class Plan(Record, hidden=("before", "after")):
    """What an `.envrc` becomes. `notes` say what will be different.

    `unsets_profile` says that AWS_PROFILE is not set any more.
    """

    envrc: Path
    before: bytes
    after: bytes
    line: str
    notes: tuple[str, ...]
    unsets_profile: bool


Definitions = Mapping[str, tuple[Outline, Function]]


def find(directories: Sequence[Path], *, is_recursive: bool) -> Iterator[Path]:
    """Yield the `.envrc` of each directory, also of those below it if wanted. Links to folders are not followed."""
    found: dict[Path, None] = {}
    for directory in directories:
        folder = directory.parent if directory.name == ".envrc" and not directory.is_dir() else directory
        for path, names, files in os.walk(folder):
            names[:] = sorted(name for name in names if name not in _SKIPPED) if is_recursive else []
            if ".envrc" in files:
                found[Path(path) / ".envrc"] = None
        if os.path.lexists(folder / ".envrc"):
            found[folder / ".envrc"] = None
    return iter(found)


def own_definitions(environ: Mapping[str, str]) -> Definitions:
    """Return the functions in the person's own files for direnv."""
    folder = direnv_lib(environ)
    own = folder.parent / "direnvrc"
    paths = [*sorted(folder.glob("*.sh")), own if own.is_file() else home(environ) / ".direnvrc"]
    found: dict[str, tuple[Outline, Function]] = {}
    for path in paths:
        text = read_text(path)
        if text is None or path.name == "awsdirenv.sh":
            continue
        whole = outline(text)
        if "use_aws_profile" in whole.functions:
            raise MigrationError(
                f"{path} defines use_aws_profile, which wins over ours", "rename or remove that function"
            )
        found |= {name: (whole, function) for name, function in whole.functions.items()}
    return found


def plan(envrc: Path, environ: Mapping[str, str], definitions: Definitions) -> Plan | None:
    """Return what an `.envrc` becomes. None if there is nothing to move. Raises AwsdirenvError, with the reason."""
    data = _content(envrc)
    check_lines(envrc, data)
    text = data.decode("utf-8", "surrogateescape")
    try:
        return _plan(envrc, text, environ, definitions)
    except RecursionError:
        raise MigrationError(f"cannot read {envrc}: nested too deeply", _LEAVE_OUT) from None
    except UnclearError as error:
        if not re.search(r"aws|\bassume\b", text, re.IGNORECASE):
            return None
        place = f"{envrc}:{error.line}"
        raise MigrationError(
            f"{place}: this is not clear: {error.what}",
            "change that line by hand to: use aws_profile PROFILE",
        ) from None


def _content(envrc: Path) -> bytes:
    """Return what is in an `.envrc`. Raises MigrationError if that is no script."""
    data = read_bytes(envrc)
    if data is not None and b"\0" not in data:
        return data
    reason = "not a text"
    if data is None:
        reason = "permission denied" if envrc.is_file() else "not a regular file"
        if envrc.is_file() and envrc.stat().st_size > LARGEST:
            reason = "too large"
    raise MigrationError(f"cannot read {envrc}: {reason}", _LEAVE_OUT)


def _plan(envrc: Path, text: str, environ: Mapping[str, str], definitions: Definitions) -> Plan | None:
    whole = outline(text)
    variables = {"PWD": str(envrc.parent), "HOME": str(home(environ)), "USER": environ.get("USER", "")}
    foreign = read(envrc.parent, whole, {name: text for name, text in variables.items() if text}, definitions)
    declaration = declared(envrc, foreign)
    if declaration is None:
        return None
    if not whole.is_whole:
        raise UnclearError(foreign.line(declaration.found), "a quote or a compound command that is not closed")
    own = set(whole.functions) - {function.name for function in foreign.functions}
    if "use_aws_profile" in own:
        raise MigrationError(f"{envrc} defines use_aws_profile, which wins over ours", "rename or remove that function")
    ours = [found for found in foreign.found if found.kind == kinds.OURS]
    if (
        ours
        and not uses(text)[-1].profile
        and not [one for one in _deciding(foreign) if one.statement.start > ours[-1].statement.start]
    ):
        return None  # it takes what is above it
    files_environ = _environ(foreign, environ)
    finder = Finder(envrc, foreign, load_files(files_environ), files_environ)
    identity = finder.find(declaration)
    if ours:
        return _with_ours(envrc, foreign, identity, ours[-1])
    return _Writer(envrc, foreign, identity, files_environ).plan()


def _deciding(foreign: Foreign) -> list[Found]:
    return [found for found in foreign.found if found.kind in _IDENTITY]


def _environ(foreign: Foreign, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which the profiles are looked up: with the files that the `.envrc` chooses."""
    context = {}
    for found in foreign.found:
        if found.kind == kinds.CONTEXT and found.value:
            if found.value.text is None:
                raise UnclearError(foreign.line(found), f"what {found.name} is")
            context[found.name] = found.value.text
    kept = {name: value for name, value in environ.items() if name not in BLOCK or name == "AWS_PROFILE"}
    return {**kept, **context}


def _with_ours(envrc: Path, foreign: Foreign, identity: Identity, ours: Found) -> Plan | None:
    """Return the file without the lines that say the same as ours."""
    use = uses(foreign.whole.text)[-1]
    gone = [found for found in _deciding(foreign) if not found.stays]
    last = max(found.statement.start for found in _deciding(foreign))
    if not gone and last < ours.statement.start:
        return None
    if identity.chain is None or use.profile != identity.chain.profile or not gone:
        numbers = sorted((foreign.line(identity.declared.found), foreign.line(ours)))
        raise MigrationError(
            f"{envrc} names two identities, in line {numbers[0]} and in line {numbers[1]}",
            "remove the wrong one, then try again",
        )
    check_between(foreign, gone, ours.statement.start)
    if "--live" not in use.options and (needing := uses_after(foreign, ours.statement.start)):
        raise UnclearError(needing[0], "it uses AWS_PROFILE, which our line sets only with --live")
    after = rewrite(foreign, "", ours, gone)
    return Plan(envrc, _bytes(foreign.whole.text), _bytes(after), use.line, (), unsets_profile=True)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


class _Writer:
    """Writes our line for an identity, and says what will be different."""

    def __init__(self, envrc: Path, foreign: Foreign, identity: Identity, environ: Mapping[str, str]) -> None:
        self.envrc = envrc
        self.foreign = foreign
        self.identity = identity
        self.environ = environ
        self.notes: list[str] = []
        self.main = self._main()

    def plan(self) -> Plan:
        """Return the plan."""
        region, kept = self._region()
        options = [*region, *self._duration()]
        declared = self.identity.declared
        lines_of_use = uses_after(self.foreign, self.main.statement.start)
        has_roles = self.identity.chain is not None and bool(self.identity.chain.hops)
        if lines_of_use:
            options.append("--live")
            self.notes.append(f"line {lines_of_use[0]} uses AWS_PROFILE, which is set only with --live")
        elif declared.tool and declared.tool.is_without_session and not has_roles:
            options.append("--no-session")
        line = line_of(self.identity.argument, *options)
        gone = [found for found in self.foreign.found if not found.stays and found not in kept]
        check_between(self.foreign, gone, self.main.statement.start)
        after = rewrite(self.foreign, line, self.main, gone)
        self._note(gone)
        is_plain = declared.tool is None and not lines_of_use
        before = self.foreign.whole.text
        return Plan(self.envrc, _bytes(before), _bytes(after), line, tuple(self.notes), unsets_profile=is_plain)

    def _main(self) -> Found:
        """Return what our line replaces: the first line about who one is, below the lines that choose AWS's files."""
        deciding, is_known = (
            self.identity.declared.found,
            self.identity.argument and not set('$`"') & set(self.identity.argument),
        )
        candidates = _deciding(self.foreign)
        main = candidates[0] if is_known and candidates[0].kind != kinds.DOTENV else deciding
        context = [found for found in self.foreign.found if found.kind == kinds.CONTEXT]
        return context[-1] if context and context[-1].statement.start > main.statement.start else main

    def _region(self) -> tuple[list[str], list[Found]]:
        """Return our option for the region, and the lines about a region that stay."""
        found = [one for one in self.foreign.found if one.kind == kinds.REGION]
        found = [one for one in found if not (one.tool and self._is_own(one.tool))]
        texts = [one.value.text for one in found if one.value]
        tool = self.identity.declared.tool
        if tool and tool.region:
            texts.append(tool.region.text)
        if not texts:
            return [], []
        start = self.main.statement.start
        if None in texts or any(one.value and "$" in one.value.raw for one in found):
            if all(one.statement.start < start for one in found) and not (tool and tool.region):
                return [], found  # our line sees it
            raise UnclearError(self.foreign.line(found[0] if found else self.main), "the region")
        if len(set(texts)) > 1:
            raise UnclearError(self.foreign.line(found[0] if found else self.main), "there are two regions")
        options = ["--region", shell_word(texts[0] or "")] if texts[0] else []
        between = [
            one for one in self.foreign.others if one.start < start and _REGION_USE.search(self.foreign.whole.raw(one))
        ]
        return (options, []) if not between else (options, [one for one in found if one.statement.start < start])

    def _is_own(self, tool: Tool) -> bool:
        """Return whether `aws configure get region` gives what our line exports."""
        chain = self.identity.chain
        named = tool.profile.text if tool.profile else chain and chain.profile
        return chain is not None and named == chain.profile and bool(chain.region)

    def _duration(self) -> list[str]:
        tool = self.identity.declared.tool
        if tool is None or tool.duration is None:
            return []
        role_duration(tool.duration)
        return ["--duration", tool.duration]

    def _note(self, gone: Sequence[Found]) -> None:
        declared, chain = self.identity.declared, self.identity.chain
        for found in gone:
            if found.tool and found.tool.kind == SIGN_IN and chain:
                self.notes.append(f"line {self.foreign.line(found)}: to sign in: {login_command(chain.profile)}")
        if chain is None:
            self.notes.append("only bash knows the profile's name, so we have not checked it")
        if declared.keys and chain:
            self.notes.append("the keys become a session of the same user; for most of IAM, add --no-session")
            if declared.found.path:
                self.notes.append(
                    f"the keys stay in {declared.found.path}: remove them there if nothing else needs them"
                )
        if re.search(r"\bAWS_SDK_LOAD_CONFIG=", self.foreign.whole.text):
            self.notes.append("AWS_SDK_LOAD_CONFIG stays; old SDKs need it with --live only")


def diff(plan: Plan) -> list[str]:
    """Return a unified diff of an `.envrc`. The values of secrets are left out."""
    before, after = (masked(data.decode("utf-8", "replace")).splitlines() for data in (plan.before, plan.after))
    shown = difflib.unified_diff(before, after, str(plan.envrc), str(plan.envrc), lineterm="")
    return [printable(line) if "\t" not in line else printable(line.expandtabs()) for line in shown]


def masked(text: str) -> str:
    """Return the text of a script with `…` for each value that may be secret: by its name, or by how it looks."""
    text = _ASSIGNED.sub(lambda match: f"{match[1]}{match[2]}…" if is_secret(match[1]) else match[0], text)
    return _KEY_TEXT.sub("…", text)
