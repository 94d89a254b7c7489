"""Which solved notebooks are older than what made them: their code, the package, the data.

A lesson rests on the code in its cells, on the modules that this code and its exercises import,
step by step, and on the files in ``data`` that these name. Only the standard library is used, so
that ``make test`` can ask before anything is imported.
"""

import ast
import functools
import hashlib
import io
import json
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from course_utils import _ROOMS

TEXT = (".py", ".csv", ".md", ".json", ".txt")
# Folders of ``data`` with a file or a folder for each lesson, which no other lesson reads.
ONE_EACH = ("quizzes", "results", "models")
# A lesson with one of these may print a comment or a docstring of the package.
SHOWS_SOURCE = re.compile(r"\bgetsource|\b__doc__\b|\bhelp\(")


def stale_notebooks(root: Path) -> list[str]:
    """A sentence for each solved notebook that is older than what made it."""
    lessons = sorted((root / "solutions").glob("[0-9][0-9]_*.py"))
    return [
        f"solutions/{lesson.stem}.ipynb is older than what made it; "
        f"run make notebooks LESSON={lesson.stem[:2]}"
        for lesson in lessons
        if lesson.with_suffix(".ipynb").is_file() and is_stale(root, lesson)
    ]


def is_stale(root: Path, lesson: Path) -> bool:
    """Whether the outputs of ``solutions/NN_slug.py`` are missing or older than what made them."""
    notebook = lesson.with_suffix(".ipynb")
    if not notebook.is_file():
        return True
    stored = json.loads(notebook.read_text(encoding="utf-8"))["metadata"].get("lesson", {})
    return stored.get("built_from") != built_from(root, lesson)


def built_from(root: Path, lesson: Path) -> str:
    """A hash of all that a lesson's outputs rest on.

    Prose does not count, nor do comments and docstrings of the package, unless the lesson shows
    source text. Those in the lesson's own cells do: a cell's outputs belong to its exact text.
    """
    text = content(lesson).decode()
    modules = modules_behind(root, lesson)
    sources = [content(module).decode() for module in modules]
    kept = sources if SHOWS_SOURCE.search(text) else [_without_remarks(s) for s in sources]
    files = _data_behind(root, lesson.stem[:2], "\n".join([text, *sources]))
    names = [path.relative_to(root).as_posix().encode() for path in (*modules, *files)]
    contents = [*(source.encode() for source in kept), *(content(path) for path in files)]
    pairs = zip(names, contents, strict=True)
    return digest(_code_cells(text).encode(), *(part for pair in pairs for part in pair))


def modules_behind(root: Path, lesson: Path) -> list[Path]:
    """The package's files that a lesson, its exercises and its widgets import, step by step."""
    own = [
        root / "course_utils" / room / f"lesson{lesson.stem[:2]}.py"
        for room in ("exercises", "widgets")
    ]
    found = {path for path in own if path.is_file()}
    waiting = [lesson, *found]
    while waiting:
        names = _imported(content(waiting.pop()).decode())
        new = {path for name in names for path in _files_of(root, name)} - found
        found |= new
        waiting += new
    return sorted(found)


@functools.cache
def _imported(source: str) -> frozenset[str]:
    """Dotted names below ``course_utils`` that this code imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(_tree(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):  # none is relative: the linter sees to that
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    rooms = {f"course_utils.{name}": f"course_utils.{room}" for name, room in _ROOMS.items()}
    if "course_utils" in names:  # all of its names are within reach
        names |= rooms.keys()
    return frozenset(rooms.get(name, name) for name in names if name.startswith("course_utils."))


def _files_of(root: Path, name: str) -> Iterator[Path]:
    # The package's own __init__.py only says where names live, and that is followed above.
    parts = name.split(".")
    for end in range(2, len(parts) + 1):
        place = root.joinpath(*parts[:end])
        yield from (p for p in (place.with_suffix(".py"), place / "__init__.py") if p.is_file())


def _data_behind(root: Path, number: str, code: str) -> list[Path]:
    """The files in ``data`` that belong to this lesson or whose folder the code names."""
    folder = root / "data"
    found = []
    for path in sorted(folder.rglob("[!.]*")):
        top, *below = path.relative_to(folder).parts
        named = re.search(rf"[\"'/]{re.escape(top)}[\"'/]", code)
        reads = below[0][:2] == number if top in ONE_EACH and below else named
        # Data cards are for people, and the list of lessons makes no output.
        if reads and path.is_file() and path.suffix != ".md" and top != "lessons.toml":
            found.append(path)
    return found


def _code_cells(text: str) -> str:
    """An authored lesson without its header and its markdown cells; tags stay."""
    cells = re.split(r"^(?=# %%)", text, flags=re.MULTILINE)[1:]
    return "".join(cell for cell in cells if not cell.startswith("# %% [markdown]"))


@functools.cache
def _without_remarks(source: str) -> str:
    # Not ast.dump or ast.unparse: they differ between the Pythons that the course runs on.
    tree, lines = _tree(source), source.splitlines()
    if not tree.body:
        return source
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(tree):
        if _has_docstring(node):
            first, last = node.body[0].lineno, node.body[0].end_lineno
            lines[first - 1] = lines[first - 1][: node.body[0].col_offset]
            lines[first:last] = [""] * (last - first)
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _tree(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError:  # it counts as it stands, and running it says what is wrong
        return ast.Module([], [])


def _has_docstring(node: ast.AST) -> bool:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return isinstance(node, kinds) and ast.get_docstring(node) is not None


def digest(*parts: bytes) -> str:
    """Twelve hexadecimal digits that follow these bytes."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def content(path: Path) -> bytes:
    """A file's bytes; a text's with the same line ends on every machine."""
    data = path.read_bytes()
    # A checkout on Windows may have other line ends; the lesson is the same one.
    return data.replace(b"\r\n", b"\n") if path.suffix in TEXT else data
