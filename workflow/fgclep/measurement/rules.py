"""The vocabulary's rules on measured values: what they may say, and what the values of records say to them.

A rule is a threshold on one measure (see ``schemas.measurements.MEASURES`` and ``LEAD_MEASURES``)::

    {measure: pr_ms, above: 200, margin: 10}
    {measure: st_mv, leads: [II, III, aVF], count: 2, above: 0.1, margin: 0.03}

or ``{all: [rule, ...]}`` or ``{any: [rule, ...]}``. A rule on leads wants ``count`` of them, or all. ``margin`` is the
error of the measurement: a value closer to the limit than that leaves doubt, of which ``RuleTable.verdicts`` tells.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fgclep.leads import INDEX, LEADS
from fgclep.schemas.measurements import LEAD_MEASURES, MEASURES

REFUTED, UNLIKELY, UNTESTABLE, LIKELY, SUPPORTED = -2, -1, 0, 1, 2
VERDICTS = {
    REFUTED: "refuted",
    UNLIKELY: "unlikely",
    UNTESTABLE: "untestable",
    LIKELY: "likely",
    SUPPORTED: "supported",
}
BLOCK = 5_000  # records judged at once
_UNKNOWN = len(MEASURES) + len(LEADS) * len(LEAD_MEASURES)  # the row of a value that no record has
_ROWS = {name: slice(i, i + 1) for i, name in enumerate(MEASURES)} | {
    name: slice(len(MEASURES) + len(LEADS) * i, len(MEASURES) + len(LEADS) * (i + 1))
    for i, name in enumerate(LEAD_MEASURES)
}


def check_rule(rule: Any) -> None:
    """Raise ``ValueError`` with the reason if something is no rule, or names no known measure or lead."""
    if not isinstance(rule, dict):
        raise ValueError(f"{rule!r:.100} is no rule")
    for joint in ("all", "any"):
        if joint in rule:
            if not isinstance(rule[joint], list) or not rule[joint]:
                raise ValueError(f"{joint} must hold a list of rules")
            if len(rule) > 1:
                raise ValueError(f"a rule has nothing beside {joint}; got {rule}")
            for part in rule[joint]:
                check_rule(part)
            return
    unknown = set(rule) - {"measure", "leads", "count", "above", "below", "margin"}
    if unknown or not {"above", "below"} & set(rule):
        raise ValueError(f"a rule has measure, above and/or below, and may have leads, count, margin; got {rule}")
    for name in {"count", "above", "below", "margin"} & set(rule):
        if not isinstance(rule[name], int | float):
            raise ValueError(f"{name} is {rule[name]!r:.100}, no number")
    if not rule.get("margin", 0) >= 0:
        raise ValueError(f"margin is {rule['margin']}; it is the error of the measurement, 0 or more")
    leads = rule.get("leads", [])
    if not isinstance(leads, list) or ("leads" in rule and not leads):
        raise ValueError("leads must be a list of leads")
    if "count" in rule and rule["count"] not in range(1, len(leads) + 1):
        raise ValueError(f"count is {rule['count']}; {len(leads)} leads are named")
    known = LEAD_MEASURES if "leads" in rule else MEASURES
    if rule.get("measure") not in known:
        raise ValueError(f"unknown measure {rule.get('measure')!r}; known are {', '.join(known)}")
    if unknown_leads := [lead for lead in leads if lead not in LEADS]:
        raise ValueError(f"unknown leads {unknown_leads}")


class RuleTable:
    """Rules as one network of counts: all of them are evaluated together, on arrays, whether for one record or many.

    Its lowest level compares values with limits; every other node holds where enough of the nodes below it do. Equal
    parts of rules are one node.

    Parameters
    ----------
    rules
        As described at the top of this module, and checked by ``check_rule``; ``None``: no rule, so nothing decides.
    """

    def __init__(self, rules: Sequence[Mapping[str, Any] | None]) -> None:
        self._levels: list[dict[Any, int]] = [{}]  # nodes by height, each with its place among those of its height
        roots = [self._add(rule) for rule in rules]
        first = np.cumsum([0, *(len(level) for level in self._levels)])
        self._size, self._roots = first[-1], np.array([first[height] + place for height, place in roots], np.intp)
        limits = np.array(list(self._levels[0]), np.float64).reshape(-1, 4).T
        self._value = limits[0].astype(np.intp)
        self._above, self._below, self._margin = limits[1:, :, None]
        self._counts = []
        for start, level in zip(first[1:], self._levels[1:], strict=False):
            children = [first[height] + place for below, _ in level for height, place in below]
            starts = np.cumsum([0, *(len(below) for below, _ in level)])[:-1]
            needed = np.array([[needed] for _, needed in level])
            self._counts.append((slice(start, start + len(level)), np.array(children), starts, needed))

    def _add(self, rule: Mapping[str, Any] | None) -> tuple[int, int]:
        """Height and place of a rule's node."""
        if rule is None:
            return self._node(0, (_UNKNOWN, -np.inf, np.inf, 0.0))
        if "measure" in rule:
            row = _ROWS[rule["measure"]].start
            limits = (rule.get("above", -np.inf), rule.get("below", np.inf), rule.get("margin", 0.0))
            if "leads" not in rule:
                return self._node(0, (row, *limits))
            parts = [self._node(0, (row + INDEX[lead], *limits)) for lead in rule["leads"]]
            needed = rule.get("count", len(parts))
        else:
            parts = [self._add(part) for part in rule.get("all") or rule["any"]]
            needed = len(parts) if "all" in rule else 1
        return self._node(1 + max(height for height, _ in parts), (tuple(parts), needed))

    def _node(self, height: int, node: tuple[Any, ...]) -> tuple[int, int]:
        while len(self._levels) <= height:
            self._levels.append({})
        level = self._levels[height]
        return height, level.setdefault(node, len(level))

    def holds(self, measures: Mapping[str, Any], records: int = 1) -> np.ndarray:
        """Tell which rules the values fulfill as they are, without margins; a missing value fulfills none.

        Parameters
        ----------
        measures
            By the names of ``MEASURES`` arrays of shape (records,), and by those of ``LEAD_MEASURES`` of shape
            (records, 12); of one record also a number and 12 numbers. NaN, ``None`` or no entry: a missing value.
        records
            Number of records.

        Returns
        -------
        numpy.ndarray
            bool of shape (records, rules).
        """
        values = _table(measures, records)[self._value]
        return self._evaluate((values > self._above) & (values < self._below)).astype(bool)

    def verdicts(self, measures: Mapping[str, Any], records: int = 1) -> np.ndarray:
        """Judge rules by measured values and their errors.

        Parameters
        ----------
        measures, records
            As in ``holds``.

        Returns
        -------
        numpy.ndarray
            int8 of shape (records, rules): ``SUPPORTED`` or ``REFUTED`` where the values, with their errors
            (``margin``), leave no doubt; ``LIKELY`` or ``UNLIKELY`` where only the values as they are decide;
            ``UNTESTABLE`` without a rule or a value.
        """
        table, verdicts = _table(measures, records), np.empty((records, len(self._roots)), np.int8)
        for start in range(0, records, BLOCK):
            verdicts[start : start + BLOCK] = self._judge(table[self._value, start : start + BLOCK])
        return verdicts

    def _judge(self, values: np.ndarray) -> np.ndarray:
        above, below, margin = self._above, self._below, self._margin
        cases = (
            (values > above + margin) & (values < below - margin),  # for sure
            (values > above) & (values < below),
            ~((values <= above) | (values >= below)),  # or missing
            ~((values <= above - margin) | (values >= below + margin)),  # possibly
        )
        # a rule that holds in one case holds in those after it, so the number of cases is the verdict
        return np.stack([self._evaluate(case) for case in cases]).sum(axis=0, dtype=np.int8, initial=REFUTED)

    def _evaluate(self, compared: np.ndarray) -> np.ndarray:
        """Where the rules hold, int8 of shape (records, rules), by where the nodes of the lowest level do."""
        holds = np.empty((self._size, compared.shape[1]), np.int8)
        holds[: len(compared)] = compared
        for rows, children, starts, needed in self._counts:
            holds[rows] = np.add.reduceat(holds[children], starts) >= needed
        return holds[self._roots].T


def _table(measures: Mapping[str, Any], records: int) -> np.ndarray:
    """One row per measure, and lead of a measure, and a last one that is always missing; float64."""
    table = np.full((_UNKNOWN + 1, records), np.nan)
    for name, rows in _ROWS.items():
        if (values := measures.get(name)) is not None:
            table[rows] = np.asarray(values, np.float64).reshape(records, rows.stop - rows.start).T
    return table
