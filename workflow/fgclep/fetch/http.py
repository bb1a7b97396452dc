"""One file over HTTP: continued where it broke off, asked for again where the server failed."""

import hashlib
import logging
import os
import random
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type

from fgclep.errors import UserError, certificate_error, without_credentials

LOG = logging.getLogger(__name__)
_MAX_REDIRECTS = 5
_MAX_PAUSE = 60.0  # seconds between repetitions
_MAX_WAIT = 600.0  # seconds, where the server names a time
_HASHED_AT_ONCE = 1 << 20  # bytes
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class FileUnavailable(Exception):
    """One file is missing at its source, or is not what its checksum says; the message names it."""


class PartialFile:
    """What has arrived of a file, with its digest; every block is on its way to the disk before the next is asked for.

    Parameters
    ----------
    path
        Where it is collected. What lies there already is kept and continued.
    checked
        Whether a checksum is known. Without one, only blocks of one version of the file may be joined, which takes a
        server that names the version.
    """

    def __init__(self, path: Path, checked: bool):
        self.path = path
        self._checked = checked
        self._version: str | None = None
        self._digest = hashlib.sha256()
        self.size = 0
        if checked and path.exists():
            with path.open("rb") as file:
                while block := file.read(_HASHED_AT_ONCE):
                    self._count(block)

    @property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of what has arrived."""
        return self._digest.hexdigest()

    def request_headers(self) -> dict[str, str]:
        """Headers that ask for what is missing, and for all of it if the file has become another one."""
        if not self._checked and self._version is None:
            self.clear()
        if not self.size:
            return {}
        same = {"If-Range": self._version} if self._version else {}
        return {"Range": f"bytes={self.size}-", **same}

    def receive(self, response: httpx.Response) -> str:
        """Append the body of a response with status 200 or 206; return why it is not all, or an empty text."""
        total = ""
        if response.status_code == 206:
            place = _RANGE.fullmatch(response.headers.get("content-range", ""))
            if place is None or int(place[1]) != self.size:
                self.clear()
                return "the answer is another part of the file than asked for"
            total = place[2]
        else:
            self.clear()
        self._version = self._version or _version(response)
        with self.path.open("ab") as file:
            # as they come: what is held back to fill a block is lost with the connection
            for block in response.iter_raw():
                file.write(block)
                file.flush()
                self._count(block)
        return f"{self.size} of {total} bytes came" if total.isdigit() and self.size < int(total) else ""

    def clear(self) -> None:
        """Begin again."""
        self.path.unlink(missing_ok=True)
        self._version = None
        self._digest = hashlib.sha256()
        self.size = 0

    def move(self, place: Path) -> None:
        """Give the complete file its name."""
        self.path.touch()  # an empty file
        os.replace(self.path, place)

    def _count(self, block: bytes) -> None:
        self._digest.update(block)
        self.size += len(block)


def fetch(client: httpx.Client, url: str, partial: PartialFile, retries: int, pause: float) -> None:
    """Complete a file.

    Parameters
    ----------
    client
        The connection pool.
    url
        Where the file is.
    partial
        What there is of it.
    retries
        Repetitions, one after the other, that brought nothing new before this gives up; a server that delivers a bit
        more each time is asked on.
    pause
        Seconds before the first repetition; doubles each time, unless the server names a time.

    Raises
    ------
    FileUnavailable
        If the server does not have the file.
    UserError
        If the server refuses, gives up answering, or leads elsewhere.
    """
    in_vain, most = 0, partial.size  # attempts, one after the other, that brought nothing new

    def count(_: RetryCallState) -> None:
        nonlocal in_vain, most
        in_vain = 0 if partial.size > most else in_vain + 1
        most = max(most, partial.size)

    def wait(state: RetryCallState) -> float:
        wanted = _error(state).wait
        longest = min(_MAX_PAUSE, pause * 2 ** max(in_vain - 1, 0)) if wanted is None else min(_MAX_WAIT, wanted)
        return longest * random.uniform(1, 1.25)  # nosec B311 # keeps parallel requests from coming back all at once

    retrying = Retrying(
        retry=retry_if_exception_type(_Incomplete),
        after=count,
        wait=wait,
        stop=lambda _: in_vain > retries,
        before_sleep=lambda state: LOG.info("%s: %s; again in %.1f s", url, _error(state), state.upcoming_sleep),
        sleep=time.sleep,
        reraise=True,
    )
    try:
        retrying(_attempt, client, url, partial)
    except _Incomplete as error:
        raise UserError(
            f"{url}: no answer after {in_vain} attempts ({error}). Check the address (data.base or "
            "data.sources.<source>.base) and the connection, and run snakemake again: it continues where it stopped"
        ) from None


class _Incomplete(Exception):
    """An attempt did not complete a file; another may, after ``wait`` seconds if the server says so."""

    def __init__(self, reason: str, wait: float | None = None):
        super().__init__(reason)
        self.wait = wait


def _error(state: RetryCallState) -> _Incomplete:
    error = state.outcome and state.outcome.exception()
    assert isinstance(error, _Incomplete), "no other is retried"
    return error


def _attempt(client: httpx.Client, url: str, partial: PartialFile) -> None:
    """Ask for what is missing of a file, once."""
    try:
        with _open(client, url, partial.request_headers()) as response:
            status = response.status_code
            if status in {200, 206}:
                if reason := partial.receive(response):
                    raise _Incomplete(reason)
            elif status in {404, 410}:
                raise FileUnavailable(f"{url} does not exist")
            elif status == 416:  # what is here is longer than the file
                partial.clear()
                raise _Incomplete("status 416")
            elif status in {408, 429} or status >= 500:
                raise _Incomplete(f"status {status}", _retry_after(response))
            elif status in {401, 403}:
                raise UserError(
                    f"{url}: the server refuses with status {status}. If it wants a user name and password, write them "
                    f"into ~/.netrc\n\n    machine {response.url.host} login NAME password PASSWORD"
                )
            else:
                raise UserError(f"{url}: the server refuses with status {status}; is data.base right?")
    except httpx.TransportError as error:
        if problem := certificate_error(error, url):
            raise UserError(problem) from None
        raise _Incomplete(f"{type(error).__name__}: {error}") from error


@contextmanager
def _open(client: httpx.Client, url: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
    """Open a response, following redirects within the same host only, and never from https to http."""
    target = httpx.URL(url)
    for _ in range(_MAX_REDIRECTS):
        with client.stream("GET", target, headers=headers) as response:
            if not response.has_redirect_location:
                yield response
                return
            following = target.join(response.headers["location"])
        shown = without_credentials(str(following))
        if following.host != target.host:
            raise UserError(f"{url} redirects to another host, {shown}; if you trust it, make it data.base")
        if following.scheme not in {"https", target.scheme}:
            raise UserError(f"{url} redirects from {target.scheme} to {shown}; if you trust it, make it data.base")
        target = following
    raise UserError(f"{url} redirects more than {_MAX_REDIRECTS} times; is data.base right?")


def _version(response: httpx.Response) -> str | None:
    """Return what tells this version of a file from others, in the forms that If-Range allows."""
    tag = response.headers.get("etag", "")
    return tag if tag.startswith('"') else response.headers.get("last-modified")


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds that the server asks to wait for, given as a number or as a date."""
    text = response.headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
