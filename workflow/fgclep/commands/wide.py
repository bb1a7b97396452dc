"""CSV of ``fgclep predict``: one row per answer or one per recording, beside what a table of one's own says of each."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fgclep.commands.output import PREDICTIONS, Output, say
from fgclep.documents import read_text
from fgclep.errors import UserError
from fgclep.inference.predict import Answer, Questions
from fgclep.measurement.names import INTERVALS
from fgclep.verification.explain import is_missing

READING = ("heart_rate", "pr_ms", "qrs_ms", "qtc_ms", "p_axis", "qrs_axis", "t_axis")  # of MEASURES
KEY = "record"


class Metadata:
    """A CSV file with a column ``record`` and others, that are put beside the answers about each recording.

    A row belongs to the recording of that name as it was given or found, with or without its extension or its folders;
    what fits several recordings fits none.

    Parameters
    ----------
    path
        The file; ``None``: there is nothing beside the answers.
    names
        Of all recordings.
    taken
        Columns that the answers have.

    Raises
    ------
    UserError
        If it has no column ``record``, or one that the answers have, or a recording twice.
    """

    def __init__(self, path: Path | None, names: Sequence[str], taken: Sequence[str]):
        self.columns: list[str] = []
        self._rows: dict[str, dict[str, str]] = {}
        if path is None:
            return
        reader = csv.DictReader(read_text(path).removeprefix("\ufeff").splitlines())
        columns = list(reader.fieldnames or ())
        if KEY not in columns:
            raise UserError(f"--metadata {path}: there is no column {KEY}; it has {', '.join(columns) or 'none'}")
        self.columns = [name for name in columns if name != KEY]
        if both := sorted(set(self.columns) & set(taken)):
            raise UserError(f"--metadata {path}: the answers have a column {both[0]} as well; give it another name")
        forms: dict[str, set[str]] = {}
        for name in names:
            for form in _forms(name):
                forms.setdefault(form, set()).add(name)
        strange = 0
        for row in reader:
            found = next((forms[form] for form in _forms(row[KEY] or "") if form in forms), set())
            if len(found) != 1:
                strange += 1
                continue
            (name,) = found
            if name in self._rows:
                raise UserError(f"--metadata {path}: {row[KEY]} stands for {name}, of which there is a row already")
            self._rows[name] = {column: row[column] or "" for column in self.columns}
        if strange:
            say(f"--metadata {path}: {strange:,} rows are of no recording that was given, or of several")
        if without := len(set(names) - set(self._rows)):
            say(f"--metadata {path}: {without:,} recordings have no row")

    def of(self, name: str) -> Mapping[str, str]:
        """Return the columns of a recording; none where it has no row."""
        return self._rows.get(name, {})


def _forms(name: str) -> list[str]:
    path = Path(name)
    return list(dict.fromkeys([name, str(path.with_suffix("")) if path.name else name, path.name, path.stem]))


def wide_columns(questions: Questions) -> list[str]:
    """Return the columns of the table with one row per recording."""
    asked = [KEY]
    if questions.features:
        asked += [*READING, "rhythm", "diagnoses"]
    return [*asked, *questions.names, "error", "model", "leads"]


def wide_row(answer: Answer) -> dict[str, Any]:
    """Return the answers about a recording by their columns."""
    by_kind: dict[str, list] = {}
    for finding in answer.findings:
        by_kind.setdefault(finding.kind, []).append(finding)
    row = {f.name: f"{f.probability:.4f}" for kind in ("prompt", "class") for f in by_kind.get(kind, [])}
    row |= {
        name: "; ".join(f.text for f in by_kind.get(kind, []))
        for name, kind in (("rhythm", "rhythm"), ("diagnoses", "diagnosis"))
    }
    for name in READING:
        value = (answer.measures or {}).get(name)
        row[name] = "" if is_missing(value) else f"{value:.{INTERVALS[name][1]}f}"
    return row


def measurement_rows(answer: Answer) -> list[dict[str, Any]]:
    """Return rate, intervals and axes as rows of the table with one row per answer."""
    rows = []
    for name in READING if answer.measures is not None else ():
        text, decimals, unit = INTERVALS[name]
        value = answer.measures.get(name) if answer.measures else None
        told = "" if is_missing(value) else f"{value:.{decimals}f} {unit}".rstrip()
        rows.append({"kind": "measurement", "finding": name, "text": text, "measured": told})
    return rows


def prepare(output: Output, wide: bool, metadata: Path | None, questions: Questions, names: Sequence[str]) -> Metadata:
    """Set the columns of a CSV, and return what stands beside its rows.

    Raises ``UserError`` if one row per recording, or a table beside it, is asked for in another format.
    """
    if output.form != "csv" and (wide or metadata is not None):
        option = "--wide" if wide else "--metadata"
        raise UserError(f"{option} is for CSV; give --output FILE.csv, or --format csv")
    columns = wide_columns(questions) if wide else list(PREDICTIONS)
    if len(set(columns)) < len(columns):
        raise UserError("--wide: a prompt has the name of another column; ask it without --wide")
    beside = Metadata(metadata, names, columns)
    output.use([*columns, *beside.columns])
    return beside
