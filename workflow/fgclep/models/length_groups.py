"""Texts of like length, so that little of what a text encoder computes is padding."""

from collections.abc import Sequence

SHORTEST = 0.75  # of a group's longest text: at most a quarter of the group's tokens is padding


def groups_of_like_length(lengths: Sequence[int]) -> list[list[int]]:
    """Divide texts by their numbers of tokens; return the positions of each group's texts, the longest group first.

    >>> groups_of_like_length([4, 12, 5, 10])
    [[1, 3], [2, 0]]
    """
    groups: list[list[int]] = []
    for position in sorted(range(len(lengths)), key=lambda position: -lengths[position]):
        if not groups or lengths[position] < SHORTEST * lengths[groups[-1][0]]:
            groups.append([])
        groups[-1].append(position)
    return groups
