"""Simulated records without a database in files: each chunk is simulated straight into its shard."""

from fgclep.sources.source import Source, last_part, records_with_headers

SOURCE = Source(
    key="simulated",
    slug="simulated",
    version=None,
    folder="",
    tables=(),
    records=records_with_headers,
    record_id=last_part,
    streamed=True,
)
