"""What is done to frames over time: choose, subtract, shuffle, turn round, pool. Tensors alone.

A clip's frames are (F, ...), those of a batch (B, F, ...): mostly (B, F, C, H, W).
"""

from collections.abc import Callable

import torch
from torch import Tensor

POOLS = ("mean", "max", "last")


def sample_positions(total: int, count: int, rng: torch.Generator | None = None) -> Tensor:
    """Which ``count`` of ``total`` frames to take, (count,) long, in order, from 0.

    The clip is cut into ``count`` segments of equal length, and of each its middle frame is taken;
    with rng any one of its frames. Where there are fewer frames than segments, frames come again.
    Wang et al., Temporal Segment Networks: Towards Good Practices for Deep Action Recognition, ECCV
    2016.

    Raises ValueError where total or count is below 1.
    """
    if total < 1 or count < 1:
        raise ValueError(f"frames are sampled from 1 or more, and 1 or more of them; total is "
                         f"{total} and count {count}")  # fmt: skip
    segments = torch.arange(count, dtype=torch.double)
    if rng is None:  # in whole numbers, exactly
        return (2 * torch.arange(count) + 1) * total // (2 * count)
    within = torch.rand(count, generator=rng, dtype=torch.double)
    return ((segments + within) * total / count).long().clamp(max=total - 1)


def sample_frames(frames: Tensor, count: int, rng: torch.Generator | None = None) -> Tensor:
    """``count`` frames spread evenly over a clip: frames (F, ...) -> (count, ...).

    rng: takes any frame of each segment in place of the middle one, for training.

    Raises ValueError as ``sample_positions``.
    """
    return frames[sample_positions(len(frames), count, rng)]


def frame_difference(frames: Tensor) -> Tensor:
    """Each frame less the one before it, with its sign: (B, F, ...) -> (B, F - 1, ...).

    It is 0 wherever nothing moves, positive where something light arrives and negative where it
    leaves; so who moves which way shows at its edges.

    Raises ValueError for fewer than two frames.
    """
    if frames.ndim < 2 or frames.shape[1] < 2:
        raise ValueError(f"frame_difference needs frames (B, F, ...), F at least 2, not "
                         f"{tuple(frames.shape)}")  # fmt: skip
    return frames[:, 1:] - frames[:, :-1]


def shuffle_frames(frames: Tensor, rng: torch.Generator) -> Tensor:
    """The frames of each clip in an order of its own, drawn at random: (B, F, ...) -> the same."""
    order = torch.rand(frames.shape[:2], generator=rng).argsort(dim=1)
    return frames[torch.arange(len(frames))[:, None], order]


def reversal_gap(call: Callable[[Tensor], Tensor], frames: Tensor) -> float:
    """How far ``call`` is from saying the same of a clip and of its reversal; 0 if it does.

    call: frames (B, F, ...) -> any tensor. Returns the largest absolute difference, without
    gradient. An encoder should be in eval mode, or BatchNorm and dropout add differences of theirs.
    """
    with torch.no_grad():
        return (call(frames) - call(frames.flip(1))).abs().max().item()


def temporal_pool(vectors: Tensor, real: Tensor | None = None, how: str = "mean") -> Tensor:
    """One vector of a clip from one of each frame: (B, F, dim) -> (B, dim).

    real: (B, F) bool, which frames are no padding, at least one of each clip; None for all.
    how: "mean" or "max" over the real frames, whatever their order; or the "last" real one.

    Raises ValueError for another way, for other shapes, and for a clip without a real frame.
    """
    if how not in POOLS:
        raise ValueError(f"frames are pooled by {', '.join(POOLS)}, not by {how!r}")
    if real is None:
        real = torch.ones(vectors.shape[:2], dtype=torch.bool, device=vectors.device)
    if real.shape != vectors.shape[:2] or not real.any(dim=1).all():
        raise ValueError(f"real says of each frame whether it counts, {tuple(vectors.shape[:2])}, "
                         f"one at least of each clip; it is {tuple(real.shape)}")  # fmt: skip
    if how == "max":
        return vectors.masked_fill(~real[..., None], -torch.inf).amax(dim=1)
    if how == "last":
        places = torch.arange(real.shape[1], device=real.device)
        last = (places * real).argmax(dim=1)
        return vectors[torch.arange(len(vectors), device=vectors.device), last]
    return vectors.masked_fill(~real[..., None], 0).sum(dim=1) / real.sum(dim=1)[:, None]
