import hashlib
import tarfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from road import Road
from werkzeug import Response
from wfdb_files import heart, write_lists, write_record

from fgclep.errors import UserError
from fgclep.fetch.manifest import build_manifest
from fgclep.signals.encoding import decode_waveform, to_millivolts
from fgclep.sources import SOURCES, get_source
from fgclep.sources.ptb_xl import without_remarks

PTB_XL = "ecg_id,patient_id,age,sex,report,scp_codes,strat_fold,filename_lr,filename_hr\n"
MEASURES = "rr_interval,p_onset,p_end,qrs_onset,qrs_end,t_end,p_axis,qrs_axis,t_axis"


@pytest.fixture
def csn(tmp_path) -> Path:
    """A database like CSN with three good records; returns the base."""
    database = tmp_path / "base/ecg-arrhythmia/1.0.0"
    for number in range(1, 4):
        comments = [f"Age: {40 + number}", "Sex: Male", "Dx: 426783006,164889003"]
        write_record(
            database / "WFDBRecords/01/010", f"JS0000{number}", heart(seed=number), comments=comments, gain=1000
        )
    write_lists(database)
    return tmp_path / "base"


@pytest.fixture
def mimic(tmp_path) -> Path:
    database = tmp_path / "base/mimic-iv-ecg/1.0"
    studies = {"41": "101", "42": "101", "43": "102"}
    records = ["subject_id,study_id,file_name,ecg_time,path"]
    for study, subject in studies.items():
        path = f"files/p1/p{subject}/s{study}/{study}"
        write_record(database / path.rpartition("/")[0], study, heart(seed=int(study)))
        records.append(f"{subject},{study},{study},2180-01-01 00:00:00,{path}")
    (database / "record_list.csv").write_text("\n".join(records) + "\n")
    reports = ",".join(f"report_{number}" for number in range(18))
    none = "," * 17  # further reports
    (database / "machine_measurements.csv").write_text(
        f"subject_id,study_id,{reports},{MEASURES}\n"  # in another order than record_list.csv
        f"102,43,Sinus rhythm,,Abnormal ECG{none[2:]},800,40,150,210,300,610,50,-20,40\n"
        f"101,42,Atrial fibrillation{none},600,29999,29999,180,330,500,29999,100,29999\n"
        f"101,41,{none},29999,29999,29999,29999,29999,29999,29999,29999,29999\n"
    )
    write_lists(database)
    return tmp_path / "base"


def test_all_sources_have_the_same_shape():
    published = {"cpsc2018", "cpsc_extra", "csn", "georgia", "ludb", "mimic-iv-ecg", "ptb", "ptb-xl"}
    assert set(SOURCES) == published | {"local", "simulated"}
    for key, source in SOURCES.items():
        assert source.key == key
        assert bool(source.version) == bool(source.folder) == (key in published)
        assert source.is_own_folder == (key == "local")
        assert source.streamed == (key == "simulated")
        assert (source.published is not None) == (key in published)


def test_an_unknown_source_is_named():
    with pytest.raises(UserError, match="unknown source 'x'; the sources are cpsc2018, cpsc_extra, csn, georgia"):
        get_source("x")


def test_records_travel_from_the_database_to_the_shard(csn, tmp_path):
    road = Road("csn", csn, tmp_path / "out")
    rows = road.all()
    assert [row["record_id"] for row in rows] == ["JS00001", "JS00002", "JS00003"]
    first = rows[0]
    assert (first["age"], first["sex"], first["codes"]) == (41, "M", ["426783006", "164889003"])
    assert (first["patient_id"], first["sampling_rate"], first["n_samples"]) == ("JS00001", 500, 5000)
    mv = to_millivolts(decode_waveform(first["waveform"], 5000), np.array(first["gain"]), np.array(first["baseline"]))
    np.testing.assert_allclose(mv, heart(seed=1), atol=0.0006)
    assert road.quarantine() == {}


def test_the_archive_is_the_same_from_a_folder_and_from_a_server(csn, tmp_path, httpserver):
    for file in csn.rglob("*"):
        if file.is_file():
            httpserver.expect_request(f"/{file.relative_to(csn)}").respond_with_data(file.read_bytes())
    here, there = Road("csn", csn, tmp_path / "here"), Road("csn", httpserver.url_for("/"), tmp_path / "there")
    here.all()
    there.all()
    assert (tmp_path / "here/0.tar").read_bytes() == (tmp_path / "there/0.tar").read_bytes()
    assert not list((tmp_path / "there").glob(".*"))  # nothing is left beside the archive


