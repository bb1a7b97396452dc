"""Linear probe: one logistic regression per class on the frozen features of the ECG encoder."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.utils import _testing  # noqa: F401
