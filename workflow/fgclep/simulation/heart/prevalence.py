"""How frequent findings are: ``FLAT``, so that rare ones can be learnt, or as in real ``REPORTS``.

In both, which findings come together follows life. ``FLAT`` makes one domain primary, lets the others join with a lower
probability, and leaves it to ``draw_condition`` that some pairs attract each other. ``REPORTS`` draws the domains one
after the other, each given those before (naive Bayes), from the counts of single and of paired statements.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import accumulate

import numpy as np

from fgclep.simulation.heart import statement_counts as counted

Drawn = dict[str, str | None]  # domain: finding, or none

# domain: (weight as the primary domain, probability beside another one)
DOMAINS = {
    "rhythm": (0.33, 0.15),
    "conduction": (0.18, 0.14),
    "infarct": (0.17, 0.14),
    "repolarization": (0.25, 0.22),
    "hypertrophy": (0.08, 0.09),
    "ectopy": (0.07, 0.08),
    "voltage": (0.05, 0.05),
    "axis": (0.03, 0.05),
    "atria": (0.04, 0.06),
    "pr": (0.04, 0.07),
}
SINUS = {"sinus": 0.64, "sinus_bradycardia": 0.15, "sinus_tachycardia": 0.12, "sinus_arrhythmia": 0.09}
RHYTHMS = {
    "afib": 0.33, "aflutter": 0.11, "svt": 0.06, "ectopic_atrial": 0.07, "junctional": 0.07, "idioventricular": 0.05,
    "ventricular_pacing": 0.06, "atrial_pacing": 0.055, "av_pacing": 0.05, "mobitz_1": 0.055, "mobitz_2": 0.055,
    "av_block_3": 0.06, "atrial_tachycardia": 0.06, "ventricular_tachycardia": 0.03,
    "sinus_bradycardia": 0.05, "sinus_tachycardia": 0.05, "sinus_arrhythmia": 0.05,
}  # fmt: skip
# the other domains, in the order in which they are drawn
WEIGHTS = {
    "conduction": {
        "lbbb": 0.13, "rbbb": 0.15, "rbbb+lafb": 0.07, "rbbb+lpfb": 0.03, "irbbb": 0.16, "ilbbb": 0.07, "lafb": 0.16,
        "lpfb": 0.06, "ivcd": 0.11, "wpw": 0.10,
    },
    "infarct": {
        "inferior": 0.23, "anteroseptal": 0.18, "anterior": 0.09, "lateral": 0.08, "anterolateral": 0.07,
        "inferolateral": 0.09, "posterior": 0.06, "inferoposterior": 0.04, "inferoposterolateral": 0.03,
        "inferior_stemi": 0.075, "anterior_stemi": 0.075, "lateral_stemi": 0.06,
    },
    "hypertrophy": {"lvh": 0.28, "lvh_strain": 0.45, "rvh": 0.19, "septal": 0.08},
    "repolarization": {
        "inferior_ischemia": 0.08, "anterior_ischemia": 0.08, "lateral_ischemia": 0.09, "diffuse_ischemia": 0.08,
        "injury_anteroseptal": 0.025, "injury_anterolateral": 0.025, "injury_inferior": 0.015, "injury_lateral": 0.015,
        "injury_inferolateral": 0.015, "nonspecific_st_t": 0.14, "nonspecific_t": 0.19,
        "t_inversion": 0.06, "early_repolarization": 0.10,
        "pericarditis": 0.07, "long_qt": 0.07, "short_qt": 0.07, "hyperkalemia": 0.09, "hypokalemia": 0.085,
        "digitalis": 0.07,
    },
    "ectopy": {
        "pac": 0.30, "pvc": 0.30, "bigeminy": 0.11, "trigeminy": 0.09, "atrial_bigeminy": 0.06, "couplet": 0.05,
        "run": 0.07, "fusion": 0.04, "both": 0.06,
    },
    "voltage": {"low": 0.32, "low_limb": 0.12, "poor_r": 0.56},
    "axis": {"left": 0.6, "right": 0.4},
    "atria": {"left": 0.62, "right": 0.28, "both": 0.10},
}  # fmt: skip
# Share of the drawn that draw_condition keeps and the tracing shows, where that is much less than all, from simulated
# recordings (benchmarks/prevalence.py); as many more are drawn.
SEEN = {
    "infarct": {
        "posterior": 0.4,
        "inferior": 0.95,
        "anteroseptal": 0.89,
        "inferolateral": 0.71,
        "anterior": 0.84,
        "lateral": 0.86,
        "inferior+anteroseptal": 0.76,
        "inferolateral+anteroseptal": 0.72,
        "inferior+anterior": 0.76,
    },
    "repolarization": {
        "nonspecific_t": 0.4,
        "nonspecific_st_t": 0.62,
        "anterior_ischemia": 0.8,
        "hyperkalemia": 0.62,
        "long_qt": 0.9,
    },
    "atria": {"right": 0.55},
}


@lru_cache(maxsize=64)
def _cumulated(items: tuple[tuple[str, float], ...]) -> tuple[tuple[str, ...], tuple[float, ...]]:
    names, weights = zip(*items, strict=True)
    return names, tuple(accumulate(weights))


def pick(rng: np.random.Generator, table: Mapping[str, float]) -> str:
    """Draw a key with probability proportional to its value."""
    names, sums = _cumulated(tuple(table.items()))
    return names[min(bisect_right(sums, rng.random() * sums[-1]), len(names) - 1)]


def _draw_flat(rng: np.random.Generator) -> Drawn:
    primary = pick(rng, {name: weight for name, (weight, _) in DOMAINS.items()})
    active = {name for name, (_, beside) in DOMAINS.items() if rng.random() < beside} | {primary}
    drawn: Drawn = {"rhythm": pick(rng, RHYTHMS if "rhythm" in active else SINUS)}
    drawn |= {name: pick(rng, table) if name in active else None for name, table in WEIGHTS.items()}
    return drawn | {"pr": "long" if "pr" in active else None}


@cache
def _shares(domain: str) -> np.ndarray:
    """Shares of the abnormal recordings in which each finding of a domain is drawn, and none of them (last)."""
    seen = SEEN.get(domain, {})
    shares = [count / counted.ABNORMAL / seen.get(name, 1.0) for name, count in counted.COUNTS[domain].items()]
    return np.array([*shares, 1 - sum(shares)])


@cache
def _lifts(first: str, second: str) -> np.ndarray:
    """How many times as often as by chance findings (or none, last) of two domains come together."""
    shares = _shares(first), _shares(second)
    chance = np.outer(*shares)
    both = chance.copy()
    names = [list(counted.COUNTS[domain]) for domain in (first, second)]
    for name, others in counted.TOGETHER.get((first, second), {}).items():
        for other, count in others.items():
            expected = counted.COUNTS[first][name] * counted.COUNTS[second][other] / counted.ABNORMAL
            both[names[0].index(name), names[1].index(other)] *= count / expected
    both[:-1, -1] = shares[0][:-1] - both[:-1, :-1].sum(axis=1)
    both[-1] = shares[1] - both[:-1].sum(axis=0)
    return both / chance


def _draw_as_reported(rng: np.random.Generator) -> Drawn:
    places: dict[str, int] = {}
    for domain in counted.COUNTS:
        weights = _shares(domain)
        for before, place in places.items():
            weights = weights * _lifts(before, domain)[place]
        sums = np.cumsum(weights)
        places[domain] = int(np.searchsorted(sums, rng.random() * sums[-1], side="right"))
    return {domain: [*counted.COUNTS[domain], None][place] for domain, place in places.items()}


@dataclass(frozen=True)
class Prevalence:
    """Frequencies of all that is drawn about a person's heart."""

    healthy: float  # share of the persons
    sinus: Mapping[str, float]  # rhythms of the healthy
    premature: float  # share of the healthy with premature beats
    premature_kinds: Mapping[str, float]
    irbbb: float  # share of the healthy; twice as many of those under 40
    early_repolarization: float  # share of the healthy under 55
    aneurysm: float  # share of the old anterior infarcts
    draw: Callable[[np.random.Generator], Drawn]  # findings of an ill heart in each domain
    attraction: bool  # whether draw_condition adds what often comes with a finding; else draw has done so


FLAT = Prevalence(
    healthy=0.37,
    sinus=SINUS,
    premature=0.07,
    premature_kinds={"pac": 0.6, "pvc": 0.4},
    irbbb=0.03,
    early_repolarization=0.05,
    aneurysm=0.25,
    draw=_draw_flat,
    attraction=True,
)
REPORTS = Prevalence(
    healthy=counted.NORMAL / counted.RECORDS,
    sinus=counted.NORMAL_RHYTHMS,
    premature=sum(counted.NORMAL_ECTOPY.values()) / counted.NORMAL,
    premature_kinds=counted.NORMAL_ECTOPY,
    irbbb=counted.NORMAL_IRBBB / counted.NORMAL / 1.3,  # a third of the healthy are under 40
    early_repolarization=counted.EARLY_REPOLARIZATION / counted.NORMAL,
    aneurysm=counted.ANEURYSM / counted.ANTERIOR_INFARCTS,
    draw=_draw_as_reported,
    attraction=False,
)
PREVALENCES = {"flat": FLAT, "reports": REPORTS}
