"""Video files and folders of them, through PyAV; the reader of the modality frames."""

import builtins
import struct

import numpy as np
import pytest
import torch

from course_utils.baselines import tuned_linear
from course_utils.data import video_files
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.motion_clips import make, rows_for
from course_utils.data.rows import BadData, split_rows
from course_utils.data.video_files import (
    FramesReader,
    read_soundtrack,
    read_video,
    read_videos,
)

av = pytest.importorskip("av")
CODECS = {".mp4": ("mpeg4", "yuv420p"), ".webm": ("libvpx-vp9", "yuv420p"), ".gif": ("gif", "rgb8")}


def write_video(path, frames, sound=None, rate=8, head_first=False):
    """frames (F, H, W, 3) uint8, and samples (T,) int16 at 8 kHz, as a file by its ending."""
    codec, form = CODECS[path.suffix]
    options = {"movflags": "faststart"} if head_first else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], form
        stream.bit_rate = 2_000_000
        track = None
        if sound is not None:
            kind = "aac" if path.suffix == ".mp4" else "libopus"
            track = container.add_stream(kind, rate=48_000, layout="mono")
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
        if track is not None:
            whole = av.AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
            whole.sample_rate = 8000
            change = av.AudioResampler(format=track.format, layout="mono", rate=48_000,
                                       frame_size=track.codec_context.frame_size)  # fmt: skip
            for part in [*change.resample(whole), *change.resample(None)]:
                container.mux(track.encode(part))
            container.mux(track.encode())
    return path


def write_sound_alone(path):
    """An .mp4 with a sound track and no pictures."""
    with av.open(str(path), "w") as container:
        track = container.add_stream("aac", rate=48_000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), format="fltp",
                                             layout="mono")  # fmt: skip
        silence.sample_rate = 48_000
        container.mux(track.encode(silence))
        container.mux(track.encode())
    return path


