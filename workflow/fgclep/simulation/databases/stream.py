"""Simulated recordings as rows of shards and manifests: without a database in files, each from its number alone."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from fgclep.folds import stable_bucket
from fgclep.language.vocabulary import Vocabulary
from fgclep.signals.encoding import encode_waveform
from fgclep.simulation.databases.databases import Plan, keep_freed_memory, make_signal
from fgclep.simulation.databases.reports import machine_report
from fgclep.simulation.heart.heart import SAMPLING_RATE

SOURCE = "simulated"
GAIN = 200.0  # ADC units per mV, as in MIMIC-IV-ECG


class Streamed(NamedTuple):
    """A recording by the schemas ``SHARD`` and ``MANIFEST``, and the features of the vocabulary that are true of it."""

    shard: dict[str, Any]
    manifest: dict[str, Any]
    features: tuple[str, ...]


def stream(
    numbers: range, chunk: int, seed: int, mention_rate: float, vocabulary: Vocabulary, prevalence: str
) -> Iterator[Streamed]:
    """Simulate the recordings of one chunk, one after the other.

    Parameters
    ----------
    numbers
        Of the recordings.
    chunk
        Which chunk they are, from 0; only the manifest says so.
    seed
        With the number of a recording it decides all that is drawn: a chunk does not depend on the others.
    mention_rate
        Share of the reports, 0 to 1, that mention waveform features.
    vocabulary
        Of diagnoses and features.
    prevalence
        How frequent findings are, a key of ``PREVALENCES``.
    """
    keep_freed_memory()
    for number in numbers:
        plan = Plan(SOURCE, seed, number, number, visit=0, repeated=False, damage=None, prevalence=prevalence)
        yield _recording(plan, chunk, mention_rate, vocabulary)


def _recording(plan: Plan, chunk: int, mention_rate: float, vocabulary: Vocabulary) -> Streamed:
    number = plan.number
    mains = 50.0 if number % 2 else 60.0
    patient, digital, truth, rng = make_signal(plan, vocabulary, GAIN, mains)
    name = f"{number:07d}"
    known = {
        "source": SOURCE,
        "record_id": name,
        "patient_id": name,
        "split": _split(name),
        "age": patient.age,
        "sex": patient.sex,
        "codes": [],
    }
    shard = {
        **known,
        "sampling_rate": SAMPLING_RATE,
        "n_samples": digital.shape[1],
        "gain": [GAIN] * 12,
        "baseline": [0] * 12,
        "waveform": encode_waveform(digital),
        "flags": [],
    }
    report = machine_report(truth, vocabulary, mention_rate, rng)
    return Streamed(shard, {**known, "path": name, "chunk": chunk, "report": report}, tuple(truth.features))


def _split(name: str) -> str:
    """Split by a hash: test (1/20), val (1/20), else train; what is simulated tests nothing that counts."""
    return {0: "test", 1: "val"}.get(stable_bucket(f"split/{name}", 20), "train")
