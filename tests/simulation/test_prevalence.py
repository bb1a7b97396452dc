"""How frequent simulated findings are; the expected numbers are statement counts of PTB-XL 1.0.3, by its table."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from fgclep.config.root import Config
from fgclep.simulation.heart.condition import draw_condition
from fgclep.simulation.heart.patient import draw_patient
from fgclep.simulation.heart.prevalence import FLAT, REPORTS

RECORDS, NORM = 21_799, 9_514
ILL = RECORDS - NORM
DRAWN = 10_000
# records without NORM that have a statement
STATED = {
    "AFIB": 1477, "STACH": 590, "LAFB": 1602, "CRBBB": 541, "CLBBB": 536, "IRBBB": 868, "IVCD": 681, "IMI": 2675,
    "ASMI": 2357, "ILMI": 478, "PVC": 953, "PAC": 270, "1AVB": 755, "LAO/LAE": 423,
}  # fmt: skip
# share of the drawn that is seen, of which so many more are drawn
SEEN = {"IMI": 0.90, "ASMI": 0.86, "ILMI": 0.71}
# records without NORM that have both of two statements
BOTH = {
    ("ASMI", "IMI"): 588, ("ASMI", "LAFB"): 518, ("IMI", "LAFB"): 197, ("CRBBB", "LAFB"): 162, ("AFIB", "PVC"): 202,
    ("AFIB", "1AVB"): 9, ("1AVB", "CLBBB"): 93, ("AFIB", "ASMI"): 368, ("1AVB", "LAO/LAE"): 101,
}  # fmt: skip


def statements(condition):
    """Names of the statements that stand for what is drawn, if all of it can be seen."""
    conduction, infarct = (condition.conduction or "").split("+"), (condition.infarct or "").split("+")
    named = {
        "AFIB": condition.rhythm == "afib",
        "STACH": condition.rhythm == "sinus_tachycardia",
        "LAFB": "lafb" in conduction,
        "CRBBB": "rbbb" in conduction,
        "CLBBB": "lbbb" in conduction,
        "IRBBB": "irbbb" in conduction,
        "IVCD": "ivcd" in conduction,
        "IMI": bool({"inferior", "inferior_stemi"} & set(infarct)),
        "ASMI": bool({"anteroseptal", "anterior_stemi"} & set(infarct)),
        "ILMI": "inferolateral" in infarct,
        "PVC": condition.ectopy in ("pvc", "both", "bigeminy", "trigeminy", "couplet", "run", "fusion"),
        "PAC": condition.ectopy in ("pac", "both", "atrial_bigeminy"),
        "1AVB": condition.long_pr,
        "LAO/LAE": condition.left_atrium > 0,
    }
    return {name for name, true in named.items() if true}


@pytest.fixture(scope="module")
def drawn():
    """Statements of the conditions of ill persons."""
    rng = np.random.default_rng(1)
    patient = replace(draw_patient(rng), healthy=False)
    return [statements(draw_condition(rng, patient, REPORTS)) for _ in range(DRAWN)]


def test_flat_is_the_default_and_draws_what_it_always_has():
    assert Config().simulation.prevalence == "flat"
    rng = np.random.default_rng(1)
    text = repr([sorted(FLAT.draw(rng).items()) for _ in range(300)])
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "717a2e581ca58e64"


@pytest.mark.parametrize("name", STATED)
def test_a_finding_is_as_frequent_as_in_reports(name, drawn):
    share = sum(name in names for names in drawn) / DRAWN
    assert share == pytest.approx(STATED[name] / ILL / SEEN.get(name, 1), rel=0.2)


@pytest.mark.parametrize("pair", BOTH, ids=" and ".join)
def test_two_findings_come_together_as_often_as_in_reports(pair, drawn):
    share = sum(set(pair) <= names for names in drawn) / DRAWN
    seen = min(SEEN.get(pair[0], 1), SEEN.get(pair[1], 1))
    assert share == pytest.approx(BOTH[pair] / ILL / seen, rel=0.5, abs=0.001)


def test_as_many_are_healthy_as_reports_say():
    rng = np.random.default_rng(2)
    assert np.mean([draw_patient(rng, REPORTS).healthy for _ in range(5000)]) == pytest.approx(NORM / RECORDS, abs=0.03)


def test_bundle_and_fascicle_and_two_territories_are_drawn_together_in_reports_only():
    rng = np.random.default_rng(3)
    joined = [{name for _ in range(4000) for name in kind.draw(rng).values() if name} for kind in (FLAT, REPORTS)]
    new = {"irbbb+lafb", "inferior+anteroseptal", "inferolateral+anteroseptal", "inferior+anterior"}
    assert not new & joined[0] and new <= joined[1]
