"""What the simulator draws, beside the number of its version: other files under the old number are a failure.

Raise ``DRAWN`` in ``fgclep/simulation/version.py``, by which Snakemake knows that databases must be simulated again,
and put the new hashes beside it. If resources/vocabulary alone has changed, which Snakemake sees by itself, new hashes
are enough.
"""

import hashlib
import re

import numpy as np
import pytest
from conftest import ROOT

from fgclep.config.simulation import RecordingSettings
from fgclep.language.vocabulary import load_vocabulary
from fgclep.simulation.databases.databases import plan_database
from fgclep.simulation.version import DRAWN
from fgclep.stages.simulate_physionet import DATABASES

# By source and prevalence: the hash of what is written in words and whole numbers, and the mean size of the samples in
# ADC units, which on another kind of processor differ by one here and there, where a sum was rounded otherwise.
DRAWN_BEFORE: dict[int, dict[tuple[str, str], tuple[str, float]]] = {
    3: {
        ("mimic-iv-ecg", "flat"): ("7061a597220a2cb8", 24.396214),
        ("mimic-iv-ecg", "reports"): ("b585937025ef9be8", 20.824559),
        ("ptb-xl", "flat"): ("3e7b9b95d45042b8", 120.671401),
        ("cpsc2018", "flat"): ("dc3ed8a8d981eb19", 97.840841),
        ("csn", "flat"): ("077c7cf8d78a7a1a", 119.362028),
    }
}
SETTINGS = RecordingSettings(feature_mention_rate=0.45, prevalence="flat", seed=7)
RECORDS = {("mimic-iv-ecg", "flat"): 200, ("mimic-iv-ecg", "reports"): 60}  # 30 of the others
CASES = [*RECORDS, *((source, "flat") for source in DATABASES if source != "mimic-iv-ecg")]


def drawn(source, prevalence):
    vocabulary = load_vocabulary(ROOT / "resources/vocabulary")
    make, tables = DATABASES[source]
    hashed, rows, sizes = hashlib.sha256(), [], []
    for plan in plan_database(source, 7, RECORDS.get((source, prevalence), 30), 6, prevalence):
        made = make(plan, vocabulary, SETTINGS)
        names = [(name, content) for name, content in made.files.items() if name.endswith(".hea")]
        # headers have checksums and first samples
        headers = [(name, re.sub(rb"-?[0-9]+", b"#", content)) for name, content in names]
        hashed.update(repr((made.path, sorted(made.files), headers, made.features)).encode())
        samples = [
            np.frombuffer(made.files[name][-100_000:], "<i2") for name in made.files if not name.endswith(".hea")
        ]
        sizes += [float(np.abs(some.astype(float)).mean()) for some in samples]
        rows.append(made.row)
    hashed.update(repr(tables(rows)).encode())
    return hashed.hexdigest()[:16], float(np.mean(sizes))


@pytest.mark.parametrize(("source", "prevalence"), CASES)
def test_what_is_drawn_has_its_number(source, prevalence):
    before = DRAWN_BEFORE[DRAWN][source, prevalence]
    now = drawn(source, prevalence)
    assert now == (before[0], pytest.approx(before[1], rel=1e-5))
