"""Ollama's API in front of llama.cpp's, as Ollama itself translates it for the llama.cpp server that it starts."""

import hashlib
import json
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

OPTIONS = {"seed": "seed", "temperature": "temperature", "num_predict": "n_predict"}


class OllamaShim:
    """Passes questions on to a llama.cpp server; ``asked`` and ``answered`` hold the prompts."""

    def __init__(self, upstream: str, model: str, file: Path):
        self.upstream = upstream
        self.model = model
        self.digest = hashlib.sha256(file.read_bytes()).hexdigest()
        self.asked: list[str] = []
        self.answered: list[str] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def tags(self) -> dict[str, Any]:
        name = f"{self.model}:latest"
        return {"models": [{"name": name, "model": name, "digest": self.digest, "size": 1}]}

    def chat(self, request: dict[str, Any]) -> tuple[dict[str, Any], int]:
        if request["model"].removesuffix(":latest") != self.model:
            return {"error": f"model '{request['model']}' not found"}, 404
        prompt = request["messages"][-1]["content"]
        self.asked.append(prompt)
        body = {
            "messages": request["messages"],
            "response_format": {"type": "json_schema", "json_schema": {"name": "schema", "schema": request["format"]}},
            **{OPTIONS[name]: value for name, value in request["options"].items() if name in OPTIONS},
        }
        try:
            reply = self._post(body)
        except urllib.error.HTTPError as error:
            return {"error": error.read().decode(errors="replace")}, error.code
        except OSError:
            return {"error": "model runner has unexpectedly stopped"}, 500
        choice = reply["choices"][0]
        self.answered.append(prompt)
        return {
            "model": request["model"],
            "done": True,
            "done_reason": "length" if choice["finish_reason"] == "length" else "stop",
            "message": {"role": "assistant", "content": choice["message"]["content"]},
            "prompt_eval_count": reply["usage"]["prompt_tokens"],
            "eval_count": reply["usage"]["completion_tokens"],
        }, 200

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.upstream}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)


def _handler(shim: OllamaShim) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else 40 ms a reply
        wbufsize = -1

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            replies = {"/api/tags": shim.tags(), "/api/version": {"version": "0.0.0-shim"}}
            self._send(replies.get(self.path, {}), 200 if self.path in replies else 404)

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._send(*(shim.chat(request) if self.path == "/api/chat" else ({"error": "not found"}, 404)))

        def _send(self, content: dict[str, Any], status: int) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

    return Handler
