"""What the build of lesson 10 says to answers that people hand in."""

import pytest
import torch

from course_utils import exercises
from course_utils.exercises.core import RIGHT, WRONG, judge
from course_utils.exercises.lesson10 import Changed, MaskedOnce
from course_utils.fusion import JointAttentionFusion

BUILD = exercises.find("JointAttentionFusion")


class ListOfNames(JointAttentionFusion):
    def __init__(self, dims, dim=64, heads=4, layers=1):
        super().__init__(dims, dim, heads, layers)
        self.names = list(dims)


@pytest.mark.parametrize("seed", range(3))
def test_a_mask_that_reaches_the_first_layer_alone_is_refused(seed):
    told = judge(BUILD, MaskedOnce, seed)
    assert told.kind == WRONG
    assert "Hand the same mask to every layer" in told.sentence


def test_names_in_a_list_are_not_the_tuple_asked_for():
    told = judge(BUILD, ListOfNames, seed=3)
    assert told.kind == WRONG
    assert "`names` should be a tuple" in told.sentence


@pytest.mark.parametrize("seed", range(5))
def test_the_reference_is_right_at_any_seed(seed):
    assert judge(BUILD, JointAttentionFusion, seed).kind == RIGHT


def with_heads(fixed):
    class Fixed(JointAttentionFusion):
        def __init__(self, dims, dim=64, heads=4, layers=1):
            super().__init__(dims, dim, fixed, layers)

    return Fixed


@pytest.mark.parametrize("fixed", [1, 2, 4])
def test_heads_of_ones_own_choice_are_refused(fixed):
    told = judge(BUILD, with_heads(fixed), seed=0)
    assert told.kind == WRONG
    assert "Hand `heads` on" in told.sentence


class OneLayerMore(JointAttentionFusion):
    def __init__(self, dims, dim=64, heads=4, layers=1):
        super().__init__(dims, dim, heads, layers + 1)


def test_a_layer_too_many_is_counted():
    told = judge(BUILD, OneLayerMore, seed=0)
    assert told.kind == WRONG
    assert "holds 2 of `EncoderLayer`" in told.sentence


class ScaledVectors(Changed):
    def marked(self, vectors, name):
        return vectors + 0.5 * self.kind[name]


class PlacesToo(Changed):
    """Vectors of places beside those of modalities."""

    def __init__(self, dims, dim=64, heads=4, layers=1):
        super().__init__(dims, dim, heads, layers)
        self.place = torch.nn.Parameter(torch.randn(8, dim))

    def marked(self, vectors, name):
        return vectors + self.kind[name] + self.place[: vectors.shape[1]]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("way", [ScaledVectors, PlacesToo])
def test_other_ways_to_add_a_modalitys_vector_are_right(way, seed):
    told = judge(BUILD, way, seed)
    assert told.kind == RIGHT, told.sentence


class KindOfOneIgnored(Changed):
    def marked(self, vectors, name):
        return vectors if name == "sound" else super().marked(vectors, name)


def test_a_vector_that_nothing_uses_is_named():
    told = judge(BUILD, KindOfOneIgnored, seed=0)
    assert told.kind == WRONG
    assert "`kind.sound`" in told.sentence


class LayerNotUsed(Changed):
    def through(self, x, mask):
        return self.layers[0](x, mask)


def test_the_parameters_that_no_gradient_reaches_are_named():
    told = judge(BUILD, LayerNotUsed, seed=0)
    assert told.kind == WRONG
    assert "`layers.1." in told.sentence


def replaced_at_the_end(query, key, value, real):
    scores = query @ key.transpose(1, 2) / key.shape[-1] ** 0.5
    scores = scores.masked_fill(~real[:, None], -torch.inf)
    return (scores.softmax(dim=-1) @ value).nan_to_num()


def chosen_at_the_end(query, key, value, real):
    there = real.any(dim=1)[:, None, None]
    return torch.where(there, replaced_at_the_end(query, key, value, real), 0.0)


@pytest.mark.parametrize("way", [replaced_at_the_end, chosen_at_the_end])
def test_a_nan_that_is_replaced_at_the_end_is_told_where_to_replace_it(way):
    told = judge(exercises.find("cross_attention"), way, seed=0)
    assert told.kind == WRONG
    assert "replace it where it arises" in told.sentence
