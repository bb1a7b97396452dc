"""Which features a question about a statement is about: a short list from the vocabulary.

A small model that is given all features of the vocabulary takes those at the top of the list. A list of what may go
with the statement at all is shorter to read, and any choice from it is better than one from everything.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import log

import numpy as np

from fgclep.folds import stable_bucket
from fgclep.language.statements import Statement
from fgclep.language.vocabulary import Diagnosis, Feature, Vocabulary

WEIGHTS = {"typical": 1.0, "alternative": 0.7, "seldom": 0.4}
KIND, PLACE = 0.5, 0.5  # what a diagnosis is related by, beside the features that it shares
LEAST_OTHERS = 3  # features of related diagnoses, however few are of the statement's own


class Shortlists:
    """The features that may go with a statement, the most likely ones first.

    Parameters
    ----------
    vocabulary
        Whose diagnoses say what goes with what.
    features
        Ids of those that may be asked about.
    size
        The longest list.
    """

    def __init__(self, vocabulary: Vocabulary, features: Sequence[str], size: int):
        self._vocabulary = vocabulary
        self._features = [vocabulary.features[name] for name in features]
        self._size = size
        self._words = {entry.id: _words(entry) for entry in vocabulary.entries}
        frequency = Counter(word for words in self._words.values() for word in words)
        self._rarity = {word: log(len(self._words) / count) for word, count in frequency.items()}
        asked = {feature.id for feature in self._features}
        self._table = {
            d.id: {name: weight for name, weight in _table(d).items() if name in asked}
            for d in vocabulary.diagnoses.values()
        }

    def of(self, statement: Statement) -> list[str]:
        """Return the ids for a statement; none where none of the features goes with the diagnoses that it makes.

        Half of them are features of the statement's own diagnoses, as far as there are so many, the others those of
        related diagnoses: of the same group, kind or place, with features in common. Where the vocabulary does not know
        the statement, its words say what is related; where they say nothing, the features that most diagnoses have.
        What the statement states, denies or excludes is left out.
        """
        diagnoses = [self._vocabulary.diagnoses[name] for name in statement.diagnoses]
        out = {*statement.features, *statement.negated}
        out |= {name for d in diagnoses if d.id not in statement.possible for name in d.incompatible}
        own: dict[str, float] = {}
        for diagnosis in diagnoses:
            for name, weight in self._table[diagnosis.id].items():
                own[name] = max(own.get(name, 0.0), weight)
        if not diagnoses:
            related = self._by_words(statement.text)
            return _ranked({name: score for name, score in related.items() if name not in out})[: self._size]
        first = _ranked({name: score for name, score in own.items() if name not in out})[: self._size // 2]
        if not first:
            return []
        related = self._by_diagnoses(diagnoses)
        others = _ranked({name: score for name, score in related.items() if name not in {*out, *own}})
        return [*first, *others[: min(max(len(first), LEAST_OTHERS), self._size - len(first))]]

    def shuffled(self, statement: Statement, sample: int) -> list[str]:
        """Return the ids in an order that depends on statement and sample alone."""
        chosen = self.of(statement)
        order = np.random.default_rng([stable_bucket(statement.text, 2**31), sample]).permutation(len(chosen))
        return [chosen[place] for place in order]

    def _by_diagnoses(self, diagnoses: Sequence[Diagnosis]) -> dict[str, float]:
        """Score features by how much the diagnoses that have them are like the given ones."""
        found: dict[str, float] = {}
        for other in self._vocabulary.diagnoses.values():
            likeness = max(_likeness(diagnosis, other) for diagnosis in diagnoses)
            _raise_scores(found, self._table[other.id], likeness)
        return found

    def _by_words(self, text: str) -> dict[str, float]:
        words = set(text.split())
        found: dict[str, float] = {}
        for diagnosis in self._vocabulary.diagnoses.values():
            _raise_scores(found, self._table[diagnosis.id], self._overlap(words, diagnosis.id))
        for feature in self._features:
            _raise_scores(found, {feature.id: 1.0}, self._overlap(words, feature.id))
        if found:
            return found
        usual = Counter(name for table in self._table.values() for name in table)
        return {name: float(count) for name, count in usual.items()}

    def _overlap(self, words: set[str], entry: str) -> float:
        return sum(self._rarity[word] for word in words & self._words[entry])


def _words(entry: Feature | Diagnosis) -> set[str]:
    phrases = (entry.text, *entry.synonyms, *entry.names, *entry.german)
    return {word for phrase in phrases for word in phrase.split() if len(word) > 2}


def _table(diagnosis: Diagnosis) -> dict[str, float]:
    return {name: weight for kind, weight in reversed(WEIGHTS.items()) for name in getattr(diagnosis, kind)}


def _likeness(one: Diagnosis, other: Diagnosis) -> float:
    if one.id == other.id:
        return 0.0
    mine, theirs = set(_table(one)), set(_table(other))
    likeness = len(mine & theirs) / max(1, len(mine | theirs))
    if one.group != other.group and not set(one.leads) & set(other.leads):
        return 0.0
    related = other.id == one.kind_of or one.id == other.kind_of or (one.kind_of and one.kind_of == other.kind_of)
    return likeness + (KIND if related else 0.0) + (PLACE if set(one.leads) & set(other.leads) else 0.0)


def _raise_scores(scores: dict[str, float], table: Mapping[str, float], factor: float) -> None:
    for name, weight in table.items():
        if weight * factor > 0:
            scores[name] = max(scores.get(name, 0.0), weight * factor)


def _ranked(scores: Mapping[str, float]) -> list[str]:
    return sorted(scores, key=lambda name: (-scores[name], name))
