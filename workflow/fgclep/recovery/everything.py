"""Candidates without a model: every feature that can be measured, for every record."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from fgclep.language.statements import Statement
from fgclep.language.vocabulary import Vocabulary
from fgclep.recovery.backend import Candidate
from fgclep.recovery.cost import CallCounter, cost


class EverythingBackend:
    """Propose for every record each feature that has a rule on measured values; the checks decide.

    Parameters
    ----------
    vocabulary
        Its features with a rule are proposed.
    samples
        As many votes each feature gets: measurement needs no votes.
    """

    name = "everything"
    prompt_hash = ""

    def __init__(self, vocabulary: Vocabulary, samples: int = 1):
        self._features = [feature for feature in vocabulary.features.values() if feature.rule is not None]
        self._samples = samples
        table = {feature.id: feature.rule for feature in self._features}
        self.model_digest = hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()[:12]

    def propose(self, statements: Sequence[Statement]) -> list[list[Candidate]]:
        """Return nothing for each statement: what is proposed holds for all records, see ``for_every_record``."""
        return [[] for _ in statements]

    def for_every_record(self) -> list[Candidate]:
        """Return what is proposed for every record, whatever its report says."""
        return [Candidate(f.text, f.id, self._samples, self._samples) for f in self._features]

    def cost(self) -> dict[str, Any]:
        """Return zeros."""
        return cost(CallCounter(), 0, [])
