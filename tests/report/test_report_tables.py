"""The tables of results: what stands in them, and the same as LaTeX and CSV."""

import polars as pl
import pytest
from report_data import PROMPTS, TASKS, ablation_rows, comparison_rows, metrics_rows

from fgclep.report.results.estimate import UNDEFINED, Estimate
from fgclep.report.results.metrics import ALL_RECORDS, Column, Condition, Metrics, mean
from fgclep.report.tables.class_tables import class_tables
from fgclep.report.tables.comparisons import Verdict, all_comparisons, fine_against_coarse, verdict
from fgclep.report.tables.retrieval import queries, retrieval_table
from fgclep.report.tables.table import Block, Cell, Head, Row, Table
from fgclep.report.tables.table_set import csv_rows
from fgclep.report.tables.task_tables import few_shot, headline, other_measures, prompt_sets, transfer
from fgclep.report.tables.tex import escape, tabular
from fgclep.report.tables.worth import Worth, worth
from fgclep.schemas.metrics import METRICS


def metrics_of(rows: list[dict], prompts: list[str] = PROMPTS) -> Metrics:
    floats = dict.fromkeys(("value", "ci_low", "ci_high"), pl.Float64)
    return Metrics(pl.DataFrame(rows, schema_overrides=floats, infer_schema_length=None), prompts)


@pytest.fixture(scope="module")
def metrics() -> Metrics:
    return metrics_of(metrics_rows())


def texts(table: Table, block: str) -> dict[str, list[str]]:
    """Texts of the cells of a block by the name of the row."""
    rows = next(part.rows for part in table.blocks if part.name == block)
    return {row.name: [cell.text for cell in row.cells] for row in rows}


# -- metrics -----------------------------------------------------------------------------------------------------------


def test_the_made_up_metrics_have_the_columns_of_the_workflow():
    assert all(row.keys() == set(METRICS.names) for row in metrics_rows())


def test_values_and_intervals_are_averaged_over_seeds():
    row = next(r for r in metrics_rows() if r["protocol"] == "linear_probe" and r["class"] == "macro")
    column, condition = Column(row["task"], row["label_set"]), Condition("linear_probe", "", row["fraction"])
    twice = [row, {**row, "seed": 1, "value": row["value"] + 0.1, "ci_low": row["ci_low"] + 0.1}]
    found = metrics_of(twice)
    estimate = found.get(row["model"], condition, column)
    assert (estimate.value, estimate.low) == pytest.approx((row["value"] + 0.05, row["ci_low"] + 0.05))
    assert estimate.high == pytest.approx(row["ci_high"])
    assert found.seeds("linear_probe") == 2


def test_a_missing_setting_is_an_empty_one():
    rows = [{**row, "setting": row["setting"] or None} for row in metrics_rows()]
    assert metrics_of(rows).mean("fine", ALL_RECORDS).value == pytest.approx(0.8 + 0.06 + 0.025 + 0.02)


def test_the_mean_takes_one_label_set_per_task_and_needs_every_task():
    cells = {
        Column("csn", "codes"): Estimate(0.8),
        Column("csn", "published"): Estimate(0.2),
        Column("cpsc2018", "codes"): Estimate(0.9),
    }
    assert mean(cells).value == pytest.approx(0.85)
    assert mean({**cells, Column("ptbxl_sub", "codes"): UNDEFINED}).value is None


# -- tables per task ---------------------------------------------------------------------------------------------------


