"""Simulated ECGs of each class beside patients' ECGs with it and without it: which measures are off, and by how much.

Measured by the same program (``fgclep.measurement``) at 100 Hz are, for every SCP-ECG statement of PTB-XL that the
simulation draws, patients' ECGs of folds 1 to 8 with it, simulated ones with it, and of either kind a sample without
it. Printed for the measures of a class that differ most: the medians of the three, the shift of the simulated median in
interquartile ranges of the real ones, and how well the measure alone tells the class from the rest (AUROC), in patients
and in the simulation. Printed for each class:

apart
    AUROC by which gradient boosting tells simulated from real ECGs of the class, cross-validated: 0.5 if it cannot,
carried
    AUROC on patients' ECGs of boosting that was trained to tell the class from the rest on simulated ones alone,
own
    the same, trained on patients' ECGs, cross-validated by patient: what these measures can give.

    python benchmarks/classes.py --ecgs <base>/ptb-xl/1.0.3 --classes MI IMI LMI IVCD
"""

import ast
import csv
import json
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ecgs import ROOT, parser  # isort: skip (puts the package on the path)

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from fgclep.language.vocabulary import load_vocabulary
from fgclep.leads import INDEX, LEADS
from fgclep.measurement.beats import (
    AFTER,
    BEFORE,
    MS,
    RATE,
    cut,
    find_qrs,
    inside,
    median_beat,
    pad,
    remove_drift,
    sort_beats,
)
from fgclep.measurement.delineation import above_line, delineate, smooth
from fgclep.measurement.measure import measure
from fgclep.recordings.wfdb_file import read_record
from fgclep.signals.preparation import resample
from fgclep.simulation.databases.code_tables import SCP_STATEMENTS
from fgclep.simulation.databases.codes import scp_codes
from fgclep.simulation.databases.databases import Plan, make_signal

SCALARS = (
    "heart_rate", "rr_cv", "rr_max_ms", "p_present", "p_ms", "pr_ms", "qrs_ms", "qtc_ms", "p_axis", "qrs_axis",
    "t_axis", "premature_narrow", "premature_wide", "pacing_spikes", "sokolow_mv", "cornell_mv",
)  # fmt: skip
PER_LEAD = ("p_mv", "q_mv", "q_ms", "r_mv", "s_mv", "rp_mv", "st_mv", "t_mv")
P_END = "p_terminal_v1"
NAMES = (*SCALARS, P_END, *(f"{name} {lead}" for name in PER_LEAD for lead in LEADS))
FS = 100.0
GAIN = 1000.0
MI = frozenset(code for code, (_, _, group, _) in SCP_STATEMENTS.items() if group == "MI")
LEAST = 15  # records with a class, in either kind, from which it is compared
# of the range that a shift is divided by: smaller differences are none to a reader
FLOOR = {"_mv": 0.04, "_ms": 8.0, "_axis": 10.0, "_rate": 4.0, "_cv": 0.01, "_v1": 1.0}
SHOWN = 12


@dataclass
class Ecgs:
    """Measured ECGs of one kind, real or simulated."""

    rows: list[np.ndarray] = field(default_factory=list)
    patients: list[int] = field(default_factory=list)
    statements: list[frozenset[str]] = field(default_factory=list)
    others: int = 0  # the first so many are drawn whatever they have

    def chosen(self, name: str, most: int) -> tuple[np.ndarray, np.ndarray]:
        """Places of up to ``most`` ECGs with a class, and of those without it among the drawn."""
        having = np.array([name in codes for codes in self.statements], bool)
        return np.flatnonzero(having)[:most], np.flatnonzero(~having[: self.others])


