"""Errors that the user can mend."""

from pathlib import Path


class UserError(Exception):
    """Something the user can mend: the message names the place and the way out, and is shown without a traceback."""


def damaged(path: str | Path, why: object) -> UserError:
    """Return the error that says what to do about an output that was cut or damaged after it was made."""
    return UserError(
        f"{path} is truncated or damaged ({why}). Delete it and run snakemake again: it is made anew, and what depends "
        "on it"
    )
