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
