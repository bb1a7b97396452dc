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


def numbers_of(chunk: int, chunks: int, records: int) -> range:
    """Numbers of the recordings of a chunk: the chunks follow each other and differ in size by one at most.

    Examples
    --------
    >>> [list(numbers_of(chunk, 3, 8)) for chunk in range(3)]
    [[0, 1], [2, 3, 4], [5, 6, 7]]
    """
    return range(chunk * records // chunks, (chunk + 1) * records // chunks)
