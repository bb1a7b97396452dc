"""Names and units of what is measured, for people."""

# Scalars of a record's measurements that the report lists: name, decimals, unit.
INTERVALS = {
    "heart_rate": ("Ventricular rate", 0, "bpm"),
    "pr_ms": ("PR", 0, "ms"),
    "p_ms": ("P duration", 0, "ms"),
    "qrs_ms": ("QRS", 0, "ms"),
    "qt_ms": ("QT", 0, "ms"),
    "qtc_ms": ("QTc (Bazett)", 0, "ms"),
    "p_axis": ("P axis", 0, "°"),
    "qrs_axis": ("QRS axis", 0, "°"),
    "t_axis": ("T axis", 0, "°"),
    "rr_cv": ("RR variation", 2, ""),
    "rr_max_ms": ("Longest RR", 0, "ms"),
    "p_present": ("QRS with a P wave", 2, ""),
    "premature_narrow": ("Premature narrow beats", 0, ""),
    "premature_wide": ("Premature wide beats", 0, ""),
    "compensatory_pauses": ("Compensatory pauses", 0, ""),
    "pacing_spikes": ("Pacing spikes", 0, ""),
    "sokolow_mv": ("Sokolow–Lyon", 2, "mV"),
    "cornell_mv": ("Cornell", 2, "mV"),
}


LEAD_UNITS = {"_mv": (2, "mV"), "_ms": (0, "ms")}
