"""The report: what it says, that it stands alone, and that nothing from outside becomes markup."""

import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import ROOT
from html_page import Page
from report_data import (
    CANDIDATES,
    PROMPTS,
    ablation_rows,
    comparison_rows,
    config,
    report_command,
    synthetic_ecg,
    write_csv,
)

from fgclep.errors import UserError
from fgclep.language.vocabulary import load_vocabulary
from fgclep.report.ecg.paper import LEFT, ROW, TOP, at_paper_rate
from fgclep.report.ecg.strips import ecg_strip, polyline
from fgclep.report.render import environment, source_bases
from fgclep.report.results import audit_summary, dataflow
from fgclep.report.results.run import ABLATION
from fgclep.schemas.audit import AUDIT
from fgclep.schemas.comparisons import COMPARISONS
from fgclep.schemas.quarantine import QUARANTINE
from fgclep.stages.render_report import arguments, main
from fgclep.tables import write_table
from fgclep.verification.explain import explain, intervals, limits, measured
from fgclep.verification.reasons import Reason


def render_in(folder: Path, *changes: str) -> Path:
    main(arguments().parse_args([*report_command(folder), *changes]))
    return folder / "report.html"


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    return render_in(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def html(report) -> str:
    return report.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def audit(report) -> pl.LazyFrame:
    return audit_summary.with_outcome(pl.scan_parquet(report.parent / "audit.parquet"))


def test_the_same_results_give_the_same_report(html, tmp_path):
    assert render_in(tmp_path).read_text(encoding="utf-8") == html


def test_markup_in_a_statement_is_shown_and_not_run(html):
    assert "<script>alert" not in html
    assert "<i>" not in html
    assert "<b>llama" not in html
    assert "Left axis deviation &lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert len(Page(html).all("script")) == 1


def test_the_report_loads_nothing(html):
    page = Page(html)
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "data"):
            target = attributes.get(name) or "#"
            assert target.startswith("#") or target in {"data:,", "review.html"}, f"<{tag} {name}={target}>"
    assert "url(" not in html
    assert "@import" not in html
    policy = next(meta for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy["content"]


def test_the_epoch_whose_weights_are_kept_is_marked(html):
    training = html[html.index('id="training"') : html.index('id="tasks"')]
    kept = re.findall(r'<th scope="row">(\w+)</th><td class="n"><span title="kept">✓</span> (\d)</td>', training)
    assert kept == [("coarse", "3"), ("fine", "2")]
    assert training.count("✓</span>") == 2
    assert ">40.0</td>" in training  # recall of the coarse model's fourth epoch, in percent


def test_the_measured_speed_of_the_training_is_told(html):
    training = html[html.index('id="training"') : html.index('id="tasks"')]
    assert training.count('<td class="n">1234</td><td class="n">3.4</td>') == 4 + 3  # ECG/s, % of the time waiting


def test_the_report_is_small(report):
    assert report.stat().st_size < 900_000


def test_each_feature_of_a_simulated_ecg_is_said_to_be_true_or_not(html):
    example = html[html.index('id="examples"') : html.index('id="similarity"')]
    articles = example.split('<article class="ecg-record">')[1:]
    assert "Accepted features (1, of which the simulated heart has 1)" in articles[0]
    assert "Dropped candidates (2, of which the simulated heart has 1)" in articles[0]
    told = re.findall(r'<b>([^<]*)</b> <span class="truth (yes|no)">(true|not true)</span>', articles[0])
    assert told == [
        ("qrs duration of 120 ms or more", "yes", "true"),
        ("absent p waves", "yes", "not true"),  # and dropped, which is right
        ("pr interval above 200 ms", "no", "true"),
    ]


def test_nothing_is_true_of_real_ecgs(tmp_path):
    given = report_command(tmp_path)
    place = given.index("--truth")
    del given[place : place + 2]
    main(arguments().parse_args(given))
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'class="truth' not in html and "simulated heart" not in html


def test_the_worst_errors_are_those_of_the_scores(html, report):
    scores = pl.read_parquet(report.parent / "scores" / "fine-zero_shot.parquet")
    rows = scores.filter(task="ptbxl_super", setting=PROMPTS[0]).filter(
        pl.col("record_id").is_in(["r0", "r1", "r2", "r3"])
    )
    shown = html[html.index("The worst errors") : html.index('id="curves"')]
    names = re.findall(r"<summary>(\w+) <span", shown)
    assert names == ["HYP", "CD", "STTC", "MI", "NORM"]  # from the lowest AUROC on
    for name, part in zip(names, shown.split("<details>")[1:], strict=True):
        place = rows["classes"][0].to_list().index(name)
        by_score = sorted(rows.rows(named=True), key=lambda row: row["scores"][place])
        high = [
            row["record_id"]
            for row in sorted(by_score, key=lambda row: (-row["scores"][place], row["record_id"]))
            if not row["labels"][place]
        ][:2]
        low = [row["record_id"] for row in by_score if row["labels"][place]][:2]
        assert re.findall(r"<figcaption>ptb-xl (\w+)", part) == [*high, *low]


def test_headings_figures_and_table_heads_can_be_read_aloud(html):
    page = Page(html)
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.all("svg")
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in page.all("svg"))
    assert all("scope" in head for head in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    targets = {attributes.get("id") for _, attributes in page.elements}
    assert all(link["href"][1:] in targets or link["href"] == "review.html" for link in page.all("a"))


def test_the_first_lines_say_how_good_and_on_what(html):
    start = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html[html.index("<header>") : html.index("</header>")]))
    # zero-shot of the fine model: 0.86, 0.87, ..., 0.91
    assert "mean macro AUROC of 88.5 % over 6 tasks" in start
    assert "trained on 3 simulated ECGs" in start
    assert "Simulated data. ptb-xl, cpsc2018, csn here are made by the workflow's simulator" in start


