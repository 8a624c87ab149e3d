"""The arithmetic of expiration: when credentials are renewed, when they no longer count, and what never shows."""

from __future__ import annotations

import string
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awsdirenv.session_credentials import SessionCredentials, from_epoch, refresh_at, time_left, utc_now

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)
LIVES = st.integers(1, 36 * 3600).map(lambda seconds: timedelta(seconds=seconds))
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(timezone.utc))  # noqa: DTZ001


def made(life: timedelta | None, **change: str | None) -> SessionCredentials:
    """Make credentials issued at NOW; `life` None means that nothing is known of their end."""
    values = {"access_key_id": "ASIDTEST", "secret_access_key": "s3cret", "session_token": "t0ken", **change}
    expiration = None if life is None else NOW + life
    return SessionCredentials(**values, expiration=expiration, issued=NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("life", "after"),
    [
        (12 * 60, 12 * 60 - 15),  # capped at 15 minutes
        (61, 61 - 15),  # a quarter would be 15:15
        (60, 45),  # a quarter is exactly the cap
        (40, 30),  # a quarter
        (15, 11.25),  # AWS's shortest session: botocore's fixed 15 minutes would renew it at once
        (8, 6),  # a quarter is exactly the floor
        (6, 4),  # a quarter would be 90 s: the floor of 2 minutes
        (4, 2),  # floor and half meet
        (3, 1.5),  # the floor would be before half the life
        (1, 0.5),
        (0, 0),
    ],
)
def test_renewal_starts_where_the_rule_says(life: float, after: float) -> None:
    """The lead is a quarter of the life, at most 15 and at least 2 minutes, and never more than half the life."""
    assert refresh_at(NOW, NOW + life * MINUTE) == NOW + after * MINUTE


@given(issued=MOMENTS, life=LIVES)
def test_renewal_is_within_its_bounds_for_every_life(issued: datetime, life: timedelta) -> None:
    """Renewal never starts before half the life nor earlier than 15 minutes or a quarter before the end."""
    expiration = issued + life
    moment = refresh_at(issued, expiration)
    lead = expiration - moment
    assert issued + life / 2 <= moment < expiration
    assert lead <= 15 * MINUTE
    assert lead <= max(life / 4, 2 * MINUTE)


@given(issued=MOMENTS, life=LIVES)
def test_renewal_leaves_two_minutes_wherever_half_the_life_allows_it(issued: datetime, life: timedelta) -> None:
    """There are at least 2 minutes to renew in, or half the life where that is shorter."""
    assert issued + life - refresh_at(issued, issued + life) >= min(2 * MINUTE, life / 2)


@given(first=LIVES, second=LIVES)
def test_a_longer_life_is_never_renewed_earlier(first: timedelta, second: timedelta) -> None:
    """The rule has no step back: of two sessions issued together, the longer one is renewed no earlier."""
    shorter, longer = sorted((first, second))
    assert refresh_at(NOW, NOW + shorter) <= refresh_at(NOW, NOW + longer)


def test_a_life_that_ended_before_it_began_is_due_at_once() -> None:
    """A clock that stands ahead of STS's makes credentials due, and raises nothing."""
    assert refresh_at(NOW, NOW - MINUTE) == NOW
    assert not made(-MINUTE).is_fresh(NOW)
    assert not made(-MINUTE).is_usable(NOW)
    assert not made(-MINUTE).is_fresh(NOW - MINUTE / 2)


@pytest.mark.parametrize(("life", "margin"), [(3600, 20), (200, 20), (199, 19.9), (60, 6), (10, 1), (0, 0), (-5, 0)])
def test_the_margin_is_twenty_seconds_but_never_more_than_a_tenth(life: float, margin: float) -> None:
    """Credentials count as ended 20 s before they are, or a tenth of a short life."""
    assert made(timedelta(seconds=life)).margin == timedelta(seconds=margin)


def test_credentials_of_unknown_end_are_usable_and_fresh_for_ever() -> None:
    """What has no expiration has no margin and is never due."""
    unending = made(None)
    assert unending.margin == timedelta(0)
    assert unending.is_usable(NOW + timedelta(days=9999))
    assert unending.is_fresh(NOW + timedelta(days=9999))


