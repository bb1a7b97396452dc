"""Examine the reader on simulated ECGs that it has not seen, of which every feature is known.

They are those of the source ``simulated`` from number ``FIRST`` on, more than anyone trains on, and drawn with random
numbers of their own: neither a run that trains on this source has them, nor any simulated database.
"""

import argparse
import logging
from pathlib import Path

import numpy as np
import torch

from fgclep.config.inference import ExamSettings, ReaderSettings
from fgclep.device import choose_device
from fgclep.files import scratch_folder
from fgclep.language.vocabulary import Vocabulary, load_vocabulary
from fgclep.models.build import open_model
from fgclep.models.fgclep import FGCLEP
from fgclep.progress import progress
from fgclep.schemas.exam import EXAM
from fgclep.schemas.shards import SHARD
from fgclep.signals.loader import READ_ONCE_MB, SignalStore
from fgclep.simulation.databases.stream import stream
from fgclep.stage import run_stage, stage_parser
from fgclep.stages.score_candidates import feature_scores
from fgclep.stages.simulate_chunk import ROWS_PER_GROUP
from fgclep.tables import table_writer, write_table
from fgclep.verification.calibration import exam_rows

LOG = logging.getLogger(__name__)
FIRST, SEED, ECGS = 10_000_000, 0, 6000


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, ExamSettings)
    parser.add_argument("--model", required=True, help="as verification.reader_model")
    parser.add_argument("--ecgs", type=int, default=ECGS, help="to simulate")
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--output", type=Path, required=True, help="the table of the exam")
    return parser


@torch.inference_mode()
def sit(
    model: FGCLEP, vocabulary: Vocabulary, ecgs: int, settings: ReaderSettings, scratch: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Return what the reader says of each feature in simulated ECGs, and which they have.

    Parameters
    ----------
    model, vocabulary
        The reader, and the features it is asked for.
    ecgs
        How many.
    settings
        Of the inference.
    scratch
        Folder for the ECGs.

    Returns
    -------
    numpy.ndarray, numpy.ndarray
        Logits, float32, and bool, both of shape (ECGs, features).
    """
    places = {name: i for i, name in enumerate(vocabulary.features)}
    true = np.zeros((ecgs, len(places)), dtype=bool)
    recordings = stream(range(FIRST, FIRST + ecgs), 0, SEED, 0.0, vocabulary, "flat")
    with table_writer(scratch / "ecgs.parquet", SHARD) as write:
        part: list[dict] = []
        for row, recording in enumerate(progress(recordings, ecgs, "simulated", "ECG")):
            true[row, [places[name] for name in recording.features]] = True
            part.append(recording.shard)
            if len(part) == ROWS_PER_GROUP or row + 1 == ecgs:
                write(part)
                part = []
    store = SignalStore([scratch / "ecgs.parquet"], model.signal, READ_ONCE_MB, workers=settings.workers)
    scores = np.full(true.shape, np.nan, dtype=np.float32)
    for at, logits in feature_scores(model, store, vocabulary, settings.batch_size):
        scores[at] = logits
    read = np.setdiff1d(np.arange(len(true)), list(store.failed))
    return scores[read], true[read]


def main(args: argparse.Namespace) -> None:
    """Write a row for each feature (schema ``EXAM``)."""
    settings: ExamSettings = args.settings
    torch.set_num_threads(settings.threads)
    vocabulary = load_vocabulary(args.vocabulary)
    model = open_model(args.model, "verification.reader_model").to(choose_device(settings.device))
    with scratch_folder(args.output) as scratch:
        scores, true = sit(model, vocabulary, args.ecgs, settings, scratch)
    rows = exam_rows(list(vocabulary.features), scores, true, settings.target_fdr)
    write_table(rows, args.output, EXAM)
    known = [row for row in rows if row["threshold"] is not None and np.isfinite(row["threshold"])]
    LOG.info("the reader may judge %d of %d features", len(known), len(rows))


if __name__ == "__main__":
    run_stage(main, arguments())
