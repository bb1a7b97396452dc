"""The figures: their data, their drawings in the report, and their files for a paper."""

import csv
import io
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from report_data import PROMPTS, TASKS, score_rows, synthetic_ecg, write_results
from sklearn.metrics import roc_auc_score

from fgclep.documents import csv_text
from fgclep.report.charts.figures import Attention, Forest, Funnel, Histogram, Lines, Strip
from fgclep.report.charts.inline import inline
from fgclep.report.charts.line_plots import curves as draw_curves
from fgclep.report.charts.plots import forest, histogram
from fgclep.report.charts.print_plots import print_plot
from fgclep.report.ecg.attention import Look, Patch
from fgclep.report.ecg.attention_grid import grid
from fgclep.report.ecg.paper import LEFT, ROW, TOP, WIDTH, on_paper
from fgclep.report.ecg.strips import draw_strip
from fgclep.report.results import curves
from fgclep.report.results.estimate import Estimate
from fgclep.report.results.funnel import Part, Step
from fgclep.report.results.metrics import Column, Condition
from fgclep.report.svg.elements import element
from fgclep.stages.render_figures import arguments, main

# -- curves ------------------------------------------------------------------------------------------------------------


def test_a_roc_curve_by_hand():
    # sorted by score: +, -, +, -: a step up, one to the right, one up, one to the right
    labels = np.array([[True], [False], [True], [False]])
    scores = np.array([[4.0], [3.0], [2.0], [1.0]])
    points = dict(curves.roc(labels, scores))
    assert points[0.0] == 0.5  # the curve begins at (0, 0) and rises at once
    assert curves.roc(labels, scores)[0] == (0.0, 0.0)
    assert (points[0.25], points[0.49], points[0.5], points[1.0]) == (0.5, 0.5, 1.0, 1.0)
    ties = dict(curves.roc(labels, np.zeros((4, 1))))
    assert (ties[0.25], ties[0.5]) == pytest.approx((0.25, 0.5))


def test_the_area_under_a_mean_curve_is_the_macro_auroc():
    rng = np.random.default_rng(0)
    labels = rng.random((800, 3)) < 0.3
    labels[:, 2] = False  # a class without positives has no curve
    scores = rng.normal(size=labels.shape) + labels
    points = np.array(curves.roc(labels, scores))
    area = np.trapezoid(points[:, 1], points[:, 0])
    assert area == pytest.approx(roc_auc_score(labels[:, :2], scores[:, :2]), abs=0.005)
    assert len(points) <= 200
    assert curves.roc(labels[:, 2:], scores[:, 2:]) == []


def test_calibration_by_hand():
    # probability 0.25: 3 of 12 are positive; 0.75: 12 of 12; 0.5 is in too few records to be shown
    logits = np.log([1 / 3] * 12 + [3.0] * 12 + [1.0] * 9)[:, None]
    labels = np.array([True] * 3 + [False] * 9 + [True] * 12 + [False] * 9)[:, None]
    assert curves.reliability(labels, logits) == [pytest.approx((0.25, 0.25)), pytest.approx((0.75, 1.0))]


def test_scores_are_those_of_the_first_prompt_set():
    rows = [row for prompts in PROMPTS for row in score_rows("fine", "zero_shot", prompts, "csn")]
    scores = curves.Scores(pl.DataFrame(rows).lazy(), PROMPTS[1])
    labels, values = scores.get("fine", Condition("zero_shot", PROMPTS[1]), Column("csn", "codes"))
    assert labels.shape == values.shape == (60, len(TASKS["csn"]))
    assert scores.get("coarse", Condition("zero_shot"), Column("csn", "codes")) is None


# -- where a model looks -----------------------------------------------------------------------------------------------


def patches(weights: dict[tuple[str, float], float], total: int = 0) -> list[Patch]:
    """Patches of a second with their attention, and others without any up to a total number."""
    found = [Patch(lead, start, start + 1.0, weight) for (lead, start), weight in weights.items()]
    return found + [Patch("aVF", 0.0, 1.0, 0.0)] * (total - len(found))


def test_neighboring_patches_are_named_together_and_the_strongest_place_first():
    rest = {("I", float(start)): 0.01 for start in range(10)}
    look = Look("x", patches({**rest, ("V1", 2.0): 0.3, ("V1", 3.0): 0.25, ("II", 8.0): 0.35}))
    assert look.words == "mostly at II, 8.0–9.0 s (35 %); V1, 2.0–3.0 s (30 %)"
    look = Look("x", patches({**rest, ("V1", 2.0): 0.45, ("V1", 3.0): 0.45}))
    assert look.words == "mostly at V1, 2.0–4.0 s (90 %)"


