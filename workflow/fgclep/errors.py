"""Errors that the user can mend.

No digest counts this module (``fgclep.digest``): what is written here must be words, and change no output.
"""

import errno
import os
import re
import shutil
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT}


class UserError(Exception):
    """Something the user can mend: the message names the place and the way out, and is shown without a traceback."""


def damaged(path: str | Path, why: object) -> UserError:
    """Return the error that says what to do about an output that was cut or damaged after it was made."""
    return UserError(
        f"{path} is truncated or damaged ({why}). Delete it and run snakemake again: it is made anew, and what depends "
        "on it"
    )


@contextmanager
def full_disk_explained(folder: Path, what: str, needed: Callable[[], int | None]) -> Iterator[None]:
    """Turn a full disk into a ``UserError`` that says how much is needed, how much is free, and where.

    Parameters
    ----------
    folder
        Where the files are written.
    what
        What is written, for the message.
    needed
        Asked when the disk is full: bytes still needed; ``None`` if unknown.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        bytes_needed = needed()
        more = "more than that" if bytes_needed is None else f"about {bytes_needed / 1e6:,.1f} MB more"
        raise UserError(_full_disk(folder, error, f", and {what} needs {more}")) from error


def _full_disk(folder: Path, error: OSError, needs: str = "") -> str:
    free, reason = shutil.disk_usage(folder).free / 1e6, os.strerror(error.errno or 0)
    return (
        f"the disk of {folder.resolve()} is full ({reason}): {free:,.1f} MB are free{needs}. Make room there and run "
        "snakemake again: it continues where it stopped"
    )


def disk_error(error: Exception) -> str | None:
    """What to do about a disk that is full or may not be written; ``None`` for other errors."""
    if not isinstance(error, OSError) or error.errno not in {*_FULL, errno.EROFS, errno.EACCES} or not error.filename:
        return None
    path = Path(error.filename)
    if error.errno in _FULL:
        folder = next(place for place in path.absolute().parents if place.exists())
        return f"{path} cannot be written: {_full_disk(folder, error)}"
    way_out = (
        "Its file system is mounted read-only: mount it for writing"
        if error.errno == errno.EROFS
        else "Give yourself the right to it"
    )
    return (
        f"{path}: {os.strerror(error.errno)}. {way_out}, or put the folder where you may write, and run snakemake again"
    )


def certificate_error(error: BaseException | None, server: str) -> str | None:
    """What to do about a server whose certificate is not trusted; ``None`` for other errors.

    Parameters
    ----------
    error
        As an HTTP client raised it: the reason is among its causes.
    server
        Its address, for the message.
    """
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"the certificate of {server} is not trusted: {error.verify_message}. If it is right, for example of a "
                "certificate authority of your own, name a file that holds the certificates to trust, in PEM\n\n"
                "    export SSL_CERT_FILE=/path/to/ca.pem"
            )
        error = error.__cause__ or error.__context__
    return None


def without_credentials(text: str) -> str:
    """Return a text without what may be a user name, password or key in its addresses.

    >>> without_credentials("https://me:secret@example.org/files?key=1 is no folder")
    'https://***@example.org/files?*** is no folder'
    """
    return re.sub(r"(//[^\s'\"?]*\?)[^\s'\"]+", r"\1***", re.sub(r"//[^\s'\"]*@", "//***@", text))
