"""Prompts of others, the real ones: installed once, into the cache folder of whoever runs the tests.

Debian has starship, liquidprompt and powerlevel9k, npm has pure and spaceship. powerlevel10k, oh-my-zsh and
bash-preexec are in no registry; what they do to hooks is done by hand in `test_hook_company.py`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from container import must_have
from debian import archive, unpack
from installs import npm_install, once

# The first release of Debian with a starship; an older system runs it with that release's C library.
_SUITE = "trixie"
_DEBIAN = ("starship", "libc6", "libgcc-s1", "zlib1g", "liquidprompt", "zsh-theme-powerlevel9k")
_NPM = ("pure-prompt@1.28", "spaceship-prompt@4.22")


def debian() -> Path:
    """Give a folder with the unpacked packages of Debian, in which `starship` runs."""
    return once(f"prompts-{_SUITE}-1", _install_debian)


def npm() -> Path:
    """Give a folder with npm's packages."""
    return once("prompts-npm-1", _install_npm) / "node_modules"


def starship() -> Path:
    """Give the program."""
    found = shutil.which("starship")
    return Path(found) if found else debian() / "starship"


def _install_npm(folder: Path) -> None:
    npm_install(folder, "--ignore-scripts", *_NPM)


def _install_debian(folder: Path) -> None:
    must_have("an archive of Debian's, to get prompts from", is_there=bool(archive()))
    unpack(folder, _SUITE, _DEBIAN)
    # As a script: it stays right where the folder is moved, and `starship init` finds it by its name in PATH.
    (folder / "starship").write_text(
        '#!/bin/sh\nhere=${0%/*}\nset -- "$here"/usr/bin/starship "$@"\n'
        'for loader in "$here"/usr/lib/*/ld-linux-*; do\n  exec "$loader" --library-path "${loader%/*}" "$@"\ndone\n',
        encoding="utf-8",
    )
    (folder / "starship").chmod(0o755)
