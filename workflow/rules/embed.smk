rule embed_ecgs:
    input:
        model=embedding_model,
        shards=shards_of_source,
    output:
        embeddings="results/embeddings/{model}/{source}.parquet",
    log:
        "results/logs/embed_ecgs/{model}-{source}.log",
    benchmark:
        "results/benchmarks/embed_ecgs/{model}-{source}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=CONFIG["pretraining"]["memory_mb"] + 2000,
        runtime=240,
        gpu=int(CONFIG["pretraining"]["device"] == "cuda"),
    params:
        options=embedding_options,
        settings=lambda wildcards: settings(untrained() if wildcards.model == "random" else inference()),
        code=source_digest("fgclep.stages.embed_ecgs"),
    message:
        "Embedding the ECGs of {wildcards.source} (model: {wildcards.model})"
    shell:
        "python -m fgclep.stages.embed_ecgs "
        "{params.options:q} "
        "--source {wildcards.source:q} "
        "--shards {input.shards:q} "
        "--settings {params.settings:q} "
        "--output {output.embeddings:q} "
        "--log {log:q}"
