"""Small models of Hugging Face Transformers, without a download; published ones where they are.

``from_configuration`` builds a BERT, a RoBERTa, a GPT-2 or a Llama of any size with fresh weights.
``LanguageEncoder`` makes an encoder of one, which every other room takes like its own.
``load_published`` reads weights from a folder, or from the hub where there is a network.

The one file of the package that imports transformers and tokenizers, inside its functions: the
first import takes seconds.
"""

import contextlib
import importlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from course_utils.attention import Tokens
from course_utils.data.readers import Reader, as_texts
from course_utils.encoders import masked_mean, positions_within

PIECES = ("[PAD]", "[UNK]", "[MASK]", "[CLS]", "[SEP]")  # in the order of their numbers
MASK = PIECES.index("[MASK]")
LAST_SEEN = (
    "weights from the hub were never fetched while this course was written, for want of a network; "
    "weights from a folder were read with transformers 5.24"
)


def library(name: str) -> Any:
    """A library that this lesson alone needs.

    Raises ImportError, in a sentence, where it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ImportError(f"this needs {name}; install it with pip install {name}") from None


# --- models from configurations -------------------------------------------------------------------


class Kind(NamedTuple):
    """The classes of one kind of model, and what its configuration calls things.

    causal: whether a word sees only itself and those before it. names: of (words, dim, layers,
    heads, longest), what a configuration of this kind calls them.
    """

    model_type: str
    config: str
    model: str
    causal: bool
    names: Callable[[int, int, int, int, int], dict[str, Any]]


def _like_bert(words: int, dim: int, layers: int, heads: int, longest: int) -> dict[str, Any]:
    return {
        "vocab_size": words,
        "hidden_size": dim,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": 2 * dim,
        "max_position_embeddings": longest,
        "type_vocab_size": 1,
        "pad_token_id": 0,
    }


def _like_roberta(words: int, dim: int, layers: int, heads: int, longest: int) -> dict[str, Any]:
    # Its places are counted from the number after padding's.
    return _like_bert(words, dim, layers, heads, longest + 1)


def _like_gpt(words: int, dim: int, layers: int, heads: int, longest: int) -> dict[str, Any]:
    return {
        "vocab_size": words,
        "n_embd": dim,
        "n_layer": layers,
        "n_head": heads,
        "n_positions": longest,
        "n_inner": 2 * dim,
        "bos_token_id": None,
        "eos_token_id": None,
    }


def _like_llama(words: int, dim: int, layers: int, heads: int, longest: int) -> dict[str, Any]:
    return {
        "vocab_size": words,
        "hidden_size": dim,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": max(1, heads // 2),  # two heads share keys and values
        "intermediate_size": 2 * dim,
        "max_position_embeddings": longest,
        "pad_token_id": 0,
        "bos_token_id": None,
        "eos_token_id": None,
    }


KINDS = {
    "BERT": Kind("bert", "BertConfig", "BertForMaskedLM", False, _like_bert),
    "RoBERTa": Kind("roberta", "RobertaConfig", "RobertaForMaskedLM", False, _like_roberta),
    "GPT-2": Kind("gpt2", "GPT2Config", "GPT2LMHeadModel", True, _like_gpt),
    "Llama": Kind("llama", "LlamaConfig", "LlamaForCausalLM", True, _like_llama),
}
_DROPOUTS = {
    "bert": ("hidden_dropout_prob", "attention_probs_dropout_prob"),
    "roberta": ("hidden_dropout_prob", "attention_probs_dropout_prob"),
    "gpt2": ("resid_pdrop", "embd_pdrop", "attn_pdrop"),
    "llama": ("attention_dropout",),
}


def kind_of(name: str) -> Kind:
    """What is known of a kind of model. Raises ValueError for one that is not in ``KINDS``."""
    if name not in KINDS:
        raise ValueError(f"there is no kind {name!r}; there are {', '.join(KINDS)}")
    return KINDS[name]


def from_configuration(
    kind: str,
    words: int,
    *,
    dim: int = 64,
    layers: int = 1,
    heads: int = 4,
    longest: int = 32,
    dropout: float = 0.1,
    start: float = 0.02,
    tied: bool = False,
    seed: int = 0,
) -> nn.Module:
    """A language model of Hugging Face Transformers with fresh weights: nothing is downloaded.

    kind: one of ``KINDS``. words: how many numbers a word can have, 0 for padding, the mask and the
    like counted. dim: of each word's vector; longest: words of a text; start: standard deviation of
    the first weights; tied: whether the words that go in and those that come out share their
    vectors. Called with ``input_ids`` (B, L) and ``attention_mask`` (B, L), it gives ``logits``
    (B, L, words).

    Raises ValueError for an unknown kind, or where dim is no multiple of heads; ImportError, in a
    sentence, where transformers is missing.
    """
    chosen = kind_of(kind)
    if dim % heads:
        raise ValueError(f"each head takes an equal share: dim {dim} is no multiple of {heads}")
    transformers = library("transformers")
    config = getattr(transformers, chosen.config)(
        **chosen.names(words, dim, layers, heads, longest),
        **dict.fromkeys(_DROPOUTS[chosen.model_type], dropout),
        initializer_range=start,
        tie_word_embeddings=tied,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = getattr(transformers, chosen.model)(config).eval()
    if chosen.causal:
        model.loss_type = "ForCausalLM"  # which it does not tell from the name of GPT-2's class
    return model


class LanguageEncoder(nn.Module):
    """A language model's body as an encoder: the mean over a text's words of its last vectors.

    model: of ``from_configuration`` or ``load_published``; its head, which names words, is left
    out. What the encoder learns, the model learns.
    """

    reads = ("text", "text_length")

    def __init__(self, model: nn.Module):
        super().__init__()
        self.body = getattr(model, "base_model", model)
        self.dim: int = self.body.config.hidden_size

    def forward(self, text: Tensor, text_length: Tensor) -> Tensor:
        """text (B, L) long, text_length (B,) long, at least 1 -> (B, dim)"""
        return masked_mean(self.tokens(text, text_length).vectors, text_length)

    def tokens(self, text: Tensor, text_length: Tensor) -> Tokens:
        """text (B, L) long, text_length (B,) long -> a token for each word, read in its context"""
        text = text[:, : int(text_length.max())]
        real = positions_within(text_length, text.shape[1])
        said = self.body(input_ids=text, attention_mask=real.long())
        return Tokens(said.last_hidden_state, real)


# --- pieces of words ------------------------------------------------------------------------------


def learn_pieces(texts: Iterable[str], size: int = 300) -> Any:
    """A tokenizer of library ``tokenizers`` that learnt pieces of words from these texts.

    WordPiece, as BERT has it: common words become one piece, rare ones several, and no word of
    known letters is unknown. size: the greatest number of pieces. The first are ``PIECES``.

    Raises ImportError, in a sentence, where tokenizers is missing.
    """
    tokenizers = library("tokenizers")
    learnt = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    learnt.normalizer = tokenizers.normalizers.Lowercase()
    learnt.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    learnt.decoder = tokenizers.decoders.WordPiece()
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=list(PIECES), show_progress=False
    )
    learnt.train_from_iterator(texts, trainer)
    return learnt


class PiecesReader(Reader):
    """Texts as numbers of pieces (n, L) long, 0 behind their ends, and their lengths (n,) long.

    tokenizer: of library ``tokenizers``, as ``learn_pieces`` and ``load_published`` give it. It
    alone says which number a piece has. A text without any piece counts as one unknown piece.
    """

    def __init__(self, tokenizer: Any, column: str | None = None):
        super().__init__(column)
        self.tokenizer = tokenizer

    def read(self, cells: Sequence[str | None]) -> dict[str, Tensor]:
        """Numbers under the modality's own name, and the lengths."""
        unknown = self.tokenizer.token_to_id("[UNK]") or 1
        rows = [one.ids or [unknown] for one in self._encoded(as_texts(cells))]
        length = torch.tensor([len(row) for row in rows], dtype=torch.long)
        ids = torch.zeros(len(rows), int(length.max()) if rows else 0, dtype=torch.long)
        for row, numbers in zip(ids, rows, strict=True):
            row[: len(numbers)] = torch.tensor(numbers)
        return {"": ids, "_length": length}

    def _encoded(self, texts: list[str]) -> list[Any]:
        self.tokenizer.no_padding()  # a published one may pad, and its padding would be counted
        return self.tokenizer.encode_batch(texts)


