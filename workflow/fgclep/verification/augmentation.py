"""Which recovered features are added to which report: those that the filter accepted, or a control to compare with."""

import numpy as np
import pyarrow as pa

KINDS = FILTERED, NONE, UNFILTERED, RANDOM, SHUFFLED = "filtered", "none", "unfiltered", "random", "shuffled"


def choose_features(
    kind: str, record: np.ndarray, feature: np.ndarray, accepted: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of record and feature to add, each once, sorted by record and feature.

    Parameters
    ----------
    kind
        ``filtered``: what was accepted. ``none``: nothing. ``unfiltered``: all that was proposed. ``random``: as many
        features for each record as were accepted for it, drawn evenly from all that were accepted for any record.
        ``shuffled``: what was accepted, as sets handed on between the records that have some; no record keeps its own
        set, unless there is only one.
    record, feature
        int64 of shape (n,): the candidates of the audit, by place.
    accepted
        bool of shape (n,).
    seed
        Of the draws.

    Raises
    ------
    ValueError
        For an unknown ``kind``.
    """
    wanted = np.full(len(record), kind == UNFILTERED) if kind in (NONE, UNFILTERED) else accepted
    pairs = np.unique(np.stack([record[wanted], feature[wanted]], axis=1).astype(np.int64), axis=0)
    owner, named = pairs[:, 0], pairs[:, 1]
    if kind in (FILTERED, NONE, UNFILTERED):
        return owner, named
    rng = np.random.default_rng(seed)
    owners, counts = np.unique(owner, return_counts=True)
    if kind == RANDOM:
        known = np.unique(named)
        drawn = [np.sort(rng.choice(known, size=count, replace=False)) for count in counts]
        return owner, np.concatenate([*drawn, named[:0]])
    if kind == SHUFFLED:
        circle = rng.permutation(len(owners))
        receiver = np.empty(len(owners), dtype=np.int64)
        receiver[circle] = owners[np.roll(circle, 1)]
        owner = np.repeat(receiver, counts)
        order = np.lexsort((named, owner))
        return owner[order], named[order]
    raise ValueError(f"unknown kind of features {kind!r}")


def add_texts(text_ids: pa.ListArray, record: np.ndarray, text: np.ndarray) -> pa.ListArray:
    """Append texts to the reports of records, after their own; what a report has already is not added.

    Parameters
    ----------
    text_ids
        Text ids per record.
    record, text
        int64 of shape (n,): place of the record, and the text id to add; the texts of a record in this order.
    """
    lengths = np.diff(text_ids.offsets.to_numpy())
    own = text_ids.flatten().to_numpy().astype(np.int64)
    owner = np.concatenate([np.repeat(np.arange(len(lengths)), lengths), record]).astype(np.int64)
    values = np.concatenate([own, text]).astype(np.int64)
    pair = owner * (values.max(initial=0) + 1) + values
    first = np.sort(np.unique(pair, return_index=True)[1])
    first = first[np.argsort(owner[first], kind="stable")]
    ends = np.cumsum(np.bincount(owner[first], minlength=len(lengths)))
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values[first]).cast(text_ids.type.value_type))
