"""Learning from texts without labels: masked words, next words, and a loop for both.

Shapes: B texts, L positions, V words. A *language model* here is called as those of Hugging Face
Transformers are, ``model(input_ids=(B, L), attention_mask=(B, L)).logits`` (B, L, V); nothing in
this file imports them.

Devlin, Chang, Lee and Toutanova, BERT: Pre-training of Deep Bidirectional Transformers for Language
Understanding, NAACL 2019, hides words; Radford et al., Language Models are Unsupervised Multitask
Learners, 2019 (GPT-2), has the next one guessed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from course_utils.display import progress_bar
from course_utils.environment import is_smoke

IGNORED = -100  # as a target: a position that no loss counts
HIDDEN, SWAPPED = 0.8, 0.9  # of the chosen words: up to here hidden, from there up to here swapped
SMOKE_STEPS = 4


# --- the two tasks --------------------------------------------------------------------------------


def mask_tokens(
    text: Tensor, real: Tensor, dice: Tensor, others: Tensor, mask: int, share: float = 0.15
) -> tuple[Tensor, Tensor]:
    """Choose words to be guessed, and hide most of them: what the model is given, and its targets.

    text (B, L) long; real (B, L) bool, False at padding; dice (B, L) float, uniform in [0, 1), one
    throw for each word; others (B, L) long, random words; mask: the number that hides a word.

    A word is chosen where its throw is below ``share``. Of the chosen ones 80 % (the lowest throws)
    are hidden, 10 % are swapped for another word, and 10 % stay, so that the model has to doubt
    what it sees. Returns given (B, L) long, and target (B, L) long: the word itself where one was
    chosen, ``IGNORED`` elsewhere.
    """
    chosen = real & (dice < share)
    hidden = chosen & (dice < HIDDEN * share)
    swapped = chosen & ~hidden & (dice < SWAPPED * share)
    given = torch.where(swapped, others, text).masked_fill(hidden, mask)
    return given, text.masked_fill(~chosen, IGNORED)


def masked_word_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Mean cross-entropy at the chosen words: logits (B, L, V), target (B, L) -> ().

    0 where none was chosen, in place of the NaN of a mean over nothing.
    """
    total = nn.functional.cross_entropy(
        logits.flatten(end_dim=1), target.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return total / (target != IGNORED).sum().clamp(min=1)


def next_word_loss(logits: Tensor, text: Tensor, real: Tensor) -> Tensor:
    """Mean cross-entropy of each word given those before it -> ().

    logits (B, L, V): what the model says at each position of the word that follows. text (B, L)
    long; real (B, L) bool: which words count as something to be guessed. The first word of a text
    has nothing before it and is never counted; the last position's logits are not needed.
    """
    target = text.masked_fill(~real, IGNORED)[:, 1:]
    return masked_word_loss(logits[:, :-1], target)


def with_ends(text: Tensor, text_length: Tensor, begin: int, end: int) -> tuple[Tensor, Tensor]:
    """Each text between a word that begins it and one that ends it.

    text (n, L) long, 0 is padding; text_length (n,) long -> (n, L + 2) long, (n,) long. Without the
    first a causal model could not be asked for the first word, without the last it never stops.
    """
    longer = text.new_zeros(len(text), text.shape[1] + 2)
    longer[:, 0] = begin
    longer[:, 1:-1] = text
    longer[torch.arange(len(text)), text_length + 1] = end
    return longer, text_length + 2


# --- learning -------------------------------------------------------------------------------------

Task = Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class MaskedWords:
    """The task of BERT; called with a model, text and real (B, L), and dice, it gives the loss.

    mask: the number that hides a word. words: random words are drawn from 2 to words - 1, past
    padding and the unknown word. share: of words that are chosen.
    """

    mask: int
    words: int
    share: float = 0.15

    def __call__(
        self, model: nn.Module, text: Tensor, real: Tensor, generator: torch.Generator
    ) -> Tensor:
        """The loss of one batch."""
        dice = torch.rand(text.shape, generator=generator)
        others = torch.randint(2, self.words, text.shape, generator=generator)
        given, target = mask_tokens(text, real, dice, others, self.mask, self.share)
        return masked_word_loss(model(input_ids=given, attention_mask=real.long()).logits, target)


def next_words(
    model: nn.Module, text: Tensor, real: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """The task of GPT: the loss of one batch, text and real (B, L)."""
    said = model(input_ids=text, attention_mask=real.long(), use_cache=False)
    return next_word_loss(said.logits, text, real)


class Curve(NamedTuple):
    """How a loss fell: the mean over the last batches, and how many texts were read by then."""

    texts: list[int]
    loss: list[float]


def pretrain(
    model: nn.Module,
    text: Tensor,
    text_length: Tensor,
    task: Task,
    *,
    texts: int = 128_000,
    batch_size: int = 64,
    learning_rate: float = 3e-3,
    every: int = 50,
    seed: int = 0,
    progress: bool | None = None,
) -> Curve:
    """Train a language model in place on texts without labels; returns the curve of its loss.

    text (n, L) long, 0 is padding; text_length (n,) long. texts: how many are read in all, the same
    one again and again. The rate rises over the first twentieth of the steps and falls to 0 at the
    end (AdamW). every: a point of the curve is the mean over so many steps. The model ends in
    evaluation mode. ``COURSE_SMOKE=1``: four batches.

    Raises ValueError where there are fewer texts than one batch has.
    """
    if len(text) < batch_size:
        raise ValueError(f"a batch has {batch_size} texts and there are {len(text)}; give more "
                         "texts, or a smaller batch_size")  # fmt: skip
    steps = SMOKE_STEPS if is_smoke() else max(1, texts // batch_size)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.01)
    rise = max(1, steps // 20)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / rise, (steps - step) / max(1, steps - rise))
    )
    curve, lately = Curve([], []), []
    model.train()
    with torch.random.fork_rng(devices=[]), progress_bar(steps, "pretraining", "batch",
                                                         shown=progress) as bar:  # fmt: skip
        torch.manual_seed(seed)  # dropout
        for step in range(steps):
            index = torch.randint(len(text), (batch_size,), generator=generator)
            length = text_length[index]
            batch = text[index, : int(length.max())]
            real = torch.arange(batch.shape[1]) < length[:, None]
            loss = task(model, batch, real, generator)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            bar.update()
            lately.append(loss.item())
            if len(lately) == every or step == steps - 1:
                curve.texts.append((step + 1) * batch_size)
                curve.loss.append(sum(lately) / len(lately))
                lately = []
    model.eval()
    return curve


@torch.no_grad()
def held_out_loss(
    model: nn.Module, text: Tensor, text_length: Tensor, task: Task, seed: int = 0
) -> float:
    """The mean loss of a task on texts that the model did not learn from, 256 at a time.

    text (n, L) long, text_length (n,) long. The same seed hides the same words. The model is asked
    in evaluation mode, and is then as it was.
    """
    generator, was_training = torch.Generator().manual_seed(seed), model.training
    model.eval()
    total = 0.0
    for part, length in zip(text.split(256), text_length.split(256), strict=True):
        real = torch.arange(part.shape[1]) < length[:, None]
        total += len(part) * task(model, part, real, generator).item()
    model.train(was_training)
    return total / len(text)


# --- writing --------------------------------------------------------------------------------------


@torch.no_grad()
def continue_text(model: nn.Module, text: Tensor, count: int, cache: bool = True) -> Tensor:
    """Greedy decoding: the likeliest next word, ``count`` times -> (B, L + count) long.

    text (B, L) long, without padding. With ``cache`` each word is read once: keys and values of
    those before are kept, in what the model calls ``cache``. Without it all are read again for
    every new word; the words that come out are the same.
    """
    kept, unread = None, text
    for _ in range(count):
        said = model(input_ids=unread, cache=kept, use_cache=cache)
        word = said.logits[:, -1:].argmax(dim=-1)  # (B, 1)
        text = torch.cat([text, word], dim=1)
        kept, unread = (said.cache, word) if cache else (None, text)
    return text
