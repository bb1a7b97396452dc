"""``fgclep predict``: what a model says of recordings."""

import argparse
import math
import textwrap
from collections.abc import Mapping, Sequence

from fgclep.commands.model import find_vocabulary, load_model, model_name
from fgclep.commands.output import WIDTH, Output, printable, say
from fgclep.commands.pages import Pages
from fgclep.commands.reading import Recording, Teller, in_batches
from fgclep.commands.wide import READING, Metadata, measurement_rows, prepare, wide_row
from fgclep.errors import reason_of
from fgclep.evaluation.head import Head
from fgclep.evaluation.tasks import Task
from fgclep.inference.predict import CLEARLY, Answer, Finding, Questions
from fgclep.inference.wording import denials, in_english
from fgclep.measurement.names import INTERVALS
from fgclep.signals.record import Record
from fgclep.verification.explain import intervals, is_missing

MEASURED = {"supported": "yes", "likely": "rather yes", "unlikely": "rather no", "refuted": "no"}
KINDS = ("prompt", "class", "rhythm", "diagnosis", "feature")  # of findings, in the order in which they are told
FEATURES = 10
NOT_MEASURED = "rate, intervals and axes are measured in recordings of all twelve leads only"


def run(
    args: argparse.Namespace, named: Sequence[tuple[str, str]], options: dict, output: Output, task: Task | Head | None
) -> None:
    """Write the probabilities of all recordings; those that cannot be used end the program with status 1.

    ``named`` are the recordings, and why one cannot be read, which has been said (``fgclep.commands.named``);
    ``options`` those of ``read_recording``; ``task`` is the one that is asked for.
    """
    most = args.features or (None if args.prompt or task else FEATURES)
    vocabulary = find_vocabulary() if most or args.prompt else None
    recordings = [Recording(name, error=error) for name, error in named]
    teller = Teller(recordings)
    english, remarks = in_english(args.prompt, vocabulary) if vocabulary else (args.prompt, [])
    questions = Questions(load_model(args.model), args.prompt, task, vocabulary if most else None, most or 0, english)
    questions.remarks = [*remarks, *(denials(english, vocabulary) if vocabulary else []), *questions.remarks]
    beside = prepare(output, args.wide, args.metadata, questions, [name for name, _ in named])
    pages = Pages(args.html, [name for name, _ in named], questions)
    for remark in (*questions.remarks, questions.on_probabilities()):
        say(remark)
    for batch in in_batches(recordings, questions.model, options, args.batch_size, "predict"):
        for recording, answer in _answered(batch, questions):
            teller.tell(recording)
            pages.add(recording, answer)
            if output.form == "csv":
                output.rows(_csv(recording, answer, questions, args.wide, beside))
            else:
                _write(output, recording, answer, questions)
    output.close()
    pages.end()
    teller.end()


def _answered(batch: Sequence[Recording], questions: Questions) -> list[tuple[Recording, Answer]]:
    """Answer the questions about a batch; if that fails, about each recording alone, to find the one that it is."""
    good = [(some.record, some.prepared) for some in batch if some.record and some.prepared]
    try:
        answers = iter(questions.answer(*zip(*good, strict=True)) if good else [])
        return [(recording, next(answers) if recording.record else Answer([])) for recording in batch]
    except Exception as error:
        if len(batch) > 1:
            return [answered for recording in batch for answered in _answered([recording], questions)]
        return [(Recording(batch[0].name, error=reason_of(error, batch[0].name)), Answer([]))]


def _csv(recording: Recording, answer: Answer, questions: Questions, wide: bool, beside: Metadata) -> list[dict]:
    """Rows about a recording: one, or one per answer."""
    common = {"record": recording.name, **beside.of(recording.name)}
    if recording.record is None:
        return [{**common, "error": recording.error}]
    common |= {"model": model_name(questions.model), "leads": " ".join(recording.record.leads)}
    if wide:
        return [{**common, **wide_row(answer)}]
    told = [
        {
            "kind": finding.kind,
            "finding": finding.name,
            "text": finding.text,
            "probability": f"{finding.probability:.4f}",
            "prevalence": None if finding.prevalence is None else f"{finding.prevalence:.4f}",
            "measurement": finding.measurement,
            "measured": finding.measured,
        }
        for finding in answer.findings
    ]
    asked = sum(finding.kind in {"prompt", "class"} for finding in answer.findings)
    return [{**common, **row} for row in [*told[:asked], *measurement_rows(answer), *told[asked:]]]


def _write(output: Output, recording: Recording, answer: Answer, questions: Questions) -> None:
    record = recording.record
    if record is None:
        output.error(recording.name, recording.error)
    elif output.form == "json":
        output.json(_json(recording.name, record, answer, questions))
    else:
        output.lines(_table(recording.name, record, answer, questions))


