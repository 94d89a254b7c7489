"""Models of Transformers from configurations, as encoders, with pieces of words; published ones."""

import json

import pytest
import torch

from course_utils import huggingface
from course_utils.classifier import MultimodalClassifier
from course_utils.data.batches import Batches, to_tensors
from course_utils.fusion import ConcatFusion
from course_utils.huggingface import (
    KINDS,
    MASK,
    PIECES,
    LanguageEncoder,
    PiecesReader,
    from_configuration,
    learn_pieces,
    load_published,
    save_published,
    sizes_of,
    traits,
)
from course_utils.language import continue_text
from course_utils.training import predict

pytest.importorskip("transformers")
SMALL = {"dim": 16, "heads": 2, "longest": 12, "dropout": 0.0}
TEXT = torch.tensor([[2, 3, 4, 5], [6, 7, 0, 0]])
LENGTH = torch.tensor([4, 2])


@pytest.fixture(scope="module")
def models():
    return {kind: from_configuration(kind, 20, **SMALL) for kind in KINDS}


def logits_of(model, text):
    with torch.no_grad():
        return model(input_ids=text, attention_mask=(text > 0).long()).logits


@pytest.mark.parametrize("kind", KINDS)
class TestKind:
    def test_names_each_word_and_takes_no_notice_of_padding(self, models, kind):
        logits = logits_of(models[kind], TEXT)
        assert logits.shape == (2, 4, 20)
        alone = logits_of(models[kind], TEXT[1:, :2])
        assert torch.allclose(logits[1:, :2], alone, atol=1e-5)

    def test_sees_what_comes_later_unless_it_is_causal(self, models, kind):
        other = TEXT[:1].clone()
        other[0, 3] = 9
        changed = (logits_of(models[kind], other) - logits_of(models[kind], TEXT[:1])).abs()
        assert (changed[0, :3].max() < 1e-6) == KINDS[kind].causal
        assert changed[0, 3].max() > 1e-4

    def test_reads_as_many_words_as_it_was_told(self, models, kind):
        assert logits_of(models[kind], torch.full((1, SMALL["longest"]), 3)).isfinite().all()

    def test_is_an_encoder_like_the_courses_own(self, models, kind):
        encoder = LanguageEncoder(models[kind])
        tokens = encoder.tokens(TEXT, LENGTH)
        assert tokens.vectors.shape == (2, 4, 16)
        assert torch.equal(tokens.real, TEXT > 0)
        longer = torch.nn.functional.pad(TEXT, (0, 3))
        assert torch.allclose(encoder(longer, LENGTH), encoder(TEXT, LENGTH), atol=1e-6)
        assert torch.allclose(encoder(TEXT, LENGTH)[1], tokens.vectors[1, :2].mean(dim=0))
        fusion = ConcatFusion({"text": encoder.dim})
        batches = Batches({"text": TEXT, "text_length": LENGTH}, 2)
        assert predict(MultimodalClassifier({"text": encoder}, fusion, 5), batches).shape == (2, 5)

    def test_starts_alike_for_one_seed_and_leaves_other_random_numbers_alone(self, models, kind):
        before = torch.get_rng_state()
        again, other = (from_configuration(kind, 20, **SMALL, seed=seed) for seed in (0, 1))
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.equal(logits_of(again, TEXT), logits_of(models[kind], TEXT))
        assert not torch.equal(logits_of(other, TEXT), logits_of(models[kind], TEXT))

    def test_writes_the_same_words_with_a_cache_and_without(self, models, kind):
        if not KINDS[kind].causal:
            pytest.skip("it does not write")
        begin = torch.tensor([[2, 3], [4, 5]])
        cached = continue_text(models[kind], begin, 6)
        assert cached.shape == (2, 8)
        assert torch.equal(cached, continue_text(models[kind], begin, 6, cache=False))

    def test_published_weights_come_back(self, models, kind, tmp_path):
        pieces = learn_pieces(["goal and storm"], 30)
        folder = save_published(models[kind], tmp_path / "model", pieces)
        found, tokenizer = load_published(folder, kind)
        assert torch.equal(logits_of(found, TEXT), logits_of(models[kind], TEXT))
        assert tokenizer.encode("storm").ids == pieces.encode("storm").ids
        assert not found.training


def test_words_that_go_in_and_out_share_their_vectors_only_when_told_to():
    tied, apart = (sizes_of(from_configuration("BERT", 20, **SMALL, tied=t)) for t in (True, False))
    assert apart["word vectors"] == 20 * 16
    assert apart["all"] - tied["all"] == 20 * 16 + 20  # and their bias


def test_unfit_sizes_and_kinds_get_a_sentence():
    with pytest.raises(ValueError, match="no kind 'T5'; there are BERT, RoBERTa, GPT-2, Llama"):
        from_configuration("T5", 20)
    with pytest.raises(ValueError, match="dim 10 is no multiple of 4"):
        from_configuration("BERT", 20, dim=10)


