"""The real model: its forward pass, its file, and the heads that copy."""

import math

import pytest
import torch
from attention_lab.induction import (
    Checkpoint,
    Llama,
    LlamaConfig,
    Tokens,
    head_scores,
    loss_by_copy,
    read_checkpoint,
    repeated_tokens,
)
from attention_lab.induction.checkpoint import state_name
from attention_lab.induction.llama import rotate
from attention_lab.lab import fetch, record
from attention_lab.lab.induction import ranked
from attention_lab.lab.packing import packed, unpacked

CONFIG = LlamaConfig(layers=2, d_model=24, heads=6, kv_heads=2, ffn=20, vocab_size=31)


def small():
    torch.manual_seed(0)
    model = Llama(CONFIG).double().requires_grad_(False)
    for parameter in model.parameters():
        parameter.copy_(torch.randn_like(parameter) * 0.3)
    return model


def halves(weight, heads):
    """Rows of neighbouring pairs into Hugging Face's order: all even channels of a head, then all odd ones."""
    rows, width = weight.shape
    return weight.view(heads, rows // heads // 2, 2, width).transpose(1, 2).reshape(rows, width)


def test_oracle_transformers_llama():
    transformers = pytest.importorskip("transformers")
    ours = small()
    config = transformers.LlamaConfig(
        vocab_size=31, hidden_size=24, intermediate_size=20, num_hidden_layers=2, num_attention_heads=6,
        num_key_value_heads=2, tie_word_embeddings=True, rms_norm_eps=1e-5, attn_implementation="eager",
    )  # fmt: skip
    theirs = transformers.LlamaForCausalLM(config).double().eval()
    state = {"model.embed_tokens.weight": ours.wte.weight, "lm_head.weight": ours.wte.weight}
    state["model.norm.weight"] = ours.norm.weight
    for i, block in enumerate(ours.blocks):
        at = f"model.layers.{i}."
        state[f"{at}self_attn.q_proj.weight"] = halves(block.q_proj.weight, 6)
        state[f"{at}self_attn.k_proj.weight"] = halves(block.k_proj.weight, 2)
        state[f"{at}self_attn.v_proj.weight"], state[f"{at}self_attn.o_proj.weight"] = (
            block.v_proj.weight,
            block.o_proj.weight,
        )
        for name in ("gate_proj", "up_proj", "down_proj"):
            state[f"{at}mlp.{name}.weight"] = getattr(block, name).weight
        state[f"{at}input_layernorm.weight"] = block.attn_norm.weight
        state[f"{at}post_attention_layernorm.weight"] = block.ffn_norm.weight
    theirs.load_state_dict(state)
    tokens = torch.randint(31, (2, 13))
    with torch.no_grad():
        want = theirs(tokens, output_attentions=True)
    logits, weights = ours.look(tokens)
    torch.testing.assert_close(logits, want.logits, rtol=0, atol=1e-6)  # its angles are float32
    torch.testing.assert_close(weights, torch.stack(want.attentions), rtol=0, atol=1e-6)


def test_rotation_keeps_lengths_and_depends_on_distance_alone():
    torch.manual_seed(1)
    q, k = torch.randn(2, 1, 1, 1, 8).double().expand(2, 1, 1, 9, 8)
    a, b = rotate(q, 100.0), rotate(k, 100.0)
    torch.testing.assert_close(a.norm(dim=-1), q.norm(dim=-1))
    scores = (a @ b.transpose(-2, -1))[0, 0]
    torch.testing.assert_close(scores.diagonal(-3), scores.diagonal(-3)[:1].expand(6))


def test_scores_of_perfect_heads():
    n = 5
    weights = torch.zeros(1, 2, 3, 2 * n, 2 * n)
    for t in range(2 * n):
        weights[0, :, 0, t, max(t - n + 1, 0)] = 1  # an induction head
        weights[0, :, 1, t, max(t - 1, 0)] = 1  # a previous-token head
        weights[0, :, 2, t, 0] = 1  # a sink
    scores = head_scores(weights)
    assert scores.induction[0].tolist() == [1, 0, 0]
    assert scores.previous[0].tolist() == pytest.approx([1 / 9, 1, 1 / 9])
    assert scores.first[0].tolist() == [0, 0, 1]
    assert ranked(scores.induction)[0] == (0, 0)


def test_the_loss_of_a_model_that_copies():
    tokens = repeated_tokens(7, 6, 4, 0)
    assert torch.equal(tokens[:, :6], tokens[:, 6:])

    def look(tokens, removed=()):
        logits = torch.zeros(*tokens.shape, 7)
        if not removed:
            logits[:, 6:-1].scatter_(2, tokens[:, 1:6, None], 50.0)
        return logits, None

    first, second = loss_by_copy(look, tokens)
    assert first == pytest.approx(math.log(7)) and second < 1e-6
    assert loss_by_copy(look, tokens, ((0, 0),))[1] == pytest.approx(math.log(7))


def test_a_removed_head_of_the_llama_writes_nothing():
    model, tokens = small(), torch.randint(31, (1, 7))
    removed = model.look(tokens, removed=((1, 2),))[0]
    model.blocks[1].o_proj.weight[:, 8:12] = 0
    torch.testing.assert_close(model(tokens), removed, rtol=0, atol=1e-12)


def test_byte_level_bpe():
    letters = ["a", "b", "c", "Ġ", "ab", "Ġab", "Ã", "©", "Ã©", "1", "2"]
    tokens = Tokens(letters, ["a b", "Ġ ab", "Ã ©"])
    assert tokens.encode("ab ab") == [4, 5] and tokens.encode("cab") == [2, 4]
    assert tokens.encode("é12") == [8, 9, 10]  # two bytes of UTF-8; each digit alone
    assert tokens.decode([4, 5, 8]) == "ab abé"


def test_names_of_tensors():
    assert state_name("blk.3.attn_q.weight") == "blocks.3.q_proj.weight"
    assert state_name("token_embd.weight") == "wte.weight"


def test_bad_input_a_file_that_is_no_gguf(tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"PK\3\4 and more")
    with pytest.raises(ValueError, match="not with b'GGUF'; get it again"):
        read_checkpoint(tmp_path / "x.gguf")


def test_rows_are_packed_and_unpacked():
    rows = [[1.0, 0.0, 0.0], [0.25, 0.75, 0.0], [0.0, 0.0, 0.0], [0.1, 0.0, 0.9]]
    assert packed(rows) == ["1000", "250 750", "", "100 0 900"]
    assert unpacked(packed(rows), 3) == rows


def test_effect_the_recorded_heads_copy():
    """Four heads of 270 hold most of the copying; four random ones do not."""
    found = record.read(record.COMMITTED)["induction"]
    for whole, without, random in zip(found["loss"], found["removed"]["4"], found["random"]["4"], strict=True):
        assert whole[0] > 10 and whole[1] < 6
        assert without[1] > whole[1] + 5 and random[1] < whole[1] + 2
        assert abs(without[0] - whole[0]) < 0.5  # the first copy does not need them


@pytest.mark.real
@pytest.mark.skipif(not fetch.is_local(fetch.SMOLLM2), reason="the real model is not on this machine: nox -s models")
@pytest.mark.timeout(240)
def test_the_real_model_speaks_and_its_best_head_copies():
    checkpoint: Checkpoint = read_checkpoint(fetch.model())
    model, tokens = Llama.from_state(checkpoint.config, checkpoint.state), checkpoint.tokens
    ids = tokens.encode("The capital of France is")
    assert ids == [504, 3575, 282, 4649, 314]
    assert tokens.decode([int(model(torch.tensor([ids]))[0, -1].argmax())]) == " Paris"
    repeated = repeated_tokens(checkpoint.config.vocab_size, 64, 1, 7)
    scores = head_scores(model.look(repeated)[1])
    assert ranked(scores.induction)[0] == (18, 6) and 0.8 < float(scores.induction[18, 6]) < 0.95
    assert ranked(scores.previous)[0] == (16, 0)
