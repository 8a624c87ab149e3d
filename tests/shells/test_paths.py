"""File names made of hostile names, and the extension's own way to the same names without starting Python."""

from __future__ import annotations

import itertools
import os
import re
import stat
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awsdirenv.cache.layout import CachePaths, snapshot_key
from awsdirenv.config.aws_files import file_paths
from awsdirenv.config.environment import SessionOptions, variables_text
from awsdirenv.config.settings import Settings, declared_profile, role_duration
from awsdirenv.errors import AwsdirenvError, ProfileNameError, SettingError
from awsdirenv.refresh.loader import Loader
from awsdirenv.system.files import encode_name
from awsdirenv.system.lock import Locks
from awsdirenv.system.stamps import file_stamp
from awsdirenv.system.text import printable, text_number
from hostile_names import HOSTILE, LETTERS, MARKED, NAMES, STEERING, TEXT
from parts import reading
from world import UTF8, World, tree

# The extension refuses `~user` in a path, which bash could only expand by evaluating it.
VALUES = TEXT.filter(lambda value: value[:1] != "~" or value[:2] in ("~", "~/"))

# What a person's shell may be set to when direnv evaluates.
LOCALES = [{"LANG": "C"}, {"LANG": UTF8}, {"LC_ALL": UTF8, "LANG": "C"}, {"LC_CTYPE": UTF8}, {}]

SEPARATORS = [" \t\n", "", "0123456789abcdefABCDEF%", ":/.-_", "\n", "aeiou="]

ENCODE = """
IFS=$2
mapfile -d '' names <"$1"
for name in "${names[@]}"; do
  _ad_reply=
  if _awsdirenv_encode "$name" 2>/dev/null; then printf '+%s\\0' "$_ad_reply"; else printf -- '-\\0'; fi
done
"""

HASH = """
IFS=$2
mapfile -d '' texts <"$1"
for text in "${texts[@]}"; do _ad_reply=; _awsdirenv_hash "$text"; printf '%s\\0' "$_ad_reply"; done
"""

PRINTABLE = """
mapfile -d '' texts <"$1"
for text in "${texts[@]}"; do _awsdirenv_printable "$text"; printf '%s\\0' "$_ad_reply"; done
"""

VARIABLES = (
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)

PLACES = (*VARIABLES, "AWS_PROFILE", "XDG_CACHE_HOME", "HOME")

# A record is: folder, `+` and the argument or nothing, and for each variable `+` and its value or nothing.
LOCATE = f"""
IFS=$2
mapfile -d '' fields <"$1"
for ((i = 0; i < ${{#fields[@]}}; i += {2 + len(PLACES)})); do
  cd -- "${{fields[i]}}" || exit 9
  _ad_has_profile='' _ad_declared='' _ad_key='' _ad_cache='' _ad_snapshot='' _ad_dotenv=''
  _ad_config='' _ad_credentials=''
  case ${{fields[i + 1]}} in +*) _ad_has_profile=1 _ad_declared=${{fields[i + 1]#+}} ;; esac
  j=$((i + 2))
  for name in {" ".join(PLACES)}; do unset "$name"; done
  IFS=' '
  for name in {" ".join(PLACES)}; do
    case ${{fields[j]}} in +*) export "$name=${{fields[j]#+}}" ;; esac
    j=$((j + 1))
  done
  IFS=$2
  if _awsdirenv_in_bytes _awsdirenv_locate 2>/dev/null; then printf '%s\\0' "$_ad_snapshot"; else printf -- '-\\0'; fi
  [[ ! $3 ]] || printf '%s\\0' "$_ad_config" "$_ad_credentials"
done
"""


def in_bash(
    script: str, fields: list[str], locale: dict[str, str], separators: str = " \t\n", option: str = ""
) -> list[str]:
    """Run a script that has sourced the extension over many values at once; give its NUL-separated answers."""
    with tempfile.NamedTemporaryFile() as source:
        source.write(b"".join(os.fsencode(field) + b"\0" for field in fields))
        source.flush()
        done = subprocess.run(
            [
                "bash",
                "--norc",
                "--noprofile",
                "-c",
                reading("warm", "text", "names", "bytes", "context", "options", "cold") + script,
                "-",
                source.name,
                separators,
                option,
            ],
            env={"PATH": os.environ["PATH"], **locale},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, b"")
    return [os.fsdecode(answer) for answer in done.stdout.split(b"\0")[:-1]]


