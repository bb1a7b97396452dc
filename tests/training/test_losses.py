"""Each loss equals a plain double loop in float64, whole or in blocks, with and without masked pairs."""

import math
import weakref

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from fgclep.models.alignment import AttentionAlignment, GlobalAlignment
from fgclep.training.losses import LOSSES, Logits, Objective, contrastive_loss, sigmoid_loss
from fgclep.training.text_batches import TextBank


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def reference(name, c, y, s, known, t, b, weight):
    """The loss by loops over ECGs and texts, on Python's floats."""
    if name == "balanced_clip":
        return sum(reference(part, c, y, s, known, t, b, weight) for part in ("balanced", "clip"))
    ecgs, texts = range(len(c)), range(len(c[0]))
    if name == "balanced":
        values = []
        for j in texts:
            positives = [softplus(-t * c[i][j] - b) for i in ecgs if y[i][j]]
            negatives = [softplus(t * c[i][j] + b) for i in ecgs if known[i][j] and not y[i][j]]
            if positives and negatives:
                values.append(sum(positives) / len(positives) + sum(negatives) / len(negatives))
        return sum(values) / len(values) if values else 0.0
    if name == "clip":
        terms = {"row": [], "column": []}
        lines = [("row", [(i, j) for j in texts]) for i in ecgs] + [("column", [(i, j) for i in ecgs]) for j in texts]
        for kind, line in lines:
            positives = [(i, j) for i, j in line if y[i][j]]
            if positives:
                norm = math.log(sum(math.exp(t * c[i][j]) for i, j in line if known[i][j]))
                terms[kind].append(norm - sum(t * c[i][j] for i, j in positives) / len(positives))
        return sum(sum(values) / len(values) for values in terms.values()) / 2
    total, pairs = 0.0, 0
    for i in ecgs:
        for j in texts:
            if not known[i][j]:
                continue
            pairs += 1
            x = t * c[i][j] + b
            if name == "soft_sigmoid":
                soft = max(s[i][j], y[i][j])
                total += soft * softplus(-x) + (1 - soft) * softplus(x)
                continue
            total += softplus(-x if y[i][j] else x)
            if name == "fg_clep":
                total += weight * abs(c[i][j] - s[i][j])
    return total / pairs if name == "soft_sigmoid" else total / len(c)


class Matrices:
    """What is known of all pairs, given as matrices."""

    def __init__(self, targets, similarity, known=None):
        self.of_pairs, self.similar = targets, similarity
        self.known = np.ones_like(targets) if known is None else known

    def targets(self, rows, columns):
        return self.of_pairs[rows, columns], self.known[rows, columns]

    def similarity(self, rows, columns):
        return self.similar[rows, columns]


dot = GlobalAlignment()
bce = torch.nn.functional.binary_cross_entropy_with_logits


@pytest.mark.parametrize("share_known", [1.0, 0.6])
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("seed", range(3))
def test_a_loss_and_its_gradients_equal_a_double_loop(name, seed, share_known):
    rng = np.random.default_rng(seed)
    e, z = rng.normal(0, 0.4, (5, 3)), rng.normal(0, 0.4, (7, 3))
    y = (rng.random((5, 7)) < 0.3).astype(float)
    y[:, 0] = y[1] = 0  # a text of nobody, an ECG without a text
    s = np.maximum(rng.random((5, 7)), y)
    known = np.maximum(rng.random((5, 7)) < share_known, y).astype(float)
    if share_known < 1:
        known[1], known[0, 1:] = 0, y[0, 1:]  # nothing is known of an ECG, and of another what it has not
    values = {"ecgs": e, "texts": z, "temperature": np.array(8.0), "bias": np.array(-3.0)}

    def by_loops(ecgs, texts, temperature, bias):
        c = [[sum(a * b for a, b in zip(one, other, strict=True)) for other in texts] for one in ecgs.tolist()]
        return reference(name, c, y.tolist(), s.tolist(), known.tolist(), float(temperature), float(bias), 0.5)

    tensors = {key: torch.tensor(value, requires_grad=True) for key, value in values.items()}
    ecgs, texts, temperature, bias = tensors.values()
    objective, pairs = Objective(name, 0.5), Matrices(y, s, known)
    loss = contrastive_loss(objective, ecgs, texts, pairs, Logits(dot, temperature, bias))
    loss.backward()
    assert loss.item() == pytest.approx(by_loops(**values), abs=1e-9)
    for key, value in values.items():
        for place in np.ndindex(value.shape):
            step = np.zeros_like(value)
            step[place] = 1e-5
            more, less = (by_loops(**{**values, key: value + sign * step}) for sign in (1, -1))
            slope = (more - less) / 2e-5
            assert tensors[key].grad[place].item() == pytest.approx(slope, abs=1e-6), (key, place)


