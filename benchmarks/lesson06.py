"""What lesson 06 reads: learning rates, modes, and when to stop, each over eight seeds.

    make results LESSON=06

A CNN of half-size pictures and a bag of words, side by side, on ``section``. A seed is that of the
cards, of the first weights and of the order. Validation rows choose epochs; everything else is
measured on 5,000 fresh cards, those of seed + 1000.
"""

import copy
from collections.abc import Iterator
from functools import cached_property, lru_cache
from itertools import islice

import torch
import torch.nn.functional as F
from room import Part, Plan, on, within
from torch import Tensor
from torch.optim.swa_utils import update_bn

from course_utils.classifier import MultimodalClassifier
from course_utils.data import news_cards
from course_utils.data.batches import Batch, Batches, on_tensors, to_tensors
from course_utils.data.readers import ImageReader, TextReader
from course_utils.data.results import Run
from course_utils.data.rows import Rows, split_rows
from course_utils.encoders import BagEncoder, CNNEncoder
from course_utils.fusion import ConcatFusion
from course_utils.measures import accuracy
from course_utils.training import fit, predict

SEEDS = range(8)
RATES = (0.0001, 0.001, 0.01, 0.1)
DECAYS = (0, 0.1)
EPOCHS, LONG = 5, 15  # of the runs that compare rates, and of those that are asked when to stop
FRESH = 5000
MARGIN = {"validation accuracy": 0.05}  # up to 0.022 was seen, on AVX2, SSE4.1 and two threads


class World:
    """One seed's cards, read."""

    def __init__(self, seed: int):
        self.seed = seed
        rows = split_rows(news_cards.rows_for(news_cards.make(6000, seed), "section"))
        text = TextReader(fewest=2).fit(rows["train"], "text")
        self.readers = {"image": ImageReader(shrink=2), "text": text}
        self.splits = {name: self.read(part) for name, part in rows.items()}

    def read(self, rows: Rows) -> Batch:
        """Rows as tensors, their pictures halved."""
        return to_tensors(rows, self.readers)

    @cached_property
    def fresh(self) -> Batch:
        """Cards that neither training nor a choice has seen."""
        cards = news_cards.make(FRESH, self.seed + 1000, mismatch=0)
        return self.read(news_cards.rows_for(cards, "section"))

    def batches(self) -> tuple[Batches, Batches]:
        """Training batches from the first order on, and validation batches."""
        train = Batches(self.splits["train"], 64, shuffle=True, seed=self.seed)
        return train, Batches(self.splits["validation"], 256)

    def model(self) -> MultimodalClassifier:
        """An untrained model of pictures and headlines."""
        torch.manual_seed(self.seed)
        words = len(self.readers["text"].vocabulary)
        encoders = {"image": CNNEncoder(64, channels=(8, 16, 32)), "text": BagEncoder(words)}
        return MultimodalClassifier(encoders, ConcatFusion({"image": 64, "text": 64}), 5)

    def run(self, *what: str, value: float, part: str = "fresh") -> Run:
        """A line of the file; what: experiment, model, setting, measure."""
        experiment, model, setting, measure = what
        rows = len((self.fresh if part == "fresh" else self.splits[part])["label"])
        return Run(
            experiment, "news cards", "", model, setting, self.seed, rows, measure, float(value)
        )


# --- learning rates, and two modes --------------------------------------------------------------


def rates(world: World, rates: tuple[float, ...] = RATES) -> Iterator[Run]:
    """Validation accuracy of each epoch; of the best one accuracy, and what pictures count for."""
    for rate in rates:
        model, (train, validation) = world.model(), world.batches()
        history = fit(model, train, validation, epochs=EPOCHS, learning_rate=rate, seed=world.seed)
        at = f"rate {rate}"
        for epoch, value in enumerate(history.validation_accuracy, 1):
            what = "rates", f"epoch {epoch}", at, "validation accuracy"
            yield world.run(*what, value=value, part="validation")
        for measure, value in of_pictures(model, world.fresh).items():
            yield world.run("rates", "best epoch", at, measure, value=value)
        if rate == 0.01:
            yield from modes(world, model)


