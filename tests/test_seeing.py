"""A language model that sees: who looks at whom, what is learnt, how an answer is written."""

import math
from types import SimpleNamespace

import pytest
import torch
from sklearn.metrics import confusion_matrix
from torch import nn

from course_utils.data.text import Vocabulary
from course_utils.language import continue_text
from course_utils.seeing import (
    Asked,
    DecoderLayer,
    SeeingDecoder,
    answer_loss,
    answer_loss_mask,
    as_tensors,
    draws,
    first_words,
    generate,
    hallucination_rate,
    join,
    prefix_mask,
    project_tokens,
    said_right,
    teach,
)

WORDS, END = 14, 13


def small(seed=0, **sizes):
    torch.manual_seed(seed)
    sizes = {"channels": 5, "dim": 16, "layers": 2, "heads": 2, "side": 2, "longest": 12} | sizes
    return SeeingDecoder(WORDS, **sizes).eval()


def some_maps(n=3, seed=1):
    return torch.randn(n, 5, 6, 6, generator=torch.Generator().manual_seed(seed))


def some_text(n=3, length=6, seed=2):
    return torch.randint(2, END, (n, length), generator=torch.Generator().manual_seed(seed))


# --- the parts ------------------------------------------------------------------------------------


def test_tokens_are_the_places_of_the_map_row_by_row():
    maps, norm, linear = some_maps(), nn.LayerNorm(5), nn.Linear(5, 7)
    tokens = project_tokens(maps, norm, linear, 3)
    assert tokens.shape == (3, 9, 7)
    for place in range(9):
        top, left = 2 * (place // 3), 2 * (place % 3)
        mean = maps[:, :, top : top + 2, left : left + 2].mean(dim=(2, 3))
        torch.testing.assert_close(tokens[:, place], linear(norm(mean)))


def test_all_places_can_be_kept():
    maps, norm, linear = some_maps(), nn.Identity(), nn.Identity()
    tokens = project_tokens(maps, norm, linear, 6)
    torch.testing.assert_close(tokens, maps.flatten(2).transpose(1, 2))


def test_the_mask_lets_image_tokens_see_each_other_and_words_look_back():
    mask = prefix_mask(3, 4)
    for query in range(7):
        for key in range(7):
            may = key < 3 if query < 3 else key <= query
            assert mask[query, key] == (0 if may else -torch.inf)
    torch.testing.assert_close(prefix_mask(0, 4), nn.Transformer.generate_square_subsequent_mask(4))


def test_the_loss_stands_on_answers_alone():
    start, length = torch.tensor([2, 3]), torch.tensor([4, 6])
    assert answer_loss_mask(start, length, 7).tolist() == [
        [False, False, True, True, False, False, False],
        [False, False, False, True, True, True, False],
    ]


def test_the_loss_is_the_librarys_on_labels_of_minus_100():
    model, maps, text = small(), some_maps(), some_text()
    start, length = torch.tensor([2, 3, 4]), torch.tensor([4, 6, 5])
    asked = Asked(torch.arange(3), text, start, length, torch.zeros(3, dtype=torch.long))
    logits = model(maps, text)
    label = torch.full_like(text, -100)
    for row in range(3):
        label[row, start[row] : length[row]] = text[row, start[row] : length[row]]
    theirs = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), label[:, 1:].flatten())
    torch.testing.assert_close(answer_loss(logits, asked), theirs)


def test_the_loss_equals_that_of_transformers():
    from transformers.loss.loss_utils import ForCausalLMLoss

    model, maps, text = small(), some_maps(), some_text()
    start, length = torch.tensor([2, 3, 4]), torch.tensor([4, 6, 5])
    asked = Asked(torch.arange(3), text, start, length, torch.zeros(3, dtype=torch.long))
    label = text.masked_fill(~answer_loss_mask(start, length, 6), -100)
    logits = model(maps, text)
    theirs = ForCausalLMLoss(logits, label, vocab_size=WORDS)
    torch.testing.assert_close(answer_loss(logits, asked), theirs)


def test_hallucination_is_the_rate_of_false_alarms():
    said = torch.tensor([True, True, False, True, False])
    there = torch.tensor([True, False, False, False, True])
    ((right, alarms), _) = confusion_matrix(there, said)
    assert hallucination_rate(said, there) == pytest.approx(alarms / (right + alarms))
    assert math.isnan(hallucination_rate(said, torch.ones(5, dtype=torch.bool)))


