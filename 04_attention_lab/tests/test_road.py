"""Recurrent cells: `nn.RNN`, `nn.LSTM` and `nn.GRU` with the same weights are the oracle; for BPTT it is autograd."""

import pytest
import torch
import torch.nn.functional as F
from attention_lab.road import (
    CELLS,
    Bidirectional,
    Recurrent,
    backward_through_time,
    many_to_many,
    many_to_one,
    one_to_many,
    parameter_count,
    zero_state,
)
from torch import nn

THEIRS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
NAMES = {"ih": "weight_ih_l0", "hh": "weight_hh_l0", "bias_ih": "bias_ih_l0", "bias_hh": "bias_hh_l0"}


def pair(kind):
    """Ours and PyTorch's, with the same weights; prime sizes, float64."""
    torch.manual_seed(0)
    theirs, ours = THEIRS[kind](5, 7, batch_first=True).double(), Recurrent(kind, 5, 7).double()
    for name, other in NAMES.items():
        getattr(ours, name).data.copy_(getattr(theirs, other).data)
    return ours, theirs


@pytest.mark.parametrize("kind", CELLS)
def test_oracle_pytorchs_networks_values_states_and_gradients(kind):
    ours, theirs = pair(kind)
    x, upstream = torch.randn(3, 11, 5).double(), torch.randn(3, 11, 7).double()
    state = tuple(torch.randn(3, 7).double() for _ in range(CELLS[kind].states))
    outer = tuple(s[None] for s in state)
    (want, last), (got, state_) = theirs(x, outer if kind == "lstm" else outer[0]), ours(x, state)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-14)
    for a, b in zip(state_, last if kind == "lstm" else (last,), strict=True):
        torch.testing.assert_close(a, b[0], rtol=0, atol=1e-14)
    (want * upstream).sum().backward()
    (got * upstream).sum().backward()
    for name, other in NAMES.items():
        torch.testing.assert_close(getattr(ours, name).grad, getattr(theirs, other).grad, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", CELLS)
def test_oracle_back_propagation_through_time_is_autograds(kind):
    network, _ = pair(kind)
    x, upstream = torch.randn(3, 11, 5).double().requires_grad_(), torch.randn(3, 11, 7).double()
    state = tuple(torch.randn(3, 7).double().requires_grad_() for _ in range(CELLS[kind].states))
    loss = (network(x, state)[0] * upstream).sum()
    want = torch.autograd.grad(loss, (x, *state, *network.weights))
    plain = tuple(s.detach() for s in state)
    got = backward_through_time(kind, x.detach(), plain, network.weights, upstream)
    for a, b in zip((got.x, *got.state, *got.weights), want, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)  # sums over 33 steps and rows


def test_oracle_bidirectional():
    torch.manual_seed(1)
    theirs, ours = nn.GRU(5, 7, batch_first=True, bidirectional=True).double(), Bidirectional("gru", 5, 7).double()
    for network, suffix in ((ours.forwards, ""), (ours.backwards, "_reverse")):
        for name, other in NAMES.items():
            getattr(network, name).data.copy_(getattr(theirs, other + suffix).data)
    x = torch.randn(3, 11, 5).double()
    torch.testing.assert_close(ours(x), theirs(x)[0], rtol=0, atol=1e-14)


@pytest.mark.parametrize("kind", CELLS)
def test_cost_parameters(kind):
    network = Recurrent(kind, 5, 7)
    assert parameter_count(kind, 5, 7) == sum(p.numel() for p in network.parameters())
    assert parameter_count(kind, 5, 7) == sum(p.numel() for p in THEIRS[kind](5, 7).parameters())


def test_cost_a_gru_has_three_quarters_of_an_lstms_parameters():
    assert parameter_count("gru", 100, 50) * 4 == parameter_count("lstm", 100, 50) * 3
    assert parameter_count("rnn", 100, 50) * 4 == parameter_count("lstm", 100, 50)


def test_effect_gradients_vanish_in_an_rnn_and_a_forget_bias_of_one_keeps_more():
    from attention_lab.lab.recurrent import vanishing

    for seed in (0, 1, 2):
        found = {name: runs[0] for name, runs in vanishing([seed]).items()}
        assert found["rnn"][20] < 1e-3
        assert found["lstm, forget bias 1"][20] > 10 * found["rnn"][20]
        assert found["lstm, forget bias 1"][20] > 3 * found["lstm"][20]


def train(parts, forward, batch, steps=150, lr=0.02):
    optimizer = torch.optim.Adam(parts.parameters(), lr)
    for _ in range(steps):
        x, y = batch()
        loss = (
            F.mse_loss(forward(x), y)
            if y.dtype.is_floating_point
            else F.cross_entropy(forward(x).flatten(0, -2), y.flatten())
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x, y = batch()
    with torch.no_grad():
        out = forward(x)
    return float(F.mse_loss(out, y)) if y.dtype.is_floating_point else float((out.argmax(-1) == y).float().mean())


def test_effect_many_to_one_learns_the_first_bit():
    torch.manual_seed(0)
    network, head = Recurrent("gru", 1, 12), nn.Linear(12, 2)

    def batch():
        bits = torch.randint(2, (64, 8))
        return bits[..., None].float(), bits[:, 0]

    assert train(nn.ModuleList((network, head)), lambda x: many_to_one(network, head, x), batch) > 0.98


def test_effect_many_to_many_learns_parity_so_far():
    torch.manual_seed(1)
    network, head = Recurrent("gru", 1, 16), nn.Linear(16, 2)

    def batch():
        bits = torch.randint(2, (64, 6))
        return bits[..., None].float(), bits.cumsum(1) % 2

    assert train(nn.ModuleList((network, head)), lambda x: many_to_many(network, head, x), batch, 300) > 0.95


def test_effect_one_to_many_counts_on():
    torch.manual_seed(2)
    network, head = Recurrent("gru", 1, 16), nn.Linear(16, 1)

    def batch():
        first = torch.rand(64, 1)
        return first, first[:, None] + 0.1 * torch.arange(1.0, 6)[None, :, None]

    assert train(nn.ModuleList((network, head)), lambda x: one_to_many(network, head, x, 5), batch) < 2e-3


def test_effect_a_bidirectional_network_knows_what_follows():
    """The next bit is the answer: from left to right it is a coin."""
    torch.manual_seed(3)
    both, one, heads = (
        Bidirectional("gru", 1, 8),
        Recurrent("gru", 1, 16),
        nn.ModuleList((nn.Linear(16, 2), nn.Linear(16, 2))),
    )

    def batch():
        bits = torch.randint(2, (64, 7))
        return bits[:, :, None].float(), bits.roll(-1, 1)[:, :-1]

    right = train(nn.ModuleList((both, heads[0])), lambda x: heads[0](both(x))[:, :-1], batch)
    left = train(nn.ModuleList((one, heads[1])), lambda x: heads[1](one(x)[0])[:, :-1], batch)
    assert right > 0.95 and left < 0.65


def test_bad_input():
    with pytest.raises(ValueError, match="kind='elman': choose one of rnn, lstm, gru"):
        Recurrent("elman", 1, 2)
    with pytest.raises(ValueError, match="kind='elman'"):
        parameter_count("elman", 1, 2)
    assert len(zero_state("lstm", 3, 2, torch.zeros(1))) == 2
