"""A folder of one's own records, with records.csv."""

import hashlib

import numpy as np
import pytest
import wfdb
from clinical_files import muse, write_dicom
from recording_files import ECG, TIMES, write_csv, write_edf
from road import Road
from wfdb_files import heart, write_record

from fgclep.errors import UserError
from fgclep.fetch.lists import FILE_SUFFIXES
from fgclep.leads import LEADS
from fgclep.recordings.formats import FORMATS
from fgclep.recordings.wfdb_file import read_record
from fgclep.signals.encoding import decode_waveform

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
    table = ward / "records.csv"
    assert {name: reason for name, (_, reason) in road.quarantine().items()} == {
        "r4": f"{table} has no row for r4.hea",
        "r5": f"{table}: there is no record r5: its header r5.hea is not in the folder",
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
        (TABLE + "r1,,x,,,,,\n", "records.csv: row 2, record r1: it has no patient"),
        (TABLE + ",p1,x,,,,,\n", "row 2, record without id: it has no id"),
        (TABLE + "r1,p1,x,,,,,\nr1,p1,x,r2,,,,\n", "row 3, record r1: row 2 has this id, too"),
        (TABLE + "r1,p1,x,,,,train,\nr2,p1,x,,,,test,\n", "rows 2 and 3, records r1 and r2: the patient p1 is in"),
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


def test_all_mistakes_are_told_at_once_by_row_with_the_user_s_path(ward, tmp_path):
    (ward / "records.csv").write_text(
        TABLE
        + "r1,p1,x,,old,female,,\nr1,p1,one, two,,,,,x\n\nr2,,x,,,,training,\n"
        + "r3,p3,,2024/May/ecg,,,,\nr6,p6,x,R1.dat,,,,\n"
    )
    with pytest.raises(UserError) as error:
        manifest(ward, tmp_path)
    assert str(error.value).splitlines() == [
        f"{ward / 'records.csv'} has 7 mistakes:",
        "",
        "    row 2, record r1: sex is 'female'; write F, M or nothing",
        "    row 2, record r1: age is 'old'; write years or nothing",
        "    row 3: it has 9 cells, and there are 8 columns; a text that holds the separator needs quotes",
        "    row 5, record r2: it has no patient",
        "    row 5, record r2: split is 'training'; write train, val, test or nothing",
        "    row 6, record r3: there is no record 2024/May/ecg; write 2024/may/ecg, its path below the folder, without "
        "extension",
        "    row 7, record r6: there is no record R1.dat; write r1, its path below the folder, without extension",
    ]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("R1", "there is no record R1; write r1, its path below the folder, without extension"),
        ("r1.dat", "there is no record r1.dat; write r1, its path below the folder, without extension"),
        ("2024\\may\\ecg", r"there is no record 2024\may\ecg; write 2024/may/ecg, its path below"),
        ("./r1", "there is no record ./r1; write r1, its path below"),
        ("/data/ward/2024/may/ecg.hea", "write 2024/may/ecg, its path below the folder"),
        ("../elsewhere/r1", "../elsewhere/r1 leads out of the folder; copy the record into it"),
        ("gone", "there is no record gone: its header gone.hea is not in the folder"),
        ("alone", "there is no header alone.hea for the signals in alone.dat"),
    ],
)
def test_a_path_that_is_none_is_explained_and_the_others_go_on(ward, tmp_path, path, reason):
    (ward / "alone.dat").write_bytes(b"x")
    with (ward / "records.csv").open("a") as table:
        table.write(f"r9,p9,Sinus rhythm,{path}\n")
    rows, road = manifest(ward, tmp_path)
    assert sorted(rows) == ["r1", "r2", "visit-3"]
    assert reason in road.quarantine()["r9"][1] and "SHA256" not in road.quarantine()["r9"][1]


