"""A part of a database by its ``limit``, and files that are read where they are."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from road import TRANSFER, Road
from wfdb_files import heart, write_lists, write_record

from fgclep.config.data import RecordsSettings
from fgclep.config.load import load
from fgclep.errors import UserError
from fgclep.fetch.archive import ArchiveReader
from fgclep.fetch.manifest import first_drawn
from fgclep.sources import get_source

PTB_XL = "ecg_id,patient_id,age,sex,report,scp_codes,strat_fold,filename_lr,filename_hr\n"


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A database like PTB-XL at 100 Hz with twelve records of eight patients, of whom some are in the last fold."""
    base = tmp_path_factory.mktemp("base")
    database = base / "ptb-xl/1.0.3"
    rows = []
    for number in range(12):
        name = f"{number + 1:05d}_lr"
        write_record(database / "records100/00000", name, heart(seed=number)[:, ::5], gain=1000, rate=100)
        hr = f"records500/00000/{name.replace('lr', 'hr')}"
        rows.append(f"{number + 1},{number % 8}.0,50,0,sr,{{}},{10 - number % 8 % 3},records100/00000/{name},{hr}\n")
    (database / "ptbxl_database.csv").write_text(PTB_XL + "".join(rows))
    (database / "scp_statements.csv").write_text(",description\nSR,sinus rhythm\n")
    write_lists(database)
    return base


def taken(base: Path, folder: Path, **choice) -> tuple[list[dict], list[dict]]:
    """Manifest and shard of a road that goes up to the shard."""
    folder.mkdir()
    road = Road("ptb-xl", base, folder, sampling_rate=100, **choice)
    road.metadata()
    manifest = road.manifest()
    road.records()
    return manifest, road.shard()


def test_a_higher_limit_has_the_same_patients_and_more(base):
    source = get_source("ptb-xl").at(100)
    rows = source.records(base / "ptb-xl/1.0.3", set())
    drawn = [first_drawn(rows.sample(fraction=1, shuffle=True, seed=n), n)["record_id"].to_list() for n in range(14)]
    assert [len(some) for some in drawn] == [*range(13), 12]
    assert all(more[: len(some)] == some for some, more in pairwise(drawn))
    patients = rows.sort("record_id")["patient_id"].to_list()
    of = dict(zip(rows.sort("record_id")["record_id"], patients, strict=True))
    order = [of[record] for record in drawn[-1]]
    assert order == sorted(order, key=order.index) and order != sorted(order)  # a patient's stand together


def test_only_what_the_limit_leaves_is_fetched_and_no_other_fold_changes_that(base, tmp_path):
    everything, _ = taken(base, tmp_path / "all")
    manifest, shard = taken(base, tmp_path / "some", limit=5)
    ids = [row["record_id"] for row in manifest]
    assert len(ids) == 5 and [row["record_id"] for row in shard] == ids
    assert [row for row in everything if row["record_id"] in ids] == manifest
    with ArchiveReader(tmp_path / "some/0.tar") as archive:
        assert sum(row["path"] + ".hea" in archive for row in everything) == 5
    ninth, _ = taken(base, tmp_path / "ninth", limit=5, test_fold=9)
    assert {row["record_id"] for row in ninth} < set(ids)  # those of the tenth fold are in no split
    assert (tmp_path / "some/0.tar").read_bytes() == (tmp_path / "ninth/0.tar").read_bytes()


def test_files_in_place_give_the_same_shard_from_a_list(base, tmp_path):
    _, copied = taken(base, tmp_path / "copied")
    _, shard = taken(base, tmp_path / "in_place", in_place=True)
    assert shard == copied and len(shard) == 12
    assert (tmp_path / "in_place/0.tar").stat().st_size < 11_000 < (tmp_path / "copied/0.tar").stat().st_size


def test_a_damaged_file_in_place_is_left_out_and_one_that_is_gone_is_named(base, tmp_path):
    road = Road("ptb-xl", base, tmp_path, sampling_rate=100, in_place=True)
    road.metadata()
    road.manifest()
    place = base / "ptb-xl/1.0.3/records100/00000/00003_lr.dat"
    content = place.read_bytes()
    try:
        place.write_bytes(content[:-1])
        road.records()
        assert road.quarantine()["00003"][0] == "fetch_records" and "wrong checksum" in road.quarantine()["00003"][1]
        assert len(road.shard()) == 11
        place.write_bytes(content)
        road.records()
        place.unlink()
        with pytest.raises(UserError, match=r"lists .*00003_lr.dat, which is not there any more"):
            road.shard()
    finally:
        place.write_bytes(content)


def test_settings_that_are_not_used_change_no_archive():
    settings = RecordsSettings(**json.loads(TRANSFER))
    assert not {"limit", "in_place"} & settings.dependencies().keys()
    used = RecordsSettings(**settings.model_dump() | {"limit": 8, "in_place": True})
    assert used.dependencies()["limit"] == 8 and used.dependencies()["in_place"] is True


@pytest.mark.parametrize(
    ("source", "settings", "reason"),
    [
        ("simulated", "limit: 5", "simulation.records.simulated"),
        ("ptb-xl", "{base: 'https://physionet.org/files', in_place: true}", "needs a folder with the files"),
        ("ptb-xl", "limit: 0", "greater than or equal to 1"),
    ],
)
def test_what_has_no_meaning_is_refused(tmp_path, source, settings, reason):
    text = settings if settings.startswith("{") else f"{{{settings}}}"
    (tmp_path / "own.yaml").write_text(f"data: {{sources: {{{source}: {text}}}}}\n")
    with pytest.raises(UserError, match=reason):
        load("config.yaml", tmp_path / "own.yaml")


def test_a_limit_says_how_many_of_a_folder_of_ones_own(tmp_path):
    for number in range(6):
        write_record(tmp_path / "ward", f"r{number}", heart(6.0, seed=number))
    rows = "".join(f"r{number},p{number // 2},Sinus rhythm\n" for number in range(6))
    (tmp_path / "ward/records.csv").write_text(f"id,patient,report\n{rows}")
    (tmp_path / "out").mkdir()
    road = Road("local", tmp_path / "ward", tmp_path / "out", in_place=True, limit=3)
    road.metadata()
    assert len(road.manifest()) == 3
    road.records()
    assert len(road.shard()) == 3 and road.quarantine() == {}
