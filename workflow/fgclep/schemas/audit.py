"""``results/recovery/audit.parquet``: one row per candidate of a record, with every verdict and the decision."""

import pyarrow as pa

from fgclep.schemas.columns import KEY_FIELDS

AUDIT = pa.schema(
    [
        *KEY_FIELDS,
        pa.field("statement", pa.string(), nullable=False),
        pa.field("feature", pa.string(), nullable=False),
        pa.field("votes", pa.int32(), nullable=False),
        pa.field("measurement", pa.string(), nullable=False),  # supported | likely | untestable | unlikely | refuted
        pa.field("contradiction", pa.string()),  # the finding of the report that excludes the feature
        pa.field("reader_score", pa.float32()),
        pa.field("reader_threshold", pa.float32()),
        pa.field("accepted", pa.bool_(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),  # a code of verification.reasons
        pa.field("backend", pa.string(), nullable=False),
        pa.field("model_digest", pa.string(), nullable=False),
        pa.field("prompt_hash", pa.string(), nullable=False),
    ]
)
