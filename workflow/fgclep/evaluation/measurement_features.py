"""Features of ECGs that are not learned: intervals, axes and amplitudes as measured."""

import numpy as np
import pyarrow as pa

from fgclep.schemas.measurements import LEAD_MEASURES, MEASURES

# What stands for a measure that a record lacks: about that of a healthy adult, so that no record is an outlier by it.
TYPICAL = {
    "heart_rate": 75.0,
    "rr_cv": 0.05,
    "rr_max_ms": 850.0,
    "pr_ms": 160.0,
    "qrs_ms": 90.0,
    "qt_ms": 390.0,
    "qtc_ms": 420.0,
    "p_ms": 105.0,
    "p_axis": 50.0,
    "qrs_axis": 45.0,
    "t_axis": 45.0,
    "p_present": 1.0,
    "premature_narrow": 0.0,
    "premature_wide": 0.0,
    "compensatory_pauses": 0.0,
    "pacing_spikes": 0.0,
    "sokolow_mv": 2.0,
    "cornell_mv": 1.2,
}


def measurement_features(measurements: pa.Table) -> np.ndarray:
    """Numbers for a linear classifier.

    Parameters
    ----------
    measurements
        With the schema ``MEASUREMENTS``.

    Returns
    -------
    float32 of shape (records, features): the measures, axes as cosine and sine; the amplitudes and widths of each lead;
    and which measures, and which share of the leads, were not measured. ``TYPICAL`` stands for these, 0 in a lead.
    """
    columns, missing = [], []
    for name in MEASURES:
        values = measurements[name].to_numpy().astype(np.float64)
        absent = np.isnan(values)
        values = np.where(absent, TYPICAL[name], values)
        if name.endswith("_axis"):
            columns += [np.cos(np.deg2rad(values)), np.sin(np.deg2rad(values))]
        else:
            columns.append(values)
        missing.append(absent)
    for name in LEAD_MEASURES:
        lists = measurements[name].to_pylist()
        per_lead = np.array([row or [np.nan] * 12 for row in lists], dtype=np.float64).reshape(-1, 12)
        columns += list(np.nan_to_num(per_lead).T)
        missing.append(np.isnan(per_lead).mean(axis=1))
    return np.stack([*columns, *missing], axis=1).astype(np.float32)
