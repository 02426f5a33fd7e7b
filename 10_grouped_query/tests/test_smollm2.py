"""The real model's file: names, tokens, refusals; with the mark `real`, the model itself."""

import pytest
import torch
from grouped_query import convert
from grouped_query.__main__ import COMMANDS
from grouped_query.lab import fetch, plots
from grouped_query.lab.cli import main
from grouped_query.smollm2 import Tokens, load_decoder, read_checkpoint, state_name
from grouped_query.smollm2.tokens import byte_letters

IS_LOCAL = fetch.is_local(fetch.SMOLLM2)
needs_model = pytest.mark.skipif(not IS_LOCAL, reason="the real model is not on this machine: nox -s models")


def test_names_of_the_file_and_of_the_decoder():
    assert state_name("token_embd.weight") == "wte.weight"
    assert state_name("blk.3.attn_k.weight") == "blocks.3.attn.k_proj.weight"
    assert state_name("blk.12.ffn_down.weight") == "blocks.12.down_proj.weight"


def test_merges_are_applied_lowest_rank_first():
    letters = byte_letters()
    vocabulary = [*letters.values(), "ab", "bc", "abc"]
    tokens = Tokens(vocabulary, ["b c", "a bc", "a b"])
    assert tokens.encode("abcb") == [vocabulary.index("abc"), vocabulary.index("b")]
    assert tokens.encode("7") == [vocabulary.index("7")]
    assert len(letters) == len(set(letters.values())) == 256


def test_bad_input_a_file_that_is_no_gguf(tmp_path):
    (tmp_path / "a.gguf").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="begins with b'noth', not with b'GGUF'; get it again"):
        read_checkpoint(tmp_path / "a.gguf")


def test_the_real_model_belongs_to_its_own_command(capsys):
    assert main("grouped_query", "", COMMANDS, plots.draw, ["break", "--model", "smollm2"]) == 1
    assert "break has no form for it" in capsys.readouterr().out


@pytest.mark.real
@needs_model
@pytest.mark.timeout(240)
def test_the_real_model_and_its_pooled_heads():
    """Nine query heads read three key heads. It knows a capital, and forgets it when three heads become one."""
    checkpoint = read_checkpoint(fetch.model("smollm2"))
    model, c = load_decoder(checkpoint), checkpoint.config
    assert (c.layers, c.d_model, c.heads, c.kv_heads, c.vocab_size) == (30, 576, 9, 3, 49_152)
    ids = torch.tensor([checkpoint.tokens.encode("The capital of France is")])
    paris = checkpoint.tokens.encode(" Paris")[0]
    with torch.no_grad():
        whole = model(ids)[0, -1]
        cache = model.new_cache(1, 8)
        model(ids[:, :-1], cache)
        cached = model(ids[:, -1:], cache)[0, -1]
        pooled = convert(model, 1)(ids)[0, -1]
    assert int(whole.argmax()) == paris
    torch.testing.assert_close(cached, whole, rtol=1e-3, atol=1e-3)
    assert pooled.log_softmax(-1)[paris] < whole.log_softmax(-1)[paris] - 2