def test_a_layer_is_torchs_own_with_the_norm_first():
    torch.manual_seed(0)
    ours = DecoderLayer(8, 2, 32)
    theirs = nn.TransformerEncoderLayer(
        8, 2, 32, dropout=0, activation="gelu", batch_first=True, norm_first=True
    )
    theirs.self_attn.in_proj_weight.data = ours.attend.project.weight.data
    theirs.self_attn.in_proj_bias.data = ours.attend.project.bias.data
    theirs.self_attn.out_proj.load_state_dict(ours.attend.out.state_dict())
    for mine, its in ((ours.norm_1, theirs.norm1), (ours.norm_2, theirs.norm2),
                      (ours.feed[0], theirs.linear1), (ours.feed[2], theirs.linear2)):  # fmt: skip
        its.load_state_dict(mine.state_dict())
    x, mask = torch.randn(3, 7, 8), prefix_mask(3, 4)
    torch.testing.assert_close(ours(x, mask), theirs(x, src_mask=mask))


def test_no_word_sees_a_later_one_and_every_word_sees_the_picture():
    model, maps, text = small(), some_maps(), some_text()
    said = model(maps, text)
    assert said.shape == (3, 6, WORDS)
    later = text.clone()
    later[:, 4:] = 3
    torch.testing.assert_close(model(maps, later)[:, :4], said[:, :4])
    other = model(some_maps(seed=9), text)
    assert (other - said).abs().amax(dim=(0, 2)).min() > 1e-4


def test_words_behind_a_text_change_nothing():
    model, maps, text = small(), some_maps(), some_text()
    longer = nn.functional.pad(text, (0, 3))
    torch.testing.assert_close(model(maps, longer)[:, :6], model(maps, text))


def test_a_text_that_is_too_long_is_named():
    with pytest.raises(ValueError, match="12 words or fewer, not 13"):
        small()(None, some_text(length=13))


# --- questions as tensors -------------------------------------------------------------------------


def test_question_and_answer_become_one_text():
    question, answer = torch.tensor([[2, 3, 4], [5, 0, 0]]), torch.tensor([[6, 0], [7, 8]])
    text, start, length = join(
        question, torch.tensor([3, 1]), answer, torch.tensor([1, 2]), begin=12, end=13
    )
    assert text.tolist() == [[2, 3, 4, 12, 6, 13], [5, 12, 7, 8, 13, 0]]
    assert start.tolist() == [4, 2]
    assert length.tolist() == [6, 5]


def test_rows_become_tensors_and_lose_columns_of_padding():
    vocabulary = Vocabulary(["what", "is", "shown", "ball", "two"])
    rows = {"question": ["what is shown?", "what"], "answer": ["ball", "two ball"],
            "card": [4, 5], "kind": [2, 3]}  # fmt: skip
    asked = as_tensors(rows, vocabulary)
    begin, end = len(vocabulary), len(vocabulary) + 1
    ids = [vocabulary.ids[word] for word in ("what", "is", "shown", "ball", "two")]
    assert asked.text.tolist() == [
        [*ids[:3], begin, ids[3], end],
        [ids[0], begin, ids[4], ids[3], end, 0],
    ]
    alone = asked.take(torch.tensor([1]))
    assert alone.text.shape == (1, 5)
    assert alone.card.tolist() == [5]


# --- learning and answering -----------------------------------------------------------------------

BEGIN = 12


def toy(n=400, seed=0):
    """Pictures whose strongest of five channels is to be named by a word and the word after it."""
    dice = torch.Generator().manual_seed(seed)
    which = torch.randint(5, (n,), generator=dice)
    maps = 0.3 * torch.randn(n, 5, 6, 6, generator=dice)
    maps[torch.arange(n), which] += 1
    question = torch.randint(8, 11, (n, 3), generator=dice)
    length = torch.randint(1, 4, (n,), generator=dice)
    question[torch.arange(3) >= length[:, None]] = 0
    answer = torch.stack([2 + which, 3 + which], dim=1)
    text, start, ends = join(question, length, answer, torch.full((n,), 2), BEGIN, END)
    asked = Asked(torch.arange(n), text, start, ends, torch.zeros(n, dtype=torch.long))
    return maps, asked


@pytest.fixture(scope="module")
def taught():
    maps, asked = toy()
    model = small()
    curve = teach(model, asked, lambda card: maps[card], steps=60, batch_size=32,
                  learning_rate=5e-3, every=25, watch=lambda: model.training)  # fmt: skip
    return model, curve


def test_a_model_learns_to_name_what_it_sees(taught):
    model, curve = taught
    maps, asked = toy(200, seed=5)
    assert said_right(model, asked, lambda card: maps[card]).double().mean() > 0.95
    # Nothing but the picture tells the answer.
    assert said_right(model, asked, lambda card: maps[card - 1]).double().mean() < 0.4
    assert curve.steps == [25, 50, 60]
    assert curve.loss[-1] < curve.loss[0] / 2
    assert curve.watched == [False] * 3
    assert not model.training


