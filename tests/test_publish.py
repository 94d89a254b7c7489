"""One setting says where the course is public, and everything follows it."""

import re

import nbformat
import pytest

from course_utils import authoring
from course_utils.authoring import BuildError, build, drift, publish, read_course


@pytest.fixture
def published(built_toy, monkeypatch):
    def refuse(*_):
        raise AssertionError("a lesson was run")

    monkeypatch.setattr(authoring, "execute", refuse)
    publish(built_toy, "ada/course")
    return built_toy


def text_of(path):
    return path.read_text(encoding="utf-8")


def test_the_address_is_set_once(published):
    assert text_of(published / "pyproject.toml").count("ada/course") == 1
    assert read_course(published).repository == "ada/course"


def test_badges_bootstrap_and_readme_follow_the_address(published):
    for path in published.rglob("*.ipynb"):
        place = path.relative_to(published).as_posix()
        assert f"colab.research.google.com/github/ada/course/blob/main/{place}" in text_of(path)
        assert 'COURSE_ADDRESS = \\"https://github.com/ada/course\\"' in text_of(path)
    assert text_of(published / "README.md").count("/github/ada/course/blob/main/notebooks/") == 2
    assert drift(published) == []


def test_publishing_keeps_the_outputs(published):
    notebook = nbformat.read(published / "solutions" / "01_squares.ipynb", as_version=4)
    assert next(c for c in notebook.cells if "print(square" in c.source).outputs[0].text == "16\n"


def test_publishing_again_moves_everything(published):
    publish(published, "bob/class-2")
    assert not any("ada/course" in text_of(path) for path in published.rglob("*.*"))
    assert drift(published) == []


@pytest.mark.parametrize(
    "name", ["README.md", "notebooks/04_cubes.ipynb", "solutions/01_squares.ipynb"]
)
@pytest.mark.parametrize("part", ["colab.research.google.com/github/", "https://github.com/"])
def test_a_badge_or_address_that_does_not_follow_is_found(published, name, part):
    if name == "README.md" and part == "https://github.com/":
        pytest.skip("only notebooks hold the address to clone")
    path = published / name
    assert f"{part}ada/course" in text_of(path)
    changed = text_of(path).replace(f"{part}ada/course", f"{part}eve/course", 1)
    path.write_text(changed, encoding="utf-8")
    assert len(drift(published)) == 1


def test_an_address_set_by_hand_is_found_until_the_build_follows(published):
    path = published / "pyproject.toml"
    path.write_text(text_of(path).replace("ada/course", "eve/course"), encoding="utf-8")
    assert len(drift(published)) == 5
    build(published)
    assert drift(published) == []


@pytest.mark.parametrize("wrong", ["", "course", "https://github.com/ada/course", "a/b c", "a/b/c"])
def test_an_address_of_another_form_is_refused(built_toy, wrong):
    before = text_of(built_toy / "pyproject.toml")
    with pytest.raises(BuildError, match="REPO=owner/name"):
        publish(built_toy, wrong)
    assert text_of(built_toy / "pyproject.toml") == before


def test_every_badge_of_the_course_points_to_its_one_address(root):
    address = read_course(root).repository
    files = [root / "README.md", *(root / "notebooks").glob("*"), *(root / "solutions").glob("*")]
    for path in files:
        found = re.findall(r"colab\.research\.google\.com/github/([\w-]+/[\w.-]+)", text_of(path))
        assert set(found) <= {address}, path.name
