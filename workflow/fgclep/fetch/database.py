"""Files of a database from a URL or from a folder of the same layout, checked against their checksums."""

import logging
import netrc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import httpx

from fgclep.config.address import check_address
from fgclep.config.transfer import TransferSection
from fgclep.errors import UserError
from fgclep.fetch.http import FileUnavailable, PartialFile, fetch
from fgclep.fetch.lists import safe_path, sha256_of

LOG = logging.getLogger(__name__)
__all__ = ["Database", "FileUnavailable", "FolderDatabase", "WebDatabase", "is_url", "open_database"]


class Database(Protocol):
    """Where the files of one database come from."""

    def get(self, path: str, scratch: Path, sha256: str | None = None) -> Path:
        """Return the place of a file whose checksum is right; it lies below ``scratch`` if it had to be fetched.

        Raises ``FileUnavailable`` if the file is missing or stays wrong, and ``UserError`` if the source as a whole
        does not answer.
        """


class FolderDatabase:
    """A database in a folder: files are read where they are."""

    def __init__(self, folder: Path):
        self.folder = folder

    def get(self, path: str, scratch: Path, sha256: str | None = None) -> Path:
        """See ``Database.get``."""
        place = self.folder / safe_path(path)
        if not place.is_file():
            raise FileUnavailable(f"{place} does not exist")
        if sha256 is not None and (found := sha256_of(place)) != sha256:
            raise FileUnavailable(f"{place}: wrong checksum, {found[:12]}... instead of {sha256[:12]}...")
        return place


class WebDatabase:
    """A database behind a URL.

    Parameters
    ----------
    address
        URL of the database's folder.
    client
        The connection pool.
    retries, pause
        See ``fgclep.fetch.http.fetch``.
    """

    def __init__(self, address: str, client: httpx.Client, retries: int, pause: float = 1.0):
        self.address = address.rstrip("/")
        self.client = client
        self.retries = retries
        self.pause = pause

    def get(self, path: str, scratch: Path, sha256: str | None = None) -> Path:
        """See ``Database.get``.

        What is right in ``scratch`` already is kept, and a file that broke off is continued. A wrong checksum is
        fetched once more from the beginning. Only a file that is right has its name.
        """
        place = scratch / safe_path(path)
        if sha256 is not None and place.is_file() and sha256_of(place) == sha256:
            return place
        place.parent.mkdir(parents=True, exist_ok=True)
        url = f"{self.address}/{quote(path)}"
        partial = PartialFile(place.with_name(f".{place.name}.part"), checked=sha256 is not None)
        if partial.sha256 != sha256:
            fetch(self.client, url, partial, self.retries, self.pause)
        if sha256 is not None and partial.sha256 != sha256:
            LOG.warning("%s: wrong checksum, fetched again", url)
            partial.clear()
            fetch(self.client, url, partial, self.retries, self.pause)
            if (found := partial.sha256) != sha256:
                partial.clear()
                raise FileUnavailable(
                    f"{url}: wrong checksum, fetched twice: {found[:12]}... instead of {sha256[:12]}..."
                )
        partial.move(place)
        return place


def is_url(base: str) -> bool:
    """Whether a base is fetched over the network."""
    return base.startswith(("http://", "https://"))


@contextmanager
def open_database(key: str, base: str, slug: str, version: str, transfer: TransferSection) -> Iterator[Database]:
    """Open a database for reading.

    Parameters
    ----------
    key
        Key of the source in the config, for messages.
    base
        Folder or URL below which databases lie as ``<slug>/<version>/``.
    slug, version
        As in PhysioNet's addresses; an empty slug stands for the folder ``base`` itself.
    transfer
        The config's ``data.transfer`` section.

    Raises
    ------
    UserError
        If there is no such folder.
    """
    if is_url(base):
        try:
            check_address(base)
        except ValueError as error:
            raise UserError(f"{key}: {error}") from None
        limits = httpx.Limits(max_connections=transfer.parallel)
        # identity: what is counted and hashed is what is stored
        headers = {"accept-encoding": "identity", "user-agent": "fgclep"}
        seconds, auth = transfer.timeout_seconds, _passwords()
        with httpx.Client(timeout=seconds, limits=limits, headers=headers, auth=auth) as client:
            yield WebDatabase(f"{base.rstrip('/')}/{slug}/{version}", client, transfer.retries)
        return
    if not slug:
        yield FolderDatabase(Path(base))
        return
    folder = Path(base) / slug / version
    if not folder.is_dir():
        raise UserError(
            f"the folder {folder} does not exist. Give the folder or URL that holds {slug}/{version}:\n\n"
            f"    data:\n      sources:\n        {key}:\n          base: https://physionet.org/files\n\n"
            "or set data.base for all sources"
        )
    yield FolderDatabase(folder)


def _passwords() -> httpx.Auth | None:
    """Return the user names and passwords of ``~/.netrc``, or of the file in ``NETRC``, each for its own host."""
    file = Path(os.environ.get("NETRC") or "~/.netrc").expanduser()
    try:
        return httpx.NetRCAuth(str(file)) if file.is_file() else None
    except (netrc.NetrcParseError, OSError) as error:
        raise UserError(f"{file} cannot be read: {error}") from None
