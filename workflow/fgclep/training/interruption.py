"""Signals that ask a program to stop, such as a scheduler's SIGTERM, kept until a moment when stopping is safe."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(Exception):
    """The program was asked to stop, and has kept what it needs to go on later.

    Attributes
    ----------
    number
        The signal. Programs that it ends leave with status 128 + number: 143 after SIGTERM, 130 after SIGINT.
    """

    def __init__(self, number: int, message: str):
        super().__init__(message)
        self.number = number


class StopRequest:
    """Which signal has asked to stop; 0: none yet."""

    number = 0


@contextmanager
def noted_stop_signals() -> Iterator[StopRequest]:
    """Note SIGTERM and SIGINT instead of obeying them.

    Schedulers may send SIGTERM more than once; only somebody who presses Ctrl-C again wants to be obeyed at once. Must
    be entered in the main thread, the only one that Python lets handle signals.
    """
    request = StopRequest()
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}

    def note(number: int, frame: FrameType | None) -> None:
        request.number = number
        if number == signal.SIGINT:
            signal.signal(number, before[signal.SIGINT])

    for number in STOP_SIGNALS:
        signal.signal(number, note)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
