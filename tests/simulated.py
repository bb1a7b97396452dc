"""A simulated recording with the findings that a test asks for."""

import numpy as np

from fgclep.simulation.findings import Condition
from fgclep.simulation.patient import draw_patient
from fgclep.simulation.record import Recording, simulate


def example(seed=0, duration=10.0, **condition) -> Recording:
    rng = np.random.default_rng(seed)
    patient = draw_patient(rng)
    return simulate(
        patient, Condition(**{"normal": False, "rhythm": "sinus", "rate": 72.0, **condition}), rng, duration
    )
