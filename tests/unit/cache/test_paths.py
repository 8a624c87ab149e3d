"""File names made of hostile names, and the extension's own way to the same names without starting Python."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from awsdirenv.cache import live_files
from awsdirenv.cache.layout import CachePaths, session_key, snapshot_key, used_mark
from awsdirenv.config.environment import variables_text
from awsdirenv.errors import ProfileNameError
from awsdirenv.system import files
from awsdirenv.system.files import decode_name, direnv_lib, encode_name, home
from hostile_names import MARKED, NAMES

SHORT = NAMES.filter(lambda name: len(os.fsencode(name)) <= 66)


@given(SHORT)
def test_every_name_comes_back(name: str) -> None:
    """Decoding undoes encoding for any name, in UTF-8 or not."""
    assert decode_name(encode_name(name)) == name


@given(SHORT)
@example(".")
@example("..")
@example("a/../b")
def test_every_encoded_name_is_one_plain_visible_file_name(name: str) -> None:
    """No encoded name leaves its folder, hides, or needs quoting anywhere."""
    encoded = encode_name(name)
    assert encoded
    assert not encoded.startswith(".")
    assert set(encoded) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-%")


@given(SHORT, SHORT)
def test_two_names_never_share_a_file(first: str, second: str) -> None:
    """Encoding is injective, so one profile never finds another's snapshot."""
    assert (first == second) == (encode_name(first) == encode_name(second))


@pytest.mark.parametrize("name", ["dev", "Client-A_prod.eu", "0", "a.b.c", "-x"])
def test_ordinary_names_stay_as_they_are(name: str) -> None:
    """A person who looks into the folder finds the profile's name."""
    assert encode_name(name) == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "the profile name is empty"),
        ("a" * 201, "the profile name is too long (201 characters)"),
        ("é" * 34, "the profile name is too long (34 characters)"),
        ("a\nb", "the profile name has control characters"),
        ("a\0b", "the profile name has control characters"),
        ("\x7f", "the profile name has control characters"),
        ("\x1b[2J", "the profile name has control characters"),
        ("dev\r", "the profile name has control characters"),
        ("\x1f", "the profile name has control characters"),
    ],
)
def test_names_that_cannot_be_are_refused(name: str, message: str) -> None:
    """Empty, overlong and control-character names are errors, and the message repeats no control character."""
    with pytest.raises(ProfileNameError) as caught:
        encode_name(name)
    assert caught.value.message == message
    assert caught.value.hint.isprintable()


def test_the_longest_name_still_makes_a_file_and_a_lock_name(tmp_path: Path) -> None:
    """The longest accepted name, with a context's suffix, fits a real file system with every suffix of ours."""
    key = snapshot_key("a" * 200, {"AWS_CONFIG_FILE": "x"})
    files.private_draft_of(tmp_path / key).touch()
    (tmp_path / f"snapshot-{key}.lock").touch()


@given(st.text(max_size=20) | st.text("%0123456789abcdefAF. g+-", max_size=12))
@example("%")
@example("%4")
@example("%zz")
@example("%-1")
def test_decoding_garbage_is_a_value_error_or_a_string(text: str) -> None:
    """A tampered name in a snapshot never raises anything that its reader does not expect."""
    with contextlib.suppress(ValueError):
        assert isinstance(decode_name(text), str)


def test_session_keys_tell_every_part_apart_and_show_none() -> None:
    """Kind, order, borders and types of the parts all count, and the name gives nothing away."""
    keys = [
        session_key("role", "ab", "c"),
        session_key("role", "a", "bc"),
        session_key("role", "c", "ab"),
        session_key("role", "abc"),
        session_key("mfa", "ab", "c"),
        session_key("role", ["ab", "c"]),
        session_key("role", "ab", None),
        session_key("role", "ab", "None"),
        session_key("role", "ab", 1),
        session_key("role", "ab", "1"),
        session_key("role", "ab", "\udcff"),
    ]
    assert len(set(keys)) == len(keys)
    assert all(len(key.partition("-")[2]) == 32 for key in keys)
    assert "arn" not in session_key("role", "arn:aws:iam::123456789012:role/x")
    assert session_key("role", "ab", "c") == keys[0]


def test_every_folder_of_ours_is_below_the_root_and_named_once() -> None:
    """`folders` lists the root first and then all that the properties name."""
    paths = CachePaths(Path("/c/awsdirenv"))
    folders = paths.folders()
    assert folders[0] == paths.root
    named = {getattr(paths, name) for name, value in vars(CachePaths).items() if isinstance(value, property)}
    named.remove(paths.mfa_renewed)  # the one file among them
    assert set(folders[1:]) == named
    assert {folder.parent for folder in named} == {paths.root}
    assert len(folders) == len(set(folders))


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"HOME": "/h"}, "/h/.config/direnv/lib"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": ""}, "/h/.config/direnv/lib"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "/x"}, "/x/direnv/lib"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "/x", "DIRENV_CONFIG": "/d"}, "/d/lib"),
        ({"HOME": "/h", "DIRENV_CONFIG": ""}, "/h/.config/direnv/lib"),
    ],
)
def test_direnv_lib_is_where_direnv_looks(environ: dict[str, str], folder: str) -> None:
    """DIRENV_CONFIG wins over XDG_CONFIG_HOME, which wins over ~/.config."""
    assert direnv_lib(environ) == Path(folder)


def test_without_home_the_account_s_own_home_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing or empty HOME falls back on the password file."""
    monkeypatch.delenv("HOME")
    assert home({}) == home({"HOME": ""}) == Path("~").expanduser()


# What a directory and its environment add


def test_the_mark_tells_machines_and_variables_apart() -> None:
    """Each variable and the machine's name count, and so does which variable has a value."""
    marks = [variables_text(MARKED, {"HOSTNAME": "h"}), variables_text(MARKED, {"HOSTNAME": "i"})]
    marks += [variables_text(MARKED, {"HOSTNAME": "h", name: "x"}) for name in MARKED[:-1]]
    assert len(set(marks)) == len(marks)
    assert variables_text(MARKED, {}) == variables_text(MARKED, {"HOSTNAME": socket.gethostname()})


# What stands beside a key in our folders, by its name.
BESIDE: list[Callable[[Path], Path]] = [
    lambda path: path,
    files.private_draft_of,
    lambda path: used_mark(path.parent, path.name),
]


@settings(max_examples=300)
@given(st.lists(st.tuples(NAMES, st.sampled_from(["", "x"])), min_size=2, max_size=12, unique=True))
@example(
    [(name, "") for name in ("NAME", "name", "nAME", "n.new", ".n.new", "n", "n.used", ".empty", "empty", "a/../b")]
)
def test_no_two_things_share_a_path(profiles: list[tuple[str, str]]) -> None:
    """Each profile's files, their drafts and what else lies beside them have paths of their own, in our folder."""
    folder = Path("/cache/live")
    keys = []
    for name, config in profiles:
        with contextlib.suppress(ProfileNameError):
            keys.append(snapshot_key(name, {"AWS_CONFIG_FILE": config} if config else {}))
    paths = [make(folder / key) for key in keys for make in BESIDE]
    paths += [live_files.empty_file(folder), files.private_draft_of(live_files.empty_file(folder))]
    assert len({str(path).lower() for path in paths}) == len(paths)  # some file systems know no case
    assert all(path.parent == folder and len(path.name) <= 255 and path.name not in (".", "..") for path in paths)
