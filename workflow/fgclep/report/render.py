"""From the results of a run to one HTML file that needs nothing else."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fgclep.config.data import SIMULATION
from fgclep.report.charts.examples import Answered, Example
from fgclep.report.charts.figure_set import figures
from fgclep.report.charts.gallery import gallery
from fgclep.report.charts.inline import inline
from fgclep.report.ecg.attention_grid import grid
from fgclep.report.ecg.strips import draw_small
from fgclep.report.results import audit_summary, dataflow
from fgclep.report.results.estimate import Estimate, percent
from fgclep.report.results.metrics import ALL_RECORDS, FEW_SHOT, ZERO_SHOT, Condition, Metrics, seed_spread
from fgclep.report.results.run import Results
from fgclep.report.tables.class_tables import class_tables
from fgclep.report.tables.comparisons import verdict
from fgclep.report.tables.table_set import tables
from fgclep.report.tables.worth import worth
from fgclep.verification.explain import decimal, is_missing
from fgclep.verification.reasons import reason_of


def environment() -> Environment:
    """Return the Jinja2 environment: everything is escaped, and a name that is not there is an error."""
    jinja = Environment(
        loader=PackageLoader("fgclep.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters["percent"] = percent
    jinja.filters["decimal"] = decimal
    jinja.filters["inline"] = inline
    jinja.filters["grid"] = grid
    jinja.filters["small"] = lambda strip: draw_small(strip.traces, strip.caption)
    jinja.filters["reason"] = reason_of
    jinja.filters["person"] = person
    jinja.filters["share"] = lambda part, whole: f"{100 * part / whole:.1f} %" if whole else "–"
    jinja.filters["thousands"] = lambda value: f"{value:,}"
    return jinja


def person(ecg: Any, simulated: bool) -> str:
    """Age and sex of a recording, as far as they are known, and whether it is simulated.

    Parameters
    ----------
    ecg
        With ``age`` (years, ``None`` or NaN: unknown) and ``sex`` (``F``, ``M``, or else unknown).
    simulated
        Whether the recording is.
    """
    age, sex = (ecg[name] if isinstance(ecg, Mapping) else getattr(ecg, name) for name in ("age", "sex"))
    known = [] if is_missing(age) else ["90 or older" if age >= 90 else f"{age:.0f} years"]
    known += [word for letter, word in (("F", "female"), ("M", "male")) if sex == letter]
    return ", ".join([*known, *(["simulated"] if simulated else [])])


def source_bases(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """For every source its version, role and base, and whether it is simulated."""
    data = config["data"]
    return {
        key: {
            "version": source["version"],
            "role": source["role"],
            "base": source["base"] or data["base"],
            "simulated": Path(source["base"] or data["base"]) == Path(SIMULATION),
        }
        for key, source in data["sources"].items()
    }


def key_figures(metrics: Metrics) -> dict[str, Estimate]:
    """Means over the tasks by ``<protocol>/<model>``, the probes with all training records."""
    conditions = (Condition(ZERO_SHOT, metrics.prompts[0]), ALL_RECORDS)
    return {
        f"{condition.protocol}/{model}": metrics.mean(model, condition)
        for condition in conditions
        for model in metrics.models(condition)
    }


def look_rules(examples: Sequence[Example]) -> str:
    """Style rules by which the chosen text's shades are shown, without a script."""
    most = max((len(example.ecg.strip.looks) for example in examples), default=0)
    rules = [f".ecg-record:has(.pick-{n}:checked) .look-{n} {{ display: inline; }}" for n in range(1, most + 1)]
    return "\n".join(rules)


