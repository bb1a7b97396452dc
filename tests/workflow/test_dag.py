"""What Snakemake plans, and what a change makes it run again."""

import json
import os
import re
import shlex
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import ROOT, Checkout
from planned_commands import commands, parsed

RENDERED = {"render_report": 1, "render_figures": 1}  # by whatever changes a result
DEFAULT_PLAN = {
    "simulate_physionet": 4,
    "merge_truth": 1,
    "fetch_metadata": 4,
    "build_manifest": 4,
    "fetch_records": 9,
    "build_shards": 9,
    "collect_quarantine": 1,
    "measure_waveforms": 4,
    "parse_reports": 1,
    "recover_features": 1,
    "build_similarity": 1,
    "pretrain": 2,
    "examine_reader": 1,
    "score_candidates": 1,
    "verify_features": 1,
    "augment_reports": 1,
    "embed_ecgs": 3,
    "embed_measurements": 3,
    "join_features": 3,
    "build_prompts": 1,
    "evaluate_zero_shot": 2,
    "evaluate_linear_probe": 5,
    "evaluate_retrieval": 2,
    "collect_metrics": 1,
    "compare_models": 1,
    **RENDERED,
    "render_review": 1,
    "all": 1,
}
FROM_METRICS = {"collect_metrics": 1, "compare_models": 1, **RENDERED}
EVALUATION = {"evaluate_zero_shot": 2, "evaluate_linear_probe": 5, **FROM_METRICS}


@contextmanager
def edited(path: Path, text: str) -> Iterator[None]:
    """Append text to a file, and take it away again."""
    before = path.read_bytes()
    path.write_bytes(before + text.encode())
    try:
        yield
    finally:
        path.write_bytes(before)


def printed_plan(checkout: Checkout) -> dict[str, int]:
    """Jobs per rule as a user of ``snakemake -n`` reads them, by the code of the checkout."""
    run = checkout.snakemake("--dry-run")
    assert run.returncode == 0, run.stdout
    table = run.stdout.rpartition("Job stats:")[2]  # the first of two is at the top
    counts = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, flags=re.MULTILINE)}
    assert counts.pop("total", 0) == sum(counts.values())
    return counts


def test_the_default_runs_every_rule_from_the_simulation_to_the_report(checkout):
    assert printed_plan(checkout) == DEFAULT_PLAN
    assert checkout.plan() == DEFAULT_PLAN


def test_the_default_profile_is_found(checkout):
    # Snakemake looks for profiles/default beside the Snakefile, so that folder leads to workflow/profiles
    assert "Using workflow specific profile" in checkout.snakemake("--dry-run").stdout


def stages_of(rules: Iterable[str]) -> set[str]:
    """Modules of rules, which have the names of their rules but for those that join tables."""
    joining = ("merge_manifest", "merge_truth")
    return {f"fgclep.stages.{'merge_tables' if rule in joining else rule}" for rule in rules}


def test_every_stage_understands_the_command_line_of_its_rule(checkout):
    found = commands(checkout)
    assert {command[2] for command in found} == stages_of(rule for rule in DEFAULT_PLAN if rule != "all")
    for command in found:
        assert parsed(command).log is not None


def test_the_real_overlay_simulates_only_the_pretraining_source(checkout):
    plan = checkout.plan("--configfile", "workflow/config/real.yaml")
    assert plan["simulate_physionet"] == 1
    assert plan["fetch_records"] == plan["build_shards"] == 4 + 8 + 4 + 16
    assert plan["fetch_split"] == 2
    assert plan["evaluate_linear_probe"] == 5


def test_the_paper_overlay_is_planned_without_any_download(checkout):
    plan = checkout.plan("--configfile", "workflow/config/paper.yaml")
    assert "simulate_physionet" not in plan
    assert "merge_truth" not in plan
    assert plan["fetch_records"] == plan["build_shards"] == 200 + 8 + 4 + 16
    assert not (checkout.folder / "resources" / "physionet").exists()


