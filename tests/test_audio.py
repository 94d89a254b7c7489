"""Sounds from files and samples: what is read, what is refused, and what a DataLoader gets."""

import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from course_utils.baselines import tuned_linear
from course_utils.data import music_cards, real
from course_utils.data.audio import (
    NO_SOUNDFILE,
    AudioReader,
    MelReader,
    MusicFolder,
    collate_clips,
    read_audio,
    write_audio,
)
from course_utils.data.batches import Batches, to_tensors
from course_utils.data.readers import ImageReader, fit_readers
from course_utils.data.rows import BadData, Rows, split_rows
from course_utils.encoders import CNNEncoder, encode, reading
from course_utils.environment import course_root
from course_utils.sound import log_mel, mel_filters

RATE = 8000
CARDS = course_root() / "data" / "music_cards"
NEAR = course_root().parent / "shared" / "real"
DATA = Path(os.environ.get("COURSE_DATA_DIR") or NEAR)
needs_digits = pytest.mark.skipif(
    not (DATA / "digits" / "fsdd.csv").is_file(),
    reason="no spoken digits in COURSE_DATA_DIR or ../shared/real",
)


def sine(hertz=440.0, seconds=0.5, rate=RATE):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "clip.wav"


def loudest_hertz(samples, rate=RATE):
    return np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples)


# --- files that are sounds -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subtype", "step"),
    [("PCM_U8", 2**-7), ("PCM_16", 2**-15), ("PCM_24", 2**-23), ("PCM_32", 1e-7),
     ("FLOAT", 1e-7), ("DOUBLE", 1e-7)],
)  # fmt: skip
def test_samples_of_any_kind_become_fractions(path, subtype, step):
    soundfile.write(path, sine(), RATE, subtype=subtype)
    samples = read_audio(path)
    assert samples.dtype == np.float32
    assert np.abs(samples - sine()).max() <= step


def test_eight_bits_are_read_as_their_format_says(path):
    """Unsigned: 128 is silence, 0 is -1, 255 is just below 1; written byte by byte."""
    bytes_ = bytes([128, 0, 255, 192])
    head = b"RIFF" + struct.pack("<I", 36 + len(bytes_)) + b"WAVEfmt "
    head += struct.pack("<IHHIIHH", 16, 1, 1, RATE, RATE, 1, 8)
    path.write_bytes(head + b"data" + struct.pack("<I", len(bytes_)) + bytes_)
    assert read_audio(path).tolist() == [0, -1, 127 / 128, 0.5]


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_channels_become_their_mean(path, channels):
    loudness = np.arange(1, channels + 1) / channels
    soundfile.write(path, sine()[:, None] * loudness, RATE, subtype="FLOAT")
    assert read_audio(path) == pytest.approx(sine() * loudness.mean(), abs=1e-6)


@pytest.mark.parametrize("own_rate", [4000, 8000, 11025, 16000, 22050, 44100, 44099, 48000, 96000])
def test_other_rates_are_brought_to_the_one_asked_for(path, own_rate):
    soundfile.write(path, sine(rate=own_rate), own_rate, subtype="FLOAT")
    samples = read_audio(path)
    assert abs(len(samples) - RATE // 2) <= 2
    assert loudest_hertz(samples) == pytest.approx(440, abs=4)
    middle = samples[500:-500]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / 2**0.5, rel=0.02)


def test_what_is_too_high_for_the_new_rate_is_gone_and_not_heard_as_another_tone(path):
    soundfile.write(path, sine(6000, rate=16000), 16000, subtype="FLOAT")  # would fold to 2 kHz
    assert np.abs(read_audio(path)[200:-200]).max() < 0.01


@pytest.mark.parametrize("ending", [".flac", ".ogg", ".aiff"])
def test_other_kinds_of_file_are_read_too(tmp_path, ending):
    soundfile.write(tmp_path / f"clip{ending}", sine(), RATE)
    assert loudest_hertz(read_audio(tmp_path / f"clip{ending}")) == pytest.approx(440, abs=4)


def test_what_is_written_is_what_is_read(path):
    clip = music_cards.make(1, 3)["clip"][0]
    write_audio(path, clip)
    assert np.array_equal(read_audio(path) * 32768, clip)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


# --- files that are none ---------------------------------------------------------------------


FAULTS = (
    "is empty: it has no byte",
    "is cut off: it promises more bytes than it has",
    "holds no samples",
    "holds samples that are no numbers",
    "is no sound, or of a kind that soundfile does not know",
)


