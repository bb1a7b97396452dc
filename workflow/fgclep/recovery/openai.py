"""A language model on a server with OpenAI's API, such as vLLM or llama.cpp."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx
import openai

from fgclep.config.recovery import RecoverySection
from fgclep.errors import UserError
from fgclep.recovery.client import LanguageClient
from fgclep.recovery.prompt import digest
from fgclep.recovery.server import TOP_WORDS, Model, NoReply, Options, Reply, UnusableAnswer, first_words
from fgclep.recovery.time_limit import LimitedCalls

T = TypeVar("T")

# The last five are how the client fails on replies that are no JSON, or not the expected one.
TRANSIENT = (openai.APIConnectionError, TimeoutError, ValueError, AttributeError, TypeError, KeyError, IndexError)
# What /v1/models says of how a model is served, not of the model: another context gives no other answers.
OF_THE_SERVER = {"created", "permission", "max_model_len", "n_ctx", "status"}
CONFLICT = 409  # passes, too, by OpenAI's API


class OpenAIServer:
    """Ask a model on a server with the paths ``/v1/models`` and ``/v1/chat/completions``.

    The API has no digest of a model: it is told apart by what ``/v1/models`` says of it, other than dates.

    Parameters
    ----------
    settings
        The config's ``recovery`` section. A key, where one is needed, comes from the environment.
    """

    name = "openai"
    advice = (
        "Start one, for example:  vllm serve MODEL  or  llama-server -m MODEL.gguf\n"
        "or give its address in config.yaml:\n\n    recovery:\n      host: http://localhost:8000\n"
    )

    def __init__(self, settings: RecoverySection):
        self._settings = settings
        self._client = LanguageClient(settings)
        host = settings.host.rstrip("/")
        self._address = host if host.endswith("/v1") else f"{host}/v1"
        self._calls = LimitedCalls(self._make_client, settings.timeout_seconds)

    def _make_client(self) -> openai.OpenAI:
        return openai.OpenAI(
            base_url=self._address,
            api_key="none",  # fgclep.recovery.client sends the key
            max_retries=0,  # fgclep.recovery.retries does it
            timeout=self._client.timeout,  # type: ignore[arg-type] # httpx's, as the client's
            http_client=httpx.Client(  # type: ignore[arg-type]
                transport=self._client.transport(),
                timeout=self._client.timeout,
                follow_redirects=False,
                # a proxy from the environment would be asked for a server on this machine
                trust_env=False,
            ),
        )

    def model(self) -> Model:
        """See ``Server.model``."""
        wanted, host = self._settings.model, self._settings.host
        # the client does not check what it passes on: an id may be no text, a key no Unicode
        listed = self._reach(
            lambda client: {str(model.id): model.model_dump(warnings=False) for model in client.models.list().data}
        )
        if wanted not in listed:
            raise UserError(
                f"the server at {host} does not have the model {wanted!r} (it has {', '.join(listed) or 'none'}); "
                f"write in config.yaml\n\n    recovery:\n      model: {next(iter(listed), 'NAME')}"
            )
        said = {key: value for key, value in listed[wanted].items() if key not in OF_THE_SERVER}
        if isinstance(said.get("meta"), dict):  # llama.cpp's
            said["meta"] = {key: value for key, value in said["meta"].items() if key not in OF_THE_SERVER}
        return Model(digest(json.dumps(said, sort_keys=True, default=str)), "")

    def _reach(self, call: Callable[[openai.OpenAI], T]) -> T:
        try:
            return self._calls(call)
        except openai.APIStatusError as error:
            words = f"{error.status_code} {error.response.text}"
            if error.status_code == CONFLICT:
                raise NoReply(self._client.told(words)) from None
            wait = _seconds(error.response.headers.get("retry-after"))
            refusal = self._client.refusal(error.status_code, words, wait)
            if error.status_code == 404:
                hint = f"Is {self._settings.model!r} its model, and {self._address}/ its address?"
                raise UserError(f"{refusal}\n{hint}") from None
            raise refusal from None
        except TRANSIENT as error:
            cause = error.__cause__ or error
            if isinstance(cause, NoReply | UserError):  # of fgclep.recovery.client, which the library wraps
                raise cause from None
            raise NoReply(self._client.told(f"{type(cause).__name__}: {cause}")) from None

    def ask(self, prompt: str, schema: Mapping[str, Any] | None, options: Options) -> Reply:
        """See ``Server.ask``."""
        asked: dict[str, Any] = {"logprobs": True, "top_logprobs": TOP_WORDS}
        if schema:
            form = {"name": "features", "strict": True, "schema": dict(schema)}
            asked = {"response_format": {"type": "json_schema", "json_schema": form}}

        def call(client: openai.OpenAI) -> tuple[Any, ...]:
            reply = client.chat.completions.create(
                model=self._settings.model,
                messages=[{"role": "user", "content": prompt}],
                temperature=options.temperature,
                seed=options.seed,
                max_tokens=options.max_tokens,
                **asked,
            )
            choice = reply.choices[0]
            usage = [getattr(reply.usage, name, None) for name in ("prompt_tokens", "completion_tokens")]
            usage.append(getattr(getattr(reply.usage, "prompt_tokens_details", None), "cached_tokens", None))
            told = choice.logprobs.content if choice.logprobs else None
            words = [] if schema or not told else [(word.token, word.logprob) for word in told[0].top_logprobs]
            said = choice.finish_reason, choice.message.content, choice.message.refusal
            return *said, usage, reply.system_fingerprint, words

        finish, content, refusal, usage, version, words = self._reach(call)
        if refusal:
            raise UnusableAnswer("the model refuses", refusal)
        version = version if isinstance(version, str) else ""
        read, written, cached = (count if type(count) is int else None for count in usage)
        if not schema:
            return Reply(str(content or ""), read, written, version, cached, first_words(words, self.name))
        if finish == "length":
            raise UnusableAnswer("the answer was cut at recovery.max_tokens", content)
        if finish != "stop":
            raise UnusableAnswer(f"the answer ended before it was done: {finish}", content)
        if not content:
            raise UnusableAnswer("the answer is empty")
        if not isinstance(content, str):  # the client does not check what it passes on
            raise UnusableAnswer("the answer is no text", str(content))
        return Reply(content, read, written, version, cached)


def _seconds(text: str | None) -> float | None:
    """Return the seconds of a Retry-After header; ``None`` if it is absent or a date."""
    return float(text) if text is not None and text.isascii() and text.isdigit() else None
