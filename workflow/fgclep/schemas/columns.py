"""Columns that several tables have."""

import pyarrow as pa

KEY_FIELDS = [pa.field("source", pa.string(), nullable=False), pa.field("record_id", pa.string(), nullable=False)]
STRINGS = pa.list_(pa.string())
PER_LEAD = pa.list_(pa.float32(), 12)
