"""Signals come in shuffled batches without loss or repetition, whatever the memory, the threads and the ranks."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from training_data import SIGNAL, write_shards

from fgclep.errors import UserError
from fgclep.recordings.wfdb_file import read_record
from fgclep.schemas.shards import SHARD
from fgclep.signals.encoding import decode_waveform, encode_waveform, to_millivolts
from fgclep.signals.loader import SignalStore, WaveformDecoder
from fgclep.signals.preparation import prepare_signal
from fgclep.tables import read_table, write_table

ONE_SHARD_MB = 20 * 12 * 200 * 4 / 2**20 * 1.01
RECORDS = 42


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Three shards of 20, 13 and 9 records in row groups of up to 6."""
    return write_shards(tmp_path_factory.mktemp("shards"), row_group_size=6)


@pytest.fixture(scope="module")
def expected(shards):
    """The prepared signal of every record, computed one by one without the loader."""
    signals = []
    for path in shards:
        for row in read_table(path, SHARD).to_pylist():
            digital = decode_waveform(row["waveform"], row["n_samples"])
            mv = to_millivolts(digital, np.array(row["gain"]), np.array(row["baseline"]))
            signals.append(prepare_signal(mv, row["sampling_rate"], SIGNAL))
    return np.stack(signals)


@settings(max_examples=60, deadline=None)
@given(
    batch_size=st.integers(1, 50),
    memory_mb=st.sampled_from([100, 2 * ONE_SHARD_MB, ONE_SHARD_MB, 1e-6]),
    workers=st.integers(1, 4),
    world_size=st.integers(1, 4),
    seed=st.integers(0, 1000),
    skip=st.integers(0, 5),
)
def test_every_record_comes_once_over_all_ranks_with_its_own_signal(
    shards, expected, batch_size, memory_mb, workers, world_size, seed, skip
):
    store = SignalStore(shards, SIGNAL, memory_mb, workers=workers)
    seen, steps = [], set()
    for rank in range(world_size):
        batches = list(store.shuffled(batch_size, [seed, 7], rank=rank, world_size=world_size))
        steps.add(len(batches))
        sizes = [len(places) for places, _ in batches]
        assert max(sizes) - min(sizes) <= 1
        for places, signals in batches:
            assert signals.dtype == torch.float32
            np.testing.assert_allclose(signals.numpy(), expected[places], atol=1e-6)
            seen += places.tolist()
        again = SignalStore(shards, SIGNAL, memory_mb)
        rest = list(again.shuffled(batch_size, [seed, 7], skip, rank, world_size))
        assert [p.tolist() for p, _ in rest] == [p.tolist() for p, _ in batches[skip:]]
        assert all(torch.equal(a, b) for (_, a), (_, b) in zip(rest, batches[skip:], strict=True))
    assert sorted(seen) == list(range(RECORDS))
    assert len(steps) == 1


def test_an_epoch_has_batches_of_the_size_that_is_asked_for(shards):
    store = SignalStore(shards, SIGNAL, 100)
    assert [len(places) for places, _ in store.shuffled(8, [0])] == [9, 9, 8, 8, 8]
    assert store.steps(8) == 5 and store.steps(8, world_size=2) == 3


@pytest.mark.parametrize("memory_mb", [100, ONE_SHARD_MB])
def test_the_order_depends_on_seed_and_epoch_only(shards, memory_mb):
    def order(seed, workers):
        store = SignalStore(shards, SIGNAL, memory_mb, workers=workers)
        return [places.tolist() for places, _ in store.shuffled(8, seed)]

    assert order([0, 1], 1) == order([0, 1], 3)
    assert order([0, 1], 1) != order([0, 2], 1)


