"""An ECG in a text file of columns, as spreadsheets, PhysioNet's ATM and numerical programs write it."""

import codecs
import csv
import math
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from fgclep.recordings.labels import MILLIVOLTS, check_once, lead_and_unit, left_out
from fgclep.recordings.volts import to_record
from fgclep.signals.record import Record, middle_part

_SEPARATORS = "\t;,"
_TIME = {"time", "t", "timestamp", "elapsed"}
_SECONDS = {"s", "sec", "secs", "second", "seconds"}
_MILLISECONDS = {"ms", "msec", "millisecond", "milliseconds"}
_BLANK = {"", "nan", "na", "n/a", "null", "none", "-"}
_LARGE = 2**26  # bytes, above which the part of a file that is used is found before it is read
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
        Column of time and its unit in seconds; ``None`` without one.
    ignored
        Labels of the other columns.
    """

    places: list[int]
    leads: list[str]
    labels: list[str]
    units: list[str | None]
    time: int | None = None
    time_scale: float = 1.0
    time_label: str = ""
    ignored: tuple[str, ...] = ()


def read_csv(path: Path, fs: float | None, leads: Sequence[str] | None, units: str | None) -> Record:
    """Read one column per lead, with a header of their names or the names ``leads``; a first column may be time.

    Columns are separated by commas, semicolons or tabs; with the latter two, decimals may have commas. A line of units
    may follow the header, or units stand there behind the names. Lines that begin with ``#`` are left out. Arguments as
    for ``read_recording``; raises ``ValueError`` with the reason.
    """
    encoding, separator = _encoding(path), _separator(path)
    rows = _rows(_lines(path, encoding), separator)
    number, first = next(rows, (0, []))
    if not first:
        raise ValueError("it is empty")
    if any(_number(cell) is None and cell.strip().lower() not in _BLANK for cell in first):
        columns = _from_header(first)
        last, pending = number, next(rows, None)  # the last line above the samples
        if pending and (stated := _units_row(pending[1])):
            columns.units = [stated[place] or unit for place, unit in zip(columns.places, columns.units, strict=True)]
            if columns.time is not None and pending[1][columns.time].strip(" '\"").lower() in _MILLISECONDS:
                columns.time_scale = 0.001
            last, pending = pending[0], None
    else:
        columns, last, pending = _without_header(first, leads), number - 1, (number, first)
    remarks = left_out(columns.ignored, "columns")
    if path.stat().st_size > _LARGE:
        above = sum(1 for line, _ in _lines(path, encoding) if line <= last)
        samples = sum(1 for _ in _lines(path, encoding)) - above
        rate = fs or _first_rate(columns, islice(_rows(islice(_lines(path, encoding), above, None), separator), 1000))
        part, more = middle_part(samples, rate)
        remarks += more
        rows = _rows(islice(_lines(path, encoding), above + part.start, above + part.stop), separator)
        pending = None
    values, times = _numbers(columns, pending, rows, len(first), timed=fs is None)
    if fs is None and columns.time is None:
        raise ValueError("it has no column of time; give the sampling rate with --fs in Hz")
    if fs is None:
        fs = _rate(times * columns.time_scale, columns.time_label)
    elif columns.time is not None:
        remarks.append(f"the column of time ({columns.time_label}) is not read, as --fs is given")
    part, more = middle_part(values.shape[1], fs)
    values, remarks = values[:, part], [*remarks, *more]
    stated = [unit for unit in columns.units if unit is not None]
    if units is None and stated:
        return to_record(values, columns.leads, fs, [str(unit or stated[0]) for unit in columns.units], remarks)
    return to_record(values, columns.leads, fs, units, remarks)


def names_leads(path: Path) -> bool:
    """Whether the first line of a file names a lead, or is of numbers only."""
    try:
        _, first = next(_rows(_lines(path, _encoding(path, 65536)), _separator(path)), (0, []))
    except OSError:
        return True  # reading it will say why it cannot be read
    except ValueError:
        return False
    is_number = [_number(cell) is not None for cell in first]
    return bool(first) and (all(is_number) or any(lead_and_unit(cell)[0] for cell in first))


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
    """Yield number and text of the lines that are neither empty nor comments."""
    with path.open(encoding=encoding, errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if line.strip() and not line.lstrip().startswith("#"):
                yield number, line


def _separator(path: Path) -> str:
    _, first = next(_lines(path, _encoding(path, 65536)), (0, ""))
    return next((mark for mark in _SEPARATORS if mark in first), ",")


def _rows(lines: Iterable[tuple[int, str]], separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield number and cells of lines."""
    number = 0

    def texts() -> Iterator[str]:
        nonlocal number
        for number, line in lines:  # noqa: B007 (read outside)
            yield line

    try:
        for row in csv.reader(texts(), delimiter=separator):
            if separator != ",":
                row = [cell.replace(",", ".") if _is_decimal(cell) else cell for cell in row]
            yield number, row
    except csv.Error as error:
        raise ValueError(f"it is no readable CSV file: {error}") from error


