"""Make the items of an iterator ready in a thread while the caller works on those before."""

import queue
import threading
import time
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetched(Generic[T]):
    """Iterate over ``items``, which a thread makes; order and errors are those of ``items`` itself.

    Parameters
    ----------
    items
        Run in the thread until it ends, fails, or ``close`` is called.
    ahead
        Items ready at most before the caller asks for them.

    Attributes
    ----------
    waited
        Seconds that the caller has waited for items so far.
    """

    def __init__(self, items: Iterator[T], ahead: int = 2):
        self.waited = 0.0
        self._ready: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(ahead)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._make, args=(items,), name="prefetch", daemon=True)
        self._thread.start()

    def _make(self, items: Iterator[T]) -> None:
        failure: BaseException | None = StopIteration()
        try:
            for item in items:
                if not self._hand_over((item, None)):
                    break
        except BaseException as error:
            failure = error
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()
        self._hand_over((None, failure))

    def _hand_over(self, entry: tuple[T | None, BaseException | None]) -> bool:
        while not self._closed.is_set():
            try:
                self._ready.put(entry, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def __iter__(self) -> Iterator[T]:
        while True:
            start = time.perf_counter()
            item, failure = self._ready.get()
            self.waited += time.perf_counter() - start
            if isinstance(failure, StopIteration):
                return
            if failure is not None:
                raise failure
            assert item is not None
            yield item

    def close(self) -> None:
        """Stop the thread; what it has made ready is dropped."""
        self._closed.set()
        self._thread.join()
