"""``results/recovery/scores/fold{fold}.parquet``: what a coarse model says of each feature in ECGs it has not seen."""

import pyarrow as pa

from fgclep.schemas.columns import KEY_FIELDS

SCORES = pa.schema(
    [
        *KEY_FIELDS,
        pa.field("fold", pa.int32(), nullable=False),  # the fold the patient is in; its model has not seen the patient
        pa.field("scores", pa.list_(pa.float32()), nullable=False),  # logit per feature, in the vocabulary's order
    ]
)
