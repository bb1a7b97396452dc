# Files and settings that depend on the source, the model or the task.


def base(source):
    return SETTINGS.data.base_of(source)


def version(source):
    return CONFIG["data"]["sources"][source]["version"] or ""


def chunks(source):
    return range(CONFIG["data"]["sources"].get(source, {"chunks": 0})["chunks"])


def downloads(wildcards):
    """Jobs that use the network count against the resource ``downloads``; folders are read without limit."""
    return int("://" in base(wildcards.source))


def files_rate(source):
    """Rate of the files to take of a source; null where these are the files that it has by default."""
    chosen = SETTINGS.data.source(source)
    return None if chosen.folder == get_source(source).folder else CONFIG["data"]["sources"][source]["sampling_rate"]


def records_settings(wildcards):
    """Settings of the fetching of a source's records."""
    section = SETTINGS.data.sources[wildcards.source]
    rate = files_rate(wildcards.source)
    return RecordsSettings.of(
        SETTINGS.data.transfer, sampling_rate=rate, limit=section.limit, in_place=section.in_place
    )


def manifest_settings(wildcards):
    """Settings of the list of a source's records."""
    test_fold = SETTINGS.data.source(wildcards.source).test_fold
    limit = SETTINGS.data.sources[wildcards.source].limit
    return ManifestSettings(sampling_rate=files_rate(wildcards.source), test_fold=test_fold, limit=limit)


def shard_settings(wildcards):
    """Settings of the conversion of a source's records."""
    return ShardSettings.of(SETTINGS.quality, sampling_rate=files_rate(wildcards.source))


def is_simulated(source):
    return SETTINGS.data.is_simulated(source)


def simulated_database(wildcards):
    """Return the folder of a simulated database, which the simulation must fill first; no input for any other base."""
    source = wildcards.source
    return f"{SIMULATION}/{SLUGS[source]}/{version(source)}" if is_simulated(source) else []


def database_settings(wildcards):
    """Settings of a simulated database, with the number of its own records alone."""
    source = SOURCE_OF_SLUG[wildcards.slug]
    records = {source: SETTINGS.simulation.records[source]}
    return DatabaseSettings.of(SETTINGS.simulation, records=records, seed=SETTINGS.seed)


def own_tables(source):
    """Tables in a folder of the user's own, so that Snakemake sees them change; none for a database."""
    database = get_source(source)
    return [f"{base(source)}/{table}" for table in database.tables] if database.is_own_folder else []


def metadata_of_source(wildcards):
    """Folder of a source's lists and tables; a streamed one has none."""
    return [] if is_streamed(wildcards.source) else f"resources/physionet/{wildcards.source}/metadata"


def tables_of_own_folder(wildcards):
    return own_tables(wildcards.source)


def layout_of_metadata(wildcards):
    """The number of the layout, and for a folder of the user's own the content of its tables: see ``contents``."""
    own = own_tables(wildcards.source)
    return as_json({"metadata_format": formats.METADATA, **(json.loads(contents(*own)) if own else {})})


for source in SOURCES:
    for table in own_tables(source):
        if not Path(table).exists():
            raise WorkflowError(
                f"config: data.sources.{source}: {table} does not exist; docs/own-data.md shows how to write it"
            )


def is_streamed(source):
    """Whether a source is simulated straight into its shards, without files to fetch."""
    return get_source(source).streamed


def streamed_numbers(wildcards):
    """Numbers of a chunk's recordings; a chunk whose numbers stay is not simulated again."""
    return numbers_of(int(wildcards.chunk), len(chunks(STREAMED)), CONFIG["simulation"]["records"][STREAMED])


def truths_of(source):
    """Tables of what is true of a simulated source: one per chunk, or one per database."""
    if is_streamed(source):
        return [f"results/simulation/truth/{source}/{chunk}.parquet" for chunk in chunks(source)]
    return [f"results/simulation/truth/{SLUGS[source]}/{version(source)}.parquet"]


