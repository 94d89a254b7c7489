"""LoRA by hand, and as the library peft has it."""

import copy

import pytest
import torch
from torch import nn

from course_utils.lora import LoRALinear, add_lora, learnable, lora_forward


class Two(nn.Module):
    """Two layers by name."""

    def __init__(self, bias=True):
        super().__init__()
        self.query, self.other = nn.Linear(6, 5, bias=bias), nn.Linear(5, 3)

    def forward(self, x):
        return self.other(self.query(x).relu())


@pytest.mark.parametrize("bias", [True, False])
def test_it_is_a_layer_whose_weights_got_a_product_added(bias):
    torch.manual_seed(0)
    x, weight = torch.randn(2, 7, 6), torch.randn(5, 6)
    b = torch.randn(5) if bias else None
    down, up = torch.randn(2, 6), torch.randn(5, 2)
    found = lora_forward(x, weight, b, down, up, 1.5)
    expected = nn.functional.linear(x, weight + 1.5 * up @ down, b)
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("rank", "alpha"), [(1, 8), (3, 2)])
def test_answers_and_gradients_are_pefts(rank, alpha):
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    model, x = Two(), torch.randn(4, 6)
    ours = add_lora(copy.deepcopy(model), ("query",), rank, alpha)
    config = peft.LoraConfig(r=rank, lora_alpha=alpha, target_modules=["query"], lora_dropout=0.0)
    theirs = peft.get_peft_model(copy.deepcopy(model), config)
    with torch.no_grad():
        ours.query.up.normal_()
        for name, weight in theirs.named_parameters():
            if "lora_A" in name:
                weight.copy_(ours.query.down)
            if "lora_B" in name:
                weight.copy_(ours.query.up)
    assert (ours(x) - theirs(x)).abs().max() < 1e-6
    assert not torch.allclose(ours(x), model(x), atol=1e-3)
    for one in (ours, theirs):
        one(x).square().sum().backward()
    gradients = [w.grad for w in theirs.parameters() if w.requires_grad]
    assert len(gradients) == 2
    for mine, other in zip((ours.query.down.grad, ours.query.up.grad), gradients, strict=True):
        assert torch.allclose(mine, other, atol=1e-5)
    assert learnable(ours) == sum(w.numel() for w in theirs.parameters() if w.requires_grad)


def test_nothing_is_corrected_at_the_start_and_only_the_correction_learns():
    torch.manual_seed(0)
    model, x = Two(), torch.randn(4, 6)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    answers = model(x)
    corrected = add_lora(model, ("query",), rank=2)
    assert corrected is model
    assert torch.equal(corrected(x), answers)
    assert learnable(corrected) == 2 * (6 + 5)
    optimizer = torch.optim.SGD([p for p in corrected.parameters() if p.requires_grad], lr=0.1)
    corrected(x).square().sum().backward()
    optimizer.step()
    after = corrected.state_dict()
    assert torch.equal(after["query.layer.weight"], before["query.weight"])
    assert torch.equal(after["other.weight"], before["other.weight"])
    assert not torch.equal(corrected(x), answers)


@pytest.mark.parametrize("bias", [True, False])
def test_merged_into_one_layer_the_answers_stay(bias):
    torch.manual_seed(0)
    layer = LoRALinear(nn.Linear(6, 5, bias=bias), rank=2)
    nn.init.normal_(layer.up)
    x = torch.randn(3, 6)
    merged = layer.merged()
    assert type(merged) is nn.Linear
    assert torch.allclose(merged(x), layer(x), atol=1e-5)
    assert (merged.bias is None) == (not bias)


def test_wrong_names_and_ranks_get_a_sentence():
    with pytest.raises(ValueError, match=r"no linear layer is called key; there are other, query"):
        add_lora(Two(), ("key",))
    with pytest.raises(ValueError, match="from 1 to 5, not 6"):
        LoRALinear(nn.Linear(6, 5), rank=6)
    with pytest.raises(ValueError, match="from 1 to 5, not 0"):
        LoRALinear(nn.Linear(6, 5), rank=0)
