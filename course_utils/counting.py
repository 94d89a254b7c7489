"""Word vectors by counting: which words stand in the same headlines, without any training.

Co-occurrence counts, made into positive pointwise mutual information (PPMI), cut down by a singular
value decomposition. Levy and Goldberg, Neural Word Embedding as Implicit Matrix Factorization,
NeurIPS 2014, show that word2vec does nearly this.
"""

import numpy as np
import torch
from torch import Tensor

from course_utils.encoders import masked_mean


def cooccurrences(text: Tensor, words: int) -> np.ndarray:
    """In how many texts two words stand together, (words, words) float64, symmetric, diagonal 0.

    text (n, L) long, 0 is padding, which is counted with nothing; a word that stands twice in a
    text counts once.
    """
    from scipy.sparse import csr_matrix

    ids = text.numpy()
    row, place = np.nonzero(ids)
    there = csr_matrix((np.ones(len(row)), (row, ids[row, place])), shape=(len(ids), words))
    there.data[:] = 1  # a word that stands twice was added up
    counts = (there.T @ there).toarray()
    np.fill_diagonal(counts, 0)
    return counts


def ppmi(counts: np.ndarray) -> np.ndarray:
    """Positive pointwise mutual information: max(0, ln p(i, j) / (p(i) p(j))), as ``counts``.

    0 where two words never stand together, and for words that were not seen.
    """
    total, each = counts.sum(), counts.sum(axis=1)
    expected = np.outer(each, each) / max(total, 1)
    ratio = np.divide(counts, expected, out=np.ones_like(counts), where=(counts > 0))
    return np.log(ratio).clip(min=0)


def count_vectors(text: Tensor, words: int, dim: int = 16) -> Tensor:
    """A vector for each word by counting, (words, dim) float; 0 for padding.

    text (n, L) long: texts without labels. U √S of PPMI's ``dim`` largest singular values.

    Raises ValueError where there are fewer words than ``dim``.
    """
    if dim > words:
        raise ValueError(f"{words} words give at most {words} numbers each, not {dim}")
    u, s, _ = np.linalg.svd(ppmi(cooccurrences(text, words)), hermitian=True)
    return torch.from_numpy(u[:, :dim] * s[:dim] ** 0.5).float()


def mean_vectors(vectors: Tensor, text: Tensor, text_length: Tensor) -> Tensor:
    """The mean vector of each text's words: (V, dim), (n, L), (n,) -> (n, dim)"""
    return masked_mean(vectors[text], text_length)


def half_vectors(vectors: Tensor, text: Tensor, text_length: Tensor) -> Tensor:
    """The means of each text's first and second half side by side -> (n, 2 dim)

    Order by hand, for whoever knows that it is halves that matter. The word in the middle of an odd
    number is in the second half.
    """
    first = text_length.div(2, rounding_mode="floor").clamp(min=1)
    place = torch.arange(text.shape[1])
    read = vectors[text]
    late = (place >= first[:, None]) & (place < text_length[:, None])
    second = (read * late[..., None]).sum(dim=1) / late.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.cat([masked_mean(read, first), second], dim=1)
