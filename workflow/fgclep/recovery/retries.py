"""Waiting for a server that is away, up to a limit, and for the whole run up to a deadline."""

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from fgclep.recovery.server import NoReply

T = TypeVar("T")
log = logging.getLogger(__name__)

LONGEST_WAIT = 30.0  # seconds between two attempts
MIN_ATTEMPTS = 3  # even if one alone, by its timeout, takes longer than the patience


class Stopped(Exception):
    """The run ends here: its deadline has passed, or another thread has failed."""


class Clock:
    """Time since the run began, its deadline, and waiting that ends when the run is stopped.

    Parameters
    ----------
    deadline
        Seconds after which nothing new is asked; ``None``: no limit.
    """

    def __init__(self, deadline: float | None = None):
        self._stop = threading.Event()
        self._deadline = deadline
        self._start = time.monotonic()

    def seconds(self) -> float:
        """Seconds since the clock was made."""
        return time.monotonic() - self._start

    def wait(self, seconds: float) -> None:
        """Wait; less if the run is stopped or its deadline passes."""
        left = seconds if self._deadline is None else min(seconds, self._deadline - self.seconds())
        self._stop.wait(max(0.0, left))

    def stop(self) -> None:
        """End all waiting; ``is_over`` from now on."""
        self._stop.set()

    def deadline_passed(self) -> bool:
        """Whether the run has taken longer than it may."""
        return self._deadline is not None and self.seconds() >= self._deadline

    def is_over(self) -> bool:
        """Whether nothing new may be asked."""
        return self._stop.is_set() or self.deadline_passed()


class Patience:
    """Repeat a call that got no reply, with growing pauses, for a limited time.

    Parameters
    ----------
    seconds
        From the first failure on.
    clock
        Of the run.
    """

    def __init__(self, seconds: float, clock: Clock):
        self._seconds = seconds
        self._clock = clock

    def __call__(self, call: Callable[[], T]) -> T:
        """Return what ``call`` returns.

        Raises
        ------
        NoReply
            That of the last attempt.
        Stopped
            If the run ends while waiting.
        """
        attempts, first_failure, pause = 0, 0.0, 1.0
        while True:
            try:
                return call()
            except NoReply as error:
                attempts += 1
                now = self._clock.seconds()
                first_failure = first_failure if attempts > 1 else now
                wait = min(error.wait or pause, LONGEST_WAIT)
                if attempts >= MIN_ATTEMPTS and now - first_failure + wait > self._seconds:
                    raise
                log.warning("no usable reply: %s; asking again in %g s", error, wait)
            self._clock.wait(wait)
            if self._clock.is_over():
                raise Stopped
            pause *= 2