def test_the_headline_has_published_values_below_ours_and_no_zero_shot_of_baselines(metrics):
    table = headline(metrics)
    blocks = [block.name for block in table.blocks]
    assert blocks == [
        "Zero-shot", "Zero-shot, lead ensemble", "Linear probe, 1 %", "Linear probe, 10 %", "Linear probe, 100 %",
    ]  # fmt: skip
    published = ["MERL, published", "CLEP, published", "FG-CLEP, published"]
    assert list(texts(table, "Zero-shot")) == ["fine", "coarse", *published]
    assert list(texts(table, "Linear probe, 1 %"))[:6] == [
        "fine", "coarse", "random", "measurements", "fine and measurements", "random, published",
    ]  # fmt: skip
    assert texts(table, "Zero-shot")["FG-CLEP, published"][-1] == "82.3"
    assert texts(table, "Zero-shot, lead ensemble")["FG-CLEP, published"][-1] == "82.9"
    # 0.8 + 0.06 + 0, 0.01, ... 0.05 for the six tasks
    assert texts(table, "Zero-shot")["fine"] == ["86.0", "87.0", "88.0", "89.0", "90.0", "91.0", "88.5"]
    assert table.blocks[0].rows[0].cells[0].detail == "82.0–89.0"
    assert [row.kind for row in table.blocks[0].rows] == ["best", "", *["published"] * 3]


def test_the_headline_asks_by_the_first_prompt_set():
    by_names = headline(metrics_of(metrics_rows(), ["names", "synonyms"]))
    assert texts(by_names, "Zero-shot")["fine"][0] == "81.0"


def test_prompt_sets_stand_below_one_another_as_the_config_has_them(metrics):
    table = prompt_sets(metrics)
    names = ["wordings of reports", "names of the classes", "waveform features", "wordings and features together"]
    assert [block.name for block in table.blocks] == [f"Prompts: {name}" for name in names]
    assert [block.rows[0].cells[-1].text for block in table.blocks] == ["88.5", "83.5", "78.5", "89.5"]


def test_few_shot_results_come_by_the_number_of_positives_and_are_means_over_seeds(metrics):
    table = few_shot(metrics)
    assert [block.name for block in table.blocks] == [
        "Few-shot, 1 positive per class", "Few-shot, 4 positives per class", "Few-shot, 16 positives per class",
    ]  # fmt: skip
    # 0.86 and 0.87 with the two seeds
    assert table.blocks[0].rows[0].cells[0].text == "86.5"
    assert [row.name for row in table.blocks[0].rows] == [
        "fine", "coarse", "random", "measurements", "fine and measurements",
    ]  # fmt: skip


def test_other_measures_are_those_of_the_headline_and_of_all_training_records(metrics):
    table = other_measures(metrics)
    assert [block.name for block in table.blocks] == [
        f"{measure}, {protocol}"
        for measure in ("AUPRC", "F1", "Calibration error")
        for protocol in ("zero-shot", "linear probe, 100 %")
    ]
    assert texts(table, "F1, zero-shot")["fine"][0] == "8.6"


def test_transfer_has_a_row_for_every_pair_of_tasks(metrics):
    table = transfer(metrics)
    cells = {row.name: [cell.text for cell in row.cells] for row in table.rows}
    assert [head.name for head in table.heads][2:] == [
        "fine", "coarse", "random", "measurements", "fine and measurements",
    ]  # fmt: skip
    assert cells == {
        "CPSC2018 → CSN": ["3", "300", "76.0", "73.0", "50.0", "60.0", "78.0"],
        "CSN → CPSC2018": ["3", "300", "76.0", "73.0", "50.0", "60.0", "78.0"],
    }


def test_neither_transfer_nor_retrieval_adds_a_column_to_the_headline(metrics):
    assert [column.task for column in metrics.columns()] == list(TASKS)


def test_support_is_told_apart_where_zero_shot_and_probe_have_other_records():
    rows = [row for row in metrics_rows() if row["task"] == "cpsc2018"]
    (same,) = metrics_of(rows).columns()
    assert same.support == ("8 of 9 classes, n 300",)
    fewer = metrics_of([{**row, "n": 30} if row["protocol"] == "linear_probe" else row for row in rows])
    (other,) = fewer.columns()
    assert other.support == ("zero-shot: 8 of 9 classes, n 300", "probe: 8 of 9 classes, n 30")
    (table,) = class_tables(fewer).values()
    heads = [head.name for head in table.heads]
    assert heads[:4] == ["Positive, zero-shot", "Records, zero-shot", "Positive, probe", "Records, probe"]
    assert [cell.text for cell in table.rows[0].cells[:4]] == ["36", "300", "36", "30"]


