"""The exercises of lesson 10, Gates, FiLM and attention between modalities."""

from numbers import Real

import torch
from torch import nn

from course_utils import attention as attend
from course_utils import encoders, fusion, token_fusion
from course_utils.attention import EncoderLayer, Tokens, token_mask
from course_utils.data import spoilt_senses
from course_utils.exercises.core import Broken, Exercise, Mistake, Part, other_names
from course_utils.exercises.running import Unfit, module_of

# --- gated_fusion --------------------------------------------------------------------------------


def gate_cases(rng):
    """Features and weights of unequal sizes, so that a wrong axis raises; one row, one entry.

    The last are large: both sides are at the ends of the tanh, and gates at theirs.
    """
    sizes = [(4, 3, 2, 5, 1), (1, 2, 4, 3, 1), (3, 2, 2, 1, 1), (3, 1, 2, 2, 1), (5, 3, 3, 3, 1)]
    for rows, d_a, d_b, dim, unit in [*sizes, (2, 2, 3, 4, 20)]:
        shapes = (rows, d_a), (rows, d_b), (dim, d_a), (dim, d_b), (dim, d_a + d_b)
        yield tuple(unit * torch.randn(*shape, generator=rng) for shape in shapes)


def gate_of(a, b, W_z):
    return torch.cat([a, b], dim=1) @ W_z.T


def gated_in_parts(a, b, W_a, W_b, W_z):
    split = a.shape[1]
    z = torch.special.expit(a @ W_z[:, :split].T + b @ W_z[:, split:].T)
    return z * (a @ W_a.T).tanh() + (1 - z) * (b @ W_b.T).tanh()


def gated_by_lerp(a, b, W_a, W_b, W_z):
    linear = nn.functional.linear
    z = linear(torch.cat([a, b], dim=-1), W_z).sigmoid()
    return torch.lerp(linear(b, W_b).tanh(), linear(a, W_a).tanh(), z)


def gated_with(z_of=torch.sigmoid, squash=torch.tanh, turned=False, both=False):
    """Gated fusion with one thing changed."""

    def gated(a, b, W_a, W_b, W_z):
        z = z_of(gate_of(a, b, W_z))
        one, other = squash(a @ W_a.T), squash(b @ W_b.T)
        rest = z if both else 1 - z
        return rest * one + z * other if turned else z * one + rest * other

    return gated


def gate_sees_b_first(a, b, W_a, W_b, W_z):
    z = (torch.cat([b, a], dim=1) @ W_z.T).sigmoid()
    return z * (a @ W_a.T).tanh() + (1 - z) * (b @ W_b.T).tanh()


def b_in_full(a, b, W_a, W_b, W_z):
    return gate_of(a, b, W_z).sigmoid() * (a @ W_a.T).tanh() + (b @ W_b.T).tanh()


def squashed_after(a, b, W_a, W_b, W_z):
    z = gate_of(a, b, W_z).sigmoid()
    return (z * (a @ W_a.T) + (1 - z) * (b @ W_b.T)).tanh()


gated_fusion = Exercise(
    reference=token_fusion.gated_fusion,
    cases=gate_cases,
    also_right=(gated_in_parts, gated_by_lerp),
    hints=(
        "Three linear maps. A weight matrix (dim, d) meets features (B, d) as `features @ W.T`, "
        "which is (B, dim).",
        "`z = (torch.cat([a, b], dim=1) @ W_z.T).sigmoid()`. Then z times the tanh of `a @ W_a.T`, "
        "plus 1 - z times the tanh of `b @ W_b.T`.",
    ),
    mistakes=(
        Mistake(
            gated_with(turned=True),
            "z and 1 - z are exchanged: z is the weight of a.",
        ),
        Mistake(
            gated_with(both=True),
            "Both parts are multiplied by z. What a does not get belongs to b: 1 - z.",
        ),
        Mistake(
            b_in_full,
            "b is not weighed: what a gets by z, b gets by 1 - z.",
        ),
        Mistake(
            gated_with(squash=lambda x: x),
            "The tanh is missing: each modality is squashed before it is weighed.",
        ),
        Mistake(
            squashed_after,
            "You squashed the sum. The tanh belongs to each modality alone, before it is weighed.",
        ),
        Mistake(
            gated_with(z_of=lambda scores: scores.softmax(dim=1)),
            "Your gate is a softmax over its entries. Each entry has a weight of its own between 0 "
            "and 1: a sigmoid.",
        ),
        Mistake(
            gated_with(z_of=torch.tanh),
            "Your gate is a tanh, from -1 to 1. A weight lies between 0 and 1: a sigmoid.",
        ),
        Mistake(
            gate_sees_b_first,
            "W_z reads a first and b behind it, [a; b]; yours stand the other way round.",
        ),
    ),
)

# --- film ----------------------------------------------------------------------------------------


def film_cases(rng):
    """Vectors, words and maps; sizes of 1, and as many rows as channels, or as columns."""
    for shape in [(4, 3), (2, 3, 4, 5), (3, 3, 2, 3), (1, 2, 3, 3), (2, 1, 2, 2), (3, 4, 6)]:
        rows, channels = shape[:2]
        yield (
            torch.randn(*shape, generator=rng),
            torch.randn(rows, channels, generator=rng),
            torch.randn(rows, channels, generator=rng),
        )


def widened(numbers, features):
    return numbers.reshape(*numbers.shape, *[1] * (features.ndim - 2))


