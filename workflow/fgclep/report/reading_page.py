"""What a model says of a recording, as one HTML file that needs nothing else: for a screen, a phone, and one sheet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from fgclep.leads import INDEX, LEADS
from fgclep.report.ecg.paper import LEFT, PAPER_RATE, PLACES, ROW, UNITS_PER_MV, on_paper
from fgclep.report.ecg.paper import margins as room
from fgclep.report.ecg.strips import draw_strip
from fgclep.report.render import environment
from fgclep.report.svg.elements import drawing, element

DOT = 6  # units of the paper, half the side of a mark
CLASSES = {"P": "p", "QRS": "qrs", "J+60": "j", "T": "t", "T end": "t-end"}
SHOWN = ("text", "probability", "prevalence", "measured", "agrees", "looks")  # of a row
BAR, HEIGHT, GAP = 7, 16, 1  # of the small charts of an occlusion, px


@dataclass(frozen=True)
class Row:
    """A finding on the page.

    Parameters
    ----------
    kind
        Under which heading it stands.
    text
        In words.
    probability, prevalence
        As of ``fgclep.inference.predict.Finding``, in words.
    measured
        What the measurement says; empty: nothing.
    agrees
        Whether the measurement speaks for it; ``None``: it says nothing.
    leads, time
        How much its score falls without each lead, and without each part of the time; ``None``: not known.
    looks
        Where the model looks for it, in words; empty: it has no attention.
    """

    kind: str
    text: str
    probability: str
    prevalence: str
    measured: str = ""
    agrees: bool | None = None
    leads: np.ndarray | None = None
    time: np.ndarray | None = None
    looks: str = ""


@dataclass(frozen=True)
class Reading:
    """A page.

    Parameters
    ----------
    name
        Of the recording.
    model
        Name of the model.
    told
        Length, rate and leads, in words.
    signal
        mV, (12, samples), NaN where a lead is missing: the 10 s that are drawn.
    sampling_rate
        In Hz.
    intervals
        Name and value of what was measured.
    points
        Times (s) of waves in ``signal``, by name.
    rows
        The findings.
    notes
        What was repaired or guessed, and what the probabilities mean.
    """

    name: str
    model: str
    told: str
    signal: np.ndarray
    sampling_rate: float
    intervals: Sequence[tuple[str, str]]
    points: Mapping[str, np.ndarray]
    rows: Sequence[Row]
    notes: Sequence[str]


def render_reading(reading: Reading) -> str:
    """Return the page of a recording."""
    jinja = environment()
    groups: dict[str, list[dict]] = {}
    for row in reading.rows:
        groups.setdefault(row.kind, []).append(
            {
                **{name: getattr(row, name) for name in SHOWN},
                "leads": None if row.leads is None else bars(row.leads, LEADS),
                "time": None if row.time is None else bars(row.time),
            }
        )
    present = (~np.isnan(reading.signal)).any(axis=1).sum()
    return jinja.get_template("reading.html.j2").render(
        style=Markup(jinja.get_template("style.css").render()),  # nosec B704 # our own template
        reading=reading,
        groups=groups,
        strip=marked_strip(reading, f"{present}-lead ECG of {reading.name}"),
        marks=[(name, CLASSES[name]) for name in CLASSES if name in reading.points],
        occluded=any(row.leads is not None for row in reading.rows),
    )


def render_index(rows: Sequence[Mapping[str, str]], model: str, columns: Sequence[str]) -> str:
    """Return the page that lists recordings: ``rows`` with ``name``, ``href`` or ``error``, and ``columns``."""
    jinja = environment()
    style = Markup(jinja.get_template("style.css").render())  # nosec B704 # our own template
    return jinja.get_template("readings.html.j2").render(style=style, rows=rows, model=model, columns=columns)


def marked_strip(reading: Reading, label: str) -> Markup:
    """Draw the ECG on paper, with a mark on the trace at each measured point."""
    traces = on_paper(reading.signal, reading.sampling_rate)
    strip = draw_strip(traces, reading.sampling_rate, label)
    top, _ = room(traces)
    groups = []
    for name, times in reading.points.items():
        path = "".join(_dot(x, y) for x, y in _on_trace(traces, times, top))
        groups.append(element("path", d=path, class_=f"point point-{CLASSES[name]}"))
    return Markup(str(strip).removesuffix("</svg>")) + Markup("").join(groups) + Markup("</svg>")  # nosec B704 # ours


def _on_trace(traces: np.ndarray, times: np.ndarray, top: int) -> list[tuple[int, int]]:
    """Where the points lie on the page, in each lead that is shown at that time."""
    found = []
    for place in PLACES:
        trace = traces[INDEX[place.lead]]
        for second in times:
            sample = round(second * PAPER_RATE)
            if place.start <= second < place.end and sample < len(trace) and not np.isnan(trace[sample]):
                y = top + place.row * ROW - round(UNITS_PER_MV * float(trace[sample]))
                found.append((LEFT + sample, y))
    return found


def _dot(x: int, y: int) -> str:
    return f"M{x - DOT} {y - DOT}h{2 * DOT}v{2 * DOT}h-{2 * DOT}z"


def bars(falls: np.ndarray, names: Sequence[str] = ()) -> Markup:
    """Draw how much a score falls as small bars, the largest of full height; a rise hangs below the line."""
    largest = max(float(np.abs(falls).max(initial=0.0)), 1e-6)
    width = len(falls) * (BAR + GAP)
    parts = [element("path", d=f"M0 {HEIGHT}h{width}", class_="axis")]
    for number, fall in enumerate(falls.tolist()):
        height = round(HEIGHT * fall / largest, 1)
        y = HEIGHT - max(height, 0.0)
        bar = {"x": number * (BAR + GAP), "y": y, "width": BAR, "height": abs(height)}
        parts.append(element("rect", class_="fall" if fall > 0 else "rise", **bar))
    best = int(np.argmax(falls))
    where = f"lead {names[best]}" if names else f"part {best + 1} of {len(falls)} of the time"
    label = f"the score falls the most, by {falls[best]:.1f}, without {where}"
    return drawing(width, 2 * HEIGHT, label, parts, class_="bars")
