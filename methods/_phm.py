"""Linear layers as sums of Kronecker products."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear


class KroneckerLinear(nn.Module):
    """x W^T + bias with W = sum_i rule_i ⊗ (left_i right_i), each factor of rank one.

    Args:
        rule: n matrices of shape (n, n), shared by all layers.
        inputs: A multiple of n; so is ``outputs``.
        starts_at_zero: Whether W is 0 at first.

    Source:
        Karimi Mahabadi et al. 2021, equations 4 and 6, https://arxiv.org/abs/2106.04647
    """

    def __init__(self, rule: nn.Parameter, inputs: int, outputs: int, starts_at_zero: bool = False) -> None:
        super().__init__()
        n = len(rule)
        self.rule = rule
        self.left = nn.Parameter(torch.empty(n, outputs // n, 1))
        self.right = nn.Parameter(torch.empty(n, 1, inputs // n))
        self.bias = nn.Parameter(torch.zeros(outputs))
        for factor in (self.left, self.right):
            for matrix in factor.data:
                nn.init.xavier_uniform_(matrix)
        if starts_at_zero:
            nn.init.zeros_(self.left)

    @property
    def weight(self) -> Tensor:
        """W, shape (outputs, inputs)."""
        n, outputs, inputs = len(self.rule), self.left.shape[1], self.right.shape[2]
        product = torch.einsum("iab,icd->acbd", self.rule, self.left @ self.right)
        return product.reshape(n * outputs, n * inputs)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (..., inputs) → (..., outputs)."""
        return linear(x, self.weight, self.bias)
