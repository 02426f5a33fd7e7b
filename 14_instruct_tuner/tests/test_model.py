"""The decoder beside transformers' Llama, with its cache; the real model's file."""

import pytest
import torch
from instruct_tuner import Config, Decoder
from instruct_tuner.smollm2 import Tokens, read_checkpoint, state_name
from instruct_tuner.smollm2.tokens import byte_letters


def test_oracle_transformers_llama():
    """Its queries and keys rotate halves where ours rotate neighbours: the rows are put in that order."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = Config(61, 24, 2, 4, 2, 40)
    ours = Decoder(config).eval()
    theirs = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=61,
            hidden_size=24,
            intermediate_size=40,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            rms_norm_eps=1e-5,
            tie_word_embeddings=True,
        )
    ).eval()
    state = {
        "model.embed_tokens.weight": ours.wte.weight,
        "model.norm.weight": ours.norm.weight,
        "lm_head.weight": ours.wte.weight,
    }
    names = {
        "attn.q_proj": "self_attn.q_proj",
        "attn.k_proj": "self_attn.k_proj",
        "attn.v_proj": "self_attn.v_proj",
        "attn.o_proj": "self_attn.o_proj",
        "gate_proj": "mlp.gate_proj",
        "up_proj": "mlp.up_proj",
        "down_proj": "mlp.down_proj",
        "attn_norm": "input_layernorm",
        "ffn_norm": "post_attention_layernorm",
    }
    for i, block in enumerate(ours.blocks):
        for mine, other in names.items():
            weight = block.get_submodule(mine).weight
            if mine in ("attn.q_proj", "attn.k_proj"):
                weight = weight.unflatten(0, (-1, 3, 2)).transpose(1, 2).flatten(0, 2)
            state[f"model.layers.{i}.{other}.weight"] = weight
    theirs.load_state_dict(state)
    ids = torch.randint(61, (2, 13), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours(ids), theirs(ids).logits, rtol=1e-4, atol=1e-5)


def test_a_text_in_pieces_with_a_cache_is_the_text():
    model, ids = Decoder(Config(31, 16, 2, 4, 2, 24)), torch.arange(12)[None] % 31
    cache = []
    with torch.no_grad():
        parts = [model(ids[:, a:b], cache=cache) for a, b in ((0, 5), (5, 6), (6, 12))]
        torch.testing.assert_close(torch.cat(parts, 1), model(ids), rtol=1e-4, atol=1e-5)


def test_bad_input_sizes():
    with pytest.raises(ValueError, match="kv_heads=3: must divide heads=4"):
        Config(31, 16, 1, 4, 3, 8)
    with pytest.raises(ValueError, match="d_model=12: must be a multiple"):
        Config(31, 12, 1, 4, 2, 8)


def test_names_of_the_file_and_of_the_decoder():
    assert state_name("token_embd.weight") == "wte.weight"
    assert state_name("blk.3.attn_k.weight") == "blocks.3.attn.k_proj.weight"


def test_tokens_merge_lowest_rank_first_and_come_back():
    letters = byte_letters()
    vocabulary = [*letters.values(), "ab", "bc", "abc", "<|im_start|>", "<|im_end|>"]
    tokens = Tokens(vocabulary, ["b c", "a bc", "a b"])
    assert tokens.encode("abcb") == [vocabulary.index("abc"), vocabulary.index("b")]
    assert tokens.encode("<|im_start|>7<|im_end|>")[::2] == [vocabulary.index("<|im_start|>"), tokens.end]
    assert tokens.decode(tokens.encode("Ünï 12\n")) == "Ünï 12\n"


def test_bad_input_a_file_that_is_no_gguf(tmp_path):
    (tmp_path / "a.gguf").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="begins with b'noth', not with b'GGUF'; get it again"):
        read_checkpoint(tmp_path / "a.gguf")
