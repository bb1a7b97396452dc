"""The model card says what a model was trained on, how, and what it is not for."""

import pyarrow as pa
import yaml
from training_data import SETTINGS, training_settings

from fgclep.training.model_card import model_card

RECORDS = {
    "train": pa.table({"source": ["ptb-xl", "mimic-iv-ecg", "ptb-xl", "ptb-xl"], "patient_id": ["1", "1", "2", "1"]}),
    "val": pa.table({"source": ["ptb-xl"], "patient_id": ["3"]}),
}
HISTORY = [
    {"epoch": 1, "train_loss": 12.34567, "validation_loss": None, "temperature": 10.0},
    {"epoch": 2, "train_loss": 9.0, "validation_loss": 10.5, "temperature": 10.25},
]


def test_the_card_has_data_settings_metrics_and_limits():
    settings = training_settings(text_encoder={**SETTINGS["text_encoder"], "name": "some/bert"})
    card = model_card("fine", RECORDS, 1234, settings, HISTORY, "coarse")
    _, front, body = card.split("---\n", 2)
    assert yaml.safe_load(front)["tags"][0] == "ecg"
    for line in (
        "| mimic-iv-ecg | train | 1 | 1 |",
        "| ptb-xl | train | 3 | 2 |",
        "| ptb-xl | val | 1 | 1 |",
        "| epoch | train_loss | validation_loss | temperature |",
        "| 1 | 12.35 |  | 10 |",
        "| 2 | 9 | 10.5 | 10.25 |",
        "## Intended use and limits",
        ' "loss": "fg_clep",',
    ):
        assert line in body.splitlines(), line
    assert "1,234 distinct" in body and "continued from the model `coarse`" in body and "`some/bert`" in body
    assert "4.0 s of signal at 50 Hz between 0.5 and 20.0 Hz" in body and "not for diagnosis" in body


def test_the_card_tells_whether_leads_were_masked():
    card = model_card("fine", RECORDS, 2, training_settings(augmentation={"lead_masking": 0.5}), HISTORY)
    assert "This one is a\n`resnet18`, trained with masked leads: it takes any, too." in card
    plain = model_card("fine", RECORDS, 2, training_settings(), HISTORY)
    assert "This one is a\n`resnet18`.\n" in plain and "augmentation" not in plain


def test_the_machine_leaves_no_trace_in_the_card():
    other = training_settings(device="cuda", threads=7, memory_mb=90, workers=5, checkpoint_seconds=1)
    card = model_card("coarse", RECORDS, 2, training_settings(), HISTORY)
    assert model_card("coarse", RECORDS, 2, other, HISTORY) == card


def test_a_model_without_validation_records_has_a_card():
    empty = {**RECORDS, "val": RECORDS["val"].slice(0, 0)}
    assert "| val |" not in model_card("coarse", empty, 2, training_settings(), HISTORY)
