"""What makes a recording unusable, and what is only remarked."""

import numpy as np

from fgclep.leads import INDEX, LEADS
from fgclep.wfdb_reader import MISSING, Record

MIN_SECONDS = 5.0
FLAT_MV = 0.01  # peak to peak; the noise of a connected electrode is larger
MAX_MV = 15.0  # no QRS complex at the body surface comes near
MAX_BEYOND = 0.01  # share of a lead's samples that may be at the converter's limit or beyond MAX_MV (artifacts)
EINTHOVEN_MV = 0.1


def why_unusable(record: Record) -> str | None:
    """Return the reason why a record cannot be used, or ``None``.

    Missing samples, dead leads, less than 5 s, and leads that are saturated or beyond any ECG's amplitude for more than
    1 % of the time.
    """
    digital = record.digital
    seconds = digital.shape[1] / record.sampling_rate
    if seconds < MIN_SECONDS:
        return f"too short: {seconds:.1f} s, at least {MIN_SECONDS:g} s are needed"
    missing = np.count_nonzero(digital == MISSING, axis=1)
    if missing.any():
        where = ", ".join(f"{lead} ({count})" for lead, count in zip(LEADS, missing, strict=True) if count)
        return f"missing samples (NaN) in {where}"
    mv = record.millivolts()
    if dead := _leads(np.ptp(mv, axis=1) < FLAT_MV):
        return f"dead (flat) leads: {dead}"
    if saturated := _leads(np.mean(np.abs(digital.astype(np.int32)) >= 32767, axis=1) > MAX_BEYOND):
        return f"saturated leads: {saturated}"
    deviation = np.abs(mv - np.median(mv, axis=1, keepdims=True))
    if implausible := _leads(np.mean(deviation > MAX_MV, axis=1) > MAX_BEYOND):
        return f"implausible amplitude (above {MAX_MV:g} mV) in {implausible}"
    return None


def remarks(record: Record) -> list[str]:
    """Return quality remarks that do not exclude a record."""
    mv = record.millivolts()
    lead_i, lead_ii, lead_iii = (mv[INDEX[name]] for name in ("I", "II", "III"))
    error = float(np.sqrt(np.mean(np.square(lead_i + lead_iii - lead_ii - np.mean(lead_i + lead_iii - lead_ii)))))
    return [f"II differs from I + III by {error:.2f} mV"] if error > EINTHOVEN_MV else []


def _leads(which: np.ndarray) -> str:
    return ", ".join(lead for lead, yes in zip(LEADS, which, strict=True) if yes)
