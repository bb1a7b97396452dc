"""Durations of one lead by marks of onset, peak and end, in the form of LUDB's annotation files."""

from collections import defaultdict
from collections.abc import Sequence

TO_MS = 1000 / 500


def durations(samples: Sequence[int], symbols: Sequence[str]) -> dict[str, list[float]]:
    """Every p_ms, qrs_ms, t_ms, pr_ms and qt_ms, in ms, that ``(``, ``p``, ``N``, ``t`` and ``)`` at 500 Hz enclose."""
    found: dict[str, list[float]] = defaultdict(list)
    p_onset, qrs_onset = None, None
    for i, symbol in enumerate(symbols):
        onset = samples[i - 1] if i and symbols[i - 1] == "(" else None
        end = samples[i + 1] if i + 1 < len(symbols) and symbols[i + 1] == ")" else None
        name = {"p": "p_ms", "N": "qrs_ms", "t": "t_ms"}.get(symbol)
        if name and onset is not None and end is not None:
            found[name].append((end - onset) * TO_MS)
        if symbol == "p":
            p_onset = onset
        elif symbol == "N":
            if onset is not None and p_onset is not None:
                found["pr_ms"].append((onset - p_onset) * TO_MS)
            p_onset, qrs_onset = None, onset
        elif symbol == "t":
            if end is not None and qrs_onset is not None:
                found["qt_ms"].append((end - qrs_onset) * TO_MS)
            qrs_onset = None
    return found
