"""CPSC2018, as part of the PhysioNet/CinC challenge 2021. https://physionet.org/content/challenge-2021/1.0.3/."""

from fgclep.sources.source import Published, Source, last_part, records_with_headers

SOURCE = Source(
    key="cpsc2018",
    slug="challenge-2021",
    version="1.0.3",
    license="https://creativecommons.org/licenses/by/4.0/",
    folder="training/cpsc_2018",
    tables=(),
    records=records_with_headers,
    record_id=last_part,
    published=Published(records=6_877, record_bytes=191_000),
    gain=1000,
    sampling_rate=500,
)
