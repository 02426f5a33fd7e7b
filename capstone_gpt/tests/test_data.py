"""Windows and batches: what is trained on, what is held back, and that a resumed run sees the same samples."""

import pytest
import torch
from given import generators, integers
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.task("windows")
@pytest.mark.parametrize("seq_len", [1, 5, 7])
def test_every_target_is_the_next_token(impl, seq_len):
    tokens = torch.arange(101)
    for split in ("train", "valid"):
        x, y = impl.windows(tokens, seq_len, split, 0.3)
        assert torch.equal(y, x + 1) and x.dtype == torch.int64


@pytest.mark.task("windows")
def test_the_splits_share_nothing_and_lose_less_than_a_window(impl):
    tokens = torch.arange(1000)
    x, _ = impl.windows(tokens, 9, "train")
    vx, vy = impl.windows(tokens, 9, "valid")
    assert x.shape == (99, 9) and x[0, 0] == 0 and x[-1, -1] == 890
    assert vx.shape == (11, 9) and vx[0, 0] == 900 and vy[-1, -1] == 999


@pytest.mark.task("windows")
def test_property_windows_stand_side_by_side(impl):
    @settings(deadline=None, max_examples=30)
    @given(st.integers(1, 12), st.integers(40, 120), st.sampled_from([0.25, 0.5]))
    def holds(seq_len, n, fraction):
        tokens = integers(n, 50, n)
        x, y = impl.windows(tokens, seq_len, "train", fraction)
        part = tokens[: int(n * (1 - fraction))]
        assert torch.equal(x.flatten(), part[: x.numel()]) and torch.equal(y.flatten(), part[1 : y.numel() + 1])
        assert len(part) - 1 - seq_len < x.numel() <= len(part) - 1

    holds()


@pytest.mark.task("windows")
def test_the_example_of_the_workbook(impl):
    x, y = impl.windows(torch.arange(10, 20), 3, "train", 0.2)
    assert x.tolist() == [[10, 11, 12], [13, 14, 15]] and y.tolist() == [[11, 12, 13], [14, 15, 16]]
    assert impl.windows(torch.arange(10, 20), 1, "valid", 0.2)[1].tolist() == [[19]]
    assert len(impl.windows(torch.arange(71), 7)[0]) == 8  # 63.9 tokens are 63
    assert impl.windows(torch.arange(16), 1, "valid")[0][0].item() == 14  # 14.4 tokens are 14


@pytest.mark.task("windows")
def test_bad_input(impl):
    for name in ("test", "val", "validation", "Train", ""):
        with pytest.raises(ValueError):
            impl.windows(torch.arange(100), 2, name)
    with pytest.raises(ValueError):
        impl.windows(torch.arange(10), 9, "train", 0.1)
    assert len(impl.windows(torch.arange(10), 8, "train", 0.1)[0]) == 1


@pytest.mark.task("Sampler")
def test_an_epoch_has_every_sample_once_in_the_promised_order(impl):
    sampler = impl.Sampler(12, 3, seed=5)
    for epoch in range(3):
        want = torch.randperm(12, generator=torch.Generator().manual_seed(5 + epoch))
        got = torch.cat([next(sampler) for _ in range(4)])
        assert torch.equal(got, want)


@pytest.mark.task("Sampler")
def test_ranks_share_a_global_batch(impl):
    whole = impl.Sampler(23, 6, seed=1)
    ranks = [impl.Sampler(23, 2, seed=1, rank=r, world_size=3) for r in range(3)]
    for _ in range(8):  # into the third epoch
        parts = [next(s) for s in ranks]
        assert torch.equal(torch.cat(parts), next(whole))


@pytest.mark.task("Sampler")
@pytest.mark.parametrize("done", [0, 1, 4, 5, 11])
def test_a_resumed_sampler_goes_on(impl, done):
    sampler = impl.Sampler(17, 4, seed=2, rank=0, world_size=1)
    for _ in range(done):
        next(sampler)
    state = sampler.state_dict()
    assert set(state) == {"epoch", "position"} and all(type(v) is int for v in state.values())
    rest = [next(sampler) for _ in range(9)]
    resumed = impl.Sampler(17, 4, seed=2)
    for _ in range(3):
        next(resumed)
    resumed.load_state_dict(state)
    assert all(torch.equal(next(resumed), want) for want in rest)


@pytest.mark.task("Sampler")
def test_what_fills_no_batch_is_left_out(impl):
    sampler = impl.Sampler(7, 3)
    assert all(len(next(sampler)) == 3 for _ in range(9))
    assert sampler.state_dict() == {"epoch": 4, "position": 3}
    assert iter(sampler) is sampler
    with pytest.raises(ValueError):
        impl.Sampler(5, 2, world_size=3)
    assert len(next(impl.Sampler(6, 2, world_size=3))) == 2


@pytest.mark.task("Sampler")
def test_the_position_counts_all_ranks_and_an_epoch_ends_when_a_batch_does_not_fit(impl):
    sampler = impl.Sampler(9, 2, rank=1, world_size=2)
    states = []
    for _ in range(3):
        next(sampler)
        states.append(sampler.state_dict())
    assert states == [{"epoch": 0, "position": 4}, {"epoch": 0, "position": 8}, {"epoch": 1, "position": 4}]


@pytest.mark.task("Sampler")
def test_a_state_stays_as_it_was_taken_and_as_it_was_loaded(impl):
    sampler, state = impl.Sampler(10, 3), {"epoch": 2, "position": 3}
    sampler.load_state_dict(state)
    taken = sampler.state_dict()
    next(sampler)
    assert state == taken == {"epoch": 2, "position": 3}


@pytest.mark.task("Sampler")
def test_no_global_generator_moves(impl):
    before = generators()
    sampler = impl.Sampler(9, 2)
    for _ in range(5):
        next(sampler)
    assert generators() == before
