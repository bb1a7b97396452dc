"""Chunks and splits."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fgclep.errors import UserError
from fgclep.fetch.manifest import build_manifest
from fgclep.folds import stable_bucket
from fgclep.sources import get_source

names = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='/\\,.":'), min_size=1)
PTB_XL = "ecg_id,patient_id,age,sex,report,scp_codes,strat_fold,filename_lr,filename_hr\n"


@pytest.fixture(scope="module")
def metadata(tmp_path_factory):
    return tmp_path_factory.mktemp("metadata")


def chunk_of(metadata, ids, chunks):
    """Chunk of every record of a made-up CSN with these ids, as the manifest says."""
    sums = "".join(f"{'0' * 64} WFDBRecords/{name}.{suffix}\n" for name in ids for suffix in ("hea", "mat"))
    (metadata / "SHA256SUMS.txt").write_text(sums)
    (metadata / "RECORDS").write_text("")
    manifest, quarantine = build_manifest(get_source("csn"), metadata, chunks)
    assert quarantine.is_empty()
    rows = list(manifest.select("record_id", "chunk").iter_rows())
    assert len(rows) == len(ids)
    return dict(rows)


@given(ids=st.sets(names, min_size=1, max_size=30), chunks=st.integers(1, 200))
def test_every_record_is_in_exactly_one_chunk(metadata, ids, chunks):
    found = chunk_of(metadata, ids, chunks)
    assert set(found) == ids
    assert set(found.values()) <= set(range(chunks))


@given(
    ids=st.sets(names, min_size=1, max_size=20),
    more=st.sets(names, min_size=1, max_size=20),
    chunks=st.integers(1, 200),
)
def test_further_records_move_no_other(metadata, ids, more, chunks):
    before, after = chunk_of(metadata, ids, chunks), chunk_of(metadata, ids | more, chunks)
    assert {name: after[name] for name in ids} == before


@given(st.text(), st.integers(1, 10_000))
def test_a_bucket_is_one_of_those_there_are(text, n):
    assert 0 <= stable_bucket(text, n) < n
    assert stable_bucket(text, n) == stable_bucket(text, n)


def test_buckets_are_the_same_everywhere():
    # by hand: int(sha256("A0001")[:8], 16) % 7
    assert stable_bucket("A0001", 7) == int(hashlib.sha256(b"A0001").hexdigest()[:8], 16) % 7
    assert [stable_bucket(f"JS{number:05d}", 16) for number in range(1, 5)] == [4, 15, 13, 1]


def test_chunks_are_of_similar_size(metadata):
    found = chunk_of(metadata, {f"JS{number:05d}" for number in range(4000)}, 8)
    sizes = [list(found.values()).count(chunk) for chunk in range(8)]
    assert min(sizes) > 400 and max(sizes) < 600


def test_a_patient_in_two_splits_is_refused(tmp_path):
    rows = [
        "22,11.0,50,1,x,{},10,records100/00000/00022_lr,records500/00000/00022_hr",
        "23,11.0,50,1,x,{},8,records100/00000/00023_lr,records500/00000/00023_hr",
        "24,12.0,50,1,x,{},8,records100/00000/00024_lr,records500/00000/00024_hr",
    ]
    (tmp_path / "ptbxl_database.csv").write_text(PTB_XL + "\n".join(rows) + "\n")
    files = [f"records500/00000/000{number}_hr.{suffix}" for number in (22, 23, 24) for suffix in ("hea", "dat")]
    (tmp_path / "SHA256SUMS.txt").write_text("".join(f"{'0' * 64} {file}\n" for file in files))
    (tmp_path / "RECORDS").write_text("")
    with pytest.raises(
        UserError, match=r"ptb-xl: the patient 11 is in the splits test, train \(records 00022, 00023\)"
    ):
        build_manifest(get_source("ptb-xl"), tmp_path, 1)