def test_the_archive_holds_no_owner_and_no_time(csn, tmp_path):
    road = Road("csn", csn, tmp_path / "out")
    road.all()
    with tarfile.open(tmp_path / "out/0.tar") as tar:
        members = tar.getmembers()
    assert [member.name for member in members][:2] == [
        "WFDBRecords/01/010/JS00001.hea",
        "WFDBRecords/01/010/JS00001.dat",
    ]
    assert {(member.mtime, member.uid, member.gid, member.uname) for member in members} == {(0, 0, 0, "")}


def test_records_that_cannot_be_used_are_set_aside_with_the_reason(csn, tmp_path):
    folder = csn / "ecg-arrhythmia/1.0.0/WFDBRecords/01/010"
    dead = heart()
    dead[3] = 0
    write_record(folder, "JS00004", dead)
    write_record(folder, "JS00005", heart())
    (folder / "JS00005.hea").write_text("no header")
    write_record(folder, "JS00006", heart())
    write_record(folder, "JS00007", heart())
    write_lists(csn / "ecg-arrhythmia/1.0.0")
    (folder / "JS00006.dat").write_bytes(b"damaged")
    (folder / "JS00007.dat").unlink()
    with (csn / "ecg-arrhythmia/1.0.0/RECORDS").open("a") as records:
        records.write("WFDBRecords/01/010/JS00099\nWFDBRecords/01/010/\nWFDBRecords/01\n")
    road = Road("csn", csn, tmp_path / "out")
    # RECORDS has changed since its checksum was written
    sums = csn / "ecg-arrhythmia/1.0.0/SHA256SUMS.txt"
    sums.write_text("".join(line for line in sums.read_text().splitlines(True) if not line.endswith(" RECORDS\n")))
    assert [row["record_id"] for row in road.all()] == ["JS00001", "JS00002", "JS00003"]
    found = road.quarantine()
    assert found["JS00004"] == ("build_shards", "dead (flat) leads: aVR")
    assert found["JS00005"][0] == "build_shards" and "unreadable" in found["JS00005"][1]
    assert found["JS00006"][0] == "fetch_records" and "wrong checksum" in found["JS00006"][1]
    assert found["JS00007"][0] == "fetch_records" and "does not exist" in found["JS00007"][1]
    assert found["JS00099"] == ("build_manifest", "RECORDS lists it, SHA256SUMS.txt does not")
    assert len(found) == 5


def test_an_interrupted_fetch_continues_with_what_is_there(csn, tmp_path, httpserver):
    for file in csn.rglob("*"):
        if file.is_file() and file.name != "JS00003.dat":
            httpserver.expect_request(f"/{file.relative_to(csn)}").respond_with_data(file.read_bytes())
    last = "/ecg-arrhythmia/1.0.0/WFDBRecords/01/010/JS00003.dat"
    answers = [Response(status=500), Response((csn / last[1:]).read_bytes())]
    httpserver.expect_request(last).respond_with_handler(lambda request: answers.pop(0))
    road = Road("csn", httpserver.url_for("/"), tmp_path / "out")
    road.metadata()
    road.manifest()
    with pytest.raises(UserError, match="it continues where it stopped"):
        road.records()
    assert not (tmp_path / "out/0.tar").exists()
    httpserver.log.clear()
    assert road.records().exists()
    assert [request.path for request, _ in httpserver.log] == [last]


def test_a_damaged_table_is_an_error_for_the_user(csn, tmp_path):
    (csn / "ecg-arrhythmia/1.0.0/RECORDS").write_text("changed")
    with pytest.raises(UserError, match=r"RECORDS: wrong checksum.*data.sources.csn.base"):
        Road("csn", csn, tmp_path / "out").metadata()


def test_a_list_that_leads_out_of_the_folder_is_refused(csn, tmp_path):
    with (csn / "ecg-arrhythmia/1.0.0/SHA256SUMS.txt").open("a") as sums:
        sums.write(f"{'0' * 64} WFDBRecords/../../../secret.hea\n")
    with pytest.raises(UserError, match=r"SHA256SUMS.txt, line 8: .*secret.hea' is not a plain relative path"):
        Road("csn", csn, tmp_path / "out").metadata()


def test_splits_of_a_source_without_patients_are_stable_and_in_proportion(tmp_path):
    paths = {f"WFDBRecords/01/010/JS{number:05d}" for number in range(5000)}
    rows = get_source("csn").records(tmp_path, paths)
    shares = rows["split"].value_counts(normalize=True)
    found = dict(shares.iter_rows())
    assert found == pytest.approx({"train": 0.7, "val": 0.1, "test": 0.2}, abs=0.02)
    fewer = get_source("csn").records(tmp_path, set(sorted(paths)[:100]))
    assert fewer["split"].to_list() == rows["split"].to_list()[:100]


