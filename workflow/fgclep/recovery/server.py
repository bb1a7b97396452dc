"""What a server of a language model must be able to do, and how it can fail."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from fgclep.errors import UserError

TOP_WORDS = 20  # of the likeliest first words; the most that OpenAI's API gives
SHOWN = 200  # characters of an answer that is of no use


class NoReply(Exception):
    """The server gave no reply, or none that can be read; later it may.

    Parameters
    ----------
    message
        What happened.
    wait
        Seconds after which the server wants to be asked again, if it said so.
    loading
        Whether the server is there, and says that it is not ready yet.
    """

    def __init__(self, message: str, wait: float | None = None, loading: bool = False):
        super().__init__(message)
        self.wait = wait
        self.loading = loading


class UnusableAnswer(Exception):
    """A reply came, and the model's answer in it is of no use.

    Parameters
    ----------
    reason
        Why.
    answer
        Its first characters are shown with the reason.
    """

    def __init__(self, reason: str, answer: object = None):
        shown = str(answer or "")[:SHOWN]
        super().__init__(f"{reason}; it begins {shown!r}" if shown else reason)


@dataclass(frozen=True)
class Model:
    """What a server says of its model.

    Parameters
    ----------
    digest
        Tells models of the same name apart, as far as the server lets one.
    server_version
        Kept with every answer; empty if the server does not tell.
    """

    digest: str
    server_version: str


@dataclass(frozen=True)
class Options:
    """How an answer is to be made."""

    temperature: float
    seed: int
    max_tokens: int
    context_tokens: int


@dataclass(frozen=True)
class Reply:
    """The model's words; and, if the server tells, the tokens that were read and written, and its version.

    ``cached_tokens`` of those read were known to the server from the question before. ``first_words`` are the likeliest
    first words of an answer with the logarithms of their probabilities.
    """

    content: str
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    server_version: str = ""
    cached_tokens: int | None = None
    first_words: tuple[tuple[str, float], ...] = ()


class Server(Protocol):
    """A server of a language model; its methods are called from several threads at once."""

    @property
    def name(self) -> str:
        """The config's name of this kind of server."""

    @property
    def advice(self) -> str:
        """What to do if it gives no reply."""

    def model(self) -> Model:
        """Return what the server says of the model.

        Raises
        ------
        NoReply
        UserError
            If the server does not have the model, or refuses.
        """

    def ask(self, prompt: str, schema: Mapping[str, Any] | None, options: Options) -> Reply:
        """Ask one question; the answer should be JSON that fits ``schema``.

        Without a schema only the first word is asked for, and ``Reply.first_words`` are given.

        Raises
        ------
        NoReply
        UnusableAnswer
            If the answer is empty or cut.
        UserError
            If the server refuses, or tells no probabilities of first words.
        """


def first_words(told: Iterable[tuple[str, float]] | None, name: str) -> tuple[tuple[str, float], ...]:
    """Return what a server tells of the first word of an answer.

    Raises ``UserError`` if it tells nothing.
    """
    words = tuple(told or ())
    if not words:
        raise UserError(
            f"the server ({name}) tells no probabilities of an answer's words, which recovery.question: likelihood "
            "needs. llama.cpp and vLLM tell them, Ollama from 0.12.11 on. Or write\n\n"
            "    recovery:\n      question: list"
        )
    return words
