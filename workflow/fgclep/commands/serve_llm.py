"""``fgclep serve-llm``: a language model from a GGUF file, for the recovery."""

import argparse
import os
import threading

from fgclep.commands.output import show
from fgclep.errors import UserError
from fgclep.recovery.gguf_server import GgufServer

LEAST_CONTEXT = 1024  # tokens: a question about a short list has 500


def run(args: argparse.Namespace) -> None:
    """Serve until Ctrl-C."""
    for name, least in (("port", 1), ("slots", 1), ("context", LEAST_CONTEXT), ("threads", 1)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise UserError(f"--{name} is {value}; give at least {least}")
    name = args.name or args.model.stem
    threads = args.threads or max(1, len(os.sched_getaffinity(0)) // args.slots)
    server = GgufServer(args.model, name, args.port, threads, args.slots, args.context)
    show(
        f"{name} is served at {server.url} until Ctrl-C, {args.slots} at a time with {threads} threads each. Ask it "
        "with\n\n    recovery:\n      backend: openai\n"
        f"      host: {server.url}\n      model: {name}\n      concurrency: {args.slots}\n\n"
        "and see first what it is worth:  fgclep recover --probe --configfile FILE"
    )
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        show("stopped")
