"""``results/shards/{source}/{chunk}.parquet``: signals as stored."""

import pyarrow as pa

from fgclep.schemas.columns import KEY_FIELDS, PER_LEAD, STRINGS

SHARD = pa.schema(
    [
        *KEY_FIELDS,
        pa.field("patient_id", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("age", pa.float32()),
        pa.field("sex", pa.string()),
        pa.field("codes", STRINGS, nullable=False),
        pa.field("sampling_rate", pa.float32(), nullable=False),  # Hz
        pa.field("n_samples", pa.int32(), nullable=False),
        pa.field("gain", PER_LEAD, nullable=False),  # ADC units per mV; mV = (waveform - baseline) / gain
        pa.field("baseline", pa.list_(pa.int32(), 12), nullable=False),  # ADC units
        pa.field("waveform", pa.large_binary(), nullable=False),  # see fgclep.signals.encoding.encode_waveform
        pa.field("flags", STRINGS, nullable=False),  # quality remarks that do not exclude the record
    ]
)
