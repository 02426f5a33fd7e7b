"""The real model's reader: transformers' losses, blocks that change nothing, and what the table and figure show."""

import pytest
import torch
from rope_animator.extend import linear
from rope_animator.lab import fetch, plots, real_context, tables

SIZES = real_context.Sizes(layers=2, heads=4, key_heads=2, base=1e4, trained_len=8, norm_eps=1e-5)


@pytest.fixture(scope="module")
def llama():
    """Random weights: 4 query heads of 4, 2 key heads, 29 tokens."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"token_embd": (29, 16), "output_norm": (16,)}
    for layer in range(2):
        block = {"attn_norm": (16,), "ffn_norm": (16,), "attn_q": (16, 16), "attn_k": (8, 16), "attn_v": (8, 16)}
        block |= {"attn_output": (16, 16), "ffn_gate": (20, 16), "ffn_up": (20, 16), "ffn_down": (16, 20)}
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in block.items()}
    weights = {f"{name}.weight": 0.4 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return real_context.Llama(SIZES, weights)


@pytest.fixture
def tokens(seed):
    return torch.randint(29, (24,), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("block", [3, 7, 64])
def test_blocks_change_no_loss(llama, tokens, block, monkeypatch):
    want = llama.losses(tokens)
    monkeypatch.setattr(real_context, "BLOCK", block)
    torch.testing.assert_close(llama.losses(tokens), want, rtol=1e-4, atol=1e-4)
    assert len(want) == 23 and (llama.losses(tokens, linear(4, 1e4, 4.0)) - want).abs().max() > 1e-2


def test_oracle_the_losses_are_those_of_transformers(llama, tokens):
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(vocab_size=29, hidden_size=16, intermediate_size=20, num_hidden_layers=2,
                         num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-5, rope_theta=1e4,
                         tie_word_embeddings=True)  # fmt: skip
    theirs = LlamaForCausalLM(config).eval()
    head = llama.weights["token_embd.weight"]
    state = {"model.embed_tokens.weight": head, "lm_head.weight": head}
    state["model.norm.weight"] = llama.weights["output_norm.weight"]
    names = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
             "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
             "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm",
             "ffn_norm": "post_attention_layernorm"}  # fmt: skip
    for name, weight in llama.weights.items():
        if name.startswith("blk"):
            _, layer, part, _ = name.split(".")
            if part in ("attn_q", "attn_k"):  # interleaved pairs to halves
                weight = weight.view(-1, 2, 2, 16).transpose(1, 2).reshape(weight.shape)
            state[f"model.layers.{layer}.{names[part]}.weight"] = weight
    theirs.load_state_dict(state)
    with torch.no_grad():
        logits = theirs(tokens[None, :-1]).logits[0]
    want = torch.nn.functional.cross_entropy(logits, tokens[1:], reduction="none")
    torch.testing.assert_close(llama.losses(tokens), want, rtol=1e-4, atol=1e-4)


def test_every_scheme_has_frequencies_for_the_longer_text(llama):
    schemes = real_context.scalings(SIZES, llama.head_dim, 4.0)
    assert len(schemes) == 6 and all(len(s.frequencies) == 2 for s in schemes.values())
    assert schemes["interpolation"].frequencies[0] == schemes["RoPE as trained"].frequencies[0] / 4


def test_table_and_figure_show_a_section(tmp_path):
    names = list(real_context.scalings(SIZES, 4, 4.0))
    curves = {name: [3.0 + 0.1 * i * k for i in range(32)] for k, name in enumerate(names)}
    section = {"trained_len": 8192, "factor": 4, "block": 1024, "curves": curves,
               "cpu_seconds": dict.fromkeys(names, 1),
               "stderr": dict.fromkeys(names, [0.1]), "peak_bytes": 2**30, "text": "novels",
               "meta": {"machine": "m", "python": "3", "versions": {}, "commit": "c", "seeds": [0], "date": "d",
                        "threads": 1, "quick": True}}  # fmt: skip
    assert "32,768 (4 ×)" in tables.smollm2(section)
    assert plots.real_context(section, tmp_path).exists()


@pytest.mark.real
@pytest.mark.skipif(not fetch.is_local(fetch.SMOLLM2), reason="the real model is not on this machine: nox -s models")
def test_the_real_model_predicts_prose():
    pytest.importorskip("gguf")
    path = fetch.model()
    tokens = real_context.token_ids(path, fetch.load_text("pydoc")[2000:], 129)
    nats = real_context.read_llama(path).losses(tokens)
    assert len(nats) == 128 and 1.5 < nats.mean() < 5
