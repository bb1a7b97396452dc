"""Speed of the simulation, and simulated ECGs beside real ones.

Speed is that of one core: a person, a condition, ten seconds of twelve leads at 500 Hz, and what is true about them.
With ``--ecgs <base>/ptb-xl/1.0.3`` as many simulated recordings of each class as there are real ones are measured with
the same program (``fgclep.measurement.measure``). Printed are the distributions of what was measured, how far apart
they are (Kolmogorov-Smirnov), and how well a classifier tells normal real ECGs from simulated ones by these measures,
by spectra, and by both: its cross-validated AUROC, 0.5 if it cannot, and the single features that give the simulation
away. With ``--ludb <base>/ludb/1.0.1/data`` as well, LUDB's recordings in sinus rhythm stand beside simulated ones in
the same way, and what cardiologists have marked in each lead beside the marks of the simulation.
"""

import ast
import csv
import json
import re
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from ecgs import ROOT, machine, parser  # isort: skip (puts the package on the path)

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import wfdb
from marks import durations
from scipy.signal import welch
from scipy.stats import ks_2samp
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from fgclep.language.vocabulary import Vocabulary, load_vocabulary
from fgclep.leads import LEADS
from fgclep.measurement.measure import measure
from fgclep.recordings.wfdb_file import read_record
from fgclep.signals.repair import with_documented_gain
from fgclep.simulation.databases.codes import scp_codes
from fgclep.simulation.heart.condition import draw_condition
from fgclep.simulation.heart.patient import draw_patient
from fgclep.simulation.recorder.annotations import annotate
from fgclep.simulation.recorder.recording import Recording, simulate
from fgclep.simulation.truth.truth import find_truth
from fgclep.sources import get_source

SCALARS = ("heart_rate", "rr_cv", "p_ms", "pr_ms", "qrs_ms", "qtc_ms", "p_axis", "qrs_axis", "t_axis")
AMPLITUDES = ("p_mv", "q_mv", "r_mv", "s_mv", "rp_mv", "st_mv", "t_mv")
SHOWN = ("p_mv", "r_mv", "s_mv", "t_mv")
CLASSES = ("NORM", "LVH", "IMI", "ASMI", "LAFB", "IRBBB", "NDT", "STD_", "AFIB")
LUDB = "LUDB, sinus rhythm"
SINUS_RHYTHM = {"SR", "SBRAD", "STACH", "SARRH"}
MARKED = {"p_ms": "P", "pr_ms": "PR", "qrs_ms": "QRS", "qt_ms": "QT", "t_ms": "T"}
BANDS = (0.3, 0.7, 1.5, 3, 6, 10, 15, 20, 30, 40, 55, 70, 90, 120, 150, 200)
FS = 500
MAINS = 50.0


def speed(vocabulary: Vocabulary, count: int) -> float:
    """Records per second of one core: the best of three rounds, by the process' own time."""
    best = 0.0
    for seed in range(3):
        start = time.process_time()
        for number in range(count):
            one(vocabulary, [seed, number])
        best = max(best, count / (time.process_time() - start))
    return best


def one(vocabulary: Vocabulary, seed: list[int]) -> tuple[Recording, dict[str, float]]:
    """A simulated recording, and its SCP-ECG statements."""
    rng = np.random.default_rng(seed)
    patient = draw_patient(rng)
    recording = simulate(patient, draw_condition(rng, patient), rng, mains=MAINS)
    truth = find_truth(recording, vocabulary)
    return recording, scp_codes(truth.diagnoses, truth.features, vocabulary)


def real(folder: Path) -> Iterator[tuple[np.ndarray, set[str]]]:
    """Recordings of PTB-XL with their statements."""
    with (folder / "ptbxl_database.csv").open(encoding="utf-8") as table:
        for row in csv.DictReader(table):
            path = folder / row["filename_hr"]
            if path.with_suffix(".hea").exists():
                yield read_record(path).millivolts(), set(ast.literal_eval(row["scp_codes"]))


def ludb(folder: Path) -> Iterator[Path]:
    """LUDB's records in sinus rhythm, by the comments of their headers."""
    for header in sorted(folder.glob("*.hea")):
        if re.search(r"#Rhythm: .*sinus", header.read_text(encoding="utf-8"), re.IGNORECASE):
            yield header.with_suffix("")


def features_of(mv: np.ndarray) -> dict[str, float] | None:
    """What is measured, and the power of the leads in each band (log10 mV^2), as one flat row."""
    measures = measure(mv, FS)
    if measures is None:
        return None
    row = {name: measures.scalars[name] for name in SCALARS}
    for name in AMPLITUDES:
        row |= {f"{name} {lead}": float(value) for lead, value in zip(LEADS, measures.leads[name], strict=True)}
    frequency, power = welch(mv, FS, nperseg=2048, axis=1)
    for low, high in pairwise(BANDS):
        inside = (frequency >= low) & (frequency < high)
        level = np.log10(power[:, inside].mean(axis=1) + 1e-12)
        row |= {f"{low}-{high} Hz {lead}": float(value) for lead, value in zip(LEADS, level, strict=True)}
    return row


