"""How ECGs and texts are ranked for each other: retrieval with equal reports as hits, and the AUROC of texts."""

import numpy as np

MIN_ECGS = 10  # with a text and known to be without it, for an AUROC that is not chance alone


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


def text_auroc(cosines: np.ndarray, has: np.ndarray, known: np.ndarray) -> float | None:
    """Mean over texts of the AUROC with which a text tells the ECGs that have it from the others.

    Parameters
    ----------
    cosines
        Similarity of every ECG to every text, shape (ECGs, texts).
    has, known
        Whether the ECG has the text, and whether that is known; bool of the same shape.

    Returns
    -------
    float or None
        Over the texts that at least ``MIN_ECGS`` ECGs are known to have, and as many not to; ``None`` without such.
    """
    values = []
    for text in np.flatnonzero((has.sum(axis=0) >= MIN_ECGS) & ((known & ~has).sum(axis=0) >= MIN_ECGS)):
        rows = known[:, text]
        positive = has[rows, text]
        n_pos = int(positive.sum())
        _, place, counts = np.unique(cosines[rows, text], return_inverse=True, return_counts=True)
        mean_ranks = (counts.cumsum() - (counts - 1) / 2)[place]
        above = mean_ranks[positive].sum() - n_pos * (n_pos + 1) / 2  # Mann-Whitney
        values.append(above / (n_pos * (len(positive) - n_pos)))
    return float(np.mean(values)) if values else None