def test_the_summary_tells_how_sure_the_gain_of_the_fine_stage_is(html, tmp_path):
    assert "better than the coarse one on 2 of 5 tasks and worse on none" in html
    given = report_command(tmp_path)
    rows = [row | {"p_holm": 0.5} for row in comparison_rows()]
    write_csv(tmp_path / "comparisons.csv", COMPARISONS.names, rows)
    main(arguments().parse_args(given))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "may be chance in the choice of patients on each of the 6 tasks" in page


def words(html: str, id_: str) -> str:
    section = html[html.index(f'<section id="{id_}"') :].partition("</section>")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", section))


def test_the_summary_says_what_the_features_are_worth_as_far_as_the_run_can_tell(html, tmp_path):
    summary = words(html, "summary")
    assert (
        "(verification.features: filtered) against the coarse one, mean over the tasks: +3.0 points zero-shot"
        in summary
    )
    assert "has also been trained for 4 more epochs: snakemake --cores all ablation" in summary
    given = report_command(tmp_path)
    write_csv(tmp_path / "ablation.csv", list(ABLATION), ablation_rows())
    main(arguments().parse_args([*given, "--ablation", str(tmp_path / "ablation.csv")]))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "mean over the tasks and 3 seeds: +3.0 points zero-shot by wordings of reports (95 %" in words(
        page, "summary"
    )
    ablation = words(page, "ablation")
    assert "seeds −4.0 to −2.0; patients −5.0 to −1.5" in ablation
    without = config()
    without["verification"]["features"] = "none"
    page = render_in(tmp_path / "none", "--config-json", json.dumps(without)).read_text(encoding="utf-8")
    assert "this run cannot tell" in words(page, "summary")


def test_real_sources_are_called_real(tmp_path):
    settings = config()
    for key in ("ptb-xl", "cpsc2018", "csn"):
        settings["data"]["sources"][key]["base"] = "https://physionet.org/files"
    text = render_in(tmp_path, "--config-json", json.dumps(settings)).read_text(encoding="utf-8")
    assert "Trained on simulated, evaluated on real ECGs." in text
    assert "Simulated data." not in text
    assert source_bases(settings)["mimic-iv-ecg"]["simulated"]
    assert not source_bases(settings)["csn"]["simulated"]


def test_the_head_names_the_run(html):
    assert "<title>FG-CLEP: report of night 3</title>" in html and "pre-training: report of night 3</h1>" in html


