"""The house's arrows: which room may lean on which, as ``pyproject.toml`` draws it."""

import pkgutil
import re
import tomllib

import grimp
import pytest
from importlinter.cli import lint_imports

import course_utils
from course_utils.environment import course_root

LESSON = re.compile(r"course_utils\.(exercises|widgets)\.lesson\d\d$")


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("course_utils", cache_dir=None)


def layers():
    text = (course_root() / "pyproject.toml").read_text(encoding="utf-8")
    (contract,) = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    return [{name.strip() for name in layer.split("|")} for layer in contract["layers"]]


def test_every_room_leans_only_on_the_rooms_below_it(monkeypatch, capsys):
    monkeypatch.chdir(course_root())
    broken = lint_imports(no_cache=True)
    assert not broken, capsys.readouterr().out


def test_every_module_has_its_place_in_the_drawing():
    placed = set().union(*layers())
    for module in pkgutil.walk_packages(course_utils.__path__, "course_utils."):
        parents = [module.name.rsplit(".", k)[0] for k in range(module.name.count("."))]
        inside = {module.name, *parents} & placed
        is_folder = any(name.startswith(f"{module.name}.") for name in placed)
        assert inside or is_folder, f"{module.name} stands in no layer of pyproject.toml"


def test_a_lessons_modules_know_no_other_lesson(graph):
    lessons = {name for name in graph.modules if LESSON.match(name)}
    assert lessons
    for name in lessons:
        known = graph.find_modules_directly_imported_by(name) & lessons
        assert {other[-2:] for other in known} <= {name[-2:]}, (name, known)


def test_what_lessons_share_knows_no_lesson(graph):
    shared = {n for n in graph.modules if not LESSON.match(n)}
    for name in shared:
        assert not any(map(LESSON.match, graph.find_modules_directly_imported_by(name))), name