def test_one_database_trains_and_tests_in_the_overlay_of_ptb_xl(checkout, tmp_path):
    overlay = ("--configfile", "workflow/config/ptb-xl.yaml")
    plan = checkout.plan(*overlay)
    assert "simulate_physionet" not in plan and "merge_truth" not in plan
    assert plan["fetch_metadata"] == plan["build_manifest"] == plan["measure_waveforms"] == 1
    assert plan["fetch_records"] == plan["build_shards"] == 4  # each once, though it has both roles
    assert plan["evaluate_zero_shot"] == 2 and plan["evaluate_linear_probe"] == 5 and plan["embed_ecgs"] == 3
    mine = tmp_path / "mine.yaml"
    mine.write_text("data: {sources: {ptb-xl: {base: mirror, test_fold: 9}}}")
    found = [(words[2].rpartition(".")[2], parsed(words)) for words in commands(checkout, *overlay, str(mine))]
    for name in ("fetch_records", "build_shards", "build_manifest"):
        assert {args.settings.sampling_rate for stage, args in found if stage == name} == {100}
    assert [args.settings.test_fold for stage, args in found if stage == "build_manifest"] == [9]
    assert {args.base for stage, args in found if stage == "fetch_records"} == {"mirror"}
    shards = [f"results/shards/ptb-xl/{chunk}.parquet" for chunk in range(4)]
    for name in ("pretrain", "score_candidates", "evaluate_retrieval", "embed_ecgs"):
        assert {tuple(map(str, args.shards)) for stage, args in found if stage == name} == {tuple(shards)}
    [report] = [args for stage, args in found if stage == "render_report"]
    assert list(map(str, report.manifests)) == ["results/manifest/ptb-xl.parquet"]
    assert list(map(str, report.shards)) == shards


def test_patients_and_simulated_ecgs_train_together(checkout, tmp_path):
    """As docs/data.md says."""
    text = (ROOT / "docs/data.md").read_text(encoding="utf-8")
    [block] = re.findall(r"`together.yaml`:\n\n```yaml\n(.*?)```", text, flags=re.DOTALL)
    overlay = tmp_path / "together.yaml"
    overlay.write_text(block)
    options = ("--configfile", "workflow/config/ptb-xl.yaml", str(overlay))
    plan = checkout.plan(*options)
    assert plan["simulate_chunk"] == 4 and plan["fetch_records"] == 4
    found = [parsed(words) for words in commands(checkout, *options) if words[2] == "fgclep.stages.pretrain"]
    for args in found:
        sources = [Path(shard).parent.name for shard in args.shards]
        assert sources == ["ptb-xl"] * 4 + ["simulated"] * 4


def test_own_records_train_and_are_tested_on_by_a_task(checkout, tmp_path):
    """As docs/own-data.md says; not by a task whose own split may have training records among those of its test."""
    (tmp_path / "records.csv").write_text("id,patient,report\n")
    classes = "classes:\n  - {name: AFIB, title: atrial fibrillation, codes: [AFIB], prompts: [atrial fibrillation]}\n"
    task = checkout.folder / "resources/tasks/own.yaml"
    task.write_text(f"name: own\nsource: local\nlabel_set: own\noverlapping: []\n{classes}")
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(
        f"data: {{sources: {{local: {{base: {tmp_path}, role: both}}}}}}\nevaluation: {{tasks: [own]}}\n"
    )
    found = [words for words in commands(checkout, "--configfile", str(overlay)) if "local" in words]
    assert sum(words[2] == "fgclep.stages.build_manifest" for words in found) == 1
    split = "split: {column: path, files: {test: {path: test.csv, sha256: " + "a" * 64 + "}}}\n"
    task.write_text(task.read_text() + split)
    run = checkout.snakemake("--dry-run", "--configfile", str(overlay))
    task.unlink()
    assert run.returncode != 0 and "Traceback" not in run.stdout
    assert "the task own has a split of its own, in which records that models are trained on may be test" in run.stdout


def test_a_simulated_source_goes_into_shards_without_files(checkout):
    overlay = ("--configfile", "workflow/config/simulated-large.yaml")
    plan = checkout.plan(*overlay, "--", "results/models/fine")
    assert plan == {
        "simulate_chunk": 40, "merge_manifest": 1, "parse_reports": 1, "build_similarity": 1,
        "augment_with_truth": 1, "pretrain": 2,
    }  # fmt: skip
    found = commands(checkout, *overlay)
    assert {command[2] for command in found} >= stages_of(plan)
    measured = [parsed(command) for command in found if command[2] == "fgclep.stages.measure_waveforms"]
    assert {args.source: args.metadata is None for args in measured} == {
        "simulated": True, "ptb-xl": False, "cpsc2018": False, "csn": False,
    }  # fmt: skip