def test_class_tables_keep_undefined_classes_with_their_support(metrics):
    tables = {column.task: table for column, table in class_tables(metrics).items()}
    row = tables["cpsc2018"].rows[-1]
    assert (row.name, [cell.text for cell in row.cells[:2]]) == ("STE", ["0", "300"])
    assert {cell.text for cell in row.cells[2:]} == {"–"}
    heads = [head.name for head in tables["csn"].heads]
    assert heads[:3] == ["Positive", "Records", "Zero-shot: fine"]
    assert {"Linear probe, 100 %: measurements", "Linear probe, 100 %: fine and measurements"} <= set(heads)


# -- comparisons and retrieval -----------------------------------------------------------------------------------------


def test_differences_are_fine_minus_coarse_whichever_stands_first():
    table = fine_against_coarse(comparison_rows(), PROMPTS)
    assert [block.name for block in table.blocks] == ["Zero-shot", "Linear probe, 100 %"]
    zero_shot, probe = (block.rows[0] for block in table.blocks)
    # coarse 83, fine 86: the one row has fine minus coarse (+3, +2 to +5), the other coarse minus fine (-3, -4 to -1)
    assert [cell.text for cell in zero_shot.cells] == ["86.0", "83.0", "+3.0", "<0.001", "0.001", "300"]
    assert [cell.text for cell in probe.cells][:3] == ["86.0", "83.0", "+3.0"]
    assert (zero_shot.cells[2].detail, probe.cells[2].detail) == ("+2.0 to +5.0", "+1.0 to +4.0")
    assert [cell.text for cell in table.blocks[0].rows[-2].cells][3:5] == ["–", "–"]
    mean = table.blocks[0].rows[-1]
    assert (mean.name, mean.cells[2].text, mean.cells[4].text) == ("mean over the tasks", "+3.0", "–")


def test_every_comparison_is_in_the_folded_table():
    table = all_comparisons(comparison_rows(), PROMPTS)
    assert len(table.rows) == 28
    assert {row.name for row in table.rows} == {"fine − coarse", "coarse − random"}
    assert {row.cells[1].text for row in table.rows} == {
        "Zero-shot", "Zero-shot, waveform features", "Linear probe, 100 %",
    }  # fmt: skip


def test_the_verdict_counts_certain_differences_only():
    # corrected p: 0.0012, 0.03, 0.06, 0.09, 0.12, none
    assert verdict(comparison_rows(), PROMPTS) == Verdict(better=2, worse=0, tasks=5)
    turned = [{**row, "difference": -row["difference"]} for row in comparison_rows()]
    assert verdict(turned, PROMPTS) == Verdict(better=0, worse=2, tasks=5)
    assert verdict([], PROMPTS) is None


def test_retrieval_is_told_by_direction(metrics):
    table = retrieval_table(metrics)
    assert [block.name for block in table.blocks] == ["From ECG to report", "From report to ECG"]
    assert [cell.text for cell in table.rows[0].cells] == ["mimic-iv-ecg", "10.0", "30.0", "50.0", "9", "250"]
    assert table.rows[0].cells[4].detail == "8.95–9.05"


def test_of_each_report_text_the_three_best_ecgs_are_shown():
    def row(query: str, rank: int, source: str = "s") -> dict:
        same = {"query": query, "rank": rank, "source": source, "record_id": f"r{rank}"}
        return {**same, "probability": 0.5, "hit": rank == 2}

    rows = [row("a", rank) for rank in (4, 2, 1, 3)] + [row("a", 1, "t"), row("b", 1)]
    first, second = queries(rows, 2)
    assert [found.rank for found in first.found] == [1, 2, 3]
    assert [found.hit for found in first.found] == [False, True, False]
    assert (second.text, second.found[0].source) == ("a", "t")  # another source with the same text


