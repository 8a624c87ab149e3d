"""Our own settings, and which profile a directory declares."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awsdirenv.config.settings import DeclaredProfile, Settings, declared_profile, parse_duration
from awsdirenv.errors import ConfigError, SettingError
from awsdirenv.system.stamps import file_stamp

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def no_hanging() -> Iterator[None]:
    """End a test that waits on a FIFO."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("0", timedelta(0)),
        ("1", SECOND),
        ("3600", HOUR),
        ("45s", 45 * SECOND),
        ("15m", 15 * MINUTE),
        ("90m", 90 * MINUTE),
        ("2h", 2 * HOUR),
        ("1h30m", HOUR + 30 * MINUTE),
        ("1h5s", HOUR + 5 * SECOND),
        ("1h30m15s", HOUR + 30 * MINUTE + 15 * SECOND),
        ("1h30m15", HOUR + 30 * MINUTE + 15 * SECOND),
        ("  12h \n", 12 * HOUR),
        ("007m", 7 * MINUTE),
        ("9999h", 9999 * HOUR),
        ("99999999", 99999999 * SECOND),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, duration: timedelta) -> None:
    """Hours, minutes and seconds in this order, each optional, and a bare number is seconds."""
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "h", "m", "s", "hm", "-1", "-1h", "+1h", "1.5h", "1,5h", "1e3", "0x10", "1_000", "inf", "nan"),
        *("1d", "1w", "1H", "1hr", "1 h", "1h 30m", "30m1h", "1s1m", "1h1h", "1m30m", "PT1H", "12:00", "½h"),
        *("1h\x00", "1\nh", "10000h", "1000000m", "100000000", "9" * 5000, "12h;", "$(id)", "twelve hours"),
        "１２h",  # noqa: RUF001 - digits that are not ASCII
    ],
)
def test_what_is_no_duration_is_none(text: str) -> None:
    """Signs, fractions, other units, another order, foreign digits and absurd sizes are no durations."""
    assert parse_duration(text) is None


@given(st.integers(0, 9999), st.integers(0, 999999), st.integers(0, 99999999))
def test_any_hours_minutes_and_seconds_add_up(hours: int, minutes: int, seconds: int) -> None:
    """The parts are summed, whatever their size."""
    wanted = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == wanted


@given(st.text(max_size=20) | st.text("0123456789hms -+.", max_size=12))
def test_no_text_makes_parsing_raise(text: str) -> None:
    """Whatever stands in a setting is a duration of at least nothing, or None."""
    duration = parse_duration(text)
    assert duration is None or duration >= timedelta(0)


def test_without_settings_the_defaults_hold(tmp_path: Path) -> None:
    """Twelve hours of MFA session, a minute to type, and ninety seconds to wait for another process."""
    settings = Settings.load({}, tmp_path)
    assert settings == Settings(None, 12 * HOUR, 60 * SECOND, 90 * SECOND)


def test_each_setting_is_read_from_the_environment(tmp_path: Path) -> None:
    """Every name leads to its own value."""
    settings = Settings.load(
        {
            "AWSDIRENV_MFA_PROCESS": "ykman oath code -s aws | cat",
            "AWSDIRENV_MFA_SESSION_DURATION": "1h",
            "AWSDIRENV_PROMPT_TIMEOUT": "2m",
            "AWSDIRENV_LOCK_TIMEOUT": "3",
        },
        tmp_path,
    )
    assert settings == Settings("ykman oath code -s aws | cat", HOUR, 2 * MINUTE, 3 * SECOND)


def test_each_setting_is_read_from_the_env_file_beside_the_envrc(tmp_path: Path) -> None:
    """A .env sets the same, quoted or not."""
    (tmp_path / ".env").write_text(
        "AWSDIRENV_MFA_PROCESS='pass otp aws'\nAWSDIRENV_MFA_SESSION_DURATION=1h\n"
        'export AWSDIRENV_PROMPT_TIMEOUT="2m"\nAWSDIRENV_LOCK_TIMEOUT=3\n'
    )
    assert Settings.load({}, tmp_path) == Settings("pass otp aws", HOUR, 2 * MINUTE, 3 * SECOND)


def test_the_environment_wins_over_the_env_file_setting_by_setting(tmp_path: Path) -> None:
    """An `export` in .envrc is the later word, for what it names only."""
    (tmp_path / ".env").write_text("AWSDIRENV_MFA_SESSION_DURATION=1h\nAWSDIRENV_LOCK_TIMEOUT=3\n")
    settings = Settings.load({"AWSDIRENV_LOCK_TIMEOUT": "7"}, tmp_path)
    assert (settings.mfa_session_duration, settings.lock_timeout) == (HOUR, 7 * SECOND)


