"""Candidates from a language model on an Ollama server."""

import hashlib
import json
import logging
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from string import Template
from typing import Any, TypeVar

import httpx
import ollama
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fgclep.recovery.backend import Candidate
from fgclep.recovery.cache import AnswerCache
from fgclep.recovery.mapping import map_answer
from fgclep.stage import UserError
from fgclep.statements import Statement, StatementParser
from fgclep.vocabulary import Vocabulary

T = TypeVar("T")
log = logging.getLogger(__name__)

MAX_FEATURES = 24  # in one answer
# The last four are how the client fails on replies that are no JSON, or not the expected one.
TRANSIENT = (ConnectionError, httpx.TransportError, ValidationError, AttributeError, TypeError, json.JSONDecodeError)
TRANSIENT_STATUS = {-1, 408, 429}  # and all from 500
WAITS = (1.0, 2.0, 4.0, 8.0)  # seconds between repetitions of a question that got no reply
CONTENT_ATTEMPTS = 3  # an unusable answer repeats at the same seed and temperature, so both change
CONTENT_TEMPERATURE = 0.5


class Answer(BaseModel):
    """What the model must answer; servers do not enforce every schema, so each answer is checked again."""

    model_config = ConfigDict(extra="forbid", strict=True)
    features: list[str] = Field(max_length=4 * MAX_FEATURES)


class _ContentError(Exception):
    """A reply came, and is no usable answer."""


