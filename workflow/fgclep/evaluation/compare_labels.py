"""Which labels of a benchmark's files are wrong, because they were made by looking for acronyms within a text.

The files have a column with the acronyms of each record (``SB,LVQRSAL``) and one column of 0 and 1 per class. A class
is right where its acronym is one of the record's, and wrong where it is only part of another (SA, of LVQRSAL).

    python -m fgclep.evaluation.compare_labels chapman_train.csv chapman_val.csv chapman_test.csv
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

ACRONYMS = "diagnose"
_NO_CLASSES = ("ecg_path", "age", ACRONYMS)


@dataclass
class Comparison:
    """Labels of one class.

    Parameters
    ----------
    published, exact
        Positive records in the file, and by exact acronym.
    within
        Acronym -> labels that are wrong because it contains the name of the class; a label that two acronyms explain
        counts for the first.
    other
        Labels that differ for another reason, in either direction.
    """

    published: int = 0
    exact: int = 0
    within: Counter[str] = field(default_factory=Counter)
    other: int = 0

    @property
    def wrong(self) -> int:
        """Labels that differ."""
        return self.within.total() + self.other


def compare(rows: Iterable[Mapping[str, str]]) -> tuple[dict[str, Comparison], int]:
    """Compare each label with the record's acronyms.

    Parameters
    ----------
    rows
        Rows of the benchmark's files.

    Returns
    -------
    comparisons
        By name of the class, in the order of the columns.
    records
        Number of records with a wrong label.

    Examples
    --------
    >>> found, records = compare([{"diagnose": "SB,LVQRSAL", "SA": "1"}, {"diagnose": "SA", "SA": "1"}])
    >>> found["SA"].published, found["SA"].exact, dict(found["SA"].within), records
    (2, 1, {'LVQRSAL': 1}, 1)
    """
    found: dict[str, Comparison] = {}
    records = 0
    for row in rows:
        acronyms = row[ACRONYMS].split(",")
        before = sum(item.wrong for item in found.values())
        for name in row:
            if name in _NO_CLASSES:
                continue
            item = found.setdefault(name, Comparison())
            published, exact = row[name] == "1", name in acronyms
            item.published += published
            item.exact += exact
            if published == exact:
                continue
            around = next((acronym for acronym in acronyms if name in acronym), None)
            if published and around:
                item.within[around] += 1
            else:
                item.other += 1
        records += sum(item.wrong for item in found.values()) > before
    return found, records


def read_rows(paths: Iterable[Path]) -> list[dict[str, str]]:
    """Rows of the benchmark's CSV files, as text."""
    return [row for path in paths for row in pl.read_csv(path, infer_schema=False).iter_rows(named=True)]


def as_markdown(found: Mapping[str, Comparison]) -> str:
    """Table of the classes with wrong labels, those with the most first."""
    lines = ["| class | published | exact | wrong | of them within |", "|---|---|---|---|---|"]
    for name, item in sorted(found.items(), key=lambda pair: -pair[1].wrong):
        if item.wrong:
            within = [f"{acronym} {count:,}" for acronym, count in item.within.most_common()]
            reasons = ", ".join([*within, *([f"other {item.other:,}"] if item.other else [])])
            lines.append(f"| {name} | {item.published:,} | {item.exact:,} | {item.wrong:,} | {reasons} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table, and the totals below it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="the benchmark's CSV files")
    rows = read_rows(parser.parse_args().files)
    found, records = compare(rows)
    print(as_markdown(found))
    print(
        f"\n{sum(item.wrong for item in found.values()):,} wrong labels in {records:,} of {len(rows):,} records; "
        f"{sum(not item.wrong for item in found.values())} of {len(found)} classes have none"
    )


if __name__ == "__main__":
    main()
