"""LoRA: a layer that stays as it is, and a small correction of low rank that learns.

Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, ICLR 2022. The same answers as the
library ``peft`` gives with the same weights (tests/test_lora.py).
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn


def lora_forward(
    x: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor, scale: float
) -> Tensor:
    """x Wᵀ + b + scale · (x Aᵀ) Bᵀ: a linear layer and its correction of rank r.

    x (..., ins); weight W (outs, ins), bias b (outs,) or None: of the layer, which stays as it is;
    down A (r, ins), up B (outs, r): what learns -> (..., outs). The product B A is never formed.
    """
    return nn.functional.linear(x, weight, bias) + scale * (x @ down.T) @ up.T


class LoRALinear(nn.Module):
    """A linear layer that no longer learns, with a correction of low rank that does.

    ``up`` starts as zeros, so that at the start nothing is corrected; ``scale`` is alpha / rank.

    Raises ValueError for a rank below 1 or above what the layer has.
    """

    def __init__(self, layer: nn.Linear, rank: int = 4, alpha: float = 8):
        super().__init__()
        outs, ins = layer.weight.shape
        if not 1 <= rank <= min(outs, ins):
            raise ValueError(f"the rank of a correction of {outs} x {ins} weights is from 1 to "
                             f"{min(outs, ins)}, not {rank}")  # fmt: skip
        self.layer = layer.requires_grad_(False)
        self.down = nn.Parameter(torch.empty(rank, ins))
        nn.init.kaiming_uniform_(self.down, a=5**0.5)  # as peft does
        self.up = nn.Parameter(torch.zeros(outs, rank))
        self.scale = alpha / rank

    def forward(self, x: Tensor) -> Tensor:
        """x (..., ins) -> (..., outs)"""
        layer = self.layer
        return lora_forward(x, layer.weight, layer.bias, self.down, self.up, self.scale)

    def merged(self) -> nn.Linear:
        """One linear layer with the same answers: the correction added to its weights."""
        outs, ins = self.layer.weight.shape
        layer = nn.Linear(ins, outs, bias=self.layer.bias is not None).to(self.layer.weight)
        with torch.no_grad():
            layer.weight.copy_(self.layer.weight + self.scale * self.up @ self.down)
            if layer.bias is not None:
                layer.bias.copy_(self.layer.bias)
        return layer


def add_lora(model: nn.Module, names: Iterable[str], rank: int = 4, alpha: float = 8) -> nn.Module:
    """Freeze a model and correct the linear layers of these names; changes the model, returns it.

    names: last parts of the layers' names, as ("query", "value").

    Raises ValueError where no linear layer has such a name.
    """
    names = tuple(names)
    model.requires_grad_(False)
    found = [
        (parent, name)
        for parent in model.modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.Linear) and name in names and not isinstance(parent, LoRALinear)
    ]
    if not found:
        there = sorted(set(_linear_names(model)))
        raise ValueError(f"no linear layer is called {' or '.join(names) or 'by no name'}; there "
                         f"are {', '.join(there) or 'none'}")  # fmt: skip
    for parent, name in found:
        setattr(parent, name, LoRALinear(getattr(parent, name), rank, alpha))
    return model


def _linear_names(model: nn.Module) -> Iterator[str]:
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            yield name.rsplit(".", 1)[-1]


def learnable(model: nn.Module) -> int:
    """How many numbers of a model learn."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