def read_by(checkout, tmp_path, section):
    """Jobs per rule, and the arguments of verify_features and of the jobs that score, with a section verification."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(f"verification: {section}\n")
    options = ("--configfile", str(overlay))
    found = [(command[2].rpartition(".")[2], command) for command in commands(checkout, *options)]
    [verify] = [parsed(command) for stage, command in found if stage == "verify_features"]
    return checkout.plan(*options), verify, [parsed(command) for stage, command in found if stage == "score_candidates"]


def test_without_a_reader_no_fold_is_trained_and_nothing_is_scored(checkout, tmp_path):
    plan, verify, scoring = read_by(checkout, tmp_path, "{reader: none}")
    assert plan["pretrain"] == 2
    assert scoring == [] and verify.scores == [] and verify.exam == []


def test_a_coarse_reader_is_trained_for_every_fold(checkout, tmp_path):
    plan, verify, scoring = read_by(checkout, tmp_path, "{reader: coarse, folds: 3}")
    assert plan["pretrain"] == 2 + 3
    assert {(job.model, job.fold, job.folds) for job in scoring} == {
        (f"results/models/coarse-fold{fold}", fold, 3) for fold in range(3)
    }
    assert verify.scores == [f"results/recovery/scores/fold{fold}.parquet" for fold in range(3)] and verify.exam == []


def test_a_reader_trained_on_simulated_ecgs_needs_no_training_of_folds(checkout, tmp_path):
    for model in ("shipped", "models/reader"):
        plan, verify, scoring = read_by(checkout, tmp_path, f"{{reader: simulated, reader_model: {model}}}")
        assert plan["pretrain"] == 2 and plan["score_candidates"] == plan["examine_reader"] == 1
        [job] = scoring
        assert (job.model, job.fold, job.folds) == (model, None, None)
        assert job.shards == [f"results/shards/mimic-iv-ecg/{chunk}.parquet" for chunk in range(4)]
        assert verify.scores == ["results/recovery/scores/mimic-iv-ecg.parquet"]
        assert verify.exam == ["results/recovery/exam.parquet"]
    plan, verify, _ = read_by(checkout, tmp_path, "{reader: simulated, threshold: 0.9}")
    assert verify.exam == [] and "examine_reader" not in plan


def test_a_training_goes_on_from_the_model_that_is_named(checkout, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("pretraining: {start_from: shipped, ecg_encoder: {width: 32}, coarse_epochs: 0}\n")
    found = [
        parsed(command) for command in commands(checkout, "--configfile", str(overlay)) if "pretrain" in command[2]
    ]
    trained = {run.name: run for run in found}
    assert trained["coarse"].start_from == "shipped" and trained["coarse"].settings.epochs == 0
    assert trained["fine"].start_from == "results/models/coarse" and trained["fine"].settings.epochs == 4
    made = commands(checkout, "--configfile", str(overlay), "--", "ablation")
    starts = {run.name: run.start_from for run in map(parsed, made) if hasattr(run, "start_from")}
    assert starts["coarse-1"] == starts["coarse-clip-1"] == "shipped"
    assert starts["fine-1"] == "results/ablation/models/coarse-1"


def test_several_processes_train_together_under_torchrun(checkout, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("pretraining:\n  device: cuda\n  processes: 4\n")
    printed = checkout.snakemake("--dry-run", "--printshellcmds", "--configfile", str(overlay)).stdout
    launched = re.findall(r"torchrun --standalone --nproc-per-node 4 -m -- (fgclep\.stages\.pretrain .*)", printed)
    assert len(launched) == DEFAULT_PLAN["pretrain"]
    assert all(parsed(["python", "-m", *shlex.split(line)]).settings.processes == 4 for line in launched)


def test_only_a_model_with_attention_is_asked_where_it_looks(checkout, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("pretraining: {alignment: attention}\n")
    found = {command[2]: parsed(command) for command in commands(checkout, "--configfile", str(overlay))}
    assert str(found["fgclep.stages.attend_examples"].output) == "results/attention.parquet"
    for stage in ("render_report", "render_figures"):
        assert str(found[f"fgclep.stages.{stage}"].attention) == "results/attention.parquet"
    without = {command[2]: parsed(command) for command in commands(checkout)}
    assert "fgclep.stages.attend_examples" not in without
    assert without["fgclep.stages.render_report"].attention is None


def test_published_splits_reach_their_tasks_alone(checkout):
    found = commands(checkout, "--configfile", "workflow/config/real.yaml")
    names = ("cpsc2018_published", "csn_published")
    fetched = [parsed(command) for command in found if command[2] == "fgclep.stages.fetch_split"]
    assert {str(fetch.task_file) for fetch in fetched} == {f"resources/tasks/{name}.yaml" for name in names}
    assert all(fetch.base.endswith("/7a931dbd2dbf347a9745edd3b6729820cc518a90/finetune") for fetch in fetched)
    tables = [f"resources/splits/{name}.parquet" for name in names]
    for stage, models in (("evaluate_linear_probe", 5), ("evaluate_zero_shot", 2)):
        runs = [parsed(command) for command in found if command[2] == f"fgclep.stages.{stage}"]
        assert [run.splits for run in runs] == [tables] * models


def test_a_stored_source_is_kept_as_shards_and_measurements(checkout, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(
        "data:\n  sources:\n"
        "    ludb: {base: ../shared/physionet/files}\n"
        "    georgia: {base: ../shared/physionet/files, chunks: 3, role: store}\n"
    )
    plan = checkout.plan("--configfile", str(overlay))
    added = {"fetch_metadata": 2, "build_manifest": 2, "fetch_records": 4, "build_shards": 4, "measure_waveforms": 2}
    assert plan == {**DEFAULT_PLAN, **{rule: DEFAULT_PLAN[rule] + number for rule, number in added.items()}}


def test_own_records_are_planned_from_their_table(checkout, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(f"data:\n  sources:\n    local: {{base: {tmp_path}, role: pretrain}}\n")
    run = checkout.snakemake("--dry-run", "--configfile", str(overlay))
    assert run.returncode != 0 and "records.csv does not exist; docs/own-data.md" in run.stdout
    assert "Traceback" not in run.stdout
    (tmp_path / "records.csv").write_text("id,patient,report\n")
    found = [command for command in commands(checkout, "--configfile", str(overlay)) if "local" in command]
    [fetch] = [parsed(command) for command in found if command[2] == "fgclep.stages.fetch_metadata"]
    assert (fetch.base, fetch.version) == (str(tmp_path), "")


def test_content_and_not_age_decides_for_what_people_write(checkout):
    target = ("results/evaluation/prompts.parquet",)
    run = checkout.snakemake("--cores", "1", *target)
    assert run.returncode == 0, run.stdout
    used = json.loads((checkout.folder / "results/run.json").read_text(encoding="utf-8"))
    assert "csn/0.parquet" in used["shards"] and used["truth"] and used["config"]["seed"] == 0
    for name in ("vocabulary/features.yaml", "vocabulary/diagnoses.yaml", "tasks/ptbxl_super.yaml"):
        path = checkout.folder / "resources" / name
        assert checkout.plan(*target) == {}
        with edited(path, "# another line\n"):
            os.utime(path, (1, 1))
            assert checkout.plan(*target) == {"build_prompts": 1}, name
    assert checkout.plan(*target) == {}
    shutil.rmtree(checkout.folder / "results")


def test_tasks_that_are_left_out_need_no_source(checkout, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("evaluation:\n  tasks: [csn]\n")
    plan = checkout.plan("--configfile", str(overlay))
    assert plan["fetch_metadata"] == 2  # MIMIC-IV-ECG and CSN
    assert plan["evaluate_zero_shot"] == 2


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        (
            "evaluation:\n  bootstraps: 50\n",
            "config: evaluation.bootstraps is not a known key; did you mean evaluation.bootstrap? Write\n\n"
            "    evaluation:\n      bootstrap: 50\n",
        ),
        (
            "evaluation:\n  tasks: [ptbxl]\n",
            "config: evaluation.tasks names ptbxl, and there is no resources/tasks/ptbxl",
        ),
        (
            "data:\n  sources:\n    csn:\n      role: pretrain\n",
            "config: the task csn needs csn for evaluation. Write\n",
        ),
    ],
)
def test_a_mistake_in_the_config_gets_one_clear_message(checkout, tmp_path, overlay, message):
    path = tmp_path / "overlay.yaml"
    path.write_text(overlay)
    run = checkout.snakemake("--dry-run", "--configfile", str(path))
    assert run.returncode != 0
    assert message in run.stdout
    assert "Traceback" not in run.stdout


def test_only_what_can_change_the_answers_asks_the_language_model_again(tmp_path):
    checkout = Checkout(tmp_path / "fg-clep")
    texts, candidates = "results/reports/texts.parquet", "results/recovery/candidates.parquet"
    for name in (texts, candidates, "results/recovery/cost.json"):
        path = checkout.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    overlay = tmp_path / "overlay.yaml"
    options = ("--allowed-rules", "recover_features", "--configfile", str(overlay))

    def write(**changes):
        overlay.write_text(json.dumps({"recovery": {"backend": "openai", "temperature": 0.7, **changes}}))

    write()
    assert checkout.snakemake("--cores", "1", "--touch", "--force", candidates, *options).returncode == 0
    write(
        host="http://other:1",
        concurrency=8,
        timeout_seconds=9,
        patience_seconds=9,
        deadline_hours=1,
        cache="elsewhere",
    )
    assert checkout.plan(candidates, *options) == {}
    for change in ({"model": "other"}, {"temperature": 0.8}, {"samples": 3}):
        write(**change)
        assert checkout.plan(candidates, *options) == {"recover_features": 1}, change


class TestReruns:
    """All is done; then one thing changes. Settings are in tests/workflow/test_reruns.py."""

    @pytest.fixture(scope="class")
    def done(self, checkout):
        checkout.pretend_all_is_done()
        assert checkout.plan() == {}
        return checkout

    def test_a_setting_of_another_source_of_similarity_changes_no_model(self, done, tmp_path):
        path = tmp_path / "overlay.yaml"
        path.write_text("similarity: {encoder: a/b}")
        assert done.plan("--configfile", str(path)) == {"render_report": 1, "all": 1}  # which lists all settings
        path.write_text("similarity: {source: encoder, encoder: a/b}")
        [stage] = [c for c in commands(done, "--configfile", str(path)) if c[2] == "fgclep.stages.build_similarity"]
        assert parsed(stage).settings.model_dump() == {
            "source": "encoder",
            "related": 0.5,
            "encoder": "a/b",
            "seed": 0,
            "dense_texts": 30000,
            "neighbors": 1000,
        }

    def test_the_rate_and_the_fold_that_a_database_has_by_default_fetch_nothing_again(self, done, tmp_path):
        path = tmp_path / "overlay.yaml"
        path.write_text("data: {sources: {ptb-xl: {sampling_rate: 500, test_fold: 10}, csn: {sampling_rate: 500}}}")
        assert done.plan("--configfile", str(path)) == {"render_report": 1, "all": 1}  # which lists all settings

    def test_the_real_mirror_reuses_the_models(self, done):
        plan = done.plan("--configfile", "tests/config/real-mirror.yaml")
        assert plan == {
            "fetch_metadata": 3,
            "build_manifest": 3,
            "fetch_records": 5,
            "build_shards": 5,
            "merge_truth": 1,
            "collect_quarantine": 1,
            "measure_waveforms": 3,
            "embed_ecgs": 3,
            "embed_measurements": 3,
            "join_features": 3,
            **EVALUATION,
            "all": 1,
        }

    def test_changed_code_reruns_its_rule_and_a_comment_does_not(self, done):
        stage = done.folder / "workflow" / "fgclep" / "stages" / "collect_metrics.py"
        with edited(stage, "\n# a remark\n"):
            assert printed_plan(done) == {}
        with edited(stage, "\nCHANGED = True\n"):
            assert printed_plan(done) == {"collect_metrics": 1, **RENDERED, "all": 1}

    def test_a_changed_source_reruns_its_own_stages(self, done):
        sources = done.folder / "workflow" / "fgclep" / "sources"
        with edited(sources / "ludb.py", "\nCHANGED = True\n"):
            assert printed_plan(done) == {}
        with edited(sources / "cpsc2018.py", "\nCHANGED = True\n"):
            plan = printed_plan(done)
        assert plan["build_manifest"] == plan["build_shards"] == plan["measure_waveforms"] == 1
        assert not {"fetch_metadata", "fetch_records", "pretrain"} & plan.keys()

    def test_a_changed_task_reruns_its_evaluation(self, done):
        with edited(done.folder / "resources" / "tasks" / "csn.yaml", "\n# another text\n"):
            assert done.plan() == {
                "build_prompts": 1,
                "evaluate_zero_shot": 2,
                "evaluate_linear_probe": 5,
                **FROM_METRICS,
                "all": 1,
            }
