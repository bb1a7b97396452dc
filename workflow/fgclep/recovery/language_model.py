"""Candidates from a language model: what is asked, what is stored, and how samples become votes."""

import logging
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fgclep.config.recovery import RecoverySection
from fgclep.errors import UserError
from fgclep.language.statements import Statement, StatementParser
from fgclep.language.vocabulary import Vocabulary
from fgclep.recovery.answers import map_answer
from fgclep.recovery.backend import Candidate
from fgclep.recovery.cache import AnswerCache
from fgclep.recovery.cost import CallCounter, cost, cost_line
from fgclep.recovery.prompt import UNKNOWN, Prompt
from fgclep.recovery.retries import Clock, Patience
from fgclep.recovery.run_calls import run_calls
from fgclep.recovery.server import Model, NoReply, Options, Reply, Server, UnusableAnswer
from fgclep.recovery.sharing import Sharing, in_parts

log = logging.getLogger(__name__)

ATTEMPTS = 3  # an unusable answer repeats at the same seed and temperature, so both change
RETRY_TEMPERATURE = 0.5
HOPELESS = 20  # questions without a usable answer from the start on: it is not the statements

Wanted = tuple[str, int]  # statement and sample


@dataclass(frozen=True)
class Call:
    """One question to the server: a sample for one or several statements."""

    texts: tuple[str, ...]
    sample: int


@dataclass(frozen=True)
class Failure:
    """Why a statement got no usable answer."""

    reason: str


