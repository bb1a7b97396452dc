"""``results/recovery/candidates.parquet``: what the backend answered to each statement, or proposes for all records."""

import pyarrow as pa

CANDIDATES = pa.schema(
    [
        pa.field("text_id", pa.int32()),  # null: proposed for every record, whatever its report says
        pa.field("statement", pa.string(), nullable=False),  # empty where there is no text
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
