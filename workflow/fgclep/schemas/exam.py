"""``results/recovery/exam.parquet``: how well the reader told each feature in simulated ECGs it had not seen."""

import pyarrow as pa

EXAM = pa.schema(
    [
        pa.field("feature", pa.string(), nullable=False),
        pa.field("ecgs", pa.int32(), nullable=False),  # that have it
        pa.field("auroc", pa.float32()),  # null: too few have it, or too few do not
        pa.field("threshold", pa.float32()),  # logit; infinite: none is good enough; null: too few have it
    ]
)
