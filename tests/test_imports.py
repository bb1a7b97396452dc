"""What may be imported where."""

import subprocess
import sys

ABSENT = ("snakemake", "polars", "wfdb", "ollama", "sklearn", "matplotlib", "tabulate")


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_pre_training_needs_none_of_the_workflow_s_other_packages():
    # a GPU machine may have torch, transformers, pyarrow and pydantic only
    blocked = "; ".join(f"sys.modules[{name!r}] = None" for name in ABSENT)
    finished = run(f"import sys; {blocked}; import fgclep.stages.pretrain, fgclep.stages.score_candidates")
    assert finished.returncode == 0, finished.stderr


def test_the_package_itself_loads_nothing():
    finished = run("import sys, fgclep, fgclep.leads; assert 'torch' not in sys.modules and 'numpy' not in sys.modules")
    assert finished.returncode == 0, finished.stderr


def test_tables_need_no_pandas_and_are_made_of_its_series_as_ever():
    code = "import sys, fgclep.tables as tables, pyarrow as pa; "
    without = "tables.leave_out_pandas(); table = pa.table({'a': [1, 2]}); assert 'pandas' not in sys.modules; "
    finished = run(code + without + "assert table.to_pandas().shape == (2, 1)")
    assert finished.returncode == 0, finished.stderr
    with_series = "import pandas; assert pa.array(pandas.Series([1.0, float('nan')])).null_count == 1"
    finished = run(code + with_series)
    assert finished.returncode == 0, finished.stderr


def test_tables_are_read_without_the_datasets_of_pyarrow(tmp_path):
    finished = run(
        "import sys, fgclep.tables as tables, pyarrow as pa; schema = pa.schema([('a', pa.int64())]); "
        f"path = {str(tmp_path / 'table.parquet')!r}; tables.write_table([{{'a': 1}}], path, schema); "
        "assert tables.read_table(path, schema, ['a'])['a'].to_pylist() == [1]; "
        "assert 'pyarrow.dataset' not in sys.modules"
    )
    assert finished.returncode == 0, finished.stderr


def test_models_and_measuring_are_loaded_without_libraries_that_take_longer_than_they():
    heavy = ["transformers", "accelerate", "huggingface_hub", "scipy.signal", "scipy.stats", "torch._dynamo", "sympy"]
    finished = run(
        "import sys, fgclep.stages.embed_ecgs, fgclep.stages.measure_waveforms, fgclep.stages.score_candidates; "
        "from fgclep import FGCLEP; "
        "from fgclep.config.named_models import SHIPPED_MODEL; "
        "FGCLEP.from_pretrained(SHIPPED_MODEL).embed_texts(['sinus rhythm']); "
        f"assert not (found := set({heavy}) & set(sys.modules)), found"
    )
    assert finished.returncode == 0, finished.stderr
