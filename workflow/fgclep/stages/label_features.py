"""Say of every feature of a record whether it is present, absent or unknown; add the present ones to the reports.

The audit has the features that were proposed; here are all others, too, as far as measurement or report tell.
"""

import argparse
import logging

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fgclep.errors import UserError
from fgclep.keys import KEY, PART, located, record_names
from fgclep.language.reports import feature_text_ids
from fgclep.language.statements import read_statements
from fgclep.language.vocabulary import Vocabulary, load_vocabulary
from fgclep.measurement.rules import UNTESTABLE, RuleTable
from fgclep.progress import progress
from fgclep.schemas.audit import AUDIT
from fgclep.schemas.labels import LABELS
from fgclep.schemas.measurements import LEAD_MEASURES, MEASUREMENTS, MEASURES
from fgclep.schemas.reports import REPORTS
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import fixed_lists, read_table, table_writer
from fgclep.verification.augmentation import add_texts
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


def verdicts_of(paths: list[str], vocabulary: Vocabulary, names: pa.Array) -> np.ndarray:
    """Verdict of the measurement on every feature, int8 of shape (records, features)."""
    rules = RuleTable([feature.rule for feature in vocabulary.features.values()])
    verdicts = np.full((len(names), len(vocabulary.features)), UNTESTABLE, dtype=np.int8)
    for path in paths:
        for place, table in located(path, MEASUREMENTS, [*MEASURES, *LEAD_MEASURES], names):
            measures = {name: table[name].to_numpy().astype(np.float64) for name in MEASURES}
            measures |= {name: fixed_lists(table[name], 12, path) for name in LEAD_MEASURES}
            verdicts[place] = rules.verdicts(measures, len(place))
    return verdicts


def accepted_of(path: str, vocabulary: Vocabulary, names: pa.Array) -> np.ndarray:
    """Which features the audit accepts, bool of shape (records, features)."""
    accepted = np.zeros((len(names), len(vocabulary.features)), dtype=bool)
    features = pa.array(list(vocabulary.features))
    for place, table in located(path, AUDIT, ["feature", "accepted"], names):
        number = pc.index_in(table["feature"], value_set=features)
        if number.null_count:
            unknown = table.filter(pc.is_null(number))["feature"][0]
            raise UserError(f"{path}: the feature {unknown} is not in the vocabulary; delete the file and run again")
        chosen = table["accepted"].to_numpy()
        accepted[place[chosen], number.to_numpy()[chosen]] = True
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
    verdicts, accepted = (
        verdicts_of(args.measurements, vocabulary, records),
        accepted_of(args.audit, vocabulary, records),
    )
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