# --- published weights ----------------------------------------------------------------------------


def save_published(model: nn.Module, folder: str | Path, tokenizer: Any = None) -> Path:
    """Write a model as published ones are written: config.json, weights, tokenizer; the folder.

    tokenizer: of library ``tokenizers``.
    """
    folder = Path(folder)
    with _quiet():
        model.save_pretrained(folder)
    if tokenizer is not None:
        tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def load_published(where: str | Path, kind: str = "BERT") -> tuple[nn.Module, Any]:
    """A model with the weights that somebody published, and its tokenizer or None.

    where: a folder with ``config.json`` and weights, as ``save_published`` writes it or as it was
    fetched from the hub; or, where there is a network and ``COURSE_OFFLINE`` is not 1, the model's
    name there. Code that comes with weights is never run.

    Raises ValueError, in a sentence, where nothing is there, where it is a model of another kind,
    or where a file is cut off, broken, or lacks weights that this kind needs; ImportError where
    transformers is missing.
    """
    chosen, folder = kind_of(kind), Path(where)
    transformers = library("transformers")
    name = str(where)
    here = folder.is_dir()
    if not here and (os.environ.get("COURSE_OFFLINE") == "1" or _is_path(name)):
        why = "no such folder" if _is_path(name) else "no such folder, and COURSE_OFFLINE is 1"
        raise ValueError(f"there is no model at {name}: {why}; give a folder with config.json and "
                         "weights") from None  # fmt: skip
    _check_config(transformers, name, here, kind)
    try:
        with _quiet():
            model, report = getattr(transformers, chosen.model).from_pretrained(
                name, local_files_only=here, output_loading_info=True, trust_remote_code=False
            )
    except Exception as problem:  # the libraries raise whatever their parts raise
        raise ValueError(f"the weights of {name} cannot be read: {_first_line(problem)}; they are "
                         "cut off or broken: fetch them again") from None  # fmt: skip
    if missing := sorted(report["missing_keys"]):
        raise ValueError(f"the weights of {name} lack {len(missing)} that {chosen.model} needs (the"
                         f" first is {missing[0]}), which would be drawn at random; fetch them "
                         "again, or load them as what they are") from None  # fmt: skip
    return model.eval(), _tokenizer_of(transformers, name, here)


