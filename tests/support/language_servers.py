"""A server with Ollama's and OpenAI's API that replies from a script, also as no server should."""

import json
import socket
import struct
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "llama3:8b"
DIGEST = "365c0bd3c000"

Action = Callable[[BaseHTTPRequestHandler], None]


class ScriptedServer:
    """Replies with the entries of ``script`` in order, the last one for ever; ``asked`` holds the requests.

    An entry is a function of the HTTP handler, or the content of an answer. ``before`` is called with each request.
    """

    def __init__(self):
        self.script: list[Action | str] = [answer("fibrillatory waves", "absent p waves")]
        self.asked: list[dict[str, Any]] = []
        self.models = [{"name": MODEL, "model": MODEL, "digest": DIGEST}]
        self.version = "0.12.6"
        self.says: bytes | None = None  # to every GET, in place of what it should say
        self.before: Callable[[dict[str, Any]], None] = lambda request: None
        self.headers: list[dict[str, str]] = []
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        self.over.set()
        self._http.shutdown()
        self._http.server_close()

    def next(self, request: dict[str, Any]) -> Action | str:
        with self._lock:
            self.asked.append(request)
            self.before(request)
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def statements(self, number: int = -1) -> dict[str, str]:
        """The statements of a request."""
        return statements_of(self.asked[number])

    def options(self) -> list[tuple[int, float]]:
        """Seed and temperature of each request."""
        given = [request.get("options", request) for request in self.asked]
        return [(options["seed"], options["temperature"]) for options in given]


def statements_of(request: dict[str, Any]) -> dict[str, str]:
    prompt = request["messages"][0]["content"]
    return json.loads(prompt.split("<statements>\n")[1].split("\n</statements>")[0])


def _handler(server: ScriptedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else 40 ms a reply

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            if server.says is not None:
                send(self, server.says)
                return
            replies = {
                "/api/tags": {"models": server.models},
                "/api/version": {"version": server.version},
                "/v1/models": {
                    "object": "list",
                    "data": [
                        {"id": m["model"], "object": "model", "created": id(m), "meta": m["digest"]}
                        for m in server.models
                    ],
                },
            }
            found = self.path in replies
            send_json(self, replies.get(self.path, {"error": "no such path"}), 200 if found else 404)

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.headers.append({name.lower(): value for name, value in self.headers.items()})
            entry = server.next(request)
            if callable(entry):
                entry(self)
            else:
                chat(entry)(self)

    Handler.server_over = server.over
    return Handler


# -- what an entry of a script may be ----------------------------------------------------------------------------------


def answer(*features: str, **others: list[str]) -> str:
    """Content of an answer: the features of statement 1, and of others by key."""
    return json.dumps({"statement_1": list(features), **others})


def chat(content: str | None, finish: str = "stop", **changes: Any) -> Action:
    """A complete reply in the API that was asked; ``changes`` are for Ollama's."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        message = {"role": "assistant", "content": content}
        if handler.path == "/api/chat":
            reply = {"model": MODEL, "done": True, "done_reason": finish, "message": message, **changes}
        else:
            choice = {"index": 0, "finish_reason": finish, "message": message}
            reply = {"id": "1", "object": "chat.completion", "created": 1, "model": MODEL, "choices": [choice]}
        send_json(handler, reply)

    return act


def send(
    handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, kind: str = "application/json", **headers: str
) -> None:
    handler.send_response(status)
    for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def send_json(handler: BaseHTTPRequestHandler, content: Any, status: int = 200) -> None:
    send(handler, json.dumps(content).encode(), status)


def status(code: int, content: Any = "html", **headers: str) -> Action:
    """A reply with a status, JSON or (``"html"``) a page."""
    if content == "html":
        return lambda handler: send(handler, b"<html>", code, "text/html", **headers)
    return lambda handler: send(handler, json.dumps(content).encode(), code, **headers)


def body(content: str | bytes, **headers: str) -> Action:
    """Status 200 with anything as JSON."""
    sent = content.encode() if isinstance(content, str) else content
    return lambda handler: send(handler, sent, **headers)


def silence(handler: BaseHTTPRequestHandler) -> None:
    """Never reply."""
    handler.server_over.wait()
    handler.close_connection = True


def trickle(handler: BaseHTTPRequestHandler) -> None:
    """Send a byte every 50 ms for ever."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    try:
        while not handler.server_over.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()
    except OSError:
        handler.close_connection = True


def trickle_head(handler: BaseHTTPRequestHandler) -> None:
    """Send a header that never ends, a byte every 50 ms."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Waiting: ")
    try:
        while not handler.server_over.wait(0.05):
            handler.wfile.write(b".")
            handler.wfile.flush()
    except OSError:
        handler.close_connection = True


def late(seconds: float, then: Action) -> Action:
    """Reply after a while."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.server_over.wait(seconds)
        then(handler)

    return act


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Drop the connection with RST."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection without a word."""
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def half(handler: BaseHTTPRequestHandler) -> None:
    """Announce more bytes than are sent, and hang up."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"model": "llama3:8b", "mess')
    handler.wfile.flush()
    hang_up(handler)
