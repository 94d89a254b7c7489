"""The data path takes any modality: a world of four, made here, with no line changed for it.

A card has a picture (red or blue), a tone (a sound of any length, above or below zero), a table (a
price and a material) and a text (often missing). Each votes for one of two answers and the tone
counts twice; but where the flag ``reliability`` is -1 the tone says the opposite of what is true.
"""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from course_utils.attention import Tokens
from course_utils.baselines import tuned_linear
from course_utils.data.batches import Batches, on_tensors, to_tensors
from course_utils.data.readers import (
    ArrayReader,
    ColumnsReader,
    ImageReader,
    Reader,
    TextReader,
    fit_readers,
)
from course_utils.data.rows import Rows, take
from course_utils.encoders import (
    BagEncoder,
    CNNEncoder,
    ColumnsEncoder,
    masked_mean,
    positions_within,
    reading,
)
from course_utils.experiment import (
    answers,
    cache_features,
    compare,
    compare_frozen,
    models_fused,
    scores_of_pairings,
)
from course_utils.fusion import JointAttentionFusion, SumFusion
from course_utils.training import predict

ROWS = {"train": 600, "validation": 150, "test": 400}
NAMES = ("picture", "tone", "table", "text")
DIM = 4

# --- the world, its reader, its encoder and its fusion ------------------------------------------


def make_rows(n: int, seed: int) -> Rows:
    """Cards of four modalities, the side channel, the label and the votes behind it."""
    dice = np.random.default_rng(seed)
    vote = {name: dice.choice([-1, 1], n) for name in NAMES}
    flag = dice.choice([-1.0, 1.0], n)
    lengths = dice.integers(5, 13, n)
    there = {"picture": dice.random(n) > 0.1, "text": dice.random(n) > 0.4}
    score = 2 * vote["tone"] + vote["table"] + dice.normal(0, 0.1, n)
    score += sum(vote[name] * there[name] for name in there)
    colour = np.where(vote["picture"][:, None] > 0, [200, 0, 40], [40, 0, 200])
    pictures = dice.integers(0, 40, (n, 8, 8, 3)) + colour[:, None, None]
    heard = vote["tone"] * flag
    return Rows(
        {
            "thumbnail": [p.astype(np.uint8) if h else None
                          for p, h in zip(pictures, there["picture"], strict=True)],
            "tone": [dice.normal(heard[k], 1, lengths[k]) for k in range(n)],
            "price": np.where(dice.random(n) < 0.1, np.nan, 5 + 2 * vote["table"]),
            "material": [("wood", "steel")[int(v > 0)] for v in vote["table"]],
            "review": [f"a {('bad', 'good')[int(v > 0)]} thing" if h else None
                       for v, h in zip(vote["text"], there["text"], strict=True)],
            "reliability": flag,
            "label": (score > 0).astype(np.int64),
        },
        classes=("no", "yes"),
        modalities={"picture": "thumbnail", "text": "review"},
    )  # fmt: skip


class ToneReader(Reader):
    """Sounds of any length as (n, T) float, zeros behind each, and their lengths (n,) long."""

    def read(self, cells):
        length = torch.tensor([len(cell) for cell in cells])
        sounds = [torch.as_tensor(cell, dtype=torch.float32) for cell in cells]
        return {"": nn.utils.rnn.pad_sequence(sounds, batch_first=True), "_length": length}


class ToneEncoder(nn.Module):
    """The mean over a sound's moments of a linear map of each."""

    reads = ("tone", "tone_length")

    def __init__(self, dim):
        super().__init__()
        self.map, self.dim = nn.Linear(1, dim), dim

    def forward(self, tone, length):
        return masked_mean(self.map(tone[..., None]), length)

    def tokens(self, tone, length):
        return Tokens(self.map(tone[..., None]), positions_within(length, tone.shape[1]))


class ObeyingFusion(SumFusion):
    """A sum that turns the tone round where the flag says so."""

    reads = ("reliability",)

    def forward(self, features, present=None, *, reliability):
        turned = features["tone"] * reliability[:, None]
        return super().forward({**features, "tone": turned}, present)


FUSIONS = {
    "sum": SumFusion,
    "obeys": ObeyingFusion,
    "joint attention": lambda dims: JointAttentionFusion(dims, dim=8, heads=2),
}


@pytest.fixture(scope="module", autouse=True)
def _full_size():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COURSE_SMOKE", raising=False)
        yield


@pytest.fixture(scope="module")
def rows():
    return {split: make_rows(n, seed) for seed, (split, n) in enumerate(ROWS.items())}


