"""``results/recovery/labels.parquet``: of each record the features that it has, and those that it does not have."""

import pyarrow as pa

from fgclep.schemas.columns import KEY_FIELDS, STRINGS

LABELS = pa.schema(  # ids of features in the vocabulary's order; of a feature in neither list nobody knows
    [
        *KEY_FIELDS,
        pa.field("present", STRINGS, nullable=False),
        pa.field("absent", STRINGS, nullable=False),
    ]
)
