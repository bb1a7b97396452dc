"""Candidates from the vocabulary's own table of diagnoses and their features: needs no server."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from fgclep.language.statements import Statement
from fgclep.language.vocabulary import Vocabulary
from fgclep.recovery.backend import Candidate
from fgclep.recovery.cost import CallCounter, cost


class KnowledgeBackend:
    """Propose the typical and the alternative features of every diagnosis that a statement makes.

    Alternatives exclude each other in part (a supraventricular tachycardia has rates above 100 or above 150), so there
    is something to filter, as with a language model.
    """

    name = "knowledge"
    prompt_hash = ""

    def __init__(self, vocabulary: Vocabulary):
        self._vocabulary = vocabulary
        table = {d.id: [d.typical, d.alternative] for d in vocabulary.diagnoses.values()}
        self.model_digest = hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()[:12]

    def propose(self, statements: Sequence[Statement]) -> list[list[Candidate]]:
        """Return for each statement each feature once, in the order of its diagnoses."""
        return [self._of(statement) for statement in statements]

    def for_every_record(self) -> list[Candidate]:
        """Return nothing: what is proposed depends on the statement."""
        return []

    def cost(self) -> dict[str, Any]:
        """Return zeros."""
        return cost(CallCounter(), 0, [])

    def _of(self, statement: Statement) -> list[Candidate]:
        diagnoses = [self._vocabulary.diagnoses[name] for name in statement.diagnoses]
        features = dict.fromkeys(feature for d in diagnoses for feature in (*d.typical, *d.alternative))
        return [Candidate(self._vocabulary.features[name].text, name, 1, 1) for name in features]
