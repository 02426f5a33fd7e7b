"""LoRA beside peft: logits, gradients, merge, counts."""

import copy
import math
import warnings

import pytest
import torch
import torch.nn.functional as F
from counting import largest_new
from grader import error_of
from hypothesis import given, settings
from hypothesis import strategies as st
from instruct_tuner import Config, Decoder, LoRALinear, add_lora, lora_parameters, merge_model, trainable_parameters
from mistakes import Small, linear, lora_layer, merging, randn
from torch import nn


def peft_of(model, targets, r, alpha, dropout=0.0):
    import peft

    config = peft.LoraConfig(r=r, lora_alpha=alpha, target_modules=targets, lora_dropout=dropout)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # transformers says that peft reads an attribute by its old name
        return peft.get_peft_model(copy.deepcopy(model), config)


def same_weights(theirs, ours, seed):
    """Random A and B, the same on both sides."""
    pairs = zip((m for m in theirs.modules() if hasattr(m, "lora_A") and hasattr(m, "scaling")),
                (m for m in ours.modules() if hasattr(m, "A") and hasattr(m, "B")), strict=True)  # fmt: skip
    with torch.no_grad():
        for i, (t, o) in enumerate(pairs):
            for mine, other in ((o.A, t.lora_A["default"].weight), (o.B, t.lora_B["default"].weight)):
                value = randn(seed + i, *mine.shape, dtype=mine.dtype)
                mine.copy_(value)
                other.copy_(value)


SIZES = pytest.mark.parametrize(("n_in", "n_out", "r", "alpha"), [(7, 5, 3, 4.5), (3, 11, 1, 2), (13, 13, 4, 1)])


@SIZES
def test_oracle_peft_outputs_and_gradients(n_in, n_out, r, alpha):
    base = nn.Sequential(linear(0, n_in, n_out, dtype=torch.float64))
    theirs = peft_of(base, ["0"], r, alpha)
    ours = nn.Sequential(LoRALinear(copy.deepcopy(base[0]), r, alpha))
    theirs.double()
    same_weights(theirs, ours, 5)
    x = randn(9, 2, 3, n_in, dtype=torch.float64)
    got, want = ours(x), theirs(x)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12)
    got.square().sum().backward()
    want.square().sum().backward()
    lora = theirs.base_model.model[0]
    torch.testing.assert_close(ours[0].A.grad, lora.lora_A["default"].weight.grad)
    torch.testing.assert_close(ours[0].B.grad, lora.lora_B["default"].weight.grad)


@pytest.mark.task("LoRALinear")
@SIZES
def test_outputs_and_gradients_of_the_whole_matrix(impl, seed, n_in, n_out, r, alpha):
    layer = impl.LoRALinear(linear(seed, n_in, n_out, dtype=torch.float64), r, alpha)
    A, B = (randn(seed + i, *shape, dtype=torch.float64) for i, shape in ((1, (r, n_in)), (2, (n_out, r))))
    with torch.no_grad():
        layer.A.copy_(A)
        layer.B.copy_(B)
    A, B, x = A.requires_grad_(), B.requires_grad_(), randn(seed + 9, 2, 3, n_in, dtype=torch.float64)
    want = F.linear(x, layer.base.weight + alpha / r * B @ A, layer.base.bias)
    torch.testing.assert_close(layer(x), want, rtol=0, atol=1e-12)
    layer(x).square().sum().backward()
    want.square().sum().backward()
    torch.testing.assert_close(layer.A.grad, A.grad)
    torch.testing.assert_close(layer.B.grad, B.grad)
    assert layer.base.weight.grad is None and layer.base.bias.grad is None


