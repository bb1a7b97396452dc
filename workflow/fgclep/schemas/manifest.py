"""``results/manifest/{source}.parquet``: one row per recording of a database."""

import pyarrow as pa

from fgclep.schemas.columns import KEY_FIELDS, STRINGS

MANIFEST = pa.schema(
    [
        *KEY_FIELDS,
        pa.field("patient_id", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),  # below the database's folder, without extension
        pa.field("chunk", pa.int32(), nullable=False),
        pa.field("split", pa.string(), nullable=False),  # train | val | test, by patient
        pa.field("age", pa.float32()),  # years; 90 stands for 90 and older
        pa.field("sex", pa.string()),  # F | M
        pa.field("report", STRINGS, nullable=False),  # statements as written
        pa.field("codes", STRINGS),  # SCP or SNOMED-CT; null: they stand in the record's header
    ]
)
