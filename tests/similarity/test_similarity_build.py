"""S on disk: the same in any blocks, dense or sparse, and looked up by text id."""

import json
import tracemalloc

import numpy as np
import pytest
from conftest import ROOT
from similarity_data import FULL, concepts, random_statements, small_bert, whole

from fgclep.language.parser import parse_statements
from fgclep.schemas.reports import REPORTS, TEXTS
from fgclep.similarity import build
from fgclep.similarity.build import IdentitySimilarity, write_similarity
from fgclep.similarity.encoder import EncoderSimilarity, RawSimilarity, embed
from fgclep.similarity.matrix import SimilarityMatrix
from fgclep.similarity.summary import Summary
from fgclep.stages import build_similarity
from fgclep.tables import write_table
from fgclep.training.text_batches import TextBank

N = 80
STATEMENTS = random_statements(N)
CONCEPTS = concepts(STATEMENTS)
EMBEDDINGS = np.random.default_rng(0).normal(1, 1, (N, 12)).astype(np.float32)
SOURCES = {
    "concepts": CONCEPTS,
    "encoder": EncoderSimilarity(EMBEDDINGS, CONCEPTS, 0),
    "raw": RawSimilarity(EMBEDDINGS),
    "identity": IdentitySimilarity(),
}


def written(folder, source, neighbors=None, entries=build.ENTRIES):
    summary = Summary(CONCEPTS.findings)
    write_similarity(source, N, folder, neighbors, summary, entries)
    return SimilarityMatrix.open(folder), summary.result()


def everything(matrix):
    return matrix.block(np.arange(matrix.shape[0]), np.arange(matrix.shape[0]))


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("name", SOURCES)
def test_what_is_written_is_s_in_half_precision(tmp_path, name):
    matrix, _ = written(tmp_path / "s", SOURCES[name])
    expected = whole(SOURCES[name], N).astype(np.float16)
    np.fill_diagonal(expected, 1)
    assert isinstance(matrix.values, np.memmap) and matrix.values.dtype == np.float16
    assert np.array_equal(everything(matrix), expected)
    assert np.array_equal(expected, expected.T) and expected.min() >= 0 and expected.max() == 1


@pytest.mark.parametrize("neighbors", [None, 6])
@pytest.mark.parametrize("name", SOURCES)
def test_blocks_of_any_size_give_the_same_bytes(tmp_path, monkeypatch, name, neighbors):
    _, expected = written(tmp_path / "whole", SOURCES[name], neighbors)
    for entries, columns in ((1, 4096), (7 * N, 11), (N * N, 1)):
        monkeypatch.setattr(build, "COLUMNS", columns)
        _, summary = written(tmp_path / "blocks", SOURCES[name], neighbors, entries)
        assert files(tmp_path / "blocks") == files(tmp_path / "whole")
        assert summary == expected


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("neighbors", [1, 6, N - 2, N - 1, 10 * N])
def test_a_sparse_matrix_keeps_the_nearest_of_either_text(tmp_path, name, neighbors):
    dense = everything(written(tmp_path / "dense", SOURCES[name])[0])
    kept = np.eye(N, dtype=bool)
    for i in range(N):
        order = sorted((j for j in range(N) if j != i), key=lambda j: (-dense[i, j], j))
        for j in order[:neighbors]:
            kept[i, j] = kept[j, i] = True
    matrix, summary = written(tmp_path / "sparse", SOURCES[name], neighbors)
    assert matrix.shape == (N, N)
    assert np.array_equal(everything(matrix), np.where(kept, dense, 0))
    assert len(matrix.values) == (kept & (dense > 0)).sum()
    assert summary["dropped_above_half"] == (~kept & (dense > 0.5)).sum() / 2


def test_a_sparse_matrix_is_looked_up_in_any_order_and_repeatedly(tmp_path):
    matrix, _ = written(tmp_path / "s", CONCEPTS, 5)
    assert matrix.bounds is not None and isinstance(matrix.neighbors, np.memmap)
    rows, columns = [5, 79, 5, 0], [79, 0, 5, 5, 33]
    block = matrix.block(rows, columns)
    assert block.dtype == np.float32
    assert np.array_equal(block, everything(matrix)[np.ix_(rows, columns)])
    assert block[0, 2] == block[2, 3] == block[1, 0] == 1
    assert matrix.block([], [1]).shape == (0, 1)


def test_an_array_that_is_not_square_is_no_similarity():
    with pytest.raises(ValueError, match=r"square, this one has shape \(2, 3\)"):
        SimilarityMatrix(np.zeros((2, 3)))


@pytest.mark.parametrize("neighbors", [None, 8])
def test_texts_look_s_up_in_either_form(tmp_path, neighbors):
    matrix, _ = written(tmp_path / "s", CONCEPTS, neighbors)
    names = [str(number) for number in range(N)]
    ids = [[0, 3], [5], [7, 8, 9], [60]]
    places = np.arange(4)
    for unit in ("statement", "report"):
        ours = TextBank(names, [[]] * N, ids, matrix).batch(unit, places, 4, 4, np.random.default_rng(0))
        plain = TextBank(names, [[]] * N, ids, everything(matrix)).batch(unit, places, 4, 4, np.random.default_rng(0))
        assert ours.texts == plain.texts
        whole = slice(None), slice(None)
        assert np.array_equal(ours.similarity(*whole), plain.similarity(*whole))


