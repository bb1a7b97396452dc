"""Score every waveform feature against the records of one fold, with the coarse model that has not seen them."""

import argparse

import numpy as np
import pyarrow as pa
import torch

from fgclep.config.inference import InferenceSettings
from fgclep.device import choose_device
from fgclep.folds import fold_of
from fgclep.language.vocabulary import load_vocabulary
from fgclep.models.fgclep import FGCLEP
from fgclep.progress import progress
from fgclep.schemas.scores import SCORES
from fgclep.signals.loader import READ_ONCE_MB, SignalStore
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import write_parts


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, InferenceSettings)
    parser.add_argument("--model", required=True, help="folder of the coarse model trained without the fold")
    parser.add_argument("--fold", type=int, required=True)
    parser.add_argument("--folds", type=int, required=True)
    parser.add_argument("--shards", nargs="+", required=True)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--output", required=True)
    return parser


@torch.inference_mode()
def main(args: argparse.Namespace) -> None:
    """Write one row of logits per record of the fold (schema ``SCORES``)."""
    settings: InferenceSettings = args.settings
    torch.set_num_threads(settings.threads)
    device = choose_device(settings.device)
    model = FGCLEP.from_pretrained(args.model).to(device)  # type: ignore[arg-type]
    features = [feature.text for feature in load_vocabulary(args.vocabulary).features.values()]
    store = SignalStore(
        args.shards,
        settings.signal,
        READ_ONCE_MB,
        lambda keys: [
            fold_of(*patient, args.folds) == args.fold
            for patient in zip(keys["source"].to_pylist(), keys["patient_id"].to_pylist(), strict=True)
        ],
        settings.workers,
    )
    texts = model.embed_texts(features).to(device)

    def scored(places: np.ndarray, signals: torch.Tensor) -> pa.Table:
        logits = model.logits(model.encode_ecg(signals.to(device)), texts).float().cpu().numpy()
        keys, fold = store.keys.take(pa.array(places)), np.full(len(places), args.fold)
        scores = pa.array(list(logits), type=SCORES.field("scores").type)
        return pa.table({"source": keys["source"], "record_id": keys["record_id"], "fold": fold, "scores": scores})

    batches = store.in_order(settings.batch_size)
    counted = progress(batches, len(store) // settings.batch_size + 1, f"fold {args.fold}", "batch")
    write_parts((scored(places, signals) for places, signals in counted), args.output, SCORES)


if __name__ == "__main__":
    run_stage(main, arguments())
