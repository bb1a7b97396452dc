rule parse_reports:
    input:
        manifests=expand("results/manifest/{source}.parquet", source=PRETRAINING_SOURCES),
        vocabulary=VOCABULARY,
    output:
        texts="results/reports/texts.parquet",
        reports="results/reports/reports.parquet",
        quarantine="results/quarantine/reports.parquet",
    log:
        "results/logs/parse_reports.log",
    benchmark:
        "results/benchmarks/parse_reports.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        **settings(SETTINGS.reports),
        content=contents(*VOCABULARY),
        code=source_digest("fgclep.stages.parse_reports"),
    message:
        "Parsing the reports"
    shell:
        "python -m fgclep.stages.parse_reports "
        "--manifests {input.manifests:q} "
        "--vocabulary resources/vocabulary "
        "--settings {params.settings:q} "
        "--texts {output.texts:q} "
        "--reports {output.reports:q} "
        "--quarantine {output.quarantine:q} "
        "--log {log:q}"
