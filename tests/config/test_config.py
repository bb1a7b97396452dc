import json
from pathlib import Path

import pytest
import yaml

from fgclep.config.generate import ROOT, generated, json_schema
from fgclep.config.load import load, validate_config
from fgclep.config.root import Config
from fgclep.config.section import over_defaults
from fgclep.config.yaml_text import scalar
from fgclep.errors import UserError
from fgclep.sources import SOURCES


@pytest.mark.parametrize("name", ["config.yaml", "workflow/config/schema.json", "docs/configuration.md"])
def test_generated_files_are_in_step_with_the_sections(name):
    path = ROOT / name
    assert path.read_text(encoding="utf-8") == generated()[path], f"{name} is out of sync: run python -m fgclep.config"


def test_config_yaml_holds_the_defaults():
    assert load(ROOT / "config.yaml") == Config()


@pytest.mark.parametrize("path", sorted([*ROOT.glob("workflow/config/*.yaml"), *ROOT.glob("tests/config/*.yaml")]))
def test_every_overlay_is_valid(path):
    load(ROOT / "config.yaml", path)


def test_an_overlay_changes_single_keys_and_replaces_lists():
    config = validate_config(
        {
            "data": {"sources": {"csn": {"chunks": 9}}},
            "evaluation": {"fractions": [0.5]},
            "simulation": {"records": {"csn": 50}},
        }
    )
    assert config.data.sources["csn"].chunks == 9
    assert config.data.sources["csn"].version == "1.0.0"
    assert config.data.sources["ptb-xl"].chunks == 2
    assert config.evaluation.fractions == [0.5]
    assert config.simulation.records == {
        "mimic-iv-ecg": 8000, "ptb-xl": 1500, "cpsc2018": 700, "csn": 50, "simulated": 20_000,
    }  # fmt: skip


def test_a_source_without_a_base_takes_the_common_one():
    data = validate_config(
        {"data": {"base": "/mirror", "sources": {"csn": {"base": "https://physionet.org/files"}}}}
    ).data
    assert data.base_of("ptb-xl") == "/mirror"
    assert data.base_of("csn") == "https://physionet.org/files"


def test_every_source_that_has_a_module_can_be_named():
    values = {"data": {"base": "/mirror", "sources": {"ludb": {}, "georgia": {"chunks": 3}, "local": {"base": "mine"}}}}
    sources = validate_config(values).data.sources
    assert list(sources) == ["mimic-iv-ecg", "ptb-xl", "cpsc2018", "csn", "ludb", "georgia", "local"]
    assert (sources["ludb"].version, sources["ludb"].role, sources["ludb"].chunks) == ("1.0.1", "store", 1)
    assert (sources["georgia"].version, sources["georgia"].chunks) == ("1.0.3", 3)
    assert (sources["local"].version, sources["local"].base) == (None, "mine")
    section = json.loads(json_schema())["$defs"]["DataSection"]["properties"]["sources"]
    assert section["propertyNames"]["enum"] == list(SOURCES)


def test_a_source_of_both_roles_trains_and_tests():
    sources = {"ptb-xl": {"role": "both"}, "ludb": {"role": "store", "base": "x"}, "mimic-iv-ecg": {"role": "evaluate"}}
    config = validate_config({"data": {"sources": sources}, "verification": {"features": "truth"}})  # it is simulated
    assert (config.data.pretraining_sources(), config.data.stored_sources()) == (["ptb-xl"], ["ludb"])
    assert {key for key, source in config.data.sources.items() if source.tests} == set(sources) - {"ludb"} | {
        "cpsc2018", "csn",
    }  # fmt: skip


