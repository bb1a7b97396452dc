"""Numbers of a file as millivolts: which unit they have, and how they become a record."""

from collections.abc import Sequence

import numpy as np

from fgclep.config.quality import QualitySection
from fgclep.leads import LEADS
from fgclep.recordings.labels import MILLIVOLTS
from fgclep.signals.amplitude import TAILS, check_amplitude
from fgclep.signals.ends import ecg_part
from fgclep.signals.record import MISSING, Record, middle_part

UNITS = ("mV", "uV", "V")
RANGE_MV = (0.2, 10.0)  # peak-to-peak that the median lead of an ECG has
_COARSE = 0.9  # steps of numbers that may be counts
_STEPS_UV = (5.0, 4.8828125, 4.88, 2.44140625)  # of recorders: 200, 204.8 and 409.6 per mV
_ROUNDED = 1e-9  # away from a whole number
_SEVERAL = 4  # different changes between samples
_OFF_GRID = 0.01  # of a step, by which single precision and seven digits miss it
GAIN = 1000.0  # units per mV: 1 µV, below the noise of any electrode; reaches 32 mV to either side


def guess_unit(values: np.ndarray, whole: bool = False) -> tuple[str, str | None]:
    """Tell mV, uV and V apart by the amplitude, where nothing speaks for numbers of a converter.

    The measure is the median over the leads of the range between the 0.1st and the 99.9th percentile. The ranges that
    an ECG has in the three units (0.2 to 10 mV) do not overlap. Numbers of a converter may have any of them, and are
    whole, or have steps of 1 without a mean. So such numbers are refused, but for steps of 4.88 or 5, which recorders
    have in uV, and for whole numbers that a multiplication left inexact, as millivolts times 1000 in double precision.

    Parameters
    ----------
    values
        (leads, samples), NaN for missing ones.
    whole
        Whether the file has them as integers.

    Returns
    -------
    str, str or None
        The unit, and a remark on the guess. Leads without any amplitude leave no guess: mV and no remark.

    Raises
    ------
    ValueError
        If they are whole numbers, or the amplitude is that of an ECG in none of the units.
    """
    known = [row[np.isfinite(row)].astype(np.float64) for row in values]
    spans = [float(np.subtract(*np.percentile(row, TAILS))) for row in known if len(row)]
    if not any(spans):
        return "mV", None
    span = float(np.median([value for value in spans if value]))
    # computed leads, such as aVR, may have halves of the others' steps
    step = float(np.median([step for row in known if (step := _step(row)) is not None]))
    low, high = RANGE_MV
    unit = next((unit for unit in UNITS if low <= span * MILLIVOLTS[unit.lower()] <= high), None)
    coarse = step >= _COARSE and not any(abs(step - usual) < 1e-4 * usual for usual in _STEPS_UV)
    if whole or (unit and coarse and not _computed(known)):
        raise ValueError(
            f"its numbers have steps of {step:.6g} and no unit: those of an analog-to-digital converter have, whatever "
            "its gain is. Divide them by its gain (numbers per mV) and give --units mV, or give --units uV if they are "
            "microvolts"
        )
    if unit:
        others = " or ".join(other for other in UNITS if other != unit)
        remark = f"amplitudes look like {unit} (median peak-to-peak {span:,.4g}); taken as such. --units {others} "
        return unit, remark + "to overrule"
    raise ValueError(
        f"the amplitude (median peak-to-peak {span:,.4g}) is that of an ECG neither in mV ({low:g} to {high:g}) nor in "
        f"uV ({1000 * low:g} to {1000 * high:g}) nor in V; if the unit is one of these all the same, give --units; "
        "numbers of an analog-to-digital converter must be divided by its gain first"
    )


def _computed(rows: Sequence[np.ndarray]) -> bool:
    """Whether numbers are whole but for the rounding of a product: millivolts times 1000 are, and counts are not."""
    away = [np.abs(row - np.round(row)).max(initial=0) for row in rows]
    return 0 < max(away) < _ROUNDED


