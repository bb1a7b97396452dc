PRETRAINING = SETTINGS.pretraining


rule pretrain:
    input:
        shards=shards_of(PRETRAINING_SOURCES),
        texts="results/reports/texts.parquet",
        reports=pretraining_reports,
        labels=pretraining_labels,
        similarity="results/similarity/matrix",
        start=pretraining_start,
    output:
        model=directory("results/models/{name}"),
    log:
        "results/logs/pretrain/{name}.log",
    benchmark:
        "results/benchmarks/pretrain/{name}.tsv"
    conda:
        ENVIRONMENT
    threads: PRETRAINING.processes * max(PRETRAINING.threads, PRETRAINING.workers)
    resources:
        mem_mb=growing(PRETRAINING.processes * (PRETRAINING.memory_mb + 2000)),
        runtime=1440,
        gpu=PRETRAINING.processes if PRETRAINING.device == "cuda" else 0,
    params:
        **settings(pretraining),
        # not an output, which Snakemake would delete before a run that continues an interrupted one
        options=training_options,
        start=start_compared(pretraining_start, pretraining),
        metrics=lambda wildcards: f"results/logs/training/{wildcards.name}",
        launcher=training_launcher(),
        code=source_digest("fgclep.stages.pretrain"),
    message:
        "Training the model {wildcards.name}"
    shell:
        "{params.launcher} fgclep.stages.pretrain "
        "--name {wildcards.name:q} "
        "--shards {input.shards:q} "
        "--texts {input.texts:q} "
        "--reports {input.reports:q} "
        "--similarity {input.similarity:q} "
        "--settings {params.settings:q} "
        "{params.options:q} "
        "--metrics {params.metrics:q} "
        "--output {output.model:q} "
        "--log {log:q}"
