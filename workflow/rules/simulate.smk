rule simulate_physionet:
    input:
        vocabulary=VOCABULARY,
    output:
        database=directory("results/simulation/files/{slug}/{version}"),
        truth="results/simulation/truth/{slug}/{version}.parquet",
    log:
        "results/logs/simulate_physionet/{slug}-{version}.log",
    benchmark:
        "results/benchmarks/simulate_physionet/{slug}-{version}.tsv"
    conda:
        ENVIRONMENT
    threads: SETTINGS.simulation.workers
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        **settings(database_settings),
        source=lambda wildcards: SOURCE_OF_SLUG[wildcards.slug],
        # raw data like what is fetched, and fetched from here: the number of what is drawn stands for the code
        drawn=as_json({"simulation_version": SIMULATION_VERSION}),
        content=contents(*VOCABULARY),
    message:
        "Simulating the database {wildcards.slug} {wildcards.version}"
    shell:
        "python -m fgclep.stages.simulate_physionet "
        "--source {params.source:q} "
        "--vocabulary resources/vocabulary "
        "--settings {params.settings:q} "
        "--output {output.database:q} "
        "--truth {output.truth:q} "
        "--log {log:q}"


rule simulate_chunk:
    input:
        vocabulary=VOCABULARY,
    output:
        shard=f"results/shards/{STREAMED}/{{chunk}}.parquet",
        manifest=f"results/simulation/manifest/{STREAMED}/{{chunk}}.parquet",
        truth=f"results/simulation/truth/{STREAMED}/{{chunk}}.parquet",
    log:
        "results/logs/simulate_chunk/{chunk}.log",
    benchmark:
        "results/benchmarks/simulate_chunk/{chunk}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=growing(240),
    params:
        **settings(RecordingSettings.of(SETTINGS.simulation, seed=SETTINGS.seed)),
        first=lambda wildcards: streamed_numbers(wildcards).start,
        stop=lambda wildcards: streamed_numbers(wildcards).stop,
        content=contents(*VOCABULARY),
        code=source_digest("fgclep.stages.simulate_chunk"),
    message:
        "Simulating chunk {wildcards.chunk}"
    shell:
        "python -m fgclep.stages.simulate_chunk "
        "--chunk {wildcards.chunk} "
        "--first {params.first} "
        "--stop {params.stop} "
        "--vocabulary resources/vocabulary "
        "--settings {params.settings:q} "
        "--shard {output.shard:q} "
        "--manifest {output.manifest:q} "
        "--truth {output.truth:q} "
        "--log {log:q}"


rule merge_manifest:
    input:
        manifests=expand(f"results/simulation/manifest/{STREAMED}/{{chunk}}.parquet", chunk=chunks(STREAMED)),
    output:
        manifest=f"results/manifest/{STREAMED}.parquet",
    log:
        "results/logs/merge_manifest.log",
    benchmark:
        "results/benchmarks/merge_manifest.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=source_digest("fgclep.stages.merge_tables"),
    message:
        "Joining the manifests of the simulated chunks"
    shell:
        "python -m fgclep.stages.merge_tables "
        "--schema manifest "
        "--inputs {input.manifests:q} "
        "--output {output.manifest:q} "
        "--log {log:q}"


# the workflow's other ways to a shard and a manifest start from files
ruleorder: simulate_chunk > build_shards
ruleorder: merge_manifest > build_manifest


rule merge_truth:
    input:
        truths=simulated_truths(),
    output:
        truth="results/simulation/truth.parquet",
    log:
        "results/logs/merge_truth.log",
    benchmark:
        "results/benchmarks/merge_truth.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        code=source_digest("fgclep.stages.merge_tables"),
    message:
        "Joining the truth about the simulated databases"
    shell:
        "python -m fgclep.stages.merge_tables "
        "--schema truth "
        "--inputs {input.truths:q} "
        "--output {output.truth:q} "
        "--log {log:q}"