def test_attention_to_everything_is_called_spread_out():
    even = patches({(lead, float(start)): 1 / 20 for lead in ("I", "II") for start in range(10)})
    words = "spread out: half of the attention is on 10 of 20 patches, most at I, 0.0–1.0 s (5 %)"
    assert Look("x", even).words == words


def test_shades_tell_how_many_times_its_even_share_a_patch_gets():
    # the even share is 5 %: 12, 6, 1.6 and 1.4 times as much
    look = Look("x", patches({("I", 0.0): 0.6, ("I", 1.0): 0.3, ("I", 2.0): 0.08, ("I", 3.0): 0.07}, 20))
    assert [(patch.start, shade) for patch, shade in look.levels()] == [(0.0, 4), (1.0, 3), (2.0, 1)]


def test_the_sheet_shades_what_it_shows_of_a_lead():
    # of V1 the sheet shows 5 to 7.5 s, of II besides 0 to 2.5 s the rhythm strip
    look = Look("x", patches({("V1", 4.0): 0.3, ("V1", 7.0): 0.3, ("II", 2.0): 0.3}, 40))
    svg = draw_strip(on_paper(synthetic_ecg(), 500), 500, "an ECG", [look])
    [path] = re.findall(r'<g class="look look-1"><path d="([^"]*)" class="shade-4">', svg)
    found = [tuple(map(int, numbers)) for numbers in re.findall(r"M(\d+) (\d+)h(\d+)", path)]
    half = ROW // 2
    assert found == [
        (LEFT + 1750, TOP - half, 125),  # V1, 7 to 7.5 s
        (LEFT + 500, TOP + ROW - half, 125),  # II, 2 to 2.5 s
        (LEFT + 500, TOP + 3 * ROW - half, 250),  # the rhythm strip
    ]


