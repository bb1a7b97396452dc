"""The decisions about one record's recovered features, in plain words."""

import textwrap
from pathlib import Path
from typing import Any

import polars as pl

from fgclep.errors import UserError
from fgclep.language.vocabulary import Vocabulary
from fgclep.schemas.audit import AUDIT
from fgclep.schemas.measurements import MEASUREMENTS
from fgclep.schemas.reports import REPORTS, TEXTS
from fgclep.tables import read_table
from fgclep.verification.explain import explain, intervals, reason_in_words


def record_audit(name: str, results: Path, vocabulary: Vocabulary) -> str:
    """Return report, measurements and every candidate's decision of a record as lines of text.

    Parameters
    ----------
    name
        ``record_id`` or ``source/record_id``.
    results
        Folder of the workflow's results.
    vocabulary
        For the features' words and rules.

    Raises
    ------
    UserError
        If a table is missing, no record has the name, or records of several sources have it.
    """
    source, _, record_id = name.rpartition("/")
    reports = _rows(results / "reports/reports.parquet", REPORTS, record_id, source)
    sources = sorted({row["source"] for row in reports})
    if not sources:
        raise UserError(
            f"no record {name} has a report that is trained on; results/quarantine.parquet tells why records were left "
            "out, and results/manifest/ which there are"
        )
    if len(sources) > 1:
        raise UserError(
            f"several sources have a record {name}; write one of {', '.join(f'{s}/{name}' for s in sources)}"
        )
    source = sources[0]
    texts = read_table(results / "reports/texts.parquet", TEXTS, ["text"])["text"].to_pylist()
    measured = _rows(results / f"measurements/{source}.parquet", MEASUREMENTS, record_id, source)
    measures = measured[0] if measured else {}
    lines = [f"{source}/{record_id}", "", "Report"]
    lines += [f"  {texts[number]}" for number in reports[0]["text_ids"]]
    if measures:
        lines += [
            "",
            f"Measured ({'by the recorder' if measures['intervals_from'] == 'database' else 'on the signal'})",
        ]
        values = ", ".join(f"{what} {value}" for what, value in intervals(measures))
        lines += textwrap.wrap(values, 100, initial_indent="  ", subsequent_indent="  ")
    # a feature that several statements suggest is told once
    decisions: dict[bool, dict[tuple[str, str], list[dict[str, Any]]]] = {True: {}, False: {}}
    for row in _rows(results / "recovery/audit.parquet", AUDIT, record_id, source):
        decisions[row["accepted"]].setdefault((row["feature"], row["reason"]), []).append(row)
    for accepted, title in ((True, "Accepted"), (False, "Dropped")):
        lines += ["", f"{title} ({len(decisions[accepted])})"]
        for (key, reason), rows in sorted(decisions[accepted].items()):
            feature = vocabulary.features.get(key)
            statements = sorted({row["statement"] for row in rows})
            rule = feature.rule if feature else None
            why = explain(rows[0], statements, rule, measures)
            lines += [f"  {feature.text if feature else key}: {reason_in_words(reason, rule)}"]
            lines += textwrap.wrap(why, 100, initial_indent="      ", subsequent_indent="      ")
    return "\n".join(lines)


def _rows(path: Path, schema: Any, record_id: str, source: str) -> list[dict[str, Any]]:
    """Rows of one record; of all sources if ``source`` is empty."""
    if not path.exists():
        raise UserError(f"{path} does not exist; run `snakemake --cores all` first")
    read_table(path, schema, ["record_id"])
    found = pl.scan_parquet(path).filter(pl.col("record_id") == record_id).collect().to_dicts()
    return [row for row in found if source in {"", row["source"]}]
