"""One ECG in files of every format that is read."""

import edfio
import numpy as np
import pytest
from wfdb_files import RATE, heart

from fgclep.leads import LEADS
from fgclep.recordings.read import read_recording

ECG = heart(6.0)


def write_edf(path, mv=ECG, labels=LEADS, unit="mV", factor=1.0, others=(), rate=RATE, **options):
    signals = [
        edfio.EdfSignal(factor * row, rate, label=label, physical_dimension=unit, physical_range=(-9000, 9000))
        if unit == "uV"
        else edfio.EdfSignal(factor * row, rate, label=label, physical_dimension=unit)
        for row, label in zip(mv, labels, strict=True)
    ]
    edfio.Edf([*signals, *others], **options).write(path)
    return path


def write_csv(path, mv=ECG, header=LEADS, separator=",", first=(), decimal="."):
    lines = [separator.join(header)] if header else []
    for number, row in enumerate(mv.T):
        cells = [f"{value:.7g}" for value in (*(column[number] for column in first), *row)]
        lines.append(separator.join(cell.replace(".", decimal) for cell in cells))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_npy(path, values=ECG):
    np.save(path, values)
    return path


def assert_is_ecg(record, mv=ECG):
    """The record is ECG, but for the steps of a converter of 200/mV, which are 5 µV."""
    assert record.leads == LEADS and record.sampling_rate == RATE
    np.testing.assert_allclose(record.millivolts(), mv, atol=0.004)


def refusal(path, **options) -> str:
    with pytest.raises(ValueError) as error:
        read_recording(path, **options)
    assert type(error.value) is ValueError
    return str(error.value)


TIMES = np.arange(ECG.shape[1]) / RATE
