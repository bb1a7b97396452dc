"""The real databases, from the mirror: what the modules of ``fgclep.sources`` read from them."""

import numpy as np
import polars as pl
import pytest
from conftest import ROOT
from road import Road

from fgclep.fetch.manifest import build_manifest
from fgclep.leads import LEADS
from fgclep.signals.encoding import decode_waveform, to_millivolts
from fgclep.sources import get_source

RECORDS = {"cpsc_extra": 28, "georgia": 54, "ludb": 130, "ptb": 8}
FILES = (".hea", ".dat", ".mat")
TABLES = ROOT.parent / "shared" / "tables"


def waveform(row):
    digital = decode_waveform(row["waveform"], row["n_samples"])
    return to_millivolts(digital, np.array(row["gain"]), np.array(row["baseline"]))


@pytest.mark.parametrize(("key", "records"), RECORDS.items())
def test_every_record_of_the_mirror_is_in_the_manifest(physionet, tmp_path, key, records):
    road = Road(key, physionet, tmp_path)
    road.metadata()
    rows = road.manifest()
    assert len(rows) == records and road.quarantine() == {}
    source = get_source(key)
    folder = physionet / source.slug / source.version
    files = [file for row in rows for suffix in FILES if (file := folder / (row["path"] + suffix)).exists()]
    size = sum(file.stat().st_size for file in files) / records
    assert source.published.record_bytes == pytest.approx(size, rel=0.01)


def test_ludb_has_its_findings_as_report_and_as_codes(physionet, tmp_path):
    road = Road("ludb", physionet, tmp_path)
    road.metadata()
    rows = {row["record_id"]: row for row in road.manifest()}
    first = rows["1"]
    assert (first["age"], first["sex"], first["path"]) == (51, "F", "data/1")
    assert first["report"] == first["codes"]
    assert first["report"] == [
        "Sinus bradycardia",
        "Electric axis of the heart: left axis deviation",
        "Left ventricular overload",
        "Left ventricular hypertrophy",
        "Non-specific repolarization abnormalities: posterior wall",
    ]
    assert max(row["age"] for row in rows.values()) == 90  # published as >89
    assert {row["sex"] for row in rows.values()} == {"F", "M"}


def test_ludb_is_in_millivolts_despite_its_headers(physionet, tmp_path):
    road = Road("ludb", physionet, tmp_path)
    rows = road.all()
    assert rows
    for row in rows:
        mv = waveform(row)
        limb = mv[LEADS.index("II")] - mv[LEADS.index("I")] - mv[LEADS.index("III")]
        assert np.abs(limb).max() <= 0.003  # the header's gains differ from lead to lead
        assert set(row["gain"]) == {1000}
    assert 1 < np.median([np.ptp(waveform(row), axis=1).max() for row in rows]) < 4


def test_ptb_is_kept_at_its_rate_and_length(physionet, tmp_path):
    rows = Road("ptb", physionet, tmp_path).all()
    assert {row["sampling_rate"] for row in rows} == {1000}
    assert all(30_000 <= row["n_samples"] <= 120_000 for row in rows)
    assert all(row["codes"] and row["age"] for row in rows)


def test_georgia_has_codes_age_and_sex(physionet, tmp_path):
    rows = {row["record_id"]: row for row in Road("georgia", physionet, tmp_path).all()}
    header = (physionet / "challenge-2021/1.0.3/training/georgia/g1/E00001.hea").read_text().splitlines()
    codes = next(line for line in header if line.startswith("#Dx")).partition(":")[2].strip().split(",")
    assert rows["E00001"]["codes"] == codes
    assert {row["sex"] for row in rows.values()} <= {"F", "M", None}


def test_no_patient_of_the_full_ptb_xl_is_in_two_splits():
    table = TABLES / "ptbxl" / "ptbxl_database_full_v1.0.3.csv"
    if not table.is_file():
        pytest.skip(f"needs {table}")
    folds = pl.read_csv(table, columns=["patient_id", "strat_fold"], infer_schema=False)
    folds = folds.with_columns(pl.col("strat_fold").replace({str(fold): "train" for fold in range(1, 9)}))
    assert folds.group_by("patient_id").agg(pl.col("strat_fold").n_unique())["strat_fold"].max() == 1


@pytest.mark.parametrize("key", ["ptb-xl", "csn", "cpsc2018", *RECORDS])
def test_no_patient_of_the_mirror_is_in_two_splits(physionet, key):
    source = get_source(key)
    manifest, _ = build_manifest(source, physionet / source.slug / source.version, 4)
    assert manifest.group_by("patient_id").agg(pl.col("split").n_unique())["split"].max() == 1
