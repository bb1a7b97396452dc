"""Our measurements on real hearts beside cardiologists' marks: LUDB's delineations, lead by lead.

Reference of a record: RR from the R peaks of lead II; P, PR, QRS and QT as the median over leads and beats of the
marked onsets and ends. Then, for every feature of the vocabulary whose rule looks at nothing else, what the reference
says (exactly) beside the verdict of our measurement: supported or refuted; or likely or unlikely, where our value is
closer to the limit than its error; or untestable, where we found no value.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from ecgs import ROOT, parser  # isort: skip (puts the package on the path)

import numpy as np
import wfdb
from marks import TO_MS, durations

from fgclep.language.vocabulary import load_vocabulary
from fgclep.leads import LEADS
from fgclep.measurement.measure import measure
from fgclep.measurement.rules import LIKELY, REFUTED, SUPPORTED, UNLIKELY, UNTESTABLE, RuleTable
from fgclep.recordings.wfdb_file import read_record
from fgclep.signals.repair import with_documented_gain
from fgclep.sources import get_source

DECIDED = {"heart_rate", "rr_cv", "rr_max_ms", "p_ms", "pr_ms", "qrs_ms", "qt_ms", "qtc_ms"}
SHOWN = {"RR": "rr_ms", "P": "p_ms", "PR": "pr_ms", "QRS": "qrs_ms", "QT": "qt_ms"}
KINDS = {SUPPORTED: "sure", REFUTED: "sure", LIKELY: "near", UNLIKELY: "near"}
COLUMNS = ("sure, right", "sure, wrong", "near, right", "near, wrong", "untestable")


def marked(path: Path) -> dict[str, float]:
    """Measures of a record from its annotation files."""
    found: dict[str, list[float]] = defaultdict(list)
    peaks = np.empty(0)
    for lead in LEADS:
        annotation = wfdb.rdann(str(path), lead.lower())
        samples, symbols = annotation.sample, annotation.symbol
        for name, listed in durations(samples, symbols).items():
            found[name] += listed
        if lead == "II":
            peaks = np.array([s for s, symbol in zip(samples, symbols, strict=True) if symbol == "N"])
    rr = np.diff(peaks) * TO_MS
    values = {name: float(np.median(listed)) for name, listed in found.items()}
    values |= {"rr_ms": float(np.median(rr)), "heart_rate": 60_000 / float(np.median(rr))}
    values |= {"rr_cv": float(rr.std() / rr.mean()), "rr_max_ms": float(rr.max())}
    if "qt_ms" in values:
        values["qtc_ms"] = values["qt_ms"] / np.sqrt(values["rr_ms"] / 1000)
    return values


def looks_at(rule: dict[str, Any]) -> set[str]:
    """Measures that a rule uses."""
    if "measure" in rule:
        return {rule["measure"]}
    return set().union(*map(looks_at, [*rule.get("all", []), *rule.get("any", [])]))


def main() -> None:
    """Print errors, agreement, and a line of JSON whose ratio is the agreement over 0.95."""
    options = parser(__doc__)
    args = options.parse_args()
    if args.ecgs is None:
        sys.exit("give the folder of LUDB's records: --ecgs <base>/ludb/1.0.1/data")
    vocabulary = load_vocabulary(ROOT / "resources/vocabulary")
    features = {
        name: feature.rule for name, feature in vocabulary.features.items()
        if feature.rule is not None and looks_at(feature.rule) <= DECIDED
    }  # fmt: skip
    rules = RuleTable(list(features.values()))
    errors: dict[str, list[float]] = {name: [] for name in SHOWN}
    counts: dict[str, dict[str, int]] = {name: defaultdict(int) for name in features}
    records = 0
    for header in sorted(args.ecgs.glob("*.hea")):
        path = header.with_suffix("")
        record = with_documented_gain(read_record(path), get_source("ludb").gain)
        measures = measure(record.millivolts(), record.sampling_rate)
        if measures is None:
            print(f"{path.name}: not measured")
            continue
        records += 1
        truth, ours = marked(path), {**measures.scalars}
        ours["rr_ms"] = 60_000 / ours["heart_rate"]
        for name, key in SHOWN.items():
            if key in truth and np.isfinite(ours[key]):
                errors[name].append(abs(ours[key] - truth[key]))
        verdicts = zip(*(rules.verdicts(measures)[0].tolist() for measures in (truth, ours)), strict=True)
        for name, (exact, said) in zip(features, verdicts, strict=True):
            if exact != UNTESTABLE:
                counts[name][
                    f"{KINDS[said]}, {'right' if said * exact > 0 else 'wrong'}" if said else "untestable"
                ] += 1
    print(f"{records} records\n\n| | records | median error, ms | 95th percentile, ms |\n|---|---|---|---|")
    for name, listed in errors.items():
        print(f"| {name} | {len(listed)} | {np.median(listed):.0f} | {np.percentile(listed, 95):.0f} |")
    print(f"\n| feature | {' | '.join(COLUMNS)} |\n|---|---|---|---|---|---|")
    for name, count in counts.items():
        print(f"| {vocabulary.features[name].text} | {' | '.join(str(count[column]) for column in COLUMNS)} |")
    right, wrong, near, beside, untestable = (sum(count[column] for count in counts.values()) for column in COLUMNS)
    agreement, near_agreement = right / (right + wrong), near / (near + beside)
    print(f"\n{right + wrong} sure verdicts: {agreement:.1%} agree")
    print(f"{near + beside} near a limit: {near_agreement:.1%} agree")
    figures = {"agreement": agreement, "verdicts": right + wrong, "untestable": untestable}
    figures |= {"near_agreement": near_agreement, "near": near + beside}
    medians = {f"{name.lower()}_median_ms": float(np.median(listed)) for name, listed in errors.items()}
    print(json.dumps({"name": "measurements", "ratio": agreement / 0.95, **figures, **medians}))


if __name__ == "__main__":
    main()