def _first_rate(columns: _Columns, rows: Iterable[tuple[int, list[str]]]) -> float:
    """Sampling rate in Hz by the times of the first rows; without any, one by which all is used."""
    if columns.time is None:
        return math.inf
    times = [_number(row[columns.time]) for _, row in rows if len(row) > columns.time]
    known = np.array([math.nan if time is None else time for time in times])
    return _rate(known * columns.time_scale, columns.time_label)


def _is_decimal(cell: str) -> bool:
    return re.fullmatch(r"\s*[-+]?\d*,\d+([eE][-+]?\d+)?\s*", cell) is not None


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _time_scale(label: str) -> float | None:
    """Return the unit of a column of time in seconds, ``None`` if the label does not name one."""
    words = re.findall("[a-zµ]+", label.lower())
    if not words or not set(words) <= _TIME | _SECONDS | _MILLISECONDS | {"in"}:
        return None
    return 0.001 if set(words) & _MILLISECONDS else 1.0


def _from_header(header: Sequence[str]) -> _Columns:
    columns = _Columns([], [], [], [])
    ignored = []
    for place, label in enumerate(header):
        lead, unit = lead_and_unit(label)
        scale = _time_scale(label) if place == 0 else None
        if lead is not None:
            columns.places.append(place)
            columns.leads.append(lead)
            columns.labels.append(label)
            columns.units.append(unit)
        elif scale is not None:
            columns.time, columns.time_scale, columns.time_label = place, scale, label
        else:
            ignored.append(label)
    if not columns.leads:
        raise ValueError(
            f"none of its columns is one of the twelve leads: {', '.join(map(repr, header[:12]))}; the first line must "
            "name them, or --leads"
        )
    check_once(columns.leads, columns.labels)
    columns.ignored = tuple(ignored)
    return columns


def _without_header(first: Sequence[str], leads: Sequence[str] | None) -> _Columns:
    if leads is None:
        raise ValueError("its first line is of numbers and does not name the leads; give --leads I,II,...")
    if len(first) not in {len(leads), len(leads) + 1}:
        raise ValueError(f"it has {len(first)} columns; --leads names {len(leads)}, before which there may be time")
    timed = len(first) > len(leads)
    places = list(range(int(timed), len(first)))
    return _Columns(places, list(leads), list(leads), [None] * len(leads), 0 if timed else None, 1.0, "the first")


def _units_row(cells: Sequence[str]) -> list[str | None] | None:
    """Return the units of the columns if the line has units in place of numbers."""
    words = [cell.strip().strip("'\"()[]").strip() for cell in cells]
    stated = [word if word.lower() in MILLIVOLTS else None for word in words]
    return stated if any(stated) and not any(_number(word) is not None for word in words) else None


def _numbers(
    columns: _Columns,
    pending: tuple[int, list[str]] | None,
    rows: Iterator[tuple[int, list[str]]],
    width: int,
    timed: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of the leads (leads, samples) and the times, which are empty if not asked for."""
    values, times = array("d"), array("d")
    take_time = columns.time if timed else None

    def take(number: int, row: list[str]) -> None:
        if len(row) != width:
            raise ValueError(f"line {number} has {len(row)} columns, the first line {width}")
        for place, label in zip(columns.places, columns.labels, strict=True):
            value = _number(row[place])
            if value is None:
                if row[place].strip().lower() not in _BLANK:
                    raise ValueError(f"line {number}, column {label!r}: {row[place][:40]!r} is no number")
                value = np.nan
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
    return np.array(values).reshape(-1, len(columns.places)).T, np.array(times)


def _rate(times: np.ndarray, label: str) -> float:
    """Return the sampling rate in Hz of evenly spaced times in seconds.

    Raises
    ------
    ValueError
        If they are not evenly spaced.
    """
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
    return float(round(rate)) if abs(rate - round(rate)) < _ROUNDING * rate else rate