def encoded_or_none(name: str) -> str | None:
    """Encode a name, or give None where it is refused."""
    try:
        return encode_name(name)
    except ProfileNameError:
        return None


@pytest.mark.parametrize("separators", SEPARATORS)
@pytest.mark.parametrize("locale", LOCALES, ids=str)
def test_bash_encodes_hostile_names_as_python_does(locale: dict[str, str], separators: str) -> None:
    """The extension's encoding agrees name by name, refusals included, in every locale and with any IFS."""
    names = [*HOSTILE, "", "a\nb", "\t", "\x7f", "\x1b", "a" * 300, "🔥" * 300]
    names += [chr(code) for code in range(1, 256)] + [os.fsdecode(bytes([0x41, byte])) for byte in range(128, 256)]
    answers = in_bash(ENCODE, names, locale, separators)
    wanted = [f"+{encoded}" if encoded else "-" for encoded in map(encoded_or_none, names)]
    assert list(zip(names, answers, strict=True)) == list(zip(names, wanted, strict=True))


@settings(max_examples=30, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=60), st.sampled_from(LOCALES), st.sampled_from(SEPARATORS))
def test_bash_encodes_any_names_as_python_does(names: list[str], locale: dict[str, str], separators: str) -> None:
    """The two encodings agree for names nobody thought of."""
    wanted = [f"+{encoded}" if encoded else "-" for encoded in map(encoded_or_none, names)]
    assert in_bash(ENCODE, names, locale, separators) == wanted


@settings(max_examples=30, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=30), st.sampled_from(LOCALES), st.sampled_from(SEPARATORS))
def test_bash_makes_the_same_number_of_a_text(texts: list[str], locale: dict[str, str], separators: str) -> None:
    """A context's number is the same on both sides for any bytes."""
    numbers = [f"{text_number(text):016x}" for text in texts]
    assert in_bash(HASH, texts, {**locale, "LC_ALL": "C"}, separators) == numbers


def test_texts_that_differ_in_one_sign_have_different_numbers() -> None:
    """What people have in such texts are paths and addresses: no two of these share a number."""
    signs = ("/", ".", ":", "-", "_", "", "a", "A", "0")
    texts = {
        "".join(f"{part}{sign}" for part, sign in zip("xyzx", row, strict=True))
        for row in itertools.product(signs, repeat=4)
    }
    assert len({text_number(text) for text in texts}) == len(texts)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from([*STEERING, *LETTERS, "\udc9b", "\udcff", "\udcc2"]), max_size=9).map("".join),
        min_size=1,
        max_size=40,
    ),
    st.sampled_from(LOCALES),
)
def test_what_bash_shows_cannot_steer_a_terminal(texts: list[str], locale: dict[str, str]) -> None:
    """Controls, old and new, and what turns or hides text become ?, as in Python's messages; other text stays."""
    for text, shown in zip(texts, in_bash(PRINTABLE, texts, locale), strict=True):
        try:
            whole = os.fsencode(text).decode()  # two halves may make one letter
        except UnicodeDecodeError:
            assert shown.isascii()
            assert shown.isprintable()
        else:
            assert shown == printable(whole)


