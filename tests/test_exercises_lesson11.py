"""Lesson 11's exercises on answers that readers gave and its author did not declare."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import exercises
from course_utils.exercises.core import RIGHT, WRONG, judge
from course_utils.measures import accuracy

BUILD = exercises.find("read_holes")


class Folder:
    """A right reader of the folder; what others do differently is one method."""

    encoding = "utf-8"

    def __call__(self, folder):
        with (Path(folder) / "products.csv").open(encoding=self.encoding, newline="") as file:
            table = self.ordered(list(csv.DictReader(file)))
        images = [self.picture(Path(folder) / "photos" / f"{row['id']}.png") for row in table]
        price = torch.tensor([self.price(row["price"].strip()) for row in table])
        known = price[~price.isnan() & torch.tensor([row["split"] == "train" for row in table])]
        scaled = ((price - known.mean()) / known.std(correction=0)).nan_to_num()
        seasons = self.seasons(table)
        return {
            "image": torch.stack([torch.zeros(3, 8, 8) if i is None else i for i in images]),
            "price": scaled[:, None],
            "label": torch.tensor([seasons.index(row["season"]) for row in table]),
            "present": {
                "image": torch.tensor([image is not None for image in images]),
                "price": ~price.isnan(),
            },
        }

    def ordered(self, table):
        return table

    def price(self, cell):
        return float(cell) if cell else torch.nan

    def seasons(self, table):
        return sorted({row["season"] for row in table})

    def picture(self, path):
        if not path.is_file():
            return None
        pixels = np.array(self.opened(path))
        return torch.from_numpy(pixels).permute(2, 0, 1) / 255

    def opened(self, path):
        return Image.open(path).convert("RGB")


class SortedById(Folder):
    def ordered(self, table):
        return sorted(table, key=lambda row: row["id"])


class ZeroIsNoPrice(Folder):
    def price(self, cell):
        return float(cell) if cell and float(cell) else torch.nan


class Latin(Folder):
    encoding = "latin-1"


class NeverGrey(Folder):
    def opened(self, path):
        return Image.open(path)


class BlackIsAbsent(Folder):
    def __call__(self, folder):
        found = super().__call__(folder)
        found["present"]["image"] = found["image"].flatten(1).any(1)
        return found


class TheMeanIsAbsent(Folder):
    def __call__(self, folder):
        found = super().__call__(folder)
        found["present"]["price"] = found["price"].squeeze(1) != 0
        return found


class SeasonsOfTraining(Folder):
    def seasons(self, table):
        return sorted({row["season"] for row in table if row["split"] == "train"})


@pytest.mark.parametrize("seed", range(2))
def test_another_right_reader_of_folders_is_right(seed):
    assert judge(BUILD, Folder(), seed=seed).kind == RIGHT


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("wrong", [SortedById, ZeroIsNoPrice, Latin, NeverGrey, SeasonsOfTraining])
def test_what_a_reader_of_folders_takes_for_granted_is_found_out(wrong, seed):
    assert judge(BUILD, wrong(), seed=seed).kind == WRONG


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (BlackIsAbsent, "a black picture is a picture"),
        (TheMeanIsAbsent, "equals the training mean"),
        (ZeroIsNoPrice, "0 is a price"),
    ],
)
def test_a_value_that_looks_like_a_hole_is_named(wrong, why, seed):
    said = judge(BUILD, wrong(), seed=seed)
    assert said.kind == WRONG
    assert why in said.sentence


def only_the_largest_where_any_is_low(present, draws, rate):
    result = present.clone()
    for row in range(len(present)):
        low = [m for m in range(present.shape[1]) if present[row, m] and draws[row, m] < rate]
        if low:
            own = [m for m in range(present.shape[1]) if present[row, m]]
            result[row] = False
            result[row, max(own, key=lambda m: float(draws[row, m]))] = True
    return result


def above_the_rate_alone(present, draws, rate):
    result = present & (draws > rate)
    best = draws.where(present, -1.0).amax(dim=1, keepdim=True)
    lost = ~result.any(dim=1, keepdim=True)
    return torch.where(lost, present & (draws == best), result)


def present_plays_no_part(present, draws, rate):
    return (draws >= rate) | (draws == draws.amax(dim=1, keepdim=True))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (only_the_largest_where_any_is_low, "of three, two may stay"),
        (above_the_rate_alone, "*equals* `rate`"),
        (present_plays_no_part, "that it never had"),
    ],
)
def test_dropout_that_is_right_on_two_modalities_is_refused_for_its_reason(wrong, why, seed):
    said = judge(exercises.find("modality_dropout"), wrong, seed=seed)
    assert said.kind == WRONG
    assert why in said.sentence


def curve_of(count, model_gets):
    def curve(answer, features, label, name, rates, draws):
        found = []
        for rate in rates:
            rows = count(draws, rate)
            given = {other: one[rows] for other, one in features.items()}
            logits = answer(given, {name: model_gets(draws, rate)[rows]})
            found.append((logits.argmax(dim=1) == label[rows]).float().mean().item())
        return found

    return curve


def at_least(draws, rate):
    return draws >= rate


def below(draws, rate):
    return draws < rate


def all_rows(draws, rate):
    return torch.ones_like(draws, dtype=torch.bool)


def above(draws, rate):
    return draws > rate


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (curve_of(at_least, at_least), "cannot be deleted"),
        (curve_of(below, at_least), "only the rows that lack it"),
        (curve_of(all_rows, above), "*equals* the rate"),
    ],
)
def test_a_curve_over_some_rows_is_told_so_where_nothing_is_left_too(wrong, why, seed):
    said = judge(exercises.find("missing_rate_curve"), wrong, seed=seed)
    assert said.kind == WRONG
    assert why in said.sentence


def ridge(centre=lambda x: x.mean(dim=0), scale=None, penalty=None):
    def attempt(seen, wanted, rows, alpha):
        spread = scale(seen) if scale else 1.0
        x, y = (seen - centre(seen)) / spread, wanted - centre(wanted)
        added = (penalty or (lambda a, n, d: a * torch.eye(d)))(alpha, *x.shape)
        slopes = torch.linalg.solve(x.T @ x + added, x.T @ y)
        return centre(wanted) + (rows - centre(seen)) / spread @ slopes

    return attempt


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (ridge(penalty=lambda alpha, n, d: alpha), "every entry"),
        (ridge(centre=lambda x: x.mean()), "one mean over the whole table"),
        (ridge(penalty=lambda alpha, n, d: n * alpha * torch.eye(d)), "number of rows"),
        (ridge(penalty=lambda alpha, n, d: torch.eye(d)), "whatever `alpha` is"),
        (ridge(scale=lambda x: x.std(dim=0)), "standard deviation"),
        (ridge(scale=lambda x: x.std(dim=0, correction=0)), "standard deviation"),
    ],
)
def test_a_ridge_that_is_penalised_otherwise_is_told_how(wrong, why, seed):
    assert judge(exercises.find("impute_ridge"), ridge(), seed=seed).kind == RIGHT
    said = judge(exercises.find("impute_ridge"), wrong, seed=seed)
    assert said.kind == WRONG
    assert why in said.sentence


def test_present_as_a_tensor_is_told_to_be_a_dict():
    def curve(answer, features, label, name, rates, draws):
        return [accuracy(answer(features, draws >= rate), label) for rate in rates]

    said = judge(exercises.find("missing_rate_curve"), curve, seed=0)
    assert said.kind == WRONG
    assert "dict" in said.sentence
