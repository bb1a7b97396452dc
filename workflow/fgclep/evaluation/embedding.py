"""Features and embeddings of ECGs."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import torch

from fgclep.config.inference import InferenceSettings
from fgclep.keys import KEY
from fgclep.models.fgclep import FGCLEP
from fgclep.progress import progress
from fgclep.schemas.embeddings import EMBEDDINGS
from fgclep.schemas.shards import SHARD
from fgclep.signals.loader import READ_ONCE_MB, SignalStore
from fgclep.tables import as_lists, read_table


def embed_records(
    model: FGCLEP, shards: Sequence[str], settings: InferenceSettings, device: torch.device, description: str
) -> Iterator[pa.Table]:
    """Yield tables with the schema ``EMBEDDINGS``: first an empty one, then one for each batch of the records.

    Parameters
    ----------
    model
        On ``device``.
    shards
        Parquet files with the schema ``SHARD``.
    settings
        ``signal``, ``workers`` and ``batch_size``.
    device
        Where the model computes.
    description
        For the progress bar.
    """
    store = SignalStore(shards, settings.signal, READ_ONCE_MB, workers=settings.workers)
    codes = pa.concat_tables([read_table(path, SHARD, ["codes"]) for path in shards])
    batches = store.in_order(settings.batch_size)
    yield EMBEDDINGS.empty_table()
    for places, signals in progress(batches, len(store) // settings.batch_size + 1, description, "batch"):
        patches = model.ecg_patches(signals.to(device))
        embedded = model.embed_ecgs(*patches)
        rows = pa.array(places)
        columns = {name: store.keys[name].take(rows) for name in (*KEY, "patient_id", "split")}
        features = model.ecg_features(*patches).float()
        columns |= {"codes": codes["codes"].take(rows), "features": _as_lists(features)}
        none = pa.nulls(len(rows))
        if not model.align.by_patch:
            columns |= {"embedding": _as_lists(embedded.float()), "patches": none}
        else:
            columns |= {"embedding": none, "patches": _as_lists(embedded.half())}
        yield pa.table(columns, schema=EMBEDDINGS)


def _as_lists(vectors: torch.Tensor) -> pa.Array:
    return as_lists(vectors.flatten(1).cpu().numpy())
