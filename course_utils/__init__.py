"""The helper package behind the course's notebooks.

What a lesson builds from scratch lives here once, in the form that the lesson arrived at, and
later lessons import it. The names below are the ones that nearly every lesson uses; they are
loaded when first asked for, so that ``import course_utils`` costs next to nothing.
"""

import importlib

_ROOMS = {
    "seed_everything": "environment",
    "seeds": "environment",
    "versions": "environment",
    "claim": "display",
    "show": "display",
    "check": "exercises",
    "hint": "exercises",
    "solution": "exercises",
    "guess": "exercises.guessing",
    "settle": "exercises.guessing",
    "quiz": "exercises.quiz",
    "board": "exercises.board",
}
__all__ = [  # noqa: RUF022 (the order in which a learner meets them)
    "seed_everything",
    "seeds",
    "versions",
    "show",
    "claim",
    "check",
    "hint",
    "solution",
    "guess",
    "settle",
    "quiz",
    "board",
]


def __getattr__(name: str):
    if name not in _ROOMS:
        raise AttributeError(f"course_utils has no {name!r}; it offers {', '.join(__all__)}")
    value = getattr(importlib.import_module(f"course_utils.{_ROOMS[name]}"), name)
    globals()[name] = value  # asked for once, found at once from then on
    return value