@dataclass(frozen=True)
class Place:
    """One evaluation: where, with which argument and which variables."""

    folder: Path
    argument: str | None
    environ: dict[str, str]

    def fields(self) -> list[str]:
        """Write it down for bash: `+` marks what is set, be it empty."""
        values = [self.environ.get(name) for name in PLACES]
        return [str(self.folder), *("" if value is None else f"+{value}" for value in [self.argument, *values])]

    def by_python(self) -> str:
        """Give the snapshot's path as the module finds it, or `-` for a name that is refused."""
        loader = self.loader()
        try:
            encode_name(loader.declared.name)
        except ProfileNameError:
            return "-"
        return str(loader.snapshot_path)

    def loader(self) -> Loader:
        """Put a loader together as the command line does."""
        paths = CachePaths.from_environ(self.environ)
        locks = Locks(paths.locks, timeout=1, on_wait=lambda *_: None)
        declared = declared_profile(self.argument, self.folder, self.environ)
        return Loader(self.environ, Settings(), paths, locks, declared, human=None, tell=print)

    def visit(self) -> None:
        """Load once, in a home without any profile: what is left is the note which profile a .env declares."""
        with pytest.raises(AwsdirenvError):
            self.loader().load()


def both(places: list[Place], locale: dict[str, str], separators: str = " \t\n") -> list[tuple[str, str]]:
    """Give each place's snapshot as bash and as Python find it."""
    answers = in_bash(LOCATE, [field for place in places for field in place.fields()], locale, separators)
    return list(zip(answers, [place.by_python() for place in places], strict=True))


def assert_agreed(pairs: list[tuple[str, str]], *, distinct: bool = False) -> None:
    """Compare pair by pair; `distinct` wants all snapshots to be different ones."""
    assert [bash for bash, _ in pairs] == [python for _, python in pairs]
    assert not distinct or len({bash for bash, _ in pairs}) == len(pairs)


def test_both_find_one_snapshot_per_combination_of_set_empty_and_unset_variables(tmp_path: Path) -> None:
    """Unset, empty and set are three states of each variable, and no two of the 81 combinations share a snapshot."""
    states = (None, "", "/x/config")
    places = [
        Place(
            tmp_path, "dev", {"HOME": "/h", **{n: v for n, v in zip(VARIABLES, values, strict=True) if v is not None}}
        )
        for values in itertools.product(states, repeat=len(VARIABLES))
    ]
    pairs = both(places, {"LANG": UTF8}, "=")
    assert_agreed(pairs, distinct=True)
    assert pairs[0][0] == "/h/.cache/awsdirenv/snapshots/dev"


@settings(max_examples=25, deadline=None)
@given(
    contexts=st.lists(st.tuples(NAMES, st.dictionaries(st.sampled_from(VARIABLES), VALUES)), min_size=1, max_size=20),
    locale=st.sampled_from(LOCALES),
    separators=st.sampled_from(SEPARATORS),
)
def test_both_find_the_same_snapshot_for_any_name_in_any_context(
    contexts: list[tuple[str, dict[str, str]]], locale: dict[str, str], separators: str
) -> None:
    """Names and contexts of any bytes lead both sides to one path."""
    places = [Place(Path("/"), name, {"HOME": "/h", **environ}) for name, environ in contexts]
    assert_agreed(both(places, locale, separators))


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", "/x/y", "relative", "~/x", "~", "/~/x"),
        *(
            "$HOME/x",
            "${HOME}/x",
            "$HOME$HOME",
            "~$HOME",
            "a$",
            "$",
            "${}",
            "$UNSET/x",
            "${UNSET}/x",
            "${HOME }",
            "$1/x",
        ),
        *("${HOME", "$HOMEx", "$(id)", "`id`", "${HOME:-x}", "$é", "a b/*"),
        *("$$HOME", "a$/$HOME", "$HOSTNAME/x", "$UID/x", "$rest/x", "${RANDOM}"),
    ],
)
@pytest.mark.parametrize("name", VARIABLES[:2])
def test_both_mean_the_same_two_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str | None
) -> None:
    """What the extension lets direnv watch is what the module reads."""
    monkeypatch.setenv("HOME", "/h")
    environ = {"HOME": "/h"} | ({} if value is None else {name: value})
    answers = in_bash(LOCATE, Place(tmp_path, "dev", environ).fields(), {}, option="files")
    assert tuple(answers[1:]) == file_paths(environ)


