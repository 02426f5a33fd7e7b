"""The chat model: transformers' Llama with copied weights, adapters, tokens; with the mark `real`, the file itself."""

import pytest
import torch
from ppo_loop import sample
from ppo_loop.lab import fetch
from ppo_loop.lab.real_model import answers_to, logprobs_of
from ppo_loop.smollm2 import Form, Llama, LlamaConfig, Tokens, load_chat_model
from ppo_loop.smollm2.checkpoint import state_name
from ppo_loop.smollm2.tokens import byte_letters

CONFIG = LlamaConfig(vocab_size=23, d_model=24, layers=2, heads=6, kv_heads=2, ffn=36)


@pytest.fixture(scope="module")
def model():
    made = Llama(CONFIG).requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    for parameter in made.parameters():
        parameter.data.normal_(std=0.2, generator=generator)
    return made


def neighbours_to_halves(weight, heads):
    """transformers rotates channel i with channel i + D/2; GGUF's rows have the pairs next to each other."""
    return weight.view(heads, -1, 2, weight.shape[1]).transpose(1, 2).reshape(weight.shape)


def test_oracle_llama_of_transformers(model):
    transformers = pytest.importorskip("transformers")
    peer = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=23, hidden_size=24, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=2,
            intermediate_size=36, tie_word_embeddings=True, rms_norm_eps=1e-5, pad_token_id=0,
        )
    )  # fmt: skip
    peer.model.embed_tokens.weight.data.copy_(model.wte.weight)
    peer.model.norm.weight.data.copy_(model.norm)
    for ours, theirs in zip(model.blocks, peer.model.layers, strict=True):
        attention, mlp = theirs.self_attn, theirs.mlp
        merged = [p.weight + p.scale * p.lora_b @ p.lora_a for p in (ours.q_proj, ours.v_proj)]
        attention.q_proj.weight.data.copy_(neighbours_to_halves(merged[0], 6))
        attention.k_proj.weight.data.copy_(neighbours_to_halves(ours.k_proj.weight, 2))
        attention.v_proj.weight.data.copy_(merged[1])
        attention.o_proj.weight.data.copy_(ours.o_proj.weight)
        for name in ("gate_proj", "up_proj", "down_proj"):
            getattr(mlp, name).weight.data.copy_(getattr(ours, name).weight)
        theirs.input_layernorm.weight.data.copy_(ours.attn_norm)
        theirs.post_attention_layernorm.weight.data.copy_(ours.ffn_norm)
    tokens = torch.randint(23, (3, 7), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(model(tokens), peer(tokens).logits, rtol=1e-4, atol=1e-4)  # float32 sums


def test_a_cache_changes_nothing_and_only_the_last_logits_are_made(model):
    tokens, cache = torch.randint(23, (2, 7), generator=torch.Generator().manual_seed(1)), model.new_cache(2)
    with torch.no_grad():
        model(tokens[:, :4], cache)
        parts = torch.cat([model(tokens[:, t, None], cache) for t in range(4, 7)], 1)
        torch.testing.assert_close(parts, model(tokens)[:, 4:], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(model(tokens, last=3), model(tokens)[:, -3:])


def test_the_reference_is_the_model_without_its_adapters(model):
    tokens = torch.ones(1, 3, dtype=torch.long)
    with torch.no_grad():
        adapted = model(tokens)
        with model.as_reference():
            assert not torch.equal(model(tokens), adapted)
        assert torch.equal(model(tokens), adapted)
    assert len(model.adapters()) == 2 * 2 * 2 and not any(p.requires_grad for p in model.parameters())


def test_answers_stop_at_the_chat_models_own_token(model):
    raw = sample(model, torch.ones(64, 2, dtype=torch.long), 6, torch.Generator().manual_seed(0), stop_token=5)
    assert raw.ended.any()
    with torch.no_grad():
        fresh = logprobs_of(model, raw)
    torch.testing.assert_close(fresh[raw.mask], raw.logprobs[raw.mask], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("text", "ended", "reward"),
    [
        ("The capital of France is Paris.", True, 1.0),
        ("Paris.", True, 1.0),
        ("Paris", True, 0.5),
        ("The capital of France is the city of Paris.", True, 0.7),
        ("The capital of France is Paris.", False, 0.0),
        ("", True, 0.0),
    ],
)
def test_the_form(text, ended, reward):
    assert Form().reward(text, ended) == pytest.approx(reward) and Form().obeys(text, ended) == (reward == 1)


def test_tokens_there_and_back():
    letters = byte_letters()
    vocabulary = [*letters.values(), "<|im_start|>", "<|im_end|>", "ab", "Ġab"]
    tokens = Tokens(vocabulary, ["a b", "Ġ ab"])
    ids = tokens.encode("ab abé")
    assert ids[:2] == [vocabulary.index("ab"), vocabulary.index("Ġab")] and tokens.decode(ids) == "ab abé"
    chat = tokens.decode(tokens.chat("ab"))
    assert chat == "<|im_start|>user\nab<|im_end|>\n<|im_start|>assistant\n"
    assert state_name("blk.3.attn_q.weight") == "blocks.3.q_proj.weight"
    assert state_name("blk.0.ffn_norm.weight") == "blocks.0.ffn_norm" and state_name("output_norm.weight") == "norm"


def test_bad_input_a_file_that_is_no_gguf(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"not a model")
    with pytest.raises(ValueError, match="begins with b'not '"):
        load_chat_model(tmp_path / "model.gguf")


@pytest.mark.real
@pytest.mark.skipif(not fetch.is_local(fetch.SMOLLM2), reason="the real model is not on this machine: nox -s models")
@pytest.mark.timeout(300)
def test_the_real_model_knows_a_capital(chat_model):
    model, tokens = chat_model
    prompt, answer = torch.tensor([tokens.chat("What is the capital of France?")]), []
    with torch.no_grad():
        cache, new = model.new_cache(1), prompt
        for _ in range(8):
            new = model(new, cache)[:, -1:].argmax(-1)
            answer.append(int(new))
    assert "Paris" in tokens.decode(answer)
    assert tokens.end == 2
    _, texts, ended = answers_to(model, tokens, "France", 2, torch.Generator().manual_seed(0))
    assert len(texts) == len(ended) == 2
