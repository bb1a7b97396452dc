"""All rules of the vocabulary at once: what ``vocabulary.holds`` says of each, as a few array operations.

A rule is a tree; its leaves compare one measure with limits. Nodes are ordered by their height, so that every height is
one sum over the children of its nodes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fgclep.language.vocabulary import Vocabulary
from fgclep.leads import INDEX
from fgclep.schemas.measurements import LEAD_MEASURES, MEASURES

_SCALARS = {name: i for i, name in enumerate(MEASURES)}
_LEADS = {name: len(MEASURES) + 12 * i for i, name in enumerate(LEAD_MEASURES)}


class RuleTable:
    """The rules of a vocabulary's features.

    Parameters
    ----------
    vocabulary
        Features without a rule are left out; ``features`` names those that have one.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.features = tuple(name for name, feature in vocabulary.features.items() if feature.rule is not None)
        self._leaves: list[tuple[int, float, float]] = []  # place of the measure, above, below
        nodes: list[tuple[int, list[int], int]] = []  # height, children, children needed (0: none may hold)
        self._leaf_of: dict[tuple[int, float, float], int] = {}
        rules = [vocabulary.features[name].rule or {} for name in self.features]
        roots = [self._add(rule, nodes) for rule in rules]
        self._place, above, below = (np.array(column) for column in zip(*self._leaves, strict=True))
        self._above, self._below = above.astype(np.float32), below.astype(np.float32)
        # nodes by height; a leaf keeps its number, the others follow
        order = sorted(range(len(nodes)), key=lambda i: nodes[i][0])
        number = {~i: len(self._leaves) + place for place, i in enumerate(order)}
        self._levels = []
        self._size = len(self._leaves) + len(nodes)
        for height in range(1, 1 + max(node[0] for node in nodes)):
            level = [nodes[i] for i in order if nodes[i][0] == height]
            children = [number.get(child, child) for _, below_, _ in level for child in below_]
            starts = np.cumsum([0] + [len(below_) for _, below_, _ in level[:-1]])
            needed = np.array([least for *_, least in level] * 2, np.int8)
            # twice: for what holds for sure, and for what possibly does
            places = np.concatenate([children, np.array(children) + self._size])
            starts = np.concatenate([starts, starts + len(children)])
            self._levels.append((places, starts, needed, np.flatnonzero(needed == 0)))
        self._roots = np.array([number.get(root, root) for root in roots])

    def _add(self, rule: Mapping[str, Any], nodes: list[tuple[int, list[int], int]]) -> int:
        """Number of a rule's leaf, or ``~i`` for node i."""
        if "not" in rule:
            children, needed = [self._add(rule["not"], nodes)], 0
        elif "all" in rule or "any" in rule:
            children = [self._add(part, nodes) for part in rule.get("all") or rule["any"]]
            needed = len(children) if "all" in rule else 1
        else:
            limits = (float(rule.get("above", -np.inf)), float(rule.get("below", np.inf)))
            name = rule["measure"]
            if "leads" not in rule:
                return self._leaf((_SCALARS[name], *limits))
            children = [self._leaf((_LEADS[name] + INDEX[lead], *limits)) for lead in rule["leads"]]
            needed = rule.get("count", len(children))
        height = 1 + max((nodes[~child][0] for child in children if child < 0), default=0)
        nodes.append((height, children, needed))
        return ~(len(nodes) - 1)

    def _leaf(self, leaf: tuple[int, float, float]) -> int:
        if leaf not in self._leaf_of:
            self._leaf_of[leaf] = len(self._leaves)
            self._leaves.append(leaf)
        return self._leaf_of[leaf]

    def holds(self, measures: Mapping[str, Any]) -> np.ndarray:
        """Whether each rule is fulfilled for sure (a missing measure fulfills none), bool, shape (len(features),).

        Parameters
        ----------
        measures
            Scalars by the names of ``schemas.measurements.MEASURES`` and arrays of 12 by those of ``LEAD_MEASURES``.
        """
        scalars = np.array([measures[name] for name in MEASURES], np.float64)
        values = np.concatenate([scalars, *(measures[name] for name in LEAD_MEASURES)])[self._place]
        # for sure, and, ``size`` later, possibly
        size, count = self._size, len(values)
        holds = np.empty(2 * size, np.int8)
        np.logical_and(values > self._above, values < self._below, out=holds[:count])
        np.logical_or(holds[:count], np.isnan(values), out=holds[size : size + count])
        for children, starts, needed, negated in self._levels:
            # as in ``vocabulary._evaluate``: enough children are true, or enough are not false
            counted = np.add.reduceat(holds.take(children), starts)
            enough = counted >= needed
            if negated.size:
                enough[negated] = counted[(negated + len(needed) // 2) % len(needed)] == 0
            stop = count + len(needed) // 2
            holds[count:stop] = enough[: len(needed) // 2]
            holds[size + count : size + stop] = enough[len(needed) // 2 :]
            count = stop
        return holds[self._roots].astype(bool)
