"""GPT-2's shape: the oracle is `transformers`, with random weights of that shape."""

import math

import pytest
import torch
from given import TINY, integers
from torch import nn

from capstone_gpt import GPT, GPTConfig, load_gpt2, to_hugging_face


def peer(config, dtype=torch.float64):
    from transformers import GPT2Config, GPT2LMHeadModel

    theirs = GPT2Config(vocab_size=config.vocab_size, n_positions=config.context_length, n_embd=config.n_embd,
                        n_layer=config.n_layer, n_head=config.n_head, attn_implementation="eager")  # fmt: skip
    torch.manual_seed(1)
    model = GPT2LMHeadModel(theirs).to(dtype).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.2 * torch.randn_like(p))  # biases and gains away from 0 and 1
    return model


@pytest.fixture(scope="module")
def oracle():
    model = peer(TINY)
    tokens = integers(0, TINY.vocab_size, 3, 11)
    with torch.no_grad():
        return model, tokens, model(tokens).logits


def old_file(state, prefix="transformer."):
    """A state dict of GPT2LMHeadModel as files before safetensors hold it: with its masks, without the head."""
    state = {n.replace("transformer.", prefix): p for n, p in state.items() if n != "lm_head.weight"}
    return {**state, f"{prefix}h.0.attn.bias": torch.ones(1, 1, 11, 11),
            f"{prefix}h.0.attn.masked_bias": torch.tensor(-1e4)}  # fmt: skip


@pytest.mark.parametrize("prefix", ["transformer.", ""])
def test_oracle_a_converted_checkpoint_gives_its_logits(oracle, prefix):
    theirs, tokens, want = oracle
    model = GPT(TINY).double()
    model.load_state_dict(load_gpt2(old_file(theirs.state_dict(), prefix)))  # strict: every name, no other
    with torch.no_grad():
        torch.testing.assert_close(model(tokens), want, rtol=0, atol=1e-10)
    assert theirs.state_dict().keys() == to_hugging_face(model.state_dict()).keys()


def random_state(config):
    """A state dict of GPT, with biases and gains away from 0 and 1."""
    torch.manual_seed(1)
    state = {n: torch.randn_like(p) for n, p in GPT(config).state_dict().items()}
    return {**state, "lm_head.weight": state["wte.weight"]}


@pytest.mark.task("load_gpt2")
@pytest.mark.parametrize("prefix", ["transformer.", ""])
def test_a_converted_checkpoint_is_the_model_that_was_written(impl, prefix):
    state = random_state(TINY)
    ours = impl.load_gpt2(old_file(to_hugging_face(state), prefix))
    assert ours.keys() == state.keys() and all(torch.equal(ours[n], p) for n, p in state.items())


@pytest.mark.task("load_gpt2")
def test_an_unknown_name_is_refused(impl):
    state = to_hugging_face(random_state(TINY))
    for wrong in ("transformer.h.0.attn.rotary.weight", "model.embed_tokens.weight", "transformer.h.0.ln_1.scale"):
        with pytest.raises(ValueError):
            impl.load_gpt2({**state, wrong: torch.zeros(2)})


@pytest.mark.task("load_gpt2")
def test_the_head_is_the_embedding_and_matrices_are_contiguous(impl):
    theirs = to_hugging_face(random_state(TINY))
    ours = impl.load_gpt2(theirs)
    assert ours["lm_head.weight"] is ours["wte.weight"]
    assert ours["blocks.1.mlp.c_fc.weight"].shape == (48, 12)
    assert all(p.is_contiguous() for p in ours.values())
    views = {n: p.T.contiguous().T if p.ndim == 2 else p for n, p in theirs.items()}
    views["lm_head.weight"] = views["lm_head.weight"].clone()
    ours = impl.load_gpt2(views)
    assert all(p.is_contiguous() for p in ours.values()) and ours["lm_head.weight"] is ours["wte.weight"]


@pytest.mark.task("GPT")
def test_logits_are_those_of_the_parts_one_after_the_other(impl):
    model, tokens = impl.GPT(TINY).double(), integers(0, TINY.vocab_size, 3, 11)
    model.load_state_dict(random_state(TINY))
    x = model.wte.weight[tokens] + model.wpe.weight
    for block in model.blocks:
        x = x + block.attn(block.ln_1(x))
        inner = nn.functional.gelu(block.mlp.c_fc(block.ln_2(x)), approximate="tanh")
        x = x + block.mlp.c_proj(inner)
    torch.testing.assert_close(model(tokens), model.ln_f(x) @ model.wte.weight.T, rtol=1e-12, atol=1e-10)


