"""What the ablation trains, from what, and by which settings."""

import json

from planned_commands import commands, parsed

from fgclep.config.ablation import DEFAULT_VARIANTS

BY_TOWER = (
    "similarity_raw: {similarity: {source: raw, encoder: results/ablation/text_tower}, pretraining: {loss: fg_clep}}"
)


def test_the_ablation_trains_every_variant_with_every_seed(checkout, tmp_path):
    plan = checkout.plan("ablation")
    assert plan["evaluate_variant"] == 13 * 3  # with the coarse models, and fine
    assert plan["pretrain_variant"] == (13 + 6) * 3  # each loss has a coarse stage of its own
    assert plan["augment_reports"] == 5 and plan["label_features"] == 1
    assert "build_similarity_of_variant" not in plan
    assert plan["render_report_with_ablation"] == plan["render_figures_with_ablation"] == 1
    assert "render_report" not in plan and "render_figures" not in plan
    overlay = tmp_path / "overlay.yaml"
    left_out = "clip: null, features_random: null"
    overlay.write_text(f"ablation: {{seeds: 1, variants: {{{left_out}}}}}\n")
    plan = checkout.plan("--configfile", str(overlay), "--", "ablation")
    assert plan["pretrain_variant"] == 11 + 5 and plan["augment_reports"] == 4
    overlay.write_text(f"ablation: {{seeds: 1, variants: {{{BY_TOWER}}}}}\n")
    plan = checkout.plan("--configfile", str(overlay), "--", "ablation")
    assert plan["build_similarity_of_variant"] == plan["export_text_tower"] == 1


def test_the_ablation_gives_each_variant_what_it_names(checkout, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(f"ablation: {{variants: {{{BY_TOWER}}}}}\n")
    made = commands(checkout, "--configfile", str(overlay), "--", "ablation")
    found = [parsed(command) for command in made if "results/ablation" in " ".join(command)]
    trained = {run.name: run for run in found if hasattr(run, "start_from")}
    assert trained["clip-1"].settings.loss == "clip" and trained["clip-1"].settings.seed == 1
    assert trained["fine-1"].settings == trained["clip-1"].settings.model_copy(update={"loss": "balanced_clip"})
    assert trained["clip-2"].start_from == "results/ablation/models/coarse-clip-2"
    assert trained["coarse-clip-2"].settings == trained["coarse-2"].settings.model_copy(update={"loss": "clip"})
    assert trained["coarse-clip-2"].start_from is None
    assert trained["coarse-clip-2"].reports == "results/reports/reports.parquet"
    assert trained["features_none-2"].start_from == "results/ablation/models/coarse-2"
    assert trained["coarse-2"].start_from is None
    assert trained["coarse-2"].reports == "results/reports/reports.parquet" and trained["coarse-2"].labels is None
    assert trained["fine-2"].reports == "results/recovery/reports/filtered.parquet"
    assert trained["fine-2"].labels is None
    assert trained["features_labelled-0"].reports == "results/recovery/reports/labelled.parquet"
    assert trained["features_labelled-0"].labels == "results/recovery/labels.parquet"
    assert trained["features_random-0"].reports == "results/recovery/reports/random.parquet"
    assert trained["similarity_raw-0"].similarity == "results/ablation/similarity/similarity_raw/matrix"
    assert trained["clip-0"].similarity == "results/similarity/matrix"
    [summary] = [run for run in found if hasattr(run, "runs")]
    assert summary.runs["similarity_raw-2"] == ["similarity_raw", 2] and len(summary.runs) == len(summary.scores) == 42
    evaluated = [run for run in found if hasattr(run, "model_dir")]
    assert all(run.settings.prompts == ["synonyms", "features", "both"] for run in evaluated)


def test_variants_with_the_same_coarse_stage_share_it(checkout, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    variants = dict.fromkeys(DEFAULT_VARIANTS)
    variants["a"] = {"pretraining": {"loss": "clip"}, "throughout": True}
    variants["b"] = {**variants["a"], "verification": {"features": "none"}}
    variants["c"] = {"similarity": {"source": "identity"}, "throughout": True}
    variants["d"] = {"pretraining": {"fine_epochs": 2}, "throughout": True}  # whose coarse stage is that of all
    overlay.write_text(json.dumps({"ablation": {"seeds": 1, "variants": variants}}))
    found = [
        parsed(c) for c in commands(checkout, "--configfile", str(overlay), "--", "ablation") if "pretrain" in c[2]
    ]
    trained = {run.name: run for run in found if "results/ablation" in str(run.output)}
    starts = {name: str(run.start_from).rpartition("/")[2] for name, run in trained.items() if run.start_from}
    assert starts == {
        "fine-0": "coarse-0", "a-0": "coarse-a-0", "b-0": "coarse-a-0", "c-0": "coarse-c-0", "d-0": "coarse-0",
    }  # fmt: skip
    assert trained["coarse-c-0"].similarity == "results/ablation/similarity/c/matrix"