def test_mimic_reports_are_joined_on_the_study(mimic, tmp_path):
    road = Road("mimic-iv-ecg", mimic, tmp_path / "out")
    road.metadata()
    rows = {row["record_id"]: row for row in road.manifest()}
    assert rows["41"]["report"] == []
    assert rows["42"]["report"] == ["Atrial fibrillation"]
    assert rows["43"]["report"] == ["Sinus rhythm", "Abnormal ECG"]
    assert rows["42"]["patient_id"] == "101" and rows["41"]["split"] == rows["42"]["split"]
    assert rows["43"]["codes"] == [] and rows["43"]["age"] is None


def test_mimic_intervals_are_differences_and_29999_is_missing(mimic, tmp_path):
    intervals = get_source("mimic-iv-ecg").intervals(mimic / "mimic-iv-ecg/1.0")
    rows = {row.pop("record_id"): row for row in intervals.iter_rows(named=True)}
    assert rows["43"] == {
        **{"heart_rate": 75, "pr_ms": 170, "qrs_ms": 90, "qt_ms": 400, "p_ms": 110},
        **{"qtc_ms": pytest.approx(400 / 0.8**0.5), "p_axis": 50, "qrs_axis": -20, "t_axis": 40},
    }
    assert rows["42"]["pr_ms"] is None and rows["42"]["qrs_ms"] == 150 and rows["42"]["p_axis"] is None
    assert set(rows["41"].values()) == {None}


def test_measurements_take_the_databases_intervals_where_it_has_them(mimic, tmp_path):
    road = Road("mimic-iv-ecg", mimic, tmp_path / "out")
    road.all()
    rows = {row["record_id"]: row for row in road.measurements(workers=2)}
    assert rows["43"]["intervals_from"] == "database" and rows["43"]["pr_ms"] == 170
    assert rows["42"]["pr_ms"] is None
    assert rows["41"]["intervals_from"] == "signal" and rows["41"]["heart_rate"] == pytest.approx(75, abs=0.5)
    assert rows["43"]["r_mv"][1] == pytest.approx(1.0, abs=0.05)
    one = (tmp_path / "out/measurements.parquet").read_bytes()
    road.measurements(workers=1)
    assert (tmp_path / "out/measurements.parquet").read_bytes() == one


def test_a_record_that_only_one_list_knows_is_set_aside(mimic, tmp_path):
    database = mimic / "mimic-iv-ecg/1.0"
    with (database / "record_list.csv").open("a") as records:
        records.write("103,44,44,2180-01-01 00:00:00,files/p1/p103/s44/44\n")
    write_record(database / "files/p1/p104/s45", "45", heart())
    write_lists(database)
    manifest, quarantine = build_manifest(get_source("mimic-iv-ecg"), database, 1)
    assert manifest["record_id"].to_list() == ["41", "42", "43"]
    assert dict(quarantine.select("record_id", "reason").iter_rows()) == {
        "44": "files/p1/p103/s44/44 is in record_list.csv, but not in SHA256SUMS.txt",
        "45": "files/p1/p104/s45/45 is in SHA256SUMS.txt, but not in record_list.csv",
    }


def test_a_record_given_twice_is_set_aside(mimic, tmp_path):
    database = mimic / "mimic-iv-ecg/1.0"
    with (database / "record_list.csv").open("a") as records:
        records.write("999,43,43,2180-01-01 00:00:00,files/p1/p102/s43/43\n")
    manifest, quarantine = build_manifest(get_source("mimic-iv-ecg"), database, 1)
    assert manifest["record_id"].to_list() == ["41", "42"]
    assert quarantine["reason"].to_list() == ["the record id is given twice"]


def test_a_missing_column_names_file_and_column(mimic):
    table = mimic / "mimic-iv-ecg/1.0/machine_measurements.csv"
    table.write_text(table.read_text().replace("report_17", "last_report"))
    with pytest.raises(
        UserError, match=r"machine_measurements.csv: column 'report_17' is missing; expected are study_id"
    ):
        build_manifest(get_source("mimic-iv-ecg"), table.parent, 1)


