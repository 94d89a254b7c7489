"""Heads that the measurements of several lessons share: one for each way of joining two senses."""

from collections.abc import Callable, Iterable
from functools import partial

from torch import nn

from course_utils import fusion

NAMES = ("image", "text")
TASKS = {"section": 5, "match": 2}  # and their classes
MakeFusion = Callable[[dict[str, int]], nn.Module]

HEADS: dict[str, MakeFusion] = {
    "concat + linear": fusion.ConcatFusion,
    "weighted": fusion.WeightedFusion,
    "concat + MLP": fusion.ConcatMLPFusion,
    "product": fusion.ProductFusion,
    "maximum": fusion.MaximumFusion,
    "bilinear": partial(fusion.BilinearFusion, dim=8),
    "tensor": partial(fusion.TensorFusion, dim=8),
    "low rank": fusion.LowRankFusion,
}


def heads_named(*names: str) -> dict[str, MakeFusion]:
    """These heads, in this order, which is that of the file's lines."""
    return {name: HEADS[name] for name in names}


def heads_alone(names: Iterable[str]) -> dict[str, MakeFusion]:
    """Each sense alone, with a linear layer."""

    def only(name: str) -> MakeFusion:
        return lambda dims: fusion.ConcatFusion({name: dims[name]})

    return {f"{name} alone": only(name) for name in names}
