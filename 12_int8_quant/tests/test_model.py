"""The decoder, its training, and the real model's file."""

import pytest
import torch
from int8_quant import Config, Decoder, evaluate, generate, linears, perplexity, quantize_model, train, windows
from int8_quant.__main__ import COMMANDS
from int8_quant.lab import bench, fetch, plots
from int8_quant.lab.cli import main
from int8_quant.smollm2 import Tokens, load_decoder, read_checkpoint, state_name
from int8_quant.smollm2.tokens import byte_letters

CONFIG = Config(vocab_size=31, d_model=24, layers=2, heads=4, kv_heads=2, ffn=20)
TEXT = torch.arange(2_000) * 7 % 31
IS_LOCAL = fetch.is_local(fetch.SMOLLM2)
needs_model = pytest.mark.skipif(not IS_LOCAL, reason="the real model is not on this machine: nox -s models")


def test_oracle_transformers_llama():
    model = Decoder(CONFIG).requires_grad_(False)
    tokens = torch.randint(31, (2, 9), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(bench.transformers_twin(model)(tokens).logits, model(tokens), rtol=1e-4, atol=1e-5)


def test_a_cache_gives_the_same_logits():
    model, tokens, cache = Decoder(CONFIG).requires_grad_(False), TEXT[None, :9], []
    parts = [model(tokens[:, :5], cache), *(model(tokens[:, i : i + 1], cache) for i in range(5, 9))]
    torch.testing.assert_close(torch.cat(parts, 1), model(tokens), rtol=1e-4, atol=1e-5)
    out = generate(model, tokens, 3)
    assert out.shape == (1, 12) and torch.equal(out[:, 9], model(tokens)[:, -1].argmax(-1))


def test_int8_decoding_follows_fp32():
    model = train(Decoder(CONFIG), TEXT, 120, lr=1e-2, length=16).requires_grad_(False)
    eight = bench.to_int8(model)
    assert torch.equal(generate(eight, TEXT[None, :9], 8), generate(model, TEXT[None, :9], 8))
    assert evaluate(eight, TEXT[None, :64]) == pytest.approx(evaluate(model, TEXT[None, :64]), abs=0.05)
    assert bench.size_of(eight) < 0.4 * bench.size_of(model)


def test_training_and_its_bad_inputs():
    model = train(Decoder(CONFIG), TEXT, 100, lr=1e-2, length=16)
    assert evaluate(model, windows(TEXT, 4, 33, torch.Generator().manual_seed(0))) < 0.5
    assert perplexity(0.0) == 1
    with pytest.raises(ValueError, match="length=65: the text has only 9 tokens; give more text"):
        train(Decoder(CONFIG), TEXT[:9], 1)
    with pytest.raises(ValueError, match="lr=.*train with a smaller lr"):
        train(Decoder(CONFIG), TEXT, 30, lr=1e30, length=16)


@pytest.mark.parametrize(("change", "word"), [({"kv_heads": 3}, "kv_heads=3"), ({"d_model": 20}, "d_model=20")])
def test_bad_input_a_configuration(change, word):
    from dataclasses import replace

    with pytest.raises(ValueError, match=word):
        replace(CONFIG, **change)


def test_names_and_tokens_of_the_file(tmp_path):
    assert state_name("blk.3.attn_k.weight") == "blocks.3.attn.k_proj.weight"
    assert state_name("token_embd.weight") == "wte.weight"
    letters = byte_letters()
    vocabulary = [*letters.values(), "ab", "bc", "abc"]
    tokens = Tokens(vocabulary, ["b c", "a bc", "a b"])
    assert tokens.encode("abcb") == [vocabulary.index("abc"), vocabulary.index("b")]
    (tmp_path / "a.gguf").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="begins with b'noth', not with b'GGUF'; get it again"):
        read_checkpoint(tmp_path / "a.gguf")


def test_the_real_model_belongs_to_its_own_command(capsys):
    assert main("int8_quant", "", COMMANDS, plots.draw, ["break", "--model", "smollm2"]) == 1
    assert "break has no form for it" in capsys.readouterr().out


@pytest.mark.real
@needs_model
@pytest.mark.timeout(240)
def test_the_real_model_knows_a_capital_in_eight_bits():
    checkpoint = read_checkpoint(fetch.model("smollm2"))
    model = load_decoder(checkpoint)
    assert len(linears(model)) == 210
    ids = torch.tensor([checkpoint.tokens.encode("The capital of France is")])
    paris = checkpoint.tokens.encode(" Paris")[0]
    with torch.no_grad():
        assert int(model(ids)[0, -1].argmax()) == paris
        assert int(quantize_model(model, "LLM.int8")(ids)[0, -1].argmax()) == paris
        one_scale = quantize_model(model, "absmax")(ids)[0, -1].log_softmax(-1)[paris]
        assert one_scale < model(ids)[0, -1].log_softmax(-1)[paris]