def film_moved(features, gamma, beta):
    """Channels last for a moment."""
    last = features.movedim(1, -1)
    shape = (len(gamma), *[1] * (features.ndim - 2), gamma.shape[1])
    return (last * gamma.reshape(shape) + beta.reshape(shape)).movedim(-1, 1)


def film_flat(features, gamma, beta):
    flat = features.flatten(start_dim=2) if features.ndim > 2 else features[..., None]
    return (flat * gamma[..., None] + beta[..., None]).reshape(features.shape)


def film_with(scale=lambda gamma: gamma, shift=lambda beta: beta):
    def changed(features, gamma, beta):
        return scale(widened(gamma, features)) * features + shift(widened(beta, features))

    return changed


film = Exercise(
    reference=token_fusion.film,
    cases=film_cases,
    also_right=(film_moved, film_flat),
    hints=(
        "gamma (B, C) has to meet features (B, C, H, W): it lacks two axes at its end. How many it "
        "lacks is `features.ndim - 2`.",
        "`gamma.reshape(*gamma.shape, *[1] * (features.ndim - 2))` has axes of size 1 for all "
        "places. Do the same with beta.",
    ),
    mistakes=(
        Mistake(
            film_with(scale=lambda gamma: 1 + gamma),
            "You scaled by 1 + gamma. That is a good place to *start* gamma from, and it is done "
            "where gamma is made; here gamma is the factor.",
        ),
        Mistake(
            film_with(shift=lambda beta: 0 * beta),
            "The shift is missing: add beta.",
        ),
        Mistake(
            lambda features, gamma, beta: (
                widened(gamma, features) * (features + widened(beta, features))
            ),
            "You shifted first and scaled afterwards, so beta is scaled too.",
        ),
        Mistake(
            film_with(scale=torch.sigmoid),
            "You sent gamma through a sigmoid. FiLM's factor is any number, also a negative one or "
            "one above 1.",
        ),
        Mistake(
            lambda features, gamma, beta: (
                widened(beta, features) * features + widened(gamma, features)
            ),
            "gamma and beta are exchanged: gamma is the factor.",
        ),
    ),
)

# --- cross_attention -----------------------------------------------------------------------------


def cross_cases(rng):
    """More keys than queries, fewer, as many, one; padding behind and between; a row of padding.

    Values are longer than keys. The last scores are large.
    """
    for rows, T, S, dim, wide, unit in [(3, 2, 4, 3, 5, 1), (2, 4, 4, 4, 4, 1), (1, 1, 3, 2, 3, 1),
                                        (2, 3, 1, 2, 2, 1), (2, 3, 5, 16, 3, 6)]:  # fmt: skip
        real = torch.rand(rows, S, generator=rng) < 0.6
        real[:, 0] = True
        yield (
            unit * torch.randn(rows, T, dim, generator=rng),
            unit * torch.randn(rows, S, dim, generator=rng),
            torch.randn(rows, S, wide, generator=rng),
            real,
        )
    real = torch.tensor([[True, False, True], [False, False, False]])
    yield (
        torch.randn(2, 2, 3, generator=rng),
        torch.randn(2, 3, 3, generator=rng),
        torch.randn(2, 3, 2, generator=rng),
        real,
    )


def output_alone(query, key, value, real):
    return attend.cross_attention(query, key, value, real)[0]


def cross_by_hand(query, key, value, real):
    """A large negative number in place of -inf, and what is left of it taken away."""
    scores = torch.einsum("btd,bsd->bts", query, key) / key.shape[-1] ** 0.5
    weights = torch.where(real[:, None], scores, -1e9).softmax(dim=-1) * real[:, None]
    return torch.einsum("bts,bsv->btv", weights, value)


def cross_by_torch(query, key, value, real):
    answered = nn.functional.scaled_dot_product_attention(query, key, value, real[:, None])
    return torch.where(real.any(dim=1)[:, None, None], answered, torch.zeros_like(answered))


def scores_of(query, key):
    return query @ key.transpose(1, 2) / key.shape[-1] ** 0.5


def weighed_by(weights_of):
    """Cross-attention with other weights: ``weights_of(scores, real (B, 1, S))``."""

    def wrong(query, key, value, real):
        return weights_of(scores_of(query, key), real[:, None]) @ value

    return wrong


def hidden(scores, real):
    return scores.masked_fill(~real, -torch.inf).softmax(dim=-1)


def swapped(query, key, value, real):
    """The others ask."""
    return hidden(scores_of(key, key), real[:, None]) @ value


def without_root(query, key, value, real):
    return hidden(query @ key.transpose(1, 2), real[:, None]).nan_to_num() @ value


def keys_for_values(query, key, value, real):
    return hidden(scores_of(query, key), real[:, None]).nan_to_num() @ key


