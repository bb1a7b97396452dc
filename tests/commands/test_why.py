"""``fgclep why`` on a finished run: nothing to do, a changed value, edited code, missing files, and wrong questions."""

import json
import signal

import pytest

from fgclep.cli import main
from fgclep.commands.why import Job, explain

pytestmark = pytest.mark.slow

TINY = "tests/config/tiny.yaml"


@pytest.fixture
def why(finished, tmp_path, monkeypatch, capsys):
    """What ``fgclep why`` prints in the finished run, with these values over its config."""
    monkeypatch.chdir(finished.checkout.folder)
    changed = tmp_path / "changed.json"

    def ask(values: dict, *target: str) -> str:
        changed.write_text(json.dumps(values))
        main(["why", *target, "--configfile", TINY, str(changed)])
        return capsys.readouterr().out

    return ask


def test_a_finished_run_is_up_to_date(why):
    assert "the workflow is up to date: none of its" in why({})
    assert "results/models/fine is up to date" in why({}, "results/models/fine")


def test_signals_are_handled_as_before(why):
    before = signal.getsignal(signal.SIGTERM)
    why({})
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_value_is_named_with_what_it_was(why):
    text = why({"pretraining": {"loss": "clip"}}, "results/models/fine")
    first, jobs = text.split("\n\n")[1].split("\n")
    assert first == 'Because pretraining.loss is "clip", was "balanced_clip":'
    assert jobs == "  pretrain (coarse; coarse-fold0; coarse-fold1; fine)"
    assert "augment_reports" in text.partition("What follows from these:")[2]


def test_a_model_that_is_named_is_known_by_its_content(why):
    changes = {"pretraining": {"start_from": "shipped"}, "verification": {"reader": "simulated"}}
    text = why(changes, "results/models/fine")
    assert 'pretraining.start_from is "shipped", was null' in text and "before" not in text and "code" not in text


def test_every_changed_value_is_told_even_of_jobs_that_follow(why):
    text = why({"quality": {"flat_mv": 0.02}, "pretraining": {"fine_epochs": 2}, "evaluation": {"bootstrap": 60}})
    assert "Because quality.flat_mv is 0.02, was 0.01:" in text
    assert "Because pretraining.fine_epochs is 2, was 1:\n  pretrain (fine)" in text
    assert "Because evaluation.bootstrap is 60, was 50:" in text


def test_values_without_names_are_told(why):
    text = why({"data": {"sources": {"csn": {"chunks": 2}}}})
    assert "Because chunks is 2, was 1:\n  build_manifest (csn)" in text
    assert "results/shards/csn/1.parquet is a new input" in text


def test_changed_code_names_the_module(finished, why, monkeypatch, tmp_path):
    monkeypatch.setattr("fgclep.digest._parse", lambda file, *rest: (f"other {file.name}", ()))
    assert "the code of fgclep.stages.collect_metrics, or of a module that it imports, has changed" in why({})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["results/nothing.txt"], "Snakemake cannot plan this"),
        (["--configfile", "missing.yaml"], "missing.yaml: there is no such config file"),
    ],
)
def test_a_wrong_question_is_one_line(why, capsys, arguments, message):
    with pytest.raises(SystemExit):
        main(["why", *arguments])
    assert message in capsys.readouterr().err


def test_where_no_workflow_is_the_place_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["why"])
    assert "there is no Snakefile here; run this where it is" in capsys.readouterr().err


def test_many_jobs_of_a_rule_are_counted():
    jobs = [Job("probe", str(n), frozenset(), frozenset({f"out{n}"}), True, ("x is 1, was 0",)) for n in range(5)]
    assert explain(jobs, "all").endswith("Because x is 1, was 0:\n  probe (5 jobs)")
