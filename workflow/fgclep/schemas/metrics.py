"""``results/evaluation/metrics.csv``: every figure of the evaluation."""

import pyarrow as pa

RECALLS = (1, 5, 10)  # k of the retrieval's metrics recall@k
MIN_PATIENTS = 5  # among positives and negatives, for an interval: resamples of fewer say nothing of other patients
CALIBRATION_BINS = 10  # of probability, of equal width: of the metric ece, and of the report's reliability diagrams
METRICS = pa.schema(
    [
        pa.field("model", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("label_set", pa.string(), nullable=False),
        pa.field("protocol", pa.string(), nullable=False),
        pa.field("setting", pa.string()),  # prompts of zero_shot, shots of few_shot, other task of transfer, direction
        pa.field("fraction", pa.float64(), nullable=False),  # of the training data; 0: no share is drawn
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("class", pa.string(), nullable=False),  # or macro, macro_supported; retrieval: all
        pa.field("value", pa.float64()),  # null: not defined
        pa.field("ci_low", pa.float64()),
        pa.field("ci_high", pa.float64()),
        pa.field("n", pa.int64(), nullable=False),
        pa.field("n_pos", pa.int64(), nullable=False),
        pa.field("patients_pos", pa.int64()),  # with a positive record; null for the averages
    ]
)
