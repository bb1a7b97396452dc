"""Writing a .npy file row by row, for arrays that are larger than memory."""

from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np


class NpyWriter:
    """Append rows to a .npy file, whose header says how many there are when the writer is closed.

    NumPy leaves room in the header for the number of rows to grow, so that it is rewritten in place. Nothing is
    memory-mapped while writing: the memory of the process does not grow with the file.

    Parameters
    ----------
    path
        File to write.
    dtype
        Of the rows.
    row
        Shape of one row; ``()`` for an array of one dimension.
    """

    def __init__(self, path: Path, dtype: np.dtype | type, row: tuple[int, ...] = ()):
        self.path, self.dtype, self.row = path, np.dtype(dtype), row
        self.rows = 0
        self._file: BinaryIO

    def __enter__(self) -> Self:
        self._file = self.path.open("wb")
        self._write_header()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self._file.seek(0)
            self._write_header()
        self._file.close()

    def append(self, rows: np.ndarray) -> None:
        """Add rows at the end.

        Raises
        ------
        ValueError
            If their shape is not that of the file's rows.
        """
        if rows.shape[1:] != self.row:
            raise ValueError(f"{self.path}: rows of shape {rows.shape[1:]}, expected {self.row}")
        self._file.write(np.ascontiguousarray(rows, dtype=self.dtype).data)
        self.rows += len(rows)

    def _write_header(self) -> None:
        descr = np.lib.format.dtype_to_descr(self.dtype)
        header = {"descr": descr, "fortran_order": False, "shape": (self.rows, *self.row)}
        np.lib.format.write_array_header_1_0(self._file, header)
