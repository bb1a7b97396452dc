"""Load libraries without looking for garbage among what they bring, all of which stays."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Let Python collect no garbage meanwhile, and none afterwards among what is there by then.

    A library such as torch makes hundreds of thousands of objects, and each search goes through all of them: a quarter
    of the time that loading takes.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.freeze()
            gc.enable()