def of_pictures(model: MultimodalClassifier, cards: Batch) -> dict[str, float]:
    """Accuracy, what each card loses with the next one's picture, spread of the image's numbers."""
    mixed_up = cards | {"image": cards["image"].roll(1, dims=0)}
    own, others = (
        accuracy(predict(model, Batches(part, 256)), cards["label"]) for part in (cards, mixed_up)
    )
    with torch.no_grad():
        image = torch.cat([model.features(batch)["image"] for batch in Batches(cards, 256)])
    spread = image.std(dim=0).mean()
    return {"accuracy": own, "wrong pictures cost": own - others, "spread": spread}


def modes(world: World, model: MultimodalClassifier) -> Iterator[Run]:
    """Accuracy in both modes, of cards in two orders, 32 at a time."""
    label = world.fresh["label"]
    orders = {"as they come": torch.arange(len(label)), "sorted by section": label.argsort()}
    for name, order in orders.items():
        cards = on_tensors(world.fresh, lambda tensor, order=order: tensor[order])
        for mode in ("eval", "train"):
            logits = answers(model, Batches(cards, 32), mode)
            what = "modes", mode, name, "accuracy"
            yield world.run(*what, value=accuracy(logits, cards["label"]))


@torch.no_grad()
def answers(model: MultimodalClassifier, batches: Batches, mode: str) -> Tensor:
    """Logits of a copy in this mode: in train mode even looking changes running averages."""
    model = copy.deepcopy(model).train(mode == "train")
    return torch.cat([model(batch) for batch in batches])


# --- when to stop -------------------------------------------------------------------------------


def stopping(world: World, decays: tuple[float, ...] = DECAYS) -> Iterator[Run]:
    """Losses of each epoch; of the best one, and of the last five, what they do to fresh cards."""
    for decay in decays:
        models, (train, validation) = [], world.batches()
        model, at, lowest = world.model(), f"weight decay {decay}", []
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=decay)
        for epoch in range(1, LONG + 1):
            history = fit(model, train, validation, epochs=1, optimizer=optimizer)
            models.append(with_fresh_averages(model, world))
            settled = judged(models[-1], world.splits["validation"])["loss"]
            lowest.append(settled)
            losses = {
                ("train", "training loss"): history.train_loss[0],
                ("validation", "validation loss"): history.validation_loss[0],
                ("validation", "validation loss, fresh averages"): settled,
            }
            for (part, measure), value in losses.items():
                what = "stopping", f"epoch {epoch}", at, measure
                yield world.run(*what, value=value, part=part)
        best = models[lowest.index(min(lowest))]
        for name, chosen in (("best epoch", [best]), ("last five epochs", models[-5:])):
            found = [judged(model, world.fresh) for model in chosen]
            for measure in found[0]:
                mean = sum(one[measure] for one in found) / len(found)
                yield world.run("stopping", name, at, measure, value=mean)


def with_fresh_averages(model: MultimodalClassifier, world: World) -> MultimodalClassifier:
    """A copy whose BatchNorm layers have averaged over all training cards, weights held still."""
    model = copy.deepcopy(model)
    update_bn(Batches(world.splits["train"], 256), model)
    return model.eval()


def judged(model: MultimodalClassifier, cards: Batch) -> dict[str, float]:
    """Accuracy, loss, mean probability of a wrong section that it names, length of its weights."""
    logits, label = predict(model, Batches(cards, 256)), cards["label"]
    chance, named = logits.softmax(dim=1).max(dim=1)
    size = sum(weight.square().sum() for weight in model.parameters()).sqrt()
    return {
        "accuracy": accuracy(logits, label),
        "loss": F.cross_entropy(logits, label).item(),
        "sure if wrong": chance[named != label].mean().item(),
        "size": size.item(),
    }


# --- the file -----------------------------------------------------------------------------------


def again() -> Iterator[Run]:
    """Five lines of the file anew: the epochs of rate 0.001, seed 0."""
    return islice(rates(World(0), (0.001,)), EPOCHS)


world_of = lru_cache(maxsize=1)(World)
PLAN = Plan(
    "06",
    [
        Part("rates", on(world_of, rates), within("rates", "modes"), SEEDS),
        Part("stopping", on(world_of, stopping), within("stopping"), SEEDS),
    ],
    experiments=("modes", "rates", "stopping"),
)

if __name__ == "__main__":
    PLAN.main()