def test_records_of_different_shards_meet_in_a_batch_although_memory_is_short(shards):
    store = SignalStore(shards, SIGNAL, ONE_SHARD_MB * 1.3)
    mixed = [len({int(place) // 20 for place in places}) for places, _ in store.shuffled(12, [0])]
    assert max(mixed) > 1


def test_no_more_is_in_memory_than_the_limit(shards):
    store = SignalStore(shards, SIGNAL, ONE_SHARD_MB)
    windows = store._windows(store.groups)
    assert len(windows) > 2
    assert all(sum(map(len, pair)) <= 20 for pair in [[*a, *b] for a, b in itertools.pairwise(windows)])


def test_what_is_skipped_is_not_read(shards, monkeypatch):
    read = []
    original = SignalStore._read
    monkeypatch.setattr(SignalStore, "_read", lambda *args: (read.append(args[1]), original(*args)))
    store = SignalStore(shards, SIGNAL, 1e-6)
    assert len(list(store.shuffled(6, [0], skip=6))) == 1
    assert sum(map(len, read)) <= 12


def test_the_order_of_the_shards_is_kept_on_request(shards, expected):
    for memory_mb in (100, 1e-6):
        batches = list(SignalStore(shards, SIGNAL, memory_mb, workers=2).in_order(10))
        assert [len(places) for places, _ in batches] == [10, 10, 10, 10, 2]
        assert np.concatenate([places for places, _ in batches]).tolist() == list(range(RECORDS))
        np.testing.assert_allclose(np.concatenate([signals for _, signals in batches]), expected, atol=1e-6)


def test_only_the_records_that_are_wanted_are_given(shards, expected):
    store = SignalStore(shards, SIGNAL, 100, keep=lambda keys: [split == "val" for split in keys["split"].to_pylist()])
    assert store.keys["record_id"].to_pylist() == [f"{n:03d}" for n in range(0, RECORDS, 5)]
    signals = np.concatenate([signals for _, signals in store.in_order(4)])
    np.testing.assert_allclose(signals, expected[::5], atol=1e-6)
    assert store.names(np.array([8, 0])) == ["made-up/040", "made-up/000"]


def test_no_record_is_wanted(shards):
    store = SignalStore(shards, SIGNAL, 100, keep=lambda keys: np.zeros(len(keys), dtype=bool))
    assert len(store) == 0 and list(store.in_order(4)) == []


@pytest.mark.parametrize("memory_mb", [100, 1e-6])
@pytest.mark.parametrize("baseline", [0, -37])
def test_signals_come_in_millivolts_as_stored(shards, tmp_path, memory_mb, baseline):
    rows = read_table(shards[1], SHARD).to_pylist()
    for number, row in enumerate(rows):
        row |= {"gain": [100.0 + number] * 12, "baseline": [baseline] * 12}
    write_table(rows, tmp_path / "0.parquet", SHARD, 5)
    store = SignalStore([tmp_path / "0.parquet"], None, memory_mb)
    seen = 0
    for places, signals in store.shuffled(4, [1]):
        for place, signal in zip(places, signals, strict=True):
            gain, digital = np.array(rows[place]["gain"]), decode_waveform(rows[place]["waveform"], 400)
            np.testing.assert_allclose(signal, to_millivolts(digital, gain, np.full(12, baseline)), atol=1e-5)
            seen += 1
    assert seen == 13


@pytest.mark.parametrize("together", [1, 1000, 40_000])
def test_records_of_any_rate_and_length_come_as_each_is_prepared_alone(tmp_path, monkeypatch, together):
    monkeypatch.setattr("fgclep.signals.loader._PREPARED_TOGETHER", together)
    rng, rows = np.random.default_rng(0), []
    for number in range(40):
        samples, rate = [(400, 100.0), (400, 50.0), (150, 50.0), (2000, 257.0)][rng.integers(4)]
        digital = rng.integers(-2000, 2000, (12, samples), dtype=np.int16)
        rows.append(
            {
                "source": "s", "record_id": f"{number}", "patient_id": "p", "split": "train", "age": None, "sex": None,
                "codes": [], "sampling_rate": rate, "n_samples": samples, "gain": [1000.0 + number] * 12,
                "baseline": [number] * 12, "waveform": encode_waveform(digital), "flags": [],
            }
        )  # fmt: skip
    write_table(rows, tmp_path / "0.parquet", SHARD, 15)
    store = SignalStore([tmp_path / "0.parquet"], SIGNAL, 100, lambda keys: np.arange(40) % 3 > 0, workers=2)
    (batch,) = (signals for _, signals in store.in_order(40))
    for row, signal in zip((row for number, row in enumerate(rows) if number % 3), batch, strict=True):
        gain, baseline = np.array(row["gain"])[:, None], np.array(row["baseline"])[:, None]
        scale, shift = (1 / gain).astype(np.float32), (-baseline / gain).astype(np.float32)
        mv = decode_waveform(row["waveform"], row["n_samples"]) * scale + shift
        np.testing.assert_array_equal(signal, prepare_signal(mv, row["sampling_rate"], SIGNAL))


def with_one_broken(shards, folder, broken):
    rows = read_table(shards[1], SHARD).to_pylist()
    rows[7] |= broken
    write_table(rows, folder / "0.parquet", SHARD)
    return SignalStore([folder / "0.parquet"], SIGNAL, 100)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"n_samples": 399}, "its length is another"),
        ({"waveform": b"damaged"}, "not an encoded waveform"),
    ],
)
def test_the_record_among_others_that_is_damaged_is_named(shards, tmp_path, broken, message):
    with pytest.raises(ValueError, match=rf"0\.parquet, made-up/027: .*{message}"):
        list(with_one_broken(shards, tmp_path, broken).in_order(4))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"gain": [np.nan] * 12}, "the signal holds NaN or infinite values"),
        ({"gain": [0.0] * 12}, "the signal holds NaN or infinite values"),
        ({"n_samples": 0, "waveform": encode_waveform(np.zeros((12, 0), np.int16))}, "expected a signal of shape"),
        ({"sampling_rate": 0.0}, "a fault of the program"),
    ],
)
def test_a_record_that_cannot_be_prepared_is_left_out_alone(shards, tmp_path, broken, message, caplog):
    store = with_one_broken(shards, tmp_path, broken)
    whole = SignalStore([shards[1]], SIGNAL, 100)
    expected = {
        int(place): signal for places, batch in whole.in_order(4) for place, signal in zip(places, batch, strict=True)
    }
    del expected[7]
    for batches in (store.in_order(4), store.shuffled(4, [1])):
        found = {int(place): signal for places, batch in batches for place, signal in zip(places, batch, strict=True)}
        assert sorted(found) == sorted(expected)
        assert all((found[place] == expected[place]).all() for place in expected)
    assert list(store.failed) == [7] and message in store.failed[7] and "made-up/027" in store.failed[7]
    assert "left out" in caplog.text and "made-up/027" in caplog.text


