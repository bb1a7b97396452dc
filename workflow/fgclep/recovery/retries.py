"""Waiting for a server that is away, up to a limit, and for the whole run up to a deadline."""

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from fgclep.recovery.server import NoReply

T = TypeVar("T")
LOG = logging.getLogger(__name__)

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
        failed: list[float] = []  # when; one call is made by one thread

        def wait(state: RetryCallState) -> float:
            return min(_error(state).wait or 2.0 ** (state.attempt_number - 1), LONGEST_WAIT)

        def is_enough(state: RetryCallState) -> bool:
            failed.append(self._clock.seconds())
            return len(failed) >= MIN_ATTEMPTS and failed[-1] - failed[0] + state.upcoming_sleep > self._seconds

        retrying = Retrying(
            retry=retry_if_exception_type(NoReply),
            wait=wait,
            stop=is_enough,
            before_sleep=_announce,
            sleep=self._wait,
            reraise=True,
        )
        return retrying(call)

    def _wait(self, seconds: float) -> None:
        self._clock.wait(seconds)
        if self._clock.is_over():
            raise Stopped


def _error(state: RetryCallState) -> NoReply:
    error = state.outcome and state.outcome.exception()
    assert isinstance(error, NoReply), "no other is retried"
    return error


def _announce(state: RetryCallState) -> None:
    LOG.warning("no usable reply: %s; asking again in %g s", _error(state), state.upcoming_sleep)
