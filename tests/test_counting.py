"""Word vectors by counting."""

import math

import numpy as np
import pytest
import torch

from course_utils.counting import cooccurrences, count_vectors, half_vectors, mean_vectors, ppmi

TEXT = torch.tensor([[2, 3, 0, 0], [2, 4, 3, 3], [4, 5, 0, 0]])
LENGTH = torch.tensor([2, 4, 2])


def test_pairs_are_counted_once_a_text_and_padding_not_at_all():
    counts = cooccurrences(TEXT, 6)
    by_hand = np.zeros((6, 6))
    for row in TEXT.tolist():
        words = {word for word in row if word}
        for one in words:
            for other in words - {one}:
                by_hand[one, other] += 1
    np.testing.assert_array_equal(counts, by_hand)
    assert counts[2, 3] == 2
    assert counts[0].sum() == 0


def test_ppmi_is_its_formula_and_never_negative():
    counts = cooccurrences(TEXT, 6)
    found, total, each = ppmi(counts), counts.sum(), counts.sum(axis=1)
    for i, j in ((2, 3), (2, 4), (4, 5)):
        exact = math.log(counts[i, j] * total / (each[i] * each[j]))
        assert found[i, j] == pytest.approx(max(0, exact))
    assert (found >= 0).all()
    assert found[2, 5] == 0 == found[0, 0]
    assert np.isfinite(ppmi(np.zeros((3, 3)))).all()


def test_all_numbers_of_a_positive_matrix_give_it_back():
    rng = np.random.default_rng(0)
    text = torch.from_numpy(rng.integers(1, 9, size=(200, 5)))
    vectors = count_vectors(text, 9, dim=9)
    s = np.linalg.svd(ppmi(cooccurrences(text, 9)), compute_uv=False)
    np.testing.assert_allclose((vectors**2).sum(dim=0).sort(descending=True)[0], s, atol=1e-5)
    assert count_vectors(text, 9, dim=3).shape == (9, 3)
    with pytest.raises(ValueError, match="9 words give at most 9 numbers each, not 10"):
        count_vectors(text, 9, dim=10)


def test_words_that_keep_the_same_company_get_like_vectors():
    rng = np.random.default_rng(1)
    groups = rng.integers(2, size=500)
    words = np.stack([rng.permutation(4)[:3] for _ in groups]) + 1 + 4 * groups[:, None]
    vectors = count_vectors(torch.from_numpy(words), 9, dim=2)
    vectors = torch.nn.functional.normalize(vectors[1:], dim=1)
    alike = vectors @ vectors.T
    assert alike[:4, :4].min() > 0.9
    assert alike[:4, 4:].abs().max() < 0.1


def test_means_leave_padding_out_and_halves_know_the_order():
    vectors = torch.eye(6)
    mean = mean_vectors(vectors, TEXT, LENGTH)
    assert mean[0].tolist() == [0, 0, 0.5, 0.5, 0, 0]
    halves = half_vectors(vectors, TEXT, LENGTH)
    assert halves.shape == (3, 12)
    assert halves[1].tolist() == [0, 0, 0.5, 0, 0.5, 0, 0, 0, 0, 1, 0, 0]
    turned = half_vectors(vectors, torch.tensor([[3, 3, 4, 2]]), torch.tensor([4]))[0]
    assert torch.equal(turned, torch.cat([halves[1, 6:], halves[1, :6]]))
    odd = half_vectors(vectors, torch.tensor([[2, 3, 4]]), torch.tensor([3]))[0]
    assert odd.tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0.5, 0.5, 0]
    single = half_vectors(vectors, torch.tensor([[2]]), torch.tensor([1]))[0]
    assert single.tolist() == [0, 0, 1, 0, 0, 0] + [0] * 6
