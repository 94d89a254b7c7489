"""Masked words and next words: the tasks, their losses, learning and writing."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from course_utils.language import (
    IGNORED,
    MaskedWords,
    continue_text,
    held_out_loss,
    mask_tokens,
    masked_word_loss,
    next_word_loss,
    next_words,
    pretrain,
    with_ends,
)

MASK = 9


class Pairs(nn.Module):
    """A language model that looks at one word at a time: the least that has the interface."""

    def __init__(self, words=10):
        super().__init__()
        self.table = nn.Embedding(words, words)

    def forward(self, input_ids, attention_mask=None, cache=None, use_cache=False):
        return SimpleNamespace(logits=self.table(input_ids), cache=(input_ids,))


def texts(n=400, seed=0):
    """Words that follow one another: 2 3 4 5 6 7 8 2 3 ..., from anywhere, 3 to 6 of them."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.randint(7, (n, 1), generator=generator)
    text = 2 + (start + torch.arange(6)) % 7
    length = torch.randint(3, 7, (n,), generator=generator)
    return text.masked_fill(torch.arange(6) >= length[:, None], 0), length


def test_the_lowest_throws_hide_the_next_swap_and_the_last_leave_a_chosen_word():
    text = torch.tensor([[2, 3, 4, 5, 6, 0]])
    dice = torch.tensor([[0.39, 0.41, 0.46, 0.51, 0.0, 0.0]])
    given, target = mask_tokens(text, text > 0, dice, torch.full_like(text, 7), MASK, share=0.5)
    assert given.tolist() == [[MASK, 7, 4, 5, MASK, 0]]
    assert target.tolist() == [[2, 3, 4, IGNORED, 6, IGNORED]]
    assert text.tolist() == [[2, 3, 4, 5, 6, 0]], "what was given is left alone"


def test_shares_are_those_of_the_librarys_collator():
    transformers = pytest.importorskip("transformers")
    from course_utils.huggingface import PIECES, learn_pieces

    pieces = learn_pieces(["a b c d e f g h i j"] * 3, 40)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=pieces, mask_token="[MASK]", pad_token="[PAD]", unk_token="[UNK]"
    )
    collate = transformers.DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.3)
    torch.manual_seed(0)
    text = torch.randint(len(PIECES), len(tokenizer), (400, 50))
    theirs = collate([{"input_ids": row} for row in text])
    others = torch.randint(len(PIECES), len(tokenizer), text.shape)
    given, target = mask_tokens(text, text > 0, torch.rand(text.shape), others, 2, 0.3)
    for ours, other in ((target, theirs["labels"]),):
        assert (ours != -100).float().mean() == pytest.approx(
            (other != -100).float().mean().item(), abs=0.015
        )
    for mine, other in ((given, theirs["input_ids"]),):
        assert (mine == 2).float().mean() == pytest.approx((other == 2).float().mean().item(),
                                                           abs=0.015)  # fmt: skip
        changed = ((mine != text) & (mine != 2)).float().mean()
        assert changed == pytest.approx(((other != text) & (other != 2)).float().mean().item(),
                                        abs=0.008)  # fmt: skip


def test_padding_is_never_chosen():
    text, length = texts()
    real = torch.arange(6) < length[:, None]
    given, target = mask_tokens(text, real, torch.zeros(text.shape), text, MASK, 1.0)
    assert (given[real] == MASK).all()
    assert (given[~real] == 0).all()
    assert (target[~real] == IGNORED).all()


def test_the_masked_loss_counts_chosen_words_alone_and_is_0_where_there_is_none():
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 5, requires_grad=True)
    target = torch.tensor([[1, IGNORED, 2], [IGNORED, IGNORED, 4]])
    picked = logits.log_softmax(dim=-1)
    by_hand = -(picked[0, 0, 1] + picked[0, 2, 2] + picked[1, 2, 4]) / 3
    assert masked_word_loss(logits, target).item() == pytest.approx(by_hand.item(), abs=1e-6)
    none = masked_word_loss(logits, torch.full_like(target, IGNORED))
    none.backward()
    assert none == 0
    assert (logits.grad == 0).all()