def test_what_a_language_model_knew_before_it_was_asked_is_told(html, tmp_path):
    assert "with an AUROC of 0.81" in html and "named 55 % of the same features" in html
    given = report_command(tmp_path)
    (tmp_path / "cost.json").write_text('{"calls": 0}')
    main(
        arguments().parse_args(
            [*given, "--settings", json.dumps({"strips": 0, "examples": 0, "retrieved": 0, "prompts": PROMPTS})]
        )
    )
    assert "Before it was asked" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_run_without_candidates_and_strips_gives_a_report(tmp_path):
    given = report_command(tmp_path)
    write_table([], tmp_path / "audit.parquet", AUDIT)
    write_table([], tmp_path / "quarantine.parquet", QUARANTINE)
    settings = {"strips": 0, "examples": 0, "retrieved": 0, "prompts": PROMPTS}
    main(arguments().parse_args([*given, "--settings", json.dumps(settings)]))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "No record was quarantined." in text
    assert "None to show" in text


def test_the_ablation_is_told_where_it_has_been_run(html, tmp_path):
    given = report_command(tmp_path)
    rows = [row | {"variant": "my_loss" if row["variant"] == "coarse" else row["variant"]} for row in ablation_rows()]
    write_csv(tmp_path / "ablation.csv", list(ABLATION), rows)
    settings = {**config(), "ablation": {"variants": {"my_loss": {"pretraining": {"loss": "<i>"}}}}}
    changes = ("--ablation", str(tmp_path / "ablation.csv"), "--config-json", json.dumps(settings))
    main(arguments().parse_args([*given, *changes]))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    section = text[text.index('<section id="ablation"') : text.index('<section id="settings"')]
    assert "pretraining: {loss: &lt;i&gt;}" in section
    assert "−5.0<small>seeds −6.0 to −4.0; patients −7.0 to −3.5</small>" in section
    assert 'href="#ablation"' in text and 'href="#ablation"' not in html


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("metrics.csv", "model,task\nfine,csn\n", "label_set"),
        ("coarse/training.csv", "name,epoch\ncoarse,one\n", "one"),
    ],
)
def test_a_csv_file_of_another_kind_is_named(tmp_path, name, content, message):
    given = report_command(tmp_path)
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=rf"{name}: .*{message}"):
        main(arguments().parse_args(given))


def test_every_record_is_counted_once():
    keys = [("a", str(number)) for number in range(6)]
    manifest = pl.DataFrame(keys, schema=["source", "record_id"], orient="row")
    shards = manifest.head(3).with_columns(
        patient_id=pl.Series(["p", "p", "q"]), split=pl.Series(["train", "train", "test"])
    )
    quarantine = pl.DataFrame(
        [("a", "2", "reports", "x"), ("a", "3", "shards", "x"), ("a", "3", "fetch", "x"), ("a", "9", "manifest", "x")],
        schema=["source", "record_id", "stage", "reason"],
        orient="row",
    )  # fmt: skip
    (flow,) = dataflow.flows(manifest.lazy(), shards.lazy(), quarantine)
    assert flow == dataflow.SourceFlow(
        source="a", listed=7, unusable_entries=1, in_manifest=6, quarantined=1, unexplained=2, in_shards=3, patients=2,
        splits={"train": 2, "val": 0, "test": 1}, without_report=1,
    )  # fmt: skip


def test_reasons_that_differ_in_numbers_are_counted_together():
    table = pl.DataFrame(
        {
            "stage": "s",
            "source": "a",
            "reason": ["too short: 3.2 s in V1", "too short: 4 s in V1", "too short: 4 s in V2"],
        }
    )
    assert dataflow.quarantine_reasons(table).rows() == [
        ("s", "a", "too short: # s in V1", 2),
        ("s", "a", "too short: # s in V2", 1),
    ]


def test_every_reason_of_the_filter_has_its_place_in_the_funnel():
    assert {reason.dropped_by for reason in Reason if not reason.accepted} == set(audit_summary.CHECKS)
    assert set(audit_summary.CHECK_NAMES) == {*audit_summary.CHECKS, audit_summary.ACCEPTED}


def test_outcomes_are_counted(audit):
    # 5, 4, 3 and 5 candidates
    assert audit_summary.outcome_counts(audit) == {
        "votes": 0, "measurement": 4, "contradiction": 4, "uncalibrated": 0, "reader": 2, "accepted": 7,
    }  # fmt: skip
    odd = audit_summary.with_outcome(audit.drop("outcome").with_columns(reason=pl.lit("a_new_check")))
    with pytest.raises(UserError, match=r"audit\.parquet: the reason 'a_new_check' is unknown"):
        audit_summary.outcome_counts(odd)


