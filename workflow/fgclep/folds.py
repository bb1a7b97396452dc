"""Stable assignment of records and patients to chunks, splits and folds: by hash, so adding one moves no other."""

import hashlib


def stable_bucket(text: str, n: int) -> int:
    """Map a text to ``0 .. n-1``; the same on every machine and in every Python (unlike ``hash``)."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % n


def fold_of(source: str, patient_id: str, k: int) -> int:
    """Cross-fitting fold of a patient; all recordings of a patient share it."""
    return stable_bucket(f"{source}/{patient_id}", k)
