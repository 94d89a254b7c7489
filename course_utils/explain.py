"""Where a model looks: maps of a picture, numbers for words, and how good such maps are.

``scores`` is a function from pictures (B, 3, H, W) to logits (B, C), as ``scores_of`` makes one of
a classifier; ``target`` (B,) long names the class of each row that is to be explained. A map is
(B, H, W): the larger a number, the more that pixel counts for the class. No file and no training
here: what these functions need is a model that gives logits.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.attention import attention
from course_utils.measures import accuracy

UNKNOWN = 1  # the id that stands where a word is hidden, as in every vocabulary of the course

Scores = Callable[[Tensor], Tensor]


# --- what is explained ----------------------------------------------------------------------


def scores_of(model: nn.Module, batch: Mapping[str, Any] | None = None) -> Scores:
    """A classifier as a function of the picture alone: (B, 3, H, W) -> logits (B, C).

    batch: what else the model reads, for the same rows; nothing for a model of pictures alone.
    """
    others = {name: value for name, value in (batch or {}).items() if name != "image"}
    return lambda image: model({**others, "image": image})


def chosen(logits: Tensor, target: Tensor) -> Tensor:
    """Each row's logit of its own class: logits (B, C), target (B,) long -> (B,)

    Raises ValueError for other shapes.
    """
    if logits.ndim != 2 or target.shape != logits.shape[:1]:
        raise ValueError(
            f"one class is explained for each row: logits (B, C) and target (B,), not "
            f"{tuple(logits.shape)} and {tuple(target.shape)}"
        )
    return logits.gather(1, target[:, None])[:, 0]


def gradient(scores: Scores, x: Tensor, target: Tensor) -> Tensor:
    """How each row's logit moves with each number of its input: x (B, ...) -> (B, ...)"""
    x = x.detach().requires_grad_()
    return torch.autograd.grad(chosen(scores(x), target).sum(), x)[0]


# --- maps of a picture ----------------------------------------------------------------------


def saliency(scores: Scores, image: Tensor, target: Tensor) -> Tensor:
    """The largest gradient, by size, among a pixel's colours: image (B, 3, H, W) -> (B, H, W)

    Simonyan, Vedaldi and Zisserman, Deep Inside Convolutional Networks, ICLR Workshop 2014.
    """
    return gradient(scores, image, target).abs().amax(dim=1)


def integrated_gradients(
    scores: Scores, x: Tensor, baseline: Tensor, target: Tensor, steps: int = 32
) -> Tensor:
    """(x - baseline) times the mean gradient on the straight line between the two: like x.

    x (B, ...); baseline of that shape, or one that broadcasts to it. The line is cut into
    ``steps`` equal parts, and the gradient is taken in the middle of each. The numbers of a row
    sum, nearly, to its logit less that of its baseline (*completeness*). Sundararajan, Taly and
    Yan, Axiomatic Attribution for Deep Networks, ICML 2017.
    """
    total = torch.zeros_like(x)
    for step in range(steps):
        share = (step + 0.5) / steps
        total += gradient(scores, baseline + share * (x - baseline), target)
    return (x - baseline) * total / steps


def grad_cam(maps: Tensor, gradients: Tensor) -> Tensor:
    """A layer's maps, each weighed by its mean gradient, added up, negative sums set to 0.

    maps (B, K, h, w): what the layer gave; gradients: of each row's logit with respect to them
    -> (B, h, w). Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra, Grad-CAM: Visual
    Explanations from Deep Networks via Gradient-based Localization, ICCV 2017.
    """
    weight = gradients.mean(dim=(2, 3), keepdim=True)  # (B, K, 1, 1)
    return (weight * maps).sum(dim=1).relu()


def maps_and_gradients(
    scores: Scores, layer: nn.Module, image: Tensor, target: Tensor
) -> tuple[Tensor, Tensor]:
    """What a layer gives for pictures, and the gradients of their logits there: (B, K, h, w) both.

    scores must call ``layer`` once.
    """
    kept = []
    handle = layer.register_forward_hook(lambda module, args, out: kept.append(out))
    try:
        # The pictures ask for a gradient, so that a frozen model builds a graph too.
        logits = scores(image.detach().requires_grad_())
    finally:
        handle.remove()
    slopes = torch.autograd.grad(chosen(logits, target).sum(), kept[0])[0]
    return kept[0].detach(), slopes