def turned_in_the_file(path, degrees):
    """The same bytes with a mark in the track's head: shown turned clockwise by 90 or 180."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40  # of the matrix, in a head of version 0
    one = 1 << 16
    matrix = {90: (0, one, 0, -one, 0, 0, 0, 0, 1 << 30),
              180: (-one, 0, 0, 0, -one, 0, 0, 0, 1 << 30)}[degrees]  # fmt: skip
    data[place : place + 36] = struct.pack(">9i", *matrix)
    turned = path.with_name(f"turned_{degrees}{path.suffix}")
    turned.write_bytes(data)
    return turned


def brightening(frames, height=48, width=64):
    """Grey frames of the values 20, 20 + step, ..., 220, which survive every codec."""
    values = np.linspace(20, 220, frames).round().astype(np.uint8)
    return np.broadcast_to(values[:, None, None, None], (frames, height, width, 3)).copy()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes: an .mp4, a .webm and a .gif of uneven length, one broken, one without frames."""
    folder = tmp_path_factory.mktemp("videos")
    for name in ("brighter", "darker"):
        (folder / name).mkdir()
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)).astype(np.int16)
    write_video(folder / "brighter" / "a.mp4", brightening(16), tone)
    write_video(folder / "brighter" / "b.webm", brightening(9), tone)
    write_video(folder / "darker" / "c.gif", brightening(24)[::-1])
    whole = (folder / "brighter" / "a.mp4").read_bytes()
    (folder / "darker" / "broken.mp4").write_bytes(whole[: len(whole) // 2])
    write_sound_alone(folder / "darker" / "no_frames.mp4")
    (folder / "darker" / "notes.txt").write_text("not a video, and not taken for one")
    return folder


# --- one file --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "frames", "middles"),
    [
        ("brighter/a.mp4", 16, [2, 6, 10, 14]),
        ("brighter/b.webm", 9, [1, 3, 5, 7]),
        ("darker/c.gif", 24, [3, 9, 15, 21]),
    ],
)
def test_frames_are_spread_evenly_over_files_of_any_kind_and_length(folder, name, frames, middles):
    clip = read_video(folder / name, count=4, size=(24, 32))
    assert (clip.shape, clip.dtype) == ((4, 24, 32, 3), np.uint8)
    steps = 200 * np.array(middles) / (frames - 1)
    expected = 220 - steps if "darker" in name else 20 + steps
    # A .gif of 8 bits knows eight steps of red, which are 36 apart.
    assert clip.mean(axis=(1, 2, 3)) == pytest.approx(expected, abs=20)


def test_proportions_are_kept_on_a_white_ground(tmp_path):
    path = write_video(tmp_path / "dark.mp4", np.full((4, 32, 64, 3), 10, np.uint8))
    clip = read_video(path, count=2, size=(32, 32))
    assert clip[:, :7].min() > 245
    assert clip[:, 25:].min() > 245
    assert clip[:, 10:22].max() < 60


def test_a_mark_of_rotation_is_heeded(tmp_path):
    """The left half is light. Turned clockwise by 90 degrees it is the upper half."""
    frames = np.full((4, 48, 48, 3), 20, np.uint8)
    frames[:, :, :24] = 220
    path = write_video(tmp_path / "left.mp4", frames)
    plain, quarter, half = (
        read_video(one, 1, (48, 48))[0].mean(axis=2)
        for one in (path, turned_in_the_file(path, 90), turned_in_the_file(path, 180))
    )
    assert plain[:, :20].min() > 180 > 60 > plain[:, 28:].max()
    assert quarter[:20].min() > 180 > 60 > quarter[28:].max()
    assert half[:, 28:].min() > 180 > 60 > half[:, :20].max()


def test_a_soundtrack_is_read_at_the_courses_rate(folder):
    for name in ("brighter/a.mp4", "brighter/b.webm"):
        sound = read_soundtrack(folder / name)
        assert sound.dtype == np.int16
        assert len(sound) == pytest.approx(8000, abs=700)  # codecs fill up their last block
        spectrum = np.abs(np.fft.rfft(sound[1000:5000] * np.hanning(4000)))
        assert 2 * spectrum.argmax() == pytest.approx(440, abs=4)
    assert read_soundtrack(folder / "darker" / "c.gif") is None


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("darker/broken.mp4", "is broken, cut off or of a kind"),
        ("darker/no_frames.mp4", "holds no frames: it has no video track"),
        ("darker/notes.txt", "is broken, cut off or of a kind"),
        ("darker/missing.mp4", "is not there"),
        ("darker", "is a folder"),
    ],
)
def test_a_bad_file_is_told_in_one_sentence_with_its_name(folder, name, says):
    with pytest.raises(BadData, match=says) as caught:
        read_video(folder / name)
    sentence = str(caught.value)
    assert str(folder / name) in sentence
    assert "\n" not in sentence
    assert caught.value.__cause__ is None or "av." not in sentence


def test_an_empty_file_and_a_long_one_are_told(tmp_path, monkeypatch):
    (tmp_path / "empty.mp4").write_bytes(b"")
    with pytest.raises(BadData, match="is empty: it has no byte"):
        read_video(tmp_path / "empty.mp4")
    long = write_video(tmp_path / "long.mp4", brightening(12))
    monkeypatch.setattr(video_files, "MOST_FRAMES", 10)
    with pytest.raises(BadData, match="more than 10 frames"):
        read_video(long)


def test_a_file_whose_end_is_missing_is_told_where_its_head_says_how_long_it_is(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3), dtype=np.uint8)
    data = write_video(tmp_path / "whole.mp4", noise, head_first=True).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(BadData, match=r"cut\.mp4 is cut off: it promises 20 frames and has \d"):
        read_video(tmp_path / "cut.mp4")
    assert len(read_video(tmp_path / "whole.mp4")) == 16


