"""What a recovery with a language model would ask, and how long it would take."""

from collections.abc import Sequence
from itertools import islice
from statistics import median

from fgclep.config.recovery import RecoverySection
from fgclep.recovery.cache import AnswerCache
from fgclep.recovery.language_model import LanguageModel
from fgclep.recovery.run_calls import duration

ASSUMED_SECONDS = 5.0  # per statement and call: an 8B model on a GPU of a workstation
ENOUGH = 1000  # stored answers to take the time from


def describe(backend: LanguageModel, settings: RecoverySection, texts: Sequence[str]) -> str:
    """Return the number of calls, the time that they will take, and the first prompt.

    Parameters
    ----------
    backend
        Asked for its plan; nothing is sent to the model.
    settings
        The config's ``recovery`` section.
    texts
        Statements.
    """
    answers, calls = backend.plan(texts)
    missing = sum(len(call.texts) for call in calls)
    seconds, origin = _seconds_per_call(backend, settings, len(calls), missing)
    total = seconds * len(calls) / settings.concurrency
    first = calls[0].texts if calls else tuple(texts[:1])
    several = len(calls) < missing
    lines = {
        "model": f"{settings.model} ({backend.model_digest}) at {settings.host}, {backend.name}",
        "prompt": f"version {backend.prompt.version} ({backend.prompt.hash})",
        "statements": f"{len(set(texts)):,} to ask about, {settings.samples} times each",
        "answers": f"{len(answers) + missing:,} wanted, {len(answers):,} of them in {settings.cache}",
        "calls": f"{len(calls):,}" + (f", of up to {settings.statements_per_call} statements" if several else ""),
        "time": f"{duration(total)}: {seconds:.1f} s per call ({origin}), {settings.concurrency} at a time",
    }
    head = "\n".join(f"{name:<11} {value}" for name, value in lines.items())
    if not first:
        return head
    about = ", ".join(repr(text) for text in first)
    return f"{head}\n\nThe prompt about {about}:\n\n{backend.prompt.render(first)}"


def _seconds_per_call(
    backend: LanguageModel, settings: RecoverySection, calls: int, statements: int
) -> tuple[float, str]:
    """Return the time of a call and where it comes from: answers of this model by preference."""
    records = (
        record
        for record in AnswerCache(settings.cache).records()
        if (record["question"].get("backend"), record["question"].get("model")) == (backend.name, settings.model)
        and "seconds" in record["more"]
    )
    known = [record["more"]["seconds"] / len(record["more"]["statements"]) for record in islice(records, ENOUGH)]
    per_call = statements / calls if calls else 1.0
    if known:
        return median(known) * per_call, f"median of {len(known)} stored answers of this model"
    return ASSUMED_SECONDS * per_call, f"assumed: {ASSUMED_SECONDS:g} s per statement"
