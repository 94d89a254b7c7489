"""Public data sets: what downloads promise, held against a server that misbehaves."""

import contextlib
import csv
import hashlib
import io
import json
import os
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from course_utils.data import real
from course_utils.data.rows import BadData
from course_utils.display import progress_bar
from course_utils.environment import course_root

NEAR = course_root().parent / "shared" / "real"
DATA = Path(os.environ.get("COURSE_DATA_DIR") or NEAR)
needs_emoji = pytest.mark.skipif(
    not (DATA / "emoji" / "metadata.csv").is_file(),
    reason="no emoji set in COURSE_DATA_DIR or ../shared/real",
)
needs_texts = pytest.mark.skipif(
    not all((DATA / "text" / name).is_file() for name in ("TREC.train.all", "rt-polarity.all")),
    reason="no texts in COURSE_DATA_DIR or ../shared/real",
)


# --- a server on this machine -------------------------------------------------------------------


class Answers(BaseHTTPRequestHandler):
    """Gives what ``server.routes`` holds: bytes, or a function of the handler."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each small answer takes 40 ms

    def do_GET(self):
        with self.server.lock:
            self.server.asked[self.path] += 1
        answer = self.server.routes.get(self.path)
        if callable(answer):
            answer(self)
        elif answer is None:
            self.head(404, 0)
        else:
            self.head(200, len(answer))
            self.wfile.write(answer)

    def head(self, status, length=None, **headers):
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answers)
        self.routes, self.asked, self.lock = {}, Counter(), threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        pass  # a client that hangs up is part of the tests


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty cache of one's own, short patience, and no folder of data."""
    monkeypatch.setattr(real, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(real, "TIMEOUT", (2, 0.6))
    monkeypatch.setattr(real, "RETRY_WAIT", 0.01)
    monkeypatch.delenv("COURSE_DATA_DIR", raising=False)
    monkeypatch.delenv("COURSE_OFFLINE", raising=False)
    return tmp_path / "cache"


FILES = {"table.csv": b"name\nred\n", "images/1.png": b"\x89PNG" + bytes(20_000)}


def a_set(server, files=FILES, archive=None):
    """A data set of these files at the server's address."""
    sources = [
        real.Source(f"{server.url}/{name}", name, hashlib.sha256(held).hexdigest())
        for name, held in files.items()
    ]
    server.routes.update({f"/{name}": held for name, held in files.items()})
    if archive:
        digest = hashlib.sha256(archive).hexdigest()
        sources.append(
            real.Source(f"{server.url}/cards.tar.gz", "cards.tar.gz", digest, unpack_to="cards")
        )
        server.routes["/cards.tar.gz"] = archive
    return real.DataSet(
        name="tiny", title="Tiny", licence="CC0", citation="Nobody", table="table.csv",
        size=20_000, sources=lambda: sources,
    )  # fmt: skip


@pytest.fixture
def tiny(server, monkeypatch):
    data_set = a_set(server)
    monkeypatch.setitem(real.REGISTRY, "tiny", data_set)
    return data_set


def held_in(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def one_line(capsys):
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def slowly(held, pause=0.05, pieces=8):
    def answer(handler):
        handler.head(200, len(held))
        step = len(held) // pieces + 1
        for start in range(0, len(held), step):
            handler.wfile.write(held[start : start + step])
            handler.wfile.flush()
            time.sleep(pause)

    return answer


def cut_off(held, tell_length=True):
    def answer(handler):
        handler.close_connection = True
        handler.head(200, len(held) if tell_length else None)
        handler.wfile.write(held[: len(held) // 2])

    return answer


def redirect(to):
    return lambda handler: handler.head(302, 0, Location=to)


# --- what fetch promises ------------------------------------------------------------------------


def test_a_data_set_arrives_whole_and_under_its_own_name(tiny, home, capsys):
    assert real.fetch("tiny") == home / "tiny"
    assert held_in(home / "tiny") == FILES
    assert [path.name for path in home.iterdir()] == ["tiny"]
    assert capsys.readouterr().out == ""


def test_what_is_here_is_not_asked_for_again(tiny, server):
    real.fetch("tiny")
    asked = server.asked.copy()
    assert real.fetch("tiny") == real.find("tiny")
    assert server.asked == asked


def test_one_progress_bar_counts_the_bytes_of_all_files(tiny, monkeypatch):
    bars = []

    @contextlib.contextmanager
    def watched(total, what, unit):
        with progress_bar(total, what, unit) as bar:
            bars.append((what, unit, bar))
            yield bar

    monkeypatch.setattr(real, "progress_bar", watched)
    real.fetch("tiny")
    ((what, unit, bar),) = bars
    assert (what, unit, bar.n) == ("tiny", "B", sum(map(len, FILES.values())))


def test_a_slow_server_is_waited_for(tiny, server, home):
    # Longer in all than the patience without a byte.
    server.routes["/images/1.png"] = slowly(FILES["images/1.png"], pause=0.12)
    assert real.fetch("tiny") == home / "tiny"
    assert held_in(home / "tiny") == FILES


def test_a_server_that_falls_silent_is_given_up(tiny, server, home, capsys):
    def silent(handler):
        handler.head(200, 20_004)
        handler.wfile.write(b"\x89PNG")
        handler.wfile.flush()
        time.sleep(2)

    server.routes["/images/1.png"] = silent
    assert real.fetch("tiny") is None
    assert "did not answer in time" in one_line(capsys)
    assert not (home / "tiny").exists()


@pytest.mark.parametrize("tell_length", [True, False])
def test_a_file_cut_off_in_the_middle_is_never_kept(tiny, server, home, capsys, tell_length):
    server.routes["/images/1.png"] = cut_off(FILES["images/1.png"], tell_length)
    assert real.fetch("tiny") is None
    line = one_line(capsys)
    assert "broke off" in line if tell_length else "other contents" in line
    assert "1 of 2 files" in line
    assert not (home / "tiny").exists()
    assert held_in(home / "tiny.part") == {"table.csv": FILES["table.csv"]}


def test_after_an_interruption_what_is_complete_is_not_fetched_again(tiny, server, home):
    server.routes["/images/1.png"] = cut_off(FILES["images/1.png"])
    assert real.fetch("tiny") is None
    server.routes["/images/1.png"] = FILES["images/1.png"]
    assert real.fetch("tiny") == home / "tiny"
    assert server.asked["/table.csv"] == 1
    assert held_in(home / "tiny") == FILES


def test_wrong_bytes_are_refused(tiny, server, home, capsys):
    server.routes["/images/1.png"] = FILES["images/1.png"][:-1] + b"!"
    assert real.fetch("tiny") is None
    assert f"{server.url}/images/1.png holds other contents" in one_line(capsys)
    assert "images/1.png" not in held_in(home / "tiny.part")


def test_a_page_that_is_gone_is_named(tiny, server, home, capsys):
    del server.routes["/images/1.png"]
    assert real.fetch("tiny") is None
    line = one_line(capsys)
    assert "404" in line
    assert "/images/1.png" in line
    assert not (home / "tiny").exists()


def test_a_redirect_is_followed(tiny, server, home):
    server.routes["/moved.png"] = FILES["images/1.png"]
    server.routes["/images/1.png"] = redirect("/moved.png")
    assert real.fetch("tiny") == home / "tiny"
    assert held_in(home / "tiny") == FILES


def test_a_redirect_in_a_circle_ends(tiny, server, capsys):
    server.routes["/images/1.png"] = redirect("/images/1.png")
    assert real.fetch("tiny") is None
    assert "tiny set is not here" in one_line(capsys)


def test_a_redirect_to_other_bytes_is_refused(tiny, server, capsys):
    server.routes["/login.html"] = b"<html>Please log in to this network</html>"
    server.routes["/images/1.png"] = redirect("/login.html")
    assert real.fetch("tiny") is None
    assert "other contents" in one_line(capsys)


def test_a_busy_server_is_asked_again(tiny, server, home):
    def busy_once(handler):
        if server.asked["/images/1.png"] == 1:
            handler.head(429, 0)
        else:
            handler.head(200, len(FILES["images/1.png"]))
            handler.wfile.write(FILES["images/1.png"])

    server.routes["/images/1.png"] = busy_once
    assert real.fetch("tiny") == home / "tiny"


def test_without_a_network_there_is_one_friendly_line(tiny, monkeypatch, home, capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}"
    source = real.Source(f"{nowhere}/table.csv", "table.csv", "0" * 64)
    monkeypatch.setitem(
        real.REGISTRY, "tiny", real.DataSet("tiny", "", "", "", "table.csv", 1, lambda: [source])
    )
    assert real.fetch("tiny") is None
    line = one_line(capsys)
    assert "there is no connection to 127.0.0.1" in line
    assert "left out" in line
    assert not (home / "tiny").exists()


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_the_network_is_not_tried_when_it_is_not_wanted(tiny, server, monkeypatch, capsys, how):
    if how == "environment":
        monkeypatch.setenv("COURSE_OFFLINE", "1")
    assert real.fetch("tiny", download=how == "environment") is None
    assert "not to be downloaded" in one_line(capsys)
    assert not server.asked


def test_a_cache_that_cannot_be_written_is_said(tiny, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(real, "cache_folder", lambda: tmp_path / "file")
    assert real.fetch("tiny") is None
    assert "could not be written" in one_line(capsys)


def test_a_damaged_cache_is_mended_and_only_that(tiny, server, home):
    real.fetch("tiny")
    (home / "tiny" / "images" / "1.png").write_bytes(b"half")
    assert real.find("tiny") is None
    assert real.fetch("tiny") == home / "tiny"
    assert server.asked == {"/table.csv": 1, "/images/1.png": 2}
    assert held_in(home / "tiny") == FILES


def test_a_process_that_is_killed_leaves_no_half_written_cache(tiny, server, home):
    halfway = threading.Event()

    def never_ends(handler):
        handler.head(200, 20_004)
        handler.wfile.write(FILES["images/1.png"][:10_000])
        handler.wfile.flush()
        halfway.set()
        time.sleep(5)

    server.routes["/images/1.png"] = never_ends
    digests = {name: hashlib.sha256(held).hexdigest() for name, held in FILES.items()}
    script = (
        "import pathlib; from course_utils.data import real\n"
        f"s = [real.Source({server.url!r} + '/' + f, f, h) for f, h in {digests!r}.items()]\n"
        "d = real.DataSet('tiny', '', '', '', 'table.csv', 1, lambda: s)\n"
        f"real.download_set(d, pathlib.Path({str(home)!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    try:
        assert halfway.wait(30)
        table = home / "tiny.part" / "table.csv"
        for _ in range(100):
            if table.exists():
                break
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    assert not (home / "tiny").exists()
    assert not (home / "tiny.part" / "images" / "1.png").exists()
    server.routes["/images/1.png"] = FILES["images/1.png"]
    assert real.fetch("tiny") == home / "tiny"
    assert held_in(home / "tiny") == FILES  # and no temporary file of the killed one
    assert server.asked["/table.csv"] == 1


def test_stopping_by_hand_goes_through_and_keeps_what_is_complete(tiny, home, monkeypatch):
    real_obtain = real._obtain

    def stopped(source, *rest):
        if source.file == "images/1.png":
            raise KeyboardInterrupt
        real_obtain(source, *rest)

    monkeypatch.setattr(real, "_obtain", stopped)
    with pytest.raises(KeyboardInterrupt):
        real.fetch("tiny")
    assert not (home / "tiny").exists()
    assert held_in(home / "tiny.part").keys() <= {"table.csv"}


def test_a_folder_of_ones_own_comes_first(tiny, server, tmp_path, monkeypatch):
    (tmp_path / "mine" / "tiny").mkdir(parents=True)
    (tmp_path / "mine" / "tiny" / "table.csv").write_bytes(b"name\n")
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "mine"))
    assert real.fetch("tiny") == tmp_path / "mine" / "tiny"
    assert not server.asked


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"no data set 'emojis'; there is emoji"):
        real.fetch("emojis")


# --- archives -----------------------------------------------------------------------------------


def tar_of(**members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, held in members.items():
            info = held if isinstance(held, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(held, bytes):
                info.size = len(held)
                tar.addfile(info, io.BytesIO(held))
            else:
                tar.addfile(info)
    return buffer.getvalue()


def special(name, kind, to=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


def test_an_archive_is_fetched_and_unpacked(server, home, monkeypatch):
    data_set = a_set(server, archive=tar_of(**{"a/1.txt": b"one", "2.txt": b"two"}))
    monkeypatch.setitem(real.REGISTRY, "tiny", data_set)
    assert real.fetch("tiny") == home / "tiny"
    unpacked = {"cards/a/1.txt": b"one", "cards/2.txt": b"two"}
    assert held_in(home / "tiny") == FILES | unpacked
    asked = server.asked.copy()
    assert real.fetch("tiny") == home / "tiny"
    assert server.asked == asked


MALICIOUS = {
    "climbs out": tar_of(**{"../evil.txt": b"evil"}),
    "link that leads out": tar_of(link=special("link", tarfile.SYMTYPE, "../../evil")),
    "absolute link": tar_of(link=special("link", tarfile.SYMTYPE, "/etc/passwd")),
    "hard link that leads out": tar_of(link=special("link", tarfile.LNKTYPE, "../evil")),
    "device": tar_of(device=special("device", tarfile.CHRTYPE)),
}


@pytest.mark.parametrize("archive", MALICIOUS.values(), ids=MALICIOUS.keys())
def test_a_malicious_archive_is_refused_and_leaves_nothing(tmp_path, archive):
    path = tmp_path / "inside" / "evil.tar.gz"
    path.parent.mkdir()
    path.write_bytes(archive)
    with pytest.raises(ValueError, match=r"evil\.tar\.gz cannot be unpacked"):
        real.unpack(path, tmp_path / "inside" / "out")
    assert list(held_in(tmp_path)) == ["inside/evil.tar.gz"]


def test_an_absolute_path_in_an_archive_stays_inside(tmp_path):
    path = tmp_path / "odd.tar.gz"
    path.write_bytes(tar_of(**{"/absolute.txt": b"here"}))
    assert held_in(real.unpack(path, tmp_path / "out")) == {"absolute.txt": b"here"}


# Named, because the archive holds the second it was made in, and two workers would disagree.
@pytest.mark.parametrize(
    "held", [b"no archive", tar_of(a=bytes(5000))[:60]], ids=["none", "cut off"]
)
def test_a_broken_archive_leaves_nothing(tmp_path, held):
    path = tmp_path / "broken.tar.gz"
    path.write_bytes(held)
    with pytest.raises(ValueError, match=r"broken\.tar\.gz cannot be unpacked"):
        real.unpack(path, tmp_path / "out")
    assert list(held_in(tmp_path)) == ["broken.tar.gz"]


def test_a_malicious_archive_of_the_registry_ends_in_one_line(server, home, monkeypatch, capsys):
    data_set = a_set(server, archive=MALICIOUS["climbs out"])
    monkeypatch.setitem(real.REGISTRY, "tiny", data_set)
    assert real.fetch("tiny") is None
    assert "cards.tar.gz cannot be unpacked" in one_line(capsys)
    assert not (home / "tiny").exists()


# --- the emoji set ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(real.REGISTRY))
def test_every_address_of_the_registry_is_pinned_to_a_commit(name):
    for source in real.REGISTRY[name].sources():
        assert source.url.startswith("https://raw.githubusercontent.com/")
        commit = source.url.split("/")[5]
        assert len(commit) == 40
        assert len(source.sha256) == 64


def test_the_emoji_registry_holds_1644_pictures_once_each():
    files = [row["file"] for row in real._emoji_registry()]
    assert len(files) == len(set(files)) == 1644


def test_describe_names_the_licence_and_whom_to_cite():
    text = real.describe("emoji")
    assert "SIL Open Font License" in text
    assert "MIT" in text
    assert "b3e3051a088047d19fd4d49b1c3ac42fb8c3aaf8" in text


def metadata():
    with (DATA / "emoji" / "metadata.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def upstream():
    """The two tables and the pictures at their upstream addresses, from the copy at hand."""
    names = {row["emoji"]: {"name": row["name"], "group": row["group"]} for row in metadata()}
    words = {row["emoji"]: row["keywords"].split(" ") for row in metadata()}
    pages = {f"/{real.NAMES}": names | {"🇫🇷": {"name": "not in the registry", "group": "Flags"}},
             f"/{real.KEYWORDS}": words}  # fmt: skip
    pages = {path: json.dumps(page).encode() for path, page in pages.items()}
    for row in metadata():
        path = DATA / "emoji" / row["image"]
        pages[f"/{real.NOTO}/emoji_u{path.name}"] = path.read_bytes()
    return pages


@pytest.fixture
def raw(server, upstream, monkeypatch):
    monkeypatch.setattr(real, "RAW", server.url)
    monkeypatch.setattr(real, "TIMEOUT", (5, 20))
    server.routes.update(upstream)
    return server


@needs_emoji
def test_the_whole_emoji_set_downloads_and_reads_like_the_copy(raw, home, monkeypatch):
    downloaded = real.emoji("keywords", size=(24, 24))
    assert sum(raw.asked.values()) == 1646
    monkeypatch.setenv("COURSE_DATA_DIR", str(DATA))
    at_hand = real.emoji("keywords", size=(24, 24))
    assert downloaded.classes == at_hand.classes
    assert len(downloaded["name"]) == 1636  # without the eight flags
    for column in ("name", "keywords", "emoji", "file"):
        assert downloaded[column] == at_hand[column]
    for column in ("image", "label", "split"):
        assert (downloaded[column] == at_hand[column]).all()


@needs_emoji
@pytest.mark.parametrize("page", ["NAMES", "KEYWORDS"])
def test_a_table_of_emoji_that_changed_is_refused(raw, home, capsys, page):
    path = f"/{getattr(real, page)}"
    table = json.loads(raw.routes[path])
    table["😀"] = {"name": "sad", "group": "Objects"} if page == "NAMES" else ["sad"]
    raw.routes[path] = json.dumps(table).encode()
    assert real.fetch("emoji") is None
    assert "other contents" in one_line(capsys)
    assert not (home / "emoji").exists()
    refused = "names.json" if page == "NAMES" else "keywords.json"
    assert refused not in held_in(home / "emoji.part")


@needs_emoji
@pytest.mark.parametrize("held", [b"", b"{", b"[]", b'{"\\ud83d\\ude00": null}', b"\xff"])
def test_a_table_of_emoji_that_makes_no_sense_is_refused(raw, capsys, held):
    raw.routes[f"/{real.NAMES}"] = held
    assert real.fetch("emoji") is None
    assert "other contents" in one_line(capsys)


@needs_emoji
def test_the_splits_are_those_of_the_copy_at_hand():
    renamed = [row["split"].replace("val", "validation") for row in metadata()]
    assert renamed == [real.EMOJI_CYCLE[k % 10] for k in range(1644)]


@needs_emoji
def test_the_registry_fits_the_pictures_at_hand():
    pictures = [source for source in real.emoji_sources() if source.covers is None]
    assert [row["image"] for row in metadata()] == [source.file for source in pictures]
    assert all(real._fits(source, DATA / "emoji" / source.file) for source in pictures)
    sizes = [int(row["bytes"]) for row in real._emoji_registry()]
    assert sizes == [(DATA / "emoji" / source.file).stat().st_size for source in pictures]


# --- texts --------------------------------------------------------------------------------------


@pytest.fixture
def texts(tmp_path, monkeypatch):
    """A folder with the three files of texts, short, and with bytes that are not UTF-8."""
    folder = tmp_path / "mine" / "text"
    folder.mkdir(parents=True)
    lines = [
        b"4 Which city is a sister\xf0city ?",
        *(b"%d What is it ?" % (k % 6) for k in range(19)),
    ]
    (folder / "TREC.train.all").write_bytes(b"\n".join(lines) + b"\n")
    (folder / "TREC.test.all").write_bytes(b"5 How far ?\n3 Who ?\n")
    reviews = [b"0 dull\x85 and long . ", *(b"%d it is film %d" % (k % 2, k) for k in range(29))]
    (folder / "rt-polarity.all").write_bytes(b"\n".join(reviews) + b"\n")
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "mine"))
    return folder


def test_questions_come_with_text_label_and_split(texts):
    rows = real.question_types(download=False)
    assert rows["text"][-2:] == ["How far ?", "Who ?"]
    assert rows["label"][-2:].tolist() == [5, 3]
    assert [rows.classes[k] for k in rows["label"][-2:]] == ["number", "person"]
    assert rows["label"].dtype == np.int64
    assert Counter(rows["split"].tolist()) == {"train": 18, "validation": 2, "test": 2}
    assert (rows["split"] == "validation").nonzero()[0].tolist() == [9, 19]


def test_latin_1_is_read_as_such(texts):
    assert real.question_types(download=False)["text"][0] == "Which city is a sister\xf0city ?"


def test_the_byte_0x85_does_not_break_a_line_in_two(texts):
    rows = real.movie_reviews(download=False)
    assert len(rows["text"]) == 30
    assert rows["text"][0] == "dull\x85 and long ."


def test_each_review_is_in_the_test_part_of_one_fold(texts):
    tested = np.zeros(30, dtype=int)
    for fold in range(10):
        split = real.movie_reviews(fold, download=False)["split"]
        assert Counter(split.tolist()) == {"train": 24, "validation": 3, "test": 3}
        tested += split == "test"
    assert (tested == 1).all()


@pytest.mark.parametrize("fold", [-1, 10, None])
def test_a_fold_that_is_not_there_is_refused(texts, fold):
    with pytest.raises(ValueError, match="a fold is a number from 0 to 9"):
        real.movie_reviews(fold)


@pytest.mark.parametrize("line", [b"6 What ?", b"What is it ?", b"", b"3", b"3  ", b"\xb2 What ?"])
def test_a_line_without_class_and_text_is_named(texts, line):
    path = texts / "TREC.test.all"
    path.write_bytes(b"5 How far ?\n" + line + b"\n4 Where ?\n")
    with pytest.raises(BadData, match=r"TREC\.test\.all, line 2: not a class from 0 to 5"):
        real.question_types(download=False)


def test_a_missing_part_of_the_questions_is_named(texts):
    (texts / "TREC.test.all").unlink()
    with pytest.raises(BadData, match=r"TREC\.test\.all cannot be read"):
        real.question_types(download=False)


def test_a_folder_with_the_sets_own_name_is_found_too(texts):
    own = texts.parent / "question_types"
    texts.rename(own)
    assert real.find("question_types") == own
    assert real.find("movie_reviews") is None


@pytest.mark.parametrize("read", [real.question_types, real.movie_reviews])
def test_texts_that_are_not_here_end_in_one_line(read, capsys):
    assert read(download=False) is None
    assert "what needs it is left out" in one_line(capsys)


def test_texts_are_downloaded_and_refused_when_they_changed(texts, server, monkeypatch, capsys):
    monkeypatch.delenv("COURSE_DATA_DIR")
    monkeypatch.setattr(real, "RAW", server.url)
    for path in texts.iterdir():
        server.routes[f"/{real.SENTENCES}/{path.name}"] = path.read_bytes()
    assert real.movie_reviews() is None
    assert "other contents" in one_line(capsys)


@needs_texts
def test_the_registry_fits_the_texts_at_hand(server, home, monkeypatch):
    monkeypatch.setattr(real, "RAW", server.url)
    for path in (DATA / "text").glob("*.all"):
        server.routes[f"/{real.SENTENCES}/{path.name}"] = path.read_bytes()
    downloaded = real.question_types(), real.movie_reviews()
    assert sum(server.asked.values()) == 3
    monkeypatch.setenv("COURSE_DATA_DIR", str(DATA))
    for rows, at_hand in zip(
        downloaded, (real.question_types(), real.movie_reviews()), strict=True
    ):
        assert rows["text"] == at_hand["text"]
        assert (rows["label"] == at_hand["label"]).all()


@needs_texts
def test_the_texts_have_their_published_sizes(monkeypatch):
    monkeypatch.setenv("COURSE_DATA_DIR", str(DATA))
    questions, reviews = real.question_types(), real.movie_reviews()
    assert Counter(questions["split"].tolist()) == {"train": 4907, "validation": 545, "test": 500}
    assert sorted(Counter(questions["label"].tolist()).values()) == [
        95,
        916,
        1009,
        1288,
        1300,
        1344,
    ]
    assert Counter(reviews["label"].tolist()) == {0: 5331, 1: 5331}
    assert not any("\ufffd" in text for text in questions["text"] + reviews["text"])


@pytest.mark.parametrize("line", ["1 ", "1", "", "9 a text", "one a text"])
def test_a_line_without_class_or_text_is_named_or_left_out(tmp_path, capsys, line):
    path = tmp_path / "lines.all"
    path.write_bytes(f"0 a first text\n{line}\r\n1 caf\xe9\n".encode("latin-1"))
    with pytest.raises(BadData, match="line 2: not a class from 0 to 1"):
        real.read_labelled_lines(path, 2)
    assert real.read_labelled_lines(path, 2, on_bad="skip") == (["a first text", "café"], [0, 1])
    assert capsys.readouterr().out == "lines.all: left out 1 row: 1 no labelled line (line 2)\n"
