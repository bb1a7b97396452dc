"""``fgclep evaluate``: foreign embeddings in the same table as a run's models, and what is wrong with a file."""

import csv
import io
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT

from fgclep.cli import main
from fgclep.evaluation.metrics_csv import read_metrics
from fgclep.schemas.embeddings import EMBEDDINGS
from fgclep.schemas.quarantine import QUARANTINE
from fgclep.schemas.shards import SHARD
from fgclep.stages import evaluate_linear_probe
from fgclep.tables import write_table

CODES = (["NORM"], ["IMI"], ["LVH"], ["ISC_", "IMI"], ["SR"])  # SR is none of ptbxl_super
SETTINGS = {"fractions": [0.5, 1.0], "shots": [2], "seeds": 2, "transfer_classes": 3, "regularization": [0.1, 1.0]}
SETTINGS |= {"bootstrap": 20, "min_positives": 2, "seed": 5}
N = 240
pytestmark = pytest.mark.usefixtures("one_thread")


def records() -> list[dict]:
    splits = ["test" if k % 5 == 0 else "val" if k % 5 == 1 else "train" for k in range(N)]
    return [
        {
            "source": "ptb-xl", "record_id": f"{k + 1:05d}", "patient_id": f"{k + 1}", "split": splits[k],
            "codes": CODES[k // 5 % len(CODES)],
        }
        for k in range(N)
    ]  # fmt: skip


def vectors(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    known = [[any(code in row["codes"] for code in some) for some in CODES[:4]] for row in records()]
    return (rng.normal(size=(N, 4)) + 2 * np.array(known)).astype(np.float32)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A finished run: shards, config, and the probes of its model ``fine``, whose features are ``vectors()``."""
    folder = tmp_path_factory.mktemp("run") / "results"
    none = {"age": None, "sex": None, "sampling_rate": 100.0, "n_samples": 0, "gain": [1.0] * 12, "baseline": [0] * 12}
    rows = [{**row, **none, "waveform": b"", "flags": []} for row in records()]
    write_table(rows[:100], folder / "shards/ptb-xl/0.parquet", SHARD)
    write_table(rows[100:], folder / "shards/ptb-xl/1.parquet", SHARD)
    refused = {"source": "ptb-xl", "record_id": "99999", "stage": "build_shards", "reason": "flat"}
    write_table([refused], folder / "quarantine/ptb-xl/shards-0.parquet", QUARANTINE)
    given = {name: value for name, value in SETTINGS.items() if name != "seed"}
    run = {"shards": ["ptb-xl/0.parquet", "ptb-xl/1.parquet"], "config": {"seed": 5, "evaluation": given}}
    (folder / "run.json").write_text(json.dumps(run))
    table = [
        {**row, "features": own.tolist(), "embedding": None, "patches": None}
        for row, own in zip(records(), vectors(), strict=True)
    ]
    embeddings = folder / "embeddings/fine/ptb-xl.parquet"
    write_table(table, embeddings, EMBEDDINGS)
    arguments = [
        *("--model", "fine", "--task-files", str(ROOT / "resources/tasks/ptbxl_super.yaml")),
        *("--embeddings", str(embeddings), "--vocabulary", str(ROOT / "resources/vocabulary")),
        *("--settings", json.dumps(SETTINGS), "--output", str(folder / "evaluation/metrics.csv")),
        *("--scores", str(folder / "scores.parquet")),
    ]
    evaluate_linear_probe.main(evaluate_linear_probe.arguments().parse_args(arguments))
    return folder


def keys(style: str = "{}") -> np.ndarray:
    return np.array([style.format(row["record_id"]) for row in records()])


def save(path, given=None, embeddings=None):
    given, embeddings = keys() if given is None else given, vectors() if embeddings is None else embeddings
    np.savez(path, keys=given, embeddings=embeddings)
    return path


def evaluated(capsys, results, *options) -> list[dict[str, str]]:
    main(["evaluate", *map(str, options), "--task", "ptbxl_super", "--results", str(results), "--format", "csv"])
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


@pytest.mark.parametrize("style", ["{}", "ptb-xl/{}", "/data/records100/00000/{}_lr.hea", "records500/00000/{}_hr"])
def test_a_file_gets_the_figures_of_the_runs_own_probe_and_stands_beside_it(tmp_path, results, capsys, style):
    rows = evaluated(capsys, results, save(tmp_path / "theirs.npz", keys(style)))
    by_model = {model: [row for row in rows if row["model"] == model] for model in ("theirs", "fine")}
    stage = read_metrics(results / "evaluation/metrics.csv")
    assert len(by_model["theirs"]) == len(by_model["fine"]) == len(stage)
    for theirs, ours, expected in zip(by_model["theirs"], by_model["fine"], stage, strict=True):
        assert ours == expected and theirs == expected | {"model": "theirs"}
    assert {row["protocol"] for row in rows} == {"linear_probe", "few_shot"}


def test_the_runs_own_embeddings_stand_in_place_of_the_models_rows(results, capsys):
    rows = evaluated(capsys, results, results / "embeddings/fine/ptb-xl.parquet")
    assert rows == read_metrics(results / "evaluation/metrics.csv")


def test_parquet_of_ones_own_is_the_same_as_npz(tmp_path, results, capsys):
    lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors().ravel().astype(np.float64)), 4)
    pq.write_table(pa.table({"key": keys(), "embedding": lists}), tmp_path / "theirs.parquet")
    options = "--shots", "--fractions", "1"
    expected = evaluated(capsys, results, save(tmp_path / "theirs.npz"), *options)
    assert evaluated(capsys, results, tmp_path / "theirs.parquet", *options) == expected


def test_a_database_by_itself_gives_the_labels_of_the_run(tmp_path, results, capsys):
    folder = tmp_path / "files/ptb-xl/1.0.3"
    folder.mkdir(parents=True)
    fold = {"test": 9, "val": 8, "train": 1}
    lines = ["ecg_id,patient_id,age,sex,report,scp_codes,strat_fold,filename_lr,filename_hr"]
    sums = []
    for row in [*records(), {"record_id": "00500", "patient_id": "500", "split": "later", "codes": ["NORM"]}]:
        name = row["record_id"]
        codes = "{" + ", ".join(f"'{code}': 100.0" for code in row["codes"]) + "}"
        place = fold.get(row["split"], 10)
        lines.append(
            f'{int(name)},{row["patient_id"]},60,0,,"{codes}",{place},records100/{name}_lr,records500/{name}_hr'
        )
        sums += [f"{'0' * 64} records100/{name}_lr.{suffix}" for suffix in ("hea", "dat")]
    (folder / "ptbxl_database.csv").write_text("\n".join(lines) + "\n")
    (folder / "scp_statements.csv").write_text("\n")
    (folder / "SHA256SUMS.txt").write_text("\n".join(sums) + "\n")
    (folder / "RECORDS").write_text("")
    theirs = save(tmp_path / "theirs.npz", np.append(keys(), "00500"), np.vstack([vectors(), np.zeros((1, 4))]))
    options = ("--task", "ptbxl_super", "--protocol", "ecg-fix", "--fractions", "1", "--bootstrap", "9", "--seed", "5")
    main(["evaluate", str(theirs), "--base", str(tmp_path / "files"), "--test-fold", "9", *options])
    by_base = capsys.readouterr().out
    save(theirs)
    main(["evaluate", str(theirs), "--results", str(results), *options])
    assert capsys.readouterr().out == by_base and "best" in by_base
    with pytest.raises(SystemExit):
        main(["evaluate", str(theirs), "--base", str(tmp_path), *options])
    assert "ptb-xl/1.0.3/SHA256SUMS.txt does not exist; --base is the folder" in capsys.readouterr().err


def test_by_ecg_fix_all_others_are_compared_with_the_best(tmp_path, results, capsys):
    noise = save(tmp_path / "noise.npz", embeddings=np.random.default_rng(1).normal(size=(N, 3)))
    rows = evaluated(
        capsys, results, save(tmp_path / "theirs.npz"), noise, "--protocol", "ecg-fix", "--bootstrap", "99"
    )
    macros = {
        (row["model"], row["fraction"]): row for row in rows if (row["metric"], row["class"]) == ("auroc", "macro")
    }
    assert sorted(macros) == [(name, share) for name in ("noise", "theirs") for share in ("0.01", "0.1", "1.0")]
    best, other = macros["theirs", "1.0"], macros["noise", "1.0"]
    assert float(best["value"]) > float(other["value"]) and best["p"] == best["against"] == ""
    assert other["against"] == "theirs" and float(other["p"]) == 0.01 and "C = " in other["setting"]


def test_a_table_names_draws_and_intervals(tmp_path, results, capsys):
    main(["evaluate", str(save(tmp_path / "the\x1b[2J.npz")), "--task", "ptbxl_super", "--results", str(results)])
    printed = capsys.readouterr().out
    assert "\x1b" not in printed and len(printed.splitlines()) == 7
    assert re.search(r"linear_probe +50% +fine +\d\d\.\d \(2 draws, [\d.]+ to [\d.]+\)", printed)
    assert re.search(r"linear_probe +100% +fine +\d\d\.\d \([\d.]+ to [\d.]+\)", printed)
    assert re.search(r"few_shot +2 of each class +fine", printed)


def wrong(change):
    """Keys and embeddings with a change."""
    given = {"keys": keys(), "embeddings": vectors()}
    change(given)
    return given


def set_nan(given):
    given["embeddings"][[3, 7], 1] = [np.nan, np.inf]


def missing(given):
    given.update(keys=given["keys"][12:], embeddings=given["embeddings"][12:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_nan, "00004, 00008 are NaN, infinite or beyond float32"),
        (missing, "00001, 00002, 00003, 00004, 00005 and 7 more are missing, of the 195 records of ptbxl_super"),
        (lambda given: given["keys"].__setitem__(0, "x7"), "x7 is no record of ptb-xl"),
        (lambda given: given["keys"].__setitem__(1, "00001"), "00001 is given more than once"),
        (
            lambda given: given.update(keys=np.append(keys()[:-1], "00001_lr")),
            "of a record that another key names, too",
        ),
        (lambda given: given.update(embeddings=given["embeddings"][1:]), "240 keys and embeddings of shape (239, 4)"),
        (lambda given: given.update(embeddings=given["embeddings"][:, 0]), "embeddings of shape (240,)"),
        (lambda given: given.update(embeddings=given["embeddings"].astype(str)), "embeddings are <U"),
        (lambda given: given.update(keys=np.arange(N)), "keys are int64 of shape (240,), and must be text"),
        (lambda given: given.update(keys=keys().astype(object)), "Object arrays cannot be loaded"),
        (lambda given: given.pop("keys"), "has no array 'keys', but ['embeddings']"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path, results, capsys, change, message):
    np.savez(tmp_path / "theirs.npz", **wrong(change))
    with pytest.raises(SystemExit):
        evaluated(capsys, results, tmp_path / "theirs.npz")
    assert f"{tmp_path / 'theirs.npz'}" in (told := capsys.readouterr().err) and message in told


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"key": ["a"], "vector": [[1.0]]}, "has no column 'embedding', but key, vector"),
        ({"key": ["a", "b", "c"], "embedding": [[1.0], [1.0, 2.0], [3.0]]}, "b has 2 numbers, unlike others"),
        ({"key": ["a", None], "embedding": [[1.0], [1.0]]}, "row 2 has no key"),
        ({"key": [1], "embedding": [[1.0]]}, "the column key is int64, and must be text"),
        ({"key": ["a"], "embedding": ["x"]}, "the column embedding is string, and must be lists of numbers"),
    ],
)
def test_what_is_wrong_with_parquet_is_named(tmp_path, results, capsys, table, message):
    pq.write_table(pa.table(table), tmp_path / "theirs.parquet")
    with pytest.raises(SystemExit):
        evaluated(capsys, results, tmp_path / "theirs.parquet")
    assert message in capsys.readouterr().err


def test_records_that_a_file_lacks_can_be_left_out_of_all(tmp_path, results, capsys):
    some = save(tmp_path / "some.npz", keys()[12:], vectors()[12:])
    extra = np.append(keys(), "99999"), np.vstack([vectors(), np.full((1, 4), 9.0)])  # which the run has refused
    options = save(tmp_path / "all.npz", *extra), some, "--allow-missing", "--fractions", "1", "--shots"
    rows = evaluated(capsys, results, *options)
    assert {row["n"] for row in rows if row["model"] == "all"} == {row["n"] for row in rows if row["model"] == "some"}
    main(["evaluate", *map(str, options[:2]), "--allow-missing", "--task", "ptbxl_super", "--results", str(results)])
    assert (
        "ptbxl_super: evaluated on the 183 of 195 records that every file has, and the run's own models"
        in capsys.readouterr().err
    )


def test_damage_and_other_names_are_errors(tmp_path, results, capsys):
    (tmp_path / "cut.npz").write_bytes(save(tmp_path / "theirs.npz").read_bytes()[:300])
    (tmp_path / "cut.parquet").write_bytes(b"PAR1")
    for name, message in (
        ("cut.npz", "is truncated or damaged"),
        ("cut.parquet", "is truncated or damaged"),
        ("e.csv", "embeddings are read from .npz and .parquet"),
        ("none.npz", "none.npz does not exist"),
    ):
        with pytest.raises(SystemExit):
            evaluated(capsys, results, tmp_path / name)
        assert message in capsys.readouterr().err
    for files, message in (
        ([save(tmp_path / "fine.npz")], "fine.npz has the name of a model of"),
        ([tmp_path / "theirs.npz", tmp_path / "theirs.npz"], "two files are named theirs"),
    ):
        with pytest.raises(SystemExit):
            evaluated(capsys, results, *files)
        assert message in capsys.readouterr().err
