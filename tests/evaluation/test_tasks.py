import csv

import numpy as np
import pytest
import yaml
from conftest import ROOT

from fgclep.errors import UserError
from fgclep.evaluation.tasks import load_task

TASKS = sorted((ROOT / "resources" / "tasks").glob("*.yaml"))
TABLES = ROOT.parent / "shared" / "tables"
SIZES = {
    "ptbxl_super": 5,
    "ptbxl_sub": 23,
    "ptbxl_form": 19,
    "ptbxl_rhythm": 12,
    "cpsc2018": 9,
    "cpsc2018_published": 9,
    "csn": 82,
    "csn_published": 38,
}
WITHOUT_WORDS = {"ventricular fibrillation", "fragmented qrs complex"}  # docs/evaluation.md names them, too

shared = pytest.mark.skipif(not TABLES.is_dir(), reason="needs the tables of ../shared")


def task_of(name):
    return load_task(ROOT / "resources" / "tasks" / f"{name}.yaml")


def test_the_tasks_have_the_classes_of_the_benchmarks():
    assert {path.stem: len(load_task(path).classes) for path in TASKS} == SIZES


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_every_prompt_is_a_phrase_of_the_vocabulary(path, vocabulary):
    prompts = {prompt for item in load_task(path).classes for prompt in item.prompts}
    assert {prompt for prompt in prompts if prompt not in vocabulary.phrases} <= WITHOUT_WORDS


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_no_prompt_asks_for_the_finding_of_another_class(path, vocabulary):
    task = load_task(path)
    asked = [(vocabulary.phrases.get(p), item.name) for item in task.classes for p in item.prompts]
    for finding, one in asked:
        for same, other in asked:
            if finding and finding == same and one != other:
                assert task.may_share(one, other), f"{one} and {other} both ask for {finding}"


def test_any_likelihood_counts_and_other_codes_do_not():
    task = task_of("ptbxl_super")
    labels = task.labels([["NORM", "SR"], ["LAFB", "IMI"], ["SR"], []])
    assert task.class_names == ["NORM", "MI", "STTC", "HYP", "CD"]
    np.testing.assert_array_equal(labels, [[1, 0, 0, 0, 0], [0, 1, 0, 0, 1], [0] * 5, [0] * 5])


def test_codes_match_as_a_whole_and_not_as_substrings():
    task = task_of("csn")
    assert not task.labels([["1110"], ["16488"], ["VB"]]).any()  # 11157007 is ventricular bigeminy (VB)


def test_codes_scored_as_one_diagnosis_make_the_same_class():
    for name, right, left in (("cpsc2018", "CRBBB", "CLBBB"), ("csn", "RBBB", "LBBB")):
        task = task_of(name)
        labels = task.labels([["59118001"], ["713427006"], ["164909002"], ["733534002"]])
        assert labels[:, task.class_names.index(right)].tolist() == [True, True, False, False]
        assert labels[:, task.class_names.index(left)].tolist() == [False, False, True, True]
        assert labels.sum() == 4


def document():
    classes = [
        {"name": "A", "title": "a", "codes": ["1"], "prompts": ["x"]},
        {"name": "B", "title": "b", "codes": ["2"], "prompts": ["y"]},
    ]
    return {"name": "toy", "source": "csn", "label_set": "s", "overlapping": [], "classes": classes}


def load(document, tmp_path):
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return load_task(path)


def test_a_valid_file_loads(tmp_path):
    assert load(document(), tmp_path).class_names == ["A", "B"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("source"), "exactly the keys"),
        (lambda d: d.update(extra=1), "extra"),
        (lambda d: d.update(name="other"), "must be that of the file"),
        (lambda d: d.update(classes=[]), "list of classes"),
        (lambda d: d["classes"][0].update(codes=[426783006]), "426783006 is no text; put numbers"),
        (lambda d: d["classes"][0].update(prompts=[]), r"class 1 \(A\): prompts"),
        (lambda d: d["classes"][1].update(name="A"), "given twice"),
        (lambda d: d["classes"][1].update(name="macro"), "average"),
        (lambda d: d["classes"][1].update(codes=["1"]), "code '1' is given twice: A and B"),
        (lambda d: d["classes"][1].update(prompts=["x"]), "prompt 'x' belongs to A and B"),
        (lambda d: d.update(overlapping=[["A", "C"]]), "'C', which is no class"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(change, message, tmp_path):
    wrong = document()
    change(wrong)
    with pytest.raises(UserError, match=message) as error:
        load(wrong, tmp_path)
    assert "toy.yaml" in str(error.value)


def test_overlapping_classes_may_share_a_prompt(tmp_path):
    both = document()
    both["classes"][1]["prompts"] = ["x"]
    both["overlapping"] = [["A", "B"]]
    assert load(both, tmp_path).may_share("A", "B")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"absent\.yaml does not exist"):
        load_task(tmp_path / "absent.yaml")


def ptbxl_codes():
    with (TABLES / "ptbxl" / "ptbxl_database_full_v1.0.3.csv").open(newline="", encoding="utf-8") as file:
        return {
            int(float(row["ecg_id"])): (int(row["strat_fold"]), list(yaml.safe_load(row["scp_codes"])))
            for row in csv.DictReader(file)
        }


