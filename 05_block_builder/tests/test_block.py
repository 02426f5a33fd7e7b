"""The feed-forward layer, the residual and the block: oracles are PyTorch and transformers, in float64."""

import pytest
import torch
from block_builder import ACTIVATIONS, Block, Config, FastBlock, FeedForward
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from mistakes import filled, like, randn
from oracles import check_dropout, check_lengths, compare, gpt2_block_state, gpt2_config, pytorch_encoder_layer
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

CONFIG = Config(vocab_size=7, context_length=13, layers=2, heads=3, width=21, expansion=3)


@pytest.mark.task("FeedForward")
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_feed_forward_is_two_linear_layers(impl, seed, activation):
    layer = filled(impl.FeedForward(like(CONFIG, activation=activation)), seed)
    act = {"gelu": nn.GELU(), "relu": nn.ReLU()}[activation]
    oracle = nn.Sequential(layer.fc_in, act, layer.fc_out)
    compare(layer, oracle, [randn(seed, 2, 5, 21)])


@pytest.mark.task("FeedForward")
def test_feed_forward_treats_each_position_alone(impl, seed):
    layer, x = filled(impl.FeedForward(CONFIG), seed), randn(seed, 2, 5, 21)
    order = torch.randperm(5)
    torch.testing.assert_close(layer(x)[:, order], layer(x[:, order]))


@pytest.mark.task("FeedForward")
def test_feed_forward_takes_vectors_that_are_not_contiguous(impl):
    layer, x = filled(impl.FeedForward(CONFIG), 1), randn(2, 5, 2, 21).transpose(0, 1)
    torch.testing.assert_close(layer(x), layer(x.contiguous()), rtol=0, atol=1e-13)


@pytest.mark.task("FeedForward")
def test_feed_forward_with_relu_of_large_numbers(impl):
    layer, x = filled(impl.FeedForward(like(CONFIG, activation="relu")), 1), 10 * randn(2, 1, 2, 21)
    torch.testing.assert_close(layer(x), layer.fc_out(layer.fc_in(x).clamp(min=0)), rtol=0, atol=1e-11)


@pytest.mark.task("FeedForward")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_feed_forward_keeps_the_dtype(impl, dtype):
    assert impl.FeedForward(CONFIG).to(dtype)(torch.ones(1, 2, 21, dtype=dtype)).dtype == dtype


@pytest.mark.task("FeedForward")
def test_feed_forward_drops_nothing_itself(impl, seed):
    layer, x = filled(impl.FeedForward(like(CONFIG, dropout=1.0)), seed), randn(seed, 2, 5, 21)
    torch.testing.assert_close(layer(x), layer.train()(x), rtol=0, atol=0)


@pytest.mark.task("FeedForward")
def test_parameters_of_the_feed_forward_layer_by_formula(impl):
    for expansion in (1, 3, 4):
        sizes = [p.numel() for p in impl.FeedForward(like(CONFIG, expansion=expansion)).parameters()]
        assert sum(sizes) == 2 * expansion * 21**2 + (expansion + 1) * 21


@pytest.mark.task("residual")
def test_residual_of_nothing_is_the_stream_or_its_norm(impl, seed):
    @settings(deadline=None, max_examples=30, phases=(Phase.explicit, Phase.generate))  # no shrinking
    @given(st.integers(1, 3), st.integers(1, 7), st.integers(1, 11), st.integers(0, 2**20))
    def holds(B, T, C, seed):
        x, norm = randn(seed, B, T, C), nn.LayerNorm(C).double()
        nothing = torch.zeros_like
        torch.testing.assert_close(impl.residual(x, nothing, norm, nn.Identity(), True), x, rtol=0, atol=0)
        torch.testing.assert_close(impl.residual(x, nothing, norm, nn.Identity(), False), norm(x))

    holds()


@pytest.mark.task("residual")
def test_residual_is_its_formula_with_a_known_dropout(impl, seed):
    """With matrices for the sublayer and for the norm, the two forms are three matrix products by hand."""
    x, A, N, kept = randn(seed, 2, 3, 5), randn(seed + 1, 5, 5), randn(seed + 2, 5, 5), randn(seed + 3, 2, 3, 5) > 0
    parts = (lambda h: h @ A, lambda h: h @ N + 1, lambda h: h * kept * 2)
    compare(lambda x: impl.residual(x, *parts), lambda x: x + (x @ N + 1) @ A * kept * 2, [x])
    compare(lambda x: impl.residual(x, *parts, norm_first=False), lambda x: (x + x @ A * kept * 2) @ N + 1, [x])


@pytest.mark.task("residual")
def test_the_gradient_passes_a_pre_ln_residual_as_one(impl, seed):
    x = randn(seed, 1, 2, 5).requires_grad_()
    out = impl.residual(x, torch.zeros_like, nn.LayerNorm(5).double(), nn.Identity())
    torch.testing.assert_close(torch.autograd.grad(out.sum(), x)[0], torch.ones_like(x), rtol=0, atol=0)


@pytest.mark.task("residual")
@pytest.mark.parametrize("norm_first", [True, False])
def test_residual_calls_each_function_once(impl, norm_first):
    calls = []
    parts = [lambda h, name=name: calls.append(name) or h + 1 for name in ("sublayer", "norm", "dropout")]
    impl.residual(randn(0, 1, 2, 3), *parts, norm_first)
    assert sorted(calls) == ["dropout", "norm", "sublayer"]