def broken(path):
    """{what is said: bytes of a file that is broken so}."""
    soundfile.write(path, sine(), RATE)
    whole = path.read_bytes()
    soundfile.write(path, np.zeros(0), RATE)
    silent = path.read_bytes()
    soundfile.write(path, np.array([0, np.nan]), RATE, subtype="FLOAT")
    unreal = path.read_bytes()
    wrong = b"ABCD" + whole[4:]
    return dict(zip(FAULTS, (b"", whole[: len(whole) // 2], silent, unreal, wrong), strict=True))


@pytest.mark.parametrize("said", FAULTS)
def test_a_broken_file_is_named_with_its_fault(path, said):
    path.write_bytes(broken(path)[said])
    with pytest.raises(BadData, match=said) as refused:
        read_audio(path)
    assert str(path) in str(refused.value)
    assert str(refused.value).endswith("; replace it")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("cut", [1, 12, 20, 43, 44, 45, 1000, 8043])
def test_a_file_cut_off_anywhere_is_refused(path, cut):
    soundfile.write(path, sine(), RATE)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(BadData, match=r"is cut off|is no sound"):
        read_audio(path)


@pytest.mark.parametrize("size", [0, 2**32 - 1])
def test_a_stream_that_did_not_know_its_length_is_read(path, size):
    soundfile.write(path, sine(), RATE)
    bytes_ = bytearray(path.read_bytes())
    bytes_[4:8] = struct.pack("<I", size)
    path.write_bytes(bytes_)
    assert len(read_audio(path)) == RATE // 2


def test_a_file_that_is_not_there_and_a_folder_are_named(path):
    with pytest.raises(BadData, match="is not there; replace it"):
        read_audio(path)
    with pytest.raises(BadData, match="may not be opened: it is a folder"):
        read_audio(path.parent)


@given(junk=st.binary(max_size=200), head=st.sampled_from([b"", b"RIFF", b"fLaC", b"OggS", b"ID3"]))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_read_or_refused_in_a_sentence(tmp_path_factory, junk, head):
    path = tmp_path_factory.mktemp("junk") / "clip.wav"
    path.write_bytes(head + junk)
    try:
        said, samples = "", read_audio(path)
    except BadData as refused:
        said, samples = str(refused), np.zeros(1)
    assert "\n" not in said
    assert samples.ndim == 1


def test_without_soundfile_one_sentence_says_what_to_install(path, monkeypatch):
    write_audio(path, sine())
    monkeypatch.setitem(sys.modules, "soundfile", None)
    for use in (lambda: read_audio(path), lambda: write_audio(path, sine())):
        with pytest.raises(ImportError, match="pip install soundfile") as refused:
            use()
        assert str(refused.value) == NO_SOUNDFILE
    assert len(music_cards.make(1)["clip"]) == 1, "generated cards need no library"


# --- readers ---------------------------------------------------------------------------------


def test_sounds_of_any_length_stand_in_one_tensor_with_their_lengths(path):
    write_audio(path, sine(seconds=0.1))
    rows = {"audio": [np.array([16384, -32768], np.int16), None, str(path), np.array([0.25])]}
    tensors = AudioReader()(rows, "audio")
    assert tensors["audio"].shape == (4, 800)
    assert tensors["audio_length"].tolist() == [2, 0, 800, 1]
    assert tensors["audio"][0, :3].tolist() == [0.5, -1, 0]
    assert not tensors["audio"][1].any()
    assert AudioReader().present(rows, "audio").tolist() == [True, False, True, True]


@pytest.mark.parametrize("seconds", [0.05, 0.2])
def test_sounds_are_cut_or_filled_to_the_seconds_that_are_asked_for(seconds):
    tensors = AudioReader(seconds=seconds)({"audio": [sine(seconds=0.1)]}, "audio")
    assert tensors["audio"].shape == (1, seconds * RATE)
    assert tensors["audio_length"].tolist() == [min(800, seconds * RATE)]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([np.zeros((2, 3))], r"row 0 holds samples of shape \(2, 3\); a sound is \(T,\)"),
        ([np.zeros(3), np.zeros(3, np.int32)], "row 1 holds samples of kind int32; give int16"),
        ([None, None], "no row has a sound"),
    ],
)
def test_what_is_no_sound_is_told_in_a_sentence(cells, said):
    with pytest.raises(ValueError, match=said):
        AudioReader()({"audio": cells}, "audio")


def test_a_length_of_nothing_is_refused():
    with pytest.raises(ValueError, match="seconds is a length above 0, not 0"):
        AudioReader(seconds=0)


@pytest.fixture(scope="module")
def rows():
    return split_rows(music_cards.rows_for(music_cards.make(80, 1), "genre"))


def test_spectrograms_have_mean_0_and_spread_1_on_the_training_rows(rows):
    reader = MelReader().fit(rows["train"], "audio")
    values = reader(rows["train"], "audio")["audio_mel"]
    assert values.shape == (len(rows["train"]["clip"]), 1, 40, 92)
    assert (values.mean().item(), values.std().item()) == pytest.approx((0, 1), abs=1e-4)
    mean, spread = reader.units
    clips = torch.from_numpy(rows["test"]["clip"]).float() / 32768
    there = (log_mel(clips, mel_filters())[:, None] - mean) / spread
    torch.testing.assert_close(reader(rows["test"], "audio")["audio_mel"], there)


def test_a_reader_without_units_says_what_to_do(rows):
    with pytest.raises(ValueError, match=r"call fit\(training rows, modality\)"):
        MelReader()(rows["test"], "audio")


def test_how_near_the_microphone_was_does_not_matter_to_a_reader_of_one_loudness():
    dice = np.random.default_rng(0)
    words = [dice.normal(size=n) for n in (2000, 3000, 4000)]
    near, far = ({"audio": [gain * word for word in words]} for gain in (0.5, 0.005))
    reader = MelReader(loudness=0.1, floor=1e-2).fit(near, "audio")
    ours, theirs = (reader(rows, "audio")["audio_mel"] for rows in (near, far))
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)
    as_recorded = MelReader().fit(near, "audio")
    gap = as_recorded(near, "audio")["audio_mel"] - as_recorded(far, "audio")["audio_mel"]
    assert gap.mean() > 0.5
    assert reader({"audio": [np.zeros(900)]}, "audio")["audio_mel"].isfinite().all(), "silence"


def test_an_absent_sound_is_the_mean_and_does_not_count_in_the_units():
    sounds = [sine(440), sine(900)]
    alone, more = (MelReader().fit({"audio": cells}, "audio") for cells in
                   (sounds, [None, *sounds]))  # fmt: skip
    assert alone.units == pytest.approx(more.units)
    assert not more({"audio": [None, *sounds]}, "audio")["audio_mel"][0].any()


def test_the_courses_own_cnn_reads_spectrograms_in_a_batch(rows):
    readers = fit_readers({"image": ImageReader(), "audio": MelReader()}, rows["train"])
    tensors = to_tensors(rows["train"], readers)
    batch = next(iter(Batches(tensors, 8)))
    assert batch["present"]["audio"].all()
    for encoder in (CNNEncoder(16), reading(CNNEncoder(16, colours=1), "audio_mel")):
        assert encode(encoder, batch).shape == (8, 16)


def test_a_linear_model_reads_the_statistics_of_the_bands():
    """The loud band tells the label; a mean over bands, as for readers unknown, would hide it."""
    dice = np.random.default_rng(0)
    label = dice.integers(0, 2, 300)
    sounds = [sine(500 if one else 2500, 0.1) + 0.01 * dice.normal(size=800) for one in label]
    split = np.array(["train"] * 150 + ["validation"] * 50 + ["test"] * 100)
    parts = split_rows(Rows({"audio": sounds, "label": label, "split": split}))
    readers = {"audio": MelReader().fit(parts["train"], "audio")}
    assert tuned_linear(parts, readers)["audio"].accuracy > 0.95


# --- what a DataLoader asks for --------------------------------------------------------------


def test_clips_of_different_length_become_one_batch():
    cards = [
        {"audio": torch.arange(n, dtype=torch.float) + 1, "image": torch.zeros(3, 2, 2), "label": n}
        for n in (3, 5, 1)
    ]
    batch = collate_clips(cards)
    assert batch["audio"].shape == (3, 5)
    assert batch["audio"][2].tolist() == [1, 0, 0, 0, 0]
    assert batch["audio_length"].tolist() == batch["label"].tolist() == [3, 5, 1]
    assert batch["image"].shape == (3, 3, 2, 2)
    assert batch["label"].dtype == batch["audio_length"].dtype == torch.long


def test_a_batch_of_no_cards_is_refused():
    with pytest.raises(ValueError, match="at least one card"):
        collate_clips([])


def test_the_sample_is_read_card_by_card():
    cards = MusicFolder(CARDS, music_cards.GENRES)
    assert len(cards) == 90
    card = cards[0]
    assert card["image"].shape == (3, 48, 48)
    assert 0 <= card["image"].min() <= card["image"].max() <= 1
    assert card["audio"].shape == (12000,)
    assert music_cards.GENRES[card["label"]] == cards.rows[0]["genre"]
    liked = MusicFolder(CARDS, music_cards.TASKS["review"], label="review")
    assert liked[0]["label"] == (liked.rows[0]["review"] == "liked")


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python on forks
@pytest.mark.parametrize("workers", [0, 2])
def test_a_dataloader_gives_every_card_of_a_split_once(workers):
    cards = MusicFolder(CARDS, music_cards.GENRES, "test")
    batches = [*DataLoader(cards, 8, num_workers=workers, collate_fn=collate_clips)]
    assert [len(batch["label"]) for batch in batches] == [8, 8, 8, 5]
    labels = torch.cat([batch["label"] for batch in batches]).tolist()
    assert labels == [music_cards.GENRES.index(row["genre"]) for row in cards.rows]


def test_a_folder_without_a_table_and_a_class_that_is_none_are_named(tmp_path):
    with pytest.raises(BadData, match=r"no table .*cards\.csv; name the folder"):
        MusicFolder(tmp_path, music_cards.GENRES)
    with pytest.raises(BadData, match="the genre 'techno', which is none of waltz, folk"):
        MusicFolder(CARDS, music_cards.GENRES[:4])


# --- spoken digits ---------------------------------------------------------------------------


@pytest.fixture
def digits(monkeypatch):
    monkeypatch.setenv("COURSE_DATA_DIR", str(DATA))
    return lambda **how: real.spoken_digits(download=False, **how)


@needs_digits
def test_folds_part_the_recordings_and_a_speaker_is_heard_in_one_part_alone(digits):
    rows = digits()
    assert len(rows["audio"]) == 3000
    tests = np.zeros(3000, dtype=int)
    for fold in range(real.FOLDS):
        one = digits(fold=fold)
        parts = split_rows(one)
        tests += one["split"] == "test"
        assert np.bincount(parts["test"]["label"]).tolist() == [30] * 10
        assert set(parts["test"]["speaker"]) == set(real.SPEAKERS)
    assert (tests == 1).all()
    assert set(split_rows(rows)["test"]["index"]) == {0, 1, 2, 3, 4}, "the authors' own test part"
    parts = split_rows(digits(speaker="theo"))
    assert set(parts["test"]["speaker"]) == {"theo"}
    assert len(parts["test"]["label"]) == 500
    assert set(parts["train"]["speaker"]) == set(parts["validation"]["speaker"])
    assert "theo" not in parts["train"]["speaker"]


@needs_digits
def test_real_recordings_are_read_at_their_lengths(digits):
    rows = digits()
    some = {"audio": rows["audio"][::100]}
    tensors = AudioReader()(some, "audio")
    for row, path in enumerate(some["audio"]):
        assert tensors["audio_length"][row] == soundfile.info(path).frames
    assert 0.1 < tensors["audio"].abs().max() <= 1
    assert MelReader(seconds=1.0).fit(some, "audio")(some, "audio")["audio_mel"].isfinite().all()


@needs_digits
def test_a_students_signs_stay_in_one_split(monkeypatch):
    monkeypatch.setenv("COURSE_DATA_DIR", str(DATA))
    monkeypatch.setattr(real, "read_image", lambda path, size: np.zeros((*size, 3), np.uint8))
    rows = real.sign_digits(download=False)
    assert len(rows["label"]) == 2062
    assert abs(len(set(rows["student"])) - 218) <= 2, "about as many as the authors count"
    parts = split_rows(rows)
    seen = [set(part["student"]) for part in parts.values()]
    assert sum(map(len, seen)) == len(set.union(*seen))
    assert [len(part["label"]) / 2062 for part in parts.values()] == pytest.approx(
        [0.6, 0.2, 0.2], abs=0.02
    )


def test_partners_have_the_same_label_and_split_and_are_drawn_anew_by_seed():
    splits = ["train"] * 6 + ["test"] * 6
    one = Rows({"audio": [*range(12)], "label": np.arange(12) % 2, "split": splits})
    other = Rows({"image": np.arange(48), "label": np.arange(48) % 2,
                  "split": ["train"] * 20 + ["test"] * 28})  # fmt: skip
    pairs = real.pair_by_label(one, other, "image")
    assert pairs["audio"] == one["audio"]
    for image, label, split in zip(pairs["image"], pairs["label"], pairs["split"], strict=True):
        assert (other["label"][image], other["split"][image]) == (label, split)
    again = real.pair_by_label(one, other, "image", seed=1)
    assert not np.array_equal(pairs["image"], again["image"])
    with pytest.raises(ValueError, match="no partner of label 0 in the split 'train'"):
        real.pair_by_label(one, split_rows(other)["test"], "image")


@pytest.mark.parametrize(
    ("how", "said"),
    [({"fold": 10}, "a fold is a number from 0 to 9"), ({"speaker": "ann"}, "no speaker 'ann'")],
)
def test_a_fold_or_a_speaker_that_is_not_there_is_told(how, said):
    with pytest.raises(ValueError, match=said):
        real.spoken_digits(download=False, **how)
