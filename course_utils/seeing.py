"""A language model that sees: pictures as tokens in front of words, in the shape of LLaVA.

A picture reader's map becomes a few tokens (``project_tokens``); they stand before the words of a
question, and a small causal decoder writes the answer. Image tokens see each other, words look back
(``prefix_mask``); the loss stands on answers alone (``answer_loss_mask``).

Shapes: B rows, S image tokens, L words, V words in the vocabulary.

Liu, Li, Wu and Lee, Visual Instruction Tuning, NeurIPS 2023.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from course_utils.attention import MultiHeadAttention, causal_mask
from course_utils.display import progress_bar
from course_utils.environment import is_smoke
from course_utils.language import next_word_loss

SMOKE_STEPS = 4


# --- the parts ------------------------------------------------------------------------------------


def project_tokens(maps: Tensor, norm: nn.Module, linear: nn.Module, side: int) -> Tensor:
    """A picture reader's map as tokens for a decoder: (B, C, H, W) -> (B, side * side, dim).

    The map is averaged to side × side places; each place, row by row, is a vector of C numbers,
    which ``norm`` (C to C) brings to one scale and ``linear`` (C to dim) translates.
    """
    places = nn.functional.adaptive_avg_pool2d(maps, side)  # (B, C, side, side)
    vectors = places.flatten(start_dim=2).transpose(1, 2)  # (B, side * side, C)
    return linear(norm(vectors))


def prefix_mask(seen: int, words: int) -> Tensor:
    """Who may look at whom: S, L -> (S + L, S + L) of 0 and -inf, added to the scores.

    Image tokens see each other, in both directions, and no word. A word sees every image token,
    itself and the words before it.
    """
    mask = causal_mask(seen + words)
    mask[:seen, :seen] = 0
    return mask


def answer_loss_mask(start: Tensor, length: Tensor, longest: int) -> Tensor:
    """The words that are to be learnt: start (B,), length (B,) long -> (B, longest) bool.

    start: where an answer begins; length: how many words the row has, its end word included. What
    comes before the answer was asked by somebody else, and what comes behind is padding.
    """
    place = torch.arange(longest, device=start.device)
    return (place >= start[:, None]) & (place < length[:, None])


def hallucination_rate(said_yes: Tensor, there: Tensor) -> float:
    """How often a thing that is not there is said to be: said_yes (n,), there (n,) bool -> share.

    NaN where everything that was asked for is there: such questions cannot show it.
    """
    return said_yes[~there].double().mean().item()


class DecoderLayer(nn.Module):
    """Attention, then a small network at each position; each reads normalised numbers and is added.

    As ``nn.TransformerEncoderLayer`` with ``norm_first`` and GELU, without dropout and with the
    masks of ``attention``.
    """

    def __init__(self, dim: int, heads: int, hidden: int):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attend = MultiHeadAttention(dim, heads)
        self.feed = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, L, dim), mask broadcasting to (B, H, L, L) -> (B, L, dim)"""
        x = x + self.attend(self.norm_1(x), mask)
        return x + self.feed(self.norm_2(x))


class SeeingDecoder(nn.Module):
    """Words after a picture: maps (B, C, H, W) and text (B, L) -> what follows each word (B, L, V).

    words: V; channels: C of the maps. side: the picture becomes side * side tokens. longest: of the
    texts, in words. Without maps, None, it reads words alone, as any language model does.

    Raises ValueError for a text that is longer.
    """

    def __init__(
        self,
        words: int,
        channels: int = 64,
        dim: int = 96,
        layers: int = 2,
        heads: int = 4,
        side: int = 3,
        longest: int = 32,
    ):
        super().__init__()
        self.sizes = {"words": words, "channels": channels, "dim": dim, "layers": layers,
                      "heads": heads, "side": side, "longest": longest}  # fmt: skip
        self.side, self.longest = side, longest
        self.norm, self.linear = nn.LayerNorm(channels), nn.Linear(channels, dim)
        self.embed = nn.Embedding(words, dim)
        self.places = nn.Parameter(0.02 * torch.randn(side * side, dim))
        self.positions = nn.Parameter(0.02 * torch.randn(longest, dim))
        self.layers = nn.ModuleList(DecoderLayer(dim, heads, 4 * dim) for _ in range(layers))
        self.last_norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, words)
        nn.init.normal_(self.embed.weight, std=0.02)

    @property
    def projector(self) -> list[nn.Parameter]:
        """What translates pictures; all else is the language model."""
        return [*self.norm.parameters(), *self.linear.parameters(), self.places]

    def forward(self, maps: Tensor | None, text: Tensor) -> Tensor:
        """maps (B, C, H, W) float or None, text (B, L) long, padding behind -> (B, L, V)"""
        if text.shape[1] > self.longest:
            raise ValueError(f"the model reads texts of {self.longest} words or fewer, not "
                             f"{text.shape[1]}; ask something shorter")  # fmt: skip
        x = self.embed(text) + self.positions[: text.shape[1]]
        seen = 0
        if maps is not None:
            tokens = project_tokens(maps, self.norm, self.linear, self.side) + self.places
            seen = tokens.shape[1]
            x = torch.cat([tokens, x], dim=1)  # (B, S + L, dim)
        mask = prefix_mask(seen, text.shape[1]).to(x.device)
        for layer in self.layers:
            x = layer(x, mask)
        return self.head(self.last_norm(x[:, seen:]))


