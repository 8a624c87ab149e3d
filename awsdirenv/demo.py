"""Placeholder."""


def run(*, interactive: bool) -> int:
    """Not there yet."""
    return int(interactive)
