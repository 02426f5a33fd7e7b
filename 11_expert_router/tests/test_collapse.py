"""What happens to the load in training, with and without balance. Small shapes: seconds."""

import pytest
import torch
from expert_router import Balance, Config, Decoder, MoEConfig, balance_loss, evaluate, train, windows
from expert_router.collapse import spread_of
from expert_router.moe import Routing
from mistakes import generator

TEXT = torch.frombuffer(bytearray(b"the experts of a mixture learn what they are given. " * 60), dtype=torch.uint8)


def small(seed=0, noise=False, k=2):
    moe = MoEConfig(16, 8, 8, k, normalize=k > 1, noise=noise)
    return Decoder(Config(256, 16, 2, 2, 16, 16, moe, (0, 1)), seed)


def test_windows_are_of_the_text_and_the_targets_one_byte_later():
    tokens, targets = windows(TEXT, 5, 7, generator(0))
    assert tokens.shape == targets.shape == (5, 7) and torch.equal(tokens[:, 1:], targets[:, :-1])
    assert all(bytes(row.tolist()) in bytes(TEXT.tolist()) for row in tokens)


def test_the_record_has_every_step_layer_and_expert_and_conserves_tokens():
    history = train(small(), TEXT, 4, 1e-2, batch=3)
    assert len(history.loss) == len(history.load) == 4
    assert all(len(loads) == 2 and all(sum(load) == 3 * 16 * 2 for load in loads) for loads in history.load)


@pytest.mark.timeout(120)
def test_effect_without_balance_the_load_collapses_and_each_method_evens_it_out():
    """On a text of few bytes the favourites come soon. A wrong sign or weight does not reach these margins.

    The load is that of many steps: in one step of so short a training it hangs on the processor's last bits.
    """
    worst = {}
    for name, noise, balance in (
        ("none", False, Balance()),
        ("switch", False, Balance(switch=0.05)),
        ("bias", False, Balance(bias_rate=0.1)),
        ("shazeer", True, Balance(importance=0.1, load=0.1)),
    ):
        history = train(small(noise=noise), TEXT, 60, 1e-2, balance)
        load = torch.tensor(history.load[30:], dtype=torch.float64).sum(0)  # layer, expert
        worst[name] = float((load.amax(-1) / load.mean(-1)).mean())
    assert worst["none"] > 3, worst
    assert all(worst[name] < 2 for name in ("switch", "bias", "shazeer")), worst


def test_the_same_seed_gives_the_same_history():
    first, second, other = (train(small(noise=True), TEXT, 3, 1e-2, Balance(load=0.1), seed=s) for s in (1, 1, 2))
    assert first == second != other


def test_the_losses_are_weighted_and_added():
    model = small(noise=True)
    tokens, _ = windows(TEXT, 3, 16, generator(0))
    routing = model(tokens, generator(1))[1][0]
    each = [balance_loss(routing, Balance(**{name: 1})) for name in ("importance", "load", "switch", "z")]
    both = balance_loss(routing, Balance(importance=2, load=3, switch=4, z=5))
    torch.testing.assert_close(both, sum(w * loss for w, loss in zip((2, 3, 4, 5), each, strict=True)))
    assert float(balance_loss(routing, Balance())) == 0


def test_spread_of_a_dead_and_a_hot_expert():
    logits, kept = torch.zeros(1, 4, 4), torch.ones(1, 4, 1, dtype=torch.bool)
    indices = torch.tensor([[[0], [0], [1], [0]]])
    got = spread_of(Routing(logits, logits, indices, torch.ones(1, 4, 1), kept, None))
    assert got["max/mean"] == 3 and got["dead"] == 2
    assert got["CV(load)"] == pytest.approx(got["CV(importance)"]) == pytest.approx(1.5**0.5)


def test_a_dense_decoder_has_a_loss_and_no_load():
    dense = Decoder(Config(256, 16, 2, 2, 16, 16))
    assert set(evaluate(dense, TEXT)) == {"loss"}
    assert train(dense, TEXT, 2, 1e-2).load == [[], []]
