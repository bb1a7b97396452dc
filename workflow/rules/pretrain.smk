PRETRAINING = CONFIG["pretraining"]


rule pretrain:
    input:
        shards=shards_of(PRETRAINING_SOURCES),
        texts="results/reports/texts.parquet",
        reports=pretraining_reports,
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
    threads: max(PRETRAINING["threads"], PRETRAINING["workers"])
    resources:
        mem_mb=PRETRAINING["memory_mb"] + 2000,
        runtime=2880,
        gpu=int(PRETRAINING["device"] == "cuda"),
    params:
        options=pretraining_options,
        depends_on=lambda wildcards: settings(without(pretraining(wildcards.name), "checkpoint_seconds", "workers")),
        settings=lambda wildcards, threads: settings(pretraining(wildcards.name)),
        code=source_digest("fgclep.stages.pretrain"),
    message:
        "Training the model {wildcards.name}"
    shell:
        "python -m fgclep.stages.pretrain "
        "--name {wildcards.name:q} "
        "--shards {input.shards:q} "
        "--texts {input.texts:q} "
        "--reports {input.reports:q} "
        "--similarity {input.similarity:q} "
        "--settings {params.settings:q} "
        "{params.options:q} "
        "--output {output.model:q} "
        "--log {log:q}"
