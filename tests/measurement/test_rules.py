"""The vocabulary's rules on measured values: one record or many, with and without the errors of the measurement."""

import math

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from fgclep.language.vocabulary import load_vocabulary
from fgclep.leads import INDEX, LEADS
from fgclep.measurement.rules import (
    BLOCK,
    LIKELY,
    REFUTED,
    SUPPORTED,
    UNLIKELY,
    UNTESTABLE,
    RuleTable,
    check_rule,
)
from fgclep.schemas.measurements import LEAD_MEASURES, MEASURES

FEATURES = load_vocabulary(ROOT / "resources" / "vocabulary").features
TABLE = RuleTable([feature.rule for feature in FEATURES.values()])
LONG_PR = {"measure": "pr_ms", "above": 200, "margin": 8}
WIDE_QRS = {"measure": "qrs_ms", "above": 119.5, "margin": 6}
ST_INFERIOR = {"measure": "st_mv", "leads": ["II", "III", "aVF"], "count": 2, "above": 0.1, "margin": 0.03}


def plainly(rule, measures, errors):
    """Whether one record fulfills a rule, as a reader would go about it; ``None``: the values do not say."""
    if "measure" in rule:
        margin = rule.get("margin", 0) if errors else 0
        values = measures[rule["measure"]]
        values = [values[INDEX[lead]] for lead in rule["leads"]] if "leads" in rule else [values]
        parts = [_plainly_within(value, rule, margin) for value in values]
        needed = rule.get("count", len(parts))
    else:
        parts = [plainly(part, measures, errors) for part in rule.get("all", rule.get("any"))]
        needed = len(parts) if "all" in rule else 1
    if parts.count(True) >= needed:
        return True
    return False if parts.count(True) + parts.count(None) < needed else None


def _plainly_within(value, rule, margin):
    above, below = rule.get("above", -math.inf), rule.get("below", math.inf)
    if math.isnan(value):
        return None
    if above + margin < value < below - margin:
        return True
    return None if above - margin < value < below + margin else False


def plain_verdict(rule, measures):
    if rule is None:
        return UNTESTABLE
    sure, said = plainly(rule, measures, True), plainly(rule, measures, False)
    if sure is not None:
        return SUPPORTED if sure else REFUTED
    return {True: LIKELY, False: UNLIKELY, None: UNTESTABLE}[said]


threshold = st.one_of(
    st.builds(
        lambda measure, above, width, margin: {
            "measure": measure, "above": above, "below": above + width, "margin": margin,
        },
        st.sampled_from(MEASURES), st.integers(-50, 150), st.integers(1, 300), st.integers(0, 20),
    ),
    st.builds(
        lambda measure, leads, count, below: {
            "measure": measure, "leads": leads, "count": min(count, len(leads)), "below": below, "margin": 0.03,
        },
        st.sampled_from(LEAD_MEASURES), st.lists(st.sampled_from(LEADS), min_size=1, max_size=6),
        st.integers(1, 6), st.sampled_from([-0.1, 0.0, 0.1, 0.5]),
    ),
)  # fmt: skip
nested = st.recursive(
    threshold,
    lambda parts: st.builds(
        lambda joint, some: {joint: some}, st.sampled_from(["all", "any"]), st.lists(parts, min_size=1, max_size=4)
    ),
    max_leaves=8,
)


def drawn(seed):
    """Measures of a record: any, at a limit of a rule, or missing."""
    rng = np.random.default_rng(seed)
    scalars = rng.choice([math.nan, *rng.uniform(-200, 2500, 5), *rng.uniform(-1, 1, 2), 119.5, 200.0], len(MEASURES))
    leads = rng.choice([math.nan, 0.0, 0.1, -0.1, 0.13, 0.5, *rng.normal(0, 0.5, 9)], (len(LEAD_MEASURES), 12))
    return dict(zip((*MEASURES, *LEAD_MEASURES), (*scalars.tolist(), *leads.tolist()), strict=True))


record = st.integers(0, 2**32 - 1).map(drawn)


@given(record)
def test_every_rule_of_the_vocabulary_is_read_as_by_hand(measures):
    rules = [feature.rule for feature in FEATURES.values()]
    assert TABLE.verdicts(measures).tolist() == [[plain_verdict(rule, measures) for rule in rules]]
    fulfilled = [rule is not None and plainly(rule, measures, False) is True for rule in rules]
    assert TABLE.holds(measures).tolist() == [fulfilled]


