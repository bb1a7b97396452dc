"""Embed the ECGs of one source with a trained model, or with a randomly initialized one as the control."""

import argparse

import pyarrow as pa
import torch

from fgclep.device import choose_device
from fgclep.loader import SignalStore
from fgclep.models.build import new_model
from fgclep.models.fgclep import FGCLEP
from fgclep.schemas import EMBEDDINGS, SHARD, read_table, table_writer
from fgclep.stage import progress, run_stage, stage_parser


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--model", help="folder of a trained model")
    which.add_argument("--random", action="store_true", help="the same ECG encoder, untrained")
    parser.add_argument("--source", required=True)
    parser.add_argument("--shards", nargs="+", required=True)
    parser.add_argument("--output", required=True)
    return parser


def random_model(settings: dict) -> FGCLEP:
    """Return the ECG encoder of ``settings`` with random weights, of which only the pooled features are used."""
    torch.manual_seed(settings["seed"])
    text = {"name": "scratch", "hidden_size": 8, "layers": 1, "heads": 1, "max_tokens": 8}
    return new_model({**settings, "alignment": "global", "text_encoder": text}, ["ecg"]).eval()


@torch.inference_mode()
def main(args: argparse.Namespace) -> None:
    """Write pooled features and embeddings of every record (schema ``EMBEDDINGS``)."""
    settings = args.settings
    torch.set_num_threads(settings["threads"])
    device = choose_device(settings["device"])
    model = random_model(settings) if args.random else FGCLEP.from_pretrained(args.model)
    model.to(device)  # type: ignore[arg-type]
    store = SignalStore(args.shards, settings["signal"], settings["memory_mb"], workers=settings["workers"])
    codes = pa.concat_tables([read_table(path, SHARD, ["codes"]) for path in args.shards])
    batches = store.in_order(settings["batch_size"])
    with table_writer(args.output, EMBEDDINGS) as write:
        write(EMBEDDINGS.empty_table())  # so that a source without records has a table, too
        for places, signals in progress(batches, len(store) // settings["batch_size"] + 1, args.source, "batch"):
            patches = model.ecg_patches(signals.to(device))
            embedded = model.embed_ecgs(*patches)
            rows = pa.array(places)
            columns = {name: store.keys[name].take(rows) for name in ("source", "record_id", "patient_id", "split")}
            columns |= {"codes": codes["codes"].take(rows), "features": _lists(model.ecg_features(*patches).float())}
            none = pa.nulls(len(rows))
            if not model.align.by_patch:
                columns |= {"embedding": _lists(embedded.float()), "patches": none}
            else:
                columns |= {"embedding": none, "patches": _lists(embedded.half())}
            write(pa.table(columns, schema=EMBEDDINGS))


def _lists(vectors: torch.Tensor) -> pa.Array:
    values = vectors.flatten(1).cpu().numpy()
    bounds = pa.array(range(0, values.size + 1, values.shape[1]), pa.int32())
    return pa.ListArray.from_arrays(bounds, pa.array(values.ravel()))


if __name__ == "__main__":
    run_stage(main, arguments())
