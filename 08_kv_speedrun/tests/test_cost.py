"""Costs by formula, against counters: FLOPs to the last one, bytes to the last one."""

from operator import index

import pytest
import torch
from grader import exactly
from kv_speedrun import (
    GPT,
    Config,
    GrowingCache,
    StaticCache,
    cache_bytes,
    decode_flops,
    forward_flops,
    roofline,
)
from kv_speedrun.lab.bandwidth import measure_bandwidth
from torch.utils.flop_counter import FlopCounterMode

SHAPES = [Config(53, 40, 3, 2, 14), Config(101, 40, 1, 5, 35), Config(67, 40, 4, 1, 22)]


def counted(call):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        call()
    return counter.get_total_flops()


@pytest.mark.task("cache_bytes")
@pytest.mark.parametrize("itemsize", [1, 2, 4, 8])
def test_cache_bytes_is_what_a_cache_allocates(impl, seed, itemsize):
    dtype = {1: torch.int8, 2: torch.bfloat16, 4: torch.float32, 8: torch.float64}[itemsize]
    for config in SHAPES:
        exactly(
            index(impl.cache_bytes(config, 3, 17 + seed % 5, itemsize)),  # NumPy's integers are as good
            StaticCache(config, 3, 17 + seed % 5, dtype=dtype).nbytes,
            "bytes",
        )


@pytest.mark.task("cache_bytes")
def test_gpt2_keeps_73728_bytes_a_token(impl):
    exactly(index(impl.cache_bytes(Config.gpt2(), 1, 1, 4)), 73728, "bytes of one token of GPT-2 small in float32")


@pytest.mark.task("cache_bytes")
def test_no_token_takes_no_byte_and_the_context_is_no_limit(impl):
    for T in (0, 1, 100):
        got = index(impl.cache_bytes(config=SHAPES[0], batch_size=2, seq_len=T, itemsize=2))
        exactly(got, 2 * 3 * 2 * T * 14 * 2, f"bytes of {T} tokens")


@pytest.mark.task("cache_bytes")
def test_each_model_has_its_own_bytes_to_the_last(impl):
    large = Config(32_000, 2**17, 127, 131, 131 * 127)
    for config, rows, T in ((SHAPES[0], 1, 9), (SHAPES[1], 1, 9), (SHAPES[1], 2, 9), (large, 65_537, 131_071)):
        want = 2 * config.layers * rows * T * config.width
        exactly(index(impl.cache_bytes(config, rows, T, 1)), want, f"bytes of {rows} rows of {T} tokens in {config}")


@pytest.mark.parametrize("position", [0, 1, 6, 29, 39])
def test_decode_flops_equals_the_counter(impl, seed, position):
    for config in SHAPES:
        model, cache = GPT(config), GrowingCache(config)
        tokens = torch.randint(config.vocab_size, (2, position + 1))
        if position:
            model(tokens[:, :position], cache)
        exactly(
            index(impl.decode_flops(config, position, 2)),
            counted(lambda m=model, t=tokens, c=cache: m(t[:, -1:], c)),
            "FLOPs",
        )


@pytest.mark.task("decode_flops")
def test_decode_flops_of_one_row_is_the_default(impl):
    exactly(index(impl.decode_flops(SHAPES[0], 7)), index(impl.decode_flops(SHAPES[0], 7, batch_size=1)), "FLOPs")
    exactly(
        index(impl.decode_flops(Config.gpt2(), 0)),
        2 * (12 * (12 * 768 * 768 + 2 * 768) + 768 * 50257),
        "FLOPs of GPT-2's first token",
    )


@pytest.mark.task("decode_flops")
@pytest.mark.parametrize(
    "config, position, rows",
    [
        (Config(50_257, 64, 13, 5, 765), 0, 1),  # more than float32 counts
        (Config(32_000, 2**17, 32, 32, 4096), 100_000, 64),  # than int32
        (Config(32_003, 2**20, 127, 127, 127 * 127), 1000, 65_537),  # than float64
    ],
    ids=["float32", "int32", "float64"],
)
def test_decode_flops_are_whole_numbers_of_any_size(impl, config, position, rows):
    C = config.width
    want = 2 * rows * (config.layers * (12 * C * C + 2 * C * (position + 1)) + C * config.vocab_size)
    exactly(index(impl.decode_flops(config, position, rows)), want, "FLOPs")


@pytest.mark.parametrize("last_only", [False, True])
@pytest.mark.parametrize("tokens, position", [(9, 0), (4, 5), (1, 8)])
def test_forward_flops_equals_the_counter(tokens, position, last_only):
    for config in SHAPES:
        model, cache = GPT(config), GrowingCache(config)
        text = torch.randint(config.vocab_size, (3, tokens + position))
        if position:
            model(text[:, :position], cache)
        measured = counted(lambda m=model, t=text, c=cache: m(t[:, position:], c, last_only=last_only))
        assert forward_flops(config, tokens, 3, position, last_only) == measured
    assert forward_flops(SHAPES[0], 1, 3, 8) == decode_flops(SHAPES[0], 8, 3)


def test_a_step_costs_the_same_at_any_length_but_for_attention():
    """The cost of a decode step grows by 4·C·L per token of context; without a cache it grows with the whole model."""
    config = Config.gpt2()
    grows = decode_flops(config, 1000) - decode_flops(config, 999)
    assert grows == 4 * config.width * config.layers
    assert forward_flops(config, 1000) - forward_flops(config, 999) > 1000 * grows


def test_the_roofline():
    assert roofline(100, 0, 1000.0) == 10
    assert roofline(100, 100, 1000.0, batch_size=4) == 20
    for bad in ((0, 0, 1.0), (1, 1, 0.0), (-5, 10, 1.0)):
        with pytest.raises(ValueError, match="must be positive"):
            roofline(*bad)


def test_bandwidth_is_measured_and_threads_are_given_back():
    before = torch.get_num_threads()
    assert 1e8 < measure_bandwidth(1, megabytes=16, repeats=2) < 1e13
    assert torch.get_num_threads() == before
    assert cache_bytes(Config.gpt2(), 1, 1024, 4) == 75497472
