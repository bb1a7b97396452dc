"""Signals come in shuffled batches without loss or repetition, whatever the memory."""

import numpy as np
import pytest
from training_data import SIGNAL, write_shards

from fgclep.loader import SignalStore

ONE_SHARD_MB = 20 * 12 * 200 * 4 / 2**20 * 1.01


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return write_shards(tmp_path_factory.mktemp("shards"))


@pytest.mark.parametrize("memory_mb", [100, ONE_SHARD_MB, 1e-6])
def test_an_epoch_has_every_record_once_with_its_own_signal(shards, memory_mb):
    store = SignalStore(shards, SIGNAL, memory_mb)
    expected = dict(zip(range(len(store)), np.concatenate([s for _, s in store.in_order(7)]), strict=True))
    seen = []
    for places, signals in SignalStore(shards, SIGNAL, memory_mb).shuffled(8, [0, 1]):
        assert len(places) <= 10
        for place, signal in zip(places, signals, strict=True):
            seen.append(place)
            np.testing.assert_array_equal(signal, expected[place])
    assert sorted(seen) == list(range(42)) and seen != sorted(seen)


def test_the_order_depends_on_seed_and_epoch_only(shards):
    def order(seed):
        store = SignalStore(shards, SIGNAL, ONE_SHARD_MB)
        return [places.tolist() for places, _ in store.shuffled(8, seed)]

    assert order([0, 1]) == order([0, 1])
    assert order([0, 1]) != order([0, 2])


@pytest.mark.parametrize("memory_mb", [100, ONE_SHARD_MB])
def test_skipping_batches_leaves_the_rest_as_it_was(shards, memory_mb):
    whole = [p.tolist() for p, _ in SignalStore(shards, SIGNAL, memory_mb).shuffled(8, [3])]
    rest = [p.tolist() for p, _ in SignalStore(shards, SIGNAL, memory_mb).shuffled(8, [3], skip=4)]
    assert rest == whole[4:]


def test_only_the_records_that_are_wanted_are_read(shards):
    store = SignalStore(shards, SIGNAL, 100, keep=lambda row: row["split"] == "val")
    assert [key["record_id"] for key in store.keys] == [f"{n:03d}" for n in range(0, 42, 5)]
    assert sum(len(places) for places, _ in store.in_order(4)) == len(store) == 9
