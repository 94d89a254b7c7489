"""What lesson 01 reads from data/results: hand-made and learnt features of pictures.

    make results LESSON=01

Five seeds, each with cards and first weights of its own: ``make(4000, seed)`` teaches, and its
validation rows choose epochs and strengths. What is reported is measured on 5,000 fresh cards,
those of seed + 1000. The features are those that the lesson writes.
"""

from collections.abc import Callable, Iterator
from functools import cached_property

import torch
import torch.nn.functional as F
from room import Part, Plan, within
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from torch import Tensor

from course_utils.baselines import majority_baseline
from course_utils.classifier import MultimodalClassifier
from course_utils.data import news_cards
from course_utils.data.batches import Batch, Batches, to_tensors
from course_utils.data.readers import ImageReader
from course_utils.data.results import Run
from course_utils.data.rows import split_rows
from course_utils.encoders import CNNEncoder
from course_utils.experiment import train_on
from course_utils.fusion import ConcatFusion
from course_utils.measures import accuracy

SEEDS = range(5)
CARDS, FRESH = 4000, 5000
STRENGTHS = (0.001, 0.01, 0.1, 1.0)
LEARN = {"epochs": 3, "batch_size": 32}
NAMES = ("learnt CNN", "one frozen", "two frozen", "three frozen")  # by frozen convolutions
MARGIN = {"accuracy": 0.01}  # on another machine

# --- features made by hand: (B, 3, 48, 48) from 0 to 1 -> (B, width) ------------------------------


def pixels(image: Tensor) -> Tensor:
    """Mean colours of blocks of 4 x 4 pixels."""
    return F.avg_pool2d(image, 4).flatten(1)


def colour_counts(image: Tensor) -> Tensor:
    """Share of pixels in each of 27 colours."""
    level = (image * 2.999).long()
    number = 9 * level[:, 0] + 3 * level[:, 1] + level[:, 2]
    return F.one_hot(number.flatten(1), 27).float().mean(dim=1)


def edges(image: Tensor) -> Tensor:
    """Strength of edges by direction, in each of 4 x 4 fields."""
    vertical = torch.tensor([[-1.0, 0, 1]] * 3)
    kernels = torch.stack([vertical, vertical.T])[:, None]
    across, down = F.conv2d(image.mean(1, keepdim=True), kernels, padding=1).unbind(dim=1)
    direction = (8 * torch.atan2(down, across) / torch.pi).floor() % 8
    strength = torch.hypot(across, down)
    maps = [strength * (direction == kind) for kind in range(8)]
    return F.avg_pool2d(torch.stack(maps, dim=1), 12).flatten(1)


BY_HAND = {"pixels": pixels, "colour counts": colour_counts, "edges": edges}

# --- one seed ------------------------------------------------------------------------------------


class World:
    """One seed's pictures, read; the test rows are fresh ones."""

    def __init__(self, seed: int):
        self.seed = seed
        rows = split_rows(news_cards.rows_for(news_cards.make(CARDS, seed), "section"))
        self.fresh = news_cards.rows_for(news_cards.make(FRESH, seed + 1000, mismatch=0), "section")
        rows["test"] = self.fresh
        reader = {"image": ImageReader()}
        self.splits: dict[str, Batch] = {n: to_tensors(part, reader) for n, part in rows.items()}

    @cached_property
    def label(self) -> Tensor:
        """The sections of the fresh cards, (n,)."""
        return self.splits["test"]["label"]

    def model(self) -> MultimodalClassifier:
        """An untrained CNN with a linear head."""
        torch.manual_seed(self.seed)
        return MultimodalClassifier({"image": CNNEncoder(64)}, ConcatFusion({"image": 64}), 5)

    def line(self, experiment: str, model: str, value: float, measure: str = "accuracy",
             rows: int = FRESH) -> Run:  # fmt: skip
        """A line of the file."""
        return Run(experiment, "news cards", "", model, "", self.seed, rows, measure, float(value))


