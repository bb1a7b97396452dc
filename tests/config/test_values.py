"""Values that no config may hold: passwords in addresses, ways out of a folder, and numbers without measure."""

import json

import pytest

from fgclep.config.load import load, validate_config
from fgclep.config.reports import ReportsSection
from fgclep.config.simulation import SimulationSection
from fgclep.errors import UserError
from fgclep.stage import stage_parser

SECRET = "s3cret"
ADDRESS = f"https://me:{SECRET}@example.org/files"
WITH_PASSWORD = [
    {"data": {"base": ADDRESS}},
    {"data": {"sources": {"ptb-xl": {"base": ADDRESS}}}},
    {"evaluation": {"splits_base": ADDRESS}},
    {"recovery": {"host": f"http://{SECRET}@localhost:11434"}},
    {"recovery": {"cache": f"//me:{SECRET}@server/share"}},
    {"similarity": {"encoder": ADDRESS}},
    {"verification": {"reader_model": ADDRESS}},
    {"ablation": {"variants": {"mine": {"similarity": {"encoder": ADDRESS}}}}},
    {"data": {"base": ADDRESS.replace("//", "/")}},
    {"data": {"base": ADDRESS.replace("//", "")}},
    {"evaluation": {"splits_base": ADDRESS.replace("//", "\\\\").replace("https", "HTTPS")}},
    {"recovery": {"model": ADDRESS.replace("@", "%40")}},
]


@pytest.mark.parametrize("values", WITH_PASSWORD, ids=json.dumps)
def test_a_password_in_an_address_is_refused_and_not_shown(values):
    with pytest.raises(UserError, match=r"holds a user name or password(?s:.*)FGCLEP_API_KEY(?s:.*)\.netrc") as error:
        validate_config(values)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("host", [f"http://h?key={SECRET}", f"http://me:{SECRET}/x@h", f"ftp://h?{SECRET}"])
def test_what_may_be_a_password_is_not_shown_where_an_address_is_wrong(host):
    with pytest.raises(UserError, match=r"config: recovery.host is ") as error:
        validate_config({"recovery": {"host": host}})
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("http://h\nname: x", r"recovery.host holds U\+000A"),
        ("http://h:99999", "no address"),
        ("http://a b", "no address"),
        ("http://h/#x", "without"),
    ],
)
def test_a_host_that_is_no_address_is_refused(host, reason):
    with pytest.raises(UserError, match=reason):
        validate_config({"recovery": {"host": host}})


@pytest.mark.parametrize("host", ["http://[::1]:11434", "https://llm.example.org/ollama/", "http://10.0.0.1"])
def test_addresses_of_servers_are_taken(host):
    assert validate_config({"recovery": {"host": host}}).recovery.host == host


def test_an_address_of_another_kind_is_no_folder():
    with pytest.raises(UserError, match=r"data.base is 's3://bucket': an address begins with http"):
        validate_config({"data": {"base": "s3://bucket"}})
    with pytest.raises(UserError, match=r"data.base is 'https:/example.org': an address begins with http"):
        validate_config({"data": {"base": "https:/example.org"}})
    assert validate_config({"data": {"base": "folder with@sign/é"}}).data.base == "folder with@sign/é"


@pytest.mark.parametrize("name", ["../../../tasks/x", "a/b", "/tmp/x", "..", "PTB", "a b", "a\tb", "", "a" * 65])
def test_a_task_cannot_lead_out_of_the_folder(name):
    with pytest.raises(UserError, match=r"evaluation.tasks"):
        validate_config({"evaluation": {"tasks": [name]}})


@pytest.mark.parametrize("name", ["../x", "a/b", "a.b", "A", "a" * 65])
def test_a_variant_cannot_lead_out_of_the_folder(name):
    with pytest.raises(UserError, match="ablation"):
        validate_config({"ablation": {"variants": {name: {"pretraining": {"loss": "clip"}}}}})


@pytest.mark.parametrize(
    "values",
    [
        {"seed": 2**70},
        {"seed": -1},
        {"evaluation": {"bootstrap": 10**12}},
        {"evaluation": {"bootstrap": 10**7}},
        {"evaluation": {"seeds": 10**6}},
        {"evaluation": {"shots": [10**12]}},
        {"pretraining": {"fine_epochs": 10**12}},
        {"pretraining": {"learning_rate": 1e300}},
        {"recovery": {"timeout_seconds": 1e300}},
        {"recovery": {"deadline_hours": 1e300}},
        {"data": {"transfer": {"timeout_seconds": 1e12}}},
        {"simulation": {"records": {"ptb-xl": 10**12}}},
        {"data": {"sources": {"csn": {"chunks": 10**6}}}},
        {"pretraining": {"threads": 10**6}},
        {"pretraining": {"projection": 10**6}},
        {"pretraining": {"ecg_encoder": {"width": 10**6}}},
        {"pretraining": {"text_encoder": {"layers": 10**6}}},
        {"pretraining": {"bias": -1e8}},
        {"pretraining": {"max_temperature": 1e8}},
        {"pretraining": {"augmentation": {"time_scale": 0.1}}},
        {"pretraining": {"augmentation": {"lead_masking": 1.1}}},
        {"measurement": {"workers": 10**6}},
        {"report": {"strips": 10**6}},
    ],
    ids=json.dumps,
)
def test_numbers_have_an_upper_bound(values):
    (section, below), *_ = values.items()
    name = section if not isinstance(below, dict) else f"{section}.{next(iter(below))}"
    with pytest.raises(UserError, match=name):
        validate_config(values)


@pytest.mark.parametrize("name", ["fractions", "regularization", "shots"])
def test_no_number_of_a_list_is_given_twice(name):
    with pytest.raises(UserError, match=rf"evaluation\.{name} (?s:.*)given more than once"):
        validate_config({"evaluation": {name: [1, 1.0]}})


def test_control_characters_are_refused_anywhere(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text('recovery:\n  cache: "a\\e[2Jb"\n')
    with pytest.raises(UserError, match=r"recovery.cache holds U\+001B"):
        load(path)


def test_settings_of_a_stage_show_no_password(capsys):
    with pytest.raises(SystemExit):
        stage_parser(None, ReportsSection).parse_args(["--settings", json.dumps({"min_words": ADDRESS})])
    shown = capsys.readouterr().err
    assert SECRET not in shown and "https://***@example.org/files" in shown


def test_the_largest_seed_works():
    torch = pytest.importorskip("torch")
    seed = validate_config({"seed": 2**62}).seed
    torch.manual_seed(seed + 20)
    assert SimulationSection().workers


def test_a_model_to_go_on_from_may_have_more_text_layers_than_one_made_here():
    given = {"start_from": "shipped", "text_encoder": {"trained_layers": 2}}
    assert validate_config({"pretraining": given}).pretraining.text_encoder.trained_layers == 2
