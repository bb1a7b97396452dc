"""Whether a recording can be used: repaired where a rule says how, else refused with the reason."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fgclep.config.quality import QualitySection
from fgclep.leads import LEADS, LIMB_LEADS
from fgclep.signals.amplitude import check_amplitude
from fgclep.signals.ends import dead_parts, without_ends
from fgclep.signals.record import MISSING, Record
from fgclep.signals.repair import with_all_limb_leads, with_documented_gain, with_filled_gaps, with_limb_leads_in_order

REVERSED = -0.5  # correlation of the slopes of I and V6 below which they run against each other


def usable_record(
    record: Record,
    settings: QualitySection,
    gain: float | None = None,
    sampling_rate: float | None = None,
    all_leads: bool = True,
) -> Record:
    """Return a recording with good leads, with remarks on what was repaired or is odd.

    Parameters
    ----------
    record
        As read from the file.
    settings
        The config's ``quality`` section.
    gain, sampling_rate
        What the database documents for all its records, in ADC units per mV and in Hz; ``None``: nothing.
    all_leads
        Whether the twelve leads are needed; else those that there are will do, and the limb leads that can be computed.

    Raises
    ------
    ValueError
        With the reason why it cannot be used.
    """
    _check_rate(record.sampling_rate, settings, sampling_rate)
    record = without_ends(with_documented_gain(record, gain), settings.flat_mv)
    mv, limit = record.mv, _at_limit(record)
    if limit.any():  # what is at the limit is refused by that name
        mv = mv.copy()
        mv[limit & (limit.mean(axis=1, keepdims=True) > settings.max_artifact_share)] = np.nan
    check_amplitude(mv, record.leads, step=float(np.max(1 / np.abs(record.gain))))
    record = with_all_limb_leads(record)
    if all_leads and (absent := [lead for lead in LEADS if lead not in record.leads]):
        raise ValueError(f"leads {', '.join(absent)} are missing in {', '.join(record.leads)}")
    _check_time(record, settings)
    record = with_filled_gaps(record, settings.max_gap_ms)
    mv = record.mv
    _check_leads(record, mv, settings)
    ordered = record
    if record.leads[:6] == LIMB_LEADS:
        ordered = with_limb_leads_in_order(record, mv, settings.max_limb_error_mv)
    odd = _odd_electrodes(ordered.leads, ordered.mv)
    return replace(ordered, remarks=(*ordered.remarks, *odd))


def _odd_electrodes(leads: Sequence[str], mv: np.ndarray) -> list[str]:
    """Return a remark if lead I runs against V6, as with swapped arm electrodes, which fit Einthoven's equation."""
    if not {"I", "V6"} <= set(leads):
        return []
    first, sixth = np.diff(mv[leads.index("I")]), np.diff(mv[leads.index("V6")])
    if first @ sixth < REVERSED * np.sqrt((first @ first) * (sixth @ sixth)):
        return ["lead I runs against V6: arm electrodes swapped, or dextrocardia"]
    return []


def _check_rate(rate: float, settings: QualitySection, documented: float | None) -> None:
    low, high = settings.min_sampling_rate, settings.max_sampling_rate
    if documented is not None and rate != documented:
        raise ValueError(f"the sampling rate is {rate:g} Hz, the database has {documented:g} Hz")
    if not low <= rate <= high:
        raise ValueError(f"the sampling rate is {rate:g} Hz, not within {low:g} to {high:g} Hz")


def _check_time(record: Record, settings: QualitySection) -> None:
    seconds = record.digital.shape[1] / record.sampling_rate
    if seconds < settings.min_seconds:
        cut = "".join(f"; {remark}" for remark in record.remarks if remark.startswith("cut the "))
        raise ValueError(f"too short: {seconds:.1f} s, at least {settings.min_seconds:g} s are needed{cut}")


def _at_limit(record: Record) -> np.ndarray:
    """Which samples are at the limit of 16 bits: bool (leads, samples)."""
    return (record.digital == 32767) | (record.digital == -32767)


def _filling(record: Record, mv: np.ndarray, limit: np.ndarray) -> str:
    """Name the span in which all leads are at the converter's limit, bool (leads, samples), if that is one span."""
    together = np.flatnonzero(limit.all(axis=0))
    if not len(together) or together[-1] - together[0] >= len(together):
        return ""
    rate, values = record.sampling_rate, sorted({f"{value:.6g}" for value in mv[:, together[0]]})
    return (
        f", all of them from {together[0] / rate:.4g} to {(together[-1] + 1) / rate:.4g} s of "
        f"{mv.shape[1] / rate:.4g} s ({', '.join(values[:3])} mV), as where a program has filled up a file; cut it off"
    )


def _check_leads(record: Record, mv: np.ndarray, settings: QualitySection) -> None:
    digital = record.digital

    def named(which: np.ndarray) -> str:
        return ", ".join(lead for lead, yes in zip(record.leads, which, strict=True) if yes)

    if (gaps := digital == MISSING).any():
        missing = np.count_nonzero(gaps, axis=1)
        where = ", ".join(f"{lead} ({count})" for lead, count in zip(record.leads, missing, strict=True) if count)
        raise ValueError(f"missing samples (NaN) in {where}")
    if dead := dead_parts(record, settings.flat_mv):
        raise ValueError(f"dead (flat) leads: {dead}")
    span = mv.max(axis=1) - mv.min(axis=1)
    share = settings.max_artifact_share
    limit = _at_limit(record)
    if limit.any() and (at_limit := np.mean(limit, axis=1) > share).any():
        raise ValueError(f"saturated leads: {named(at_limit)}{_filling(record, mv, limit)}")
    beyond = np.zeros(len(mv))
    for lead in np.flatnonzero(span > settings.max_mv):  # nothing is further from the median than the span
        beyond[lead] = np.mean(np.abs(mv[lead] - np.median(mv[lead])) > settings.max_mv)
    if implausible := named(beyond > share):
        raise ValueError(f"implausible amplitude (above {settings.max_mv:g} mV) in {implausible}")