def answer_schema(features: list[str]) -> dict[str, Any]:
    """Return the JSON schema that restricts answers to ``features``, in the terms that every server understands."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["features"],
        "properties": {
            "features": {"type": "array", "maxItems": MAX_FEATURES, "items": {"type": "string", "enum": features}}
        },
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class OllamaBackend:
    """Ask a language model for the features that go with a statement.

    Parameters
    ----------
    settings
        The config's ``recovery`` section.
    template
        The prompt, with ``$features`` and ``$statement``; the statement comes last, so that servers keep the constant
        part, and is put in as a JSON string.
    vocabulary
        Answers are restricted to its features, and mapped to them again.
    pause
        Called with the seconds to wait before a question is repeated.

    Raises
    ------
    UserError
        If the server does not answer, or does not have the model.
    """

    name = "ollama"

    def __init__(
        self, settings: dict, template: str, vocabulary: Vocabulary, pause: Callable[[float], None] = time.sleep
    ):
        self._settings = settings
        self._parser = StatementParser(vocabulary)
        self._pause = pause
        texts = [feature.text for feature in vocabulary.features.values()]
        self._schema = answer_schema(texts)
        listed = "\n".join(f"- {text}" for text in texts)
        self._prompt = Template(template)
        self._features = listed
        self.prompt_hash = _digest(self._prompt.substitute(features=listed, statement=""))
        self._schema_hash = _digest(json.dumps(self._schema, sort_keys=True))
        self._cache = AnswerCache(settings["cache"])
        # trust_env: a proxy from the environment would be asked for a server on this machine
        timeout = httpx.Timeout(connect=5.0, read=settings["timeout_seconds"], write=30.0, pool=None)
        self._client = ollama.Client(host=settings["host"], timeout=timeout, trust_env=False)
        self.model_digest = self._find_model()

    def _find_model(self) -> str:
        wanted = self._settings["model"]
        listed = self._reach(self._client.list, waits=()).models
        digests = {model.model: model.digest for model in listed}
        for name in (wanted, f"{wanted}:latest"):
            if digest := digests.get(name):
                return digest
        raise UserError(self._no_model(sorted(str(name) for name in digests)))

    def _no_model(self, present: list[str]) -> str:
        model, host = self._settings["model"], self._settings["host"]
        has = f"it has {', '.join(present)}" if present else "it has none"
        return (
            f"the Ollama server at {host} does not have the model {model!r} ({has}); get it with: ollama pull {model}"
        )

    def _no_server(self, error: Exception) -> str:
        return (
            f"no usable reply from an Ollama server at {self._settings['host']}: {error}\n"
            "Start one with:  ollama serve\n"
            "or give its address in config.yaml:\n"
            "  recovery:\n"
            "    host: http://localhost:11434\n"
            "or recover features without a language model:\n"
            "  recovery:\n"
            "    backend: knowledge\n"
            "Answers got so far are kept and will not be asked for again."
        )

    def _reach(self, call: Callable[[], T], waits: tuple[float, ...] = WAITS) -> T:
        """Call the server; repeat what may pass, with growing pauses, and explain what will not."""
        for wait in (*waits, None):
            try:
                return call()
            except ollama.ResponseError as error:
                if error.status_code == 404 and "model" in str(error):
                    raise UserError(self._no_model([])) from error
                if error.status_code not in TRANSIENT_STATUS and error.status_code < 500:
                    raise UserError(f"the Ollama server at {self._settings['host']} refuses: {error}") from error
                failure: Exception = error
            except TRANSIENT as error:
                failure = error
            if wait is None:
                raise UserError(self._no_server(failure)) from failure
            log.warning("Ollama: %s; asking again in %g s", failure, wait)
            self._pause(wait)
        raise AssertionError("the loop above returns or raises")

    def _ask(self, text: str, sample: int) -> list[str]:
        """Return the features of one answer, from the cache or the server.

        Raises
        ------
        _ContentError
            If ``CONTENT_ATTEMPTS`` answers are of no use.
        """
        options: dict[str, Any] = {
            "num_predict": self._settings["max_tokens"],
            "num_ctx": self._settings["context_tokens"],
            "temperature": self._settings["temperature"],
            "seed": sample,
        }
        question = {
            "model": self._settings["model"],
            "model_digest": self.model_digest,
            "prompt_hash": self.prompt_hash,
            "schema_hash": self._schema_hash,
            "options": options,
            "text": text,
            "sample": sample,
        }
        stored = self._cache.get(question)
        if stored is not None:
            return Answer.model_validate_json(stored).features
        prompt = self._prompt.substitute(features=self._features, statement=json.dumps(text, ensure_ascii=False))
        messages = [{"role": "user", "content": prompt}]
        for attempt in range(CONTENT_ATTEMPTS):
            if attempt:
                options = {
                    **options,
                    "temperature": max(CONTENT_TEMPERATURE, self._settings["temperature"]),
                    "seed": sample + attempt * 1000,
                }
            ask = partial(self._client.chat, self._settings["model"], messages, format=self._schema, options=options)
            reply = self._reach(partial(ask, think=False))
            try:
                answer = _usable(reply)
            except _ContentError as error:
                problem = error
                log.warning("Ollama: %r, sample %d: %s", text, sample, error)
            else:
                self._cache.put(question, answer.model_dump_json())
                return answer.features
        raise problem

    def propose(self, statement: Statement) -> list[Candidate]:
        """Ask ``samples`` times and count in how many answers each feature is named."""
        samples = self._settings["samples"]
        votes: Counter[str] = Counter()
        first: dict[str, tuple[str, str | None, str]] = {}  # feature or answer -> answer, feature, reason
        failures = []
        for sample in range(samples):
            try:
                answers = self._ask(statement.text, sample)
            except _ContentError as error:
                failures.append(str(error))
                continue
            named = set()
            for answer in answers:
                feature, reason = map_answer(answer, self._parser)
                key = f"feature {feature}" if feature else f"answer {answer}"
                first.setdefault(key, (answer, feature, reason))
                named.add(key)
            votes.update(named)
        candidates = [Candidate(*first[key][:2], votes[key], samples, first[key][2]) for key in first]
        if failures:
            reason = f"{len(failures)} of {samples} samples gave no usable answer: {failures[0]}"
            candidates.append(Candidate("", None, 0, samples, reason))
        return candidates


def _usable(reply: ollama.ChatResponse) -> Answer:
    """Check a reply; the client raises nothing for one that is cut, empty or of another form."""
    if not reply.done:
        raise _ContentError("the reply ended before it was done")
    if reply.done_reason == "length":
        raise _ContentError("the reply was cut at recovery.max_tokens")
    if not reply.message.content:
        raise _ContentError("the reply is empty")
    try:
        return Answer.model_validate_json(reply.message.content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _ContentError(f"the reply is not of the form asked for: {first['msg']}") from error
