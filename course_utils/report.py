"""The report on a trained classifier: one HTML page that needs no network and no script.

``findings`` measures; this file says it, in words that are made from the numbers. Whatever comes
from the data (class names, texts, file names, remarks) is escaped, and stands in ``<bdi>``, so that
a title in Arabic does not turn the sentence around it.
"""

import base64
import html
import io
import math
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image

from course_utils.data.readers import ImageReader, as_texts
from course_utils.data.rows import column_of
from course_utils.display import PALETTE, confusion_figure, image_tag
from course_utils.findings import CurvePoint, Findings, Gain, Line
from course_utils.measures import (
    class_scores,
    expected_calibration_error,
    macro_f1,
    paired_gain,
    reliability,
)

COLOURS = {"majority": PALETTE["majority"], "linear": PALETTE["text"],
           "network": PALETTE["image"], "fusion": PALETTE["both"]}  # fmt: skip
CARDS = 24  # of errors
FEW_REMARKS = 12
STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto;
  padding: 1rem; overflow-wrap: anywhere;
  background: light-dark(#fff, #16181c); color: light-dark(#1b1b1b, #e8e8e8); }
a { color: light-dark(#0b57a4, #8ab8f0); }
h1 { font-size: 1.7rem; line-height: 1.25; margin-bottom: 0.3rem; }
h2 { font-size: 1.25rem; margin-top: 2.5rem; border-top: 1px solid var(--line);
  padding-top: 1rem; }
nav ol { columns: 2; padding-left: 1.4rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.75rem; border-bottom: 1px solid var(--line); text-align: right;
  vertical-align: top; overflow-wrap: normal; }
th { font-weight: 600; }
th[scope=row], th:first-child { text-align: left; }
.words { display: block; text-align: left; }
tr.chosen { background: var(--soft); font-weight: 600; }
p.caption { margin-bottom: 0.2rem; font-size: 0.92rem; opacity: 0.85; }
figure { margin: 1rem 0; } figure img { background: #fff; border-radius: 6px; padding: 4px;
  height: auto; box-sizing: border-box; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr));
  gap: 0.8rem; padding: 0; list-style: none; }
.cards li { border: 1px solid var(--line); border-radius: 6px; padding: 0.5rem;
  font-size: 0.85rem; overflow-wrap: anywhere; }
.cards img { width: 100%; aspect-ratio: 1; object-fit: contain; background: #fff; }
.quiet { opacity: 0.8; font-size: 0.92rem; }
pre { background: var(--soft); padding: 0.7rem; white-space: pre-wrap; border-radius: 6px; }
"""


class Section(NamedTuple):
    """A part of the page: what links call it, its title, and its HTML."""

    name: str
    title: str
    body: str


def write_report(path: str | Path, found: Findings, title: str = "") -> Path:
    """Write the page, under another name first, and return its path."""
    path = Path(path)
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        part.write_text(page(found, title), encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def page(found: Findings, title: str = "") -> str:
    """The whole page as HTML. title: what was classified, such as the name of the folder."""
    sections = [
        what_was_read(found),
        fair_table(found),
        what_was_tried(found),
        by_class(found),
        errors(found),
        calibration(found),
        modalities(found),
        more_rows(found),
        use(found),
    ]
    sections = [section for section in sections if section.body]
    links = "".join(f'<li><a href="#{one.name}">{one.title}</a></li>' for one in sections)
    bodies = "".join(
        f'<section aria-labelledby="{one.name}"><h2 id="{one.name}">{one.title}</h2>'
        f"{one.body}</section>"
        for one in sections
    )
    heading = f"Report on {said(title)}" if title else "Report on a classifier"
    plain = f"Report on {title}" if title else "Report on a classifier"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(_printable(plain))}</title><style>{STYLE}</style></head><body>"
        f"<header><h1>{heading}</h1>{in_short(found)}</header>"
        f'<nav aria-label="Contents"><ol>{links}</ol></nav><main>{bodies}</main></body></html>\n'
    )


# --- pieces ---------------------------------------------------------------------------------------


def said(text: Any) -> str:
    """Text of the data, for HTML: escaped, and set apart from the direction of what surrounds."""
    return f"<bdi>{html.escape(_printable(str(text)))}</bdi>"


def model_name(name: str) -> str:
    """The name of a line of the fair table, as it stands in a sentence."""
    return f"<em>{said(name)}</em>"


def _printable(text: str) -> str:
    """Without what HTML may not hold: half characters, and signs that steer a terminal."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(sign if sign >= " " or sign in "\t\n" else "\N{REPLACEMENT CHARACTER}"
                   for sign in text)  # fmt: skip


def paragraph(*sentences: str, quiet: bool = False) -> str:
    """Sentences, HTML already, as a paragraph; empty ones are left out."""
    whole = " ".join(sentence for sentence in sentences if sentence)
    return f"<p{' class=quiet' * quiet}>{whole}</p>" if whole else ""


def table(
    head: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "", chosen: Any = None
) -> str:
    """An HTML table: the first cell of each row is its name; cells are HTML already.

    chosen: the first cell of the row that is set off.
    """
    heads = "".join(f'<th scope="col">{name}</th>' for name in head)
    lines = []
    for name, *cells in rows:
        mark = ' class="chosen"' if chosen is not None and name == chosen else ""
        others = "".join(f"<td>{cell}</td>" for cell in cells)
        lines.append(f'<tr{mark}><th scope="row">{name}</th>{others}</tr>')
    # Not as <caption>, which would be as narrow as the table.
    title = f"<p class=caption>{caption}</p>" if caption else ""
    name = f' aria-label="{html.escape(re.sub("<[^>]*>", "", caption), quote=True)}"'
    return (
        f'{title}<div class="wide"><table{name * bool(caption)}><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def figure(drawn: Figure, alt: str, caption: str = "") -> str:
    """A figure with its PNG inside the page."""
    below = f"<figcaption class=quiet>{caption}</figcaption>" if caption else ""
    return f"<figure>{image_tag(drawn, _printable(alt), palette=True)}{below}</figure>"


def number(value: float, digits: int = 3) -> str:
    """A share with three digits; nothing for what was not measured."""
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def signed(value: float) -> str:
    """A difference with its sign."""
    return f"{value:+.3f}".replace("-", "−")


def interval(low: float, high: float, form: Any = number) -> str:
    """Two ends of an interval."""
    return f"{form(low)} to {form(high)}"


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _rows_of(count: int) -> str:
    return _count(count, "row")


# --- the page's parts -----------------------------------------------------------------------------


def in_short(found: Findings) -> str:
    """The result in two or three sentences."""
    line, classes = found.chosen, len(found.classifier.classes)
    low, high = line.interval
    majority = found.lines[0].accuracy
    first = (
        f"The chosen model ({model_name(line.name)}) names the right one of {classes} classes in "
        f"<strong>{line.accuracy:.3f}</strong> of {_rows_of(len(line.right))} kept for testing "
        f"(95 % interval {interval(low, high)}); always naming the commonest class is right in "
        f"{majority:.3f}."
    )
    return paragraph(first, *(gain_sentence(gain) for gain in found.gains))


def gain_sentence(gain: Gain) -> str:
    """What a paired gain says, in words."""
    numbers = f"{signed(gain.gain)}, 95 % interval {interval(gain.low, gain.high, signed)}"
    if gain.low > 0:
        return f"It is better than {model_name(gain.over)} ({numbers})."
    if gain.high < 0:
        return f"It is <strong>worse</strong> than {model_name(gain.over)} ({numbers})."
    return f"Whether it is better than {model_name(gain.over)} these rows cannot say ({numbers})."


def what_was_read(found: Findings) -> Section:
    """Rows by class and split, what was left out, remarks."""
    classes = found.classifier.classes
    counts = {split: np.bincount(np.asarray(rows["label"], dtype=int), minlength=len(classes))
              for split, rows in found.rows.items()}  # fmt: skip
    body = table(
        ["class", *counts, "all"],
        [
            *([said(name), *(f"{c[k]:,}" for c in counts.values()),
               f"{sum(int(c[k]) for c in counts.values()):,}"] for k, name in enumerate(classes)),
            ["all", *(f"{c.sum():,}" for c in counts.values()),
             f"{sum(int(c.sum()) for c in counts.values()):,}"],
        ],
        "Rows by class and split. Training rows teach, validation rows choose, test rows judge.",
    )  # fmt: skip
    return Section("read", "What was read", body + _left_out(found) + _remarks(found))


def _left_out(found: Findings) -> str:
    skipped = found.rows["train"].skipped
    if not skipped:
        return paragraph("No row of the table was left out.")
    more = len(skipped) - FEW_REMARKS
    sentences = [said(row.sentence) for row in skipped[:FEW_REMARKS]]
    sentences += [f"and {more:,} more"] * (more > 0)
    items = "".join(f"<li>{sentence}</li>" for sentence in sentences)
    return paragraph(f"{said(skipped)}.") + f"<ul>{items}</ul>"


def _remarks(found: Findings) -> str:
    remarks = getattr(found.rows["train"], "remarks", [])
    items = "".join(f"<li>{said(remark)}</li>" for remark in remarks[:FEW_REMARKS])
    return f"<p>Worth a look before you believe the numbers:</p><ul>{items}</ul>" if items else ""


def fair_table(found: Findings) -> Section:
    """Every model on the same test rows, with intervals, and the paired gains."""
    label, classes = found.label, len(found.classifier.classes)
    rows = [
        [said(line.name), number(line.accuracy), interval(*line.interval), number(line.validation)]
        for line in found.lines
    ]
    rows += [[said(name), "", "", number(value)] for name, value in other_fusions(found).items()]
    caption = f"Accuracy on the same {_rows_of(len(label))} kept for testing, which chose nothing."
    body = table(["model", "test", "95 % interval", "validation"], rows, caption,
                 said(found.chosen.name))  # fmt: skip
    alt = "Accuracy on the test rows: " + "; ".join(
        f"{line.name} {line.accuracy:.2f}" for line in found.lines
    )
    body += figure(interval_figure(found.lines), alt)
    f1 = macro_f1(found.predicted, label, classes)
    body += paragraph(
        f"The mean F1 over classes, which counts rare classes like common ones, is {f1:.3f}.",
        "Intervals of accuracies are Wilson's (1927), the interval for a share; gains are paired, "
        "row by row, with a normal approximation, against the rival that the validation rows "
        "prefer. Both say what other test rows of the same kind would change, not what another "
        "seed of the training would. "
        "Linear models: TF-IDF and main directions of the pictures with logistic regression, "
        "tuned on the validation rows as the networks are. What was chosen on validation rows "
        "looks better there than it is. Fusions that were not chosen were not asked on test rows.",
        quiet=True,
    )
    return Section("table", "How good it is: the fair table", body)


def other_fusions(found: Findings) -> dict[str, float]:
    """{name: validation accuracy} of the fusions that were not chosen: no test row was asked."""
    tried = found.classifier.details.get("tried", [])
    fusions = {f"not chosen: {str(line['settings']).removeprefix('fusion ')}": line
               for line in tried if line.get("part") == "fusion"}  # fmt: skip
    chosen = found.chosen.name.split(": ")[-1]
    return {name: line["validation accuracy"] for name, line in fusions.items()
            if name != f"not chosen: {chosen}"}  # fmt: skip


def interval_figure(lines: Sequence[Line]) -> Figure:
    """Accuracies as points with their intervals, one line below the other."""
    drawn = Figure(figsize=(7, 0.6 + 0.32 * len(lines)), layout="constrained")
    axes = drawn.subplots()
    for place, line in enumerate(lines):
        low, high = line.interval
        axes.plot([low, high], [place, place], color=COLOURS[line.kind], linewidth=2)
        axes.plot(line.accuracy, place, "o", color=COLOURS[line.kind])
    axes.set_yticks(range(len(lines)), [line.name for line in lines])
    axes.invert_yaxis()
    axes.set(xlabel="accuracy on the test rows, 95 % interval")
    axes.grid(axis="x", alpha=0.3)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    return drawn


def what_was_tried(found: Findings) -> Section:
    """The settings that were tried, in their order, and how one of them was chosen."""
    tried = found.classifier.details.get("tried", [])
    if not tried:
        return Section("tried", "", "")
    columns = [name for name in tried[0] if any(line.get(name) is not None for line in tried)]
    rows = [[_value(line.get(name)) for name in columns] for line in tried]
    choice = found.classifier.details.get("choice", "")
    return Section(
        "tried",
        "What was tried, and how it was chosen",
        table([said(name) for name in columns], rows,
              f"{_count(len(tried), 'model')}, judged on the validation rows.")
        + paragraph(
            f"{said(choice[:1].upper() + choice[1:])}." if choice else "",
            "What stands together for one modality, and which fusion joins them, was chosen by the "
            "log loss on the validation rows, a simpler fusion before a richer one that is not "
            "clearly better; the test rows had no say. The more is tried, the more the best "
            "validation accuracy flatters."
        ),
    )  # fmt: skip


def _value(value: Any) -> str:
    """A value of the table of what was tried, words to the left."""
    shown = said(_cell(value))
    return f"<span class=words>{shown}</span>" if isinstance(value, str) else shown


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4g}"
    return "" if value is None else str(value)


def by_class(found: Findings) -> Section:
    """Precision, recall and F1 of each class, and the confusions."""
    classes = found.classifier.classes
    scores = class_scores(found.predicted, found.label, len(classes))
    rows = [[said(name), f"{score.rows:,}", number(score.recall), number(score.precision),
             number(score.f1)] for name, score in zip(classes, scores, strict=True)]  # fmt: skip
    body = table(["class", "test rows", "recall", "precision", "F1"], rows,
                 "Recall: the share of a class's rows that were found. Precision: the share of "
                 "what was called so that is so.")  # fmt: skip
    common = confusions(found)
    told = "; ".join(f"{said(is_)} called {said(named)}, {count} times" for is_, named, count in
                     common[:5])  # fmt: skip
    alt = "Counts of true against predicted classes. " + (
        "; ".join(f"{is_} called {named} {count} times" for is_, named, count in common[:5])
        or "No row is wrong"
    )
    drawn = confusion_figure(found.predicted, found.label, [*map(_printable, classes)])
    body += figure(drawn, alt) + paragraph(f"Most common mistakes: {told}." if told else "")
    return Section("classes", "Which classes it finds, and what it takes them for", body)


def confusions(found: Findings) -> list[tuple[str, str, int]]:
    """Pairs (true class, named class, times) of mistakes, commonest first."""
    names = found.classifier.classes
    wrong = found.predicted != found.label
    pairs = torch.stack([found.label[wrong], found.predicted[wrong]], dim=1)
    if not len(pairs):
        return []
    which, counts = pairs.unique(dim=0, return_counts=True)
    order = counts.argsort(descending=True, stable=True)
    return [(names[which[k][0]], names[which[k][1]], int(counts[k])) for k in order.tolist()]


# --- the errors -----------------------------------------------------------------------------------


def errors(found: Findings) -> Section:
    """The surest mistakes as cards: picture, text, said, is, how sure."""
    sure = found.probabilities.max(dim=1).values
    wrong = (found.predicted != found.label).nonzero()[:, 0]
    order = wrong[sure[wrong].argsort(descending=True, stable=True)][:CARDS].tolist()
    if not order:
        return Section("errors", "Its mistakes", paragraph("No test row is wrong."))
    cards = "".join(_card(found, k, float(sure[k])) for k in order)
    first = (
        f"{_rows_of(len(wrong))} of {len(found.label):,} are wrong; the {len(order)} of which it "
        "was surest come first. Look for labels that are wrong themselves, for classes that "
        "overlap, and for what the model cannot see."
    )
    return Section("errors", "Its mistakes, the surest first",
                   f'{paragraph(first)}<ul class="cards">{cards}</ul>')  # fmt: skip


def _card(found: Findings, row: int, sure: float) -> str:
    names, test = found.classifier.classes, found.rows["test"]
    is_, named = names[int(found.label[row])], names[int(found.predicted[row])]
    text = next(iter(_texts(found, row)), "")
    picture = ""
    if isinstance(found.classifier.readers.get("image"), ImageReader):
        array = test[column_of(test, "image")][row]
        if array is not None:
            picture = _picture(array, f"a picture of the class {is_}")
    file = test["file"][row] if "file" in test else ""
    title = f' title="{html.escape(_printable(str(file)), quote=True)}"' if file else ""
    return (
        f"<li{title}>{picture}<div>said {said(named)} ({sure:.2f})<br>is "
        f"<strong>{said(is_)}</strong></div><div class=quiet>{said(_short(text))}</div></li>"
    )


def _texts(found: Findings, row: int) -> list[str]:
    reader, test = found.classifier.readers.get("text"), found.rows["test"]
    return [] if reader is None else as_texts([reader.cells(test, "text")[row]])


def _short(text: str, most: int = 140) -> str:
    return text if len(text) <= most else f"{text[:most].rstrip()}…"


def _picture(array: np.ndarray, alt: str) -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(array)).convert("RGB").save(buffer, "jpeg", quality=85)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (f'<img alt="{html.escape(_printable(alt), quote=True)}" '
            f'src="data:image/jpeg;base64,{data}">')  # fmt: skip


