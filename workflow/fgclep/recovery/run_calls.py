"""Calls in parallel, with what is left of them and how long it will take."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import TypeVar

from tqdm import tqdm

from fgclep.recovery.retries import Clock, Stopped

Call = TypeVar("Call")
Found = TypeVar("Found")
log = logging.getLogger(__name__)

LOG_EVERY = 60.0  # seconds
RECHECK = 0.2  # seconds between two looks at what other processes ask


def duration(seconds: float) -> str:
    """Return a time in words.

    >>> duration(18_660), duration(95), duration(2.34)
    ('5 h 11 min', '1 min 35 s', '2.3 s')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60} min"


def run_calls(
    calls: Sequence[Call], answer: Callable[[Call], tuple[Found, Call | None]], concurrency: int, clock: Clock
) -> Iterator[Found]:
    """Yield what ``answer`` finds for each call, as it comes.

    What is left of a call, because another process is at it, comes again at the end. After the clock's end no call
    begins. The first exception ends all.
    """
    with ThreadPoolExecutor(concurrency) as pool, tqdm(total=len(calls), desc="recovery", disable=None) as bar:
        try:
            logged = clock.seconds()
            done, pending = 0, list(calls)
            while pending and not clock.is_over():
                futures = [pool.submit(_unless_over, answer, call, clock) for call in pending]
                before, pending = done, []
                for found, rest in _results(futures):
                    if rest is None:
                        done += 1
                        bar.update()
                    else:
                        pending.append(rest)
                    if found is not None:
                        yield found
                    if clock.seconds() - logged > LOG_EVERY:
                        logged = clock.seconds()
                        log.info("%s", progress_line(done, len(calls), logged))
                if pending and done == before:
                    clock.wait(RECHECK)
        except BaseException:
            clock.stop()
            pool.shutdown(cancel_futures=True)  # else every waiting call is still made
            raise


def _unless_over(
    answer: Callable[[Call], tuple[Found, Call | None]], call: Call, clock: Clock
) -> tuple[Found | None, Call | None]:
    if clock.is_over():
        return None, call
    try:
        return answer(call)
    except Stopped:
        return None, call
    except BaseException:
        clock.stop()  # before this thread takes the next call
        raise


def _results(futures: Sequence[Future]) -> Iterator[tuple]:
    for future in as_completed(futures):
        yield future.result()


def progress_line(done: int, total: int, seconds: float) -> str:
    """Return how far a run is, and how long the rest will take at this pace.

    >>> progress_line(60, 180, 120.0)
    '60 of 180 calls in 2 min 0 s, about 4 min 0 s left'
    """
    left = duration(seconds / done * (total - done)) if done else "an unknown time"
    return f"{done:,} of {total:,} calls in {duration(seconds)}, about {left} left"
