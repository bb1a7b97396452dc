"""``results/evaluation/comparisons.csv``: every two models on the same test records."""

import pyarrow as pa

MEAN = "mean"  # in the columns task and label_set: over all tasks, of each the first label set
COMPARISONS = pa.schema(  # of every two models on the same test records: macro AUROC of b minus that of a
    [
        *(pa.field(name, pa.string(), nullable=False) for name in ("task", "label_set", "protocol")),
        pa.field("setting", pa.string()),
        *(pa.field(name, pa.string(), nullable=False) for name in ("model_a", "model_b")),
        *(pa.field(name, pa.float64()) for name in ("value_a", "value_b", "difference", "ci_low", "ci_high")),
        pa.field("p", pa.float64()),  # paired bootstrap by patient, two-sided; null: not defined
        pa.field("p_holm", pa.float64()),  # corrected over tasks and models; null for the mean
        pa.field("n", pa.int64(), nullable=False),
        pa.field("classes", pa.int64(), nullable=False),  # averaged: those with enough patients, see comparison.py
    ]
)
