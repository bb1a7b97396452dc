"""``fgclep plan``: what a run takes, from what the databases publish and from what is there."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from conftest import ROOT

from fgclep.cli import main
from fgclep.commands.plan import embedding_bytes, human_bytes, make_plan, plan_text
from fgclep.config.load import load
from fgclep.fetch.origin import is_from, note_origin
from fgclep.models.fgclep import FGCLEP, FGCLEPConfig
from fgclep.schemas.manifest import MANIFEST
from fgclep.stages import build_manifest, fetch_metadata, fetch_records
from fgclep.tables import read_table

SETTINGS = '{"parallel": 2, "timeout_seconds": 5, "retries": 0}'


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder to run in: config, tasks and vocabulary, and nothing made yet."""
    shutil.copy(ROOT / "config.yaml", tmp_path)
    for part in ("resources/prompts", "resources/tasks", "resources/vocabulary", "workflow/config"):
        shutil.copytree(ROOT / part, tmp_path / part)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _planned(*overlays: str) -> dict:
    plan = make_plan(load("config.yaml", *overlays)).as_json()
    return {source["source"]: source for source in plan["sources"]} | {"total": plan}


def _overlay(base: str | Path, more: str = "") -> str:
    Path("mirror.yaml").write_text(
        f"data:\n  base: {base}\n  sources:\n    mimic-iv-ecg:\n      base: results/simulation/files\n"
        f"    ptb-xl:\n      role: pretrain\n      chunks: 1\nevaluation:\n  tasks: [csn]\n{more}"
    )
    return "mirror.yaml"


def test_by_default_all_is_simulated_and_nothing_fetched(folder):
    plan = _planned()
    assert [row["records"] for row in plan["total"]["sources"]] == [8000, 1500, 700, 1500]
    assert {row["origin"] for row in plan["total"]["sources"]} == {"simulated"}
    total = plan["total"]
    assert (total["records"], total["fetch_bytes"], total["llm_calls"]) == (11_700, 0, 0)
    assert 3e9 < total["disk_bytes"] < 4.5e9  # the README's 4 GB
    assert total["missing_bytes"] == total["disk_bytes"]


def test_the_real_benchmarks_are_planned_from_their_published_size(folder):
    plan = _planned("workflow/config/real.yaml")
    assert plan["mimic-iv-ecg"]["fetch_bytes"] == 0
    assert plan["ptb-xl"]["records"] == 21_799 and not plan["ptb-xl"]["records_exact"]
    assert plan["total"]["fetch_bytes"] == 21_799 * 120_700 + 6_877 * 191_000 + 45_152 * 120_900


