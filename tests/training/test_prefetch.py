"""Items made in a thread come in order, with their errors, and the thread ends when it is told to."""

import threading
import time

import pytest

from fgclep.training.prefetch import Prefetched


def test_items_come_in_order_and_are_made_ahead():
    made = []

    def items():
        for number in range(6):
            made.append(number)
            yield number

    prefetched = Prefetched(items(), ahead=2)
    waiting = iter(prefetched)
    assert next(waiting) == 0
    deadline = time.monotonic() + 10
    while len(made) < 4 and time.monotonic() < deadline:  # one taken, two ready, one in hand
        time.sleep(0.01)
    time.sleep(0.05)
    assert made == [0, 1, 2, 3]
    assert list(waiting) == [1, 2, 3, 4, 5]
    prefetched.close()


def test_the_time_spent_waiting_is_measured():
    def slow():
        time.sleep(0.3)
        yield 1

    prefetched = Prefetched(slow())
    assert list(prefetched) == [1]
    assert 0.2 < prefetched.waited < 3
    prefetched.close()


def test_an_error_comes_where_the_item_would_have_come():
    def broken():
        yield 1
        raise ValueError("record made-up/003 is broken")

    waiting = iter(Prefetched(broken()))
    assert next(waiting) == 1
    with pytest.raises(ValueError, match="made-up/003 is broken"):
        next(waiting)


def test_the_thread_ends_and_cleans_up_when_closed_early():
    cleaned = threading.Event()

    def endless():
        try:
            while True:
                yield 1
        finally:
            cleaned.set()

    prefetched = Prefetched(endless())
    assert next(iter(prefetched)) == 1
    prefetched.close()
    assert cleaned.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]
