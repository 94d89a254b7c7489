"""`board`: what a learner has done so far, lesson by lesson, and how near their guesses were."""

import html
from collections import Counter

from matplotlib.figure import Figure

from course_utils import progress
from course_utils.display import PALETTE, display_html, image_tag
from course_utils.exercises import declared
from course_utils.exercises.quiz import count_right, load, quiz_file
from course_utils.exercises.telling import announce
from course_utils.lessons import guesses, titles

FARTHEST = 5  # units; a guess that is farther off is drawn at the edge
HEAD = ("lesson", "exercises solved", "guesses made", "of these near", "quiz right")


def board() -> None:
    """Show what is solved, guessed and answered, and a figure of how near the guesses were."""
    done = progress.entries()
    if done == progress.Progress():
        announce(
            "Your board",
            "It is empty so far. It will show, lesson by lesson, which exercises you solved, how "
            f"near your guesses were, and what of the quizzes you got right. {_kept()}",
        )
        return
    rows = _rows(done)
    text = "\n".join(" | ".join(row) for row in (HEAD, *rows))
    markup, alt = _table(rows), ""
    if settled := _settled(done):
        alt = distances_in_words(settled)
        markup += image_tag(distances(settled), alt, palette=True)
    display_html(f"{markup}<p>{html.escape(_kept())}</p>", "\n".join([text, alt, _kept()]))


def _kept() -> str:
    if progress.lasts():
        return "All of it stays in one small file on your machine."
    if progress.on_colab():
        return (
            "All of it ends with this session: on Colab, mount your Drive before the first lesson "
            "to keep it (the folder symbol on the left, then the Drive symbol)."
        )
    return "All of it ends with this session."


# --- the table -------------------------------------------------------------------------------


def _rows(done: progress.Progress) -> list[tuple[str, ...]]:
    """A row for each lesson that has something to do, in the order of reading, and their sum."""
    exercises, asked_in = exercises_by_lesson(), guesses()
    rows, totals = [], Counter()
    for number, title in titles().items():
        names, asked, path = exercises[number], asked_in.get(number, ()), quiz_file(number)
        questions = load(path) if path.exists() else []
        made = [done.guesses[name] for name in asked if name in done.guesses]
        made = [guess for guess in made if guess.answer is not None]
        counts = {
            "solved": (len({*names} & {*done.solved}), len(names)),
            "made": (len(made), len(asked)),
            "near": (sum(bool(guess.near) for guess in made), len(made)),
            "quiz": (count_right(done.quiz.get(number, ""), questions), len(questions)),
        }
        if any(of for _, of in counts.values()):
            rows.append((f"{number} {title}", *(_of(*pair) for pair in counts.values())))
            for key, (some, of) in counts.items():
                totals.update({key: some, f"{key} of": of})
    keys = ("solved", "made", "near", "quiz")
    rows.append(("all", *(_of(totals[key], totals[f"{key} of"]) for key in keys)))
    return rows


def _of(some: int, of: int) -> str:
    return f"{some} of {of}" if of else ""


def exercises_by_lesson() -> dict[str, list[str]]:
    """The names of the exercises of each lesson, by its number; an empty list where it has none."""
    found: dict[str, list[str]] = {number: [] for number in titles()}
    for name, module in declared().items():
        found[module.removeprefix("lesson")].append(name)
    return found


def _table(rows: list[tuple[str, ...]]) -> str:
    head, body = _row(HEAD, "th"), "".join(_row(row, "td") for row in rows)
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


def _row(texts: tuple[str, ...], tag: str) -> str:
    left = f'<{tag} style="text-align: left">'
    return f"<tr>{''.join(f'{left}{html.escape(text)}</{tag}>' for text in texts)}</tr>"


# --- the figure ------------------------------------------------------------------------------


def _settled(done: progress.Progress) -> list[tuple[str, str, float]]:
    """(lesson, name, distance in units of *near*) of each settled guess that is a number."""
    found = []
    for number, names in guesses().items():
        for name in names:
            guess = done.guesses.get(name)
            if guess and guess.unit and isinstance(guess.answer, int | float):
                found.append((number, name, (guess.answer - guess.came) / guess.unit))
    order = [*titles()]
    return sorted(found, key=lambda entry: order.index(entry[0]))


def distances(settled: list[tuple[str, str, float]]) -> Figure:
    """A dot for each guess: how far from the result, in units of what counts as near."""
    counts, drawn = Counter(lesson for lesson, _, _ in settled), Counter()
    lessons = [*counts]
    figure = Figure(figsize=(7, 0.9 + 0.35 * len(lessons)), layout="constrained")
    axes = figure.subplots()
    axes.axvspan(-1, 1, color=PALETTE["both"], alpha=0.2, linewidth=0)
    for lesson, _, distance in settled:
        near, beyond = abs(distance) <= 1, abs(distance) > FARTHEST
        marker = ("<" if distance < 0 else ">") if beyond else "o"
        drawn[lesson] += 1  # one below the other, so that equal distances do not hide each other
        height = lessons.index(lesson) + 0.8 * (drawn[lesson] / (counts[lesson] + 1) - 0.5)
        axes.plot(
            min(max(distance, -FARTHEST), FARTHEST), height, marker, alpha=0.8,
            color=PALETTE["both" if near else "text"], fillstyle="full" if near else "none",
        )  # fmt: skip
    axes.set_yticks(range(len(lessons)), lessons)
    axes.set_ylim(len(lessons) - 0.5, -0.5)
    axes.set_xlim(-FARTHEST - 0.4, FARTHEST + 0.4)
    axes.set_xlabel("guess minus result, in units of what counts as near (green: near)")
    axes.set_ylabel("lesson")
    return figure


def distances_in_words(settled: list[tuple[str, str, float]]) -> str:
    """What ``distances`` shows: how many were near, how many too low and too high, and which."""
    near = sum(abs(distance) <= 1 for _, _, distance in settled)
    low = sum(distance < -1 for _, _, distance in settled)
    count = f"{len(settled)} guesses" if len(settled) > 1 else "one guess"
    each = "; ".join(f"{name} ({lesson}) {distance:+.1f}" for lesson, name, distance in settled)
    return (
        f"Of {count}, {near} near, {low} too low, {len(settled) - near - low} too high. "
        f"Distances in units of what counts as near: {each}."
    )
