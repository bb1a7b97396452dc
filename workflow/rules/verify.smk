rule score_candidates:
    input:
        model=coarse_reader,
        shards=shards_to_score,
        vocabulary=VOCABULARY,
    output:
        scores="results/recovery/scores/{part}.parquet",
    log:
        "results/logs/score_candidates/{part}.log",
    benchmark:
        "results/benchmarks/score_candidates/{part}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
        runtime=growing(240),
        gpu=int(CONFIG["pretraining"]["device"] == "cuda"),
    params:
        **settings(ReaderSettings.of(INFERENCE)),
        options=reader_options,
        reader=reader_compared,
        content=contents(*VOCABULARY),
        code=source_digest("fgclep.stages.score_candidates"),
    message:
        "Scoring the features of the records of {wildcards.part} with a model that has not seen its patients"
    shell:
        "python -m fgclep.stages.score_candidates "
        "{params.options:q} "
        "--shards {input.shards:q} "
        "--vocabulary resources/vocabulary "
        "--settings {params.settings:q} "
        "--output {output.scores:q} "
        "--log {log:q}"


rule examine_reader:
    input:
        vocabulary=VOCABULARY,
    output:
        exam="results/recovery/exam.parquet",
    log:
        "results/logs/examine_reader.log",
    benchmark:
        "results/benchmarks/examine_reader.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
        runtime=growing(60),
        gpu=int(CONFIG["pretraining"]["device"] == "cuda"),
    params:
        **settings(ExamSettings.of(INFERENCE, target_fdr=SETTINGS.verification.target_fdr)),
        model=SETTINGS.verification.reader_model,
        reader=reader_compared,
        content=contents(*VOCABULARY),
        code=source_digest("fgclep.stages.examine_reader"),
    message:
        "Examining the reader on simulated ECGs"
    shell:
        "python -m fgclep.stages.examine_reader "
        "--model {params.model:q} "
        "--vocabulary resources/vocabulary "
        "--settings {params.settings:q} "
        "--output {output.exam:q} "
        "--log {log:q}"


rule verify_features:
    input:
        candidates="results/recovery/candidates.parquet",
        texts="results/reports/texts.parquet",
        reports="results/reports/reports.parquet",
        measurements=expand("results/measurements/{source}.parquet", source=PRETRAINING_SOURCES),
        manifests=expand("results/manifest/{source}.parquet", source=PRETRAINING_SOURCES),
        scores=reader_scores(),
        exam=reader_exam(),
        vocabulary=VOCABULARY,
    output:
        audit="results/recovery/audit.parquet",
    log:
        "results/logs/verify_features.log",
    benchmark:
        "results/benchmarks/verify_features.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        **settings(ChecksSection.of(SETTINGS.verification)),
        content=contents(*VOCABULARY),
        code=source_digest("fgclep.stages.verify_features"),
    message:
        "Checking the recovered features against each ECG"
    shell:
        "python -m fgclep.stages.verify_features "
        "--candidates {input.candidates:q} "
        "--texts {input.texts:q} "
        "--reports {input.reports:q} "
        "--measurements {input.measurements:q} "
        "--manifests {input.manifests:q} "
        "--scores {input.scores:q} "
        "--exam {input.exam:q} "
        "--vocabulary resources/vocabulary "
        "--settings {params.settings:q} "
        "--output {output.audit:q} "
        "--log {log:q}"


rule augment_reports:
    input:
        audit="results/recovery/audit.parquet",
        texts="results/reports/texts.parquet",
        reports="results/reports/reports.parquet",
        vocabulary=VOCABULARY,
    output:
        reports="results/recovery/reports/{features}.parquet",
    log:
        "results/logs/augment_reports/{features}.log",
    benchmark:
        "results/benchmarks/augment_reports/{features}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
        runtime=growing(60),
    params:
        **settings(Seeded(seed=SETTINGS.seed)),
        content=contents(*VOCABULARY),
        code=source_digest("fgclep.stages.augment_reports"),
    message:
        "Adding features to the reports ({wildcards.features})"
    shell:
        "python -m fgclep.stages.augment_reports "
        "--features {wildcards.features:q} "
        "--audit {input.audit:q} "
        "--texts {input.texts:q} "
        "--reports {input.reports:q} "
        "--vocabulary resources/vocabulary "
        "--settings {params.settings:q} "
        "--output {output.reports:q} "
        "--log {log:q}"


rule augment_with_truth:
    input:
        truths=pretraining_truths(),
        texts="results/reports/texts.parquet",
        reports="results/reports/reports.parquet",
        vocabulary=VOCABULARY,
    output:
        reports="results/recovery/reports/truth.parquet",
    log:
        "results/logs/augment_with_truth.log",
    benchmark:
        "results/benchmarks/augment_with_truth.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
        runtime=growing(60),
    params:
        content=contents(*VOCABULARY),
        code=source_digest("fgclep.stages.augment_with_truth"),
    message:
        "Adding the features that are true to the reports"
    shell:
        "python -m fgclep.stages.augment_with_truth "
        "--truths {input.truths:q} "
        "--texts {input.texts:q} "
        "--reports {input.reports:q} "
        "--vocabulary resources/vocabulary "
        "--output {output.reports:q} "
        "--log {log:q}"


rule label_features:
    input:
        audit="results/recovery/audit.parquet",
        texts="results/reports/texts.parquet",
        reports="results/reports/reports.parquet",
        measurements=expand("results/measurements/{source}.parquet", source=PRETRAINING_SOURCES),
        vocabulary=VOCABULARY,
    output:
        labels="results/recovery/labels.parquet",
        reports="results/recovery/reports/labelled.parquet",
    log:
        "results/logs/label_features.log",
    benchmark:
        "results/benchmarks/label_features.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        content=contents(*VOCABULARY),
        code=source_digest("fgclep.stages.label_features"),
    message:
        "Telling which features are present, absent or unknown"
    shell:
        "python -m fgclep.stages.label_features "
        "--audit {input.audit:q} "
        "--texts {input.texts:q} "
        "--reports {input.reports:q} "
        "--measurements {input.measurements:q} "
        "--vocabulary resources/vocabulary "
        "--output {output.labels:q} "
        "--labelled {output.reports:q} "
        "--log {log:q}"
