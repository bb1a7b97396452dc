"""Add to the reports of simulated recordings the features that are true of them: what a perfect recovery would add."""

import argparse
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fgclep.recovery.augmentation import add_texts
from fgclep.reports import feature_text_ids
from fgclep.schemas import REPORTS, TEXTS, TRUTH, check_table, read_table, write_table
from fgclep.stage import UserError, run_stage, stage_parser
from fgclep.vocabulary import load_vocabulary

KEY = ["source", "record_id"]
PART = 500_000  # rows of the truth read at once


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--truths", required=True, nargs="+", help="tables of the features that are present")
    parser.add_argument("--texts", required=True)
    parser.add_argument("--reports", required=True)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--output", required=True, help="reports with the features")
    return parser


def _names(table: pa.Table | pa.RecordBatch) -> pa.ChunkedArray | pa.Array:
    return pc.binary_join_element_wise(table["source"], table["record_id"], "/")


def _places(path: str, reports: pa.Table, features: list[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the truth in parts: places of the record among the reports, and of the feature in the vocabulary."""
    check_table(path, TRUTH)
    reported = _names(reports).combine_chunks()
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=PART):
            record, feature = pc.index_in(_names(batch), reported), pc.index_in(batch["feature"], pa.array(features))
            if feature.null_count:
                unknown = batch["feature"].filter(pc.is_null(feature))[0]
                raise UserError(
                    f"{path}: the feature {unknown} is not in the vocabulary; delete the file and run again"
                )
            known = pc.is_valid(record)
            yield record.filter(known).to_numpy(), feature.filter(known).to_numpy()


def main(args: argparse.Namespace) -> None:
    """Write the reports (schema ``REPORTS``), features after the statements, in the order of the truth.

    A report of which the truth knows nothing, because its recording is none that was simulated, stays as it is.
    """
    vocabulary = load_vocabulary(args.vocabulary)
    texts = read_table(args.texts, TEXTS, ["text"])["text"].to_pylist()
    feature_texts = np.array(feature_text_ids(texts, vocabulary))
    reports = read_table(args.reports, REPORTS)
    record, feature = ([np.zeros(0, dtype=np.int32)] for _ in range(2))
    for path in args.truths:
        for places, features in _places(path, reports, list(vocabulary.features)):
            record.append(places)
            feature.append(features)
    added = feature_texts[np.concatenate(feature)]
    text_ids = add_texts(reports["text_ids"].combine_chunks(), np.concatenate(record), added)
    write_table(reports.select(KEY).append_column("text_ids", text_ids), args.output, REPORTS)


if __name__ == "__main__":
    run_stage(main, arguments())
