"""The distribution of S in batches as training draws them, where frequent texts meet often."""

import numpy as np
import pyarrow as pa

from fgclep.ragged import Ragged
from fgclep.similarity.findings import TextFindings
from fgclep.similarity.matrix import SimilarityMatrix
from fgclep.similarity.soft_overlap import largest, soft_overlap
from fgclep.similarity.summary import APART, BELONGS, LEFT_OUT, SHARES, Distribution

BATCHES = 64
ECGS = 128


def in_batches(matrix: SimilarityMatrix, findings: TextFindings, reports: pa.ListArray, seed: int) -> dict:
    """Draw batches of ECGs and describe S between an ECG and the other texts of its batch.

    Parameters
    ----------
    matrix
        S between all texts.
    findings
        Of all texts.
    reports
        Text ids of each report; those without any are left out.
    seed
        Draws 64 batches of 128 ECGs, or of all if there are fewer.

    Returns
    -------
    dict
        ``statements``: with each statement of the batch that the ECG's report does not have, once; S is the largest
        to a statement of the report. ``reports``: with each other report of the batch, once; S is the soft overlap of
        the two. For both see ``Distribution.describe``.
    """
    statements, whole = Distribution(), Distribution()
    ids, bounds = reports.values.to_numpy(), reports.offsets.to_numpy()
    filled = np.flatnonzero(np.diff(bounds))
    rng = np.random.default_rng(seed)
    for _ in range(BATCHES):
        drawn = rng.choice(filled, min(ECGS, len(filled)), replace=False)
        own = [tuple(sorted(ids[bounds[place] : bounds[place + 1]].tolist())) for place in drawn]
        distinct = sorted(set(own))
        texts = np.unique([text for report in distinct for text in report])
        reported = Ragged.of([np.searchsorted(texts, report) for report in distinct])
        similarity = matrix.block(texts, texts)
        named = findings.sets[texts].toarray()
        told = largest(named, reported)  # findings of each report
        rows = np.array([distinct.index(report) for report in own])

        kinds = _kinds(told, named)
        kinds[reported.owners, reported.values] = LEFT_OUT
        statements.add(kinds[rows], largest(similarity, reported).astype(np.float16)[rows])
        kinds = np.where(told @ told.T > 0, SHARES, APART)
        np.fill_diagonal(kinds, LEFT_OUT)
        whole.add(kinds[rows], soft_overlap(similarity, reported, reported).astype(np.float16)[rows])
    return {"statements": statements.describe(), "reports": whole.describe()}


def _kinds(told: np.ndarray, named: np.ndarray) -> np.ndarray:
    shared = told @ named.T
    kinds = np.where(shared > 0, SHARES, APART)
    kinds[(shared > 0) & (shared == named.sum(axis=1))] = BELONGS
    return kinds
