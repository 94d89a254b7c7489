"""What the course's data path costs: making cards, importing, batches.

    python benchmarks/speed.py [--rounds 7]

1. 4,000 news cards (asked for: at most 1.5 s).
2. `import course_utils`, and all the names that it offers, in a fresh Python where torch and
   matplotlib are loaded already (asked for: at most 0.3 s).
3. Batches in memory against torchvision's ImageFolder and a DataLoader, on the 600 pictures of
   data/news_cards: shuffled float batches of 64, (B, 3, 48, 48), with labels. Epochs after the
   first, the loaders taking turns (asked for: at least 5 times the samples a second).
4. `read_folder` on photographs of several sizes, JPEG and PNG, that it writes into a temporary
   folder: against a plain loop of open, turn upright, RGB, resize with the same filter, pad,
   asarray, the two taking turns (asked for: at most 1.5 times as long). The loop once more with
   what Pillow has for speed, `draft` and `reducing_gap`, which `read_folder` uses; no bound asked.
5. From files to the tensors of all three splits, rows alive, in a fresh Python: how far memory
   rises (Linux: VmHWM), over the size of the pictures (asked for: at most 1.5 times).

Each figure is a median over the rounds. Set OMP_NUM_THREADS to choose the number of threads.
"""

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.utils.data import ConcatDataset, DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import ToTensor

from course_utils.data import news_cards
from course_utils.data.batches import Batches
from course_utils.data.folder import read_folder
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
PHOTOGRAPHS, LARGE = 300, 1500  # of several sizes, for speed; of one size, for memory
SIZES = ((80, 60), (256, 256), (480, 640), (1200, 900), (48, 48))  # height and width, in turn
READ_SIZE = (224, 224)
OPTIONS = {"image_column": "id", "text_column": "title", "label_column": "kind",
           "split_column": None, "image_pattern": "images/{id}"}  # fmt: skip
MEMORY = """
import re, sys
from pathlib import Path
from course_utils.data.batches import to_tensors
from course_utils.data.folder import read_folder
from course_utils.data.readers import ImageReader, TextReader, fit_readers
from course_utils.data.rows import split_rows

def read(folder):
    rows = read_folder(folder, "t.csv", size=(224, 224), **OPTIONS)
    parts = split_rows(rows)
    readers = fit_readers({"image": ImageReader(), "text": TextReader()}, parts["train"])
    return rows, {name: to_tensors(part, readers) for name, part in parts.items()}

def memory(kind):
    status = Path("/proc/self/status").read_text()
    return int(re.search(kind + r":\\s+(\\d+) kB", status)[1]) * 1024

few = read(sys.argv[1])
Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
before = memory("VmRSS")
rows, tensors = read(sys.argv[2])
print((memory("VmHWM") - before) / rows["image"].nbytes)
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
    return in_turn({name: lambda way=way: through(way) for name, way in ways.items()}, rounds)


def write_photographs(folder: Path, count: int, sizes: tuple[tuple[int, int], ...]) -> list[Path]:
    """Smooth coloured noise as JPEG and PNG files in turn, and the table t.csv."""
    dice = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    paths = []
    for number in range(count):
        height, width = sizes[number % len(sizes)]
        coarse = dice.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        paths.append(folder / "images" / f"{number}.{'jpg' if number // len(sizes) % 2 else 'png'}")
        picture.save(paths[-1])
    with (folder / "t.csv").open("w", newline="") as table:
        rows = [[path.name, f"picture {path.stem}", "ab"[n % 2]] for n, path in enumerate(paths)]
        csv.writer(table).writerows([["id", "title", "kind"], *rows])
    return paths


def plain(path: Path, fast: bool) -> np.ndarray:
    """One picture as a plain loop reads it; ``fast`` with Pillow's short cuts."""
    height, width = READ_SIZE
    with Image.open(path) as image:
        if fast:
            image.draft(None, (2 * max(READ_SIZE),) * 2)
        image = ImageOps.exif_transpose(image).convert("RGB")
    scale = min(width / image.width, height / image.height)
    small = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    gap = 3.0 if fast else None
    ground = Image.new("RGB", (width, height), "white")
    corner = (width - small[0]) // 2, (height - small[1]) // 2
    ground.paste(image.resize(small, Image.Resampling.LANCZOS, reducing_gap=gap), corner)
    return np.asarray(ground)


def measure_reading(rounds: int) -> dict[str, list[float]]:
    """Seconds of each reading of the photographs, for each way."""
    with tempfile.TemporaryDirectory() as place:
        paths = write_photographs(Path(place) / "all", PHOTOGRAPHS, SIZES)
        ways = {
            "read_folder": lambda: read_folder(
                Path(place) / "all", "t.csv", size=READ_SIZE, **OPTIONS
            ),
            "plain loop": lambda: np.stack([plain(path, fast=False) for path in paths]),
            "plain loop with short cuts": lambda: np.stack([plain(p, fast=True) for p in paths]),
        }
        return in_turn(ways, rounds)


def in_turn(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each way in each round, after one that does not count."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for number in range(rounds):
        for name in list(ways)[:: 1 if number % 2 else -1]:
            times[name].append(seconds(ways[name]))
    return times


def measure_memory() -> float:
    """How far memory rises from files to tensors, over the size of the pictures."""
    with tempfile.TemporaryDirectory() as place:
        few, many = Path(place) / "few", Path(place) / "many"
        write_photographs(few, 20, (READ_SIZE,))
        write_photographs(many, LARGE, (READ_SIZE,))
        code = f"OPTIONS = {OPTIONS!r}\n{MEMORY}"
        call = [sys.executable, "-c", code, few, many]
        done = subprocess.run(call, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


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

    times = measure_reading(rounds)
    took = {name: statistics.median(times[name]) for name in times}
    for name, one in took.items():
        asked = " (asked for: at most 1.5)" if name == "plain loop" else ""
        print(f"{name:26} {PHOTOGRAPHS / one:9.0f} pictures/s; read_folder / this: "
              f"{took['read_folder'] / one:.2f}{asked}")  # fmt: skip
    print(f"from files to tensors: {measure_memory():.2f} times the size of the pictures (asked "
          "for: at most 1.5)")  # fmt: skip


if __name__ == "__main__":
    main()
