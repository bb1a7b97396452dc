"""Add to the reports of simulated recordings the features that are true of them: what a perfect recovery would add."""

import argparse

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fgclep.errors import UserError
from fgclep.keys import KEY, located, record_names
from fgclep.language.reports import feature_text_ids
from fgclep.language.vocabulary import load_vocabulary
from fgclep.schemas.reports import REPORTS, TEXTS
from fgclep.schemas.truth import TRUTH
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import read_table, write_table
from fgclep.verification.augmentation import add_texts


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--truths", required=True, nargs="+", help="tables of the features that are present")
    parser.add_argument("--texts", required=True)
    parser.add_argument("--reports", required=True)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--output", required=True, help="reports with the features")
    return parser


def main(args: argparse.Namespace) -> None:
    """Write the reports (schema ``REPORTS``), features after the statements, in the order of the truth.

    A report of which the truth knows nothing, because its recording is none that was simulated, stays as it is.
    """
    vocabulary = load_vocabulary(args.vocabulary)
    texts = read_table(args.texts, TEXTS, ["text"])["text"].to_pylist()
    feature_texts = np.array(feature_text_ids(texts, vocabulary))
    reports = read_table(args.reports, REPORTS)
    names = pa.array(list(vocabulary.features))
    record, feature = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int32)]
    for path in args.truths:
        for places, rows in located(path, TRUTH, ["feature"], record_names(reports)):
            number = pc.index_in(rows["feature"], value_set=names)
            if number.null_count:
                unknown = rows.filter(pc.is_null(number))["feature"][0]
                raise UserError(
                    f"{path}: the feature {unknown} is not in the vocabulary; delete the file and run again"
                )
            record.append(places)
            feature.append(number.to_numpy())
    added = feature_texts[np.concatenate(feature)]
    text_ids = add_texts(reports["text_ids"].combine_chunks(), np.concatenate(record), added)
    write_table(reports.select(KEY).append_column("text_ids", text_ids), args.output, REPORTS)


if __name__ == "__main__":
    run_stage(main, arguments())
