"""Networks beside the base: they read what its blocks give and add to the last one, so nothing goes back through it."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from harness.bases.anatomy import blocks
from harness.bases.beside import BesideBlocks
from harness.methods._outputs import change_output


def attach(model: nn.Module, network: "SideNetwork") -> None:
    """Register the network in the model, beside its blocks (an encoder-decoder's: those of the decoder)."""
    stack = blocks(model)[1]
    model.add_module("side", network.to(next(model.parameters()).device))
    given: dict[int, Tensor] = {}

    def see(index: int, h: Tensor) -> Tensor:
        given[index] = h
        return h

    def add(h: Tensor) -> Tensor:
        """Where the last block gives the first token alone, so do the others."""
        read = [*(given[index][:, : h.shape[1]] for index in range(len(stack) - 1)), h]
        return h + network(read).to(h.dtype)

    for index, block in enumerate(stack[:-1]):
        change_output(block, partial(see, index))
    change_output(stack[-1], add)


class SideNetwork(BesideBlocks):
    """A network from the outputs of all blocks, each (B, T, D), to what is added to that of the last; 0 at first."""

    def forward(self, given: Sequence[Tensor]) -> Tensor:
        """Shape (B, T, D); of each token from that token alone."""
        raise NotImplementedError


class SkipConnections(SideNetwork):
    """scaling · sum_k B_k A_k h_k with B_k = 0 at first.

    Source:
        Matsutani et al. 2024, section 3, https://arxiv.org/abs/2410.21073
    """

    def __init__(self, n_blocks: int, hidden_size: int, rank: int, scaling: float) -> None:
        super().__init__()
        self.scaling = scaling
        self.a = nn.Parameter(torch.empty(n_blocks, rank, hidden_size))
        self.b = nn.Parameter(torch.zeros(n_blocks, hidden_size, rank))
        for matrix in self.a.data:
            nn.init.kaiming_uniform_(matrix, a=5**0.5)

    def forward(self, given: Sequence[Tensor]) -> Tensor:
        """The sum over the blocks."""
        added = [h.to(a.dtype) @ a.T @ b.T for a, b, h in zip(self.a, self.b, given, strict=True)]
        return self.scaling * torch.stack(added).sum(0)


class Ladder(SideNetwork):
    """s_k = F_k((1 - m_k) s_{k-1} + m_k W_k h_k) from s_0 = 0, and W s_n at the end, with W = 0 at first.

    m_k = sigmoid(a_k / 0.1) with a_k = 0 at first; F_k(s) = s + V_k gelu(U_k LN(s)), four times as wide inside.

    Source:
        Sung et al. 2022, sections 3.1 and 3.2, https://arxiv.org/abs/2206.06522
    """

    def __init__(self, n_blocks: int, hidden_size: int, width: int) -> None:
        super().__init__()
        self.gates = nn.Parameter(torch.zeros(n_blocks))
        self.down = nn.ModuleList(nn.Linear(hidden_size, width, bias=False) for _ in range(n_blocks))
        self.inner = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
            for _ in range(n_blocks)
        )
        self.up = nn.Linear(width, hidden_size, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, given: Sequence[Tensor]) -> Tensor:
        """What stands at the ladder's end."""
        shares, s = torch.sigmoid(self.gates / 0.1), torch.zeros(())
        for share, down, inner, h in zip(shares, self.down, self.inner, given, strict=True):
            s = (1 - share) * s.to(share) + share * down(h.to(self.gates.dtype))
            s = s + inner(s)
        out: Tensor = self.up(s)
        return out
