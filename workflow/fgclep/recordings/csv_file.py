"""An ECG in a text file of columns, as spreadsheets, PhysioNet's ATM and numerical programs write it."""

import codecs
import csv
import math
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from fgclep.leads import read_label, read_labels
from fgclep.recordings.labels import leads_of, unit_of
from fgclep.recordings.volts import to_record
from fgclep.signals.record import LONGEST_SECONDS, Record, middle_part

_SEPARATORS = "\t;,|"
_SEPARATOR_LINE = re.compile(r"sep=.\s*$", re.IGNORECASE)  # for Excel
_TIME = {"time", "t", "timestamp", "elapsed"}
_SECONDS = {"s", "sec", "secs", "second", "seconds"}
_MILLISECONDS = {"ms", "msec", "millisecond", "milliseconds"}
_BLANK = {"", "nan", "na", "n/a", "null", "none", "-"}
_LARGE = 2**26  # bytes, above which the part of a file that is used is found before it is read
_NO_RATE = 10.0  # Hz, of no ECG
_JITTER = 0.75  # of a step, by which rounded times may miss an even grid
_ROUNDING = 5e-4  # of the sampling rate: times rounded to 1 ms leave no more over a few seconds


@dataclass
class _Columns:
    """What the columns are.

    Parameters
    ----------
    places, leads, labels, units
        Of the columns that are leads; a unit is ``None`` where the file does not say it.
    time, time_scale, time_label
        Column of time and its unit in seconds, ``None`` if the file does not say it; ``None`` without one.
    remarks
        On the other columns.
    """

    places: list[int]
    leads: list[str]
    labels: list[str]
    units: list[str | None]
    time: int | None = None
    time_scale: float | None = None
    time_label: str = ""
    remarks: list[str] = field(default_factory=list)


def read_csv(path: Path, fs: float | None, leads: Sequence[str] | None, units: str | None) -> Record:
    """Read one column per lead, with a header of their names or the names ``leads``; a first column may be time.

    Columns are separated by commas, semicolons, tabs, bars or spaces; but for commas, decimals may have commas. A line
    of units may follow the header, or units stand there behind the names. Lines that begin with ``#`` are left out.
    Arguments as for ``read_recording``; raises ``ValueError`` with the reason.
    """
    encoding, separator = _encoding(path), _separator(path)
    rows = _rows(_lines(path, encoding), separator)
    number, first = next(rows, (0, []))
    if not first:
        raise ValueError("it is empty")
    if any(_number(cell) is None and cell.strip().lower() not in _BLANK for cell in first):
        columns = _from_header(first, leads)
        last, pending = number, next(rows, None)  # the last line above the samples
        if pending and len(pending[1]) == len(first) and (stated := _units_row(pending[1])):
            columns.units = [stated[place] or unit for place, unit in zip(columns.places, columns.units, strict=True)]
            if columns.time is not None and (scale := _time_unit(pending[1][columns.time])):
                columns.time_scale = scale
            last, pending = pending[0], None
    else:
        columns, last, pending = _without_header(first, leads), number - 1, (number, first)
    if fs is None and columns.time is None:
        raise ValueError("it has no column of time; give the sampling rate with --fs in Hz")
    remarks, longest = list(columns.remarks), LONGEST_SECONDS
    if path.stat().st_size > _LARGE:
        above = sum(1 for line, _ in _lines(path, encoding) if line <= last)
        samples = sum(1 for _ in _lines(path, encoding)) - above
        rate = fs or _first_rate(columns, islice(_rows(islice(_lines(path, encoding), above, None), separator), 1000))
        part, more = middle_part(samples, rate)
        remarks, longest = [*remarks, *more], math.inf
        rows = _rows(islice(_lines(path, encoding), above + part.start, above + part.stop), separator)
        pending = None
    values, times, whole = _numbers(columns, pending, rows, len(first), timed=fs is None)
    if fs is None:
        fs = _rate(times, columns.time_scale, columns.time_label)
    elif columns.time is not None:
        remarks.append(f"the column of time ({columns.time_label}) is not read, as --fs is given")
    return to_record(values, columns.leads, fs, _units(columns, units, remarks), remarks, whole, longest)


