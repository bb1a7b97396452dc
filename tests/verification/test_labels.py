"""Which features of a record are present, absent, or unknown."""

import numpy as np
import pyarrow as pa
import pytest

from fgclep.measurement.rules import LIKELY, REFUTED, SUPPORTED, UNLIKELY, UNTESTABLE
from fgclep.stages import label_features as stage
from fgclep.verification.labels import label_features


@pytest.mark.parametrize(
    ("stated", "excluded", "accepted", "verdict", "label"),
    [
        (1, 0, 0, UNTESTABLE, "present"),
        (1, 0, 0, UNLIKELY, "present"),  # the reader saw it, and the measurement is not sure
        (1, 0, 0, REFUTED, "unknown"),
        (0, 0, 1, UNTESTABLE, "present"),
        (0, 0, 0, SUPPORTED, "present"),
        (0, 0, 0, LIKELY, "present"),
        (0, 1, 0, LIKELY, "present"),
        (0, 0, 0, UNTESTABLE, "unknown"),
        (0, 1, 0, UNTESTABLE, "absent"),
        (1, 1, 0, UNTESTABLE, "present"),
        (0, 0, 0, UNLIKELY, "absent"),
        (0, 0, 0, REFUTED, "absent"),
        (0, 1, 0, REFUTED, "absent"),
        (0, 0, 1, REFUTED, "absent"),
    ],
)
def test_a_feature_is_labelled_by_report_checks_and_measurement(stated, excluded, accepted, verdict, label):
    table = [np.array([[value]], dtype=bool) for value in (stated, excluded, accepted)]
    present, absent = label_features(*table, np.array([[verdict]], dtype=np.int8))
    assert ("present" if present[0, 0] else "absent" if absent[0, 0] else "unknown") == label


def test_no_feature_is_both():
    rng = np.random.default_rng(0)
    tables = rng.random((3, 200, 50)) < 0.3
    present, absent = label_features(*tables, rng.integers(REFUTED, SUPPORTED + 1, (200, 50)).astype(np.int8))
    assert present.any() and absent.any() and not (present & absent).any() and not (present | absent).all()


def test_rows_become_lists_of_names():
    lists = stage.lists_of(
        np.array([[True, False, True], [False, False, False], [False, True, False]]), pa.array(list("abc"))
    )
    assert lists.to_pylist() == [["a", "c"], [], ["b"]]