def test_a_patch_of_all_leads_is_shaded_in_all_of_them():
    looks = [Look("x", [Patch("all leads", float(start), start + 1.0, float(start == 0)) for start in range(10)])]
    svg = draw_strip(on_paper(synthetic_ecg(), 500), 500, "an ECG", looks)
    [path] = re.findall(r'class="look look-1"><path d="([^"]*)"', svg)
    assert [int(y) for y in re.findall(r"M\d+ (\d+)h", path)] == [TOP + row * ROW - ROW // 2 for row in range(4)]


def test_the_small_grid_shows_every_patch():
    svg = grid(Look("a & b", patches({("V1", 2.0): 0.6, ("I", 3.0): 0.4}, 12)))
    assert re.findall("shade-[0-9]", svg) == ["shade-2", "shade-3"]  # 4.8 and 7.2 times the even share
    assert re.findall(r">(I|V1|0 s|4 s)</text>", svg) == ["I", "V1", "0 s", "4 s"]
    assert "a &amp; b" in svg


# -- drawings in the report --------------------------------------------------------------------------------------------


def test_drawings_escape_their_labels():
    assert "<b>" not in draw_curves({"<b>": [(1, 2.0)]}, ["<b>"], "<b>", "<b>", '"<b>')
    assert element("text", "a & b", x=1.0) == '<text x="1">a &amp; b</text>'
    lines = Lines("<b>", "<b>", "<b>", {"<b>": {"<b>": [(0.5, 0.5)]}}, unit_square=True)
    assert "<b>" not in inline(lines)


def test_a_histogram_needs_one_edge_more_than_counts():
    with pytest.raises(ValueError, match="one edge more"):
        histogram([0, 1], [1, 2], "x", "label")


def test_a_forest_marks_undefined_values():
    svg = forest({"csn": [Estimate(0.9, 0.8, 0.95), Estimate(None)]}, ["fine", "coarse"], "label")
    assert "90.0" in svg
    assert "not defined" in svg


def test_a_model_has_the_same_sign_in_every_figure():
    alone = inline(Forest("c", ["random"], {"csn": [Estimate(0.9)]}))
    beside = inline(Forest("c", ["fine", "coarse", "random"], {"csn": [Estimate(0.9)] * 3}))
    assert set(re.findall(r"mark (s\d)", alone)) == {"s2"}
    assert set(re.findall(r"mark (s\d)", beside)) == {"s0", "s1", "s2"}


# -- files -------------------------------------------------------------------------------------------------------------

LOOKS = [Look("$x$ <b>", patches({("V1", 2.0): 0.6, ("I", 3.0): 0.4}))]
ECG = Strip("an ECG", on_paper(synthetic_ecg(), 500), 500.0, LOOKS)
FIGURES = [
    Forest("c", ["fine", "FG-CLEP, published"], {"csn": [Estimate(0.9, 0.8, 0.95), Estimate(None)]}),
    Lines("c", "x", "y", {"": {"fine": [(1.0, 60.0), (4.0, 70.0)]}}, logarithmic=True),
    Lines("c", "x", "y", {"csn": {"fine": [(0.0, 0.0), (1.0, 1.0)]}}, unit_square=True, marked=False),
    Histogram("c", "x", [0.0, 0.5, 1.0], [10, 0]),
    Funnel("c", [Part("Answers", [Step("given", 4), Step("usable", 3, 1, "$why$")])]),
    ECG,
    Attention("c", LOOKS),
]


@pytest.fixture(scope="module")
def printed() -> list[dict[str, bytes]]:
    return [print_plot(figure) for figure in FIGURES]


def test_the_same_data_give_the_same_bytes(printed):
    again = [print_plot(figure) for figure in FIGURES[-2:]]
    assert again == printed[-2:]
    for files in printed:
        assert b"<dc:date>" not in files["svg"]
        assert b"CreationDate" not in files["pdf"] and b"matplotlib.org" not in files["pdf"]


def test_every_figure_is_svg_and_pdf(printed):
    for files in printed:
        assert ET.fromstring(files["svg"]).tag == "{http://www.w3.org/2000/svg}svg"
        assert files["pdf"].startswith(b"%PDF-")


def test_text_of_a_report_is_no_formula_in_a_figure(printed):
    assert ">$x$ &lt;b&gt;</text>" in printed[-1]["svg"].decode()


def test_a_printed_ecg_has_its_true_size(printed):
    points = float(re.search(rb'width="([\d.]+)pt"', printed[-2]["svg"])[1])
    assert points / 72 * 254 == pytest.approx(WIDTH, abs=1)  # 0.1 mm; 25 mm are a second


def test_the_data_of_an_ecg_are_millivolts_by_time():
    rows = list(csv.reader(io.StringIO(csv_text([ECG.data()[0], *ECG.data()[1]]))))
    assert rows[0] == ["seconds", "I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
    assert len(rows) == 1 + 2500
    assert [row[0] for row in rows[1:4]] == ["0.0", "0.004", "0.008"]
    assert float(rows[251][2]) == pytest.approx(ECG.traces[1, 250], abs=1e-4)


def test_data_of_other_figures_are_what_is_drawn():
    tables = [csv_text([columns, *rows]) for columns, rows in (figure.data() for figure in FIGURES)]
    assert tables[0] == 'group,series,value,ci_low,ci_high\ncsn,fine,0.9,0.8,0.95\ncsn,"FG-CLEP, published",,,\n'
    assert tables[2] == "panel,line,x,y\ncsn,fine,0.0,0.0\ncsn,fine,1.0,1.0\n"
    assert tables[3] == "from,to,count\n0.0,0.5,10\n0.5,1.0,0\n"
    assert tables[4] == "counted,step,left,dropped\nAnswers,given,4,\nAnswers,usable,3,1\n"
    assert tables[6] == ("text,lead,from_seconds,to_seconds,attention\n$x$ <b>,V1,2.0,3.0,0.6\n$x$ <b>,I,3.0,4.0,0.4\n")


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    given = [*write_results(folder), "--attention", folder / "attention.parquet"]
    settings = '{"strips": 1, "retrieved": 1, "prompts": ["synonyms"], "variants": {}}'
    given += ["--settings", settings, "--figures", folder / "out/figures", "--tables", folder / "out/tables"]
    main(arguments().parse_args(list(map(str, given))))
    return folder / "out"


def test_every_figure_of_the_report_is_a_file_with_its_data(folders):
    names = {path.stem for path in (folders / "figures").iterdir()}
    assert names == {
        "auroc_zero_shot", "auroc_linear_probe", "roc_zero_shot", "roc_linear_probe", "reliability", "few_shot",
        "funnel", "similarity", "training", "ecg_1", "attention_1", "retrieved_1_1", "retrieved_1_2", "retrieved_1_3",
    }  # fmt: skip
    for name in names:
        assert {path.suffix for path in (folders / "figures").glob(f"{name}.*")} == {".svg", ".pdf", ".csv"}


def test_every_table_of_results_is_a_file(folders):
    names = {path.stem for path in (folders / "tables").iterdir()}
    assert names == {
        "headline", "headline_supported", "fine_against_coarse", "comparisons", "prompt_sets", "few_shot", "transfer",
        "other_measures", "retrieval", *(f"classes_{task}_codes" for task in TASKS),
    }  # fmt: skip
    assert r"\textit{FG-CLEP, published}" in (folders / "tables" / "headline.tex").read_text(encoding="utf-8")
    for name in names:
        assert {path.suffix for path in (folders / "tables").glob(f"{name}.*")} == {".tex", ".csv"}
