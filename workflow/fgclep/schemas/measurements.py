"""``results/measurements/{source}.parquet``: what is measured of each record."""

import pyarrow as pa

from fgclep.schemas.columns import KEY_FIELDS, PER_LEAD

# Scalars: ms, bpm, degrees, mV. Per-lead lists follow fgclep.leads.LEADS. Null or NaN: not measured.
MEASURES = (
    "heart_rate",  # ventricular rate, bpm
    "rr_cv",  # standard deviation over mean of the RR intervals
    "rr_max_ms",  # longest RR interval
    "pr_ms",
    "qrs_ms",
    "qt_ms",
    "qtc_ms",  # Bazett: QT / sqrt(RR / 1 s)
    "p_ms",  # P duration
    "p_axis",  # degrees, -180..180, frontal plane
    "qrs_axis",
    "t_axis",
    "p_present",  # share of QRS complexes preceded by a P wave, 0..1
    "premature_narrow",  # count of premature beats with a narrow QRS
    "premature_wide",  # count of premature beats with a wide QRS
    "compensatory_pauses",  # count of premature beats between whose neighbors two cycles lie
    "pacing_spikes",  # count of pacing spikes
    "sokolow_mv",  # S in V1 + the larger R of V5, V6
    "cornell_mv",  # R in aVL + S in V3
)
LEAD_MEASURES = (
    "p_mv",  # P peak, signed
    "q_mv",  # depth of the Q wave, positive; 0: none
    "q_ms",  # width of the Q wave
    "r_mv",  # height of the R wave; 0: none
    "s_mv",  # depth of the S wave (or of a QS complex), positive; 0: none
    "rp_mv",  # height of a second R wave (R'); 0: none
    "st_mv",  # ST level at J + 60 ms against the PR segment, signed
    "t_mv",  # T peak, signed
)
MEASUREMENTS = pa.schema(
    [*KEY_FIELDS]
    + [pa.field(name, pa.float32()) for name in MEASURES]
    + [pa.field(name, PER_LEAD) for name in LEAD_MEASURES]
    + [pa.field("intervals_from", pa.string(), nullable=False)]  # database | signal
    + [pa.field("problem", pa.string())]  # why the signal could not be measured; null: it was
)
