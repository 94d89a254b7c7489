"""`quiz`: the questions at the end of a lesson, where every option says why it is right or wrong.

A quiz is one file, ``data/quizzes/NN.json``. In a notebook it becomes plain HTML: each option is
a ``<details>`` that opens without a script. So it also works in a notebook that is not trusted, on
an exported page and by keyboard, and its stored output is the same in every build. In a terminal
it is the questions and their options alone; typed answers bring the reasons.
"""

import json
import operator
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_utils import progress
from course_utils.display import PALETTE, display_html
from course_utils.environment import course_root
from course_utils.exercises.telling import announce, marked_up

_LETTERS = "ABCD"
_VERDICT = {True: "Right.", False: "Not quite."}
_QUESTION_KEYS = {"question": str, "options": list}
_OPTION_KEYS = {"text": str, "right": bool, "why": str}
_JSON = {str: "a string", list: "a list", bool: "true or false"}


@dataclass(frozen=True)
class Option:
    """One answer to choose, and the reason why it is right or wrong."""

    text: str
    right: bool
    why: str


@dataclass(frozen=True)
class Question:
    """A question and its three or four options, exactly one of them right."""

    text: str
    options: tuple[Option, ...]


def quiz(lesson: str | int, answers: str = ...) -> None:
    """Show the quiz of a lesson, given by its number, such as ``"04"``; or judge answers to it.

    lesson: a number; or a name such as ``"00_know"``, a self-test, which the ``board`` leaves out.
    answers: a letter for each question, in order, such as ``"b c a d"``; a dash where you have
        none. The first that you give to a lesson's quiz count on the ``board``.

    Raises ValueError, in a sentence that names the file and the question, if the file is faulty.
    """
    path = quiz_file(lesson)
    if not path.exists():
        there = ", ".join(file.stem for file in sorted(path.parent.glob("[0-9][0-9].json")))
        have = f"There are quizzes for the lessons {there}." if there else "There are none here."
        announce("No quiz to show", f"Lesson `{lesson}` has no quiz in this copy. {have}")
        return
    questions = load(path)
    call = f'quiz("{path.stem}", "a c b ...")'
    if answers is ...:
        asked = f"Choose first, and type a letter for each question: `{call}`."
        display_html(f"<p>{marked_up(asked)}</p>{as_html(questions)}", as_text(questions, asked))
        return
    try:
        letters = letters_of(answers, questions)
    except ValueError as problem:
        announce("These are no answers", f"{problem} Type one letter a question: `{call}`.")
        return
    _judge(path.stem, letters, questions)


def letters_of(answers: str, questions: list[Question]) -> str:
    """What was typed as one small letter (or a dash) for each question, ``"bca-"``.

    Blanks, commas and capitals do not matter. Raises ValueError, in a sentence, for all else.
    """
    if not isinstance(answers, str):
        raise ValueError("Answers are letters between quotation marks.")
    letters = re.sub(r"[\s,;.]", "", answers).lower()
    if len(letters) != len(questions):
        some = f"{len(letters)} answer{'' if len(letters) == 1 else 's'}"
        raise ValueError(f"There are {len(questions)} questions, and you gave {some}.")
    for number, (letter, question) in enumerate(zip(letters, questions, strict=True), start=1):
        offered = _LETTERS[: len(question.options)].lower()
        if letter not in f"-{offered}":
            choice = f"{', '.join(offered[:-1])} or {offered[-1]}"
            raise ValueError(f"Question {number} has the options {choice}, and no `{letter}`.")
    return letters


def right_letters(questions: list[Question]) -> str:
    """The letters of the right options, ``"bcad"``."""
    places = ([option.right for option in q.options].index(True) for q in questions)
    return "".join(_LETTERS[place].lower() for place in places)


def count_right(letters: str, questions: list[Question]) -> int:
    """How many of these letters are those of the right options."""
    return sum(map(operator.eq, letters, right_letters(questions)))


def _judge(name: str, letters: str, questions: list[Question]) -> None:
    heading = f"{count_right(letters, questions)} of {len(questions)} right"
    said = _recorded(name, letters, questions)
    html_parts, text_parts = [], [f"{heading}. {said}"]
    for label, verdict, why in _verdicts(letters, questions):
        html_parts.append(f"<p><b>{label} {verdict}</b> {marked_up(why)}</p>")
        text_parts.append(_wrapped(f"{label} ", f"{verdict} {why}"))
    markup = f"<p><b>{heading}.</b> {marked_up(said)}</p>{''.join(html_parts)}"
    display_html(f'<div style="max-width: 50em">{markup}</div>', "\n".join(text_parts))


def _recorded(name: str, letters: str, questions: list[Question]) -> str:
    """Keep the answers to a lesson's quiz, and say in a sentence which of them count."""
    if not name.isdigit():
        return "This test is for you alone: the board does not count it."
    first = progress.record_quiz(name, letters)
    if first == letters:
        return "These answers count on your board."
    count = f"{count_right(first, questions)} right"
    return f"Your first answers count on your board: `{' '.join(first)}`, {count}."