def convolutions(model: MultimodalClassifier) -> torch.nn.Sequential:
    """The convolutions of its three blocks."""
    return model.encoders["image"].blocks[::4]


def all_of(world: World) -> Iterator[Run]:
    """Everything of one seed."""
    yield majority(world)
    yield from linear(world, BY_HAND | {"random CNN": world.model().eval().encoders["image"]})
    for frozen, name in enumerate(NAMES):
        model = world.model()
        convolutions(model)[:frozen].requires_grad_(False)
        found = train_on(model, world.splits, world.seed, **LEARN)
        yield world.line("section", name, accuracy(found.logits, world.label))
        if not frozen:
            yield from changes(world, model)
            yield from on_motif(world, model)


def majority(world: World) -> Run:
    """The commonest section."""
    value = majority_baseline(world.splits["train"]["label"], world.label)
    return world.line("section", "majority", value)


def linear(world: World, features: dict[str, Callable[[Tensor], Tensor]]) -> Iterator[Run]:
    """A linear model on each feature."""
    for name, feature in features.items():
        yield world.line("section", name, linear_score(feature, world.splits))


@torch.no_grad()
def linear_score(feature: Callable[[Tensor], Tensor], splits: dict[str, Batch]) -> float:
    """Test accuracy of a logistic regression whose strength the validation rows choose."""
    x = {
        name: torch.cat([feature(batch["image"]) for batch in Batches(part, 256)]).numpy()
        for name, part in splits.items()
    }
    y = {name: part["label"].numpy() for name, part in splits.items()}
    with threadpool_limits(1):
        models = [
            make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000)).fit(
                x["train"], y["train"]
            )
            for c in STRENGTHS
        ]
    best = max(models, key=lambda model: model.score(x["validation"], y["validation"]))
    return best.score(x["test"], y["test"])


def changes(world: World, model: MultimodalClassifier) -> Iterator[Run]:
    """How alike the kernels are before and after training: the correlation of their weights."""
    pairs = zip(convolutions(world.model()), convolutions(model), strict=True)
    for number, pair in enumerate(pairs, start=1):
        weights = torch.stack([layer.weight.detach().flatten() for layer in pair])
        yield world.line("kernels", f"layer {number}", weights.corrcoef()[0, 1], "correlation", 0)


# --- where it looks ------------------------------------------------------------------------------


def on_motif(world: World, model: MultimodalClassifier) -> Iterator[Run]:
    """How often the motif holds the card's centre, and the place where most maps are largest."""
    boxes, image = torch.from_numpy(world.fresh["motif_box"]), world.splits["test"]["image"]
    places = {"centre": (torch.tensor(23.5), torch.tensor(23.5))}
    for name, one in {"untrained": world.model().eval(), "trained": model}.items():
        places[name] = favourite_places(one, image)
    for name, (row, column) in places.items():
        left, top, right, bottom = boxes.T
        hit = (row >= top) & (row <= bottom) & (column >= left) & (column <= right)
        some = hit[left >= 0]
        yield world.line("on motif", name, some.double().mean(), "share", len(some))


@torch.no_grad()
def favourite_places(model: MultimodalClassifier, image: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column, in pixels, where most of the last maps have their maximum; (n,) each."""
    blocks, votes = model.encoders["image"].blocks, []
    for part in Batches({"image": image}, 256):
        largest, place = blocks(part["image"]).flatten(2).max(dim=2)
        votes.append((F.one_hot(place, 36) * (largest > 0)[..., None]).sum(dim=1))
    most = torch.cat(votes).argmax(dim=1)
    return 8 * (most // 6) + 3.5, 8 * (most % 6) + 3.5


# --- all of it, and a little again ----------------------------------------------------------------


def again() -> Iterator[Run]:
    """The commonest section, and one feature made by hand, of one seed."""
    world = World(0)
    yield majority(world)
    yield from linear(world, {"edges": edges})


PLAN = Plan("01", [Part("pictures", lambda seed: all_of(World(seed)), within(), SEEDS)])

if __name__ == "__main__":
    PLAN.main()