def test_what_is_said_right_is_what_greedy_writing_gives():
    maps, asked = toy()
    model = small(3)
    teach(model, asked, lambda card: maps[card], steps=20, batch_size=32, learning_rate=5e-3)
    maps, asked = toy(200, seed=6)
    right = said_right(model, asked, lambda card: maps[card], batch_size=64)
    prompt = torch.where(torch.arange(asked.text.shape[1]) < asked.start[:, None], asked.text, 0)
    text, length = generate(model, maps, prompt, asked.start, END, most=3)
    wide = max(text.shape[1], asked.text.shape[1])
    wrote, wanted = (nn.functional.pad(t, (0, wide - t.shape[1])) for t in (text, asked.text))
    same = (wrote == wanted).all(dim=1)
    assert (same & (length == asked.length)).tolist() == right.tolist()
    assert 0 < right.double().mean() < 1
    first = first_words(model, asked, lambda card: maps[card], batch_size=64)
    assert first.tolist() == text[torch.arange(200), asked.start].tolist()


def test_a_batch_is_answered_as_its_rows_are_one_by_one():
    model, maps = small(4), some_maps(5)
    text, length = some_text(5), torch.tensor([1, 3, 6, 2, 4])
    text[torch.arange(6) >= length[:, None]] = 0
    before = text.clone()
    together, ends = generate(model, maps, text, length, END, most=4)
    for row in range(5):
        one = slice(row, row + 1)
        alone, end = generate(model, maps[one], text[one, : length[row]], length[one], END, most=4)
        assert end.item() == ends[row]
        assert alone[0].tolist() == together[row, : ends[row]].tolist()
        assert not together[row, ends[row] :].any()
    assert torch.equal(text, before)
    assert length.tolist() == [1, 3, 6, 2, 4]


def test_without_an_end_the_answer_is_the_librarys_greedy_one():
    model, text = small(5), some_text(2, 3)

    def called(input_ids, **_):
        return SimpleNamespace(logits=model(None, input_ids))

    ours, length = generate(model, None, text, torch.tensor([3, 3]), end=-1, most=5)
    assert ours.tolist() == continue_text(called, text, 5, cache=False).tolist()
    assert length.tolist() == [8, 8]


def test_a_row_that_has_ended_is_written_no_further():
    class Says(nn.Module):
        """Word 5 for the first row; for the second the end word at once."""

        def forward(self, maps, text):
            logits = torch.zeros(2, text.shape[1], WORDS)
            logits[0, :, 5], logits[1, :, END] = 1, 1
            return logits

    text, length = generate(Says(), None, torch.tensor([[2, 3], [4, 0]]), torch.tensor([2, 1]),
                            END, most=3)  # fmt: skip
    assert text.tolist() == [[2, 3, 5, 5, 5], [4, END, 0, 0, 0]]
    assert length.tolist() == [5, 2]


def test_only_what_is_named_learns():
    maps, asked = toy(64)
    model = small(6)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    teach(model, asked, lambda card: maps[card], steps=3, batch_size=16, learns=model.projector)
    moved = {n for n, value in model.state_dict().items() if not torch.equal(value, before[n])}
    assert moved == {"norm.weight", "norm.bias", "linear.weight", "linear.bias", "places"}


def test_eyes_may_learn_along():
    maps, asked = toy(64)
    model, eyes = small(7), nn.Conv2d(5, 5, 1)
    before = eyes.weight.detach().clone()
    teach(model, asked, lambda card: eyes(maps[card]), steps=3, batch_size=16,
          learns=[*model.parameters(), *eyes.parameters()])  # fmt: skip
    assert not torch.equal(eyes.weight, before)


def test_each_pass_takes_every_row_once():
    taken = torch.cat([*draws(10, 5, 4, seed=1)])
    assert sorted(taken[:10].tolist()) == sorted(taken[10:].tolist()) == list(range(10))
    assert taken[:10].tolist() != taken[10:].tolist()


def test_too_few_questions_are_a_sentence():
    maps, asked = toy(8)
    with pytest.raises(ValueError, match="a batch has 64 questions and there are 8"):
        teach(small(), asked, lambda card: maps[card], steps=1)


def test_smoke_takes_four_steps(monkeypatch):
    monkeypatch.setenv("COURSE_SMOKE", "1")
    maps, asked = toy(64)
    assert teach(small(), asked, lambda card: maps[card], steps=50, batch_size=16).steps == [4]