def text_counts(texts: pl.DataFrame, before: pl.LazyFrame, after: pl.LazyFrame) -> dict[str, Any]:
    """Count how many texts and feature texts a report has before and after the recovery."""
    features = texts.filter(pl.col("features").list.len() > 0)["text_id"].implode()
    counts: dict[str, Any] = {}
    for name, reports in (("before", before), ("after", after)):
        ids = pl.col("text_ids")
        per_report = reports.select(
            ids.list.len().alias("texts"), ids.list.eval(pl.element().is_in(features)).list.sum().alias("features")
        )
        row = per_report.select(
            pl.len().alias("reports"),
            pl.col("texts").mean(),
            pl.col("features").mean(),
            (pl.col("features") > 0).mean().alias("with_feature"),
        ).collect(engine="streaming")
        counts[name] = row.row(0, named=True)
    return counts


def render(
    results: Results,
    examples: Sequence[Example],
    answers: Sequence[Answered],
    config: Mapping[str, Any],
    config_yaml: str,
    versions: Mapping[str, str],
    decisions: int,
    commit: str | None = None,
) -> str:
    """Return the report as HTML.

    Parameters
    ----------
    results
        Of the run.
    examples, answers
        ECGs to show.
    config, config_yaml
        The settings of the run, and as text.
    versions
        Installed versions of the packages that matter.
    decisions
        Rows of the table of single decisions.
    commit
        Of the code, if it is known.
    """
    flows = dataflow.flows(results.manifest, results.shards, results.quarantine)
    bases = source_bases(config)
    simulated = [key for key, source in bases.items() if source["simulated"]]
    pretrained_on = [flow for flow in flows if bases.get(flow.source, {}).get("role") in ("pretrain", "both")]
    evaluated_on = [flow for flow in flows if bases.get(flow.source, {}).get("role") in ("evaluate", "both")]
    jinja = environment()
    script = jinja.get_template("script.js.j2").render()
    sheets = [jinja.get_template(name).render() for name in ("style.css", "report.css")]
    return jinja.get_template("report.html.j2").render(
        style=Markup("\n".join([*sheets, look_rules(examples)])),  # nosec B704 # our own templates and numbers
        script=Markup(script),  # nosec B704 # our own template
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        key=key_figures(results.metrics),
        tasks=len({column.task for column in results.metrics.columns()}),
        seeds=results.metrics.seeds(FEW_SHOT),
        seed_spread=seed_spread(results.metrics_table),
        commit=commit,
        prompts=results.prompts,
        verdict=verdict(results.comparisons, results.prompts),
        worth=worth(results.ablation, results.comparisons),
        figures=figures(results, examples, answers),
        tables=tables(results, config["ablation"]["variants"]),
        class_tables=class_tables(results.metrics),
        gallery=gallery(results),
        bases=bases,
        simulated=simulated,
        simulated_training=sum(flow.source in simulated for flow in pretrained_on),
        simulated_evaluation=sum(flow.source in simulated for flow in evaluated_on),
        pretrained_on=pretrained_on,
        evaluated_on=evaluated_on,
        flows=flows,
        splits=dataflow.SPLITS,
        quarantine_reasons=dataflow.quarantine_reasons(results.quarantine).to_dicts(),
        quarantined=results.quarantine.sort("source", "record_id", "stage").head(100).to_dicts(),
        quarantined_in_all=results.quarantine.height,
        flags=dataflow.flag_counts(results.shards).to_dicts(),
        outcomes=results.outcomes,
        judged=sum(results.outcomes.values()),
        funnel=results.funnel,
        probe=results.probe,
        checks=[
            check for check in audit_summary.CHECKS if results.outcomes[check] or check in audit_summary.MAIN_CHECKS
        ],
        check_names=audit_summary.CHECK_NAMES,
        features=audit_summary.feature_table(results.audit).to_dicts(),
        feature_texts={name: feature.text for name, feature in results.vocabulary.features.items()},
        reasons=audit_summary.reason_table(results.audit).to_dicts(),
        decisions=audit_summary.decisions(results.audit, decisions).to_dicts(),
        text_counts=text_counts(results.texts, results.reports, results.fine_reports),
        examples=examples,
        answers=answers,
        similarity=results.similarity,
        ablation=results.ablation,
        training=results.training.to_dicts(),
        config=config,
        config_yaml=config_yaml,
        versions=versions,
    )
