"""``results/evaluation/scores``: what each model scored on the test records, for curves and for comparing models."""

import pyarrow as pa

from fgclep.schemas.columns import KEY_FIELDS, STRINGS

CLASS_SCORES = pa.schema(  # of the test records, for curves and for comparing models
    [
        *(
            pa.field(name, pa.string(), nullable=False)
            for name in ("model", "task", "label_set", "protocol", "setting")
        ),
        *KEY_FIELDS,
        pa.field("patient_id", pa.string(), nullable=False),
        pa.field("classes", STRINGS, nullable=False),
        pa.field("labels", pa.list_(pa.bool_()), nullable=False),  # of each class
        pa.field("scores", pa.list_(pa.float32()), nullable=False),  # of each class: logits or log odds; by both, sums
    ]
)
