"""The losses of a shared space against open_clip's, and the rules of search."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.contrastive import (
    cosines,
    floor_of_loss,
    info_nce,
    late_interaction,
    matching_loss,
    modality_gap,
    pairwise_loss,
    prefers,
    recall_at_k,
    repeated,
    sigmoid_loss,
    zero_shot,
)


@pytest.fixture
def pairs():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(12, 8, generator=generator), 3 * torch.randn(12, 8, generator=generator)


def open_clip_loss():
    return pytest.importorskip("open_clip.loss", reason="pip install --no-deps open_clip_torch")


# --- losses against the library's, and against their formulas ---------------------------------


@pytest.mark.parametrize("temperature", [0.02, 0.07, 1.0])
def test_the_softmax_loss_is_open_clips(pairs, temperature):
    image, text = (F.normalize(vectors, dim=1) for vectors in pairs)
    theirs = open_clip_loss().ClipLoss()(image, text, logit_scale=1 / temperature)
    torch.testing.assert_close(info_nce(*pairs, temperature), theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("temperature", "bias"), [(0.1, -10.0), (1.0, 0.0), (0.05, -3.0)])
def test_the_sigmoid_loss_is_open_clips(pairs, temperature, bias):
    image, text = (F.normalize(vectors, dim=1) for vectors in pairs)
    theirs = open_clip_loss().SigLipLoss()(image, text, 1 / temperature, bias)
    ours = sigmoid_loss(*pairs, temperature, bias)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_the_softmax_loss_is_its_formula_spelt_out(pairs):
    image, text = ([row / row.norm() for row in vectors] for vectors in pairs)
    total = 0.0
    for i in range(12):
        fits = math.exp(float(image[i] @ text[i]) / 0.07)
        texts = sum(math.exp(float(image[i] @ text[j]) / 0.07) for j in range(12))
        pictures = sum(math.exp(float(image[j] @ text[i]) / 0.07) for j in range(12))
        total += -math.log(fits / texts) - math.log(fits / pictures)
    assert info_nce(*pairs).item() == pytest.approx(total / 24, rel=1e-5)


def test_the_sigmoid_loss_is_its_formula_spelt_out(pairs):
    logits = cosines(*pairs) / 0.1 - 2
    total = sum(
        math.log1p(math.exp(-float(logits[i, j]) * (1 if i == j else -1)))
        for i in range(12)
        for j in range(12)
    )
    assert sigmoid_loss(*pairs, 0.1, -2.0).item() == pytest.approx(total / 12, rel=1e-5)


@pytest.mark.parametrize("batch", [2, 64])
def test_where_all_look_alike_the_loss_is_the_logarithm_of_the_batch(batch):
    alike = torch.ones(batch, 5)
    for temperature in (0.01, 0.07, 1.0):
        assert info_nce(alike, alike, temperature).item() == pytest.approx(math.log(batch))


def test_lengths_do_not_matter_and_both_directions_count(pairs):
    image, text = pairs
    torch.testing.assert_close(info_nce(5 * image, text / 3), info_nce(image, text))
    torch.testing.assert_close(info_nce(text, image), info_nce(image, text))
    logits = torch.randn(6, 6, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(matching_loss(logits.T), matching_loss(logits))


def test_further_wrong_texts_raise_the_loss_of_naming_texts_alone(pairs):
    logits = cosines(*pairs) / 0.07
    right = torch.arange(12)
    more = torch.full((12, 3), 1.5)
    wanted = F.cross_entropy(torch.cat([logits, more], 1), right) + F.cross_entropy(logits.T, right)
    torch.testing.assert_close(matching_loss(logits, more), wanted / 2)
    assert matching_loss(logits, more) > matching_loss(logits)
    torch.testing.assert_close(
        matching_loss(logits, torch.full((12, 3), -torch.inf)), matching_loss(logits)
    )


def test_pairs_that_say_the_same_are_not_called_wrong():
    meaning = torch.tensor([0, 1, 0, 2])
    logits = torch.where(repeated(meaning), 9.0, -9.0)
    assert matching_loss(logits) > 0.3
    assert matching_loss(logits, same=repeated(meaning)) < 1e-6
    assert pairwise_loss(logits) > 1
    assert pairwise_loss(logits, same=repeated(meaning)) < 1e-2


def test_no_reader_of_repeated_captions_passes_the_floor_of_the_loss():
    meaning = torch.tensor([0, 1, 0, 2, 0, 1])
    perfect = torch.where(repeated(meaning), 100.0, -100.0)
    assert floor_of_loss(meaning) == pytest.approx(matching_loss(perfect).item(), abs=1e-6)
    assert floor_of_loss(meaning) == pytest.approx((3 * math.log(3) + 2 * math.log(2)) / 6)
    assert floor_of_loss(torch.arange(7)) == 0


def test_logits_that_are_not_square_are_refused():
    with pytest.raises(
        ValueError, match=r"logits are \(B, B\), picture against text, not \(2, 3\)"
    ):
        matching_loss(torch.zeros(2, 3))


# --- late interaction -------------------------------------------------------------------------


def test_late_interaction_is_its_loops(pairs):
    generator = torch.Generator().manual_seed(2)
    image, text = (torch.randn(n, t, 6, generator=generator) for n, t in ((3, 4), (5, 7)))
    real = torch.arange(7) < torch.tensor([7, 1, 3, 5, 2])[:, None]
    scores = late_interaction(image, text, real)
    assert scores.shape == (3, 5)
    for i in range(3):
        for j in range(5):
            best = [
                max(float(F.cosine_similarity(place, word, dim=0)) for place in image[i])
                for word, there in zip(text[j], real[j], strict=True)
                if there
            ]
            assert scores[i, j].item() == pytest.approx(sum(best) / len(best), abs=1e-5)


def test_padding_changes_no_late_score():
    generator = torch.Generator().manual_seed(3)
    image, text = (torch.randn(2, 4, 6, generator=generator) for _ in range(2))
    real = torch.tensor([[True, True, False, False], [True, True, True, True]])
    changed = text + 100 * (~real)[..., None]
    torch.testing.assert_close(
        late_interaction(image, changed, real), late_interaction(image, text, real)
    )


def test_one_place_and_one_word_are_a_cosine(pairs):
    image, text = pairs
    real = torch.ones(12, 1, dtype=torch.bool)
    late = late_interaction(image[:, None], text[:, None], real)
    torch.testing.assert_close(late, cosines(image, text))


# --- search and naming ------------------------------------------------------------------------


def test_recall_counts_questions_with_a_right_answer_among_the_first():
    scores = torch.tensor([[0.9, 0.1, 0.5], [0.9, 0.1, 0.5]])
    right = torch.tensor([[True, False, False], [False, True, True]])
    assert recall_at_k(scores, right, 1) == 0.5
    assert recall_at_k(scores, right, 2) == 1


def test_a_tie_is_no_find():
    alike = torch.zeros(5, 5)
    assert recall_at_k(alike, torch.eye(5, dtype=torch.bool), 1) == 0
    assert recall_at_k(alike, torch.eye(5, dtype=torch.bool), 4) == 0
    assert recall_at_k(alike, torch.eye(5, dtype=torch.bool), 5) == 1
    assert recall_at_k(alike, torch.ones(5, 5, dtype=torch.bool), 1) == 1


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6))
def test_without_ties_recall_is_scikit_learns_top_k_accuracy(seed):
    from sklearn.metrics import top_k_accuracy_score

    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(30, 6, generator=generator)
    right = torch.randint(6, (30,), generator=generator)
    for k in (1, 2, 5):
        theirs = top_k_accuracy_score(right, scores, k=k, labels=range(6))
        assert recall_at_k(scores, F.one_hot(right, 6).bool(), k) == pytest.approx(theirs)


@pytest.mark.parametrize(
    ("scores", "right", "k", "sentence"),
    [
        (torch.zeros(2, 3), torch.ones(2, 2).bool(), 1, r"scores are \(2, 3\) and right is"),
        (torch.zeros(2, 3), torch.ones(2, 3).bool(), 0, "k is a number of answers"),
        (torch.zeros(2, 2), torch.tensor([[True, False], [False, False]]), 1, "question 1 has no"),
    ],
)
def test_bad_questions_are_answered_in_a_sentence(scores, right, k, sentence):
    with pytest.raises(ValueError, match=sentence):
        recall_at_k(scores, right, k)


def test_a_class_is_the_mean_of_its_sentences_each_of_length_1():
    image = torch.tensor([[1.0, 0.1], [0.1, 1.0]])
    prompts = torch.tensor([[[50.0, 0.0], [0.0, 1.0]], [[0.0, 2.0], [0.0, 9.0]]])
    scores = zero_shot(image, prompts)
    assert scores.shape == (2, 2)
    assert scores.argmax(1).tolist() == [0, 1]
    assert scores[0, 0].item() == pytest.approx(1.1 / math.sqrt(2 * 1.01))
    torch.testing.assert_close(zero_shot(9 * image, 4 * prompts), scores)


def test_with_one_sentence_a_class_zero_shot_is_search(pairs):
    image, text = pairs
    torch.testing.assert_close(zero_shot(image, text[:, None]), cosines(image, text))


def test_the_gap_is_0_for_one_cloud_and_2_for_opposite_ones(pairs):
    image, text = pairs
    assert modality_gap(image, image) == 0
    assert modality_gap(image, 7 * image) == pytest.approx(0, abs=1e-6)
    one = torch.ones(3, 4)
    assert modality_gap(one, -one) == pytest.approx(2)
    assert 0 < modality_gap(image, text) < 2


def test_a_tie_between_right_and_wrong_counts_half():
    assert prefers(torch.tensor([1.0, 0.0, 2.0, 5.0]), torch.tensor([0.0, 1.0, 2.0, 4.0])) == 0.625
    assert prefers(torch.tensor([1.0]), torch.tensor([1.0 + 1e-6])) == 0.5