@pytest.mark.task("LoRALinear")
def test_it_begins_as_the_base_to_the_bit_and_can_learn(impl, seed):
    base = linear(seed, 64, 9)
    layer, x = impl.LoRALinear(copy.deepcopy(base), 5, 3.0), randn(seed + 1, 4, 64)
    assert torch.equal(layer(x), base(x)) and not layer.B.any()
    assert tuple(layer.A.shape) == (5, 64) and tuple(layer.B.shape) == (9, 5)
    assert layer.A.abs().max() <= 1 / 8 and layer.A.abs().max() > 0.9 / 8 and layer.A.abs().mean() > 0.3 / 8
    layer(x).square().sum().backward()
    assert layer.B.grad.abs().max() > 0
    assert sorted(n for n, p in layer.named_parameters() if p.requires_grad) == ["A", "B"]


@pytest.mark.task("LoRALinear")
def test_dropout_is_of_the_adapters_input_and_of_training(impl, seed):
    layer, x = lora_layer(impl, seed, 6, 5, 2, 3.0, dropout=1.0), randn(seed, 4, 6)
    torch.testing.assert_close(layer.train()(x), layer.base(x))
    want = layer.base(x) + 1.5 * x @ layer.A.T @ layer.B.T
    torch.testing.assert_close(layer.eval()(x), want)
    half = lora_layer(impl, 0, 6, 1, 1, 1.0, dropout=0.5)
    with torch.no_grad():
        half.A.fill_(1.0)
        half.B.fill_(1.0)
        out = half.train()((2.0 ** torch.arange(6)).expand(200, 6)) - half.base(2.0 ** torch.arange(6))
    assert len(out.mul(4).round().unique()) > 8


@pytest.mark.task("LoRALinear")
def test_cost_no_matrix_of_the_size_of_w_is_made(impl, seed):
    layer, x = lora_layer(impl, seed, 40, 40, 2, 3.0), randn(seed, 3, 40)
    with torch.no_grad():
        assert largest_new(lambda x, *weights: layer(x), x, *layer.parameters()) < 40 * 40


@pytest.mark.task("LoRALinear")
def test_adapters_have_the_dtype_of_the_base(impl, seed):
    layer = impl.LoRALinear(linear(seed, 3, 4, dtype=torch.float64), 2, 1.0)
    assert layer.A.dtype == layer.B.dtype == torch.float64


TARGETS = pytest.mark.parametrize("targets", [["q_proj"], ["v_proj", "q_proj_out"], ["head", "q_proj"]])


@TARGETS
def test_oracle_peft_on_a_whole_model(targets):
    model, ids = Small(0).double(), torch.arange(11)[None]
    theirs, ours = peft_of(model, targets, 3, 7.5).double(), copy.deepcopy(model)
    add_lora(ours, targets, 3, 7.5)
    same_weights(theirs, ours, 1)
    torch.testing.assert_close(ours(ids), theirs(ids), rtol=0, atol=1e-12)
    assert trainable_parameters(ours) == trainable_parameters(theirs)


@pytest.mark.task("add_lora")
@TARGETS
def test_the_named_layers_are_adapted_and_nothing_else_is_trained(impl, seed, targets):
    model, ids = Small(seed), torch.arange(11)[None]
    ours = copy.deepcopy(model)
    names = impl.add_lora(ours, targets, 3, 7.5)
    assert list(names) == [n for n, _ in model.named_modules() if n.rpartition(".")[2] in targets]
    torch.testing.assert_close(ours(ids), model(ids), rtol=0, atol=0)
    trained = sorted(n for n, p in ours.named_parameters() if p.requires_grad)
    assert trained == sorted(f"{n}.{part}" for n in names for part in "AB")
    with torch.no_grad():
        for i, n in enumerate(names):
            layer = ours.get_submodule(n)
            layer.A.copy_(randn(seed + i, *layer.A.shape))
            layer.B.copy_(randn(seed - i, *layer.B.shape))
            model.get_submodule(n).weight += 2.5 * layer.B @ layer.A
    torch.testing.assert_close(ours(ids), model(ids), rtol=1e-4, atol=1e-4)


