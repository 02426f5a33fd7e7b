"""Upcycling: the loss at step 0 is the dense model's."""

import pytest
import torch
from expert_router import Config, Decoder, evaluate, train, upcycle_decoder
from mistakes import generator, randn

CONFIG = Config(vocab_size=256, d_model=12, layers=3, heads=3, ffn=10, context=11)
TEXT = torch.randint(97, 123, (2_000,), generator=generator(0)).byte()


@pytest.mark.task("upcycle")
@pytest.mark.parametrize("experts", [1, 2, 5])
def test_every_expert_is_the_dense_layer(impl, seed, experts):
    gate_up, down = randn(seed, 6, 5, dtype=torch.float64), randn(seed + 1, 5, 3, dtype=torch.float64)
    for dense, stacked in zip((gate_up, down), impl.upcycle(gate_up, down, experts), strict=True):
        assert stacked.shape == (experts, *dense.shape) and stacked.dtype == torch.float64
        for expert in stacked:
            torch.testing.assert_close(expert, dense, rtol=0, atol=0)


@pytest.mark.task("upcycle")
def test_experts_have_memory_of_their_own_and_no_gradient_goes_back(impl, seed):
    dense = [randn(seed, 6, 5).requires_grad_(), randn(seed + 1, 5, 3).requires_grad_()]
    before = [w.detach().clone() for w in dense]
    made = impl.upcycle(*dense, 3)
    for stacked, old, w in zip(made, before, dense, strict=True):
        assert not stacked.requires_grad
        stacked[0] += 1
        torch.testing.assert_close(stacked[1:], old.expand(2, -1, -1), rtol=0, atol=0)
        torch.testing.assert_close(w.detach(), old, rtol=0, atol=0)


@pytest.mark.task("upcycle")
def test_bad_input_no_expert(impl):
    with pytest.raises(ValueError):
        impl.upcycle(torch.zeros(6, 5), torch.zeros(5, 3), 0)


def test_the_loss_at_step_0_is_that_of_the_dense_model():
    dense = Decoder(CONFIG, seed=1)
    train(dense, TEXT, 5, 1e-2)
    dense.double()
    tokens = torch.randint(256, (2, 11), generator=generator(1))
    want = dense(tokens)[0]
    for k in (2, 3):
        made = upcycle_decoder(dense, 4, k, layers=(0, 2)).double()
        got, routings = made(tokens)
        torch.testing.assert_close(got, want, rtol=0, atol=1e-6)  # the weights are of float32: they sum to 1 so far
        assert len(routings) == 2
    moved = upcycle_decoder(dense, 4, 1, layers=(0, 2), normalize=False).double()(tokens)[0]
    assert (moved - want).abs().max() > 0.05  # a weight of about 1/4 in place of 1


def test_copies_learn_different_things():
    dense = Decoder(CONFIG, seed=1)
    train(dense, TEXT, 5, 1e-2)
    made = upcycle_decoder(dense, 4, 2, layers=(1,))
    assert evaluate(made, TEXT)["loss"] == pytest.approx(evaluate(dense, TEXT)["loss"], abs=1e-5)
    train(made, TEXT, 5, 1e-2)
    weights = made.blocks[1].ffn.experts.down_proj
    assert min((weights[0] - other).abs().max() for other in weights[1:]) > 1e-3
    assert torch.equal(dense.blocks[1].ffn.down_proj, dense.blocks[1].ffn.down_proj)


def test_bad_input_a_decoder_that_has_experts():
    made = upcycle_decoder(Decoder(CONFIG), 4, 2, layers=(1,))
    with pytest.raises(ValueError, match="must be dense"):
        upcycle_decoder(made, 4, 2, layers=(0,))
