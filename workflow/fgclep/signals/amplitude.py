"""Whether numbers that are said to be millivolts can be an ECG's: the one check before every way into a model.

A standardized or rescaled ECG looks like one in millivolts, and a model answers with confidence, wrongly. What scaling
leaves behind is a number that no heart gives: a deviation, an extreme or a percentile of exactly one.
"""

import math
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from fgclep.leads import CHEST_LEADS, LIMB_LEADS

# Peak-to-peak of the median lead in mV, between the 0.1st and the 99.9th percentile. Of 721 real ECGs: 0.4 to 11.6.
# An ECG in another unit is 1,000 times larger or smaller, one in numbers of a converter 40 times or more, one in
# shares of 16 bits 32 times smaller.
SPAN_MV = (0.06, 20.0)
TAILS = (99.9, 0.1)  # percentiles: a spike of a few samples is no amplitude
_MANY = 4  # leads
_SAME = 0.005  # relative, between leads
_EIGHT = 8  # leads, of whose deviations in real ECGs one is 1.45 times another or more
_ALIKE = 0.15  # of deviations of eight leads or more: of parts of standardized ones, or with a large epsilon
_DEVIATION = 5e-4  # by which a deviation of one may miss it: of n or n - 1 values, with or without an epsilon
_EXTREME = 1e-5
_PERCENTILE = 2e-6
_RANGES = ((0.1, 99.9), (0.5, 99.5), (1, 99), (2, 98), (2.5, 97.5), (5, 95))
_SIZES = (95, 98, 99, 99.5, 99.9)  # percentiles of the sizes by which some divide
# of converters, and of rounding
_STEPS_MV = (0.005, 0.0048828125, 0.00488, 0.0025, 0.00244140625, 0.00244, 0.001, 0.01)
_COUNTS = 2.0**32  # more than any converter has
_MANY_SAMPLES = 0.02  # share of a lead, in which no ECG stays at its extreme
_FINE = 1e-4  # mV, a step by which an extreme of 1 mV is no chance
_LARGE = 0.5  # mV, a deviation without which no quartile is one, and no root mean square by the heart


def check_amplitude(mv: np.ndarray, leads: Sequence[str], step: float = 0.0, part: slice = slice(None)) -> None:
    """Refuse what cannot be the millivolts of an ECG.

    Parameters
    ----------
    mv
        (leads, samples), NaN or infinite where a sample is missing.
    leads
        Their canonical names.
    step
        mV between two numbers of the converter, if they are known to it only; 0: the numbers are exact.
    part
        Which samples are an ECG; calibration pulses and padding may stand beside it, with which all was standardized.

    Raises
    ------
    ValueError
        If the amplitude is that of another unit, or the numbers were standardized or rescaled, in each lead, in limb
        and chest leads, or all together.
    """
    rows = _Rows(mv[:, part], leads)
    if not len(rows):
        return
    problem = _of_another_span(rows)
    if not problem:
        why = _standardized(rows, step) or _rescaled(rows, step)
        if not why and len(mv[0, part]) < mv.shape[1]:
            why = _standardized(_Rows(mv, leads), step)
        if why:
            problem = (
                f"its numbers are no millivolts: {why}. They were standardized or rescaled, and what millivolts they "
                "had is lost; give the ECG as it was before"
            )
    if problem:
        raise ValueError(_filled(rows) or problem)