# --- how sure -------------------------------------------------------------------------------------


def calibration(found: Findings) -> Section:
    """Whether what it calls 0.8 is right in 0.8 of the cases."""
    confidence = found.probabilities.max(dim=1).values.double().mean().item()
    accuracy = found.chosen.accuracy
    error = expected_calibration_error(found.probabilities, found.label)
    low, high = found.chosen.interval
    word = "about as sure as it should be"
    if not low <= confidence <= high:
        word = "surer than it should be" if confidence > high else "less sure than it could be"
    body = paragraph(
        f"On average it gives the class that it names a probability of {confidence:.3f}, and is "
        f"right in {accuracy:.3f}: it is {word}.",
        f"The expected calibration error is {error:.3f}: by so much confidence and accuracy differ "
        "in a mean over 15 bins of confidence (Guo and others, On Calibration of Modern Neural "
        "Networks, ICML 2017). On few rows it is above 0 by chance.",
    )
    drawn, alt = reliability_figure(found)
    return Section("sure", "How sure it is: calibration", body + figure(drawn, alt))


def reliability_figure(found: Findings) -> tuple[Figure, str]:
    """Accuracy against confidence, by bin, and its alt text."""
    bins = reliability(found.probabilities, found.label)
    drawn = Figure(figsize=(4.6, 4.0), layout="constrained")
    axes = drawn.subplots()
    axes.plot([0, 1], [0, 1], ":", color="black", label="as sure as right")
    axes.plot([one.confidence for one in bins], [one.accuracy for one in bins], "-",
              color=PALETTE["both"], linewidth=1)  # fmt: skip
    most = max(one.rows for one in bins)
    axes.scatter([one.confidence for one in bins], [one.accuracy for one in bins],
                 [20 + 180 * one.rows / most for one in bins], color=PALETTE["both"],
                 label="test rows; larger: more of them")  # fmt: skip
    axes.set(xlabel="probability of the class that it names (mean of a bin)",
             ylabel="share that is right", xlim=(0, 1.02), ylim=(-0.02, 1.04))  # fmt: skip
    axes.legend(loc="upper left", frameon=False)
    alt = "Share that is right by confidence: " + "; ".join(
        f"{one.accuracy:.2f} at {one.confidence:.2f} ({one.rows} rows)" for one in bins
    )
    return drawn, alt


