"""What the options of several commands have in common: how they are described, and what their values mean."""

from __future__ import annotations

import argparse
from datetime import timedelta

from awsdirenv.config.settings import least_life, role_duration
from awsdirenv.errors import SettingError
from awsdirenv.refresh.mfa_codes import is_code

_DEFAULT = (
    "default: this directory's profile, else AWS_PROFILE of the nearest .env, then of the environment, else `default`"
)


def add_profile(sub: argparse.ArgumentParser, text: str = _DEFAULT) -> None:
    """Take the profile, which may be left out."""
    sub.add_argument("profile", nargs="?", metavar="PROFILE", help=text)


def add_duration(sub: argparse.ArgumentParser) -> None:
    """Take how long the credentials are to live."""
    sub.add_argument(
        "--duration", metavar="TIME", type=duration, help="how long the credentials are to live: 15m to 12h"
    )


def add_no_session(sub: argparse.ArgumentParser) -> None:
    """Take the wish for long-term keys."""
    sub.add_argument("--no-session", action="store_true", help="the profile's own long-term keys, which are not kept")


def add_json(sub: argparse.ArgumentParser) -> None:
    """Take the wish for JSON."""
    sub.add_argument("--json", action="store_true", help="print JSON, for programs")


def add_min_life(sub: argparse.ArgumentParser) -> None:
    """Take how much of their life is to be left."""
    sub.add_argument("--min-life", metavar="TIME", type=minimum_life, help="renew them if less than that is left")


def duration(text: str) -> int:
    """Read a life, in seconds. Raises ArgumentTypeError."""
    try:
        return role_duration(text)
    except SettingError as error:
        raise argparse.ArgumentTypeError(f"{error.message}; {error.hint}") from None


def account(text: str) -> str:
    """Read the id of an account. Raises ArgumentTypeError."""
    if not (len(text) == 12 and text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError("an account id is twelve digits")
    return text


def minimum_life(text: str) -> timedelta:
    """Read what is to be left of a life. Raises ArgumentTypeError."""
    try:
        return least_life(text)
    except SettingError as error:
        raise argparse.ArgumentTypeError(f"{error.message}; {error.hint}") from None


def token_code(text: str) -> str:
    """Read an MFA code. Raises ArgumentTypeError."""
    if not is_code(text):
        raise argparse.ArgumentTypeError("an MFA code is six digits")
    return text
