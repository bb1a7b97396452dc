"""A limit on the whole of an HTTP request: the clients' own timeout only limits the silence between two bytes."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import httpx2


class _LimitedStream(httpx.SyncByteStream, httpx2.SyncByteStream):
    def __init__(self, stream: Any, until: float, seconds: float):
        self._stream = stream
        self._until = until
        self._seconds = seconds

    def __iter__(self) -> Iterator[bytes]:
        for part in self._stream:
            if time.monotonic() > self._until:
                raise TimeoutError(f"the reply is not complete after {self._seconds:g} s")
            yield part

    def close(self) -> None:
        self._stream.close()


def time_limit(seconds: float) -> dict[str, list[Callable[[Any], None]]]:
    """Return event hooks for a client of httpx (Ollama) or httpx2 (OpenAI) that end a reply that trickles in.

    With the client's timeout at the same value, no request takes longer than twice ``seconds``. A reply that takes
    longer raises ``TimeoutError``.
    """

    def begin(request: Any) -> None:
        request.extensions["begun"] = time.monotonic()

    def limit(response: Any) -> None:
        response.stream = _LimitedStream(response.stream, response.request.extensions["begun"] + seconds, seconds)

    return {"request": [begin], "response": [limit]}
