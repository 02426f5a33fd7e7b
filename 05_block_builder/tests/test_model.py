"""The models, their initialization, what flows through them, and the first test of any model: overfit and recite."""

import math

import pytest
import torch
from block_builder import (
    GPT,
    Config,
    Encoder,
    EncoderClassifier,
    EncoderDecoder,
    init_weights,
    measure,
    memorize,
    next_token_loss,
    recite,
    seeded,
    standard_normal,
)
from block_builder import overfit as text
from mistakes import filled, given_model, like, randn, real_tokens, tokens_of
from oracles import gpt2_block_state, gpt2_config

CONFIG = Config(vocab_size=31, context_length=13, layers=3, heads=3, width=21)


# ---------------------------------------------------------------- GPT


def test_gpt_is_gpt2_with_the_same_weights(impl, seed):
    from transformers import GPT2LMHeadModel

    model, tokens = filled(impl.GPT(CONFIG), seed), tokens_of(seed, 2, 13, vocab_size=31)
    oracle = GPT2LMHeadModel(gpt2_config(CONFIG)).double().eval()
    state = {"transformer.wte.weight": model.wte.weight, "transformer.wpe.weight": model.wpe.weight,
             "transformer.ln_f.weight": model.ln_f.weight, "transformer.ln_f.bias": model.ln_f.bias,
             "lm_head.weight": model.wte.weight}  # fmt: skip
    for i, block in enumerate(model.blocks):
        state |= {f"transformer.h.{i}.{name}": value for name, value in gpt2_block_state(block).items()}
    oracle.load_state_dict(state)
    torch.testing.assert_close(model(tokens), oracle(tokens).logits, rtol=1e-11, atol=1e-11)
    weights = (model.wte.weight, model.wpe.weight, model.blocks[0].mlp.fc_in.bias)
    got = torch.autograd.grad(next_token_loss(model, tokens), weights)
    loss = torch.nn.functional.cross_entropy(oracle(tokens[:, :-1]).logits.flatten(0, 1), tokens[:, 1:].flatten())
    theirs = oracle.transformer
    want = torch.autograd.grad(loss, (theirs.wte.weight, theirs.wpe.weight, theirs.h[0].mlp.c_fc.bias))
    for g, w in zip(got, want, strict=True):
        torch.testing.assert_close(g, w, rtol=1e-10, atol=1e-11)


@pytest.mark.task("GPT")
def test_logits_are_those_of_the_parts_one_after_the_other(impl, seed):
    model, tokens = filled(impl.GPT(CONFIG), seed), tokens_of(seed, 2, 7, vocab_size=31)
    x = model.wte.weight[tokens] + model.wpe.weight[:7]
    for block in model.blocks:
        x = block(x)
    want = model.ln_f(x) @ model.wte.weight.T
    torch.testing.assert_close(model(tokens), want, rtol=1e-11, atol=1e-11)


@pytest.mark.task("GPT")
@pytest.mark.parametrize("norm_first", [True, False])
def test_parameters_of_gpt_by_formula(impl, norm_first):
    model = impl.GPT(like(CONFIG, norm_first=norm_first))
    V, T, L, C = 31, 13, 3, 21
    wanted = V * C + T * C + L * (12 * C * C + 13 * C) + (2 * C if norm_first else 0)
    assert len({id(p) for p in model.parameters()}) == len(list(model.parameters()))
    assert sum(p.numel() for p in model.parameters()) == wanted


@pytest.mark.task("GPT")
def test_a_step_of_training_moves_head_and_table_together(impl, seed):
    model = filled(impl.GPT(CONFIG), seed).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = model.wte.weight.detach().clone()
    model(tokens_of(seed, 2, 5)).square().mean().backward()
    optimizer.step()
    assert not torch.equal(model.wte.weight, before)
    assert torch.equal(model.wte.weight, model.lm_head.weight)


@pytest.mark.task("GPT")
def test_a_text_that_is_too_long_is_refused(impl):
    with pytest.raises(ValueError):
        impl.GPT(CONFIG)(torch.zeros(1, 14, dtype=torch.long))
    assert impl.GPT(CONFIG)(torch.zeros(1, 13, dtype=torch.long)).shape == (1, 13, 31)


@pytest.mark.task("GPT")
def test_a_batch_may_have_more_texts_than_the_context_has_positions(impl):
    assert impl.GPT(CONFIG)(torch.zeros(14, 2, dtype=torch.long)).shape == (14, 2, 31)