def simulated_truths():
    return [truth for source in SOURCES if is_simulated(source) for truth in truths_of(source)]


def pretraining_truths():
    return [truth for source in PRETRAINING_SOURCES if is_simulated(source) for truth in truths_of(source)]


def truth_of_the_pretraining_sources():
    return ["results/simulation/truth.parquet"] if pretraining_truths() else []


def shards_of(sources):
    return [f"results/shards/{source}/{chunk}.parquet" for source in sources for chunk in chunks(source)]


def shards_of_source(wildcards):
    return shards_of([wildcards.source])


def quarantine_tables():
    """Tables of unusable records of every source in use, in the order of the stages."""
    folders = {source: f"results/quarantine/{source}" for source in SOURCES if not is_streamed(source)}
    manifests = [f"{folder}/manifest.parquet" for folder in folders.values()]
    per_chunk = [
        f"{folder}/{stage}-{chunk}.parquet"
        for stage in ("fetch", "shards")
        for source, folder in folders.items()
        for chunk in chunks(source)
    ]
    return [*manifests, *per_chunk, "results/quarantine/reports.parquet"]


def evaluations():
    """Tables of metrics: zero-shot and retrieval need a text tower that was trained, probes do not."""
    by_text = expand("results/evaluation/{protocol}/{model}.csv", protocol=["zero_shot", "retrieval"], model=TRAINED)
    return [*by_text, *expand("results/evaluation/linear_probe/{model}.csv", model=PROBED)]


def scores():
    """Tables of what the models scored on the test records."""
    zero_shot = expand("results/evaluation/scores/zero_shot/{model}.parquet", model=TRAINED)
    return [*zero_shot, *expand("results/evaluation/scores/linear_probe/{model}.parquet", model=PROBED)]


def pretraining(wildcards):
    """Settings of the training of a model."""
    section, seeded = SETTINGS.pretraining, dict(signal=SETTINGS.signal, seed=SETTINGS.seed)
    if wildcards.name == "fine":
        return TrainingSettings.of(section, epochs=section.fine_epochs, **seeded)
    folds = len(FOLDS) if "fold" in wildcards.name else 1
    return TrainingSettings.of(section, epochs=section.coarse_epochs, folds=folds, **seeded)


def training_launcher():
    """Python, or torchrun where several processes train together; "--" keeps it from taking --log for its own."""
    processes = CONFIG["pretraining"]["processes"]
    return "python -m" if processes == 1 else f"torchrun --standalone --nproc-per-node {processes} -m --"


INFERENCE = InferenceSettings.of(SETTINGS.pretraining, threads=1, workers=1, signal=SETTINGS.signal)


def embedding(wildcards):
    """Settings of an embedding."""
    is_random = wildcards.model == "random"
    return EmbeddingSettings.of(SETTINGS.pretraining, **dict(INFERENCE), random=is_random, seed=SETTINGS.seed)


def pretraining_reports(wildcards):
    return AUGMENTED_REPORTS if wildcards.name == "fine" else "results/reports/reports.parquet"


def labels_of(features):
    """Table of the features that are absent; only this kind of features says so."""
    return ["results/recovery/labels.parquet"] if features == "labelled" else []


def pretraining_labels(wildcards):
    return labels_of(SETTINGS.verification.features) if wildcards.name == "fine" else []


START = SETTINGS.pretraining.start_from


def pretraining_start(wildcards):
    """The model of this run that a training goes on from; what ``start_from`` names is made by no rule."""
    return "results/models/coarse" if wildcards.name == "fine" else []


def start_compared(start, taken):
    """What Snakemake compares of models that the config names for a training, of which it knows no file.

    ``start`` gives the model of this run that a training goes on from, and ``taken`` the settings of the training.
    Snakemake compares no function of the inputs.
    """

    def compared(wildcards):
        if start(wildcards):
            named = {}
        elif START:
            named = {"pretraining.start_from": model_digest(START)}
        else:
            named = encoder_compared("pretraining.text_encoder.name", taken(wildcards).text_encoder.name)
        return as_json({"content of": named} if named else {})

    return compared


