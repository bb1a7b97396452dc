rule recover_features:
    input:
        texts="results/reports/texts.parquet",
        vocabulary=VOCABULARY,
        prompts=PROMPTS,
    output:
        candidates="results/recovery/candidates.parquet",
        cost="results/recovery/cost.json",
    log:
        "results/logs/recover_features.log",
    benchmark:
        "results/benchmarks/recover_features.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=growing(1440),
    params:
        **settings(SETTINGS.recovery),
        backend=SETTINGS.recovery.backend,
        content=contents(*VOCABULARY, *PROMPTS),
        code=source_digest("fgclep.stages.recover_features"),
    message:
        "Recovering waveform features of the statements (backend: {params.backend})"
    shell:
        "python -m fgclep.stages.recover_features "
        "--texts {input.texts:q} "
        "--vocabulary resources/vocabulary "
        "--prompts resources/prompts "
        "--settings {params.settings:q} "
        "--output {output.candidates:q} "
        "--cost {output.cost:q} "
        "--log {log:q}"
