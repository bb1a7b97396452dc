"""``results/quarantine.parquet``: records that cannot be used, each with the stage and the reason."""

import pyarrow as pa

from fgclep.schemas.columns import KEY_FIELDS

QUARANTINE = pa.schema(
    [*KEY_FIELDS, pa.field("stage", pa.string(), nullable=False), pa.field("reason", pa.string(), nullable=False)]
)