def collect(folder: Path, marked: Path | None, vocabulary: Vocabulary) -> tuple[dict[str, list], dict[str, list]]:
    """Rows of features by class, of real and of as many simulated recordings."""
    classes = (*CLASSES, LUDB)
    seen: dict[str, list[dict[str, float]]] = defaultdict(list)
    made: dict[str, list[dict[str, float]]] = defaultdict(list)
    for mv, codes in real(folder):
        row = features_of(mv)
        for name in CLASSES:
            if row and name in codes:
                seen[name].append(row)
    for path in ludb(marked) if marked else ():
        record = with_documented_gain(read_record(path), get_source("ludb").gain)
        if row := features_of(record.millivolts()):
            seen[LUDB].append(row)
    number = 0
    while any(len(made[name]) < len(seen[name]) for name in classes):
        number += 1
        recording, statements = one(vocabulary, [7, number])
        shown = statements.keys() | ({LUDB} if SINUS_RHYTHM & statements.keys() else set())
        wanted = [name for name in classes if name in shown and len(made[name]) < len(seen[name])]
        row = features_of(recording.twelve()) if wanted else None
        for name in wanted:
            if row:
                made[name].append(row)
    return seen, made


def column(rows: list[dict[str, float]], name: str) -> np.ndarray:
    values = np.array([row[name] for row in rows])
    return values[np.isfinite(values)]


def distributions(seen: dict[str, list], made: dict[str, list]) -> float:
    """Print a table per class; returns the mean Kolmogorov-Smirnov distance."""
    distances = []
    for name in seen:
        print(f"\n{name}: {len(seen[name])} real and simulated recordings; median (5 to 95 %)\n")
        print("| | real | simulated | distance |\n|---|---|---|---|")
        names = [*SCALARS, *(f"{wave} {lead}" for wave in SHOWN for lead in LEADS)]
        for feature in names:
            pair = [column(rows[name], feature) for rows in (seen, made)]
            if min(map(len, pair)) < 5:
                continue
            distances.append(ks_2samp(*pair).statistic)
            digits = 2 if "mv" in feature or feature == "rr_cv" else 0
            cells = [
                f"{np.median(v):.{digits}f} ({np.quantile(v, 0.05):.{digits}f} to {np.quantile(v, 0.95):.{digits}f})"
                for v in pair
            ]
            print(f"| {feature} | {cells[0]} | {cells[1]} | {distances[-1]:.2f} |")
    return float(np.mean(distances))


def tell_apart(seen: list[dict[str, float]], made: list[dict[str, float]]) -> dict[str, float]:
    """AUROC of classifiers that tell real from simulated; prints what single features do."""
    y = np.repeat([0, 1], [len(seen), len(made)])
    names = list(seen[0])
    table = np.array([[row[name] for name in names] for row in seen + made])
    groups = {
        "measures": np.array(["Hz" not in name for name in names]),
        "spectra": np.array(["Hz" in name for name in names]),
        "both": np.ones(len(names), bool),
    }
    found = {}
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    for group, chosen in groups.items():
        model = HistGradientBoostingClassifier(max_iter=150, learning_rate=0.08, max_leaf_nodes=12, random_state=0)
        scores = cross_val_predict(model, table[:, chosen], y, cv=folds, method="predict_proba")[:, 1]
        found[group] = float(roc_auc_score(y, scores))
    single = []
    for i, name in enumerate(names):
        known = np.isfinite(table[:, i])
        if known.sum() > 20 and 0 < y[known].mean() < 1:
            area = roc_auc_score(y[known], table[known, i])
            single.append((max(area, 1 - area), "more" if area > 0.5 else "less", name))
    print("\nNORM, real from simulated: " + ", ".join(f"{name} {area:.3f}" for name, area in found.items()))
    print("by one feature: " + ", ".join(f"{name} {area:.2f} ({way})" for area, way, name in sorted(single)[:-25:-1]))
    return found


