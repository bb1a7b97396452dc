"""``results/reports``: the distinct texts, and each report as a list of their ids."""

import pyarrow as pa

from fgclep.schemas.columns import KEY_FIELDS, STRINGS

TEXTS = pa.schema(
    [
        pa.field("text_id", pa.int32(), nullable=False),  # the row number
        pa.field("text", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),  # diagnosis | feature | administrative | unknown
        pa.field(
            "count", pa.int64(), nullable=False
        ),  # records whose report has it as a statement; 0: a text of the vocabulary only
        pa.field("diagnoses", STRINGS, nullable=False),
        pa.field("features", STRINGS, nullable=False),
        pa.field("negated", STRINGS, nullable=False),  # ids of findings that the text denies
        pa.field("certainty", pa.string(), nullable=False),  # certain | probable | possible: of the least certain one
        pa.field("possible", STRINGS, nullable=False),  # those diagnoses and features that are no more than possible
    ]
)
REPORTS = pa.schema([*KEY_FIELDS, pa.field("text_ids", pa.list_(pa.int32()), nullable=False)])
