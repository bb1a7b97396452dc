"""A random sample of the filter's decisions, for a clinician to judge."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import polars as pl

from fgclep.keys import KEY

PAIR = [*KEY, "feature"]


@dataclass(frozen=True)
class Decision:
    """A feature that was proposed for a record, and what the filter made of it.

    Parameters
    ----------
    accepted
        Whether the feature was accepted for any of the statements that it was proposed for.
    weight
        How many decisions like it, accepted or dropped, it stands for.
    rows
        Its rows of the audit, one per statement.
    """

    source: str
    record_id: str
    feature: str
    accepted: bool
    weight: float
    rows: list[dict[str, Any]]

    @property
    def statements(self) -> list[str]:
        """Statements of the report that the feature was proposed for."""
        return sorted({row["statement"] for row in self.rows})


@dataclass(frozen=True)
class Sample:
    """Decisions in the order in which they are shown, and how many there are in all, by accepted or not."""

    decisions: list[Decision]
    accepted: int
    dropped: int


def _order(text: str) -> int:
    """Map a text to 63 bits, the same on every machine."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") // 2


def _orders(texts: pl.Series) -> pl.Series:
    return pl.Series(texts.name, [_order(text) for text in texts], dtype=pl.UInt64)


def allot(size: int, accepted: int, dropped: int) -> tuple[int, int]:
    """Divide a sample: half of it accepted decisions, more of one kind where there are not enough of the other.

    >>> allot(200, 5000, 900), allot(200, 5000, 30), allot(200, 20, 30), allot(5, 10, 10)
    ((100, 100), (170, 30), (20, 30), (3, 2))
    """
    of_accepted = min(accepted, max(size - size // 2, size - dropped))
    return of_accepted, min(dropped, size - of_accepted)


def draw(audit: pl.LazyFrame, usable: pl.LazyFrame, size: int, seed: int) -> Sample:
    """Draw decisions evenly at random among the accepted ones and among the dropped ones, half of each.

    A decision is a pair of a record and a feature, however many statements of the report it was proposed for. A pair is
    drawn if a hash of it is among the smallest: all pairs of a kind are equally likely to be, and the choice does not
    depend on the order of the audit. Of each row of the audit, 13 bytes are held.

    Parameters
    ----------
    audit
        Schema ``AUDIT``.
    usable
        Keys of the records that can be drawn as ECGs; the decisions about others are left out.
    size
        How many to draw; fewer come back if there are not so many.
    seed
        Of the config.

    Returns
    -------
    Sample
        Decisions by record, records in random order, which tells nothing about accepted or dropped.
    """
    text = pl.concat_str(pl.lit(str(seed)), *PAIR, separator="\0")
    order = text.map_batches(_orders, return_dtype=pl.UInt64, is_elementwise=True).alias("order")
    numbered = audit.with_row_index("row")
    drawable = numbered.join(usable.select(*KEY), on=KEY, how="semi")
    found = drawable.select("row", "accepted", order).collect(engine="streaming")
    # sorted with a last bit that is 0 for accepted: the first of equal ones tells whether any row of a pair is accepted
    marked = np.sort(2 * found["order"].to_numpy() + ~found["accepted"].to_numpy())
    first = marked[np.diff(marked // 2, prepend=np.uint64(2**63)) != 0]
    accepted, dropped = first[first % 2 == 0] // 2, first[first % 2 == 1] // 2
    of_accepted, of_dropped = allot(size, len(accepted), len(dropped))
    kinds = {
        **dict.fromkeys(accepted[:of_accepted].tolist(), (True, len(accepted) / max(1, of_accepted))),
        **dict.fromkeys(dropped[:of_dropped].tolist(), (False, len(dropped) / max(1, of_dropped))),
    }
    drawn = found.filter(pl.col("order").is_in(pl.Series(list(kinds), dtype=pl.UInt64).implode()))
    place = dict(drawn.select("row", "order").rows())
    rows: dict[int, list[dict[str, Any]]] = {}
    for row in numbered.filter(pl.col("row").is_in(list(place))).collect(engine="streaming").iter_rows(named=True):
        rows.setdefault(place[row.pop("row")], []).append(row)
    decisions = [
        Decision(
            **{name: rows[number][0][name] for name in PAIR},
            accepted=kind,
            weight=weight,
            rows=sorted(rows[number], key=lambda row: row["statement"]),
        )
        for number, (kind, weight) in kinds.items()
    ]
    decisions.sort(key=lambda d: (_order(f"{seed}\0{d.source}\0{d.record_id}"), d.source, d.record_id, d.feature))
    return Sample(decisions, len(accepted), len(dropped))
