"""``fgclep predict``: what a model says of recordings."""

import argparse
import re
import sys
import textwrap
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from fgclep.commands.model import find_vocabulary, load_model, model_name
from fgclep.commands.output import RESEARCH_ONLY, WIDTH, Output, printable, say
from fgclep.errors import reason_of
from fgclep.evaluation.tasks import Task
from fgclep.inference.predict import Finding, Input, Questions
from fgclep.progress import progress
from fgclep.recordings.read import read_recording
from fgclep.signals.record import Record

MEASURED = {"supported": "yes", "likely": "rather yes", "unlikely": "rather no", "refuted": "no"}
FEATURES = 10
THREADS = 2  # that read: more of them wait for each other, as Python code takes turns


@dataclass(frozen=True)
class Recording:
    """One that was asked for: as read, or why it could not be."""

    name: str
    record: Record | None = None
    prepared: Input | None = None
    error: str = ""


class Remarks:
    """Tells what was noticed about recordings, the like of it once."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._alike: Counter[str] = Counter()

    def tell(self, name: str, remarks: Iterable[str]) -> None:
        """Say the remarks that differ from those before by more than their numbers."""
        for remark in remarks:
            kind = re.sub(r"\d[\d.,]*", "#", remark)
            if kind in self._first:
                self._alike[kind] += 1
            else:
                self._first[kind] = remark
                say(f"{name}: {remark}")

    def tell_how_often(self) -> None:
        """Say how many recordings more each remark is about."""
        for kind, count in self._alike.items():
            say(f"and {count:,} more like this: {self._first[kind]}")


def run(
    args: argparse.Namespace, named: Sequence[tuple[str, str]], options: dict, output: Output, task: Task | None
) -> None:
    """Write the probabilities of all recordings; those that cannot be used end the program with status 1.

    ``named`` are the recordings, and why one cannot be read, which has been said (``fgclep.commands.named``);
    ``options`` those of ``read_recording``; ``task`` is the one that is asked for.
    """
    most = args.features or (None if args.prompt or task else FEATURES)
    vocabulary = find_vocabulary() if most else None
    recordings = [Recording(name, error=error) for name, error in named]
    told = {name for name, error in named if error}
    questions = Questions(load_model(args.model), args.prompt, task, vocabulary, most or 0)
    for remark in (*questions.remarks, questions.on_probabilities()):
        say(remark)
    remarks, failed, predicted = Remarks(), 0, 0
    batch: list[Recording] = []

    def write_batch() -> None:
        nonlocal failed, predicted
        for recording, findings in _answered(batch, questions):
            if recording.record is None:
                failed += 1
                if recording.name not in told:
                    say(f"fgclep: {recording.name}: {recording.error}")
            else:
                predicted += 1
                remarks.tell(recording.name, recording.record.remarks)
            _write(output, recording, findings, questions)
        batch.clear()

    read = _read_ahead(recordings, lambda some: _read(some, questions, options), args.batch_size)
    for recording in progress(read, len(recordings), "predict", "ECG") if len(recordings) > 1 else read:
        batch.append(recording)
        if len(batch) == args.batch_size:
            write_batch()
    write_batch()
    output.close()
    remarks.tell_how_often()
    if failed and len(recordings) > 1:
        say(f"fgclep: {failed:,} of {len(recordings):,} recordings could not be used; the reasons stand above")
    if predicted:
        say(RESEARCH_ONLY)
    if failed:
        sys.exit(1)


def _read_ahead(
    recordings: Iterable[Recording], read: Callable[[Recording], Recording], ahead: int
) -> Iterator[Recording]:
    """Yield recordings in their order, read by threads that stay up to ``ahead`` of them before the one in use."""
    with ThreadPoolExecutor(THREADS) as threads:
        reading: deque[Future[Recording]] = deque()
        for recording in recordings:
            reading.append(threads.submit(read, recording))
            if len(reading) > ahead:
                yield reading.popleft().result()
        while reading:
            yield reading.popleft().result()


def _read(recording: Recording, questions: Questions, options: dict) -> Recording:
    if recording.error:
        return recording
    name = recording.name
    try:
        record = read_recording(name, **options)
        prepared = questions.prepare(record)
    except Exception as error:
        return Recording(name, error=reason_of(error, name))
    remarks = (*record.remarks, *questions.leads_remark(record), *questions.length_remark(record))
    return Recording(name, replace(record, remarks=remarks), prepared)


def _answered(batch: Sequence[Recording], questions: Questions) -> list[tuple[Recording, list[Finding]]]:
    """Answer the questions about a batch; if that fails, about each recording alone, to find the one that it is."""
    good = [(some.record, some.prepared) for some in batch if some.record and some.prepared]
    try:
        answers = iter(questions.answer(*zip(*good, strict=True)) if good else [])
        return [(recording, next(answers) if recording.record else []) for recording in batch]
    except Exception as error:
        if len(batch) > 1:
            return [answered for recording in batch for answered in _answered([recording], questions)]
        return [(Recording(batch[0].name, error=reason_of(error, batch[0].name)), [])]


def _write(output: Output, recording: Recording, findings: Sequence[Finding], questions: Questions) -> None:
    record = recording.record
    if record is None:
        output.error(recording.name, recording.error)
    elif output.form == "csv":
        output.rows(
            [
                {
                    "record": recording.name,
                    "kind": finding.kind,
                    "finding": finding.name,
                    "text": finding.text,
                    "probability": f"{finding.probability:.4f}",
                    "prevalence": None if finding.prevalence is None else f"{finding.prevalence:.4f}",
                    "measurement": finding.measurement,
                    "measured": finding.measured,
                    "model": model_name(questions.model),
                    "leads": " ".join(record.leads),
                }
                for finding in findings
            ]
        )
    elif output.form == "json":
        output.json(_json(recording.name, record, findings, questions))
    else:
        output.lines(_table(recording.name, record, findings, questions))


def _json(name: str, record: Record, findings: Sequence[Finding], questions: Questions) -> dict:
    row: dict = {
        "record": name,
        "sampling_rate": record.sampling_rate,
        "seconds": round(record.digital.shape[1] / record.sampling_rate, 3),
        "leads": list(record.leads),
        "notes": [*record.remarks, *questions.remarks],
        "model": model_name(questions.model),
    }
    prompts, classes, features = (
        [finding for finding in findings if finding.kind == kind] for kind in ("prompt", "class", "feature")
    )
    if prompts:
        row["probabilities"] = {finding.name: round(finding.probability, 4) for finding in prompts}
    if questions.task:
        row |= {"task": questions.task.name, "classes": {f.name: round(f.probability, 4) for f in classes}}
    if population := questions.model.calibration.population:
        assumed = {finding.name: _rounded(finding.prevalence) for finding in prompts + classes}
        row |= {"population": population, **({"prevalences": assumed} if assumed else {})}
    if questions.features:
        row["features"] = [
            {
                "feature": finding.name,
                "text": finding.text,
                "probability": round(finding.probability, 4),
                "prevalence": _rounded(finding.prevalence),
                "measurement": finding.measurement,
                "measured": finding.measured or None,
            }
            for finding in features
        ]
    return row


def _number(finding: Finding, calibrated: bool) -> str:
    """A probability, and in brackets the prevalence that it assumes if the model is calibrated at all."""
    if not calibrated:
        return f"{finding.probability:.3f}"
    assumed = "(     )" if finding.prevalence is None else f"({finding.prevalence:.3f})"
    return f"{finding.probability:.3f} {assumed}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _table(name: str, record: Record, findings: Sequence[Finding], questions: Questions) -> list[str]:
    seconds = record.digital.shape[1] / record.sampling_rate
    leads = "" if len(record.leads) == 12 else f", leads {', '.join(record.leads)}"
    lines = [f"{printable(name)}  ({seconds:.3g} s, {record.sampling_rate:g} Hz{leads})"]
    task = "" if questions.task is None else questions.task.name
    calibrated = bool(questions.model.calibration.curves)
    known = any(finding.kind == "feature" and finding.prevalence is not None for finding in findings)
    order = "the most unusual first" if known else "most probable first"
    titles = {"class": f"  {task}:", "feature": f"  waveform features, {order}:"}
    width = max(len(printable(_words(finding))) for finding in findings)
    kind = "prompt"
    for finding in findings:
        if finding.kind != kind:
            kind = finding.kind
            lines.append(titles[kind])
        line = f"  {_number(finding, calibrated)}  {printable(_words(finding)):<{width}}"
        verdict = f"{MEASURED[finding.measurement]} ({finding.measured})" if finding.measurement else finding.measured
        said = f"measured: {verdict}" if verdict else ""
        if said and len(line) + 2 + len(said) > WIDTH:
            lines.append(line.rstrip())
            lines += textwrap.wrap(said, WIDTH, initial_indent=" " * 9, subsequent_indent=" " * 9)
        else:
            lines.append(f"{line}  {said}".rstrip())
    return lines


def _words(finding: Finding) -> str:
    return finding.text if finding.kind != "class" else f"{finding.name}: {finding.text}"