def _units(columns: _Columns, given: str | None, remarks: list[str]) -> str | list[str] | None:
    """The units of the leads; ``None`` if neither the file nor the user says them. A header may be overruled."""
    stated = sorted({unit for unit in columns.units if unit is not None})
    if given is not None:
        if stated and {unit.lower() for unit in stated} != {given.lower()}:
            remarks.append(f"the header's unit ({', '.join(stated)}) is not read, as --units is given")
        return given
    units = [unit_of(repr(label), unit, None) for label, unit in zip(columns.labels, columns.units, strict=True)]
    if stated and None in units:
        label = columns.labels[units.index(None)]
        raise ValueError(f"column {label!r} has no unit, and others have ({', '.join(stated)}); give --units for all")
    return [str(unit) for unit in units] if stated else None


def names_leads(path: Path) -> bool:
    """Whether the first line of a file names a lead, or is of numbers only."""
    try:
        _, first = next(_rows(_lines(path, _encoding(path, 65536)), _separator(path)), (0, []))
    except OSError:
        return True  # reading it will say why it cannot be read
    except ValueError:
        return False
    is_number = [_number(cell) is not None for cell in first]
    return bool(first) and (all(is_number) or any(label.lead for label in read_labels(first)))


def _encoding(path: Path, limit: float = math.inf) -> str:
    """Tell the encoding of a text file by its first bytes, at most ``limit``; memory does not grow with the file."""
    with path.open("rb") as file:
        if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            return "utf-16"
        file.seek(0)
        decoder, encoding = codecs.getincrementaldecoder("utf-8")(), "utf-8-sig"
        while file.tell() < limit and (block := file.read(65536)):
            if b"\0" in block:
                raise ValueError("it is no text file")
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                encoding = "latin-1"
    return encoding