@pytest.mark.task("GPT")
def test_dropout_acts_on_the_sum_of_the_embeddings(impl):
    tokens = tokens_of(0, 2, 5)
    model, whole = (filled(impl.GPT(like(CONFIG, dropout=p)), 0) for p in (1.0, 0.0))
    torch.testing.assert_close(model(tokens), whole(tokens), rtol=0, atol=0)
    nothing = whole.lm_head(whole.ln_f(torch.zeros(2, 5, 21, dtype=torch.float64)))
    torch.testing.assert_close(model.train()(tokens), nothing, rtol=0, atol=0)


def test_gpt2_small_has_124_million_parameters():
    with torch.device("meta"):
        model = GPT(Config(50_257, 1024, layers=12, heads=12, width=768))
    assert sum(p.numel() for p in model.parameters()) == 124_439_808


def test_the_sentence_about_a_text_that_is_too_long():
    with pytest.raises(ValueError, match="tokens=14 positions: the context has 13; give fewer tokens"):
        GPT(CONFIG)(torch.zeros(1, 14, dtype=torch.long))


# ---------------------------------------------------------------- init_weights


@pytest.mark.task("init_weights")
@pytest.mark.parametrize("layers", [1, 4])
def test_branches_add_up_to_one_branchs_variance(impl, seed, layers):
    model = given_model(like(CONFIG, layers=layers, width=48, heads=4))
    noise = standard_normal(model, torch.Generator().manual_seed(seed))
    impl.init_weights(model, noise, std=0.5)
    ends = [p for name, p in model.named_parameters() if name.endswith(("o_proj.weight", "fc_out.weight"))]
    assert len(ends) == 2 * layers
    assert sum(float(p.detach().var()) for p in ends) == pytest.approx(0.25, rel=0.08)  # 2,304 numbers at least
    assert float(model.wte.weight.detach().std()) == pytest.approx(0.5, rel=0.12)


@pytest.mark.task("init_weights")
def test_biases_are_zero_and_norms_one(impl, seed):
    model = given_model(CONFIG)
    for parameter in model.parameters():
        parameter.data.fill_(0.25)  # as if it had been trained
    impl.init_weights(model, standard_normal(model, torch.Generator().manual_seed(seed)))
    vectors = {name: p.detach() for name, p in model.named_parameters() if p.ndim == 1}
    assert all((p == (0 if name.endswith("bias") else 1)).all() for name, p in vectors.items())


@pytest.mark.task("init_weights")
def test_the_model_is_changed_in_place_and_can_be_trained(impl, seed):
    model = given_model(CONFIG)
    before, noise = dict(model.named_parameters()), standard_normal(model, torch.Generator().manual_seed(seed))
    assert impl.init_weights(model, noise, std=0.3) is None
    assert all(p is before[name] and p.requires_grad and p.is_leaf for name, p in model.named_parameters())
    for name in ("wte.weight", "wpe.weight"):
        torch.testing.assert_close(before[name].detach(), 0.3 * noise[name])


@pytest.mark.task("init_weights")
def test_effect_the_stream_does_not_grow_with_depth(impl):
    grown = []
    for layers in (2, 24):
        model = given_model(Config(31, 16, layers=layers, heads=4, width=32))
        impl.init_weights(model, standard_normal(model, torch.Generator().manual_seed(1)), std=0.2)
        stream = measure(model, tokens_of(3, 4, 16, vocab_size=31))["stream"]
        grown.append(stream[-1])
    assert grown[1] < 1.5 * grown[0]  # without the scale it grows about threefold


def test_an_untrained_model_has_the_loss_of_a_guess():
    tokens = tokens_of(0, 8, 13, vocab_size=31)
    losses = [next_token_loss(seeded(GPT(CONFIG), seed), tokens).item() for seed in range(3)]
    assert losses == pytest.approx([math.log(31)] * 3, abs=0.05)


def test_init_weights_needs_no_gradient_tape():
    model = GPT(CONFIG)
    init_weights(model, standard_normal(model, torch.Generator().manual_seed(0)))
    assert all(p.is_leaf for p in model.parameters())
    assert torch.equal(randn(0, 3), randn(0, 3))


# ---------------------------------------------------------------- encoder, encoder-decoder


@pytest.mark.parametrize("norm_first", [True, False])
def test_padding_changes_nothing(norm_first):
    config = like(CONFIG, norm_first=norm_first)
    seen, source, target = real_tokens(6, 3), tokens_of(0, 2, 6), tokens_of(1, 2, 4)
    other = torch.where(seen, source, source + 5)
    model = filled(EncoderDecoder(config), 0)
    torch.testing.assert_close(model(source, target, seen), model(other, target, seen), rtol=0, atol=1e-12)
    classifier = filled(EncoderClassifier(config, 2), 0)
    assert classifier(source, seen).shape == (2, 2)
    torch.testing.assert_close(classifier(source, seen), classifier(other, seen), rtol=0, atol=1e-12)


