"""Ours beside the dense floor and transformers' Mixtral block, alternating in one run: 2,048 tokens, 2 of 8 experts."""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor

from ..dispatch import all_experts, loop_over_experts
from ..dispatch_fast import grouped_dispatch, grouped_mm_dispatch
from ..experts import Experts, FeedForward
from ..moe import init_weights
from ..router import combine_weights, top_k_gate

TOKENS, D_MODEL, FFN, EXPERTS, K = 2048, 256, 512, 8, 2
ALL, LOOP, GROUPED, BLOCK = "all experts", "loop over experts", "sorted (dispatch_fast.py)", "ours with router"
PEER, FLOOR, BF16, BF16_LOOP = "transformers' Mixtral block", "dense floor", "grouped product, bf16", "loop, bf16"
BF16_FLOOR = "dense floor, bf16"


def mixtral(experts: Experts, router: Tensor) -> Callable:
    """transformers' block with the same weights."""
    from transformers import MixtralConfig
    from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock

    config = MixtralConfig(hidden_size=D_MODEL, intermediate_size=FFN, num_local_experts=EXPERTS, num_experts_per_tok=K)
    config._experts_implementation = "eager"
    block = MixtralSparseMoeBlock(config)
    block.experts.load_state_dict(experts.state_dict())
    block.gate.weight.data = router
    return block


def contenders(seed: int, tokens: int) -> dict[str, Callable[[], Tensor]]:
    """The calls. The dense floors have as many rows as the experts together, in one matrix."""
    generator = torch.Generator().manual_seed(seed)
    experts, dense = Experts(EXPERTS, D_MODEL, FFN), FeedForward(D_MODEL, FFN)
    init_weights(experts, generator), init_weights(dense, generator)
    x, router = torch.randn(tokens, D_MODEL, generator=generator), torch.randn(EXPERTS, D_MODEL, generator=generator)
    small, small_dense = Experts(EXPERTS, D_MODEL, FFN), FeedForward(D_MODEL, FFN)
    small.load_state_dict(experts.state_dict()), small_dense.load_state_dict(dense.state_dict())
    small, small_dense, small_x = small.bfloat16(), small_dense.bfloat16(), x.bfloat16()
    zeros, every = torch.zeros_like(x), torch.ones(tokens, K, dtype=torch.bool)
    block = mixtral(experts, router)

    def route():
        scores, indices = top_k_gate(F.linear(x, router), K)
        return indices, combine_weights(scores, indices, normalize=True)

    indices, weights = route()
    return {
        ALL: lambda: all_experts(x, indices, weights, experts),
        LOOP: lambda: loop_over_experts(x, indices, weights, experts),
        GROUPED: lambda: grouped_dispatch(zeros, x, indices, weights, every, experts),
        BLOCK: lambda: grouped_dispatch(zeros, x, *route(), every, experts),
        PEER: lambda: block(x[None])[0],
        FLOOR: lambda: dense(x.repeat(K, 1)),
        BF16: lambda: grouped_mm_dispatch(small_x, indices, weights, small),
        BF16_LOOP: lambda: loop_over_experts(small_x, indices, weights.bfloat16(), small).float(),
        BF16_FLOOR: lambda: small_dense(small_x.repeat(K, 1)),
    }


def bench(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Milliseconds of all contenders, in turn.

    Raises:
        ValueError: the sides do not agree.
    """
    tokens, repeats = (64, 3) if options.quick else (TOKENS, 30)
    with torch.no_grad():
        calls = contenders(options.seed, tokens)
        want = calls[ALL]()
        scale = want.abs().max().item()
        sides = [name for name in calls if name not in (FLOOR, BF16_FLOOR)]
        errors = {name: (calls[name]() - want).abs().max().item() / scale for name in sides}
        if max(error for name, error in errors.items() if name not in (BF16, BF16_LOOP)) > 1e-5:
            raise ValueError(f"errors={errors}: the sides must agree before they are timed")
        calls[FLOOR](), calls[BF16_FLOOR]()  # warm
        times = {name: [] for name in calls}
        for repeat in range(repeats):
            log(f"repeat {repeat + 1} of {repeats}")
            for name, call in calls.items():
                times[name].append(milliseconds(call))
    return {"tokens": tokens, "errors": errors, "milliseconds": times, "ratios": ratios(times), "flops": flops(tokens)}


def milliseconds(call: Callable) -> float:
    """The time of one call."""
    start = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - start)


def flops(tokens: int) -> int:
    """Multiplications and additions of the experts: three matrices for each assignment."""
    return 6 * tokens * K * D_MODEL * FFN


def ratios(times: dict[str, list[float]]) -> dict[str, float]:
    """How many times faster the second is, by medians."""
    middle = {name: median(values) for name, values in times.items()}
    return {
        "of the dense floor": middle[FLOOR] / middle[GROUPED],
        "times all experts": middle[ALL] / middle[GROUPED],
        "times the loop, bf16 grouped product": middle[LOOP] / middle[BF16],
        "times the bf16 loop, bf16 grouped product": middle[BF16_LOOP] / middle[BF16],
        "times transformers' Mixtral block": middle[PEER] / middle[BLOCK],
    }


GOALS = {
    "of the dense floor": 0.95,
    "times all experts": 4.5,
    "times the loop, bf16 grouped product": 1.8,
    "times transformers' Mixtral block": 1.0,
}
