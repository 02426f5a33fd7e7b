"""Latent attention: absorbed equals expanded, and both equal transformers' DeepSeek-V3."""

import pytest
import torch
from counting import largest_new
from grouped_query import expanded_attention, rms_norm, rotate
from grouped_query.latent import LatentAttention, LatentConfig
from mistakes import latent_inputs, randn

# ---------------------------------------------------------------- compress_latent


@pytest.mark.task("compress_latent")
@pytest.mark.parametrize("start", [0, 11])
def test_oracle_torchs_rms_norm_and_complex_rotation(impl, seed, start):
    x, down, weight = randn(seed, 2, 5, 7), randn(seed + 1, 10, 7), randn(seed + 2, 6)
    latent, key = impl.compress_latent(x, down, weight, torch.arange(start, start + 5))
    want = torch.nn.functional.rms_norm(x @ down[:6].T, (6,), weight, 1e-6)
    torch.testing.assert_close(latent, want, rtol=1e-5, atol=1e-5)
    angles = torch.arange(start, start + 5)[:, None] * 10_000.0 ** -torch.tensor([0, 0.5])
    pairs = torch.view_as_complex((x @ down[6:].T).unflatten(-1, (2, 2)))
    turned = torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(-2)
    torch.testing.assert_close(key, turned, rtol=1e-4, atol=1e-4)


@pytest.mark.task("compress_latent")
def test_the_latent_does_not_know_its_position(impl, seed):
    x, down, weight = randn(seed, 2, 3, 7), randn(seed + 1, 8, 7), randn(seed + 2, 4)
    here, there = (impl.compress_latent(x, down, weight, torch.arange(3) + start) for start in (0, 5))
    assert torch.equal(here[0], there[0])
    assert not torch.allclose(here[1], there[1])


@pytest.mark.task("compress_latent")
def test_a_token_of_zeros_has_a_latent_of_zeros(impl):
    down, x = torch.eye(5, 3).double() + 1, torch.tensor([[[0.0] * 3, [1e-3, 2e-3, 0.0]]]).double()
    latent, _ = impl.compress_latent(x, down, torch.ones(3).double(), torch.arange(2))
    want = torch.nn.functional.rms_norm(x @ down[:3].T, (3,), None, 1e-6)
    torch.testing.assert_close(latent, want, rtol=1e-9, atol=0)


@pytest.mark.task("compress_latent")
@pytest.mark.parametrize(("dtype", "digits"), [(torch.float64, 1e-9), (torch.bfloat16, 2e-2)])
def test_latent_and_key_keep_their_dtype(impl, dtype, digits):
    down = torch.tensor([[3.0], [4.0], [1.0], [0.0]], dtype=dtype)
    latent, key = impl.compress_latent(down.new_ones(1, 1, 1), down, down.new_ones(2), torch.tensor([0]))
    wanted = down[:2].T[None] / (12.5 + 1e-6) ** 0.5, down[2:].T[None]
    for got, want in zip((latent, key), wanted, strict=True):
        torch.testing.assert_close(got, want, rtol=digits, atol=0)


