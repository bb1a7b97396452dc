"""Calls in parallel, with what is left of them and how long it will take."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from tqdm import tqdm

from fgclep.recovery.retries import Clock, Stopped

Call = TypeVar("Call")
Found = TypeVar("Found")
LOG = logging.getLogger(__name__)

LOG_EVERY = 60.0  # seconds


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
    calls: Sequence[Call], answer: Callable[[Call], Found], concurrency: int, clock: Clock
) -> Iterator[Found]:
    """Yield what ``answer`` finds for each call, as it comes.

    The first call is alone: it is the one for which a server reads what all prompts have in common, and several of them
    at once would each wait for the others. After the clock's end no call begins. The first exception ends all.
    """
    with ThreadPoolExecutor(concurrency) as pool, tqdm(total=len(calls), desc="recovery", disable=None) as bar:
        try:
            logged = clock.seconds()
            for done, found in enumerate(_in_order_of_end(pool, calls, answer, clock), start=1):
                if found is None:
                    continue
                bar.update()
                yield found
                if clock.seconds() - logged > LOG_EVERY:
                    logged = clock.seconds()
                    LOG.info("%s", progress_line(done, len(calls), logged))
        except BaseException:
            clock.stop()
            pool.shutdown(cancel_futures=True)  # else every waiting call is still made
            raise


def _in_order_of_end(
    pool: ThreadPoolExecutor, calls: Sequence[Call], answer: Callable[[Call], Found], clock: Clock
) -> Iterator[Found | None]:
    for part in (calls[:1], calls[1:]):
        for future in as_completed([pool.submit(_unless_over, answer, call, clock) for call in part]):
            yield future.result()


def _unless_over(answer: Callable[[Call], Found], call: Call, clock: Clock) -> Found | None:
    if clock.is_over():
        return None
    try:
        return answer(call)
    except Stopped:
        return None
    except BaseException:
        clock.stop()  # before this thread takes the next call
        raise


def progress_line(done: int, total: int, seconds: float) -> str:
    """Return how far a run is, and how long the rest will take at this pace.

    >>> progress_line(60, 180, 120.0)
    '60 of 180 calls in 2 min 0 s, about 4 min 0 s left'
    """
    left = duration(seconds / done * (total - done))
    return f"{done:,} of {total:,} calls in {duration(seconds)}, about {left} left"