def test_features_are_counted_by_outcome(audit):
    table = {row["feature"]: row for row in audit_summary.feature_table(audit).iter_rows(named=True)}
    assert table["wide_qrs"]["accepted"] == table["wide_qrs"]["supported"] == table["wide_qrs"]["candidates"] == 4
    assert table["irregular_rr"]["reader"] == 2
    assert sum(row["candidates"] for row in table.values()) == 17


def test_single_decisions_take_turns_among_the_outcomes(audit):
    assert set(audit_summary.decisions(audit, 4)["outcome"]) == {"accepted", "measurement", "contradiction", "reader"}
    assert audit_summary.decisions(audit, 100).height == 17


def test_chosen_records_differ_in_their_statements_and_can_be_drawn(audit):
    everything = audit.select("source", "record_id").unique()
    chosen = audit_summary.choose_records(audit, everything, 3)
    assert chosen == audit_summary.choose_records(audit, everything, 3)
    assert len({record for _, record in chosen}) == 3
    without_r0 = everything.filter(pl.col("record_id") != "r0")
    assert ("mimic-iv-ecg", "r0") not in audit_summary.choose_records(audit, without_r0, 10)
    assert len(audit_summary.choose_records(audit, without_r0, 10)) == 3


def test_of_the_records_with_a_statement_the_one_with_most_outcomes_is_chosen_an_accepted_one_first():
    rows = [
        ("r0", "often", "reader"), ("r0", "often", "votes"), ("r0", "often", "measurement"),
        ("r1", "often", "accepted"),
        ("r2", "often", "accepted"), ("r2", "seldom", "reader"),
        ("r3", "seldom", "votes"),
    ]  # fmt: skip
    columns = ["record_id", "statement", "outcome"]
    audit = (
        pl.DataFrame(rows, schema=columns, orient="row").with_columns(source=pl.lit("s"), feature=pl.lit("f")).lazy()
    )
    # r2 has two outcomes by both of its statements; then the second best for each statement, "often" first
    assert audit_summary.choose_records(audit, audit, 4) == [("s", "r2"), ("s", "r1"), ("s", "r3"), ("s", "r0")]


def test_the_report_names_the_values_that_a_rule_looks_at():
    rule = {
        "all": [{"measure": "qrs_ms", "above": 120}, {"any": [{"measure": "rp_mv", "leads": ["V1"], "above": 0.1}]}]
    }
    measures = {"qrs_ms": 131.6, "rp_mv": [0.0] * 6 + [0.25] + [0.0] * 5}
    assert measured(rule, measures) == "QRS 132 ms; R' V1 0.25 mV"
    assert measured(rule, {"qrs_ms": float("nan"), "rp_mv": None}) == ""
    assert measured(None, measures) == ""


def test_every_rule_of_the_vocabulary_can_be_written(report):
    vocabulary = load_vocabulary(ROOT / "resources" / "vocabulary")
    row = pl.read_parquet(report.parent / "measurements.parquet").row(0, named=True)
    scalars = {key: 1.0 for key, value in row.items() if value is None}
    rules = [feature.rule for feature in vocabulary.features.values() if feature.rule]
    assert all(measured(rule, {**row, **scalars}) for rule in rules)
    assert all(re.search(r"(above|below) −?\d", limits(rule)) for rule in rules)
    assert limits(vocabulary.features["right_axis"].rule) == "QRS axis above 90 and below 180°"


def test_an_explanation_gives_every_check():
    _, measurement, contradiction, score, threshold, *_ = CANDIDATES[2]
    row = {"measurement": measurement, "contradiction": contradiction, "reader_score": score}
    why = explain({**row, "reader_threshold": threshold}, ["Sinus rhythm", "AF"], None, {})
    assert why == (
        "measurement: untestable · excluded by “sinus rhythm” · reader: score 0.10, seen from 0.50 on · "
        "proposed for “Sinus rhythm”, “AF”"
    )
    assert "reader" not in explain({**row, "reader_score": None, "reader_threshold": None}, ["AF"], None, {})
    told = {float("nan"): "not calibrated for this feature", float("inf"): "no score is high enough to trust it"}
    for unknown, words in told.items():
        why = explain({**row, "reader_threshold": unknown}, ["AF"], None, {})
        assert f"reader: {words}" in why and "0.10" not in why
    assert intervals({"qrs_axis": -12.3, "qrs_ms": None}) == [("QRS axis", "−12°")]


