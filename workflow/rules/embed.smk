rule embed_ecgs:
    input:
        model=embedding_model,
        shards=shards_of(EVALUATION_SOURCES),
    output:
        embeddings=expand("results/embeddings/{{model}}/{source}.parquet", source=EVALUATION_SOURCES),
    log:
        "results/logs/embed_ecgs/{model}.log",
    benchmark:
        "results/benchmarks/embed_ecgs/{model}.tsv"
    wildcard_constraints:
        model="coarse|fine|random",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
        runtime=growing(240),
        gpu=int(CONFIG["pretraining"]["device"] == "cuda"),
    params:
        **settings(embedding),
        options=embedding_options,
        code=source_digest("fgclep.stages.embed_ecgs"),
    message:
        "Embedding the ECGs of the tasks (model: {wildcards.model})"
    shell:
        "python -m fgclep.stages.embed_ecgs "
        "{params.options:q} "
        "--shards {input.shards:q} "
        "--settings {params.settings:q} "
        "--outputs {output.embeddings:q} "
        "--log {log:q}"


rule embed_measurements:
    input:
        shards=shards_of_source,
        measurements="results/measurements/{source}.parquet",
    output:
        embeddings="results/embeddings/measurements/{source}.parquet",
    log:
        "results/logs/embed_measurements/{source}.log",
    benchmark:
        "results/benchmarks/embed_measurements/{source}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=source_digest("fgclep.stages.embed_measurements"),
    message:
        "Collecting the measurements of {wildcards.source}"
    shell:
        "python -m fgclep.stages.embed_measurements "
        "--shards {input.shards:q} "
        "--measurements {input.measurements:q} "
        "--output {output.embeddings:q} "
        "--log {log:q}"


rule join_features:
    input:
        embeddings="results/embeddings/fine/{source}.parquet",
        measurements="results/embeddings/measurements/{source}.parquet",
    output:
        embeddings="results/embeddings/fine_measurements/{source}.parquet",
    log:
        "results/logs/join_features/{source}.log",
    benchmark:
        "results/benchmarks/join_features/{source}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        code=source_digest("fgclep.stages.join_features"),
    message:
        "Joining the features of the fine model with the measurements of {wildcards.source}"
    shell:
        "python -m fgclep.stages.join_features "
        "--embeddings {input.embeddings:q} "
        "--measurements {input.measurements:q} "
        "--output {output.embeddings:q} "
        "--log {log:q}"
