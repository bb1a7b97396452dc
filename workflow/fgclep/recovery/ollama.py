"""A language model on an Ollama server."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import ollama

from fgclep.config.recovery import RecoverySection
from fgclep.errors import UserError
from fgclep.recovery.client import LanguageClient
from fgclep.recovery.server import TOP_WORDS, Model, NoReply, Options, Reply, UnusableAnswer, first_words
from fgclep.recovery.time_limit import LimitedCalls

T = TypeVar("T")

# The last three are how the client fails on replies that are no text, no JSON, or not the expected one.
TRANSIENT = (ConnectionError, TimeoutError, ValueError, AttributeError, TypeError)


class OllamaServer:
    """Ask a model on an Ollama server.

    Parameters
    ----------
    settings
        The config's ``recovery`` section. A key, where one is needed, comes from the environment.
    """

    name = "ollama"
    advice = (
        "Start one with:  ollama serve\n"
        "or give its address in config.yaml:\n\n    recovery:\n      host: http://localhost:11434\n"
    )

    def __init__(self, settings: RecoverySection):
        self._settings = settings
        self._client = LanguageClient(settings)
        self._calls = LimitedCalls(self._make_client, settings.timeout_seconds)

    def _make_client(self) -> ollama.Client:
        return ollama.Client(
            host=self._settings.host,
            timeout=self._client.timeout,
            transport=self._client.transport(),
            follow_redirects=False,
            # a proxy from the environment would be asked for a server on this machine
            trust_env=False,
        )

    def model(self) -> Model:
        """See ``Server.model``."""
        wanted = self._settings.model
        digests = {model.model: model.digest for model in self._reach(lambda client: client.list()).models}
        for name in (wanted, f"{wanted}:latest"):
            if digest := digests.get(name):
                return Model(digest, self._version())
        raise UserError(self._no_model(sorted(str(name) for name in digests)))

    def _version(self) -> str:
        # the client has no method for it, and not every server this path
        reply = self._reach(lambda client: client._client.get("/api/version"))
        return str(reply.json().get("version", "")) if reply.is_success else ""

    def _no_model(self, present: list[str]) -> str:
        model, host = self._settings.model, self._settings.host
        has = f"it has {', '.join(present)}" if present else "it has none"
        return (
            f"the Ollama server at {host} does not have the model {model!r} ({has}); get it with: ollama pull {model}"
        )

    def _reach(self, call: Callable[[ollama.Client], T]) -> T:
        try:
            return self._calls(call)
        except ollama.ResponseError as error:
            if error.status_code == 404 and "model" in str(error):
                raise UserError(self._no_model([])) from error
            raise self._client.refusal(error.status_code, error) from None
        except TRANSIENT as error:
            raise NoReply(self._client.told(f"{type(error).__name__}: {error}")) from None

    def ask(self, prompt: str, schema: Mapping[str, Any] | None, options: Options) -> Reply:
        """See ``Server.ask``."""
        given = {
            "num_predict": options.max_tokens,
            "num_ctx": options.context_tokens,
            "temperature": options.temperature,
            "seed": options.seed,
        }
        messages = [{"role": "user", "content": prompt}]
        model, think = self._settings.model, self._settings.think
        asked: dict[str, Any] = {"format": dict(schema)} if schema else {"logprobs": True, "top_logprobs": TOP_WORDS}
        reply = self._reach(lambda client: client.chat(model, messages, options=given, think=think, **asked))
        content = reply.message.content
        if not reply.done:
            raise UnusableAnswer("the answer ended before it was done", content)
        if not schema:
            top = reply.logprobs[0].top_logprobs if reply.logprobs else None
            words = first_words([(word.token, word.logprob) for word in top or ()], self.name)
            return Reply(content or "", reply.prompt_eval_count, reply.eval_count, first_words=words)
        if reply.done_reason == "length":
            raise UnusableAnswer("the answer was cut at recovery.max_tokens", content)
        if not content:
            raise UnusableAnswer("the answer is empty")
        self._check_length(reply.prompt_eval_count, options)
        return Reply(content, reply.prompt_eval_count, reply.eval_count)

    def _check_length(self, prompt_tokens: int | None, options: Options) -> None:
        """Refuse to go on where the server may have cut the prompt to make it fit, which it does without a word."""
        needed = (prompt_tokens or 0) + options.max_tokens
        if needed > options.context_tokens:
            raise UserError(
                f"the prompt of {prompt_tokens} tokens and an answer of {options.max_tokens} do not fit into the "
                f"model's context of {options.context_tokens}. Write in config.yaml\n\n"
                f"    recovery:\n      context_tokens: {-(-needed // 1024) * 1024}"
            )