def paths(svg: str, class_: str) -> list[str]:
    return re.findall(rf'<path d="([^"]+)" class="{class_}"', svg)


def test_one_millivolt_is_ten_millimeters_and_a_second_twenty_five():
    step = np.zeros((12, 5000))
    step[0, 600:1100] = 1.0  # lead I, 1.2 s to 2.2 s, above a median of zero
    traces = paths(ecg_strip(step, 500, "a step"), "trace")
    assert len(traces) == 4 + 13  # four calibration pulses, twelve leads and the rhythm strip
    assert traces[0] == f"M20 {TOP}h15v-100h50v100h15"
    numbers = [int(number) for number in re.findall(r"-?\d+", traces[4])]
    across = numbers[0] + np.cumsum([0, *numbers[2::2]])
    height = np.cumsum([numbers[1], *numbers[3::2]])
    assert (across[0], across[-1]) == (LEFT, LEFT + 624)
    up = across[height < TOP - 50]  # 0.1 mm
    assert (up[0] - LEFT, up[-1] - LEFT) == pytest.approx((300, 550), abs=2)
    assert height[450] == pytest.approx(TOP - 100, abs=1)


def test_high_amplitudes_get_a_higher_sheet():
    def height(millivolts: float, lead: int) -> int:
        signal = np.zeros((12, 5000))
        signal[lead, :100] = millivolts
        return int(re.search(r'viewBox="0 0 \d+ (\d+)"', ecg_strip(signal, 500, "ECG"))[1])

    usual = height(0.5, 0)
    assert height(3.0, 0) == pytest.approx(usual + 300 + 30 - TOP, abs=40)  # the filter overshoots
    assert height(3.0, 2) == usual  # the third row has room above
    assert height(-3.0, 1) > usual
    assert height(100.0, 0) == usual + 600 - TOP


def test_leads_stand_in_their_places():
    svg = ecg_strip(synthetic_ecg(), 500, "leads")
    found = re.findall(r'<text x="(\d+)" y="(\d+)" class="lead">(\w+)</text>', svg)
    places = {name: (int(x), int(y)) for x, y, name in found}
    assert places["aVR"][0] == places["aVL"][0] == LEFT + 625 + 8
    assert places["V4"][1] == places["I"][1] == places["II"][1] - 3 * ROW  # the second II is the rhythm strip
    assert len(places) == 12


@pytest.mark.parametrize(
    ("fs", "samples", "expected"), [(500, 5000, 2500), (257, 2570, 2500), (100, 1000, 2500), (1000, 700, 175)]
)
def test_any_sampling_rate_comes_to_paper_rate(fs, samples, expected):
    time = np.arange(samples) / fs
    signal = np.tile(0.5 + np.sin(2 * np.pi * 5 * time), (12, 1))
    shown = at_paper_rate(signal, fs)
    assert shown.shape == (12, expected)
    wanted = np.sin(2 * np.pi * 5 * np.arange(expected) / 250)
    assert np.abs(shown[0] - shown[0].mean() - (wanted - wanted.mean()))[20:-20].max() < 0.03


def test_missing_samples_leave_a_gap():
    signal = synthetic_ecg()
    signal[1, 1000:1500] = np.nan
    assert np.isnan(at_paper_rate(signal, 500)[1, 505:745]).all()
    assert not np.isnan(at_paper_rate(signal, 500)[1, 755:]).any()
    assert polyline(np.array([np.nan, 0.1, np.nan, -0.1]), 0, 0) == "M1 -10M3 10"
    assert at_paper_rate(np.full((12, 0), np.nan), 500).shape == (12, 0)


def test_an_ecg_takes_little_space_and_a_short_one_can_be_drawn():
    noisy = synthetic_ecg() + np.random.default_rng(0).normal(0, 0.02, (12, 5000))
    assert len(ecg_strip(noisy, 500, "noisy")) < 70_000
    assert "lead" in ecg_strip(noisy[:, :1000], 500, "two seconds")
    with pytest.raises(ValueError, match="12 leads"):
        ecg_strip(noisy[:3], 500, "three leads")


def test_a_missing_name_in_the_template_is_an_error():
    with pytest.raises(Exception, match="undefined"):
        environment().from_string("{{ nothing }}").render()
