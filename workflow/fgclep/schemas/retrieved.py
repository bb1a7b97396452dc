"""``results/evaluation/retrieved``: ECGs that a model finds for a report, best first."""

import pyarrow as pa

from fgclep.schemas.columns import KEY_FIELDS

RETRIEVED = pa.schema(  # ECGs that a model finds for a report, best first
    [
        pa.field("query", pa.string(), nullable=False),
        pa.field("rank", pa.int64(), nullable=False),  # from 1
        *KEY_FIELDS,
        pa.field("probability", pa.float32(), nullable=False),
        pa.field("hit", pa.bool_(), nullable=False),  # the ECG has this very report
    ]
)