def _step(row: np.ndarray) -> float | None:
    """Step of the grid on which the numbers of a lead lie, beside an offset; 0 if there is none, ``None`` if flat."""
    with np.errstate(all="ignore"):
        changes = np.abs(np.diff(row))
        changes = changes[changes > 0]
    if not len(changes):
        return None
    if changes.max() > 2**40:
        return 0.0
    for step in (1.0, float(changes.min())):
        counts = np.round(changes / step)
        if np.abs(changes / step - counts).max() < _OFF_GRID:
            several = len(np.unique(counts)) >= _SEVERAL  # a ramp has no steps of a converter
            return step * float(np.gcd.reduce(counts.astype(np.int64))) if several else 0.0
    return 0.0


def to_record(
    values: np.ndarray,
    leads: Sequence[str],
    sampling_rate: float,
    units: str | Sequence[str] | None,
    remarks: Sequence[str] = (),
    whole: bool = False,
    longest: float | None = None,
) -> Record:
    """Make a record of numbers.

    Parameters
    ----------
    values
        (leads, samples); what is not finite is missing.
    leads
        Canonical names, each once, in any order.
    sampling_rate
        Hz.
    units
        mV, uV or V; one for every lead; ``None``: guessed, see ``guess_unit``.
    remarks
        What was noticed so far.
    whole
        Whether the file has integers.
    longest
        Seconds that are kept, from the middle of a longer one; ``None``: all. The amplitude is that of the whole, but
        for dead ends and calibration pulses.

    Raises
    ------
    ValueError
        If there are no samples, the unit cannot be guessed, or no ECG has these numbers in this unit.
    """
    if not values.size:
        raise ValueError("it holds no samples")
    remarks = list(remarks)
    if units is None:
        units, remark = guess_unit(values, whole)
        remarks += [remark] if remark else []
    per_lead = [units] * len(leads) if isinstance(units, str) else units
    order = sorted(range(len(leads)), key=lambda row: LEADS.index(leads[row]))
    with np.errstate(all="ignore"):  # signaling NaN, and numbers that overflow: none of them is known
        mv = values.astype(np.float64) * np.array([MILLIVOLTS[unit.lower()] for unit in per_lead])[:, None]
    part, more = middle_part(values.shape[1], sampling_rate, longest)
    values, remarks = values[:, part], [*remarks, *more]
    digital = np.full(values.shape, MISSING, dtype=np.int16)
    baseline = np.zeros(len(leads), dtype=np.int32)
    cut: list[str] = []
    for place, row in enumerate(order):
        with np.errstate(all="ignore"):
            scaled = values[row].astype(np.float64) * (MILLIVOLTS[per_lead[row].lower()] * GAIN)
        known = np.abs(scaled) < np.finfo(np.float32).max  # the median of larger ones is infinite
        if not known.any():
            continue
        middle = float(np.median(scaled[known]))  # an offset, which may be large, costs no range
        moved = np.round(scaled[known] - middle)
        digital[place, known] = np.clip(moved, -32767, 32767)
        if beyond := np.count_nonzero(np.abs(moved) > 32767):
            cut.append(f"{leads[row]} ({beyond} samples)")
        baseline[place] = np.clip(-middle, -(2**23), 2**23)  # beyond it the offset is lost, which nothing depends on
    if cut:
        remarks.append(f"values further than 32.767 mV from the median are set to it: {', '.join(cut)}")
    names = tuple(leads[row] for row in order)
    record = Record(digital, np.full(len(names), GAIN), baseline, float(sampling_rate), names, remarks=tuple(remarks))
    quality = QualitySection()
    ends = not more and sampling_rate >= quality.min_sampling_rate
    check_amplitude(mv, leads, part=ecg_part(record, quality.flat_mv)[0] if ends else slice(None))
    return record
