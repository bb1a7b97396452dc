"""Errors that the user can mend.

No digest counts this module (``fgclep.digest``): what is written here must be words, and change no output.
"""

import errno
import logging
import os
import re
import shutil
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LOG = logging.getLogger(__name__)
_FULL = {errno.ENOSPC, errno.EDQUOT}
_OF_THE_MACHINE = {*_FULL, errno.EROFS, errno.ENOMEM, errno.EMFILE, errno.ENFILE}


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


def of_the_machine(error: BaseException) -> bool:
    """Whether memory, the disk or the files that a process may open are exhausted, which is no record's trouble."""
    if isinstance(error, OSError):
        return error.errno in _OF_THE_MACHINE
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"  # that of torch


def reason_of(error: Exception, name: str) -> str:
    """Why one record cannot be used; every loop over records asks here, so that the others go on.

    What our own checks raise is a ``ValueError`` with its reason, and a file that cannot be read an ``OSError``.
    Anything else is a fault of the program that this record has brought to light: the reason says so, and the log has
    the traceback.

    Parameters
    ----------
    error
        What was raised while the record was in work.
    name
        Of the record, for the log.

    Raises
    ------
    Exception
        The error itself if it is not of one record: what the user can mend, memory, disk or files of the process.
    """
    if isinstance(error, UserError) or of_the_machine(error):
        raise error
    if isinstance(error, ValueError) and _raised_here(error):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename or 'it'} cannot be read: {error.strerror or error}"
    LOG.error("%s: a fault of the program; this record is left out, and the others go on", name, exc_info=error)
    return f"a fault of the program ({type(error).__name__}: {error}); please report it with the log's traceback"


def _raised_here(error: Exception) -> bool:
    """Whether the innermost code that raised is this package's, and no library's."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place is None or str(place.tb_frame.f_globals.get("__name__", "")).startswith(("fgclep.", "__main__"))