def test_a_source_may_be_named_alone():
    config = validate_config({"data": {"base": "/mirror", "sources": {"ludb": None}}})
    assert config.data.sources["ludb"].version == "1.0.1"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"data": {"sources": {"goergia": {"base": "x"}}}},
            "config: data.sources.goergia is not a known key; did you mean data.sources.georgia? Write\n\n"
            "    data:\n      sources:\n        georgia:\n          version: 1.0.3\n",
        ),
        (
            {"data": {"sources": {"zork": {"base": "x"}}}},
            "config: data.sources.zork is not a known key; known here are cpsc2018, cpsc_extra, csn, georgia",
        ),
        (
            {"data": {"base": "x", "sources": {"georgia": {"rolle": "store"}}}},
            "config: data.sources.georgia.rolle is not a known key; did you mean data.sources.georgia.role? Write\n\n"
            "    data:\n      sources:\n        georgia:\n          role: store",
        ),
        (
            {"data": {"base": "x", "sources": {"georgia": {"chunks": 0}}}},
            "config: data.sources.georgia.chunks is 0: it should be greater than or equal to 1. For example\n\n",
        ),
        (
            {"data": {"sources": {"ludb": {}}}},
            "ludb is not simulated and needs a base. Write\n\n    data:\n      sources:\n        ludb:\n"
            "          base: https://physionet.org/files",
        ),
        (
            {"data": {"base": "/mirror", "sources": {"local": {}}}},
            "local needs the folder with your records. Write\n\n    data:\n      sources:\n        local:\n",
        ),
        ({"data": {"sources": {"local": {"base": "https://x.org"}}}}, "local needs the folder with your records"),
        ({"data": {"sources": {"csn": {"version": None}}}}, "csn needs a version. Write\n\n    data:\n"),
        ({"simulation": {"records": {"ludb": 30}}}, "config: simulation.records.ludb is not a known key"),
        (
            {"verification": {"coarse": False}},
            "config: verification.coarse is no key any more; in its place stands verification.reader. Write\n\n"
            "    verification:\n      reader: none",
        ),
        (
            {"verification": {"coarse": True}},
            "in its place stands verification.reader. Write\n\n    verification:\n      reader: coarse",
        ),
        (
            {"verification": {"reader": "simulated", "reader_model": "results/models/fine"}},
            "reader_model results/models/fine is made by this run itself, from what the reader has judged. Copy the "
            "model of another run to a folder of its own, and write\n\n"
            "    verification:\n      reader_model: models/reader",
        ),
        (
            {"evaluation": {"bootstraps": 7}},
            "config: evaluation.bootstraps is not a known key; did you mean evaluation.bootstrap? Write\n\n"
            "    evaluation:\n      bootstrap: 7",
        ),
        (
            {"bootstrap": 7},
            "config: bootstrap is not a known key; did you mean evaluation.bootstrap? Write\n\n"
            "    evaluation:\n      bootstrap: 7",
        ),
        (
            {"data": {"sources": {"ptbxl": {"base": "x"}}}},
            "config: data.sources.ptbxl is not a known key; did you mean data.sources.ptb-xl? Write\n\n"
            "    data:\n      sources:\n        ptb-xl:\n          version: 1.0.3\n",
        ),
        (
            {"evaluation": {"zork": 1}},
            "config: evaluation.zork is not a known key; known here are batch_size, bootstrap, fractions,",
        ),
        (
            {"pretraining": {"loss": "cllip"}},
            "config: pretraining.loss is 'cllip': it should be 'balanced_clip', 'balanced', 'fg_clep', 'siglip', "
            "'clip' or 'soft_sigmoid'. For example\n\n    pretraining:\n      loss: balanced_clip",
        ),
        (
            {"pretraining": {"start_from": "results/models/fine"}},
            "start_from results/models/fine is made by this run itself. Copy the model of another run to a folder",
        ),
        ({"pretraining": {"start_from": "./results/ablation/models/clip-0"}}, "clip-0 is made by this run itself"),
        ({"pretraining": {"start_from": "a/../results/models/coarse"}}, "models/coarse is made by this run itself"),
        ({"verification": {"reader_model": str(Path("results/models/fine").resolve())}}, "fine is made by this run"),
        ({"pretraining": {"text_encoder": {"trained_layers": 2}}}, "trained_layers 2 is above layers 1"),
        (
            {"recovery": {"samples": 3}, "verification": {"min_votes": 2}},
            "verification.min_votes is 2, and recovery gives 1 answer(s) to a statement, so that every feature would",
        ),
        ({"pretraining": {"coarse_epochs": 0}}, "coarse_epochs is 0, and start_from names no model"),
        ({"pretraining": {"texts_per_ecg": 2}}, "in its place stands pretraining.statements_per_ecg"),
        (
            {"simulation": {"prevalence": "real"}},
            "config: simulation.prevalence is 'real': it should be 'flat' or 'reports'. "
            "For example\n\n    simulation:\n      prevalence: flat",
        ),
        (
            {"data": {"sources": {"mimic-iv-ecg": {"version": 1.0}}}},
            "config: data.sources.mimic-iv-ecg.version is 1.0: it should be a valid string. For example\n\n"
            "    data:\n      sources:\n        mimic-iv-ecg:\n          version: '1.0'",
        ),
        (
            {"signal": {"lowpass": 90}},
            "config: signal: highpass 0.5 < lowpass 90.0 < half of sampling_rate 100 must hold",
        ),
        ({"simulation": None}, "config: simulation is None: it should hold keys and values"),
        ({"pretraining": {"text_encoder": {"heads": 3}}}, "hidden_size 128 is no multiple of heads 3"),
        ({"pretraining": {"temperature": 200}}, "temperature 200.0 is above max_temperature 100.0"),
        ({"evaluation": {"tasks": ["csn", "csn"]}}, "csn is given more than once"),
        ({"data": {"sources": {"mimic-iv-ecg": {"role": "evaluate"}}}}, "no source has the role pretrain"),
        (
            {"data": {"base": "/mirror", "sources": {"ptb-xl": {"sampling_rate": 250}}}},
            "data.sources.ptb-xl.sampling_rate is 250, and ptb-xl has 500 and 100. Write\n\n"
            "    data:\n      sources:\n        ptb-xl:\n          sampling_rate: 500",
        ),
        (
            {"data": {"sources": {"ptb-xl": {"sampling_rate": 100}}}},
            "ptb-xl is simulated at 500 Hz alone, and its sampling_rate is 100. Write\n\n"
            "    data:\n      sources:\n        ptb-xl:\n          sampling_rate: 500\n\n"
            "or take it from elsewhere\n\n"
            "    data:\n      sources:\n        ptb-xl:\n          base: https://physionet.org/files",
        ),
        (
            {"data": {"sources": {"local": {"base": "mine", "sampling_rate": 500}}}},
            "data.sources.local.sampling_rate is 500, and local has none to choose. Write\n\n"
            "    data:\n      sources:\n        local:\n          sampling_rate: null",
        ),
        (
            {"data": {"sources": {"ptb-xl": {"test_fold": 8}}}},
            "data.sources.ptb-xl.test_fold is 8, and ptb-xl has 10 and 9. Write\n\n"
            "    data:\n      sources:\n        ptb-xl:\n          test_fold: 10",
        ),
        (
            {"data": {"sources": {"csn": {"role": "both"}}}},
            "csn does not say whose its records are, so that a patient could be trained on and tested on; it cannot "
            "have the role both. Write\n\n    data:\n      sources:\n        csn:\n          role: evaluate",
        ),
        (
            {"data": {"sources": {"ptb-xl": {"role": "both"}}}, "evaluation": {"zero_shot_split": "all"}},
            "evaluation.zero_shot_split is all, and ptb-xl has the role both: models are trained on some of its "
            "records. Write\n\n    evaluation:\n      zero_shot_split: test",
        ),
        (
            {"data": {"sources": {"simulated": {"base": "x"}}}},
            "simulated is simulated, and has neither base nor version",
        ),
        (
            {"data": {"base": "/mirror"}, "verification": {"features": "truth"}},
            "features is truth, and none of the sources with the role pretrain is simulated. Write\n\n"
            "    data:\n      sources:\n        simulated:\n          role: pretrain",
        ),
    ],
)
def test_a_mistake_is_named_with_the_yaml_to_write(values, message):
    with pytest.raises(UserError) as error:
        validate_config(values)
    assert message in str(error.value)