def _lines(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of the lines that are neither empty nor comments, nor tell Excel the separator."""
    with path.open(encoding=encoding, errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if line.strip() and not line.lstrip().startswith("#") and not (number == 1 and _SEPARATOR_LINE.match(line)):
                yield number, line


def _separator(path: Path) -> str | None:
    """Tell by the first line what separates cells, ``None`` for spaces, of which the second has as many."""
    first, second, *_ = *(text for _, text in islice(_lines(path, _encoding(path, 65536)), 2)), "", ""
    separator = next((mark for mark in _SEPARATORS if mark in first), None)
    if separator is None and not 1 < len(first.split()) == len(second.split()):
        return ","
    return separator


def _rows(lines: Iterable[tuple[int, str]], separator: str | None) -> Iterator[tuple[int, list[str]]]:
    """Yield number and cells of lines; but between commas, decimals may have commas."""
    for number, row in _cells(lines, separator):
        if separator != ",":
            row = [cell.replace(",", ".") if _is_decimal(cell) else cell for cell in row]
        yield number, row


def _cells(lines: Iterable[tuple[int, str]], separator: str | None) -> Iterator[tuple[int, list[str]]]:
    number = 0

    def texts() -> Iterator[str]:
        nonlocal number
        for number, line in lines:  # noqa: B007 (read outside)
            yield line

    if separator is None:
        yield from ((number, line.split()) for number, line in lines)
        return
    try:
        for row in csv.reader(texts(), delimiter=separator):
            yield number, row
    except csv.Error as error:
        raise ValueError(f"it is no readable CSV file: {error}") from error


def _first_rate(columns: _Columns, rows: Iterable[tuple[int, list[str]]]) -> float:
    """Sampling rate in Hz by the times of the first rows."""
    assert columns.time is not None
    times = [_number(row[columns.time]) for _, row in rows if len(row) > columns.time]
    known = np.array([math.nan if time is None else time for time in times])
    return _rate(known, columns.time_scale, columns.time_label)


def _is_decimal(cell: str) -> bool:
    return re.fullmatch(r"\s*[-+]?\d*,\d+([eE][-+]?\d+)?\s*", cell) is not None


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _is_time(label: str) -> bool:
    words = set(re.findall("[a-zµ]+", label.lower()))
    return bool(words) and words <= _TIME | _SECONDS | _MILLISECONDS | {"in"}


def _time_unit(label: str) -> float | None:
    """Return the unit of a column of time in seconds, ``None`` if the label does not name one."""
    words = set(re.findall("[a-zµ]+", label.lower()))
    return 0.001 if words & _MILLISECONDS else 1.0 if words & _SECONDS else None


def _from_header(header: Sequence[str], given: Sequence[str] | None) -> _Columns:
    timed = _is_time(header[0])
    if read_label(header[0]).lead and not any(label.lead for label in read_labels(header[1:])) and len(header) > 2:
        raise ValueError("its leads are rows; read are files with a column for each lead: turn it")
    labels = list(header[timed:])
    read = read_labels(labels)
    named, remarks = leads_of(labels, read, given, "columns")
    taken = [(place, lead) for place, lead in enumerate(named) if lead]
    return _Columns(
        places=[place + timed for place, _ in taken],
        leads=[lead for _, lead in taken],
        labels=[labels[place] for place, _ in taken],
        units=[read[place].unit for place, _ in taken],
        time=0 if timed else None,
        time_scale=_time_unit(header[0]) if timed else None,
        time_label=header[0],
        remarks=remarks,
    )


def _without_header(first: Sequence[str], leads: Sequence[str] | None) -> _Columns:
    if leads is None:
        raise ValueError("its first line is of numbers and does not name the leads; give --leads I,II,...")
    if len(first) not in {len(leads), len(leads) + 1}:
        raise ValueError(f"it has {len(first)} columns; --leads names {len(leads)}, before which there may be time")
    timed = len(first) > len(leads)
    places = list(range(int(timed), len(first)))
    return _Columns(places, list(leads), list(leads), [None] * len(leads), 0 if timed else None, None, "the first")


def _units_row(cells: Sequence[str]) -> list[str | None] | None:
    """Return what stands in place of numbers, if the line is one of units."""
    words = [cell.strip().strip("'\"()[]").strip() for cell in cells]
    if any(_number(word) is not None for word in words) or all(word.lower() in _BLANK for word in words):
        return None
    return [None if word.lower() in _BLANK else word for word in words]


def _numbers(
    columns: _Columns,
    pending: tuple[int, list[str]] | None,
    rows: Iterator[tuple[int, list[str]]],
    width: int,
    timed: bool,
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return the values of the leads (leads, samples), the times, if asked for, and whether no value has decimals."""
    values, times, whole = array("d"), array("d"), True
    take_time = columns.time if timed else None

    def take(number: int, row: list[str]) -> None:
        nonlocal whole
        if len(row) != width:
            raise ValueError(f"line {number} has {len(row)} columns, the first line {width}")
        for place, label in zip(columns.places, columns.labels, strict=True):
            value = _number(row[place])
            if value is None:
                if row[place].strip().lower() not in _BLANK:
                    raise ValueError(f"line {number}, column {label!r}: {row[place][:40]!r} is no number")
                value = np.nan
            elif whole and not row[place].strip().lstrip("+-").isdecimal():
                whole = False
            values.append(value)
        if take_time is not None:
            time = _number(row[take_time])
            if time is None:
                cell = row[take_time][:40]
                raise ValueError(f"line {number}: the time {cell!r} is no number; give the sampling rate with --fs")
            times.append(time)

    if pending:
        take(*pending)
    for number, row in rows:
        take(number, row)
    return np.array(values).reshape(-1, len(columns.places)).T, np.array(times), whole


def _rate(times: np.ndarray, scale: float | None, label: str) -> float:
    """Return the sampling rate in Hz of evenly spaced times.

    Parameters
    ----------
    times
        Of the samples.
    scale
        Their unit in seconds; ``None``: not said, and taken as seconds.
    label
        Of their column.

    Raises
    ------
    ValueError
        If they are not evenly spaced, or seem to be in ms and do not say so.
    """
    times = times * (scale or 1.0)
    if len(times) < 2 or not np.isfinite(times).all() or times[-1] <= times[0]:
        raise ValueError(f"its column of time ({label}) does not grow; give the sampling rate with --fs in Hz")
    step = (times[-1] - times[0]) / (len(times) - 1)
    away = np.abs(times - times[0] - step * np.arange(len(times))) / step
    if away.max() > _JITTER:
        place = int(np.argmax(np.abs(np.diff(times) - step)))
        raise ValueError(
            f"its column of time ({label}) is not evenly spaced: from {times[place]:g} to {times[place + 1]:g} s at "
            f"sample {place + 2}, {step:.4g} s on average; samples are missing, or give the sampling rate with --fs"
        )
    rate = float(1 / step)
    if scale is None and rate <= _NO_RATE:
        raise ValueError(
            f"its column of time ({label}) has no unit: its steps of {step:.4g} s would be {rate:.4g} Hz. If they are "
            f"in ms, it is {1000 * rate:.4g} Hz: name the column 'ms', or give the sampling rate with --fs, also if "
            "these are numbers of samples"
        )
    return float(round(rate)) if abs(rate - round(rate)) < _ROUNDING * rate else rate
