"""Seeds, the smoke switch, versions, and what `import course_utils` costs."""

import importlib.metadata
import random
import subprocess
import sys

import numpy as np
import pytest
import torch

import course_utils
from course_utils.environment import (
    best_device,
    course_root,
    is_smoke,
    seed_everything,
    seeds,
    versions,
)

DEAR = ("torch", "torchvision", "torchtext", "transformers", "captum", "soundfile", "av",
        "pandas", "sklearn", "scipy", "matplotlib", "ipywidgets", "IPython", "numpy")  # fmt: skip


def run(code):
    """The output of a fresh Python that runs this code, line by line."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split("\n")


def draws():
    return random.random(), np.random.rand(3).tolist(), torch.rand(3).tolist()


def test_the_same_seed_gives_the_same_random_numbers():
    seed_everything(7)
    first = draws()
    seed_everything(7)
    assert draws() == first


def test_another_seed_gives_other_random_numbers():
    seed_everything(7)
    first = draws()
    seed_everything(8)
    for one, other in zip(draws(), first, strict=True):
        assert one != other


def test_a_seed_too_large_for_numpy_is_taken():
    seed_everything(2**40)


@pytest.mark.parametrize(("value", "smoke"), [("1", True), ("0", False), ("", False)])
def test_only_the_value_1_asks_for_a_smoke_run(monkeypatch, value, smoke):
    monkeypatch.setenv("COURSE_SMOKE", value)
    assert is_smoke() is smoke


def test_an_experiment_has_all_its_seeds_and_a_smoke_run_the_first(monkeypatch):
    monkeypatch.delenv("COURSE_SMOKE", raising=False)
    assert list(seeds(3)) == [0, 1, 2]
    monkeypatch.setenv("COURSE_SMOKE", "1")
    assert list(seeds(3)) == [0]


def test_the_device_is_one_that_torch_can_use():
    assert torch.zeros(2, device=best_device()).sum().item() == 0


def test_the_course_is_found_from_anywhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert (course_root() / "course_utils" / "environment.py").is_file()


def test_versions_names_python_torch_and_the_device():
    found = versions()
    assert found["Python"].startswith("3.")
    assert found["torch"] == importlib.metadata.version("torch")
    assert found["device"] == best_device()


def test_a_package_that_is_missing_is_said_to_be_missing(monkeypatch):
    monkeypatch.setattr("course_utils.environment.PACKAGES", ("no-such-package",))
    assert versions()["no-such-package"] == "not installed"


def test_import_course_utils_loads_none_of_the_dear_packages():
    code = f"import sys, course_utils; print([m for m in {DEAR} if m in sys.modules])"
    assert run(code)[0] == "[]"


def test_import_course_utils_takes_less_than_three_tenths_of_a_second():
    code = "import time; t = time.perf_counter(); import course_utils; print(time.perf_counter()-t)"
    assert min(float(run(code)[0]) for _ in range(3)) < 0.3


@pytest.fixture(scope="module")
def all_names_at_once():
    """What `from course_utils import *` adds to torch and matplotlib: seconds, dear packages."""
    code = f"""
import sys, time, torch, matplotlib.pyplot
before = set(sys.modules)
start = time.perf_counter()
from course_utils import *
print(time.perf_counter() - start)
print([m for m in {DEAR} if m in sys.modules and m not in before])
"""
    return run(code)


def test_its_names_need_nothing_dear_beside_torch_and_matplotlib(all_names_at_once):
    assert all_names_at_once[1] == "[]"


def test_its_names_load_in_less_than_three_tenths_of_a_second(all_names_at_once):
    assert float(all_names_at_once[0]) < 0.3


def test_every_name_that_the_package_offers_is_there():
    for name in course_utils.__all__:
        assert callable(getattr(course_utils, name))


def test_a_name_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(AttributeError, match=r"no 'shwo'; it offers .*show, claim"):
        course_utils.shwo  # noqa: B018


def test_show_is_the_function_and_not_a_module():
    from course_utils import show
    from course_utils.display import show as function

    assert show is function
