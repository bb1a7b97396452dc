import pytest
import yaml
from conftest import ROOT

from fgclep.config.evaluation import EvaluationSection
from fgclep.errors import UserError
from fgclep.evaluation.prompts import PromptSets, worded
from fgclep.evaluation.tasks import load_task
from fgclep.language.vocabulary import load_vocabulary

RESOURCES = ROOT / "resources"
TASKS = sorted((RESOURCES / "tasks").glob("*.yaml"))


@pytest.fixture(scope="module")
def sets():
    return PromptSets(load_vocabulary(RESOURCES / "vocabulary"))


def of_class(sets, task, kind, name):
    task = load_task(RESOURCES / "tasks" / f"{task}.yaml")
    return sets.of(task, kind)[task.class_names.index(name)]


@pytest.mark.parametrize("kind", worded(EvaluationSection().prompts))
@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_no_prompt_of_any_set_names_the_finding_of_another_class(path, kind, sets):
    task = load_task(path)
    prompts = sets.of(task, kind)
    assert len(prompts) == len(task.classes)
    assert all(some and all(prompt for prompt in some) for some in prompts)


def test_names_are_the_titles_and_synonyms_those_of_the_file(sets):
    assert of_class(sets, "ptbxl_rhythm", "names", "AFIB") == [("atrial fibrillation",)]
    assert ("atrial fibrillation with rapid ventricular response",) in of_class(sets, "csn", "synonyms", "AFIB")


def test_features_are_those_that_the_diagnosis_is_made_with(sets):
    assert of_class(sets, "cpsc2018", "features", "CRBBB") == [
        ("qrs duration of 120 ms or more", "rsr' in v1", "wide s waves in i and v6")
    ]
    assert "upright p wave in lead ii" in of_class(sets, "ptbxl_rhythm", "features", "SR")[0]  # of a normal finding


def test_a_feature_that_is_a_class_itself_describes_no_other(sets):
    # acute infarcts raise ST, and ST elevation is a class of CSN
    assert of_class(sets, "csn", "features", "AMI") == of_class(sets, "csn", "synonyms", "AMI")


def test_classes_that_their_features_do_not_tell_apart_are_asked_for_by_synonyms(sets):
    # both rest on flat T waves
    for name in ("NT_", "NDT"):
        assert of_class(sets, "ptbxl_form", "features", name) == of_class(sets, "ptbxl_form", "synonyms", name)


@pytest.mark.parametrize(
    ("kind", "title", "prompt", "message"),
    [
        ("synonyms", "atrial flutter", "atrial flutter, atrial fibrillation", "names atrial_fibrillation, which is A"),
        ("synonyms", "atrial flutter", "atrial flutter, no atrial fibrillation", "names atrial_fibrillation"),  # denied
        ("names", "flutter, no sinus rhythm, left bundle branch block", "atrial flutter", "names lbbb, which is C"),
        ("names", "sinus rhythm", "atrial flutter", "both asked for by 'sinus rhythm'"),
    ],
)
def test_a_prompt_that_asks_for_another_class_is_refused(sets, tmp_path, kind, title, prompt, message):
    classes = [
        {"name": "A", "title": "atrial fibrillation", "codes": ["1"], "prompts": ["atrial fibrillation"]},
        {"name": "B", "title": title, "codes": ["2"], "prompts": [prompt]},
        {"name": "C", "title": "left bundle branch block", "codes": ["3"], "prompts": ["left bundle branch block"]},
        {"name": "D", "title": "sinus rhythm", "codes": ["4"], "prompts": ["normal sinus rhythm"]},
    ]
    document = {"name": "toy", "source": "csn", "label_set": "s", "overlapping": [], "classes": classes}
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    with pytest.raises(UserError, match=message) as error:
        sets.of(load_task(path), kind)
    assert f"task toy, prompts {kind}" in str(error.value) and "overlapping:" in str(error.value)
    path.write_text(yaml.safe_dump({**document, "overlapping": [["A", "B", "C", "D"]]}), encoding="utf-8")
    sets.of(load_task(path), kind)  # classes that are declared as overlapping may
