"""Published models that see: a tiny LLaVA, saved as published ones are, read and asked."""

import json
import shutil

import numpy as np
import pytest
import torch

from course_utils.huggingface import (
    ask_published,
    from_configuration,
    learn_pieces,
    load_published_eyes,
    save_published,
)

TEXTS = ["what is shown in the picture", "a red ball and two blue clouds", "is there an atom"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A LLaVA of two small layers on either side, with random weights."""
    import transformers as hf

    pieces = learn_pieces(TEXTS, size=60)
    tokenizer = hf.PreTrainedTokenizerFast(
        tokenizer_object=pieces, unk_token="[UNK]", pad_token="[PAD]", eos_token="[SEP]"
    )
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
             "num_attention_heads": 2}  # fmt: skip
    config = hf.LlavaConfig(
        vision_config=hf.CLIPVisionConfig(image_size=48, patch_size=16, **sizes),
        text_config=hf.LlamaConfig(vocab_size=len(tokenizer), **sizes),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    torch.manual_seed(0)
    model = hf.LlavaForConditionalGeneration(config)
    processor = hf.LlavaProcessor(
        hf.CLIPImageProcessor(size={"shortest_edge": 48}, crop_size={"height": 48, "width": 48}),
        tokenizer,
        patch_size=16,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )
    where = tmp_path_factory.mktemp("published") / "tiny llava"
    model.save_pretrained(where)
    processor.save_pretrained(where)
    return where


def picture(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (48, 48, 3), dtype=np.uint8)


def test_a_model_from_a_folder_answers_and_looks(folder):
    eyes = load_published_eyes(folder)
    assert not eyes.model.training
    answer = ask_published(eyes, picture(), TEXTS[0], most=5)
    assert isinstance(answer, str)
    assert ask_published(eyes, picture(), TEXTS[0], most=5) == answer
    inputs = [
        eyes.processor(images=picture(seed), text="<image>\nwhat", return_tensors="pt")
        for seed in (0, 1)
    ]
    with torch.no_grad():
        one, other = (eyes.model(**each).logits for each in inputs)
    assert (one - other).abs().max() > 1e-5


def test_a_model_with_a_form_for_conversations_is_asked_in_it(folder):
    eyes = load_published_eyes(folder)
    asked = []
    eyes.processor.chat_template = (
        "{% for m in messages %}{% for c in m['content'] %}"
        "{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}{% endif %}"
        "{% endfor %}{% endfor %}a"
    )
    plain = eyes.processor.__call__

    class Noting:
        image_token, chat_template = "<image>", eyes.processor.chat_template
        apply_chat_template = staticmethod(eyes.processor.apply_chat_template)
        batch_decode = staticmethod(eyes.processor.batch_decode)

        def __call__(self, images, text, **named):
            asked.append(text)
            return plain(images=images, text=text, **named)

    ask_published(eyes._replace(processor=Noting()), picture(), "is there an atom", most=2)
    assert asked == ["<image>is there an atoma"]


def test_no_question_gets_a_sentence(folder):
    with pytest.raises(ValueError, match="no question"):
        ask_published(load_published_eyes(folder), picture(), "  ")


def test_what_is_no_such_folder_gets_a_sentence(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    with pytest.raises(ValueError, match="no such folder, and COURSE_OFFLINE is 1"):
        load_published_eyes("owner/model")
    with pytest.raises(ValueError, match="no such folder"):
        load_published_eyes(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"no config\.json"):
        load_published_eyes(tmp_path)


def test_a_model_that_reads_no_pictures_gets_a_sentence(tmp_path):
    where = save_published(from_configuration("BERT", words=30), tmp_path / "bert")
    with pytest.raises(ValueError, match="cannot be read as a model of pictures and words"):
        load_published_eyes(where)


def test_weights_that_are_cut_off_get_a_sentence(folder, tmp_path):
    where = shutil.copytree(folder, tmp_path / "cut")
    weights = where / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])
    with pytest.raises(ValueError, match="cannot be read as a model of pictures and words"):
        load_published_eyes(where)


def test_missing_weights_are_named(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    where = shutil.copytree(folder, tmp_path / "lacking")
    weights = load_file(where / "model.safetensors")
    dropped = next(name for name in weights if "projector" in name)
    del weights[dropped]
    save_file(weights, where / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="lack 1 that the model needs"):
        load_published_eyes(where)


def test_a_folder_without_a_processor_gets_a_sentence(folder, tmp_path):
    where = shutil.copytree(folder, tmp_path / "bare")
    for file in where.iterdir():
        if file.name not in ("config.json", "model.safetensors"):
            file.unlink()
    assert json.loads((where / "config.json").read_text())["model_type"] == "llava"
    with pytest.raises(ValueError, match="no processor of pictures and words"):
        load_published_eyes(where)
