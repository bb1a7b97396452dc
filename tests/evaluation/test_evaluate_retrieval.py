"""The stage evaluate_retrieval: whose reports and ECGs look for each other, and which are shown."""

import numpy as np
import pyarrow as pa

from fgclep.stages.evaluate_retrieval import drawn, found_ecgs


def keys(*rows):
    names = ("source", "record_id", "patient_id", "split")
    return pa.table({name: [row[place] for row in rows] for place, name in enumerate(names)})


def test_only_test_records_with_a_report_are_drawn():
    table = keys(("a", "1", "p", "test"), ("a", "2", "q", "train"), ("a", "3", "r", "val"), ("a", "4", "s", "test"))
    assert drawn(table, pa.array(["a/1", "a/2", "a/3"]), 10, seed=0).tolist() == [True, False, False, False]


def test_as_many_as_wanted_are_drawn_from_each_source_and_always_the_same():
    table = keys(*((source, str(number), str(number), "test") for source in "ab" for number in range(50)))
    reported = pa.array([f"{source}/{number}" for source in "ab" for number in range(50)])
    mask = drawn(table, reported, 7, seed=3)
    assert (mask[:50].sum(), mask[50:].sum()) == (7, 7)
    np.testing.assert_array_equal(mask, drawn(table, reported, 7, seed=3))
    assert (mask != drawn(table, reported, 7, seed=4)).any()


def test_the_best_ecgs_of_a_report_are_told_with_rank_probability_and_hit():
    logits = np.array([[0.0, 2.0], [1.0, -1.0], [3.0, 0.0], [-2.0, 1.0]])
    rows = found_ecgs(logits, np.array([0, 0, 0, 1]), np.array(["often", "once"]), "a", ["r0", "r1", "r2", "r3"])
    assert [(row["query"], row["rank"], row["record_id"], row["hit"]) for row in rows] == [
        ("often", 1, "r2", True),
        ("often", 2, "r1", True),
        ("often", 3, "r0", True),
        ("once", 1, "r0", False),
        ("once", 2, "r3", True),
        ("once", 3, "r2", False),
    ]
    np.testing.assert_allclose(rows[0]["probability"], 1 / (1 + np.exp(-3.0)))
