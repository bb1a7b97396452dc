"""One WFDB record as integers with gain and baseline, leads in canonical order."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import wfdb

from fgclep.leads import lead_order
from fgclep.shards import to_millivolts

MISSING = -32768  # a missing sample in ``Record.digital``
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
_UNITS_PER_MILLIVOLT = {"mv": 1.0, "uv": 1000.0, "µv": 1000.0, "v": 0.001}
_SEX = {"f": "F", "female": "F", "m": "M", "male": "M"}


@dataclass(frozen=True)
class Record:
    """A 12-lead ECG as stored.

    Attributes
    ----------
    digital
        int16 (12, samples) in ADC units, leads in the order of ``fgclep.leads.LEADS``; ``MISSING`` for no value.
    gain
        float64 (12,), ADC units per mV.
    baseline
        int32 (12,), the ADC value of 0 mV.
    sampling_rate
        Hz.
    age, sex, codes
        From the header's comments: years, ``F`` or ``M``, ``#Dx`` codes; ``None`` or empty where it has none.
    """

    digital: np.ndarray
    gain: np.ndarray
    baseline: np.ndarray
    sampling_rate: float
    age: float | None = None
    sex: str | None = None
    codes: tuple[str, ...] = ()

    def millivolts(self) -> np.ndarray:
        """Return the signal in mV, float32 (12, samples), NaN where a sample is missing."""
        signal = to_millivolts(self.digital, self.gain, self.baseline)
        signal[self.digital == MISSING] = np.nan
        return signal


def read_record(path: str | Path) -> Record:
    """Read a record from a folder.

    Parameters
    ----------
    path
        Path of the header file without ``.hea``; the signal file stands beside it.

    Raises
    ------
    ValueError
        With the record's name and the reason: not readable, a lead is missing or doubled, no calibration, or values
        that do not fit 16 bits. A header that names signal files in other folders is not readable.
    """
    path = Path(path)
    try:
        return _read(path)
    # wfdb lets whatever a broken file provokes escape: IndexError, KeyError, TypeError, its own types
    except Exception as error:
        raise ValueError(f"record {path.name}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"the file {Path(error.filename).name} is missing"
    return str(error) if type(error) is ValueError else f"unreadable ({type(error).__name__}: {error})"


def _read(path: Path) -> Record:
    header = wfdb.rdheader(str(path))
    if getattr(header, "n_seg", None):
        raise ValueError("it consists of several segments, which are not supported")
    if not header.n_sig:
        raise ValueError("the header lists no signals")
    order = lead_order(header.sig_name)
    uncalibrated = set(_uncalibrated(path.with_name(f"{path.name}.hea")))
    if bad := [header.sig_name[i] for i in order if header.sig_name[i] in uncalibrated]:
        raise ValueError(f"gain is 0 or absent in {', '.join(bad)}")

    record = wfdb.rdrecord(str(path), physical=False, return_res=32)
    if record.d_signal is None:
        raise ValueError("signals of different sampling rates are not supported")
    digital = np.ascontiguousarray(record.d_signal.T[order])
    for row, position in enumerate(order):
        missing = _MISSING_OF_FORMAT.get(record.fmt[position])
        if missing is not None and missing != MISSING:
            digital[row, digital[row] == missing] = MISSING
    if digital.size and (digital.min() < MISSING or digital.max() > 32767):
        raise ValueError(f"values from {digital.min()} to {digital.max()} do not fit 16 bits")
    gain = np.array([record.adc_gain[i] for i in order], dtype=float)
    for row, position in enumerate(order):
        unit = record.units[position]
        if unit.lower() not in _UNITS_PER_MILLIVOLT:
            raise ValueError(f"lead {record.sig_name[position]} is in {unit!r}, not in mV")
        gain[row] *= _UNITS_PER_MILLIVOLT[unit.lower()]
    comments = list(record.comments or [])
    return Record(
        digital=digital.astype(np.int16),
        gain=gain,
        baseline=np.array([record.baseline[i] for i in order], dtype=np.int32),
        sampling_rate=float(record.fs),
        age=_age(_comment(comments, "age")),
        sex=_SEX.get((_comment(comments, "sex") or "").lower()),
        codes=_codes(_comment(comments, "dx")),
    )


def _uncalibrated(header: Path) -> list[str]:
    """Names of signals whose gain is 0 or left out; wfdb would put 200 in its place."""
    lines = [line.split() for line in header.read_text(encoding="utf-8", errors="replace").splitlines()]
    signals = [words for words in lines if words and not words[0].startswith("#")][1:]
    names = []
    for words in signals:
        number = re.match(r"[-+.\deE]+", words[2]) if len(words) > 2 else None
        if number is None or float(number.group()) == 0:
            names.append(" ".join(words[8:]))
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
