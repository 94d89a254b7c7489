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


def test_present_as_a_tensor_is_told_to_be_a_dict():
    def curve(answer, features, label, name, rates, draws):
        return [accuracy(answer(features, draws >= rate), label) for rate in rates]

    said = judge(exercises.find("missing_rate_curve"), curve, seed=0)
    assert said.kind == WRONG
    assert "dict" in said.sentence
