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


def test_tables_need_no_pandas_and_become_its_frames_where_it_is():
    code = (
        "import sys, fgclep.tables, pyarrow as pa; table = pa.table({'a': [1, 2]}); assert 'pandas' not in sys.modules"
    )
    finished = run(f"{code}; assert table.to_pandas().shape == (2, 1); import pandas; pa.array(pandas.Series([1]))")
    assert finished.returncode == 0, finished.stderr
