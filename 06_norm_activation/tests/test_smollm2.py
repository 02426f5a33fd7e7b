"""Our RMSNorm and SwiGLU in a Llama of transformers: the same values and gradients; and in the real model."""

import pytest
import torch
from norm_activation.lab import smollm2, smollm2_model
from norm_activation.lab.fetch import SMOLLM2, is_local


@pytest.fixture(scope="module")
def small():
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=31, hidden_size=18, intermediate_size=29, num_hidden_layers=3, num_attention_heads=3,
        num_key_value_heads=1, rms_norm_eps=1e-5, pad_token_id=None,
    )  # fmt: skip
    return LlamaForCausalLM(config).double().eval()


def gradients(model, tokens):
    model.zero_grad()
    loss = model(tokens).logits.square().mean()
    loss.backward()
    return loss.item(), {name: p.grad.clone() for name, p in model.named_parameters()}


def test_values_and_gradients_of_a_whole_llama_are_the_same(small):
    tokens = torch.randint(31, (2, 11), generator=torch.Generator().manual_seed(0))
    loss, theirs = gradients(small, tokens)
    put_back = smollm2_model.replace(small, smollm2_model.OurNorm, smollm2_model.OurMLP)
    our_loss, mine = gradients(small, tokens)
    put_back()
    assert our_loss == pytest.approx(loss, rel=1e-6)
    mine = {name.replace("original.", ""): g for name, g in mine.items()}
    assert mine.keys() == theirs.keys()
    for name, gradient in theirs.items():
        torch.testing.assert_close(mine[name], gradient, rtol=1e-4, atol=1e-8)  # transformers' norm rounds to float32


def test_every_mistake_changes_it_and_is_put_back(small):
    tokens = torch.randint(31, (2, 11), generator=torch.Generator().manual_seed(0))
    before = smollm2.loss_of(small, tokens)
    for name, change in smollm2.MISTAKES.items():
        put_back = smollm2_model.replace(small, **change)
        changed = smollm2.loss_of(small, tokens)
        put_back()
        assert changed != before or name == "the gain left out", name  # its gains are all 1
    assert smollm2.loss_of(small, tokens) == before


@pytest.mark.real
def test_the_real_model_has_the_same_loss_with_our_layers():
    pytest.importorskip("gguf")
    if not is_local(SMOLLM2):
        pytest.skip("the real model is not here: nox -s models")
    model, tokenizer = smollm2_model.load(smollm2.model_file("smollm2", print))
    tokens = smollm2.batch_of(tokenizer, smollm2.load_text("pydoc"), 1, 48)
    loss = smollm2.loss_of(model, tokens)
    put_back = smollm2_model.replace(model, smollm2_model.OurNorm, smollm2_model.OurMLP)
    assert smollm2.loss_of(model, tokens) == pytest.approx(loss, abs=1e-4) and loss < 5
    put_back()
