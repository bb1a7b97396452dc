"""A simulated recording with the findings that a test asks for."""

import numpy as np

from fgclep.simulation.heart.condition import Condition
from fgclep.simulation.heart.patient import draw_patient
from fgclep.simulation.recorder.recording import Recording, simulate


def example(seed=0, duration=10.0, **condition) -> Recording:
    rng = np.random.default_rng(seed)
    patient = draw_patient(rng)
    return simulate(
        patient, Condition(**{"normal": False, "rhythm": "sinus", "rate": 72.0, **condition}), rng, duration
    )
