"""`guess` and `settle`: an answer that is typed before the result, and what came of it.

The first guess counts, if it is made before the result is shown; both are kept on the learner's
machine (``course_utils.progress``). A guess is a number, or one of a few words.
"""

import math
import numbers
from collections.abc import Sequence
from typing import Any

from course_utils import progress
from course_utils.exercises.difference import shorten
from course_utils.exercises.telling import announce

SHARE_NEAR = 0.05  # the greatest difference that counts as near, for results between 0 and 1
OTHER_NEAR = 0.1  # the same for other results, as a part of the result


class _Unusable(Exception):
    """What was typed is no guess; the message is a sentence that says what to type."""


def guess(name: str, answer: Any = ..., options: Sequence[str] = ()) -> None:
    """Keep what you expect, before you run the cell that shows it.

    name: of this guess, as ``settle`` calls it.
    answer: a number, or one of ``options``; with the dots left in place nothing is kept.
    options: the words to choose from; where there are none, a number is asked for.
    """
    asked = f"one of {_listed(options)}" if options else "a number"
    if answer is ...:
        announce(
            "No guess yet",
            f"Put {asked} in place of the dots, and run this cell; the cells below run without.",
        )
        return
    try:
        typed = _word(answer, options) if options else _typed_number(answer)
    except _Unusable as problem:
        announce("No guess yet", f"{problem} Put {asked} in its place, and run this cell again.")
        return
    _confirm(typed, progress.record_guess(name, typed))


def _confirm(typed: float | str, kept: progress.Guess) -> None:
    if kept.answer == typed:
        announce(f"Your guess: {_shown(typed)}", "Now run on, and see.", colour="both")
    elif kept.answer is None:
        announce(
            f"A later guess: {_shown(typed)}",
            "The result was shown before you guessed, so this guess does not count.",
        )
    else:
        announce(
            f"A later guess: {_shown(typed)}", f"Your first one, {_shown(kept.answer)}, counts."
        )


def settle(name: str, value: Any, near: float | None = None) -> None:
    """Show what was guessed under this name, what came, and whether that is near.

    value: the result: a number (a tensor or an array that holds one will do), or a word, or True
        or False where one guesses between two words such as yes and no.
    near: the greatest difference that counts as near; by default 0.05 for a result between 0 and 1,
        else a tenth of the result. For words only the same word counts.
    """
    try:
        came = _result(value)
    except _Unusable as problem:
        announce(f'Nothing to settle for "{name}"', str(problem), colour="highlight")
        return
    unit = None if isinstance(came, str) else _unit(came, near)
    first = progress.entries().guesses.get(name, progress.Guess()).answer
    hit = None if first is None else _is_near(first, came, unit)
    kept = progress.record_settled(name, came, hit, unit)
    heading = f'"{name}" came out as {_shown(came, unit)}'
    if kept.answer is None:
        announce(heading, "There was no guess before it was shown.")
        return
    announce(
        heading, " ".join(_compared(kept, came, hit, unit)), colour="both" if hit else "highlight"
    )


def _compared(kept: progress.Guess, came: float | str, hit: bool, unit: float | None) -> list[str]:
    """Sentences on a guess beside what came."""
    said = [f"You guessed {_shown(kept.answer)}"]
    if isinstance(kept.answer, str) or unit is None:
        said[0] += ": right." if hit else ", and it is not so."
    elif hit:
        said[0] += ": near."
    else:
        away = _shown(abs(kept.answer - came), unit)
        said[0] += f", {away} away; what is at most {_shown(unit)} away counts as near."
        if 0 <= came <= 1 < kept.answer <= 100:
            said.append(f"If you meant {kept.answer:g} %, type {kept.answer / 100:g} next time.")
    if kept.later is not None:
        said.append(f"(Your later guess, {_shown(kept.later)}, does not count.)")
    return said


# --- numbers and words -----------------------------------------------------------------------


def _typed_number(answer: Any) -> float:
    if isinstance(answer, str):
        raise _Unusable(f"{_code(answer)} is text: write the number without quotation marks.")
    if isinstance(answer, tuple):
        raise _Unusable(f"{_code(answer)} is two things or more: is a comma there for a point?")
    number = _number(answer)
    if number is None:
        raise _Unusable(f"{_code(answer)} is no number.")
    return number


def _number(value: Any) -> float | None:
    """An int or a finite float, from anything that holds one number; None from all else."""
    value = _plain(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        number = int(value) if isinstance(value, numbers.Integral) else float(value)
        return number if math.isfinite(number) else None
    except OverflowError:
        return None


def _plain(value: Any) -> Any:
    """A tensor's or an array's one entry, as Python's own number; all else as it is."""
    try:
        return value.item()
    except Exception:  # no tensor, or more than one entry
        return value


def _word(answer: Any, options: Sequence[str]) -> str:
    known = {_bare(option): option for option in options}
    for word in _words(_plain(answer)):
        if word in known:
            return known[word]
    raise _Unusable(f"{_code(answer)} is none of these.")


def _words(value: Any) -> tuple[str, ...]:
    """The words that a value stands for, without capitals and blanks around."""
    if isinstance(value, bool):
        return ("yes", "true") if value else ("no", "false")
    return (_bare(value if isinstance(value, str) else shorten(value)),)


def _bare(word: str) -> str:
    return " ".join(word.split()).casefold()


def _result(value: Any) -> float | str:
    value = _plain(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    number = _number(value)
    if number is None:
        raise _Unusable(f"The result is {_code(value)}, neither a number nor a word.")
    return number


def _unit(came: float, near: float | None) -> float:
    if near is not None:
        return near
    return SHARE_NEAR if 0 <= came <= 1 else OTHER_NEAR * abs(came)


def _is_near(guessed: float | str, came: float | str, unit: float | None) -> bool:
    if isinstance(guessed, str) or isinstance(came, str):
        truths = {"yes": True, "no": False}
        return _bare(str(guessed)) in _words(truths.get(came, str(came)))
    # A difference of exactly the unit counts, whatever floats make of 0.55 - 0.5.
    return abs(guessed - came) <= unit * (1 + 1e-9)


def _code(value: Any) -> str:
    return f"`{shorten(value)}`"


def _listed(options: Sequence[str]) -> str:
    return ", ".join(f'`"{option}"`' for option in options)


def _shown(value: float | str, unit: float | None = None) -> str:
    """A number with as many decimals as its unit calls for; a word as it is."""
    if isinstance(value, str):
        return value
    if abs(value) >= 1e15:
        return f"{value:g}"
    if isinstance(value, int):
        return f"{value:,}"
    if not unit:
        return f"{value:,g}"
    decimals = max(0, -math.floor(math.log10(unit)))
    return f"{value:,.{decimals}f}" if decimals <= 6 else f"{value:.3g}"
