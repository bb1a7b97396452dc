rule render_report:
    input:
        metrics="results/evaluation/metrics.csv",
        quarantine="results/quarantine.parquet",
        manifests=expand("results/manifest/{source}.parquet", source=SOURCES),
        shards=shards_of(SOURCES),
        texts="results/reports/texts.parquet",
        reports="results/reports/reports.parquet",
        fine_reports=AUGMENTED_REPORTS,
        candidates="results/recovery/candidates.parquet",
        audit="results/recovery/audit.parquet",
        measurements=expand("results/measurements/{source}.parquet", source=PRETRAINING_SOURCES),
        similarity_summary="results/similarity/summary.json",
        models=["results/models/coarse", "results/models/fine"],
        vocabulary=VOCABULARY,
        templates=templates("report.html.j2", "script.js.j2", "style.css"),
    output:
        report="results/report.html",
    log:
        "results/logs/render_report.log",
    benchmark:
        "results/benchmarks/render_report.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        training=["results/models/coarse/training.csv", "results/models/fine/training.csv"],
        config_json=settings(CONFIG),
        settings=settings(without(CONFIG["report"], "review")),
        code=source_digest("fgclep.stages.render_report"),
    message:
        "Rendering the report"
    shell:
        "python -m fgclep.stages.render_report "
        "--metrics {input.metrics:q} "
        "--quarantine {input.quarantine:q} "
        "--manifests {input.manifests:q} "
        "--shards {input.shards:q} "
        "--texts {input.texts:q} "
        "--reports {input.reports:q} "
        "--fine-reports {input.fine_reports:q} "
        "--candidates {input.candidates:q} "
        "--audit {input.audit:q} "
        "--measurements {input.measurements:q} "
        "--similarity-summary {input.similarity_summary:q} "
        "--training {params.training:q} "
        "--config-json {params.config_json:q} "
        "--vocabulary resources/vocabulary "
        "--settings {params.settings:q} "
        "--output {output.report:q} "
        "--log {log:q}"


rule render_review:
    input:
        audit="results/recovery/audit.parquet",
        manifests=expand("results/manifest/{source}.parquet", source=PRETRAINING_SOURCES),
        shards=shards_of(PRETRAINING_SOURCES),
        measurements=expand("results/measurements/{source}.parquet", source=PRETRAINING_SOURCES),
        vocabulary=VOCABULARY,
        templates=templates("review.html.j2", "review.js", "review.css", "style.css"),
    output:
        review="results/review.html",
    log:
        "results/logs/render_review.log",
    benchmark:
        "results/benchmarks/render_review.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        simulated=[source for source in PRETRAINING_SOURCES if is_simulated(source)],
        settings=settings(only(CONFIG["report"], "review"), seed=CONFIG["seed"]),
        code=source_digest("fgclep.stages.render_review"),
    message:
        "Rendering the review sheet"
    shell:
        "python -m fgclep.stages.render_review "
        "--audit {input.audit:q} "
        "--manifests {input.manifests:q} "
        "--shards {input.shards:q} "
        "--measurements {input.measurements:q} "
        "--vocabulary resources/vocabulary "
        "--simulated {params.simulated:q} "
        "--settings {params.settings:q} "
        "--output {output.review:q} "
        "--log {log:q}"