@pytest.mark.task("compress_latent")
def test_the_size_of_the_input_does_not_matter_to_the_latent(impl, seed):
    x, down, weight = randn(seed, 2, 3, 7), randn(seed + 1, 8, 7), randn(seed + 2, 4)
    small, large = (impl.compress_latent(x * size, down, weight, torch.arange(3)) for size in (1, 100))
    torch.testing.assert_close(small[0], large[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(100 * small[1], large[1], rtol=1e-4, atol=1e-3)


# ---------------------------------------------------------------- absorbed_attention


@pytest.mark.task("absorbed_attention")
@pytest.mark.parametrize("sizes", [(2, 3, 5, 5, 6, 2, 7, 4), (2, 3, 1, 6, 5, 4, 3, 7), (1, 2, 2, 5, 4, 4, 4, 4)])
def test_oracle_absorbed_is_expanded(impl, seed, sizes):
    args = latent_inputs(seed, *sizes, dtype=torch.float64)
    got = impl.absorbed_attention(*args)
    torch.testing.assert_close(got, expanded_attention(*args), rtol=0, atol=1e-10)


@pytest.mark.task("absorbed_attention")
def test_large_scores_do_not_overflow(impl, seed):
    q_nope, *rest = latent_inputs(seed, 1, 2, 3, 4, 3, 2, 4, 5, dtype=torch.float64)
    got = impl.absorbed_attention(3_000 * q_nope, *rest)
    torch.testing.assert_close(got, expanded_attention(3_000 * q_nope, *rest), rtol=0, atol=1e-8)


@pytest.mark.task("absorbed_attention")
def test_bfloat16_in_is_bfloat16_out(impl):
    latent = torch.tensor([[[1.0], [2.0], [3.0]]]).bfloat16()
    zeros, ups = (latent.new_zeros(1, 1, 3, 1),) * 2, (latent.new_ones(1, 1, 1), latent.new_full((1, 1, 1), 10.0))
    got = impl.absorbed_attention(*zeros, latent, latent.new_zeros(1, 3, 1), *ups)
    want = torch.tensor([[[[10.0], [15.0], [20.0]]]]).bfloat16()
    torch.testing.assert_close(got, want, rtol=2e-2, atol=0)  # bfloat16 has three digits


@pytest.mark.task("absorbed_attention")
def test_oracle_gradients(impl, seed):
    leaves = [x.requires_grad_() for x in latent_inputs(seed, 2, 3, 3, 4, 5, 2, 3, 4, dtype=torch.float64)]
    grads = [
        torch.autograd.grad(f(*leaves).square().sum(), leaves) for f in (impl.absorbed_attention, expanded_attention)
    ]
    for mine, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-8, atol=1e-8)


@pytest.mark.task("absorbed_attention")
def test_cost_no_heads_keys_are_made(impl, seed):
    args = latent_inputs(seed, 2, 3, 1, 64, 16, 4, 12, 16)
    assert largest_new(impl.absorbed_attention, *args) < 2 * 3 * 64 * 16


@pytest.mark.task("absorbed_attention")
def test_bad_input_more_queries_than_tokens(impl, seed):
    with pytest.raises(ValueError):
        impl.absorbed_attention(*latent_inputs(seed, 1, 2, 3, 2, 4, 2, 3, 4))


# ---------------------------------------------------------------- against transformers


def test_oracle_deepseek_v3_attention():
    from transformers import DeepseekV3Config
    from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3Attention, DeepseekV3RotaryEmbedding

    H, D, P, C, W, T = 3, 8, 4, 10, 24, 7
    config = DeepseekV3Config(
        hidden_size=W, num_attention_heads=H, num_key_value_heads=H, q_lora_rank=None, kv_lora_rank=C,
        qk_nope_head_dim=D, qk_rope_head_dim=P, v_head_dim=D, max_position_embeddings=64, num_hidden_layers=1,
        attn_implementation="eager",
    )  # fmt: skip
    theirs = DeepseekV3Attention(config, 0).double().eval()
    ours = LatentAttention(LatentConfig(31, W, 1, H, H, 20, latent_dim=C, rope_dim=P)).double()
    with torch.no_grad():
        for i, weight in enumerate(ours.parameters()):
            weight.copy_(randn(i, *weight.shape, dtype=torch.float64) / 4)
        theirs.q_proj.weight.copy_(ours.q_proj.weight)
        theirs.kv_a_proj_with_mqa.weight.copy_(ours.kv_down.weight)
        theirs.kv_a_layernorm.weight.copy_(ours.norm_weight)
        ups = [up.weight.unflatten(0, (H, D)) for up in (ours.k_up, ours.v_up)]
        theirs.kv_b_proj.weight.copy_(torch.cat(ups, 1).flatten(0, 1))
        theirs.o_proj.weight.copy_(ours.o_proj.weight)
        x = randn(99, 2, T, W, dtype=torch.float64)
        embeddings = DeepseekV3RotaryEmbedding(config)(x, torch.arange(T)[None])
        mask = torch.full((T, T), float("-inf"), dtype=torch.float64).triu(1)[None, None]
        want = theirs(x, embeddings, mask)[0]
        got = ours(x, torch.arange(T), 0, None)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-6)  # theirs keeps its angles in float32


def test_a_rotation_of_the_latent_cannot_be_absorbed():
    """With the latent rotated, one matrix per head cannot serve all distances: why the rotated part is separate."""
    up, q, c = (randn(i, *s, dtype=torch.float64) for i, s in enumerate(((6, 6), (6,), (6,))))
    zeros, three = torch.tensor([0]), torch.tensor([3])
    right = rotate(q[None], three) @ rotate((up @ c)[None], three).T  # query and key at the same position
    absorbed = rotate((up.T @ q)[None], three) @ rotate(c[None], three).T
    at_zero = rotate((up.T @ q)[None], zeros) @ rotate(c[None], zeros).T
    torch.testing.assert_close(absorbed, at_zero)
    torch.testing.assert_close(right, at_zero)  # at distance zero nothing is rotated
    far = rotate(q[None], three) @ rotate((up @ c)[None], zeros).T
    assert (far - rotate((up.T @ q)[None], three) @ rotate(c[None], zeros).T).abs() > 1e-2


def test_rms_norm_is_torchs():
    x, weight = randn(0, 3, 5), randn(1, 5)
    torch.testing.assert_close(rms_norm(x, weight), torch.nn.functional.rms_norm(x, (5,), weight, 1e-6))
