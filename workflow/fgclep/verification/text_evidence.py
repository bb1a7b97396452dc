"""What the texts of reports state and exclude, and the candidates of their texts, over many reports at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from fgclep.language.statements import Statement
from fgclep.language.vocabulary import Vocabulary


@dataclass(frozen=True)
class TextEvidence:
    """What each text states and excludes.

    Parameters
    ----------
    stated
        bool of shape (texts, features): the text names the feature, or the same one in a certain place.
    excluded_by
        int16 of shape (texts, features): 0, or which entry of ``findings`` excludes the feature.
    suggested
        bool of shape (texts, features): the text names the feature or a diagnosis that may go with it, if only as
        possible.
    findings
        Names of the excluding findings; the first stands for none.
    """

    stated: np.ndarray
    excluded_by: np.ndarray
    suggested: np.ndarray
    findings: list[str | None] = field(default_factory=lambda: [None])


def text_evidence(statements: Sequence[Statement], vocabulary: Vocabulary) -> TextEvidence:
    """Tabulate what each text states, and what it excludes: by a diagnosis that it makes, or by denying a feature.

    What is merely possible is neither stated nor does it exclude anything: "possible atrial fibrillation" leaves open
    whether there are P waves.
    """
    place = {name: i for i, name in enumerate(vocabulary.features)}
    shape = (len(statements), len(place))
    stated, suggested = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    excluded_by = np.zeros(shape, dtype=np.int16)
    names: dict[str | None, int] = {None: 0}
    for i, statement in enumerate(statements):
        for name in statement.features:
            wider = [place[name], place.get(vocabulary.features[name].general or name, place[name])]
            suggested[i, wider] = True
            stated[i, wider] |= name not in statement.possible
        for diagnosis in (vocabulary.diagnoses[name] for name in statement.diagnoses):
            implied = (*diagnosis.required, *diagnosis.typical, *diagnosis.alternative, *diagnosis.seldom)
            suggested[i, [place[name] for name in implied]] = True
        for name in statement.negated:
            if name in place and not excluded_by[i, place[name]]:
                denial = f"no {vocabulary.features[name].text}"
                excluded_by[i, place[name]] = names.setdefault(denial, len(names))
        for name in (name for name in statement.diagnoses if name not in statement.possible):
            diagnosis = vocabulary.diagnoses[name]
            for feature in diagnosis.incompatible:
                if not excluded_by[i, place[feature]]:
                    excluded_by[i, place[feature]] = names.setdefault(diagnosis.text, len(names))
    return TextEvidence(stated, excluded_by, suggested, list(names))


def over_reports(
    text_ids: Sequence[np.ndarray], table: np.ndarray, join: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Join the rows of a per-text table over the texts of each report.

    Parameters
    ----------
    text_ids
        Text ids per report; the first text counts first.
    table
        Shape (texts, features).
    join
        Element-wise on two arrays of rows: what is known so far, and what the next text adds.

    Returns
    -------
    numpy.ndarray
        Shape (reports, features), zero for a report without texts.
    """
    lengths = np.array([len(ids) for ids in text_ids], dtype=np.int64)
    result = np.zeros((len(lengths), table.shape[1]), dtype=table.dtype)
    for position in range(lengths.max(initial=0)):
        rows = np.flatnonzero(lengths > position)
        result[rows] = join(result[rows], table[[text_ids[row][position] for row in rows.tolist()]])
    return result


def first_given(known: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Keep what is known, and take the new where nothing is (0)."""
    return np.where(known != 0, known, new)


def pair_candidates(
    text_ids: Sequence[np.ndarray], first: np.ndarray, count: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pair every report with the candidates of its texts.

    Parameters
    ----------
    text_ids
        Text ids per report.
    first, count
        For each text where its candidates start in the table of candidates, and how many it has.

    Returns
    -------
    tuple of numpy.ndarray
        For each pair the place of the report, and the row of the candidate.
    """
    lengths = np.array([len(ids) for ids in text_ids], dtype=np.int64)
    flat = np.concatenate([*text_ids, np.zeros(0, dtype=np.int64)]).astype(np.int64)
    counts = count[flat]
    report = np.repeat(np.repeat(np.arange(len(text_ids)), lengths), counts)
    start_of_pair = np.repeat(np.cumsum(counts) - counts, counts)
    within = np.arange(counts.sum()) - start_of_pair
    return report, np.repeat(first[flat], counts) + within
