r"""Completion scripts for bash, zsh and fish. They are made from the argparse parser, so no command can be forgotten.

The Tab key must not start Python. So the scripts list the profiles themselves, with one awk program that reads the
section headers of AWS's two files. Nothing in those files is ever run: the name of a profile may be `$(reboot)`.

The shell and awk code is in `scripts/completions`. Each file there is valid as it is, so that tools can check it. This
module fills in the placeholders (`@NAMES@`), some of which are in comments.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping
from pathlib import Path

from awsdirenv.records import Record
from awsdirenv.system.files import data_folder, data_home
from awsdirenv.system.text import fish_quote

TYPE_CHECKING = False  # `awsdirenv completion` installs nothing
if TYPE_CHECKING:
    from awsdirenv.shell.extension import InstalledFile

_WORDS = "# awsdirenv's completion for "


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """Return the completion script of `bash`, `zsh` or `fish`."""
    commands = _commands(parser)
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](commands)


def files(parser: argparse.ArgumentParser, environ: Mapping[str, str]) -> list[InstalledFile]:
    """Return the scripts with the paths where each shell looks for them. zsh has no such place: our hook tells it."""
    from awsdirenv.shell.extension import InstalledFile  # noqa: PLC0415

    places = {
        "bash": data_home(environ) / "bash-completion" / "completions" / "awsdirenv",
        "zsh": data_folder(environ) / "zsh" / "_awsdirenv",
        "fish": data_home(environ) / "fish" / "vendor_completions.d" / "awsdirenv.fish",
    }
    return [InstalledFile(path, script(shell, parser), _WORDS) for shell, path in places.items()]


class _Place(Record):
    """What kind of value is expected: one of `choices`, a `profile`, a `file`, or `text`, which is not completed.

    `repeats` says that more of them may follow: arguments of a command, or files behind an option.
    """

    kind: str
    label: str
    choices: tuple[str, ...] = ()
    repeats: bool = False


class _Option(Record):
    """An option with all its names. `place` is None for an option without a value."""

    names: tuple[str, ...]
    help: str
    place: _Place | None


class _Command(Record):
    """A subcommand. The one without a name is the program itself. Those for our own use are not offered."""

    name: str
    help: str
    options: tuple[_Option, ...]
    places: tuple[_Place, ...]
    is_offered: bool


def _commands(parser: argparse.ArgumentParser) -> list[_Command]:
    """Read the parser: the program itself first, then every subcommand."""
    choices = [action.choices for action in _actions(parser) if isinstance(action.choices, dict)]
    top = _command("", parser, is_offered=False)
    subs = [(name, sub) for named in choices for name, sub in named.items()]
    return [top, *(_command(name, sub, is_offered=name in top.places[0].choices) for name, sub in subs)]


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    actions = parser._actions  # noqa: SLF001 - argparse has no public way to list a parser's arguments
    return [action for action in actions if action.help != argparse.SUPPRESS]


def _command(name: str, parser: argparse.ArgumentParser, *, is_offered: bool) -> _Command:
    options, places = [], []
    for action in _actions(parser):
        if not action.option_strings:
            places.append(_place(action))
            continue
        place = None if action.nargs == 0 else _place(action)
        shown = (action.help or "") % {**vars(action), "prog": parser.prog}
        options.append(_Option(tuple(action.option_strings), shown, place))
    text = (parser.description or "").partition("\n")[0].rstrip(".")
    return _Command(name, text, tuple(options), tuple(places), is_offered)


def _place(action: argparse.Action) -> _Place:
    label = action.metavar if isinstance(action.metavar, str) else action.dest
    repeats = action.nargs in ("*", "+", argparse.REMAINDER)
    if isinstance(action.choices, dict):  # commands: those that `--help` shows
        return _Place("choices", label, tuple(shown.dest for shown in action._choices_actions))  # type: ignore[attr-defined] # noqa: SLF001
    if action.choices is not None:
        return _Place("choices", label, tuple(str(choice) for choice in action.choices), repeats)
    if label == "PROFILE":
        return _Place("profile", label, (), repeats)
    return _Place("file" if action.type is Path or action.nargs == argparse.REMAINDER else "text", label, (), repeats)


def _template(name: str) -> str:
    return (Path(__file__).parent / "scripts" / "completions" / name).read_text(encoding="utf-8")


def _awk(offer: str) -> str:
    """Return the awk program that lists the profiles. `offer` is the file with its output function.

    It splits headers by the rules of Python's shlex, because botocore reads `[profile "a b"]` in this way, and takes
    the second of two words. It leaves out names that cannot be typed as an argument: those with control characters, and
    those that look like an option.
    """
    return _template(offer) + _template("profiles.awk").rstrip()


def _sh_profiles(offer: str) -> str:
    """Return the function that lists the profiles, for bash and zsh.

    For botocore an empty AWS_CONFIG_FILE is a path, too. So the function has `-` and not `:-`.
    """
    return _template("profiles.bash").rstrip().replace("@AWK@", shlex.quote(_awk(offer)))


def _bash(commands: list[_Command]) -> str:
    lines = []
    for command in commands:
        options = [name for option in command.options for name in option.names]
        lines.append(f"'{command.name} options') place=(choices {shlex.join(options)}) ;;")
        for option in command.options:
            if option.place is not None:
                pattern = " | ".join(shlex.quote(f"{command.name} {name}") for name in option.names)
                lines.append(f"{pattern}) place=({_bash_place(option.place, is_option=True)}) ;;")
        for number, place in enumerate(command.places, 1):
            pattern = f"'{command.name} '[0-9]*" if place.repeats else f"'{command.name} {number}'"
            lines.append(f"{pattern}) place=({_bash_place(place)}) ;;")
    # In bash, the form of a candidate depends on the quote around it, and on the part of it (`head`) before the last
    # character that breaks words.
    profiles = _sh_profiles("offer_bash.awk")
    text = _template("awsdirenv.bash").replace("# @CASES@", "\n    ".join(lines))
    return text.replace("# @PROFILES@", profiles)


def _bash_place(place: _Place, *, is_option: bool = False) -> str:
    if is_option and place.repeats:
        return f"{place.kind}s"
    return shlex.join(["choices", *place.choices]) if place.kind == "choices" else place.kind


def _zsh(commands: list[_Command]) -> str:
    top, *subcommands = commands
    cases = [
        f"{shlex.quote(command.name)}) _arguments -S {' '.join(_zsh_specs(command))} && ret=0 ;;"
        for command in subcommands
    ]
    named = [shlex.quote(f"{command.name}:{command.help}") for command in subcommands if command.is_offered]
    text = _template("awsdirenv.zsh").replace("@TOP@", " ".join(_zsh_options(top)))
    text = text.replace("@COMMANDS@", "\n        ".join(named)).replace("# @CASES@", "\n        ".join(cases))
    return text.replace("# @PROFILES@", _sh_profiles("offer.awk"))


def _zsh_specs(command: _Command) -> list[str]:
    specs = []
    for place in command.places:
        label = place.label.replace(":", r"\:")
        specs.append(shlex.quote(f"{'*' if place.repeats else ':'}:{label}:{_zsh_action(place)}"))
    return [*_zsh_options(command), *specs]


def _zsh_options(command: _Command) -> list[str]:
    specs = []
    for option in command.options:
        others = f"({' '.join(option.names)})" if len(option.names) > 1 else ""
        text = option.help.replace("\\", r"\\").replace("[", r"\[").replace("]", r"\]")
        for name in option.names:
            value = ""
            if option.place is not None:
                label = option.place.label.replace(":", r"\:")
                value = f":{label}:{_zsh_action(option.place)}"
                if option.place.repeats:  # all words up to one that begins with a hyphen, which may be this one
                    names = shlex.join(name for option in command.options for name in option.names)
                    value = f":*-*:{label}:{{[[ $PREFIX == -* ]] && compadd -- {names} || {_zsh_action(option.place)}}}"
            is_joined = option.place is not None and not option.place.repeats and name.startswith("--")
            join = "=" if is_joined else ""
            specs.append(shlex.quote(f"{others}{name}{join}[{text}]{value}"))
    return specs


def _zsh_action(place: _Place) -> str:
    actions = {"profile": "_awsdirenv_profile", "file": "_files", "text": " "}
    return f"({shlex.join(place.choices)})" if place.kind == "choices" else actions[place.kind]


def _fish(commands: list[_Command]) -> str:
    lines = []
    values, lists = [], []
    for command in commands:
        at = f"__awsdirenv_at {fish_quote(command.name)}"
        if command.is_offered:
            lines.append(_fish_line("__awsdirenv_at '' 1", f"-a {fish_quote(command.name)}", command.help))
        for option in command.options:
            names = " ".join(_fish_name(name) for name in option.names)
            if option.place is not None:
                taken = [f"{command.name} {name}" for name in option.names]
                values += taken
                if option.place.repeats:
                    lists += taken
                    lines.append(_fish_line(f"{at} list", _fish_place(option.place), option.place.label))
                names += f" -r {_fish_place(option.place)}"
            lines.append(_fish_line(at, names, option.help))
        for number, place in enumerate(command.places, 1):
            if command.name and place.kind != "text":
                last = 9999 if place.repeats else number
                lines.append(_fish_line(f"{at} {number} {last}", _fish_place(place), place.label))
    text = _template("awsdirenv.fish").replace("@VALUES@", " ".join(fish_quote(value) for value in values))
    text = text.replace("@LISTS@", " ".join(fish_quote(value) for value in lists))
    return text.replace("@AWK@", fish_quote(_awk("offer.awk"))) + "\n".join(lines) + "\n"


def _fish_line(condition: str, what: str, text: str) -> str:
    return f"complete -c awsdirenv -n {fish_quote(condition)} {what} -d {fish_quote(text)}"


def _fish_name(name: str) -> str:
    kind = "-l" if name.startswith("--") else "-s" if len(name) == 2 else "-o"
    return f"{kind} {fish_quote(name.lstrip('-'))}"


def _fish_place(place: _Place) -> str:
    if place.kind == "choices":
        return f"-f -a {fish_quote(' '.join(fish_quote(choice) for choice in place.choices))}"
    return {"profile": "-f -a '(__awsdirenv_profiles)'", "file": "-F", "text": "-f"}[place.kind]
