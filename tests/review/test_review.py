"""The review sheet: what is drawn, what it shows and hides, and what its answers say."""

import base64
import csv
import html as markup
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from report_data import STATEMENTS, synthetic_ecg, write_results

from fgclep.cli import main as fgclep
from fgclep.errors import UserError
from fgclep.review.sample import allot, draw
from fgclep.review.score import COLUMNS, Answer, read_answers, score_text, weighted_share, wilson
from fgclep.schemas.audit import AUDIT
from fgclep.stages.render_review import arguments, main
from fgclep.tables import write_table

needs_browser = pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")


def command(folder: Path, review: int = 6, ecgs: list[np.ndarray] | None = None) -> list[str]:
    given = list(map(str, write_results(folder, ecgs)))
    wanted = ("--audit", "--measurements", "--vocabulary")
    return [
        *(part for name in wanted for part in given[given.index(name) : given.index(name) + 2]),
        *("--manifests", str(folder / "manifest" / "mimic-iv-ecg.parquet")),
        *("--shards", str(folder / "shards" / "mimic-iv-ecg" / "0.parquet")),
        *("--simulated", "mimic-iv-ecg"),
        *("--settings", json.dumps({"review": review, "seed": 0})),
        *("--output", str(folder / "review.html")),
    ]


def review_in(folder: Path, review: int = 6) -> Path:
    main(arguments().parse_args(command(folder, review)))
    return folder / "review.html"


@pytest.fixture(scope="module")
def sheet(tmp_path_factory) -> Path:
    return review_in(tmp_path_factory.mktemp("review"), review=200)


@pytest.fixture(scope="module")
def html(sheet) -> str:
    return sheet.read_text(encoding="utf-8")


