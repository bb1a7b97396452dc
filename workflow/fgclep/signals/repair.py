"""Repairs of recordings by stated rules; each leaves a remark."""

from dataclasses import replace
from itertools import permutations

import numpy as np

from fgclep.leads import LEADS, LIMB_LEADS
from fgclep.signals.record import MISSING, Record

# Einthoven's and Goldberger's equations: each row times (I, II, III, aVR, aVL, aVF) is zero.
EQUATIONS = np.array(
    [[1, -1, 1, 0, 0, 0], [0.5, 0.5, 0, 1, 0, 0], [-0.5, 0, 0.5, 0, 1, 0], [0, -0.5, -0.5, 0, 0, 1]], dtype=float
)
_EQUATION_NAMES = ("II = I + III", "aVR = -(I + II) / 2", "aVL = (I - III) / 2", "aVF = (II + III) / 2")
_ORDERS = np.array(list(permutations(range(6))))  # the first is the labelled one
_ROUNDING_MV = 0.02  # several times what converters of 5 uV make of exact leads


def with_documented_gain(record: Record, gain: float | None) -> Record:
    """Take the gain that the database documents (ADC units per mV) and a baseline of 0 where the header differs.

    LUDB's headers give each lead's own peak-to-peak as gain; old copies of the Challenge's sets give 4880 or 200.
    """
    if gain is None or (record.gain == gain).all():
        return record
    stated = ", ".join(f"{value:g}" for value in sorted(set(record.gain)))
    stated = stated if stated.count(",") < 3 else "of its own for every lead"
    return replace(
        record,
        gain=np.full(len(record.gain), float(gain)),
        baseline=np.zeros(len(record.gain), dtype=np.int32),
        remarks=(*record.remarks, f"gain {stated} in the header, {gain:g}/mV by the documentation"),
    )


def with_filled_gaps(record: Record, max_gap_ms: float) -> Record:
    """Fill runs of missing samples of up to ``max_gap_ms`` by a straight line between their neighbours."""
    missing = record.digital == MISSING
    if not missing.any():
        return record
    longest = int(max_gap_ms * record.sampling_rate / 1000)
    digital = record.digital.copy()
    filled = 0
    for lead, gaps in zip(digital, missing, strict=True):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], gaps, [False]]))).reshape(-1, 2)
        for start, stop in edges:
            if stop - start <= longest and start > 0 and stop < len(lead):
                values = np.linspace(lead[start - 1], lead[stop], stop - start + 2)[1:-1]
                lead[start:stop] = np.round(values)
                filled += stop - start
    if not filled:
        return record
    return replace(record, digital=digital, remarks=(*record.remarks, f"{filled} missing samples interpolated"))


def with_all_limb_leads(record: Record) -> Record:
    """Compute limb leads that the file lacks from the two of I, II and III that it has.

    A record with fewer of these is left as it is. Raises ``ValueError`` if a computed lead does not fit 16 bits.
    """
    absent = [lead for lead in LIMB_LEADS if lead not in record.leads]
    known = [LIMB_LEADS.index(lead) for lead in ("I", "II", "III") if lead in record.leads]
    if not absent or len(known) < 2:
        return record
    known = known[:2]
    unknown = [position for position in range(6) if position not in known]
    # six limb leads from two: solve the four equations for the other four
    weights = -np.linalg.solve(EQUATIONS[:, unknown], EQUATIONS[:, known])
    rows = [record.leads.index(LIMB_LEADS[position]) for position in known]
    mv = record.mv[rows].astype(float)
    leads = tuple(lead for lead in LEADS if lead in LIMB_LEADS or lead in record.leads)
    digital = np.zeros((len(leads), record.digital.shape[1]), dtype=np.int16)
    gain, baseline = np.full(len(leads), record.gain[rows[0]]), np.zeros(len(leads), dtype=np.int32)
    for row, lead in enumerate(record.leads):
        place = leads.index(lead)
        digital[place], gain[place], baseline[place] = record.digital[row], record.gain[row], record.baseline[row]
    for lead in absent:
        place = leads.index(lead)
        computed = weights[unknown.index(LIMB_LEADS.index(lead))] @ mv * gain[place]
        gaps = np.isnan(computed)
        if np.abs(computed[~gaps]).max(initial=0) > 32767:
            raise ValueError(f"lead {lead} is missing, and does not fit 16 bits if computed")
        digital[place] = np.where(gaps, MISSING, np.round(np.nan_to_num(computed)))
    names = " and ".join(LIMB_LEADS[position] for position in known)
    remark = f"{', '.join(absent)} computed from {names}"
    return replace(
        record, digital=digital, gain=gain, baseline=baseline, leads=leads, remarks=(*record.remarks, remark)
    )


def limb_lead_errors(covariance: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """Root mean square, in the leads' unit, by which leads taken in some order miss each of the ``EQUATIONS``.

    Parameters
    ----------
    covariance
        (6, 6), of the limb leads.
    orders
        (orders, 6), positions of the leads that are taken for I, II, III, aVR, aVL, aVF.

    Returns
    -------
    numpy.ndarray
        (orders, 4).
    """
    ordered = covariance[orders[:, :, None], orders[:, None, :]]
    variance = np.einsum("ei,oij,ej->oe", EQUATIONS, ordered, EQUATIONS)
    return np.sqrt(np.maximum(variance, 0))


def with_limb_leads_in_order(record: Record, mv: np.ndarray, max_error_mv: float) -> Record:
    """Take limb leads in the order in which they meet Einthoven's and Goldberger's equations.

    ``mv`` is the record in mV, whose first six leads are the limb leads. The order must be four times better than the
    labelled one and than any other. Swapped electrodes cannot be found in this way: all leads are computed from the
    same electrodes.

    Raises ``ValueError`` if there is no such order, and the labelled one misses an equation by more than
    ``max_error_mv`` (root mean square).
    """
    as_labelled = (EQUATIONS.astype(np.float32) @ mv[:6]).std(axis=1)
    if as_labelled.max() <= _ROUNDING_MV:
        return record
    errors = limb_lead_errors(np.cov(mv[:6]), _ORDERS).max(axis=1)
    best, second = np.argsort(errors, kind="stable")[:2]
    if best == 0 or 4 * errors[best] > errors[second]:
        if as_labelled.max() <= max_error_mv:
            return record
        equation = _EQUATION_NAMES[int(np.argmax(as_labelled))]
        raise ValueError(f"the limb leads contradict each other: {equation} is missed by {as_labelled.max():.2f} mV")
    order = np.concatenate([_ORDERS[best], np.arange(6, len(mv))])
    moved = [f"{LEADS[place]} was labelled {LEADS[source]}" for place, source in enumerate(order) if place != source]
    return replace(
        record,
        digital=record.digital[order],
        gain=record.gain[order],
        baseline=record.baseline[order],
        remarks=(*record.remarks, f"limb leads put in order: {', '.join(moved)}"),
    )
