"""The rows of the matrix: what differs, what runs there, and which programs then tell their versions."""

from __future__ import annotations

from dataclasses import dataclass

import machine as m
from machine import Part
from pythons import oldest_dependencies, python

_PROMPT = "tests/shells/test_direnv_prompt.py"
_ENVIRONMENT = "tests/shells/test_direnv_environment.py"
_LIVE = "tests/shells/test_live.py"
_COMPLETION = "tests/shells/test_completion.py"

# Loads without a terminal: what direnv's bash, `stat`, Python and botocore have a part in.
LOAD = (
    f"{_ENVIRONMENT}::test_exported",
    f"{_ENVIRONMENT}::test_inner_directory",
    "tests/shells/test_closed.py::test_a_line_below_one_that_is_closed[coded-false-nothing]",
    "tests/shells/test_nested.py::test_an_inner_line_that_is_not_reached",
    f"{_LIVE}::test_exported",
    "tests/shells/test_whoami.py::test_all_is_well",
)
# Warm loads without Python.
WARM = (
    f"{_ENVIRONMENT}::test_python_is_started_only_when_due",
    f"{_ENVIRONMENT}::test_dotenv_names_the_profile",
    "tests/shells/test_extension_parts.py::test_a_warm_load_reads_the_warm_part_only",
)


def on_terminal(*shells: str) -> tuple[str, ...]:
    """Return the main job on a terminal: enter, be asked, load, leave."""
    return tuple(f"{_PROMPT}::test_one_code_opens_the_directory[{shell}]" for shell in shells)


def in_shell(shell: str) -> tuple[str, ...]:
    """Return what a person does in one shell: questions, Ctrl-C, live directories, the hook, completion, leaving."""
    return (
        *on_terminal(shell),
        f"{_PROMPT}::test_cancelling[{shell}]",
        f"{_ENVIRONMENT}::test_edited_config_is_noticed_in_place[{shell}]",
        f"{_LIVE}::test_shells[{shell}]",
        f"tests/shells/test_hook.py::test_the_first_command_after_the_end_has_credentials_that_hold[{shell}]",
        f"{_COMPLETION}::test_tab_completes_the_rest_of_the_line[{shell}]",
        f"tests/shells/test_leaving.py::test_leaving_is_said_first[{shell}]",
    )


MAIN = (*LOAD, *WARM, *on_terminal("bash", "zsh", "fish"))
# What a direnv does that finds no `.envrc` any more.
GONE = ("tests/shells/test_hook.py::test_nothing_stays_of_a_directory_whose_envrc_is_gone",)
STAMPS = (*LOAD, *on_terminal("bash"))  # where Python looks in the place of `stat`


@dataclass(frozen=True)
class Row:
    """One machine and its tests. `versions` are commands that say what was there; their first line is shown."""

    group: str
    name: str
    tests: tuple[str, ...]
    parts: tuple[Part, ...] = ()
    versions: tuple[str, ...] = ()
    is_quick: bool = False


_GNU_STAT = m.gnu_stat_elsewhere
_IN_FLOATS = r"""/usr/local/bin/stat "$@" | /usr/bin/sed -E 's/([0-9]{7})[0-9]{2} \+0000/\100 +0000/'"""
_OF_BSD = 'echo "stat: illegal option -- c" >&2; exit 1'
_STAT = "/usr/bin/stat"
# BSD's program as far as we use it: its own letters, and seconds with a fraction in the place of a date.
_BSD = r"""[ "$1 $2 $4" = "-L -f --" ] || { echo "stat: illegal option" >&2; exit 1; }
format=$(printf %s "$3" | /usr/bin/sed 's/%z/%s/; s/%m/%Y/; s/%Lp/%a/; s/%Fc/%.9Z/; s/%N/%n/')
shift 4
exec /usr/local/bin/stat -L -c "$format" -- "$@" """
_SYSTEM = (
    "awsdirenv/system/stamps.py",
    'IS_BSD = sys.platform == "darwin" or "bsd" in sys.platform',
    "IS_BSD = True",
)
_UUTILS = "/usr/lib/cargo/bin/coreutils/stat"
_LIBC = ("libc6", "libgcc-s1")
_DEPENDENCIES = (
    "python -c 'import sys; from importlib.metadata import version as v;"
    ' print("Python", sys.version.split()[0], *(f"{n} {v(n)}" for n in ("boto3", "filelock", "python-dotenv")))\''
)