class Elements(HTMLParser):
    """Elements with their attributes and the text in them, each closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict, list[str]]] = []
        self.open: list[tuple[str, list[str]]] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        words: list[str] = []
        self.found.append((tag, dict(attrs), words))
        if tag not in {"meta", "link", "br", "input"}:
            self.open.append((tag, words))

    def handle_data(self, data):
        for _, words in self.open:
            words.append(data)

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def all(self, tag: str, class_: str = "") -> list[tuple[dict, str]]:
        found = [(a, "".join(words)) for name, a, words in self.found if name == tag]
        return [(a, text) for a, text in found if not class_ or class_ in (a.get("class") or "").split()]


def audit_rows(records: int, accepted: int) -> pl.DataFrame:
    """One candidate per record, the first ones accepted."""
    row = {
        "source": "s", "statement": "t", "feature": "wide_qrs", "votes": 1, "measurement": "untestable",
        "contradiction": None, "reader_score": None, "reader_threshold": None, "backend": "b", "model_digest": "",
        "prompt_hash": "",
    }  # fmt: skip
    rows = [
        {
            **row,
            "record_id": f"r{number}",
            "accepted": number < accepted,
            "reason": "seen" if number < accepted else "not_seen",
        }
        for number in range(records)
    ]
    return pl.DataFrame(rows, schema_overrides={"contradiction": pl.String}).select(AUDIT.names)


def keys(audit: pl.DataFrame) -> pl.LazyFrame:
    return audit.select("source", "record_id").lazy()


def test_half_of_the_sample_is_accepted_and_the_weights_count_all_decisions():
    audit = audit_rows(1000, 800)
    sample = draw(audit.lazy(), keys(audit), 100, 0)
    assert (sample.accepted, sample.dropped) == (800, 200)
    by_kind = {kind: [d.weight for d in sample.decisions if d.accepted == kind] for kind in (True, False)}
    assert by_kind == {True: [16.0] * 50, False: [4.0] * 50}
    assert allot(100, 800, 10) == (90, 10)


def test_the_draw_is_even_and_follows_the_seed_alone():
    audit = audit_rows(400, 200)
    shuffled = audit.sample(fraction=1.0, shuffle=True, seed=1)
    drawn = [[d.record_id for d in draw(audit.lazy(), keys(audit), 40, seed).decisions] for seed in range(200)]
    assert [d.record_id for d in draw(shuffled.lazy(), keys(audit), 40, 3).decisions] == drawn[3]
    assert drawn[0] != drawn[1]
    times = pl.Series([record for sample in drawn for record in sample]).value_counts()["count"]
    # each of 400 records is drawn in 20 of 200 samples on average, with a standard deviation of 4.2
    assert times.len() == 400
    assert times.std() == pytest.approx(4.2, abs=0.8)


def test_the_order_tells_nothing_about_the_decision():
    audit = audit_rows(2000, 1900)  # dropped ones are drawn much more often
    samples = [draw(audit.lazy(), keys(audit), 50, seed).decisions for seed in range(40)]
    places = [place for sample in samples for place, decision in enumerate(sample) if decision.accepted]
    assert sum(places) / len(places) == pytest.approx(24.5, abs=1.5)


def test_a_feature_that_two_statements_suggest_is_one_decision():
    audit = audit_rows(2, 0)
    again = audit.with_columns(statement=pl.lit("another"), accepted=pl.col("record_id") == "r1")
    both = pl.concat([audit, again])
    sample = draw(both.lazy(), keys(audit), 10, 0)
    assert {d.record_id: (d.accepted, d.statements, d.weight) for d in sample.decisions} == {
        "r0": (False, ["another", "t"], 1.0),
        "r1": (True, ["another", "t"], 1.0),
    }


def test_records_without_an_ecg_are_not_drawn():
    audit = audit_rows(20, 10)
    sample = draw(audit.lazy(), keys(audit.head(3)), 10, 0)
    assert {d.record_id for d in sample.decisions} == {"r0", "r1", "r2"}
    assert (sample.accepted, sample.dropped) == (3, 0)


def test_the_same_results_give_the_same_sheet(html, tmp_path):
    assert review_in(tmp_path, review=200).read_text(encoding="utf-8") == html


def test_every_decision_is_asked_and_each_ecg_drawn_once(html):
    page = Elements(html)
    assert len(page.all("article", "decision")) == 17  # all candidates
    assert len(page.all("svg", "ecg")) == 4
    assert [a["id"] for a, _ in page.all("article")] == [f"decision-{number}" for number in range(1, 18)]
    assert all("accepted" not in a["aria-label"] for a, _ in page.all("svg"))


def test_what_the_filter_decided_and_measured_is_folded_away(html):
    page = Elements(html)
    folded = page.all("details", "findings")
    assert len(folded) == 17
    assert all("open" not in a for a, _ in folded)
    seen = html
    for part in re.findall(r'<details class="findings">.*?</details>', html, flags=re.S):
        seen = seen.replace(part, "")
    body = re.sub(r"<[^>]*>", "", seen[seen.index("<main") : seen.index("</main>")])
    for word in ("dropped", "accepted", "132 ms", "reader", "refute", "Proposed"):
        assert word not in body, word
    assert "QRS 132 ms" in folded[0][1]
    assert "reader: score" in "".join(text for _, text in folded)
    for (asked, _), (_, text) in zip(page.all("article", "decision"), folded, strict=True):
        assert f"Proposed for “{asked['data-statement']}”" in text


def test_a_long_sheet_says_how_long_it_takes_and_offers_a_part(tmp_path, monkeypatch):
    monkeypatch.setattr("fgclep.review.sheet._FIRST", 5)
    text = review_in(tmp_path, review=200).read_text(encoding="utf-8")
    assert "the 17 decisions take 17 minutes" in text
    page = Elements(text)
    assert [a["id"] for a, _ in page.all("article", "later")] == [f"decision-{number}" for number in range(6, 18)]
    assert [a["id"] for a, _ in page.all("input") if a.get("type") == "checkbox"] == ["first", "reveal"]


def test_a_short_sheet_has_no_part(html):
    assert 'id="first"' not in html


def test_the_sheet_loads_nothing_and_markup_in_a_report_stays_text(html):
    page = Elements(html)
    assert "<script>alert" not in html
    assert "left axis deviation &lt;script&gt;" in html.lower()
    assert len(page.all("script")) == 1
    for tag, attributes, _ in page.found:
        for name in ("src", "href", "srcset", "action", "data"):
            target = attributes.get(name) or "#"
            assert target.startswith("#") or target in {"data:,", "report.html"}, f"<{tag} {name}={target}>"
    policy = next(a for a, _ in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy["content"]


def test_every_control_has_a_name_that_can_be_read_aloud(html):
    page = Elements(html)
    assert len(page.all("legend")) == len(page.all("fieldset")) == 17
    inside = re.sub(r"<label.*?</label>", "", html, flags=re.S)
    assert "<input" not in inside  # each stands in its label
    assert all(text.strip() for _, text in page.all("button"))
    assert all(a["aria-label"] and a["role"] == "img" for a, _ in page.all("svg"))


def test_two_hundred_decisions_stay_below_fifteen_megabytes(tmp_path):
    noise = np.random.default_rng(0)
    ecgs = [synthetic_ecg() + noise.normal(0, 0.02, (12, 5000)) for _ in range(4)]
    main(arguments().parse_args(command(tmp_path, 4, ecgs)))
    text = (tmp_path / "review.html").read_text(encoding="utf-8")
    start, end = text.index('<section class="ecg-record"'), text.index("</main>")
    records = text.count('<section class="ecg-record"')
    without = len(text) - (end - start)
    assert without + 200 * (end - start) / records < 15_000_000


@pytest.mark.parametrize("review", [0, 200])
def test_a_run_without_decisions_gives_a_page_that_says_so(tmp_path, review):
    given = command(tmp_path, review)
    if review:
        write_table([], tmp_path / "audit.parquet", AUDIT)
    main(arguments().parse_args(given))
    text = (tmp_path / "review.html").read_text(encoding="utf-8")
    assert "There is nothing to review" in text
    assert "<script" not in text


def browse(page: Path, profile: Path, *options: str) -> subprocess.CompletedProcess:
    browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    browser += [f"--user-data-dir={profile}", "--virtual-time-budget=4000", "--dump-dom", *options, page.as_uri()]
    return subprocess.run(browser, capture_output=True, text=True, timeout=120, check=True)


def with_script(sheet: Path, target: Path, script: str) -> Path:
    text = re.sub(r"<meta http-equiv[^>]*>", "", sheet.read_text(encoding="utf-8"))
    target.write_text(text.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    return target


def noted(run: subprocess.CompletedProcess, name: str) -> str:
    assert "CONSOLE" not in run.stderr, run.stderr
    return markup.unescape(re.search(rf'data-{name}="([^"]*)"', run.stdout)[1])


ANSWER = """
const note = (name, value) => document.body.setAttribute("data-" + name, value);
const decision = (number) => document.getElementById("decision-" + number);
const press = (target, key) => target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
"""
EXPORT = """
const inBase64 = (text) => btoa(unescape(encodeURIComponent(text)));
URL.createObjectURL = (blob) => { blob.text().then((text) => note("csv", inBase64(text))); return "#"; };
HTMLAnchorElement.prototype.click = function () { note("file", this.download); };
document.getElementById("export").click();
"""


@needs_browser
def test_in_a_browser_nothing_is_complained_about(sheet, tmp_path):
    assert "CONSOLE" not in browse(sheet, tmp_path / "profile").stderr


@needs_browser
def test_answers_by_mouse_and_keys_are_counted_exported_and_scored(sheet, tmp_path, capsys):
    clicks = """
    decision(1).querySelector("input[value=accept]").click();
    decision(2).focus();
    press(decision(2), "r");
    note("focus", document.activeElement.id);
    press(document.activeElement, "f");
    setTimeout(() => {  // the findings tell by an event that they are open
      press(decision(3), "u");
      press(decision(4), "k");
      note("back", document.activeElement.id);
      const comment = decision(4).querySelector("input[type=text]");
      comment.value = '=1+1, "ä"\\u2028';
      comment.dispatchEvent(new Event("input", { bubbles: true }));
      comment.focus();
      press(comment, "a");  // is written, and no answer
      note("progress", document.getElementById("progress").value);
      %s
    }, 500);
    """
    page = with_script(sheet, tmp_path / "clicked.html", ANSWER + clicks % EXPORT)
    run = browse(page, tmp_path / "profile")
    assert noted(run, "focus") == "decision-3"
    assert noted(run, "back") == "decision-3"
    assert noted(run, "progress") == "3 of 17"
    assert re.fullmatch(r"review-[0-9a-f]{12}\.csv", noted(run, "file"))
    exported = tmp_path / "review.csv"
    exported.write_bytes(base64.b64decode(noted(run, "csv")))
    with exported.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["answer"], row["blind"]) for row in rows[:4]] == [
        ("accept", "yes"), ("reject", "yes"), ("unsure", "no"), ("", ""),
    ]  # fmt: skip
    assert rows[3]["comment"] == '\'=1+1, "ä"\u2028'
    assert len(rows) == 17
    assert {row["decision"] for row in rows} == {"accepted", "dropped"}
    assert {row["weight"] for row in rows} == {"1"}
    assert {row["statement"] for row in rows} == set(STATEMENTS)
    fgclep(["score-review", str(exported)])
    printed = capsys.readouterr().out
    assert "3 of 17 decisions answered: 1 accept, 1 reject, 1 unsure" in printed
    assert "1 of them after the filter's decision had been shown" in printed


@needs_browser
def test_answers_are_there_again_when_the_page_is_opened_again(sheet, tmp_path):
    page = tmp_path / "page.html"
    with_script(sheet, page, ANSWER + 'decision(2).querySelector("input[value=unsure]").click();')
    browse(page, tmp_path / "profile")
    with_script(sheet, page, ANSWER + 'note("checked", decision(2).querySelector("input[value=unsure]").checked);')
    run = browse(page, tmp_path / "profile")
    assert noted(run, "checked") == "true"
    assert '<output id="progress" for="decisions">1 of 17' in run.stdout


@needs_browser
def test_only_the_first_can_be_asked_and_a_report_that_was_read_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("fgclep.review.sheet._FIRST", 5)
    clicks = """
    document.getElementById("first").click();
    note("progress", document.getElementById("progress").value);
    note("shown", [...document.querySelectorAll(".decision")].filter((one) => one.offsetParent).length);
    decision(1).closest(".ecg-record").querySelector(".written").open = true;
    setTimeout(() => { decision(1).querySelector("input[value=accept]").click(); %s }, 500);
    """
    run = browse(
        with_script(review_in(tmp_path, review=200), tmp_path / "part.html", ANSWER + clicks % EXPORT),
        tmp_path / "profile",
    )
    assert (noted(run, "progress"), noted(run, "shown")) == ("0 of 5", "5")
    rows = list(csv.DictReader(base64.b64decode(noted(run, "csv")).decode("utf-8-sig").splitlines()))
    assert (len(rows), rows[0]["answer"], rows[0]["blind"]) == (17, "accept", "no")


@needs_browser
def test_without_a_store_the_page_works_and_says_that_nothing_is_kept(sheet, tmp_path):
    text = with_script(
        sheet, tmp_path / "page.html", ANSWER + 'decision(1).querySelector("input[value=accept]").click();'
    )
    forbid = "<script>Object.defineProperty(window, 'localStorage', { get() { throw new Error('denied'); } });</script>"
    text.write_text(text.read_text(encoding="utf-8").replace("<head>", f"<head>{forbid}"), encoding="utf-8")
    run = browse(text, tmp_path / "profile")
    assert "CONSOLE" not in run.stderr
    assert "not kept by this browser" in run.stdout
    assert "1 of 17" in run.stdout


def write_csv(path: Path, rows: list[dict], delimiter: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def answer(number: int, decision: str, given: str, weight: str = "2", **more: str) -> dict:
    row = {"source": "s", "record_id": f"r{number}", "statement": "a; b", "feature": "wide_qrs", "comment": ""}
    return {**row, "decision": decision, "weight": weight, "answer": given, "blind": "yes" if given else "", **more}


def test_shares_and_intervals_are_those_of_wilson():
    # 9 of 10: (0.9 + 1.9208 / 10 ± 1.96 sqrt(0.09 / 10 + 0.9604 / 100)) / (1 + 3.8415 / 10)
    assert wilson(0.9, 10) == pytest.approx((0.5958, 0.9821), abs=1e-4)
    assert wilson(0.0, 20)[0] == 0.0
    assert wilson(1.0, 20)[1] == pytest.approx(1.0)
    equal = weighted_share([Answer("accepted", 5.0, word, "yes") for word in ["accept"] * 9 + ["reject"]])
    assert (equal.judged, equal.share) == (10, 0.9)
    assert (equal.low, equal.high) == pytest.approx(wilson(0.9, 10))


def test_weights_count_and_make_the_interval_wider():
    answers = [Answer("accepted", 3.0, "accept", "yes"), *[Answer("accepted", 1.0, "reject", "yes")] * 3]
    found = weighted_share(answers)
    assert found.share == pytest.approx(0.5)
    assert (found.low, found.high) == pytest.approx(wilson(0.5, 36 / 12))  # (3 + 1 + 1 + 1)^2 / (9 + 1 + 1 + 1)


def test_unsure_answers_are_left_out_and_bound_the_share():
    answers = [Answer("accepted", 1.0, word, "yes") for word in ("accept", "accept", "reject", "unsure", "")]
    assert weighted_share(answers).share == pytest.approx(2 / 3)
    assert weighted_share(answers, "accept").share == pytest.approx(3 / 4)
    assert weighted_share(answers, "reject").share == pytest.approx(2 / 4)


def test_a_score_tells_accepted_from_dropped(tmp_path):
    rows = [answer(n, "accepted", "accept" if n < 9 else "reject") for n in range(10)]
    rows += [answer(10 + n, "dropped", "accept" if n < 1 else "reject") for n in range(4)]
    rows += [answer(20, "dropped", ""), answer(21, "dropped", "reject", blind="no")]
    lines = score_text(read_answers(write_csv(tmp_path / "r.csv", rows))).splitlines()
    assert lines[0] == "15 of 16 decisions answered: 10 accept, 5 reject, 0 unsure"
    assert lines[1] == "1 of them after the filter's decision had been shown"
    assert re.split(r"\s{2,}", lines[4]) == [
        "accepted features that the reader accepts",
        "10",
        "90.0 %",
        "59.6 to 98.2 %",
    ]
    assert re.split(r"\s{2,}", lines[5])[1:3] == ["5", "20.0 %"]


@pytest.mark.parametrize(("ecgs", "told"), [(4, "not defined"), (5, "67.6 to 100.0 %")])
def test_answers_about_fewer_than_five_ecgs_have_no_interval(tmp_path, ecgs, told):
    rows = [answer(n % ecgs, "accepted", "accept", feature=f"f{n}") for n in range(8)]
    accepted, dropped = score_text(read_answers(write_csv(tmp_path / "r.csv", rows))).splitlines()[-2:]
    assert re.split(r"\s{2,}", accepted)[1:] == ["8", "100.0 %", told]
    assert re.split(r"\s{2,}", dropped.rstrip())[1:] == ["0", "not defined"]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_file_that_a_spreadsheet_saved_again_is_read(tmp_path, delimiter):
    rows = [answer(0, "accepted", "Accept ", "2,5", statement="a; b, c"), answer(1, "dropped", "")]
    path = write_csv(tmp_path / "r.csv", rows, delimiter)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_answers(path)[0] == Answer("accepted", 2.5, "accept", "yes")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": "yes"}, "line 3: answer is 'yes'; write one of: accept, reject, unsure, nothing"),
        ({"decision": "kept"}, "line 3: decision is 'kept'; write one of: accepted, dropped"),
        ({"blind": "?"}, "line 3: blind is '\\?'"),
        ({"weight": "0"}, "line 3: weight is '0'; it must be a number above 0"),
        ({"weight": "nan"}, "line 3: weight is 'nan'"),
        ({"weight": ""}, "line 3: weight is ''"),
        ({"weight": "1e308"}, "line 3: weight is '1e308'"),
        ({"comment": "x" * 200_000}, "line 2: field larger than field limit"),
        ({"record_id": "r0"}, "line 3: s/r0, wide_qrs stands in line 2 already"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(tmp_path, change, message):
    rows = [answer(0, "accepted", "accept"), {**answer(1, "accepted", "accept"), **change}]
    with pytest.raises(UserError, match=message):
        read_answers(write_csv(tmp_path / "r.csv", rows))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "there is no column source, record_id"),
        (b"source,record_id\ns,r\n", "there is no column statement, feature"),
        (b"\xff\xfe", "byte 0 is not UTF-8"),
        (",".join(COLUMNS).encode() + b"\ns,r,t\n", "line 2: the line has not 9 values"),
        (",".join(COLUMNS).encode() + b"\n", "none of 0 decisions is answered"),
        (",".join(COLUMNS).encode() + b"\ns,r,t,f,accepted,1,,,\n", "none of 1 decisions is answered"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, content, message):
    path = tmp_path / "r.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"r\.csv.*{message}"):
        read_answers(path)


def test_a_missing_file_is_an_error_of_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit):
        fgclep(["score-review", str(tmp_path / "none.csv")])
    printed = capsys.readouterr().err
    assert "none.csv: No such file or directory; export it anew" in printed
    assert printed.count("\n") == 1
