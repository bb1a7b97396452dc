"""``results/evaluation/prompts.parquet``: the texts by which each class is asked for."""

import pyarrow as pa

from fgclep.schemas.columns import STRINGS

PROMPTS = pa.schema(
    [
        pa.field("task", pa.string(), nullable=False),
        pa.field("prompts", pa.string(), nullable=False),  # the set of words: names | synonyms | features
        pa.field("class", pa.string(), nullable=False),
        pa.field("texts", STRINGS, nullable=False),  # the mean of their logits counts; of the prompts the largest
    ]
)
