rule build_similarity:
    input:
        texts="results/reports/texts.parquet",
        reports="results/reports/reports.parquet",
        vocabulary=VOCABULARY,
    output:
        similarity=directory("results/similarity/matrix"),
        summary="results/similarity/summary.json",
    log:
        "results/logs/build_similarity.log",
    benchmark:
        "results/benchmarks/build_similarity.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        **settings(SimilaritySettings.of(SETTINGS.similarity, seed=SETTINGS.seed)),
        content=similarity_compared(SETTINGS.similarity),
        code=source_digest("fgclep.stages.build_similarity"),
    message:
        "Computing the similarity between texts"
    shell:
        "python -m fgclep.stages.build_similarity "
        "--texts {input.texts:q} "
        "--reports {input.reports:q} "
        "--vocabulary resources/vocabulary "
        "--settings {params.settings:q} "
        "--output {output.similarity:q} "
        "--summary {output.summary:q} "
        "--log {log:q}"
