"""A table of one's own, checked before training."""

import json

import pytest
from wfdb_files import heart, write_record

from fgclep import cli


@pytest.fixture
def ward(tmp_path):
    """Two good records of two patients with a table; returns the folder."""
    for seed, name in enumerate(("r1", "r2")):
        write_record(tmp_path, name, heart(seed=seed))
    rows = "r1,p1,Sinus rhythm; Left axis deviaton\nr2,p2,Atrial fibrillation in this record\n"
    (tmp_path / "records.csv").write_text("id,patient,report\n" + rows)
    return tmp_path


def test_a_good_table_is_counted(ward, capsys):
    cli.main(["check", str(ward / "records.csv"), "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    assert (found["records"], found["usable"], found["patients"], found["left_out"]) == (2, 2, 2, {})
    unread = {row["text"]: (row["count"], row["nearest"]) for row in found["unread"]}
    assert unread["left axis deviaton"] == (1, "left axis deviation")


def test_what_would_be_left_out_is_named_and_ends_with_status_1(ward, capsys):
    write_record(ward, "stray", heart(seed=3))
    (ward / "r2.dat").write_bytes((ward / "r2.dat").read_bytes()[:100])
    with (ward / "records.csv").open("a") as table:
        table.write("r9,p9,Sinus rhythm and more\n")
    with pytest.raises(SystemExit) as stopped:
        cli.main(["check", str(ward)])
    told = capsys.readouterr()
    assert stopped.value.code == 1 and "3 would be left out" in told.err
    assert "3 records of 3 patients, 1 with a usable signal" in told.out
    assert "left out: r9: " in told.out and "left out: r2: " in told.out and "has no row for stray.hea" in told.out


def test_mistakes_come_all_at_once_by_row(ward, capsys):
    (ward / "records.csv").write_text("id,patient,report,sex\nr1,,Sinus rhythm,x\nr1,p1,Sinus rhythm,F\n")
    with pytest.raises(SystemExit):
        cli.main(["check", str(ward)])
    told = capsys.readouterr().err
    assert "row 2, record r1: it has no patient" in told and "sex is 'x'" in told and "row 2 has this id" in told


def test_a_table_of_another_name_is_refused(ward, capsys):
    with pytest.raises(SystemExit):
        cli.main(["check", str(ward / "r1.hea")])
    assert "is not named records.csv" in capsys.readouterr().err


def test_splits_languages_and_a_config_of_ones_own(ward, capsys, monkeypatch):
    monkeypatch.chdir(ward)
    write_record(ward, "r3", heart(seed=4))
    (ward / "records.csv").write_text(
        "id,patient,report,split\nr1,p1,Sinus rhythm; Normal ECG,train\nr2,p2,Sinusrhythmus und Linkstyp zork,train\n"
        "r3,p3,Sinus rhythm with first degree block,test\n"
    )
    cli.main(["check", str(ward), "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    assert found["splits"] == {"test": 1, "train": 2} and found["languages"] == {"English": 2, "German": 1}
    assert found["unread_by_language"]["German"][1] >= 1
    (ward / "strict.yaml").write_text("quality: {min_seconds: 30}")
    with pytest.raises(SystemExit):
        cli.main(["check", str(ward), "--configfile", "strict.yaml"])
    told = capsys.readouterr()
    assert "3 would be left out" in told.err and "splits: test (1); train (2)" in told.out
    assert "German: 1 reports" in told.out