# -- what the recovered features are worth -----------------------------------------------------------------------------


def test_the_worth_of_the_features_is_told_by_the_ablation_where_there_is_one():
    found = worth(ablation_rows(), comparison_rows())
    assert found == Worth(
        [
            "+3.0 points zero-shot by wordings of reports (95 % interval over seeds +2.0 to +4.0 and over patients "
            "+1.5 to +5.0)",
            "−1.0 points linear probe, all training records (95 % interval over seeds −2.0 to +0.0 and over patients "
            "−2.5 to +1.0)",
        ],
        3,
    )


def test_without_it_by_the_coarse_model():
    other = [row for row in ablation_rows() if row["variant"] != "features_none"]
    for ablation in ([], other):
        assert worth(ablation, comparison_rows()) == Worth(
            [
                "+3.0 points zero-shot by wordings of reports (95 % interval over patients +2.0 to +5.0)",
                "+3.0 points zero-shot by waveform features (95 % interval over patients +2.0 to +5.0)",
                "+3.0 points linear probe, all training records (95 % interval over patients +1.0 to +4.0)",
            ]
        )
    of_one_task = [row for row in comparison_rows() if row["task"] == "csn"]
    assert len(worth([], of_one_task).gains) == 3
    assert worth([], []) is None


def test_re_measured_results_stand_beside_the_probe_with_all_records(metrics):
    table = headline(metrics)
    all_records = texts(table, "Linear probe, 100 %")
    assert all_records["S4 trained on labels, re-measured"] == ["93.2", "93.8", "91.9", "95.6", "–", "–", "–"]
    assert all_records["MERL probed anew, re-measured"] == ["–", "89.5", "86.4", "–", "–", "–", "–"]
    assert not any("re-measured" in name for name in texts(table, "Linear probe, 10 %"))


# -- LaTeX and CSV -----------------------------------------------------------------------------------------------------

SMALL = Table(
    "Caption, 50 %",
    "Model",
    [Head("A & B", ("label_set", "n 3")), Head("words", numeric=False)],
    [
        Block("", [Row("fine", [Cell.percent(Estimate(0.9, 0.8, 0.95)), Cell.words("x_1 < 2")], "best")]),
        Block("Published", [Row("MERL", [Cell.percent(Estimate(None)), Cell.words("")], "published")]),
    ],
)


def test_a_latex_table_needs_no_package_and_escapes_its_text():
    assert tabular(SMALL).splitlines() == [
        "% Caption, 50 %",
        r"\begin{tabular}{lrl}",
        r"\hline",
        r"Model & A \& B & words \\",
        r" & {\scriptsize label\_set} & \\",
        r" & {\scriptsize n 3} & \\",
        r"\hline",
        r"\textbf{fine} & \textbf{90.0} {\scriptsize 80.0--95.0} & \textbf{x\_1 \textless{} 2} \\",
        r"\hline",
        r"\multicolumn{3}{l}{Published} \\",
        r"\textit{MERL} & \textit{--} & \\",
        r"\hline",
        r"\end{tabular}",
    ]


def test_no_character_of_a_text_is_a_command_to_latex():
    assert escape("\\input{x} $1 #2 ~3 ^4 50% a_b") == (
        r"\textbackslash{}input\{x\} \$1 \#2 \textasciitilde{}3 \textasciicircum{}4 50\% a\_b"
    )


def test_a_csv_table_has_intervals_in_columns_of_their_own():
    assert list(csv_rows(SMALL)) == [
        ["Part", "Model", "A & B label_set", "A & B label_set: 95 % interval", "words"],
        ["", "fine", "90.0", "80.0–95.0", "x_1 < 2"],
        ["Published", "MERL", "–", "", ""],
    ]