class _Rows:
    """The leads that are not flat, their numbers that are not missing, and what all checks ask of these.

    ``low``, ``high``, ``mean``, ``variance`` and ``count`` are arrays of (leads,), float64.
    """

    def __init__(self, mv: np.ndarray, leads: Sequence[str]):
        finite = np.isfinite(mv)
        if finite.all() and mv.shape[1]:
            low, high, kept = mv.min(axis=1), mv.max(axis=1), list(mv)
        else:
            kept = [row[known] for row, known in zip(mv, finite, strict=True)]
            nothing = [not len(row) for row in kept]
            low, high = (
                np.array([0.0 if no else end(row) for row, no in zip(kept, nothing, strict=True)])
                for end in (np.min, np.max)
            )
        moves = (low < high).nonzero()[0].tolist()
        self.leads = [leads[i] for i in moves]
        self._known = [kept[i] for i in moves]
        self.low, self.high = low[moves].astype(float), high[moves].astype(float)

    def __len__(self) -> int:
        return len(self.leads)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Numbers of each lead, float64."""
        return (row.astype(np.float64) for row in self._known)

    @cached_property
    def _moments(self) -> np.ndarray:
        """Count, mean and variance of each lead."""
        found = []
        for row in self:
            mean = row.mean()
            row -= mean
            found.append((len(row), mean, row @ row / len(row)))
        return np.array(found).T

    def numbers(self, group: Sequence[int]) -> np.ndarray:
        """The numbers of several leads, float64."""
        return np.concatenate([self._known[i] for i in group], dtype=np.float64)

    @cached_property
    def deviations(self) -> list[float]:
        """Standard deviation of each lead."""
        return np.sqrt(self._moments[2]).tolist()

    def deviation(self, group: Sequence[int]) -> float:
        """Standard deviation of the numbers of several leads together."""
        if len(group) == 1:
            return self.deviations[group[0]]
        count, mean, variance = self._moments[:, group]
        middle = count @ mean / count.sum()
        return math.sqrt(float(count @ (variance + (mean - middle) ** 2) / count.sum()))

    def groups(self) -> Iterator[tuple[str, list[list[int]]]]:
        """Yield how leads may have been scaled together: words, and the leads of each group."""
        every = list(range(len(self)))
        if len(every) > 1:
            yield "of every lead", [[i] for i in every]
            parts = [[i for i in every if self.leads[i] in some] for some in (LIMB_LEADS, CHEST_LEADS)]
            if all(parts):
                yield "of limb leads and of chest leads", parts
        yield "of all leads", [every]


def _of_another_span(rows: _Rows) -> str | None:
    low, high = SPAN_MV
    span = float(np.median(rows.high - rows.low))
    if span > high:
        span = float(np.median([np.subtract(*np.percentile(row, TAILS)) for row in rows]))
    if low <= span <= high:
        return None
    return (
        f"the amplitude (median peak-to-peak of a lead {span:,.4g} mV) is none of an ECG, which has {low:g} to "
        f"{high:g} mV. Is the unit another one, such as uV or V, or are these numbers of an analog-to-digital "
        "converter, which must be divided by its gain?"
    )


def _filled(rows: _Rows) -> str | None:
    """Name an extreme of every lead that is far from an ECG's values, or stands there many times."""
    for extremes in (rows.low, rows.high):
        value = float(extremes[0])
        if len(rows) == 1 or (extremes != value).any():
            continue
        if abs(value) > SPAN_MV[1] or all(np.mean(row == value) > _MANY_SAMPLES for row in rows):
            return (
                f"the value {value:g} mV stands in every lead, as where a program has filled up a file or marked "
                "missing samples; cut these samples off, or give NaN (in CSV, empty cells)"
            )
    return None


def _standardized(rows: _Rows, step: float) -> str | None:
    for whose, places in rows.groups():
        deviation = [rows.deviation(group) for group in places]
        if _all_are(deviation, 1, _DEVIATION + step):
            return f"the standard deviation {whose} is 1"
        if min(deviation) < _LARGE:  # an offset of electrodes, say, makes a root mean square
            continue
        groups = [rows.numbers(group) for group in places]
        if _all_are([float(np.sqrt(np.mean(group**2))) for group in groups], 1, _DEVIATION + step):
            return f"the root mean square {whose} is 1"
        quartiles = [np.percentile(group, (25, 50, 75)) for group in groups]
        if not _all_are([middle for _, middle, _ in quartiles], 0, _DEVIATION + step):
            continue
        for unit, words in ((1, "1"), (1.349, "1.349")):
            if _all_are([high - low for low, _, high in quartiles], unit, _DEVIATION + 2 * step):
                return f"the interquartile range {whose} is {words}"
        sizes = [float(np.median(np.abs(group - np.median(group)))) for group in groups]
        for unit, words in ((1, "1"), (0.6745, "0.6745")):
            if _all_are(sizes, unit, _DEVIATION + 2 * step):
                return f"the median deviation {whose} is {words}"
    return None


