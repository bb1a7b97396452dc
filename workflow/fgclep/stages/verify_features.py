"""Check every recovered feature against its record.

Records are judged in chunks. The verdict and the score of every feature are held for all of them at once, five bytes
per record and feature (about 900 MB for 800,000 records and 223 features), in scratch files that the system may page
out.
"""

import argparse
import logging
from collections import Counter
from pathlib import Path

import numpy as np

from fgclep.config.verification import ChecksSection
from fgclep.errors import UserError
from fgclep.files import scratch_folder
from fgclep.keys import KEY, located, record_names
from fgclep.language.statements import read_statements
from fgclep.language.vocabulary import Vocabulary, load_vocabulary
from fgclep.measurement.rules import UNTESTABLE
from fgclep.npy import NpyWriter
from fgclep.progress import progress
from fgclep.schemas.audit import AUDIT
from fgclep.schemas.candidates import CANDIDATES
from fgclep.schemas.exam import EXAM
from fgclep.schemas.manifest import MANIFEST
from fgclep.schemas.reports import REPORTS
from fgclep.schemas.scores import SCORES
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import fixed_lists, read_table, table_writer
from fgclep.verification.audit import CHUNK, Records, chunks, judge, proposals, thresholds
from fgclep.verification.known import measured_verdicts
from fgclep.verification.reasons import reason_of
from fgclep.verification.text_evidence import text_evidence

LOG = logging.getLogger(__name__)


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, ChecksSection)
    parser.add_argument("--candidates", required=True)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--reports", required=True)
    parser.add_argument("--measurements", nargs="+", required=True)
    parser.add_argument("--manifests", nargs="+", required=True)
    parser.add_argument("--scores", nargs="*", default=[])
    parser.add_argument("--exam", nargs="*", default=[], help="what the reader may judge, and from which score on")
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--output", type=Path, required=True, help="the audit")
    return parser


def load_records(args: argparse.Namespace, vocabulary: Vocabulary, scratch: Path) -> Records:
    """Read what is known of every record that has a report; the large tables are files in ``scratch``."""
    reports = read_table(args.reports, REPORTS)
    n, features = reports.num_rows, len(vocabulary.features)
    names = record_names(reports)
    train = np.zeros(n, dtype=bool)
    for path in args.manifests:
        for place, table in located(path, MANIFEST, ["split"], names):
            train[place] = [split == "train" for split in table["split"].to_pylist()]

    verdicts = _scratch_table(scratch / "verdicts.npy", np.int8, (n, features), UNTESTABLE)
    measured_verdicts(args.measurements, vocabulary, names, verdicts)

    fold = np.zeros(n, dtype=np.int64)
    scores = _scratch_table(scratch / "scores.npy", np.float32, (n, features), np.nan)
    for path in progress(args.scores, len(args.scores), "scores"):
        for place, table in located(path, SCORES, ["fold", "scores"], names):
            fold[place] = table["fold"].to_numpy()
            scores[place] = fixed_lists(table["scores"], features, path)
    settings: ChecksSection = args.settings
    if fold.max(initial=0) >= settings.folds:
        raise UserError(
            f"{args.scores}: fold {fold.max()}, and verification.folds is {settings.folds}; delete the scores"
        )
    text_ids = reports["text_ids"].combine_chunks()
    return Records(reports.select(KEY), text_ids, train, verdicts, fold, scores)


def _scratch_table(path: Path, dtype: type, shape: tuple[int, int], fill: float) -> np.ndarray:
    if 0 in shape:
        return np.full(shape, fill, dtype=dtype)  # a file of no bytes cannot be mapped
    rows, columns = shape
    with NpyWriter(path, dtype, (columns,)) as writer:  # a map of what is not written yet would crash on a full disk
        for start in range(0, rows, CHUNK):
            writer.append(np.full((min(CHUNK, rows - start), columns), fill, dtype=dtype))
    return np.load(path, mmap_mode="r+")


def read_exam(paths: list[str], vocabulary: Vocabulary) -> np.ndarray | None:
    """Return the threshold of every feature by an exam of the reader, NaN: not to be judged; ``None`` without an exam.

    Raises ``UserError`` if the exam is one on another vocabulary.
    """
    if not paths:
        return None
    exam = read_table(paths[0], EXAM)
    if exam["feature"].to_pylist() != list(vocabulary.features):
        raise UserError(f"{paths[0]} is an exam on another vocabulary; delete it and run again")
    return exam["threshold"].to_numpy()


def main(args: argparse.Namespace) -> None:
    """Write the audit: one row per record, statement and proposed feature."""
    settings: ChecksSection = args.settings
    vocabulary = load_vocabulary(args.vocabulary)
    statements = list(read_statements(args.texts, vocabulary))
    findings = text_evidence(statements, vocabulary)
    places = {name: i for i, name in enumerate(vocabulary.features)}
    candidates = proposals(read_table(args.candidates, CANDIDATES), places, len(statements))
    reasons: Counter[str] = Counter()
    with scratch_folder(args.output) as scratch:
        records = load_records(args, vocabulary, scratch)
        limits = thresholds(records, findings, candidates, settings, read_exam(args.exam, vocabulary))
        with table_writer(args.output, AUDIT) as write:
            total = -(-len(records) // CHUNK)
            for chunk in progress(chunks(records, findings, candidates), total, "records", "chunk"):
                audit = judge(chunk.pairs, records, findings, candidates, limits, settings)
                write(audit)
                reasons.update({row["values"]: row["counts"] for row in audit["reason"].value_counts().to_pylist()})
    for code, count in reasons.most_common():
        reason = reason_of(code)
        LOG.info("%d candidates %s: %s", count, "accepted" if reason.accepted else "dropped", reason.sentence)


if __name__ == "__main__":
    run_stage(main, arguments())
