"""Candidates from a language model: what is asked, what is stored, and how samples become votes."""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from fgclep.config.recovery import RecoverySection
from fgclep.errors import UserError
from fgclep.language.statements import Statement
from fgclep.language.vocabulary import Vocabulary
from fgclep.recovery.backend import Candidate
from fgclep.recovery.cache import AnswerCache
from fgclep.recovery.cost import CallCounter, cost, cost_line
from fgclep.recovery.questions import Failure, Question, make_questions
from fgclep.recovery.retries import Clock, Patience
from fgclep.recovery.run_calls import run_calls
from fgclep.recovery.server import Model, NoReply, Options, Reply, Server, UnusableAnswer

LOG = logging.getLogger(__name__)

ATTEMPTS = 3  # an unusable answer repeats at the same seed and temperature, so both change
RETRY_TEMPERATURE = 0.5
LONGEST = 2_000  # characters of a statement: a longer one fits into no usual context, and would end the run
HOPELESS = 20  # questions without a usable answer from the start on: it is not the statements


class LanguageModel:
    """Ask a language model for the features that go with statements.

    Parameters
    ----------
    server
        Who answers.
    settings
        The config's ``recovery`` section.
    prompts
        Folder of the prompts' templates.
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
        prompts: Path,
        vocabulary: Vocabulary,
        clock: Clock | None = None,
    ):
        hours = settings.deadline_hours
        self._server = server
        self._settings = settings
        self.questions = make_questions(settings, prompts, vocabulary)
        self._clock = clock or Clock(None if hours is None else hours * 3600)
        self._patience = Patience(settings.patience_seconds, self._clock)
        self._cache = AnswerCache(settings.cache)
        self._calls = CallCounter()
        self._from_cache = 0
        self._used: dict[Question, Mapping[str, Any]] = {}  # how each answer was got
        self._unusable = 0
        self._usable = False
        self._lock = threading.Lock()
        try:
            self.model: Model = self._first_sight()
        except NoReply as error:
            raise UserError(self._no_server(error)) from error

    def _first_sight(self) -> Model:
        """Return the model; at the start nothing is waited for but a server that says that it is still loading."""
        try:
            return self._server.model()
        except NoReply as error:
            if not error.loading:
                raise
            LOG.info("the server at %s is still loading its model", self._settings.host)
            return self._patience(self._server.model)

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
        return self.questions.prompt.hash

    def propose(self, statements: Sequence[Statement]) -> list[list[Candidate]]:
        """Ask about each statement, ``samples`` times, and return what the answers propose.

        Raises
        ------
        UserError
            If the server stays away, the model changes, or the deadline passes. What was answered is kept.
        """
        questions = [question for statement in statements for question in self.questions.about(statement)]
        answers = self.answers(questions)
        return [self.questions.candidates(statement, answers) for statement in statements]

    def answers(self, questions: Sequence[Question]) -> dict[Question, list[str] | Failure]:
        """Return the answers to questions, stored ones and those that are asked for now; raises as ``propose``."""
        answers, missing = self.plan(questions)
        total = len(answers) + len(missing)
        LOG.info("%d answers wanted, %d of them are in %s", total, len(answers), self._settings.cache)
        self._from_cache += len(answers)
        try:
            for found in run_calls(missing, self._ask, self._settings.concurrency, self._clock):
                answers.update(found)
        except NoReply as error:
            raise UserError(self._no_server(error)) from error
        finally:
            LOG.info("%s", cost_line(self.cost()))
        if left := total - len(answers):
            raise UserError(self._too_late(left, total))
        return answers

    def for_every_record(self) -> list[Candidate]:
        """Return nothing: what is proposed depends on the statement."""
        return []

    def cost(self) -> dict[str, Any]:
        """Return what the run has cost until now, and all answers that it uses: see ``fgclep.recovery.cost``."""
        return cost(self._calls, self._from_cache, self._used.values())

    def plan(self, questions: Sequence[Question]) -> tuple[dict[Question, list[str] | Failure], list[Question]]:
        """Return the answers that are stored, and what is to be asked."""
        answers: dict[Question, list[str] | Failure] = {}
        missing = []
        for question in dict.fromkeys(questions):
            record = self._cache.get(self.key(question))
            if record is None:
                missing.append(question)
            else:
                answers[question] = record["answer"]
                self._used[question] = record["more"]
        return answers, missing

    def _options(self, sample: int) -> Options:
        settings = self._settings
        if settings.question == "likelihood":
            return Options(0.0, sample, 1, settings.context_tokens)
        return Options(settings.temperature, sample, settings.max_tokens, settings.context_tokens)

    def key(self, question: Question) -> dict[str, Any]:
        """Return all that determines the answer to a question, for the cache."""
        key = {
            "backend": self.name,
            "model": self._settings.model,
            "model_digest": self.model_digest,
            "prompt_hash": self.prompt_hash,
            "options": asdict(self._options(question.sample)),
            "text": question.text,
            "sample": question.sample,
            **self.questions.key(question),
        }
        if self.name == "ollama" and self._settings.think is not False:
            key["think"] = self._settings.think
        return key

    def _ask(self, question: Question) -> dict[Question, list[str] | Failure]:
        """Ask the server, again with another seed if the answer is of no use."""
        text, sample = question.text, question.sample
        if len(text) > LONGEST:
            problem = f"the statement has {len(text):,} characters; it is asked with up to {LONGEST:,}"
            return {question: Failure(problem)}
        options = self._options(sample)
        for attempt in range(ATTEMPTS):
            if attempt:
                temperature = max(RETRY_TEMPERATURE, options.temperature)
                options = replace(options, temperature=temperature, seed=sample + attempt * 1000)
            try:
                reply, seconds = self._patience(partial(self._call, question, options))
                answer = self.questions.read(reply)
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
                "prompt_version": self.questions.prompt.version,
                "prompt_tokens": reply.prompt_tokens,
                "cached_tokens": reply.cached_tokens,
                "answer_tokens": reply.answer_tokens,
                "server_version": reply.server_version or model.server_version,
            }
            self._cache.put(self.key(question), answer, more)
            self._used[question] = more
            return {question: answer}
        self._give_up_if_hopeless(problem)
        return {question: Failure(problem)}

    def _call(self, question: Question, options: Options) -> tuple[Reply, float]:
        """Return the server's reply and the seconds that it took; the call is counted however it ends."""
        reply = None
        begun = self._clock.seconds()
        try:
            reply = self._server.ask(self.questions.render(question), self.questions.schema(question), options)
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
