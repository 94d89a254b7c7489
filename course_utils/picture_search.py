"""A search engine over a folder of pictures: a sentence in, the pictures that fit it best out.

``read_pictures`` reads whatever pictures lie in a folder and below it, ``search`` ranks them by a
space of pictures and texts, ``results_page`` shows what was found as one HTML page.
"""

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from course_utils.contrastive import cosines
from course_utils.data.picture_files import PictureFolder
from course_utils.data.readers import read_image
from course_utils.data.rows import BadData
from course_utils.display import progress_bar

SIZE = (48, 48)  # pixels, as the course's spaces read them
THUMBNAIL = (96, 96)


class Pictures(NamedTuple):
    """Pictures of a folder that could be read, and the names of those that could not.

    folder; paths: of each picture, within it, "/" between folders; images (n, 48, 48, 3) uint8;
    broken: {path: why}.
    """

    folder: Path
    paths: list[str]
    images: np.ndarray
    broken: dict[str, str]


class Hit(NamedTuple):
    """A picture that was found: its path within the folder, and its cosine with the sentence."""

    path: str
    score: float


def read_pictures(folder: str | Path, size: tuple[int, int] = SIZE) -> Pictures:
    """All pictures in a folder and below it, of any size and mode, as they are called.

    Files that are no pictures by their name are passed over; those that only claim to be one are
    named in ``broken``. Proportions are kept, what is left over and what is transparent is white.

    Raises ValueError, in a sentence, where there is no such folder, or no picture that can be read.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "is not there"
        raise ValueError(f"{folder} {what}; give the folder that holds your pictures")
    names, paths, images, broken = PictureFolder(folder).pictures, [], [], {}
    with progress_bar(len(names), "reading pictures", "picture") as bar:
        for name in names:
            try:
                images.append(read_image(folder / name, size))
                paths.append(name)
            except BadData as problem:
                broken[name] = problem.reason
            bar.update()
    if not images:
        found = f"; of {len(broken)} files none could be read" if broken else ""
        raise ValueError(f"{folder} holds no pictures{found}; give a folder with files such as "
                         "a.jpg or b.png, in it or in folders below it")  # fmt: skip
    return Pictures(folder, paths, np.stack(images), broken)


def search(
    space: Any, pictures: Pictures, sentence: str, most: int = 12, known: Tensor | None = None
) -> list[Hit]:
    """The pictures that fit a sentence best, the best first; of equals the first by its path.

    space: has ``of_texts``, and ``of_pictures`` where ``known``, the pictures' vectors (n, dim), is
        not given. most: how many are wanted.

    Raises ValueError for a sentence without words, and where ``most`` is below 1.
    """
    if not sentence.strip():
        raise ValueError("write a sentence to search by, such as 'two huge red ...'")
    if most < 1:
        raise ValueError(f"most is a number of pictures, 1 or more, not {most}")
    known = space.of_pictures(pictures.images) if known is None else known
    scores = cosines(known, space.of_texts([sentence]))[:, 0]
    order = torch.argsort(scores, descending=True, stable=True)[:most]
    return [Hit(pictures.paths[i], scores[i].item()) for i in order.tolist()]


def unknown_words(space: Any, sentence: str) -> list[str]:
    """The words of a sentence that the space never read."""
    words = space.vocabulary.cut.tokens([sentence])[0]
    return [word for word in dict.fromkeys(words) if word not in space.vocabulary.ids]


def search_folder(space: Any, folder: str | Path, sentence: str, most: int = 12) -> dict[str, Any]:
    """Search all pictures in a folder and below it by a sentence.

    Returns {"hits": the best pictures as (path within the folder, cosine), best first; "broken":
    {path: why} of pictures that could not be read; "page": what was found, as HTML}.

    Raises ValueError, in a sentence, where the folder has no picture that can be read.
    """
    pictures = read_pictures(folder)
    hits = search(space, pictures, sentence, most)
    page = results_page(pictures, sentence, hits, unknown_words(space, sentence))
    return {"hits": hits, "broken": pictures.broken, "page": page}


# --- a page -----------------------------------------------------------------------------------


def results_page(
    pictures: Pictures, sentence: str, hits: Sequence[Hit], unknown: Sequence[str] = ()
) -> str:
    """What was found, as one HTML page that needs no other file: thumbnails, names, cosines.

    Names of files and the sentence may hold anything: they are escaped. unknown: words that the
    space does not know, said above the pictures. Files that were broken are named at the end.
    """
    safe = _shown(sentence)
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{safe}</title>{_STYLE}</head><body>',
        f"<h1><bdi>{safe}</bdi></h1>",
        f"<p>{len(hits)} of {len(pictures.paths)} pictures, the best first.</p>",
    ]
    if unknown:
        words = ", ".join(map(_shown, unknown))
        parts.append(f"<p>These words are not known and say nothing here: {words}.</p>")
    parts += ["<ol>", *(_entry(pictures, hit) for hit in hits), "</ol>"]
    if pictures.broken:
        lines = [f"<li><bdi>{_shown(path)}</bdi>: {_shown(why)}</li>"
                 for path, why in pictures.broken.items()]  # fmt: skip
        parts += [f"<h2>{len(lines)} could not be read</h2>", "<ul>", *lines, "</ul>"]
    return "\n".join([*parts, "</body></html>"])


def _entry(pictures: Pictures, hit: Hit) -> str:
    picture = thumbnail(pictures.folder / hit.path, hit.path)
    return f"<li>{picture}<br><bdi>{_shown(hit.path)}</bdi><br>{hit.score:.2f}</li>"


def thumbnail(path: str | Path, alt: str = "") -> str:
    """An HTML tag that shows a picture and holds its bytes; a blank where it cannot be read."""
    return f'<img alt="{_shown(alt)}" src="{_inlined(Path(path))}">'


def is_picture(path: str | Path) -> bool:
    """Whether a file is there that is called like a picture, as a.jpg and b.PNG are."""
    path = Path(path)
    return path.is_file() and path.suffix.lower() in Image.registered_extensions()


def _shown(text: str) -> str:
    """Any text for HTML: escaped, and without what no file in UTF-8 can hold."""
    return html.escape(text.encode("utf-8", "replace").decode("utf-8"), quote=True)


def _inlined(path: Path) -> str:
    """A thumbnail as an address that holds its own bytes; of a picture that is gone, a blank."""
    try:
        small = read_image(path, THUMBNAIL)
    except BadData:
        small = np.full((*THUMBNAIL, 3), 255, dtype=np.uint8)
    kept = io.BytesIO()
    Image.fromarray(small).save(kept, "PNG")
    return "data:image/png;base64," + base64.b64encode(kept.getvalue()).decode()


_STYLE = """<style>
body { font-family: sans-serif; margin: 2em; }
ol { display: flex; flex-wrap: wrap; gap: 1em; padding: 0; list-style: none; }
ol li { width: 110px; font-size: 0.8em; overflow-wrap: anywhere; }
</style>"""
