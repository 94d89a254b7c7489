"""What a learner reads: a headed box in a notebook, the same words as plain text elsewhere."""

import html
import itertools
import re
from collections.abc import Sequence

from course_utils.display import PALETTE, display_html


def announce(
    heading: str,
    sentence: str,
    details: Sequence[tuple[str, str]] = (),
    colour: str = "quiet",
    code: str = "",
) -> None:
    """Show a heading, a sentence in which `backticks` mark code, labelled details and a listing.

    colour: a name of the palette, for the edge of the box. It only repeats what the heading says.
    """
    lines = [f"<b>{marked_up(heading)}.</b> {marked_up(sentence)}"]
    lines += [f"{html.escape(label)}: <code>{html.escape(text)}</code>" for label, text in details]
    box = (
        f'<div style="border-left: 4px solid {PALETTE[colour]}; padding-left: 0.6em">'
        f"{'<br>'.join(lines)}"
        f"{f'<pre><code>{html.escape(code)}</code></pre>' if code else ''}</div>"
    )
    display_html(box, plain(f"{heading}. {sentence}", details, code))


def plain(sentence: str, details: Sequence[tuple[str, str]] = (), code: str = "") -> str:
    """The same in plain text, one line for each detail."""
    lines = [sentence, *(f"  {label}: {text}" for label, text in details), *code.splitlines()]
    return "\n".join(lines)


def marked_up(text: str) -> str:
    """Text as HTML: what stands between backticks as code, *between asterisks* in italics."""
    parts = re.split(r"`([^`]+)`", html.escape(text, quote=False))
    words = [re.sub(r"(?<!\w)\*(\w[^*]*)\*(?!\w)", r"<i>\1</i>", part) for part in parts[::2]]
    codes = [f"<code>{part}</code>" for part in parts[1::2]]
    return "".join(itertools.chain(*itertools.zip_longest(words, codes, fillvalue="")))
