"""``fgclep recover``: what a recovery would ask and how long it would take, and asking ahead of the workflow."""

import shutil

import pytest
import yaml
from language_servers import MODEL, answer, chat, late
from recovery_setup import PUBLISHED, ROOT, VOCABULARY, server

from fgclep.cli import main
from fgclep.language.reports import parse_reports
from fgclep.schemas.reports import TEXTS
from fgclep.tables import write_table

__all__ = ["server"]
STATEMENTS = ["Atrial fibrillation", "Atrial flutter", "suggests zork", "abnormal ECG"]


@pytest.fixture
def project(tmp_path, monkeypatch, server):
    """A checkout whose reports are parsed, and a file that turns the language model on."""
    shutil.copy(ROOT / "config.yaml", tmp_path)
    shutil.copytree(ROOT / "resources", tmp_path / "resources", ignore=shutil.ignore_patterns("llm_cache"))
    path = tmp_path / "results" / "reports" / "texts.parquet"
    path.parent.mkdir(parents=True)
    write_table(parse_reports([("m", "1", STATEMENTS)], VOCABULARY, 1).texts, path, TEXTS)
    write_config(tmp_path, host=server.url)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_config(folder, **changes):
    section = {
        "backend": "ollama",
        "model": MODEL,
        "samples": 2,
        "temperature": 0.7,
        "timeout_seconds": 5,
        **PUBLISHED,
        **changes,
    }
    (folder / "my.yaml").write_text(yaml.safe_dump({"recovery": section}))


def dry_run(capsys):
    main(["recover", "--dry-run", "--configfile", "my.yaml"])
    return capsys.readouterr().out


def test_a_dry_run_shows_prompt_calls_and_time_and_asks_nothing(project, server, capsys):
    printed = dry_run(capsys)
    assert f"{MODEL} (365c0bd3c000) at {server.url}, ollama" in printed
    assert "prompt      version 3 (" in printed
    assert "statements  3 to ask about, 2 times each" in printed
    assert "answers     6 wanted, 0 of them in resources/llm_cache" in printed
    assert "calls       6\n" in printed
    assert "time        30.0 s: 5.0 s per call (assumed), 1 at a time" in printed
    assert "The prompt about 'atrial fibrillation':\n\nYou are an expert" in printed
    assert '{"statement_1": "atrial fibrillation"}' in printed
    assert server.asked == []
    assert not (project / "resources" / "llm_cache").exists()


def test_answers_that_are_stored_are_not_counted_and_give_the_time(project, server, capsys):
    server.script = [late(0.3, chat(answer("absent p waves")))]
    write_config(project, host=server.url, samples=1, temperature=0.7)
    main(["recover", "--configfile", "my.yaml"])
    assert "3 features proposed for 3 statements; the answers are in resources/llm_cache" in capsys.readouterr().out
    write_config(project, host=server.url, samples=11, concurrency=2)
    printed = dry_run(capsys)
    assert "answers     33 wanted, 3 of them in" in printed
    assert "calls       30\n" in printed
    assert "0.3 s per call (mean of 3 stored answers of this model), 2 at a time" in printed


def test_the_table_of_knowledge_has_nothing_to_show(project, capsys):
    main(["recover", "--dry-run"])
    printed = capsys.readouterr().out
    assert "nothing is asked" in printed and "    recovery:\n      backend: ollama" in printed


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (
            lambda folder: (folder / "results/reports/texts.parquet").unlink(),
            "run `snakemake --cores all results/reports",
        ),
        (lambda folder: write_config(folder, host="http://127.0.0.1:9"), "no usable reply from the server (ollama)"),
        (lambda folder: write_config(folder, modle="x"), "did you mean recovery.model?"),
    ],
)
def test_what_is_missing_is_said(project, capsys, prepare, message):
    prepare(project)
    with pytest.raises(SystemExit):
        main(["recover", "--dry-run", "--configfile", "my.yaml"])
    assert message in capsys.readouterr().err
