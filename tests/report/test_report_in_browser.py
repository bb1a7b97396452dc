"""The report in Chromium: from disk, by keyboard, on a phone, and on paper."""

from pathlib import Path

import pytest
from browser import Browser, needs_chromium
from report_data import report_command

from fgclep.stages.render_report import arguments, main

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    main(arguments().parse_args([*report_command(folder), "--attention", str(folder / "attention.parquet")]))
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    started = Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


def test_nothing_is_complained_about_or_asked_for(browser, report):
    browser.open(report)
    assert browser.complaints == []
    assert browser.requests == [report.as_uri()]


def test_tables_are_sorted_by_keyboard_with_undefined_values_at_the_end(browser, report):
    browser.open(report)
    browser.evaluate("""
      table = [...document.querySelectorAll('#classes table')].find(table => table.textContent.includes('I-AVB'));
      table.closest('details').open = true;
      table.querySelectorAll('th button')[3].focus();
    """)
    names = "[...table.tBodies[0].rows].map(row => row.cells[0].textContent)"
    heads = "[...table.tHead.rows[0].cells].map(head => head.getAttribute('aria-sort')).filter(Boolean)"
    ranked = ["normal", "AF", "I-AVB", "LBBB", "RBBB", "PAC", "PVC", "STD"]
    browser.press("Enter")
    assert browser.evaluate(names) == [*ranked, "STE"]
    assert browser.evaluate(heads) == ["descending"]
    browser.press("Enter")
    assert browser.evaluate(names) == [*reversed(ranked), "STE"]
    assert browser.evaluate(heads) == ["ascending"]
    browser.press("Tab")
    assert browser.evaluate("document.activeElement === table.querySelectorAll('th button')[4]")


def test_the_text_whose_attention_is_shaded_is_chosen_by_keyboard(browser, report):
    browser.open(report)
    shown = """[...document.querySelector('.ecg-record').querySelectorAll('.look')]
      .map(look => getComputedStyle(look).display !== 'none')"""
    browser.evaluate("document.querySelector('.looks input').focus()")
    assert browser.evaluate(shown) == [True, False]
    browser.press("ArrowDown")
    assert browser.evaluate(shown) == [False, True]
    browser.press("ArrowDown")
    assert browser.evaluate(shown) == [False, False]


@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_never_scrolls_sideways(browser, report, width):
    browser.open(report, width)
    browser.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    assert browser.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


def test_paper_has_four_pages_and_opens_nothing(browser, report):
    browser.open(report)
    closed = "document.querySelectorAll('details:not([open])').length"
    before = browser.evaluate(closed)
    pages = browser.pages(210, 297)
    assert pages == 4  # summary, funnel, two ECGs, forest
    assert browser.evaluate(closed) == before > 5


def test_a_phone_shows_the_mean_and_says_where_the_chest_leads_are(browser, report):
    browser.open(report, 390)
    inside = """(() => {
      const box = document.querySelector('.headline tbody tr.best td:last-child').getBoundingClientRect();
      return box.left >= 0 && box.right <= innerWidth;
    })()"""
    assert browser.evaluate(inside)
    shown = "getComputedStyle(document.querySelector('#examples .hint')).display"
    assert browser.evaluate(shown) == "block"
    browser.open(report, 1200)
    assert browser.evaluate(shown) == "none"


def test_dark_and_light_follow_the_reader(browser, report):
    browser.open(report)
    colors = []
    for scheme in ("dark", "light"):
        browser.prefer(scheme)
        colors.append(browser.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colors == ["rgb(22, 24, 27)", "rgb(253, 252, 250)"]
