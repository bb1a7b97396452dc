"""Retrieval between ECGs and reports: ranks of the right answers, with equal reports as hits."""

import numpy as np


def ranks(cosines: np.ndarray, report_of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rank of each ECG's report among the reports, and of the report's first ECG among the ECGs.

    Equal reports are one report: whichever ECG with it is found counts as a hit, and every ECG has one right answer.

    Parameters
    ----------
    cosines
        Similarity of every ECG to every distinct report, shape (ECGs, reports).
    report_of
        For every ECG the number of its report, shape (ECGs,).

    Returns
    -------
    ecg_to_text, text_to_ecg
        Both from 1 and of shape (ECGs,); the second is that of the ECG's report, so that a frequent report counts as
        often as it occurs. Ties are decided against the model: answers as good as the right one come before it.
    """
    own = cosines[np.arange(len(cosines)), report_of]
    to_text = (cosines >= own[:, None]).sum(axis=1)
    best = np.full(cosines.shape[1], -np.inf)
    np.maximum.at(best, report_of, own)  # of each report, its most similar own ECG
    as_good = cosines >= best
    as_good[np.arange(len(cosines)), report_of] = False
    return to_text, as_good.sum(axis=0)[report_of] + 1


def recall_at_k(cosines: np.ndarray, report_of: np.ndarray, k: int) -> tuple[float, float]:
    """Share of the ECGs that find their report among the best k, and of the reports that find an ECG of theirs.

    Parameters
    ----------
    cosines, report_of
        As for ``ranks``.
    k
        Answers looked at.

    Returns
    -------
    ecg_to_text, text_to_ecg
        Both from 0 to 1, the means over the ECGs.
    """
    to_text, to_ecg = ranks(cosines, report_of)
    return float((to_text <= k).mean()), float((to_ecg <= k).mean())