def test_the_encoder_is_pytorchs_stack():
    from oracles import pytorch_encoder_layer

    model, tokens = filled(Encoder(CONFIG), 0), tokens_of(1, 2, 7)
    x = model.wte(tokens) + model.wpe.weight[:7]
    for block in model.blocks:
        x = pytorch_encoder_layer(block, CONFIG)(x)
    torch.testing.assert_close(model(tokens), model.ln_f(x), rtol=0, atol=1e-11)


def test_the_decoder_does_not_look_ahead():
    model = filled(EncoderDecoder(CONFIG), 0)
    source, target = tokens_of(0, 2, 6), tokens_of(1, 2, 5)
    other = target.clone()
    other[:, -1] = (other[:, -1] + 1) % 11
    got, want = model(source, other), model(source, target)
    torch.testing.assert_close(got[:, :-1], want[:, :-1], rtol=0, atol=1e-12)
    assert got.shape == (2, 5, 31)


# ---------------------------------------------------------------- signal


def test_measure_reads_what_a_loop_by_hand_reads():
    model, tokens = filled(GPT(CONFIG), 0), tokens_of(1, 2, 7, vocab_size=31)
    found = measure(model, tokens)
    x = model.wte(tokens[:, :-1]) + model.wpe.weight[:6]
    streams = []
    for block in model.blocks:
        x = block(x)
        x.retain_grad()
        streams.append(x)
    logits = model.lm_head(model.ln_f(x))
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()).backward()
    want = [s.detach().square().mean().sqrt().item() for s in streams]
    gradients = [s.grad.square().mean().sqrt().item() for s in streams]
    assert found["stream"] == pytest.approx(want, rel=1e-12)
    assert found["stream gradient"] == pytest.approx(gradients, rel=1e-10)
    ends = [block.mlp.fc_out.weight.grad.norm().item() for block in model.blocks]
    assert found["fc_out gradient"] == pytest.approx(ends, rel=1e-10)


def test_measure_leaves_the_model_as_it_was():
    model = filled(GPT(CONFIG), 0)
    measure(model, tokens_of(1, 2, 7, vocab_size=31))
    assert all(p.grad is None for p in model.parameters())
    assert not any(block._forward_hooks for block in model.blocks)


def test_effect_the_identity_path():
    """With zero branches the gradient at every depth is the same; Post-LN changes it at each norm."""
    tokens = tokens_of(1, 4, 9, vocab_size=31)
    found = {}
    for norm_first in (True, False):
        model = seeded(GPT(like(CONFIG, layers=12, norm_first=norm_first)), 0, std=0.5)
        for block in model.blocks:
            torch.nn.init.zeros_(block.attn.o_proj.weight)
            torch.nn.init.zeros_(block.mlp.fc_out.weight)
        gradients = measure(model, tokens)["stream gradient"]
        found[norm_first] = gradients[0] / gradients[-1]
    assert found[True] == pytest.approx(1.0, abs=1e-6)


# ---------------------------------------------------------------- overfit


def test_the_model_learns_one_text_by_heart_and_recites_it():
    vocabulary = "".join(sorted(set(text.RHYME)))
    tokens = text.encode(text.RHYME, vocabulary)
    model = seeded(GPT(Config(len(vocabulary), 128, layers=2, heads=2, width=32)), 0)
    untrained = text.decode(recite(model, tokens[:, :1], 40), vocabulary)
    losses = memorize(model, tokens, steps=150, lr=1e-2)
    assert losses[0] == pytest.approx(math.log(len(vocabulary)), abs=0.1)
    assert losses[-1] < 0.02
    assert text.decode(recite(model, tokens[:, :1], len(text.RHYME) - 1), vocabulary) == text.RHYME
    assert len(set(untrained[1:])) < 12  # greedy generation without training goes round in circles


def test_recite_goes_on_beyond_the_context():
    model = seeded(GPT(like(CONFIG, context_length=4)), 0)
    assert recite(model, torch.tensor([[1, 2]]), 7).shape == (1, 9)


def test_a_character_that_is_not_in_the_vocabulary():
    with pytest.raises(ValueError, match="text='z': the vocabulary lacks this character"):
        text.encode("abz", "abc")