def _json(name: str, record: Record, answer: Answer, questions: Questions) -> dict:
    row: dict = {
        "record": name,
        "sampling_rate": record.sampling_rate,
        "seconds": round(record.digital.shape[1] / record.sampling_rate, 3),
        "leads": list(record.leads),
        "notes": [
            *record.remarks,
            *questions.remarks,
            *([NOT_MEASURED] if questions.features and answer.measures is None else []),
        ],
        "model": model_name(questions.model),
    }
    prompts, classes, rhythms, diagnoses, features = (
        [finding for finding in answer.findings if finding.kind == kind] for kind in KINDS
    )
    if answer.measures is not None:
        row["measurements"] = {name: _rounded(answer.measures.get(name)) for name in READING}
    if prompts:
        row["probabilities"] = {finding.name: round(finding.probability, 4) for finding in prompts}
    if questions.task:
        row |= {"task": questions.task.name, "classes": {f.name: round(f.probability, 4) for f in classes}}
    if population := questions.population:
        assumed = {finding.name: _rounded(finding.prevalence) for finding in prompts + classes}
        row |= {"population": population, **({"prevalences": assumed} if assumed else {})}
    for name, found in (("rhythm", rhythms), ("diagnoses", diagnoses)):
        told = [
            {
                "diagnosis": f.name,
                "text": f.text,
                "probability": _rounded(f.probability),
                "prevalence": _rounded(f.prevalence),
            }
            for f in found
        ]
        if rhythms:
            row[name] = told[0] if name == "rhythm" else told
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
    return None if is_missing(value) else round(float(value), 4)  # type: ignore[arg-type]


def _reading(measures: Mapping) -> str:
    """Rate, intervals and axes, a dash where one cannot be measured.

    >>> _reading({"heart_rate": 71.6, "pr_ms": 160.0, "qrs_ms": 92.0, "qtc_ms": 401.2, "qrs_axis": 42.0})
    'Ventricular rate 72 bpm, PR 160 ms, QRS 92 ms, QTc (Bazett) 401 ms, P axis –, QRS axis 42°, T axis –'
    """
    if not measures:
        return "no beats found"
    known = dict(intervals(measures))
    return ", ".join(f"{INTERVALS[name][0]} {known.get(INTERVALS[name][0], '–')}" for name in READING)


def _table(name: str, record: Record, answer: Answer, questions: Questions) -> list[str]:
    findings = _in_order(answer.findings)
    seconds = record.digital.shape[1] / record.sampling_rate
    leads = "" if len(record.leads) == 12 else f", leads {', '.join(record.leads)}"
    read = f"{seconds:.3g} s, {record.sampling_rate:g} Hz{leads}"
    lines = [f"{printable(name)}  ({read}; by the model {model_name(questions.model)})"]
    if answer.measures is None and questions.features:
        lines.append(f"  {NOT_MEASURED}")
    if answer.measures is not None:
        lines += textwrap.wrap(_reading(answer.measures), WIDTH, initial_indent="  ", subsequent_indent="  ")
    task = "" if questions.task is None else questions.task.name
    calibrated = bool(questions.population)
    known = any(finding.kind == "feature" and finding.prevalence is not None for finding in findings)
    order = "the most unusual first" if known else "most probable first"
    of_classes = [finding.prevalence for finding in findings if finding.kind == "class"]
    classes = "most probable first" if None in of_classes else "the most above what is usual first"
    titles = {
        "class": f"  {task}, {classes}:",
        "rhythm": "  rhythm, the most probable one:",
        "diagnosis": f"  diagnoses, with odds of {CLEARLY:g} times what is usual or more:",
        "feature": f"  waveform features, {order}:",
    }
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


def _in_order(findings: Sequence[Finding]) -> list[Finding]:
    """Put the classes of a task in order: by how far their odds are above those of their prevalence, if all have one.

    What a task lists is no order, and a probability of 0.08 may be the most remarkable one.
    """
    classes = [finding for finding in findings if finding.kind == "class"]
    if not any(finding.prevalence is None for finding in classes):
        classes.sort(key=lambda f: -_log_odds(f.probability) + _log_odds(f.prevalence or 0.0))
    else:
        classes.sort(key=lambda f: -f.probability)
    ordered = iter(classes)
    return [next(ordered) if finding.kind == "class" else finding for finding in findings]


def _log_odds(probability: float) -> float:
    some = min(max(probability, 1e-9), 1 - 1e-9)
    return math.log(some / (1 - some))


def _words(finding: Finding) -> str:
    titled = finding.kind == "class" and finding.text != finding.name
    return f"{finding.name}: {finding.text}" if titled else finding.text