cross_attention = Exercise(
    reference=output_alone,
    cases=cross_cases,
    also_right=(cross_by_hand, cross_by_torch),
    hints=(
        "Scores are (B, T, S): a row for each query, a column for each key. `real` (B, S) speaks "
        "of the keys, so it needs an axis for the queries: `real[:, None]`.",
        "`scores.masked_fill(~real[:, None], -torch.inf).softmax(dim=-1)`; a row with nothing real "
        "is nan and becomes zeros by `.nan_to_num()`. Then these weights times the values: a nan "
        "that meets them first comes back in their gradient.",
    ),
    mistakes=(
        Mistake(
            weighed_by(lambda scores, real: scores.softmax(dim=-1)),
            "Padding is attended: keys that are not real still get weight. Put -inf in place of "
            "their scores before the softmax.",
        ),
        Mistake(
            weighed_by(lambda scores, real: scores.softmax(dim=-1) * real),
            "Padding gets no weight, but what it had is lost: the weights sum to less than 1. Mask "
            "the scores with -inf *before* the softmax.",
        ),
        Mistake(
            weighed_by(lambda scores, real: scores.masked_fill(~real, 0).softmax(dim=-1)),
            "You put 0 in place of the scores of padding. exp(0) is 1: that is a weight. Put -inf.",
        ),
        Mistake(
            weighed_by(hidden),
            "In a row where nothing is real, all scores are -inf and the softmax is nan. Such a "
            "row is told nothing: make its weights zeros, `.nan_to_num()`, before they meet the "
            "values.",
        ),
        Mistake(
            weighed_by(lambda scores, real: scores.masked_fill(~real, -1e9).softmax(dim=-1)),
            "In a row where nothing is real, all scores are the same large negative number, and "
            "the softmax of equals is a mean over padding. Such a row is told nothing: zeros.",
        ),
        Mistake(
            weighed_by(lambda scores, real: hidden(scores, ~real).nan_to_num()),
            "Your mask is upside down: what is real is hidden. `masked_fill` fills where its mask "
            "is True.",
        ),
        Mistake(
            weighed_by(lambda scores, real: hidden(scores, ~real)),
            "Your mask is upside down: `masked_fill` fills where its mask is True. And in a row of "
            "which all is hidden the softmax is nan: `.nan_to_num()` of the weights.",
        ),
        Mistake(
            without_root,
            "The scores are not divided by the root of d, the length of a key.",
        ),
        Mistake(
            keys_for_values,
            "You averaged the keys. Keys are what is looked for; what is handed over are values.",
        ),
        Mistake(
            swapped,
            "The keys ask here, and the queries do not come in. Scores are query times key, (B, T, "
            "S).",
        ),
    ),
)

# --- patchify ------------------------------------------------------------------------------------


def picture_cases(rng):
    """Pictures wider than high, one channel and more, one patch, patches of one pixel."""
    for rows, channels, height, width, size in [(2, 3, 4, 6, 2), (1, 2, 6, 3, 3), (3, 1, 4, 4, 2),
                                                (2, 3, 3, 3, 3), (2, 2, 2, 3, 1)]:  # fmt: skip
        yield torch.randn(rows, channels, height, width, generator=rng), size


