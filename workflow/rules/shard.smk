rule build_shards:
    input:
        manifest="results/manifest/{source}.parquet",
        archive="resources/physionet/{source}/{chunk}.tar",
        unavailable="results/quarantine/{source}/fetch-{chunk}.parquet",
    output:
        shard="results/shards/{source}/{chunk}.parquet",
        quarantine="results/quarantine/{source}/shards-{chunk}.parquet",
    log:
        "results/logs/build_shards/{source}-{chunk}.log",
    benchmark:
        "results/benchmarks/build_shards/{source}-{chunk}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        **settings(shard_settings),
        code=code("build_shards"),
    message:
        "Converting chunk {wildcards.chunk} of {wildcards.source}"
    shell:
        "python -m fgclep.stages.build_shards "
        "--source {wildcards.source:q} "
        "--manifest {input.manifest:q} "
        "--archive {input.archive:q} "
        "--unavailable {input.unavailable:q} "
        "--chunk {wildcards.chunk} "
        "--settings {params.settings:q} "
        "--output {output.shard:q} "
        "--quarantine {output.quarantine:q} "
        "--log {log:q}"


rule collect_quarantine:
    input:
        tables=quarantine_tables(),
    output:
        quarantine="results/quarantine.parquet",
    log:
        "results/logs/collect_quarantine.log",
    benchmark:
        "results/benchmarks/collect_quarantine.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=source_digest("fgclep.stages.collect_quarantine"),
    message:
        "Collecting the recordings that cannot be used"
    shell:
        "python -m fgclep.stages.collect_quarantine "
        "--inputs {input.tables:q} "
        "--output {output.quarantine:q} "
        "--log {log:q}"


rule describe_shards:
    input:
        shards=shards_of(SOURCES),
    output:
        croissant="results/shards/croissant.json",
    log:
        "results/logs/describe_shards.log",
    benchmark:
        "results/benchmarks/describe_shards.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=growing(30),
    params:
        simulated=[source for source in SOURCES if is_simulated(source)],
        code=source_digest("fgclep.stages.describe_shards"),
    message:
        "Describing the shards in Croissant"
    shell:
        "python -m fgclep.stages.describe_shards "
        "--shards {input.shards:q} "
        "--simulated {params.simulated:q} "
        "--output {output.croissant:q} "
        "--log {log:q}"
