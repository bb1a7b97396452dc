"""How frequent statements are in simulated recordings, and which come together, beside PTB-XL.

As many recordings as asked for are simulated with ``simulation.prevalence: reports`` or ``flat``. Printed are the share
of each SCP-ECG statement in both, and how many times as often as by chance (lift) two statements come together, for the
pairs with most records; then a line of JSON: of the statements that at least 1 % have the number, the median relative
error of the share, how many are within a factor of 1.3, and the correlation of the logarithms of lifts; all this for
every statement, and for those that follow from what is drawn rather than from the waves that come of it.
"""

import argparse
import ast
import csv
import json
from collections import Counter
from itertools import combinations
from pathlib import Path

from ecgs import ROOT  # isort: skip (puts the package on the path)

import numpy as np

from fgclep.language.vocabulary import load_vocabulary
from fgclep.simulation.databases.codes import scp_codes
from fgclep.simulation.heart.condition import draw_condition
from fgclep.simulation.heart.patient import draw_patient
from fgclep.simulation.heart.prevalence import PREVALENCES
from fgclep.simulation.recorder.recording import simulate
from fgclep.simulation.truth.truth import find_truth

COMMON = 0.01  # share in PTB-XL from which a statement counts
PAIRED = 60  # records with both of two statements, or expected by chance, from which their lift counts
NEAR = 1.3  # factor between shares
SMOOTHING = 0.5  # records added to what is seen and expected, so that no lift is 0
SHOWN = 40
# made from what is seen in the waves, whatever was drawn
FROM_WAVES = {"NORM", "ABQRS", "QWAVE", "LOWT", "INVT", "STD_", "NT_", "VCLVH", "LPR"}


class Statements:
    """Counts of statements and of pairs of them."""

    def __init__(self, records: list[set[str]]):
        self.records = len(records)
        self.single = Counter(name for names in records for name in names)
        self.pairs = Counter(pair for names in records for pair in combinations(sorted(names), 2))

    def share(self, name: str) -> float:
        """Share of the records that have a statement."""
        return self.single[name] / self.records

    def expected(self, pair: tuple[str, str]) -> float:
        """Records that would have both by chance."""
        return self.share(pair[0]) * self.share(pair[1]) * self.records

    def lift(self, pair: tuple[str, str]) -> float:
        """How many times as often as by chance two statements come together."""
        return (self.pairs[pair] + SMOOTHING) / (self.expected(pair) + SMOOTHING)


def real(table: Path) -> Statements:
    """Statements of PTB-XL, whatever their likelihood."""
    with table.open(encoding="utf-8") as file:
        return Statements([set(ast.literal_eval(row["scp_codes"])) for row in csv.DictReader(file)])


def simulated(count: int, prevalence: str) -> Statements:
    """Statements of simulated recordings, each of a person of its own."""
    vocabulary = load_vocabulary(ROOT / "resources/vocabulary")
    records = []
    for number in range(count):
        rng = np.random.default_rng([11, number])
        patient = draw_patient(rng, PREVALENCES[prevalence])
        condition = draw_condition(rng, patient, PREVALENCES[prevalence])
        truth = find_truth(simulate(patient, condition, rng, mains=50.0), vocabulary)
        records.append(set(scp_codes(truth.diagnoses, truth.features, vocabulary)))
    return Statements(records)


def compare(seen: Statements, made: Statements, names: list[str]) -> dict[str, float]:
    """Agreement of the shares of statements and of the lifts of their pairs."""
    factors = np.array([made.share(name) / seen.share(name) for name in names])
    lifts = np.log([[statements.lift(pair) for pair in frequent(seen, names)] for statements in (seen, made)])
    return {
        "statements": len(names),
        "near": int(((factors < NEAR) & (factors > 1 / NEAR)).sum()),
        "median_error": float(np.median(np.abs(factors - 1))),
        "pairs": lifts.shape[1],
        "correlation_of_log_lifts": float(np.corrcoef(lifts)[0, 1]),
    }


def frequent(seen: Statements, names: list[str]) -> list[tuple[str, str]]:
    """Pairs with enough records, or of which chance would make enough; that with most records comes first."""
    pairs = combinations(sorted(names), 2)
    return sorted(
        (pair for pair in pairs if max(seen.pairs[pair], seen.expected(pair)) >= PAIRED),
        key=lambda pair: -seen.pairs[pair],
    )


def main() -> None:
    """Print both tables and a line of JSON."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument("--table", type=Path, required=True, help="PTB-XL's ptbxl_database.csv")
    options.add_argument("--records", type=int, default=10_000, help="recordings to simulate, at 3 ms each")
    options.add_argument("--prevalence", choices=PREVALENCES, default="reports")
    args = options.parse_args()
    seen, made = real(args.table), simulated(args.records, args.prevalence)
    print("| statement | PTB-XL, % | simulated, % | factor |\n|---|---|---|---|")
    for name, _ in seen.single.most_common():
        shares = seen.share(name), made.share(name)
        print(f"| `{name}` | {shares[0]:.1%} | {shares[1]:.1%} | {shares[1] / shares[0]:.2f} |")
    common = [name for name in seen.single if seen.share(name) >= COMMON and name != "SR"]
    drawn = [name for name in common if name not in FROM_WAVES]
    print("\n| statements | lift in PTB-XL | simulated |\n|---|---|---|")
    for pair in frequent(seen, common)[:SHOWN]:
        print(f"| `{pair[0]}`, `{pair[1]}` | {seen.lift(pair):.2f} | {made.lift(pair):.2f} |")
    figures = {"all": compare(seen, made, common), "drawn": compare(seen, made, drawn)}
    print(json.dumps({"name": "prevalence", "prevalence": args.prevalence, **figures}))


if __name__ == "__main__":
    main()
