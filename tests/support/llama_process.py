"""A llama.cpp server in a process of its own, which can be killed and started again at the same address."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from conftest import ROOT
from fault_jobs import environment


class LlamaProcess:
    """Serves ``/v1`` at ``url`` with the model of a GGUF file."""

    def __init__(self, model: Path, slots: int = 2, context: int = 8192):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        options = {"port": self.port, "name": "ecg-random", "threads": 1, "slots": slots, "context": context}
        self._arguments = [sys.executable, "-m", "fgclep", "serve-llm", str(model)]
        self._arguments += [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self._log = model.with_suffix(".log")
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._arguments, stdout=log, stderr=log, env=environment(ROOT))
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"the llama.cpp server did not start:\n{self._log.read_text(errors='replace')[-2000:]}")

    def kill(self) -> None:
        """SIGKILL, as when the system runs out of memory."""
        self._process.kill()
        self._process.wait()
