"""What a clinician's answers on the review sheet say about the filter."""

import csv
import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tabulate import tabulate

from fgclep.errors import UserError
from fgclep.schemas.metrics import MIN_PATIENTS

COLUMNS = ("source", "record_id", "statement", "feature", "decision", "weight", "answer", "blind", "comment")
DECISIONS = {
    "accepted": "accepted features that the reader accepts",
    "dropped": "dropped features that the reader would have accepted",
}
ANSWERS = ("accept", "reject", "unsure", "")
BLIND = ("yes", "no", "")
ANEW = "export it anew with “Export CSV” in results/review.html"
_HEAVIEST = 1e9  # as many decisions as one may stand for
Z95 = 1.959964  # quantile of the normal distribution that leaves 2.5 % above it


@dataclass(frozen=True)
class Answer:
    """One row of the CSV file that the review sheet exports, and its ECG, if that is known."""

    decision: str
    weight: float
    answer: str
    blind: str
    ecg: tuple[str, str] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Share:
    """A share with its 95 % interval, from ``judged`` answers; the share is ``None`` if there are none.

    ``ecgs`` is of how many ECGs they are, as far as is known; of fewer than ``MIN_PATIENTS`` no interval is told.
    """

    judged: int
    share: float | None
    low: float
    high: float
    ecgs: int = field(default=0, compare=False)


def read_answers(path: Path) -> list[Answer]:
    """Read the exported CSV file, also as a spreadsheet saves it again, with semicolons or tabs.

    Raises
    ------
    UserError
        If a column is missing, a value is not one that the sheet writes, or a decision stands there twice. The message
        names the line and the value.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8; save it as CSV in UTF-8, or {ANEW}") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; {ANEW}") from None
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
    if missing:
        raise UserError(
            f"{path}: there is no column {', '.join(missing)}; the first line must name {', '.join(COLUMNS)}. Or {ANEW}"
        )
    answers: list[Answer] = []
    lines: dict[tuple[str, ...], int] = {}
    for row in _rows(reader, path):
        place = f"{path}, line {reader.line_num}"
        if None in row or None in row.values():
            raise UserError(f"{place}: the line has not {len(reader.fieldnames or [])} values; {ANEW}")
        for name, allowed in (("decision", tuple(DECISIONS)), ("answer", ANSWERS), ("blind", BLIND)):
            if row[name].strip().lower() not in allowed:
                known = ", ".join(value or "nothing" for value in allowed)
                raise UserError(f"{place}: {name} is {row[name]!r}; write one of: {known}")
        key = row["source"], row["record_id"], row["feature"]
        if key in lines:
            raise UserError(
                f"{place}: {'/'.join(key[:2])}, {key[2]} stands in line {lines[key]} already; delete one of them"
            )
        lines[key] = reader.line_num
        decision, answer, blind = (row[name].strip().lower() for name in ("decision", "answer", "blind"))
        answers.append(Answer(decision, _weight(row["weight"], place), answer, blind, key[:2]))
    if not any(answer.answer for answer in answers):
        raise UserError(f"{path}: none of {len(answers)} decisions is answered; write accept, reject or unsure")
    return answers


def _rows(reader: csv.DictReader, path: Path) -> Iterator[dict]:
    try:
        yield from reader
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: {error}; {ANEW}") from None


def _weight(text: str, place: str) -> float:
    try:
        weight = float(text.replace(",", "."))  # as spreadsheets write it in some countries
    except ValueError:
        weight = math.nan
    if not 0 < weight <= _HEAVIEST:
        raise UserError(
            f"{place}: weight is {text!r}; it must be a number above 0, up to a billion, as the review sheet wrote it"
        )
    return weight


def wilson(share: float, n: float) -> tuple[float, float]:
    """Return the 95 % interval of a share that was seen in ``n`` (Wilson 1927, J. Am. Stat. Assoc. 22:209).

    >>> [round(bound, 4) for bound in wilson(0.9, 100)]
    [0.8256, 0.9448]
    """
    spread = Z95**2 / n
    center = (share + spread / 2) / (1 + spread)
    half = Z95 * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, center - half), min(1.0, center + half)


def weighted_share(answers: Iterable[Answer], unsure: str | None = None) -> Share:
    """Return the weighted share of ``accept`` among answers.

    Parameters
    ----------
    answers
        Of one kind of decision. Those without an answer are left out.
    unsure
        What ``unsure`` counts as, ``accept`` or ``reject``; ``None`` leaves these out.

    Returns
    -------
    Share
        The interval is Wilson's, with the effective number of answers (sum w)^2 / sum w^2 (Kish 1965); with equal
        weights this is their number.
    """
    judged, ecgs = [], set()
    for number, answer in enumerate(answers):
        word = (unsure or "") if answer.answer == "unsure" else answer.answer
        if word:
            judged.append((answer.weight, word == "accept"))
            ecgs.add(answer.ecg or number)
    if not judged:
        return Share(0, None, 0.0, 1.0)
    total = sum(weight for weight, _ in judged)
    share = sum(weight for weight, accepted in judged if accepted) / total
    low, high = wilson(share, total**2 / sum(weight**2 for weight, _ in judged))
    return Share(len(judged), share, low, high, len(ecgs))


def score_text(answers: list[Answer]) -> str:
    """Say in words and numbers what the answers mean for the filter."""
    given = [answer for answer in answers if answer.answer]
    counts = {word: sum(answer.answer == word for answer in given) for word in ANSWERS if word}
    lines = [
        f"{len(given)} of {len(answers)} decisions answered: "
        + ", ".join(f"{count} {word}" for word, count in counts.items())
    ]
    if seen := sum(answer.blind == "no" for answer in given):
        lines.append(f"{seen} of them after the filter's decision had been shown")
    rows: list[tuple] = [("", "judged", "share", "95 % interval")]
    for kind, name in DECISIONS.items():
        own = [answer for answer in answers if answer.decision == kind]
        rows.append(_row(name, weighted_share(own)))
        if any(answer.answer == "unsure" for answer in own):
            rows += [_row(f"  if unsure means {word}", weighted_share(own, word)) for word in ("accept", "reject")]
    table = tabulate(
        rows,
        tablefmt="plain",
        disable_numparse=True,
        colalign=("left", "right", "right", "left"),
        preserve_whitespace=True,  # of what belongs to the line above
    )
    return "\n".join([*lines, "", table])


def _row(name: str, found: Share) -> tuple[str, int, str, str]:
    if found.share is None:
        return name, 0, "not defined", ""
    interval = f"{100 * found.low:.1f} to {100 * found.high:.1f} %"
    return name, found.judged, f"{100 * found.share:.1f} %", interval if found.ecgs >= MIN_PATIENTS else "not defined"
