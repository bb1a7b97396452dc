"""All figures of a run, by the names of their files."""

from collections.abc import Sequence

from fgclep.evaluation.prompts import COMBINED
from fgclep.report.charts.examples import Answered, Example
from fgclep.report.charts.figures import Attention, Figure, Forest, Funnel, Histogram, Lines
from fgclep.report.results import curves
from fgclep.report.results.estimate import Estimate
from fgclep.report.results.metrics import (
    ALL_RECORDS,
    FEW_SHOT,
    PROBE,
    ZERO_SHOT,
    Column,
    Condition,
    Metrics,
    column_names,
    model_name,
)
from fgclep.report.results.published import PUBLISHED
from fgclep.report.results.run import Results
from fgclep.report.tables.ablation import means, place_name, places


def figures(results: Results, examples: Sequence[Example], answers: Sequence[Answered]) -> dict[str, Figure]:
    """Return every figure; one that the results have nothing for is left out."""
    metrics = results.metrics
    columns = dict(zip(column_names(metrics.columns()), metrics.columns(), strict=True))
    zero_shot = Condition(ZERO_SHOT, metrics.prompts[0])
    probe = next((c for c in reversed(metrics.headline()) if c.protocol == PROBE), ALL_RECORDS)
    made: dict[str, Figure | None] = {
        "auroc_zero_shot": _forest(metrics, columns, zero_shot),
        "auroc_linear_probe": _forest(metrics, columns, probe),
        "roc_zero_shot": _roc(results, columns, zero_shot),
        "roc_linear_probe": _roc(results, columns, ALL_RECORDS),
        "reliability": _reliability(results, columns, zero_shot),
        "few_shot": _few_shot(metrics),
        "funnel": Funnel("From the statements of the reports to the accepted features", results.funnel),
        "similarity": Histogram(
            "Similarities of all pairs of different texts; counts are logarithmic",
            "similarity of two different texts",
            **results.similarity["distinct"]["histogram"],
        ),
        "training": _training(results),
        "ablation": _ablation(results),
    }
    found = {name: figure for name, figure in made.items() if figure is not None}
    for number, example in enumerate(examples, start=1):
        found[f"ecg_{number}"] = example.ecg.strip
        if example.ecg.strip.looks:
            caption = f"Attention to the patches of record {example.ecg.record_id} of {example.ecg.source}"
            found[f"attention_{number}"] = Attention(caption, example.ecg.strip.looks)
    for number, answer in enumerate(answers, start=1):
        for found_ecg, ecg in answer.found:
            found[f"retrieved_{number}_{found_ecg.rank}"] = ecg.strip
    return found


def _forest(metrics: Metrics, columns: dict[str, Column], condition: Condition) -> Forest | None:
    """Macro AUROC of every task, and what FG-CLEP's authors published."""
    models = metrics.models(condition)
    if not models:
        return None
    groups = {name: [metrics.get(model, condition, column) for model in models] for name, column in columns.items()}
    known = PUBLISHED.get((condition.protocol, condition.fraction), {}).get("FG-CLEP")
    if known:
        for name, column in columns.items():
            value = known.get(column.task)
            groups[name].append(Estimate(None if value is None else value / 100))
    series = [*map(model_name, models), *(["FG-CLEP, published"] if known else [])]
    return Forest(f"{condition.name}: macro AUROC (%) per task with 95 % interval", series, groups)


def _roc(results: Results, columns: dict[str, Column], condition: Condition) -> Lines | None:
    series = {model_name(model): (model, condition) for model in results.metrics.models(condition)}
    panels = curves.by_task(results.scores, columns, series, curves.roc)
    name = "Zero-shot" if condition.protocol == ZERO_SHOT else "Linear probe, all training records"
    caption = f"{name}: ROC curves, mean over the classes"
    return Lines(caption, "false positive rate", "true positive rate", panels, True, marked=False) if panels else None


def _reliability(results: Results, columns: dict[str, Column], zero_shot: Condition) -> Lines | None:
    series = {"zero-shot": ("fine", zero_shot), "linear probe": ("fine", ALL_RECORDS)}
    if zero_shot.setting in COMBINED:
        del series["zero-shot"]  # sums of standardized scores are no logits
    panels = curves.by_task(results.scores, columns, series, curves.reliability)
    caption = "Calibration of the fine model: share of positives by predicted probability"
    return Lines(caption, "predicted probability", "share of positives", panels, True) if panels else None


def _few_shot(metrics: Metrics) -> Lines | None:
    """Mean over the tasks of every model against the number of positives per class."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for condition in metrics.conditions(FEW_SHOT):
        for model in metrics.models(condition):
            value = metrics.mean(model, condition).value
            if value is not None:
                lines.setdefault(model_name(model), []).append((float(condition.setting), 100 * value))
    caption = "Few-shot: macro AUROC (%), mean over the tasks"
    return Lines(caption, "positives per class", "macro AUROC (%)", {"": lines}, logarithmic=True) if lines else None


def _training(results: Results) -> Lines:
    """Losses of every training."""
    panels = {}
    for name in results.training["name"].unique(maintain_order=True):
        rows = results.training.filter(name=name)
        lines = {
            label: [(float(epoch), loss) for epoch, loss in rows.select("epoch", column).rows() if loss is not None]
            for label, column in (("training", "train_loss"), ("validation", "validation_loss"))
        }
        panels[name] = {label: points for label, points in lines.items() if points}
    return Lines("Loss per epoch", "epoch", "loss", panels)


def _ablation(results: Results) -> Forest | None:
    """Means over the tasks of every variant."""
    if not results.ablation:
        return None
    shown, found = places(results.ablation), means(results.ablation)
    groups = {
        name.replace("_", " "): [found[name, place].seeds for place in shown]
        for name in dict.fromkeys(variant for variant, _ in found)
    }
    caption = "Macro AUROC (%), mean over the tasks, with 95 % intervals over the seeds"
    return Forest(caption, [place_name(place) for place in shown], groups)
