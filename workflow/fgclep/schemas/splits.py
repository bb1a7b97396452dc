"""``resources/splits/{task}.parquet``: the published split of a benchmark."""

import pyarrow as pa

from fgclep.schemas.columns import KEY_FIELDS

SPLIT = pa.schema([*KEY_FIELDS, pa.field("split", pa.string(), nullable=False)])  # train | val | test, of a benchmark