@pytest.mark.parametrize("cache", [None, "", "relative", "./x", "/c", "/c d/ü", "/c/"])
def test_both_follow_xdg_cache_home_only_where_it_is_absolute(tmp_path: Path, cache: str | None) -> None:
    """A relative or empty XDG_CACHE_HOME is ignored, as its specification says."""
    environ = {"HOME": "/h"} | ({} if cache is None else {"XDG_CACHE_HOME": cache})
    ((bash, python),) = both([Place(tmp_path, "dev", environ)], {})
    root = cache.rstrip("/") if cache and cache.startswith("/") else "/h/.cache"
    assert bash.replace("//", "/") == python == f"{root}/awsdirenv/snapshots/dev"


def test_without_an_argument_both_take_aws_profile_then_default(tmp_path: Path) -> None:
    """Where no .env is found, AWS_PROFILE names the profile; unset and empty mean `default`."""
    values: list[dict[str, str]] = [{}, {"AWS_PROFILE": ""}, {"AWS_PROFILE": "dev"}, {"AWS_PROFILE": "a b/ü"}]
    places = [Place(tmp_path, None, {"HOME": "/h", **value}) for value in values]
    pairs = both(places, {"LANG": "C"})
    assert_agreed(pairs)
    names = [bash.rpartition("/")[2] for bash, _ in pairs]
    assert [name.partition("@")[0] for name in names] == ["default", "default", "dev", "a%20b%2F%C3%BC"]


def test_an_argument_beats_a_dotenv_file_on_both_sides(tmp_path: Path) -> None:
    """A named profile is looked up by its name, whatever .env says."""
    (tmp_path / ".env").write_text("AWS_PROFILE=other\n")
    ((bash, python),) = both([Place(tmp_path, "dev", {"HOME": "/h", "AWS_PROFILE": "third"})], {})
    assert bash == python == "/h/.cache/awsdirenv/snapshots/dev"


def test_an_empty_argument_is_refused_on_both_sides(tmp_path: Path) -> None:
    """`use aws_profile ""` (an unset variable, say) is an error and never means the default."""
    assert both([Place(tmp_path, "", {"HOME": "/h", "AWS_PROFILE": "dev"})], {}) == [("-", "-")]


def dotenv_place(folder: Path, text: str | None = None, **environ: str) -> Place:
    """Make a place that names no profile, with a .env of its own where a text is given."""
    folder.mkdir(parents=True, exist_ok=True)
    if text is not None:
        (folder / ".env").write_text(text)
    return Place(folder, None, environ)


@pytest.fixture
def cache(tmp_path: Path) -> dict[str, str]:
    """Give an environment with a home and a cache of the test's own."""
    (tmp_path / "home").mkdir()
    return {"HOME": str(tmp_path / "home")}


def test_the_extension_asks_until_it_knows_what_a_dotenv_file_means(tmp_path: Path, cache: dict[str, str]) -> None:
    """Without a note there is no snapshot to read; after one load there is, and it is the named profile's own."""
    place = dotenv_place(tmp_path / "p", "AWS_PROFILE=dev\n", **cache)
    assert both([place], {})[0][0] == ""
    place.visit()
    ((bash, python),) = both([place], {})
    assert bash == python == f"{cache['HOME']}/.cache/awsdirenv/snapshots/dev"


@pytest.mark.parametrize("locale", LOCALES, ids=str)
def test_both_find_the_profile_of_each_dotenv_file_and_outer_environment(
    tmp_path: Path, cache: dict[str, str], locale: dict[str, str]
) -> None:
    """The nearest regular .env decides, with the outer AWS_PROFILE that it may fall back on, and with the context."""
    deep = tmp_path / "sp ace" / "ü'\"$(x)" / "deep"
    folders = {
        tmp_path / "one": "AWS_PROFILE=dev\n",
        deep.parent: "AWS_PROFILE='a b/$(x) é'\n",
        tmp_path / "none": "OTHER=1\n",
    }
    outer = [{}, {"AWS_PROFILE": "outer"}, {"AWS_PROFILE": "$(x)\\n"}, {"AWS_CONFIG_FILE": "/c", "AWS_PROFILE": ""}]
    places = [dotenv_place(folder, text, **cache, **more) for folder, text in folders.items() for more in outer]
    places += [dotenv_place(folder / "x" / "y", **cache, **more) for folder in folders for more in outer]
    for place in places:
        place.visit()
    pairs = both(places, locale, "/")
    assert_agreed(pairs)
    names = [bash.rpartition("/")[2] for bash, _ in pairs]
    half = len(names) // 2
    assert names[:half] == names[half:]
    assert names[:3] == ["dev"] * 3
    assert names[3].startswith("dev@")
    assert {name.partition("@")[0] for name in names[4:7]} == {"a%20b%2F%24%28x%29%20%C3%A9"}
    assert [name.partition("@")[0] for name in names[8:11]] == ["default", "outer", "%24%28x%29%5Cn"]
    assert names[11].startswith("default@")