def enlarged(small: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (B, h, w) brought to (B, H, W), bilinear between the middles of their squares."""
    return F.interpolate(small[:, None], size, mode="bilinear", align_corners=False)[:, 0]


def windows(height: int, width: int, patch: int, stride: int) -> Iterator[tuple[slice, slice]]:
    """The windows that ``occlusion`` hides: rows and columns of each.

    The last of a line may reach over the edge, so that every pixel lies in one.
    """
    for top in range(0, max(height - patch, 0) + stride, stride):
        for left in range(0, max(width - patch, 0) + stride, stride):
            if top < height and left < width:
                yield slice(top, top + patch), slice(left, left + patch)


@torch.no_grad()
def occlusion(
    scores: Scores,
    image: Tensor,
    target: Tensor,
    fill: Tensor,
    patch: int = 8,
    stride: int = 4,
) -> Tensor:
    """How far the logit falls when a window is hidden, averaged over the windows on each pixel.

    image (B, 3, H, W); fill: what hides, of a shape that broadcasts to the pictures. Windows are
    patch × patch pixels, ``stride`` apart -> (B, H, W). Zeiler and Fergus, Visualizing and
    Understanding Convolutional Networks, ECCV 2014.
    """
    whole, fill = chosen(scores(image), target), fill.expand_as(image)
    fall = image.new_zeros(len(image), *image.shape[2:])
    count = torch.zeros_like(fall)
    for rows, columns in windows(*image.shape[2:], patch, stride):
        hidden = image.clone()
        hidden[:, :, rows, columns] = fill[:, :, rows, columns]
        lost = whole - chosen(scores(hidden), target)
        fall[:, rows, columns] += lost[:, None, None]
        count[:, rows, columns] += 1
    return fall / count


def median_colour(image: Tensor) -> Tensor:
    """Each picture's median of each colour, which is its background's: (B, 3, H, W) -> (B, 3, 1, 1)

    A baseline, and what hides a patch: unlike black it does not stand out.
    """
    return image.flatten(start_dim=2).median(dim=2).values[:, :, None, None]


def summed(attribution: Tensor) -> Tensor:
    """The colours of each pixel added up, so that completeness stays: (B, 3, H, W) -> (B, H, W)"""
    return attribution.sum(dim=1)


def blurred(map_: Tensor, reach: int = 2) -> Tensor:
    """Each pixel's mean over those up to ``reach`` away, both ways: (B, H, W) -> (B, H, W)"""
    size = 2 * reach + 1
    return F.avg_pool2d(map_[:, None], size, 1, reach, count_include_pad=False)[:, 0]


# --- maps that know no model: what a map has to beat -----------------------------------------


def edges(image: Tensor) -> Tensor:
    """How fast brightness changes at each pixel, by Sobel's filters: (B, 3, H, W) -> (B, H, W)

    It asks no model. Adebayo et al. (NeurIPS 2018) compare maps of models with such a detector.
    """
    across = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]).to(image)
    filters = torch.stack([across, across.T])[:, None]  # (2, 1, 3, 3)
    grey = F.pad(image.mean(dim=1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    return F.conv2d(grey, filters).square().sum(dim=1).sqrt()


def contrast(image: Tensor) -> Tensor:
    """How far each pixel is from the picture's median colour: (B, 3, H, W) -> (B, H, W)

    What is left of integrated gradients when the model is taken out.
    """
    return (image - median_colour(image)).abs().sum(dim=1)


def centre(image: Tensor) -> Tensor:
    """The nearer to the middle of the picture, the larger: (B, 3, H, W) -> (B, H, W), at most 0"""
    height, width = image.shape[2:]
    rows = torch.arange(height, device=image.device) - (height - 1) / 2
    columns = torch.arange(width, device=image.device) - (width - 1) / 2
    far = (rows[:, None].square() + columns.square()).sqrt()
    return (-far).expand(len(image), height, width).to(image.dtype)


def at_random(image: Tensor, seed: int = 0) -> Tensor:
    """Random numbers in [0, 1): (B, 3, H, W) -> (B, H, W), the same for the same seed."""
    made = torch.Generator().manual_seed(seed)
    return torch.rand(len(image), *image.shape[2:], generator=made).to(image)


# --- how good a map is ----------------------------------------------------------------------


def inside(box: Tensor, height: int, width: int) -> Tensor:
    """Which pixels lie in each box: (B, 4) left, top, right, bottom -> (B, height, width) bool

    The last row and column belong to the box, as Pillow draws them.
    """
    left, top, right, bottom = box[:, :, None].unbind(dim=1)  # (B, 1) each
    rows = torch.arange(height, device=box.device)
    columns = torch.arange(width, device=box.device)
    down = (rows >= top) & (rows <= bottom)
    across = (columns >= left) & (columns <= right)
    return down[:, :, None] & across[:, None, :]


def hits(map_: Tensor, box: Tensor) -> Tensor:
    """Whether the largest number of each map lies in its box: (B, H, W), (B, 4) -> (B,) bool

    Zhang, Lin, Brandt, Shen and Sclaroff, Top-down Neural Attention by Excitation Backprop, ECCV
    2016, call the share of hits the *pointing game*.
    """
    where = inside(box, *map_.shape[1:]).flatten(start_dim=1)
    return where.gather(1, map_.flatten(start_dim=1).argmax(dim=1, keepdim=True))[:, 0]


def overlap(map_: Tensor, box: Tensor) -> Tensor:
    """The map's largest pixels, as many as the box has, against the box: IoU (B,), 0 to 1.

    map_ (B, H, W), box (B, 4). Intersection over union; with as many pixels on both sides, i of
    them shared among n, it is i / (2n - i).
    """
    where = inside(box, *map_.shape[1:]).flatten(start_dim=1)
    many = where.sum(dim=1)
    rank = map_.flatten(start_dim=1).argsort(dim=1, descending=True).argsort(dim=1)
    shared = ((rank < many[:, None]) & where).sum(dim=1)
    return shared / (2 * many - shared)


def largest_patch(map_: Tensor, patch: int = 8) -> Tensor:
    """The square of a grid with the largest sum: (B, H, W) -> (B, 2), its row and column there.

    H and W need not be multiples of ``patch``: what is left over belongs to no square.
    """
    sums = F.avg_pool2d(map_[:, None], patch)[:, 0]
    place = sums.flatten(start_dim=1).argmax(dim=1)
    return torch.stack([place // sums.shape[2], place % sums.shape[2]], dim=1)


def without_patch(image: Tensor, place: Tensor, fill: Tensor, patch: int = 8) -> Tensor:
    """Pictures with one square of the grid hidden: (B, 3, H, W), place (B, 2), fill -> like image

    fill: of a shape that broadcasts to the pictures.
    """
    start = place * patch
    box = torch.cat([start.flip(1), start.flip(1) + patch - 1], dim=1)
    return torch.where(inside(box, *image.shape[2:])[:, None], fill, image)


@torch.no_grad()
def deletion(
    scores: Scores, image: Tensor, map_: Tensor, fill: Tensor, patch: int = 8
) -> tuple[float, float]:
    """What hiding the map's largest square does: share of answers that change, mean fall of p.

    p is the probability of the class that was named before. For data without a known box.
    """
    before = scores(image).softmax(dim=1)
    after = scores(without_patch(image, largest_patch(map_, patch), fill, patch)).softmax(dim=1)
    named = before.argmax(dim=1)
    fall = chosen(before, named) - chosen(after, named)
    return (after.argmax(dim=1) != named).double().mean().item(), fall.mean().item()


# --- words ----------------------------------------------------------------------------------


@torch.no_grad()
def word_falls(model: nn.Module, batch: Mapping[str, Any], target: Tensor) -> Tensor:
    """How far the logit falls when each word in turn becomes unknown: (B, L), -inf at padding.

    batch: what the model reads, with ``text`` (B, L) long and ``text_length`` (B,) long.
    """
    text, length = batch["text"], batch["text_length"]
    whole = chosen(model(batch), target)
    falls = torch.full(text.shape, -torch.inf)
    for place in range(int(length.max())):
        hidden = text.clone()
        hidden[:, place] = UNKNOWN
        lost = whole - chosen(model({**batch, "text": hidden}), target)
        falls[:, place] = torch.where(place < length, lost, -torch.inf)
    return falls


def scores_of_vectors(model: nn.Module, batch: Mapping[str, Any]) -> tuple[Scores, Tensor]:
    """A classifier as a function of its word vectors, and these: (B, L, dim) -> logits (B, C).

    The text encoder's table of word vectors is its ``embed``. Columns behind the longest text are
    left out.
    """
    embed = model.encoders["text"].embed
    text = batch["text"][:, : int(batch["text_length"].max())]
    batch = {**batch, "text": text}

    def scores(vectors: Tensor) -> Tensor:
        handle = embed.register_forward_hook(lambda module, args, out: vectors)
        try:
            return model(batch)
        finally:
            handle.remove()

    return scores, embed(text).detach()


def within_text(values: Tensor, length: Tensor) -> Tensor:
    """Numbers of words (B, L) with -inf behind each text's own last word."""
    padding = torch.arange(values.shape[1], device=values.device) >= length[:, None]
    return values.masked_fill(padding, -torch.inf)


def received_attention(layer: nn.Module, length: Tensor) -> Tensor:
    """How much each word was looked at in the last call, the mean over heads and over words.

    layer: a ``MultiHeadAttention`` that keeps ``weights`` (B, H, L, L) -> (B, L), -inf at padding
    """
    weights = layer.weights.mean(dim=1)  # (B, L, L)
    real = torch.arange(weights.shape[1], device=length.device) < length[:, None]
    got = (weights * real[:, :, None]).sum(dim=1) / length[:, None]
    return within_text(got, length)


@contextlib.contextmanager
def attention_changed(layer: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Inside this block a ``MultiHeadAttention`` attends as ``change`` says, trained or asked.

    change: the layer's own weights (B, H, L, L), 0 where a word may not look -> others like them
    """

    def forward(x: Tensor, mask: Tensor | None = None) -> Tensor:
        parts = layer.project(x).unflatten(-1, (3, layer.heads, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each (B, H, L, dim / H)
        weights = change(attention(query, key, value, mask)[1])
        layer.weights = weights.detach()
        return layer.out((weights @ value).transpose(1, 2).flatten(start_dim=2))

    layer.forward = forward
    try:
        yield
    finally:
        del layer.forward  # the class's own comes back


def uniform(weights: Tensor) -> Tensor:
    """Attention that looks at every word alike: (B, H, L, L) -> the same shape"""
    real = (weights > 0).to(weights)
    return real / real.sum(dim=-1, keepdim=True)


def shuffled(weights: Tensor, seed: int = 0) -> Tensor:
    """Each query's weights, in any order among the words that it may look at: like weights."""
    made = torch.Generator().manual_seed(seed)
    dice = torch.rand(weights.shape, generator=made).to(weights).masked_fill(weights == 0, 2.0)
    # Sorted by dice, the real places come first; in place order they come first too.
    return torch.zeros_like(weights).scatter(
        -1, dice.argsort(dim=-1), weights.gather(-1, (weights == 0).to(weights).argsort(dim=-1))
    )


# --- an audit: what a model leans on that it should not ---------------------------------------

LEAST_WORTH = 0.02  # of accuracy; a modality that is worth less is not used
MOST_TIMES = 3.0  # a cause that moves about is shared out; one beyond this stands always there


def audit(model: nn.Module, batch: Mapping[str, Any], patch: int = 8) -> dict[str, Any]:
    """What a model of pictures and headlines leans on, and whether a fault was planted in it.

    model: batch -> logits (B, C); batch: ``image`` (B, 3, H, W) float, ``text`` (B, L) long,
    ``text_length``, ``label`` (B,) long. Returns

    - ``worth``: {"image", "text"}: how far accuracy falls when each row gets the next row's
    - ``places`` (C, H // patch, W // patch): how far the logit of the named class falls when one
      square of the grid is hidden by the picture's median colour; the mean over the rows of each
      named class, 0 where there is none
    - ``words`` (C, V): the same for each word of a text in turn, added up by word id, V the largest
      id and one: the sum over the rows of a named class, divided by their number
    - ``fault``: "unused" where a modality is worth less than ``LEAST_WORTH``; else "mark" or "leak"
      where a class's largest fall is over ``MOST_TIMES`` its second largest, among places or among
      words, whichever stands out more (``stands_out``); else "none"
    - ``where``: the modality's name, (row, column) of the square, the word's id, or None

    Lapuschkin et al., Unmasking Clever Hans predictors and assessing what machines really learn,
    Nature Communications 10, 2019, found such faults in published models.
    """
    with torch.no_grad():
        logits = model(batch)
    named = logits.argmax(dim=1)
    found = {
        "worth": worth_of_modalities(model, batch, logits),
        "places": by_class(place_falls(model, batch, named, patch), named, logits.shape[1]),
        "words": by_class(falls_by_word(model, batch, named), named, logits.shape[1]),
    }
    return found | dict(zip(("fault", "where"), verdict(**found), strict=True))


@torch.no_grad()
def worth_of_modalities(
    model: nn.Module, batch: Mapping[str, Any], logits: Tensor
) -> dict[str, float]:
    """How far accuracy falls when each row gets the next row's picture, or headline."""
    worth = {}
    for name, parts in {"image": ("image",), "text": ("text", "text_length")}.items():
        others = {part: batch[part].roll(-1, dims=0) for part in parts}
        fallen = accuracy(model({**batch, **others}), batch["label"])
        worth[name] = accuracy(logits, batch["label"]) - fallen
    return worth


@torch.no_grad()
def place_falls(
    model: nn.Module, batch: Mapping[str, Any], named: Tensor, patch: int = 8
) -> Tensor:
    """How far the logit falls when each square of the grid is hidden: (B, H // p, W // p)"""
    scores, image = scores_of(model, batch), batch["image"]
    whole, fill = chosen(scores(image), named), median_colour(image)
    rows, columns = (side // patch for side in image.shape[2:])
    falls = image.new_zeros(len(image), rows, columns)
    for row in range(rows):
        for column in range(columns):
            place = torch.tensor([[row, column]]).expand(len(image), 2)
            hidden = without_patch(image, place, fill, patch)
            falls[:, row, column] = whole - chosen(scores(hidden), named)
    return falls


def falls_by_word(model: nn.Module, batch: Mapping[str, Any], named: Tensor) -> Tensor:
    """How far the logit falls when words are hidden, added up by word id: (B, V)"""
    falls = word_falls(model, batch, named)
    real = falls > -torch.inf
    total = falls.new_zeros(len(falls), int(batch["text"].max()) + 1)
    return total.scatter_add(1, batch["text"], falls.masked_fill(~real, 0))


def by_class(falls: Tensor, named: Tensor, classes: int) -> Tensor:
    """The mean over the rows of each named class, 0 without any: (B, ...) -> (C, ...)"""
    member = F.one_hot(named, classes).to(falls)  # (B, C)
    total = torch.einsum("bc,b...->c...", member, falls)
    return total / member.sum(dim=0).clamp(min=1).view(-1, *[1] * (falls.ndim - 1))


def stands_out(falls: Tensor) -> tuple[float, int]:
    """How far one thing stands out in a class, and its place among the things, counted flat.

    falls (C, ...): how far each class's logit falls without each thing. The number is a class's
    largest fall divided by its second largest, of the class where that is most.
    """
    largest = falls.flatten(start_dim=1).clamp(min=0).topk(2, dim=1)
    times = largest.values[:, 0] / largest.values[:, 1].clamp(min=1e-6)
    which = int(times.argmax())
    return times[which].item(), int(largest.indices[which, 0])


def verdict(worth: Mapping[str, float], places: Tensor, words: Tensor) -> tuple[str, Any]:
    """The fault that this evidence tells of, and where it lies, as ``audit`` says."""
    least = min(worth, key=worth.get)
    if worth[least] < LEAST_WORTH:
        return "unused", least
    (of_place, place), (of_word, word) = stands_out(places), stands_out(words)
    if max(of_place, of_word) <= MOST_TIMES:
        return "none", None
    if of_word > of_place:
        return "leak", word
    return "mark", divmod(place, places.shape[2])