def _is_path(name: str) -> bool:
    """Whether a name can only be a folder's: the hub's are ``model`` or ``owner/model``."""
    return name.startswith((".", "/", "~")) or "\\" in name or name.count("/") > 1


def _check_config(transformers: Any, name: str, here: bool, kind: str) -> None:
    """Raises ValueError, in a sentence, where there is no configuration, or one of another kind."""
    if here and not (Path(name) / "config.json").is_file():
        raise ValueError(f"{name} has no config.json, so it is no folder of a published model; "
                         "give the folder that holds it")  # fmt: skip
    try:
        with _quiet():
            reads = getattr(transformers, kind_of(kind).config)
            config = reads.get_config_dict(name, local_files_only=here)[0]
    except Exception as problem:
        if here:
            raise ValueError(f"{name}/config.json cannot be read: {_first_line(problem)}; fetch it "
                             "again") from None  # fmt: skip
        raise ValueError(f"the hub gave no {name}: {_first_line(problem)}; is there a network? A "
                         f"folder will do as well. ({LAST_SEEN})") from None  # fmt: skip
    found = config.get("model_type", "unknown")
    if found != kind_of(kind).model_type:
        said = {one.model_type: name for name, one in KINDS.items()}.get(found)
        advice = f"load it with kind={said!r}" if said else f"this course loads {', '.join(KINDS)}"
        raise ValueError(f"{name} holds a model of type {found}, not a {kind}; {advice}")


def _tokenizer_of(transformers: Any, name: str, here: bool) -> Any:
    tokenizers = library("tokenizers")
    if here:
        path = Path(name) / "tokenizer.json"
        if not path.is_file():
            return None
        try:
            return tokenizers.Tokenizer.from_file(str(path))
        except Exception as problem:
            raise ValueError(f"{path} cannot be read: {_first_line(problem)}; fetch it "
                             "again") from None  # fmt: skip
    try:
        with _quiet():
            return transformers.AutoTokenizer.from_pretrained(name).backend_tokenizer
    except Exception as problem:
        raise ValueError(f"the hub gave no tokenizer of {name}: "
                         f"{_first_line(problem)}") from None  # fmt: skip