_STATS = (
    Row("stat", "GNU coreutils, of this machine", (*STAMPS, *WARM), (), ("stat --version",)),
    Row(
        "stat",
        "uutils 0.0.17 (Debian 12's rust-coreutils)",
        (*STAMPS, *WARM),
        (_GNU_STAT, m.debian("bookworm", "rust-coreutils"), m.link(_STAT, _UUTILS)),
        ("/usr/bin/stat --version",),
    ),
    Row(
        "stat",
        "uutils 0.3-0.9: a stand-in that loses nanoseconds in a float",
        STAMPS,
        (_GNU_STAT, m.program(_STAT, _IN_FLOATS)),
        is_quick=True,
    ),
    Row(
        "stat",
        "uutils of sid",
        (*STAMPS, *WARM),
        (
            _GNU_STAT,
            m.debian("sid", "rust-coreutils", *_LIBC, "libssl3t64", "libsystemd0", "libcap2"),
            m.link(_STAT, _UUTILS),
        ),
        ("/usr/bin/stat --version",),
    ),
    Row(
        "stat",
        "busybox (Debian 12)",
        (*STAMPS, *WARM),
        (_GNU_STAT, m.debian("bookworm", "busybox"), m.link(_STAT, "/usr/bin/busybox")),
        ("/usr/bin/busybox",),
        is_quick=True,
    ),
    Row("stat", "a stand-in that refuses -c, as BSD's does", STAMPS, (_GNU_STAT, m.program(_STAT, _OF_BSD))),
    Row(
        "stat",
        "a stand-in that speaks BSD's dialect, and our code told so",
        (*STAMPS, *WARM),
        (_GNU_STAT, m.program(_STAT, _BSD), m.changed_line(*_SYSTEM)),
        is_quick=True,
    ),
    Row("stat", "none", STAMPS, (_GNU_STAT, m.without(_STAT)), is_quick=True),
)

_DIRENVS = (
    Row("direnv", "of this machine", (*MAIN, *GONE), (), ("direnv version",)),
    Row("direnv", "of sid", (*MAIN, *GONE), (m.debian("sid", "direnv"),), ("direnv version",), is_quick=True),
    Row(
        "direnv",
        "its source of 2026-03-31 (b00e451)",
        (*MAIN, *GONE, *in_shell("bash"), *in_shell("zsh"), *in_shell("fish")),
        (m.built_by_hand("/usr/bin/direnv", "direnv-b00e451"),),
        ("direnv version",),
    ),
)

_FISH = ("fish", "fish-common", *_LIBC, "libpcre2-32-0", "libpcre2-8-0")
_BASH = ("bash", "libc6", "libtinfo6")
_ZSH = ("zsh", "zsh-common", "libc6", "libtinfo6", "libcap2", "libpcre2-8-0")
_SHELLS = (
    Row("shell", "fish 3.6, of this machine", in_shell("fish"), (), ("fish --version",)),
    Row("shell", "fish of sid", in_shell("fish"), (m.debian("sid", *_FISH),), ("fish --version",), is_quick=True),
    Row("shell", "zsh of this machine", in_shell("zsh"), (), ("zsh --version",)),
    Row("shell", "zsh of sid", in_shell("zsh"), (m.debian("sid", *_ZSH),), ("zsh --version",)),
    Row("shell", "bash of this machine", (*LOAD, *WARM, *in_shell("bash")), (), ("bash --version",)),
    Row("shell", "bash of sid", (*LOAD, *WARM, *in_shell("bash")), (m.debian("sid", *_BASH),), ("bash --version",)),
    Row(
        "shell",
        "bash of Debian 11",
        (*LOAD, *WARM, *in_shell("bash")),
        (m.debian("bullseye", "bash"),),
        ("bash --version",),
    ),
    *(
        Row(
            "shell",
            f"bash {version}",
            (*LOAD, *WARM, *in_shell("bash")),
            (m.built_by_hand("/usr/bin/bash", f"bash-{version}"),),
            ("bash --version",),
        )
        for version in ("5.0", "4.4")
    ),
)

_OTHER = "tests/shells/test_other_shells.py::test_a_shell_that_direnv_hooks"
_OTHERS = (
    Row("shell", "tcsh of this machine", (f"{_OTHER}[tcsh]",), (), ("tcsh --version",)),
    Row(
        "shell",
        "elvish of Debian 12, direnv of sid",
        (f"{_OTHER}[elvish]",),
        (m.debian("bookworm", "elvish"), m.debian("sid", "direnv"), m.with_shell("elvish")),
        ("elvish -version",),
        is_quick=True,
    ),
    Row(
        "shell",
        "nushell of npm",
        (f"{_OTHER}[nu]",),
        (m.from_npm("/usr/bin/nu", "nushell", "nu"), m.with_shell("nu")),
        ("nu --version",),
    ),
)

_TOGETHER = (*MAIN, *in_shell("bash"), *in_shell("zsh"), *in_shell("fish"))
_SID = (
    Row(
        "all",
        "direnv, bash, zsh and fish of sid together",
        (*dict.fromkeys(_TOGETHER), "tests/shells/test_hook_company.py::test_a_shell_in_a_shell"),
        tuple(m.debian("sid", *packages) for packages in (("direnv",), _FISH, _BASH, _ZSH)),
        ("direnv version",),
    ),
)

