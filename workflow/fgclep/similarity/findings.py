"""The findings of all texts as sets of numbers, a few bytes per text."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from fgclep.language.statements import Statement
from fgclep.language.vocabulary import Vocabulary

CERTAINTIES = ("certain", "probable", "possible")


@dataclass(frozen=True)
class TextFindings:
    """What each text says.

    Parameters
    ----------
    sets
        1 where a text names a finding, shape (texts, 2 * findings): a denied finding is another finding, whose number
        is larger by the number of ``names``.
    certainty
        Of each text, as place in ``CERTAINTIES``, shape (texts,).
    usable
        Whether the text is no administrative remark, shape (texts,); others never reach a model.
    names
        Ids of the findings in the vocabulary.
    """

    sets: csr_array
    certainty: np.ndarray
    usable: np.ndarray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.certainty)


def text_findings(statements: Iterable[Statement], vocabulary: Vocabulary) -> TextFindings:
    """Collect the findings of statements, which may come one by one."""
    names = (*vocabulary.diagnoses, *vocabulary.features)
    place = {name: i for i, name in enumerate(names)}
    members: list[int] = []
    bounds, certainty, usable = [0], [], []
    for statement in statements:
        own = {place[name] for name in (*statement.diagnoses, *statement.features)}
        own |= {len(names) + place[name] for name in statement.negated}
        members += sorted(own)
        bounds.append(len(members))
        certainty.append(CERTAINTIES.index(statement.certainty))
        usable.append(statement.kind != "administrative")
    ones = np.ones(len(members), dtype=np.float32)
    shape = (len(certainty), 2 * len(names))
    sets = csr_array((ones, np.array(members, dtype=np.int32), np.array(bounds, dtype=np.int32)), shape=shape)
    return TextFindings(sets, np.array(certainty, dtype=np.int8), np.array(usable, dtype=bool), names)
