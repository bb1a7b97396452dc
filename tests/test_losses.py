"""Each loss equals a plain double loop in float64."""

import math

import numpy as np
import pytest
import torch

from fgclep.losses import LOSSES, contrastive_loss


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def reference(name, c, y, s, t, b, weight):
    rows, columns = c.shape
    if name == "clip":
        total = 0.0
        for logits, targets in ((t * c, y), (t * c.T, y.T)):
            terms = []
            for i in range(len(logits)):
                if not targets[i].sum():
                    continue
                log_norm = math.log(sum(math.exp(v) for v in logits[i]))
                terms.append(
                    -sum(y_ij * (x - log_norm) for x, y_ij in zip(logits[i], targets[i], strict=True))
                    / targets[i].sum()
                )
            total += sum(terms) / len(terms)
        return total / 2
    total = 0.0
    for i in range(rows):
        for j in range(columns):
            x = t * c[i, j] + b
            if name == "soft_sigmoid":
                soft = max(s[i, j], y[i, j])
                total += (soft * softplus(-x) + (1 - soft) * softplus(x)) / (rows * columns)
                continue
            total += softplus(-x if y[i, j] else x) / rows
            if name == "fg_clep":
                total += weight * abs(c[i, j] - s[i, j]) / rows
    return total


class Matrices:
    """Targets and similarity of all pairs, given as matrices."""

    def __init__(self, targets, similarity):
        self.targets, self.similarity = targets, similarity

    def block(self, rows, columns):
        return self.targets[rows, columns], self.similarity[rows, columns]


def loss_of_cosines(name, cosine, y, s, t, b, weight, **options):
    """The loss where the texts are unit vectors, so that an ECG's embedding is its row of cosines."""
    texts = torch.eye(cosine.shape[1], dtype=cosine.dtype)
    t, b = (torch.as_tensor(value, dtype=cosine.dtype) for value in (t, b))
    return contrastive_loss(
        name, cosine, texts, Matrices(y, s), lambda ecgs, others: ecgs @ others.T, t, b, weight, **options
    )


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("seed", range(5))
def test_a_loss_and_its_gradient_equal_a_double_loop(name, seed):
    rng = np.random.default_rng(seed)
    c = rng.uniform(-1, 1, (5, 7))
    y = (rng.random((5, 7)) < 0.3).astype(float)
    y[:, 0] = 0  # a text of nobody
    s = np.maximum(rng.random((5, 7)), y)
    t, b = 8.0, -3.0
    cosine = torch.tensor(c, requires_grad=True)
    loss = loss_of_cosines(name, cosine, y, s, t, b, 0.5)
    loss.backward()
    assert loss.item() == pytest.approx(reference(name, c, y, s, t, b, 0.5), abs=1e-9)
    for i, j in ((0, 1), (3, 4), (4, 0)):
        step = np.zeros_like(c)
        step[i, j] = 1e-6
        slope = (reference(name, c + step, y, s, t, b, 0.5) - reference(name, c - step, y, s, t, b, 0.5)) / 2e-6
        assert cosine.grad[i, j].item() == pytest.approx(slope, abs=1e-6)


def test_the_published_case_by_hand():
    # two pairs, cosine 1 on the diagonal and 0 elsewhere, t = 10, b = -10, S = identity:
    # the diagonal has logit 0, the rest -10
    eye = torch.eye(2, dtype=torch.float64)
    loss = loss_of_cosines("fg_clep", eye, np.eye(2), np.eye(2), 10.0, -10.0, 0.5)
    assert loss.item() == pytest.approx((2 * math.log(2) + 2 * math.log1p(math.exp(-10))) / 2)


def test_an_unknown_loss_is_refused():
    x = torch.zeros(1, 1)
    with pytest.raises(ValueError, match="unknown loss 'triplet'; known are fg_clep"):
        loss_of_cosines("triplet", x, x, x, 1.0, 0.0, 0.5)
