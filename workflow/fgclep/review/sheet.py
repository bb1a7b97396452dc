"""The review sheet: decisions of the filter as one HTML file, for a clinician to judge without knowing them."""

import base64
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from markupsafe import Markup

from fgclep.language.vocabulary import Vocabulary
from fgclep.report.ecg.strips import ecg_strip
from fgclep.report.render import environment
from fgclep.report.results.read import Key, millivolts
from fgclep.review.sample import Decision, Sample
from fgclep.verification.explain import explain, in_quotes, intervals, reason_in_words

_FIRST = 50  # decisions, which the sheet offers to whom all are too many


@dataclass(frozen=True)
class Ecg:
    """What the sheet shows of a record.

    Parameters
    ----------
    row
        Its row of a shard (schema ``SHARD``).
    report
        Statements as written.
    measures
        Its row of the measurements; empty if it has none.
    """

    row: Mapping[str, Any]
    report: list[str]
    measures: Mapping[str, Any]


def _findings(decision: Decision, ecg: Ecg, vocabulary: Vocabulary) -> list[dict[str, Any]]:
    """Say what the filter decided and why, once for all statements with the same reason."""
    feature = vocabulary.features.get(decision.feature)
    rule = feature.rule if feature else None
    alike: dict[str, list[dict[str, Any]]] = {}
    for row in decision.rows:
        alike.setdefault(row["reason"], []).append(row)
    return [
        {
            "accepted": rows[0]["accepted"],
            "reason": reason_in_words(reason, rule),
            "why": explain(rows[0], [row["statement"] for row in rows], rule, ecg.measures),
        }
        for reason, rows in alike.items()
    ]


def _records(
    sample: Sample, ecgs: Mapping[Key, Ecg], vocabulary: Vocabulary, simulated: Collection[str]
) -> list[dict[str, Any]]:
    """Gather what is shown, by record, with the decisions numbered over the whole sheet."""
    records = []
    numbered = enumerate(sample.decisions, start=1)
    for key, decisions in groupby(numbered, key=lambda pair: (pair[1].source, pair[1].record_id)):
        ecg = ecgs[key]
        signal, rate = millivolts(dict(ecg.row)), ecg.row["sampling_rate"]
        records.append(
            {
                **{name: ecg.row[name] for name in ("source", "record_id", "age", "sex", "flags")},
                "simulated": key[0] in simulated,
                "strip": ecg_strip(signal, rate, f"12-lead ECG of record {key[1]} of {key[0]}"),
                "report": ecg.report,
                "intervals": intervals(ecg.measures),
                "decisions": [
                    {
                        "number": number,
                        "feature": decision.feature,
                        "text": feature.text
                        if (feature := vocabulary.features.get(decision.feature))
                        else decision.feature,
                        "statements": decision.statements,
                        "proposed_for": in_quotes(decision.statements),
                        "accepted": decision.accepted,
                        "weight": f"{decision.weight:.6g}",
                        "findings": _findings(decision, ecg, vocabulary),
                    }
                    for number, decision in decisions
                ],
            }
        )
    return records


def render_review(
    sample: Sample, ecgs: Mapping[Key, Ecg], vocabulary: Vocabulary, simulated: Collection[str] = ()
) -> str:
    """Return the review sheet as HTML.

    Parameters
    ----------
    sample
        As ``review_sample.draw`` returns it.
    ecgs
        Every record of the sample.
    vocabulary
        For the names and the rules of the features.
    simulated
        Sources whose ECGs are simulated.
    """
    jinja = environment()
    script = jinja.get_template("review.js").render()
    style = jinja.get_template("style.css").render() + jinja.get_template("review.css").render()
    identity = repr([(d.source, d.record_id, d.feature, d.accepted, d.weight) for d in sample.decisions])
    return jinja.get_template(
        "review.html.j2"
    ).render(
        style=Markup(style),  # nosec B704 # our own templates
        script=Markup(script),  # nosec B704 # our own template
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        sheet=hashlib.sha256(identity.encode()).hexdigest()[:12],
        records=_records(sample, ecgs, vocabulary, simulated),
        total=len(sample.decisions),
        first=_FIRST,
        drawn={kind: sum(d.accepted == kind for d in sample.decisions) for kind in (True, False)},
        accepted=sample.accepted,
        dropped=sample.dropped,
    )