# --- what each modality is worth ------------------------------------------------------------------


def modalities(found: Findings) -> Section:
    """The drop for each modality that is shuffled, and what is left without it."""
    if not found.worth:
        return Section("worth", "", "")
    rows = [[said(one.modality), signed(-one.drop), interval(-one.high, -one.low, signed)]
            for one in found.worth]  # fmt: skip
    body = table(["modality", "accuracy changes by", "95 % interval"], rows,
                 "The chosen model, where one modality is taken from other test rows at random "
                 "(mean of five shuffles).")  # fmt: skip
    body += paragraph(*map(_worth_sentence, found.worth))
    if found.missing:
        rows = [[said(" and ".join(one.given)), number(one.told), said(_who(found, one.answer)),
                 number(one.accuracy)] for one in found.missing]  # fmt: skip
        body += table(
            ["given", "chosen model, told so", "who answers", "its accuracy"], rows,
            "Accuracy on the test rows where only this is given. Who answers was chosen on the "
            "validation rows; <code>predict</code> does as this table says.",
        )  # fmt: skip
    return Section("worth", "What each modality is worth", body)


def _worth_sentence(one: Any) -> str:
    if one.low > 0:
        return f"The model needs {model_name(one.modality)}."
    return (f"To shuffle {model_name(one.modality)} makes no difference that these rows can show: "
            "the model may hardly read it.")  # fmt: skip


