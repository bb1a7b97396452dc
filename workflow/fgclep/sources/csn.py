"""Chapman, Shaoxing and Ningbo: ecg-arrhythmia 1.0.0. https://physionet.org/content/ecg-arrhythmia/1.0.0/."""

from fgclep.sources.source import Published, Source, last_part, records_with_headers

SOURCE = Source(
    key="csn",
    slug="ecg-arrhythmia",
    version="1.0.0",
    license="https://creativecommons.org/licenses/by/4.0/",
    folder="WFDBRecords",
    tables=(),
    records=records_with_headers,
    record_id=last_part,
    published=Published(records=45_152, record_bytes=120_900),
    gain=1000,
    sampling_rate=500,
)
