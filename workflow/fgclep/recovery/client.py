"""The HTTP client of a language server: a statement goes to the server of ``recovery.host``, and to nobody else.

It follows no redirect, sends no header that the environment has put into a library, reads no reply without end, and
says what stood in the way: the libraries of the servers do none of it.
"""

import os
import ssl
import zlib
from collections.abc import Iterator

import httpx

from fgclep.config.recovery import RecoverySection
from fgclep.errors import UserError, certificate_error, without_credentials
from fgclep.recovery.server import NoReply

API_KEY = "FGCLEP_API_KEY"  # not OPENAI_API_KEY or OLLAMA_API_KEY: these must not go to whatever host the config names
LONGEST_REPLY = 4_000_000  # bytes, unpacked: some thousand times the longest answer
_SHOWN = 500  # characters of a server's words
_SENT = {"host", "accept", "content-type", "content-length", "transfer-encoding", "connection", "user-agent"}
_TRANSIENT = {-1, 408, 425, 429}  # and all from 500; -1: Ollama's client without a status


class LanguageClient:
    """What both kinds of servers are asked through.

    Parameters
    ----------
    settings
        The config's ``recovery`` section. A key comes from the environment variable ``FGCLEP_API_KEY``.

    Raises
    ------
    UserError
        If the key holds what no header can hold, or ``SSL_CERT_FILE`` names no certificates.
    """

    def __init__(self, settings: RecoverySection):
        self._host = settings.host
        self._key = os.environ.get(API_KEY, "").strip()
        if not (self._key.isascii() and (self._key.isprintable() and " " not in self._key)):
            raise UserError(f"the key in {API_KEY} holds a space or a character that is no ASCII; copy it again")
        self.timeout = httpx.Timeout(connect=5.0, read=settings.timeout_seconds, write=30.0, pool=None)
        self._trusted = _trusted() if settings.host.startswith("https:") else httpx.create_ssl_context(trust_env=False)

    def transport(self) -> httpx.BaseTransport:
        """Return a new connection, for a client that takes one."""
        return _Transport(self._host, self._key, self._trusted, self.timeout.read or 0.0)

    def told(self, words: object) -> str:
        """Return a server's words for a message: without the key, and not endless."""
        text = str(words)[: 10 * _SHOWN]
        return without_credentials(text.replace(self._key, "***") if self._key else text)[:_SHOWN]

    def refusal(self, status: int, words: object, wait: float | None = None) -> NoReply | UserError:
        """Return the error for a reply with a status that is no success."""
        message = self.told(words)
        if status in _TRANSIENT or status >= 500:
            return NoReply(message, wait, loading=status == 503)
        if status in {401, 403}:
            return UserError(
                f"the server at {self._host} wants another key: {message}\nGive it in the environment, never in a file "
                f"of the project:\n\n    export {API_KEY}=..."
            )
        return UserError(f"the server at {self._host} refuses: {message}")


def _trusted() -> ssl.SSLContext:
    """Return the certificates of ``SSL_CERT_FILE`` or ``SSL_CERT_DIR``, else those that come with the HTTP client."""
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # an SSLError is one, too
        raise UserError(
            f"SSL_CERT_FILE or SSL_CERT_DIR in the environment does not lead to certificates in PEM: {error}"
        ) from None


class _Transport(httpx.HTTPTransport):
    def __init__(self, host: str, key: str, trusted: ssl.SSLContext, seconds: float):
        super().__init__(verify=trusted, trust_env=False)
        self._seconds = seconds
        self._host = host
        self._key = key

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and return the reply as a whole.

        Raises
        ------
        UserError
            If the server redirects, or its certificate is not trusted.
        NoReply
            If none comes, or one that cannot be read.
        """
        sent = [(name, value) for name, value in request.headers.multi_items() if name.lower() in _SENT]
        sent.append(("accept-encoding", "identity"))
        if self._key:
            sent.append(("authorization", f"Bearer {self._key}"))
        request.headers = httpx.Headers(sent)
        try:
            response = super().handle_request(request)
            try:
                self._refuse_redirect(request, response)
                body = _body(response)
            finally:
                response.close()
        except httpx.TransportError as error:
            if problem := certificate_error(error, self._host):
                raise UserError(problem) from None
            limit = (
                f" after recovery.timeout_seconds: {self._seconds:g}" if isinstance(error, httpx.ReadTimeout) else ""
            )
            raise NoReply(f"{type(error).__name__}{limit}: {error}") from None
        told = {"content-encoding", "content-length", "transfer-encoding"}
        headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in told]
        return httpx.Response(response.status_code, headers=headers, content=body)

    def _refuse_redirect(self, request: httpx.Request, response: httpx.Response) -> None:
        if response.has_redirect_location:
            place = without_credentials(response.headers["location"][:200])
            raise UserError(
                f"the server at {self._host} redirects {request.url.path} to {place} (status {response.status_code}). "
                "Nothing was sent there: reports go to no server but that of the config. If you trust it, write its "
                "address in config.yaml\n\n    recovery:\n      host: ADDRESS"
            )


def _body(response: httpx.Response) -> bytes:
    """Return the body, unpacked.

    Raises ``NoReply`` if it is longer than ``LONGEST_REPLY``, or packed as it was not asked for and cannot be read.
    """
    read = b"".join(_limited(response.stream))
    packing = response.headers.get("content-encoding", "").strip().lower()
    if packing in {"", "identity"}:
        return read
    if packing not in {"gzip", "x-gzip", "deflate"}:
        raise NoReply(f"the reply is packed as {packing[:50]!r}, which was not asked for")
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, by the first bytes
    try:
        unpacked = unpacking.decompress(read, LONGEST_REPLY + 1)
    except zlib.error as error:
        raise NoReply(f"the reply cannot be unpacked: {error}") from None
    if len(unpacked) > LONGEST_REPLY:
        raise _endless()
    if not unpacking.eof:
        raise NoReply("the reply cannot be unpacked: it is incomplete")
    return unpacked


def _limited(blocks: httpx.SyncByteStream | httpx.AsyncByteStream) -> Iterator[bytes]:
    size = 0
    for block in blocks:  # type: ignore[union-attr] # a transport that is not asynchronous
        size += len(block)
        if size > LONGEST_REPLY:
            raise _endless()
        yield block


def _endless() -> NoReply:
    return NoReply(f"the reply is longer than {LONGEST_REPLY // 1_000_000} MB")
