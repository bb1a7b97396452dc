"""Conda environments and containers have what the stages import, in the versions of constraints.txt."""

import ast
import re
import runpy
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from fgclep.digest import source_files

ENVIRONMENTS = runpy.run_path(str(ROOT / "envs/generate.py"))
CONTAINERS = ("containers/Dockerfile", "containers/fg-clep.def")
BROUGHT = {"huggingface-hub", "markupsafe", "packaging", "pydantic-core"}  # by transformers, Jinja2, Snakemake...
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("name", ["cpu.yaml", "cuda.yaml"])
def test_conda_environments_are_in_step(name):
    path = ROOT / "envs" / name
    assert path.read_text(encoding="utf-8") == ENVIRONMENTS["generated"]()[path], "run python envs/generate.py"


PACKAGE = ROOT / "workflow/fgclep"


def imported_packages(files):
    """Distributions of all that these files import and does not come with Python."""
    distributions = packages_distributions()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                modules.append(node.module)
            for module in {module.split(".")[0] for module in modules} - sys.stdlib_module_names - {"fgclep"}:
                yield canonicalize_name(distributions[module][0])


def test_all_that_the_package_imports_is_a_dependency():
    extras = [line for name in ("clinical", "llm") for line in PROJECT["optional-dependencies"][name]]
    dependencies = {canonicalize_name(Requirement(line).name) for line in [*PROJECT["dependencies"], *extras]}
    assert set(imported_packages(PACKAGE.rglob("*.py"))) - BROUGHT <= dependencies


def test_what_the_environments_leave_out_no_stage_imports():
    stages = [path.stem for path in (PACKAGE / "stages").glob("[!_]*.py")]
    files = {file for stage in stages for file in source_files(f"fgclep.stages.{stage}")}
    assert "torch" in set(imported_packages(files))
    assert not ENVIRONMENTS["OF_THE_WORKFLOW"] & set(imported_packages(files))


def test_every_dependency_has_a_version():
    lines = [*PROJECT["dependencies"], *(line for extra in PROJECT["optional-dependencies"].values() for line in extra)]
    names = {canonicalize_name(Requirement(line).name) for line in lines} - {"fgclep"}
    assert names <= set(ENVIRONMENTS["pins"]())


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_has_the_python_and_the_versions_of_the_tests(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    [version] = re.findall(r"^(?:FROM|From:) python:([\d.]+)-slim$", text, flags=re.MULTILINE)
    assert version == ENVIRONMENTS["PYTHON"] and version in SpecifierSet(PROJECT["requires-python"])
    assert "--constraint constraints.txt" in text


@pytest.mark.parametrize("name", CONTAINERS)
def test_what_a_container_copies_exists_and_suffices_to_install(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    if name.endswith("Dockerfile"):
        copied = [path for line in re.findall(r"^COPY (.+) \S+$", text, flags=re.MULTILINE) for path in line.split()]
        ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
        assert {f"!{path}" for path in copied} <= set(ignored)
    else:
        copied = re.findall(r"^ +(\S+) /opt/\S+$", text.split("%post")[0], flags=re.MULTILINE)
    assert all((ROOT / path).exists() for path in copied)
    needed = {"pyproject.toml", "constraints.txt", PROJECT["readme"], *PROJECT["license-files"], "workflow/fgclep"}
    assert set(copied) == needed


def test_the_docker_image_is_not_run_by_root():
    assert re.search(r"^USER (?!root)", (ROOT / "containers/Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
