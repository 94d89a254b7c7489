"""`fit` against the same loop written bare: samples a second, interleaved in one run.

    python benchmarks/fit_speed.py [--rounds 15] [--device cpu]

Both train the same small CNN on the same 48 x 48 pictures in memory. The rounds alternate, and
so does who goes first, because a machine's speed drifts. Each round starts from the same
weights; ``fit`` runs without validation, as the bare loop does, and with its bar off.
"""

import argparse
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.data.batches import Batches
from course_utils.training import fit

ROWS, BATCH = 2048, 64


class SmallCNN(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
            nn.Flatten(), nn.Linear(64, 5),
        )  # fmt: skip

    def forward(self, batch):
        return self.layers(batch["image"])


def make_batches() -> Batches:
    rng = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (ROWS, 3, 48, 48), dtype=torch.uint8, generator=rng)
    label = torch.randint(0, 5, (ROWS,), generator=rng)
    return Batches({"image": image, "label": label}, batch_size=BATCH, shuffle=True)


def with_fit(model: nn.Module, batches: Batches, device: str) -> None:
    fit(model, batches, epochs=1, device=device, progress=False)


def bare(model: nn.Module, batches: Batches, device: str) -> None:
    model.to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    for batch in batches:
        batch = {name: value.to(device) for name, value in batch.items()}
        loss = F.cross_entropy(model(batch), batch["label"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    loss.item()  # a GPU has finished only when a number is asked for


def seconds(loop, device: str) -> float:
    model, batches = SmallCNN(), make_batches()
    start = time.perf_counter()
    loop(model, batches, device)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    times = {with_fit: [], bare: []}
    for loop in times:
        seconds(loop, given.device)  # warm up
    for number in range(given.rounds):
        for loop in list(times)[:: 1 if number % 2 else -1]:
            times[loop].append(seconds(loop, given.device))
    speed = {loop: ROWS / statistics.median(took) for loop, took in times.items()}
    ratios = [slow / own for own, slow in zip(times[with_fit], times[bare], strict=True)]
    print(
        f"{given.rounds} rounds of {ROWS} rows, {torch.get_num_threads()} threads, {given.device}"
    )
    print(f"bare loop {speed[bare]:8.0f} samples/s (median)")
    print(f"fit       {speed[with_fit]:8.0f} samples/s (median)")
    print(f"fit / bare: {speed[with_fit] / speed[bare]:.3f}; "
          f"median of the rounds' own ratios {statistics.median(ratios):.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
