"""One module for each way of reading a clip; each gives one vector for each row.

All are called alike: frames (B, F, C, H, W) float -> (B, dim). Those that have a vector for each
moment have ``tokens``, too.

Which of them can tell a clip from its reversal? One frame, the average of all, and a bag of frames
cannot, whatever they learn; the others can.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from course_utils.attention import EncoderLayer, Tokens
from course_utils.encoders import CNNEncoder
from course_utils.video import frame_difference, temporal_pool

MAPS = (8, 16, 32)  # channels of the convolutions over time


class StillEncoder(nn.Module):
    """A CNN on one picture that was made of the frames: frames (B, F, C, H, W) -> (B, dim).

    A subclass says in ``still`` which picture. The CNN is the one that reads pictures elsewhere.
    """

    reads = ("frames",)

    def __init__(self, dim: int = 64, colours: int = 1):
        """colours: of the picture that ``still`` gives; 1 for grey frames."""
        super().__init__()
        self.net, self.dim = CNNEncoder(dim, colours=colours), dim

    def still(self, frames: Tensor) -> Tensor:
        """frames (B, F, C, H, W) -> (B, colours, H, W)"""
        raise NotImplementedError

    def forward(self, frames: Tensor) -> Tensor:
        """frames (B, F, C, H, W) float -> (B, dim)"""
        return self.net(self.still(frames))


class OneFrameEncoder(StillEncoder):
    """A CNN on the first frame alone."""

    def still(self, frames: Tensor) -> Tensor:
        """The first frame: (B, F, C, H, W) -> (B, C, H, W)"""
        return frames[:, 0]


class FrameAverageEncoder(StillEncoder):
    """A CNN on the average of all frames, a long exposure."""

    def still(self, frames: Tensor) -> Tensor:
        """The mean frame: (B, F, C, H, W) -> (B, C, H, W)"""
        return frames.mean(dim=1)


class StackedEncoder(StillEncoder):
    """A CNN on all frames as the channels of one picture: each kernel sees every moment at once.

    frames: how many a clip has; it reads clips of this length alone.
    """

    def __init__(self, dim: int = 64, frames: int = 16, colours: int = 1):
        super().__init__(dim, frames * colours)
        self.frames = frames

    def still(self, frames: Tensor) -> Tensor:
        """All frames: (B, F, C, H, W) -> (B, F C, H, W). Raises ValueError for another F."""
        if frames.shape[1] != self.frames:
            raise ValueError(f"this StackedEncoder reads clips of {self.frames} frames, not of "
                             f"{frames.shape[1]}; sample as many, or make it with frames="
                             f"{frames.shape[1]}")  # fmt: skip
        return frames.flatten(1, 2)


class MomentsEncoder(nn.Module):
    """A small CNN on each moment by itself, then their mean: a bag of frames.

    The CNN keeps where things are: its last map, 4 x 4 whatever the frames' size, is laid out flat.
    A subclass says in ``moments`` what a moment is, and in ``in_time`` what joins them.
    """

    reads = ("frames",)

    def __init__(self, dim: int = 64, colours: int = 1):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(colours, 8, kernel_size=5, stride=4, padding=2),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 16, kernel_size=3, padding=1),
            nn.AdaptiveMaxPool2d(4),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * 4 * 4, dim),
        )
        self.dim = dim

    def moments(self, frames: Tensor) -> Tensor:
        """frames (B, F, C, H, W) -> what the CNN reads at each moment, (B, T, C, H, W)"""
        return frames

    def in_time(self, vectors: Tensor) -> Tensor:
        """vectors (B, T, dim) of the moments by themselves -> (B, T, dim) of them in the clip"""
        return vectors.relu()

    def tokens(self, frames: Tensor) -> Tokens:
        """frames (B, F, C, H, W) float -> a token for each moment"""
        moments = self.moments(frames)
        seen = self.net(moments.flatten(0, 1)).view(*moments.shape[:2], self.dim)
        vectors = self.in_time(seen)
        return Tokens(vectors, vectors.new_ones(vectors.shape[:2], dtype=torch.bool))

    def forward(self, frames: Tensor) -> Tensor:
        """frames (B, F, C, H, W) float -> (B, dim)"""
        return temporal_pool(self.tokens(frames).vectors)


class DifferenceEncoder(MomentsEncoder):
    """The same CNN on each frame less the one before it, then the mean over time.

    The order of the differences does not count. The order of two frames does, as their sign.
    """

    def moments(self, frames: Tensor) -> Tensor:
        """(B, F, C, H, W) -> (B, F - 1, C, H, W)"""
        return frame_difference(frames)


class GRUEncoder(MomentsEncoder):
    """A recurrent network over the moments, then the mean of its states.

    Cho et al., Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine
    Translation, EMNLP 2014.
    """

    def __init__(self, dim: int = 64, colours: int = 1):
        super().__init__(dim, colours)
        self.gru = nn.GRU(dim, dim, batch_first=True)

    def in_time(self, vectors: Tensor) -> Tensor:
        """The state after each moment, (B, T, dim)"""
        return self.gru(vectors)[0]


class TemporalAttentionEncoder(MomentsEncoder):
    """A layer of attention among the moments, each told its place, then the mean.

    frames: the most that a clip has, for each has a learnt vector for its place. Without it
    (positions=False) attention does not know the order.
    """

    def __init__(self, dim: int = 64, frames: int = 16, heads: int = 4, colours: int = 1,
                 positions: bool = True):  # fmt: skip
        super().__init__(dim, colours)
        self.place = nn.Parameter(0.5 * torch.randn(frames, dim)) if positions else None
        self.layer = EncoderLayer(dim, heads, 2 * dim)

    def in_time(self, vectors: Tensor) -> Tensor:
        """Each moment in the context of all, (B, T, dim). Raises ValueError for longer clips."""
        if self.place is not None:
            if vectors.shape[1] > len(self.place):
                raise ValueError(f"this encoder knows {len(self.place)} places in time, and the "
                                 f"clip has {vectors.shape[1]}; sample fewer frames")  # fmt: skip
            vectors = vectors + self.place[: vectors.shape[1]]
        return self.layer(vectors)


class Conv3dEncoder(nn.Module):
    """Convolutions over time and space at once, then the mean: frames -> (B, dim).

    The first one strides: by 2 in time and by 4 in space, which makes all that follows 32 times
    cheaper. Tran et al., Learning Spatiotemporal Features with 3D Convolutional Networks, ICCV
    2015, who stride late.
    """

    reads = ("frames",)

    def __init__(self, dim: int = 64, colours: int = 1):
        super().__init__()
        first, second, third = MAPS
        self.blocks = nn.Sequential(
            self.conv(colours, first, (3, 5, 5), (2, 4, 4)),
            nn.BatchNorm3d(first),
            nn.ReLU(),
            self.conv(first, second, (3, 3, 3)),
            nn.BatchNorm3d(second),
            nn.ReLU(),
            nn.MaxPool3d((1, 2, 2)),
            self.conv(second, third, (3, 3, 3)),
            nn.BatchNorm3d(third),
            nn.ReLU(),
        )
        self.project, self.dim = nn.Linear(third, dim), dim

    def conv(
        self, ins: int, outs: int, size: tuple[int, int, int], stride: tuple[int, ...] = (1, 1, 1)
    ) -> nn.Module:
        """A convolution; size, stride: in time, height and width. Edges are filled with zeros."""
        return nn.Conv3d(ins, outs, size, stride, padding=tuple(k // 2 for k in size))

    def forward(self, frames: Tensor) -> Tensor:
        """frames (B, F, C, H, W) float -> (B, dim)"""
        return self.project(self.blocks(frames.transpose(1, 2)).mean(dim=(2, 3, 4)))


class Conv21dEncoder(Conv3dEncoder):
    """The same, each convolution as two: over space, then over time, a rectifier between.

    As many maps stand between the two as make them hold about as many weights as the one. Tran et
    al., A Closer Look at Spatiotemporal Convolutions for Action Recognition, CVPR 2018.
    """

    def conv(
        self, ins: int, outs: int, size: tuple[int, int, int], stride: tuple[int, ...] = (1, 1, 1)
    ) -> nn.Module:
        """Over space (1, k, k), then over time (t, 1, 1)."""
        time, high, wide = size
        between = maps_between(ins, outs, size)
        return nn.Sequential(
            nn.Conv3d(ins, between, (1, high, wide), (1, *stride[1:]),
                      padding=(0, high // 2, wide // 2)),
            nn.BatchNorm3d(between),
            nn.ReLU(),
            nn.Conv3d(between, outs, (time, 1, 1), (stride[0], 1, 1), padding=(time // 2, 0, 0)),
        )  # fmt: skip


def maps_between(ins: int, outs: int, size: tuple[int, int, int]) -> int:
    """Maps between the two halves of a (2+1)-D convolution that has the weights of a 3-D one."""
    time, high, wide = size
    return time * high * wide * ins * outs // (high * wide * ins + time * outs)


ENCODERS: dict[str, Callable[[], nn.Module]] = {
    "one frame": OneFrameEncoder,
    "average": FrameAverageEncoder,
    "bag of frames": MomentsEncoder,
    "differences": DifferenceEncoder,
    "stacked": StackedEncoder,
    "3-D convolution": Conv3dEncoder,
    "(2+1)-D convolution": Conv21dEncoder,
    "GRU": GRUEncoder,
    "temporal attention": TemporalAttentionEncoder,
}  # by the names that tables use
