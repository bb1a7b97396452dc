"""Where a model with attention looks, as the report is told."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from report_data import synthetic_ecg, write_results
from training_data import made_model

from fgclep.leads import LEADS
from fgclep.schemas.attention import ATTENTION
from fgclep.stages import attend_examples
from fgclep.stages.attend_examples import window_bounds
from fgclep.tables import read_table


def test_the_windows_of_a_recording_as_long_as_the_input_follow_one_another():
    assert window_bounds(10.0, 10.0, 4) == [(0.0, 2.5), (2.5, 5.0), (5.0, 7.5), (7.5, 10.0)]


def test_of_a_longer_recording_the_center_is_looked_at():
    assert window_bounds(14.0, 10.0, 2) == [(2.0, 7.0), (7.0, 12.0)]


def test_a_shorter_recording_is_looked_at_again_from_its_beginning():
    assert window_bounds(5.0, 10.0, 4) == [(0.0, 2.5), (2.5, 5.0), (0.0, 2.5), (2.5, 5.0)]
    assert window_bounds(6.0, 10.0, 2) == [(0.0, 5.0), (5.0, 6.0)]


@pytest.fixture
def options(tmp_path) -> argparse.Namespace:
    given = list(map(str, write_results(tmp_path)))
    torch.manual_seed(0)
    model = made_model(alignment="attention", ecg_encoder={"kind": "vit_tiny", "width": 8})
    model.save_pretrained(tmp_path / "model")

    def after(option: str) -> str:
        return given[given.index(option) + 1]

    return attend_examples.arguments().parse_args(
        [
            *("--model-dir", str(tmp_path / "model"), "--audit", after("--audit"), "--texts", after("--texts")),
            *("--shards", str(tmp_path / "shards" / "mimic-iv-ecg" / "0.parquet")),
            *("--reports", after("--fine-reports"), "--settings", json.dumps({"strips": 2})),
            *("--output", str(tmp_path / "out.parquet")),
        ]
    )


def test_every_text_of_the_chosen_records_has_its_attention_by_lead_and_time(options):
    attend_examples.main(options)
    rows = read_table(options.output, ATTENTION).to_pylist()
    assert len({(row["source"], row["record_id"]) for row in rows}) == 2
    record = rows[0]["record_id"]
    own = [row for row in rows if row["record_id"] == record]
    # its statement and the accepted feature that the fine stage trains on
    assert list(dict.fromkeys(row["text"] for row in own))[1] == "qrs duration above 120 ms"
    first = [row for row in own if row["text"] == own[0]["text"]]
    # the model sees 4 s in windows of 1 s: of 10 s those from 3 to 7
    assert [(row["lead"], row["start"], row["end"]) for row in first] == [
        (lead, start, start + 1.0) for lead in LEADS for start in (3.0, 4.0, 5.0, 6.0)
    ]
    model = attend_examples.FGCLEP.from_pretrained(Path(options.model_dir))
    ecg = np.round(1000 * synthetic_ecg(rate=(60, 75, 90, 110)[int(record[1])])) / 1000
    expected = model.attention(ecg, 500, [own[0]["text"]])[0]
    np.testing.assert_allclose([row["weight"] for row in first], expected.ravel(), rtol=1e-4)
