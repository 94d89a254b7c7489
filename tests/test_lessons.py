"""The file of lessons: order of reading, titles, and what is said about a faulty one."""

import subprocess
import sys

import pytest

from course_utils.authoring import read_course
from course_utils.lessons import reading_order, titles

LINE = '{{ number = "{}", title = "{}" }}'.format


@pytest.fixture
def written(tmp_path):
    """Write ``data/lessons.toml`` with this text and give the course's folder."""

    def write(text):
        (tmp_path / "data").mkdir()
        (tmp_path / "data/lessons.toml").write_text(text, encoding="utf-8")
        return tmp_path

    return write


def test_the_order_of_reading_is_that_of_the_file_and_not_of_the_numbers(written):
    root = written(f"lessons = [{LINE('06', 'Training')}, {LINE('02', 'Words')}]")
    assert reading_order(root) == ("06", "02")
    assert titles(root) == {"06": "Training", "02": "Words"}


def test_a_lesson_is_read_after_those_that_it_builds_on(root):
    order = reading_order()
    for lesson in read_course(root).lessons:
        place = order.index(lesson.number)
        assert {need[:2] for need in lesson.needs} <= set(order[:place]), lesson.stem
    assert order.index("06") < order.index("03"), "attention leans on gradients and cross-entropy"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("lessons = [", r"lessons\.toml: this is not TOML"),
        ('title = "Start here"', r"lessons\.toml: write a list"),
        ('lessons = ["Start here"]', r"lessons\.toml: write a list"),
        (f"lessons = [{LINE('00', 'Start')}, {LINE('1', 'Next')}]", "lesson 2 of the list: write"),
        ("lessons = [{ number = 10, title = 'Gates' }]", "lesson 1 of the list: write"),
        ("lessons = [{ number = '10' }]", "lesson 1 of the list: write"),
        (f"lessons = [{LINE('00', ' ')}]", "lesson 1 of the list: write"),
        (f"lessons = [{LINE('00', 'Start')}, {LINE('00', 'Again')}]", "lesson 00 stands twice"),
    ],
)
def test_a_faulty_file_is_told_in_a_sentence(written, text, sentence):
    with pytest.raises(ValueError, match=sentence) as raised:
        titles(written(text))
    assert "\n" not in str(raised.value)


def test_asking_for_the_order_loads_the_standard_library_alone(root):
    code = "import sys, course_utils.lessons; print(*{n.split('.')[0] for n in sys.modules})"
    run = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert set(run.stdout.split()) - {"course_utils", "__main__"} <= set(sys.stdlib_module_names)
