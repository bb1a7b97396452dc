"""``results/recovery/candidates.parquet``: what the backend answered to each statement."""

import pyarrow as pa

CANDIDATES = pa.schema(
    [
        pa.field("text_id", pa.int32(), nullable=False),
        pa.field("statement", pa.string(), nullable=False),
        pa.field("feature", pa.string()),  # id in the vocabulary; null: the answer maps to nothing, see reason
        pa.field("answer", pa.string(), nullable=False),  # as the backend wrote it
        pa.field("votes", pa.int32(), nullable=False),
        pa.field("samples", pa.int32(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),  # empty, or a code of recovery.rejections
        pa.field("backend", pa.string(), nullable=False),
        pa.field("model_digest", pa.string(), nullable=False),
        pa.field("prompt_hash", pa.string(), nullable=False),
    ]
)
