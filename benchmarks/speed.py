"""What the course's data path costs: making cards, importing, batches.

    python benchmarks/speed.py [--rounds 7]

1. 4,000 news cards (asked for: at most 1.5 s).
2. `import course_utils`, and all the names that it offers, in a fresh Python where torch and
   matplotlib are loaded already (asked for: at most 0.3 s).
3. Batches in memory against torchvision's ImageFolder and a DataLoader, on the 600 pictures of
   data/news_cards: shuffled float batches of 64, (B, 3, 48, 48), with labels. Epochs after the
   first, the loaders taking turns (asked for: at least 5 times the samples a second).

Each figure is a median over the rounds. Set OMP_NUM_THREADS to choose the number of threads.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable

import torch
from torch.utils.data import ConcatDataset, DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import ToTensor

from course_utils.data import news_cards
from course_utils.data.batches import Batches
from course_utils.environment import course_root

CARDS, BATCH = 4000, 64
SPLITS = ("train", "validation", "test")
IMPORT = """
import time, torch, matplotlib.pyplot
start = time.perf_counter()
import course_utils
alone = time.perf_counter() - start
from course_utils import *
print(alone, time.perf_counter() - start)
"""


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def import_seconds() -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True
    )
    alone, with_names = done.stdout.split()
    return float(alone), float(with_names)


def folders() -> ConcatDataset:
    """The sample's 600 pictures, read from their files each time."""
    root = course_root() / "data" / "news_cards"
    return ConcatDataset([ImageFolder(root / split, transform=ToTensor()) for split in SPLITS])


def in_memory(pictures: ConcatDataset) -> Batches:
    """The same pictures, read once and kept as bytes."""
    image = torch.stack([(image * 255).round().byte() for image, _ in pictures])
    label = torch.tensor([label for _, label in pictures])
    return Batches({"image": image, "label": label}, BATCH, shuffle=True)


def loader(pictures: ConcatDataset, workers: int) -> DataLoader:
    return DataLoader(
        pictures, BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )


def check_alike(memory: Batches, files: DataLoader, rows: int) -> None:
    """Both give every row once, as float in [0, 1], with the same sum of pixels."""
    sums = []
    for images in ([b["image"] for b in memory], [image for image, _ in files]):
        together = torch.cat(images)
        assert together.shape == (rows, 3, 48, 48)
        assert together.dtype == torch.float32
        sums.append(together.double().sum())
    assert torch.isclose(*sums)


def through(batches: Iterable) -> None:
    for _ in batches:
        pass


def measure_batches(rounds: int) -> dict[str, list[float]]:
    """Seconds of each epoch after the first, for each way of loading."""
    pictures = folders()
    ways = {
        "Batches in memory": in_memory(pictures),
        "ImageFolder, 0 workers": loader(pictures, 0),
        "ImageFolder, 2 workers": loader(pictures, 2),
    }
    check_alike(ways["Batches in memory"], ways["ImageFolder, 0 workers"], len(pictures))
    for way in ways.values():
        through(way)  # the first epoch
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in list(ways)[:: 1 if number % 2 else -1]:
            times[name].append(seconds(lambda way=ways[name]: through(way)))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    print(f"median of {rounds}; torch uses {torch.get_num_threads()} threads")

    news_cards.make(10)
    cards = [seconds(lambda: news_cards.make(CARDS)) for _ in range(rounds)]
    print(f"{CARDS} news cards: {statistics.median(cards):.2f} s (asked for: at most 1.5)")

    alone, with_names = zip(*(import_seconds() for _ in range(rounds)), strict=True)
    print(f"import course_utils: {statistics.median(alone):.3f} s; with every name it offers: "
          f"{statistics.median(with_names):.3f} s (asked for: at most 0.3)")  # fmt: skip

    times = measure_batches(rounds)
    rows = len(folders())
    memory, *files = times
    for name, took in times.items():
        print(f"{name:24} {rows / statistics.median(took):9.0f} samples/s")
    for name in files:
        ratio = statistics.median(times[name]) / statistics.median(times[memory])
        print(f"{memory} / {name}: {ratio:.0f} times (asked for: at least 5)")


if __name__ == "__main__":
    main()
