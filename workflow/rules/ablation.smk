RUN = r"[a-z][a-z0-9_]*-\d+"  # variant and seed
COARSE_STAGE = rf"{COARSE}-{RUN}"  # of a variant that has one of its own


rule export_text_tower:
    input:
        model="results/models/coarse",
    output:
        tower=directory(TEXT_TOWER),
    log:
        "results/logs/export_text_tower.log",
    benchmark:
        "results/benchmarks/export_text_tower.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=source_digest("fgclep.stages.export_text_tower"),
    message:
        "Writing the text encoder of the coarse model"
    shell:
        "python -m fgclep.stages.export_text_tower "
        "--model {input.model:q} "
        "--output {output.tower:q} "
        "--log {log:q}"


use rule build_similarity as build_similarity_of_variant with:
    input:
        texts="results/reports/texts.parquet",
        reports="results/reports/reports.parquet",
        vocabulary=VOCABULARY,
        encoder=text_tower_of_variant,
    output:
        similarity=directory("results/ablation/similarity/{variant}/matrix"),
        summary="results/ablation/similarity/{variant}/summary.json",
    log:
        "results/logs/ablation/similarity-{variant}.log",
    benchmark:
        "results/benchmarks/ablation/similarity-{variant}.tsv"
    params:
        **settings(variant_similarity_settings),
        content=lambda wildcards: similarity_compared(SECTIONS_OF_VARIANT[wildcards.variant].similarity),
        code=source_digest("fgclep.stages.build_similarity"),


use rule pretrain as pretrain_variant with:
    input:
        shards=shards_of(PRETRAINING_SOURCES),
        texts="results/reports/texts.parquet",
        reports=variant_reports,
        labels=variant_labels,
        similarity=variant_similarity,
        start=variant_start,
    output:
        model=directory("results/ablation/models/{name}"),
    log:
        "results/logs/ablation/pretrain-{name}.log",
    benchmark:
        "results/benchmarks/ablation/pretrain-{name}.tsv"
    wildcard_constraints:
        name=rf"{RUN}|{COARSE_STAGE}",
    params:
        **settings(variant_pretraining),
        options=training_options,
        start=start_compared(variant_start, variant_pretraining),


rule evaluate_variant:
    input:
        model="results/ablation/models/{name}",
        tasks=TASK_FILES,
        shards=shards_of(EVALUATION_SOURCES),
        splits=splits_of(TASKS),
        prompts="results/evaluation/prompts.parquet",
    output:
        scores="results/ablation/scores/{name}.parquet",
    log:
        "results/logs/ablation/evaluate-{name}.log",
    benchmark:
        "results/benchmarks/ablation/evaluate-{name}.tsv"
    wildcard_constraints:
        name=RUN,
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
        runtime=growing(240),
        gpu=int(CONFIG["pretraining"]["device"] == "cuda"),
    params:
        **settings(variant_evaluation),
        content=contents(*TASK_FILES),
        code=source_digest("fgclep.stages.evaluate_variant"),
    message:
        "Evaluating the variant {wildcards.name}"
    shell:
        "python -m fgclep.stages.evaluate_variant "
        "--model {wildcards.name:q} "
        "--model-dir {input.model:q} "
        "--task-files {input.tasks:q} "
        "--shards {input.shards:q} "
        "--splits {input.splits:q} "
        "--prompts {input.prompts:q} "
        "--settings {params.settings:q} "
        "--output {output.scores:q} "
        "--log {log:q}"


rule summarize_ablation:
    input:
        scores=expand("results/ablation/scores/{name}.parquet", name=RUNS),
    output:
        table="results/ablation/ablation.csv",
    log:
        "results/logs/summarize_ablation.log",
    benchmark:
        "results/benchmarks/summarize_ablation.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        **settings(ComparisonSettings.of(SETTINGS.evaluation, seed=SETTINGS.seed)),
        runs=json.dumps(RUNS),
        code=source_digest("fgclep.stages.summarize_ablation"),
    message:
        "Comparing the variants"
    shell:
        "python -m fgclep.stages.summarize_ablation "
        "--scores {input.scores:q} "
        "--settings {params.settings:q} "
        "--runs {params.runs:q} "
        "--output {output.table:q} "
        "--log {log:q}"


ABLATION_TABLE = "results/ablation/ablation.csv"
FIGURES_WITH_ABLATION = FigureSettings.of(FIGURES, variants=SETTINGS.ablation.variants)


use rule render_report as render_report_with_ablation with:
    input:
        **REPORTED,
        templates=REPORT_FILES,
        ablation=ABLATION_TABLE,
    output:
        report="results/ablation/report.html",
    log:
        "results/logs/ablation/render_report.log",
    benchmark:
        "results/benchmarks/ablation/render_report.tsv"
    params:
        options=report_options(ABLATION_TABLE),


use rule render_figures as render_figures_with_ablation with:
    input:
        **REPORTED,
        ablation=ABLATION_TABLE,
    output:
        figures=directory("results/ablation/figures"),
        tables=directory("results/ablation/tables"),
    log:
        "results/logs/ablation/render_figures.log",
    benchmark:
        "results/benchmarks/ablation/render_figures.tsv"
    params:
        **settings(FIGURES_WITH_ABLATION),
        options=report_options(ABLATION_TABLE),


rule ablation:
    input:
        ABLATION_TABLE,
        "results/ablation/report.html",
        "results/ablation/figures",
        "results/ablation/tables",