@pytest.mark.parametrize("neighbors", [None, 20])
def test_memory_does_not_grow_with_the_number_of_texts(tmp_path, monkeypatch, neighbors):
    monkeypatch.setattr(build, "COLUMNS", 500)
    peaks = []
    for texts in (1000, 4000):
        source = concepts(random_statements(texts))
        summary = Summary(source.findings)
        tracemalloc.start()
        write_similarity(source, texts, tmp_path / "s", neighbors, summary, entries=100_000)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
    assert peaks[1] < 4000 * 4000 * 2 / 2  # of the matrix in half precision


def test_a_broken_run_leaves_what_was_there(tmp_path):
    written(tmp_path / "s", CONCEPTS)
    before = files(tmp_path / "s")

    class Broken:
        def block(self, rows, columns):
            if 70 in rows:
                raise RuntimeError("out of order")
            return np.zeros((len(rows), len(columns)))

    with pytest.raises(RuntimeError):
        written(tmp_path / "s", Broken(), entries=N)
    assert files(tmp_path / "s") == before


def run_stage(folder, **settings):
    texts = ["atrial fibrillation", "afib", "sinus rhythm", "left bundle branch block", "data quality may be poor"]
    statements = parse_statements(texts, FULL)
    rows = [{"text_id": i, "count": 10 - i, **vars(statement)} for i, statement in enumerate(statements)]
    write_table(rows, folder / "texts.parquet", TEXTS)
    reports = [{"source": "s", "record_id": str(i), "text_ids": ids} for i, ids in enumerate([[0], [1, 3], [2]])]
    write_table(reports, folder / "reports.parquet", REPORTS)
    options = [
        "--reports",
        folder / "reports.parquet",
        "--texts",
        folder / "texts.parquet",
        "--vocabulary",
        ROOT / "resources/vocabulary",
    ]
    outputs = ["--output", folder / "matrix", "--summary", folder / "summary.json"]
    values = {"source": "concepts", "related": 0.5, "dense_texts": 5, "neighbors": 1, "seed": 0, **settings}
    arguments = [*options, *outputs, "--settings", json.dumps(values)]
    build_similarity.main(build_similarity.arguments().parse_args(map(str, arguments)))
    return SimilarityMatrix.open(folder / "matrix"), json.loads((folder / "summary.json").read_text())


def test_the_stage_writes_s_and_its_summary(tmp_path):
    matrix, summary = run_stage(tmp_path)
    assert matrix.neighbors is None
    assert matrix.block([0], [0, 1, 2, 3, 4]).tolist() == [[1, 1, 0, 0, 0]]
    assert summary["source"] == "concepts" and summary["neighbors"] is None
    assert summary["texts"] == 4  # the remark on data quality does not count
    assert summary["distinct"]["share_above_half"] == pytest.approx(1 / 6)
    # afib belongs to the first report, whose ECG has three texts of others in the batch; S to the others is 0
    assert summary["statements"]["mean"] == pytest.approx(2 / 8)
    assert summary["statements"]["negatives_above_half"] == 0
    # {atrial fibrillation} and {afib, lbbb}: (1 + 1 + 0) / 3, one of three pairs
    assert summary["reports"]["mean"] == pytest.approx(2 / 9, abs=1e-4)


def test_more_texts_than_dense_texts_are_written_sparse(tmp_path):
    matrix, summary = run_stage(tmp_path, dense_texts=4)
    assert matrix.neighbors is not None and summary["neighbors"] == 1
    assert matrix.block([0], [0, 1, 2, 3, 4]).tolist() == [[1, 1, 0, 0, 0]]
    assert len(matrix.values) == 7  # five texts, and afib from both sides


def test_the_stage_embeds_with_the_encoder_of_the_config(tmp_path):
    text = ["atrial fibrillation", "afib", "sinus rhythm", "left bundle branch block", "data quality may be poor"]
    small_bert(tmp_path / "bert", text)
    cosine, summary = run_stage(tmp_path, source="raw", encoder=str(tmp_path / "bert"))
    expected = whole(RawSimilarity(embed(text, str(tmp_path / "bert"))), 5)
    assert everything(cosine) == pytest.approx(expected, abs=1e-3)
    assert summary["source"] == "raw"
    calibrated, summary = run_stage(tmp_path, source="encoder", encoder=str(tmp_path / "bert"))
    # one of six pairs of concepts is 1, the others 0; so is one of the encoder's
    assert sorted(everything(calibrated)[np.triu_indices(4, 1)]) == pytest.approx([0, 0, 0, 0, 0, 1], abs=1e-3)
    assert summary["distinct"]["share_above_half"] == pytest.approx(1 / 6)


def test_the_stage_knows_the_identity(tmp_path):
    matrix, summary = run_stage(tmp_path, source="identity")
    assert np.array_equal(everything(matrix), np.eye(5))
    assert summary["source"] == "identity" and summary["distinct"]["mean"] == 0
