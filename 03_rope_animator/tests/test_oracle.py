"""Every scheme against the code that trained models run: `transformers`, imported when the first test needs it."""

import functools
import importlib

import pytest
import torch
from rope_animator import alibi_slopes, apply_rope, frequencies, sinusoidal_table
from rope_animator.alibi import alibi_bias
from rope_animator.attention import rotary_attention
from rope_animator.extend import dynamic_ntk, linear, llama3, ntk_aware, yarn
from rope_animator.rope import angles, half_from_interleaved, rotate_heads
from rope_animator.t5_bias import T5Bias, t5_bucket
from torch.testing import assert_close

LLAMA, GPTJ, BLOOM, T5 = (f"models.{m}.modeling_{m}" for m in ("llama", "gptj", "bloom", "t5"))
B, H, G, T, D = 3, 5, 5, 11, 14  # no two alike where it matters


@functools.cache
def hf(module):
    """A module of `transformers`, imported late: the learner's checks collect this file and need none of it."""
    return importlib.import_module(f"transformers.{module}")


def queries_and_keys(dtype=torch.float64, dim=D, heads=(H, G)):
    g = torch.Generator().manual_seed(3)
    return [torch.randn(B, h, T, dim, generator=g, dtype=torch.float64).to(dtype).requires_grad_() for h in heads]


def close(got, want, **tolerance):
    for a, b in zip(got, want, strict=True):
        assert a.isfinite().all()
        assert_close(a, b, **tolerance)


def test_half_layout_is_llamas_values_and_gradients():
    """In float64, from one table of cosines, so that only the rotation is compared: rounding at 1e-15."""
    q, k = queries_and_keys()
    at = torch.stack([torch.arange(T) + 5 * b for b in range(B)])
    angle = angles(at, frequencies(D)).repeat(1, 1, 2)
    theirs = hf(LLAMA).apply_rotary_pos_emb(q, k, angle.cos(), angle.sin())
    ours = apply_rope(q, k, at)
    close(ours, theirs, rtol=0, atol=1e-13)
    weight = [torch.randn_like(x) for x in ours]
    gradients = [
        torch.autograd.grad(sum((x * w).sum() for x, w in zip(r, weight, strict=True)), (q, k), retain_graph=True)
        for r in (ours, theirs)
    ]
    close(gradients[0], gradients[1], rtol=0, atol=1e-13)


def test_half_layout_is_llamas_whole_rotary_module():
    """With their own float32 table; at positions below 100 its angles are good to 1e-5."""
    q, k = queries_and_keys(torch.float32)
    config = hf(LLAMA).LlamaConfig(hidden_size=D * H, num_attention_heads=H, rope_theta=10_000.0)
    at = torch.arange(T)[None] + 80
    cos, sin = hf(LLAMA).LlamaRotaryEmbedding(config)(q, at)
    close(apply_rope(q, k, at[0]), hf(LLAMA).apply_rotary_pos_emb(q, k, cos, sin), rtol=0, atol=2e-5)


def test_interleaved_layout_is_gptjs():
    """Their table is float32 and 3.5 is the longest vector: 1e-5 at positions below 100."""
    q, k = queries_and_keys(torch.float32)
    table = hf(GPTJ).create_sinusoidal_positions(100, D)[80 : 80 + T]
    sin, cos = table.expand(B, T, D).chunk(2, dim=-1)
    theirs = [hf(GPTJ).apply_rotary_pos_emb(x.transpose(1, 2), sin, cos).transpose(1, 2) for x in (q, k)]
    close(apply_rope(q, k, torch.arange(T) + 80, layout="interleaved"), theirs, rtol=0, atol=2e-5)
    assert hf(GPTJ).GPTJConfig().rotary_dim == 64  # they turn a part of each head: the same function on a slice


def test_the_permutation_takes_one_layout_to_the_other():
    q, k = queries_and_keys()
    order, at = half_from_interleaved(D), torch.arange(T)
    interleaved = apply_rope(q, k, at, layout="interleaved")
    half = apply_rope(q[..., order], k[..., order], at)
    close([x[..., order] for x in interleaved], half, rtol=0, atol=0)
    scores = [a @ b.transpose(-1, -2) for a, b in (interleaved, half)]
    assert_close(*scores, rtol=0, atol=1e-12)
    scores = [a @ b.transpose(-1, -2) for a, b in (interleaved, apply_rope(q, k, at))]
    assert (scores[0] - scores[1]).abs().max() > 1, "layouts that are mixed must not go unnoticed"


def test_the_sinusoidal_table_is_gptjs_with_its_columns_side_by_side():
    theirs = hf(GPTJ).create_sinusoidal_positions(50, D)  # all sines, then all cosines
    assert_close(sinusoidal_table(50, D), theirs.unflatten(1, (2, -1)).transpose(1, 2).flatten(1), rtol=0, atol=1e-5)


def rope_init(kind, dim, **parameters):
    config = hf(LLAMA).LlamaConfig(
        hidden_size=dim * 4,
        num_attention_heads=4,
        max_position_embeddings=parameters.pop("trained_len"),
        rope_parameters={"rope_type": kind, **parameters},
    )
    return config, hf("modeling_rope_utils").ROPE_INIT_FUNCTIONS[kind]


