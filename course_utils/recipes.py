"""From plain values to readers and models: what a search settles, and a model file remembers.

``readers_from`` and ``build`` make anew what a search chose. What a function does, such as how
texts are cut, has a name here, so that settings hold no functions.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from course_utils.classifier import MultimodalClassifier
from course_utils.data.batches import Batch, to_tensors
from course_utils.data.readers import ColumnsReader, ImageReader, Reader, TextReader
from course_utils.data.rows import column_of
from course_utils.data.text import tokenize, with_phrases
from course_utils.encoders import (
    BagEncoder,
    CNNEncoder,
    ColumnsEncoder,
    TextCNNEncoder,
    reading,
)
from course_utils.experts import (
    BesideConcat,
    Experts,
    Hidden,
    LinearPictures,
    LinearText,
    MeanVector,
    Pool,
    WithHead,
)
from course_utils.fusion import (
    BilinearFusion,
    ConcatFusion,
    ConcatMLPFusion,
    LowRankFusion,
    MaximumFusion,
)

FORM = 1  # of the settings
PIECE = "\N{MIDDLE DOT}"  # stands before a piece of a word, and in no word
DIM = 64
JOINT = {
    "concat": ConcatFusion,
    "concat + MLP": lambda dims: BesideConcat(dims, ConcatMLPFusion(dims)),
    "concat + maximum": lambda dims: BesideConcat(dims, MaximumFusion(dims)),
    "concat + products": lambda dims: BesideConcat(dims, LowRankFusion(dims)),
    "bilinear": BilinearFusion,
}

Values = dict[str, Any]
MakeEncoder = Callable[[Reader], nn.Module]


# --- how texts are cut ----------------------------------------------------------------------------


def word_pieces(text: str) -> list[str]:
    """Words, pairs of neighbours, and pieces of each word of 3 to 5 letters, its ends marked.

    Words that were never seen share pieces with words that were. Bojanowski, Grave, Joulin and
    Mikolov, Enriching Word Vectors with Subword Information, TACL 2017.
    """
    words = tokenize(text)
    marked = [f"<{word}>" for word in words]
    pieces = [PIECE + word[start : start + size] for word in marked for size in (3, 4, 5)
              for start in range(len(word) - size + 1)]  # fmt: skip
    return with_phrases(words) + pieces


def word_pairs(text: str) -> list[str]:
    """Words, and pairs of neighbours."""
    return with_phrases(tokenize(text))


TOKENS = {"words": tokenize, "pairs": word_pairs, "pieces": word_pieces}


# --- readers --------------------------------------------------------------------------------------


def readers_from(settings: Values) -> dict[str, Reader]:
    """Readers of the kinds that a search chose, not yet fitted.

    Raises ValueError for a reader of one's own, which plain values cannot describe.
    """
    return {name: _reader_from(name, values) for name, values in settings["readers"].items()}


def _reader_from(name: str, values: Values) -> Reader:
    if values["kind"] == "image":
        return ImageReader(values["column"], values["shrink"])
    if values["kind"] == "columns":
        return ColumnsReader(values["numbers"], values["categories"])
    if values["kind"] == "text" and values["tokens"] in TOKENS:
        return TextReader(column=values["column"], fewest=values["fewest"],
                          tokenize=TOKENS[values["tokens"]], longest=values["longest"])  # fmt: skip
    raise ValueError(f"{name!r} was read by a reader of your own; make it as you did")


def values_of(reader: Reader, tensors: Batch, name: str) -> Values:
    """A fitted reader's settings as plain values; tensors: what it gave as ``name``."""
    if isinstance(reader, ImageReader):
        return {"kind": "image", "column": reader.column, "shrink": reader.shrink,
                "size": list(tensors[name].shape[2:])}  # fmt: skip
    if isinstance(reader, ColumnsReader):
        return {"kind": "columns", "numbers": [*reader.numbers],
                "categories": [*reader.categories]}  # fmt: skip
    if isinstance(reader, TextReader):
        cut = reader.vocabulary.cut
        known = (key for key, function in TOKENS.items() if function is cut.tokenize)
        return {"kind": "text", "column": reader.column, "fewest": reader.fewest,
                "tokens": next(known, None), "longest": cut.longest}  # fmt: skip
    return {"kind": "own"}


