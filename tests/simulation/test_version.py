"""What the simulator draws, beside the number of its version: other files under the old number are a failure.

Raise ``DRAWN`` in ``fgclep/simulation/version.py``, by which Snakemake knows that databases must be simulated again,
and put the new hashes beside it. If resources/vocabulary alone has changed, which Snakemake sees by itself, new hashes
are enough.
"""

import hashlib

import pytest
from conftest import ROOT

from fgclep.config.simulation import RecordingSettings
from fgclep.language.vocabulary import load_vocabulary
from fgclep.simulation.databases.databases import plan_database
from fgclep.simulation.version import DRAWN
from fgclep.stages.simulate_physionet import DATABASES

HASHES = {
    3: {
        ("mimic-iv-ecg", "flat"): "eb4c841321b77a05",
        ("mimic-iv-ecg", "reports"): "5c1d7d1b20061ab7",
        ("ptb-xl", "flat"): "d2f573e832bd707e",
        ("cpsc2018", "flat"): "2e0713715cd02681",
        ("csn", "flat"): "0ec65a25ea9a1aa2",
    }
}
SETTINGS = RecordingSettings(feature_mention_rate=0.45, prevalence="flat", seed=7)
RECORDS = {("mimic-iv-ecg", "flat"): 200, ("mimic-iv-ecg", "reports"): 60}  # 30 of the others
CASES = [*RECORDS, *((source, "flat") for source in DATABASES if source != "mimic-iv-ecg")]


@pytest.mark.parametrize(("source", "prevalence"), CASES)
def test_what_is_drawn_has_its_number(source, prevalence):
    vocabulary = load_vocabulary(ROOT / "resources/vocabulary")
    make, tables = DATABASES[source]
    hashed, rows = hashlib.sha256(), []
    for plan in plan_database(source, 7, RECORDS.get((source, prevalence), 30), 6, prevalence):
        made = make(plan, vocabulary, SETTINGS)
        hashed.update(repr((made.path, made.files, made.features)).encode())
        rows.append(made.row)
    hashed.update(repr(tables(rows)).encode())
    assert {DRAWN: hashed.hexdigest()[:16]} == {version: known[source, prevalence] for version, known in HASHES.items()}