@shared
@pytest.mark.parametrize(
    ("name", "folder", "sizes"),
    [
        ("ptbxl_super", "super_class", (17084, 2146, 2158)),
        ("ptbxl_sub", "sub_class", (17084, 2146, 2158)),
        ("ptbxl_form", "form", (7197, 901, 880)),
        ("ptbxl_rhythm", "rhythm", (16832, 2100, 2098)),
    ],
)
def test_ptbxl_tasks_have_the_published_records_and_labels(name, folder, sizes, all_ptbxl):
    task = task_of(name)
    ids, folds, codes = all_ptbxl
    labels = task.labels(codes)
    parts = [(folds <= 8), (folds == 9), (folds == 10)]
    assert tuple(int((part & labels.any(axis=1)).sum()) for part in parts) == sizes
    row_of = {ecg_id: row for row, ecg_id in enumerate(ids)}
    for split, size in zip(("train", "val", "test"), sizes, strict=True):
        path = TABLES / "merl" / "data_split" / "ptbxl" / folder / f"ptbxl_{folder}_{split}.csv"
        with path.open(newline="", encoding="utf-8") as file:
            published = list(csv.DictReader(file))
            assert len(published) == size
            for row in published:
                ours = labels[row_of[int(row["ecg_id"])]]
                theirs = [bool(float(row[item.strip("_")])) for item in task.class_names]
                assert ours.tolist() == theirs, row["ecg_id"]


@shared
def test_the_benchmark_reads_three_columns_of_ptbxl_sub_in_another_order():
    # docs/evaluation.md says so; its loader takes the columns by position
    header = {}
    for split in ("train", "val", "test"):
        path = TABLES / "merl" / "data_split" / "ptbxl" / "sub_class" / f"ptbxl_sub_class_{split}.csv"
        header[split] = path.read_text(encoding="utf-8").splitlines()[0].split(",")[6:]
    assert header["val"] == header["test"]
    differ = [place for place, name in enumerate(header["test"]) if header["train"][place] != name]
    assert [header["train"][place] for place in differ] == ["AVB", "RAO/RAE", "ISC"]
    assert [header["test"][place] for place in differ] == ["ISC", "AVB", "RAO/RAE"]


@pytest.fixture(scope="module")
def all_ptbxl():
    rows = ptbxl_codes()
    return list(rows), np.array([fold for fold, _ in rows.values()]), [codes for _, codes in rows.values()]


@shared
def test_csn_has_every_condition_and_every_common_code():
    wanted = set()
    with (TABLES / "chapman" / "ConditionNames_SNOMED-CT.csv").open(newline="", encoding="utf-8-sig") as file:
        wanted |= {row["Snomed_CT"].strip() for row in csv.DictReader(file)}
    for kind in ("scored", "unscored"):
        with (TABLES / "cinc2021" / f"dx_mapping_{kind}.csv").open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if int(row["Chapman_Shaoxing"]) + int(row["Ningbo"]) >= 10:
                    wanted.add(row["SNOMEDCTCode"])
    assert wanted <= {code for item in task_of("csn").classes for code in item.codes}


@shared
def test_ptbxl_classes_are_those_of_scp_statements():
    path = TABLES.parent / "physionet" / "files" / "ptb-xl" / "1.0.3" / "scp_statements.csv"
    with path.open(newline="", encoding="utf-8") as file:
        statements = list(csv.DictReader(file))
    for name, flag, key in (
        ("ptbxl_super", "diagnostic", "diagnostic_class"),
        ("ptbxl_sub", "diagnostic", "diagnostic_subclass"),
        ("ptbxl_form", "form", ""),
        ("ptbxl_rhythm", "rhythm", ""),
    ):
        official = {(row[key], row[""]) for row in statements if row[flag] == "1.0"}
        assert {(item.name, code) for item in task_of(name).classes for code in item.codes} == official


@shared
def test_cpsc2018_labels_are_those_of_the_original_challenge():
    task = task_of("cpsc2018")
    original = ["NORM", "AFIB", "1AVB", "CLBBB", "CRBBB", "PAC", "VPC", "STD", "STE"]  # 1 to 9
    with (TABLES / "cpsc2018" / "REFERENCE.csv").open(newline="", encoding="utf-8") as file:
        reference = {
            row["Recording"]: {original[int(row[key]) - 1] for key in row if key.endswith("_label") and row[key]}
            for row in csv.DictReader(file)
        }
    folder = TABLES.parent / "physionet" / "files" / "challenge-2021" / "1.0.3" / "training" / "cpsc_2018"
    headers = sorted(folder.rglob("*.hea"))
    assert headers
    for header in headers:
        lines = header.read_text(encoding="utf-8").splitlines()
        codes = next(line.split(":")[1].split(",") for line in lines if line.replace(" ", "").startswith("#Dx"))
        labels = task.labels([[code.strip() for code in codes]])[0]
        assert {name for name, label in zip(task.class_names, labels, strict=True) if label} == reference[header.stem]


def split():
    return {"column": "path", "files": {"test": {"path": "a/test.csv", "sha256": "0" * 64}}}


def test_a_task_may_name_a_published_split(tmp_path):
    found = load({**document(), "split": split()}, tmp_path).split
    assert found.column == "path"
    assert [(file.split, file.path, file.sha256) for file in found.files] == [("test", "a/test.csv", "0" * 64)]
    assert load(document(), tmp_path).split is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("column"), "split must have exactly the keys column, files"),
        (lambda d: d.update(files={}), "files must hold test"),
        (lambda d: d["files"].update(dev=d["files"]["test"]), "files must hold test, and may hold train and val"),
        (lambda d: d["files"]["test"].pop("sha256"), "split: test must have exactly the keys path, sha256"),
        (lambda d: d["files"]["test"].update(sha256="abc"), "sha256 is 'abc'; write the 64 hexadecimal digits"),
    ],
)
def test_a_wrong_split_is_refused_with_the_place(change, message, tmp_path):
    wrong = split()
    change(wrong)
    with pytest.raises(UserError, match=message):
        load({**document(), "split": wrong}, tmp_path)