class LanguageModel:
    """Ask a language model for the features that go with statements.

    Parameters
    ----------
    server
        Who answers.
    settings
        The config's ``recovery`` section.
    prompt
        File of the prompt's template.
    vocabulary
        Answers are restricted to its features, and mapped to them again.
    clock
        Of the run; the deadline of the settings if not given.

    Raises
    ------
    UserError
        If the server gives no reply, or does not have the model.
    """

    def __init__(
        self,
        server: Server,
        settings: RecoverySection,
        prompt: Path,
        vocabulary: Vocabulary,
        clock: Clock | None = None,
    ):
        hours = settings.deadline_hours
        self._server = server
        self._settings = settings
        self._parser = StatementParser(vocabulary)
        self._may_share = Sharing(vocabulary)
        self.prompt = Prompt(prompt, [feature.text for feature in vocabulary.features.values()])
        self._clock = clock or Clock(None if hours is None else hours * 3600)
        self._patience = Patience(settings.patience_seconds, self._clock)
        self._cache = AnswerCache(settings.cache)
        self._calls = CallCounter()
        self._from_cache = 0
        self._used: dict[Wanted, Mapping[str, Any]] = {}  # how each answer was got
        self._unusable = 0
        self._usable = False
        self._lock = threading.Lock()
        try:
            self.model: Model = server.model()  # at the start there is nothing to wait for
        except NoReply as error:
            raise UserError(self._no_server(error)) from error

    @property
    def name(self) -> str:
        """See ``Backend``."""
        return self._server.name

    @property
    def model_digest(self) -> str:
        """See ``Backend``."""
        return self.model.digest

    @property
    def prompt_hash(self) -> str:
        """See ``Backend``."""
        return self.prompt.hash

    def propose(self, statements: Sequence[Statement]) -> list[list[Candidate]]:
        """Ask ``samples`` times for each statement, and count in how many answers each feature is named.

        Raises
        ------
        UserError
            If the server stays away, the model changes, or the deadline passes. What was answered is kept.
        """
        answers, calls = self.plan([statement.text for statement in statements])
        kept = self._from_cache = len(answers)
        missing = sum(len(call.texts) for call in calls)
        log.info("%d answers wanted, %d of them are in %s", kept + missing, kept, self._settings.cache)
        try:
            for found in run_calls(calls, self._answer, self._settings.concurrency, self._clock):
                answers.update(found)
        except NoReply as error:
            raise UserError(self._no_server(error)) from error
        finally:
            log.info("%s", cost_line(self.cost()))
        if left := kept + missing - len(answers):
            raise UserError(self._too_late(left, kept + missing))
        return [self._candidates(statement, answers) for statement in statements]

    def cost(self) -> dict[str, Any]:
        """Return what the run has cost until now, and all answers that it uses: see ``fgclep.recovery.cost``."""
        return cost(self._calls, self._from_cache, self._used.values())

    def plan(self, texts: Sequence[str]) -> tuple[dict[Wanted, list[str] | Failure], list[Call]]:
        """Return the answers that are stored, and the calls that get the others."""
        answers: dict[Wanted, list[str] | Failure] = {}
        calls = []
        for sample in range(self._settings.samples):
            missing = []
            for text in dict.fromkeys(texts):
                stored = self._stored(text, sample)
                if stored is None:
                    missing.append(text)
                else:
                    answers[text, sample] = stored
            shared = [text for text in missing if self._is_shared(text)]
            calls += [Call(tuple(part), sample) for part in in_parts(shared, self._settings.statements_per_call)]
            calls += [Call((text,), sample) for text in missing if not self._is_shared(text)]
        return answers, calls

    def _is_shared(self, text: str) -> bool:
        return self._settings.statements_per_call > 1 and self._may_share(text)

    def _options(self, sample: int, statements: int = 1) -> Options:
        settings = self._settings
        return Options(settings.temperature, sample, settings.max_tokens * statements, settings.context_tokens)

    def question(self, text: str, sample: int, shared: bool) -> dict[str, Any]:
        """Return all that determines the answer about a statement, for the cache."""
        return {
            "backend": self.name,
            "model": self._settings.model,
            "model_digest": self.model_digest,
            "prompt_hash": self.prompt.hash,
            "schema_hash": self.prompt.schema_hash,
            "options": asdict(self._options(sample)),
            "statements_per_call": self._settings.statements_per_call if shared else 1,
            "text": text,
            "sample": sample,
        }

    def _stored(self, text: str, sample: int) -> list[str] | None:
        record = self._cache.get(self.question(text, sample, shared=True)) if self._is_shared(text) else None
        if record is None:
            record = self._cache.get(self.question(text, sample, shared=False))
        if record is None:
            return None
        self._used[text, sample] = record["more"]
        return record["answer"]

    def _answer(self, call: Call) -> tuple[dict[Wanted, list[str] | Failure], Call | None]:
        """Return answers, and the rest of the call that another process is asking at the moment."""
        found: dict[Wanted, list[str] | Failure] = {}
        mine, others = [], []
        with ExitStack() as claims:
            for text in call.texts:
                claim = self._cache.claim(self.question(text, call.sample, shared=False))
                if claim is None:
                    others.append(text)
                    continue
                claims.enter_context(claim)
                stored = self._stored(text, call.sample)  # the other process may be done
                if stored is None:
                    mine.append(text)
                else:
                    found[text, call.sample] = stored
                    with self._lock:
                        self._from_cache += 1
            if mine:
                found |= self._ask(mine, call.sample)
        return found, Call(tuple(others), call.sample) if others else None

    def _ask(self, texts: Sequence[str], sample: int) -> dict[Wanted, list[str] | Failure]:
        """Ask the server; statements that together get no usable answer are asked one by one."""
        shared = len(texts) > 1
        options = self._options(sample, len(texts))
        question = self.prompt.render(texts)
        ask = partial(self._call, question, self.prompt.schema(len(texts)))
        for attempt in range(ATTEMPTS):
            if attempt:
                temperature = max(RETRY_TEMPERATURE, options.temperature)
                options = Options(temperature, sample + attempt * 1000, options.max_tokens, options.context_tokens)
            try:
                reply, seconds = self._patience(partial(ask, options))
                answers = self.prompt.read(reply.content, len(texts))
            except UnusableAnswer as error:
                problem = str(error)
                log.warning("%s, sample %d: %s", ", ".join(map(repr, texts)), sample, problem)
                continue
            model = self._model_now()  # before the answer is kept as this model's
            with self._lock:
                self._usable = True
            more = {
                "seconds": seconds,
                "statements": list(texts),
                "used": asdict(options),
                "prompt_version": self.prompt.version,
                "prompt_tokens": reply.prompt_tokens,
                "answer_tokens": reply.answer_tokens,
                "server_version": reply.server_version or model.server_version,
            }
            for text, answer in zip(texts, answers, strict=True):
                self._cache.put(self.question(text, sample, shared), answer, more)
                self._used[text, sample] = more
            return {(text, sample): answer for text, answer in zip(texts, answers, strict=True)}
        if shared:
            log.warning("no usable answer about %d statements at once; asking one by one", len(texts))
            return {key: answer for text in texts for key, answer in self._ask([text], sample).items()}
        self._give_up_if_hopeless(problem)
        return {(texts[0], sample): Failure(problem)}

    def _call(self, question: str, schema: Mapping[str, Any], options: Options) -> tuple[Reply, float]:
        """Return the server's reply and the seconds that it took; the call is counted however it ends."""
        reply = None
        begun = self._clock.seconds()
        try:
            reply = self._server.ask(question, schema, options)
        finally:
            seconds = round(self._clock.seconds() - begun, 3)
            self._calls.add(seconds, reply)
        return reply, seconds

    def _model_now(self) -> Model:
        """Return the model, if the one behind the name is still the one that the run began with."""
        now = self._patience(self._server.model)
        if now.digest != self.model_digest:
            raise UserError(
                f"the model {self._settings.model} at {self._settings.host} has changed during the run, from "
                f"{self.model_digest} to {now.digest}.\nThe answers of the former are kept under its digest. Run again "
                "to ask the new one about all statements, or bring the former back and go on with it."
            )
        return now

    def _give_up_if_hopeless(self, problem: str) -> None:
        with self._lock:
            self._unusable += 1
            hopeless = not self._usable and self._unusable >= HOPELESS
        if hopeless:
            raise UserError(
                f"none of the first {HOPELESS} questions got a usable answer from {self._settings.model}; the last: "
                f"{problem}\nTry another model, or one that answers by schema, for example\n\n"
                "    recovery:\n      model: llama3:8b"
            )

    def _no_server(self, error: Exception) -> str:
        return (
            f"no usable reply from the server ({self.name}) at {self._settings.host}: {error}\n"
            f"{self._server.advice}"
            "or recover features without a language model:\n\n    recovery:\n      backend: knowledge\n"
            f"Answers got so far are kept in {self._settings.cache} and will not be asked for again."
        )

    def _too_late(self, left: int, total: int) -> str:
        return (
            f"{left} of {total} answers are missing at the end of recovery.deadline_hours "
            f"({self._settings.deadline_hours:g}); the others are kept in {self._settings.cache}.\n"
            "Run again to go on where it ended, or give it more time in config.yaml:\n\n"
            "    recovery:\n      deadline_hours: null"
        )

    def _candidates(self, statement: Statement, answers: Mapping[Wanted, list[str] | Failure]) -> list[Candidate]:
        samples = self._settings.samples
        votes: Counter[str] = Counter()
        first: dict[str, tuple[str, str | None, str]] = {}  # feature or answer -> answer, feature, reason
        failures = []
        for sample in range(samples):
            given = answers[statement.text, sample]
            if isinstance(given, Failure):
                failures.append(given.reason)
                continue
            named = set()
            for answer, feature, reason in _read(given, self._parser):
                key = f"feature {feature}" if feature else f"answer {answer}"
                first.setdefault(key, (answer, feature, reason))
                named.add(key)
            votes.update(named)
        candidates = [Candidate(*first[key][:2], votes[key], samples, first[key][2]) for key in first]
        if failures:
            reason = f"{len(failures)} of {samples} samples gave no usable answer: {failures[0]}"
            candidates.append(Candidate("", None, 0, samples, reason))
        return candidates


def _read(given: Sequence[str], parser: StatementParser) -> list[tuple[str, str | None, str]]:
    """Return answer, feature and reason for each item of an answer; an abstention is an item too."""
    if not given:
        return [("none", None, "the model names no feature")]
    if list(given) == [UNKNOWN]:
        return [(UNKNOWN, None, "the model does not know the statement")]
    found = []
    for answer in given:
        feature, reason = map_answer(answer, parser)
        found.append((answer, feature, "unknown, beside features" if answer == UNKNOWN else reason))
    return found
