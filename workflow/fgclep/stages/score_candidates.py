"""Score every waveform feature against records that the reader has not been trained on.

With ``--fold`` these are the records of one fold, without it all in the shards.
"""

import argparse
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import torch

from fgclep.config.inference import ReaderSettings
from fgclep.device import choose_device
from fgclep.folds import fold_of
from fgclep.language.vocabulary import Vocabulary, load_vocabulary
from fgclep.models.build import open_model
from fgclep.models.fgclep import FGCLEP
from fgclep.progress import progress
from fgclep.schemas.scores import SCORES
from fgclep.signals.loader import READ_ONCE_MB, SignalStore
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import write_parts


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, ReaderSettings)
    parser.add_argument("--model", required=True, help="the coarse model trained without the fold, or another reader")
    parser.add_argument("--fold", type=int, help="score this fold of the patients only")
    parser.add_argument("--folds", type=int)
    parser.add_argument("--shards", nargs="+", required=True)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--output", required=True)
    return parser


@torch.inference_mode()
def feature_scores(
    model: FGCLEP, store: SignalStore, vocabulary: Vocabulary, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield places of records in a store, and the logits of every feature by its text: float32 (places, features)."""
    texts = model.embed_texts([feature.text for feature in vocabulary.features.values()]).to(model.device)
    for places, signals in store.in_order(batch_size):
        yield places, model.logits(model.encode_ecg(signals.to(model.device)), texts).float().cpu().numpy()


def main(args: argparse.Namespace) -> None:
    """Write one row of logits per record (schema ``SCORES``), of signals as the model takes them."""
    settings: ReaderSettings = args.settings
    torch.set_num_threads(settings.threads)
    device = choose_device(settings.device)
    model = open_model(args.model, "verification.reader_model").to(device)
    vocabulary = load_vocabulary(args.vocabulary)

    def in_fold(keys: pa.Table) -> list[bool]:
        patients = zip(keys["source"].to_pylist(), keys["patient_id"].to_pylist(), strict=True)
        return [args.fold is None or fold_of(*patient, args.folds) == args.fold for patient in patients]

    store = SignalStore(
        args.shards,
        model.signal,
        READ_ONCE_MB,
        in_fold,
        settings.workers,
    )

    def scored(places: np.ndarray, logits: np.ndarray) -> pa.Table:
        keys, fold = store.keys.take(pa.array(places)), np.full(len(places), args.fold or 0)
        scores = pa.array(list(logits), type=SCORES.field("scores").type)
        return pa.table({"source": keys["source"], "record_id": keys["record_id"], "fold": fold, "scores": scores})

    batches = feature_scores(model, store, vocabulary, settings.batch_size)
    counted = progress(batches, len(store) // settings.batch_size + 1, "scores", "batch")
    write_parts((scored(places, logits) for places, logits in counted), args.output, SCORES)


if __name__ == "__main__":
    run_stage(main, arguments())