_PYTHON_SID = (
    *("python3.14", "python3.14-minimal", "libpython3.14-minimal", "libpython3.14-stdlib", "python3.14-venv"),
    *("libc6", "libssl3t64", "libexpat1", "libffi8", "libsqlite3-0", "zlib1g", "libbz2-1.0", "liblzma5", "libzstd1"),
)
_PYTHON_314 = (m.debian("sid", *_PYTHON_SID), python("3.14"))
_PYTHONS = (
    *(
        Row("Python", version, MAIN, (python(version),), (_DEPENDENCIES,))
        for version in ("3.10", "3.11", "3.12", "3.13")
    ),
    Row("Python", "3.14 (sid)", MAIN, _PYTHON_314, (_DEPENDENCIES,)),
    Row("Python", "3.14 (sid), the tests of the rooms", ("tests/unit",), _PYTHON_314, (_DEPENDENCIES,)),
    Row(
        "dependencies", "the oldest that pyproject.toml allows", MAIN, (oldest_dependencies("3.11"),), (_DEPENDENCIES,)
    ),
)

# Fails where that user cannot read the checkout or its Python, as in a clone that is made with umask 077.
_WHO = "python -c 'import awsdirenv, pytest' && id -u"
_USERS = (
    Row("user", "ordinary, umask 022", MAIN, (m.ordinary_user("022"),), (_WHO,), is_quick=True),
    Row("user", "ordinary, umask 077", MAIN, (m.ordinary_user("077"),), (_WHO,)),
    Row("user", "ordinary, no line in /etc/passwd", MAIN, (m.ordinary_user("022", has_name=False),), (_WHO,)),
)

_SEEN = 'ls -d /proc/1 2>&- || echo "others\' processes are hidden"'

_AWK = "/usr/bin/awk"
_PROFILES = f"{_COMPLETION}::test_the_list_is_botocores"
_AWKS = (
    Row("awk", "mawk of this machine", (_PROFILES,), (), ("awk -W version",)),
    Row(
        "awk",
        "gawk",
        (_PROFILES,),
        (m.debian("bookworm", "gawk", "libsigsegv2", "libmpfr6", "libgmp10"), m.link(_AWK, "/usr/bin/gawk")),
        ("awk --version",),
    ),
    Row(
        "awk",
        "busybox awk",
        (_PROFILES,),
        (m.debian("bookworm", "busybox"), m.link(_AWK, "/usr/bin/busybox")),
        ("busybox",),
    ),
    Row(
        "awk",
        "the one true awk",
        (_PROFILES,),
        (m.debian("bookworm", "original-awk"), m.link(_AWK, "/usr/bin/original-awk")),
        ("awk -version",),
    ),
)

# Several differences at once: with --whole each of them meets all tests in a third of the time.
_TOGETHER_TOO = (
    Row(
        "all",
        "Python 3.10, bash 5.0, uutils of Debian 12 and direnv's source of 2026-03-31 together",
        MAIN,
        (
            python("3.10"),
            m.built_by_hand("/usr/bin/bash", "bash-5.0"),
            _GNU_STAT,
            m.debian("bookworm", "rust-coreutils"),
            m.link(_STAT, _UUTILS),
            m.built_by_hand("/usr/bin/direnv", "direnv-b00e451"),
        ),
        (_DEPENDENCIES, "bash --version", "/usr/bin/stat --version", "direnv version"),
    ),
    Row(
        "all",
        "Python 3.12, bash of Debian 11, busybox's stat and a user without a line in /etc/passwd together",
        MAIN,
        (
            python("3.12"),
            m.debian("bullseye", "bash"),
            _GNU_STAT,
            m.debian("bookworm", "busybox"),
            m.link(_STAT, "/usr/bin/busybox"),
            m.ordinary_user("022", has_name=False),
        ),
        (_DEPENDENCIES, "bash --version", "/usr/bin/busybox", _WHO),
    ),
    Row(
        "all",
        "Python 3.13, bash of sid, BSD's dialect of stat, and a /proc with hidepid=2 together",
        MAIN,
        (
            python("3.13"),
            m.debian("sid", *_BASH),
            _GNU_STAT,
            m.program(_STAT, _BSD),
            m.changed_line(*_SYSTEM),
            m.hidepid,
            m.ordinary_user("022"),
        ),
        (_DEPENDENCIES, "bash --version", _SEEN),
    ),
)

# What rows run that are about one part only: all tests would show nothing else there.
PARTIAL = (("tests/unit",), (_PROFILES,), *(row.tests for row in _OTHERS))

_KERNEL = (
    Row("kernel", "no /proc but for /dev/fd", (*LOAD, *WARM, *on_terminal("bash")), (m.no_proc,), ()),
    Row("kernel", "/proc with hidepid=2, ordinary user", MAIN, (m.hidepid, m.ordinary_user("022")), (_SEEN,)),
)

ROWS = (*_STATS, *_DIRENVS, *_SHELLS, *_OTHERS, *_SID, *_USERS, *_KERNEL, *_AWKS, *_PYTHONS, *_TOGETHER_TOO)