@pytest.mark.task("add_lora")
@pytest.mark.parametrize("targets", [["k_proj"], ["q_proj", "nothing"], ["proj"], ["q_proj", "norm"], ["blocks"]])
def test_bad_input_a_target_that_no_layer_has(impl, seed, targets):
    with pytest.raises(ValueError):
        impl.add_lora(Small(seed), targets, 2, 4)


@pytest.mark.task("merge_lora")
@pytest.mark.parametrize(("out", "n_in", "r", "alpha"), [(5, 7, 3, 4.5), (6, 6, 2, 3), (7, 3, 1, 0.5), (5, 2, 3, 4.5)])
def test_one_matrix_does_what_both_paths_do(impl, seed, out, n_in, r, alpha):
    weight, A, B = merging(seed, out, n_in, r, torch.float64)
    kept, x = weight.clone(), randn(seed + 3, 4, n_in, dtype=torch.float64)
    want = x @ weight.T + alpha / r * x @ A.T @ B.T
    torch.testing.assert_close(x @ impl.merge_lora(weight, A, B, alpha).T, want, rtol=0, atol=1e-12)
    assert torch.equal(weight, kept)


@pytest.mark.task("merge_lora")
def test_the_merged_weight_is_new_and_has_the_dtype_of_the_weight(impl, seed):
    weight, A, B = merging(seed, 4, 3, 2)
    merged = impl.merge_lora(weight, A.double(), torch.zeros_like(B).double(), 3.0)
    assert merged.dtype == torch.float32 and torch.equal(merged, weight)
    assert merged.data_ptr() != weight.data_ptr()


@pytest.mark.task("merge_lora")
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int64])
def test_bad_input_codes_are_not_merged_into(impl, seed, dtype):
    weight, A, B = merging(seed, 4, 4, 2)
    with pytest.raises(ValueError):
        impl.merge_lora(weight.to(dtype), A, B, 1.0)


def test_oracle_peft_on_transformers_llama_and_its_merge():
    """Logits to 1e-6 on both sides, before and after the merge."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=61, hidden_size=24, intermediate_size=40, num_hidden_layers=2,
                         num_attention_heads=4, num_key_value_heads=2)  # fmt: skip
    model, ids = LlamaForCausalLM(config).eval(), torch.arange(13)[None]
    targets = ["q_proj", "v_proj", "down_proj"]
    theirs, ours = peft_of(model, targets, 4, 6).eval(), copy.deepcopy(model)
    add_lora(ours, targets, 4, 6)
    same_weights(theirs, ours, 1)
    with torch.no_grad():
        want = theirs(ids).logits
        torch.testing.assert_close(ours.eval()(ids).logits, want, rtol=0, atol=1e-6 * float(want.abs().max()))
        merged, their_merged = merge_model(ours)(ids).logits, theirs.merge_and_unload()(ids).logits
    torch.testing.assert_close(merged, want, rtol=0, atol=1e-5 * float(want.abs().max()))
    torch.testing.assert_close(merged, their_merged, rtol=0, atol=1e-5 * float(want.abs().max()))
    assert not any(isinstance(m, LoRALinear) for m in ours.modules())


def test_counts_of_the_papers():
    """GPT-3 175B with r = 1 on queries and values: 96 layers of 12288 x 12288."""
    assert lora_parameters([(12288, 12288)] * 2 * 96, 1) == 4_718_592
    assert lora_parameters([(2048, 8192)], 16) == 163_840


def test_property_counts_are_those_of_the_layers():
    @settings(deadline=None, max_examples=20)
    @given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5))
    def holds(n_in, n_out, r):
        assert trainable_parameters(LoRALinear(nn.Linear(n_in, n_out), r, 1)) == lora_parameters([(n_in, n_out)], r)

    holds()


def test_a_model_without_adapters_or_with_all_frozen_is_refused():
    from instruct_tuner import finetune

    model = Decoder(Config(7, 8, 1, 2, 1, 8)).requires_grad_(False)
    assert error_of(lambda: finetune(model, iter([]), 1, 1e-3)) == "ValueError"
    assert math.isclose(trainable_parameters(model), 0)