@pytest.mark.parametrize("dim", [16, 64, 128])
@pytest.mark.parametrize("base", [10_000.0, 500_000.0])
@pytest.mark.parametrize("factor", [2.0, 8.0, 32.0])
def test_stretched_frequencies(dim, base, factor):
    """Theirs are float32: 1e-6 of each frequency."""
    both = {"rope_theta": base, "factor": factor}
    for kind, ours, extra, trained_len in (
        ("linear", linear(dim, base, factor), {}, 2048),
        ("yarn", yarn(dim, base, factor, 4096), {"original_max_position_embeddings": 4096}, int(4096 * factor)),
        (
            "llama3",
            llama3(dim, base, factor, 8192),
            {"original_max_position_embeddings": 8192, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
            8192,
        ),
    ):
        config, init = rope_init(kind, dim, trained_len=trained_len, **both, **extra)
        theirs, attention_factor = init(config, "cpu")
        assert_close(ours.frequencies.float(), theirs, rtol=2e-6, atol=0, msg=lambda m, kind=kind: f"{kind}: {m}")
        assert ours.attention_factor == pytest.approx(attention_factor, rel=1e-12)


@pytest.mark.parametrize("length", [100, 2048, 2049, 5000, 16384])
def test_dynamic_ntk_follows_the_text(length):
    config, init = rope_init("dynamic", 64, trained_len=2048, rope_theta=10_000.0, factor=4.0)
    theirs, _ = init(config, "cpu", seq_len=length)
    assert_close(dynamic_ntk(64, 10_000.0, 4.0, 2048, length).frequencies.float(), theirs, rtol=2e-6, atol=0)


def test_ntk_slows_the_slowest_pair_by_the_factor_and_the_fastest_not_at_all():
    before, after = frequencies(64), ntk_aware(64, 10_000.0, 8.0).frequencies
    assert after[0] == before[0]
    assert_close(before[-1] / after[-1], torch.tensor(8.0, dtype=torch.float64), rtol=1e-12, atol=0)


def test_yarns_attention_factor_multiplies_the_scores_twice():
    """In `transformers` it multiplies cos and sin, hence q and k alike: scores grow by (0.1 ln s + 1)^2."""
    q, k = (x.detach() for x in queries_and_keys(torch.float32))
    config, _ = rope_init(
        "yarn", D, trained_len=256, rope_theta=10_000.0, factor=4.0, original_max_position_embeddings=64
    )
    cos, sin = hf(LLAMA).LlamaRotaryEmbedding(config)(q, torch.arange(T)[None])
    theirs = hf(LLAMA).apply_rotary_pos_emb(q, k, cos, sin)
    scaling = yarn(D, 10_000.0, 4.0, 64)
    angle = angles(torch.arange(T), scaling.frequencies)
    ours = [scaling.attention_factor * rotate_heads(x, angle, "half") for x in (q, k)]
    close(ours, theirs, rtol=0, atol=2e-5)


@pytest.mark.parametrize("heads", [*range(1, 41), 63, 64, 71, 112])
def test_alibi_slopes_are_blooms_for_any_number_of_heads(heads):
    assert_close(alibi_slopes(heads), hf(BLOOM)._get_alibi_slopes(heads, "cpu"), rtol=1e-6, atol=0)


@pytest.mark.parametrize("heads", [4, 6])
def test_alibi_bias_is_blooms_up_to_a_constant_a_row(heads):
    """They add slope * key position, which softmax cannot tell from -slope * distance."""
    theirs = hf(BLOOM).build_alibi_tensor(torch.ones(1, T), heads, torch.float32).expand(heads, T, T)
    offset = alibi_bias(heads, T, T) - theirs
    assert_close(offset, offset[..., :1].expand_as(offset), rtol=0, atol=1e-5)
    assert hf(BLOOM).BloomConfig().n_head == 8


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("buckets, max_distance", [(32, 128), (64, 128), (32, 256), (16, 1000), (320, 800)])
def test_t5_buckets_for_all_distances(bidirectional, buckets, max_distance):
    relative = torch.arange(-3 * max_distance, 3 * max_distance + 1)
    theirs = hf(T5).T5Attention._relative_position_bucket(relative, bidirectional, buckets, max_distance)
    assert torch.equal(t5_bucket(relative, bidirectional, buckets, max_distance), theirs)


@pytest.mark.parametrize("decoder", [True, False])
def test_t5_bias_is_theirs_with_a_cache_too(decoder):
    config = hf(T5).T5Config(d_model=12, d_kv=4, num_heads=3, is_decoder=decoder, dropout_rate=0.0)
    theirs, ours = hf(T5).T5Attention(config, has_relative_attention_bias=True, layer_idx=0), T5Bias(3, not decoder)
    ours.weight.data = theirs.relative_attention_bias.weight.data.clone()
    assert_close(ours(T, T), theirs.compute_bias(T, T)[0])
    assert_close(ours(2, T), theirs.compute_bias(T, T)[0][:, -2:])


def test_attention_is_llamas_layer():
    """A whole attention layer with their projections around our attention; float32 table, so 1e-5."""
    config = hf(LLAMA).LlamaConfig(hidden_size=D * H, num_attention_heads=H, attention_dropout=0.0)
    config._attn_implementation = "eager"
    layer = hf(LLAMA).LlamaAttention(config, 0)
    x, at = torch.randn(B, T, D * H), torch.arange(T)[None] + 7
    ahead = torch.full((1, 1, T, T), -torch.inf).triu(1)
    theirs, _ = layer(x, hf(LLAMA).LlamaRotaryEmbedding(config)(x, at), ahead)
    q, k, v = (p(x).unflatten(-1, (H, D)).transpose(1, 2) for p in (layer.q_proj, layer.k_proj, layer.v_proj))
    assert_close(layer.o_proj(rotary_attention(q, k, v, at[0]).transpose(1, 2).flatten(2)), theirs, rtol=0, atol=1e-5)
