"""Short-lived AWS credentials per directory, through direnv."""

from awsdirenv.version import __version__

__all__ = ["__version__"]
