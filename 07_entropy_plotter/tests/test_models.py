"""The transformer and the real model's parts: caches, the future, the tokenizer, and the file's errors."""

import pytest
import torch
from entropy_plotter import Config, Transformer, read_smollm2, train
from entropy_plotter.lab import fetch
from entropy_plotter.smollm2 import Sizes, SmolLM2
from entropy_plotter.smollm2_tokens import Tokenizer
from entropy_plotter.transformer import windows
from entropy_plotter.words import Words, pieces_of

SMALL = Config(vocab_size=23, context_length=19, layers=2, heads=2, width=14)


def tiny_llama(seed=0):
    """A Llama of random weights: 2 layers, 4 query heads that share 2 keys, width 16."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"token_embd": (29, 16), "output_norm": (16,)}
    for layer in range(2):
        block = {"attn_norm": (16,), "ffn_norm": (16,), "attn_q": (16, 16), "attn_k": (8, 16), "attn_v": (8, 16)}
        block |= {"attn_output": (16, 16), "ffn_gate": (20, 16), "ffn_up": (20, 16), "ffn_down": (16, 20)}
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in block.items()}
    weights = {f"{name}.weight": 0.4 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return SmolLM2(Sizes(2, 4, 2, 1e4, 1e-5), weights)


@pytest.mark.parametrize("model", [Transformer(SMALL).eval(), tiny_llama()], ids=["transformer", "llama"])
def test_the_cache_changes_nothing_and_no_token_sees_the_future(model, seed):
    tokens = torch.randint(23, (3, 11), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        whole, cache = model(tokens), model.new_cache()
        pieces = [model(piece, cache) for piece in tokens.split(4, dim=1)]
        torch.testing.assert_close(torch.cat(pieces, dim=1), whole, rtol=0, atol=1e-5)  # float32, other sums
        cache.crop(6)
        cache.select(torch.tensor([2, 0]))
        torch.testing.assert_close(model(tokens[[2, 0], 6:8], cache), whole[[2, 0], 6:8], rtol=0, atol=1e-5)
        other = tokens.clone()
        other[:, 7:] = 5
        torch.testing.assert_close(model(other)[:, :7], whole[:, :7], rtol=0, atol=1e-5)


def test_oracle_the_llama_is_that_of_transformers():
    from transformers import LlamaConfig, LlamaForCausalLM

    ours = tiny_llama()
    config = LlamaConfig(vocab_size=29, hidden_size=16, intermediate_size=20, num_hidden_layers=2,
                         num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-5, rope_theta=1e4,
                         tie_word_embeddings=True)  # fmt: skip
    theirs = LlamaForCausalLM(config).eval()
    names = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj"}
    names |= {"attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj"}
    names |= {"ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
    head = ours.weights["token_embd.weight"]
    state = {"model.embed_tokens.weight": head, "lm_head.weight": head}
    state["model.norm.weight"] = ours.weights["output_norm.weight"]
    for name, weight in ours.weights.items():
        if name.startswith("blk"):
            _, layer, part, _ = name.split(".")
            if part in ("attn_q", "attn_k"):  # neighbours stand half a head apart there
                weight = weight.view(-1, 2, 2, 16).transpose(1, 2).reshape(weight.shape)
            state[f"model.layers.{layer}.{names[part]}.weight"] = weight
    theirs.load_state_dict(state)
    tokens = torch.randint(29, (2, 7), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens), theirs(tokens).logits, rtol=0, atol=1e-4)  # logits up to 10


def test_training_learns_a_pattern():
    tokens = torch.arange(400) % 7
    model = Transformer(Config(7, 16, layers=1, heads=1, width=16))
    loss = train(model, lambda g: windows(tokens, 8, 12, g), 60, lr=1e-2)
    assert loss < 0.8 < 1.9  # a guess has log 7 = 1.95


def test_bad_input():
    with pytest.raises(ValueError, match="tokens=20: the model has 19 positions"):
        Transformer(SMALL)(torch.zeros(1, 20, dtype=torch.long))
    with pytest.raises(ValueError, match="tokens=3: shorter than a piece of 5"):
        windows(torch.zeros(3, dtype=torch.long), 2, 5, torch.Generator())
    with pytest.raises(ValueError, match="vocab_size=256: must be above"):
        Words("some text", 256)


def test_a_file_that_is_no_gguf_is_refused(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(ValueError, match="not with b'GGUF'; get it again"):
        read_smollm2(tmp_path / "model.gguf")


def test_words_lose_nothing_and_pieces_are_characters():
    text = "The café is open; the café is full. 日本 the end"
    words = Words(text, 262)
    assert words.decode(words.encode(text)) == text
    assert "".join(words.pieces(words.encode(text))) == text
    assert pieces_of(["日".encode()[:2], "日".encode()[2:], b"\xff", b"a"])[:2] == ["", "日"]


def test_the_tokenizer_merges_the_lowest_rank_first_and_loses_nothing():
    letters = [*map(chr, range(33, 127)), "Ġ", "Ċ", "ab", "bc", "Ġab"]
    tokenizer = Tokenizer(["<|im_start|>", "<|im_end|>", *letters], ["b c", "a b", "Ġ ab"])
    assert tokenizer.pieces(tokenizer.encode("abc ab")) == ["a", "bc", " ab"]
    assert tokenizer.decode(tokenizer.chat("ab")[:1]) == "" and "user\nab" in tokenizer.decode(tokenizer.chat("ab"))


@pytest.mark.real
@pytest.mark.skipif(not fetch.is_local(fetch.SMOLLM2), reason="the real model is not on this machine: nox -s models")
@pytest.mark.timeout(240)
def test_the_real_model_speaks():
    model, tokenizer = read_smollm2(fetch.model())
    ids = tokenizer.encode("The capital of France is")
    assert ids == [504, 3575, 282, 4649, 314]
    with torch.no_grad():
        assert tokenizer.decode([int(model(torch.tensor([ids]))[0, -1].argmax())]) == " Paris"