def test_an_edited_dotenv_file_leaves_a_new_note(tmp_path: Path, cache: dict[str, str]) -> None:
    """The note says what the .env says now, and of which state of it."""
    place = dotenv_place(tmp_path / "p", "AWS_PROFILE=dev\n", **cache)
    place.visit()
    (note,) = (tmp_path / "home" / ".cache" / "awsdirenv" / "names").iterdir()
    assert note.read_text().splitlines()[1:3] == [
        "AWSDIRENV_PROFILE=dev",
        f"AWSDIRENV_DOTENV={file_stamp(str(place.folder / '.env'))}",
    ]
    (place.folder / ".env").write_text("AWS_PROFILE=prod\n")
    place.visit()
    ((bash, python),) = both([place], {})
    assert bash == python
    assert bash.endswith("/prod")


def in_note(name: str, value: bytes) -> Callable[[bytes], bytes]:
    """Give a damage that replaces a value of the note."""
    return lambda whole: re.sub(rb"(?m)^(AWSDIRENV_%b=).*$" % name.encode(), lambda found: found[1] + value, whole)


NOTES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut": lambda whole: whole[:-4],
    "cut in the name": lambda whole: whole[:45],
    "line behind": lambda whole: whole + b"x\n",
    "line between": lambda whole: whole.replace(b"AWSDIRENV_END", b"X=1\nAWSDIRENV_END"),
    "CRLF": lambda whole: whole.replace(b"\n", b"\r\n"),
    "another version": in_note("VERSION", b"2"),
    "no end": in_note("END", b"0"),
    "lines swapped": lambda whole: b"\n".join(sorted(whole.splitlines(), reverse=True)) + b"\n",
    "no name": in_note("PROFILE", b""),
    "control character in the name": in_note("PROFILE", b"de\x1bv"),
    "NUL byte in the name": in_note("PROFILE", b"d\0ev"),
    "NUL byte at the end": lambda whole: whole[:-1] + b"\0",
    "name that is too long": in_note("PROFILE", b"a" * 201),
    "name that is too long as a file's": in_note("PROFILE", b"$" * 67),
    "another .env": in_note("DOTENV", b"1:2:3:4.000000005 /elsewhere/.env"),
}


@pytest.mark.parametrize("kind", NOTES)
def test_a_damaged_note_is_not_believed_and_written_anew(tmp_path: Path, cache: dict[str, str], kind: str) -> None:
    """The extension takes a note to the letter, or asks; the next load mends it."""
    place = dotenv_place(tmp_path / "p", "AWS_PROFILE=dev\n", **cache)
    place.visit()
    (note,) = (tmp_path / "home" / ".cache" / "awsdirenv" / "names").iterdir()
    whole = note.read_bytes()
    note.write_bytes(NOTES[kind](whole))
    assert note.read_bytes() != whole
    assert both([place], {})[0][0] == ""
    assert not (place.folder / "pwned").exists()
    place.visit()
    assert note.read_bytes() == whole


