RECOVERY = CONFIG["recovery"]
SPEED_OF_RECOVERY = ["host", "concurrency", "timeout_seconds", "patience_seconds", "deadline_hours", "cache"]
# The table of the vocabulary knows neither model nor samples.
RECOVERY_OF_BACKEND = (
    only(RECOVERY, "backend") if RECOVERY["backend"] == "knowledge" else without(RECOVERY, *SPEED_OF_RECOVERY)
)


rule recover_features:
    input:
        texts="results/reports/texts.parquet",
        vocabulary=VOCABULARY,
        prompt="resources/prompts/recover.txt",
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
        backend=RECOVERY["backend"],
        depends_on=settings(RECOVERY_OF_BACKEND),
        settings=untracked(settings(RECOVERY)),
        code=source_digest("fgclep.stages.recover_features"),
    message:
        "Recovering waveform features of the statements (backend: {params.backend})"
    shell:
        "python -m fgclep.stages.recover_features "
        "--texts {input.texts:q} "
        "--vocabulary resources/vocabulary "
        "--prompt {input.prompt:q} "
        "--settings {params.settings:q} "
        "--output {output.candidates:q} "
        "--cost {output.cost:q} "
        "--log {log:q}"