def test_a_webm_that_ends_in_its_head_is_told(folder, tmp_path):
    data = (folder / "brighter" / "b.webm").read_bytes()
    (tmp_path / "cut.webm").write_bytes(data[:60])
    with pytest.raises(BadData, match=r"cut\.webm"):
        read_video(tmp_path / "cut.webm")


def test_without_pyav_one_sentence_says_what_to_install(folder, monkeypatch):
    whole = builtins.__import__

    def without(name, *arguments, **named):
        if name == "av":
            raise ImportError("no av")
        return whole(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    for read in (read_video, read_soundtrack):
        with pytest.raises(ImportError, match="not installed; install it with `pip install av`"):
            read(folder / "brighter" / "a.mp4")


# --- a folder --------------------------------------------------------------------------------


def test_a_folder_of_classes_becomes_rows_and_bad_files_are_named(folder):
    rows = read_videos(folder, count=8, size=(16, 16), sound=True, on_bad="skip")
    assert rows["clip"].shape == (3, 8, 16, 16, 3)
    assert rows.classes == ("brighter", "darker")
    assert rows["label"].tolist() == [0, 0, 1]
    assert rows["file"] == ["brighter/a.mp4", "brighter/b.webm", "darker/c.gif"]
    assert [sound is None for sound in rows["sound"]] == [False, False, True]
    assert rows.modalities == {"frames": "clip", "audio": "sound"}
    skipped = {row.file: row.reason for row in rows.skipped}
    assert {*skipped} == {"darker/broken.mp4", "darker/no_frames.mp4"}
    assert "no video track" in skipped["darker/no_frames.mp4"]
    grows = np.diff(rows["clip"].astype(int).mean(axis=(2, 3, 4)), axis=1).sum(axis=1)
    assert np.sign(grows).tolist() == [1, 1, -1]


def test_the_first_bad_file_stops_where_nothing_else_is_said(folder):
    with pytest.raises(BadData, match=r"broken\.mp4 is broken"):
        read_videos(folder)
    with pytest.raises(ValueError, match='on_bad is "error" or "skip"'):
        read_videos(folder, on_bad="warn")


def test_a_table_says_what_each_video_is(folder):
    (folder / "clips.csv").write_text(
        "clip,kind,split,speaker\nbrighter/a.mp4,up,train,ann\ndarker/c.gif,down,test,bob\n"
        "../outside.mp4,up,train,eve\n"
    )
    table = {"file_column": "clip", "label_column": "kind"}
    rows = read_videos(folder, "clips.csv", **table, on_bad="skip")
    assert rows.classes == ("down", "up")
    assert rows["speaker"] == ["ann", "bob"]
    assert [(row.line, row.reason) for row in rows.skipped] == [(4, "lies outside of its folder")]
    assert len(split_rows(rows)["train"]["label"]) == 1


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (None, "hold no video"),
        ("missing.csv", "there is no table"),
        ("a,b\n1,2\n", "has no column 'file'; it has a, b"),
        ("file,label\n", "has no rows"),
        ("file,label\nx.mp4\n", "line 2 of .* more or fewer cells"),
        ("file,label\nx.mp4,up\n", "no video in .* can be read; the first: .*is not there"),
    ],
)
def test_a_folder_that_cannot_be_read_is_told_in_a_sentence(tmp_path, table, says):
    name = table
    if table and "," in table:
        name = "clips.csv"
        (tmp_path / name).write_text(table)
    with pytest.raises(BadData, match=says):
        read_videos(tmp_path, name, on_bad="skip")


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(BadData, match="there is no folder"):
        read_videos(tmp_path / "nowhere")


# --- the reader of rows ----------------------------------------------------------------------


def test_the_reader_gives_frames_with_channels_first_and_batches_divide_them():
    rows = rows_for(make(5, 1), "shape")
    tensors = to_tensors(rows, {"frames": FramesReader()})
    assert tensors["frames"].shape == (5, 16, 1, 32, 32)
    assert tensors["frames"].dtype == torch.uint8
    assert torch.equal(tensors["frames"][:, :, 0], torch.from_numpy(rows["clip"]))
    batch = next(iter(Batches(tensors, 5)))["frames"]
    torch.testing.assert_close(batch * 255, tensors["frames"].float())