def test_if_no_record_can_be_used_the_reasons_are_told(ward, tmp_path):
    (ward / "records.csv").write_text("id,patient,report\nF16.dat,p1,x\n")
    with pytest.raises(
        UserError, match=r"no usable record of local \(4 unusable\).*\n    2024/may/ecg: .*\n    F16.dat: "
    ):
        manifest(ward, tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("separator", [";", "\t", ",", "|"])
def test_tables_of_spreadsheets_are_read(ward, tmp_path, separator, encoding):
    cells = [
        ["ID", "patient", "Report", "age", ""],
        ["r1", "p1", '"Sinusrhythmus; verz\u00f6gerte R-Progression, klein"', '"61,5"', ""],
        ["r2", "p1", "", "", ""],
    ]
    text = "".join(separator.join(row) + "\r\n" for row in cells)
    (ward / "records.csv").write_bytes(text.encode(encoding))
    rows, _ = manifest(ward, tmp_path)
    assert rows["r1"]["report"] == ["Sinusrhythmus", "verz\u00f6gerte R-Progression, klein"]
    assert (rows["r1"]["age"], rows["r2"]["age"]) == (61.5, None)


def test_two_patients_on_one_recording_stop_the_run(ward, tmp_path):
    (ward / "records.csv").write_text("id,patient,report,path\nr1,p1,x,\nr2,p2,x,\nr3,p3,x,r1.hea\n")
    with pytest.raises(UserError, match="records r1 and r3: the patients p1 and p3 have the same recording, r1"):
        manifest(ward, tmp_path)


def test_two_patients_on_one_signal_file_stop_the_run(ward, tmp_path):
    text = (ward / "r1.hea").read_text()
    (ward / "r4.hea").write_text(text.replace("r1 12", "r4 12"))
    (ward / "records.csv").write_text("id,patient,report\nr1,p1,x\nr4,p4,x\n")
    with pytest.raises(
        UserError, match=r"two patients have one recording(.|\n)*records r1 and r4 of the patients p1 and p4"
    ):
        manifest(ward, tmp_path)


def test_a_second_id_on_a_recording_is_set_aside_and_a_copy_of_another_patient_told(ward, tmp_path, caplog):
    (ward / "records.csv").write_text("id,patient,report,path\nr1,p1,x,\nagain,p1,x,r1\nr2,p2,x,\n")
    (ward / "r2.dat").write_bytes((ward / "r1.dat").read_bytes())
    rows, road = manifest(ward, tmp_path)
    assert sorted(rows) == ["r1", "r2"]
    assert road.quarantine()["again"][1] == "it has the same recording as record r1: r1.dat"
    assert "the patients p1 and p2 have the same signals, r1.dat and r2.dat" in caplog.text


def test_what_the_header_names_is_fetched(ward, tmp_path):
    """Two files, a file of another name, one below, FLAC, upper case, and a file that is not there."""
    for name in ("two", "other", "gone", "below"):
        write_record(ward, name, heart(seed=len(name)))
    header = ward / "two.hea"
    lines = header.read_text().splitlines()
    content = np.fromfile(ward / "two.dat", "<i2").reshape(-1, 12)
    content[:, :6].tofile(ward / "two.dat")
    content[:, 6:].tofile(ward / "two.xyz")
    header.write_text("\n".join([*lines[:7], *(line.replace("two.dat", "two.xyz") for line in lines[7:])]) + "\n")
    (ward / "signals").mkdir()
    for name, file in (("other", "f16.dat"), ("below", "signals/b.dat")):
        (ward / f"{name}.dat").rename(ward / file)
        (ward / f"{name}.hea").write_text((ward / f"{name}.hea").read_text().replace(f"{name}.dat", file))
    (ward / "gone.dat").unlink()
    (ward / "broken.dat").symlink_to("nowhere")
    wfdb.wrsamp("flac", 500, ["mV"] * 12, list(LEADS), d_signal=np.round(heart(seed=9) * 1000).T.astype(int),
                fmt=["516"] * 12, adc_gain=[1000] * 12, baseline=[0] * 12, write_dir=str(ward))  # fmt: skip
    write_record(ward, "upper", heart(seed=8))
    for suffix in ("hea", "dat"):
        (ward / f"upper.{suffix}").rename(ward / f"UPPER.{suffix.upper()}")
    ids = ["r1", "two", "other", "below", "flac", "UPPER", "gone"]
    (ward / "records.csv").write_text("id,patient,report\n" + "".join(f"{name},{name},x\n" for name in ids))
    rows, road = manifest(ward, tmp_path)
    assert sorted(rows) == sorted(ids)
    road.records()
    shard = {row["record_id"]: row for row in road.shard()}
    assert sorted(shard) == sorted(set(ids) - {"gone"})
    for name in shard:
        spelled = read_record(ward / name)
        stored = decode_waveform(shard[name]["waveform"], shard[name]["n_samples"])
        np.testing.assert_array_equal(stored, spelled.digital)
    assert road.quarantine()["gone"] == ("build_shards", "record gone: the file gone.dat is missing")


def test_records_of_one_file_travel_to_the_shard_and_are_named_with_their_extension(ward, tmp_path):
    write_edf(ward / "e1.edf")
    write_csv(ward / "2024/c1.csv", header=["time", *LEADS], first=[TIMES])
    (ward / "2024/other.csv").write_text("a,b\n1,2\n")
    (ward / "r1.edf").write_bytes((ward / "e1.edf").read_bytes()[:900])  # beside r1.hea
    (ward / "n1.npy").write_bytes(b"x")
    with (ward / "records.csv").open("a") as table:
        table.write("e1,p3,x,e1.edf\nc1,p4,x,2024/c1.csv\nbroken,p5,x,r1.edf\nslip,p6,x,E1\nn1,p7,x,n1.npy\n")
    rows, road = manifest(ward, tmp_path)
    assert {rows[name]["path"] for name in ("r1", "e1", "c1")} == {"r1", "e1.edf", "2024/c1.csv"}
    road.records()
    shard = {row["record_id"]: row for row in road.shard()}
    assert sorted(shard) == ["c1", "e1", "r1", "r2", "visit-3"]
    ecg = decode_waveform(shard["e1"]["waveform"], shard["e1"]["n_samples"]).astype(float)
    mv = (ecg - np.array(shard["e1"]["baseline"])[:, None]) / np.array(shard["e1"]["gain"])[:, None]
    np.testing.assert_allclose(mv, ECG, atol=0.004)
    reasons = {name: reason for name, (_, reason) in road.quarantine().items()}
    table = ward / "records.csv"
    assert reasons["slip"] == (
        f"{table}: there is no record E1; write e1.edf, its path below the folder, with extension"
    )
    assert reasons["n1"].endswith("n1.npy does not say its sampling rate; write it as another format, such as WFDB")
    assert sorted(reasons) == ["broken", "n1", "slip"]


def test_the_files_of_recorders_travel_to_the_shard(tmp_path):
    pytest.importorskip("ecgdatakit")
    folder = tmp_path / "clinic"
    folder.mkdir()
    (folder / "m.xml").write_bytes(muse())
    write_dicom(folder / "d.dcm", padding=0)
    (folder / "order.xml").write_text("<order/>")
    (folder / "records.csv").write_text("id,patient,report,path\nm,p1,x,m.xml\nd,p2,x,d.dcm\n")
    _, road = manifest(folder, tmp_path)
    road.records()
    shard = {row["record_id"]: row for row in road.shard()}
    assert {name: (row["age"], row["sex"]) for name, row in shard.items()} == {"m": (61, "F"), "d": (1.5, "F")}
    assert road.quarantine() == {}


def test_the_kinds_of_one_file_are_those_that_are_read():
    known = {extension for kind, found in FORMATS.items() if kind != "wfdb" for extension in found.extensions}
    assert known - {".npy"} == FILE_SUFFIXES
