"""One WFDB record as integers with gain and baseline, leads in canonical order."""

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import wfdb
from wfdb.io import _header

from fgclep.leads import LEADS, read_labels
from fgclep.recordings.labels import MILLIVOLTS, leads_of, unit_of
from fgclep.signals.record import MISSING, Record

# Value that stands for a missing sample, by format: https://wfdb.io/spec/signal-files.html
_MISSING_OF_FORMAT = {
    "8": -128,
    "80": -128,
    "16": -32768,
    "61": -32768,
    "160": -32768,
    "212": -2048,
    "310": -512,
    "311": -512,
    "24": -(2**23),
    "32": -(2**31),
}
_BITS_OF_FORMAT = {"8": 8, "80": 8, "16": 16, "61": 16, "160": 16, "212": 12, "24": 24, "32": 32}
_SAMPLES_PER_BYTE = 1000  # of the other formats: compressed by no more than that
_SEX = {"f": "F", "female": "F", "m": "M", "male": "M"}


def read_record(path: str | Path, leads: Sequence[str] | None = None, units: str | None = None) -> Record:
    """Read a record from a folder.

    Parameters
    ----------
    path
        Path of the header file without ``.hea``; the signal file stands beside it.
    leads
        Those of a record whose signals are none by their names, in their order.
    units
        mV, uV or V, for signals whose unit is none of these.

    Raises
    ------
    ValueError
        With the record's name and the reason: not readable, an unknown or doubled lead, no calibration, values that do
        not fit 16 bits, or a header that contradicts the signal file: another length, another first sample, another
        checksum. A header that names signal files in other folders is not readable.
    """
    path = Path(path)
    try:
        return _read(path, leads, units)
    # wfdb lets whatever a broken file provokes escape: IndexError, KeyError, TypeError, its own types
    except Exception as error:
        raise ValueError(f"record {path.name}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"the file {Path(error.filename).name} is missing"
    if isinstance(error, _header.HeaderSyntaxError) and "record line" in str(error):
        return "unreadable (the first line of its header is none of WFDB: a record's name has letters, digits, - and _)"
    return str(error) if type(error) is ValueError else f"unreadable ({type(error).__name__}: {error})"


def _read(path: Path, given: Sequence[str] | None, units: str | None) -> Record:
    uncalibrated = _uncalibrated(path.with_name(f"{path.name}.hea"))
    with _quick_headers():
        _check_length(wfdb.rdheader(str(path)), path.parent)  # before memory is taken for what the header describes
        record = wfdb.rdrecord(str(path), physical=False, return_res=32)
    if not record.n_sig:
        raise ValueError("the header lists no signals")
    if record.d_signal is None:
        raise ValueError("signals of different sampling rates are not supported")
    order, leads, remarks = _order(record.sig_name, given)
    if bad := [record.sig_name[i] for i in order if record.sig_name[i] in uncalibrated]:
        raise ValueError(f"gain is 0 or absent in {', '.join(bad)}")
    stored = np.ascontiguousarray(record.d_signal.T)
    _check_values(record, stored)

    digital = stored[order]
    for row, position in enumerate(order):
        missing = _MISSING_OF_FORMAT.get(record.fmt[position])
        if missing is not None and missing != MISSING:
            digital[row, digital[row] == missing] = MISSING
    if digital.size and (digital.min() < MISSING or digital.max() > 32767):
        raise ValueError(f"values from {digital.min()} to {digital.max()} do not fit 16 bits")
    gain = np.array([record.adc_gain[i] for i in order], dtype=float)
    for row, position in enumerate(order):
        unit = unit_of(str(record.sig_name[position]), record.units[position], units) or "mV"
        gain[row] *= 1 / MILLIVOLTS[unit.lower()]
    comments = list(record.comments or [])
    return Record(
        digital=digital.astype(np.int16),
        gain=gain,
        baseline=np.array([record.baseline[i] for i in order], dtype=np.int32),
        sampling_rate=float(record.fs),
        leads=leads,
        age=_age(_comment(comments, "age")),
        sex=_SEX.get((_comment(comments, "sex") or "").lower()),
        codes=_codes(_comment(comments, "dx")),
        remarks=remarks,
    )


class _Fields:
    """A table of wfdb's header fields, from which its parser looks up single cells, as a dict."""

    def __init__(self, table: Any):
        self.index = list(table.index)
        self.loc = {(field, column): table.loc[field, column] for field in table.index for column in table.columns}


# Looking them up in a data frame takes wfdb 1 ms per header, more than all the rest of reading a record.
_FIELDS = {name: _Fields(vars(_header)[name]) for name in ("RECORD_SPECS", "SIGNAL_SPECS") if name in vars(_header)}


@contextmanager
def _quick_headers() -> Iterator[None]:
    """Let wfdb parse headers with ``_FIELDS``; the results are the same."""
    tables = {name: vars(_header)[name] for name in _FIELDS}
    vars(_header).update(_FIELDS)
    try:
        yield
    finally:
        vars(_header).update(tables)


def _order(
    names: Sequence[str | None], given: Sequence[str] | None
) -> tuple[list[int], tuple[str, ...], tuple[str, ...]]:
    """Positions of the leads that are there, in canonical order, their names, and a remark on the other signals."""
    labels = [name or "" for name in names]  # a signal may have no name
    named, remarks = leads_of(labels, read_labels(labels), given, "signals")
    leads = tuple(lead for lead in LEADS if lead in named)
    return [named.index(lead) for lead in leads], leads, tuple(remarks)


def _check_length(header: wfdb.Record, folder: Path) -> None:
    """Compare the size of the signal files with the length in the header; wfdb reads a part in silence."""
    length = header.sig_len or 0
    if any((skew or 0) > length for skew in header.skew or ()):
        raise ValueError(f"a signal is shifted by more than its {length} samples")
    for name in dict.fromkeys(header.file_name or ()):
        signals = [i for i, file in enumerate(header.file_name) if file == name]
        bits = [_BITS_OF_FORMAT.get(header.fmt[i]) for i in signals]
        frames = [length * (header.samps_per_frame[i] or 1) for i in signals]
        found = (folder / name).stat().st_size
        if None in bits:
            if sum(frames) > _SAMPLES_PER_BYTE * found:
                raise ValueError(f"{name} has {found} bytes, its header describes {sum(frames)} samples")
            continue
        total = sum(b * count for b, count in zip(bits, frames, strict=True) if b is not None)
        expected = (header.byte_offset[signals[0]] or 0) + -(-total // 8)
        if found != expected:
            raise ValueError(f"{name} has {found} bytes, its header describes {expected}")


def _check_values(record: wfdb.Record, stored: np.ndarray) -> None:
    """Compare first samples and checksums (the sum of all samples modulo 2**16) with the header, where it has them."""
    sums = stored.sum(axis=1, dtype=np.int64)
    for position, name in enumerate(record.sig_name):
        first, checksum = record.init_value[position], record.checksum[position]
        if first is not None and record.sig_len and first != stored[position, 0]:
            raise ValueError(f"lead {name} starts with {stored[position, 0]}, its header says {first}")
        if checksum is not None and (int(sums[position]) - checksum) % 2**16:
            raise ValueError(f"the checksum of lead {name} is not the one in the header; one of the files is damaged")


def _uncalibrated(header: Path) -> set[str]:
    """Names of signals whose gain is 0 or left out; wfdb would put 200 in its place.

    Raises ``ValueError`` for a record of several segments, and for a header with more or fewer signals than it says.
    """
    lines = [line.split() for line in header.read_text(encoding="utf-8", errors="replace").splitlines()]
    lines = [words for words in lines if words and not words[0].startswith("#")]
    if lines and "/" in lines[0][0]:
        raise ValueError("it consists of several segments, which are not supported")
    announced = lines[0][1] if lines and len(lines[0]) > 1 else ""
    if announced.isdecimal() and int(announced) != len(lines) - 1:
        raise ValueError(f"its header announces {announced} signals and lists {len(lines) - 1}")
    names = set()
    for words in lines[1:]:
        number = re.match(r"[-+.\deE]+", words[2]) if len(words) > 2 else None
        if number is None or float(number.group()) == 0:
            names.add(" ".join(words[8:]))
    return names


def _comment(comments: list[str], key: str) -> str | None:
    for comment in comments:
        name, colon, value = comment.partition(":")
        if colon and name.strip(" #<>").lower() == key:
            return value.strip()
    return None


def _age(text: str | None) -> float | None:
    try:
        age = float(text or "nan")
    except ValueError:  # 'Unknown'
        return None
    return age if math.isfinite(age) and 0 <= age <= 130 else None


def _codes(text: str | None) -> tuple[str, ...]:
    codes = [code.strip() for code in (text or "").split(",")]
    return tuple(code for code in codes if code and code.lower() not in {"unknown", "nan"})