def _first_line(problem: Exception) -> str:
    said = next((line.strip() for line in str(problem).splitlines() if line.strip()), "")
    said = said if len(said) <= 160 else f"{said[:157]}..."
    return f"{type(problem).__name__}, {said.rstrip('.')}" if said else type(problem).__name__


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without bars and remarks: what matters is said in a sentence."""
    logging = library("transformers").utils.logging
    level = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


# --- published models that see --------------------------------------------------------------------


class PublishedEyes(NamedTuple):
    """A published model that reads a picture and words, and what makes its inputs of them."""

    model: nn.Module
    processor: Any


def load_published_eyes(where: str | Path) -> PublishedEyes:
    """A published model of picture and words in, words out, as LLaVA or SmolVLM.

    where: a folder with its configuration, weights, tokenizer and image processor; or, where there
    is a network and ``COURSE_OFFLINE`` is not 1, its name on the hub, as
    "HuggingFaceTB/SmolVLM-256M-Instruct" (about half a gigabyte). Code that comes with weights is
    never run.

    Raises ValueError, in a sentence, where nothing is there, where it does not read pictures, or
    where a file is cut off or lacks weights; ImportError where transformers is missing.
    """
    folder, name, transformers = Path(where), str(where), library("transformers")
    here = folder.is_dir()
    if not here and (os.environ.get("COURSE_OFFLINE") == "1" or _is_path(name)):
        why = "no such folder" if _is_path(name) else "no such folder, and COURSE_OFFLINE is 1"
        raise ValueError(f"there is no model at {name}: {why}; give a folder with config.json, "
                         "weights, tokenizer and image processor")  # fmt: skip
    if here and not (folder / "config.json").is_file():
        raise ValueError(f"{name} has no config.json, so it is no folder of a published model; "
                         "give the folder that holds it")  # fmt: skip
    given = {"local_files_only": here, "trust_remote_code": False}
    try:
        with _quiet():
            model, report = transformers.AutoModelForImageTextToText.from_pretrained(
                name, output_loading_info=True, **given
            )
    except Exception as problem:  # the libraries raise whatever their parts raise
        raise ValueError(f"{name} cannot be read as a model of pictures and words: "
                         f"{_first_line(problem)}. ({LAST_SEEN})") from None  # fmt: skip
    if missing := sorted(report["missing_keys"]):
        raise ValueError(f"the weights of {name} lack {len(missing)} that the model needs (the "
                         f"first is {missing[0]}); fetch them again")  # fmt: skip
    try:
        with _quiet():
            processor = transformers.AutoProcessor.from_pretrained(name, **given)
    except Exception as problem:
        raise ValueError(f"{name} has no processor of pictures and words that can be read: "
                         f"{_first_line(problem)}; fetch all its files") from None  # fmt: skip
    return PublishedEyes(model.eval(), processor)


@torch.no_grad()
def ask_published(eyes: PublishedEyes, image: Any, question: str, most: int = 20) -> str:
    """What a published model answers to a question about a picture, decoded greedily.

    image: (H, W, 3) uint8. most: pieces of words that are written at most. A model that was
    published with a form for conversations is asked in that form.

    Raises ValueError for a question without words.
    """
    from PIL import Image

    if not question.strip():
        raise ValueError("there is no question; ask something")
    model, processor = eyes
    if getattr(processor, "chat_template", None):
        content = [{"type": "image"}, {"type": "text", "text": question}]
        prompt = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )
    else:
        prompt = f"{processor.image_token}\n{question}"
    with _quiet():
        inputs = processor(images=Image.fromarray(image), text=prompt, return_tensors="pt")
        wrote = model.generate(**inputs, max_new_tokens=most, do_sample=False)
    answer = wrote[:, inputs["input_ids"].shape[1] :]
    return processor.batch_decode(answer, skip_special_tokens=True)[0].strip()


def sizes_of(model: nn.Module) -> Mapping[str, int]:
    """How many numbers a language model has: {"all": ..., "body": ..., "word vectors": ...}."""
    vectors = model.get_input_embeddings().weight.numel()
    body = sum(p.numel() for p in model.base_model.parameters())
    return {
        "all": sum(p.numel() for p in model.parameters()),
        "body": body,
        "word vectors": vectors,
    }


# --- what differs ---------------------------------------------------------------------------------


@torch.no_grad()
def traits(model: nn.Module) -> dict[str, Any]:
    """What tells the kinds of models apart, asked of the model itself.

    model: of ``from_configuration``. Returns {what: value}: whether a word sees those behind it
    (by changing the last word), how places are told, which norm and where it stands, whether layers
    have biases and a gate, heads of queries and of keys and values, and numbers in all.
    """
    config, body = model.config, model.base_model
    text = torch.tensor([[3, 4, 5, 6]])
    other = torch.tensor([[3, 4, 5, 7]])
    first, again = (model(input_ids=ids).logits[0, 0] for ids in (text, other))
    names = {name.rsplit(".", 1)[-1] for name, _ in model.named_modules()}
    classes = {type(module).__name__ for module in body.modules()}
    heads = config.num_attention_heads
    return {
        "sees later words": not torch.allclose(first, again, atol=1e-6),
        "places": "learnt vectors" if names & {"position_embeddings", "wpe"} else "rotary",
        "norm": "RMSNorm" if any("RMSNorm" in name for name in classes) else "LayerNorm",
        # A norm above all layers is needed where each layer norms what it reads.
        "norm stands": "before"
        if {"ln_f", "norm"} & dict(body.named_children()).keys()
        else "after",
        "biases": any(
            name.endswith(".bias") and "norm" not in name.lower() and ".ln_" not in name
            for name, _ in body.named_parameters()
        ),
        "gate": "gate_proj" in names,
        "heads": (heads, getattr(config, "num_key_value_heads", None) or heads),
        "numbers": sizes_of(model)["all"],
    }
