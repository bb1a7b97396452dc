"""What a source of candidate features must be able to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fgclep.language.statements import Statement
from fgclep.language.vocabulary import Vocabulary


@dataclass(frozen=True)
class Candidate:
    """One feature that a backend proposes for a statement, or one answer that is no feature.

    Parameters
    ----------
    answer
        As the backend wrote it; what is wrong with the first of those that are not usable.
    feature
        Id in the vocabulary; ``None`` if the answer is no feature of it, see ``reason``.
    votes, samples
        In how many of how many answers the feature was named.
    reason
        Empty, or why this is no candidate: a ``Rejection``.
    """

    answer: str
    feature: str | None
    votes: int
    samples: int
    reason: str = ""


class Backend(Protocol):
    """A source of candidate features.

    ``name``, ``model_digest`` and ``prompt_hash`` go into the audit, to tell later what proposed a feature.
    """

    @property
    def name(self) -> str:
        """The config's name of the backend."""

    @property
    def model_digest(self) -> str:
        """Digest of the model, or of the knowledge, behind the answers."""

    @property
    def prompt_hash(self) -> str:
        """Digest of what is asked, the statement left out; empty if nothing is asked."""

    def propose(self, statements: Sequence[Statement]) -> list[list[Candidate]]:
        """Return for each statement the features that ECGs with it are likely to show."""

    def for_every_record(self) -> list[Candidate]:
        """Return what is proposed for every record, whatever its report says."""

    def cost(self) -> dict[str, Any]:
        """Return what ``propose`` has cost, see ``fgclep.recovery.cost.cost``."""


def is_asked(statement: Statement, vocabulary: Vocabulary) -> bool:
    """Whether features are to be recovered from a statement.

    Administrative statements never are, nor verdicts such as "abnormal ecg", which say nothing about the waveform, nor
    statements that name features only: they leave nothing out.
    """
    if statement.kind == "administrative":
        return False
    return statement.kind == "unknown" or any(
        vocabulary.diagnoses[name].group != "summary" for name in statement.diagnoses
    )
