"""An ECG in European Data Format (EDF, EDF+C), or the one of BioSemi with 24 bits (BDF, BDF+C)."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import edfio
import numpy as np

from fgclep.leads import LEADS, read_labels
from fgclep.recordings.labels import MILLIVOLTS, leads_of, unit_of
from fgclep.recordings.volts import guess_unit, to_record
from fgclep.signals.record import Record, middle_part

_MAGIC = {".edf": b"0       ", ".bdf": b"\xffBIOSEMI"}
_UNKNOWN_LENGTH = "EDF header indicates -1 data records"
_MICRO = ("\u00c2\u00b5", "\u00ce\u00bc")  # the micro sign and mu in UTF-8, read as Latin-1


def read_edf(path: Path, leads: Sequence[str] | None, units: str | None) -> Record:
    """Read the leads among the signals, with the header's units; other signals are left out with a remark.

    ``leads`` are those of a file whose signals are none by their names, ``units`` that of leads whose unit is blank or
    unknown. Raises ``ValueError`` with the reason.
    """
    kind, magic = path.suffix[1:].upper(), _MAGIC[path.suffix.lower()]
    with path.open("rb") as file:
        if file.read(len(magic)) != magic:
            raise ValueError(f"it is no {kind} file")
    try:
        return _read(path, leads, units)
    except (IndexError, OverflowError, TypeError, ZeroDivisionError, UnboundLocalError) as error:  # damaged headers
        raise ValueError(f"it is no readable {kind} file ({type(error).__name__}: {error})") from error


def _read(path: Path, given: Sequence[str] | None, units: str | None) -> Record:
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        if path.suffix.lower() == ".bdf":
            edf: edfio.Bdf | edfio.Edf = edfio.read_bdf(path, header_encoding="latin-1")
        else:
            edf = edfio.read_edf(path, header_encoding="latin-1")
    told = [str(warning.message) for warning in raised if warning.category is UserWarning]  # by the reader of this file
    if damage := [text for text in told if not text.startswith(_UNKNOWN_LENGTH)]:
        raise ValueError(f"it is cut short or damaged: {damage[-1]}")
    if edf.reserved.startswith(("EDF+D", "BDF+D")):
        raise ValueError(f"it is interrupted ({edf.reserved[:5]}); cut it into its pieces first")
    every: list[edfio.EdfSignal | edfio.BdfSignal] = list(edf.signals)
    labels = [signal.label for signal in every]
    named, remarks = leads_of(labels, read_labels(labels), given, "signals")
    found = {signal: lead for signal, lead in zip(every, named, strict=True) if lead}
    rates = {signal.sampling_frequency for signal in found}
    if len(rates) > 1:
        raise ValueError(f"its leads have different sampling rates: {', '.join(f'{rate:g}' for rate in sorted(rates))}")
    signals = sorted(found, key=lambda signal: LEADS.index(found[signal]))
    (rate,) = rates
    part, more = middle_part(edf.num_data_records * signals[0].samples_per_data_record, rate)
    start, stop = part.start / rate, part.stop / rate
    remarks += more
    unit = {signal: unit_of(repr(signal.label), _unit(signal), units) for signal in signals}
    blank = [signal for signal in signals if not unit[signal]]
    if blank:
        units, remark = guess_unit(np.stack([signal.get_data_slice(start, stop) for signal in blank]))
        remarks += [remark] if remark else []
    leads = tuple(found[signal] for signal in signals)
    if isinstance(edf, edfio.Bdf):  # 24 bits
        stated = [unit[signal] or units or "mV" for signal in signals]
        values = np.stack([signal.get_data_slice(start, stop) for signal in signals])
        return to_record(values, leads, float(rate), stated, remarks)
    gain, baseline = np.zeros(len(signals)), np.zeros(len(signals), dtype=np.int32)
    for row, signal in enumerate(signals):
        steps, span = signal.digital_max - signal.digital_min, signal.physical_max - signal.physical_min
        if steps <= 0 or not np.isfinite(span) or not span:
            raise ValueError(f"lead {signal.label!r} has no calibration: its header gives no range of values")
        gain[row] = steps / span / MILLIVOLTS[(unit[signal] or units or "mV").lower()]
        zero = signal.digital_min - signal.physical_min * steps / span
        baseline[row] = np.clip(round(zero), -(2**23), 2**23)  # beyond it the offset is lost, on which nothing depends
    samples = [signal.get_digital_slice(start, stop) for signal in signals]
    digital = np.maximum(np.stack(samples), -32767)  # the lowest stands for no value
    return Record(digital, gain, baseline, float(rate), leads, remarks=tuple(remarks))


def _unit(signal: edfio.EdfSignal | edfio.BdfSignal) -> str:
    unit = signal.physical_dimension.strip()
    for garbled in _MICRO:
        unit = unit.replace(garbled, "µ")
    return unit
