"""How well texts fit ECGs: cosines of their embeddings."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

INITIAL_SCALE = 10.0  # a patch of cosine 0.3 weighs 20 times as much as one of cosine 0


class GlobalAlignment(nn.Module):
    """Cosine of a text and the one embedding of the whole ECG."""

    by_patch = False

    def forward(self, ecgs: Tensor, texts: Tensor) -> Tensor:
        """Cosines (ECGs, texts) of unit-norm embeddings (ECGs, dimensions) and (texts, dimensions)."""
        return ecgs @ texts.T


class AttentionAlignment(nn.Module):
    """Cosine of a text and the sum of the ECG's patches, weighted by the text's attention to each (FOCAL).

    The attention is a softmax over the patches of a learned scale times the cosine of text and patch.
    """

    by_patch = True

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(INITIAL_SCALE)))

    def weights(self, ecgs: Tensor, texts: Tensor) -> Tensor:
        """Attention (ECGs, texts, patches), which sums to 1 over the patches; see ``forward``."""
        scores = (self.log_scale.exp() * texts) @ ecgs.transpose(1, 2)
        return scores.masked_fill(~ecgs.any(-1)[:, None], -torch.inf).softmax(-1)

    def forward(self, ecgs: Tensor, texts: Tensor) -> Tensor:
        """Cosines (ECGs, texts).

        Parameters
        ----------
        ecgs
            Unit-norm embeddings of the patches, shape (ECGs, patches, dimensions); 0 for a patch that is not there.
        texts
            Unit-norm embeddings, shape (texts, dimensions).
        """
        return F.cosine_similarity(self.weights(ecgs, texts) @ ecgs, texts, dim=-1)


ALIGNMENTS: dict[str, type[GlobalAlignment] | type[AttentionAlignment]] = {
    "global": GlobalAlignment,
    "attention": AttentionAlignment,
}
