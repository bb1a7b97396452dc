"""A limit on the whole of a call to a server: HTTP clients limit the silence between two bytes only."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """A client whose calls under way end with an error when it is closed."""

    def close(self) -> None:
        """Close its connections."""


Client = TypeVar("Client", bound=Closable)
Result = TypeVar("Result")


class LimitedCalls(Generic[Client]):
    """Calls by a client of their own in each thread, which is closed where one takes too long, whatever trickles in.

    Parameters
    ----------
    make_client
        Makes a client.
    seconds
        The longest call.
    """

    def __init__(self, make_client: Callable[[], Client], seconds: float):
        self._make_client = make_client
        self._seconds = seconds
        self._own = threading.local()

    def __call__(self, call: Callable[[Client], Result]) -> Result:
        """Return what ``call`` returns; raises ``TimeoutError`` if that takes too long."""
        if not hasattr(self._own, "client"):
            self._own.client = self._make_client()
        client, future = self._own.client, Future[Result]()
        threading.Thread(target=_run, args=(future, call, client), daemon=True).start()
        try:
            return future.result(self._seconds)
        except TimeoutError:
            if future.done():  # the call has one of its own
                raise
            del self._own.client
            client.close()
            raise TimeoutError(
                f"the reply is not complete after {self._seconds:g} s, recovery.timeout_seconds; a model on a CPU may "
                "need more for its first answer"
            ) from None


def _run(future: Future[Result], call: Callable[[Client], Result], client: Client) -> None:
    try:
        future.set_result(call(client))
    except BaseException as error:  # raised where the result is waited for
        future.set_exception(error)
