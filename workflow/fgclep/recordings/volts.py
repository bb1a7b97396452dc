"""Numbers of a file as millivolts: which unit they have, and how they become a record."""

from collections.abc import Sequence

import numpy as np

from fgclep.leads import LEADS
from fgclep.recordings.labels import MILLIVOLTS
from fgclep.signals.record import MISSING, Record

UNITS = ("mV", "uV", "V")
RANGE_MV = (0.2, 10.0)  # peak-to-peak that the median lead of an ECG has
_TAILS = (0.1, 99.9)  # percentiles between which it is taken: a spike of a few samples is no amplitude
GAIN = 1000.0  # units per mV: 1 µV, below the noise of any electrode; reaches 32 mV to either side


def guess_unit(values: np.ndarray) -> tuple[str, str | None]:
    """Tell mV, uV and V apart by the amplitude.

    The measure is the median over the leads of the range between the 0.1st and the 99.9th percentile. The ranges that
    an ECG has in the three units (0.2 to 10 mV) do not overlap.

    Parameters
    ----------
    values
        (leads, samples), NaN for missing ones.

    Returns
    -------
    str, str or None
        The unit, and a remark on the guess. Leads without any amplitude leave no guess: mV and no remark.

    Raises
    ------
    ValueError
        If the amplitude is that of an ECG in none of the units.
    """
    known = [row[np.isfinite(row)] for row in values]
    spans = [float(np.subtract(*np.percentile(row, _TAILS[::-1]))) for row in known if len(row)]
    if not any(spans):
        return "mV", None
    span = float(np.median([value for value in spans if value]))
    low, high = RANGE_MV
    for unit in UNITS:
        if low <= span * MILLIVOLTS[unit.lower()] <= high:
            others = " or ".join(other for other in UNITS if other != unit)
            remark = f"amplitudes look like {unit} (median peak-to-peak {span:,.4g}); taken as such. --units {others} "
            return unit, remark + "to overrule"
    raise ValueError(
        f"the amplitude (median peak-to-peak {span:,.4g}) is that of an ECG neither in mV ({low:g} to {high:g}) nor in "
        f"uV ({1000 * low:g} to {1000 * high:g}) nor in V; if the unit is one of these all the same, give --units; "
        "numbers of an analog-to-digital converter must be divided by its gain first"
    )


def to_record(
    values: np.ndarray,
    leads: Sequence[str],
    sampling_rate: float,
    units: str | Sequence[str] | None,
    remarks: Sequence[str] = (),
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

    Raises
    ------
    ValueError
        If there are no samples, or the unit cannot be guessed.
    """
    if not values.size:
        raise ValueError("it holds no samples")
    remarks = list(remarks)
    if units is None:
        units, remark = guess_unit(values)
        remarks += [remark] if remark else []
    per_lead = [units] * len(leads) if isinstance(units, str) else units
    order = sorted(range(len(leads)), key=lambda row: LEADS.index(leads[row]))
    digital = np.full(values.shape, MISSING, dtype=np.int16)
    baseline = np.zeros(len(leads), dtype=np.int32)
    for place, row in enumerate(order):
        with np.errstate(all="ignore"):  # signaling NaN, and numbers that overflow: none of them is known
            scaled = values[row].astype(np.float64) * (MILLIVOLTS[per_lead[row].lower()] * GAIN)
        known = np.abs(scaled) < np.finfo(np.float32).max  # the median of larger ones is infinite
        if not known.any():
            continue
        middle = float(np.median(scaled[known]))  # an offset, which may be large, costs no range
        digital[place, known] = np.clip(np.round(scaled[known] - middle), -32767, 32767)
        baseline[place] = np.clip(-middle, -(2**23), 2**23)  # beyond it the offset is lost, which nothing depends on
    names = tuple(leads[row] for row in order)
    return Record(digital, np.full(len(names), GAIN), baseline, float(sampling_rate), names, remarks=tuple(remarks))