@pytest.mark.parametrize("kind", ["link", "fifo", "mode"])
def test_a_note_that_is_no_private_file_is_replaced(tmp_path: Path, cache: dict[str, str], kind: str) -> None:
    """A link and a FIFO are not read, whatever they say; an open mode is tightened by the next load."""
    place = dotenv_place(tmp_path / "p", "AWS_PROFILE=dev\n", **cache)
    place.visit()
    (note,) = (tmp_path / "home" / ".cache" / "awsdirenv" / "names").iterdir()
    if kind == "mode":
        note.chmod(0o644)
    else:
        note.rename(tmp_path / "away")
        note.symlink_to(tmp_path / "away") if kind == "link" else os.mkfifo(note, 0o600)
        assert both([place], {})[0][0] == ""
    place.visit()
    assert stat.S_IMODE(note.lstat().st_mode) == 0o600
    assert note.lstat().st_size > 0
    assert_agreed(both([place], {}))


def test_both_skip_a_dotenv_folder_and_a_fifo(tmp_path: Path, cache: dict[str, str]) -> None:
    """A virtual environment named .env and 1Password's FIFO are no .env files; a link to a file is one."""
    places = [dotenv_place(tmp_path / name, **cache) for name in ("folder", "fifo", "link")]
    (tmp_path / "folder" / ".env").mkdir()
    os.mkfifo(tmp_path / "fifo" / ".env")
    (tmp_path / "shared").write_text("AWS_PROFILE=x\n")
    (tmp_path / "link" / ".env").symlink_to(tmp_path / "shared")
    places[2].visit()
    pairs = both(places, {})
    assert_agreed(pairs)
    assert [bash.rpartition("/")[2] for bash, _ in pairs] == ["default", "default", "x"]


def test_a_logical_path_through_a_link_is_a_place_of_its_own(tmp_path: Path, cache: dict[str, str]) -> None:
    """Both sides name a .env as the shell does: by the path the person went, not by the one behind it."""
    real = dotenv_place(tmp_path / "real", "AWS_PROFILE=x\n", **cache)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    linked = Place(tmp_path / "link", None, real.environ)
    real.visit()
    assert [bash == "" for bash, _ in both([real, linked], {})] == [False, True]
    linked.visit()
    assert_agreed(both([real, linked], {}))


MARK = r"""
mapfile -d '' fields <"$1"
names=(@NAMES@)
for ((i = 0; i < ${#fields[@]}; i += ${#names[@]})); do
  for ((j = 0; j < ${#names[@]}; j++)); do
    unset "${names[j]}"
    case ${fields[i + j]} in +*) export "${names[j]}=${fields[i + j]#+}" ;; esac
  done
  _awsdirenv_variables_text "${names[*]}"
  printf '%s\0' "$_ad_reply"
done
"""

DURATION = r"""
mapfile -d '' fields <"$1"
for field in "${fields[@]}"; do
  _ad_option_duration=''
  _awsdirenv_take_option --duration "$field" 2>/dev/null || _ad_option_duration=-
  printf '%s\0' "$_ad_option_duration"
done
"""


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from(MARKED[:-1]), VALUES), min_size=1, max_size=20),
    VALUES,
    st.sampled_from(LOCALES),
)
def test_both_mark_an_environment_alike(environs: list[dict[str, str]], host: str, locale: dict[str, str]) -> None:
    """What a profile depends on that leans on the environment or the machine is one line on both sides."""
    environs = [{**environ, "HOSTNAME": host} for environ in environs]
    fields = ["" if name not in environ else f"+{environ[name]}" for environ in environs for name in MARKED]
    script = MARK.replace("@NAMES@", " ".join(MARKED))
    assert in_bash(script, fields, locale) == [variables_text(MARKED, environ) for environ in environs]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("3600", 3600), ("15m", 900), ("2h", 7200), ("1h30m", 5400), ("900s", 900), ("12h", 43200), ("0h15m", 900)),
        *(("1h0m1s", 3601), ("009h", 32400), ("0900", 900), ("720m", 43200)),
        *(("", None), ("0", None), ("5m", None), ("899", None), ("13h", None), ("43201", None), ("1d", None)),
        *(("h", None), ("m15", None), ("30m1h", None), ("1.5h", None), ("-1h", None), ("1 h", None), ("é", None)),
        *(("99999999999999999999", None), ("$(id)", None), ("a[0]", None), ("15M", None)),
    ],
)
def test_both_read_a_duration_alike(text: str, seconds: int | None) -> None:
    """The extension and the command line take the same durations for the same seconds, and refuse the same."""
    assert in_bash(DURATION, [text], {}) == ["-" if seconds is None else str(seconds)]
    if seconds is not None:
        assert role_duration(text) == seconds
    else:
        with pytest.raises(SettingError, match="between 15m and 12h"):
            role_duration(text)


