"""What is proposed without a model: the controls beside which a language model shows its worth."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fgclep.config.recovery import RecoverySection
from fgclep.folds import stable_bucket
from fgclep.language.statements import Statement
from fgclep.language.vocabulary import Vocabulary
from fgclep.recovery.backend import Candidate
from fgclep.recovery.everything import EverythingBackend
from fgclep.recovery.knowledge import KnowledgeBackend
from fgclep.recovery.shortlist import Shortlists

RANDOM = 8  # features drawn for a statement
CONSTANT = ("p_before_qrs", "regular_rr", "normal_pr")
LISTED, ITEMS = RecoverySection().shortlist or 16, RecoverySection().items


class Control(NamedTuple):
    """What is proposed for each statement, and for every record."""

    proposed: list[list[Candidate]]
    every: list[Candidate]


def controls(vocabulary: Vocabulary, statements: Sequence[Statement]) -> dict[str, Control]:
    """Return the controls by their names in words; the same for the same statements."""

    def named(names: Sequence[str]) -> list[Candidate]:
        return [Candidate(vocabulary.features[name].text, name, 1, 1) for name in names]

    everything = EverythingBackend(vocabulary).for_every_record()
    known = KnowledgeBackend(vocabulary).propose(statements)
    features = list(vocabulary.features)
    shortlists = Shortlists(vocabulary, features, LISTED)
    random = [
        named(np.random.default_rng(stable_bucket(s.text, 2**31)).choice(features, RANDOM, replace=False).tolist())
        for s in statements
    ]
    return {
        f"{RANDOM} random features": Control(random, []),
        f"{ITEMS} random features of a short list": Control(
            [named(shortlists.shuffled(statement, 0)[:ITEMS]) for statement in statements], []
        ),
        "three constant features": Control([named(CONSTANT) for _ in statements], []),
        "everything that is measured": Control([[] for _ in statements], everything),
        "knowledge table": Control(known, []),
        "everything, and the knowledge table": Control(known, everything),
    }
