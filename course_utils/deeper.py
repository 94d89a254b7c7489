"""Sections that one may skip: folded in a notebook, ``<details>`` on a page, cut out for tests.

A section begins at a markdown cell whose first line is ``## Deeper: ...`` and reaches to the next
heading of its level or a higher one. A lesson runs without them.
"""

import ast
import html
import re
import symtable
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass

import nbformat
from nbformat import NotebookNode

MARK = "Deeper: "
FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(#{1,6}) +(.*)$", re.MULTILINE)
MAGIC = re.compile(r"^[ \t]*[%!].*$", re.MULTILINE)  # IPython's own lines, which Python cannot read


@dataclass(frozen=True)
class Heading:
    """level: 1 for ``#``, 2 for ``##``; first: whether its cell begins with it."""

    level: int
    text: str
    first: bool

    @property
    def is_deeper(self) -> bool:
        """Whether a section that one may skip begins here."""
        return self.level == 2 and self.text.startswith(MARK)


def headings(cell: NotebookNode) -> list[Heading]:
    """The headings of a markdown cell, those in listings left out."""
    if cell.cell_type != "markdown":
        return []
    text = FENCED.sub(lambda match: " " * len(match[0]), cell.source)
    found = HEADING.finditer(text)
    return [Heading(len(m[1]), m[2].strip(), not text[: m.start()].strip()) for m in found]


def deeper_sections(cells: Sequence[NotebookNode]) -> list[range]:
    """The places of the cells of each deeper section, its heading's first."""
    first = {place: found[0] for place, cell in enumerate(cells) if (found := headings(cell))}
    starts = [place for place, heading in first.items() if heading.is_deeper]
    ends = [place for place, heading in first.items() if heading.level <= 2]
    return [range(at, next((e for e in ends if e > at), len(cells))) for at in starts]


def without_deeper(notebook: NotebookNode) -> NotebookNode:
    """A copy of a notebook without its deeper sections."""
    copy = deepcopy(notebook)
    skipped = {place for section in deeper_sections(copy.cells) for place in section}
    copy.cells = [cell for place, cell in enumerate(copy.cells) if place not in skipped]
    copy.metadata.pop("colab", None)
    return copy


def fold_deeper(notebook: NotebookNode) -> None:
    """Have JupyterLab and Colab show the headings alone of deeper sections, until one opens it.

    A fold hides the cells below its heading's, so that the heading gets a cell of its own.
    """
    heads = []
    for section in reversed(deeper_sections(notebook.cells)):
        head = notebook.cells[section.start]
        heading, text = _parted(head)
        if text:
            rest = nbformat.v4.new_markdown_cell(text, id=f"{head.id}-text")
            notebook.cells.insert(section.start + 1, rest)
        head.source = heading
        head.metadata["jp-MarkdownHeadingCollapsed"] = True
        head.metadata["id"] = head.id  # Colab knows a cell by this
        heads.insert(0, head)
    if heads:
        folded = {"collapsed_sections": [cell.id for cell in heads]}
        notebook.metadata.colab = nbformat.from_dict(folded)


def with_details(notebook: NotebookNode) -> NotebookNode:
    """A copy for a page in HTML: each deeper section is a ``<details>``, closed at first.

    The tags stand in raw cells, which nbconvert and myst-nb can pass through as they are: in a
    markdown cell they would be closed where that cell ends. A link to the heading, written as
    JupyterLab names it (blanks as hyphens), leads to the ``<details>``.
    """
    copy = deepcopy(notebook)
    cells = copy.cells
    for section in reversed(deeper_sections(cells)):
        first, *others = (cells[place] for place in section)
        heading, first.source = _parted(first)
        summary = f"<summary>{_in_html(heading.lstrip('# '))}</summary>"
        start = f'<details class="deeper" id="{_anchor(heading)}">{summary}'
        opened = _raw(start, f"{first.id}-open")
        body = [first, *others] if first.source else others
        cells[section.start : section.stop] = [opened, *body, _raw("</details>", f"{first.id}-end")]
    return copy


def _parted(cell: NotebookNode) -> tuple[str, str]:
    """The heading's line that a cell begins with, and the text below it."""
    heading, _, text = cell.source.lstrip().partition("\n")
    return heading, text.strip()


def _raw(source: str, cell_id: str) -> NotebookNode:
    cell = nbformat.v4.new_raw_cell(source, id=cell_id)
    # The first name is nbconvert's, the second Sphinx's.
    cell.metadata = nbformat.from_dict({"raw_mimetype": "text/html", "format": "text/html"})
    return cell


def _anchor(heading: str) -> str:
    return html.escape(heading.lstrip("# ").replace("`", "").replace(" ", "-"))


def _in_html(title: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(title, quote=False))


# --- what must hold of them --------------------------------------------------------------------


def deeper_faults(cells: Sequence[NotebookNode]) -> list[str]:
    """What stands against cutting a lesson's deeper sections out, in sentences."""
    sections = deeper_sections(cells)
    return [*_headings_inside_cells(cells, sections), *_exercises(cells, sections),
            *_names_needed_outside(cells, sections)]  # fmt: skip


def _headings_inside_cells(
    cells: Sequence[NotebookNode], sections: Sequence[range]
) -> Iterator[str]:
    inside = {place for section in sections for place in section}
    for place, cell in enumerate(cells):
        for heading in headings(cell):
            splits = heading.is_deeper or (heading.level <= 2 and place in inside)
            if splits and not heading.first:
                yield (
                    f"the heading {heading.text!r} must begin a cell of its own: what is folded "
                    "is whole cells"
                )


def _exercises(cells: Sequence[NotebookNode], sections: Sequence[range]) -> Iterator[str]:
    for section in sections:
        last = ""
        for cell in (cells[place] for place in section):
            last = next((h.text for h in reversed(headings(cell))), last)
            if "exercise" in cell.metadata.get("tags", ()) and "optional" not in last:
                yield (
                    f"the exercise under {last!r} stands in a deeper section; add `· optional` to "
                    "its heading, or move it out"
                )


def _names_needed_outside(
    cells: Sequence[NotebookNode], sections: Sequence[range]
) -> Iterator[str]:
    """A sentence for each name whose last value comes from a section that a reader may skip."""
    where = {place: number for number, section in enumerate(sections) for place in section}
    owner: dict[str, int | None] = {}
    for place, cell in enumerate(cells):
        if cell.cell_type != "code":
            continue
        here = where.get(place)
        flow = names_of(cell.source)
        for name in sorted(flow.used):
            if owner.get(name, here) is not None and owner.get(name, here) != here:
                title = headings(cells[sections[owner[name]][0]])[0].text
                yield (
                    f"the cell that begins {cell.source[:40]!r} needs `{name}` from {title!r}, "
                    "which readers may skip; define it outside, or use another name inside"
                )
        owner |= {name: here for name in flow.bound if name not in flow.imported}
        for name in flow.imported:  # an import that was made before gives the same thing again
            owner[name] = owner.get(name, here) if here is not None else None


@dataclass(frozen=True)
class Names:
    """The global names of a cell.

    used: those that it needs from cells above; bound: those that it gives a value (or deletes);
    imported: those of the bound that come from an import.
    """

    used: frozenset[str]
    bound: frozenset[str]
    imported: frozenset[str]


def names_of(source: str) -> Names:
    """Which global names a cell's code needs, binds and imports; none where it cannot be read."""
    used, bound, imported = set(), set(), set()
    try:
        statements = ast.parse(MAGIC.sub("", source)).body
    except SyntaxError:
        statements = []
    for statement in statements:
        table = symtable.symtable(ast.unparse(statement), "cell", "exec")
        assigned = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
        needed = {*_needed(table), *_added_to(statement)} - bound
        # Of `for x in ...: f(x)` and of a function that calls itself, the name comes from within.
        used |= needed if isinstance(statement, ast.Assign | ast.AugAssign) else needed - assigned
        bound |= assigned
        imported |= {s.get_name() for s in table.get_symbols() if s.is_imported()}
    return Names(frozenset(used), frozenset(bound), frozenset(imported))


def _needed(table: symtable.SymbolTable) -> Iterator[str]:
    top = table.get_type() == "module"
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (top or symbol.is_global()):
            yield symbol.get_name()
    for child in table.get_children():
        yield from _needed(child)


def _added_to(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id
