"""``fgclep predict --html``: a page for each recording, and one that lists them."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fgclep.commands.model import model_name
from fgclep.commands.output import say
from fgclep.commands.reading import Recording
from fgclep.commands.wide import READING, wide_row
from fgclep.errors import UserError
from fgclep.files import write_text
from fgclep.inference.occlusion import occlude
from fgclep.inference.predict import Answer, Finding, Questions
from fgclep.leads import INDEX, LEADS
from fgclep.measurement.names import INTERVALS
from fgclep.models.alignment import AttentionAlignment
from fgclep.report.ecg.attention import Look, Patch
from fgclep.report.ecg.paper import ALL_LEADS, SECONDS
from fgclep.report.reading_page import Reading, Row, render_index, render_reading
from fgclep.signals.record import Record
from fgclep.verification.explain import intervals

TITLES = {
    "prompt": "Asked for",
    "rhythm": "Rhythm, the most probable one",
    "diagnosis": "Diagnoses clearly above what is usual",
    "feature": "Waveform features, the most unusual first",
}
COLUMNS = ("rhythm", "diagnoses")
AGREES = {"supported": True, "likely": True, "unlikely": False, "refuted": False}


class Pages:
    """The pages of a call.

    Parameters
    ----------
    place
        A file ``.html`` for one recording, a folder for several; ``None``: no pages are wanted.
    names
        Of all recordings.
    questions
        What is asked.

    Raises
    ------
    UserError
        If several recordings shall go into one file, or a file is where the folder should be.
    """

    def __init__(self, place: Path | None, names: Sequence[str], questions: Questions):
        self._place, self._questions = place, questions
        self._single = place is not None and len(names) == 1 and place.suffix.lower() in {".html", ".htm"}
        self._rows: list[dict[str, str]] = []
        if place is None or self._single:
            if place is not None and place.is_dir():
                raise UserError(f"--html {place} is a folder; give another name for the page")
            return
        if place.suffix.lower() in {".html", ".htm"}:
            raise UserError(
                f"--html {place}: {len(names):,} recordings have a page each; give a folder, for them and index.html"
            )
        if place.is_file() or (place.suffix and not place.is_dir()):
            kind = "is a file" if place.is_file() else f"is no page, by its {place.suffix}"
            raise UserError(f"--html {place} {kind}; give a folder, or FILE.html for one recording")

    def add(self, recording: Recording, answer: Answer) -> None:
        """Write the page of a recording, if pages are wanted."""
        if self._place is None:
            return
        row = {"name": recording.name, "href": "", "error": ""}
        if recording.record is None or recording.prepared is None:
            self._rows.append({**row, "error": recording.error})
            return
        text = render_reading(self._reading(recording, recording.record, answer))
        if self._single:
            write_text(self._place, text)
            say(f"wrote {self._place}")
            return
        stem = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(recording.name).stem)[:80] or "ecg"
        file = f"{len(self._rows) + 1:04d}-{stem}.html"
        self._place.mkdir(parents=True, exist_ok=True)
        write_text(self._place / file, text)
        found = wide_row(answer)
        told = {INTERVALS[name][0]: found[name] for name in READING}
        self._rows.append({**row, "href": file, **{name: found[name] for name in COLUMNS}, **told})

    def end(self) -> None:
        """Write the page that lists the recordings."""
        if self._place is None or self._single:
            return
        columns = [*COLUMNS, *(INTERVALS[name][0] for name in READING)]
        write_text(self._place / "index.html", render_index(self._rows, model_name(self._questions.model), columns))
        say(f"wrote {self._place / 'index.html'}")

    def _reading(self, recording: Recording, record: Record, answer: Answer) -> Reading:
        seconds = record.digital.shape[1] / record.sampling_rate
        begin = round(max(0.0, (seconds - SECONDS) / 2) * record.sampling_rate)  # the part that the model sees
        drawn = np.full((len(LEADS), min(record.digital.shape[1], round(SECONDS * record.sampling_rate))), np.nan)
        signal = record.millivolts()[:, begin : begin + drawn.shape[1]]
        drawn[[INDEX[lead] for lead in record.leads]] = signal
        first = begin / record.sampling_rate
        part = f", drawn from {first:.3g} s on" if begin else ""
        known = dict(intervals(answer.measures or {}))
        return Reading(
            name=recording.name,
            model=model_name(self._questions.model),
            told=f"{seconds:.3g} s at {record.sampling_rate:g} Hz{part}, leads {', '.join(record.leads)}",
            signal=drawn,
            sampling_rate=record.sampling_rate,
            intervals=[(INTERVALS[name][0], known.get(INTERVALS[name][0], "–")) for name in READING] if known else [],
            points={name: times - first for name, times in answer.points.items()},
            rows=self._found(recording, answer),
            notes=[*record.remarks, *self._questions.remarks, self._questions.on_probabilities()],
        )

    def _found(self, recording: Recording, answer: Answer) -> list[Row]:
        assert recording.prepared is not None
        model, task = self._questions.model, self._questions.task
        texts = {id(finding): self._questions.texts(finding) for finding in answer.findings}
        scored = [finding for finding in answer.findings if texts[id(finding)]]
        occluded = occlude(model, *recording.prepared, [texts[id(finding)] for finding in scored]) if scored else None
        place = {id(finding): number for number, finding in enumerate(scored)}
        rows = []
        for finding in answer.findings:
            number = place.get(id(finding))
            falls = (
                (None, None) if occluded is None or number is None else (occluded.leads[number], occluded.time[number])
            )
            title = f"Classes of {task.name}" if finding.kind == "class" and task else TITLES.get(finding.kind, "")
            rows.append(
                Row(
                    kind=title,
                    text=finding.text if finding.kind != "class" else f"{finding.name}: {finding.text}",
                    probability=f"{finding.probability:.3f}",
                    prevalence="" if finding.prevalence is None else f"{finding.prevalence:.3f}",
                    measured=finding.measured,
                    agrees=AGREES.get(finding.measurement or ""),
                    leads=falls[0],
                    time=falls[1],
                    looks=self._looks(recording, finding, texts[id(finding)]),
                )
            )
        return rows

    def _looks(self, recording: Recording, finding: Finding, texts: Sequence[str]) -> str:
        """Where a model with attention looks for the first text of a finding, in words."""
        model = self._questions.model
        if not texts or not isinstance(model.align, AttentionAlignment):
            return ""
        assert recording.prepared is not None
        signal, present = recording.prepared
        weights = model.attention_of(model.encode_prepared(signal[None], present[None]), texts[0])[0]
        names = LEADS if len(weights) == len(LEADS) else (ALL_LEADS,)
        length = model.signal.duration / weights.shape[1]
        patches = [
            Patch(name, number * length, (number + 1) * length, float(weight))
            for name, row in zip(names, weights, strict=True)
            for number, weight in enumerate(row)
        ]
        return Look(finding.text, patches).words
