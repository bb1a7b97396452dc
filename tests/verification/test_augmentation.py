"""Which features are added to which report."""

import numpy as np
import pyarrow as pa
import pytest

from fgclep.verification.augmentation import KINDS, add_texts, choose_features


def test_texts_are_added_once_and_in_order():
    reports = pa.array([[5, 3], [], [2]], type=pa.list_(pa.int32()))
    added = add_texts(reports, np.array([0, 0, 0, 1, 1]), np.array([3, 9, 7, 4, 4]))
    assert added.to_pylist() == [[5, 3, 9, 7], [4], [2]]
    assert added.type == reports.type
    nothing = np.zeros(0, dtype=np.int64)
    assert add_texts(reports, nothing, nothing).to_pylist() == reports.to_pylist()
    assert add_texts(reports[:0], nothing, nothing).to_pylist() == []
    assert add_texts(reports[1:], np.array([1]), np.array([6])).to_pylist() == [[], [2, 6]]  # a slice of a table


RECORD = np.array([0, 0, 0, 2, 2, 5, 5, 5, 7])
FEATURE = np.array([1, 1, 2, 1, 3, 4, 5, 6, 1])
ACCEPTED = np.array([True, True, False, True, True, True, True, True, False])


def chosen(kind, seed=0):
    record, feature = choose_features(kind, RECORD, FEATURE, ACCEPTED, seed)
    return list(zip(record.tolist(), feature.tolist(), strict=True))


def test_the_filter_and_the_controls_choose_features():
    filtered = [(0, 1), (2, 1), (2, 3), (5, 4), (5, 5), (5, 6)]
    assert chosen("filtered") == filtered
    assert chosen("none") == []
    assert chosen("unfiltered") == [(0, 1), (0, 2), (2, 1), (2, 3), (5, 4), (5, 5), (5, 6), (7, 1)]
    with pytest.raises(ValueError, match="'best'"):
        chosen("best")


@pytest.mark.parametrize("seed", range(20))
def test_random_features_are_as_many_as_accepted_and_known_from_other_records(seed):
    drawn = chosen("random", seed)
    assert [record for record, _ in drawn] == [0, 2, 2, 5, 5, 5]
    assert len(set(drawn)) == len(drawn) and drawn == sorted(drawn)
    assert {feature for _, feature in drawn} <= {1, 3, 4, 5, 6}  # 2 was accepted nowhere


def test_random_features_are_drawn_evenly():
    first = [chosen("random", seed)[0][1] for seed in range(500)]
    assert all(first.count(feature) > 60 for feature in (1, 3, 4, 5, 6))  # 100 expected


@pytest.mark.parametrize("seed", range(20))
def test_shuffled_features_stay_together_and_come_from_another_record(seed):
    handed_on = chosen("shuffled", seed)
    sets = {record: {f for r, f in handed_on if r == record} for record, _ in handed_on}
    own = {0: {1}, 2: {1, 3}, 5: {4, 5, 6}}
    assert sorted(map(sorted, sets.values())) == sorted(map(sorted, own.values()))
    assert all(sets[record] != own[record] for record in own)
    assert handed_on == sorted(handed_on)


@pytest.mark.parametrize("kind", KINDS)
def test_no_candidates_choose_nothing(kind):
    nothing = np.zeros(0, dtype=np.int64)
    record, feature = choose_features(kind, nothing, nothing, nothing.astype(bool), 0)
    assert len(record) == len(feature) == 0