def test_both_find_one_snapshot_for_each_duration(tmp_path: Path) -> None:
    """A directory that wants another life has credentials of its own."""
    for duration in (None, 900, 5400):
        options = SessionOptions(duration)
        script = LOCATE.replace("has_profile=''", f"options={options.text()} has_profile=''", 1)
        place = Place(tmp_path, "dev", {"HOME": "/h", "AWS_CONFIG_FILE": "/c"})
        key = snapshot_key("dev", place.environ, options)
        assert in_bash(script, place.fields(), {}) == [f"/h/.cache/awsdirenv/snapshots/{key}"]


@pytest.mark.parametrize("name", ["../../x", ".x", "$(touch pwned)", "dev@811c9dc5", "\\x41", "%41", "a b"])
def test_a_note_s_name_is_taken_to_the_letter(tmp_path: Path, cache: dict[str, str], name: str) -> None:
    """A name in a note is a profile's name, whatever it looks like, and leads to a file of this name only."""
    place = dotenv_place(tmp_path / "p", "AWS_PROFILE=dev\n", **cache)
    place.visit()
    (note,) = (tmp_path / "home" / ".cache" / "awsdirenv" / "names").iterdir()
    note.write_bytes(in_note("PROFILE", name.encode())(note.read_bytes()))
    assert both([place], {})[0][0] == f"{cache['HOME']}/.cache/awsdirenv/snapshots/{snapshot_key(name, {})}"
    assert not (place.folder / "pwned").exists()


HOMES = ["{}", "{}/", "{}//", "/{}", "{}/.", "{}/../home", "{}/./"]


@pytest.mark.parametrize("shape", HOMES)
@pytest.mark.parametrize("live", ["", " --live"])
def test_a_home_in_any_shape(world: World, shape: str, live: str) -> None:
    """A HOME with a slash at its end, or a detour, is the same home: it opens, and the second time without a call."""
    world.role("plain", mfa=False)
    folder, environ = world.project("plain", f"use aws_profile plain{live}\n"), {"HOME": shape.format(world.home)}
    for _ in range(2):
        loaded, said = world.enter(folder, **environ)
        assert loaded.get("AWSDIRENV_PROFILE") == "plain", said
    assert world.sts.count("AssumeRole") == 1


@pytest.mark.parametrize("name", ["../../../x", "/x", "..%2F..%2F..%2Fx", ".."])
def test_what_our_files_say_leads_nowhere_else(world: World, name: str) -> None:
    """Whatever profile the files of our folder name, no command and no entering makes a file outside it."""
    world.role("adminrole", mfa=False)
    folder = world.project("project", "use aws_profile\n")
    (folder / ".env").write_text("AWS_PROFILE=adminrole\n", encoding="utf-8")
    world.enter(folder)
    before = {path for path in tree(world.root) if not path.is_relative_to(world.cache)}
    tampered = set()
    for path in filter(Path.is_file, world.cache.rglob("*")):
        text = path.read_bytes()
        if b"adminrole" in text:
            path.write_bytes(text.replace(b"adminrole", name.encode()))
            tampered.add(path.parent.name)
    assert tampered >= {"names", "snapshots", "directories", "locks"}
    commands = [("status",), ("list",), ("doctor", "--offline"), ("clear", "adminrole"), ("clear", "--all")]
    world.enter(folder)
    for command in commands:
        world.run("awsdirenv", *command, cwd=folder)
    world.end_timers()
    assert {path for path in tree(world.root) if not path.is_relative_to(world.cache)} == before
