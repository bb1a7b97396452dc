"""What a server of a language model must be able to do, and how it can fail."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

SHOWN = 200  # characters of an answer that is of no use


class NoReply(Exception):
    """The server gave no reply, or none that can be read; later it may.

    Parameters
    ----------
    message
        What happened.
    wait
        Seconds after which the server wants to be asked again, if it said so.
    """

    def __init__(self, message: str, wait: float | None = None):
        super().__init__(message)
        self.wait = wait


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
    """The model's words; and, if the server tells, the tokens that were read and written, and its version."""

    content: str
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    server_version: str = ""


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

    def ask(self, prompt: str, schema: Mapping[str, Any], options: Options) -> Reply:
        """Ask one question; the answer should be JSON that fits ``schema``.

        Raises
        ------
        NoReply
        UnusableAnswer
            If the answer is empty or cut.
        UserError
            If the server refuses.
        """