@pytest.fixture(scope="module")
def readers(rows):
    table = ColumnsReader(numbers=("price",), categories=("material",))
    readers = {"picture": ImageReader(), "tone": ToneReader(), "table": table, "text": TextReader()}
    return fit_readers(readers, rows["train"])


@pytest.fixture(scope="module")
def splits(rows, readers):
    return {s: to_tensors(part, readers, side=("reliability",)) for s, part in rows.items()}


@pytest.fixture(scope="module")
def found(splits, readers):
    def make_encoders():
        return {
            "picture": reading(CNNEncoder(DIM, channels=(4,)), "picture"),
            "tone": ToneEncoder(DIM),
            "table": reading(ColumnsEncoder(readers["table"].width, DIM), "table"),
            "text": BagEncoder(len(readers["text"].vocabulary), DIM),
        }

    options = {"epochs": 2, "learning_rate": 0.02, "batch_size": 32}
    ceiling = {"chance": 0.5, "blind to the flag": 0.64, "all and the flag": 1.0}
    return compare(make_encoders, FUSIONS, splits, 2, seed_count=1, ceiling=ceiling,
                   options=options, fusion_options=options | {"epochs": 4})  # fmt: skip


def every_model(found):
    return [(name, models[0]) for name, models in found.models.items()]


# --- what is read -------------------------------------------------------------------------------


def test_each_reader_gives_its_tensors_under_its_name(splits):
    test, n = splits["test"], ROWS["test"]
    assert test["picture"].shape == (n, 3, 8, 8)
    assert test["tone"].shape == (n, test["tone_length"].max())
    assert test["table"].shape == (n, 3)
    assert test["text"].shape[0] == test["text_length"].shape[0] == n


def test_which_modalities_a_row_has_is_known_by_name(rows, splits):
    test, present = rows["test"], splits["test"]["present"]
    assert set(present) == set(NAMES)
    for name, column in (("picture", "thumbnail"), ("text", "review")):
        assert present[name].tolist() == [cell is not None for cell in test[column]]
        assert 0.3 < present[name].double().mean() < 0.95
    assert present["tone"].all()
    assert present["table"].all()


# --- training and the fair table ----------------------------------------------------------------


def test_the_fair_table_has_every_modality_every_fusion_and_the_worlds_own_ceilings(found):
    alone = [f"{name} alone" for name in NAMES]
    ceilings = ["ceiling, blind to the flag", "ceiling, all and the flag"]
    assert [*found.table.index] == ["majority", *alone, *FUSIONS, *ceilings]


def test_a_fusion_that_obeys_the_side_channel_beats_one_that_cannot(found):
    assert found.mean("obeys") > found.mean("sum") + 0.15
    assert found.mean("obeys") > 0.85


def test_a_model_of_one_modality_reads_a_fuller_batch(found, splits):
    test = splits["test"]
    for name in NAMES:
        model = found.models[f"{name} alone"][0]
        own = {part: test[part] for part in model.reads}
        own["present"] = {name: test["present"][name]}
        fuller, alone = predict(model, Batches(test, 128)), predict(model, Batches(own, 128))
        assert torch.equal(fuller, alone), name


def test_what_stands_in_an_absent_cell_changes_no_logit(found, splits):
    test = splits["test"]
    changed = on_tensors(test, torch.clone)
    for name in ("picture", "text"):
        absent = ~test["present"][name]
        changed[name][absent] = torch.flip(changed[name], [0])[absent] + (name == "picture")
    changed["text_length"][~test["present"]["text"]] = 2
    for name, model in every_model(found):
        before, after = (predict(model, Batches(each, 128)) for each in (test, changed))
        assert torch.equal(before, after), name


def test_what_stands_in_a_cell_that_is_there_changes_logits(found, splits):
    test = splits["test"]
    here = test["present"]["picture"] & test["present"]["text"]
    for part in ("picture", "tone", "table", "text"):
        shuffled = test | {part: torch.where(here.view(-1, *[1] * (test[part].ndim - 1)),
                                             test[part].roll(1, dims=0), test[part])}  # fmt: skip
        for name in FUSIONS:
            model = found.models[name][0]
            before, after = (predict(model, Batches(each, 128)) for each in (test, shuffled))
            assert not torch.allclose(before, after), (name, part)


# --- what models are asked ----------------------------------------------------------------------


def test_rows_without_a_label_are_answered_by_every_model(found, rows, readers):
    unlabelled = rows["test"].with_columns({n: c for n, c in rows["test"].items() if n != "label"})
    for name, model in every_model(found):
        assert torch.equal(answers(model, unlabelled, readers), found.logits[name][0].argmax(1))