def test_the_reader_takes_fewer_frames_smaller_and_without_colour():
    rows = {"clip": np.random.default_rng(0).integers(0, 256, (3, 12, 8, 8, 3), dtype=np.uint8)}
    read = FramesReader("clip", count=4)(rows, "frames")["frames"]
    assert np.array_equal(read.permute(0, 1, 3, 4, 2), rows["clip"][:, [1, 4, 7, 10]])
    small = FramesReader("clip", shrink=2, grey=True)(rows, "frames")["frames"]
    assert small.shape == (3, 12, 1, 4, 4)
    assert small.float().mean() == pytest.approx(rows["clip"].mean(), rel=0.05)


def test_an_absent_clip_is_zeros_and_said_to_be_absent():
    clips = [np.full((4, 8, 8), 9, np.uint8), None]
    tensors = to_tensors({"frames": clips}, {"frames": FramesReader()}, label=None)
    assert tensors["present"]["frames"].tolist() == [True, False]
    assert tensors["frames"][1].max() == 0
    assert tensors["frames"][0].min() == 9


def test_the_reader_reads_files(folder):
    rows = {"frames": [folder / "brighter" / "a.mp4", None, str(folder / "darker" / "c.gif")]}
    tensors = to_tensors(rows, {"frames": FramesReader(count=4, size=(16, 16))}, label=None)
    assert tensors["frames"].shape == (3, 4, 3, 16, 16)
    light = tensors["frames"].float().mean(dim=(2, 3, 4))
    assert light[0, 0] < light[0, 3]
    assert light[2, 0] > light[2, 3]
    assert light[1].max() == 0


@pytest.mark.parametrize("clips", [np.zeros((2, 8, 8), np.uint8), np.zeros((2, 4, 8, 8))])
def test_what_is_no_clip_is_told(clips):
    with pytest.raises(ValueError, match=r"a clip is an array \(F, H, W\)"):
        FramesReader()({"frames": clips}, "frames")


def test_a_linear_model_reads_clips_by_their_main_directions(monkeypatch):
    monkeypatch.setenv("COURSE_SMOKE", "1")
    rows = split_rows(rows_for(make(60, 3, noise=0), "pace"))
    found = tuned_linear(rows, {"frames": FramesReader(shrink=4)})["frames"]
    assert found.settings["directions"] == 20
    assert len(found.predicted) == len(rows["test"]["label"])


# --- writing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".mp4", ".webm", ".gif"])
def test_what_write_video_writes_is_read_again(tmp_path, ending):
    frames = brightening(9, 16, 24)
    path = video_files.write_video(tmp_path / f"one{ending}", frames)
    clip = read_video(path, count=9, size=(16, 24))
    assert clip.mean(axis=(1, 2, 3)) == pytest.approx(frames.mean(axis=(1, 2, 3)), abs=20)


def test_grey_frames_are_written_in_three_colours(tmp_path):
    path = video_files.write_video(tmp_path / "grey.mp4", brightening(4, 16, 16)[..., 0])
    assert read_video(path, count=2, size=(16, 16)).shape == (2, 16, 16, 3)


@pytest.mark.parametrize(
    ("name", "frames", "said"),
    [
        ("one.txt", brightening(4, 16, 16), "should end in one of .mp4, .webm, .gif"),
        ("one.mp4", brightening(4, 15, 16), "even H and W"),
        ("one.mp4", brightening(4, 16, 16) / 255, "uint8"),
        ("one.mp4", brightening(4, 16, 16)[0], "even H and W"),
    ],
)
def test_what_cannot_be_written_is_told(tmp_path, name, frames, said):
    with pytest.raises(ValueError, match=said):
        video_files.write_video(tmp_path / name, frames)
