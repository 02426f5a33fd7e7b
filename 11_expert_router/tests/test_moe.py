"""The layer and the decoder. The oracle of the shared expert is DeepSeek-V3's mixture with copied weights."""

import math

import pytest
import torch
from expert_router import Config, Decoder, MoE, MoEConfig, expert_load, init_weights, loop_over_experts, mixtures
from mistakes import generator, randn

SMALL = MoEConfig(d_model=12, ffn=7, num_experts=5, k=2)
HYBRID = Config(vocab_size=31, d_model=12, layers=3, heads=3, ffn=10, context=11, moe=SMALL, moe_layers=(1,))


def layer(config, seed=0):
    made = MoE(config).double()
    init_weights(made, generator(seed))
    return made


def test_the_layer_adds_to_the_residual_what_the_loop_gives():
    moe, x, residual = layer(SMALL), randn(1, 2, 7, 12, dtype=torch.float64), randn(2, 2, 7, 12, dtype=torch.float64)
    got, routing = moe(residual, x)
    want = loop_over_experts(*(part.flatten(0, 1) for part in (x, routing.indices, routing.weights)), moe.experts)
    torch.testing.assert_close(got, residual + want.view_as(x), rtol=0, atol=1e-12)
    assert int(expert_load(routing.indices, 5).sum()) == 2 * 7 * 2 and routing.kept.all()


def test_oracle_the_mixture_of_deepseek_with_a_shared_expert():
    from transformers import DeepseekV3Config
    from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3MoE

    config = DeepseekV3Config(
        hidden_size=12, moe_intermediate_size=7, n_routed_experts=5, num_experts_per_tok=2, n_shared_experts=2,
        n_group=1, topk_group=1, routed_scaling_factor=1.0,
    )  # fmt: skip
    config._experts_implementation = "eager"
    theirs, ours = DeepseekV3MoE(config).double(), layer(MoEConfig(12, 7, 5, 2, shared=2))
    theirs.experts.load_state_dict(ours.experts.state_dict())
    gate, up = ours.shared.gate_up_proj.detach().chunk(2)
    for name, weight in (("gate_proj", gate), ("up_proj", up), ("down_proj", ours.shared.down_proj.detach())):
        getattr(theirs.shared_experts, name).weight.data = weight.clone()
    x = randn(3, 2, 7, 12, dtype=torch.float64)
    _, weights, indices = theirs.gate(x)
    rows = x.flatten(0, 1)
    routed = loop_over_experts(rows, indices, weights.double(), ours.experts)
    torch.testing.assert_close((routed + ours.shared(rows)).view_as(x), theirs(x), rtol=0, atol=1e-6)  # float32 gates


def test_noise_is_drawn_in_training_alone_and_from_the_generator():
    moe, x = layer(MoEConfig(12, 7, 5, 2, noise=True)), randn(1, 2, 7, 12, dtype=torch.float64)
    first, again, other = (moe.route(x, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.scores, again.scores) and not torch.equal(first.scores, other.scores)
    torch.testing.assert_close(first.std, torch.full_like(first.std, math.log(2)))
    moe.eval()
    assert torch.equal(moe.route(x, generator(1)).scores, first.logits)


def test_a_hot_expert_with_capacity_drops_tokens_which_keep_their_residual():
    moe = layer(MoEConfig(12, 7, 4, 1, normalize=False, capacity_factor=1.0))
    moe.router.data.zero_()
    moe.router.data[2] = 5.0
    x = randn(1, 2, 8, 12, dtype=torch.float64).abs()
    residual = randn(2, 2, 8, 12, dtype=torch.float64)
    out, routing = moe(residual, x)
    assert routing.kept.sum() == 2 * 2 and routing.kept[:, :2].all()
    assert torch.equal(out[:, 2:], residual[:, 2:]) and not torch.equal(out[:, :2], residual[:, :2])


def test_only_the_named_blocks_have_experts_and_the_decoder_is_causal():
    model = Decoder(HYBRID).double().eval()
    assert len(mixtures(model)) == 1 and isinstance(model.blocks[1].ffn, MoE)
    tokens = torch.randint(31, (2, 9), generator=generator(0))
    logits, routings = model(tokens)
    assert logits.shape == (2, 9, 31) and len(routings) == 1 and routings[0].indices.shape == (2, 9, 2)
    changed = tokens.clone()
    changed[:, 6:] = (changed[:, 6:] + 1) % 31
    torch.testing.assert_close(model(changed)[0][:, :6], logits[:, :6], rtol=0, atol=1e-12)


def test_the_router_learns_through_the_weights():
    for config in (SMALL, MoEConfig(12, 7, 5, 1, normalize=False)):
        moe = layer(config)
        out, _ = moe(torch.zeros(1, 7, 12).double(), randn(1, 1, 7, 12, dtype=torch.float64))
        out.square().sum().backward()
        assert moe.router.grad.abs().max() > 1e-4


def test_cost_parameters_grow_with_the_experts_and_products_with_k():
    few, many = (sum(p.numel() for p in layer(MoEConfig(12, 7, E, 2)).parameters()) for E in (4, 8))
    assert many - few == 4 * (3 * 12 * 7 + 12)
    rows = []
    for E in (4, 8):
        moe, seen = layer(MoEConfig(12, 7, E, 2)), []
        moe.experts.forward = lambda x, e, m=moe.experts, seen=seen: (
            seen.append(len(x)) or x @ m.down_proj[e] @ (m.gate_up_proj[e][:7])
        )
        moe(torch.zeros(2, 9, 12).double(), randn(1, 2, 9, 12, dtype=torch.float64))
        rows.append(sum(seen))
    assert rows == [2 * 9 * 2] * 2


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: MoEConfig(12, 7, 4, 5), "k=5"),
        (lambda: MoEConfig(12, 7, 4, 0), "k=0"),
        (lambda: MoEConfig(12, 7, 4, 1), "normalize=True"),
        (lambda: Config(31, 13, 2, 3, 10, 11), "d_model=13"),
        (lambda: Config(31, 12, 2, 3, 10, 11, SMALL, (2,)), "moe_layers"),
        (lambda: Config(31, 12, 2, 3, 10, 11, None, (1,)), "moe=None"),
    ],
)
def test_bad_input_is_refused_by_name(make, name):
    with pytest.raises(ValueError, match=name):
        make()
