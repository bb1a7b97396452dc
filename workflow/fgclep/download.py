"""Files of a database from a URL or from a folder of the same layout, checked against their checksums."""

import hashlib
import logging
import os
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import httpx

from fgclep.listing import safe_path
from fgclep.stage import UserError

LOG = logging.getLogger(__name__)
_BLOCK = 1 << 20
_MAX_REDIRECTS = 5
_MAX_PAUSE = 60.0  # seconds


class FileUnavailable(Exception):
    """One file is missing at its source, or is not what its checksum says; the message names it."""


class Database(Protocol):
    """Where the files of one database come from."""

    def get(self, path: str, scratch: Path, sha256: str | None = None) -> Path:
        """Return the place of a file whose checksum is right; it lies below ``scratch`` if it had to be fetched.

        Raises ``FileUnavailable`` if the file is missing or stays wrong, and ``UserError`` if the source as a whole
        does not answer.
        """


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
    retries
        Repetitions of a request that failed for a passing reason.
    pause
        Seconds before the first repetition; doubles each time, unless the server names a time.
    """

    def __init__(self, address: str, client: httpx.Client, retries: int, pause: float = 1.0):
        self.address = address.rstrip("/")
        self.client = client
        self.retries = retries
        self.pause = pause

    def get(self, path: str, scratch: Path, sha256: str | None = None) -> Path:
        """See ``Database.get``. A wrong checksum is fetched once more; what is right in ``scratch`` already is kept."""
        place = scratch / safe_path(path)
        if sha256 is not None and place.is_file() and sha256_of(place) == sha256:
            return place
        place.parent.mkdir(parents=True, exist_ok=True)
        url = f"{self.address}/{quote(path)}"
        found = self._fetch(url, place)
        if sha256 is None or found == sha256:
            return place
        LOG.warning("%s: wrong checksum, fetched again", url)
        found = self._fetch(url, place)
        if found == sha256:
            return place
        place.unlink()
        raise FileUnavailable(f"{url}: wrong checksum, fetched twice: {found[:12]}... instead of {sha256[:12]}...")

    def _fetch(self, url: str, place: Path) -> str:
        reason = ""
        for attempt in range(self.retries + 1):
            wait = None
            try:
                with self._open(url) as response:
                    if response.status_code in {404, 410}:
                        raise FileUnavailable(f"{url} does not exist")
                    if response.status_code == 200:
                        return _save(response, place)
                    if response.status_code != 429 and response.status_code < 500:
                        raise UserError(
                            f"{url}: the server refuses with status {response.status_code}; is data.base right?"
                        )
                    reason = f"status {response.status_code}"
                    wait = _retry_after(response)
            except httpx.TransportError as error:
                reason = f"{type(error).__name__}: {error}"
            if attempt < self.retries:
                # the spread keeps parallel requests from coming back all at once
                pause = min(_MAX_PAUSE, self.pause * 2**attempt if wait is None else wait) * random.uniform(1, 1.25)
                LOG.info("%s: %s; again in %.1f s", url, reason, pause)
                time.sleep(pause)
        raise UserError(
            f"{url}: no answer after {self.retries + 1} attempts ({reason}). Check the address (data.base or "
            "data.sources.<source>.base) and the connection, and run snakemake again: it continues where it stopped"
        )

    @contextmanager
    def _open(self, url: str) -> Iterator[httpx.Response]:
        """Open a response, following redirects within the same host only."""
        target = httpx.URL(url)
        for _ in range(_MAX_REDIRECTS):
            with self.client.stream("GET", target) as response:
                if not response.has_redirect_location:
                    yield response
                    return
                following = target.join(response.headers["location"])
            if following.host != target.host or following.scheme not in {"http", "https"}:
                raise UserError(f"{url} redirects to another host, {following}; if you trust it, make it data.base")
            target = following
        raise UserError(f"{url} redirects more than {_MAX_REDIRECTS} times; is data.base right?")


def _save(response: httpx.Response, place: Path) -> str:
    digest = hashlib.sha256()
    partial = place.with_name(f".{place.name}.part")
    with partial.open("wb") as file:
        for block in response.iter_bytes(_BLOCK):
            digest.update(block)
            file.write(block)
    os.replace(partial, place)
    return digest.hexdigest()


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdigit() else None


def is_url(base: str) -> bool:
    """Whether a base is fetched over the network."""
    return base.startswith(("http://", "https://"))


@contextmanager
def open_database(key: str, base: str, slug: str, version: str, transfer: Mapping[str, float]) -> Iterator[Database]:
    """Open a database for reading.

    Parameters
    ----------
    key
        Key of the source in the config, for messages.
    base
        Folder or URL below which databases lie as ``<slug>/<version>/``.
    slug, version
        As in PhysioNet's addresses.
    transfer
        The config's ``data.transfer`` section: ``parallel``, ``timeout_seconds``, ``retries``.

    Raises
    ------
    UserError
        If there is no such folder.
    """
    if is_url(base):
        limits = httpx.Limits(max_connections=int(transfer["parallel"]))
        # identity: what is counted and hashed is what is stored
        headers = {"accept-encoding": "identity", "user-agent": "fgclep"}
        with httpx.Client(timeout=transfer["timeout_seconds"], limits=limits, headers=headers) as client:
            yield WebDatabase(f"{base.rstrip('/')}/{slug}/{version}", client, int(transfer["retries"]))
        return
    folder = Path(base) / slug / version
    if not folder.is_dir():
        raise UserError(
            f"the folder {folder} does not exist. Give the folder or URL that holds {slug}/{version}:\n\n"
            f"    data:\n      sources:\n        {key}:\n          base: https://physionet.org/files\n\n"
            "or set data.base for all sources"
        )
    yield FolderDatabase(folder)
