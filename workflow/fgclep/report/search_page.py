"""ECGs that were found for a text, as one HTML file that needs nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from fgclep.report.ecg.strips import ecg_strip
from fgclep.report.render import environment
from fgclep.report.results.read import millivolts


@dataclass(frozen=True)
class Shown:
    """An ECG on the page.

    Parameters
    ----------
    row
        Its row of a shard (schema ``SHARD``).
    probability
        That the query fits it, by the model.
    report
        Statements as written; empty: not known.
    """

    row: Mapping[str, Any]
    probability: float
    report: list[str] = field(default_factory=list)


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
                    **{name: ecg.row[name] for name in ("source", "record_id", "split", "age", "sex", "flags")},
                    "probability": f"{ecg.probability:.3f}",
                    "report": ecg.report,
                    "strip": ecg_strip(
                        millivolts(dict(ecg.row)),
                        ecg.row["sampling_rate"],
                        f"12-lead ECG of record {ecg.row['record_id']} of {ecg.row['source']}",
                    ),
                }
                for ecg in ecgs
            ],
        }
        for query, ecgs in found.items()
    ]
    style = Markup(jinja.get_template("style.css").render())  # nosec B704 # our own template
    return jinja.get_template("retrieved.html.j2").render(style=style, queries=queries, model=model, searched=searched)
