"""Pictures that differ a little at each pass, so that a model learns what stays the same.

``Batches(..., augment=CropAndFlip())`` changes the training pictures at each pass anew. A change
has to leave the label true, and what else the row says of the picture.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.data.batches import Batch


class CropAndFlip:
    """Shift each picture by a few pixels, and turn half of them left to right.

    pad: the most pixels that a picture is shifted by, in each direction; what moves in repeats the
        picture's edge. 0 leaves all where it is.
    flip: whether half of the pictures are turned. Leave it off where left and right carry meaning:
        a title "left shoe", an arrow, a letter, the hand that wears the watch. The picture would
        change and its words would not, and the pair would teach what is false.
    name: which part of the batch holds the pictures, (B, colours, H, W).
    seed: where its random numbers start; the same seed gives the same changes.

    He, Zhang, Ren and Sun, Deep Residual Learning for Image Recognition, CVPR 2016, section 4.2,
    pads with zeros in place of the edge.
    """

    def __init__(self, pad: int = 4, flip: bool = True, name: str = "image", seed: int = 0):
        if pad < 0:
            raise ValueError(f"pad is a number of pixels from 0 up, not {pad}")
        self.pad, self.flip, self.name = pad, flip, name
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, batch: Batch) -> Batch:
        """The batch with other pictures; the one that came in stays as it is.

        Raises ValueError where the batch holds no such pictures.
        """
        image = batch.get(self.name)
        if image is None or image.ndim != 4:
            raise ValueError(f"there are no pictures (B, colours, H, W) called {self.name!r} in a "
                             f"batch of {', '.join(batch)}")  # fmt: skip
        if self.flip:
            turned = self._draw(2, len(image)).bool().to(image.device)
            image = torch.where(turned[:, None, None, None], image.flip(3), image)
        return {**batch, self.name: self._shifted(image) if self.pad else image}

    def _shifted(self, image: Tensor) -> Tensor:
        rows, (height, width) = len(image), image.shape[2:]
        wide = F.pad(image, (self.pad,) * 4, mode="replicate")
        down, right = (self._draw(2 * self.pad + 1, rows).to(image.device) for _ in range(2))
        y = down[:, None] + torch.arange(height, device=image.device)  # (B, H)
        x = right[:, None] + torch.arange(width, device=image.device)  # (B, W)
        card = torch.arange(rows, device=image.device)[:, None, None]
        # Indices around a slice put the channels last: (B, H, W, colours).
        return wide[card, :, y[:, :, None], x[:, None, :]].permute(0, 3, 1, 2)

    def _draw(self, below: int, rows: int) -> Tensor:
        return torch.randint(below, (rows,), generator=self.generator, device="cpu")

    def state_dict(self) -> dict[str, Any]:
        """Where its random numbers stand, for a checkpoint."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with the random numbers of a checkpoint."""
        self.generator.set_state(state["generator"])
