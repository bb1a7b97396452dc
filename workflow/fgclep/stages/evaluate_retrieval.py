"""Evaluate how well ECGs of held-out patients and their reports find each other."""

import argparse
import logging

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from fgclep.config.evaluation import RetrievalSettings
from fgclep.device import choose_device
from fgclep.evaluation.metrics_csv import write_metrics
from fgclep.evaluation.ranks import ranks
from fgclep.evaluation.retrieval import retrieval_metrics
from fgclep.keys import places_among, record_names
from fgclep.models.fgclep import FGCLEP
from fgclep.progress import progress
from fgclep.schemas.reports import REPORTS, TEXTS
from fgclep.schemas.retrieved import RETRIEVED
from fgclep.signals.loader import READ_ONCE_MB, SignalStore
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import read_table, write_table

LOG = logging.getLogger(__name__)
EXAMPLES = 6  # reports whose best ECGs are kept for the report of the run
BEST = 3
ROWS = 64  # ECGs whose cosines are computed at once


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, RetrievalSettings)
    parser.add_argument("--model", required=True, help="name of the model in the table")
    parser.add_argument("--model-dir", required=True, help="folder of the model")
    parser.add_argument("--shards", nargs="+", required=True, help="of the sources with reports")
    parser.add_argument("--texts", required=True)
    parser.add_argument("--reports", required=True)
    parser.add_argument("--output", required=True, help="CSV file of the metrics")
    parser.add_argument("--retrieved", required=True, help="Parquet file of examples")
    return parser


def drawn(keys: pa.Table, reported: pa.Array, wanted: int, seed: int) -> np.ndarray:
    """Mask of up to ``wanted`` records of each source, drawn from those of the test split that have a report."""
    usable = pc.and_(pc.equal(keys["split"], "test"), pc.is_in(record_names(keys), reported)).to_numpy()
    sources = np.asarray(keys["source"].to_pylist(), dtype=str)
    mask = np.zeros(len(keys), dtype=bool)
    for source in np.unique(sources):
        rows = np.flatnonzero(usable & (sources == source))
        rng = np.random.default_rng(seed)
        mask[np.sort(rng.permutation(rows)[:wanted])] = True
    return mask


@torch.inference_mode()
def main(args: argparse.Namespace) -> None:
    """Write the metrics (columns of ``METRICS``) and examples (schema ``RETRIEVED``).

    An ECG looks for its whole report among the distinct reports of the other ECGs and its own, and the report for an
    ECG that has it.
    """
    settings: RetrievalSettings = args.settings
    torch.set_num_threads(settings.threads)
    model = FGCLEP.from_pretrained(args.model_dir).to(choose_device(settings.device))
    texts = read_table(args.texts, TEXTS, ["text"])["text"].to_pylist()
    reports = read_table(args.reports, REPORTS)
    reports = reports.filter(pc.greater(pc.list_value_length(reports["text_ids"]), 0))
    reported = record_names(reports)
    store = SignalStore(
        args.shards,
        settings.signal,
        READ_ONCE_MB,
        lambda keys: drawn(keys, reported, settings.retrieval_records, settings.seed),
        settings.workers,
    )
    batches = store.in_order(settings.batch_size)
    count = len(store) // settings.batch_size + 1
    parts, embedded_ones = [torch.empty(0)], [np.empty(0, np.int64)]
    for places, signals in progress(batches, count, "ECGs", "batch"):
        parts.append(model.encode_ecg(signals.to(model.device)).float())
        embedded_ones.append(places)
    ecgs = torch.cat(parts[1:] or parts)
    keys = store.keys.take(pa.array(np.concatenate(embedded_ones)))
    sources = np.asarray(keys["source"].to_pylist(), dtype=str)
    ids = reports["text_ids"].take(places_among(record_names(keys), reported)).to_pylist()
    written = np.array([". ".join(texts[number] for number in some) for some in ids], dtype=object)
    patients = np.asarray(keys["patient_id"].to_pylist(), dtype=str)
    rows: list[dict] = []
    examples: list[dict] = []
    for source in dict.fromkeys(sources.tolist()):
        chosen = np.flatnonzero(sources == source)
        distinct, report_of = np.unique(written[chosen].astype(str), return_inverse=True)
        LOG.info("%s: %d ECGs with %d distinct reports", source, len(chosen), len(distinct))
        embedded = model.embed_texts(distinct.tolist()).to(model.device)
        logits = torch.cat([model.logits(part, embedded) for part in ecgs[torch.from_numpy(chosen)].split(ROWS)])
        values = logits.cpu().numpy()
        place = {"model": args.model, "task": source, "label_set": "reports", "protocol": "retrieval"}
        for setting, found in zip(("ecg_to_text", "text_to_ecg"), ranks(values, report_of), strict=True):
            measured = retrieval_metrics(found, patients[chosen], settings.bootstrap, settings.seed)
            rows += [{**place, "setting": setting, "fraction": 0.0, "seed": settings.seed, **row} for row in measured]
        names = keys["record_id"].take(pa.array(chosen)).to_pylist()
        examples += found_ecgs(values, report_of, distinct, source, names)
    write_metrics(rows, args.output)
    write_table(examples, args.retrieved, RETRIEVED)


def found_ecgs(
    logits: np.ndarray, report_of: np.ndarray, texts: np.ndarray, source: str, names: list[str]
) -> list[dict]:
    """Best ECGs for some reports, from frequent to rare ones."""
    by_frequency = np.argsort(-np.bincount(report_of, minlength=len(texts)), kind="stable")
    places = np.unique(np.linspace(0, len(texts) - 1, min(EXAMPLES, len(texts))).round().astype(int))
    rows = []
    for report in by_frequency[places]:
        best = np.argsort(-logits[:, report], kind="stable")[:BEST]
        probabilities = 1 / (1 + np.exp(-logits[best, report].astype(np.float64)))
        rows += [
            {"query": str(texts[report]), "rank": rank, "source": source, "record_id": names[ecg]}
            | {"probability": float(p), "hit": bool(report_of[ecg] == report)}
            for rank, (ecg, p) in enumerate(zip(best, probabilities, strict=True), start=1)
        ]
    return rows


if __name__ == "__main__":
    run_stage(main, arguments())