def test_an_empty_setting_in_the_environment_means_the_default(tmp_path: Path) -> None:
    """Emptying a variable takes a setting of .env back."""
    (tmp_path / ".env").write_text("AWSDIRENV_MFA_PROCESS=otp\nAWSDIRENV_MFA_SESSION_DURATION=1h\n")
    environ = {"AWSDIRENV_MFA_PROCESS": "", "AWSDIRENV_MFA_SESSION_DURATION": ""}
    assert Settings.load(environ, tmp_path) == Settings()


def test_an_env_file_further_up_sets_nothing(tmp_path: Path) -> None:
    """Settings are read beside the .envrc only; it is the profile that is looked for further up."""
    (tmp_path / ".env").write_text("AWSDIRENV_LOCK_TIMEOUT=3\n")
    (tmp_path / "below").mkdir()
    assert Settings.load({}, tmp_path / "below") == Settings()


@pytest.mark.parametrize("name", ["MFA_SESSION_DURATION", "PROMPT_TIMEOUT", "LOCK_TIMEOUT"])
@pytest.mark.parametrize("value", ["soon", "0", "0h0m", "-1h", " "])
def test_a_setting_that_is_no_duration_is_named(tmp_path: Path, name: str, value: str) -> None:
    """Garbage and zero are errors that name the variable and its value."""
    with pytest.raises(SettingError) as caught:
        Settings.load({f"AWSDIRENV_{name}": value}, tmp_path)
    assert caught.value.message == f"AWSDIRENV_{name} is not a duration: {value!r}"
    assert caught.value.hint == f"set AWSDIRENV_{name} to something like 12h, 90m or 3600"


@pytest.mark.parametrize("value", ["15m", "900", "36h", "129600"])
def test_the_ends_of_the_range_of_an_mfa_session_are_allowed(tmp_path: Path, value: str) -> None:
    """GetSessionToken takes 15 minutes to 36 hours."""
    settings = Settings.load({"AWSDIRENV_MFA_SESSION_DURATION": value}, tmp_path)
    assert settings.mfa_session_duration == parse_duration(value)


@pytest.mark.parametrize("value", ["899", "14m59s", "129601", "36h1s", "100h"])
def test_an_mfa_session_out_of_range_is_named(tmp_path: Path, value: str) -> None:
    """What STS would refuse is refused before anybody is asked for a code."""
    with pytest.raises(SettingError) as caught:
        Settings.load({"AWSDIRENV_MFA_SESSION_DURATION": value}, tmp_path)
    assert caught.value.message == f"AWSDIRENV_MFA_SESSION_DURATION is out of range: {value!r}"
    assert caught.value.hint == "set it between 15m and 36h"


def test_a_bad_setting_in_the_env_file_is_named_as_well(tmp_path: Path) -> None:
    """Where it comes from does not matter."""
    (tmp_path / ".env").write_text("AWSDIRENV_LOCK_TIMEOUT=soon\n")
    with pytest.raises(SettingError, match="AWSDIRENV_LOCK_TIMEOUT is not a duration: 'soon'"):
        Settings.load({}, tmp_path)


def make_odd(place: Path, kind: str) -> None:
    """Put something called .env there that is no file."""
    if kind == "folder":
        (place / ".env").mkdir()
    elif kind == "fifo":
        os.mkfifo(place / ".env")
    else:
        (place / ".env").symlink_to("nowhere")


@pytest.mark.parametrize("kind", ["folder", "fifo", "dangling"])
def test_what_is_no_file_sets_nothing_and_blocks_nobody(tmp_path: Path, kind: str) -> None:
    """A virtual environment called .env, 1Password's FIFO and a dangling link are passed over."""
    make_odd(tmp_path, kind)
    assert Settings.load({}, tmp_path) == Settings()


@pytest.mark.parametrize("kind", ["folder", "fifo", "dangling"])
def test_what_is_no_file_declares_nothing_and_the_search_goes_on(tmp_path: Path, kind: str) -> None:
    """The next .env above counts."""
    (tmp_path / ".env").write_text("AWS_PROFILE=above\n")
    below = tmp_path / "below"
    below.mkdir()
    make_odd(below, kind)
    dotenv = tmp_path / ".env"
    expected = DeclaredProfile("above", dotenv, frozenset({"AWS_PROFILE"}), file_stamp(str(dotenv)))
    assert declared_profile(None, below, {}) == expected


# Who says which profile, first come first served: argument, .env, AWS_PROFILE, `default`.
@pytest.mark.parametrize(
    ("argument", "dotenv", "outer", "name"),
    [
        ("arg", "env", "outer", "arg"),
        ("arg", None, None, "arg"),
        ("", "env", "outer", ""),  # refused later: an empty variable in .envrc must not mean another account
        (None, "env", "outer", "env"),
        (None, "env", None, "env"),
        (None, "", "outer", "outer"),
        (None, None, "outer", "outer"),
        (None, "", "", "default"),
        (None, None, "", "default"),
        (None, None, None, "default"),
        (None, "a b", None, "a b"),
    ],
)
def test_the_profile_is_declared_in_this_order(
    tmp_path: Path, argument: str | None, dotenv: str | None, outer: str | None, name: str
) -> None:
    """The argument, then .env, then AWS_PROFILE, then `default`; an empty value says nothing."""
    if dotenv is not None:
        (tmp_path / ".env").write_text(f"AWS_PROFILE='{dotenv}'\n")
    environ = {} if outer is None else {"AWS_PROFILE": outer}
    declared = declared_profile(argument, tmp_path, environ)
    assert declared.name == name
    assert declared.dotenv == (tmp_path / ".env" if argument is None and dotenv is not None else None)


