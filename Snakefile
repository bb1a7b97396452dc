from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.0")

# Rules name vocabulary, tasks and templates by their places in the checkout; Snakemake has changed to --directory.
if not Path("workflow/rules").exists() or not Path("workflow/rules").samefile(
    Path(workflow.basedir) / "workflow/rules"
):
    raise WorkflowError(
        f"snakemake must run in the folder of the Snakefile, and this is {Path.cwd()}. Write\n\n"
        f"    cd {Path(workflow.basedir)}\n\nand leave --directory out. To have results elsewhere, or of a checkout that may "
        "not be written, copy it there"
    )


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/fetch.smk"
include: "workflow/rules/shard.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/reports.smk"
include: "workflow/rules/recover.smk"
include: "workflow/rules/similarity.smk"
include: "workflow/rules/pretrain.smk"
include: "workflow/rules/verify.smk"
include: "workflow/rules/embed.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/ablation.smk"
include: "workflow/rules/last_line.smk"


onstart:
    # for the commands: results of other configs stay on the disk beside those of this run
    if workflow.exec_mode == ExecMode.DEFAULT:
        used = [path.removeprefix("results/shards/") for path in shards_of(SOURCES)]
        write_text(
            Path("results", RUN_RECORD), as_json(dict(shards=used, truth=bool(pretraining_truths()), config=CONFIG))
        )


rule all:
    default_target: True
    input:
        "results/report.html",
        "results/figures",
        "results/tables",
        "results/review.html",
        "results/evaluation/metrics.csv",
        "results/evaluation/comparisons.csv",
        "results/quarantine.parquet",
        "results/recovery/audit.parquet",
        truth_of_the_pretraining_sources(),
        # asked for, so that Snakemake makes one that is missing even if all that was made from it is there
        shards_of(SOURCES),
        expand("results/measurements/{source}.parquet", source=STORED_SOURCES),