def test_the_published_setting_fetches_mimic_and_asks_per_statement(folder, capsys):
    plan = _planned("workflow/config/paper.yaml")
    assert plan["mimic-iv-ecg"]["fetch_bytes"] == 800_035 * 120_800  # 96.6 GB
    assert (plan["mimic-iv-ecg"]["llm_calls"], plan["mimic-iv-ecg"]["llm_calls_exact"]) == (2_172, False)
    assert plan["total"]["llm_calls"] == 2_172
    assert 130e9 < plan["total"]["disk_bytes"] < 160e9
    main(["plan", "--configfile", "workflow/config/paper.yaml"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["mimic-iv-ecg", "web", "~800,035", "~96.6", "GB", "-", "~136.1", "GB", "~2,172"]
    assert lines[5].startswith("total") and len({line.rindex(" ") for line in lines[1:5]}) > 0
    assert len({len(line) for line in lines[:6]}) == 1  # aligned


def test_a_limit_and_files_in_place_are_planned(folder):
    Path("some.yaml").write_text("data: {sources: {mimic-iv-ecg: {limit: 8000}}}\n")
    plan = _planned("workflow/config/paper.yaml", "some.yaml")["mimic-iv-ecg"]
    assert (plan["records"], plan["fetch_bytes"]) == (8000, 8000 * 120_800)
    Path("here.yaml").write_text("data: {sources: {mimic-iv-ecg: {base: mirror, in_place: true}}}\n")
    copied = _planned("workflow/config/paper.yaml")["mimic-iv-ecg"]["disk_bytes"]
    in_place = _planned("workflow/config/paper.yaml", "here.yaml")["mimic-iv-ecg"]
    assert (in_place["fetch_bytes"], in_place["disk_bytes"]) == (0, copied - 800_035 * 120_800)  # less the archives


def test_ecgs_simulated_straight_into_shards_take_no_more_than_these(folder):
    plan = _planned("workflow/config/simulated-large.yaml")["simulated"]
    assert (plan["records"], plan["records_exact"], plan["origin"]) == (100_000, True, "simulated")
    assert 4.4e9 < plan["disk_bytes"] < 5.5e9  # shards of 44 kB each, and tables


def test_a_disk_that_is_too_small_is_warned_about(folder, monkeypatch):
    monkeypatch.setattr(
        "fgclep.commands.plan.shutil.disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1_000_000_000)
    )
    text = plan_text(make_plan(load("config.yaml")))
    assert "free here: 1.0 GB, still needed: ~3." in text
    assert "WARNING: 2." in text and "GB too little. Make room" in text


@pytest.mark.parametrize("kind", ["resnet18", "vit_tiny", "s4d"])
@pytest.mark.parametrize("alignment", ["global", "attention"])
def test_embeddings_are_planned_as_large_as_the_model_makes_them(folder, kind, alignment):
    encoder, options = {"kind": kind, "width": 4}, {"alignment": alignment, "projection": 16}
    (folder / "more.yaml").write_text(json.dumps({"pretraining": {"ecg_encoder": encoder, **options}}))
    config = load("config.yaml", "more.yaml")
    text = {"model_type": "bert", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "vocab_size": 9}
    model = FGCLEP(FGCLEPConfig(encoder, text, signal=config.signal.model_dump(), **options)).eval()
    values = model.encode_ecg(torch.zeros(1, 12, 1000)).numel()
    assert embedding_bytes(config) == (4 if alignment == "global" else 2) * values


def test_json_has_the_sizes_in_bytes(folder, capsys):
    main(["plan", "--json"])
    assert json.loads(capsys.readouterr().out)["records"] == 11_700


def test_without_a_config_the_place_to_run_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["plan"])
    assert "there is no config.yaml here; run this where the Snakefile is" in capsys.readouterr().err


def test_a_folder_is_counted_and_read_in_place(folder, physionet):
    plan = _planned(_overlay(physionet))
    headers = list((physionet / "ptb-xl/1.0.3/records500").rglob("*.hea"))
    assert plan["ptb-xl"]["records"] == len(headers) == 427 and plan["ptb-xl"]["records_exact"]
    assert plan["csn"]["records"] == 65
    assert plan["total"]["fetch_bytes"] == 0


def _fetch(base: str, metadata: Path) -> None:
    options = ["--source", "ptb-xl", "--base", base, "--version", "1.0.3", "--settings", SETTINGS]
    fetch_metadata.main(fetch_metadata.arguments().parse_args([*options, "--output", str(metadata)]))


def _list(metadata: Path) -> None:
    options = ["--source", "ptb-xl", "--metadata", str(metadata), "--chunks", "1", "--settings", "{}"]
    options += ["--output", "results/manifest/ptb-xl.parquet", "--quarantine", "results/quarantine.parquet"]
    build_manifest.main(build_manifest.arguments().parse_args(options))


def test_after_the_lists_are_fetched_the_numbers_are_counted(folder, physionet):
    recovery = "recovery:\n  backend: ollama\n  samples: 3\n  temperature: 0.5\n"
    web = _overlay("https://example.org/files", recovery)
    metadata = Path("resources/physionet/ptb-xl/metadata")
    assert _planned(web)["ptb-xl"]["records"] == 21_799
    assert _planned(web)["ptb-xl"]["llm_calls"] is None  # nobody has published their number
    _fetch(str(physionet), metadata)
    assert _planned(web)["ptb-xl"]["records"] == 21_799  # these lists are another database's
    note_origin(metadata, "https://example.org/files", "ptb-xl", "1.0.3")
    plan = _planned(web)["ptb-xl"]
    assert (plan["records"], plan["records_exact"], plan["fetch_bytes"]) == (427, True, 427 * 120_700)

    _list(metadata)
    manifest = read_table("results/manifest/ptb-xl.parquet", MANIFEST).to_pylist()
    texts = {text.lower().strip(" .*-") for row in manifest for text in row["report"]}
    calls, all_asked = (
        _planned(_overlay("https://example.org/files", f"{recovery}  ask: {ask}\n"))["ptb-xl"]
        for ask in ("unmeasured", "all")
    )
    assert calls["llm_calls_exact"] and calls["llm_calls"] % 3 == 0
    assert 0.2 * len(texts) < calls["llm_calls"] / 3 <= len(texts)
    assert all_asked["llm_calls"] > calls["llm_calls"]  # about features that are measured, too


def test_records_of_one_s_own_are_counted_in_their_table(folder, capsys):
    Path("own.yaml").write_text("data: {sources: {local: {base: own, role: pretrain}}}")
    before = _planned("own.yaml")["local"]
    Path("own").mkdir()
    table = "id,patient,report\n" + "".join(f"r{number},p{number},Sinus rhythm\n" for number in range(40))
    Path("own/records.csv").write_text(table)
    after = _planned("own.yaml")["local"]
    assert (before["records"], after["records"], after["records_exact"]) == (None, 40, True)
    assert after["disk_bytes"] > before["disk_bytes"] == 0 and after["fetch_bytes"] == 0
    Path("own/records.csv").write_text(table + "r0,,\n")
    with pytest.raises(SystemExit):
        main(["plan", "--configfile", "own.yaml"])
    assert "row 42, record r0: it has no patient" in capsys.readouterr().err


def test_what_is_fetched_is_not_to_be_fetched(folder, physionet):
    metadata, base = Path("resources/physionet/ptb-xl/metadata"), "https://example.org/files"
    web = _overlay(base)
    _fetch(str(physionet), metadata)
    note_origin(metadata, base, "ptb-xl", "1.0.3")
    _list(metadata)
    part = Path("resources/physionet/ptb-xl/.0.tar.parts/records500/x.dat")
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(1_000_000))
    begun = _planned(web)["ptb-xl"]
    assert (begun["fetched_bytes"], begun["fetch_bytes"]) == (1_000_000, 427 * 120_700 - 1_000_000)
    shutil.rmtree(part.parents[1])

    options = ["--source", "ptb-xl", "--base", str(physionet), "--version", "1.0.3", "--settings", SETTINGS]
    options += ["--metadata", str(metadata), "--chunk", "0", "--chunks", "1"]
    options += ["--output", "resources/physionet/ptb-xl/0.tar", "--quarantine", "results/q.parquet"]
    fetch_records.main(fetch_records.arguments().parse_args(options))
    done = _planned(web)["ptb-xl"]
    assert done["fetch_bytes"] == done["passing_bytes"] == 0
    assert done["fetched_bytes"] == Path("resources/physionet/ptb-xl/0.tar").stat().st_size
    assert done["bytes_exact"]

    Path("rate.yaml").write_text("data: {sources: {ptb-xl: {sampling_rate: 100}}}")
    other = _planned(web, "rate.yaml")["ptb-xl"]  # the archive is of the files at 500 Hz
    assert (other["fetched_bytes"], other["fetch_bytes"]) == (0, 427 * 24_600)


def test_metadata_remembers_where_it_is_from(tmp_path):
    note_origin(tmp_path, "https://a/", "db", "1.0")
    assert is_from(tmp_path, "https://a", "db", "1.0")
    assert not is_from(tmp_path, "https://b", "db", "1.0") and not is_from(tmp_path, "https://a", "db", "1.1")


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_960, "1.0 MB"), (5.2e12, "5.2 TB")]
)
def test_sizes_have_decimal_units(count, text):
    assert human_bytes(count) == text
