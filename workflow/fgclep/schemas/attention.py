"""``results/attention.parquet``: where in an ECG a model with attention looks for a text."""

import pyarrow as pa

from fgclep.schemas.columns import KEY_FIELDS

ATTENTION = pa.schema(  # of a text to the patches of an ECG; sums to 1
    [
        *KEY_FIELDS,
        pa.field("text", pa.string(), nullable=False),
        pa.field("lead", pa.string(), nullable=False),  # or "all leads", where a patch sees them all
        pa.field("start", pa.float64(), nullable=False),  # s from the beginning of the recording
        pa.field("end", pa.float64(), nullable=False),
        pa.field("weight", pa.float32(), nullable=False),
    ]
)