def test_without_the_library_one_sentence_says_what_to_install(monkeypatch):
    def absent(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(huggingface.importlib, "import_module", absent)
    with pytest.raises(ImportError, match="this needs transformers; install it with pip install"):
        from_configuration("BERT", 20)
    with pytest.raises(ImportError, match="this needs tokenizers; install it with pip install"):
        learn_pieces(["a"])


# --- pieces ---------------------------------------------------------------------------------------


def test_common_words_are_one_piece_and_a_typo_several_but_known_ones():
    told = ["goal beats storm", "storm after goal", "a goal and a storm"] * 20
    pieces = learn_pieces(told, 60)
    assert [pieces.id_to_token(k) for k in range(len(PIECES))] == list(PIECES)
    assert pieces.token_to_id("[MASK]") == MASK
    assert pieces.encode("goal storm").tokens == ["goal", "storm"]
    wrong = pieces.encode("gaol").tokens
    assert len(wrong) > 1
    assert "[UNK]" not in wrong
    assert pieces.get_vocab_size() <= 60


def test_a_reader_of_pieces_gives_what_an_encoder_reads():
    pieces = learn_pieces(["goal storm rain"] * 3, 40)
    pieces.enable_padding(length=9)  # as a published one may have it
    rows = {"text": ["goal rain", None, "storm"], "label": [0, 1, 1]}
    tensors = to_tensors(rows, {"text": PiecesReader(pieces)})
    assert tensors["text_length"].tolist() == [2, 1, 1]
    assert tensors["text"][0].tolist() == pieces.encode("goal rain").ids
    assert tensors["text"][1, 0] == PIECES.index("[UNK]")
    assert tensors["present"]["text"].tolist() == [True, False, True]
    model = from_configuration("BERT", pieces.get_vocab_size(), **SMALL)
    read = LanguageEncoder(model)(tensors["text"], tensors["text_length"])
    assert read.shape == (3, 16)


# --- published weights ----------------------------------------------------------------------------


@pytest.fixture
def folder(models, tmp_path):
    return save_published(models["BERT"], tmp_path / "bert")


def weights_in(folder):
    (path,) = folder.glob("*.safetensors")
    return path


def test_a_model_of_another_kind_says_which_it_is(folder):
    with pytest.raises(ValueError, match="a model of type bert, not a GPT-2; load it with kind="):
        load_published(folder, "GPT-2")
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model_type": "t5"}))
    with pytest.raises(ValueError, match="a model of type t5, not a BERT; this course loads BERT"):
        load_published(folder, "BERT")


@pytest.mark.parametrize("kept", [0, 5, 300, 0.5, 0.99])
def test_weights_that_are_cut_off_are_named(folder, kept):
    path = weights_in(folder)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    with pytest.raises(ValueError, match="cut off or broken: fetch them again") as caught:
        load_published(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_that_are_not_there_are_missed(folder):
    weights_in(folder).unlink()
    with pytest.raises(ValueError, match="cannot be read"):
        load_published(folder)


def test_weights_of_which_some_are_missing_are_not_drawn_at_random(models, folder):
    from safetensors.torch import load_file, save_file

    weights = load_file(weights_in(folder))
    gone = next(name for name in weights if "query.weight" in name)
    del weights[gone]
    save_file(weights, weights_in(folder), metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lack 1 that BertForMaskedLM needs \(the first is bert"):
        load_published(folder)


def test_folders_that_are_none_get_a_sentence(folder, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"has no config\.json"):
        load_published(tmp_path / "empty")
    with pytest.raises(ValueError, match=r"there is no model at .*: no such folder"):
        load_published(tmp_path / "nowhere")
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    with pytest.raises(ValueError, match=r"there is no model at bert-base-uncased: .*OFFLINE is 1"):
        load_published("bert-base-uncased")
    (folder / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json cannot be read"):
        load_published(folder)


def test_a_tokenizer_that_is_broken_is_named_and_none_is_no_matter(folder):
    assert load_published(folder)[1] is None
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match=r"tokenizer\.json cannot be read"):
        load_published(folder)


def test_traits_tell_the_kinds_apart(models):
    found = {kind: traits(model) for kind, model in models.items()}
    alike = {name: value for name, value in found["BERT"].items() if name != "numbers"}
    assert alike == {name: found["RoBERTa"][name] for name in alike}
    assert alike == {
        "sees later words": True,
        "places": "learnt vectors",
        "norm": "LayerNorm",
        "norm stands": "after",
        "biases": True,
        "gate": False,
        "heads": (2, 2),
    }
    changed = {
        kind: {n for n in alike if found[kind][n] != alike[n]} for kind in ("GPT-2", "Llama")
    }
    assert changed["GPT-2"] == {"sees later words", "norm stands"}
    assert changed["Llama"] == {*alike}
    assert found["Llama"]["heads"] == (2, 1)