def tensors_of(
    rows: Mapping[str, Any],
    readers: Mapping[str, Reader],
    settings: Values,
    label: str | None = "label",
) -> Batch:
    """``to_tensors``, also for rows of which none has a picture: zeros of the right size."""
    whole: dict[str, Any] = {}
    for name, reader in readers.items():
        if isinstance(reader, ImageReader) and not reader.present(rows, name).any():
            column = reader.column or column_of(rows, name)
            size = settings["readers"][name]["size"]
            pixels = torch.zeros(len(rows[column]), 3, *size, dtype=torch.uint8)
            whole |= {name: pixels}
    others = {name: reader for name, reader in readers.items() if name not in whole}
    tensors = to_tensors(rows, others, label)
    for name, pixels in whole.items():
        tensors["present"][name] = torch.zeros(len(pixels), dtype=torch.bool)
    return tensors | whole


# --- models from values ---------------------------------------------------------------------------


def build(
    settings: Values,
    readers: Mapping[str, Reader],
    classes: int,
    encoders: Mapping[str, MakeEncoder] | None = None,
) -> MultimodalClassifier:
    """The untrained model of these settings, for ``load_state_dict``.

    readers: fitted; encoders: as the search was given them.
    """
    joint = settings["joint"]
    parts = {}
    for name, values in settings["experts"].items():
        experts = [expert_from(one, readers, classes, encoders or {}) for one in values]
        own = encoder_from(joint["encoders"][name], readers, encoders or {}) if joint else None
        parts[name] = Experts(experts, classes, own)
    fusion = None
    if joint:
        fusion = JOINT[joint["fusion"]]({name: part.joint.dim for name, part in parts.items()})
    return MultimodalClassifier(parts, Pool((*parts,), classes, fusion, settings["rule"]), classes)


def expert_from(
    values: Values, readers: Mapping[str, Reader], classes: int, own: Mapping[str, MakeEncoder]
) -> nn.Module:
    """An untrained expert: an encoder with a head, or a linear model of texts or pictures.

    own: {modality: function from its fitted reader to an encoder}.
    """
    kind, name = values["kind"], values["reads"][0]
    if kind == "linear text":
        return LinearText(len(readers[name].vocabulary), classes, name)
    if kind == "linear pictures":
        shape = values["pixels"], values["directions"]
        return LinearPictures(*shape, classes, name, values["shrink"])
    return WithHead(encoder_from(values, readers, own), classes, values.get("dropout", 0.0))


def encoder_from(
    values: Values, readers: Mapping[str, Reader], own: Mapping[str, MakeEncoder]
) -> nn.Module:
    """An untrained encoder. Raises ValueError for a network of one's own that ``own`` lacks."""
    kind, name = values["kind"], values["reads"][0]
    if kind == "own":
        return _own_encoder(name, readers, own)
    if kind in ("linear", "hidden"):
        means = MeanVector(values["width"], tuple(values["reads"]))
        return Hidden(means, DIM) if kind == "hidden" else means
    if kind == "cnn":
        return reading(CNNEncoder(DIM, tuple(values["channels"])), name)
    if kind == "bag":
        return reading(BagEncoder(len(readers[name].vocabulary), DIM), name)
    if kind == "text cnn":
        return reading(TextCNNEncoder(len(readers[name].vocabulary), DIM), name)
    if kind == "columns":
        return reading(ColumnsEncoder(readers[name].width, DIM), name)
    raise ValueError(f"there is no network {kind!r} for {name!r}")


def _own_encoder(
    name: str, readers: Mapping[str, Reader], own: Mapping[str, MakeEncoder]
) -> nn.Module:
    if name not in own:
        raise ValueError(f"the network of {name!r} is of your own; give encoders={{{name!r}: "
                         "...}} as the search had them")  # fmt: skip
    return own[name](readers[name])
