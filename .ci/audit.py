"""Ask for known vulnerabilities of the pinned packages (pip-audit); fail if there is one.

Packages that the advisory service was not asked about, or does not know, are named as NOT audited: no network is no
failure, and no clean bill either.
"""

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

PIP_AUDIT = "pip-audit==2.10.1"  # in an environment of its own: its dependencies contradict the pins
CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints.txt"


def judge(dependencies: list[dict[str, Any]]) -> tuple[list[str], bool]:
    """Return what to say of pip-audit's findings, and whether no vulnerability is known."""
    lines = [
        f"VULNERABLE: {package['name']} {package['version']}: {found['id']}, mended in "
        f"{', '.join(found['fix_versions']) or 'no version yet'}"
        for package in dependencies
        for found in package.get("vulns", [])
    ]
    skipped = [package["name"] for package in dependencies if "skip_reason" in package]
    audited = len(dependencies) - len(skipped)
    if not audited:
        lines.append(f"NOT audited: the advisory service gave no answer about any of the {len(skipped)} packages")
    else:
        lines.append(f"{audited} packages audited")
        if skipped:
            lines.append(f"NOT audited: {', '.join(skipped)}")
    return lines, not any(package.get("vulns") for package in dependencies)


def main() -> None:
    """Audit ``constraints.txt``."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin/python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", PIP_AUDIT], check=True)
        command = [python, "-m", "pip_audit", "--requirement", CONSTRAINTS, "--no-deps", "--disable-pip"]
        command += ["--format", "json", "--progress-spinner", "off"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        dependencies = json.loads(done.stdout)["dependencies"]
    except ValueError:
        if "ConnectionError" not in done.stderr:
            sys.exit(f"pip-audit failed:\n{done.stderr}")
        print(f"NOT audited: the advisory service cannot be reached ({done.stderr.splitlines()[-1][:200]})")
        return
    lines, clean = judge(dependencies)
    print("\n".join(lines))
    if not clean:
        sys.exit(1)


if __name__ == "__main__":
    main()
