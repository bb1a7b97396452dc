"""What answers cost: calls to the server, the tokens read and written, and the time that the calls took."""

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from fgclep.recovery.run_calls import duration
from fgclep.recovery.server import Reply

TOKENS = ("prompt_tokens", "cached_tokens", "answer_tokens")


class CallCounter:
    """Calls of this run, from several threads: also those that got no reply or no usable answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.calls = 0
        self.tokens = dict.fromkeys(TOKENS, 0)
        self.seconds = 0.0

    def add(self, seconds: float, reply: Reply | None) -> None:
        """Count a call; ``reply`` is ``None`` if none came. Tokens that the server does not tell count as 0."""
        with self._lock:
            self.calls += 1
            self.seconds += seconds
            for name in TOKENS:
                self.tokens[name] += getattr(reply, name, None) or 0


def cost(counter: CallCounter, from_cache: int, used: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the cost of a run.

    Parameters
    ----------
    counter
        The calls of this run. Its seconds are those of each call, added up: more than have passed if several ran at
        once.
    from_cache
        Answers of this run that were stored already.
    used
        ``more`` of the stored record of each answer that the run used, old and new. The sum over them,
        ``all_answers``, is what the candidates have cost, whenever it was.

    Returns
    -------
    dict
        ``calls``, ``answers_from_cache``, ``prompt_tokens``, ``cached_tokens`` (those of them that the server knew from
        the question before, if it tells), ``answer_tokens``, ``seconds`` and ``seconds_per_call`` (null without calls)
        of this run, and ``all_answers`` with ``answers``, the tokens and ``seconds``.
    """
    answers = list(used)
    tokens = {name: sum(more.get(name) or 0 for more in answers) for name in TOKENS}
    return {
        "calls": counter.calls,
        "answers_from_cache": from_cache,
        **counter.tokens,
        "seconds": round(counter.seconds, 3),
        "seconds_per_call": round(counter.seconds / counter.calls, 3) if counter.calls else None,
        "all_answers": {
            "answers": len(answers),
            **tokens,
            "seconds": round(sum(more["seconds"] for more in answers), 3),
        },
    }


def cost_line(spent: Mapping[str, Any]) -> str:
    """Return the cost of a run in a line.

    >>> cost_line(cost(CallCounter(), 3, []))
    '0 calls, 3 answers from the cache, 0 tokens read and 0 written, 0.0 s in calls'
    """
    known = f" ({spent['cached_tokens']:,} known to the server)" if spent["cached_tokens"] else ""
    per_call = "" if spent["seconds_per_call"] is None else f", {spent['seconds_per_call']:.2f} s per call"
    return (
        f"{spent['calls']:,} calls, {spent['answers_from_cache']:,} answers from the cache, "
        f"{spent['prompt_tokens']:,} tokens read{known} and {spent['answer_tokens']:,} written, "
        f"{duration(spent['seconds'])} in calls{per_call}"
    )
