"""What Snakemake compares of a job, so that it runs again: content, and no param of the inputs."""

import json
import os
import shutil
from contextlib import chdir
from inspect import signature
from pathlib import Path
from types import SimpleNamespace

from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, OutputSettings, Quietness, ResourceSettings

from fgclep.config.named_models import encoder_digest


def test_what_snakemake_compares(checkout, tmp_path):
    """No param whose function takes the inputs, so what an option names is a param of its own; encoders by content."""
    tower, overlay = tmp_path / "tower", tmp_path / "overlay.yaml"
    tower.mkdir()
    (tower / "vocab.txt").write_text("fast")
    named = f"similarity: {{source: raw, encoder: {tower}}}\npretraining: {{text_encoder: {{name: {tower}}}}}\n"
    overlay.write_text(named)
    settings, options = ConfigSettings(configfiles=[overlay]), OutputSettings(quiet={Quietness.ALL})
    with chdir(checkout.folder), SnakemakeApi(options) as api:
        workflow = api.workflow(ResourceSettings(cores=1), config_settings=settings, snakefile=Path("Snakefile"))
        workflow.dag()
        compared = {rule.name: dict(rule.params._allitems()) for rule in workflow._workflow.rules}
        start = compared["pretrain"]["start"]
        coarse, fine = (json.loads(start(SimpleNamespace(name=name))) for name in ("coarse", "fine"))
    params = [found for own in compared.values() for found in own.items() if callable(found[1])]
    assert len(params) > 20
    assert {name for name, function in params if "input" in signature(function).parameters} == {"options"}
    digest = encoder_digest(str(tower))
    assert coarse == {"content of": {"pretraining.text_encoder.name": digest}} and fine == {}
    content = json.loads(compared["build_similarity"]["content"])["content of"]
    assert content["similarity.encoder"] == digest and "resources/vocabulary/features.yaml" in content
    (tower / "vocab.txt").write_text("slow")
    assert encoder_digest(str(tower)) != digest and encoder_digest("someone/tower") is None


def test_a_changed_table_of_own_records_is_noticed(checkout, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(f"data:\n  sources:\n    local: {{base: {tmp_path}}}\n")
    (tmp_path / "records.csv").write_text("id,patient,report\n")
    target = ("resources/physionet/local/metadata", "--configfile", str(overlay))
    run = checkout.snakemake("--cores", "1", *target)
    assert run.returncode == 0, run.stdout
    assert checkout.plan(*target) == {}
    (tmp_path / "records.csv").write_text("id,patient,report\nr1,p1,Sinus rhythm\n")
    assert checkout.plan(*target) == {"fetch_metadata": 1}
    os.utime(tmp_path / "records.csv", (1, 1))  # as by mv, cp -p or rsync -a
    assert checkout.plan(*target) == {"fetch_metadata": 1}
    shutil.rmtree(checkout.folder / "resources" / "physionet")
