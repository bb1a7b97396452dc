"""Write the conda environments in envs/, for ``snakemake --sdm conda``, from pyproject.toml and constraints.txt.

They hold what the stages import. Snakemake itself and its helpers run outside of them.
"""

import argparse
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PYTHON = "3.11"  # what .ci/run tests with, and the image of containers/
OF_THE_WORKFLOW = {"snakemake", "pygments"}  # imported by Snakemake, or for its --report, and by no stage
TEMPLATE = """\
# What the stages need, for `snakemake --sdm conda`{when}. Generated from pyproject.toml
# and constraints.txt by `python envs/generate.py`.
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python ={python}
  - {torch} =={torch_version}
  - pip
  - pip:
{packages}
"""


def pins() -> dict[str, str]:
    """Return the version of each package in constraints.txt, by its normalized name."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def generated() -> dict[Path, str]:
    """Return the text of each environment file."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    # the source local reads recorders' files in the jobs as well
    dependencies = [*project["dependencies"], *project["optional-dependencies"]["clinical"]]
    names = {canonicalize_name(Requirement(line).name) for line in dependencies} - OF_THE_WORKFLOW
    versions = pins()
    packages = "\n".join(f"      - {name}=={versions[name]}" for name in sorted(names - {"torch"}))
    return {
        ROOT / "envs" / file: TEMPLATE.format(
            when=when, python=PYTHON, torch=torch, torch_version=versions["torch"], packages=packages
        )
        for file, torch, when in (
            ("cpu.yaml", "pytorch-cpu", ""),
            ("cuda.yaml", "pytorch-gpu", " with pretraining: {device: cuda}"),
        )
    }


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    for path, text in generated().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))