def test_the_next_word_loss_is_the_librarys():
    transformers = pytest.importorskip("transformers")
    del transformers
    from course_utils.huggingface import from_configuration

    model = from_configuration("GPT-2", 12, dim=16, heads=2, dropout=0.0)
    text, length = texts(20)
    real = torch.arange(6) < length[:, None]
    labels = text.masked_fill(~real, -100)
    with torch.no_grad():
        theirs = model(input_ids=text, attention_mask=real.long(), labels=labels)
        ours = next_word_loss(theirs.logits, text, real)
    assert ours.item() == pytest.approx(theirs.loss.item(), abs=1e-6)


def test_the_next_word_loss_counts_what_it_is_told_to_and_never_the_first_word():
    logits = torch.zeros(1, 4, 8)
    text = torch.tensor([[1, 2, 3, 4]])
    logits[0, 1, 3] = 100.0  # after the second word it is sure of the third
    only_third = torch.tensor([[True, False, True, False]])
    assert next_word_loss(logits, text, only_third).item() == pytest.approx(0, abs=1e-6)
    assert next_word_loss(logits, text, torch.ones(1, 4, dtype=torch.bool)) > 1
    first = torch.tensor([[True, False, False, False]])
    assert next_word_loss(logits, text, first) == 0


def test_ends_stand_around_each_text():
    text, length = with_ends(torch.tensor([[2, 3, 4], [5, 0, 0]]), torch.tensor([3, 1]), 8, 9)
    assert text.tolist() == [[8, 2, 3, 4, 9], [8, 5, 9, 0, 0]]
    assert length.tolist() == [5, 3]


def test_what_follows_is_learnt_and_comes_out_the_same_again():
    text, length = texts()

    def learn(seed):
        torch.manual_seed(0)
        model = Pairs()
        return model, pretrain(model, text, length, next_words, texts=12_800, learning_rate=0.1,
                               every=20, seed=seed)  # fmt: skip

    model, curve = learn(0)
    assert curve.texts == [1280 * k for k in range(1, 11)]
    assert curve.loss[-1] < 0.1 < 1 < curve.loss[0]
    assert curve == learn(0)[1] != learn(1)[1]
    assert not model.training
    fresh, long = texts(100, seed=1)
    assert held_out_loss(model, fresh, long, next_words) < 0.1
    found = continue_text(model, torch.tensor([[4], [7]]), 3)
    assert found.tolist() == [[4, 5, 6, 7], [7, 8, 2, 3]]
    assert torch.equal(found, continue_text(model, torch.tensor([[4], [7]]), 3, cache=False))


def test_masked_words_are_drawn_anew_in_each_batch_and_alike_for_one_seed():
    text, length = texts()
    task, seen = MaskedWords(MASK, MASK, 0.5), []

    class Looks(Pairs):
        def forward(self, input_ids, **rest):
            seen.append(input_ids)
            return super().forward(input_ids, **rest)

    held_out_loss(Looks(), text, length, task, seed=3)
    held_out_loss(Looks(), text, length, task, seed=3)
    assert torch.equal(seen[0], seen[2])
    assert not torch.equal(seen[0][:100], seen[1][:100])
    hidden = (seen[0] == MASK).sum() / (text[:256] > 0).sum()
    assert hidden.item() == pytest.approx(0.4, abs=0.05)


def test_a_smoke_run_is_four_batches_and_too_few_texts_get_a_sentence(monkeypatch):
    monkeypatch.setenv("COURSE_SMOKE", "1")
    text, length = texts(80)
    assert pretrain(Pairs(), text, length, next_words).texts == [4 * 64]
    with pytest.raises(ValueError, match="a batch has 64 texts and there are 10"):
        pretrain(Pairs(), text[:10], length[:10], next_words)


def test_random_numbers_outside_go_on_as_if_nothing_had_happened():
    text, length = texts(80)
    torch.manual_seed(5)
    model, before = Pairs(), torch.get_rng_state()
    pretrain(model, text, length, next_words, texts=128)
    assert torch.equal(torch.get_rng_state(), before)
