"""ECGs that were found for a text, as one HTML file that needs nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from markupsafe import Markup

from fgclep.report.ecg.strips import ecg_strip
from fgclep.report.render import environment


@dataclass(frozen=True)
class Shown:
    """An ECG on the page.

    Parameters
    ----------
    name
        Of the record.
    probability
        That the query fits it, by the model.
    signal
        Millivolts, shape (12, samples), NaN where a lead is missing.
    sampling_rate
        In Hz.
    told
        What stands behind the name, such as split, age and sex.
    report
        Statements as written; empty: not known.
    remarks
        On the signal.
    """

    name: str
    probability: float
    signal: np.ndarray
    sampling_rate: float
    told: Sequence[str] = ()
    report: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def render_retrieved(found: Mapping[str, Sequence[Shown]], model: str, searched: str) -> str:
    """Return the page: for each query its ECGs on paper, best first.

    Parameters
    ----------
    found
        ECGs by query.
    model
        Name of the model.
    searched
        Says how many ECGs were looked through.
    """
    jinja = environment()
    queries = [
        {
            "text": query,
            "ecgs": [
                {
                    "name": ecg.name,
                    "told": ", ".join(ecg.told),
                    "probability": f"{ecg.probability:.3f}",
                    "report": ecg.report,
                    "remarks": ecg.remarks,
                    "strip": ecg_strip(ecg.signal, ecg.sampling_rate, _label(ecg)),
                }
                for ecg in ecgs
            ],
        }
        for query, ecgs in found.items()
    ]
    style = Markup(jinja.get_template("style.css").render())  # nosec B704 # our own template
    return jinja.get_template("retrieved.html.j2").render(style=style, queries=queries, model=model, searched=searched)


def _label(ecg: Shown) -> str:
    leads = (~np.isnan(ecg.signal)).any(axis=1).sum()
    return f"{leads}-lead ECG of record {ecg.name}"