def test_a_fault_in_one_preparation_is_logged_with_its_traceback(shards, monkeypatch, caplog):
    def broken(mv, fs, signal):
        if float(mv[0, 0, 0]) == first:
            raise KeyError("a mistake")
        return prepare_signal(mv, fs, signal)

    (_, signals) = next(SignalStore([shards[1]], None, 100).in_order(1))
    first = float(signals[0, 0, 0])
    monkeypatch.setattr("fgclep.signals.loader.prepare_signal", broken)
    store = SignalStore([shards[1]], SIGNAL, 100)
    places = np.concatenate([places for places, _ in store.in_order(4)])
    assert len(places) == len(store) - 1 and 0 not in places
    assert "KeyError: 'a mistake'" in caplog.text and "Traceback" in caplog.text


@pytest.mark.parametrize("error", [MemoryError(), OSError(28, "No space left on device"), UserError("mend it")])
def test_what_is_not_of_one_record_ends_all(shards, monkeypatch, error):
    def broken(*_):
        raise error

    monkeypatch.setattr("fgclep.signals.loader.prepare_signal", broken)
    with pytest.raises(type(error)):
        list(SignalStore([shards[1]], SIGNAL, 100).in_order(4))


def test_an_empty_shard_does_not_matter(shards, tmp_path):
    write_table([], tmp_path / "0.parquet", SHARD)
    (_, signals) = next(SignalStore([tmp_path / "0.parquet", shards[0]], None, 100).in_order(4))
    assert signals.shape == (4, 12, 400)
    assert list(SignalStore([tmp_path / "0.parquet"], None, 100).in_order(4)) == []


def test_records_of_different_lengths_cannot_come_as_stored(shards, tmp_path):
    rows = read_table(shards[1], SHARD).to_pylist()
    rows[3] |= {"n_samples": 300, "waveform": encode_waveform(np.zeros((12, 300), np.int16))}
    write_table(rows, tmp_path / "0.parquet", SHARD)
    with pytest.raises(ValueError, match=r"0\.parquet, made-up/023: has 300 samples, others 400"):
        list(SignalStore([tmp_path / "0.parquet"], None, 100).in_order(4))


def test_more_ranks_than_row_groups_are_refused(shards):
    with pytest.raises(ValueError, match=r"50 ranks cannot share 42 records in 9 row groups; take fewer ranks"):
        next(SignalStore(shards, SIGNAL, 100).shuffled(8, [0], world_size=50))


def test_a_record_that_cannot_be_prepared_is_named(shards):
    with pytest.raises(ValueError, match=r"0\.parquet, made-up/000: .*critical frequencies"):
        list(SignalStore(shards, SIGNAL.model_copy(update={"sampling_rate": 0.9}), 100).in_order(4))


def test_the_fast_decoder_agrees_with_the_plain_one(physionet):
    decode = WaveformDecoder()
    for path in (
        "ptb-xl/1.0.3/records500/00000/00001_hr",
        "ludb/1.0.1/data/1",
        "challenge-2021/1.0.3/training/ptb/g1/S0001",
    ):
        digital = read_record(physionet / path).digital
        out = torch.empty(12, digital.shape[1], dtype=torch.int16)
        np.testing.assert_array_equal(decode(encode_waveform(digital), out).numpy(), digital)


@pytest.mark.parametrize("memory_mb", [100, 1e-6])
def test_signals_held_in_half_precision_are_the_same_within_it(shards, expected, memory_mb):
    store = SignalStore(shards, SIGNAL, memory_mb, half=True)
    for places, signals in [*store.in_order(7), *store.shuffled(7, [0])]:
        assert signals.dtype == torch.float32
        np.testing.assert_allclose(signals.numpy(), expected[places], rtol=2**-10, atol=1e-5)
    whole = SignalStore(shards, SIGNAL, memory_mb)
    assert 2 * whole._capacity <= store._capacity <= 2 * whole._capacity + 1
