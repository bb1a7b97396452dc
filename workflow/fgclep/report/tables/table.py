"""A table of results, which the report, LaTeX and CSV all show."""

from collections.abc import Sequence
from dataclasses import dataclass

from fgclep.report.results.estimate import Estimate, difference, interval, percent


@dataclass(frozen=True)
class Cell:
    """A value as it is written, with what stands small beside it, and the number to sort by."""

    text: str
    detail: str = ""
    value: float | None = None
    numeric: bool = True

    @classmethod
    def percent(cls, estimate: Estimate) -> "Cell":
        """Return a share in percent with its interval."""
        return cls(percent(estimate.value), interval(estimate), estimate.value)

    @classmethod
    def difference(cls, estimate: Estimate) -> "Cell":
        """Return a difference of shares in percent with its interval."""
        value, _, limits = difference(estimate).partition(" ")
        return cls(value, limits.strip("()"), estimate.value)

    @classmethod
    def count(cls, number: int) -> "Cell":
        """Return a whole number."""
        return cls(f"{number:,}", value=number)

    @classmethod
    def words(cls, text: str) -> "Cell":
        """Return a text, which is aligned at the left."""
        return cls(text, numeric=False)


@dataclass(frozen=True)
class Head:
    """Head of a column, with notes of a line each."""

    name: str
    notes: tuple[str, ...] = ()
    numeric: bool = True


@dataclass(frozen=True)
class Row:
    """One line; ``kind`` is ``best``, ``published`` or empty."""

    name: str
    cells: Sequence[Cell]
    kind: str = ""


@dataclass(frozen=True)
class Block:
    """Rows that belong together, under a name if it is not empty."""

    name: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Table:
    """A table with a column of row names and one for each of ``heads``."""

    caption: str
    first_head: str
    heads: Sequence[Head]
    blocks: Sequence[Block]

    @property
    def rows(self) -> list[Row]:
        """All rows, without the names of their blocks."""
        return [row for block in self.blocks for row in block.rows]
