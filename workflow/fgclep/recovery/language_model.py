"""Candidates from a language model: what is asked, what is stored, and how samples become votes."""

import logging
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from fgclep.config.recovery import RecoverySection
from fgclep.errors import UserError
from fgclep.language.parser import StatementParser
from fgclep.language.statements import Statement
from fgclep.language.vocabulary import Vocabulary
from fgclep.recovery.answers import map_answer
from fgclep.recovery.backend import Candidate
from fgclep.recovery.cache import AnswerCache
from fgclep.recovery.cost import CallCounter, cost, cost_line
from fgclep.recovery.prompt import UNKNOWN, Prompt
from fgclep.recovery.rejections import Rejection
from fgclep.recovery.retries import Clock, Patience
from fgclep.recovery.run_calls import run_calls
from fgclep.recovery.server import Model, NoReply, Options, Reply, Server, UnusableAnswer

LOG = logging.getLogger(__name__)

ATTEMPTS = 3  # an unusable answer repeats at the same seed and temperature, so both change
RETRY_TEMPERATURE = 0.5
LONGEST = 2_000  # characters of a statement: a longer one fits into no usual context, and would end the run
HOPELESS = 20  # questions without a usable answer from the start on: it is not the statements

Wanted = tuple[str, int]  # statement and sample


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
        answers, missing = self.plan([statement.text for statement in statements])
        self._from_cache, total = len(answers), len(answers) + len(missing)
        LOG.info("%d answers wanted, %d of them are in %s", total, self._from_cache, self._settings.cache)
        try:
            for found in run_calls(missing, self._ask, self._settings.concurrency, self._clock):
                answers.update(found)
        except NoReply as error:
            raise UserError(self._no_server(error)) from error
        finally:
            LOG.info("%s", cost_line(self.cost()))
        if left := total - len(answers):
            raise UserError(self._too_late(left, total))
        return [self._candidates(statement, answers) for statement in statements]

    def cost(self) -> dict[str, Any]:
        """Return what the run has cost until now, and all answers that it uses: see ``fgclep.recovery.cost``."""
        return cost(self._calls, self._from_cache, self._used.values())

    def plan(self, texts: Sequence[str]) -> tuple[dict[Wanted, list[str] | Failure], list[Wanted]]:
        """Return the answers that are stored, and those to be asked for."""
        answers: dict[Wanted, list[str] | Failure] = {}
        missing = []
        for sample in range(self._settings.samples):
            for text in dict.fromkeys(texts):
                record = self._cache.get(self.question(text, sample))
                if record is None:
                    missing.append((text, sample))
                else:
                    answers[text, sample] = record["answer"]
                    self._used[text, sample] = record["more"]
        return answers, missing

    def _options(self, sample: int) -> Options:
        settings = self._settings
        return Options(settings.temperature, sample, settings.max_tokens, settings.context_tokens)

    def question(self, text: str, sample: int) -> dict[str, Any]:
        """Return all that determines the answer about a statement, for the cache."""
        question = {
            "backend": self.name,
            "model": self._settings.model,
            "model_digest": self.model_digest,
            "prompt_hash": self.prompt.hash,
            "schema_hash": self.prompt.schema_hash,
            "options": asdict(self._options(sample)),
            "statements_per_call": 1,  # once a setting; with it, the answers of that time are still found
            "text": text,
            "sample": sample,
        }
        if (
            self.name == "ollama" and self._settings.think is not False
        ):  # once no setting; without it, the answers of that time are still found
            question["think"] = self._settings.think
        return question

    def _ask(self, wanted: Wanted) -> dict[Wanted, list[str] | Failure]:
        """Ask the server, again with another seed if the answer is of no use."""
        text, sample = wanted
        if len(text) > LONGEST:
            return {wanted: Failure(f"the statement has {len(text):,} characters; it is asked with up to {LONGEST:,}")}
        options = self._options(sample)
        for attempt in range(ATTEMPTS):
            if attempt:
                temperature = max(RETRY_TEMPERATURE, options.temperature)
                options = replace(options, temperature=temperature, seed=sample + attempt * 1000)
            try:
                reply, seconds = self._patience(partial(self._call, text, options))
                answer = self.prompt.read(reply.content)
            except UnusableAnswer as error:
                problem = str(error)
                LOG.warning("%r, sample %d: %s", text, sample, problem)
                continue
            model = self._model_now()  # before the answer is kept as this model's
            with self._lock:
                self._usable = True
            more = {
                "seconds": seconds,
                "used": asdict(options),
                "prompt_version": self.prompt.version,
                "prompt_tokens": reply.prompt_tokens,
                "answer_tokens": reply.answer_tokens,
                "server_version": reply.server_version or model.server_version,
            }
            self._cache.put(self.question(text, sample), answer, more)
            self._used[wanted] = more
            return {wanted: answer}
        self._give_up_if_hopeless(problem)
        return {wanted: Failure(problem)}

    def _call(self, text: str, options: Options) -> tuple[Reply, float]:
        """Return the server's reply and the seconds that it took; the call is counted however it ends."""
        reply = None
        begun = self._clock.seconds()
        try:
            reply = self._server.ask(self.prompt.render(text), self.prompt.schema, options)
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
                "    recovery:\n      model: llama3:8b\n\nor, where Ollama forgets the schema of a "
                "model that is told not to think, do not tell it\n\n    recovery:\n      think: null"
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
        first: dict[str, tuple[str, str | None, str]] = {}  # feature or answer -> answer, feature, rejection
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
            candidates.append(Candidate(failures[0], None, len(failures), samples, Rejection.NO_USABLE_ANSWER))
        return candidates


def _read(given: Sequence[str], parser: StatementParser) -> list[tuple[str, str | None, str]]:
    """Return answer, feature and reason for each item of an answer; an abstention is an item too."""
    if not given:
        return [("none", None, Rejection.NO_FEATURE)]
    if list(given) == [UNKNOWN]:
        return [(UNKNOWN, None, Rejection.UNKNOWN)]
    found = []
    for answer in given:
        feature, rejection = map_answer(answer, parser)
        found.append((answer, feature, Rejection.UNKNOWN_BESIDE if answer == UNKNOWN else rejection or ""))
    return found
