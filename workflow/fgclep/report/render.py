"""From the results of a run to one HTML file that needs nothing else."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fgclep.report import dataflow, metrics, plots, recovery
from fgclep.report.ablation import PROTOCOLS, comparison
from fgclep.report.evidence import decimal, without_decision
from fgclep.report.funnel import funnel
from fgclep.report.plots import Estimate
from fgclep.vocabulary import Vocabulary

SIMULATION = "results/simulation/files"
SERIES = {
    "zero_shot": ("fine", "coarse"),
    "linear_probe": ("fine", "coarse", "random"),
}


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
    jinja.filters["difference"] = difference
    jinja.filters["interval"] = interval
    jinja.filters["decimal"] = decimal
    jinja.filters["without_decision"] = without_decision
    jinja.filters["share"] = lambda part, whole: f"{100 * part / whole:.1f} %" if whole else "–"
    jinja.filters["thousands"] = lambda value: f"{value:,}"
    return jinja


def percent(value: float | None) -> str:
    """Write a share as a percentage with one decimal, without its sign.

    >>> percent(0.9234), percent(None)
    ('92.3', '–')
    """
    return "–" if value is None else f"{100 * value:.1f}"


def interval(estimate: Estimate) -> str:
    """Write the interval of an estimate, or nothing.

    >>> interval(Estimate(0.9, 0.85, 0.94))
    '85.0–94.0'
    """
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{percent(estimate.low)}–{percent(estimate.high)}"


def difference(estimate: Estimate) -> str:
    """Write a difference of shares in percent with its sign, and its interval.

    >>> difference(Estimate(-0.0123, -0.02, 0.001))
    '−1.2 (−2.0 to +0.1)'
    """

    def signed(value: float) -> str:
        return f"{round(100 * value, 1) + 0.0:+.1f}".replace("-", "−")  # + 0.0: no negative zero

    if estimate.value is None:
        return "–"
    limits = (
        "" if estimate.low is None or estimate.high is None else f" ({signed(estimate.low)} to {signed(estimate.high)})"
    )
    return signed(estimate.value) + limits


def source_bases(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """For every source its version, role and base, and whether it is simulated."""
    data = config["data"]
    return {
        key: {
            "version": source["version"],
            "role": source["role"],
            "base": source["base"] or data["base"],
            "simulated": (source["base"] or data["base"]).rstrip("/") == SIMULATION,
        }
        for key, source in data["sources"].items()
    }


def key_figures(blocks: list[metrics.Block]) -> dict[str, Estimate]:
    """Means over the tasks by ``<protocol>/<model>``, the probes with all training records."""
    return {
        f"{block.protocol}/{row.name}": row.mean
        for block in blocks
        if block.protocol != "linear_probe" or block.fraction == 1.0
        for row in block.rows
        if not row.published
    }


def auroc_plots(blocks: list[metrics.Block], columns: list[metrics.Column]) -> list[tuple[str, Markup]]:
    """Draw zero-shot results, and the probe with the most training records, of every task; captions and drawings."""
    drawings = []
    for protocol, models in SERIES.items():
        matching = [block for block in blocks if block.protocol == protocol]
        if not matching:
            continue
        block = matching[-1]
        rows = {row.name: row.cells for row in block.rows if not row.published}
        published = next((row.cells for row in block.rows if row.published and row.name == "FG-CLEP"), None)
        series = {model: rows[model] for model in models if model in rows}
        if published:
            series["FG-CLEP, published"] = published
        names = column_names(columns)
        groups = {name: [cells[place] for cells in series.values()] for place, name in enumerate(names)}
        caption = f"{block.name}: macro AUROC (%) per task with 95 % interval"
        label = f"{caption}; the numbers stand in the table above"
        drawings.append((caption, plots.forest(groups, list(series), label)))
    return drawings


def column_names(columns: list[metrics.Column]) -> list[str]:
    """Names of the tasks, with the label set where a task has several."""
    tasks = [column.task for column in columns]
    return [c.name if tasks.count(c.task) == 1 else f"{c.name} ({c.label_set})" for c in columns]


def training_plots(training: pl.DataFrame) -> list[tuple[str, Markup]]:
    """Draw the losses of every training; captions and drawings."""
    drawings = []
    for name, rows in training.group_by("name", maintain_order=True):
        lines = {
            label: [(epoch, loss) for epoch, loss in rows.select("epoch", column).rows() if loss is not None]
            for label, column in (("training", "train_loss"), ("validation", "validation_loss"))
        }
        caption = f"{name[0]}: loss per epoch"
        drawn = {label: points for label, points in lines.items() if points}
        drawings.append((caption, plots.curves(drawn, "epoch", f"{caption}; the numbers stand in the table below")))
    return drawings


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
    *,
    metrics_table: pl.DataFrame,
    manifest: pl.LazyFrame,
    shards: pl.LazyFrame,
    quarantine: pl.DataFrame,
    texts: pl.DataFrame,
    reports: pl.LazyFrame,
    fine_reports: pl.LazyFrame,
    candidates: pl.DataFrame,
    audit: pl.LazyFrame,
    examples: list[dict[str, Any]],
    similarity: Mapping[str, Any],
    training: pl.DataFrame,
    config: Mapping[str, Any],
    config_yaml: str,
    vocabulary: Vocabulary,
    versions: Mapping[str, str],
    decisions: int,
    ablation: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return the report as HTML.

    Parameters
    ----------
    metrics_table, manifest, shards, quarantine, texts, reports, fine_reports, candidates
        Tables with the schemas of those names; ``shards`` without the waveforms, ``manifest`` and ``shards`` of all
        sources.
    audit
        As ``recovery.with_outcome`` returns it.
    examples
        ECGs to show: ``source``, ``record_id``, ``age``, ``sex``, ``report``, ``intervals``, ``accepted``, ``rejected``
        (name of the feature, why) and ``strip`` (Markup).
    similarity
        The summary of the similarity matrix.
    training
        Rows of every ``training.csv``.
    config, config_yaml
        The settings of the run, and as text.
    vocabulary
        For the names of the features.
    versions
        Installed versions of the packages that matter.
    decisions
        Rows of the table of single decisions.
    ablation
        Rows of ``ablation.csv``; without them the report has no such section.
    """
    compared = comparison(ablation, config["ablation"]["variants"]) if ablation else []
    averaged = metrics.over_seeds(metrics_table)
    columns, blocks = metrics.columns(averaged), metrics.headline(averaged)
    flows = dataflow.flows(manifest, shards, quarantine)
    bases = source_bases(config)
    outcomes = recovery.outcome_counts(audit)
    histogram = similarity["distinct"]["histogram"]
    simulated = [key for key, source in bases.items() if source["simulated"]]
    pretrained_on = [flow for flow in flows if bases.get(flow.source, {}).get("role") == "pretrain"]
    evaluated_on = [flow for flow in flows if bases.get(flow.source, {}).get("role") == "evaluate"]
    jinja = environment()
    script = jinja.get_template("script.js.j2").render()
    return jinja.get_template("report.html.j2").render(
        style=Markup(jinja.get_template("style.css").render()),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        columns=columns,
        supported_columns=metrics.columns(averaged, "macro_supported"),
        blocks=blocks,
        figures=key_figures(blocks),
        supported=metrics.headline(averaged, "macro_supported"),
        auroc_plots=auroc_plots(blocks, columns),
        class_tables=metrics.class_tables(averaged),
        bases=bases,
        simulated=simulated,
        simulated_training=sum(flow.source in simulated for flow in pretrained_on),
        simulated_evaluation=sum(flow.source in simulated for flow in evaluated_on),
        pretrained_on=pretrained_on,
        evaluated_on=evaluated_on,
        flows=flows,
        splits=dataflow.SPLITS,
        quarantine_reasons=dataflow.quarantine_reasons(quarantine).to_dicts(),
        quarantined=quarantine.sort("source", "record_id", "stage").head(100).to_dicts(),
        quarantined_in_all=quarantine.height,
        flags=dataflow.flag_counts(shards).to_dicts(),
        outcomes=outcomes,
        judged=sum(outcomes.values()),
        funnel=funnel(texts, candidates, reports, outcomes, vocabulary),
        checks=[check for check in recovery.CHECKS if outcomes[check] or check in recovery.MAIN_CHECKS],
        check_names=recovery.CHECK_NAMES,
        features=recovery.feature_table(audit).to_dicts(),
        feature_texts={name: feature.text for name, feature in vocabulary.features.items()},
        reasons=recovery.reason_table(audit).to_dicts(),
        decisions=recovery.decisions(audit, decisions).to_dicts(),
        text_counts=text_counts(texts, reports, fine_reports),
        examples=examples,
        similarity=similarity,
        similarity_plot=plots.histogram(
            histogram["edges"],
            histogram["counts"],
            "similarity of two different texts",
            "Histogram of the similarities between different texts, logarithmic counts",
        ),
        ablation=compared,
        ablation_protocols=list(PROTOCOLS.values()),
        ablation_plot=(
            "Macro AUROC (%), mean over the tasks, with 95 % intervals over the seeds",
            plots.forest(
                {row["name"]: row["values"] for row in compared},
                list(PROTOCOLS.values()),
                "Macro AUROC of every variant; the numbers stand in the table below",
            ),
        ),
        training=training.to_dicts(),
        training_plots=training_plots(training),
        config=config,
        config_yaml=config_yaml,
        versions=versions,
    )