def test_a_side_channel_that_is_missing_is_named(found, rows, splits, readers):
    bare = {name: value for name, value in splits["test"].items() if name != "reliability"}
    with pytest.raises(KeyError, match="ObeyingFusion reads the side channel 'reliability'"):
        found.models["obeys"][0](next(iter(Batches(bare))))
    columns = {name: c for name, c in rows["test"].items() if name != "reliability"}
    with pytest.raises(KeyError, match="reads the side channel 'reliability'"):
        answers(found.models["obeys"][0], rows["test"].with_columns(columns), readers)


@pytest.mark.parametrize("first", NAMES)
def test_pairings_put_one_rows_modality_beside_all_else_of_another(found, splits, first):
    count = 5
    test = on_tensors(splits["test"], lambda tensor: tensor[:count])
    for name in FUSIONS:
        model = found.models[name][0]
        scores = scores_of_pairings(model, splits["test"], rows=count, first=first)
        assert scores.shape == (count, count, 2)
        for i, j in itertools.product(range(count), repeat=2):
            card = on_tensors(test, lambda tensor, j=j: tensor[[j]])
            for part in model.encoders[first].reads:
                card[part] = test[part][[i]]
            card["present"][first] = test["present"][first][[i]]
            logits = predict(model, Batches(card))
            torch.testing.assert_close(scores[i, j], logits[0], msg=f"{name} {i} {j}")


def test_linear_models_are_tuned_on_every_modality_and_on_all(rows, readers):
    scores = tuned_linear(rows, readers)
    assert [*scores] == [*NAMES, "all"]
    assert scores["all"].validation > 0.55
    heard = {split: take(part, part["reliability"] > 0) for split, part in rows.items()}
    tone = tuned_linear(heard, {"tone": readers["tone"]})["tone"]
    assert tone.accuracy > 0.75  # the world's own reader is read, whatever the padding


def test_a_linear_model_of_a_table_knows_more_of_a_price_than_its_sign():
    dice = np.random.default_rng(0)
    rows = {}
    for split, n in ROWS.items():
        price = dice.uniform(0, 10, n)
        rows[split] = {"price": price, "label": (price > 8).astype(np.int64)}  # one in five
    reader = ColumnsReader(numbers=("price",)).fit(rows["train"], "table")
    assert tuned_linear(rows, {"table": reader})["table"].accuracy > 0.95


@pytest.mark.parametrize("shape", [(), (3,), (2, 2, 3)])
def test_features_of_a_sound_or_film_leave_padding_out(shape):
    class FilmReader(Reader):
        def read(self, cells):
            whole = torch.full((len(cells), max(map(len, cells)), *shape), 1e6)
            for row, cell in enumerate(cells):
                whole[row, : len(cell)] = torch.as_tensor(np.stack(cell))
            return {"": whole, "_length": torch.tensor([*map(len, cells)])}

    dice = np.random.default_rng(0)
    rows = {}
    for split, most in {"train": 4, "validation": 6, "test": 9}.items():  # widths that differ
        films = [list(dice.normal(size=(1 + k % most, *shape))) for k in range(40)]
        rows[split] = {"film": films, "label": [int(np.mean(film) > 0) for film in films]}
    found = tuned_linear(rows, {"film": FilmReader()})["film"]
    assert found.accuracy > 0.85


# --- frozen encoders, cached features, tokens ---------------------------------------------------


@pytest.fixture(scope="module")
def cached(found, splits):
    return cache_features(found.encoders[0], splits, as_tokens=True)


def test_side_channel_label_and_presence_arrive_unchanged_in_cached_features(cached, splits, rows):
    for split, tensors in splits.items():
        kept = cached[split]
        flag = torch.as_tensor(rows[split]["reliability"])
        assert torch.equal(kept["reliability"].double(), flag)
        assert torch.equal(kept["label"], tensors["label"])
        for name, there in tensors["present"].items():
            assert torch.equal(kept["present"][name], there)


def test_tokens_are_cached_beside_the_vectors_where_an_encoder_has_them(cached, splits):
    test, n = splits["test"], ROWS["test"]
    assert all(cached["test"][name].shape == (n, DIM) for name in NAMES)
    tone = cached["test"]["tone_tokens"]
    assert torch.equal(tone.real.sum(dim=1), test["tone_length"])
    assert cached["test"]["picture_tokens"].vectors.shape == (n, 16, DIM)
    assert "table_tokens" not in cached["test"]


