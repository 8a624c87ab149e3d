"""Placeholder."""

import argparse


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """Not there yet."""
    return f"{shell}{parser.prog}"
