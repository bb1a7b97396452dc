"""What the parser reads of PTB-XL's reports, beside what their editors coded.

Of a table such as ``ptbxl_database.csv``: the share of statements that are unread, by language, in some folds and the
others, with the most frequent ones; then, for common SCP-ECG codes, how often a report names the finding where the code
is given (``only possible``: with no more certainty; ``denied``) and where it is not. Editors coded the ECG and had the
report before them, so they often differ; what differs by far is worth reading. ``--sample`` prints reports with what is
read of them instead. Last comes a line of JSON with the shares of statements that are read.
"""

import argparse
import ast
import csv
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ecgs import ROOT  # isort: skip (puts the package on the path)

from fgclep.language.coverage import Read, coverage, report_counts
from fgclep.language.parser import StatementParser
from fgclep.language.statements import Statement, clean_statement
from fgclep.language.vocabulary import Vocabulary, load_vocabulary
from fgclep.sources.ptb_xl import without_remarks

COMMON = 0.012  # share of the records that a code must have to be shown
# findings that say the same as a code of another one
SAME = {"LPR": {"prolonged_pr"}, "LNGQT": {"prolonged_qtc"}}


@dataclass(frozen=True)
class Record:
    """A report without remarks of its editors, and their codes, whatever the likelihood."""

    fold: int
    report: str
    codes: frozenset[str]


def read_records(table: Path) -> list[Record]:
    """Return the records of a table of PTB-XL that have a report."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = [
            Record(
                int(row["strat_fold"]), without_remarks(row["report"]), frozenset(ast.literal_eval(row["scp_codes"]))
            )
            for row in csv.DictReader(file)
        ]
    return [row for row in rows if row.report]


def print_coverage(title: str, records: list[Record], parser: StatementParser) -> tuple[float, list[tuple[str, int]]]:
    """Print how much is unread, by language; return the share that is read, and what is unread by falling count."""
    counts = report_counts((record.report for record in records), parser)
    everything: Counter[Read] = sum(counts.values(), Counter())
    print(f"\n| {title} | statements | unread | distinct statements | unread |\n|---|---|---|---|---|")
    for language, some in [*sorted(counts.items(), key=lambda item: -item[1].total()), ("all", everything)]:
        read = coverage(some)
        print(
            f"| {language} | {read.occurrences:,} | {1 - read.weighted:.1%} "
            f"| {read.statements:,} | {1 - read.distinct:.1%} |"
        )
    read = coverage(everything)
    return read.weighted, read.unread


def namers(code: str, vocabulary: Vocabulary) -> set[str]:
    """Return the findings that name a code: those that have it, their kinds, and what they are in some place."""
    own = {entry.id for entry in vocabulary.entries if code in entry.scp} | SAME.get(code, set())
    kinds = {d.id for d in vocabulary.diagnoses.values() if d.kind_of in own}
    return own | kinds | {entry.id for entry in vocabulary.entries if entry.general in own}


def compare(records: list[Record], parser: StatementParser) -> Iterator[str]:
    """Yield the rows of the table of codes."""
    read: dict[str, Statement] = {}
    for record in records:
        if record.report not in read:
            read[record.report] = parser.parse(clean_statement(record.report))
    frequent = Counter(code for record in records for code in record.codes)
    for code, n in frequent.most_common():
        names = namers(code, parser.vocabulary)
        if n < COMMON * len(records) or not names:
            continue
        said: Counter[str] = Counter()
        for record in records:
            statement = read[record.report]
            made = names & {*statement.diagnoses, *statement.features}
            coded = "with" if code in record.codes else "without"
            said[coded, "named"] += bool(made)
            said[coded, "possible"] += bool(made) and made <= set(statement.possible)
            said[coded, "denied"] += bool(names & set(statement.negated))
        by_chance = said["without", "named"] / max(len(records) - n, 1)
        yield (
            f"| {code} | {n:,} | {said['with', 'named'] / n:.1%} | {said['with', 'possible'] / n:.1%} | "
            f"{said['with', 'denied']} | {said['without', 'named']:,} | {by_chance:.1%} |"
        )


def print_sample(records: list[Record], parser: StatementParser, count: int, seed: int) -> None:
    """Print distinct reports, drawn at random, with what is read of them."""
    texts = sorted({clean_statement(record.report) for record in records})
    for text in random.Random(seed).sample(texts, min(count, len(texts))):  # nosec B311
        found = (
            f"{one.id}{'' if one.certainty == 'present' else f' ({one.certainty})'}{' in ' if one.leads else ''}"
            f"{'+'.join(one.leads)}"
            for one in parser.findings(text)
        )
        print(f"{text}\n    {'; '.join(found)}")


def main() -> None:
    """Print the tables, or a sample."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, required=True, help="ptbxl_database.csv")
    parser.add_argument("--aside", type=int, nargs="*", default=[9], help="folds that are reported apart")
    parser.add_argument("--unread", type=int, default=30, help="most frequent unread statements to print")
    parser.add_argument("--sample", type=int, help="print as many reports of the folds apart, with their findings")
    parser.add_argument("--seed", type=int, default=9)
    args = parser.parse_args()

    reader = StatementParser(load_vocabulary(ROOT / "resources/vocabulary"))
    records = read_records(args.table)
    rest = [record for record in records if record.fold in args.aside]
    tuned = [record for record in records if record.fold not in {*args.aside, 10}]
    if args.sample:
        print_sample(rest, reader, args.sample, args.seed)
        return
    known, unread = print_coverage("folds 1 to 8", tuned, reader)
    known_aside, _ = print_coverage(f"fold {', '.join(map(str, args.aside))}", rest, reader)
    known_all, _ = print_coverage("all folds", records, reader)
    print("\nunread in folds 1 to 8: " + ", ".join(f"{text} ({n})" for text, n in unread[: args.unread]))
    print(
        "\n| code, folds 1 to 8 | records | named | only possible | denied | named without the code | of the others |\n"
        "|---|---|---|---|---|---|---|"
    )
    for row in compare(tuned, reader):
        print(row)
    print(json.dumps({"name": "reports", "ratio": known, "aside": known_aside, "all": known_all}))


if __name__ == "__main__":
    main()