def test_frozen_encoders_give_a_table_of_fusions_that_read_cards(found, splits):
    before = on_tensors(found.encoders[0]["tone"].state_dict(), torch.clone)
    again = compare_frozen(
        found.encoders, FUSIONS, splits, 2, options={"epochs": 2, "learning_rate": 0.02}
    )
    assert [*again.table.index] == ["majority", *FUSIONS]
    for name, value in found.encoders[0]["tone"].state_dict().items():
        assert torch.equal(value, before[name])
    for name, (model,) in again.models.items():
        live = predict(model, Batches(splits["test"], 100))
        torch.testing.assert_close(live, again.logits[name][0], msg=name)


def test_subsets_of_the_modalities_are_fusions_like_others(found, cached, splits):
    def pair(dims):
        return SumFusion({name: dims[name] for name in ("table", "text")}, 4)

    trained = models_fused({"table + text": pair}, cached, 2, encoders=found.encoders[0],
                           options={"epochs": 1})["table + text"]  # fmt: skip
    assert set(trained.model.reads) == {"table", "text", "text_length"}
    live = predict(trained.model, Batches(splits["test"], 100))
    torch.testing.assert_close(live, trained.logits)


def test_what_nobody_reads_is_not_kept_with_the_features(found, splits, monkeypatch):
    seen = []

    def spy(encoders, splits, as_tokens=False):
        seen.append({*splits["train"]})
        return cache_features(encoders, splits, as_tokens)

    monkeypatch.setattr("course_utils.experiment.cache_features", spy)
    table = {"table": found.encoders[0]["table"]}
    compare_frozen([table], {"table": SumFusion}, splits, 2, options={"epochs": 1})
    assert seen == [{"table", "label", "present"}]


# --- what stands in a cell ----------------------------------------------------------------------


def test_an_array_of_nan_is_absent_and_read_as_zeros():
    nothing = [np.nan, np.nan]
    for column in (np.array([[1.0, 2], nothing, [np.nan, 3]]), [np.ones(2), None, np.ones(2)]):
        tensors = to_tensors({"sensor": column}, {"sensor": ArrayReader()}, label=None)
        assert tensors["present"]["sensor"].tolist() == [True, False, True]
        assert (tensors["sensor"][1] == 0).all()
        assert tensors["sensor"].dtype == torch.float32


def test_an_array_that_is_read_stays_as_it_is():
    column = np.array([[1.0, 2], [np.nan, np.nan]], dtype=np.float32)
    to_tensors({"sensor": column}, {"sensor": ArrayReader()}, label=None)
    assert np.isnan(column[1]).all()


@pytest.mark.parametrize("empty", [None, "", float("nan")])
def test_an_empty_category_is_no_category_and_an_empty_table_row_is_absent(empty):
    rows = {"price": [1.0, 3.0, ""], "material": ["wood", empty, empty]}
    reader = ColumnsReader(numbers=("price",), categories=("material",)).fit(rows, "table")
    assert reader.values == {"material": ("wood",)}
    assert reader(rows, "table")["table"].tolist() == [[-1, 1], [1, 0], [0, 0]]
    assert reader.present(rows, "table").tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (np.array([0, 255, 7], dtype=np.uint8), torch.long),  # Batches divides pictures by 255
        (np.array([0, 255, 7], dtype=np.int32), torch.long),
        ([0.5, 255, 7], torch.float32),
        (np.array([True, False, True]), torch.bool),
    ],
)
def test_a_side_channel_comes_out_of_batches_as_it_went_in(column, kind):
    batch = next(iter(Batches(to_tensors({"flag": column}, {}, label=None, side=("flag",)))))
    assert batch["flag"].dtype == kind
    assert batch["flag"].tolist() == list(column)


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ([1, None, 2], "'flag' is empty in row 1; fill it in"),
        (np.array([1, 2, np.nan]), "'flag' is empty in row 2"),
        (["low", "high", "low"], r"'flag' holds \['low'\]; it must hold numbers"),
    ],
)
def test_a_side_channel_with_holes_or_words_is_refused_in_a_sentence(column, says):
    with pytest.raises(ValueError, match=says):
        to_tensors({"flag": column}, {}, label=None, side=("flag",))


def test_an_encoder_set_to_another_modality_keeps_its_side_channels():
    class Listening(ToneEncoder):
        reads = ("tone", "tone_length", "loudness")

    assert reading(Listening(2), "sound").reads == ("sound", "sound_length", "loudness")
