# What is fetched depends on no code, but on the number of its layout (fgclep.fetch.formats). A changed name of an input or
# an output, a changed shell command or another value among the params has all of it fetched again, as the number has.
CONNECTION = SETTINGS.data.transfer


rule fetch_metadata:
    input:
        database=simulated_database,
        tables=tables_of_own_folder,
    output:
        metadata=directory("resources/physionet/{source}/metadata"),
    log:
        "results/logs/fetch_metadata/{source}.log",
    benchmark:
        "results/benchmarks/fetch_metadata/{source}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=growing(60),
        downloads=downloads,
    params:
        **settings(CONNECTION),
        base=lambda wildcards: base(wildcards.source),
        version=lambda wildcards: version(wildcards.source),
        layout=layout_of_metadata,
    message:
        "Fetching the record list of {wildcards.source} from {params.base}"
    shell:
        "python -m fgclep.stages.fetch_metadata "
        "--source {wildcards.source:q} "
        "--base {params.base:q} "
        "--version={params.version:q} "
        "--settings {params.settings:q} "
        "--output {output.metadata:q} "
        "--log {log:q}"


rule build_manifest:
    input:
        metadata="resources/physionet/{source}/metadata",
    output:
        manifest="results/manifest/{source}.parquet",
        quarantine="results/quarantine/{source}/manifest.parquet",
    log:
        "results/logs/build_manifest/{source}.log",
    benchmark:
        "results/benchmarks/build_manifest/{source}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        **settings(manifest_settings),
        chunks=lambda wildcards: len(chunks(wildcards.source)),
        code=code("build_manifest"),
    message:
        "Listing the recordings of {wildcards.source}"
    shell:
        "python -m fgclep.stages.build_manifest "
        "--source {wildcards.source:q} "
        "--metadata {input.metadata:q} "
        "--chunks {params.chunks} "
        "--settings {params.settings:q} "
        "--output {output.manifest:q} "
        "--quarantine {output.quarantine:q} "
        "--log {log:q}"


rule fetch_records:
    input:
        database=simulated_database,
        metadata="resources/physionet/{source}/metadata",
    output:
        archive="resources/physionet/{source}/{chunk}.tar",
        quarantine="results/quarantine/{source}/fetch-{chunk}.parquet",
    log:
        "results/logs/fetch_records/{source}-{chunk}.log",
    benchmark:
        "results/benchmarks/fetch_records/{source}-{chunk}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=growing(120),
        downloads=downloads,
    params:
        **settings(records_settings),
        base=lambda wildcards: base(wildcards.source),
        version=lambda wildcards: version(wildcards.source),
        chunks=lambda wildcards: len(chunks(wildcards.source)),
        layout=as_json({"archive_format": formats.ARCHIVE}),
    message:
        "Fetching chunk {wildcards.chunk} of {wildcards.source} from {params.base}"
    shell:
        "python -m fgclep.stages.fetch_records "
        "--source {wildcards.source:q} "
        "--base {params.base:q} "
        "--version={params.version:q} "
        "--metadata {input.metadata:q} "
        "--chunk {wildcards.chunk} "
        "--chunks {params.chunks} "
        "--settings {params.settings:q} "
        "--output {output.archive:q} "
        "--quarantine {output.quarantine:q} "
        "--log {log:q}"
