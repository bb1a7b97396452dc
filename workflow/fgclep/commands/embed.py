"""``fgclep embed``: embeddings of recordings, for a classifier of one's own."""

import argparse
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from fgclep.commands.model import load_model, model_name
from fgclep.commands.output import say
from fgclep.commands.reading import Recording, Teller, in_batches
from fgclep.files import whole_file


@torch.inference_mode()
def run(args: argparse.Namespace, named: Sequence[tuple[str, str]], options: dict) -> None:
    """Write the embeddings of all recordings; those that cannot be used end the program with status 1.

    ``named`` are the recordings, and why one cannot be read, which has been said (``fgclep.commands.named``);
    ``options`` those of ``read_recording``.
    """
    recordings = [Recording(name, error=error) for name, error in named]
    model, teller = load_model(args.model), Teller(recordings)
    keys: list[str] = []
    parts: list[np.ndarray] = []
    for batch in in_batches(recordings, model, options, args.batch_size, "embed"):
        for recording in batch:
            teller.tell(recording)
        good = [(some.name, *some.prepared) for some in batch if some.prepared]
        if good:
            names, signals, present = zip(*good, strict=True)
            keys += names
            embedded = model.encode_prepared(torch.stack(signals), torch.stack(present))
            parts.append(embedded.flatten(1).float().cpu().numpy())
    if keys:
        _write(args, keys, np.concatenate(parts), model_name(model))
        say(f"wrote {args.output}: {len(keys):,} embeddings by the model {model_name(model)}")
    teller.end()


def _write(args: argparse.Namespace, keys: list[str], embeddings: np.ndarray, model: str) -> None:
    with whole_file(args.output) as partial:
        if args.output.suffix == ".npz":
            with partial.open("wb") as file:
                np.savez(file, keys=np.array(keys), embeddings=embeddings, model=np.array(model))
            return
        rows = pa.FixedSizeListArray.from_arrays(pa.array(embeddings.ravel()), embeddings.shape[1])
        table = pa.table({"key": keys, "embedding": rows}).replace_schema_metadata({"model": model})
        pq.write_table(table, partial)