def test_oracle_logits_and_gradients(oracle):
    theirs, tokens, want = oracle
    model = GPT(TINY).double()
    model.load_state_dict(load_gpt2(theirs.state_dict()))
    logits = model(tokens)
    torch.testing.assert_close(logits, want, rtol=0, atol=1e-10)
    upstream = torch.randn(want.shape, dtype=torch.float64)
    (logits * upstream).sum().backward()
    (theirs(tokens).logits * upstream).sum().backward()
    grads = load_gpt2({n: p.grad for n, p in theirs.named_parameters()})
    for name, p in model.named_parameters():
        torch.testing.assert_close(p.grad, grads[name], rtol=0, atol=1e-9)
    theirs.zero_grad()


@pytest.mark.task("GPT")
def test_one_head_one_embedding(impl):
    model = impl.GPT(TINY)
    assert model.lm_head.weight is model.wte.weight
    assert set(model.state_dict()) == set(GPT(TINY).state_dict())
    assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for p in GPT(TINY).parameters())
    assert model(integers(0, 29, 2, 5)).shape == (2, 5, 29)
    with pytest.raises(ValueError):
        model(torch.zeros(1, 12, dtype=torch.long))


@pytest.mark.task("GPT")
def test_initialisation(impl):
    torch.manual_seed(0)
    config = GPTConfig(vocab_size=101, context_length=64, n_layer=8, n_head=2, n_embd=64)
    model = impl.GPT(config)
    for name, p in model.named_parameters():
        if name.endswith("bias"):
            assert p.count_nonzero() == 0, name
        elif p.ndim == 1:
            assert (p == 1).all(), name
        else:
            want = 0.005 if name.endswith(("o_proj.weight", "c_proj.weight")) else 0.02
            assert p.std().item() == pytest.approx(want, rel=0.1), name
            assert abs(p.mean().item()) < want / 5
            assert 0.02 < (p.abs() > 2 * want).float().mean() < 0.09, name  # normal: a twentieth
    tokens = integers(1, 101, 8, 64)
    loss = nn.functional.cross_entropy(model(tokens).flatten(0, 1), integers(2, 101, 512))
    assert loss.item() == pytest.approx(math.log(101), abs=0.05)


@pytest.mark.task("GPT")
def test_property_causal(impl):
    torch.manual_seed(0)
    model, tokens = impl.GPT(TINY), integers(0, 29, 1, 9)
    changed = tokens.clone()
    changed[0, 6] = (changed[0, 6] + 1) % 29
    with torch.no_grad():
        a, b = model(tokens), model(changed)
    assert torch.equal(a[:, :6], b[:, :6]) and not torch.allclose(a[:, 6:], b[:, 6:], atol=1e-4)


def test_gpt2_has_124_million_parameters_and_the_same_logits_in_float32():
    config = GPTConfig()
    with torch.device("meta"):
        model = GPT(config)
    assert sum(p.numel() for p in model.parameters()) == 124_439_808
    config = GPTConfig(vocab_size=509, context_length=32, n_layer=3, n_head=4, n_embd=64)
    theirs, ours, tokens = peer(config, torch.float32), GPT(config), integers(0, 509, 2, 32)
    ours.load_state_dict(load_gpt2(theirs.state_dict()))
    with torch.no_grad():
        scale = theirs(tokens).logits.abs().max()
        assert (ours(tokens) - theirs(tokens).logits).abs().max() < 2e-5 * max(1.0, scale)
        erf = GPT(config)
        erf.load_state_dict(ours.state_dict())
        gelu = nn.functional.gelu
        for block in erf.blocks:
            block.mlp.forward = lambda x, m=block.mlp: m.c_proj(gelu(m.c_fc(x)))
        assert (erf(tokens) - ours(tokens)).abs().max() > 1e-4


def test_the_way_back_is_the_same_file():
    theirs = peer(TINY)
    back = to_hugging_face(load_gpt2(theirs.state_dict()))
    for name, p in theirs.state_dict().items():
        assert torch.equal(back[name], p), name


def test_config_refuses_heads_that_do_not_fit():
    with pytest.raises(ValueError, match="n_embd=10"):
        GPTConfig(n_embd=10, n_head=3)
