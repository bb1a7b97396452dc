"""Pre-train a model on pairs of ECGs and texts: coarse on the original statements, fine on the augmented ones."""

import argparse
import csv
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from fgclep.config.pretraining import TrainingSettings
from fgclep.device import choose_device, choose_precision
from fgclep.errors import UserError
from fgclep.files import whole_folder
from fgclep.folds import fold_of
from fgclep.keys import located, places_among, record_names
from fgclep.models.build import model_to_continue, new_model
from fgclep.models.fgclep import FGCLEP
from fgclep.schemas.labels import LABELS
from fgclep.schemas.reports import REPORTS, TEXTS
from fgclep.signals.loader import SignalStore
from fgclep.similarity.matrix import SimilarityMatrix
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import read_table
from fgclep.training.interruption import Interrupted
from fgclep.training.model_card import model_card
from fgclep.training.text_batches import TextBank
from fgclep.training.trainer import Trainer

LOG = logging.getLogger(__name__)

TRAINING_COLUMNS = (
    "name", "epoch", "train_loss", "validation_loss", "validation_recall", "validation_auroc",
    "temperature", "bias", "selected",
)  # fmt: skip
# Measured, and therefore in a file of its own: training.csv is the same in every run.
THROUGHPUT_COLUMNS = ("name", "epoch", "ecg_per_s", "waiting_share")


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, TrainingSettings)
    parser.add_argument("--name", required=True, help="coarse, coarse-fold<N> or fine")
    parser.add_argument("--shards", nargs="+", required=True)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--reports", required=True, help="text ids per record: the original or the augmented ones")
    parser.add_argument("--labels", help="features that are absent; without it, what a report has not is")
    parser.add_argument("--similarity", required=True)
    parser.add_argument("--hold-out-fold", type=int, help="leave this fold of the patients out")
    parser.add_argument("--start-from", help="folder of the model to continue from")
    parser.add_argument("--metrics", type=Path, help="folder for steps.csv and TensorBoard events")
    parser.add_argument("--output", type=Path, required=True, help="folder of the trained model")
    return parser


def main(args: argparse.Namespace) -> None:
    """Train and write ``<output>/`` (Hugging Face format, with its model card and the tables of its training)."""
    settings: TrainingSettings = args.settings
    torch.manual_seed(settings.seed)
    torch.set_num_threads(settings.threads)
    rows = read_table(args.texts, TEXTS, ["text", "count", "diagnoses", "features", "negated"]).to_pylist()
    texts = [row["text"] for row in rows]
    findings = [[*row["diagnoses"], *row["features"], *(f"no {name}" for name in row["negated"])] for row in rows]
    is_feature = [bool(row["features"]) and not row["diagnoses"] and not row["negated"] for row in rows]
    vocabulary = sorted({name for row in rows for name in row["features"]})
    column = {name: place for place, name in enumerate(vocabulary)}
    features = [
        [column[name] for name in row["features"] if is_it] for row, is_it in zip(rows, is_feature, strict=True)
    ]
    similarity = SimilarityMatrix.open(args.similarity)
    reports = read_table(args.reports, REPORTS)
    reports = reports.filter(pc.greater(pc.list_value_length(reports["text_ids"]), 0))
    reported = record_names(reports)

    def usable_in(split: str) -> Callable[[pa.Table], np.ndarray]:
        def usable(keys: pa.Table) -> np.ndarray:
            mask = pc.and_(pc.equal(keys["split"], split), pc.is_in(record_names(keys), reported)).to_numpy()
            if args.hold_out_fold is None:
                return mask
            patients = zip(keys["source"].to_pylist(), keys["patient_id"].to_pylist(), strict=True)
            return mask & [fold_of(*patient, settings.folds) != args.hold_out_fold for patient in patients]

        return usable

    device = choose_device(settings.device)
    half = choose_precision(settings.precision, device) != "fp32"
    stores, banks = [], []
    for split in ("train", "val"):
        store = SignalStore(
            args.shards,
            settings.signal,
            settings.memory_mb,
            usable_in(split),
            settings.workers,
            pin_memory=device.type == "cuda",
            half=half,
        )
        ids = reports["text_ids"].take(places_among(record_names(store.keys), reported)).combine_chunks()
        stores.append(store)
        absent = absent_features(args.labels, vocabulary, record_names(store.keys)) if args.labels else None
        banks.append(TextBank(texts, findings, ids, similarity, features, absent))
    if not len(stores[0]):
        raise UserError(f"{args.shards}: no record of the split 'train' has a report; see results/quarantine.parquet")

    trained_on = set(banks[0].records.values.tolist())  # words of test patients' reports are not to be known
    corpus = [row["text"] for i, row in enumerate(rows) if i in trained_on or not row["count"]]
    if args.start_from:
        model = model_to_continue(args.start_from, settings, settings.signal, corpus)
    else:
        model = new_model(settings, settings.signal, corpus)
    checkpoint = args.output.parent / ".checkpoints" / f"{args.name}.pt"
    trainer = Trainer(model, stores[0], banks[0], stores[1], banks[1], settings, checkpoint, args.metrics)
    try:
        history = trainer.fit()
    except Interrupted as stop:
        LOG.log(logging.WARNING if trainer.accelerator.is_main_process else logging.INFO, "%s", stop)
        sys.exit(128 + stop.number)
    if trainer.accelerator.is_main_process:
        history = [{**row, "selected": int(row["epoch"] == trainer.selected_epoch())} for row in history]
        records = {split: store.keys for split, store in zip(("train", "val"), stores, strict=True)}
        start = Path(args.start_from).name if args.start_from else None
        used = settings.model_copy(update={"precision": trainer.precision})
        card = model_card(args.name, records, len(texts), used, history, start)
        tables = {
            "training.csv": (TRAINING_COLUMNS, history),
            "throughput.csv": (THROUGHPUT_COLUMNS, trainer.throughput),
        }
        write_model(trainer.model, args.name, tables, card, args.output)
        trainer.checkpoints.remove()
    trainer.accelerator.end_training()


def absent_features(path: str, features: Sequence[str], names: pa.Array) -> np.ndarray:
    """Features that records are known not to have, bool of shape (records, features), from a table of ``LABELS``."""
    absent = np.zeros((len(names), len(features)), dtype=bool)
    for place, table in located(path, LABELS, ["absent"], names):
        lists = table["absent"].combine_chunks()
        owner = np.repeat(place, lists.value_lengths().to_numpy())
        column = pc.index_in(lists.flatten(), value_set=pa.array(features))
        if column.null_count:
            unknown = lists.flatten().filter(pc.is_null(column))[0]
            raise UserError(f"{path}: no text names the feature {unknown}; delete the file and run again")
        absent[owner, column.to_numpy()] = True
    return absent


def write_model(
    model: FGCLEP, name: str, tables: Mapping[str, tuple[Sequence[str], list[dict]]], card: str, output: Path
) -> None:
    """Write a folder in Hugging Face format, with card and CSV tables; it appears when it is complete.

    ``tables`` has for each file name the columns and the rows, to which ``name`` is added.
    """
    with whole_folder(output) as partial:
        model.save_pretrained(partial)
        for file_name, (columns, rows) in tables.items():
            with (partial / file_name).open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows({"name": name, **row} for row in rows)
        (partial / "README.md").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    run_stage(main, arguments())