def test_every_mistake_is_listed():
    with pytest.raises(UserError) as error:
        validate_config({"seeds": 1, "report": {"strips": -1}})
    assert "config: seeds is not a known key; did you mean seed?" in str(error.value)
    assert "config: report.strips is -1: it should be greater than or equal to 0" in str(error.value)


def test_a_config_file_that_is_no_yaml_is_named(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("evaluation: [1, 2\n")
    with pytest.raises(UserError, match=r"(?s)broken\.yaml is not YAML: .*line 2"):
        load(path)
    with pytest.raises(UserError, match=r"absent\.yaml: there is no such config file"):
        load(tmp_path / "absent.yaml")
    path.write_text("- 1\n")
    with pytest.raises(UserError, match=r"broken\.yaml: expected sections"):
        load(path)


def test_every_key_is_described():
    def undescribed(schema, place):
        for name, value in schema.get("properties", {}).items():
            if "$ref" not in value and not value.get("description"):
                yield f"{place}.{name}"

    schema = json.loads(generated()[ROOT / "workflow" / "config" / "schema.json"])
    sections = {"": schema, **schema["$defs"]}
    assert [key for place, section in sections.items() for key in undescribed(section, place)] == []


@pytest.mark.parametrize(
    "value", [None, True, 0, 1e-5, 1e-3, 100.0, "1.0", "1.0.3", "null", "auto", [0.01, 1.0], ["a", "b"]]
)
def test_values_survive_being_written_and_read(value):
    read = yaml.safe_load(f"key: {scalar(value)}")["key"]
    assert read == value
    assert type(read) is type(value)


def test_merging_leaves_the_defaults_untouched():
    defaults = {"a": {"x": 1}}
    assert over_defaults(defaults, {"a": {"y": 2}}) == {"a": {"x": 1, "y": 2}}
    assert defaults == {"a": {"x": 1}}
