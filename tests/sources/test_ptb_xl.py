"""PTB-XL at its two sampling rates, and its folds as splits."""

import hashlib
import tarfile

import numpy as np
import polars as pl
import pytest
from road import Road
from wfdb_files import RATE, heart, write_lists, write_record

from fgclep.errors import UserError
from fgclep.fetch.manifest import build_manifest
from fgclep.signals.encoding import decode_waveform, to_millivolts
from fgclep.sources import get_source

HEAD = "ecg_id,patient_id,age,sex,report,scp_codes,strat_fold,filename_lr,filename_hr\n"
FOLDS = {1: 7, 2: 8, 3: 9, 4: 10}  # of the records
IN_NO_SPLIT = "its official fold comes after the test fold and is in no split: data.sources.ptb-xl.test_fold is 9"


def row(number: int, fold: int, patient: int | None = None) -> str:
    paths = f"records100/00000/{number:05d}_lr,records500/00000/{number:05d}_hr"
    return f"{number},{patient or number}.0,60,0,x,{{'SR': 0.0}},{fold},{paths}\n"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Four records in PTB-XL's layout, each at 500 Hz and at 100 Hz; the base."""
    folder = tmp_path_factory.mktemp("base")
    database = folder / "ptb-xl/1.0.3"
    for number in FOLDS:
        mv = heart(seed=number)
        write_record(database / "records500/00000", f"{number:05d}_hr", mv, gain=1000)
        write_record(database / "records100/00000", f"{number:05d}_lr", mv[:, ::5], gain=1000, rate=RATE // 5)
    (database / "ptbxl_database.csv").write_text(HEAD + "".join(row(*record) for record in FOLDS.items()))
    (database / "scp_statements.csv").write_text(",description\nSR,sinus rhythm\n")
    write_lists(database)
    return folder


@pytest.mark.parametrize(("choice", "rate", "name"), [({}, 500, "hr"), ({"sampling_rate": 100}, 100, "lr")])
def test_the_files_of_a_rate_travel_to_the_shard_and_no_others(base, tmp_path, choice, rate, name):
    road = Road("ptb-xl", base, tmp_path, **choice)
    rows = road.all()
    assert road.quarantine() == {}
    assert [shard["record_id"] for shard in rows] == ["00001", "00002", "00003", "00004"]
    assert {(shard["sampling_rate"], shard["n_samples"]) for shard in rows} == {(rate, 10 * rate)}
    first = rows[0]
    mv = to_millivolts(decode_waveform(first["waveform"], 10 * rate), np.array(first["gain"]), first["baseline"])
    np.testing.assert_allclose(mv, heart(seed=1)[:, :: 500 // rate], atol=0.0006)
    with tarfile.open(tmp_path / "0.tar") as tar:
        names = {member.name.rpartition(".")[0] for member in tar.getmembers()}
    assert names == {f"records{rate}/00000/{number:05d}_{name}" for number in FOLDS}


def test_a_record_is_in_the_same_chunk_and_split_at_both_rates(base):
    low, high = (
        build_manifest(get_source("ptb-xl").at(rate), base / "ptb-xl/1.0.3", 3)[0].drop("path") for rate in (100, 500)
    )
    assert low.equals(high)


@pytest.mark.parametrize("rate", [100, 500])
@pytest.mark.parametrize(
    ("test_fold", "splits"),
    [(None, ["train", "train", "val", "test"]), (10, ["train", "train", "val", "test"]), (9, ["train", "val", "test"])],
)
def test_the_fold_before_that_of_the_test_validates_and_those_before_train(base, tmp_path, rate, test_fold, splits):
    road = Road("ptb-xl", base, tmp_path, sampling_rate=rate, test_fold=test_fold)
    road.metadata()
    assert [record["split"] for record in road.manifest()] == splits
    later = {"00004": ("build_manifest", IN_NO_SPLIT)} if test_fold == 9 else {}
    assert road.quarantine() == later


def test_records_of_a_fold_in_no_split_are_in_no_shard(base, tmp_path):
    road = Road("ptb-xl", base, tmp_path, sampling_rate=100, test_fold=9)
    assert [shard["record_id"] for shard in road.all()] == ["00001", "00002", "00003"]


def test_a_patient_of_a_fold_that_is_left_out_is_in_one_split(tmp_path):
    """Records that are in no split are no reason to refuse those of their patient that are in one."""
    (tmp_path / "ptbxl_database.csv").write_text(HEAD + row(1, 9, patient=5) + row(2, 10, patient=5))
    paths = [f"records500/00000/0000{number}_hr.{suffix}" for number in (1, 2) for suffix in ("hea", "dat")]
    (tmp_path / "SHA256SUMS.txt").write_text("".join(f"{hashlib.sha256().hexdigest()} {path}\n" for path in paths))
    (tmp_path / "RECORDS").write_text("")
    with pytest.raises(UserError, match=r"ptb-xl: the patient 5 is in the splits test, val \(records 00001, 00002\)"):
        build_manifest(get_source("ptb-xl"), tmp_path, 1)
    manifest, quarantine = build_manifest(get_source("ptb-xl").at(test_fold=9), tmp_path, 1)
    assert manifest["split"].to_list() == ["test"] and quarantine["record_id"].to_list() == ["00002"]


def test_a_fold_that_is_none_is_named(tmp_path):
    (tmp_path / "ptbxl_database.csv").write_text(HEAD + row(7, 11))
    with pytest.raises(UserError, match=r"ptbxl_database.csv: ecg_id 7: ValueError: there is no fold 11; fetch"):
        get_source("ptb-xl").records(tmp_path, set())


@pytest.mark.parametrize(
    ("key", "choice", "message"),
    [
        ("ptb-xl", {"sampling_rate": 250}, "sampling_rate is 250, and ptb-xl has 500 and 100. Write\n\n"),
        ("csn", {"sampling_rate": 100}, "sampling_rate is 100, and csn has 500. Write\n\n"),
        ("ptb-xl", {"test_fold": 8}, "test_fold is 8, and ptb-xl has 10 and 9. Write\n\n"),
        ("csn", {"test_fold": 9}, "test_fold is 9, and csn has none to choose. Write\n\n"),
    ],
)
def test_what_a_database_does_not_have_is_named_with_what_it_has(key, choice, message):
    with pytest.raises(UserError) as error:
        get_source(key).at(**choice)
    place = f"    data:\n      sources:\n        {key}:\n          {next(iter(choice))}:"
    assert str(error.value).startswith(message + place)


def test_fold_10_of_the_real_database_can_be_left_alone(physionet):
    database = physionet / "ptb-xl/1.0.3"
    manifest, quarantine = build_manifest(get_source("ptb-xl").at(test_fold=9), database, 2)
    table = pl.read_csv(database / "ptbxl_database.csv", columns=["ecg_id", "strat_fold"])
    fold = {f"{number:05d}": fold for number, fold in table.iter_rows()}
    assert len(manifest) + len(quarantine) == len(fold) == 427
    assert set(quarantine["record_id"]) == {name for name in fold if fold[name] == 10}
    assert set(quarantine["reason"]) == {IN_NO_SPLIT}
    splits = {"train": set(range(1, 8)), "val": {8}, "test": {9}}
    for split, (names,) in manifest.group_by("split").agg("record_id").rows_by_key("split", unique=True).items():
        assert {fold[name] for name in names} <= splits[split]