def encoder_compared(key, name):
    """Digest of a text encoder by the config's key of it; none for one that is in no folder, or made here."""
    digest = None if name == "scratch" else encoder_digest(name)
    return {key: digest} if digest else {}


def training_options(wildcards, input):
    """Command-line options that not every training has."""
    start = input.start or START
    _, is_fold, fold = wildcards.name.partition("-fold")
    return [
        *(["--start-from", start] if start else []),
        *(["--labels", *input.labels] if input.labels else []),
        *(["--hold-out-fold", fold] if is_fold else []),
    ]


READER = SETTINGS.verification.reader


def reader_scores():
    """Scores by the reader of the filter: of the folds, each by its coarse model, or of the sources, by one model."""
    parts = {"none": [], "coarse": [f"fold{fold}" for fold in FOLDS], "simulated": PRETRAINING_SOURCES}[READER]
    return expand("results/recovery/scores/{part}.parquet", part=parts)


def reader_exam():
    """What a reader trained on simulation may judge; a fixed threshold asks for no exam."""
    is_examined = READER == "simulated" and SETTINGS.verification.threshold is None
    return ["results/recovery/exam.parquet"] if is_examined else []


def coarse_reader(wildcards):
    """The coarse model that has not seen a fold; another reader is made by no rule."""
    return f"results/models/coarse-{wildcards.part}" if READER == "coarse" else []


def shards_to_score(wildcards):
    return shards_of(PRETRAINING_SOURCES if READER == "coarse" else [wildcards.part])


def reader_options(wildcards, input):
    """Command-line options that say who reads which records."""
    if READER == "coarse":
        return ["--model", input.model, "--fold", wildcards.part.removeprefix("fold"), "--folds", str(len(FOLDS))]
    return ["--model", SETTINGS.verification.reader_model]


def reader_compared(wildcards):
    """What Snakemake compares of a reader beside its inputs, as it compares no options that name one."""
    if READER == "coarse":
        return as_json({"folds": len(FOLDS)})
    return as_json({"content of": {"verification.reader_model": model_digest(SETTINGS.verification.reader_model)}})


def embedding_model(wildcards):
    return [] if wildcards.model == "random" else f"results/models/{wildcards.model}"


def embedding_options(wildcards):
    return [] if wildcards.model == "random" else ["--model", f"results/models/{wildcards.model}"]


def embeddings_of_tasks(wildcards):
    return [f"results/embeddings/{wildcards.model}/{source}.parquet" for source in SOURCE_OF_TASK.values()]


def splits_of(tasks):
    """Published splits of those tasks whose files name one."""
    return [f"resources/splits/{task}.parquet" for task in tasks if TASKS[task].split]


def attention_of_the_examples():
    """Where the fine model looks, which only one with alignment: attention can tell."""
    return ["results/attention.parquet"] if CONFIG["pretraining"]["alignment"] == "attention" else []


def report_options(ablation=None):
    """Command-line options that not every run has."""
    optional = {"--attention": attention_of_the_examples(), "--truth": truth_of_the_pretraining_sources()}
    options = [word for option, files in optional.items() if files for word in (option, *files)]
    return [*options, "--ablation", ablation] if ablation else options


def templates(*names):
    return [f"workflow/fgclep/report/templates/{name}" for name in names]


CHANGED_VARIANTS = [name for name, changes in CONFIG["ablation"]["variants"].items() if changes is not None]
VARIANTS = [REFERENCE, *sorted(CHANGED_VARIANTS)]
SECTIONS_OF_VARIANT = {name: SETTINGS.variant(name) for name in VARIANTS}
SEEDS = range(CONFIG["seed"], CONFIG["seed"] + CONFIG["ablation"]["seeds"])
# evaluated, with the coarse models of every seed, from which the variants of that seed start
RUNS = {f"{variant}-{seed}": (variant, seed) for variant in (COARSE, *VARIANTS) for seed in SEEDS}


