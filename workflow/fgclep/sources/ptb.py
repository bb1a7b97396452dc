"""PTB at 1000 Hz, as part of the PhysioNet/CinC challenge 2021. https://physionet.org/content/challenge-2021/1.0.3/.

Several records are of one patient, and this copy does not say which: a split by record may divide a patient.
"""

from fgclep.sources.source import Published, Source, last_part, records_with_headers

SOURCE = Source(
    key="ptb",
    slug="challenge-2021",
    version="1.0.3",
    license="https://creativecommons.org/licenses/by/4.0/",
    folder="training/ptb",
    tables=(),
    records=records_with_headers,
    record_id=last_part,
    published=Published(records=516, record_bytes=2_535_000),
    gain=1000,
    sampling_rate=1000,
)
