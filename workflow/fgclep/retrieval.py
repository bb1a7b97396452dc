"""Retrieval between ECGs and reports: recall at k, with equal reports as hits."""

import numpy as np


def recall_at_k(cosines: np.ndarray, report_of: np.ndarray, k: int) -> tuple[float, float]:
    """Share of the ECGs that find their report among the best k, and of the reports that find an ECG of theirs.

    Equal reports are one report: whichever ECG with it is found counts as a hit, and every ECG has one right answer.

    Parameters
    ----------
    cosines
        Similarity of every ECG to every distinct report, shape (ECGs, reports).
    report_of
        For every ECG the number of its report, shape (ECGs,).
    k
        Answers looked at.

    Returns
    -------
    ecg_to_report, report_to_ecg
        Both from 0 to 1; ``report_to_ecg`` is the mean over ECGs of whether their report finds one of its ECGs, so that
        a frequent report counts as often as it occurs. Ties are decided against the model: answers as good as the
        right one come before it.
    """
    own = cosines[np.arange(len(cosines)), report_of]
    better = (cosines >= own[:, None]).sum(axis=1) - 1
    best = np.full(cosines.shape[1], -np.inf)
    np.maximum.at(best, report_of, own)  # of each report, its most similar own ECG
    is_own = report_of[:, None] == np.arange(cosines.shape[1])
    before = ((cosines >= best) & ~is_own).sum(axis=0)
    return float((better < k).mean()), float((before[report_of] < k).mean())
