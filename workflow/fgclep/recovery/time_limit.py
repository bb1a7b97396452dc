"""A limit on the whole of an HTTP request: the clients' own timeout only limits the silence between two bytes."""

import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

CONNECTED = {"connection.connect_tcp.complete", "connection.start_tls.complete"}


class _Watch:
    """Follows a request through the events of the client's extension ``trace``, and shuts its socket at the limit."""

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._over = False

    def _end(self) -> None:
        self._over = True
        with suppress(OSError):  # closed already
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)

    def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        if event in CONNECTED:
            self._socket = info["return_value"].get_extra_info("socket")
            if self._timer.ident is None:
                self._timer.start()
        elif event.startswith("http11.response_closed."):
            self._timer.cancel()
        elif event.startswith("http11.receive_response_") and event.endswith(".failed") and self._over:
            raise TimeoutError(f"the reply is not complete after {self._seconds:g} s")


def time_limit(seconds: float) -> dict[str, list[Callable[[Any], None]]]:
    """Return event hooks for a client of httpx (Ollama) or httpx2 (OpenAI) that end a request which takes too long.

    Whatever trickles in, header or body, a request without a complete reply ``seconds`` after its connection was made
    raises ``TimeoutError``.
    """

    def begin(request: Any) -> None:
        request.headers["Connection"] = "close"  # else a request may take a connection whose socket is not known here
        request.extensions["trace"] = _Watch(seconds)

    return {"request": [begin]}