@pytest.mark.task("residual")
@pytest.mark.parametrize("norm_first", [True, False])
def test_residual_leaves_x_as_it_is_where_the_branch_is_x(impl, norm_first):
    x = torch.tensor([[[1.0, 3.0]]])
    assert impl.residual(x, *[lambda h: h] * 3, norm_first).tolist() == [[[2.0, 6.0]]]
    assert x.tolist() == [[[1.0, 3.0]]]


@pytest.mark.task("Block")
@pytest.mark.parametrize("norm_first", [True, False])
def test_a_block_takes_another_length_at_each_call_and_leaves_x_as_it_is(impl, norm_first):
    check_lengths(impl.Block, norm_first)


@pytest.mark.task("Block")
@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_block_is_the_encoder_layer_of_pytorch_with_a_causal_mask(impl, seed, norm_first, activation):
    config = like(CONFIG, norm_first=norm_first, activation=activation)
    block = filled(impl.Block(config), seed)
    oracle = pytorch_encoder_layer(block, config)
    ahead = torch.ones(11, 11, dtype=torch.bool).triu(1)
    compare(block, lambda x: oracle(x, src_mask=ahead, is_causal=True), [randn(seed, 2, 11, 21)])


def test_block_is_the_block_of_gpt2(impl, seed):
    from transformers.models.gpt2.modeling_gpt2 import GPT2Block

    block, T = filled(impl.Block(CONFIG), seed), 11
    oracle = GPT2Block(gpt2_config(CONFIG), layer_idx=0).double()
    oracle.load_state_dict(gpt2_block_state(block))
    ahead = torch.full((1, 1, T, T), -torch.inf, dtype=torch.float64).triu(1)

    def theirs(x):
        out = oracle(x, attention_mask=ahead)
        return out[0] if isinstance(out, tuple) else out

    compare(block, theirs, [randn(seed, 2, T, 21)])


@pytest.mark.task("Block")
def test_block_does_not_look_ahead(impl, seed):
    block, x = filled(impl.Block(CONFIG), seed), randn(seed, 2, 7, 21)
    other = x.clone()
    other[:, 4:] += randn(seed + 1, 3, 21)  # a constant would vanish in the norm
    torch.testing.assert_close(block(x)[:, :4], block(other)[:, :4], rtol=0, atol=1e-13)


@pytest.mark.task("Block")
@pytest.mark.parametrize("expansion", [1, 4])
def test_parameters_of_a_block_by_formula(impl, expansion):
    C = 21
    block = impl.Block(like(CONFIG, expansion=expansion))
    matrices, biases, norms = (4 + 2 * expansion) * C * C, (5 + expansion) * C, 4 * C
    assert sum(p.numel() for p in block.parameters()) == matrices + biases + norms


@pytest.mark.task("Block")
def test_dropout_acts_on_the_branches_in_training(impl):
    check_dropout(impl.Block)


def test_the_cost_of_a_block_is_24_T_C2_plus_4_T2_C():
    T, C = 32, 48
    block = Block(Config(7, T, layers=1, heads=4, width=C))
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        block(torch.randn(1, T, C))
    assert counter.get_total_flops() == 24 * T * C**2 + 4 * T**2 * C


@pytest.mark.parametrize("norm_first", [True, False])
def test_the_fast_block_is_the_plain_block(norm_first):
    config = like(CONFIG, norm_first=norm_first)
    block = filled(Block(config), 3)
    fast = FastBlock(block)
    compare(fast, block, [randn(4, 2, 11, 21)])
    x = randn(5, 2, 11, 21)
    weights = [fast.qkv_weight, fast.o_proj.weight, fast.fc_in.weight]
    got = torch.autograd.grad(fast(x).square().sum(), weights)
    ours = [*(getattr(block.attn, n).weight for n in ("q_proj", "k_proj", "v_proj")), block.attn.o_proj.weight]
    want = torch.autograd.grad(block(x).square().sum(), [*ours, block.mlp.fc_in.weight])
    want = [torch.cat(want[:3]), *want[3:]]
    for g, w in zip(got, want, strict=True):
        torch.testing.assert_close(g, w, rtol=1e-10, atol=1e-10)  # sums of thousands of products


def test_the_fast_block_without_causality_is_an_encoder_block():
    from block_builder import EncoderBlock

    block = filled(EncoderBlock(CONFIG), 6)
    compare(FastBlock(block, causal=False), block, [randn(7, 2, 11, 21)])


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"width": 0}, "width=0: must be at least 1"),
        ({"heads": 4}, "heads=4: must divide width=21"),
        ({"dropout": 1.5}, "dropout=1.5: must be a probability"),
        ({"activation": "tanh"}, "activation='tanh': must be one of gelu, relu"),
    ],
)
def test_sizes_that_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        like(CONFIG, **changes)


def test_a_hidden_layer_of_four_widths():
    layer = FeedForward(like(CONFIG, expansion=4))
    assert layer.fc_in.weight.shape == (84, 21) and layer.fc_out.weight.shape == (21, 84)