def test_usable_ends_exactly_at_the_margin() -> None:
    """The last usable moment is just before the margin begins."""
    hour = made(60 * MINUTE)
    end = NOW + 60 * MINUTE - timedelta(seconds=20)
    assert hour.is_usable(end - TICK)
    assert not hour.is_usable(end)


def test_fresh_ends_exactly_at_the_renewal() -> None:
    """The last fresh moment is just before renewal starts; usable they stay."""
    hour = made(60 * MINUTE)
    assert hour.is_fresh(NOW + 45 * MINUTE - TICK)
    assert not hour.is_fresh(NOW + 45 * MINUTE)
    assert hour.is_usable(NOW + 45 * MINUTE)


@given(life=LIVES, age=st.integers(-60, 40 * 3600).map(lambda seconds: timedelta(seconds=seconds)))
def test_fresh_implies_usable_implies_not_ended(life: timedelta, age: timedelta) -> None:
    """Nothing that has ended is usable, and nothing unusable is fresh."""
    session, now = made(life), NOW + age
    assert session.is_usable(now) or not session.is_fresh(now)
    assert now < NOW + life or not session.is_usable(now)


def test_a_repr_shows_neither_the_secret_nor_the_token() -> None:
    """Tracebacks and logs that print credentials show the key id only."""
    text = repr(made(MINUTE)) + str(made(MINUTE)) + f"{made(MINUTE)}"
    assert "ASIDTEST" in text
    assert "s3cret" not in text
    assert "t0ken" not in text


@pytest.mark.parametrize("token", [None, ""])
def test_keys_without_a_token_are_long_term(token: str | None) -> None:
    """An absent and an empty token both mean an IAM user's own key."""
    assert made(None, session_token=token).is_long_term
    assert not made(None).is_long_term


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("access_key_id", "A"),
        ("access_key_id", "a_Z9" * 32),
        ("secret_access_key", string.ascii_letters + string.digits + string.punctuation),
        ("session_token", "x" * 16384),
        ("session_token", None),
        ("session_token", ""),
    ],
)
def test_values_that_fit_one_line_are_well_formed(name: str, value: str | None) -> None:
    """Every printable ASCII character is taken, up to 16 KiB."""
    assert made(None, **{name: value}).is_well_formed()


@pytest.mark.parametrize("name", ["access_key_id", "secret_access_key", "session_token"])
@pytest.mark.parametrize("hurt", ["a b", "a\tb", "a\n", "a\r", "\na", "a\0b", "a\x1bb", "a\x7f", "aé", "a٣", "a\u2028"])
def test_values_that_could_break_a_line_are_not_well_formed(name: str, hurt: str) -> None:
    """No space, control character or non-ASCII character passes in any value, not even a final line break."""
    assert not made(None, **{name: hurt}).is_well_formed()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("access_key_id", ""),
        ("access_key_id", "A" * 129),
        ("access_key_id", "AKID-1"),
        ("access_key_id", "AKID$1"),
        ("secret_access_key", ""),
        ("secret_access_key", "x" * 16385),
        ("session_token", "x" * 16385),
    ],
)
def test_values_of_a_wrong_size_or_kind_are_not_well_formed(name: str, value: str) -> None:
    """Empty and oversized values are refused, and a key id is letters, digits and underscores."""
    assert not made(None, **{name: value}).is_well_formed()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0, "0s"),
        (0.9, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (89, "1m"),
        (90, "2m"),
        (3569, "59m"),
        (3570, "1h00m"),
        (3599, "1h00m"),
        (39929, "11h05m"),
        (39930, "11h06m"),
        (129600, "36h00m"),
    ],
)
def test_remaining_time_is_said_as_people_do(seconds: float, text: str) -> None:
    """Hours and minutes to the nearest minute, seconds only below one minute, and never below zero."""
    assert time_left(NOW + timedelta(seconds=seconds), NOW) == text


def test_our_times_are_aware_and_in_utc() -> None:
    """Both ways to get a time give one that can be compared with STS's."""
    assert utc_now().tzinfo is timezone.utc
    assert from_epoch(1772366400) == NOW
    assert from_epoch(0).tzinfo is timezone.utc
