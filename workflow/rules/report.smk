REPORT_TEMPLATES = [
    f"report_{part}.html.j2"
    for part in (
        "macros",
        "summary",
        "data",
        "recovery",
        "examples",
        "similarity",
        "training",
        "tasks",
        "classes",
        "curves",
        "retrieval",
        "ablation",
        "end",
    )
]
REPORT_FILES = templates("report.html.j2", *REPORT_TEMPLATES, "script.js.j2", "style.css", "report.css")
REVIEW_FILES = templates("review.html.j2", "review.js", "review.css", "style.css")
FIGURES = FigureSettings.of(SETTINGS.report, prompts=SETTINGS.evaluation.prompts, variants={})
# What the report and the figures are made from.
REPORTED = dict(
    metrics="results/evaluation/metrics.csv",
    scores=scores(),
    comparisons="results/evaluation/comparisons.csv",
    retrieved="results/evaluation/retrieved/fine.parquet",
    quarantine="results/quarantine.parquet",
    manifests=expand("results/manifest/{source}.parquet", source=SOURCES),
    shards=shards_of(SOURCES),
    texts="results/reports/texts.parquet",
    reports="results/reports/reports.parquet",
    fine_reports=AUGMENTED_REPORTS,
    candidates="results/recovery/candidates.parquet",
    recovery_cost="results/recovery/cost.json",
    audit="results/recovery/audit.parquet",
    measurements=expand("results/measurements/{source}.parquet", source=PRETRAINING_SOURCES),
    similarity_summary="results/similarity/summary.json",
    models=["results/models/coarse", "results/models/fine"],
    attention=attention_of_the_examples(),
    truth=truth_of_the_pretraining_sources(),
    vocabulary=VOCABULARY,
)
REPORTED_OPTIONS = (
    "--metrics {input.metrics:q} "
    "--scores {input.scores:q} "
    "--comparisons {input.comparisons:q} "
    "--retrieved {input.retrieved:q} "
    "--quarantine {input.quarantine:q} "
    "--manifests {input.manifests:q} "
    "--shards {input.shards:q} "
    "--texts {input.texts:q} "
    "--reports {input.reports:q} "
    "--fine-reports {input.fine_reports:q} "
    "--candidates {input.candidates:q} "
    "--recovery-cost {input.recovery_cost:q} "
    "--audit {input.audit:q} "
    "--measurements {input.measurements:q} "
    "--similarity-summary {input.similarity_summary:q} "
    "--models {input.models:q} "
    "--vocabulary resources/vocabulary "
    "--settings {params.settings:q} "
    "{params.options:q} "
    "--log {log:q} "
)


rule attend_examples:
    input:
        model="results/models/fine",
        audit="results/recovery/audit.parquet",
        shards=shards_of(PRETRAINING_SOURCES),
        texts="results/reports/texts.parquet",
        reports=AUGMENTED_REPORTS,
    output:
        attention="results/attention.parquet",
    log:
        "results/logs/attend_examples.log",
    benchmark:
        "results/benchmarks/attend_examples.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        **settings(AttentionSettings.of(SETTINGS.report)),
        code=source_digest("fgclep.stages.attend_examples"),
    message:
        "Finding where the model looks"
    shell:
        "python -m fgclep.stages.attend_examples "
        "--model-dir {input.model:q} "
        "--audit {input.audit:q} "
        "--shards {input.shards:q} "
        "--texts {input.texts:q} "
        "--reports {input.reports:q} "
        "--settings {params.settings:q} "
        "--output {output.attention:q} "
        "--log {log:q}"


rule render_report:
    input:
        **REPORTED,
        templates=REPORT_FILES,
    output:
        report=report("results/report.html", category="Report", caption="../report/report.rst"),
    log:
        "results/logs/render_report.log",
    benchmark:
        "results/benchmarks/render_report.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
        runtime=growing(30),
    params:
        **settings(ReportSettings.of(SETTINGS.report, prompts=SETTINGS.evaluation.prompts)),
        config_json=as_json(CONFIG),
        options=report_options(),
        content=contents(*VOCABULARY, *REPORT_FILES),
        code=source_digest("fgclep.stages.render_report"),
    message:
        "Rendering the report"
    shell:
        f"python -m fgclep.stages.render_report {REPORTED_OPTIONS}"
        "--config-json {params.config_json:q} "
        "--output {output.report:q}"


rule render_figures:
    input:
        **REPORTED,
    output:
        figures=report(
            directory("results/figures"), patterns=["{name}.svg"], category="Figures", caption="../report/figures.rst"
        ),
        tables=report(
            directory("results/tables"), patterns=["{name}.csv"], category="Tables", caption="../report/tables.rst"
        ),
    log:
        "results/logs/render_figures.log",
    benchmark:
        "results/benchmarks/render_figures.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
        runtime=growing(30),
    params:
        **settings(FIGURES),
        options=report_options(),
        content=contents(*VOCABULARY),
        code=source_digest("fgclep.stages.render_figures"),
    message:
        "Drawing the figures and writing the tables"
    shell:
        f"python -m fgclep.stages.render_figures {REPORTED_OPTIONS}"
        "--figures {output.figures:q} "
        "--tables {output.tables:q}"


rule render_review:
    input:
        audit="results/recovery/audit.parquet",
        manifests=expand("results/manifest/{source}.parquet", source=PRETRAINING_SOURCES),
        shards=shards_of(PRETRAINING_SOURCES),
        measurements=expand("results/measurements/{source}.parquet", source=PRETRAINING_SOURCES),
        vocabulary=VOCABULARY,
        templates=REVIEW_FILES,
    output:
        review="results/review.html",
    log:
        "results/logs/render_review.log",
    benchmark:
        "results/benchmarks/render_review.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        **settings(ReviewSettings.of(SETTINGS.report, seed=SETTINGS.seed)),
        simulated=[source for source in PRETRAINING_SOURCES if is_simulated(source)],
        content=contents(*VOCABULARY, *REVIEW_FILES),
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
