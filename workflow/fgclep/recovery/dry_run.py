"""What a recovery with a language model would ask, and how long it would take."""

from collections.abc import Sequence
from itertools import islice
from statistics import fmean

from fgclep.config.recovery import RecoverySection
from fgclep.language.statements import Statement
from fgclep.recovery.cache import AnswerCache
from fgclep.recovery.language_model import LanguageModel
from fgclep.recovery.run_calls import duration

ASSUMED_SECONDS = 5.0  # per call: an 8B model on a GPU of a workstation
ENOUGH = 1000  # stored answers to take the time from


def describe(backend: LanguageModel, settings: RecoverySection, statements: Sequence[Statement]) -> str:
    """Return the number of calls, the time that they will take, and the first prompt.

    Parameters
    ----------
    backend
        Asked for its plan; nothing is sent to the model.
    settings
        The config's ``recovery`` section.
    statements
        Those that a language model may be asked about.
    """
    questions = [backend.questions.about(statement) for statement in statements]
    asked = [question for some in questions for question in some]
    answers, missing = backend.plan(asked)
    about = sum(map(bool, questions))
    per_call, origin = _seconds_per_call(backend, settings)
    total = per_call * len(missing) / settings.concurrency
    lines = {
        "model": f"{settings.model} ({backend.model_digest}) at {settings.host}, {backend.name}",
        "prompt": f"version {backend.questions.prompt.version} ({backend.prompt_hash})",
        "statements": f"{about:,} to ask about{_of(len(statements), about)}, {settings.samples} times each",
        "answers": f"{len(answers) + len(missing):,} wanted, {len(answers):,} of them in {settings.cache}",
        "calls": f"{len(missing):,}",
        "time": f"{duration(total)}: {per_call:.1f} s per call ({origin}), {settings.concurrency} at a time",
    }
    head = "\n".join(f"{name:<11} {value}" for name, value in lines.items())
    if not asked:
        return head
    first = missing[0] if missing else asked[0]
    return f"{head}\n\nThe prompt about {first.text!r}:\n\n{backend.questions.render(first)}"


def _of(statements: int, asked: int) -> str:
    return "" if asked == statements else f" of {statements:,}: the others leave out nothing that is not measured"


def _seconds_per_call(backend: LanguageModel, settings: RecoverySection) -> tuple[float, str]:
    """Return the time of a call and where it comes from: answers of this model by preference."""
    records = (
        record
        for record in AnswerCache(settings.cache).records()
        if (record["question"].get("backend"), record["question"].get("model")) == (backend.name, settings.model)
        and "seconds" in record["more"]
    )
    known = [record["more"]["seconds"] for record in islice(records, ENOUGH)]
    if known:
        return fmean(known), f"mean of {len(known)} stored answers of this model"
    return ASSUMED_SECONDS, "assumed"
