"""``results/simulation/truth.parquet``: the features that a simulated record has."""

import pyarrow as pa

from fgclep.schemas.columns import KEY_FIELDS

TRUTH = pa.schema([*KEY_FIELDS, pa.field("feature", pa.string(), nullable=False)])