def _who(found: Findings, name: str) -> str:
    return "the chosen model" if name == "chosen" else f"{name} alone"


# --- what more rows would bring -------------------------------------------------------------------


def more_rows(found: Findings) -> Section:
    """The learning curve, and its reading in a sentence."""
    curves: dict[str, list[CurvePoint]] = {}
    for point in found.curve:
        curves.setdefault(point.name, []).append(point)
    curves = {name: points for name, points in curves.items() if len(points) > 1}
    if not curves or len(found.label) < 2:
        return Section("more", "", "")
    counts = [point.rows for point in max(curves.values(), key=len)]
    rows = [
        [said(name), *(number(_accuracy_at(points, count)) for count in counts)]
        for name, points in curves.items()
    ]
    body = table(["model", *(f"{count:,}" for count in counts)], rows,
                 "Accuracy on the test rows by training rows, of each class the same share. The "
                 "short search trains the linear models and one network of each modality, at each "
                 "number anew, so it may end below the chosen model.")  # fmt: skip
    alt = "Accuracy by training rows. " + "; ".join(
        f"{name}: " + ", ".join(f"{p.right.double().mean():.2f} at {p.rows}" for p in points)
        for name, points in curves.items()
    )
    body += figure(curve_figure(curves), alt)
    items = "".join(f"<li>{reading(name, points)}</li>" for name, points in curves.items())
    body += f"<ul>{items}</ul>"
    return Section("more", "What more rows would bring: the learning curve", body)