# --- questions as tensors -------------------------------------------------------------------------


class Asked(NamedTuple):
    """Questions with their answers as tensors, a row each.

    card (n,) long: the picture that is asked about; text (n, L) long: question, a word that begins
    the answer, answer, a word that ends it, padding; start (n,) long: where the answer begins;
    length (n,) long: with the end word; kind (n,) long.
    """

    card: Tensor
    text: Tensor
    start: Tensor
    length: Tensor
    kind: Tensor

    def take(self, index: Tensor) -> "Asked":
        """These rows, without columns that are padding in all of them."""
        card, text, start, length, kind = (part[index] for part in self)
        return Asked(card, text[:, : int(length.max())], start, length, kind)


def join(
    question: Tensor, question_length: Tensor, answer: Tensor, answer_length: Tensor,
    begin: int, end: int,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Questions and answers as one text each: text (n, L) long, start (n,), length (n,) long.

    question (n, Q), answer (n, A) long, 0 is padding. begin, end: the numbers of the words that
    stand before an answer and behind it.
    """
    n, place = len(question), torch.arange(answer.shape[1])
    text = question.new_zeros(n, question.shape[1] + answer.shape[1] + 2)
    text[:, : question.shape[1]] = question
    row, start = torch.arange(n), question_length + 1
    text[row, question_length] = begin
    real = place < answer_length[:, None]  # (n, A)
    where = (start[:, None] + place)[real]
    text[row[:, None].expand_as(real)[real], where] = answer[real]
    length = start + answer_length + 1
    text[row, length - 1] = end
    return text[:, : int(length.max()) if n else None], start, length


def as_tensors(asked: Mapping[str, Any], vocabulary: Any) -> Asked:
    """Rows of ``questions.ask`` as tensors; the two words beyond the vocabulary begin and end.

    vocabulary: what encodes texts, ``encode(texts) -> (n, L) long, (n,) long``.
    """
    begin, end = len(vocabulary), len(vocabulary) + 1
    question, answer = (encoded(asked[name], vocabulary) for name in ("question", "answer"))
    text, start, length = join(*question, *answer, begin, end)
    card, kind = (torch.as_tensor(asked[name], dtype=torch.long) for name in ("card", "kind"))
    return Asked(card, text, start, length, kind)


def encoded(texts: Sequence[str], vocabulary: Any) -> tuple[Tensor, Tensor]:
    """Ids (n, L) and lengths (n,) of texts, each different one encoded once: most come again."""
    place = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    ids, length = vocabulary.encode([*place])
    row = torch.tensor([place[text] for text in texts], dtype=torch.long)
    return ids[row], length[row]


# --- learning -------------------------------------------------------------------------------------

Look = Callable[[Tensor], Tensor | None]  # the numbers of cards (B,) -> their maps, or None: blind


def answer_loss(logits: Tensor, asked: Asked) -> Tensor:
    """Mean cross-entropy of the answers' words, their end word included: (B, L, V) -> ()."""
    wanted = answer_loss_mask(asked.start, asked.length, asked.text.shape[1])
    return next_word_loss(logits, asked.text, wanted)


class Curve(NamedTuple):
    """How a training went: the mean loss since the last point, and what ``watch`` said there."""

    steps: list[int]
    loss: list[float]
    watched: list[Any]


def teach(
    model: nn.Module,
    asked: Asked,
    look: Look,
    *,
    steps: int,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    learns: Sequence[nn.Parameter] | None = None,
    every: int = 100,
    watch: Callable[[], Any] | None = None,
    seed: int = 0,
    progress: bool | None = None,
) -> Curve:
    """Train in place on questions and answers; returns the curve of its loss.

    model: called as ``model(maps, text)``. look: gives the maps of cards; those of eyes that learn
    along come with their gradient. learns: the parameters that change, by default the model's.
    watch: called without gradient every so many steps and at the end, the model in evaluation mode.

    The rate rises over the first twentieth of the steps and falls to 0 at the end (AdamW). Each
    question is drawn as often as any other. ``COURSE_SMOKE=1``: four steps.

    Raises ValueError where there are fewer questions than one batch has.
    """
    if len(asked.text) < batch_size:
        raise ValueError(f"a batch has {batch_size} questions and there are {len(asked.text)}; "
                         "ask more, or take a smaller batch_size")  # fmt: skip
    steps = min(SMOKE_STEPS, steps) if is_smoke() else steps
    learns = [*(model.parameters() if learns is None else learns)]
    optimizer = torch.optim.AdamW(learns, lr=learning_rate, weight_decay=0.01)
    rise = max(1, steps // 20)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / rise, (steps - step) / max(1, steps - rise))
    )
    curve, lately = Curve([], [], []), []
    model.train()
    with progress_bar(steps, "learning to answer", "batch", shown=progress) as bar:
        for step, index in enumerate(draws(len(asked.text), batch_size, steps, seed)):
            batch = asked.take(index)
            loss = answer_loss(model(look(batch.card), batch.text), batch)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(learns, 1.0)
            optimizer.step()
            schedule.step()
            bar.update()
            lately.append(loss.item())
            if (step + 1) % every == 0 or step == steps - 1:
                curve.steps.append(step + 1)
                curve.loss.append(sum(lately) / len(lately))
                lately = []
                if watch is not None:
                    model.eval()
                    with torch.no_grad():
                        curve.watched.append(watch())
                    model.train()
    model.eval()
    return curve


def draws(rows: int, batch_size: int, steps: int, seed: int) -> Iterator[Tensor]:
    """Numbers of rows, a batch for each step.

    Every pass takes the rows in a new order; those that fill no batch at its end are left out.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.empty(0, dtype=torch.long)
    for _ in range(steps):
        if len(order) < batch_size:
            order = torch.randperm(rows, generator=generator)
        yield order[:batch_size]
        order = order[batch_size:]


# --- answering ------------------------------------------------------------------------------------


@torch.no_grad()
def said_right(model: nn.Module, asked: Asked, look: Look, batch_size: int = 512) -> Tensor:
    """Which answers a model would write word for word, its end word included: (n,) bool.

    It needs no writing: greedy decoding gives the right answer just where each of its words is the
    likeliest after the right ones before it.
    """
    right = []
    for index in torch.arange(len(asked.text)).split(batch_size):
        batch = asked.take(index)
        wanted = answer_loss_mask(batch.start, batch.length, batch.text.shape[1])[:, 1:]
        likeliest = model(look(batch.card), batch.text)[:, :-1].argmax(dim=-1)
        right.append(((likeliest == batch.text[:, 1:]) | ~wanted).all(dim=1))
    return torch.cat(right)


@torch.no_grad()
def first_words(model: nn.Module, asked: Asked, look: Look, batch_size: int = 512) -> Tensor:
    """The number of the first word that a model would answer, (n,) long: enough for yes or no."""
    said = []
    for index in torch.arange(len(asked.text)).split(batch_size):
        batch = asked.take(index)
        logits = model(look(batch.card), batch.text)  # (B, L, V)
        said.append(logits[torch.arange(len(index)), batch.start - 1].argmax(dim=-1))
    return torch.cat(said)


@torch.no_grad()
def generate(
    model: nn.Module, maps: Tensor | None, text: Tensor, length: Tensor, end: int, most: int = 8
) -> tuple[Tensor, Tensor]:
    """Greedy decoding: the likeliest next word, again and again, until the end word comes.

    text (B, L) long, padding behind; length (B,) long: words of each prompt, the one that begins
    the answer included; maps as the model takes them. Each row goes on right behind its own last
    word. most: words that are written at most, the end word included.

    Returns text (B, up to L + most) long, with what was written, and length (B,) long, the end word
    included where it came. A row that has ended is written no further.
    """
    text = nn.functional.pad(text, (0, most))
    length, row = length.clone(), torch.arange(len(text))
    going = torch.ones(len(text), dtype=torch.bool)
    for _ in range(most):
        logits = model(maps, text[:, : int(length.max())])  # (B, L, V)
        word = logits[row, length - 1].argmax(dim=-1)  # (B,)
        text[row[going], length[going]] = word[going]
        length = length + going
        going = going & (word != end)
        if not going.any():
            break
    return text[:, : int(length.max())], length
