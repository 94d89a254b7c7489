"""A pytest plugin: solved notebooks run at full size, and in the same run the others as smoke runs.

One queue for both keeps the workers busy to its end. ``course_utils.commands`` asks for it.
"""

import os

import pytest


@pytest.hookimpl(tryfirst=True)  # before nbval starts the notebook's kernel
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Set the switches that the kernel of this notebook inherits."""
    os.environ["COURSE_PROGRESS"] = "off"
    os.environ["COURSE_SMOKE"] = "1" if item.path.parent.name == "notebooks" else "0"
