"""The modules that the search puts together."""

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from course_utils.data.readers import TextReader
from course_utils.encoders import ColumnsEncoder, reading
from course_utils.experts import (
    Experts,
    LinearPictures,
    LinearText,
    MeanVector,
    Pool,
    WithHead,
    evidence,
    mean_vectors,
    pooled,
)
from course_utils.fusion import ConcatFusion, add_log_posteriors

TEXTS = ["red hat", "a red red coat", "hat and coat and hat", "unknown words", ""]


def linear_text(kinds=(0, 0)):
    reader = TextReader().fit({"text": TEXTS[:3]}, "text")
    words = reader.vocabulary.words
    module = LinearText(len(words), 2)
    vectorizer = TfidfVectorizer(binary=True, token_pattern=r"\w+", norm=None)
    vectorizer.fit(TEXTS[:3])
    rarity = dict(zip(vectorizer.get_feature_names_out(), vectorizer.idf_, strict=True))
    module.rarity = torch.tensor([rarity.get(word, 0.0) for word in words], dtype=torch.float32)
    module.kind = torch.tensor([kinds[number % 2] for number in range(len(words))])
    torch.nn.init.normal_(module.weight)
    return module, reader, vectorizer


def test_a_linear_text_model_is_that_of_tfidf():
    module, reader, vectorizer = linear_text()
    parts = reader({"text": TEXTS}, "text")
    names = [*vectorizer.get_feature_names_out()]
    weight = module.weight[[reader.vocabulary.ids[name] for name in names]].detach().numpy()
    expected = normalize(vectorizer.transform(TEXTS)) @ weight
    np.testing.assert_allclose(module(*parts.values()).detach().numpy(), expected, atol=1e-5)


def test_tokens_of_each_kind_have_length_one():
    module, reader, _ = linear_text(kinds=(0, 1))
    text, length = reader({"text": TEXTS[:3]}, "text").values()
    tokens, value = module.values(text, length)
    for kind in (0, 1):
        own = torch.where(module.kind[tokens] == kind, value, 0).norm(dim=1)
        assert all(abs(one) < 1e-6 or abs(one - 1) < 1e-5 for one in own.tolist())
    assert (value > 0).any()


def test_padding_changes_no_answer():
    module, reader, _ = linear_text()
    text, length = reader({"text": TEXTS}, "text").values()
    wide = torch.nn.functional.pad(text, (0, 5), value=3)
    torch.testing.assert_close(module(wide, length), module(text, length))


def test_a_picture_is_of_length_one_in_its_directions_and_a_blank_one_is_zeros():
    module = LinearPictures(12, 3, 2)
    torch.nn.init.normal_(module.directions)
    pictures = torch.rand(4, 3, 2, 2)
    pictures[3] = 0
    lengths = module.features(pictures).norm(dim=1)
    torch.testing.assert_close(lengths, torch.tensor([1.0, 1, 1, 0]))


def test_a_mean_vector_leaves_padding_out():
    values = torch.tensor([[1.0, 3, 100], [2, 2, 2]])
    assert mean_vectors(values, torch.tensor([2, 3])).tolist() == [[2], [2]]
    assert MeanVector(1, ("x", "x_length"))(values, torch.tensor([2, 3])).shape == (2, 1)
    assert mean_vectors(torch.ones(2, 4, 5, 3)).shape == (2, 3)


def test_evidence_is_nothing_where_a_model_says_the_shares_of_the_classes():
    share = torch.tensor([0.2, 0.3, 0.5]).log()
    torch.testing.assert_close(evidence(share.expand(4, 2, 3), share), torch.zeros(4, 3))


def test_the_product_is_bayes_rule():
    torch.manual_seed(0)
    prior, logits = torch.tensor([0.2, 0.3, 0.5]), torch.randn(2, 7, 3)
    found = torch.stack([evidence(one[:, None], prior.log()) for one in logits], dim=1)
    there = torch.ones(7, 2, dtype=torch.bool)
    said = pooled(found, there, torch.ones(2)) + prior.log()
    torch.testing.assert_close(said.log_softmax(1), add_log_posteriors([*logits], prior),
                               atol=1e-4, rtol=1e-4)  # fmt: skip


def two_experts(joint):
    def encoder(name):
        return reading(ColumnsEncoder(2, 4), name)

    parts = {name: Experts([WithHead(encoder(name), 3)], 3, encoder(name) if joint else None)
             for name in ("one", "other")}  # fmt: skip
    fusion = ConcatFusion({"one": 4, "other": 4}) if joint else None
    return parts, fusion


@pytest.mark.parametrize("rule", ["product", "mean of probabilities"])
@pytest.mark.parametrize("joint", [False, True])
def test_a_pool_takes_what_is_there(rule, joint):
    torch.manual_seed(0)
    parts, fusion = two_experts(joint)
    pool = Pool(("one", "other"), 3, fusion, rule if not joint else "product")
    values = torch.randn(4, 2)
    features = {name: part(values) for name, part in parts.items()}
    present = {"one": torch.tensor([True, True, False, False]),
               "other": torch.tensor([True, False, True, False])}  # fmt: skip
    said = pool(features, present)
    torch.testing.assert_close(said[1], features["one"][1, :3], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(said[2], features["other"][2, :3], atol=1e-5, rtol=1e-4)
    assert said[3].abs().max() == 0
    changed = features | {"other": features["other"] * 2}
    assert torch.equal(pool(changed, present)[1], said[1])
    assert not torch.allclose(pool(changed, present)[2], said[2])


def test_the_joint_network_counts_where_all_is_there():
    torch.manual_seed(0)
    parts, fusion = two_experts(joint=True)
    pool, values = Pool(("one", "other"), 3, fusion), torch.randn(2, 2)
    features = {name: part(values) for name, part in parts.items()}
    present = {"one": torch.tensor([True, True]), "other": torch.tensor([True, False])}
    before = pool(features, present)
    with torch.no_grad():
        pool.head.bias += torch.tensor([3.0, 0, 0])
    after = pool(features, present)
    assert torch.equal(after[1], before[1])
    assert not torch.allclose(after[0], before[0])
