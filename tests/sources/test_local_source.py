"""A folder of one's own records, with records.csv."""

import hashlib

import pytest
from road import Road
from wfdb_files import heart, write_record

from fgclep.errors import UserError

TABLE = "id,patient,report,path,age,sex,split,codes\n"


@pytest.fixture
def ward(tmp_path):
    """Three records of two patients, one in a folder of its own, with a table; returns the folder."""
    folder = tmp_path / "ward"
    write_record(folder, "r1", heart(seed=1), comments=["Age: 50", "Sex: Male", "Dx: 111"])
    write_record(folder, "r2", heart(seed=2), comments=["Age: 51", "Sex: Male", "Dx: 222"])
    write_record(folder / "2024" / "may", "ecg", heart(seed=3))
    (folder / "notes.txt").write_text("not a record")
    (folder / "records.csv").write_text(
        "id,patient,report,path\n"
        'r1,p1,"Sinus rhythm; Left axis deviation, borderline",\n'
        "r2,p1,,r2.hea\n"
        "visit-3,p2,Atrial fibrillation,2024/may/ecg\n"
    )
    return folder


def manifest(folder, tmp_path):
    road = Road("local", folder, tmp_path / "out")
    road.metadata()
    return {row["record_id"]: row for row in road.manifest()}, road


def test_own_records_travel_to_the_shard(ward, tmp_path):
    rows, road = manifest(ward, tmp_path)
    assert rows["r1"]["report"] == ["Sinus rhythm", "Left axis deviation, borderline"] and rows["r2"]["report"] == []
    assert (rows["visit-3"]["patient_id"], rows["visit-3"]["path"]) == ("p2", "2024/may/ecg")
    assert rows["r1"]["split"] == rows["r2"]["split"]
    road.records()
    shard = {row["record_id"]: row for row in road.shard()}
    assert sorted(shard) == ["r1", "r2", "visit-3"] and road.quarantine() == {}
    assert (shard["r1"]["age"], shard["r1"]["sex"], shard["r1"]["codes"]) == (50, "M", ["111"])  # from the header


def test_the_lists_name_headers_and_signals_with_their_checksums(ward, tmp_path):
    Road("local", ward, tmp_path / "out").metadata()
    lines = (tmp_path / "out/metadata/SHA256SUMS.txt").read_text().splitlines()
    names = ["2024/may/ecg.dat", "2024/may/ecg.hea", "r1.dat", "r1.hea", "r2.dat", "r2.hea"]
    assert lines == [f"{hashlib.sha256((ward / name).read_bytes()).hexdigest()} {name}" for name in names]
    assert (tmp_path / "out/metadata/RECORDS").read_text().split() == ["2024/may/ecg", "r1", "r2"]


def test_optional_columns_come_before_the_headers(ward, tmp_path):
    (ward / "records.csv").write_text(
        TABLE + "r1,p1,x,,61.5,F,test,10;20\nr2,p1,,,,,test,\nvisit-3,p2,,2024/may/ecg,,,val,\n"
    )
    rows, road = manifest(ward, tmp_path)
    assert (rows["r1"]["age"], rows["r1"]["sex"], rows["r1"]["codes"]) == (61.5, "F", ["10", "20"])
    assert [rows[name]["split"] for name in ("r1", "r2", "visit-3")] == ["test", "test", "val"]
    road.records()
    assert {row["record_id"]: row["codes"] for row in road.shard()} == {"r1": ["10", "20"], "r2": [], "visit-3": []}


def test_rows_without_files_and_files_without_rows_are_set_aside(ward, tmp_path):
    write_record(ward, "r4", heart())
    with (ward / "records.csv").open("a") as table:
        table.write("r5,p5,Sinus rhythm,\n")
    rows, road = manifest(ward, tmp_path)
    assert sorted(rows) == ["r1", "r2", "visit-3"]
    assert {name: reason for name, (_, reason) in road.quarantine().items()} == {
        "r4": "r4 is in SHA256SUMS.txt, but not in records.csv",
        "r5": "r5 is in records.csv, but not in SHA256SUMS.txt",
    }


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_link_out_of_the_folder_is_refused(ward, tmp_path, kind):
    elsewhere = tmp_path / "elsewhere"
    write_record(elsewhere, "r9", heart())
    (ward / "r9.dat").symlink_to(elsewhere / "r9.dat" if kind == "file" else elsewhere)
    with pytest.raises(UserError, match=r"r9.dat is a symbolic link that leads out of .*ward; copy the records"):
        Road("local", ward, tmp_path / "out").metadata()


def test_links_within_the_folder_and_to_it_are_followed(ward, tmp_path):
    (ward / "r6.hea").symlink_to("r1.hea")
    (tmp_path / "link").symlink_to(ward)
    Road("local", tmp_path / "link", tmp_path / "out").metadata()
    assert "r6" in (tmp_path / "out/metadata/RECORDS").read_text().split()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("id,report\nr1,x\n", r"records.csv: column 'patient' is missing. Write\n\n    id,patient,report"),
        ("id,patient,report,reprot\nr1,p1,x,y\n", "unknown column 'reprot'; known are id, patient"),
        (TABLE + "r1,p1,x,,61,female,,\n", "record r1: sex is 'female'; write F, M or nothing"),
        (TABLE + "r1,p1,x,,old,,,\n", "record r1: age is 'old'; write years or nothing"),
        (TABLE + "r1,p1,x,,nan,,,\n", "record r1: age is 'nan'"),
        (TABLE + "r1,p1,x,,,,training,\n", "record r1: split is 'training'; write train, val, test"),
        (TABLE + "r1,,x,,,,,\n", r"record 1 \(r1\) has no patient"),
        (TABLE + ",p1,x,,,,,\n", r"record 1 \(without id\) has no id"),
        (TABLE + "r1,p1,x,,,,train,\nr2,p1,x,,,,test,\n", r"local: the patient p1 is in the splits test, train"),
    ],
)
def test_a_mistake_in_the_table_is_named(ward, tmp_path, table, message):
    (ward / "records.csv").write_text(table)
    with pytest.raises(UserError, match=message):
        manifest(ward, tmp_path)


def test_a_folder_without_the_table_is_an_error_for_the_user(ward, tmp_path):
    (ward / "records.csv").unlink()
    with pytest.raises(UserError, match=r"records.csv does not exist; .*\n\n    data:\n      sources:\n        local:"):
        Road("local", ward, tmp_path / "out").metadata()
