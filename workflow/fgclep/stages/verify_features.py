"""Check every recovered feature against its record, and add what is accepted to the reports.

Records are judged in chunks; only the verdict and the score of every feature are held for all of them at once, five
bytes per record and feature (about 900 MB for 800,000 records and 223 features).
"""

import argparse
import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from fgclep.recovery.audit import CHUNK, Records, add_accepted, chunks, judge, proposals, thresholds
from fgclep.reports import feature_text_ids
from fgclep.schemas import (
    AUDIT,
    CANDIDATES,
    LEAD_MEASURES,
    MANIFEST,
    MEASUREMENTS,
    MEASURES,
    REPORTS,
    SCORES,
    TEXTS,
    read_table,
    write_table,
)
from fgclep.stage import UserError, progress, run_stage, stage_parser
from fgclep.statements import parse_statements
from fgclep.verification import UNTESTABLE, text_findings, verdicts
from fgclep.vocabulary import Vocabulary, load_vocabulary

log = logging.getLogger(__name__)
KEY = ["source", "record_id"]


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--candidates", required=True)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--reports", required=True)
    parser.add_argument("--measurements", nargs="+", required=True)
    parser.add_argument("--manifests", nargs="+", required=True)
    parser.add_argument("--scores", nargs="*", default=[])
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--audit", type=Path, required=True)
    parser.add_argument("--output", required=True, help="reports with the accepted features")
    return parser


def located(path: str, schema: pa.Schema, columns: Sequence[str], keys: pl.DataFrame) -> Iterator[tuple]:
    """Yield batches of a table: the places of their records among ``keys``, and the columns of these records."""
    read_table(path, schema, KEY[:1])  # checks the schema
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=CHUNK, columns=[*KEY, *columns]):
            own = pl.DataFrame({name: pl.Series(batch[name].to_pylist(), dtype=pl.String) for name in KEY})
            place = own.join(keys, on=KEY, how="left", maintain_order="left")["place"]
            known = place.is_not_null().to_numpy()
            yield place.drop_nulls().to_numpy(), pa.Table.from_batches([batch]).filter(pa.array(known))


def fixed_lists(column: pa.ChunkedArray, length: int, path: str) -> np.ndarray:
    """Return a list column as float64 of shape (rows, length); a null list, or a null in it, is NaN."""
    rows = column.to_pylist()
    result = np.full((len(rows), length), np.nan)
    for i, values in enumerate(rows):
        if values is None:
            continue
        if len(values) != length:
            raise UserError(f"{path}: a list of {len(values)} values where {length} belong; delete it and run again")
        result[i] = [np.nan if value is None else value for value in values]
    return result


def load_records(args: argparse.Namespace, vocabulary: Vocabulary) -> Records:
    """Read what is known of every record that has a report."""
    reports = read_table(args.reports, REPORTS)
    n, features = reports.num_rows, list(vocabulary.features.values())
    keys = pl.DataFrame({name: pl.Series(reports[name].to_pylist(), dtype=pl.String) for name in KEY})
    keys = keys.with_row_index("place")
    train = np.zeros(n, dtype=bool)
    for path in args.manifests:
        for place, table in located(path, MANIFEST, ["split"], keys):
            train[place] = [split == "train" for split in table["split"].to_pylist()]

    verdict = np.full((n, len(features)), UNTESTABLE, dtype=np.int8)
    for path in progress(args.measurements, len(args.measurements), "measurements"):
        for place, table in located(path, MEASUREMENTS, [*MEASURES, *LEAD_MEASURES], keys):
            measures = {name: table[name].to_numpy().astype(np.float64) for name in MEASURES}
            measures |= {name: fixed_lists(table[name], 12, path) for name in LEAD_MEASURES}
            for number, feature in enumerate(features):
                verdict[place, number] = verdicts(feature.rule, measures, len(place))

    fold = np.zeros(n, dtype=np.int64)
    scores = np.full((n, len(features)), np.nan, dtype=np.float32)
    for path in progress(args.scores, len(args.scores), "scores"):
        for place, table in located(path, SCORES, ["fold", "scores"], keys):
            fold[place] = table["fold"].to_numpy()
            scores[place] = fixed_lists(table["scores"], len(features), path)
    if fold.max(initial=0) >= args.settings["folds"]:
        raise UserError(
            f"{args.scores}: fold {fold.max()}, and verification.folds is {args.settings['folds']}; delete the scores"
        )
    text_ids = reports["text_ids"].combine_chunks()
    return Records(reports.select(KEY), text_ids, train, verdict, fold, scores)


def main(args: argparse.Namespace) -> None:
    """Write the audit (one row per record, statement and proposed feature) and the augmented reports."""
    vocabulary = load_vocabulary(args.vocabulary)
    statements = parse_statements(read_table(args.texts, TEXTS, ["text"])["text"].to_pylist(), vocabulary)
    findings = text_findings(statements, vocabulary)
    places = {name: i for i, name in enumerate(vocabulary.features)}
    candidates = proposals(read_table(args.candidates, CANDIDATES), places, len(statements))
    records = load_records(args, vocabulary)
    limits = thresholds(records, findings, candidates, args.settings)

    feature_texts = feature_text_ids([statement.text for statement in statements], vocabulary)
    text_ids = records.text_ids.to_pylist()
    reasons: Counter[str] = Counter()
    args.audit.parent.mkdir(parents=True, exist_ok=True)
    partial = args.audit.with_name(f".{args.audit.name}.{os.getpid()}.part")
    with pq.ParquetWriter(partial, AUDIT, compression="zstd") as writer:
        total = -(-len(records) // CHUNK)
        for chunk in progress(chunks(records, findings, candidates), total, "records", "chunk"):
            audit, accepted = judge(chunk.pairs, records, findings, candidates, limits, args.settings)
            writer.write_table(audit)
            reasons.update(audit["reason"].to_pylist())
            add_accepted(text_ids, chunk.pairs.record[accepted], chunk.pairs.feature[accepted], feature_texts)
    os.replace(partial, args.audit)
    for reason, count in sorted(reasons.items(), key=lambda item: -item[1]):
        log.info("%d candidates %s", count, reason)
    column = pa.array(text_ids, type=REPORTS.field("text_ids").type)
    write_table(records.keys.append_column("text_ids", column), args.output, REPORTS)


if __name__ == "__main__":
    run_stage(main, arguments())
