"""Short-lived AWS credentials per directory, through direnv."""

__all__ = ["__version__"]
__version__ = "0.1.0"
