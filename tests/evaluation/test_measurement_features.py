import math

import numpy as np
import pyarrow as pa
import pytest

from fgclep.errors import UserError
from fgclep.evaluation.measurement_features import TYPICAL, measurement_features
from fgclep.schemas.embeddings import EMBEDDINGS
from fgclep.schemas.measurements import LEAD_MEASURES, MEASUREMENTS, MEASURES
from fgclep.schemas.shards import SHARD
from fgclep.stages import embed_measurements, join_features
from fgclep.tables import read_table, write_table


def row(record, **changes):
    measures = dict.fromkeys(MEASURES, 1.0) | dict.fromkeys(LEAD_MEASURES, [0.5] * 12)
    return {"source": "csn", "record_id": record, "intervals_from": "signal", **measures, **changes}


def table(*rows):
    return pa.Table.from_pylist(list(rows), schema=MEASUREMENTS)


def test_axes_are_angles_and_leads_stand_apart():
    leads = [float(number) for number in range(12)]
    features = measurement_features(table(row("a", qrs_axis=90.0, heart_rate=60.0, p_mv=leads)))
    axes = sum(name.endswith("_axis") for name in MEASURES)
    assert features.shape == (1, len(MEASURES) + axes + 12 * len(LEAD_MEASURES) + len(MEASURES) + len(LEAD_MEASURES))
    assert features[0, 0] == 60
    place = MEASURES.index("qrs_axis") + sum(name.endswith("_axis") for name in MEASURES[: MEASURES.index("qrs_axis")])
    np.testing.assert_allclose(features[0, place : place + 2], [0, 1], atol=1e-6)  # -179 and 179 degrees lie close
    np.testing.assert_array_equal(features[0, len(MEASURES) + axes :][:12], leads)
    assert not features[0, -(len(MEASURES) + len(LEAD_MEASURES)) :].any()


def test_what_is_not_measured_is_said_and_typical():
    gap = [math.nan, *[0.5] * 11]
    features = measurement_features(table(row("a", pr_ms=None), row("b", p_mv=None), row("c", p_mv=gap)))
    assert np.isfinite(features).all()
    assert features[0, MEASURES.index("pr_ms")] == TYPICAL["pr_ms"]
    missing = features[:, -(len(MEASURES) + len(LEAD_MEASURES)) :]
    assert missing[0, MEASURES.index("pr_ms")] == 1 and missing[0].sum() == 1
    assert missing[1:, len(MEASURES)].tolist() == pytest.approx([1, 1 / 12])


def shard(path, *records):
    rows = [
        {
            "source": "csn", "record_id": record, "patient_id": record, "split": "test", "codes": ["1"],
            "sampling_rate": 500.0, "n_samples": 1, "gain": [1.0] * 12, "baseline": [0] * 12,
            "waveform": b"", "flags": [],
        }
        for record in records
    ]  # fmt: skip
    write_table(rows, path, SHARD)


def test_every_record_of_the_shards_has_its_own_measurements(tmp_path):
    shard(tmp_path / "0.parquet", "b")
    shard(tmp_path / "1.parquet", "a")
    write_table(table(row("a", heart_rate=50.0), row("b", heart_rate=90.0)), tmp_path / "m.parquet", MEASUREMENTS)
    options = ["--shards", *(str(tmp_path / f"{number}.parquet") for number in range(2))]
    options += ["--measurements", str(tmp_path / "m.parquet"), "--output", str(tmp_path / "e.parquet")]
    embed_measurements.main(embed_measurements.arguments().parse_args(options))
    rows = read_table(tmp_path / "e.parquet", EMBEDDINGS).to_pylist()
    assert [(r["record_id"], r["features"][0], r["codes"], r["embedding"]) for r in rows] == [
        ("b", 90.0, ["1"], None),
        ("a", 50.0, ["1"], None),
    ]
    shard(tmp_path / "1.parquet", "z")
    with pytest.raises(UserError, match=r"m\.parquet has no row for csn/z"):
        embed_measurements.main(embed_measurements.arguments().parse_args(options))


def embedded(path, features):
    rows = [
        {"source": "csn", "record_id": record, "patient_id": f"p{record}", "split": "test", "codes": ["1"]}
        | {"features": values, "embedding": [1.0]}
        for record, values in features.items()
    ]
    write_table(rows, path, EMBEDDINGS)


def test_each_record_s_features_stand_beside_its_own_measurements(tmp_path):
    embedded(tmp_path / "fine.parquet", {"a": [1.0, 2.0], "b": [3.0, 4.0]})
    embedded(tmp_path / "measurements.parquet", {"b": [90.0], "c": [70.0], "a": [50.0]})
    options = ["--embeddings", str(tmp_path / "fine.parquet"), "--output", str(tmp_path / "joined.parquet")]
    options += ["--measurements", str(tmp_path / "measurements.parquet")]
    join_features.main(join_features.arguments().parse_args(options))
    rows = read_table(tmp_path / "joined.parquet", EMBEDDINGS).to_pylist()
    assert [(r["record_id"], r["patient_id"], r["features"], r["embedding"]) for r in rows] == [
        ("a", "pa", [1.0, 2.0, 50.0], None),
        ("b", "pb", [3.0, 4.0, 90.0], None),
    ]
    embedded(tmp_path / "fine.parquet", {"z": [1.0, 2.0]})
    with pytest.raises(UserError, match=r"measurements\.parquet has no row for csn/z, which is in .*fine\.parquet"):
        join_features.main(join_features.arguments().parse_args(options))
