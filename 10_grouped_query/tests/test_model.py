"""The decoder: transformers' Llama is the oracle; any split of a text gives the same logits."""

import pytest
import torch
from grouped_query import Cache, Config, Decoder
from grouped_query.latent import LatentAttention, LatentConfig
from hypothesis import given, settings
from hypothesis import strategies as st

CONFIG = Config(vocab_size=31, d_model=24, layers=2, heads=6, kv_heads=2, ffn=20)
LATENT = LatentConfig(vocab_size=31, d_model=24, layers=2, heads=6, kv_heads=6, ffn=20, latent_dim=7, rope_dim=4)


def small(config, attention=None, dtype=torch.float64):
    model = Decoder(config, attention, seed=3) if attention else Decoder(config, seed=3)
    return model.to(dtype).requires_grad_(False)


def halves(weight, heads):
    """Rows of neighbouring pairs into Hugging Face's order: all even channels of a head, then all odd ones."""
    rows, width = weight.shape
    return weight.view(heads, rows // heads // 2, 2, width).transpose(1, 2).reshape(rows, width)


def test_oracle_transformers_llama():
    import transformers

    ours = small(CONFIG)
    config = transformers.LlamaConfig(
        vocab_size=31, hidden_size=24, intermediate_size=20, num_hidden_layers=2, num_attention_heads=6,
        num_key_value_heads=2, tie_word_embeddings=True, rms_norm_eps=1e-5, attn_implementation="eager",
    )  # fmt: skip
    theirs = transformers.LlamaForCausalLM(config).double().eval()
    state = {"model.embed_tokens.weight": ours.wte.weight, "lm_head.weight": ours.wte.weight}
    state["model.norm.weight"] = ours.norm.weight
    for i, block in enumerate(ours.blocks):
        at = f"model.layers.{i}."
        state[f"{at}self_attn.q_proj.weight"] = halves(block.attn.q_proj.weight, 6)
        state[f"{at}self_attn.k_proj.weight"] = halves(block.attn.k_proj.weight, 2)
        state[f"{at}self_attn.v_proj.weight"] = block.attn.v_proj.weight
        state[f"{at}self_attn.o_proj.weight"] = block.attn.o_proj.weight
        state |= {f"{at}mlp.{n}.weight": getattr(block, n).weight for n in ("gate_proj", "up_proj", "down_proj")}
        state[f"{at}input_layernorm.weight"] = block.attn_norm.weight
        state[f"{at}post_attention_layernorm.weight"] = block.ffn_norm.weight
    theirs.load_state_dict(state)
    tokens = torch.randint(31, (2, 11), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        want = theirs(tokens).logits
    torch.testing.assert_close(ours(tokens), want, rtol=0, atol=1e-6)  # theirs keeps its angles in float32


@pytest.mark.parametrize("kind", ["grouped", "latent"])
def test_property_any_split_of_a_text_gives_the_same_logits(kind):
    model = small(CONFIG) if kind == "grouped" else small(LATENT, LatentAttention)
    tokens = torch.randint(31, (2, 9), generator=torch.Generator().manual_seed(0))
    whole = model(tokens)

    @settings(deadline=None, max_examples=20)
    @given(st.sets(st.integers(1, 8)))
    def holds(cuts):
        cache, ends = model.new_cache(2, 9), [0, *sorted(cuts), 9]
        parts = [model(tokens[:, a:b], cache) for a, b in zip(ends, ends[1:], strict=False)]
        torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=0, atol=1e-10)
        assert cache.position == 9

    holds()


def test_a_later_token_changes_no_earlier_logit():
    model = small(CONFIG)
    tokens = torch.arange(7)[None]
    changed = tokens.clone()
    changed[0, 5] = 30
    assert torch.equal(model(tokens)[:, :5], model(changed)[:, :5])


def test_the_same_seed_makes_the_same_model():
    same = [Decoder(CONFIG, seed=1).wte.weight for _ in range(2)]
    assert torch.equal(*same) and not torch.equal(same[0], Decoder(CONFIG, seed=2).wte.weight)


def test_sharing_saves_parameters_too():
    count = [sum(p.numel() for p in Decoder(Config(31, 24, 1, 6, G, 20)).parameters()) for G in (6, 1)]
    assert count[0] - count[1] == 2 * 5 * 4 * 24  # five heads' keys and values


@pytest.mark.parametrize(("change", "word"), [((6, 4), "kv_heads=4"), ((6, 0), "kv_heads=0"), ((5, 5), "d_model=24")])
def test_bad_input_a_configuration(change, word):
    with pytest.raises(ValueError, match=word):
        Config(31, 24, 2, *change, 20)


def test_bad_input_a_full_cache():
    cache = Cache(1, 1, 3, [(2, 4), (2, 4)])
    new = torch.ones(1, 2, 2, 4)
    cache.update(0, new, new)
    with pytest.raises(ValueError, match="tokens=4: the cache has room for 3; make it longer"):
        cache.update(0, new, new)
    assert cache.position == 2 and cache.buffers[0][0, 0, 0, 2].sum() == 0


def test_the_cache_returns_views_of_what_it_holds():
    cache = Cache(2, 1, 5, [(2, 4), (3,)])
    k, other = cache.update(1, torch.ones(1, 2, 2, 4), torch.ones(1, 2, 3))
    assert k.shape == (1, 2, 2, 4) and other.shape == (1, 2, 3) and cache.position == 0
    assert k.untyped_storage().data_ptr() == cache.buffers[0].untyped_storage().data_ptr()