def marks(folder: Path, vocabulary: Vocabulary) -> float:
    """Print what is marked in each lead, in LUDB and as often in simulated sinus rhythm; returns the mean distance."""
    real_marks: dict[tuple[str, str], list[float]] = defaultdict(list)
    made_marks: dict[tuple[str, str], list[float]] = defaultdict(list)
    paths = list(ludb(folder))
    for path in paths:
        for lead in LEADS:
            annotation = wfdb.rdann(str(path), lead.lower())
            for name, listed in durations(annotation.sample, annotation.symbol).items():
                real_marks[name, lead].append(float(np.median(listed)))
    number = count = 0
    while count < len(paths):
        number += 1
        recording, statements = one(vocabulary, [8, number])
        if not SINUS_RHYTHM & statements.keys():
            continue
        count += 1
        for lead, of_lead in zip(LEADS, annotate(recording), strict=True):
            for name, listed in durations(*of_lead.wfdb()).items():
                made_marks[name, lead].append(float(np.median(listed)))
    print(f"\nMarks of {count} recordings in sinus rhythm, ms: median (5 to 95 %)\n")
    print("| | LUDB | simulated | distance |\n|---|---|---|---|")
    distances = []
    for name, title in MARKED.items():
        for lead in LEADS:
            pair = real_marks[name, lead], made_marks[name, lead]
            distances.append(ks_2samp(*pair).statistic)
            cells = ["{1:.0f} ({0:.0f} to {2:.0f})".format(*np.quantile(values, [0.05, 0.5, 0.95])) for values in pair]
            print(f"| {title} {lead} | {cells[0]} | {cells[1]} | {distances[-1]:.2f} |")
    return float(np.mean(distances))


def figure(seen: dict[str, list], made: dict[str, list], path: Path) -> None:
    """Distributions of normal ECGs: intervals, and the amplitudes of every lead."""
    mpl.rcParams.update(
        {"svg.fonttype": "none", "font.size": 8, "font.sans-serif": ["DejaVu Sans"], "svg.hashsalt": "simulation"}
    )
    fig, axes = plt.subplots(2, 5, figsize=(11, 4.6))
    labels = {
        "heart_rate": "rate, bpm", "pr_ms": "PR, ms", "qrs_ms": "QRS, ms", "qtc_ms": "QTc, ms", "qrs_axis": "QRS axis",
    }  # fmt: skip
    colors = {"real": "#444444", "simulated": "#d1495b"}
    sets: dict[str, Any] = {"real": seen["NORM"], "simulated": made["NORM"]}
    for axis, (name, label) in zip(axes[0], labels.items(), strict=True):
        both = np.concatenate([column(rows, name) for rows in sets.values()])
        bins = np.linspace(*np.quantile(both, [0.005, 0.995]), 24)
        for kind, rows in sets.items():
            axis.hist(column(rows, name), bins, histtype="step", density=True, color=colors[kind], label=kind)
        axis.set_xlabel(label)
        axis.set_yticks([])
    axes[0, 0].legend(frameon=False, fontsize=7)
    for axis, wave in zip(axes[1], ("p_mv", "r_mv", "s_mv", "st_mv", "t_mv"), strict=True):
        for shift, (kind, rows) in zip((-0.17, 0.17), sets.items(), strict=True):
            shares = [np.quantile(column(rows, f"{wave} {lead}"), [0.05, 0.25, 0.5, 0.75, 0.95]) for lead in LEADS]
            low, first, middle, third, high = np.array(shares).T
            place = np.arange(12) + shift
            for bottom, top, width in ((low, high, 0.7), (first, third, 3)):
                gaps = np.full(12, np.nan)  # one path instead of twelve keeps the file small
                across, along = np.stack([place, place, gaps], axis=1), np.stack([bottom, top, gaps], axis=1)
                axis.plot(across.ravel(), along.ravel(), color=colors[kind], lw=width, solid_capstyle="butt")
            axis.plot(place, middle, "_", color="white", ms=3)
        axis.set_xticks(range(12), LEADS, rotation=90, fontsize=6)
        axis.set_xlabel(f"{wave.removesuffix('_mv').upper()}, mV")
    fig.tight_layout()
    fig.savefig(path, metadata={"Date": None})


def main() -> None:
    """Print speed and, with real ECGs, the comparison; then a line of JSON whose ratio is speed over 300 per second."""
    options = parser(__doc__)
    options.add_argument("--records", type=int, default=300, help="records per round of the measurement of speed")
    options.add_argument("--figure", type=Path, help="SVG file for the distributions of normal ECGs")
    options.add_argument("--ludb", type=Path, help="folder of LUDB's records, beside --ecgs")
    args = options.parse_args()
    warnings.filterwarnings("ignore", category=RuntimeWarning)
    vocabulary = load_vocabulary(ROOT / "resources/vocabulary")
    print(machine())
    rate = speed(vocabulary, args.records)
    print(f"{rate:.0f} records/s of one core")
    figures: dict[str, float] = {"records_per_second": rate}
    if args.ecgs:
        seen, made = collect(args.ecgs, args.ludb, vocabulary)
        figures["distance"] = distributions(seen, made)
        figures |= {f"auroc_{name}": area for name, area in tell_apart(seen["NORM"], made["NORM"]).items()}
        if args.ludb:
            figures["distance_of_marks"] = marks(args.ludb, vocabulary)
        if args.figure:
            figure(seen, made, args.figure)
    print(json.dumps({"name": "simulation", "ratio": rate / 300, **figures}))


if __name__ == "__main__":
    main()
