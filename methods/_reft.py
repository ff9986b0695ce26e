"""LoReFT's edit of hidden states."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear


class LowRankEdit(nn.Module):
    """h + R^T (W h + b - R h), R with orthonormal rows, all of shape (rank, D).

    Args:
        first_only: Whether the first token alone is edited.

    Source:
        Wu et al. 2024, equation 2, https://arxiv.org/abs/2404.03592
    """

    def __init__(self, hidden_size: int, rank: int, first_only: bool) -> None:
        super().__init__()
        self.spanning = nn.Parameter(nn.init.orthogonal_(torch.empty(rank, hidden_size)))
        self.source = nn.Linear(hidden_size, rank)
        self.first_only = first_only

    @property
    def rotation(self) -> Tensor:
        """R: the trained rows made orthonormal, as Gram and Schmidt do it."""
        q, r = torch.linalg.qr(self.spanning.T)
        return (q * r.diagonal().sign()).T

    def forward(self, h: Tensor) -> Tensor:
        """The hidden states edited, shape (B, T, D)."""
        rotation = self.rotation
        edited = h[:, :1] if self.first_only else h
        moved = linear(edited.to(rotation.dtype), self.source.weight - rotation, self.source.bias) @ rotation
        edited = edited + moved.to(h.dtype)
        return torch.cat([edited, h[:, 1:]], dim=1) if self.first_only else edited
