"""How far a chunk is, in bytes: a bar on a terminal, else a line in the log now and then.

No digest counts this module (``fgclep.digest``): what is written here must change no output.
"""

import logging
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tqdm import tqdm

LOG = logging.getLogger(__name__)
_SECONDS_BETWEEN_LINES = 60.0


class TransferProgress:
    """Count records and bytes, and guess the bytes still to come from the mean record so far.

    Parameters
    ----------
    description
        What is fetched.
    records
        Number of records to come.
    record_bytes
        Mean size of a record before the first has come; ``None`` if unknown.
    clock
        Seconds; for tests.
    """

    def __init__(
        self,
        description: str,
        records: int,
        record_bytes: float | None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.description = description
        self.records = records
        self.arrived = self.failed = 0
        self.bytes = 0
        self._record_bytes = record_bytes
        self._clock = clock
        self._began = self._last_line = clock()
        total = self.estimated_bytes()
        self._bar = tqdm(
            total=total, desc=description, unit="B", unit_scale=True, disable=None, mininterval=0.5, dynamic_ncols=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def estimated_bytes(self) -> int | None:
        """Bytes of all records, those to come included; exact after the last."""
        mean = self.bytes / self.arrived if self.arrived else self._record_bytes
        to_come = self.records - self.arrived - self.failed
        return self.bytes + round(to_come * mean) if mean is not None else None

    def add(self, size: int) -> None:
        """Note a record that has arrived, with the size of its files in bytes."""
        self.arrived += 1
        self.bytes += size
        self._show(size)

    def fail(self) -> None:
        """Note a record that cannot be had."""
        self.failed += 1
        self._show(0)

    def _show(self, size: int) -> None:
        self._bar.total = self.estimated_bytes()
        self._bar.set_postfix_str(f"{self.arrived + self.failed}/{self.records} records", refresh=False)
        self._bar.update(size)
        now = self._clock()
        if self._bar.disable and now - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = now
            LOG.info(
                "%s: %d of %d records, %.1f of about %.1f MB, %.2f MB/s",
                *(self.description, self.arrived + self.failed, self.records),
                *(self.bytes / 1e6, (self.estimated_bytes() or 0) / 1e6, self.bytes / 1e6 / (now - self._began)),
            )