def terminal_force(mv: np.ndarray, fs: float) -> float:
    """Depth times length of the negative end of P in V1, mV ms (Morris et al. 1964); NaN without P waves."""
    signal = remove_drift(resample(np.asarray(mv, np.float32), fs, RATE))
    positions = find_qrs(signal)
    beats = sort_beats(signal, positions) if len(positions) > 1 else None
    if beats is None:
        return np.nan
    segments = cut(pad(signal), beats.positions, BEFORE + AFTER)
    beat = smooth(median_beat(segments, inside(beats.positions, signal.shape[1]), np.flatnonzero(beats.dominant)))
    points = delineate(beat, float(np.median(np.diff(positions))) / MS)
    if points.p_onset is None or points.p_end is None:
        return np.nan
    wave = beat[[INDEX["V1"]], max(points.p_onset - 8, 0) : min(points.p_end + 8, points.qrs_onset) + 1]
    (late,) = above_line(wave, wave[:, :1], wave[:, -1:])[:, wave.shape[1] // 3 :]
    return float(max(-late.min(), 0.0) * np.count_nonzero(late < -0.01) / MS)


def features_of(mv: np.ndarray) -> np.ndarray | None:
    """What is measured, by ``NAMES``; ``None`` if there are fewer than two beats."""
    measures = measure(mv, FS)
    if measures is None:
        return None
    values = [measures.scalars[name] for name in SCALARS]
    values.append(terminal_force(mv, FS) if measures.scalars["p_present"] > 0.5 else np.nan)
    return np.concatenate([values, *(measures.leads[name] for name in PER_LEAD)])


def with_group(codes: set[str]) -> frozenset[str]:
    """Statements, and MI if one of them is an infarct."""
    return frozenset(codes | ({"MI"} if codes & MI else set()))


def gather(offered: Iterator[tuple[frozenset[str], int, object]], classes: set[str], most: int, others: int) -> Ecgs:
    """Measure the first ``others`` ECGs, and of what follows up to ``most`` of each class (those before count)."""
    ecgs, count = Ecgs(), dict.fromkeys(classes, 0)
    for codes, patient, load in offered:
        if len(ecgs.rows) >= others:
            ecgs.others = ecgs.others or len(ecgs.rows)
            if min(count.values()) >= most:
                break
            if all(count[name] >= most for name in codes & classes):
                continue
        row = features_of(load())  # type: ignore[operator]
        if row is None:
            continue
        for name in codes & classes:
            count[name] += 1
        ecgs.rows.append(row)
        ecgs.patients.append(patient)
        ecgs.statements.append(codes)
    ecgs.others = ecgs.others or len(ecgs.rows)
    return ecgs


def millivolts(path: Path) -> np.ndarray:
    """A record at ``FS``."""
    record = read_record(path)
    return resample(record.millivolts().astype(np.float32), record.sampling_rate, FS)


def real(folder: Path) -> Iterator[tuple[frozenset[str], int, object]]:
    """Statements, patient and waveform of PTB-XL's ECGs of folds 1 to 8 at 100 Hz, in random order."""
    with (folder / "ptbxl_database.csv").open(encoding="utf-8") as table:
        rows = [row for row in csv.DictReader(table) if int(row["strat_fold"]) <= 8]
    for place in np.random.default_rng(0).permutation(len(rows)):
        row = rows[place]
        paths = (folder / row[column] for column in ("filename_lr", "filename_hr"))
        path = next((path for path in paths if path.with_suffix(".hea").exists()), None)
        if path is not None:
            codes = with_group(set(ast.literal_eval(row["scp_codes"])))
            yield codes, round(float(row["patient_id"])), partial(millivolts, path)


def simulated(count: int, seed: int, prevalence: str) -> Iterator[tuple[frozenset[str], int, object]]:
    """The same of ``count`` simulated ECGs."""
    vocabulary = load_vocabulary(ROOT / "resources/vocabulary")
    for number in range(count):
        plan = Plan("ptb-xl", seed, number, number, visit=0, repeated=False, damage=None, prevalence=prevalence)
        _, digital, truth, _ = make_signal(plan, vocabulary, GAIN, 50.0)
        codes = with_group(set(scp_codes(truth.diagnoses, truth.features, vocabulary)))
        yield codes, number, lambda digital=digital: resample(digital.astype(np.float32) / GAIN, 500.0, FS)


def area(y: np.ndarray, values: np.ndarray) -> float:
    known = np.isfinite(values)
    return float(roc_auc_score(y[known], values[known])) if 0 < y[known].sum() < known.sum() else np.nan


def boosting() -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        max_iter=60, learning_rate=0.1, max_leaf_nodes=8, l2_regularization=1.0, class_weight="balanced", random_state=0
    )


def cross_validated(x: np.ndarray, y: np.ndarray, groups: np.ndarray) -> float:
    """AUROC of boosting, each score by a model that has not seen the group."""
    scores = cross_val_predict(boosting(), x, y, groups=groups, cv=GroupKFold(5), method="predict_proba")
    return area(y, scores[:, 1])


