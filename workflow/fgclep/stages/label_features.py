"""Say of every feature of a record whether it is present, absent or unknown; add the present ones to the reports.

The audit has the features that were proposed; here are all others, too, as far as measurement or report tell.
"""

import argparse
import logging

import numpy as np
import pyarrow as pa

from fgclep.keys import KEY, PART, record_names
from fgclep.language.reports import feature_text_ids
from fgclep.language.statements import read_statements
from fgclep.language.vocabulary import Vocabulary, load_vocabulary
from fgclep.measurement.rules import UNTESTABLE
from fgclep.progress import progress
from fgclep.schemas.labels import LABELS
from fgclep.schemas.reports import REPORTS
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import read_table, table_writer
from fgclep.verification.augmentation import add_texts
from fgclep.verification.known import judged, measured_verdicts
from fgclep.verification.labels import label_features
from fgclep.verification.text_evidence import first_given, over_reports, text_evidence

LOG = logging.getLogger(__name__)


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--audit", required=True)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--reports", required=True)
    parser.add_argument("--measurements", nargs="+", required=True)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--output", required=True, help="the labels")
    parser.add_argument("--labelled", required=True, help="reports with the features that are present")
    return parser


def accepted_of(path: str, vocabulary: Vocabulary, names: pa.Array) -> np.ndarray:
    """Which features the audit accepts, bool of shape (records, features)."""
    accepted = np.zeros((len(names), len(vocabulary.features)), dtype=bool)
    for record, feature, chosen in judged(path, vocabulary, names):
        accepted[record[chosen], feature[chosen]] = True
    return accepted


def lists_of(table: np.ndarray, names: pa.Array) -> pa.ListArray:
    """For each row the names of its true columns."""
    rows, columns = np.nonzero(table)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(table)))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), names.take(pa.array(columns)))


def main(args: argparse.Namespace) -> None:
    """Write the labels (schema ``LABELS``) and the reports (``REPORTS``), features after the statements."""
    vocabulary = load_vocabulary(args.vocabulary)
    statements = list(read_statements(args.texts, vocabulary))
    evidence = text_evidence(statements, vocabulary)
    feature_texts = np.array(feature_text_ids([statement.text for statement in statements], vocabulary))
    features = pa.array(list(vocabulary.features))
    everything = read_table(args.reports, REPORTS)
    records = record_names(everything)
    accepted = accepted_of(args.audit, vocabulary, records)
    verdicts = np.full(accepted.shape, UNTESTABLE, dtype=np.int8)
    measured_verdicts(args.measurements, vocabulary, records, verdicts)
    counts = np.zeros(2, dtype=np.int64)
    with table_writer(args.output, LABELS) as write_labels, table_writer(args.labelled, REPORTS) as write_reports:
        starts = range(0, everything.num_rows, PART)
        for start in progress(starts, len(starts), "records", "part"):
            part, reports = slice(start, start + PART), everything.slice(start, PART).combine_chunks()
            text_ids = reports["text_ids"].combine_chunks()
            ids = [np.asarray(values, dtype=np.int64) for values in text_ids.to_pylist()]
            present, absent = label_features(
                over_reports(ids, evidence.stated, np.logical_or),
                over_reports(ids, evidence.excluded_by, first_given) > 0,
                accepted[part],
                verdicts[part],
            )
            counts += present.sum(), absent.sum()
            keys = reports.select(KEY)
            lists = {"present": lists_of(present, features), "absent": lists_of(absent, features)}
            write_labels(pa.table({**dict(zip(KEY, keys.columns, strict=True)), **lists}).cast(LABELS))
            owner, named = np.nonzero(present)
            write_reports(keys.append_column("text_ids", add_texts(text_ids, owner, feature_texts[named])))
    pairs = max(1, everything.num_rows * len(features))
    shares = 100 * counts / pairs
    LOG.info("of %d pairs of record and feature %.1f %% are present, %.1f %% absent", pairs, *shares)


if __name__ == "__main__":
    run_stage(main, arguments())
