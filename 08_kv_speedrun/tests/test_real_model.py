"""A Llama with the chapter's caches: transformers' logits, the same tokens with and without a cache, the real model."""

import pytest
import torch
from kv_speedrun import Int8Cache, StaticCache, generate, generate_without_cache
from kv_speedrun.lab import fetch, plots, real_cache, tables
from kv_speedrun.lab.real_model import NAMES, Llama, Sizes, read_llama
from kv_speedrun.weight_layouts import lay_out

TINY = Sizes(layers=2, heads=6, kv_heads=2, width=48, hidden=40, vocab_size=61, context_length=64, rope_base=1e4,
             norm_eps=1e-5)  # fmt: skip


@pytest.fixture(scope="module")
def llama():
    model, generator = Llama(TINY).eval().requires_grad_(False), torch.Generator().manual_seed(0)
    for p in model.parameters():
        p.copy_(0.4 * torch.randn(p.shape, generator=generator))
    return model


@pytest.fixture
def tokens(seed):
    return torch.randint(61, (3, 13), generator=torch.Generator().manual_seed(seed))


def test_oracle_the_logits_are_those_of_transformers(llama, tokens):
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        vocab_size=61, hidden_size=48, intermediate_size=40, num_hidden_layers=2, num_attention_heads=6,
        num_key_value_heads=2, rms_norm_eps=1e-5, rope_theta=1e4, tie_word_embeddings=True,
    )  # fmt: skip
    theirs = transformers.LlamaForCausalLM(config).eval()
    state = {"model.embed_tokens.weight": llama.wte.weight, "lm_head.weight": llama.wte.weight,
             "model.norm.weight": llama.final_norm.weight}  # fmt: skip
    places = {"input_norm": "input_layernorm", "mlp_norm": "post_attention_layernorm"}
    for layer, block in enumerate(llama.blocks):
        for name in NAMES:
            weight = block.get_parameter(f"{name}.weight")
            if name in ("q_proj", "k_proj"):  # channels that turn together stand half a head apart there
                weight = weight.view(-1, 4, 2, 48).transpose(1, 2).reshape(weight.shape)
            part = "self_attn." if name[1] == "_" else "" if name in places else "mlp."
            state[f"model.layers.{layer}.{part}{places.get(name, name)}.weight"] = weight
    theirs.load_state_dict(state)
    with torch.no_grad():
        torch.testing.assert_close(llama(tokens), theirs(tokens).logits, rtol=0, atol=2e-4)  # logits up to 30


def test_a_cache_changes_no_logit_and_no_token(llama, tokens):
    cache = StaticCache(llama.config, 3, 13)
    pieces = [llama(piece, cache) for piece in tokens.split([5, 1, 7], dim=1)]
    torch.testing.assert_close(torch.cat(pieces, dim=1), llama(tokens), rtol=1e-4, atol=1e-4)
    assert cache.keys.shape == (2, 3, 2, 13, 8), "two heads of keys, not six"
    want = generate_without_cache(llama, tokens, 6)
    assert torch.equal(generate(llama, tokens, 6, StaticCache(llama.config, 3, 19)), want)
    assert torch.equal(generate(lay_out(llama, "transposed"), tokens, 6, StaticCache(llama.config, 3, 19)), want)


def test_formula_and_memory_agree_and_sharing_divides_by_three(llama):
    found = real_cache.memory(llama.config, TINY.heads)
    assert found["predicted"] == found["measured"]
    assert found["unshared"] == [3 * size for size in found["predicted"]["fp32"]]


def test_what_it_does_not_take(llama, tokens):
    with pytest.raises(ValueError, match="rows of one length"):
        llama(tokens, num_pad=torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ValueError, match="context_length=64"):
        llama(tokens.repeat(1, 6))


@pytest.mark.real
@pytest.mark.timeout(240)
@pytest.mark.skipif(not fetch.is_local(fetch.SMOLLM2), reason="the real model is not on this machine: nox -s models")
def test_the_real_model_speaks_and_one_byte_a_number_costs_it_little():
    pytest.importorskip("gguf")
    pytest.importorskip("transformers")
    path = fetch.model()
    model = read_llama(path)
    windows = real_cache.token_windows(path, fetch.load_text("pydoc"), 1, 193, 0)
    loss = [real_cache.window_loss(model, windows, make(model.config, 1, 193)) for make in (StaticCache, Int8Cache)]
    assert 1.5 < loss[0] < 4 and abs(loss[1] - loss[0]) < 0.05
    real_cache.check(model, windows[:, :64], 8, lambda line: None)


def test_table_and_figure_come_from_the_results_alone(tmp_path):
    section = tables.markdown.section("smollm2")
    assert "int8 cache" in tables.smollm2(section)
    assert [path.name for path in plots.draw({"smollm2": section}, tmp_path)] == ["smollm2.png"]
    per_second = {name: sorted(row["per_second"])[1] for name, row in section["speed"].items()}
    assert per_second["fp32, no cache"] < per_second["fp32, as trained"] <= per_second["fp32, fastest"] * 1.02
    assert section["memory"]["predicted"] == section["memory"]["measured"]