def cut(image, size, order):
    """Patches by a view with axes B, C, rows, y, columns, x (0 to 5), brought into an order."""
    rows, channels, height, width = image.shape
    parts = image.reshape(rows, channels, height // size, size, width // size, size)
    return parts.permute(*order).reshape(rows, -1, channels * size * size)


def strided(image, size, order):
    """Split by ``(size, -1)``: the axes are B, C, y, rows, x, columns (0 to 5)."""
    rows, channels, height, width = image.shape
    parts = image.reshape(rows, channels, size, height // size, size, width // size)
    return parts.permute(*order).flatten(3).flatten(1, 2)


def patches_by_loop(image, size):
    patches = [
        image[:, :, top : top + size, left : left + size].flatten(start_dim=1)
        for top in range(0, image.shape[2], size)
        for left in range(0, image.shape[3], size)
    ]
    return torch.stack(patches, dim=1)


def patches_by_view(image, size):
    return cut(image, size, (0, 2, 4, 1, 3, 5))


patchify = Exercise(
    reference=encoders.patchify,
    cases=picture_cases,
    also_right=(patches_by_loop, patches_by_view),
    hints=(
        "Give height and width an axis each for the patch and for the place in it: "
        "`image.unflatten(2, (-1, size))` makes (B, C, H / size, size, W).",
        "After both are split the axes are B, C, rows, y, columns, x. Bring them into the order B, "
        "rows, columns, C, y, x with `permute`, and flatten. `F.unfold` with `stride=size` does it "
        "too, but for one transpose.",
    ),
    mistakes=(
        Mistake(
            lambda image, size: image.reshape(len(image), -1, image.shape[1] * size * size),
            "A reshape alone reads pixels in the order in which they lie in memory, line by line "
            "through the whole picture: these are strips and no squares.",
        ),
        Mistake(
            lambda image, size: nn.functional.unfold(image, size, stride=size),
            "The axes are (B, numbers of a patch, patches). Tokens come first: exchange the last "
            "two.",
        ),
        Mistake(
            lambda image, size: cut(image, size, (0, 4, 2, 1, 3, 5)),
            "The patches run down the columns. They should run along the rows, as one reads.",
        ),
        Mistake(
            lambda image, size: cut(image, size, (0, 2, 4, 3, 5, 1)),
            "Within a patch the channels run fastest. The order is channel, row, column, as in a "
            "convolution's weights.",
        ),
        Mistake(
            lambda image, size: cut(image, size, (0, 2, 4, 1, 5, 3)),
            "Within a patch the rows and the columns are exchanged.",
        ),
        Mistake(
            lambda image, size: strided(image, size, (0, 2, 4, 1, 3, 5)),
            "You split an axis by `(size, -1)`: as many parts as a patch has pixels. The patches "
            "come first, and the pixels in each behind them: `(-1, size)`.",
        ),
        Mistake(
            lambda image, size: strided(image, size, (0, 3, 5, 1, 2, 4)),
            "Your patches gather pixels from all over the picture: so an axis is split by `(size, "
            "-1)`. Neighbours stay together by `(-1, size)`.",
        ),
    ),
)

# --- useless_flag: break this claim --------------------------------------------------------------

NOTHING, MUCH, LEAST_SPOILT = 0.01, 0.06, 0.15  # gains of the ceiling; q


def no_share(dials):
    """A sentence on dials that are missing, or no shares, or None."""
    if problem := other_names(dials, "q", "r"):
        return problem
    for name, value in dials.items():
        if value is ...:
            return f"Put a number in place of the dots of {name}."
        if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value <= 1:
            return f"{name} is a share, a number from 0 to 1; yours is {value!r}."
    return None


def worth(q, r):
    """By how much the flag raises the best accuracy."""
    best = spoilt_senses.ceiling(q, r)
    return best["with"] - best["without"]


def flag_is_useless(dials, seed):
    """Whether the flag is worth under NOTHING at q, and MUCH at 1; ``seed`` plays no part."""
    if problem := no_share(dials):
        return problem
    q, r = float(dials["q"]), float(dials["r"])
    if q < LEAST_SPOILT:
        return f"At least {LEAST_SPOILT:.0%} of the senses in doubt are to be spoilt; q is {q:g}."
    if r <= 0.5:
        return (
            f"A flag that is right in {r:.0%} of the rows is no better than a coin, or tells the "
            "truth by lying. It is to be right more often than not."
        )
    at_one, gain = worth(1.0, r), worth(q, r)
    if at_one < MUCH:
        return (
            f"This flag helps too little where all is spoilt: at q = 1 it raises the ceiling by "
            f"{at_one:.3f}, and {MUCH:g} is asked for. Take one that is right more often."
        )
    numbers = f"at q = 1 the flag raises the ceiling by {at_one:.3f}, and at your q by {gain:.3f}"
    if gain < NOTHING:
        return Broken(numbers)
    return f"The claim still holds: {numbers}. You win below {NOTHING:g}."


useless_flag = Exercise(
    verify=flag_is_useless,
    exact=True,
    right_dials={"q": 0.15, "r": 0.68},
    wrong_dials=(
        {"q": 1.0, "r": 1.0},
        {"q": 0.15, "r": 1.0},
        {"q": 0.15, "r": 0.6},
        {"q": 0.15, "r": 0.85},
        {"q": 0.25, "r": 0.7},
        {"q": 0.15, "r": 0.51},
        {"q": 0.0, "r": 1.0},
        {"q": 1.0, "r": 0.5},
        {"q": 0.5, "r": 0.0},
        {"q": 0.15},
        {"q": 0.15, "r": "0.68"},
        {"q": 0.15, "r": ...},
        {"q": -0.2, "r": 0.6},
        {"q": True, "r": 0.6},
    ),
    hints=(
        "Choose r first: how right must a flag be to raise the ceiling by 0.06 at q = 1? Try a few "
        "with `spoilt_senses.ceiling(1, r)`.",
        "An answer changes only if the flag outweighs what picture and headline say. Where senses "
        "are seldom spoilt there is good reason to trust both. Keep the smallest r that is right "
        "often enough, and lower q.",
    ),
)

# --- JointAttentionFusion: a build ---------------------------------------------------------------

_SIZES = {"touch": 5, "image": 3, "sound": 6}
_DIM, _HEADS = 8, 2


def made(attempt, seed, dims=None, layers=1, heads=_HEADS):
    """The learner's module, untrained. Raises Unfit, in a sentence, for what is none."""
    torch.manual_seed(seed)
    return module_of(attempt, dict(dims or _SIZES), _DIM, heads, layers).eval()


def drawn(seed, rows=3, dims=None):
    """Tokens of each modality, in another order than dims, the last tokens of a row padding.

    And one modality that is not in dims, and one that is one vector a row.
    """
    rng, features = torch.Generator().manual_seed(seed), {"other": torch.zeros(rows, 2)}
    for place, (name, size) in enumerate([*(dims or _SIZES).items()][::-1]):
        vectors = torch.randn(rows, 4 - place, size, generator=rng)
        real = torch.ones(rows, 4 - place, dtype=torch.bool)
        real[0, 2 - place :] = place == 2
        features[name] = Tokens(vectors, real)
    features["touch"] = torch.randn(rows, (dims or _SIZES)["touch"], generator=rng)
    return features


@torch.no_grad()
def called(model, features, present=None):
    """What a module gives, a tensor. Raises Unfit, in a sentence, where a form stops it."""
    given = dict(features)
    try:
        value = model(given) if present is None else model(given, present)
    except KeyError as error:
        if error.args and error.args[0] in _SIZES:
            raise Unfit(
                f"Your module asked for {error.args[0]!r}, which `present` need not name. A name "
                "that it lacks counts as there: use `presence`."
            ) from None
        if error.args and error.args[0] == "other":
            raise Unfit(
                "`features` may hold names that `dims` lacks, 'other' here: go through "
                "`self.names`, not through `features`."
            ) from None
        raise
    if not torch.is_tensor(value):
        raise Unfit(f"`forward` gave a {type(value).__name__} where it should give a tensor.")
    return value.clone()


def attributes_of(attempt, seed):
    """Attributes of a module, and what of it an optimiser would find."""
    one, two = made(attempt, seed), made(attempt, seed, layers=2)
    count = [sum(p.numel() for p in model.parameters()) for model in (one, two)]
    wide = made(attempt, seed, {"image": 3, "sound": 6})
    return {
        "names": getattr(one, "names", None),
        "dim_out": getattr(one, "dim_out", None),
        "reads_tokens": getattr(one, "reads_tokens", None),
        "of a layer": count[1] - count[0],
        "of a modality": count[0] - sum(p.numel() for p in wide.parameters()),
        "of all": count[0],
        "heads": {heads: heads_in(made(attempt, seed, heads=heads)) for heads in (2, 4)},
    }


def heads_in(model):
    """How many heads each of a module's encoder layers has, None for another kind of attention."""
    layers = [part for part in model.modules() if isinstance(part, EncoderLayer)]
    return [getattr(layer.attend, "heads", None) for layer in layers]


ONE_LAYER = sum(p.numel() for p in EncoderLayer(_DIM, _HEADS, 2 * _DIM).parameters())


def judge_attributes(seen, seed):
    if not isinstance(seen["names"], tuple) or seen["names"] != tuple(_SIZES):
        return "The attribute `names` should be a tuple of the names in `dims`: `tuple(dims)`."
    if seen["dim_out"] != _DIM:
        return f"The attribute `dim_out` should be `dim`, {_DIM} here; yours: {seen['dim_out']}."
    if seen["reads_tokens"] is not True:
        return "The class needs `reads_tokens = True`, or it would get one vector a modality."
    if seen["of a layer"] == 0:
        return (
            "With `layers=2` your module has no more parameters than with 1. Make as many as asked "
            "for, in an `nn.ModuleList`: in a plain list no optimiser would find them."
        )
    if seen["of a layer"] != ONE_LAYER:
        return "Each layer should be an `EncoderLayer(dim, heads, 2 * dim)`, one for each."
    for heads, found in seen["heads"].items():
        if len(found) != 1:
            return (
                f"With `layers=1` your module holds {len(found)} of `EncoderLayer`: make `layers`."
            )
        if found[0] != heads:
            return (
                f"With `heads={heads}` your layer has {found[0]}. Hand `heads` on: "
                "`EncoderLayer(dim, heads, 2 * dim)`."
            )
    if seen["of a modality"] < _DIM * (_SIZES["touch"] + 1):
        return (
            "A third modality adds fewer parameters than a linear layer from its size to `dim` "
            "has. Each needs an `nn.Linear` of its own, in an `nn.ModuleDict`."
        )
    if seen["of a modality"] < _DIM * (_SIZES["touch"] + 2):
        return (
            "A third modality adds a linear layer and no vector that says which modality a token "
            "is of. Make one for each, (dim,), in an `nn.ParameterDict`."
        )
    if seen["of all"] < ONE_LAYER + sum(_DIM * (size + 2) for size in _SIZES.values()) + _DIM:
        return (
            "Beside layers, projections and the modalities' vectors there is no parameter left for "
            "the learnt token. A plain tensor is not learnt: make it an `nn.Parameter`."
        )
    return None


def shapes_of(attempt, seed):
    """What comes out of tokens and vectors, of three rows and of one; by rows and all at once."""
    model, features = made(attempt, seed), drawn(seed)
    whole = called(model, features)
    single = called(model, {name: only(value, 2) for name, value in features.items()})
    turned = dict([*features.items()][::-1])
    return {"whole": whole, "single": single, "turned": called(model, turned)}


def told_apart(attempt, seed):
    """What an optimiser would do to the vectors that say which modality a token is of.

    A vector that is added to each projected token gets the gradient that the projection's own bias
    gets, up to a factor. ``shared`` counts the modalities for which two parameters do, ``silent``
    names those that get none at all.
    """
    model = made(attempt, seed)
    output = model(drawn(seed))
    layers = [part for part in model.modules() if isinstance(part, EncoderLayer)]
    inside = {id(p) for layer in layers for p in layer.parameters()}
    own = {name: p for name, p in model.named_parameters() if id(p) not in inside}
    if not output.requires_grad:
        return {"silent": [*own], "shared": 0}
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(seed))
    (output * weights).sum().backward()
    silent = [name for name, p in own.items() if p.grad is None or not p.grad.any()]
    rows = [p.grad.reshape(-1, _DIM) for name, p in own.items()
            if name not in silent and p.shape[-1:] == (_DIM,)]  # fmt: skip
    rows = nn.functional.normalize(torch.cat([*rows, torch.zeros(1, _DIM)]).double(), dim=1)
    rows = rows[rows.any(dim=1)]
    alike = (rows @ rows.T).abs() > 1 - 1e-6
    groups = {tuple(row.tolist()) for row in alike if row.sum() > 1}
    return {"silent": silent, "shared": len(groups)}


def judge_told_apart(seen, seed):
    if seen["silent"]:
        return f"Nothing reaches the output from {listed(seen['silent'])}: no gradient comes back."
    if seen["shared"] < len(_SIZES):
        return (
            "Each modality's vector is to be *added* to each of its projected tokens, and to no "
            "other modality's: `project(tokens) + vector`. In yours it does not act so. Is it "
            "multiplied, left out, or is one used for all?"
        )
    return None


def listed(names):
    return ", ".join(f"`{name}`" for name in names)


def only(value, row):
    if isinstance(value, Tokens):
        return Tokens(*(part[row : row + 1] for part in value))
    return value[row : row + 1]


def judge_shapes(seen, seed):
    whole, single = seen["whole"], seen["single"]
    if whole.ndim == 3:
        return (
            f"`forward` gave {tuple(whole.shape)}, a vector for each token. Read off the token "
            f"that stands for the row: {(3, _DIM)}."
        )
    if tuple(whole.shape) != (3, _DIM) or tuple(single.shape) != (1, _DIM):
        return (
            f"`forward` gave {tuple(whole.shape)} for three rows and {tuple(single.shape)} for "
            f"one; it should be {(3, _DIM)} and {(1, _DIM)}."
        )
    if not whole.isfinite().all():
        return "There is a nan in what comes out; all scores of some query are -inf."
    if not torch.allclose(whole[2:], single, atol=1e-5):
        return "A row's answer depends on the other rows: do tokens of several rows meet?"
    if not torch.allclose(whole, seen["turned"], atol=1e-6):
        return "Modalities come in any order: go through `self.names`, not through `features`."
    return None


def hidden_of(attempt, seed):
    """What is hidden by a module of one layer, and of two."""
    return {layers: hidden_by(made(attempt, seed, layers=layers), seed) for layers in (1, 2)}


def hidden_by(model, seed):
    """How far an answer moves as padding, an absent modality, and what is real is changed."""
    features = drawn(seed)
    before = called(model, features)
    padding = dict(features)
    tokens = features["image"]
    padding["image"] = Tokens(tokens.vectors.masked_fill(~tokens.real[..., None], 9), tokens.real)
    present = {
        "sound": torch.tensor([True, False, False]),
        "touch": torch.tensor([True, True, False]),
    }
    away = called(model, features, present)
    others = dict(features)
    sound = features["sound"]
    others["sound"] = Tokens(
        sound.vectors.masked_fill(~present["sound"][:, None, None], 9), sound.real
    )
    others["touch"] = features["touch"].masked_fill(~present["touch"][:, None], 9)
    moved = {name: Tokens(features[name].vectors + 1, features[name].real)
             if name != "touch" else features[name] + 1 for name in _SIZES}  # fmt: skip
    nothing = {name: torch.zeros(3, dtype=torch.bool) for name in _SIZES}
    void = {name: Tokens(tokens.vectors, torch.zeros_like(tokens.real))
            for name, tokens in map(as_pair, features.items())}  # fmt: skip
    unreal = {**features, "sound": Tokens(sound.vectors, sound.real & present["sound"][:, None])}
    return {
        "void": called(model, void, nothing),
        "unreal": (called(model, unreal) - called(model, features, {"sound": present["sound"]}))
        .abs()
        .max()
        .item(),
        "padding": (called(model, padding) - before).abs().max().item(),
        "absent": (called(model, others, present) - away).abs().max().item(),
        "mask": (away - before).abs().amax(dim=1),
        "moves": {
            name: (called(model, {**features, name: moved[name]}) - before).abs().max().item()
            for name in _SIZES
        },
        "empty": called(model, features, nothing),
        "together": together(model, features, moved),
        "kept": all(map(same_parts, features.values(), drawn(seed).values())),
    }


def as_pair(item):
    """A name and its features, as Tokens."""
    return item[0], fusion.as_tokens(item[1])


def together(model, features, moved):
    """The largest mixed difference where two modalities are changed, one by one and both."""
    changed = [{}, {"image": moved["image"]}, {"sound": moved["sound"]}]
    neither, one, other = (called(model, features | part) for part in changed)
    both = called(model, features | changed[1] | changed[2])
    return (both - one - other + neither).abs().max().item()


def same_parts(some, others):
    """Whether two vectors, or two Tokens, are the same."""
    if isinstance(some, Tokens):
        return all(map(torch.equal, some, others))
    return torch.equal(some, others)


def judge_hidden(seen, seed):
    """What one layer shows; then two, where a mask that reaches the first alone is seen."""
    if problem := judge_layers(seen[1]):
        return problem
    if max(seen[2][name] for name in ("padding", "absent", "unreal")) > 1e-5:
        return (
            "With one layer all is right; with `layers=2` padding, or an absent modality, changes "
            "the answer. Hand the same mask to every layer, not to the first alone."
        )
    problem = judge_layers(seen[2])
    return problem and f"With `layers=2`: {problem}"


def judge_layers(seen):
    still = [name for name, gap in seen["moves"].items() if gap < 1e-6]
    if still:
        return f"What {still[0]!r} says changes nothing in the answer: its tokens are not attended."
    if not seen["empty"].isfinite().all():
        return (
            "A row without any modality gives nan. The learnt token is always real: put a column "
            "of True before the others."
        )
    if not torch.allclose(seen["void"], seen["void"][:1].expand(3, -1), atol=1e-5):
        return (
            "Rows with nothing real in them should all give the same, and yours differ by what "
            "stands there. Is another token than the learnt one read off, or their mean? The "
            "learnt one stands first: `x[:, 0]`. If it is the one, no mask reaches the layers."
        )
    if seen["padding"] > 1e-5:
        return (
            "Padding is attended: what stands in a token that is not real changes the answer. Put "
            "all `real` side by side, in the order of the tokens, and hand `token_mask` of it on."
        )
    if seen["absent"] > 1e-5:
        return (
            "An absent modality still takes part. Its tokens are not real: `real & there`, with "
            "the modality's column of `presence`."
        )
    if seen["mask"][0] > 1e-5 or seen["mask"][1:].min() < 1e-6:
        return "`present` hides something in the wrong rows: each row has a mask of its own."
    if seen["together"] < 1e-5:
        return (
            "What one modality says never changes what another one means: are the layers given "
            "the tokens of each modality apart? Put all side by side first."
        )
    if seen["unreal"] > 1e-5:
        return (
            "What an absent modality says is wiped out, and yet its tokens are looked at: they "
            "take attention from the others. They are not real either: `real & there`."
        )
    if not seen["kept"]:
        return "Your module changes the features that it was given; others may need them."
    return None


def fitting_rows(seed):
    """Two tokens a modality, one of noise; the label counts the others of the second kind."""
    rng = torch.Generator().manual_seed(seed)
    first, other = torch.randint(2, (2, 32), generator=rng)
    vectors = {}
    for name, kind in (("image", first), ("sound", other)):
        kept = nn.functional.one_hot(kind, 2).float() + 0.1 * torch.randn(32, 2, generator=rng)
        noise = 0.1 * torch.randn(32, 2, generator=rng)
        vectors[name] = Tokens(torch.stack([noise, kept], dim=1), torch.ones(32, 2).bool())
    return vectors, first + other


def learns(attempt, seed):
    """Accuracy after forty steps of two layers where both modalities are needed."""
    features, label = fitting_rows(seed)
    torch.manual_seed(seed)
    model = attempt({"image": 2, "sound": 2}, 16, 4, 2)
    head = nn.Linear(16, 3)
    weights = [*model.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(weights, lr=1e-2)
    named = [*model.named_parameters()]
    still = []
    for _ in range(40):
        optimizer.zero_grad()
        output = model(features)
        if not output.requires_grad:
            return {"accuracy": 0.0, "still": [name for name, _ in named]}
        nn.functional.cross_entropy(head(output), label).backward()
        still = [name for name, p in named if p.grad is None or not p.grad.abs().max() > 0]
        optimizer.step()
    right = (head(model(features)).argmax(dim=1) == label).double().mean().item()
    return {"accuracy": right, "still": still}


def judge_learns(seen, seed):
    if seen["still"]:
        return (
            f"With `layers=2` no gradient reaches {listed(seen['still'][:3])}"
            f"{' and others' if len(seen['still']) > 3 else ''}: something is detached, or does "
            "not reach the output. Does each layer get what the one before it gave?"
        )
    if seen["accuracy"] < 0.75:
        return (
            f"Taught to count tokens of a kind, your module gets {seen['accuracy']:.2f} of its own "
            "training rows. Is the learnt token read off behind the last layer?"
        )
    return None


class TokensInAList(fusion.JointAttentionFusion):
    def __init__(self, dims, dim=64, heads=4, layers=1):
        super().__init__(dims, dim, heads, layers)
        kept = list(self.layers)
        del self.layers
        self.layers = kept


class Changed(fusion.JointAttentionFusion):
    """As the course's, written so that one step can be changed."""

    def forward(self, features, present=None):
        given = {name: fusion.as_tokens(features[name]) for name in self.names}
        rows = len(given[self.names[0]].real)
        there = fusion.presence(present, self.names, rows, self.first.device)
        x, real = [self.first.expand(rows, 1, -1)], [self.first_is_real(there)]
        for m, (name, tokens) in enumerate(given.items()):
            x.append(self.marked(self.project[name](tokens.vectors), name))
            real.append(self.real_of(tokens.real, there[:, [m]]))
        x, mask = torch.cat(x, dim=1), self.mask_of(torch.cat(real, dim=1))
        return self.read(self.through(x, mask), mask)

    def marked(self, vectors, name):
        return vectors + self.kind[name]

    def through(self, x, mask):
        for layer in self.layers:
            x = layer(x, mask)
        return x

    def first_is_real(self, there):
        return there.new_ones(len(there), 1)

    def real_of(self, real, there):
        return real & there

    def mask_of(self, real):
        return token_mask(real)

    def read(self, x, mask):
        return x[:, 0]


class AttendsPadding(Changed):
    def real_of(self, real, there):
        return there.expand_as(real)


class AttendsAbsent(Changed):
    def real_of(self, real, there):
        return real


class NoMask(Changed):
    def mask_of(self, real):
        return None


class EachApart(fusion.JointAttentionFusion):
    def forward(self, features, present=None):
        only = {name: torch.zeros(1, dtype=torch.bool) for name in self.names}
        total = 0
        for name in self.names:
            own = features[name]
            rows = len(own.real if isinstance(own, Tokens) else own)
            there = (present or {}).get(name, torch.ones(rows, dtype=torch.bool))
            none = {other: away.expand(rows) for other, away in only.items()}
            total = total + super().forward(features, none | {name: there})
        return total


class AbsentAsZeros(Changed):
    """Wipes out what is absent, and leaves it in the mask."""

    def forward(self, features, present=None):
        given = {name: fusion.as_tokens(features[name]) for name in self.names}
        rows = len(given[self.names[0]].real)
        there = fusion.presence(present, self.names, rows, self.first.device)
        wiped = {
            name: Tokens(tokens.vectors * there[:, m, None, None], tokens.real)
            for m, (name, tokens) in enumerate(given.items())
        }
        return super().forward(wiped)


class FirstNotLearnt(fusion.JointAttentionFusion):
    def __init__(self, dims, dim=64, heads=4, layers=1):
        super().__init__(dims, dim, heads, layers)
        del self.first
        self.first = torch.randn(dim) * 0.1


class MeanOut(Changed):
    def read(self, x, mask):
        return x.mean(dim=1)


class AllTokensOut(Changed):
    def read(self, x, mask):
        return x


class FirstHidden(Changed):
    def first_is_real(self, there):
        return there.any(dim=1, keepdim=True)


class EachLayerFromTheStart(Changed):
    def through(self, x, mask):
        for layer in self.layers:
            told = layer(x, mask)
        return told


class MaskedOnce(Changed):
    """The mask reaches the first layer alone."""

    def through(self, x, mask):
        for layer in self.layers:
            x, mask = layer(x, mask), None
        return x


class WithoutKind(Changed):
    def __init__(self, dims, dim=64, heads=4, layers=1):
        super().__init__(dims, dim, heads, layers)
        del self.kind
        self.kind = dict.fromkeys(dims, torch.zeros(dim))


class OwnHeads(fusion.JointAttentionFusion):
    def __init__(self, dims, dim=64, heads=4, layers=1):
        super().__init__(dims, dim, 2, layers)


class KindIgnored(Changed):
    """Makes the vectors, and never uses them."""

    def marked(self, vectors, name):
        return vectors


class KindTimes(Changed):
    def marked(self, vectors, name):
        return vectors * self.kind[name]


class OneKindForAll(Changed):
    def marked(self, vectors, name):
        return vectors + sum(self.kind[name] for name in self.names)


class ByFeatures(Changed):
    """Goes through the features, of which some are none of its own."""

    def forward(self, features, present=None):
        x = [self.project[name](fusion.as_tokens(one).vectors) for name, one in features.items()]
        return self.through(torch.cat(x, dim=1), None)[:, 0]


class ByReal(nn.Module):
    """Another right way: an embedding of modalities, the mean of the first token's copies."""

    reads_tokens = True

    def __init__(self, dims, dim=64, heads=4, layers=1):
        super().__init__()
        self.names, self.dim_out = tuple(dims), dim
        self.maps = nn.ModuleDict({name: nn.Linear(size, dim) for name, size in dims.items()})
        self.place = nn.Embedding(1 + len(dims), dim)
        self.stack = nn.Sequential(*(EncoderLayer(dim, heads, 2 * dim) for _ in range(layers)))

    def forward(self, features, present=None):
        some = next(iter(features.values()))
        rows = len(some.real if isinstance(some, Tokens) else some)
        x, real = [self.place.weight[:1].expand(rows, 1, -1)], [torch.ones(rows, 1).bool()]
        for number, name in enumerate(self.names, 1):
            value = features[name]
            if not isinstance(value, Tokens):
                value = Tokens(value.unsqueeze(1), torch.ones(rows, 1).bool())
            there = (present or {}).get(name, torch.ones(rows).bool())
            x.append(self.maps[name](value.vectors) + self.place.weight[number])
            real.append(value.real.logical_and(there.unsqueeze(1)))
        x, mask = torch.cat(x, dim=1), token_mask(torch.cat(real, dim=1))
        for layer in self.stack:
            x = layer(x, mask)
        return x[:, 0]


JointAttentionFusion = Exercise(
    reference=fusion.JointAttentionFusion,
    parts=(
        Part(
            "what the constructor makes",
            attributes_of,
            judge_attributes,
            (
                "Needed are: `names`, `dim_out`, a linear layer and a vector for each modality, "
                "one learnt token, and `layers` encoder layers. Which container finds what?",
                "`nn.ModuleDict` of `nn.Linear(size, dim)`, `nn.ParameterDict` of "
                "`torch.randn(dim) * 0.1`, `nn.Parameter(torch.randn(dim) * 0.1)`, and an "
                "`nn.ModuleList` of `EncoderLayer(dim, heads, 2 * dim)`.",
            ),
        ),
        Part(
            "one vector for each row",
            shapes_of,
            judge_shapes,
            (
                "`as_tokens(features[name])` makes one token of a vector. Project, add the "
                "modality's vector, and put all tokens of a row side by side: `torch.cat(parts, "
                "dim=1)`.",
                "The learnt token is (dim,); `self.first.expand(rows, 1, -1)` gives each row its "
                "own. It stands first, so `x[:, 0]` is what the layers made of it.",
            ),
        ),
        Part(
            "a vector for each modality",
            told_apart,
            judge_told_apart,
            (
                "Each token is its projection plus the vector of its modality, broadcast over rows "
                "and tokens.",
                "`self.project[name](tokens.vectors) + self.kind[name]`.",
            ),
        ),
        Part(
            "padding and what is absent",
            hidden_of,
            judge_hidden,
            (
                "Each token needs a yes or no, in the order of the tokens: (B, T) bool for all of "
                "them together, and `token_mask` makes the mask of it.",
                "`presence(present, self.names, rows, device)` gives (B, M). For modality m, "
                "`tokens.real & there[:, [m]]`; for the learnt token, a column of True.",
            ),
        ),
        Part(
            "a head that learns",
            learns,
            judge_learns,
            ("All tokens go through each layer together, with the mask, layer after layer.",),
        ),
    ),
    also_right=(ByReal,),
    seconds=30,
    mistakes=(
        Mistake(TokensInAList, "in a plain list no optimiser would find them."),
        Mistake(OwnHeads, "Hand `heads` on: `EncoderLayer(dim, heads, 2 * dim)`."),
        Mistake(WithoutKind, "Make one for each, (dim,), in an `nn.ParameterDict`."),
        Mistake(FirstNotLearnt, "A plain tensor is not learnt: make it an `nn.Parameter`."),
        Mistake(MeanOut, "Is another token than the learnt one read off, or their mean?"),
        Mistake(AbsentAsZeros, "they take attention from the others."),
        Mistake(ByFeatures, "go through `self.names`, not through `features`."),
        Mistake(KindIgnored, "no gradient comes back."),
        Mistake(KindTimes, "modality's: `project(tokens) + vector`."),
        Mistake(OneKindForAll, "is one used for all?"),
        Mistake(AllTokensOut, "Read off the token that stands for the row: (3, 8)."),
        Mistake(AttendsPadding, "in the order of the tokens, and hand `token_mask` of it on."),
        Mistake(MaskedOnce, "Hand the same mask to every layer, not to the first alone."),
        Mistake(AttendsAbsent, "with the modality's column of `presence`."),
        Mistake(EachApart, "Put all side by side first."),
        Mistake(FirstHidden, "put a column of True before the others."),
        Mistake(EachLayerFromTheStart, "Does each layer get what the one before it gave?"),
    ),
)
