"""A server of a language model from a GGUF file, with OpenAI's API, in this process: llama.cpp's, by xllamacpp."""

import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from fgclep.errors import UserError

MAGIC = b"GGUF"
LOADING_SECONDS = 600  # after which a model that has not loaded never will


class GgufServer:
    """Serve a model at ``http://127.0.0.1:PORT/v1`` until the process ends; ready when the constructor returns.

    Parameters
    ----------
    path
        The model.
    name
        Under which it is asked for.
    port
        0: any that is free.
    threads
        Of one computation.
    slots
        Questions that are answered at the same time.
    context
        Tokens of the context of each slot, which must hold prompt and answer.

    Raises
    ------
    UserError
        If the package xllamacpp is not installed, the file is no GGUF, or the server cannot start.
    """

    def __init__(self, path: Path, name: str, port: int = 0, threads: int = 1, slots: int = 1, context: int = 4096):
        try:
            import xllamacpp
        except ImportError:
            raise UserError("serving a model needs the package xllamacpp: pip install 'fgclep[llm]'") from None
        check_gguf(path)
        params: Any = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.model_alias = {name}
        params.hostnames = ["127.0.0.1"]
        params.port = port
        params.n_parallel = slots
        params.n_ctx = context * slots
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.warmup = False
        params.offline = True
        params.verbosity = -1
        try:
            self._server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise UserError(f"{path} cannot be served on port {port}: {error}") from None
        self.url = str(self._server.listening_address)
        self._wait(path)

    def _wait(self, path: Path) -> None:
        end = time.monotonic() + LOADING_SECONDS
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):  # nosec B310: the address is our own
                    return
            except urllib.error.URLError:
                time.sleep(0.2)
        raise UserError(f"{path} has not loaded within {LOADING_SECONDS} s; is there memory for it?")


def check_gguf(path: Path) -> None:
    """Raise ``UserError`` if a file is no model in the format GGUF."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(MAGIC))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    if magic != MAGIC:
        raise UserError(f"{path} is no model in the format GGUF: it begins with {magic!r}, not with {MAGIC!r}")
