"""Where a lesson runs: seeds, device, the smoke switch, paths and versions.

Nothing here knows about data or models, so that every other room may lean on it.
"""

import importlib.metadata
import os
import platform
import random
from pathlib import Path

PACKAGES = ("torch", "torchvision", "torchtext", "matplotlib", "ipywidgets", "scikit-learn")


def seed_everything(seed: int) -> None:
    """Seed Python's, numpy's and torch's global random numbers with one number."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def best_device() -> str:
    """Name of the fastest device here: ``"cuda"``, ``"mps"`` (Apple) or ``"cpu"``."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    return "cpu"


def is_smoke() -> bool:
    """Whether ``COURSE_SMOKE=1`` asks for the smallest run that touches every line."""
    return os.environ.get("COURSE_SMOKE") == "1"


def seeds(count: int) -> range:
    """The seeds ``0 .. count - 1`` of an experiment; under ``COURSE_SMOKE=1`` the first alone."""
    return range(1 if is_smoke() else count)


def course_root() -> Path:
    """The folder that holds ``course_utils``, ``data`` and ``solutions``."""
    return Path(__file__).resolve().parent.parent


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that the course is built on, and the device."""
    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found | {"device": best_device()}