def _rescaled(rows: _Rows, step: float) -> str | None:
    near = _EXTREME + step
    exact = step < _FINE and not (step == 0 and _on_a_converter_s_grid(list(rows)))
    lows, highs = rows.low.tolist(), rows.high.tolist()
    for whose, places in rows.groups():
        low = [min(lows[i] for i in group) for group in places]
        high = [max(highs[i] for i in group) for group in places]
        for first, last in ((0, 1), (-1, 1), (-0.5, 0.5), (0, 2), (0, 5), (0, 10), (-5, 5)):
            if _all_are(low, first, near) and _all_are(high, last, near):
                return f"the extremes {whose} are {first} and {last}"
        if exact or len(places) > 1:
            largest = [max(-a, b) for a, b in zip(low, high, strict=True)]
            if _all_are(largest, 1, near):
                return f"the largest size {whose} is 1"
            if _all_are([b - a for a, b in zip(low, high, strict=True)], 1, near):
                return f"the peak-to-peak {whose} is 1"
        if exact and len(places) == 1 and (why := _percentile_of_one(rows.numbers(places[0]), _PERCENTILE + step)):
            return f"{why} {whose} is 1"
    if len(rows) >= _MANY:
        spans = rows.high - rows.low
        largest = np.maximum(rows.high, -rows.low)
        for words, found in (
            ("peak-to-peak", spans),
            ("standard deviation", rows.deviations),
            ("largest size", largest),
        ):
            sizes = list(map(float, found))
            same = _ALIKE if found is rows.deviations and len(rows) >= _EIGHT else _SAME
            offsets = min(sizes) > max(spans)  # of electrodes, all alike and larger than what the heart adds
            if max(sizes) <= (1 + same) * min(sizes) and not offsets:
                return f"every lead has the same {words} ({min(sizes):.3g}), each was scaled for itself"
    return None


def _percentile_of_one(values: np.ndarray, near: float) -> str | None:
    for percent, size in zip(_SIZES, np.percentile(np.abs(values), _SIZES), strict=True):
        if abs(size - 1) < near:
            return f"the {percent:g}th percentile of the sizes"
    ends = np.percentile(values, [end for ends in _RANGES for end in ends]).reshape(-1, 2)
    for (low, high), (first, last) in zip(_RANGES, ends, strict=True):
        if abs(last - first - 1) < near:
            return f"the range from the {low:g}th to the {high:g}th percentile"
    return None


def _largest(row: np.ndarray) -> float:
    return max(float(row.max()), -float(row.min()))


def _all_are(values: list[float], expected: float, tolerance: float) -> bool:
    return all(abs(value - expected) <= tolerance for value in values)


def _on_a_converter_s_grid(rows: list[np.ndarray]) -> bool:
    """Whether all numbers are multiples of a step that converters have, and of no multiple of it.

    Then a largest size of exactly 1 mV is chance.
    """
    for step in _STEPS_MV:
        counts = [row / step for row in rows]
        whole = [np.round(count) for count in counts]
        if max(_largest(number) for number in whole) < _COUNTS and all(
            np.abs(count - number).max() < 1e-3 for count, number in zip(counts, whole, strict=True)
        ):
            if int(np.gcd.reduce([int(np.gcd.reduce(number.astype(np.int64))) for number in whole])) == 1:
                return True
    return False
