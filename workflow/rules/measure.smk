MEASUREMENT = SETTINGS.measurement


rule measure_waveforms:
    input:
        metadata=metadata_of_source,
        shards=shards_of_source,
    output:
        measurements="results/measurements/{source}.parquet",
    log:
        "results/logs/measure_waveforms/{source}.log",
    benchmark:
        "results/benchmarks/measure_waveforms/{source}.tsv"
    conda:
        ENVIRONMENT
    threads: MEASUREMENT.workers
    resources:
        mem_mb=growing(2000 + 500 * MEASUREMENT.workers),
        runtime=growing(480),
    params:
        **settings(MEASUREMENT),
        code=code("measure_waveforms"),
    message:
        "Measuring the waveforms of {wildcards.source}"
    shell:
        "python -m fgclep.stages.measure_waveforms "
        "--source {wildcards.source:q} "
        "--metadata {input.metadata:q} "
        "--shards {input.shards:q} "
        "--settings {params.settings:q} "
        "--output {output.measurements:q} "
        "--log {log:q}"