def _accuracy_at(points: Sequence[CurvePoint], count: int) -> float:
    return next((p.right.double().mean().item() for p in points if p.rows == count), math.nan)


def reading(name: str, points: Sequence[CurvePoint]) -> str:
    """What the last step of a learning curve says, in words made from the numbers."""
    half, full = points[-2:]
    gain, low, high = paired_gain(full.right, half.right)
    step = (
        f"{model_name(name)}: from {half.rows:,} to {full.rows:,} training rows accuracy changes "
        f"by {signed(gain)} ({interval(low, high, signed)})"
    )
    if low > 0:
        return (f"{step}; more rows still help: to double them again would bring at most about as "
                "much once more.")  # fmt: skip
    if high < 0.01:
        return f"{step}; more rows of the same kind would hardly help: look for better inputs."
    return f"{step}; these test rows cannot say whether more rows would help."


def curve_figure(curves: dict[str, list[CurvePoint]]) -> Figure:
    """Accuracy against training rows, on a logarithmic axis, one line for each model."""
    drawn = Figure(figsize=(6, 3.4), layout="constrained")
    axes = drawn.subplots()
    for name, points in curves.items():
        kind = "linear" if name.startswith("linear") else "fusion"
        axes.plot([point.rows for point in points],
                  [point.right.double().mean().item() for point in points],
                  "s-" if kind == "linear" else "o-", color=COLOURS[kind], label=name)  # fmt: skip
    ticks = sorted({point.rows for points in curves.values() for point in points})
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{count:,}" for count in ticks])
    axes.minorticks_off()
    axes.set(xlabel="training rows (logarithmic)", ylabel="accuracy on the test rows")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return drawn


def use(found: Findings) -> Section:
    """How to ask the classifier, and what it was made with."""
    classifier = found.classifier
    options = {"image": "--image FILE", "text": '--text "SOME WORDS"'}
    asked = [options[name] for name in classifier.readers if name in options]
    asked += [f"--cell {name}=VALUE" for name in classifier.columns]
    command = " ".join(["python -m course_utils.classify predict model.pt", *asked])
    made = ", ".join(f"{name} {version}" for name, version in classifier.versions.items())
    return Section(
        "use",
        "Use it",
        f"<pre>{html.escape(_printable(command))}</pre>"
        + paragraph("Any part may be missing; one must be there.", said(classifier.about))
        + paragraph(said(f"Made with: {made}.") if made else "", quiet=True),
    )
