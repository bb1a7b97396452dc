"""transformers' Auto classes, the card beside the weights, and what goes to the hub."""

import re
import subprocess
import sys

import huggingface_hub
import numpy as np
import pytest
import torch
from conftest import ROOT
from fault_jobs import environment
from training_data import made_model

import fgclep
from fgclep.config.named_models import SHIPPED_MODEL
from fgclep.models.auto import AutoFGCLEP
from fgclep.models.fgclep import FGCLEP
from fgclep.models.processor import FGCLEPProcessor

pytestmark = pytest.mark.usefixtures("one_thread")
SHIPPED_CARD = (SHIPPED_MODEL / "README.md").read_text(encoding="utf-8")
IMPORTS = ("from transformers import AutoConfig, AutoModel, AutoProcessor", "import fgclep")
USE = """
folder = sys.argv[1]
print(AutoConfig.from_pretrained(folder).model_type, type(AutoModel.from_pretrained(folder)).__name__,
      type(AutoModel.from_config(AutoConfig.from_pretrained(folder))).__name__,
      type(AutoProcessor.from_pretrained(folder)).__name__)
"""


@pytest.mark.parametrize("order", [IMPORTS, IMPORTS[::-1]], ids=["transformers first", "fgclep first"])
def test_the_auto_classes_know_the_model_whichever_is_imported_first(order):
    program = "\n".join(["import sys", *order, USE])
    command = [sys.executable, "-c", program, str(SHIPPED_MODEL)]
    told = subprocess.run(command, capture_output=True, text=True, env=environment(ROOT))
    assert told.stdout.split() == ["fgclep", "FGCLEP", "FGCLEP", "FGCLEPProcessor"], told.stderr


def test_importing_the_package_loads_neither_torch_nor_transformers():
    program = "import sys, fgclep; print({'torch', 'transformers'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment(ROOT))
    assert told.stdout.strip() == "set()", told.stderr


def test_options_that_would_be_ignored_are_refused():
    AutoFGCLEP.from_pretrained(str(SHIPPED_MODEL), trust_remote_code=False, adapter_kwargs={}, config=object())
    with pytest.raises(TypeError, match=r"takes no device_map; load it, and use model\.to"):
        AutoFGCLEP.from_pretrained(str(SHIPPED_MODEL), device_map="auto")


def test_a_processor_is_made_of_the_folder_alone():
    own, of_model = FGCLEPProcessor.from_pretrained(SHIPPED_MODEL), fgclep.load().processor
    signal = np.random.default_rng(0).normal(scale=0.3, size=(12, 5000))
    signal *= np.linspace(0.5, 1.5, 12)[:, None]
    assert torch.equal(own(signal, fs=500)["signals"], of_model(signal, fs=500)["signals"])
    assert own.needs_all_leads == of_model.needs_all_leads


def test_the_card_goes_with_the_weights_that_it_speaks_of(tmp_path):
    model = fgclep.load()
    model.save_pretrained(tmp_path / "same")
    assert (tmp_path / "same/README.md").read_text(encoding="utf-8") == SHIPPED_CARD
    with torch.no_grad():
        model.ecg_projection.weight[0, 0] += 0.01
    model.calibration = type(model.calibration)()  # which is that of the weights before
    model.save_pretrained(tmp_path / "changed")
    told = (tmp_path / "changed/README.md").read_text(encoding="utf-8")
    assert "# FG-CLEP: changed" in told and "None were measured of these weights." in told and "87.7" not in told
    again = FGCLEP.from_pretrained(tmp_path / "changed")
    (tmp_path / "changed/README.md").write_text("mine")
    again.save_pretrained(tmp_path / "changed")  # what somebody wrote stays
    assert (tmp_path / "changed/README.md").read_text() == "mine"


def test_a_new_model_has_a_card_without_figures(tmp_path):
    made_model(["sinus rhythm"]).save_pretrained(tmp_path / "new")
    told = (tmp_path / "new/README.md").read_text(encoding="utf-8")
    assert told.startswith("---\nlanguage: en") and "None were measured of these weights.\n" in told


def test_the_hub_gets_weights_and_card(monkeypatch):
    sent = {}

    class Api:
        def __init__(self, token=None):
            sent["token"] = token

        def create_repo(self, repo_id, private, exist_ok):
            sent.update(repo=repo_id, private=private, exist_ok=exist_ok)

        def upload_folder(self, repo_id, folder_path, **options):
            card = (folder_path / "README.md").read_text(encoding="utf-8")
            sent.update(files={path.name for path in folder_path.iterdir()}, card=card, **options)
            return "https://hub/commit/1"

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    address = fgclep.load().push_to_hub("me/ecg", token="t", private=True, commit_message="first")
    assert address == "https://hub/commit/1"
    assert {"config.json", "model.safetensors", "tokenizer.json", "calibration.json", "README.md"} <= sent["files"]
    assert (sent["repo"], sent["private"], sent["exist_ok"], sent["token"]) == ("me/ecg", True, True, "t")
    assert sent["card"] == SHIPPED_CARD and sent["commit_message"] == "first"


def test_the_shipped_card_has_the_figures_of_the_documentation():
    def numbers(cells):
        return re.findall(r"\d+\.\d", " ".join(cells))

    def rows_of(text):
        cells = [line.split("|")[1:] for line in text.splitlines() if line.startswith("| ")]
        return {name.strip(): numbers(rest) for name, *rest in cells}

    card, readme = rows_of(SHIPPED_CARD), rows_of((ROOT / "README.md").read_text(encoding="utf-8"))
    assert card["zero-shot, synonyms"][:4] == readme["this model, by wordings of reports (fold 9, 2,182 ECGs)"]
    assert card["zero-shot, both"][:4] == readme["by these and waveform features"]
    told = " ".join((ROOT / "docs/simulation.md").read_text(encoding="utf-8").split())
    assert f"the means are {card['zero-shot, synonyms'][4]}, 86.6 and {card['zero-shot, both'][4]}" in told
    *four, mean = card["linear probe"]
    words = "reach {} \\([^)]*\\) on super, {} on sub, {} on form and {} on rhythm, {} in".format(*four, mean)
    assert re.search(words, told)
    assert "100,000 ECGs were simulated" in SHIPPED_CARD and "# FG-CLEP: fine" not in SHIPPED_CARD
