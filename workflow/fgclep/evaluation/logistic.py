"""Many logistic regressions on the same records at once: Newton's method, its steps by conjugate gradients."""

import numpy as np

MAX_STEPS = 100  # of Newton's method
_CLOSE = 1e-6  # change of a score that ends it, relative to the class's largest score if that is above 1
_MAX_TURNS = 500  # of the conjugate gradients in one step
_RESIDUAL = (1e-3, 0.1)  # what they leave of the slope: in the last steps, and in the first
_DECREASE = 1e-4  # share of the decrease that the slope promises, which a step must bring
_TINY = np.finfo(np.float32).tiny


class Regressions:
    r"""The logistic regressions of some classes on the same records.

    They minimize what those of scikit-learn do,

    .. math:: \sum_i u_i (\log(1 + e^{m_i}) - y_i m_i) + |w|^2 / 2 C, \qquad m_i = x_i w + b

    Features are rotated to the principal axes of the records, and axes on which all records are 0 left out. That
    changes neither the minimum nor the penalty, and the second derivatives are close to diagonal. The steps, which
    need not be exact, are found in float32; where they lead to is computed in float64.

    Parameters
    ----------
    features
        Of the records, float64, shape (n, features), each with the mean 0.
    labels
        Shape (n, classes), bool; each class has positives and negatives.
    balanced
        Whether the positives of a class weigh as much as its negatives, u = n / 2 n_positive and n / 2 n_negative, as
        scikit-learn's ``class_weight="balanced"``; else u = 1.
    """

    def __init__(self, features: np.ndarray, labels: np.ndarray, balanced: bool = False) -> None:
        basis = None
        if len(features) < features.shape[1]:
            basis, triangle = np.linalg.qr(features.T)
            features = triangle.T
        _, axes = np.linalg.eigh(features.T @ features)
        self._axes = axes if basis is None else basis @ axes
        self._records = features @ axes
        self._single = self._records.astype(np.float32)
        self._squares = self._single**2
        self._farthest = np.sqrt(np.einsum("ij,ij->i", self._records, self._records).max())
        self._labels = labels
        share = labels.mean(axis=0)
        self._weights = np.zeros((len(axes), labels.shape[1]))
        self._counts = np.where(labels, 0.5 / share, 0.5 / (1 - share)) if balanced else np.ones((1, len(share)))
        self.intercepts = np.zeros(len(share)) if balanced else np.log(share / (1 - share))

    def coefficients(self) -> np.ndarray:
        """Return those of the last fit, shape (features, classes)."""
        return np.asarray(self._axes @ self._weights)

    def fit(self, c: float) -> np.ndarray:
        """Find the minima for an inverse strength ``c`` of the penalty, from where the last fit ended.

        Returns
        -------
        Whether the last step changed no score by more than ``_CLOSE``, for each class, after ``MAX_STEPS`` at most.
        """
        left = np.arange(self._labels.shape[1])
        y, u, w, b = self._labels.astype(np.float64), self._counts, self._weights, self.intercepts
        margins = self._records @ w + b
        loss = _loss(margins, y, u, w, c)
        for _ in range(MAX_STEPS):
            p = sigmoid(margins)
            excess = u * (p - y)
            slopes = np.vstack([self._records.T @ excess + w / c, excess.sum(axis=0)])
            step = self._step((u * p * (1 - p)).astype(np.float32), slopes, c)
            change = self._records @ step[:-1] + step[-1]
            promised = (slopes * step).sum(axis=0)
            length = np.ones(len(left))
            while True:
                tried = _loss(margins + length * change, y, u, w + length * step[:-1], c)
                too_long = tried > loss + _DECREASE * length * promised + 1e-12 * np.abs(loss)
                if not (too_long & (length > 1e-12)).any():
                    break
                length[too_long] /= 2
            w, b, margins, loss = w + length * step[:-1], b + length * step[-1], margins + length * change, tried
            self._weights[:, left], self.intercepts[left] = w, b
            most = self._farthest * np.linalg.norm(step[:-1], axis=0) + np.abs(step[-1])
            on = (length < 1) | (most > _CLOSE * np.maximum(1, np.abs(margins).max(axis=0)))
            left, b, loss = left[on], b[on], loss[on]
            y, u, w, margins = y[:, on], u[:, on], w[:, on], margins[:, on]
            if not len(left):
                break
        return ~np.isin(np.arange(self._labels.shape[1]), left)

    def _step(self, curvature: np.ndarray, slopes: np.ndarray, c: float) -> np.ndarray:
        """Newton's step of each class, by conjugate gradients that the diagonal preconditions.

        Parameters
        ----------
        curvature
            Second derivatives of the loss by the margins, float32, shape (n, classes).
        slopes
            Derivatives of the loss, of the intercept the last row, shape (axes + 1, classes).
        c
            Of the penalty.
        """
        size = np.maximum(np.linalg.norm(slopes, axis=0), np.finfo(np.float64).tiny)
        residual = (-slopes / size).astype(np.float32)  # far from the limits of float32
        penalty = np.float32(1 / c)
        diagonal = np.vstack([self._squares.T @ curvature + penalty, curvature.sum(axis=0)])
        diagonal = np.maximum(diagonal, _TINY)
        step = np.zeros_like(residual)
        left = np.arange(len(size))
        direction = residual / diagonal
        norm = (residual * direction).sum(axis=0)
        goal = np.clip(np.sqrt(size / len(curvature)), *_RESIDUAL).astype(np.float32) ** 2 * norm
        for _ in range(_MAX_TURNS):
            along = self._single @ direction[:-1]
            along += direction[-1]
            along *= curvature
            product = np.vstack([self._single.T @ along, along.sum(axis=0)])
            product[:-1] += penalty * direction[:-1]
            length = norm / np.maximum((direction * product).sum(axis=0), _TINY)
            step[:, left] += length * direction
            residual -= length * product
            ahead = residual / diagonal
            now = (residual * ahead).sum(axis=0)
            on = now > goal
            if not on.any():
                break
            if on.mean() < 0.8:  # to go on with fewer columns costs a copy
                left, norm, now, goal = left[on], norm[on], now[on], goal[on]
                curvature, diagonal = curvature[:, on], diagonal[:, on]
                residual, ahead, direction = residual[:, on], ahead[:, on], direction[:, on]
            direction *= now / np.maximum(norm, _TINY)
            direction += ahead
            norm = now
        return step * size


def sigmoid(margins: np.ndarray) -> np.ndarray:
    """Probabilities of log odds, without an overflow."""
    part = np.exp(-np.abs(margins))
    return np.where(margins >= 0, 1.0, part) / (1 + part)


def _loss(margins: np.ndarray, labels: np.ndarray, counts: np.ndarray, weights: np.ndarray, c: float) -> np.ndarray:
    each = np.log1p(np.exp(-np.abs(margins))) + np.maximum(margins, 0) - labels * margins
    return np.asarray((counts * each).sum(axis=0) + (weights**2).sum(axis=0) / (2 * c))
