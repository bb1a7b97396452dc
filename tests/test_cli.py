"""``fgclep``: errors of one line, and nothing loaded before it is needed."""

import os
import subprocess
import sys
from importlib.metadata import version

import pytest

from fgclep.cli import COMMANDS, main
from fgclep.config.named_models import SHIPPED_MODEL


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score-recovery", "--audit", "no.parquet"], "no.parquet does not exist; run `snakemake --cores all`"),
        (["predict", "r", "--prompt", "x", "--model", "no"], "no holds no model; run `snakemake --cores all` first"),
        (["retrieve", "x", "--shards", "no"], "no does not exist; run `snakemake --cores all` first, or give --shards"),
    ],
)
def test_an_error_is_one_line(capsys, arguments, message):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 1
    printed = capsys.readouterr().err
    assert message in printed and printed.count("\n") == 1


def test_the_truth_that_a_simulated_run_has_left_judges_no_other_one(capsys, tmp_path):
    (tmp_path / "simulation").mkdir()
    options = []
    for name in ("audit", "truth", "reports", "texts"):
        (tmp_path / f"simulation/{name}.parquet").touch()
        options += [f"--{name}", str(tmp_path / f"simulation/{name}.parquet")]
    (tmp_path / "run.json").write_text('{"truth": false, "shards": []}')
    with pytest.raises(SystemExit):
        main(["score-recovery", *options])
    assert "truth.parquet is of an earlier run: this one trains on no simulated source" in capsys.readouterr().err


def test_help_names_every_command_and_waits_for_no_library(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = [
        line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("    ") and line[4] != " "
    ]
    assert len(listed) == len(COMMANDS)
    code = "import sys, fgclep.cli; fgclep.cli.arguments(); assert not {'numpy', 'torch', 'polars'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_version_is_told_by_the_command_the_module_and_the_package():
    import fgclep

    told = subprocess.run([sys.executable, "-m", "fgclep", "--version"], check=True, capture_output=True, text=True)
    assert told.stdout == f"fgclep {fgclep.__version__}\n" and version("fgclep") == fgclep.__version__


def test_the_package_loads_its_own_model_without_a_path():
    import fgclep

    assert fgclep.load().folder == str(SHIPPED_MODEL)
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        fgclep.laod()


@pytest.mark.parametrize("command", ["predict", "retrieve"])
@pytest.mark.parametrize("option", ["--batch-size", "--features", "--top"])
def test_numbers_of_things_must_be_positive(capsys, command, option):
    if (command, option) in {("predict", "--top"), ("retrieve", "--features")}:
        return
    with pytest.raises(SystemExit) as stop:
        main([command, "r", option, "0"])
    assert stop.value.code == 2
    assert "0 is not at least 1" in capsys.readouterr().err


def test_a_reader_that_has_had_enough_is_no_error(tmp_path):
    run = f"{sys.executable} -m fgclep.cli recover | true; exit ${{PIPESTATUS[0]}}"
    (tmp_path / "config.yaml").write_text("{}\n")
    env = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    finished = subprocess.run(["bash", "-c", run], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert finished.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "meant", "usage"),
    [
        (["predict", "r", "--prompts", "x"], "did you mean --prompt?", "usage: fgclep predict"),
        (["retrieve", "x", "--tpo=3"], "did you mean --top?", "usage: fgclep retrieve"),
        (["predct", "r"], "did you mean predict?", "usage: fgclep [-h]"),
    ],
)
def test_a_slip_of_the_pen_is_told_with_what_was_perhaps_meant(capsys, arguments, meant, usage):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    printed = capsys.readouterr().err
    assert stop.value.code == 2 and meant in printed and printed.startswith(usage)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "r", "--output", "x.parquet"], ".parquet is not written, but .txt, .csv, .json, .jsonl"),
        (["embed", "r", "--output", "x.csv"], "give a file that ends in .npz or .parquet"),
    ],
)
def test_a_file_of_another_kind_is_refused_before_anything_is_read(capsys, arguments, message):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 1 and message in capsys.readouterr().err