def coarse_stage(variant):
    """What the coarse stage of a variant is trained with: settings of pretraining and similarity."""
    own = SECTIONS_OF_VARIANT[variant if SECTIONS_OF_VARIANT[variant].throughout else REFERENCE]
    return own.pretraining.model_dump(exclude={"fine_epochs"}), own.similarity


def coarse_of(variant):
    """Name of the coarse stage that a variant starts from; variants with the same settings of it share one."""
    owner = next(name for name in VARIANTS if coarse_stage(name) == coarse_stage(variant))
    return COARSE if owner == REFERENCE else f"{COARSE}-{owner}"


# variant and seed of the coarse stages that variants have of their own, which are not evaluated
OWN_COARSE = {
    f"{coarse_of(variant)}-{seed}": (coarse_of(variant).removeprefix(f"{COARSE}-"), seed)
    for variant in VARIANTS
    for seed in SEEDS
    if coarse_of(variant) != COARSE
}


def variant_training(wildcards):
    """Variant, seed, and whether the training is a coarse stage."""
    if wildcards.name in OWN_COARSE:
        return *OWN_COARSE[wildcards.name], True
    variant, seed = RUNS[wildcards.name]
    return (REFERENCE, seed, True) if variant == COARSE else (variant, seed, False)


def variant_reports(wildcards):
    variant, _, is_coarse = variant_training(wildcards)
    if is_coarse:
        return "results/reports/reports.parquet"
    return f"results/recovery/reports/{SECTIONS_OF_VARIANT[variant].verification.features}.parquet"


def variant_labels(wildcards):
    variant, _, is_coarse = variant_training(wildcards)
    return [] if is_coarse else labels_of(SECTIONS_OF_VARIANT[variant].verification.features)


def variant_similarity(wildcards):
    variant, _, _ = variant_training(wildcards)
    if SECTIONS_OF_VARIANT[variant].similarity == SETTINGS.similarity:
        return "results/similarity/matrix"
    return f"results/ablation/similarity/{variant}/matrix"


def variant_start(wildcards):
    variant, seed, is_coarse = variant_training(wildcards)
    return [] if is_coarse else f"results/ablation/models/{coarse_of(variant)}-{seed}"


def variant_pretraining(wildcards):
    """Settings of one training of the ablation."""
    variant, seed, is_coarse = variant_training(wildcards)
    section = SECTIONS_OF_VARIANT[variant].pretraining
    epochs = section.coarse_epochs if is_coarse else section.fine_epochs
    return TrainingSettings.of(section, epochs=epochs, signal=SETTINGS.signal, seed=seed)


def variant_similarity_settings(wildcards):
    """Settings of the similarity of a variant."""
    return SimilaritySettings.of(SECTIONS_OF_VARIANT[wildcards.variant].similarity, seed=SETTINGS.seed)


def similarity_compared(section):
    """What Snakemake compares of a similarity beside its settings: the vocabulary, and an encoder in a folder."""
    compared = json.loads(contents(*VOCABULARY))
    if section.source in ("encoder", "raw") and section.encoder != TEXT_TOWER:
        compared["content of"] |= encoder_compared("similarity.encoder", section.encoder)
    return as_json(compared)


def variant_evaluation(wildcards):
    """Settings of the evaluation of one training of the ablation."""
    _, seed = RUNS[wildcards.name]
    prompts = [kind for kind in SETTINGS.evaluation.prompts if kind != "names"] or SETTINGS.evaluation.prompts
    return VariantSettings.of(SETTINGS.evaluation, **dict(INFERENCE), prompts=prompts, seed=seed)


def text_tower_of_variant(wildcards):
    """The encoder of the variant's similarity, where it is the one that this workflow makes."""
    own = SECTIONS_OF_VARIANT[wildcards.variant].similarity
    return [TEXT_TOWER] if own.source in ("encoder", "raw") and own.encoder == TEXT_TOWER else []
