rule build_prompts:
    input:
        tasks=TASK_FILES,
        vocabulary=VOCABULARY,
    output:
        prompts="results/evaluation/prompts.parquet",
    log:
        "results/logs/build_prompts.log",
    benchmark:
        "results/benchmarks/build_prompts.tsv"
    priority: 1  # a prompt that is wrong is told before the models are trained
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        **settings(PromptSettings.of(SETTINGS.evaluation)),
        content=contents(*VOCABULARY, *TASK_FILES),
        code=source_digest("fgclep.stages.build_prompts"),
    message:
        "Writing the prompts of the tasks"
    shell:
        "python -m fgclep.stages.build_prompts "
        "--task-files {input.tasks:q} "
        "--vocabulary resources/vocabulary "
        "--settings {params.settings:q} "
        "--output {output.prompts:q} "
        "--log {log:q}"


rule fetch_split:
    input:
        task="resources/tasks/{task}.yaml",
    output:
        split="resources/splits/{task}.parquet",
    log:
        "results/logs/fetch_split/{task}.log",
    benchmark:
        "results/benchmarks/fetch_split/{task}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
        downloads=int("://" in CONFIG["evaluation"]["splits_base"]),
    params:
        **settings(SETTINGS.data.transfer),
        base=CONFIG["evaluation"]["splits_base"],
        layout=as_json({"split_format": formats.SPLIT}),
    message:
        "Fetching the published split of {wildcards.task} from {params.base}"
    shell:
        "python -m fgclep.stages.fetch_split "
        "--task-file {input.task:q} "
        "--base {params.base:q} "
        "--settings {params.settings:q} "
        "--output {output.split:q} "
        "--log {log:q}"


rule evaluate_zero_shot:
    input:
        model="results/models/{model}",
        tasks=TASK_FILES,
        embeddings=embeddings_of_tasks,
        splits=splits_of(TASKS),
        prompts="results/evaluation/prompts.parquet",
    output:
        metrics="results/evaluation/zero_shot/{model}.csv",
        scores="results/evaluation/scores/zero_shot/{model}.parquet",
    log:
        "results/logs/evaluate_zero_shot/{model}.log",
    benchmark:
        "results/benchmarks/evaluate_zero_shot/{model}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(8000 if CONFIG["pretraining"]["alignment"] == "attention" else 4000),
        runtime=growing(60),
    params:
        **settings(ZeroShotSettings.of(SETTINGS.evaluation, seed=SETTINGS.seed)),
        content=contents(*TASK_FILES),
        code=source_digest("fgclep.stages.evaluate_zero_shot"),
    message:
        "Zero-shot evaluation of {wildcards.model}"
    shell:
        "python -m fgclep.stages.evaluate_zero_shot "
        "--model {wildcards.model:q} "
        "--model-dir {input.model:q} "
        "--task-files {input.tasks:q} "
        "--embeddings {input.embeddings:q} "
        "--splits {input.splits:q} "
        "--prompts {input.prompts:q} "
        "--settings {params.settings:q} "
        "--output {output.metrics:q} "
        "--scores {output.scores:q} "
        "--log {log:q}"


rule evaluate_linear_probe:
    input:
        tasks=TASK_FILES,
        embeddings=embeddings_of_tasks,
        splits=splits_of(TASKS),
        vocabulary=VOCABULARY,
    output:
        metrics="results/evaluation/linear_probe/{model}.csv",
        scores="results/evaluation/scores/linear_probe/{model}.parquet",
    log:
        "results/logs/evaluate_linear_probe/{model}.log",
    benchmark:
        "results/benchmarks/evaluate_linear_probe/{model}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=growing(240),
    params:
        **settings(ProbeSettings.of(SETTINGS.evaluation, seed=SETTINGS.seed)),
        content=contents(*VOCABULARY, *TASK_FILES),
        code=source_digest("fgclep.stages.evaluate_linear_probe"),
    message:
        "Linear probes of {wildcards.model}"
    shell:
        "python -m fgclep.stages.evaluate_linear_probe "
        "--model {wildcards.model:q} "
        "--task-files {input.tasks:q} "
        "--embeddings {input.embeddings:q} "
        "--splits {input.splits:q} "
        "--vocabulary resources/vocabulary "
        "--settings {params.settings:q} "
        "--output {output.metrics:q} "
        "--scores {output.scores:q} "
        "--log {log:q}"


rule evaluate_retrieval:
    input:
        model="results/models/{model}",
        shards=shards_of(PRETRAINING_SOURCES),
        texts="results/reports/texts.parquet",
        reports="results/reports/reports.parquet",
    output:
        metrics="results/evaluation/retrieval/{model}.csv",
        retrieved="results/evaluation/retrieved/{model}.parquet",
    log:
        "results/logs/evaluate_retrieval/{model}.log",
    benchmark:
        "results/benchmarks/evaluate_retrieval/{model}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
        runtime=growing(60),
        gpu=int(CONFIG["pretraining"]["device"] == "cuda"),
    params:
        **settings(RetrievalSettings.of(SETTINGS.evaluation, **dict(INFERENCE), seed=SETTINGS.seed)),
        code=source_digest("fgclep.stages.evaluate_retrieval"),
    message:
        "Retrieval between ECGs and reports by {wildcards.model}"
    shell:
        "python -m fgclep.stages.evaluate_retrieval "
        "--model {wildcards.model:q} "
        "--model-dir {input.model:q} "
        "--shards {input.shards:q} "
        "--texts {input.texts:q} "
        "--reports {input.reports:q} "
        "--settings {params.settings:q} "
        "--output {output.metrics:q} "
        "--retrieved {output.retrieved:q} "
        "--log {log:q}"


rule compare_models:
    input:
        scores=scores(),
    output:
        comparisons="results/evaluation/comparisons.csv",
    log:
        "results/logs/compare_models.log",
    benchmark:
        "results/benchmarks/compare_models.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        **settings(ComparisonSettings.of(SETTINGS.evaluation, seed=SETTINGS.seed)),
        code=source_digest("fgclep.stages.compare_models"),
    message:
        "Comparing the models"
    shell:
        "python -m fgclep.stages.compare_models "
        "--scores {input.scores:q} "
        "--settings {params.settings:q} "
        "--output {output.comparisons:q} "
        "--log {log:q}"


rule collect_metrics:
    input:
        tables=evaluations(),
    output:
        metrics=report("results/evaluation/metrics.csv", category="Metrics", caption="../report/metrics.rst"),
    log:
        "results/logs/collect_metrics.log",
    benchmark:
        "results/benchmarks/collect_metrics.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        code=source_digest("fgclep.stages.collect_metrics"),
    message:
        "Collecting the metrics"
    shell:
        "python -m fgclep.stages.collect_metrics "
        "--inputs {input.tables:q} "
        "--output {output.metrics:q} "
        "--log {log:q}"
