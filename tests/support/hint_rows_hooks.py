"""Rows of hints.py for what our shell hooks say at a prompt, and what an export for fish says."""

from __future__ import annotations

import re

from hint_walk import Act, Hint, Said, Steps, Walk, row, said
from shells import Shell, hook

CHAIN = "[profile p]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\nregion = eu-west-1\n"
OR = ", or remove it from .envrc; for another profile: awsdirenv exec, or --live in .envrc"


def at_prompt(shell: Shell, *commands: str) -> Act:
    """Give what types commands, and gives what is said until the prompt is there again: also what was said before."""
    forget = "set -g _awsdirenv_mixed ''" if shell.kind == "fish" else "_awsdirenv_mixed="

    def act() -> Said:
        shell.run(forget)
        seen = "\n".join(shell.run(command).replace("\r", "") for command in commands)
        return said(re.sub("(?=awsdirenv: warning: )", "\n", seen))  # the echo of what is typed may stand before it

    return act


def _row(kind: str, message: str, hint: str, envrc: str, *typed: str) -> None:
    """Note a row for a warning of a hook: by what is typed in a directory, and by the first half of the hint."""

    @row(message, hint)
    def warned(walk: Walk) -> Steps:
        walk.config(CHAIN)
        walk.world.project(walk.folder.name, envrc)
        with Shell(walk.world, kind) as shell:
            shell.run(f"source {hook(walk.world, kind)}")
            shell.run(f"cd {walk.folder}")
            hint = yield at_prompt(shell, *typed, "true")
            command = hint.partition(", or remove")[0]
            if "reload" in command:  # direnv compares whole seconds
                shell.run("sleep 1.1")
            shell.run(command)
            yield at_prompt(shell, "true", "true")


KEY = {"bash": "export AWS_ACCESS_KEY_ID=mine", "fish": "set -gx AWS_ACCESS_KEY_ID mine"}
CLOSED = "this directory is closed, but something has set AWS_ACCESS_KEY_ID"
OTHER = "the keys here are not this directory's: something has set AWS_ACCESS_KEY_ID"
BESIDE = "… is set together with keys: many programs use the keys, and not that profile"
_row("zsh", CLOSED, f"direnv reload{OR}", "use aws_profile gone\n", KEY["bash"])
_row("fish", CLOSED, f"direnv reload{OR}", "use aws_profile gone\n", KEY["fish"])
_row("bash", OTHER, f"direnv reload{OR}", "use aws_profile p\n", KEY["bash"])
_row("fish", OTHER, f"direnv reload{OR}", "use aws_profile p\n", KEY["fish"])
_row("bash", BESIDE, f"unset …{OR}", "use aws_profile p\n", "export AWS_PROFILE=other")
_row("zsh", BESIDE, f"unset …{OR}", "use aws_profile p\n", "export AWS_DEFAULT_PROFILE=other")
_row("fish", BESIDE, f"set -e …{OR}", "use aws_profile p\n", "set -gx AWS_PROFILE other")


@row(BESIDE, f"unset …{OR}")
def _below_our_line(walk: Walk) -> Steps:
    walk.config(CHAIN)
    walk.world.project(walk.folder.name, "use aws_profile p\nexport AWS_PROFILE=other\n")
    with Shell(walk.world, "bash") as shell:
        shell.run(f"source {hook(walk.world, 'bash')}")
        yield at_prompt(shell, f"cd {walk.folder}", "true")
        walk.world.project(walk.folder.name, "use aws_profile p\n")
        yield at_prompt(shell, "true", "true")


@row(
    "PROMPT_COMMAND is readonly, so there is no hook",
    "source awsdirenv's hook above the line that makes it readonly",
)
def _readonly(walk: Walk) -> Steps:
    ours, theirs = f"source {hook(walk.world, 'bash')}", "readonly PROMPT_COMMAND=true"
    yield walk.shell(f"bash -c '{theirs}; {ours}'")
    yield walk.shell(f"bash -c '{ours}; {theirs}'")


@row("… is still set", "set -e …")
def _universal(walk: Walk) -> Steps:
    walk.config(CHAIN)
    export = "awsdirenv export p --format fish | source"

    def exported(hint: Hint | str) -> Act:
        return walk.shell(f'fish -c "{hint}; {export}"')

    hint = yield exported("set -Ux AWS_PROFILE x")
    yield exported(hint)
