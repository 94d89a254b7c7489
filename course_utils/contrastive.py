"""A shared space of two modalities, as functions of vectors: losses, search, what is measured.

Vectors of pictures and of texts come in pairs, row by row. What compares them is the cosine of
their angle, so their lengths do not matter; a *temperature* says how much a difference of cosines
counts.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

# --- losses ---------------------------------------------------------------------------------------


def cosines(one: Tensor, other: Tensor) -> Tensor:
    """one (n, d), other (m, d) -> the cosine of each with each, (n, m), from -1 to 1"""
    return F.normalize(one, dim=-1) @ F.normalize(other, dim=-1).T


def matching_loss(logits: Tensor, more: Tensor | None = None, same: Tensor | None = None) -> Tensor:
    """Name the right text of each picture, and the right picture of each text; the mean of both.

    logits (B, B): picture i against text j, the right ones on the diagonal.
    more (B, M): further texts that are wrong for each picture, such as captions with their
        attributes swapped; they count where texts are named (Yuksekgonul et al., ICLR 2023).
    same (B, B) bool: pairs beside the diagonal that fit as well, so that they are not to be called
        wrong; they are left out.

    Raises ValueError where logits are not square.
    """
    if logits.ndim != 2 or logits.shape[0] != logits.shape[1]:
        raise ValueError(f"logits are (B, B), picture against text, not {tuple(logits.shape)}")
    if same is not None:
        others = same & ~torch.eye(len(logits), dtype=torch.bool, device=logits.device)
        logits = logits.masked_fill(others, -torch.inf)
    right = torch.arange(len(logits), device=logits.device)
    texts = logits if more is None else torch.cat([logits, more], dim=1)
    return (F.cross_entropy(texts, right) + F.cross_entropy(logits.T, right)) / 2


def info_nce(image: Tensor, text: Tensor, temperature: float | Tensor = 0.07) -> Tensor:
    """The loss of CLIP on B pairs: image (B, d), text (B, d), row i fits row i.

    Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML
    2021; the name is van den Oord et al.'s, Representation Learning with Contrastive Predictive
    Coding, 2018.
    """
    return matching_loss(cosines(image, text) / temperature)


def pairwise_loss(logits: Tensor, same: Tensor | None = None) -> Tensor:
    """Say of each picture and text whether they fit: (B, B) logits, the right on the diagonal.

    same (B, B) bool: pairs that fit as well; they then count as right.
    """
    fits = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    fits = fits if same is None else fits | same
    return -F.logsigmoid(torch.where(fits, logits, -logits)).sum() / len(logits)


def sigmoid_loss(
    image: Tensor, text: Tensor, temperature: float | Tensor = 0.1, bias: float | Tensor = -10.0
) -> Tensor:
    """The loss of SigLIP on B pairs: B × B answers of yes or no, summed, for each picture.

    image (B, d), text (B, d). bias: added to every logit; below 0, for most pairs do not fit.
    Zhai et al., Sigmoid Loss for Language Image Pre-Training, ICCV 2023.
    """
    return pairwise_loss(cosines(image, text) / temperature + bias)


def late_interaction(image: Tensor, text: Tensor, real: Tensor) -> Tensor:
    """Each word looks for the place of the picture that fits it best: the mean over words.

    image (n, P, d): a vector for each of P places; text (m, L, d): for each word; real (m, L) bool:
    which words are there, at least one in a text. Returns scores (n, m), cosines.

    Khattab and Zaharia, ColBERT, SIGIR 2020, take the sum over words; Yao et al., FILIP, ICLR
    2022, the mean, of pictures and texts.
    """
    places, words = F.normalize(image, dim=-1), F.normalize(text, dim=-1)
    each = torch.einsum("npd,mld->nmlp", places, words)  # cosine of word l with place p
    best = each.amax(dim=3)  # (n, m, L)
    return (best * real).sum(dim=2) / real.sum(dim=1)


# --- search and naming ----------------------------------------------------------------------------


def recall_at_k(scores: Tensor, right: Tensor, k: int) -> float:
    """Share of questions with a right answer among the k that score highest.

    scores (n, m): of m answers to n questions; right (n, m) bool: which are right, one or more of
    each question. Of equal scores the wrong answers stand first: a tie is no find.

    Raises ValueError where shapes differ, a question has no right answer, or k < 1.
    """
    if scores.shape != right.shape:
        raise ValueError(f"scores are {tuple(scores.shape)} and right is {tuple(right.shape)}")
    if k < 1:
        raise ValueError(f"k is a number of answers, 1 or more, not {k}")
    if not right.any(dim=1).all():
        row = int((~right.any(dim=1)).nonzero()[0])
        raise ValueError(f"question {row} has no right answer; leave it out")
    best = scores.masked_fill(~right, -torch.inf).amax(dim=1, keepdim=True)
    before = (~right & (scores >= best)).sum(dim=1)  # wrong answers that stand before it
    return (before < k).double().mean().item()


def zero_shot(image: Tensor, prompts: Tensor) -> Tensor:
    """Scores of classes that are known by sentences alone: (n, C), the cosines.

    image (n, d): vectors of pictures. prompts (C, P, d): vectors of P sentences about each class.
    Each sentence's vector is brought to length 1, and their mean stands for the class.
    """
    return cosines(image, F.normalize(prompts, dim=-1).mean(dim=1))


def modality_gap(image: Tensor, text: Tensor) -> float:
    """How far apart the two clouds lie: the distance of the means of vectors of length 1, 0 to 2.

    image (n, d), text (m, d). Liang et al., Mind the Gap: Understanding the Modality Gap in
    Multi-modal Contrastive Representation Learning, NeurIPS 2022.
    """
    centre = [F.normalize(vectors, dim=-1).mean(dim=0) for vectors in (image, text)]
    return (centre[0] - centre[1]).norm().item()


def prefers(right: Tensor, wrong: Tensor, near: float = 1e-5) -> float:
    """Share of rows whose right score is the higher one; a tie counts half. Both (n,).

    near: scores no further apart are a tie: sums in another order differ in their last digits.
    """
    return ((right - wrong > near).double() + ((right - wrong).abs() <= near) / 2).mean().item()


def repeated(meaning: Tensor) -> Tensor:
    """meaning (n,) long: a number for what a row says -> (n, n) bool, whether two say the same"""
    return meaning[:, None] == meaning[None, :]


def floor_of_loss(meaning: Tensor) -> float:
    """The least that ``matching_loss`` can come to where some rows of a batch say the same.

    meaning (B,) long. Among r rows alike the right one can only be guessed, at ln r.
    """
    return meaning.bincount()[meaning].double().log().mean().item()