def table_of(ecgs: Ecgs, with_it: np.ndarray, without: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Measures and labels."""
    return np.stack([ecgs.rows[i] for i in (*with_it, *without)]), np.repeat([1, 0], [len(with_it), len(without)])


def differences(tables: list[tuple[np.ndarray, np.ndarray]]) -> list[dict[str, float | str]]:
    """Each measure in real and simulated ECGs, those that differ most first."""
    found = []
    (x_real, y_real), (x_made, y_made) = tables
    for i, name in enumerate(NAMES):
        columns = x_real[y_real == 1, i], x_made[y_made == 1, i], x_real[y_real == 0, i]
        has, made, has_not = (values[np.isfinite(values)] for values in columns)
        if min(map(len, (has, made, has_not))) < 8:
            continue
        first = name.split(" ")[0]
        floor = next((least for end, least in FLOOR.items() if first.endswith(end)), 0.1)
        spread = max(float(np.subtract(*np.quantile(has, [0.75, 0.25]))), floor)
        middle = [float(np.median(values)) for values in (has, made, has_not)]
        areas = [area(y, x[:, i]) for x, y in tables]
        found.append(
            {
                "measure": name, "real": middle[0], "simulated": middle[1], "without": middle[2],
                "shift": (middle[1] - middle[0]) / spread, "auroc_real": areas[0], "auroc_simulated": areas[1],
            }
        )  # fmt: skip
    return sorted(found, key=lambda row: -max(abs(row["shift"]), 4 * abs(row["auroc_real"] - row["auroc_simulated"])))


def compare(name: str, seen: Ecgs, made: Ecgs, most: int, shown: int) -> dict[str, float] | None:
    """Print what differs within a class; returns its figures, or ``None`` where there are too few ECGs."""
    places = [ecgs.chosen(name, most) for ecgs in (seen, made)]
    if min(len(having) for having, _ in places) < LEAST:
        return None
    tables = [table_of(ecgs, *chosen) for ecgs, chosen in zip((seen, made), places, strict=True)]
    (x_real, y_real), (x_made, y_made) = tables
    rows = differences(tables)
    both = np.concatenate([x_real[y_real == 1], x_made[y_made == 1]])
    kind = np.repeat([0, 1], [y_real.sum(), y_made.sum()])
    people = np.array([seen.patients[i] for i in np.concatenate(places[0])])
    carried = boosting().fit(x_made, y_made).predict_proba(x_real)[:, 1]
    figures = {
        "real": int(y_real.sum()),
        "simulated": int(y_made.sum()),
        "shift": float(np.mean([min(abs(row["shift"]), 3.0) for row in rows])),  # type: ignore[arg-type]
        "apart": cross_validated(both, kind, np.concatenate([people[y_real == 1], -1 - np.arange(y_made.sum())])),
        "carried": area(y_real, carried),
        "own": cross_validated(x_real, y_real, people),
    }
    print(f"\n{name}: " + ", ".join(f"{key} {value:.3g}" for key, value in figures.items()))
    print("| | real | simulated | without it | shift | AUROC real | simulated |\n|---|---|---|---|---|---|---|")
    for row in rows[:shown]:
        print("| {measure} | {real:.3g} | {simulated:.3g} | {without:.3g} | {shift:+.1f} | ".format(**row), end="")
        print("{auroc_real:.2f} | {auroc_simulated:.2f} |".format(**row))
    return figures


def main() -> None:
    """Print the tables, and a line of JSON whose ratio is what is carried over 0.5, relative to what is possible."""
    options = parser(__doc__)
    options.add_argument("--classes", nargs="+", help="statements, and MI for all infarcts; else all that are frequent")
    options.add_argument("--most", type=int, default=200, help="ECGs with a class, of either kind")
    options.add_argument("--others", type=int, default=1500, help="ECGs drawn whatever they have, of either kind")
    options.add_argument("--records", type=int, default=25000, help="simulated ECGs among which these are looked for")
    options.add_argument("--prevalence", choices=["reports", "flat"], default="reports")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--shown", type=int, default=SHOWN, help="measures shown of a class")
    args = options.parse_args()
    warnings.filterwarnings("ignore", category=RuntimeWarning)
    classes = set(args.classes or (*SCP_STATEMENTS, "MI"))
    seen = gather(real(args.ecgs), classes, args.most, args.others)
    made = gather(simulated(args.records, args.seed, args.prevalence), classes, args.most, args.others)
    found = {}
    for name in args.classes or sorted(classes):
        if figures := compare(name, seen, made, args.most, args.shown):
            found[name] = figures
    print("\n| | real, simulated | mean shift | apart | carried | own |\n|---|---|---|---|---|---|")
    mean: dict[str, list[float]] = defaultdict(list)
    for name, figures in found.items():
        print(
            "| {} | {real}, {simulated} | {shift:.2f} | {apart:.3f} | {carried:.3f} | {own:.3f} |".format(
                name, **figures
            )
        )
        for key in ("shift", "apart", "carried", "own"):
            mean[key].append(figures[key])
    means = {key: float(np.mean(values)) for key, values in mean.items()}
    ratio = (means["carried"] - 0.5) / (means["own"] - 0.5)
    print(json.dumps({"name": "classes", "ratio": ratio, **means, "classes": found}))


if __name__ == "__main__":
    main()