@given(st.lists(st.one_of(st.none(), nested), max_size=4), record)
def test_rules_of_any_depth_are_read_as_by_hand(rules, measures):
    for rule in rules:
        if rule is not None:
            check_rule(rule)
    assert RuleTable(rules).verdicts(measures).tolist() == [[plain_verdict(rule, measures) for rule in rules]]


def test_many_records_are_judged_as_each_of_them_is():
    rng = np.random.default_rng(0)
    count = BLOCK + 7
    measures = {name: rng.normal(100, 60, count) for name in MEASURES}
    measures |= {name: rng.normal(0, 0.3, (count, 12)).astype(np.float32) for name in LEAD_MEASURES}
    for values in measures.values():
        values[rng.random(values.shape) < 0.1] = np.nan
    verdicts, holds = TABLE.verdicts(measures, count), TABLE.holds(measures, count)
    for one in (0, BLOCK - 1, BLOCK, count - 1):
        alone = {name: values[one] for name, values in measures.items()}
        assert verdicts[[one]].tolist() == TABLE.verdicts(alone).tolist()
        assert holds[[one]].tolist() == TABLE.holds(alone).tolist()
    assert TABLE.verdicts({name: values[:0] for name, values in measures.items()}, 0).shape == (0, len(FEATURES))


def test_a_value_within_the_error_of_the_measurement_leaves_doubt():
    measures = {"pr_ms": np.array([220, 205, 200, 195, 150, math.nan])}
    expected = [SUPPORTED, LIKELY, UNLIKELY, UNLIKELY, REFUTED, UNTESTABLE]
    assert RuleTable([LONG_PR]).verdicts(measures, 6).ravel().tolist() == expected


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ((0.2, 0.2, math.nan), SUPPORTED),  # two of three, whatever the third is
        ((0.2, 0.11, 0.0), LIKELY),
        ((0.2, 0.09, 0.0), UNLIKELY),
        ((0.2, 0.0, math.nan), UNTESTABLE),
        ((0.0, 0.0, math.nan), REFUTED),
    ],
)
def test_as_many_leads_as_are_counted_must_show_it(levels, expected):
    st_mv = np.zeros(12)
    st_mv[[INDEX[lead] for lead in ("II", "III", "aVF")]] = levels
    assert RuleTable([ST_INFERIOR]).verdicts({"st_mv": st_mv}).item() == expected


@pytest.mark.parametrize(
    ("pr", "qrs", "both", "either"),
    [
        (220, 140, SUPPORTED, SUPPORTED),
        (220, 120, LIKELY, SUPPORTED),
        (220, None, UNTESTABLE, SUPPORTED),
        (150, None, REFUTED, UNTESTABLE),
        (198, 80, REFUTED, UNLIKELY),
    ],
)
def test_all_or_any_of_several_rules_decide(pr, qrs, both, either):
    table = RuleTable([{"all": [LONG_PR, WIDE_QRS]}, {"any": [LONG_PR, WIDE_QRS]}])
    assert table.verdicts({"pr_ms": pr, "qrs_ms": qrs}).tolist() == [[both, either]]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("pr above 200", "'pr above 200' is no rule"),
        ({"all": []}, "all must hold a list of rules"),
        ({"any": [LONG_PR], "margin": 3}, "nothing beside any"),
        ({"not": LONG_PR}, "a rule has measure, above and/or below"),
        ({"measure": "pr_ms"}, "a rule has measure, above and/or below"),
        ({"all": [{"measure": "pq_ms", "above": 200}]}, "unknown measure 'pq_ms'; known are heart_rate, "),
        ({"measure": "st_mv", "above": 0.1}, "unknown measure 'st_mv'"),  # of leads
        ({**LONG_PR, "margin": -8}, "margin is -8; it is the error of the measurement, 0 or more"),
        ({**ST_INFERIOR, "leads": "II"}, "leads must be a list of leads"),
        ({**ST_INFERIOR, "leads": []}, "leads must be a list of leads"),
        ({**ST_INFERIOR, "leads": ["II", "V9"]}, "unknown leads ['V9']"),
        ({**ST_INFERIOR, "count": 4}, "count is 4; 3 leads are named"),
        ({**LONG_PR, "count": 1}, "count is 1; 0 leads are named"),
    ],
)
def test_what_is_no_rule_is_refused(rule, message):
    with pytest.raises(ValueError) as error:
        check_rule(rule)
    assert message in str(error.value)
