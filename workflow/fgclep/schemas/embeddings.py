"""``results/embeddings/{model}/{source}.parquet``: what an ECG encoder makes of each record."""

import pyarrow as pa

from fgclep.schemas.columns import KEY_FIELDS, STRINGS

EMBEDDINGS = pa.schema(
    [
        *KEY_FIELDS,
        pa.field("patient_id", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("codes", STRINGS, nullable=False),
        pa.field("features", pa.list_(pa.float32()), nullable=False),  # pooled output of the ECG encoder
        pa.field("embedding", pa.list_(pa.float32())),  # projected, unit norm; null with alignment: attention
        pa.field("patches", pa.list_(pa.float16())),  # unit norm, one patch after another; null with alignment: global
    ]
)