def test_the_nearest_env_file_counts_even_where_it_names_no_profile(tmp_path: Path) -> None:
    """A .env without AWS_PROFILE is not looked past: the one above belongs to another project."""
    (tmp_path / ".env").write_text("AWS_PROFILE=above\n")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert declared_profile(None, below, {"AWS_PROFILE": "outer"}).name == "above"
    (tmp_path / "a" / ".env").write_text("OTHER=1\n")
    dotenv = tmp_path / "a" / ".env"
    expected = DeclaredProfile("outer", dotenv, frozenset({"AWS_PROFILE"}), file_stamp(str(dotenv)))
    assert declared_profile(None, below, {"AWS_PROFILE": "outer"}) == expected


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("export AWS_PROFILE=dev\n", "dev"),
        ("AWS_PROFILE = dev # main\n", "dev"),
        ('AWS_PROFILE="dev one"\n', "dev one"),
        ("AWS_PROFILE=one\nAWS_PROFILE=two\n", "two"),
        ("AWS_PROFILE\n", "default"),
        ("# AWS_PROFILE=no\n", "default"),
        ("NAME=dev\nAWS_PROFILE=${NAME}-eu\n", "dev-eu"),
        ("AWS_PROFILE='${NAME}\n", "default"),
        ("AWS_PROFILE=$(touch pwned)\n", "$(touch pwned)"),
    ],
)
def test_an_env_file_means_what_python_dotenv_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, name: str
) -> None:
    """Quotes, comments, `export` and references are python-dotenv's business, and nothing is ever run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(text)
    assert declared_profile(None, tmp_path, {}).name == name
    assert not (tmp_path / "pwned").exists()


def test_an_env_file_that_is_not_utf_8_is_an_error_that_quotes_nothing(tmp_path: Path) -> None:
    """The path and the place of the byte are named; the content, which may be a secret, is not."""
    (tmp_path / ".env").write_bytes(b"SECRET=SENTINEL\xff\nAWS_PROFILE=dev\n")
    with pytest.raises(ConfigError) as caught:
        declared_profile(None, tmp_path, {})
    assert caught.value.message == f"cannot read {tmp_path / '.env'}: not UTF-8 at byte 15"
    assert caught.value.hint == f"correct or remove {tmp_path / '.env'}"
    with pytest.raises(ConfigError):
        Settings.load({}, tmp_path)
    assert declared_profile("dev", tmp_path, {}).name == "dev"


SECRETS = [
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_SECRET_KEY"),
    *("AMAZON_SECRET_ACCESS_KEY", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"),
    *("GITHUB_TOKEN", "DB_PASSWORD", "npm_token", "STRIPE_APIKEY", "MY_API_KEY"),
]
WAYS = [
    "AWS_PROFILE=${%s}",
    'AWS_PROFILE="team-${%s}"',
    "AWS_PROFILE=${%s:-dev}",
    "OTHER=x${%s}\nAWS_PROFILE=${OTHER}",
    "A=${%s}\nB=${A}\nC=${B}${C}\nAWS_PROFILE=${STAGE}-${C}",
    "AWS_PROFILE=dev\nAWSDIRENV_PROMPT_TIMEOUT=${%s}",
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("variable", SECRETS)
def test_no_secret_becomes_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, way: str) -> None:
    """A `.env` that puts a secret into a name is refused; the secret is not in the message."""
    monkeypatch.setenv(variable, "hunter-number-2")
    (tmp_path / ".env").write_text(way % variable, encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"refers to {variable}, which is a secret") as raised:
        declared_profile(None, tmp_path, os.environ)
    assert "hunter" not in f"{raised.value.message} {raised.value.hint}"


@pytest.mark.parametrize(
    "text",
    [
        "DATABASE=postgres://${DB_PASSWORD}\nAWS_PROFILE=dev",
        "AWS_PROFILE='dev'\nAWSDIRENV_MFA_PROCESS=oathtool -b ${TOTP_SECRET}",
        "AWS_PROFILE=${STAGE:-dev}\n",
        "AWS_PROFILE=${TOKEN_FILE:-dev}",
    ],
)
def test_a_secret_elsewhere_is_the_person_s_own(tmp_path: Path, text: str) -> None:
    """What other lines refer to is not for us, and a command for codes may take a secret."""
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    assert declared_profile(None, tmp_path, os.environ).name == "dev"
    assert Settings.load({}, tmp_path)