def _verdicts(letters: str, questions: list[Question]) -> Iterator[tuple[str, str, str]]:
    """For each answer: its label such as "3 B.", whether it is right, and why."""
    for number, (letter, question) in enumerate(zip(letters, questions, strict=True), start=1):
        if letter == "-":
            yield f"{number}.", "No answer.", question.text
        else:
            option = question.options[_LETTERS.lower().index(letter)]
            yield f"{number} {letter.upper()}.", _VERDICT[option.right], option.why


def quiz_file(lesson: str | int) -> Path:
    """Where the quiz of a lesson lies: ``data/quizzes/04.json`` for 4 and for "04"."""
    return course_root() / "data" / "quizzes" / f"{lesson:0>2}.json"


# --- reading ---------------------------------------------------------------------------------


def load(path: Path) -> list[Question]:
    """The questions in a quiz file.

    Raises ValueError, in a sentence that says which file, which question and what to do.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise ValueError(f"{path.name}: this is not UTF-8; save it as UTF-8.") from None
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path.name}, line {error.lineno}: this is not JSON ({error.msg}); mend the line."
        ) from None
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{path.name}: a quiz is a list of questions; write [{{...}}, {{...}}].")
    return [
        _question(entry, f"{path.name}, question {number}")
        for number, entry in enumerate(entries, start=1)
    ]


def _question(entry: Any, place: str) -> Question:
    _expect(entry, _QUESTION_KEYS, place)
    if len(entry["options"]) not in (3, 4):
        raise ValueError(f"{place}: {len(entry['options'])} options; write three or four.")
    options = tuple(
        _option(option, f"{place}, option {letter}")
        for letter, option in zip(_LETTERS, entry["options"], strict=False)
    )
    right = sum(option.right for option in options)
    if right != 1:
        raise ValueError(f"{place}: {right} options are right; make it exactly one.")
    return Question(entry["question"], options)


def _option(entry: Any, place: str) -> Option:
    _expect(entry, _OPTION_KEYS, place)
    return Option(**entry)


def _expect(entry: Any, keys: dict[str, type], place: str) -> None:
    """Stop unless ``entry`` is a dict of exactly these keys, of these types, none of them empty."""
    if not isinstance(entry, dict):
        raise ValueError(f"{place}: write a dict with the keys {', '.join(keys)}.")
    for key in [*keys, *entry]:
        if key not in entry:
            raise ValueError(f"{place}: `{key}` is missing; add it.")
        if key not in keys:
            raise ValueError(f"{place}: `{key}` is unknown; use only {', '.join(keys)}.")
        if not isinstance(entry[key], keys[key]):
            raise ValueError(f"{place}: `{key}` must be {_JSON[keys[key]]} in JSON; change it.")
        if isinstance(entry[key], str) and not entry[key].strip():
            raise ValueError(f"{place}: `{key}` is empty; write a sentence.")


# --- showing ---------------------------------------------------------------------------------


def as_html(questions: list[Question]) -> str:
    """The quiz as HTML: a paragraph for each question, a ``<details>`` for each option.

    The words "Right" and "Not quite" tell the answers apart; the edge's colour repeats them.
    """
    parts = ["<p>Each option opens, and says whether it is right, and why.</p>"]
    for number, question in enumerate(questions, start=1):
        options = zip(_LETTERS, question.options, strict=False)
        parts.append(
            f'<div style="margin-bottom: 1.5em"><p><b>Question {number}.</b>'
            f" {marked_up(question.text)}</p>"
            f"{''.join(_details(letter, option) for letter, option in options)}</div>"
        )
    return f'<div style="max-width: 50em">{"".join(parts)}</div>'


def _details(letter: str, option: Option) -> str:
    verdict, colour = _VERDICT[option.right], "both" if option.right else "text"
    return (
        f'<details style="margin: 0.3em 0 0.3em 1em"><summary>{letter}. {marked_up(option.text)}'
        f'</summary><div style="border-left: 4px solid {PALETTE[colour]}; padding-left: 0.6em;'
        f' margin: 0.3em 0 0.6em 1.2em"><b>{verdict}</b> {marked_up(option.why)}</div></details>'
    )


def as_text(questions: list[Question], asked_first: str = "") -> str:
    """The quiz in plain text: questions and lettered options, and nothing that gives them away.

    A terminal has nothing to open, so the reasons come with the verdict on typed answers.
    """
    lines = [asked_first, ""] if asked_first else []
    for number, question in enumerate(questions, start=1):
        lines.append(_wrapped(f"{number}. ", question.text))
        for letter, option in zip(_LETTERS, question.options, strict=False):
            lines.append(_wrapped(f"   {letter}. ", option.text))
        lines.append("")
    return "\n".join(lines).rstrip("\n")


def _wrapped(label: str, text: str) -> str:
    return textwrap.fill(text, 88, initial_indent=label, subsequent_indent=" " * len(label))
