"""What .ci/run checks of security beside bandit's own list."""

import ast
import runpy

from conftest import ROOT

judge = runpy.run_path(str(ROOT / ".ci/audit.py"))["judge"]
CLEAN = {"name": "numpy", "version": "2.4.6", "vulns": []}
SKIPPED = {"name": "torch", "skip_reason": "Dependency not found on PyPI and could not be audited: torch (2.0)"}
FOUND = {"name": "pillow", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"], "aliases": []}]}


def test_what_the_service_was_not_asked_about_is_not_called_audited():
    assert judge([SKIPPED]) == (
        ["NOT audited: the advisory service gave no answer about any of the 1 packages"],
        True,
    )
    assert judge([CLEAN, SKIPPED]) == (["1 packages audited", "NOT audited: torch"], True)


def test_a_known_vulnerability_fails_the_build():
    lines, clean = judge([CLEAN, FOUND])
    assert not clean and "VULNERABLE: pillow 1.0: CVE-1, mended in 1.1" in lines


# each lets a file run code; bandit knows of pickle, eval, yaml.load, shells and torch.load
DANGEROUS = {"allow_pickle": True, "trust_remote_code": True, "weights_only": False, "use_safetensors": False}
PROGRAMS = sorted([*(ROOT / "workflow").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")])


def dangerous_options(text: str) -> list[str]:
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    options = [option for call in calls for option in call.keywords if option.arg in DANGEROUS]
    safe = {name: not value for name, value in DANGEROUS.items()}
    return [
        f"line {option.lineno}: {ast.unparse(option)}"
        for option in options
        if not (isinstance(option.value, ast.Constant) and option.value.value is safe[option.arg])
    ]


def test_an_option_that_lets_a_file_run_code_is_found():
    assert dangerous_options("np.load(path, allow_pickle=True)") == ["line 1: allow_pickle=True"]
    assert dangerous_options("load(path, weights_only=flag)") == ["line 1: weights_only=flag"]
    assert not dangerous_options("torch.load(path, weights_only=True); load(path, trust_remote_code=False)")


def test_no_file_that_is_read_may_run_code():
    found = {str(path): dangerous_options(path.read_text(encoding="utf-8")) for path in PROGRAMS}
    assert not {path: options for path, options in found.items() if options}
