"""The ECGs of a set of shards that fit a text best."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from fgclep.keys import KEY, record_names
from fgclep.models.fgclep import FGCLEP
from fgclep.schemas.shards import SHARD
from fgclep.signals.loader import KEY_COLUMNS, READ_ONCE_MB, SignalStore
from fgclep.tables import read_table

_EQUAL = 4  # decimals of the logit; what differs by less is a tie, as batches of another size round otherwise


@dataclass(frozen=True, order=True)
class Found:
    """An ECG that was found, in the order of the results: best first, then by its key.

    Parameters
    ----------
    negative_logit
        Rounded to four decimals.
    source, record_id
        Its key.
    split
        ``train``, ``val`` or ``test``.
    shard
        File that holds it.
    probability
        That the text fits the ECG, by the model and its calibration.
    """

    negative_logit: float
    source: str
    record_id: str
    split: str
    shard: str
    probability: float = field(compare=False)


@torch.inference_mode()
def search(
    model: FGCLEP,
    queries: Sequence[str],
    shards: Sequence[Path],
    top: int,
    split: str | None = None,
    batch_size: int = 64,
    shown: Callable[[Iterator, int], Iterator] = lambda batches, total: batches,
) -> list[list[Found]]:
    """Find for each query the ECGs whose score is highest.

    ECGs are embedded batch by batch, and only the best so far are kept: memory does not grow with their number.

    Parameters
    ----------
    model
        On the device to compute on.
    queries
        Findings in words.
    shards
        Parquet files with the schema ``SHARD``. A record that stands in several of them counts in the first one.
    top
        How many ECGs for each query.
    split
        Only ECGs of this split; ``None``: all.
    batch_size
        ECGs embedded at once; the results do not depend on it.
    shown
        Wraps the batches, given their number, in a progress bar.

    Returns
    -------
    For each query up to ``top`` ECGs, best first; equal ones in the order of source and record.
    """
    texts = model.embed_texts(queries)
    store = SignalStore(shards, model.signal, READ_ONCE_MB, _each_once(split))
    places_of = np.concatenate([[0], np.cumsum([len(group) for group in store.groups])])
    best: list[list[Found]] = [[] for _ in queries]
    steps = -(-len(store) // batch_size)
    for places, signals in shown(store.in_order(batch_size), steps) if len(store) else []:
        embedded = model.encode_ecg(signals.to(model.device))
        logits = model.logits(embedded, texts.to(model.device)).double().cpu().numpy().round(_EQUAL)
        keys = store.keys.take(pa.array(places)).select([*KEY, "split"]).to_pylist()
        groups = np.searchsorted(places_of, places, side="right") - 1
        probabilities = model.calibration.probabilities(logits, [(query,) for query in queries])
        for number, column in enumerate(logits.T):
            new = (
                Found(-float(logit), **key, shard=str(store.groups[group].path), probability=float(probability))
                for logit, probability, key, group in zip(column, probabilities[:, number], keys, groups, strict=True)
            )
            best[number] = heapq.nsmallest(top, [*best[number], *new])
    return best


@torch.inference_mode()
def best_of(
    model: FGCLEP, queries: Sequence[str], names: Sequence[str], embeddings: np.ndarray, top: int
) -> list[list[tuple[str, float]]]:
    """Find for each query the ECGs whose score is highest among those that are embedded already.

    Parameters
    ----------
    names, embeddings
        Of the ECGs: distinct texts, and as ``FGCLEP.embed`` returns them, float32 (n, values).
    model, queries, top
        As for ``search``.

    Returns
    -------
    For each query up to ``top`` names with their probability, best first; equal ones in the order of their names.
    """
    logits = model.score(embeddings, queries).astype(np.float64).round(_EQUAL)
    probabilities = model.calibration.probabilities(logits, [(query,) for query in queries])
    places = range(len(names))
    best = [heapq.nsmallest(top, zip((-column).tolist(), names, places, strict=True)) for column in logits.T]
    return [[(name, float(probabilities[place, number])) for _, name, place in own] for number, own in enumerate(best)]


def count_ecgs(shards: Sequence[Path], split: str | None = None) -> int:
    """Return how many ECGs ``search`` looks at."""
    keep = _each_once(split)
    return sum(sum(keep(read_table(path, SHARD, KEY_COLUMNS))) for path in shards)


def _each_once(split: str | None) -> Callable[[pa.Table], list[bool]]:
    """Choose the records of a split from the keys of one shard after the other, each where it comes first."""
    seen: set[str] = set()

    def keep(keys: pa.Table) -> list[bool]:
        names = record_names(keys).to_pylist()
        chosen = [
            (split is None or own == split) and name not in seen
            for own, name in zip(keys["split"].to_pylist(), names, strict=True)
        ]
        seen.update(names)
        return chosen

    return keep