def test_ptb_xl_rows_follow_the_official_folds(tmp_path):
    rows = [
        "22,11.0,300.0,1,Bericht,\"{'NORM': 100.0, 'SR': 0.0}\",10,records100/00000/00022_lr,records500/00000/00022_hr",
        "23,12.0,,0,,{},9,records100/00000/00023_lr,records500/00000/00023_hr",
        "24,13.0,55.0,0,x,{},8,records100/00000/00024_lr,records500/00000/00024_hr",
    ]
    (tmp_path / "ptbxl_database.csv").write_text(PTB_XL + "\n".join(rows) + "\n")
    files = [f"records500/00000/000{number}_hr.{suffix}" for number in (22, 23, 24) for suffix in ("hea", "dat")]
    files += ["records100/00000/00022_lr.hea", "records100/00000/00022_lr.dat"]
    (tmp_path / "SHA256SUMS.txt").write_text("".join(f"{hashlib.sha256(b'').hexdigest()} {file}\n" for file in files))
    (tmp_path / "RECORDS").write_text("")
    manifest, quarantine = build_manifest(get_source("ptb-xl"), tmp_path, 2)
    assert quarantine.is_empty()
    first = manifest.row(0, named=True)
    assert (
        first["record_id"] == "00022" and first["patient_id"] == "11" and first["path"] == "records500/00000/00022_hr"
    )
    assert (first["age"], first["sex"], first["report"], first["codes"]) == (90, "F", ["Bericht"], ["NORM", "SR"])
    assert manifest["split"].to_list() == ["test", "val", "train"]
    assert manifest.row(1, named=True)["age"] is None and manifest.row(1, named=True)["report"] == []


def test_a_broken_ptb_xl_row_is_named(tmp_path):
    (tmp_path / "ptbxl_database.csv").write_text(PTB_XL + "22,11.0,50,1,x,{'NORM',10,a,b\n")
    with pytest.raises(UserError, match=r"ptbxl_database.csv: ecg_id 22: "):
        get_source("ptb-xl").records(tmp_path, set())


def test_no_usable_record_is_an_error_for_the_user(csn, tmp_path):
    database = csn / "ecg-arrhythmia/1.0.0"
    for file in database.rglob("*.dat"):
        file.unlink()
    write_lists(database)
    road = Road("csn", csn, tmp_path / "out")
    road.metadata()
    with pytest.raises(UserError, match=r"lists no usable record of csn \(3 unusable\)"):
        road.manifest()


def test_exactly_the_dead_leads_of_real_csn_are_set_aside(physionet, tmp_path):
    road = Road("csn", physionet, tmp_path)
    assert len(road.all()) == 59
    found = road.quarantine()
    assert sorted(found) == ["JS11438", "JS20004", "JS20008", "JS45542", "JS45544", "JS45551"]
    assert all(reason.startswith("dead (flat) leads: V") for _, reason in found.values())


def test_real_cpsc2018_has_codes_age_and_sex(physionet, tmp_path):
    rows = {row["record_id"]: row for row in Road("cpsc2018", physionet, tmp_path).all()}
    assert len(rows) == 9  # those of cpsc_2018_extra and georgia lie elsewhere
    assert (rows["A0002"]["age"], rows["A0002"]["sex"], rows["A0002"]["codes"]) == (49, "F", ["426783006"])


def test_real_ptb_xl_has_the_published_labels(physionet, tmp_path):
    road = Road("ptb-xl", physionet, tmp_path)
    road.metadata()
    rows = road.manifest()
    assert len(rows) == 427 and not road.quarantine()
    table = pl.read_csv(physionet / "ptb-xl/1.0.3/ptbxl_database.csv")
    folds = dict(zip(table["ecg_id"], table["strat_fold"], strict=True))
    assert all((folds[int(row["record_id"])] == 10) == (row["split"] == "test") for row in rows)
    assert rows[0]["codes"] == ["NORM", "LVOLT", "SR"]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("sinusrhythmus linkstyp 4.46                          unbest\u00c4tigter bericht", "sinusrhythmus linkstyp"),
        ("sinusrhythmus linkstyp 4.46        unbest\u00c4tigter beri", "sinusrhythmus linkstyp"),
        ("sinusrhythmus 4.46    unbest\u00c4tigter bericht Edit: NORM 100, (LAFB)", "sinusrhythmus"),
        ("sinus rhythm. Edit: clbbb 100", "sinus rhythm."),
        ("vorhofflimmerConsensus label derived from: {'AFIB': 0.0}", "vorhofflimmer"),
        ("sinusrhythmus, pause 4.46 s", "sinusrhythmus, pause 4.46 s"),
        ("4.46     unbest\u00c4tigter bericht", ""),
    ],
)
def test_a_report_of_ptb_xl_comes_without_what_its_editors_noted(written, kept):
    assert without_remarks(written) == kept
