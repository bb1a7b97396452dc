"""Published results on the six tasks, to read beside our own.

Macro AUROC in percent. FG-CLEP and CLEP (its coarse stage): Li et al., "Fine-Grained ECG-Text Contrastive Learning via
Waveform Understanding Enhancement", arXiv:2505.11939v1 (2025). MERL: Liu et al., "Zero-Shot ECG Classification with
Multimodal Learning and Test-time Clinical Knowledge Enhancement", ICML 2024, arXiv:2403.06659; zero-shot as there,
linear probe as both give it.

Re-measured by others on PTB-XL's official split, with all training records: Al-Masud et al., "Benchmarking ECG
Foundational Models: A Reality Check Across Clinical Tasks", ICLR 2026, arXiv:2509.25095, the interval table of the
repository AI4HealthUOL/ecg-fm-benchmarking (November 2026): S4, trained on the labels from scratch, and the
frozen encoder of MERL with a probe of theirs.
"""

from collections.abc import Mapping

TASKS = ("ptbxl_super", "ptbxl_sub", "ptbxl_form", "ptbxl_rhythm", "cpsc2018", "csn")


def _by_task(*values: float) -> Mapping[str, float]:
    return dict(zip(TASKS, values, strict=True))


# (protocol, fraction of the training records) -> name -> task -> macro AUROC in percent
PUBLISHED: Mapping[tuple[str, float], Mapping[str, Mapping[str, float]]] = {
    ("zero_shot", 0.0): {
        "MERL": _by_task(74.20, 75.70, 65.90, 78.50, 82.80, 74.40),
        "CLEP": _by_task(77.50, 81.85, 66.29, 88.60, 85.15, 80.10),
        "FG-CLEP": _by_task(79.28, 83.57, 67.77, 92.31, 88.24, 82.46),
    },
    ("zero_shot_leads", 0.0): {
        "FG-CLEP": _by_task(79.68, 83.65, 70.79, 91.52, 87.08, 84.60),
    },
    ("linear_probe", 0.01): {
        "random": _by_task(70.5, 55.8, 55.8, 46.3, 55.0, 47.2),
        "MERL": _by_task(82.4, 64.9, 58.3, 53.3, 70.3, 66.6),
        "FG-CLEP": _by_task(84.9, 70.0, 68.9, 69.0, 83.4, 62.6),
    },
    ("linear_probe", 0.1): {
        "random": _by_task(77.1, 67.6, 62.5, 62.4, 71.5, 63.2),
        "MERL": _by_task(86.3, 80.6, 72.4, 82.9, 85.3, 82.7),
        "FG-CLEP": _by_task(89.5, 85.8, 74.8, 91.4, 93.6, 79.4),
    },
    ("linear_probe", 1.0): {
        "random": _by_task(81.6, 77.9, 73.0, 79.3, 78.3, 73.1),
        "MERL": _by_task(88.7, 84.7, 79.7, 88.3, 90.6, 88.0),
        "FG-CLEP": _by_task(90.8, 92.6, 85.4, 94.1, 96.7, 93.5),
    },
}
# As PUBLISHED, of tasks that were re-measured; each name says how.
REMEASURED: Mapping[tuple[str, float], Mapping[str, Mapping[str, float]]] = {
    ("linear_probe", 1.0): {
        "S4 trained on labels, re-measured": dict(zip(TASKS, (93.2, 93.8, 91.9, 95.6), strict=False)),
        "MERL probed anew, re-measured": {"ptbxl_sub": 89.5, "ptbxl_form": 86.4},
    },
}