@pytest.mark.parametrize("share_known", [1.0, 0.6])
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("block", [1, 4, 12, 50])
def test_the_size_of_the_blocks_does_not_matter(name, block, share_known):
    rng = np.random.default_rng(0)
    y = (rng.random((9, 11)) < 0.2).astype(float)
    similarity = np.maximum(rng.random((9, 11)), y)
    pairs = Matrices(y, similarity, np.maximum(rng.random((9, 11)) < share_known, y))

    def loss_and_gradients(**options):
        torch.manual_seed(0)
        ecgs, texts = (torch.randn(n, 4, dtype=torch.float64, requires_grad=True) for n in (9, 11))
        scale, bias = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (5.0, -1.0))
        objective = Objective(name, 0.5, **options)
        loss = contrastive_loss(objective, ecgs, texts, pairs, Logits(dot, scale, bias))
        loss.backward()
        return [loss, ecgs.grad, texts.grad, scale.grad]

    for one, other in zip(loss_and_gradients(block=block), loss_and_gradients(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("vectors", "most"), [(1, 24), (3, 8)])
def test_no_block_is_larger_than_asked_for(vectors, most):
    sizes = []

    class Recorder(GlobalAlignment):
        def forward(self, ecgs, texts):
            sizes.append(len(ecgs) * len(texts))
            return super().forward(ecgs.flatten(1)[:, :4], texts)

    ecgs = torch.randn(10, vectors, 4).squeeze(1).requires_grad_()
    pairs = Matrices(np.zeros((10, 11)), np.zeros((10, 11)))
    one = torch.tensor(1.0)
    logits = Logits(Recorder(), one, one)
    contrastive_loss(Objective("siglip", block=24), ecgs, torch.randn(11, 4), pairs, logits).backward()
    assert max(sizes) <= most and sum(sizes) == 110


@pytest.mark.parametrize("name", LOSSES)
def test_the_gradients_reach_the_scale_of_the_attention(name):
    rng = np.random.default_rng(0)
    pairs = Matrices(np.eye(4, 6), rng.random((4, 6)))
    align = AttentionAlignment().double()
    torch.manual_seed(0)
    ecgs, texts = torch.randn(4, 5, 3, dtype=torch.float64), torch.randn(6, 3, dtype=torch.float64)
    scale, bias = torch.tensor(3.0, dtype=torch.float64), torch.tensor(-1.0, dtype=torch.float64)

    def loss():
        return contrastive_loss(Objective(name, block=60), ecgs, texts, pairs, Logits(align, scale, bias))

    loss().backward()
    values = []
    for step in (1e-5, -2e-5):
        align.log_scale.data += step
        values.append(loss().item())
    assert align.log_scale.grad.item() == pytest.approx((values[0] - values[1]) / 2e-5, abs=1e-6)
    assert abs(align.log_scale.grad.item()) > 1e-4


@pytest.mark.parametrize("name", LOSSES)
def test_without_gradients_the_loss_is_the_same(name):
    rng = np.random.default_rng(0)
    pairs = Matrices(np.eye(4, 6), rng.random((4, 6)))
    ecgs, texts, one = torch.randn(4, 3), torch.randn(6, 3), torch.tensor(1.0)
    logits = Logits(dot, one, one)
    learning = contrastive_loss(Objective(name), ecgs.requires_grad_(), texts, pairs, logits)
    with torch.inference_mode():
        assert contrastive_loss(Objective(name), ecgs, texts, pairs, logits).equal(learning)


def test_the_published_case_by_hand():
    # two pairs, cosine 1 on the diagonal and 0 elsewhere, t = 10, b = -10, S = identity:
    # the diagonal has logit 0, the rest -10
    eye = torch.eye(2, dtype=torch.float64)
    t, b = torch.tensor(10.0), torch.tensor(-10.0)
    loss = contrastive_loss(Objective("fg_clep"), eye, eye, Matrices(np.eye(2), np.eye(2)), Logits(dot, t, b))
    assert loss.item() == pytest.approx((2 * math.log(2) + 2 * math.log1p(math.exp(-10))) / 2)


def test_a_pair_of_which_nobody_knows_is_left_out_by_hand():
    # the published case, but whether the first ECG has the second text is unknown: three pairs are left
    eye = torch.eye(2, dtype=torch.float64)
    pairs = Matrices(np.eye(2), np.eye(2), np.array([[1.0, 0.0], [1.0, 1.0]]))
    t, b = torch.tensor(10.0), torch.tensor(-10.0)
    loss = contrastive_loss(Objective("siglip"), eye, eye, pairs, Logits(dot, t, b))
    assert loss.item() == pytest.approx((2 * math.log(2) + math.log1p(math.exp(-10))) / 2)


def test_in_the_balanced_loss_every_text_counts_the_same_by_hand():
    # text 0 belongs to three of four ECGs, text 1 to one: both have the same weight, and so have their two sides
    y = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    ecgs, texts = torch.tensor([[1.0, 0.0]] * 3 + [[0.0, 1.0]]).double(), torch.eye(2).double()
    t, b = torch.tensor(2.0), torch.tensor(0.0)
    loss = contrastive_loss(Objective("balanced"), ecgs, texts, Matrices(y, y), Logits(dot, t, b))
    assert loss.item() == pytest.approx(softplus(-2.0) + softplus(0.0))
    many = torch.cat([ecgs, ecgs[:3]]), np.concatenate([y, y[:3]])  # twice as many of the frequent text
    again = contrastive_loss(Objective("balanced"), many[0], texts, Matrices(many[1], many[1]), Logits(dot, t, b))
    assert again.item() == pytest.approx(loss.item())


def balanced_dense(logits, targets):
    loss = bce(logits, targets, reduction="none")
    some = targets.any(0)
    positive, negative = ((loss * y).sum(0)[some] / y.sum(0)[some] for y in (targets, 1 - targets))
    return (positive + negative).mean()


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_of_real_size_in_single_precision_has_the_loss_of_the_dense_formula(name):
    rng = np.random.default_rng(1)
    s = rng.random((50, 50))
    texts = [str(number) for number in range(50)]
    reports = [rng.choice(50, size=3, replace=False).tolist() for _ in range(128)]
    batch = TextBank(texts, [[] for _ in texts], reports, (s + s.T) / 2).batch("statement", np.arange(128), 2, 0, rng)
    everything = slice(None), slice(None)
    targets = torch.from_numpy(batch.targets(*everything)[0])
    similarity = torch.maximum(torch.from_numpy(batch.similarity(*everything)), targets)
    torch.manual_seed(0)
    ecgs, encoded = (torch.nn.functional.normalize(torch.randn(n, 16), dim=1) for n in (128, len(batch)))
    t, b = torch.tensor(10.0), torch.tensor(-4.8)
    cosine, targets, similarity = ecgs.double() @ encoded.double().T, targets.double(), similarity.double()
    logits = t.double() * cosine + b.double()
    parts = {
        "balanced": lambda: balanced_dense(logits, targets),
        "clip": lambda: (
            sum(
                torch.nn.functional.cross_entropy(t * c, y / y.sum(1, keepdim=True))
                for c, y in ((cosine, targets), (cosine.T, targets.T))
            )
            / 2
        ),
        "soft_sigmoid": lambda: bce(logits, torch.maximum(similarity, targets)),
        "siglip": lambda: bce(logits, targets, reduction="sum") / 128,
        "fg_clep": lambda: bce(logits, targets, reduction="sum") / 128 + 0.5 * (cosine - similarity).abs().sum() / 128,
    }
    dense = parts["balanced"]() + parts["clip"]() if name == "balanced_clip" else parts[name]()
    loss = contrastive_loss(Objective(name), ecgs, encoded, batch, Logits(dot, t, b))
    assert loss.item() == pytest.approx(dense.item(), rel=1e-6)


@pytest.mark.parametrize("target", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("logit", [-16.0, -10.0, 0.5, 12.0])
def test_small_losses_are_exact_in_single_precision(logit, target):
    """The bias of -10 that training may start from makes nearly every pair one of these."""
    x = torch.tensor([logit], requires_grad=True)
    loss = sigmoid_loss(x, torch.tensor([target]))
    loss.backward()
    assert loss.item() == pytest.approx(target * softplus(-logit) + (1 - target) * softplus(logit), rel=1e-6)
    assert x.grad.item() == pytest.approx(1 / (1 + math.exp(-logit)) - target, rel=1e-6, abs=1e-7)


class Live(TorchDispatchMode):
    """Counts the bytes of the tensors that are held at a time, and the most of them."""

    def __init__(self):
        super().__init__()
        self.known, self.now, self.most = weakref.WeakSet(), 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, tuple | list) else [made]:
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage() not in self.known:
                storage = tensor.untyped_storage()
                self.known.add(storage)
                weakref.finalize(storage, self._forget, storage.nbytes())
                self.now += storage.nbytes()
                self.most = max(self.most, self.now)
        return made

    def _forget(self, size):
        self.now -= size


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", LOSSES)
def test_memory_grows_with_ecgs_and_texts_and_not_with_their_product(name):
    def most(size, block):
        ecgs, texts = (torch.randn(size, 8, requires_grad=True) for _ in range(2))
        scale, bias = (torch.tensor(value, requires_grad=True) for value in (5.0, -1.0))
        pairs = Matrices(np.eye(size, dtype=np.float32), np.full((size, size), 0.5, dtype=np.float32))
        with Live() as live:
            loss = contrastive_loss(Objective(name, 0.5, block), ecgs, texts, pairs, Logits(dot, scale, bias))
            loss.backward()
        return live.most

    small, large = most(64, 2**8), most(256, 2**8)
    assert large < 6 * small  # four times the ECGs and texts, sixteen times the pairs
    assert large < most(256, 2**16) / 8  # one block


def test_an_unknown_loss_is_refused():
    with pytest.raises(ValueError, match="unknown loss 'triplet'; known are balanced_clip, balanced"):
        Objective("triplet")
